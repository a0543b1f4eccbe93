//! The timing wheel: which flow's deadline may have come.
//!
//! 4,096 slots of 2^27 ns (134 ms) reach 9 minutes; a later deadline waits in the last slot and is put
//! on again from there. A deadline that moves away is not followed: the flow is looked at when its slot
//! comes and put on again. So a packet costs the wheel nothing, and an observation's time is the
//! flow's deadline, however late the slot comes.
//!
//! Every slot has a list for each [`Rank`], so that the table at its bound finds who is to go: of the lowest rank
//! there is, who would have to go soonest anyway. A flow that rose in rank is noticed, like a deadline that moved,
//! when it is come across; either takes a packet of that flow, so the search costs no more than they did. Beyond
//! the wheel's reach the soonest of the eight goes that were put on first.

use super::table::{Index, NONE, place};
use super::{Flow, Rank};
use crate::types::Timestamp;

/// Slots; a power of two.
const SLOTS: i64 = 4_096;
/// The slot of a flow that is in none.
pub(super) const UNLINKED: u16 = u16::MAX;
/// Flows beyond the wheel's reach that are compared when one has to go.
const COMPARED: usize = 8;
/// A tick is 2^TICK_BITS nanoseconds.
const TICK_BITS: u32 = 27;

/// See the module.
pub(super) struct Wheel {
    /// By rank, then by slot.
    heads: Vec<u32>,
    /// By rank: no flow is in a tick before.
    lowest: [i64; Rank::ALL.len()],
    /// First tick not yet done.
    cursor: i64,
    started: bool,
}

/// The tick a time lies in.
#[inline]
fn tick(ts: Timestamp) -> i64 {
    ts.nanos() >> TICK_BITS
}

/// The list of a tick and a rank.
#[inline]
fn slot(tick: i64, rank: Rank) -> u16 {
    let before = SLOTS.wrapping_mul(i64::from(rank as u8));
    u16::try_from(before | tick & SLOTS.wrapping_sub(1)).unwrap_or(0)
}

impl Wheel {
    pub(super) fn new() -> Self {
        let len = usize::try_from(SLOTS).unwrap_or(0);
        Self {
            heads: vec![NONE; len.saturating_mul(Rank::ALL.len())],
            lowest: [i64::MIN; Rank::ALL.len()],
            cursor: tick(Timestamp::MIN),
            started: false,
        }
    }

    #[inline]
    pub(super) fn is_due(&self, ts: Timestamp) -> bool {
        tick(ts) > self.cursor
    }

    pub(super) fn horizon(&self) -> Timestamp {
        if self.started {
            Timestamp::from_nanos(self.cursor.wrapping_shl(TICK_BITS))
        } else {
            Timestamp::MIN
        }
    }

    pub(super) fn restart(&mut self, ts: Timestamp) {
        (self.cursor, self.started) = (tick(ts), true);
        self.lowest = [i64::MIN; Rank::ALL.len()];
    }

    /// No flow is waited for any more.
    pub(super) fn clear(&mut self) {
        self.heads.fill(NONE);
    }

    /// Moves an empty wheel forward to `ts`.
    pub(super) fn jump(&mut self, ts: Timestamp) {
        (self.cursor, self.started) = (self.cursor.max(tick(ts)), true);
    }

    /// Whether a flow in `at` would be looked at after its deadline's tick.
    #[inline]
    pub(super) fn is_late(&self, at: u16, deadline: Timestamp) -> bool {
        let ahead = i64::from(at).wrapping_sub(self.cursor) & SLOTS.wrapping_sub(1);
        self.cursor.wrapping_add(ahead) > tick(deadline)
    }

    pub(super) fn link<A>(&mut self, flows: &mut [Flow<A>], index: u32, deadline: Timestamp) {
        let Some(rank) = flows.get(place(index)).map(Flow::rank) else {
            return;
        };
        let due = self.reached(deadline);
        if let Some(lowest) = self.lowest.get_mut(usize::from(rank as u8)) {
            *lowest = due.min(*lowest);
        }
        let at = slot(due, rank);
        let Some(head) = self.heads.get_mut(usize::from(at)) else {
            return;
        };
        // At the end of the list, so that who came first is looked at first; the first knows the last.
        let first = *head;
        let mut last = index;
        if let Some(flow) = flows.get_mut(place(first)) {
            last = std::mem::replace(&mut flow.links.1, index);
            if let Some(flow) = flows.get_mut(place(last)) {
                flow.links.0 = index;
            }
        } else {
            *head = index;
        }
        if let Some(flow) = flows.get_mut(place(index)) {
            (flow.links, flow.slot) = ((NONE, last), at);
        }
    }

    /// The tick a deadline is waited for in.
    fn reached(&self, deadline: Timestamp) -> i64 {
        let last = self.cursor.wrapping_add(SLOTS.wrapping_sub(1));
        tick(deadline).clamp(self.cursor, last)
    }

