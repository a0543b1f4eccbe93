//! Flows: both directions of one 5-tuple while alive.

mod conn;

pub use conn::Conn;
