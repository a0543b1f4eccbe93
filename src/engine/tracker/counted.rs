//! Frames counted by the minute, for the mirror's grade.
//!
//! A minute's counts are told at its last nanosecond, whenever that is noticed; a minute without a frame
//! is not told. Sums over all workers do not depend on their number.
//! Bounds: 256 VLANs a minute; frames of others are counted without their VLAN.

use crate::flow::Checksum;
use crate::types::{Body, Census, FlowRef, MacAddr, Observation, Observations, Timestamp};

const MINUTE_NS: i64 = 60 * 1_000_000_000;
/// No frame on a wire is longer: jumbo frames end at 9,000 bytes and their headers.
const WIRE_LEN_MAX: u32 = 9_216;
/// VLANs told apart.
const VLANS_MAX: usize = 256;

/// The open minute.
#[derive(Debug)]
pub(super) struct Counted {
    census: Census,
    /// Where it ends.
    end: Timestamp,
    /// Place of the VLAN last seen.
    at: usize,
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            census: Census::default(),
            end: Timestamp::MIN,
            at: 0,
        }
    }
}

impl Counted {
    /// Counts a frame, whatever it is.
    #[inline]
    pub(super) fn frame(&mut self, wire_len: u32, truncated: bool) {
        let census = &mut self.census;
        census.packets = census.packets.saturating_add(1);
        census.truncated = census.truncated.saturating_add(u64::from(truncated));
        let oversize = wire_len > WIRE_LEN_MAX;
        census.oversize = census.oversize.saturating_add(u64::from(oversize));
    }

    /// Counts where a decoded frame goes.
    #[inline]
    pub(super) fn decoded(&mut self, dst_mac: MacAddr, vlan: u16) {
        let group = dst_mac.0[0] & 1;
        self.census.group = self.census.group.saturating_add(u64::from(group));
        match self.census.vlans.get_mut(self.at) {
            Some((id, packets)) if *id == vlan => *packets = packets.saturating_add(1),
            _ => self.other_vlan(vlan),
        }
    }

    #[cold]
    fn other_vlan(&mut self, vlan: u16) {
        let vlans = &mut self.census.vlans;
        let known = vlans.iter().position(|(id, _)| *id == vlan);
        if known.is_none() && vlans.len() < VLANS_MAX {
            vlans.push((vlan, 0));
        }
        let Some(at) = known.or_else(|| vlans.len().checked_sub(1)) else {
            return;
        };
        if let Some((_, packets)) = vlans.get_mut(at).filter(|(id, _)| *id == vlan) {
            *packets = packets.saturating_add(1);
            self.at = at;
        }
    }

    /// Counts a checksum; true if the segment is forged.
    pub(super) fn checksum(&mut self, checksum: Checksum) -> bool {
        let census = &mut self.census;
        let bad = matches!(checksum, Checksum::Wrong | Checksum::Forged);
        let looked = checksum != Checksum::Unknown;
        census.checked = census.checked.saturating_add(u64::from(looked));
        census.bad_checksums = census.bad_checksums.saturating_add(u64::from(bad));
        checksum == Checksum::Forged
    }

    /// Whether a minute ends by `ts`. That in which time itself ends never does.
    #[inline]
    pub(super) fn is_due(&self, ts: Timestamp) -> bool {
        ts >= self.end && self.end < Timestamp::MAX
    }

    /// Tells the minute that ended by `ts`, and begins that of `ts`.
    pub(super) fn turn(&mut self, ts: Timestamp, out: &mut Observations) {
        self.tell(self.end.plus(-1), out);
        let minute = ts.nanos().div_euclid(MINUTE_NS).saturating_add(1);
        self.end = Timestamp::from_nanos(minute.saturating_mul(MINUTE_NS));
    }

    /// Tells the open minute before its end, as the input ends at `ts`.
    pub(super) fn flush(&mut self, ts: Timestamp, out: &mut Observations) {
        self.tell(ts, out);
        self.end = Timestamp::MIN;
    }

    fn tell(&mut self, ts: Timestamp, out: &mut Observations) {
        self.at = 0;
        if self.census.packets == 0 {
            return;
        }
        let census = std::mem::take(&mut self.census);
        out.push(Observation {
            ts,
            flow: FlowRef::default(),
            body: Body::Census(Box::new(census)),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each count was told, and of how many frames.
    fn told(out: &Observations) -> Vec<(i64, u64)> {
        let count = |o: &Observation| match &o.body {
            Body::Census(census) => Some((o.ts.nanos(), census.packets)),
            _ => None,
        };
        out.iter().filter_map(count).collect()
    }

    #[test]
    fn a_minute_is_told_at_its_end_and_the_last_one_where_the_input_ends() {
        let (mut counted, mut out) = (Counted::default(), Observations::new());
        for second in [3, 40, 61, 200] {
            let ts = Timestamp::from_secs(second);
            if counted.is_due(ts) {
                counted.turn(ts, &mut out);
            }
            counted.frame(100, false);
        }
        counted.flush(Timestamp::from_secs(201), &mut out);
        let second = 1_000_000_000;
        let ends = [60 * second - 1, 120 * second - 1, 201 * second];
        assert_eq!(told(&out), [(ends[0], 2), (ends[1], 1), (ends[2], 1)]);
    }

    #[test]
    fn the_minute_in_which_time_ends_is_told_once() {
        let (mut counted, mut out) = (Counted::default(), Observations::new());
        for _ in 0..3 {
            if counted.is_due(Timestamp::MAX) {
                counted.turn(Timestamp::MAX, &mut out);
            }
            counted.frame(100, false);
        }
        counted.flush(Timestamp::MAX, &mut out);
        assert_eq!(told(&out), [(i64::MAX, 3)]);
    }
}
