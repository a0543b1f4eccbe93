//! From the file as written to the settings as used: every key by its own rule.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use jiff::tz::TimeZone;
use tapir_engine::device::Net;
use tapir_engine::policy::Signer;
use tapir_message::Mode;
use toml::de::DeTable;

use super::Overrides;
use super::reader::{Reader, Table, path_of, shown};
use super::settings::{
    Capture, CaptureSource, Control, Facility, Forward, ModelsFrom, Response, Sensor, Services,
    Settings, Store, Syslog, Word,
};

/// Longest name of an interface that the kernel takes.
const INTERFACE_LEN_MAX: usize = 15;
/// Longest path of a Unix socket: `sun_path` with its end.
const SOCKET_LEN_MAX: usize = 107;
/// Memory of all rings together.
const RINGS_KIB_MAX: u64 = 16 * 1024 * 1024;
const NETS_MAX: usize = 256;
const WORDS_MAX: usize = 256;
const RULES_MAX: usize = 64;
const OUTPUTS_MAX: usize = 8;
const NET_WANTED: &str = "write a network like 10.0.0.0/8 or fd00::/8, or an address";
const INTERFACE_WANTED: &str =
    "write the name of an interface, 1 to 15 characters, as `ip link` shows it";

/// Reads everything before giving up on anything, so that all mistakes are told.
pub(super) fn settings(
    reader: &mut Reader<'_>,
    root: &DeTable<'_>,
    path: Option<&Path>,
    overrides: &Overrides,
) -> Option<Settings> {
    let sensor = sensor(reader, one(reader, root, "sensor")?);
    let capture = capture(reader, one(reader, root, "capture")?, overrides);
    let models = one(reader, root, "models")?;
    let folder = reader
        .parsed(models, "folder", "name a folder", not_empty)
        .map(|folder| from_file(path, &folder));
    let services = services(reader, one(reader, root, "services")?, path);
    let response = response(reader, one(reader, root, "response")?, path, overrides);
    let store = store(reader, one(reader, root, "store")?, path);
    let control = control(reader, one(reader, root, "control")?, overrides);
    let forward = forward(reader, root);
    Some(Settings {
        path: path.map(Path::to_owned),
        sensor: sensor?,
        capture: capture?,
        models: ModelsFrom { folder },
        services,
        response: response?,
        store: store?,
        control: control?,
        forward,
    })
}

/// The one table of a name.
fn one<'t, 'i>(
    reader: &Reader<'_>,
    root: &'t DeTable<'i>,
    name: &'static str,
) -> Option<Table<'t, 'i>> {
    reader.tables(root, name).into_iter().next()
}

fn sensor(reader: &mut Reader<'_>, table: Table<'_, '_>) -> Option<Sensor> {
    let id = reader.parsed(
        table,
        "id",
        "use 1 to 64 letters, digits, '-', '_' or '.'",
        |text| {
            let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let right = !text.is_empty() && text.len() <= 64 && text.chars().all(fine);
            right.then(|| text.to_owned())
        },
    );
    let zone = reader.parsed(
        table,
        "time_zone",
        "write a time zone like \"Europe/Berlin\" or \"UTC\"",
        |text| Some((TimeZone::get(text).ok()?, text.to_owned())),
    );
    let home = nets(reader, table, "home");
    if home.is_empty() && reader.errors.is_empty() {
        let remedy = "found no network; name at least one, or leave the key out";
        reader.error(Reader::place(table, "home"), path_of(table, "home"), remedy);
    }
    let (home_names, home) = home.into_iter().unzip();
    let (time_zone, time_zone_name) = zone?;
    Some(Sensor {
        id: id?,
        time_zone,
        time_zone_name,
        home,
        home_names,
        hash_files: reader.flag_at(table, "hash_files"),
    })
}

