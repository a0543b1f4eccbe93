//! What changes of a device with nearly every event of its flows: two cache lines beside its entry.
//!
//! An entry lies in a dozen places of memory, and a flow has four events of two devices each. What they
//! change is noted here and folded into the entry before anything else looks at it or changes it.

use super::duty::Done;
use super::entry::Entry;
use super::home::Home;
use super::inventory::DeviceIx;
use super::near::Near;
use crate::types::{ByAddr, Seed, ShortId, Timestamp, ask, ip_bits, v4_bits};

/// Addresses bound at most, over all devices.
const ADDRESSES_MAX: usize = 80_000;

/// A claim that flows make again and again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Again {
    /// Frames with addresses of other networks come from it.
    Forwards,
    /// Frames of several addresses of ours come from it.
    Router,
    /// Frames with several addresses of other networks come from it.
    ForwardsMany,
}

impl Again {
    const COUNT: usize = 3;
}

impl Again {
    /// The claim and its evidence.
    pub(super) fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::Forwards => ("forwards for other networks", "frame"),
            Self::Router => ("router", "frames of several addresses"),
            Self::ForwardsMany => ("forwards for many addresses", "frame"),
        }
    }
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    /// The device's id, copied into every record.
    pub(super) id: ShortId,
    /// An address that the device holds, as bits; 0 before one is looked up, and once it may be lost.
    addr: u128,
    /// When it was last heard of.
    addr_ts: Timestamp,
    /// When the device was.
    pub(super) last_ts: Timestamp,
    /// Since the last fold.
    bytes_sent: u64,
    bytes_received: u64,
    flows_orig: u32,
    flows_resp: u32,
    /// By [`Again`]: when the claim was last made.
    claimed: [Timestamp; Again::COUNT],
    /// And one more than its place among the device's, which never changes.
    places: [u8; Again::COUNT],
    /// A VLAN the device is known to be in.
    pub(super) vlan: u16,
    /// The low half of an address of another network that it forwarded for.
    foreign: u64,
    /// The device that this one is part of: itself, if of none.
    pub(super) main: DeviceIx,
    /// The next of those that are one machine, in a ring.
    pub(super) next: DeviceIx,
}

const _: () = assert!(
    size_of::<Live>() <= 128,
    "two cache lines, of which every event of a flow touches two devices'"
);

impl Live {
    /// Asks for its cache lines.
    #[inline]
    pub(super) fn ask(&self) {
        ask(&self.id);
        ask(&self.addr);
        ask(&self.next);
    }

    pub(super) fn new(id: &str, ix: DeviceIx) -> Self {
        Self {
            id: ShortId::new(id),
            main: ix,
            next: ix,
            addr: 0,
            addr_ts: Timestamp::MIN,
            last_ts: Timestamp::MIN,
            bytes_sent: 0,
            bytes_received: 0,
            flows_orig: 0,
            flows_resp: 0,
            claimed: [Timestamp::MIN; Again::COUNT],
            places: [0; Again::COUNT],
            foreign: 0,
            vlan: 0,
        }
    }

    /// Counts bytes sent and received, and flows begun and met.
    #[inline]
    pub(super) fn count(&mut self, (sent, received): (u32, u32), (orig, resp): (u32, u32)) {
        self.bytes_sent = self.bytes_sent.saturating_add(sent.into());
        self.bytes_received = self.bytes_received.saturating_add(received.into());
        self.flows_orig = self.flows_orig.saturating_add(orig);
        self.flows_resp = self.flows_resp.saturating_add(resp);
    }

    /// Notes that the address was heard of; false if it is not the one known to be held.
    #[inline]
    pub(super) fn heard_of(&mut self, ts: Timestamp, addr: u128) -> bool {
        let known = self.addr == addr;
        if known {
            self.addr_ts = self.addr_ts.max(ts);
        }
        known
    }

    /// The address `addr`, which the device holds, was heard of; what was before has been folded.
    pub(super) fn turn_to(&mut self, ts: Timestamp, addr: u128) {
        (self.addr, self.addr_ts) = (addr, ts);
    }

    /// Notes that a claim was made again; false if it is not known where it stands.
    #[inline]
    pub(super) fn again(&mut self, ts: Timestamp, claim: Again) -> bool {
        let known = self.places.get(claim as usize).is_some_and(|at| *at > 0);
        if let Some(last_ts) = self.claimed.get_mut(claim as usize).filter(|_| known) {
            *last_ts = ts;
        }
        known
    }

