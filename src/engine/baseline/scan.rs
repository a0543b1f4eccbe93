//! The first-contact failure walk: is this device looking for something?
//!
//! Every first contact of a device moves a log-likelihood ratio: up if it fails, down if it is
//! answered. Innocent devices contact what answers.
//!
//! Source: Jung et al., threshold random walk (2004); detection §3.7, §4.6: step ±1.386 for success
//! rates 0.8 against 0.2, bound ln(0.99/10⁻⁵) = 11.5, floor −4.6. Measured there: fires after 11 and
//! 13 first contacts on two real scans, never in 76 benign device-hours.
//! Bounds: 512 addresses and 64 ports told apart per episode; beyond that those two counts stand still.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::novelty::stable_hash;
use super::site::Span;
use crate::record;
use crate::types::{Interval, Text, Timestamp};

/// ln((1−0.2)/(1−0.8)).
const STEP: f64 = 1.386_294_361_119_890_6;
/// ln(0.99/10⁻⁵).
const UPPER: f64 = 11.502_875_073_025_55;
const FLOOR: f64 = -4.6;
/// An episode ends after this long without a failed first contact.
const QUIET_NS: i64 = 3_600 * 1_000_000_000;
const TARGETS_MAX: usize = 512;
const PORTS_MAX: usize = 64;
/// Contacts shown as examples.
const EXAMPLES: usize = 3;

record! {
    /// A device whose first contacts fail as only a search makes them fail.
    pub struct Scan = "scan" {
        /// First contacts that failed in this episode.
        pub failed: u64 = "failed",
        /// First contacts in this episode.
        pub contacts: u64 = "contacts",
        /// Distinct addresses among those that failed.
        pub targets: u64 = "targets",
        /// Distinct ports among those that failed.
        pub ports: u64 = "ports",
        /// Log-likelihood ratio reached.
        pub llr: f64 = "llr",
        /// From the first to the last failed contact.
        pub span: Interval = "span",
        /// The first few that failed.
        pub example: Text = "example",
    }
}

/// The walk of one device.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Walk {
    llr: f64,
    peak: f64,
    fired: bool,
    failed: u64,
    contacts: u64,
    first_ts: Timestamp,
    last_ts: Timestamp,
    /// Sorted hashes of addresses, and sorted ports.
    targets: Vec<u32>,
    ports: Vec<u16>,
    examples: Vec<String>,
}

impl Walk {
    /// Takes in a first contact; a verdict when the bound is reached, and anew at each doubling after.
    pub(super) fn contact(
        &mut self,
        ts: Timestamp,
        to: IpAddr,
        port: u16,
        failed: bool,
    ) -> Option<Scan> {
        if self.failed > 0 && ts.since(self.last_ts) > QUIET_NS {
            *self = Self::default();
        }
        self.contacts = self.contacts.saturating_add(1);
        let step = if failed { STEP } else { -STEP };
        self.llr = (self.llr + step).max(FLOOR);
        if !failed {
            if self.llr <= 0.0 && !self.fired {
                *self = Self {
                    llr: self.llr,
                    ..Self::default()
                };
            }
            return None;
        }
        if self.failed == 0 {
            self.first_ts = ts;
        }
        self.last_ts = ts;
        self.peak = self.peak.max(self.llr);
        self.failed = self.failed.saturating_add(1);
        note(&mut self.targets, short_hash(to), TARGETS_MAX);
        note(&mut self.ports, port, PORTS_MAX);
        if self.examples.len() < EXAMPLES {
            self.examples
                .push(std::net::SocketAddr::new(to, port).to_string());
        }
        let speak = if self.fired {
            self.failed.is_power_of_two()
        } else {
            self.llr >= UPPER
        };
        self.fired |= speak;
        speak.then(|| self.verdict())
    }

    /// The verdict as it stands, if the bound was reached and a contact failed after `since`.
    #[must_use]
    pub(super) fn standing(&self, since: Timestamp) -> Option<Scan> {
        (self.fired && self.last_ts >= since).then(|| self.verdict())
    }

    /// From the first to the last failed contact of this episode.
    pub(super) const fn seen(&self) -> Span {
        Span {
            first_ts: self.first_ts,
            last_ts: self.last_ts,
        }
    }

    fn verdict(&self) -> Scan {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Scan {
            failed: self.failed,
            contacts: self.contacts,
            targets: count(self.targets.len()),
            ports: count(self.ports.len()),
            llr: self.peak,
            span: Interval(self.last_ts.since(self.first_ts)),
            example: self.examples.join(", ").into(),
        }
    }
}

/// Adds to a sorted set of at most `max`.
fn note<T: Ord>(set: &mut Vec<T>, item: T, max: usize) {
    // A full one takes nothing, so it need not be searched.
    if set.len() < max
        && let Err(at) = set.binary_search(&item)
    {
        set.insert(at, item);
    }
}

/// Half of the stable hash: 512 addresses collide once in 30,000 episodes.
#[expect(clippy::cast_possible_truncation, reason = "half is meant")]
fn short_hash(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(v4) => v4.to_bits(),
        IpAddr::V6(v6) => stable_hash(&[&v6.octets()]) as u32,
    }
}

impl Walk {
    /// Bytes of what it remembers at most; an example is an address with a port.
    pub(super) const BYTES_MAX: usize = TARGETS_MAX * size_of::<u32>()
        + PORTS_MAX * size_of::<u16>()
        + EXAMPLES * (size_of::<String>() + 48);

    /// Bytes of what it remembers.
    pub(super) fn allocated(&self) -> usize {
        let targets = self.targets.capacity().saturating_mul(size_of::<u32>());
        let ports = self.ports.capacity().saturating_mul(size_of::<u16>());
        let examples = self.examples.capacity().saturating_mul(size_of::<String>());
        let texts = self.examples.iter().map(String::capacity);
        let fixed = targets.saturating_add(ports).saturating_add(examples);
        texts.fold(fixed, usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 8, n])
    }

    #[test]
    fn nine_failures_in_a_row_fire_and_doublings_update() {
        let mut walk = Walk::default();
        let at = |n: u8| Timestamp::from_secs(i64::from(n));
        let verdicts: Vec<u64> = (1..=64)
            .filter_map(|n| walk.contact(at(n), ip(n), 22, true))
            .map(|scan| scan.failed)
            .collect();
        assert_eq!(verdicts, [9, 16, 32, 64]);
        assert_eq!(walk.standing(Timestamp::MIN).unwrap().targets, 64);
        assert_eq!(
            walk.standing(Timestamp::MIN).unwrap().example,
            "10.0.8.1:22, 10.0.8.2:22, 10.0.8.3:22"
        );
    }

    #[test]
    fn one_failure_in_three_never_fires() {
        let mut walk = Walk::default();
        for n in 0..3_000_u32 {
            let to = IpAddr::from(n.to_be_bytes());
            let ts = Timestamp::from_secs(i64::from(n));
            assert_eq!(walk.contact(ts, to, 443, n % 3 == 0), None, "{n}");
        }
    }

    #[test]
    fn an_hour_of_quiet_ends_the_episode() {
        let mut walk = Walk::default();
        (1..=8).for_each(|n| {
            walk.contact(Timestamp::from_secs(n.into()), ip(n), 22, true);
        });
        assert_eq!(
            walk.contact(Timestamp::from_secs(4_000), ip(9), 22, true),
            None
        );
        assert_eq!(walk.standing(Timestamp::MIN), None);
    }
}