    /// The first flow of a list.
    fn head(&self, tick: i64, rank: Rank) -> Index {
        let at = usize::from(slot(tick, rank));
        self.heads.get(at).copied().unwrap_or(NONE)
    }

    /// Who goes first if one has to go, and its rank.
    pub(super) fn victim<A>(&mut self, flows: &mut [Flow<A>]) -> Option<(Index, Rank)> {
        Rank::ALL
            .into_iter()
            .find_map(|rank| Some((self.soonest(flows, rank)?, rank)))
    }

    /// The flow of a rank whose deadline comes first, to a tick.
    fn soonest<A>(&mut self, flows: &mut [Flow<A>], rank: Rank) -> Option<Index> {
        let end = self.cursor.wrapping_add(SLOTS);
        let lowest = self.lowest.get(usize::from(rank as u8)).copied()?;
        let mut at = lowest.max(self.cursor);
        while at < end {
            let head = self.head(at, rank);
            let Some(flow) = flows.get(place(head)) else {
                at = at.wrapping_add(1);
                continue;
            };
            let deadline = flow.deadline();
            if flow.rank() == rank && self.reached(deadline) == at {
                break;
            }
            self.unlink(flows, head);
            self.link(flows, head, deadline);
            at = at.min(self.reached(deadline));
        }
        if let Some(lowest) = self.lowest.get_mut(usize::from(rank as u8)) {
            *lowest = at;
        }
        let head = self.head(at, rank);
        if at < end.wrapping_sub(1) {
            return Some(head);
        }
        // Beyond the wheel's reach, or nobody at all.
        let mut next = (at < end).then_some(head);
        let list = std::iter::from_fn(|| {
            let index = next?;
            let flow = flows.get(place(index))?;
            next = Some(flow.links.0);
            Some((flow.deadline(), index))
        });
        let soonest = list.take(COMPARED).min_by_key(|(deadline, _)| *deadline);
        soonest.map(|(_, index)| index)
    }

    pub(super) fn unlink<A>(&mut self, flows: &mut [Flow<A>], index: u32) {
        let Some(flow) = flows.get(place(index)) else {
            return;
        };
        let ((next, prev), at) = (flow.links, flow.slot);
        let Some(head) = self.heads.get_mut(usize::from(at)) else {
            return;
        };
        if *head == index {
            *head = next;
        } else if let Some(flow) = flows.get_mut(place(prev)) {
            flow.links.0 = next;
        }
        // Behind the last comes nobody: then the first learns who is the last now.
        let behind = if next == NONE { *head } else { next };
        if let Some(flow) = flows.get_mut(place(behind)) {
            flow.links.1 = prev;
        }
    }

    /// Flows in the slot of the first tick not yet done whose deadline is `ts` or before.
    pub(super) fn open<A>(&self, flows: &[Flow<A>], ts: Timestamp) -> Vec<u32> {
        let mut due = Vec::new();
        for rank in Rank::ALL {
            let mut next = self.head(self.cursor, rank);
            while let Some(flow) = flows.get(place(next)) {
                if flow.deadline() <= ts {
                    due.push(next);
                }
                next = flow.links.0;
            }
        }
        due
    }

    /// The next flow that is due before the tick of `ts`; the caller takes it out.
    pub(super) fn due<A>(&mut self, flows: &mut [Flow<A>], ts: Timestamp) -> Option<u32> {
        while self.cursor < tick(ts) {
            let heads = Rank::ALL.map(|rank| self.head(self.cursor, rank));
            let Some(head) = heads.into_iter().find(|head| *head != NONE) else {
                self.cursor = self.cursor.wrapping_add(1);
                self.ask_heads(flows);
                continue;
            };
            ask_behind(flows, head);
            let deadline = flows.get(place(head)).map(Flow::deadline)?;
            if tick(deadline) <= self.cursor {
                return Some(head);
            }
            self.unlink(flows, head);
            self.link(flows, head, deadline);
        }
        None
    }
}

/// Asks for the flow after the next one of a list: the next was asked for when this one was the next.
#[inline]
fn ask_behind<A>(flows: &[Flow<A>], index: Index) {
    let behind = |index| flows.get(place(index)).map(|flow| flow.links.0);
    if let Some(flow) = behind(index)
        .and_then(behind)
        .and_then(|index| flows.get(place(index)))
    {
        flow.ask();
    }
}

impl Wheel {
    /// Asks for the first flows of the next tick.
    fn ask_heads<A>(&self, flows: &[Flow<A>]) {
        for rank in Rank::ALL {
            if let Some(flow) = flows.get(place(self.head(self.cursor.wrapping_add(1), rank))) {
                flow.ask();
            }
        }
    }

    /// Bytes of the lists' heads.
    pub(super) fn bytes(&self) -> usize {
        self.heads.capacity().saturating_mul(size_of::<u32>())
    }
}
