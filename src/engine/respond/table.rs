//! The kill table: every action that stands, matched against each frame of the armed pairs.
//!
//! Bounds: 256 entries; one more is refused, and that is told. A frame costs one comparison an entry
//!         and no allocation; sentences are written when changes are taken.

use std::net::IpAddr;

use tapir_message::{Action, Response, ResponseState};

use super::bytes::Resets;
use super::chase::Cause;
use super::entry::KillEntry;
use super::reset::{answer, last_pair};
use super::seen::Seen;
use crate::types::Timestamp;

/// Actions that stand at a time.
pub const ENTRIES_MAX: usize = 256;
/// Refusals kept until they are told.
const REFUSALS_MAX: usize = 1_024;

/// See the module.
#[derive(Debug)]
pub struct KillTable {
    entries: Vec<KillEntry>,
    refusals: Vec<Response>,
    serial: u32,
    now: Timestamp,
    /// Earliest deadline of all entries.
    deadline: Timestamp,
    /// Whether some entry changed since changes were taken.
    changed: bool,
}

impl Default for KillTable {
    fn default() -> Self {
        Self::new()
    }
}

impl KillTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self {
            entries: Vec::with_capacity(ENTRIES_MAX),
            refusals: Vec::new(),
            serial: 0,
            now: Timestamp::MIN,
            deadline: Timestamp::MAX,
            changed: false,
        }
    }

    /// Takes an entry in at `ts`. False if it is refused, because the table is full, the order has
    /// expired, or it stands already; the refusal is among the changes.
    pub fn insert(&mut self, ts: Timestamp, mut entry: KillEntry) -> bool {
        self.advance(ts);
        let known = self.entries.iter().any(|e| e.decision == entry.decision);
        let why = if known {
            Some("the action stands already")
        } else if self.now >= entry.expires_ts {
            Some("the order came after its time was over")
        } else if self.entries.len() >= ENTRIES_MAX {
            Some("256 actions stand already, and more than that are not kept")
        } else {
            None
        };
        if let Some(why) = why {
            entry.chase.state = ResponseState::Refused;
            entry.chase.state_ts = self.now;
            if self.refusals.len() < REFUSALS_MAX && !known {
                self.refusals.push(response(&entry, why.to_owned()));
            }
            return false;
        }
        self.serial = self.serial.wrapping_add(1);
        entry.serial = self.serial;
        entry.chase.state_ts = self.now.max(entry.ordered_ts);
        self.entries.push(entry);
        self.changed = true;
        self.look_ahead();
        true
    }

    /// Takes a frame in; the resets to send for it are in `out`, whatever was there before is gone.
    pub fn on_frame(&mut self, ts: Timestamp, frame: &[u8], out: &mut Resets) {
        out.clear();
        self.advance(ts);
        if self.entries.is_empty() {
            return;
        }
        let Some(seen) = Seen::parse(frame) else {
            return;
        };
        let mut touched = false;
        for entry in &mut self.entries {
            let Some(from) = entry.side_of(&seen) else {
                continue;
            };
            // What we sent ourselves comes back from the mirror; it says nothing.
            if seen.src_mac == entry.injection_mac {
                continue;
            }
            touched = true;
            if !entry.take(self.now, from, &seen) || !out.is_empty() {
                continue;
            }
            answer(entry, from, &seen, out);
            if !out.is_empty() {
                out.first = entry.chase.frames_sent == 0;
                out.entry = Some(entry.serial);
                entry.sent(self.now, out.len());
            }
        }
        if touched {
            self.changed |= self.entries.iter().any(|entry| entry.chase.changed);
            self.look_ahead();
        }
    }

    /// The resets for one flow that has fallen silent; false if there is none. To be asked after
    /// [`Self::advance`], until it says so.
    pub fn last_pair(&mut self, out: &mut Resets) -> bool {
        out.clear();
        for entry in &mut self.entries {
            if !std::mem::take(&mut entry.chase.last_pair) || entry.chase.over {
                continue;
            }
            last_pair(entry, out);
            if !out.is_empty() {
                out.entry = Some(entry.serial);
                entry.sent(self.now, out.len());
                self.look_ahead();
                return true;
            }
        }
        false
    }

    /// What became of the resets that [`Self::on_frame`] gave: `latency_ns` from the frame's time stamp
    /// to the kernel, kept for the first and the longest; `refused` of them were not taken.
    pub fn sent(&mut self, resets: &Resets, latency_ns: u64, refused: u32) {
        let entry = self.entries.iter_mut();
        let Some(entry) = entry.into_iter().find(|e| Some(e.serial) == resets.entry) else {
            return;
        };
        let chase = &mut entry.chase;
        chase.latency_max_ns = chase.latency_max_ns.max(Some(latency_ns));
        if resets.first && chase.latency_ns.is_none() {
            chase.latency_ns = Some(latency_ns);
            (chase.changed, self.changed) = (true, true);
        }
        chase.frames_refused = chase.frames_refused.saturating_add(refused);
    }

    /// Lets time pass up to `ts`.
    pub fn advance(&mut self, ts: Timestamp) {
        self.now = self.now.max(ts);
        if self.now < self.deadline {
            return;
        }
        for entry in &mut self.entries {
            entry.pass(self.now);
            self.changed |= entry.chase.changed || entry.chase.over;
        }
        self.look_ahead();
    }

    /// A person takes back the action of `decision`, or all of them; nothing more is sent for it.
    /// Returns how many stood.
    pub fn revert(&mut self, decision: Option<&str>, who: &str, ts: Timestamp) -> usize {
        self.advance(ts);
        let mut count = 0;
        for entry in &mut self.entries {
            let meant = decision.is_none_or(|id| id == entry.decision);
            if meant && !entry.chase.over {
                who.clone_into(&mut entry.chase.who);
                entry
                    .chase
                    .reach(self.now, ResponseState::Reverted, Cause::Person);
                count += 1;
            }
        }
        self.changed |= count > 0;
        self.look_ahead();
        count
    }

    /// States reached since the last call, in the order of the actions. What is over leaves the table.
    pub fn take_changes(&mut self) -> Vec<Response> {
        let mut changes = std::mem::take(&mut self.refusals);
        if !std::mem::take(&mut self.changed) {
            return changes;
        }
        for entry in &mut self.entries {
            if std::mem::take(&mut entry.chase.changed) {
                let text = sentence(entry);
                changes.push(response(entry, text));
            }
        }
        self.entries.retain(|entry| !entry.chase.over);
        self.look_ahead();
        changes
    }

    /// Address pairs of the actions that stand, each once: the filter of the fast socket.
    #[must_use]
    pub fn pairs(&self) -> Vec<(IpAddr, IpAddr)> {
        let live = self.entries.iter().filter(|entry| !entry.chase.over);
        let mut pairs: Vec<_> = live
            .map(|entry| {
                let [orig, resp] = &entry.ends;
                (orig.ip(), resp.ip())
            })
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    /// When [`Self::advance`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        Some(self.deadline).filter(|deadline| *deadline != Timestamp::MAX)
    }

    /// Actions that stand.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no action stands.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn look_ahead(&mut self) {
        let deadlines = self.entries.iter().filter_map(KillEntry::deadline);
        self.deadline = deadlines.min().unwrap_or(Timestamp::MAX);
    }
}

