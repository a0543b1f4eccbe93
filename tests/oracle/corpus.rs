//! The shared captures and what tshark read from them.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Link types whose files are compared; beside them all `rawip…`.
const LINK_TYPES: [&str; 4] = ["ether", "linux-sll", "linux-sll2", "null"];
/// Protocols that carry whole packets: the truth counts outer and inner flows as it happens to read
/// them, so files with one of these are left out. IPv6 in IPv4 and the reverse show as more IP headers
/// than packets.
const TUNNELS: [&str; 13] = [
    "gre",
    "erspan",
    "vxlan",
    "geneve",
    "gtp",
    "teredo",
    "mpls",
    "pppoes",
    "l2tp",
    "ayiya",
    "openvpn",
    "capwap.data",
    "ieee8021ah",
];
/// IP in IP of the same version, which the truth's counts do not show.
const IP_IN_IP: [&str; 3] = ["4in4tunnel_", "zeek_4in4_", "zeek_6in6in6_"];

/// One capture of the corpus.
pub(super) struct Capture {
    pub(super) file: String,
    pub(super) link_type: String,
    pub(super) truth: Value,
}

impl Capture {
    pub(super) fn speaks(&self, protocol: &str) -> bool {
        !self.truth["protocols"][protocol].is_null()
    }

    /// Whether its contents are compared; see [`TUNNELS`].
    pub(super) fn is_compared(&self) -> bool {
        let count = |name: &str| self.truth["protocols"][name].as_u64().unwrap_or(0);
        let plain_link =
            LINK_TYPES.contains(&self.link_type.as_str()) || self.link_type.starts_with("rawip");
        let ip_in_ip = count("ip") + count("ipv6") > self.truth["packets"].as_u64().unwrap_or(0);
        plain_link
            && !ip_in_ip
            && !IP_IN_IP.iter().any(|name| self.file.contains(name))
            && !TUNNELS.iter().any(|tunnel| self.speaks(tunnel))
    }
}

/// The corpus's folder, if it is there.
pub(super) fn corpus() -> Option<PathBuf> {
    let root = std::env::var_os("TAPIR_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"),
        PathBuf::from,
    );
    root.join("manifest.json").is_file().then_some(root)
}

/// The captures the manifest lists.
pub(super) fn captures(corpus: &Path) -> Vec<Capture> {
    let manifest = std::fs::read(corpus.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let files = manifest["files"].as_array().unwrap();
    files
        .iter()
        .map(|entry| Capture {
            file: text(&entry["file"]),
            link_type: text(&entry["linktype"]),
            truth: entry["truth"].clone(),
        })
        .collect()
}
