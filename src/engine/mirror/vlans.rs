//! VLANs over the last day, and those that fell silent.
//!
//! A VLAN that was heard in at least three hours of the last day and then for a whole hour not at all,
//! while others went on, is gone from the mirror: even at night a VLAN has its broadcasts. After a day of
//! silence that is how it is, and it is not told any more.
//! Bounds: 256 VLANs; later ones are not told apart.

use std::collections::BTreeMap;

use tapir_message::MirrorVlan;

use crate::types::Timestamp;

/// VLANs told apart.
pub(super) const VLANS_MAX: usize = 256;
/// Packets of an hour in which a VLAN counts as heard.
const HEARD_MIN: u64 = 60;
/// Hours of the last day in which it must have been heard.
const HOURS_MIN: u32 = 3;
/// Packets of the others in the hour of its silence.
const OTHERS_MIN: u64 = 1_000;
const HOUR_NS: i64 = 3_600 * 1_000_000_000;
/// Hours remembered.
const DAY: u32 = 24;

/// The last day of one VLAN.
#[derive(Clone, Copy, Debug)]
struct Past {
    last_ts: Timestamp,
    hour: i64,
    in_hour: u64,
    most: u64,
    /// A bit for each hour in which it was heard; the lowest is that of `hour`.
    heard: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Vlans {
    past: BTreeMap<u16, Past>,
}

/// Sums of one VLAN.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) packets: u64,
    pub(super) flows: u64,
    pub(super) one_way: u64,
}

impl Vlans {
    /// Packets of a VLAN were counted.
    pub(super) fn packets(&mut self, ts: Timestamp, vlan: u16, packets: u64) {
        let hour = ts.nanos().div_euclid(HOUR_NS);
        if self.past.len() >= VLANS_MAX && !self.past.contains_key(&vlan) {
            return;
        }
        let past = self.past.entry(vlan).or_insert(Past {
            last_ts: ts,
            hour,
            in_hour: 0,
            most: 0,
            heard: 0,
        });
        past.roll(hour);
        past.last_ts = past.last_ts.max(ts);
        past.in_hour = past.in_hour.saturating_add(packets);
        past.most = past.most.max(past.in_hour);
        if past.in_hour >= HEARD_MIN {
            past.heard |= 1;
        }
    }

    /// All VLANs at `now` with their sums; `others` are the packets of the last hour.
    pub(super) fn all(
        &self,
        now: Timestamp,
        sums: &BTreeMap<u16, Sums>,
        others: u64,
    ) -> Vec<MirrorVlan> {
        let hour = now.nanos().div_euclid(HOUR_NS);
        let vlan = |(id, past): (&u16, &Past)| {
            let mut past = *past;
            past.roll(hour);
            let own = sums.get(id).copied().unwrap_or_default();
            let silent = now.since(past.last_ts) >= HOUR_NS;
            let gone = silent && past.heard.count_ones() >= HOURS_MIN && others >= OTHERS_MIN;
            MirrorVlan {
                vlan: *id,
                packets: own.packets,
                flows: own.flows,
                one_way: own.one_way,
                most: past.most,
                last_ts: Some(past.last_ts),
                gone,
            }
        };
        let all = self.past.iter().map(vlan);
        all.filter(|vlan| vlan.packets > 0 || vlan.gone).collect()
    }

    pub(super) fn clear(&mut self) {
        self.past.clear();
    }
}

impl Past {
    /// Goes on to `hour`.
    fn roll(&mut self, hour: i64) {
        let passed = u32::try_from(hour.saturating_sub(self.hour).max(0)).unwrap_or(u32::MAX);
        if passed > 0 {
            self.heard = self.heard.checked_shl(passed).unwrap_or(0) & ((1 << DAY) - 1);
            (self.hour, self.in_hour) = (hour, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(n: i64) -> Timestamp {
        Timestamp::from_nanos(n * HOUR_NS)
    }

    #[test]
    fn a_vlan_that_falls_silent_while_others_go_on_is_gone_for_a_day() {
        let mut vlans = Vlans::default();
        for n in 0..40 {
            vlans.packets(hour(n), 10, 5_000);
            if n < 5 {
                vlans.packets(hour(n), 20, 500);
            }
        }
        vlans.packets(hour(0), 30, 500);
        let gone = |now, others| -> Vec<u16> {
            let all = vlans.all(hour(now), &BTreeMap::new(), others);
            all.iter().filter(|v| v.gone).map(|v| v.vlan).collect()
        };
        assert_eq!(gone(5, 5_000), [20], "the other was heard in one hour only");
        assert_eq!(gone(5, 10), Vec::<u16>::new(), "everything is quiet");
        assert_eq!(gone(26, 5_000), Vec::<u16>::new(), "that is how it is");
    }
}
