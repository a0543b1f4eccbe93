//! How an action goes: armed, sent, chased, verified.
//!
//! A flow is chased with a pair of resets for each of its segments, at most [`CHASE_PAIRS_MAX`] pairs
//! and [`CHASE_NS`]: what helps a tight flow is low latency, not more pairs. When it falls silent a last
//! pair goes out with the numbers the ends themselves said last. It counts as dead when an
//! end closes or resets it where its stream stands, or when no data came for 500 ms or three round
//! trips. What speaks again after that is chased again, a few times, and then has failed. A held pair
//! is answered until it expires, within a rate.
//!
//! Source: measured against Linux 6.18: a compiled injector cut ping-pong, bulk and idle flows within
//!         54 pairs and a second; a slow one was not helped by a thousand.

use tapir_message::{Action, ResponseState};

use super::entry::KillEntry;
use super::seen::Seen;
use crate::decode::flag;
use crate::types::Timestamp;

/// Pairs of one chase; see the module.
pub(super) const CHASE_PAIRS_MAX: u32 = 64;
const SECOND_NS: i64 = 1_000_000_000;
/// How long one chase may last, from its first reset.
pub(super) const CHASE_NS: i64 = SECOND_NS;
/// Chases of one flow.
const ROUNDS_MAX: u32 = 4;
/// Silence that counts as death, at least and at most.
const QUIET_NS: i64 = SECOND_NS / 2;
const QUIET_NS_MAX: i64 = 10 * SECOND_NS;
/// After so much silence both ends have what was on its way, and a last pair is sent: longer than an
/// acknowledgement is delayed (RFC 9293 §3.8.6.3: below 500 ms; Linux 40 ms).
const LAST_PAIR_NS: i64 = 150_000_000;
/// A dead flow is watched so long: one that speaks again was not dead.
const WATCH_NS: i64 = 600 * SECOND_NS;
/// A held pair whose data does not end for so long has failed; it is answered all the same.
const HELD_FAILED_NS: i64 = 5 * SECOND_NS;
/// Pairs a second for a held pair: a tenth of what the egress filter lets through by default.
const HELD_PAIRS_PER_S: i64 = 500;
/// New flows remembered, so that a repeated SYN is not another call.
const CALLS: usize = 8;

/// See the module.
#[derive(Debug)]
pub(super) struct Chase {
    pub(super) state: ResponseState,
    pub(super) state_ts: Timestamp,
    /// Whether something changed since it was told.
    pub(super) changed: bool,
    /// Whether the entry leaves the table once that was told.
    pub(super) over: bool,
    pub(super) cause: Cause,
    pub(super) who: String,
    pub(super) frames_sent: u32,
    pub(super) frames_refused: u32,
    pub(super) latency_ns: Option<u64>,
    pub(super) latency_max_ns: Option<u64>,
    pub(super) bytes_after: u64,
    pub(super) redials: u32,
    /// First and last reset of this round, and its pairs.
    first_sent: Option<Timestamp>,
    last_sent: Option<Timestamp>,
    pairs: u32,
    rounds: u32,
    last_data: Option<Timestamp>,
    /// Whether this round's last pair is to be sent, and whether it was its turn.
    pub(super) last_pair: bool,
    last_pair_over: bool,
    /// A SYN on the flow's own ports: its sender, and what a SYN-ACK to it acknowledges.
    syn: Option<(usize, u32)>,
    /// Port and sequence number of the last SYNs, oldest overwritten.
    calls: [(u16, u32); CALLS],
    calls_next: usize,
    /// When the held pair's allowance is full again.
    full_ts: Timestamp,
}

/// What a state rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nothing yet.
    Order,
    /// No data came.
    Silence,
    /// An end reset or closed it.
    End,
    /// Its ports were taken by a new connection.
    Replaced,
    /// Its segments are signed.
    Signed,
    /// The action's time is over.
    Time,
    /// A person.
    Person,
}

impl Default for Chase {
    fn default() -> Self {
        Self {
            state: ResponseState::Armed,
            state_ts: Timestamp::MIN,
            changed: true,
            over: false,
            cause: Cause::Order,
            who: String::new(),
            frames_sent: 0,
            frames_refused: 0,
            latency_ns: None,
            latency_max_ns: None,
            bytes_after: 0,
            redials: 0,
            first_sent: None,
            last_sent: None,
            pairs: 0,
            rounds: 0,
            last_data: None,
            last_pair: false,
            last_pair_over: false,
            syn: None,
            calls: [(0, 0); CALLS],
            calls_next: 0,
            full_ts: Timestamp::MIN,
        }
    }
}

