//! Who used which service, when, and how much went there and came back.
//!
//! A flow belongs to one service. A better evidence than that it was found by moves it to another, and what it
//! has counted moves with it; so the flows of all uses are the flows that were given a service.
//!
//! Bounds: see the room. Units: bytes of payload.

use serde::{Deserialize, Serialize};

use super::catalogue::{Catalogue, ServiceIx};
use crate::device::DeviceIx;
use crate::types::{FlowRef, Held, Map, Seed, Timestamp};

/// Services times devices.
const USES_MAX: usize = 20_000;
/// Uses let go at once when there is no room: looking for the oldest goes over all of them.
const LET_GO: usize = 1_024;
/// Flows at a time whose service is known.
const FLOWS_MAX: usize = 65_536;
/// Slots that say whether a flow may be one of them, a power of two.
const SLOTS: usize = 1_024;

/// How a flow's service is known; a later one is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// Its address was the answer to a question for a name.
    Dns,
    /// The server's certificate names it.
    Certificate,
    /// A request named the host.
    HttpHost,
    /// The client asked for the server by name (TLS, DTLS, QUIC).
    Sni,
}

impl Evidence {
    /// All of them, the weakest first, with their names.
    const ALL: [(Self, &'static str); 4] = [
        (Self::Dns, "dns"),
        (Self::Certificate, "certificate"),
        (Self::HttpHost, "http host"),
        (Self::Sni, "sni"),
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A use: one service and one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// First flow.
    pub first_ts: Timestamp,
    /// Last time a flow of it was heard of.
    pub last_ts: Timestamp,
    /// Flows.
    pub flows: u64,
    /// Bytes the device sent.
    pub up: u64,
    /// Bytes it was sent.
    pub down: u64,
    /// [`Evidence`] it rests on, a bit each.
    evidence: u8,
}

impl Use {
    /// Takes in a use of the same service by another part of the same device.
    pub fn add(&mut self, other: &Self) {
        self.first_ts = self.first_ts.min(other.first_ts);
        self.last_ts = self.last_ts.max(other.last_ts);
        self.flows = self.flows.saturating_add(other.flows);
        self.up = self.up.saturating_add(other.up);
        self.down = self.down.saturating_add(other.down);
        self.evidence |= other.evidence;
    }

    /// Names of what it rests on, the strongest first.
    pub fn evidence(&self) -> impl Iterator<Item = &'static str> + '_ {
        let all = Evidence::ALL.iter().rev();
        all.filter(|(evidence, _)| self.evidence & evidence.bit() != 0)
            .map(|(_, name)| *name)
    }
}

/// Which use.
type Pair = (ServiceIx, DeviceIx);

/// A flow whose service is known.
#[derive(Clone, Copy, Debug)]
struct Open {
    pair: Pair,
    evidence: Evidence,
    /// Bytes that its use has from it already.
    up: u64,
    down: u64,
}

/// One use as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SavedUse {
    service: String,
    device: DeviceIx,
    first_ts: Timestamp,
    last_ts: Timestamp,
    flows: u64,
    up: u64,
    down: u64,
    evidence: u8,
}

/// What outlives a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedUses(Vec<SavedUse>);

/// See the module.
#[derive(Debug)]
pub struct Uses {
    uses: Map<Pair, Use>,
    flows: Map<FlowRef, Open>,
    /// How many of the flows each slot stands for: most flows that end stand in an empty one, and the table,
    /// which is large, need not be asked.
    slots: Box<[u32; SLOTS]>,
    let_go: u64,
}

/// The slot of a flow: Fibonacci hashing of what differs most between flows.
fn slot(flow: &FlowRef) -> usize {
    let port = u64::from(flow.orig.port) << 48;
    let hash = (flow.first_ts.nanos().cast_unsigned() ^ port).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(hash >> (u64::BITS - SLOTS.trailing_zeros())).unwrap_or(0)
}

impl Uses {
    /// The uses of earlier runs; those of services that the catalogue no longer has are forgotten.
    #[must_use]
    pub fn new(seed: Seed, catalogue: &Catalogue, saved: SavedUses) -> Self {
        let mut uses = Map::new(USES_MAX, seed);
        for one in saved.0 {
            let Some(service) = catalogue.by_id(&one.service) else {
                continue;
            };
            let found = Use {
                first_ts: one.first_ts,
                last_ts: one.last_ts,
                flows: one.flows,
                up: one.up,
                down: one.down,
                evidence: one.evidence,
            };
            uses.insert((service, one.device), found);
        }
        Self {
            uses,
            flows: Map::new(FLOWS_MAX, seed),
            slots: Box::new([0; SLOTS]),
            let_go: 0,
        }
    }

    /// What the next run should know.
    #[must_use]
    pub fn save(&self, catalogue: &Catalogue) -> SavedUses {
        let saved = |(pair, one): (&Pair, &Use)| {
            Some(SavedUse {
                service: catalogue.get(pair.0)?.id.to_string(),
                device: pair.1,
                first_ts: one.first_ts,
                last_ts: one.last_ts,
                flows: one.flows,
                up: one.up,
                down: one.down,
                evidence: one.evidence,
            })
        };
        let used = self.uses.sorted().into_iter();
        SavedUses(used.filter_map(saved).collect())
    }

    /// All uses, by service and device.
    #[must_use]
    pub fn all(&self) -> Vec<(ServiceIx, DeviceIx, &Use)> {
        let used = self.uses.sorted().into_iter();
        used.map(|((service, device), one)| (*service, *device, one))
            .collect()
    }