/// An entry's state as it is told.
fn response(entry: &KillEntry, text: String) -> Response {
    let chase = &entry.chase;
    Response {
        ts: chase.state_ts,
        decision: entry.decision.clone(),
        breach: entry.breach.clone(),
        state: chase.state,
        frames_sent: chase.frames_sent,
        frames_refused: chase.frames_refused,
        latency_ns: chase.latency_ns,
        latency_max_ns: chase.latency_max_ns,
        bytes_after: chase.bytes_after,
        redials: chase.redials,
        text,
    }
}

/// What happened, in one sentence.
fn sentence(entry: &KillEntry) -> String {
    let chase = &entry.chase;
    let held = entry.action == Action::HoldPair;
    let (sent, bytes, until) = (chase.frames_sent, chase.bytes_after, entry.expires_ts);
    match (chase.state, chase.cause) {
        (ResponseState::Armed, _) => format!("Waits for the next packet until {until}."),
        (ResponseState::Sent, _) => {
            format!("{sent} resets were sent; the effect is being checked.")
        }
        (ResponseState::Reset, Cause::Replaced) => {
            "The connection is over: a new one has taken its ports.".to_owned()
        }
        (ResponseState::Reset, Cause::End) if sent == 0 => {
            "The connection was over before a reset was sent.".to_owned()
        }
        (ResponseState::Reset, Cause::End) => {
            format!("An end reset or closed the connection after {sent} resets.")
        }
        (ResponseState::Reset, _) if held => format!(
            "No data any more after {sent} resets; new connections are refused until {until}, {} so far.",
            chase.redials
        ),
        (ResponseState::Reset, _) => format!("No data any more after {sent} resets."),
        (ResponseState::Failed, _) => {
            format!("{bytes} bytes came after the order, in spite of {sent} resets.")
        }
        (ResponseState::Unknown, Cause::Replaced) => {
            "No packet was answered before a new connection took the ports.".to_owned()
        }
        (ResponseState::Unknown, _) if sent == 0 => {
            "No packet of the connection was seen while the action stood.".to_owned()
        }
        (ResponseState::Unknown, _) => {
            format!("The time was over before it was known what {sent} resets did.")
        }
        (ResponseState::Expired, _) => format!(
            "The time is over: {sent} resets were sent and {} new connections refused.",
            chase.redials
        ),
        (ResponseState::Reverted, _) => {
            format!("Taken back by {} after {sent} resets.", chase.who)
        }
        (ResponseState::Refused, _) => {
            "The connection signs its segments (TCP-MD5 or TCP-AO) and cannot be reset.".to_owned()
        }
    }
}
