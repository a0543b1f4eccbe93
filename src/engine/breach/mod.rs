//! Breaches: firings of models, scored so that a number means a rate, and told once.
//!
//! Input:  a model, the row it fired on, the device.
//! Output: a new breach, or a newer state of an open one.
//! Bounds: one open breach a device and model per 24 h; 100,000 open ones, the rest refused, counted.

mod channels;
mod ledger;
mod score;

pub use channels::{Channels, Estimate, Saved as SavedChannels, SavedFirings};
pub use ledger::{Firing, Ledger};
pub use score::rarity;
