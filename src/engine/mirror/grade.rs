//! The grade: a pure function of the figures.
//!
//! Each cause has a limit for B, C, D and F, as a share of what it is counted against; the worst cause
//! gives the grade. Where the limits lie:
//!
//! | cause | of | B | C | D | F | why |
//! |---|---|---|---|---|---|---|
//! | `only_broadcast` | packets | – | – | – | 99 % | a wrong port shows what every port shows; the quietest office still has unicast |
//! | `one_way` | TCP flows | 3 % | 10 % | 30 % | 60 % | scans and cut connections leave a few; a port mirrored one way leaves half or all |
//! | `lost` | TCP content | 0.01 % | 0.1 % | 1 % | 10 % | from one byte in a thousand on, parsers miss messages |
//! | `ring` | packets | 0.01 % | 0.1 % | 1 % | 10 % | the same, lost in this box |
//! | `vlan_gone` | traffic of its hours | – | any | 20 % | – | a VLAN that is not mirrored is not watched at all |
//! | `loop` | flows | 1 % | 5 % | 10 % | 30 % | three copies of everything do not come from a mirror of both directions |
//! | `copies` | packets | 2 % | 10 % | 30 % | – | copies are taken out, but at one in three the port has room for little else |
//! | `other_vlan` | flows | 2 % | 10 % | – | – | each is told twice, in two VLANs, and not as one |
//! | `silent_hosts` | hosts that speak ARP | any | 20 % | 50 % | – | a switch further on may hide a few; half of them are on a port that is not mirrored |
//! | `snapped` | packets | 0.1 % | 1 % | 30 % | – | content behind the cut is not read |
//! | `offload` | packets | 0.1 % | 5 % | – | – | frames merged by a card are not those of the wire, but nothing is missing |
//! | `checksums` | control segments | 50 % | – | – | – | unfinished checksums of a card; single wrong ones are the network's |

use std::cmp::Reverse;

use tapir_message::{Grade, Mirror, MirrorCause, MirrorFigures, MirrorVlan, Timestamp};

use super::causes;
use super::share;

/// Fewer packets say nothing.
const PACKETS_MIN: u64 = 200;
/// Causes told.
const CAUSES_MAX: usize = 3;

/// A cause before it is put into words: what it is, of how much, and its limits for B, C, D and F.
struct Suspect {
    cause: &'static str,
    part: u64,
    whole: u64,
    /// `whole` must be at least this.
    min: u64,
    limits: [f64; 4],
}

impl Suspect {
    fn new(cause: &'static str, part: u64, whole: u64, min: u64, limits: [f64; 4]) -> Self {
        Self {
            cause,
            part,
            whole,
            min,
            limits,
        }
    }
}

/// A limit that nothing reaches.
const NEVER: f64 = 2.0;

/// The grade that `figures` and `vlans` come to, and its causes, the worst first; no grade if there was
/// too little to judge. `silent` and examples of hosts not heard go into its cause.
#[must_use]
pub fn grade(
    figures: &MirrorFigures,
    vlans: &[MirrorVlan],
    silent: &[String],
) -> (Option<Grade>, Vec<MirrorCause>) {
    if figures.packets < PACKETS_MIN {
        return (None, Vec::new());
    }
    let mut found: Vec<(Grade, f64, MirrorCause)> = Vec::new();
    for suspect in suspects(figures) {
        if suspect.whole < suspect.min.max(1) || suspect.part == 0 {
            continue;
        }
        let part = share(suspect.part, suspect.whole);
        let grades = [Grade::B, Grade::C, Grade::D, Grade::F];
        let reached = grades.into_iter().zip(suspect.limits);
        let Some((grade, _)) = reached.rev().find(|(_, limit)| part >= *limit) else {
            continue;
        };
        let examples = match suspect.cause {
            "silent_hosts" => silent.to_vec(),
            "one_way" => causes::one_way_vlans(vlans),
            _ => Vec::new(),
        };
        let cause = causes::cause(suspect.cause, grade, figures, examples);
        found.push((grade, part, cause));
    }
    found.extend(causes::gone(figures, vlans));
    // What only broadcast reaches has no flows to find other faults on.
    found.sort_by_key(|(grade, part, cause)| {
        (
            Reverse(*grade),
            Reverse(per_mille(*part)),
            cause.cause.clone(),
        )
    });
    let worst = found.first().map_or(Grade::A, |(grade, ..)| *grade);
    let causes = found.into_iter().take(CAUSES_MAX);
    (Some(worst), causes.map(|(.., cause)| cause).collect())
}

