//! All flows of one tracker: a slab, an index by key, and the timing wheel.
//!
//! Bounds: `flows_max`; at it one that is there has to go for a new one, see [`Rank`]. Memory is asked
//! for once, at the start; the operating system gives it as it is touched.
//! Order:  the hash key decides only where an entry lies, never what is told first.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::fast::SeedableRandomState;

use super::places::Places;
use super::wheel::{UNLINKED, Wheel};
use super::{Flow, Key, Rank};
use crate::types::{Held, Seed, Timestamp, ask};

/// Place of a flow in the slab.
pub type Index = u32;

/// Nothing in a linked list.
pub(super) const NONE: Index = u32::MAX;

/// Flows the index has room for at first. It grows by doubling: a table as large as its bound would
/// lie scattered over more memory than the caches hold, for a site of a few thousand flows.
const INDEX_LEN_START: usize = 16_384;

/// See the module.
pub struct Table<A> {
    index: Places,
    flows: Vec<Flow<A>>,
    /// Places in the slab that hold no flow; the last one is used next.
    free: Vec<Index>,
    /// Flows taken out since [`Self::ending`] was called; `None` if it was not.
    ended: Option<usize>,
    /// Slots that were in use at most before all flows ended: their memory stays.
    used: usize,
    flows_max: usize,
    hasher: SeedableRandomState,
    wheel: Wheel,
}

impl<A> std::fmt::Debug for Table<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("len", &self.index.len())
            .finish_non_exhaustive()
    }
}

impl<A> Table<A> {
    /// An empty table of at most `flows_max` flows.
    #[must_use]
    pub fn new(flows_max: usize, seed: Seed) -> Self {
        let flows_max = flows_max.min(usize::try_from(NONE.saturating_sub(1)).unwrap_or(0));
        Self {
            index: Places::with_capacity(flows_max.min(INDEX_LEN_START)),
            flows: Vec::with_capacity(flows_max),
            free: Vec::with_capacity(flows_max),
            ended: None,
            used: 0,
            flows_max,
            hasher: seed.hasher(),
            wheel: Wheel::new(),
        }
    }

