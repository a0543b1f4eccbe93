//! One run of the program, and the values its logs hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tapir_message::Stats;

use super::corpus::Capture;
use super::text;

/// A map of the truth and the field of ours that says the same.
pub(super) struct Map {
    pub(super) truth: &'static str,
    log: &'static str,
    /// One field, or several with spaces between.
    field: &'static str,
}

pub(super) const MAPS: [Map; 23] = [
    Map {
        truth: "dns_qname",
        log: "dns.log",
        field: "query",
    },
    Map {
        truth: "sni",
        log: "ssl.log",
        field: "server_name",
    },
    Map {
        truth: "ja4",
        log: "ssl.log",
        field: "ja4",
    },
    Map {
        truth: "http_host",
        log: "http.log",
        field: "host",
    },
    Map {
        truth: "http_uri",
        log: "http.log",
        field: "uri",
    },
    Map {
        truth: "http_method",
        log: "http.log",
        field: "method",
    },
    Map {
        truth: "smb2_filename",
        log: "smb_files.log",
        field: "name",
    },
    Map {
        truth: "dhcp_hostname",
        log: "dhcp.log",
        field: "host_name",
    },
    Map {
        truth: "dhcp_mac",
        log: "dhcp.log",
        field: "mac",
    },
    Map {
        truth: "ftp_cmd",
        log: "ftp.log",
        field: "command",
    },
    Map {
        truth: "ftp_arg",
        log: "ftp.log",
        field: "command arg",
    },
    Map {
        truth: "ftp_status",
        log: "ftp.log",
        field: "reply_code info_code",
    },
    Map {
        truth: "smtp_cmd",
        log: "smtp.log",
        field: "commands",
    },
    Map {
        truth: "smtp_param",
        log: "smtp.log",
        field: "helo mailfrom rcptto",
    },
    Map {
        truth: "pop_cmd",
        log: "pop3.log",
        field: "commands",
    },
    Map {
        truth: "imap_cmd",
        log: "imap.log",
        field: "commands",
    },
    Map {
        truth: "snmp_community",
        log: "snmp.log",
        field: "community_public",
    },
    Map {
        truth: "irc_cmd",
        log: "irc.log",
        field: "command",
    },
    Map {
        truth: "sip_method",
        log: "sip.log",
        field: "method",
    },
    Map {
        truth: "sip_status",
        log: "sip.log",
        field: "status_code",
    },
    Map {
        truth: "mqtt_type",
        log: "mqtt.log",
        field: "types",
    },
    Map {
        truth: "modbus_func",
        log: "modbus.log",
        field: "func_code",
    },
    Map {
        truth: "dnp3_func",
        log: "dnp3.log",
        field: "request_code reply_code",
    },
];

/// Characters of a value that the truth keeps.
const VALUE_LEN_MAX: usize = 300;
impl Map {
    /// Whether the value is to be compared.
    pub(super) fn wants(&self, value: &str) -> bool {
        match self.truth {
            // QUIC's and DTLS's are not in `ssl`.
            "ja4" => value.starts_with('t'),
            "http_uri" | "http_method" => !matches!(value, "*" | "M-SEARCH" | "NOTIFY"),
            _ => text::wants(self.truth, value),
        }
    }

    /// Whether the file's truth for this map is what `ssl` could say.
    pub(super) fn compares(&self, capture: &Capture) -> bool {
        self.truth != "sni" || !capture.speaks("quic")
    }

    /// Our distinct values, in the form of [`plain`].
    fn found(&self, out: &Path) -> BTreeSet<String> {
        lines(&out.join(self.log))
            .iter()
            .filter(|line| self.log != "dns.log" || !multicast_dns(line))
            .flat_map(|line| text::values(self.truth, self.field, line))
            .map(|value| match value.as_str() {
                // The witness writes the root's name, which is empty, in words.
                "." if self.log == "dns.log" => "<Root>".to_owned(),
                value => text::said(self.truth, plain(value)),
            })
            .filter(|value| self.wants(value))
            .collect()
    }
}

/// Whether a `dns` record is of a cousin protocol, which the truth lists apart.
fn multicast_dns(line: &Value) -> bool {
    const MDNS: u64 = 5353;
    const LLMNR: u64 = 5355;
    const NBNS: u64 = 137;
    let port = |key: &str| line[key].as_u64().unwrap_or(0);
    [port("id.orig_p"), port("id.resp_p")]
        .iter()
        .any(|port| [MDNS, LLMNR, NBNS].contains(port))
}

/// What one run of the program said.
#[derive(Default)]
pub(super) struct Found {
    /// Why the run is no use: a panic, an exit code, no `stats.json`.
    pub(super) failure: Option<String>,
    pub(super) packets: u64,
    pub(super) values: BTreeMap<&'static str, BTreeSet<String>>,
    /// Distinct 5-tuples: of flows that carry no others, and of all.
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
    let conn = lines(&out.path().join("conn.log"));
    Found {
        failure: stats
            .weird
            .contains_key("parser_panic")
            .then(|| "a parser panicked".into()),
        packets: stats.packets,
        values: MAPS
            .iter()
            .map(|map| (map.truth, map.found(out.path())))
            .collect(),
        flows: ["tcp", "udp"]
            .map(|proto| {
                (
                    proto,
                    (tuples(&conn, proto, false), tuples(&conn, proto, true)),
                )
            })
            .into(),
        encapsulations: stats.encapsulations,
        ids: stats.encapsulation_ids,
    }
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
