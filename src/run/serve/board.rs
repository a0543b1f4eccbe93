//! What `serve` knows at this moment, for those who ask and those who watch.
//!
//! Bounds: the last [`KEPT_MAX`] breaches, incidents and decisions; older ones stay in the journal. Of uses of
//!         services [`USES_MAX`], as many as `sense` keeps; those last heard of longest ago go first.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use tapir_message::{
    Breach, Decision, Device, Health, Incident, Merge, Notice, Response, ServiceUse, Stats, Verdict,
};

use crate::control::{Event, ResponseEntry};
use crate::run::daemon::ToServer;

/// Entries of each kind that are kept.
const KEPT_MAX: usize = 10_000;
/// Uses of services that are kept.
const USES_MAX: usize = 20_000;
/// Digits of a one-time code.
const CODE_DIGITS: usize = 6;

/// The latest states of things with an id; the oldest go first.
#[derive(Debug)]
pub(super) struct Kept<T> {
    by_id: BTreeMap<String, T>,
    order: VecDeque<String>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            by_id: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T> Kept<T> {
    fn put(&mut self, id: &str, item: T) {
        if self.by_id.insert(id.to_owned(), item).is_none() {
            self.order.push_back(id.to_owned());
            if self.order.len() > KEPT_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.by_id.remove(&oldest);
            }
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.by_id.get(id)
    }

    /// In order of first appearance.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.order.iter().filter_map(|id| self.by_id.get(id))
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) breaches: Kept<Breach>,
    pub(super) incidents: Kept<Incident>,
    decisions: Kept<Decision>,
    responses: BTreeMap<String, Response>,
    codes: BTreeMap<String, String>,
    pub(super) devices: BTreeMap<String, Device>,
    pub(super) merges: Vec<Merge>,
    /// By service and device.
    services: BTreeMap<(String, String), ServiceUse>,
    pub(super) stats: Option<Stats>,
    pub(super) health: Option<Health>,
    pub(super) supervisor: ToServer,
    pub(super) records_written: u64,
    pub(super) records_lost: u64,
    pub(super) trouble: BTreeMap<&'static str, String>,
    pub(super) begun: Instant,
    pub(super) sense_since: Instant,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            breaches: Kept::default(),
            incidents: Kept::default(),
            decisions: Kept::default(),
            responses: BTreeMap::new(),
            codes: BTreeMap::new(),
            devices: BTreeMap::new(),
            merges: Vec::new(),
            services: BTreeMap::new(),
            stats: None,
            health: None,
            supervisor: ToServer::default(),
            records_written: 0,
            records_lost: 0,
            trouble: BTreeMap::new(),
            begun: Instant::now(),
            sense_since: Instant::now(),
        }
    }
}

impl Board {
    /// Takes in what the supervisor says. What a `sense` that is gone said of itself no longer holds.
    pub(super) fn supervised(&mut self, told: ToServer) {
        if told.sense_pid != self.supervisor.sense_pid {
            (self.health, self.stats) = (None, None);
        }
        self.supervisor = told;
    }

    /// Takes in uses that changed; one without flows is none any more.
    pub(super) fn used(&mut self, uses: Vec<ServiceUse>) {
        for one in uses {
            let key = (one.service.clone(), one.device.clone());
            if one.flows == 0 {
                self.services.remove(&key);
            } else {
                self.services.insert(key, one);
            }
        }
        let too_many = self.services.len().saturating_sub(USES_MAX);
        if too_many > 0 {
            let mut ages: Vec<_> = self
                .services
                .iter()
                .map(|(k, one)| (one.last_ts, k))
                .collect();
            ages.sort_unstable();
            let oldest: Vec<_> = ages
                .into_iter()
                .take(too_many)
                .map(|(_, k)| k.clone())
                .collect();
            for key in oldest {
                self.services.remove(&key);
            }
        }
    }

    /// Who used which service.
    pub(super) fn services(&self) -> Vec<ServiceUse> {
        self.services.values().cloned().collect()
    }

