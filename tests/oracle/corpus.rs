//! The shared captures and what tshark read from them.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Link types whose files are compared; beside them all `rawip…`.
const LINK_TYPES: [&str; 7] = [
    "ether",
    "linux-sll",
    "linux-sll2",
    "null",
    "ppp",
    "chdlc",
    "nflog",
];
/// What carries packets and is not opened by us, or by both in ways that cannot be compared.
const CLOSED: [&str; 3] = ["ayiya", "openvpn", "capwap.data"];

/// One capture of the corpus.
pub(super) struct Capture {
    pub(super) file: String,
    pub(super) link_type: String,
    pub(super) truth: Value,
}

impl Capture {
    /// The file's name without its folder.
    pub(super) fn name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn speaks(&self, protocol: &str) -> bool {
        !self.truth["protocols"][protocol].is_null()
    }

    /// Whether its contents are compared; see [`CLOSED`].
    pub(super) fn is_compared(&self) -> bool {
        let plain_link =
            LINK_TYPES.contains(&self.link_type.as_str()) || self.link_type.starts_with("rawip");
        plain_link && !CLOSED.iter().any(|tunnel| self.speaks(tunnel))
    }

    /// Whether the capture cut its packets: then a datagram to a tunnel's port stays one for us.
    pub(super) fn is_cut(&self) -> bool {
        self.truth["truncated_packets"].as_u64().unwrap_or(0) > 0
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
