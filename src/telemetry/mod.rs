//! Logs and metrics: what the service tells about itself.
//!
//! Called from everywhere; calls nobody. Neither ever holds an email, name, phone, token,
//! key or payload: ids and closed words only.

pub mod logs;
pub mod metrics;
mod throttle;

pub use logs::LogFormat;
pub use metrics::{LabelWords, Metrics};
pub use throttle::Throttle;
