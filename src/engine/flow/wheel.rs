//! The timing wheel: which flow's deadline may have come.
//!
//! 4,096 slots of 2^27 ns (134 ms) reach 9 minutes; a later deadline waits in the last slot and is put
//! on again from there. A deadline that moves away is not followed: the flow is looked at when its slot
//! comes and put on again. So a packet costs the wheel nothing, and an observation's time is the
//! flow's deadline, however late the slot comes.

use super::Flow;
use super::table::{NONE, place};
use crate::types::Timestamp;

/// Slots; a power of two.
const SLOTS: i64 = 4_096;
/// A tick is 2^TICK_BITS nanoseconds.
const TICK_BITS: u32 = 27;

/// See the module.
pub(super) struct Wheel {
    heads: Vec<u32>,
    /// First tick not yet done.
    cursor: i64,
    started: bool,
}

/// The tick a time lies in.
#[inline]
fn tick(ts: Timestamp) -> i64 {
    ts.nanos() >> TICK_BITS
}

/// The slot of a tick.
#[inline]
fn slot(tick: i64) -> u16 {
    u16::try_from(tick & SLOTS.wrapping_sub(1)).unwrap_or(0)
}

impl Wheel {
    pub(super) fn new() -> Self {
        let len = usize::try_from(SLOTS).unwrap_or(0);
        Self {
            heads: vec![NONE; len],
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
        let last = self.cursor.wrapping_add(SLOTS.wrapping_sub(1));
        let at = slot(tick(deadline).clamp(self.cursor, last));
        let Some(head) = self.heads.get_mut(usize::from(at)) else {
            return;
        };
        let next = std::mem::replace(head, index);
        if let Some(flow) = flows.get_mut(place(next)) {
            flow.links.1 = index;
        }
        if let Some(flow) = flows.get_mut(place(index)) {
            (flow.links, flow.slot) = ((next, NONE), at);
        }
    }

    pub(super) fn unlink<A>(&mut self, flows: &mut [Flow<A>], index: u32) {
        let Some(flow) = flows.get(place(index)) else {
            return;
        };
        let ((next, prev), at) = (flow.links, flow.slot);
        if let Some(flow) = flows.get_mut(place(next)) {
            flow.links.1 = prev;
        }
        match flows.get_mut(place(prev)) {
            Some(flow) => flow.links.0 = next,
            None => {
                if let Some(head) = self.heads.get_mut(usize::from(at)) {
                    *head = next;
                }
            }
        }
    }

    /// Flows in the slot of the first tick not yet done whose deadline is `ts` or before.
    pub(super) fn open<A>(&self, flows: &[Flow<A>], ts: Timestamp) -> Vec<u32> {
        let mut due = Vec::new();
        let mut next = self.heads.get(usize::from(slot(self.cursor))).copied();
        while let Some((index, flow)) = next.and_then(|i| Some((i, flows.get(place(i))?))) {
            if flow.deadline() <= ts {
                due.push(index);
            }
            next = Some(flow.links.0);
        }
        due
    }

    /// The next flow that is due before the tick of `ts`; the caller takes it out.
    pub(super) fn due<A>(&mut self, flows: &mut [Flow<A>], ts: Timestamp) -> Option<u32> {
        while self.cursor < tick(ts) {
            let head = self
                .heads
                .get(usize::from(slot(self.cursor)))
                .copied()
                .unwrap_or(NONE);
            let Some(flow) = flows.get(place(head)) else {
                self.cursor = self.cursor.wrapping_add(1);
                continue;
            };
            let deadline = flow.deadline();
            if tick(deadline) <= self.cursor {
                return Some(head);
            }
            self.unlink(flows, head);
            self.link(flows, head, deadline);
        }
        None
    }
}