impl Chase {
    /// Reaches a state.
    pub(super) fn reach(&mut self, ts: Timestamp, state: ResponseState, cause: Cause) {
        if self.state != state {
            (self.state, self.state_ts, self.cause) = (state, ts, cause);
            self.changed = true;
        }
        let watched = matches!(
            state,
            ResponseState::Armed | ResponseState::Sent | ResponseState::Reset
        );
        self.over |= !watched;
    }

    /// Counts a SYN as a new call unless it is repeated.
    fn call(&mut self, port: u16, seq: u32) {
        if self.calls.contains(&(port, seq)) {
            return;
        }
        if let Some(slot) = self.calls.get_mut(self.calls_next % CALLS) {
            *slot = (port, seq);
        }
        self.calls_next = self.calls_next.wrapping_add(1) % CALLS;
        self.redials = self.redials.saturating_add(1);
        // Told at every doubling: a machine may call thousands of times.
        self.changed |= self.redials.is_power_of_two();
    }

    /// Begins another round.
    fn again(&mut self) {
        (self.first_sent, self.last_sent, self.pairs) = (None, None, 0);
        (self.last_pair, self.last_pair_over) = (false, false);
        self.rounds = self.rounds.saturating_add(1);
    }
}

impl KillEntry {
    /// Takes note of a segment that end `from` sent; true if it is to be answered.
    pub(super) fn take(&mut self, ts: Timestamp, from: usize, seen: &Seen<'_>) -> bool {
        if self.chase.over {
            return false;
        }
        if seen.signed {
            self.chase.reach(ts, ResponseState::Refused, Cause::Signed);
            return false;
        }
        let in_place = self.is_in_place(from, seen);
        self.learn(ts, from, seen);
        if seen.len > 0 && !seen.has(flag::RST) {
            let chase = &mut self.chase;
            chase.bytes_after = chase.bytes_after.saturating_add(u64::from(seen.len));
            chase.last_data = Some(ts);
        }
        match self.action {
            Action::ResetFlow => self.take_flow(ts, from, seen, in_place),
            Action::HoldPair => self.take_pair(ts, from, seen),
        }
    }

    fn take_flow(&mut self, ts: Timestamp, from: usize, seen: &Seen<'_>, in_place: bool) -> bool {
        let quiet = self.quiet_ns();
        let chase = &mut self.chase;
        if seen.has(flag::SYN) {
            // A new connection on the same ports is not what was authorised; one end's SYN alone
            // may be a trick and changes nothing.
            if !seen.has(flag::ACK) {
                chase.syn = Some((from, seen.seq.wrapping_add(1)));
            } else if chase.syn == Some((1 - from, seen.ack)) {
                let dead = chase.frames_sent > 0;
                let state = if dead {
                    ResponseState::Reset
                } else {
                    ResponseState::Unknown
                };
                chase.reach(ts, state, Cause::Replaced);
                chase.over = true;
            }
            return false;
        }
        let closing = seen.has(flag::RST) || (seen.has(flag::FIN) && chase.frames_sent > 0);
        if closing && in_place {
            chase.reach(ts, ResponseState::Reset, Cause::End);
            return false;
        }
        if seen.has(flag::RST) {
            return false;
        }
        if chase.state == ResponseState::Reset {
            if seen.len == 0 {
                return false;
            }
            if chase.rounds >= ROUNDS_MAX {
                chase.reach(ts, ResponseState::Failed, Cause::Order);
                return false;
            }
            chase.again();
        }
        let since = |sent: Option<Timestamp>| sent.map(|sent| ts.since(sent));
        let ended = chase.pairs >= CHASE_PAIRS_MAX
            || since(chase.first_sent).is_some_and(|ns| ns >= CHASE_NS);
        if ended && seen.len > 0 && since(chase.last_sent).is_some_and(|ns| ns >= quiet) {
            chase.reach(ts, ResponseState::Failed, Cause::Order);
        }
        !ended
    }

