//! TCP as seen from outside: states, sequence numbers, losses and repeats.
//!
//! Standard: RFC 9293; states, history and `conn_state` as Zeek's documentation describes them.
//! Bounds:   one hole in the sequence space is remembered a direction; an older one counts as lost.

use super::state::{Tcp as State, bit};
use super::{Dir, Flow, Weirds};
use crate::decode::{Tcp, flag};

/// Farthest a segment may lie ahead: the largest window there is (RFC 7323 §2.3).
const AHEAD_MAX: u32 = 1 << 30;

/// What a segment did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Sequence number of its first payload byte.
    pub start: u32,
    /// What was expected of its sender before it.
    pub expected: u32,
    /// Payload bytes that belong to the stream.
    pub len: u32,
    /// The SYN was accepted with it, in Zeek's sense.
    pub answered: bool,
    /// It refused the SYN.
    pub refused: bool,
}

impl Step {
    /// Nothing: the segment was passed over.
    fn nothing(next: u32) -> Self {
        Self {
            start: next,
            expected: next,
            len: 0,
            answered: false,
            refused: false,
        }
    }
}

/// How far `to` lies behind `from` in sequence space; `None` if it lies before.
#[inline]
pub(super) fn ahead(from: u32, to: u32) -> Option<u32> {
    let distance = to.wrapping_sub(from);
    (distance < 1 << 31).then_some(distance)
}

impl<A> Flow<A> {
    /// Takes a segment of `len` payload bytes sent by `dir`.
    #[inline]
    pub fn step(&mut self, dir: Dir, tcp: &Tcp<'_>, len: u32) -> Step {
        let syn = tcp.has(flag::SYN);
        let start = tcp.seq.wrapping_add(u32::from(syn));
        // What a RST carries is a text for the curious (RFC 9293 §3.5.3).
        let len = if tcp.has(flag::RST) { 0 } else { len };
        if tcp.has(flag::URG) && len > 0 {
            self.note(Weirds::URGENT);
        }
        if tcp.has(flag::SYN | flag::FIN | flag::RST) {
            if !self.control(dir, tcp, start, len) {
                return Step::nothing(self.side(dir).next);
            }
        } else {
            let side = self.side_mut(dir);
            let letter = if len > 0 { bit::DATA } else { bit::ACK };
            if side.seen & letter == 0 && (len > 0 || tcp.has(flag::ACK)) {
                side.seen |= letter;
                self.history.push(dir, if len > 0 { b'D' } else { b'A' });
            }
        }
        let before = (self.orig.state, self.resp.state);
        let side = self.side_mut(dir);
        if tcp.window == 0 && !tcp.has(flag::RST) {
            side.zero_windows = side.zero_windows.saturating_add(1);
            if is_told(side.zero_windows) {
                self.history.push(dir, b'W');
            }
        }
        let side = self.side_mut(dir);
        if side.seen & bit::SEQ == 0 && !tcp.has(flag::RST) {
            side.seen |= bit::SEQ;
            side.next = start;
        }
        let expected = side.next;
        if len > 0 && side.seen & bit::SEQ != 0 {
            if matches!(side.state, State::Closed | State::Reset) {
                self.data_after_end(dir, start, len);
            }
            self.data(dir, start, len);
        }
        if tcp.has(flag::ACK) {
            self.acknowledge(dir, tcp.ack);
        }
        self.advance(dir, tcp);
        let after = (self.orig.state, self.resp.state);
        Step {
            start,
            expected,
            len,
            answered: before.1 != after.1
                && matches!(after.1, State::Established | State::SynAckSent),
            refused: dir == Dir::Resp
                && after.1 == State::Reset
                && before == (State::SynSent, State::Inactive),
        }
    }

    /// Whether an ordinary segment by `dir`, neither SYN nor FIN nor RST and nothing urgent, with `len` payload
    /// bytes, would change nothing but counters and places in sequence space: one that brings what is expected,
    /// in a connection whose states it leaves alone.
    #[inline]
    #[must_use]
    pub fn is_plain(&self, dir: Dir, tcp: &Tcp<'_>, len: u32) -> bool {
        let (side, peer) = (self.side(dir), self.side(dir.other()));
        let letter = if len > 0 { bit::DATA } else { bit::ACK };
        let open = |state| !matches!(state, State::Inactive | State::Closed | State::Reset);
        tcp.has(flag::ACK)
            && !tcp.has(flag::SYN | flag::FIN | flag::RST | flag::URG)
            && tcp.window != 0
            && side.pkts > 0
            && side.seen & (letter | bit::SEQ) == letter | bit::SEQ
            && (len == 0 || tcp.seq == side.next)
            && peer.hole.0 == peer.hole.1
            && open(side.state)
            && (self.is(bit::ESTABLISHED) || dir == Dir::Resp || peer.state != State::Established)
            && !matches!(peer.state, State::Closed | State::Reset)
    }

