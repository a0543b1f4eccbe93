//! Bytes to incidents and decisions. No I/O, no clock, no threads, no randomness of its own.
//!
//! `Tracker` is the hot half, one per capture queue: frames in, observations out. `Analysis` is the
//! warm half, one per appliance: observations in time order in, effects out. Rooms in reading order;
//! a room uses those before it, never those after it.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod types;

pub mod decode;
pub mod flow;
pub mod proto;

mod tracker;

pub use tracker::{Numbers, Tracker, TrackerConfig, TrackerStats};