    /// Number of flows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len().saturating_sub(self.ended.unwrap_or(0))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Hash of a key.
    #[inline]
    #[must_use]
    pub fn hash(&self, key: &Key) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        for word in key.words() {
            hasher.write_u64(word);
        }
        if key.carrier != 0 {
            hasher.write_u32(key.carrier);
        }
        let hash = hasher.finish();
        let [a, b, c, d, e, f, g, h] = hash.to_le_bytes();
        u32::from_le_bytes([a, b, c, d]) ^ u32::from_le_bytes([e, f, g, h])
    }

    /// The flow with `key`.
    #[inline]
    #[must_use]
    pub fn find(&self, hash: u32, key: &Key) -> Option<Index> {
        let is = |index| {
            let flow = self.flows.get(place(index));
            flow.is_some_and(|flow| flow.key == *key)
        };
        self.index.find(hash, is)
    }

    /// Asks for the place where a search for this hash begins.
    #[inline]
    pub fn ask_place(&self, hash: u32) {
        self.index.ask(hash);
    }

    /// Asks for the flow that a search for this hash most likely finds; its place was asked for before.
    #[inline]
    pub fn ask_flow(&self, hash: u32) {
        self.ask(Some(&self.index.likely(hash)));
    }

    /// Asks for a flow.
    #[inline]
    pub fn ask(&self, index: Option<&Index>) {
        if let Some(flow) = index.and_then(|index| self.flows.get(place(*index))) {
            flow.ask();
        }
    }

    /// Asks for what parses a flow that was asked for before.
    #[inline]
    pub fn ask_app(&self, index: Option<&Index>) {
        let flow = index.and_then(|index| self.flows.get(place(*index)));
        if let Some(app) = flow.and_then(|flow| flow.app.as_deref()) {
            ask(app);
        }
    }

    /// Asks for the place and the parser of the flow that will be due after the one at `index`, while that one is
    /// closed. The flow itself was asked for by the wheel.
    #[inline]
    pub fn ask_next(&self, index: Index) {
        let next = self.flows.get(place(index)).map(|flow| flow.links.0);
        if let Some(flow) = next.and_then(|next| self.flows.get(place(next))) {
            self.index.ask(self.hash(&flow.key));
            self.ask_app(next.as_ref());
        }
    }

    /// The flow at `index`.
    #[inline]
    pub fn get_mut(&mut self, index: Index) -> Option<&mut Flow<A>> {
        self.flows.get_mut(place(index))
    }

    /// Whether it holds as many flows as it may.
    #[inline]
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.index.len() >= self.flows_max
    }

    /// Who has to go for a new flow if there is no room, and its rank: of the lowest there is, the one with the
    /// least time left. The caller takes it out.
    pub fn victim(&mut self) -> Option<(Index, Rank)> {
        self.wheel.victim(&mut self.flows)
    }

    /// Adds a flow; `None` if the table is full. It has no timer before it is touched.
    pub fn insert(&mut self, hash: u32, flow: Flow<A>) -> Option<Index> {
        if self.is_full() {
            return None;
        }
        let index = if let Some(index) = self.free.pop() {
            // The next new flow will lie there.
            self.ask(self.free.last());
            *self.flows.get_mut(place(index))? = flow;
            index
        } else {
            let index = Index::try_from(self.flows.len()).ok()?;
            self.flows.push(flow);
            index
        };
        self.index.insert(hash, index);
        Some(index)
    }

    /// Takes a flow out.
    pub fn remove(&mut self, index: Index) {
        let Some(flow) = self.flows.get_mut(place(index)) else {
            return;
        };
        if let Some(ended) = &mut self.ended {
            flow.app = None;
            *ended = ended.saturating_add(1);
            if *ended >= self.index.len() {
                self.clear();
            }
            return;
        }
        let key = flow.key;
        if self.index.remove(self.hash(&key), index) {
            self.wheel.unlink(&mut self.flows, index);
            if let Some(flow) = self.flows.get_mut(place(index)) {
                flow.app = None;
                self.free.push(index);
            }
        }
    }

    /// From now on all flows are taken out and none is looked for, until none is left: each of them is spared
    /// the way through the index and the wheel.
    pub fn ending(&mut self) {
        self.ended = (!self.index.is_empty()).then_some(0);
    }

    fn clear(&mut self) {
        self.ended = None;
        self.used = self.used.max(self.flows.len());
        self.index.clear();
        self.wheel.clear();
        self.flows.clear();
        self.free.clear();
    }

    /// Tells the wheel of a flow that is new, or whose deadline may have come nearer.
    #[inline]
    pub fn touch(&mut self, index: Index) {
        let Some(flow) = self.flows.get(place(index)) else {
            return;
        };
        let deadline = flow.deadline();
        if flow.slot == UNLINKED {
            self.wheel.link(&mut self.flows, index, deadline);
        } else if self.wheel.is_late(flow.slot, deadline) {
            self.wheel.unlink(&mut self.flows, index);
            self.wheel.link(&mut self.flows, index, deadline);
        }
    }

    /// Whether [`Self::due`] might return something for `ts`.
    #[inline]
    #[must_use]
    pub fn is_due(&self, ts: Timestamp) -> bool {
        self.wheel.is_due(ts)
    }

    /// A flow whose deadline lies in a wheel tick wholly before `ts`, or `None` if there is no more.
    /// The caller takes it out.
    pub fn due(&mut self, ts: Timestamp) -> Option<Index> {
        if self.index.is_empty() {
            self.wheel.jump(ts);
            return None;
        }
        self.wheel.due(&mut self.flows, ts)
    }

    /// Flows of the wheel's open tick whose deadline has come by `ts`, once [`Self::due`] has no more.
    #[must_use]
    pub fn due_by(&self, ts: Timestamp) -> Vec<Index> {
        self.wheel.open(&self.flows, ts)
    }

    /// Start of the first wheel tick that is not yet done: nothing fires before it any more.
    #[must_use]
    pub fn horizon(&self) -> Timestamp {
        self.wheel.horizon()
    }

    /// Places of all flows, in the order of their keys.
    #[must_use]
    pub fn sorted(&self) -> Vec<Index> {
        let whole = |index| self.flows.get(place(index)).map(|flow| flow.key.order());
        let beginning = |index| {
            self.flows
                .get(place(index))
                .map_or(0, |f| f.key.beginning())
        };
        let all = self.index.iter().map(|index| (beginning(index), index));
        let mut all: Vec<_> = all.collect();
        all.sort_unstable_by(|a, b| {
            let first = a.0.cmp(&b.0);
            first.then_with(|| whole(a.1).cmp(&whole(b.1)))
        });
        let mut sorted = Vec::with_capacity(all.len());
        sorted.extend(all.into_iter().map(|(_, index)| index));
        sorted
    }

    /// Starts the wheel anew at `ts`; only for an empty table.
    pub fn restart(&mut self, ts: Timestamp) {
        if self.index.is_empty() {
            self.wheel.restart(ts);
        }
    }
}