    /// Takes in what has been journalled; gives what those who watch are told.
    pub(super) fn take(&mut self, notice: &Notice) -> Event {
        match notice {
            Notice::Breach(breach) => {
                self.breaches.put(&breach.id, (**breach).clone());
                Event::Breach {
                    breach: breach.clone(),
                }
            }
            Notice::Incident(incident) => {
                self.incidents.put(&incident.id, (**incident).clone());
                Event::Incident {
                    incident: incident.clone(),
                }
            }
            Notice::Decision(decision) => {
                self.decided(decision);
                Event::Decision {
                    decision: decision.clone(),
                }
            }
            Notice::Response(response) => {
                self.responses
                    .insert(response.decision.clone(), (**response).clone());
                Event::Response {
                    response: response.clone(),
                }
            }
        }
    }

    /// Takes in a device; what was merged into it is none of its own any more.
    pub(super) fn device(&mut self, device: Device) {
        for id in &device.merged {
            self.devices.remove(id);
        }
        self.devices.insert(device.id.clone(), device);
    }

    /// A decision that asks gets a code; one that no longer asks needs none.
    fn decided(&mut self, decision: &Decision) {
        self.decisions.put(&decision.id, decision.clone());
        if decision.verdict == Verdict::Ask {
            self.codes.insert(decision.id.clone(), code());
        } else {
            self.codes.remove(&decision.id);
        }
        self.responses
            .retain(|id, _| self.decisions.get(id).is_some());
        self.codes.retain(|id, _| self.decisions.get(id).is_some());
    }

    /// Decisions with what became of them.
    pub(super) fn responses(&self) -> Vec<ResponseEntry> {
        let entry = |decision: &Decision| ResponseEntry {
            decision: decision.clone(),
            response: self.responses.get(&decision.id).cloned(),
            code: self.codes.get(&decision.id).cloned(),
        };
        self.decisions.all().map(entry).collect()
    }

    /// A decision by its id.
    pub(super) fn decision(&self, id: &str) -> Option<&Decision> {
        self.decisions.get(id)
    }

    /// Decisions that wait for a person.
    pub(super) fn waiting(&self) -> usize {
        self.codes.len()
    }

    /// Uses up the code of a decision; false if it is another one.
    pub(super) fn redeem(&mut self, decision: &str, code: &str) -> bool {
        let right = self
            .codes
            .get(decision)
            .is_some_and(|own| own == code.trim());
        if right {
            self.codes.remove(decision);
        }
        right
    }

    /// Sets or clears one kind of trouble.
    pub(super) fn trouble(&mut self, about: &'static str, why: Option<String>) {
        match why {
            Some(why) => self.trouble.insert(about, why),
            None => self.trouble.remove(about),
        };
    }
}

/// Six digits nobody can guess; without the system's randomness a decision cannot be approved.
fn code() -> String {
    let mut bytes = [0; CODE_DIGITS];
    match getrandom::fill(&mut bytes) {
        // 250 is a multiple of 10: the few bytes above it are folded, which costs nothing here.
        Ok(()) => bytes
            .iter()
            .map(|byte| char::from(b'0' + byte % 10))
            .collect(),
        Err(_) => "no code: the system has no randomness".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapir_message::Timestamp;

    fn one(n: usize, flows: u64) -> ServiceUse {
        let ts = Timestamp::from_secs(i64::try_from(n).unwrap());
        ServiceUse {
            service: "mega".to_owned(),
            name: "MEGA".to_owned(),
            owner: "MEGA".to_owned(),
            category: "storage".to_owned(),
            sanctioned: None,
            device: format!("d-{n:05}"),
            device_name: String::new(),
            first_ts: ts,
            last_ts: ts,
            flows,
            bytes_up: 0,
            bytes_down: 0,
            evidence: Vec::new(),
        }
    }

    #[test]
    fn uses_hold_their_bound_and_those_that_were_none_go() {
        let mut board = Board::default();
        board.used((0..USES_MAX + 3).map(|n| one(n, 1)).collect());
        let all = board.services();
        assert_eq!(all.len(), USES_MAX);
        assert_eq!(all[0].device, "d-00003");
        board.used(vec![one(3, 0), one(4, 2)]);
        let all = board.services();
        assert_eq!((all.len(), all[0].flows), (USES_MAX - 1, 2));
    }
}
