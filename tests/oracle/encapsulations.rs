//! VLAN ids, labels, network ids, sessions, GRE headers and fragments, against the truth's.

use std::collections::BTreeSet;

use super::corpus::Capture;
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

/// Files whose numbers differ, and why.
const IDS_DIFFER: [(&str, &str); 5] = [
    ("nDPI_sflow_", "the tag is that of a sample inside sFlow"),
    (
        "suriv_eve-flow-vlan-02-",
        "the third of three tags, of which two are told",
    ),
    (
        "zeek_vntag_",
        "a tag behind a VN-tag, which is not looked through",
    ),
    ("PcapPlusPlus_PPPoEDiscovery_", "discovery is no session"),
    (
        "zeek_mpls-6in6-broken_",
        "stacks without a bottom, whose labels are no stack",
    ),
];
/// Files whose counts differ, and why: the truth counts fragments of IP headers that lie of their lengths.
const COUNTS_DIFFER: [&str; 3] = [
    "nDPI_fuzz-2020-02-16-11740_",
    "zeek_383379789-decrypt-crash_",
    "zeek_mpls-6in6-broken_",
];

/// Where we and the truth differ on a file.
pub(super) fn differences(capture: &Capture, found: &Found) -> Vec<String> {
    let mut out = Vec::new();
    let is_known = |name: &str| capture.file.contains(name);
    let known = IDS_DIFFER.iter().any(|(name, _why)| is_known(name));
    for ids in IDS.iter().filter(|_| !capture.is_cut() && !known) {
        let Some(truth) = capture.truth[ids.truth].as_object() else {
            continue;
        };
        let wanted: BTreeSet<u64> = truth.keys().filter_map(|key| number(key)).collect();
        let empty = BTreeSet::new();
        let ours = found.ids.get(ids.ours).unwrap_or(&empty);
        let missing: Vec<_> = wanted.difference(ours).filter(|id| **id != 0).collect();
        if !missing.is_empty() {
            out.push(format!(
                "{} {}: missing {missing:?}",
                ids.truth, capture.file
            ));
        }
    }
    if COUNTS_DIFFER.iter().any(|name| is_known(name)) {
        return out;
    }
    let gre = capture.truth["gre_proto"].as_object();
    let gre = gre.map_or(0, |map| {
        map.values().filter_map(serde_json::Value::as_u64).sum()
    });
    let fragments = |name: &str| capture.truth[name].as_u64().unwrap_or(0);
    for (name, wanted) in [
        ("gre", gre),
        ("ipv4_fragment", fragments("ipv4_fragments")),
        ("ipv6_fragment", fragments("ipv6_fragments")),
    ] {
        let ours = found.encapsulations.get(name).copied().unwrap_or(0);
        if ours != wanted {
            out.push(format!(
                "{name} {}: {ours} instead of {wanted}",
                capture.file
            ));
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
