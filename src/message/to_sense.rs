//! From `serve` to `sense`.

use serde::{Deserialize, Serialize};

/// What `serve` tells `sense`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSense {
    /// Finish what is open and end.
    Stop,
}
