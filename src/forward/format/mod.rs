//! What a line looks like: pure functions from a notice to text.

pub mod cef;
pub mod syslog;
