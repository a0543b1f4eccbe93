//! How often one may act: counted over everything done in the last hour, by the packets' time.
//!
//! Bounds: 2,000 acts remembered; a rule's caps are far below.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::types::Timestamp;

const MINUTE_NS: i64 = 60 * 1_000_000_000;
const HOUR_NS: i64 = 60 * MINUTE_NS;
/// Above the highest `per_hour` a rule may have, for real and shadow acts together.
const ACTS_MAX: usize = 2_000;

/// What a rule allows at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Actions in any 60 seconds.
    pub per_minute: u32,
    /// Actions in any 60 minutes.
    pub per_hour: u32,
    /// Different devices acted on in any 60 minutes.
    pub devices_per_hour: u32,
    /// Other devices that used the same responder.
    pub others_max: u32,
    /// Connections one action may cut.
    pub flows_max: u32,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            per_minute: 10,
            per_hour: 30,
            devices_per_hour: 3,
            others_max: 3,
            flows_max: 10,
        }
    }
}

/// One thing done, or that would have been done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Act {
    ts: Timestamp,
    device: String,
    shadow: bool,
}

/// Everything done in the last hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Acts(VecDeque<Act>);

impl Acts {
    /// Whether one more act on `device` stays within `caps`; else which one stands against it. Acts of
    /// the shadow and real ones do not use up each other's room.
    pub(super) fn check(
        &self,
        ts: Timestamp,
        device: &str,
        shadow: bool,
        caps: &Caps,
    ) -> Result<(), String> {
        let within = |ns: i64| {
            self.0
                .iter()
                .filter(move |act| act.shadow == shadow && ts.since(act.ts) < ns)
        };
        let count = |acts: usize| u32::try_from(acts).unwrap_or(u32::MAX);
        let minute = count(within(MINUTE_NS).count());
        if minute >= caps.per_minute {
            return Err(format!(
                "{minute} actions were taken in the last minute; the rule allows {}",
                caps.per_minute
            ));
        }
        let hour = count(within(HOUR_NS).count());
        if hour >= caps.per_hour || self.0.len() >= ACTS_MAX {
            return Err(format!(
                "{hour} actions were taken in the last hour; the rule allows {}",
                caps.per_hour
            ));
        }
        let mut devices: BTreeSet<&str> = within(HOUR_NS).map(|act| act.device.as_str()).collect();
        devices.insert(device);
        let devices = count(devices.len());
        if devices > caps.devices_per_hour {
            return Err(format!(
                "it would be device number {devices} within an hour; the rule allows {}",
                caps.devices_per_hour
            ));
        }
        Ok(())
    }

    /// Remembers an act.
    pub(super) fn note(&mut self, ts: Timestamp, device: &str, shadow: bool) {
        self.forget(ts);
        self.0.push_back(Act {
            ts,
            device: device.to_owned(),
            shadow,
        });
    }

    /// Forgets what is older than an hour.
    pub(super) fn forget(&mut self, ts: Timestamp) {
        self.0.retain(|act| ts.since(act.ts) < HOUR_NS);
    }

    /// Time leapt to `ts`: everything counts as done just now, so that a leap frees no room.
    pub(super) fn leap(&mut self, ts: Timestamp) {
        for act in &mut self.0 {
            act.ts = ts;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    #[test]
    fn minutes_hours_and_devices_are_counted_apart() {
        let caps = Caps {
            per_minute: 2,
            per_hour: 4,
            devices_per_hour: 2,
            ..Caps::default()
        };
        let mut acts = Acts::default();
        acts.note(at(0), "a", false);
        acts.note(at(1), "a", false);
        let told = acts.check(at(59), "a", false, &caps).unwrap_err();
        assert!(
            told.contains("2 actions") && told.contains("minute"),
            "{told}"
        );
        assert_eq!(acts.check(at(59), "a", true, &caps), Ok(()));
        assert_eq!(acts.check(at(60), "a", false, &caps), Ok(()));
        acts.note(at(100), "b", false);
        let told = acts.check(at(200), "c", false, &caps).unwrap_err();
        assert!(told.contains("device number 3"), "{told}");
        acts.note(at(300), "b", false);
        let told = acts.check(at(400), "a", false, &caps).unwrap_err();
        assert!(told.contains("hour"), "{told}");
        assert_eq!(acts.check(at(3_700), "a", false, &caps), Ok(()));
    }

    #[test]
    fn a_leap_frees_no_room() {
        let caps = Caps {
            per_minute: 1,
            ..Caps::default()
        };
        let mut acts = Acts::default();
        acts.note(at(0), "a", false);
        acts.leap(at(1_000_000));
        assert!(acts.check(at(1_000_000), "a", false, &caps).is_err());
    }
}