    fn take_pair(&mut self, ts: Timestamp, from: usize, seen: &Seen<'_>) -> bool {
        let chase = &mut self.chase;
        if seen.has(flag::RST) {
            return false;
        }
        if seen.has(flag::SYN) && !seen.has(flag::ACK) {
            if from != 0 {
                // The responder calling from its service port is not a new flow of this pair.
                return false;
            }
            chase.call(seen.src.port, seen.seq);
        }
        if chase.state == ResponseState::Reset && seen.len > 0 {
            chase.again();
            chase.reach(ts, ResponseState::Sent, Cause::Order);
        }
        let lasting = |first: Timestamp| ts.since(first) >= HELD_FAILED_NS;
        if seen.len > 0 && chase.first_sent.is_some_and(lasting) {
            chase.reach(ts, ResponseState::Failed, Cause::Order);
            chase.over = false;
        }
        // An allowance of one second's pairs, refilled evenly.
        let cost = SECOND_NS / HELD_PAIRS_PER_S;
        let full = chase.full_ts.max(ts).plus(cost);
        if full.since(ts) > SECOND_NS {
            return false;
        }
        chase.full_ts = full;
        true
    }

    /// Counts the resets made for a segment.
    pub(super) fn sent(&mut self, ts: Timestamp, frames: usize) {
        let chase = &mut self.chase;
        let frames = u32::try_from(frames).unwrap_or(u32::MAX);
        chase.frames_sent = chase.frames_sent.saturating_add(frames);
        chase.pairs = chase.pairs.saturating_add(1);
        chase.first_sent.get_or_insert(ts);
        chase.last_sent = Some(ts);
        // A call that was refused does not bring a dead pair to life; nor does it mend a failure.
        let stays = self.action == Action::HoldPair
            && matches!(chase.state, ResponseState::Reset | ResponseState::Failed);
        if !stays {
            chase.reach(ts, ResponseState::Sent, Cause::Order);
        }
    }

    /// Lets time pass up to `ts`: whatever is due happens at its deadline.
    pub(super) fn pass(&mut self, ts: Timestamp) {
        while let Some((deadline, due)) = self.due().filter(|(deadline, _)| *deadline <= ts) {
            let chase = &mut self.chase;
            match due {
                Due::LastPair => (chase.last_pair, chase.last_pair_over) = (true, true),
                Due::Dead => chase.reach(deadline, ResponseState::Reset, Cause::Silence),
                Due::Forgotten => chase.over = true,
                Due::Expired => {
                    let state = match (self.action, chase.state) {
                        (Action::HoldPair, _) => ResponseState::Expired,
                        (_, ResponseState::Reset) => ResponseState::Reset,
                        _ => ResponseState::Unknown,
                    };
                    chase.reach(deadline, state, Cause::Time);
                    chase.over = true;
                }
            }
        }
    }

    /// When something is due next.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due().map(|(deadline, _)| deadline)
    }

    fn due(&self) -> Option<(Timestamp, Due)> {
        let chase = &self.chase;
        if chase.over {
            return None;
        }
        let held = self.action == Action::HoldPair;
        let pending = match chase.state {
            ResponseState::Sent => true,
            ResponseState::Failed => held,
            _ => false,
        };
        let quiet_since = chase.last_sent.max(chase.last_data).filter(|_| pending);
        let last_pair = quiet_since.filter(|_| !held && !chase.last_pair_over);
        let last_pair = last_pair.map(|last| (last.plus(LAST_PAIR_NS), Due::LastPair));
        let dead = quiet_since;
        let dead = dead.map(|last| (last.plus(self.quiet_ns()), Due::Dead));
        let forgotten = chase.state == ResponseState::Reset && !held;
        let forgotten = forgotten.then(|| (chase.state_ts.plus(WATCH_NS), Due::Forgotten));
        let expired = Some((self.expires_ts, Due::Expired));
        [last_pair, dead, forgotten, expired]
            .into_iter()
            .flatten()
            .min_by_key(|(deadline, _)| *deadline)
    }

    /// Silence after which it counts as dead.
    fn quiet_ns(&self) -> i64 {
        let three = self.rtt_ns().saturating_mul(3);
        three.clamp(QUIET_NS, QUIET_NS_MAX)
    }
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug)]
enum Due {
    LastPair,
    Dead,
    Forgotten,
    Expired,
}
