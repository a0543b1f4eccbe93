//! Is what the sensor sees complete? Packets lost on the way, a mirror that shows half.
//!
//! Judged every hour over the TCP flows that ended in it.

use crate::record;

/// Flows with payload in an hour before the mirror is judged.
const FLOWS_MIN: u64 = 20;

record! {
    /// Content that was acknowledged on the wire but never reached the sensor.
    pub struct Loss = "loss" {
        /// Missing share of the content, 0–1.
        pub ratio: f64 = "ratio",
        /// Bytes missing.
        pub missed: u64 = "missed",
        /// Packets of the flows judged.
        pub packets: u64 = "packets",
    }
}

record! {
    /// How the mirror port looks.
    pub struct Mirror = "mirror" {
        /// Share of TCP flows with content of which one direction was never seen, 0–1.
        pub one_way: f64 = "one_way",
        /// Share of those flows whose packets came twice, 0–1.
        pub duplicates: f64 = "duplicates",
        /// TCP flows with content.
        pub flows: u64 = "flows",
    }
}

/// Sums over one hour.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hour {
    missed: u64,
    content: u64,
    packets: u64,
    duplicates: u64,
    flows: u64,
    one_way: u64,
}

/// What an ended TCP flow says of the mirror.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ended {
    /// Bytes of content missing.
    pub missed: u64,
    /// Payload bytes seen, both directions.
    pub content: u64,
    /// Packets by direction.
    pub packets: [u64; 2],
    /// Whether its packets came twice.
    pub duplicated: bool,
}

impl Hour {
    /// Takes in a flow that ended.
    pub(super) fn ended(&mut self, flow: &Ended) {
        let [orig, resp] = flow.packets;
        self.missed = self.missed.saturating_add(flow.missed);
        self.content = self.content.saturating_add(flow.content);
        self.packets = self.packets.saturating_add(orig).saturating_add(resp);
        if flow.content > 0 {
            self.flows = self.flows.saturating_add(1);
            self.duplicates = self.duplicates.saturating_add(u64::from(flow.duplicated));
            self.one_way = self
                .one_way
                .saturating_add(u64::from(orig == 0 || resp == 0));
        }
    }

    /// The hour's verdicts, if there was enough to judge.
    pub(super) fn judge(&self) -> Option<(Loss, Mirror)> {
        if self.flows < FLOWS_MIN {
            return None;
        }
        let loss = Loss {
            ratio: share(self.missed, self.missed.saturating_add(self.content)),
            missed: self.missed,
            packets: self.packets,
        };
        let mirror = Mirror {
            one_way: share(self.one_way, self.flows),
            duplicates: share(
                self.duplicates,
                self.packets.saturating_add(self.duplicates),
            ),
            flows: self.flows,
        };
        Some((loss, mirror))
    }
}

/// `part` of `whole`; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_of_half_seen_flows_is_told() {
        let mut hour = Hour::default();
        for n in 0..40 {
            let packets = [10, if n % 2 == 0 { 0 } else { 9 }];
            hour.ended(&Ended {
                missed: 10,
                content: 90,
                packets,
                duplicated: false,
            });
        }
        let (loss, mirror) = hour.judge().unwrap();
        assert!((loss.ratio - 0.1).abs() < 1e-9 && loss.missed == 400);
        assert!((mirror.one_way - 0.5).abs() < 1e-9 && mirror.flows == 40);
    }

    #[test]
    fn a_quiet_hour_says_nothing() {
        let mut hour = Hour::default();
        hour.ended(&Ended {
            content: 1,
            packets: [1, 0],
            ..Ended::default()
        });
        assert!(hour.judge().is_none());
    }
}
