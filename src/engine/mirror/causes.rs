//! What is wrong, in words, and what to do about it at the switch.
//!
//! A vendor is named only where its words are known for certain.
//! Bounds: a fix has at most 128 characters, as a model's sentence takes no more of a value.

use tapir_message::{Grade, MirrorCause, MirrorFigures, MirrorVlan};

use super::share;

/// Examples told of one cause.
const EXAMPLES_MAX: usize = 8;
/// Flows of a VLAN before its own share of one-way flows is told.
const VLAN_FLOWS_MIN: u64 = 10;

/// A cause in words.
pub(super) fn cause(
    cause: &'static str,
    grade: Grade,
    f: &MirrorFigures,
    examples: Vec<String>,
) -> MirrorCause {
    MirrorCause {
        cause: cause.to_owned(),
        grade,
        text: text(cause, f),
        fix: fix(cause).to_owned(),
        examples,
    }
}

/// What was seen.
fn text(cause: &str, f: &MirrorFigures) -> String {
    let of = |part: u64, whole: u64| format!("{part} of {whole} ({})", percent(part, whole));
    match cause {
        "only_broadcast" => format!(
            "{} packets are broadcast or multicast.",
            of(f.group, f.packets)
        ),
        "one_way" => format!(
            "{} TCP flows were seen in one direction only.",
            of(f.one_way, f.flows)
        ),
        "lost" => format!(
            "{} of TCP content were acknowledged and never seen ({}).",
            bytes(f.missed),
            percent(f.missed, f.missed.saturating_add(f.content))
        ),
        "ring" => format!(
            "{} packets were dropped in this sensor for want of room in the ring.",
            of(f.ring_dropped, f.packets.saturating_add(f.ring_dropped))
        ),
        "loop" => format!(
            "{} flows came three times or more.",
            of(f.tripled, f.flows_all)
        ),
        "copies" => format!(
            "{} packets are copies of another; each is counted once.",
            of(f.copies, f.flow_packets.saturating_add(f.copies))
        ),
        "other_vlan" => format!(
            "{} flows were seen in two VLANs at once, and so count twice.",
            of(f.other_vlan, f.flows_all)
        ),
        "silent_hosts" => format!(
            "{} hosts that speak ARP were never heard otherwise.",
            of(f.silent, f.hosts)
        ),
        "snapped" => format!(
            "Only the beginning was captured of {} packets.",
            of(f.truncated, f.packets)
        ),
        "offload" => format!(
            "{} packets are longer than any frame on a wire.",
            of(f.oversize, f.packets)
        ),
        _ => format!(
            "{} TCP control segments have a wrong checksum.",
            of(f.bad_checksums, f.checked)
        ),
    }
}

/// What to change.
fn fix(cause: &str) -> &'static str {
    match cause {
        "only_broadcast" => {
            "Connect the sensor to the destination port of the monitor session: this is an ordinary port."
        }
        "one_way" => {
            "Mirror both directions of every source (on Cisco: `both`), and every line over which answers may come back."
        }
        "lost" => {
            "The mirror port is fuller than its line: mirror fewer ports or one direction of each, or use a faster destination port."
        }
        "ring" => {
            "Give the sensor more queues or blocks (capture.queues, capture.blocks), or mirror less."
        }
        "loop" => {
            "Look for a loop: a monitor session whose destination is among its own sources, or two sessions with the same sources."
        }
        "copies" => {
            "Mirror only what enters (`rx`) on every port, or the uplink alone both ways: between mirrored ports each packet shows twice."
        }
        "other_vlan" => {
            "The router between the VLANs is mirrored before and after: mirror only what enters them, or leave out the router's port."
        }
        "silent_hosts" => {
            "Add the ports or the switch they are on to the sources of the monitor session."
        }
        "snapped" => {
            "Let the mirror (or whoever recorded this) copy whole frames: no truncation or slicing, a snap length of 262144."
        }
        "offload" => {
            "The network card merges packets: switch GRO and LRO off on the port that captures (`ethtool -K PORT gro off lro off`)."
        }
        _ => {
            "Captured before the sending host's card finished them: capture at the switch, not on that host."
        }
    }
}

/// VLANs that have fallen silent, each a cause of its own kind, told together.
pub(super) fn gone(f: &MirrorFigures, vlans: &[MirrorVlan]) -> Option<(Grade, f64, MirrorCause)> {
    let gone: Vec<&MirrorVlan> = vlans.iter().filter(|vlan| vlan.gone).collect();
    if gone.is_empty() {
        return None;
    }
    let before = gone
        .iter()
        .map(|vlan| vlan.most)
        .fold(0, u64::saturating_add);
    let part = share(before, f.packets.max(1));
    let grade = if part >= 0.2 { Grade::D } else { Grade::C };
    let since = gone.iter().filter_map(|vlan| vlan.last_ts).min();
    let what = match gone.as_slice() {
        [one] => format!("VLAN {} carried traffic for hours and has", one.vlan),
        more => format!("{} VLANs carried traffic for hours and have", more.len()),
    };
    let since = since.map_or_else(String::new, |ts| format!(" since {ts}"));
    let cause = MirrorCause {
        cause: "vlan_gone".to_owned(),
        grade,
        text: format!("{what} shown nothing{since}, while others went on."),
        fix: "Put the VLAN back among the sources of the monitor session, or on the trunk that is mirrored.".to_owned(),
        examples: gone
            .iter()
            .take(EXAMPLES_MAX)
            .map(|vlan| format!("VLAN {}", vlan.vlan))
            .collect(),
    };
    Some((grade, part, cause))
}

/// VLANs in which many flows are seen one way, if not in all.
pub(super) fn one_way_vlans(vlans: &[MirrorVlan]) -> Vec<String> {
    let bad = |vlan: &&MirrorVlan| {
        vlan.flows >= VLAN_FLOWS_MIN && vlan.one_way.saturating_mul(10) >= vlan.flows
    };
    let named = vlans.iter().filter(bad).take(EXAMPLES_MAX);
    named
        .map(|vlan| match vlan.vlan {
            0 => format!("untagged: {}", percent(vlan.one_way, vlan.flows)),
            id => format!("VLAN {id}: {}", percent(vlan.one_way, vlan.flows)),
        })
        .collect()
}

/// A share, exact enough to act on, in integers.
fn percent(part: u64, whole: u64) -> String {
    let hundredths = u128::from(part).saturating_mul(10_000) / u128::from(whole.max(1));
    match hundredths {
        0 => "less than 0.01 %".to_owned(),
        1_000.. => format!("{} %", hundredths / 100),
        small => format!("{}.{:02} %", small / 100, small % 100),
    }
}

/// A size in decimal units.
fn bytes(n: u64) -> String {
    match n {
        0..=9_999 => format!("{n} B"),
        10_000..=9_999_999 => format!("{} kB", n / 1_000),
        _ => format!("{} MB", n / 1_000_000),
    }
}
