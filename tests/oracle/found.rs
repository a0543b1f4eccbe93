//! One run of the program, and the values its logs hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tapir_message::Stats;

use super::corpus::Capture;
use super::maps::{MAPS, Map};
use super::{derived, dns, text};

/// Characters of a value that the truth keeps.
const VALUE_LEN_MAX: usize = 300;
impl Map {
    /// Whether the value is to be compared.
    pub(super) fn wants(&self, value: &str) -> bool {
        match self.truth {
            "quic_version" => is_quic_version(value),
            "ldap_base" | "http_host" | "http_user_agent" => !value.is_empty(),
            // What every datagram of SSDP has.
            "http_uri" => value != "*",
            // Ours for the empty name of a share; and what stands in every answer to a search.
            "smb2_filename" | "smb1_file" => !matches!(value, "<share_root>" | "." | ".."),
            _ => text::wants(self.truth, value),
        }
    }

    /// A map of the truth whose values stand in the same field of ours.
    pub(super) fn cousin(&self) -> Option<&'static str> {
        match self.truth {
            "smb2_filename" => Some("smb1_file"),
            "smb1_file" => Some("smb2_filename"),
            "smb2_tree" => Some("smb1_path"),
            "smb1_path" => Some("smb2_tree"),
            _ => None,
        }
    }

    /// What our logs say, as they say it.
    fn told(&self, out: &Path) -> Vec<String> {
        let all = self.log.split(' ').flat_map(|log| lines(&out.join(log)));
        all.filter(|line| self.log != "dns.log" || dns::belongs(self.truth, line))
            .filter(|line| self.log != "smb_files.log" || line["action"] != "SMB::FILE_SEARCH")
            .filter(|line| self.truth != "dcerpc_bind_uuid" || !is_connectionless(line))
            .filter(|line| self.log != "ssl.log" || !is_dtls(line))
            .flat_map(|line| match self.field {
                "" => derived::values(self.truth, &line),
                _ => text::values(self.truth, self.field, &line),
            })
            .map(|value| match value.as_str() {
                // The witness writes the root's name, which is empty, in words.
                "." if self.truth == "dns_qname" => "<Root>".to_owned(),
                value if self.log == "quic.log" => quic_version(value),
                _ => value,
            })
            .collect()
    }

    /// Distinct values in the form of [`plain`].
    fn found(&self, told: &[String]) -> BTreeSet<String> {
        let all = told
            .iter()
            .map(|value| text::said(self.truth, plain(value)));
        all.filter(|value| self.wants(value)).collect()
    }

    /// Whether the distinct values are exactly those whose digest the truth has: SHA-256 of the sorted, a line each.
    fn is_same(&self, told: &[String], capture: &Capture) -> bool {
        let cut = |value: &String| value.chars().take(VALUE_LEN_MAX).collect();
        let all: BTreeSet<String> = told.iter().map(cut).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let digest = Sha256::digest(all.join("\n"));
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        capture.truth[format!("{}_set_sha256", self.truth)] == *digest
    }
}

/// A version as the truth writes it.
fn quic_version(name: &str) -> String {
    let draft = name
        .strip_prefix("draft-")
        .and_then(|n| n.parse::<u32>().ok());
    match (name, draft) {
        ("1", _) => "0x00000001".to_owned(),
        ("quicv2", _) => "0x6b3343cf".to_owned(),
        (_, Some(draft)) => format!("{:#010x}", 0xff00_0000_u32 | draft),
        _ => format!("0x{}", name.trim_start_matches("unknown-")),
    }
}

/// Versions by RFC or draft, and mvfst's; the truth takes what lies in some media streams for a version.
fn is_quic_version(value: &str) -> bool {
    let known = ["0x00000001", "0x6b3343cf"].contains(&value);
    known
        || ["0xff0000", "0xfaceb0"]
            .iter()
            .any(|start| value.starts_with(start))
}

/// Whether a `dce_rpc` record is of PROFINET, whose calls are datagrams: nothing is bound for them.
fn is_connectionless(line: &Value) -> bool {
    let endpoint = line["endpoint"].as_str();
    endpoint.is_some_and(|name| name.starts_with("PNIO-"))
}

/// Whether an `ssl` record is of DTLS, of which the truth has neither names nor fingerprints.
fn is_dtls(line: &Value) -> bool {
    let begins = |key: &str, with| {
        line[key]
            .as_str()
            .is_some_and(|text| text.starts_with(with))
    };
    begins("ja4", "d") || begins("version", "DTLS")
}

/// What one run of the program said.
#[derive(Default)]
pub(super) struct Found {
    /// Why the run is no use: a panic, an exit code, no `stats.json`.
    pub(super) failure: Option<String>,
    pub(super) packets: u64,
    pub(super) values: BTreeMap<&'static str, BTreeSet<String>>,
    /// Maps whose values are all of the truth's and no others, where it has only their digest.
    pub(super) same: BTreeSet<&'static str>,
    /// Flows by the truth's name: those that carry no others, and all.
    pub(super) flows: BTreeMap<&'static str, (usize, usize)>,
    /// Packets by what they came in, and the numbers seen.
    pub(super) encapsulations: BTreeMap<String, u64>,
    pub(super) ids: BTreeMap<String, BTreeSet<u64>>,
}