fn capture(
    reader: &mut Reader<'_>,
    table: Table<'_, '_>,
    overrides: &Overrides,
) -> Option<Capture> {
    let interface = port(
        reader,
        table,
        "interface",
        "--interface",
        overrides.interface.as_deref(),
    );
    let queues: Option<u8> = reader.number(table, "queues", 1..=16);
    let filter = reader.text(table, "filter");
    let source = reader.parsed(
        table,
        "source",
        "use \"ring\" or \"libpcap\"",
        |text| match text {
            "ring" => Some(CaptureSource::Ring),
            "libpcap" => Some(CaptureSource::Libpcap),
            _ => None,
        },
    );
    let block_kib: Option<u32> = reader.number(table, "block_kib", 64..=4096);
    let blocks: Option<u32> = reader.number(table, "blocks", 8..=4096);
    let retire_ms = reader.number(table, "retire_ms", 1..=1000);
    let (queues, source, block_kib, blocks) = (queues?, source?, block_kib?, blocks?);
    if !block_kib.is_power_of_two() {
        let text = format!("found {block_kib}; use a power of two such as 256");
        let at = Reader::place(table, "block_kib");
        reader.error(at, path_of(table, "block_kib"), text);
    }
    let rings_kib = u64::from(queues) * u64::from(block_kib) * u64::from(blocks);
    if rings_kib > RINGS_KIB_MAX {
        let text = format!(
            "found {queues} queues of {blocks} blocks of {block_kib} KiB, {} GiB together; use at most 16 GiB",
            rings_kib / (1024 * 1024)
        );
        reader.error(
            Reader::place(table, "blocks"),
            path_of(table, "blocks"),
            text,
        );
    }
    if source == CaptureSource::Libpcap && queues > 1 {
        let text = format!(
            "found {queues} with source \"libpcap\", which has one queue; use 1 or source = \"ring\""
        );
        reader.error(
            Reader::place(table, "queues"),
            path_of(table, "queues"),
            text,
        );
    }
    Some(Capture {
        interface,
        queues,
        filter: filter.filter(|filter| !filter.trim().is_empty()),
        source,
        block_kib,
        blocks,
        retire_ms: retire_ms?,
        record: overrides.record.clone(),
    })
}

/// Whether there are such services is seen when the catalogue is read.
fn services(reader: &mut Reader<'_>, table: Table<'_, '_>, path: Option<&Path>) -> Services {
    let file = reader.parsed(table, "file", "name a file", not_empty);
    let mut words = |key| {
        let wanted = "write a service's id or a category: small letters, digits and dashes";
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let texts = reader.list(table, key, WORDS_MAX, wanted, |text| {
            let right = !text.is_empty() && text.chars().all(fine);
            right.then(|| text.to_owned())
        });
        let lines = reader.lines(table, key);
        let word = |(text, line)| Word { text, line };
        texts.into_iter().zip(lines).map(word).collect()
    };
    Services {
        sanctioned: words("sanctioned"),
        unsanctioned: words("unsanctioned"),
        file: file.map(|file| from_file(path, &file)),
    }
}

fn response(
    reader: &mut Reader<'_>,
    table: Table<'_, '_>,
    path: Option<&Path>,
    overrides: &Overrides,
) -> Option<Response> {
    const MODES: &str = "use \"off\", \"shadow\", \"confirm\" or \"autonomous\"";
    let written = reader.parsed(table, "mode", MODES, Mode::parse);
    let mode = overrides.mode.or(written);
    let inject = port(
        reader,
        table,
        "inject",
        "--inject",
        overrides.inject.as_deref(),
    );
    let trunk = reader.flag_at(table, "trunk");
    let rules = reader.list(table, "rules", RULES_MAX, "name a file", not_empty);
    let rules: Vec<PathBuf> = rules.iter().map(|rule| from_file(path, rule)).collect();
    let signers = reader.list(
        table,
        "signers",
        RULES_MAX,
        "write \"Name <public key>\" as `tapir rule keygen` printed it",
        signer,
    );
    let never = nets(reader, table, "never");
    let egress_max_per_s = reader.number(table, "egress_max_per_s", 1..=100_000);
    let mode = mode?;
    let (flag, key) = ("--response", path_of(table, "mode"));
    let mut need = |text: &str| match overrides.mode {
        Some(_) => reader.flag(flag, text),
        None => reader.error(Reader::place(table, "mode"), key.clone(), text),
    };
    if matches!(mode, Mode::Confirm | Mode::Autonomous) {
        let name = mode.name();
        if rules.is_empty() {
            need(&format!(
                "found \"{name}\" without a rule of engagement; name a signed one in response.rules, or use \"shadow\""
            ));
        }
        if inject.is_none() {
            need(&format!(
                "found \"{name}\" without a port to send by; give response.inject or --inject, or use \"shadow\""
            ));
        }
    }
    if !rules.is_empty() && signers.is_empty() && reader.errors.is_empty() {
        let text = "found rules but nobody who may sign them; name who in response.signers";
        reader.error(Reader::place(table, "rules"), path_of(table, "rules"), text);
    }
    let (never_names, never) = never.into_iter().unzip();
    Some(Response {
        mode,
        inject,
        trunk,
        rules,
        signers,
        never,
        never_names,
        egress_max_per_s: egress_max_per_s?,
    })
}

