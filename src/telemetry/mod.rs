//! Logs and metrics.
//!
//! Called by `ingest`, `sync`, `provider`, `http` and `app`; uses none. Neither ever contains an email, name, phone, token, key or
//! payload: ids and words of closed sets only.

pub mod logs;
pub mod metrics;
mod throttle;

pub use logs::LogFormat;
pub use metrics::{LabelWords, Metrics};
pub use throttle::Throttle;