    /// Remembers where a claim stands that was just made.
    pub(super) fn found(&mut self, ts: Timestamp, claim: Again, place: usize) {
        let slots = self.places.get_mut(claim as usize);
        if let Some((at, last_ts)) = slots.zip(self.claimed.get_mut(claim as usize)) {
            *at = u8::try_from(place.saturating_add(1)).unwrap_or(0);
            *last_ts = ts;
        }
    }

    /// Writes all of it into the device's entry.
    pub(super) fn fold(&mut self, entry: &mut Entry) {
        let device = &mut entry.device;
        device.last_ts = device.last_ts.max(self.last_ts);
        for (to, n) in [
            (&mut device.bytes_sent, self.bytes_sent),
            (&mut device.bytes_received, self.bytes_received),
            (&mut device.flows_orig, self.flows_orig.into()),
            (&mut device.flows_resp, self.flows_resp.into()),
        ] {
            *to = to.saturating_add(n);
        }
        if self.addr != 0 {
            let held = device.addresses.iter_mut();
            for held in held.filter(|held| ip_bits(held.addr) == self.addr) {
                held.last_ts = held.last_ts.max(self.addr_ts);
            }
        }
        for (place, last_ts) in self.places.into_iter().zip(self.claimed) {
            let claim = usize::from(place).checked_sub(1);
            if let Some(claim) = claim.and_then(|at| device.claims.get_mut(at)) {
                claim.last_ts = last_ts;
            }
        }
        (self.bytes_sent, self.bytes_received) = (0, 0);
        (self.flows_orig, self.flows_resp) = (0, 0);
        // Whoever asked for the entry may take the address away.
        (self.addr, self.addr_ts) = (0, Timestamp::MIN);
    }
}

/// Entries with their rows, and which address leads to which.
#[derive(Debug)]
pub(super) struct Table {
    entries: Vec<Entry>,
    live: Vec<Live>,
    by_ip: ByAddr<DeviceIx>,
    near: Near,
}

impl Table {
    pub(super) fn new(seed: Seed, entries: Vec<Entry>) -> Self {
        let mut by_ip = ByAddr::new(ADDRESSES_MAX, seed);
        for (ix, entry) in (0..).map(DeviceIx).zip(&entries) {
            for address in &entry.device.addresses {
                by_ip.insert(ip_bits(address.addr), ix);
            }
        }
        let each = (0..).map(DeviceIx).zip(&entries);
        let live = each.map(|(ix, entry)| Live::new(&entry.device.id, ix));
        let mut table = Self {
            live: live.collect(),
            entries,
            by_ip,
            near: Near::new(),
        };
        table.relink();
        table
    }

    /// Whose own evidence holds the address of these bits.
    #[inline]
    pub(super) fn at(&self, bits: u128) -> Option<DeviceIx> {
        self.by_ip.get(bits).copied()
    }

    /// The same, and whether it lies in the networks of `home`, which are always the same.
    #[inline]
    pub(super) fn whose(&mut self, home: &Home, bits: u128) -> (Option<DeviceIx>, bool) {
        let Some(addr) = v4_bits(bits) else {
            return (self.at(bits), home.holds_bits(bits));
        };
        match self.near.get(addr) {
            Some(known) => known,
            None => self.look_up(home, (bits, addr)),
        }
    }

    fn look_up(&mut self, home: &Home, (bits, addr): (u128, u32)) -> (Option<DeviceIx>, bool) {
        let (holder, is_home) = (self.at(bits), home.holds_bits(bits));
        self.near.put(addr, holder, is_home);
        (holder, is_home)
    }

    /// Notes who holds an address; false, and counted, if there are too many.
    pub(super) fn bind(&mut self, bits: u128, ix: DeviceIx) -> bool {
        if let Some(addr) = v4_bits(bits) {
            self.near.forget(addr);
        }
        self.by_ip.insert(bits, ix)
    }

    /// Nobody holds the address any more.
    pub(super) fn unbind(&mut self, bits: u128) {
        if let Some(addr) = v4_bits(bits) {
            self.near.forget(addr);
        }
        self.by_ip.remove(bits);
    }

