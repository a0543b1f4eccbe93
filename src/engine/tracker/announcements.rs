//! What ports say of themselves every minute: told when it is new, then once an hour.
//!
//! Bounds: 1,024 within an hour; more are not told, and counted.

use super::Tracker;
use super::news::News;
use crate::decode::Frame;
use crate::proto::Out;
use crate::proto::link_discovery::{LinkProtocol, tell};
use crate::types::{FlowRef, MacAddr, Observations, Seed, Timestamp};

/// Announcements remembered: ports that a mirror shows, times what changes on them.
const ENTRIES_MAX: usize = 1_024;
/// The same is told again after this.
const AGAIN_NS: i64 = 3_600_000_000_000;

/// Who sent it, VLAN and carrier as for sightings, and a digest of what it says.
pub(super) type Announcements = News<(MacAddr, u16, u32, u64)>;

pub(super) fn new(seed: Seed) -> Announcements {
    News::new(ENTRIES_MAX, AGAIN_NS, seed)
}

impl Tracker {
    /// Takes what a port says of itself.
    #[cold]
    pub(super) fn announced(
        &mut self,
        ts: Timestamp,
        frame: &Frame<'_>,
        (protocol, body): (LinkProtocol, &[u8]),
        carrier: u32,
        out: &mut Observations,
    ) {
        let digest = blake3::hash(body);
        let digest = digest.as_bytes().first_chunk().copied().unwrap_or_default();
        let key = (
            frame.src_mac,
            frame.vlan,
            carrier,
            u64::from_le_bytes(digest),
        );
        let refused = &mut self.stats.announcements_refused;
        if !self.protocols
            || !frame.src_mac.is_station()
            || !self.announcements.is_news(ts, key, refused)
        {
            return;
        }
        // There is no flow: what is told has the tags alone.
        let flow = FlowRef {
            vlan: frame.vlan,
            carrier,
            ..FlowRef::default()
        };
        tell(protocol, body, frame.src_mac, &mut Out::new(&flow, ts, out));
    }
}
