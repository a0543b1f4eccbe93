//! Hardware addresses on frames without IP: told at first sight, then once a minute.
//!
//! Bounds: 8,192 addresses within a minute; more are not told, and counted.

use std::net::IpAddr;

use super::news::News;
use crate::types::{MacAddr, Seed};

/// Addresses remembered.
const ENTRIES_MAX: usize = 8_192;
/// An address is told again after this.
const AGAIN_NS: i64 = 60_000_000_000;

/// Hardware address, the address it spoke for, VLAN and carrier: a worker must not count on having seen
/// what came another way to another worker.
pub(super) type Sightings = News<(MacAddr, Option<IpAddr>, u16, u32)>;

pub(super) fn new(seed: Seed) -> Sightings {
    News::new(ENTRIES_MAX, AGAIN_NS, seed)
}