    /// Addresses that could not be bound.
    pub(super) fn refused(&self) -> u64 {
        self.by_ip.refused()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes in a new entry, and says where it stands.
    pub(super) fn push(&mut self, entry: Entry) -> Option<DeviceIx> {
        let ix = DeviceIx(u32::try_from(self.entries.len()).ok()?);
        self.live.push(Live::new(&entry.device.id, ix));
        self.entries.push(entry);
        Some(ix)
    }

    /// The entry at `ix` but for what its row holds: names, claims' texts, addresses without their times.
    pub(super) fn peek(&self, ix: DeviceIx) -> Option<&Entry> {
        self.entries.get(ix.index())
    }

    /// The row at `ix`.
    #[inline]
    pub(super) fn live(&self, ix: DeviceIx) -> Option<&Live> {
        self.live.get(ix.index())
    }

    /// The row at `ix`, to change.
    #[inline]
    pub(super) fn live_mut(&mut self, ix: DeviceIx) -> Option<&mut Live> {
        self.live.get_mut(ix.index())
    }

    /// The entry at `ix`, whole.
    pub(super) fn entry_mut(&mut self, ix: DeviceIx) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(ix.index())?;
        self.live.get_mut(ix.index())?.fold(entry);
        Some(entry)
    }

    /// A copy of the entry at `ix`, whole.
    pub(super) fn whole(&self, ix: DeviceIx) -> Option<Entry> {
        let mut entry = self.entries.get(ix.index())?.clone();
        let mut live = *self.live.get(ix.index())?;
        live.fold(&mut entry);
        Some(entry)
    }

    /// What the device at `ix` does for others, which its row does not change.
    pub(super) fn done_mut(&mut self, ix: DeviceIx) -> Option<&mut Vec<Done>> {
        Some(&mut self.entries.get_mut(ix.index())?.done)
    }

    /// Copies of all entries, whole, in order.
    pub(super) fn all(&self) -> Vec<Entry> {
        let whole = |(entry, live): (&Entry, &Live)| {
            let (mut entry, mut live) = (entry.clone(), *live);
            live.fold(&mut entry);
            entry
        };
        self.entries.iter().zip(&self.live).map(whole).collect()
    }

    /// The device at `ix` was heard of at its address `addr`.
    pub(super) fn heard_of(&mut self, ts: Timestamp, ix: DeviceIx, addr: u128) {
        let live = self.live.get_mut(ix.index());
        if live.is_some_and(|live| !live.heard_of(ts, addr)) {
            self.turn_to(ts, ix, addr);
        }
    }

    /// The same, of an address that is not the one its row knows.
    pub(super) fn turn_to(&mut self, ts: Timestamp, ix: DeviceIx, addr: u128) {
        let Some(entry) = self.entry_mut(ix) else {
            return;
        };
        let holds = |held: &tapir_message::Address| ip_bits(held.addr) == addr;
        if entry.device.addresses.iter().any(holds)
            && let Some(live) = self.live.get_mut(ix.index())
        {
            live.turn_to(ts, addr);
        }
    }

    /// The device at `ix` forwarded a frame of `addr`, which lies in another network.
    pub(super) fn forwards(&mut self, ts: Timestamp, ix: DeviceIx, addr: u128) {
        let low = u64::try_from(addr & u128::from(u64::MAX)).unwrap_or(0);
        self.again(ts, ix, Again::Forwards);
        if let Some(live) = self.live.get_mut(ix.index()) {
            let first = std::mem::replace(&mut live.foreign, low);
            if first != 0 && first != low {
                self.again(ts, ix, Again::ForwardsMany);
            }
        }
    }

    /// The device at `ix` is once more what `claim` says.
    pub(super) fn again(&mut self, ts: Timestamp, ix: DeviceIx, claim: Again) {
        let live = self.live.get_mut(ix.index());
        if live.is_none_or(|live| live.again(ts, claim)) {
            return;
        }
        let (text, evidence) = claim.text();
        let text = (text, "");
        let Some(entry) = self.entry_mut(ix) else {
            return;
        };
        let place = entry.claim(ts, text, evidence);
        if let (Some((_, place)), Some(live)) = (place, self.live.get_mut(ix.index())) {
            live.found(ts, claim, place);
        }
    }
}

impl Table {
    /// Bytes of an entry with its row, beside what the entry points to.
    pub(super) const ROW_BYTES: usize = size_of::<Entry>() + size_of::<Live>();
    /// Bytes of the addresses at most.
    pub(super) const ADDRESSES_BYTES_MAX: usize =
        ByAddr::<DeviceIx>::table_bound(ADDRESSES_MAX) + Near::BYTES;

    /// Bytes of entries, rows and addresses.
    pub(super) fn allocated(&self) -> usize {
        let entries = self.entries.capacity().saturating_mul(size_of::<Entry>());
        let live = self.live.capacity().saturating_mul(size_of::<Live>());
        let fixed = entries.saturating_add(live);
        let texts = self.entries.iter().map(Entry::allocated);
        texts
            .fold(fixed, usize::saturating_add)
            .saturating_add(self.by_ip.table_bytes())
            .saturating_add(Near::BYTES)
    }
}
