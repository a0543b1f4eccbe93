//! VLAN ids, labels, network ids, sessions, GRE headers and fragments, against the truth's.

use std::collections::BTreeSet;

use super::corpus::Capture;
use super::exceptions::{Exceptions, Side};
use super::found::Found;

/// A map of the truth whose keys are the numbers we keep under another name.
struct Ids {
    truth: &'static str,
    ours: &'static str,
}

/// What is compared by the numbers seen. Number 0 is no VLAN and no session, for us.
const IDS: [Ids; 5] = [
    Ids {
        truth: "vlan_ids",
        ours: "vlan",
    },
    Ids {
        truth: "vxlan_vni",
        ours: "vxlan",
    },
    Ids {
        truth: "geneve_vni",
        ours: "geneve",
    },
    Ids {
        truth: "mpls_label",
        ours: "mpls",
    },
    Ids {
        truth: "pppoe_session",
        ours: "pppoe",
    },
];

/// Where we and the truth differ on a file, and nobody has said why.
pub(super) fn differences(capture: &Capture, found: &Found, excuses: &Exceptions) -> Vec<String> {
    let mut out = Vec::new();
    let file = &capture.file;
    for ids in IDS.iter().filter(|_| !capture.is_cut()) {
        let Some(truth) = capture.truth[ids.truth].as_object() else {
            continue;
        };
        let wanted: BTreeSet<u64> = truth.keys().filter_map(|key| number(key)).collect();
        let empty = BTreeSet::new();
        let ours = found.ids.get(ids.ours).unwrap_or(&empty);
        let missing = wanted.difference(ours).filter(|id| **id != 0);
        let mut missing: BTreeSet<String> = missing.map(u64::to_string).collect();
        excuses.excuse(file, ids.truth, Side::Found, &mut missing);
        if !missing.is_empty() {
            out.push(format!("{} {file}: missing {missing:?}", ids.truth));
        }
    }
    let gre = capture.truth["gre_proto"].as_object();
    let gre = gre.map_or(0, |map| {
        map.values().filter_map(serde_json::Value::as_u64).sum()
    });
    let fragments = |name: &str| capture.truth[name].as_u64().unwrap_or(0);
    for (truth, name, wanted) in [
        ("gre_proto", "gre", gre),
        (
            "ipv4_fragments",
            "ipv4_fragment",
            fragments("ipv4_fragments"),
        ),
        (
            "ipv6_fragments",
            "ipv6_fragment",
            fragments("ipv6_fragments"),
        ),
    ] {
        let ours = found.encapsulations.get(name).copied().unwrap_or(0);
        for (side, count) in [
            (Side::Found, wanted.saturating_sub(ours)),
            (Side::Extra, ours.saturating_sub(wanted)),
        ] {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            if count > 0 && excuses.excuse_count(file, truth, side, count) > 0 {
                out.push(format!("{truth} {file}: {ours} instead of {wanted}"));
            }
        }
    }
    out
}

/// Decimal, or hexadecimal behind `0x`, as the truth has it.
fn number(text: &str) -> Option<u64> {
    text.strip_prefix("0x").map_or_else(
        || text.parse().ok(),
        |hex| u64::from_str_radix(hex, 16).ok(),
    )
}
