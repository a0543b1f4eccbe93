//! People's words on devices, carried out once each.
//!
//! After a restart `serve` says again what no saved state knows of. A device that such a ruling is about may
//! not have been seen again yet: the ruling waits for it.

use tapir_engine::Analysis;
use tapir_engine::device::MergeError;
use tapir_message::{Ruling, Says};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rulings {
    /// The latest one that was heard.
    last: u64,
    /// Those whose devices are not known yet.
    waiting: Vec<Ruling>,
}

/// What became of a ruling: why it was refused, if it was.
pub(super) type Ruled = (u64, Option<String>);

impl Rulings {
    /// Carries out what was said before this start.
    pub(super) fn again(&mut self, analysis: &mut Analysis, said: Vec<Ruling>) -> Vec<Ruled> {
        let mut new = Vec::new();
        for ruling in said {
            // Some may have been said twice.
            if ruling.number > self.last {
                self.last = ruling.number;
                new.push(ruling);
            }
        }
        self.attempt(analysis, new)
    }

    /// Carries out what a person says now; nothing if it was heard before.
    pub(super) fn said(&mut self, analysis: &mut Analysis, ruling: &Ruling) -> Option<Ruled> {
        if ruling.number <= self.last {
            return None;
        }
        self.last = ruling.number;
        Some(ruled(ruling, carry_out(analysis, ruling)))
    }

    /// Carries out those whose devices have been seen meanwhile.
    pub(super) fn seen(&mut self, analysis: &mut Analysis) -> Vec<Ruled> {
        let waiting = std::mem::take(&mut self.waiting);
        self.attempt(analysis, waiting)
    }

    /// The state of now knows of all rulings up to this number.
    pub(super) fn known(&self) -> u64 {
        let first = self.waiting.iter().map(|ruling| ruling.number).min();
        first.map_or(self.last, |first| first.saturating_sub(1))
    }

    /// Carries out what can be; the others wait.
    fn attempt(&mut self, analysis: &mut Analysis, rulings: Vec<Ruling>) -> Vec<Ruled> {
        let mut all = Vec::new();
        for ruling in rulings {
            match carry_out(analysis, &ruling) {
                Err(MergeError::Unknown(_)) => self.waiting.push(ruling),
                done => all.push(ruled(&ruling, done)),
            }
        }
        all
    }
}

fn ruled(ruling: &Ruling, done: Result<(), MergeError>) -> Ruled {
    (ruling.number, done.err().map(|error| error.to_string()))
}

fn carry_out(analysis: &mut Analysis, ruling: &Ruling) -> Result<(), MergeError> {
    let Ruling { at, who, says, .. } = ruling;
    match says {
        Says::Merge { into, other } => analysis.merge(*at, into, other, who).map(drop),
        Says::Split { id } => analysis.split(*at, id, who).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use tapir_engine::device::Home;
    use tapir_engine::service::Catalogue;
    use tapir_engine::types::{Body, FlowRef, MacAddr, Observation, Seed, Sighting, Timestamp};
    use tapir_engine::{AnalysisSettings, PolicySettings, SavedState};

    use super::*;

    fn analysis(saved: SavedState) -> Analysis {
        let settings = AnalysisSettings {
            sensor_id: "tapir".to_owned(),
            home: Home::new(vec![]),
            time_zone: jiff::tz::TimeZone::UTC,
            seed: Seed(1),
            response: PolicySettings::default(),
            own: vec![],
            services: Catalogue::default(),
        };
        let models = crate::run::load_models(None).expect("the shipped models");
        Analysis::new(settings, models, saved)
    }

    /// The device of hardware address `n` is seen; gives its id.
    fn see(analysis: &mut Analysis, n: u8) -> String {
        let mac = MacAddr([0, 0x11, 0x22, 0, 0, n]);
        let sighting = Sighting {
            mac,
            ip: Some([10, 0, 0, n].into()),
            evidence: "arp",
            vlan: 0,
        };
        analysis.observe(&mut Observation {
            ts: Timestamp::from_secs(i64::from(n)),
            flow: FlowRef::default(),
            body: Body::Sighting(sighting),
        });
        let mut all = analysis.devices().into_iter();
        all.find(|d| d.mac == Some(mac)).expect("a device").id
    }

    fn ruling(number: u64, says: Says) -> Ruling {
        Ruling {
            number,
            at: Timestamp::from_secs(100),
            who: "anna (uid 1000)".to_owned(),
            says,
        }
    }

    fn merge(number: u64, into: &str, other: &str) -> Ruling {
        let (into, other) = (into.to_owned(), other.to_owned());
        ruling(number, Says::Merge { into, other })
    }

    fn split(number: u64, id: &str) -> Ruling {
        ruling(number, Says::Split { id: id.to_owned() })
    }

    #[test]
    fn each_is_carried_out_once_and_refusals_have_a_reason() {
        let mut analysis = analysis(SavedState::default());
        let [a, b] = [1, 2].map(|n| see(&mut analysis, n));
        let mut rulings = Rulings::default();
        let done = rulings.said(&mut analysis, &merge(7, &a, &b));
        assert_eq!(done, Some((7, None)));
        assert_eq!(analysis.devices().len(), 1);
        assert_eq!(analysis.merges()[0].who.as_deref(), Some("anna (uid 1000)"));
        // A new `serve` says again what it has on disk.
        assert_eq!(rulings.said(&mut analysis, &merge(7, &a, &b)), None);
        let twice = rulings.said(&mut analysis, &merge(8, &b, &a));
        assert!(twice.is_some_and(|(_, why)| why.is_some_and(|why| why.contains("already"))));
        assert_eq!(rulings.said(&mut analysis, &split(9, &b)), Some((9, None)));
        assert_eq!(analysis.devices().len(), 2);
        let unknown = rulings.said(&mut analysis, &split(10, "d-nobody"));
        assert!(unknown.is_some_and(|(_, why)| why.is_some()));
        assert_eq!(rulings.known(), 10);
    }

    /// Killed after a device was merged and before a state was saved that knows the device at all.
    #[test]
    fn after_a_restart_a_ruling_waits_for_its_device() {
        let mut before = analysis(SavedState::default());
        let a = see(&mut before, 1);
        let saved = before.save();
        let b = see(&mut before, 2);
        let said = [merge(3, &a, &b), split(4, &b), merge(5, &a, &b)];
        let mut rulings = Rulings::default();
        for ruling in &said {
            assert!(
                rulings
                    .said(&mut before, ruling)
                    .is_some_and(|(_, why)| why.is_none())
            );
        }
        let mut after = analysis(saved);
        let mut rulings = Rulings::default();
        // Said twice, as by a `serve` that was started while nobody listened.
        let twice = said.iter().chain(&said).cloned().collect();
        assert_eq!(rulings.again(&mut after, twice), []);
        assert_eq!(rulings.known(), 2, "no saved state knows of them yet");
        assert_eq!(rulings.seen(&mut after), []);
        assert_eq!(see(&mut after, 2), b);
        let ruled = rulings.seen(&mut after);
        assert_eq!(ruled, [(3, None), (4, None), (5, None)]);
        assert_eq!(rulings.known(), 5);
        assert_eq!(after.devices(), before.devices());
        assert_eq!(after.merges(), before.merges());
    }
}
