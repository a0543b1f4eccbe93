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
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        reason = "tests make small numbers"
    )
)]

pub mod types;

pub mod decode;
pub mod flow;
pub mod proto;

pub mod device;

pub mod mirror;

pub mod baseline;

pub mod model;

pub mod service;

pub mod breach;

pub mod incident;

pub mod policy;

pub mod respond;

mod analysis;

/// Kinds and fields of every row a model may be written on: records and verdicts.
#[must_use]
pub fn schemas() -> Vec<(&'static str, &'static [types::FieldInfo])> {
    use types::Fields;
    fn of<T: Fields>() -> (&'static str, &'static [types::FieldInfo]) {
        (T::KIND, T::FIELDS)
    }
    let mut all = proto::SCHEMAS.to_vec();
    all.extend([
        of::<device::DeviceNew>(),
        of::<baseline::Scan>(),
        of::<baseline::Beacon>(),
        of::<baseline::Upload>(),
        of::<baseline::Window>(),
        of::<mirror::Loss>(),
        of::<mirror::Row>(),
    ]);
    all
}

pub use analysis::{Analysis, AnalysisSettings, Effect, SavedState};
pub use policy::{Authorised, PolicySettings};

mod tracker;

pub use tracker::{Encapsulations, Numbers, Packet, Tracker, TrackerConfig, TrackerStats};
