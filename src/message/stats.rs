//! What was read, what was not understood, and what was refused: `stats.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Mirror, Timestamp};

/// One thing the operator should know about the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// File or interface it is about, escaped.
    pub subject: String,
    /// One sentence.
    pub text: String,
}

/// One application protocol: how much was seen of it, and how its parser fared. A flow counts once it is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolStats {
    /// Payload bytes of its flows, both directions; with TCP by sequence numbers.
    pub bytes: u64,
    /// Pieces that the parser took.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub parsed: u64,
    /// Pieces that were too short by themselves and had to wait for more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub need_more: u64,
    /// Times the parser passed over what follows: a body, or the rest of a flow.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// Flows that broke, or were something else after all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub broken: u64,
    /// Flows lost to a fault of the parser: a bug.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub panicked: u64,
}

/// Whether there is nothing to tell.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Counters of one run. Maps are ordered by key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Packets read, those filtered out excepted.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// First and last packet time.
    pub first_ts: Option<Timestamp>,
    /// See `first_ts`.
    pub last_ts: Option<Timestamp>,
    /// Flows seen.
    pub flows: u64,
    /// Packets kept out by the filter.
    pub filtered: u64,
    /// Packets of which the capture holds only the beginning.
    pub truncated: u64,
    /// Packets with a header that contradicts itself, by layer.
    pub malformed: BTreeMap<String, u64>,
    /// Packets recognised as copies of another.
    pub duplicate: u64,
    /// Packets not decoded, by link type.
    pub not_decoded: BTreeMap<String, u64>,
    /// Frames by EtherType or IP protocol that no parser is there for.
    pub not_understood: BTreeMap<String, u64>,
    /// Packets by what they came in: `vlan`, tunnels by kind, and `ipv4_fragment`, `ipv6_fragment`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub encapsulations: BTreeMap<String, u64>,
    /// The numbers seen of each kind, ascending, the smallest 256: VLAN ids, labels, keys, VNIs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub encapsulation_ids: BTreeMap<String, BTreeSet<u64>>,
    /// Flows by application protocol; `-` if none was recognised.
    pub services: BTreeMap<String, u64>,
    /// Records written, by kind.
    pub records: BTreeMap<String, u64>,
    /// Weird things seen, by name; of each device the first 25 of a name are written, then one in 1,000.
    pub weird: BTreeMap<String, u64>,
    /// Byte at which a damaged file was left, by file.
    pub cut_at_byte: BTreeMap<String, u64>,
    /// Entries refused by a table at its bound, by table.
    pub refused: BTreeMap<String, u64>,
    /// Flows closed before their time because the flow table was full: `unfinished` handshakes go first, then
    /// those `answered` that hardly spoke, last the `established`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evicted: BTreeMap<String, u64>,
    /// Whether any table was at its bound: then output may depend on the number of workers.
    pub bounded: bool,
    /// Packet times moved because they ran backwards.
    pub clamped: u64,
    /// Epoch changes accepted.
    pub epochs: u64,
    /// Packets that were sent to the sensor and never examined, by what lost them; live only. All that
    /// came is `packets` and these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dropped: BTreeMap<String, u64>,
    /// What the operator should know.
    pub warnings: Vec<Warning>,
    /// What the mirror port shows: of the last hour while the run goes on, of all of it at its end.
    #[serde(default)]
    pub mirror: Mirror,
    /// Bytes of each of `services`, and how its parser fared; `-` is what nobody understood.
    #[serde(default)]
    pub protocols: BTreeMap<String, ProtocolStats>,
}