fn store(reader: &mut Reader<'_>, table: Table<'_, '_>, path: Option<&Path>) -> Option<Store> {
    let folder = reader.parsed(table, "folder", "name a folder", not_empty);
    let journal_max_mb = reader.number(table, "journal_max_mb", 8..=1_000_000);
    let state_every_s = reader.number(table, "state_every_s", 1..=86_400);
    Some(Store {
        folder: from_file(path, &folder?),
        journal_max_mb: journal_max_mb?,
        state_every_s: state_every_s?,
    })
}

fn control(
    reader: &mut Reader<'_>,
    table: Table<'_, '_>,
    overrides: &Overrides,
) -> Option<Control> {
    const WANTED: &str = "use an absolute path of at most 107 bytes";
    let right = |path: &Path| {
        path.is_absolute() && path.file_name().is_some() && path.as_os_str().len() <= SOCKET_LEN_MAX
    };
    let written = reader.parsed(table, "socket", WANTED, |text| {
        Some(PathBuf::from(text)).filter(|path| right(path))
    });
    if let Some(given) = &overrides.socket {
        return Some(Control {
            socket: given.clone(),
        });
    }
    Some(Control { socket: written? })
}

fn forward(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Forward {
    let tables = reader.tables(root, "forward.syslog");
    let mut syslog: Vec<Syslog> = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let address = reader.parsed(
            table,
            "address",
            "write host and port like \"siem.example:6514\" or \"[2001:db8::1]:514\"",
            host_and_port,
        );
        let facility = reader.parsed(
            table,
            "facility",
            "use a name such as \"local0\" or \"daemon\"",
            Facility::parse,
        );
        let at = Reader::place(table, "address");
        if index == OUTPUTS_MAX {
            let text = format!("found more than {OUTPUTS_MAX} of this table; leave some out");
            reader.error(at, "forward.syslog", text);
        }
        let Some(address) = address else {
            if !Reader::has(table, "address") {
                let text = "missing; give the host and port of the syslog server";
                reader.error(at, path_of(table, "address"), text);
            }
            continue;
        };
        if syslog.iter().any(|other| other.address == address) {
            let text = format!("found {} twice; leave one out", shown(&address));
            reader.error(at, path_of(table, "address"), text);
        }
        if let Some(facility) = facility {
            syslog.push(Syslog { address, facility });
        }
    }
    Forward { syslog }
}

/// The interface of the command line, or else of the file.
fn port(
    reader: &mut Reader<'_>,
    table: Table<'_, '_>,
    key: &'static str,
    flag: &str,
    given: Option<&str>,
) -> Option<String> {
    let written = reader.parsed(table, key, INTERFACE_WANTED, interface);
    let Some(given) = given else {
        return written;
    };
    let checked = interface(given);
    if checked.is_none() {
        reader.flag(
            flag,
            format!("found \"{}\"; {INTERFACE_WANTED}", shown(given)),
        );
    }
    checked
}

/// Networks with the text they were written as.
fn nets(reader: &mut Reader<'_>, table: Table<'_, '_>, key: &'static str) -> Vec<(String, Net)> {
    reader.list(table, key, NETS_MAX, NET_WANTED, |text| {
        Some((text.to_owned(), text.parse().ok()?))
    })
}

fn not_empty(text: &str) -> Option<String> {
    let right = !text.trim().is_empty() && !text.contains('\0');
    right.then(|| text.to_owned())
}

fn interface(text: &str) -> Option<String> {
    let fine = |c: char| c.is_ascii_graphic() && c != '/';
    let right = !text.is_empty()
        && text.len() <= INTERFACE_LEN_MAX
        && text.chars().all(fine)
        && !matches!(text, "." | "..");
    right.then(|| text.to_owned())
}

fn host_and_port(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let port_right = port.parse::<u16>().is_ok_and(|port| port > 0);
    let fine = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let host_right = match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.len() <= 253 && host.chars().all(fine),
    };
    (port_right && host_right).then(|| text.to_owned())
}

/// `Jane Smith <base64 key>`.
fn signer(text: &str) -> Option<Signer> {
    let (name, rest) = text.split_once('<')?;
    let key = rest.trim().strip_suffix('>')?;
    let name = name.trim();
    let bytes = STANDARD.decode(key.trim()).ok()?;
    let key: [u8; 32] = bytes.try_into().ok()?;
    let point = VerifyingKey::from_bytes(&key).ok()?;
    let right = !name.is_empty() && name.chars().count() <= 80 && !point.is_weak();
    right.then(|| Signer {
        name: name.to_owned(),
        key,
    })
}

/// A path as written, taken from the folder of the file.
fn from_file(file: Option<&Path>, path: &str) -> PathBuf {
    let folder = file.and_then(Path::parent);
    folder.map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
}