/// An index into memory.
#[inline]
pub(super) fn place(index: Index) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

impl<A> Table<A> {
    /// Bytes of slots that were ever used, of the index, and of the wheel.
    #[must_use]
    pub fn held(&self) -> [Held; 3] {
        // A slot with its place among those that are free.
        let slot = size_of::<Flow<A>>().saturating_add(size_of::<Index>());
        let slots = |len: usize| len.saturating_mul(slot);
        let used = self.flows.len().max(self.used);
        let wheel = self.wheel.bytes();
        [
            Held::new("flow slots", slots(used), slots(self.flows_max)),
            Held::new(
                "flow index",
                self.index.bytes(),
                Places::bytes_bound(self.flows_max),
            ),
            Held::new("flow timers", wheel, wheel),
        ]
    }

    /// Most flows.
    #[must_use]
    pub fn flows_max(&self) -> usize {
        self.flows_max
    }

    /// What is attached to flows.
    pub fn attached(&self) -> impl Iterator<Item = &A> {
        self.flows.iter().filter_map(|flow| flow.app.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Endpoint, Ordinal};

    /// The hash key an attacker knows, and the table's own.
    const KNOWN: Seed = Seed(1);
    const SECRET: Seed = Seed(0x5eed);
    /// Keys chosen.
    const KEYS: usize = 64;

    fn key(number: u32) -> Key {
        let [a, b, c, d] = number.to_be_bytes();
        let end = |addr: [u8; 4], port| Endpoint::new(std::net::Ipv4Addr::from(addr).into(), port);
        Key::new(
            end([10, a, b, c], 1_024 + u16::from(d)),
            end([192, 168, 0, 1], 443),
            6,
            0,
            0,
        )
        .0
    }

    /// Entries that a search for each of the keys compares, on the whole.
    fn compared(keys: &[Key], seed: Seed) -> usize {
        let mut table = Table::<()>::new(1_000, seed);
        for key in keys {
            let flow = Flow::new(*key, true, Timestamp::from_secs(0), Ordinal::default());
            let hash = table.hash(key);
            table.insert(hash, flow).expect("room");
        }
        let mut compared = 0;
        for key in keys {
            let hash = table.hash(key);
            let passed = table
                .index
                .passed(hash, |index| table.flows[place(index)].key == *key);
            compared += passed.expect("the flow is there");
        }
        compared
    }

    /// Entries are looked at from where a search begins: in a table at most five eighths full by chance one or
    /// two. Chosen keys lie in one row with the hash key they were chosen for, and there alone.
    #[test]
    fn keys_chosen_to_collide_do_so_under_the_known_hash_key_only() {
        let table = Table::<()>::new(1, KNOWN);
        // The low bits decide where a search begins.
        let mask = 0x7ff;
        let chosen: Vec<Key> = (0..u32::MAX)
            .map(key)
            .filter(|key| table.hash(key) & mask == 0)
            .take(KEYS)
            .collect();
        let random: Vec<Key> = (0..).step_by(77).map(key).take(KEYS).collect();
        // A sum or an exclusive or over the key cannot tell these apart: what one half gains the other loses.
        let balanced: Vec<Key> = (0..64_u8)
            .map(|n| {
                let end = |last| Endpoint::new(std::net::Ipv4Addr::new(10, 0, 0, last).into(), 80);
                Key::new(end(n), end(n ^ 0x80), 6, 0, 0).0
            })
            .collect();
        assert!(compared(&chosen, KNOWN) > KEYS * KEYS / 4);
        for keys in [&chosen, &random, &balanced] {
            let compared = compared(keys, SECRET);
            assert!((KEYS..KEYS * 3 / 2).contains(&compared), "{compared}");
        }
    }
}
