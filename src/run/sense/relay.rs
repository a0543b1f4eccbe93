//! Which states of breaches and incidents are worth telling now.
//!
//! A scan or a rhythm changes its breach with every packet. A new one, and one whose score, band or
//! incident changed, is told at once; other changes wait until [`EVERY_NS`] of packet time have passed
//! since the breach was last told, or the run ends. So what `serve` keeps last is what the engine knew last.
//!
//! Bounds: what waits is the latest state of each breach that is open, a table the engine bounds.

use std::collections::BTreeMap;

use tapir_message::{Breach, Incident, Notice, Timestamp};

/// Packet time between two states of one breach that differ only in counts.
const EVERY_NS: i64 = 10_000_000_000;
/// After so long without news a breach is forgotten here; the engine closes it after 24 h.
const FORGET_NS: i64 = 25 * 3_600 * 1_000_000_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Relay {
    breaches: BTreeMap<String, Told<Breach>>,
    incidents: BTreeMap<String, Told<Incident>>,
    /// Order of first waiting, so that a flush does not depend on ids.
    turn: u64,
    looked: Timestamp,
}

/// What was told of one thing, and what was not yet.
#[derive(Debug)]
struct Told<T> {
    at: Timestamp,
    mark: u64,
    waiting: Option<(u64, T)>,
}

impl Relay {
    /// Takes a state of a breach; gives it back if it is to be told now.
    pub(super) fn breach(&mut self, now: Timestamp, breach: Breach) -> Option<Notice> {
        let mark = u64::from(breach.score.unwrap_or(0)) << 24
            | u64::from(breach.score_sure.unwrap_or(0)) << 16
            | u64::from(breach.priority.unwrap_or(0)) << 8
            | u64::from(breach.incident.is_empty());
        let id = breach.id.clone();
        self.turn += 1;
        take(&mut self.breaches, id, (now, self.turn, mark), breach)
            .map(|breach| Notice::Breach(Box::new(breach)))
    }

    /// Takes a state of an incident; gives it back if it is to be told now.
    pub(super) fn incident(&mut self, now: Timestamp, incident: Incident) -> Option<Notice> {
        let lines = u64::try_from(incident.timeline.len()).unwrap_or(u64::MAX);
        let mark = u64::from(incident.score.unwrap_or(0)) << 32 | lines;
        let id = incident.id.clone();
        self.turn += 1;
        take(&mut self.incidents, id, (now, self.turn, mark), incident)
            .map(|incident| Notice::Incident(Box::new(incident)))
    }

    /// What has waited long enough at `now`; all of it at the end.
    pub(super) fn due(&mut self, now: Timestamp, end: bool) -> Vec<Notice> {
        if !end && now.since(self.looked) < EVERY_NS {
            return Vec::new();
        }
        self.looked = now;
        let mut due = Vec::new();
        drain(&mut self.breaches, now, end, |turn, breach| {
            due.push((turn, Notice::Breach(Box::new(breach))));
        });
        drain(&mut self.incidents, now, end, |turn, incident| {
            due.push((turn, Notice::Incident(Box::new(incident))));
        });
        due.sort_by_key(|(turn, _)| *turn);
        due.into_iter().map(|(_, notice)| notice).collect()
    }
}

fn take<T>(
    all: &mut BTreeMap<String, Told<T>>,
    id: String,
    (now, turn, mark): (Timestamp, u64, u64),
    state: T,
) -> Option<T> {
    let Some(told) = all.get_mut(&id) else {
        let told = Told {
            at: now,
            mark,
            waiting: None,
        };
        all.insert(id, told);
        return Some(state);
    };
    if told.mark != mark || now.since(told.at) >= EVERY_NS {
        (told.at, told.mark, told.waiting) = (now, mark, None);
        return Some(state);
    }
    let turn = told.waiting.as_ref().map_or(turn, |(turn, _)| *turn);
    told.waiting = Some((turn, state));
    None
}

fn drain<T>(
    all: &mut BTreeMap<String, Told<T>>,
    now: Timestamp,
    end: bool,
    mut tell: impl FnMut(u64, T),
) {
    for told in all.values_mut() {
        if (end || now.since(told.at) >= EVERY_NS)
            && let Some((turn, state)) = told.waiting.take()
        {
            told.at = now;
            tell(turn, state);
        }
    }
    all.retain(|_, told| now.since(told.at) < FORGET_NS);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(id: &str, score: u8, last: i64) -> Incident {
        Incident {
            id: id.into(),
            first_ts: Timestamp::default(),
            last_ts: Timestamp::from_secs(last),
            score: Some(score),
            title: String::new(),
            devices: vec![],
            device_names: vec![],
            attack: vec![],
            timeline: vec![],
        }
    }

    fn told(notice: Option<Notice>) -> Option<i64> {
        match notice? {
            Notice::Incident(incident) => Some(incident.last_ts.secs()),
            _ => None,
        }
    }

    #[test]
    fn news_goes_at_once_and_counts_wait_but_the_last_state_is_always_told() {
        let mut relay = Relay::default();
        let mut at =
            |s, score| told(relay.incident(Timestamp::from_secs(s), incident("a", score, s)));
        assert_eq!(at(0, 50), Some(0));
        assert_eq!(at(1, 50), None);
        assert_eq!(at(2, 50), None);
        assert_eq!(at(3, 60), Some(3));
        assert_eq!(at(4, 60), None);
        assert!(relay.due(Timestamp::from_secs(5), false).is_empty());
        let due = relay.due(Timestamp::from_secs(20), false);
        assert_eq!(
            due.into_iter().map(|n| told(Some(n))).collect::<Vec<_>>(),
            [Some(4)]
        );
        assert!(relay.due(Timestamp::from_secs(40), false).is_empty());
        assert_eq!(
            told(relay.incident(Timestamp::from_secs(41), incident("a", 60, 41))),
            Some(41)
        );
        assert_eq!(
            told(relay.incident(Timestamp::from_secs(42), incident("a", 60, 42))),
            None
        );
        assert_eq!(relay.due(Timestamp::from_secs(42), true).len(), 1);
    }
}