    /// Takes a segment that is plain.
    #[inline]
    pub fn plain_step(&mut self, dir: Dir, tcp: &Tcp<'_>, len: u32) -> Step {
        let side = self.side_mut(dir);
        let expected = side.next;
        if len > 0 {
            side.next = tcp.seq.wrapping_add(len);
            side.payload = side.payload.wrapping_add(u64::from(len));
        }
        self.acknowledge(dir, tcp.ack);
        Step {
            start: tcp.seq,
            expected,
            len,
            answered: false,
            refused: false,
        }
    }

    /// Moves the states on.
    fn advance(&mut self, dir: Dir, tcp: &Tcp<'_>) {
        let peer_state = self.side(dir.other()).state;
        let peer_next = self.side(dir.other()).next;
        let state = self.side(dir).state;
        let (syn, fin, rst, ack) = (
            tcp.has(flag::SYN),
            tcp.has(flag::FIN),
            tcp.has(flag::RST),
            tcp.has(flag::ACK),
        );
        let mut peer_new = peer_state;
        let new = if rst {
            let finished = state == State::Closed && peer_state == State::Closed;
            if !finished && self.believes_reset(dir, tcp) {
                State::Reset
            } else {
                state
            }
        } else if syn && !fin {
            match (state, peer_state, ack) {
                // After a refusal as well: the same SYN may be tried again until somebody listens.
                (State::Inactive | State::SynSent | State::Reset, State::SynSent, true) => {
                    if tcp.ack == peer_next {
                        self.flags |= bit::SYN_ACKED;
                    }
                    peer_new = State::Established;
                    State::Established
                }
                (State::Inactive, _, true) => State::SynAckSent,
                (State::Inactive, _, false) | (State::Partial, State::SynSent, false) => {
                    State::SynSent
                }
                _ => state,
            }
        } else if fin {
            if state == State::Reset {
                state
            } else {
                State::Closed
            }
        } else if state == State::Inactive {
            if peer_state == State::SynAckSent {
                peer_new = State::Established;
            }
            State::Partial
        } else {
            state
        };
        if !syn && !rst && dir == Dir::Orig {
            self.went_on(tcp);
        }
        self.side_mut(dir).state = new;
        self.side_mut(dir.other()).state = peer_new;
    }

    /// The originator sent something after the SYN-ACK.
    fn went_on(&mut self, tcp: &Tcp<'_>) {
        if self.flags & bit::ESTABLISHED != 0 || self.resp.state != State::Established {
            return;
        }
        self.flags |= bit::ESTABLISHED;
        if tcp.has(flag::ACK) {
            self.choose_answer(tcp.ack);
        }
        // The responder may have sent data with or right behind its SYN-ACK.
        let sent = u32::try_from(self.resp.payload).unwrap_or(u32::MAX);
        if self.is(bit::SYN_ACKED | bit::FROM_START)
            && tcp.has(flag::ACK)
            && self.resp.next.wrapping_sub(tcp.ack) <= sent
        {
            self.flags |= bit::HANDSHAKE;
        }
    }

    /// Accounts for payload bytes `start` … `start + len`.
    #[inline]
    fn data(&mut self, dir: Dir, start: u32, len: u32) {
        let end = start.wrapping_add(len);
        let side = self.side_mut(dir);
        let next = side.next;
        if start == next {
            side.next = end;
            side.payload = side.payload.wrapping_add(u64::from(len));
            return;
        }
        match ahead(next, start) {
            Some(lost) if lost < AHEAD_MAX => {
                let old = std::mem::replace(&mut side.hole, (next, start));
                side.next = end;
                let fresh = u64::from(lost).saturating_add(u64::from(len));
                side.payload = side.payload.wrapping_add(fresh);
                self.lose(dir, old);
                self.give_up_hole(dir);
            }
            Some(_) => self.note(Weirds::MISORDER),
            None => self.repeated(dir, start, end),
        }
    }