    /// Uses let go for newer ones.
    #[must_use]
    pub fn let_go(&self) -> u64 {
        self.let_go
    }

    /// Flows whose service could not be kept.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.flows.refused()
    }

    /// A name in `flow` belongs to `service`, or to none. The first name of the best evidence stands; a name
    /// that the flow itself gives says so too where it is in no catalogue.
    pub fn named(
        &mut self,
        ts: Timestamp,
        flow: &FlowRef,
        device: DeviceIx,
        evidence: Evidence,
        service: Option<ServiceIx>,
    ) {
        let known = self.flows.get(flow).copied();
        if known.is_some_and(|known| known.evidence >= evidence) {
            return;
        }
        let Some(service) = service else {
            if let Some(known) = known.filter(|_| evidence >= Evidence::HttpHost) {
                self.remove(flow);
                self.take_back(&known);
            }
            return;
        };
        let pair = (service, device);
        let mut open = Open {
            pair,
            evidence,
            up: 0,
            down: 0,
        };
        if let Some(known) = known {
            (open.up, open.down) = (known.up, known.down);
            if known.pair != pair {
                self.take_back(&known);
            }
        }
        if !self.flows.insert(*flow, open) {
            return;
        }
        if known.is_none()
            && let Some(count) = self.slots.get_mut(slot(flow))
        {
            *count = count.saturating_add(1);
        }
        let is_new = known.is_none_or(|known| known.pair != pair);
        self.change(ts, pair, |one| {
            one.evidence |= evidence.bit();
            if is_new {
                one.flows = one.flows.saturating_add(1);
                one.up = one.up.saturating_add(open.up);
                one.down = one.down.saturating_add(open.down);
            }
        });
    }

    /// So many bytes more went through `flow`.
    pub fn moved(&mut self, ts: Timestamp, flow: &FlowRef, (up, down): (u64, u64)) {
        let Some(open) = self.flows.get_mut(flow) else {
            return;
        };
        open.up = open.up.saturating_add(up);
        open.down = open.down.saturating_add(down);
        let pair = open.pair;
        self.count(ts, pair, up, down);
    }

    /// `flow` is over, with so many bytes in all; its service, if it is known.
    pub fn over(&mut self, ts: Timestamp, flow: &FlowRef, bytes: (u64, u64)) -> Option<ServiceIx> {
        let open = self.remove(flow)?;
        let up = bytes.0.saturating_sub(open.up);
        let down = bytes.1.saturating_sub(open.down);
        self.count(ts, open.pair, up, down);
        Some(open.pair.0)
    }

    /// Takes out a flow, if it is there.
    fn remove(&mut self, flow: &FlowRef) -> Option<Open> {
        let count = self.slots.get_mut(slot(flow)).filter(|count| **count > 0)?;
        let open = self.flows.remove(flow)?;
        *count = count.saturating_sub(1);
        Some(open)
    }

    /// Bytes held, and at the bound.
    #[must_use]
    pub fn held(&self) -> Held {
        let slots = size_of::<[u32; SLOTS]>();
        let bytes = self.uses.table_bytes().saturating_add(slots);
        Held::new(
            "services used",
            bytes.saturating_add(self.flows.table_bytes()),
            Map::<Pair, Use>::table_bound(USES_MAX)
                .saturating_add(Map::<FlowRef, Open>::table_bound(FLOWS_MAX))
                .saturating_add(slots),
        )
    }

    fn count(&mut self, ts: Timestamp, pair: Pair, up: u64, down: u64) {
        self.change(ts, pair, |one| {
            // Let go while the flow went on, it begins anew with it.
            one.flows = one.flows.max(1);
            one.up = one.up.saturating_add(up);
            one.down = one.down.saturating_add(down);
        });
    }

    /// A flow belongs to another service, or to none.
    fn take_back(&mut self, open: &Open) {
        let Some(one) = self.uses.get_mut(&open.pair) else {
            return;
        };
        one.flows = one.flows.saturating_sub(1);
        one.up = one.up.saturating_sub(open.up);
        one.down = one.down.saturating_sub(open.down);
        if one.flows == 0 {
            self.uses.remove(&open.pair);
        }
    }

    /// Changes the use at `pair`, made if it is new, heard of at `ts`.
    fn change(&mut self, ts: Timestamp, pair: Pair, with: impl FnOnce(&mut Use)) {
        if self.uses.len() >= USES_MAX && self.uses.get(&pair).is_none() {
            self.make_room();
        }
        let new = || Use {
            first_ts: ts,
            last_ts: ts,
            flows: 0,
            up: 0,
            down: 0,
            evidence: 0,
        };
        if let Some(one) = self.uses.entry(pair, new) {
            one.last_ts = one.last_ts.max(ts);
            with(one);
        }
    }

    /// Lets the oldest go.
    fn make_room(&mut self) {
        let all = self.uses.sorted().into_iter();
        let mut ages: Vec<(Timestamp, Pair)> =
            all.map(|(pair, one)| (one.last_ts, *pair)).collect();
        ages.sort_unstable();
        for (_, pair) in ages.into_iter().take(LET_GO) {
            self.uses.remove(&pair);
            self.let_go = self.let_go.saturating_add(1);
        }
    }
}

#[cfg(test)]
#[path = "uses_tests.rs"]
mod tests;
