//! One run of the program, and the values its logs hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tapir_message::Stats;

use super::corpus::Capture;
use super::{derived, text};

/// A map of the truth and the field of ours that says the same; without one, [`derived`] says it.
pub(super) struct Map {
    pub(super) truth: &'static str,
    log: &'static str,
    /// Names of fields, with blanks between if there are several.
    field: &'static str,
}

pub(super) const MAPS: &[Map] = &[
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
        log: "http.log ssdp.log",
        field: "host",
    },
    Map {
        truth: "http_uri",
        log: "http.log",
        field: "uri",
    },
    Map {
        truth: "http_method",
        log: "http.log ssdp.log",
        field: "method methods",
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
        truth: "dhcp_fqdn",
        log: "dhcp.log",
        field: "client_fqdn",
    },
    Map {
        truth: "lldp_name",
        log: "link_discovery.log",
        field: "",
    },
    Map {
        truth: "cdp_device",
        log: "link_discovery.log",
        field: "",
    },
    Map {
        truth: "quic_version",
        log: "quic.log",
        field: "version",
    },
    Map {
        truth: "dcerpc_bind_uuid",
        log: "dce_rpc.log",
        field: "interface",
    },
    Map {
        truth: "dcerpc_request_opnum",
        log: "dce_rpc.log",
        field: "opnum",
    },
    Map {
        truth: "smb2_tree",
        log: "smb_mapping.log",
        field: "path",
    },
    Map {
        truth: "smb1_path",
        log: "smb_mapping.log",
        field: "path",
    },
    Map {
        truth: "smb1_file",
        log: "smb_files.log",
        field: "name",
    },
    Map {
        truth: "ja3",
        log: "ssl.log",
        field: "ja3",
    },
    Map {
        truth: "ja3s",
        log: "ssl.log",
        field: "ja3s",
    },
    Map {
        truth: "alpn_offered",
        log: "ssl.log",
        field: "client_alpns",
    },
    Map {
        truth: "ssh_banner",
        log: "ssh.log",
        field: "client server",
    },
    Map {
        truth: "hassh",
        log: "ssh.log",
        field: "hassh",
    },
    Map {
        truth: "hassh_server",
        log: "ssh.log",
        field: "hasshServer",
    },
    Map {
        truth: "http_status",
        log: "http.log ssdp.log",
        field: "status_code info_code",
    },
    Map {
        truth: "http_user_agent",
        log: "http.log ssdp.log",
        field: "user_agent",
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
        truth: "krb_cname",
        log: "kerberos.log",
        field: "",
    },
    Map {
        truth: "krb_error",
        log: "kerberos.log",
        field: "",
    },
    Map {
        truth: "ldap_base",
        log: "ldap_search.log",
        field: "base_object",
    },
    Map {
        truth: "ldap_op",
        log: "ldap.log ldap_search.log",
        field: "",
    },
    Map {
        truth: "rdp_cookie",
        log: "rdp.log",
        field: "",
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

/// Fingerprints of the one session whose server opened the connection itself: it sends the host key, and the
/// truth takes it for the client all the same (`zeek_reverse-ssh`).
const TURNED: [&str; 2] = [
    "413e646031ea5204c5ec2fe2d5b7946e",
    "18f369389d126cfeecade20e1ea5ff9b",
];
/// Characters of a value that the truth keeps.
const VALUE_LEN_MAX: usize = 300;
impl Map {
    /// Whether the value is to be compared.
    pub(super) fn wants(&self, value: &str) -> bool {
        match self.truth {
            "hassh" | "hassh_server" => !TURNED.contains(&value),
            "quic_version" => is_quic_version(value),
            "ldap_base" => !value.is_empty(),
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

    /// Our distinct values, in the form of [`plain`].
    fn found(&self, out: &Path) -> BTreeSet<String> {
        let all = self.log.split(' ').flat_map(|log| lines(&out.join(log)));
        all.filter(|line| self.log != "dns.log" || !multicast_dns(line))
            .filter(|line| self.log != "smb_files.log" || line["action"] != "SMB::FILE_SEARCH")
            .filter(|line| self.truth != "dcerpc_bind_uuid" || !is_connectionless(line))
            .filter(|line| self.log != "ssl.log" || !is_dtls(line))
            .flat_map(|line| match self.field {
                "" => derived::values(self.truth, &line),
                _ => text::values(self.truth, self.field, &line),
            })
            .map(|value| match value.as_str() {
                // The witness writes the root's name, which is empty, in words.
                "." if self.log == "dns.log" => "<Root>".to_owned(),
                value if self.log == "quic.log" => quic_version(value),
                value => text::said(self.truth, plain(value)),
            })
            .filter(|value| self.wants(value))
            .collect()
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
