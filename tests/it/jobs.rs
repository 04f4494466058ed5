//! Jobs: long work on all users, which is started, watched and cancelled, and which always ends
//! right, whatever dies on the way.
//!
//! * [`requests`]: who may ask for what; [`shown`]: how jobs are shown; [`cancelled`];
//! * [`counted`]: what a finished job has counted, and [`spoilt`] users, who hide nobody;
//! * [`killed`], [`paused`] and [`replicas`]: a job goes on elsewhere, and in one place only;
//! * [`command`], [`refused`], [`followed`] and [`patient`]: the command line;
//! * [`secrets`]: what stands in no log, row or output.
//!
//! [`scene`] is what they play on, [`operator`] whoever asks for a job, and [`pages`] the road to the
//! provider on which they decide how far a job comes.

mod cancelled;
mod command;
mod counted;
mod followed;
mod killed;
mod operator;
mod pages;
mod patient;
mod paused;
mod refused;
mod replicas;
mod requests;
mod scene;
mod secrets;
mod shown;
mod spoilt;