/// Runs the program over one capture.
pub(super) fn analyze(corpus: &Path, capture: &Capture) -> Found {
    let Ok(out) = tempfile::tempdir() else {
        return failed("no folder to write to".into());
    };
    let ran = Command::new(env!("CARGO_BIN_EXE_tapir"))
        .arg("analyze")
        .arg(corpus.join(&capture.file))
        .arg("--out")
        .arg(out.path())
        .stdin(Stdio::null())
        .output();
    let ran = match ran {
        Ok(ran) => ran,
        Err(error) => return failed(error.to_string()),
    };
    let errors = String::from_utf8_lossy(&ran.stderr);
    if !ran.status.success() || errors.contains("panicked at") {
        return failed(format!(
            "{}: {}",
            ran.status,
            errors.lines().next().unwrap_or_default()
        ));
    }
    let stats = std::fs::read(out.path().join("stats.json")).unwrap_or_default();
    let Ok(stats) = serde_json::from_slice::<Stats>(&stats) else {
        return failed("stats.json is not there or not what it should be".into());
    };
    let mut found = Found {
        failure: stats
            .weird
            .contains_key("parser_panic")
            .then(|| "a parser panicked".into()),
        packets: stats.packets,
        flows: flows(&lines(&out.path().join("conn.log"))),
        encapsulations: stats.encapsulations,
        ids: stats.encapsulation_ids,
        ..Found::default()
    };
    for map in MAPS {
        let told = map.told(out.path());
        if map.is_same(&told, capture) {
            found.same.insert(map.truth);
        }
        found.values.insert(map.truth, map.found(&told));
    }
    found
}

fn failed(why: String) -> Found {
    Found {
        failure: Some(why),
        ..Found::default()
    }
}

/// The JSON lines of a log; none if there is no such file.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// What our flows that carry others are called.
const CARRIERS: [&str; 5] = ["vxlan", "geneve", "gtp", "teredo", "l2tp"];

/// Flows by the truth's name.
fn flows(conn: &[Value]) -> BTreeMap<&'static str, (usize, usize)> {
    let of = |proto| (tuples(conn, proto, false), tuples(conn, proto, true));
    let history = conn.iter().filter_map(|line| line["history"].as_str());
    // Zeek: `S` a SYN, `h` its answer, from either side.
    let shaken = |text: &&str| {
        ["S", "s"].iter().any(|c| text.contains(c)) && ["H", "h"].iter().any(|c| text.contains(c))
    };
    let handshakes = history.filter(shaken).count();
    BTreeMap::from([
        ("tcp_streams", of("tcp")),
        ("tcp_streams_with_handshake", (handshakes, handshakes)),
        ("udp_flows", of("udp")),
    ])
}

/// Distinct 5-tuples of a protocol, whoever began; flows that carry others only if `all`.
fn tuples(conn: &[Value], proto: &str, all: bool) -> usize {
    let end = |line: &Value, host: &str, port: &str| (line[host].to_string(), line[port].as_u64());
    conn.iter()
        .filter(|line| line["proto"] == proto)
        .filter(|line| all || !CARRIERS.iter().any(|name| line["service"] == **name))
        .map(|line| {
            let mut ends = [
                end(line, "id.orig_h", "id.orig_p"),
                end(line, "id.resp_h", "id.resp_p"),
            ];
            ends.sort();
            ends
        })
        .collect::<BTreeSet<_>>()
        .len()
}

/// A value as both decoders can say it: the truth's are cut after 300 characters; bytes beyond ASCII and
/// control bytes, which each writes in its own way (`\xNN`, U+FFFD), become one `?` a run.
pub(super) fn plain(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value.chars();
    for _ in 0..VALUE_LEN_MAX {
        let Some(next) = rest.clone().next() else {
            break;
        };
        let foreign = if let Some(after) = escaped(rest.as_str()) {
            rest = after.chars();
            true
        } else {
            rest.next();
            !next.is_ascii() || next.is_control()
        };
        if !foreign {
            out.push(next);
        } else if !out.ends_with('?') {
            out.push('?');
        }
    }
    out
}

/// What follows a `\xNN` at the start of `text`.
fn escaped(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("\\x")?.get(..2)?;
    u8::from_str_radix(digits, 16).ok()?;
    text.get(4..)
}

#[test]
fn both_ways_of_writing_foreign_bytes_compare_equal() {
    assert_eq!(plain("a\\xff\\xfe.b"), plain("a\u{fffd}\u{fffd}.b"));
    assert_eq!(plain(r"C:\x\xyz"), r"C:\x\xyz");
}
