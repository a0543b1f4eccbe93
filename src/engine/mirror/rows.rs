//! What the models see of an hour.

use tapir_message::Mirror;

use super::share;
use crate::record;

/// TCP flows with payload in an hour before its losses are judged.
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
    /// How the mirror port looked in an hour.
    pub struct Row = "mirror" {
        /// Grade from A to F.
        pub grade: &'static str = "grade",
        /// The same as a number: 1 for A, 5 for F.
        pub rank: u64 = "rank",
        /// The worst cause, such as `one_way`; absent if there is none.
        pub cause: Option<String> = "cause",
        /// What was seen of it, a sentence without its full stop.
        pub reason: String = "reason",
        /// What to change at the switch, the same.
        pub fix: String = "fix",
        /// Share of TCP flows with content of which one direction was never seen, 0–1.
        pub one_way: f64 = "one_way",
        /// Share of packets that are copies of another, 0–1.
        pub duplicates: f64 = "duplicates",
        /// VLANs that fell silent while others went on.
        pub vlans_gone: u64 = "vlans_gone",
        /// Hosts that speak ARP and were never heard otherwise.
        pub silent_hosts: u64 = "silent_hosts",
        /// TCP flows with content.
        pub flows: u64 = "flows",
        /// Packets.
        pub packets: u64 = "packets",
    }
}

/// The rows of an hour, each if there was enough to judge.
pub(super) fn rows(mirror: &Mirror) -> (Option<Loss>, Option<Row>) {
    let f = &mirror.figures;
    let loss = (f.flows >= FLOWS_MIN).then(|| Loss {
        ratio: share(f.missed, f.missed.saturating_add(f.content)),
        missed: f.missed,
        packets: f.flow_packets,
    });
    let row = mirror.grade.map(|grade| {
        let worst = mirror.causes.first();
        Row {
            grade: grade.letter(),
            rank: grade.rank(),
            cause: worst.map(|cause| cause.cause.clone()),
            reason: worst.map_or_else(String::new, |cause| bare(&cause.text)),
            fix: worst.map_or_else(String::new, |cause| bare(&cause.fix)),
            one_way: share(f.one_way, f.flows),
            duplicates: share(f.copies, f.flow_packets.saturating_add(f.copies)),
            vlans_gone: u64::try_from(mirror.vlans.iter().filter(|v| v.gone).count()).unwrap_or(0),
            silent_hosts: f.silent,
            flows: f.flows,
            packets: f.packets,
        }
    });
    (loss, row)
}

/// A sentence without its full stop: a model's own sentence goes on behind it.
fn bare(sentence: &str) -> String {
    sentence.trim_end_matches('.').to_owned()
}