    /// A segment that begins before what is expected: repeated, late, or partly new.
    fn repeated(&mut self, dir: Dir, start: u32, end: u32) {
        let first = self.first_seq(dir);
        let side = self.side_mut(dir);
        // A lone byte before the stream is how some stacks ask whether their peer is alive.
        let is_before = ahead(first, start).is_none() && end.wrapping_sub(start) > 1;
        if is_before && side.seen & bit::SYN != 0 && side.payload < u64::from(AHEAD_MAX) {
            self.note(Weirds::MISORDER);
        }
        let side = self.side_mut(dir);
        let (from, to) = side.hole;
        if from != to
            && ahead(from, end).is_some_and(|n| n > 0)
            && ahead(start, to).is_some_and(|n| n > 0)
        {
            // Late bytes fill the hole from either end; in the middle, what lies before counts as lost.
            let filled_front = ahead(start, from).is_some();
            let filled_back = ahead(to, end).is_some();
            let lost = match (filled_front, filled_back) {
                (true, true) => {
                    side.hole = (to, to);
                    0
                }
                (true, false) => {
                    side.hole = (end, to);
                    0
                }
                (false, true) => {
                    side.hole = (from, start);
                    0
                }
                (false, false) => {
                    side.hole = (end, to);
                    start.wrapping_sub(from)
                }
            };
            let hole = (start.wrapping_sub(lost), start);
            self.lose(dir, hole);
        } else {
            side.retransmissions = side.retransmissions.saturating_add(1);
            if is_told(side.retransmissions) {
                self.history.push(dir, b'T');
            }
        }
        let side = self.side_mut(dir);
        if let Some(fresh) = ahead(side.next, end).filter(|n| *n > 0) {
            side.payload = side.payload.wrapping_add(u64::from(fresh));
            side.next = end;
        }
    }

    /// Notes an acknowledgement sent by `dir`.
    #[inline]
    fn acknowledge(&mut self, dir: Dir, ack: u32) {
        let acks = acks(dir);
        let first = self.flags & acks == 0;
        self.flags |= acks;
        let side = self.side_mut(dir);
        if first || ahead(side.ack, ack).is_some() {
            side.ack = ack;
        }
        let (from, to) = self.side(dir.other()).hole;
        if from != to {
            self.give_up_hole(dir.other());
        }
    }

    /// Counts the hole of `dir` as lost if its receiver has acknowledged it.
    fn give_up_hole(&mut self, dir: Dir) {
        let acked = self.acked(dir);
        let side = self.side_mut(dir);
        let hole = side.hole;
        if hole.0 != hole.1 && acked.is_some_and(|ack| ahead(hole.1, ack).is_some()) {
            side.hole = (hole.1, hole.1);
            self.lose(dir, hole);
        }
    }

    /// How far the receiver of `dir` has acknowledged.
    #[must_use]
    pub fn acked(&self, dir: Dir) -> Option<u32> {
        let peer = dir.other();
        (self.flags & acks(peer) != 0).then(|| self.side(peer).ack)
    }

    /// Counts a range as lost.
    fn lose(&mut self, dir: Dir, hole: (u32, u32)) {
        let lost = hole.1.wrapping_sub(hole.0);
        if lost > 0 {
            self.missed = self.missed.saturating_add(lost);
            let side = self.side_mut(dir);
            side.gaps = side.gaps.saturating_add(1);
            if is_told(side.gaps) {
                self.history.push(dir, b'G');
            }
        }
    }

    /// Counts payload bytes that the capture cut off.
    pub fn cut(&mut self, dir: Dir, bytes: u32) {
        self.lose(dir, (0, bytes));
    }

    /// The flow is over: what is still open in the sequence space is lost.
    pub fn settle(&mut self) {
        for dir in [Dir::Orig, Dir::Resp] {
            let hole = self.side(dir).hole;
            self.lose(dir, hole);
            self.side_mut(dir).hole = (0, 0);
            let (seen, next) = (self.side(dir).seen, self.side(dir).next);
            let Some(ack) = self.acked(dir).filter(|_| seen & bit::SEQ != 0) else {
                continue;
            };
            // One more than what was seen is the FIN.
            let tail = ahead(next.wrapping_add(1), ack).unwrap_or(0);
            if tail > 0 && tail < AHEAD_MAX {
                self.lose(dir, (next, next.wrapping_add(tail)));
                let side = self.side_mut(dir);
                side.payload = side.payload.wrapping_add(u64::from(tail));
            }
        }
    }
}

/// The bit of [`Flow::flags`] that says `dir` has sent an acknowledgement.
#[inline]
fn acks(dir: Dir) -> u32 {
    match dir {
        Dir::Orig => bit::ACKS,
        Dir::Resp => bit::ACKS << 1,
    }
}

/// Whether the `count`th time gets a letter: the first, tenth and hundredth do.
fn is_told(count: u8) -> bool {
    matches!(count, 1 | 10 | 100)
}
