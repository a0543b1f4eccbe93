//! Hardware addresses on frames without IP: told at first sight, then once a minute.
//!
//! Bounds: 8,192 addresses within a minute; more are not told, and counted.

use std::net::IpAddr;

use crate::types::{Held, MacAddr, Map, Seed, Timestamp};

/// Addresses remembered.
const ENTRIES_MAX: usize = 8_192;
/// An address is told again after this.
const AGAIN_NS: i64 = 60_000_000_000;

/// Hardware address, the address it spoke for, VLAN and carrier: a worker must not count on having seen
/// what came another way to another worker.
type Seen = (MacAddr, Option<IpAddr>, u16, u32);

/// When each address was last told.
#[derive(Debug)]
pub(super) struct Sightings {
    told: Map<Seen, Timestamp>,
    swept: Timestamp,
}

impl Sightings {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            told: Map::new(ENTRIES_MAX, seed),
            swept: Timestamp::MIN,
        }
    }

    /// Whether to tell of what was seen at `ts`; notes that it was told.
    pub(super) fn is_news(&mut self, ts: Timestamp, key: Seen, refused: &mut u64) -> bool {
        if let Some(last) = self.told.get_mut(&key) {
            let news = ts.since(*last) >= AGAIN_NS;
            if news {
                *last = ts;
            }
            return news;
        }
        if self.told.len() >= ENTRIES_MAX && ts.since(self.swept) >= AGAIN_NS {
            self.swept = ts;
            self.told.retain(|_, last| ts.since(*last) < AGAIN_NS);
        }
        let room = self.told.insert(key, ts);
        if !room {
            *refused = refused.saturating_add(1);
        }
        room
    }

    /// Time leapt: everything is news again.
    pub(super) fn clear(&mut self) {
        self.told.retain(|_, _| false);
        self.swept = Timestamp::MIN;
    }
}

impl Sightings {
    /// Bytes of what is remembered.
    pub(super) fn held(&self) -> Held {
        let bound = Map::<Seen, Timestamp>::table_bound(ENTRIES_MAX);
        Held::new("hardware addresses", self.told.table_bytes(), bound)
    }
}