/// The same as a whole answer.
#[must_use]
pub(super) fn graded(
    figures: MirrorFigures,
    vlans: Vec<MirrorVlan>,
    silent: &[String],
    (first_ts, last_ts): (Option<Timestamp>, Option<Timestamp>),
) -> Mirror {
    let (grade, causes) = grade(&figures, &vlans, silent);
    Mirror {
        grade,
        first_ts,
        last_ts,
        causes,
        figures,
        vlans,
    }
}

/// The same answer, knowing that the kernel dropped `dropped` packets of its time.
#[must_use]
pub fn with_ring(mut mirror: Mirror, dropped: u64) -> Mirror {
    if dropped == 0 {
        return mirror;
    }
    mirror.figures.ring_dropped = dropped;
    let silent = mirror
        .causes
        .iter()
        .find(|cause| cause.cause == "silent_hosts")
        .map_or_else(Vec::new, |cause| cause.examples.clone());
    (mirror.grade, mirror.causes) = grade(&mirror.figures, &mirror.vlans, &silent);
    mirror
}

/// Everything that can be wrong, with its limits; see the module for why they are what they are.
fn suspects(f: &MirrorFigures) -> impl Iterator<Item = Suspect> {
    by_packet(f).into_iter().chain(by_flow(f))
}

/// What frames tell by themselves.
fn by_packet(f: &MirrorFigures) -> [Suspect; 5] {
    let all = f.packets;
    [
        Suspect::new(
            "only_broadcast",
            f.group,
            all,
            PACKETS_MIN,
            [NEVER, NEVER, NEVER, 0.99],
        ),
        Suspect::new(
            "ring",
            f.ring_dropped,
            all.saturating_add(f.ring_dropped),
            1_000,
            [0.000_1, 0.001, 0.01, 0.1],
        ),
        Suspect::new(
            "snapped",
            f.truncated,
            all,
            PACKETS_MIN,
            [0.001, 0.01, 0.3, NEVER],
        ),
        Suspect::new(
            "offload",
            f.oversize,
            all,
            PACKETS_MIN,
            [0.001, 0.05, NEVER, NEVER],
        ),
        Suspect::new(
            "checksums",
            f.bad_checksums,
            f.checked,
            100,
            [0.5, NEVER, NEVER, NEVER],
        ),
    ]
}

/// What flows and hosts tell.
fn by_flow(f: &MirrorFigures) -> [Suspect; 6] {
    [
        Suspect::new("one_way", f.one_way, f.flows, 20, [0.03, 0.1, 0.3, 0.6]),
        // Below 100 kB a share of bytes is a share of a few packets.
        Suspect::new(
            "lost",
            f.missed,
            f.missed.saturating_add(f.content),
            100_000,
            [0.000_1, 0.001, 0.01, 0.1],
        ),
        Suspect::new("loop", f.tripled, f.flows_all, 20, [0.01, 0.05, 0.1, 0.3]),
        Suspect::new(
            "copies",
            f.copies,
            f.flow_packets.saturating_add(f.copies),
            PACKETS_MIN,
            [0.02, 0.1, 0.3, NEVER],
        ),
        Suspect::new(
            "other_vlan",
            f.other_vlan,
            f.flows_all,
            20,
            [0.02, 0.1, NEVER, NEVER],
        ),
        Suspect::new(
            "silent_hosts",
            f.silent,
            f.hosts,
            1,
            [0.0, 0.2, if f.hosts < 6 { NEVER } else { 0.5 }, NEVER],
        ),
    ]
}

/// A share in whole thousandths, to sort by.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 1"
)]
fn per_mille(part: f64) -> u32 {
    (part.clamp(0.0, 1.0) * 1_000.0) as u32
}

#[cfg(test)]
mod tests;
