//! Each mistake of a configuration: named with its line and its remedy, all at once.

use std::path::Path;

use super::*;

fn of(text: &str) -> Result<Settings, Vec<String>> {
    Settings::of_text(Some(Path::new("dir/t.toml")), text, &Overrides::default())
        .map_err(|errors| errors.0.iter().map(ToString::to_string).collect())
}

fn mistakes(text: &str) -> Vec<String> {
    of(text).err().unwrap_or_default()
}

/// A public key from RFC 8032 §7.1, test 1, as base64.
const KEY: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let settings = of("").unwrap();
    assert_eq!(settings.sensor.id, "tapir");
    assert_eq!(settings.sensor.time_zone_name, "UTC");
    assert_eq!(settings.sensor.home.len(), 7);
    let capture = &settings.capture;
    assert_eq!(
        (
            capture.queues,
            capture.block_kib,
            capture.blocks,
            capture.retire_ms
        ),
        (1, 256, 256, 10)
    );
    assert_eq!(capture.source, CaptureSource::Ring);
    assert!(capture.interface.is_none() && capture.filter.is_none());
    assert_eq!(settings.response.mode, Mode::Off);
    assert_eq!(settings.response.egress_max_per_s, 5_000);
    assert_eq!(settings.store.folder, Path::new("/var/lib/tapir"));
    assert_eq!(
        settings.control.socket,
        Path::new("/run/tapir/control.sock")
    );
    assert!(settings.forward.syslog.is_empty());
    // The shipped file says the same.
    let shipped = of(&default_file()).unwrap();
    assert_eq!(format!("{settings:?}"), format!("{shipped:?}"));
}

#[test]
fn a_whole_file_is_read() {
    let text = format!(
        r#"
        [sensor]
        id = "kontor"
        time_zone = "Europe/Berlin"
        home = ["10.77.0.0/16"]
        [capture]
        interface = "eth1"
        queues = 2
        filter = "not port 22"
        [models]
        folder = "models"
        [response]
        mode = "autonomous"
        inject = "eth2"
        rules = ["rules/night.toml", "/etc/rules/day.toml"]
        signers = ["Jane Smith <{KEY}>"]
        never = ["192.0.2.1", "10.77.0.0/24"]
        [[forward.syslog]]
        address = "siem.example:6514"
        [[forward.syslog]]
        address = "[2001:db8::1]:514"
        facility = "daemon"
        "#
    );
    let settings = of(&text).unwrap();
    assert_eq!(
        settings.models.folder.as_deref(),
        Some(Path::new("dir/models"))
    );
    let rules: Vec<&str> = settings
        .response
        .rules
        .iter()
        .filter_map(|r| r.to_str())
        .collect();
    assert_eq!(rules, ["dir/rules/night.toml", "/etc/rules/day.toml"]);
    assert_eq!(settings.response.signers[0].name, "Jane Smith");
    assert_eq!(settings.response.signers[0].key[..2], [0xd7, 0x5a]);
    assert_eq!(settings.response.never_names, ["192.0.2.1", "10.77.0.0/24"]);
    let outputs: Vec<_> = settings
        .forward
        .syslog
        .iter()
        .map(|s| (s.address.as_str(), s.facility.0))
        .collect();
    assert_eq!(
        outputs,
        [("siem.example:6514", 16), ("[2001:db8::1]:514", 3)]
    );
    // One output may be written as a plain table.
    let one = of("[forward.syslog]\naddress = \"10.0.0.9:514\"").unwrap();
    assert_eq!(one.forward.syslog[0].facility.name(), "local0");
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known() {
    let cases = [
        (
            "[capture]\nqueus = 2",
            "dir/t.toml:2: key \"capture.queus\": unknown; did you mean \"queues\"?",
        ),
        (
            "[captrue]\nqueues = 2",
            "dir/t.toml:1: key \"captrue\": unknown; did you mean \"capture\"?",
        ),
        (
            "interface = \"eth1\"",
            "dir/t.toml:1: key \"interface\": unknown; known here: sensor, capture,",
        ),
        (
            "[forward.sysog]\naddress = \"a:1\"",
            "dir/t.toml:1: key \"forward.sysog\": unknown; did you mean \"syslog\"?",
        ),
        (
            "[[forward.syslog]]\nadress = \"a:1\"",
            "dir/t.toml:2: key \"forward.syslog.adress\": unknown; did you mean \"address\"?",
        ),
        (
            "sensor = 1",
            "dir/t.toml:1: key \"sensor\": found 1; it must be a table",
        ),
        (
            "[[sensor]]\nid = \"a\"",
            "key \"sensor\": found a value of type array; it must be a table",
        ),
    ];
    for (text, start) in cases {
        let found = mistakes(text);
        assert!(
            found.iter().any(|line| line.contains(start)),
            "{text}: {found:#?}"
        );
    }
}

/// Table, its lines, and what has to be said of them.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "sensor",
        "id = \"a b\"",
        "found \"a b\"; use 1 to 64 letters",
    ),
    ("sensor", "id = 7", "found 7; it must be a text in quotes"),
    (
        "sensor",
        "time_zone = \"Middle/Earth\"",
        "write a time zone like",
    ),
    ("sensor", "home = []", "found no network"),
    ("sensor", "home = [\"10.0.0.0/33\"]", "write a network like"),
    ("sensor", "home = \"10.0.0.0/8\"", "must be a list of texts"),
    (
        "sensor",
        "home = [4]",
        "found 4; it must be a text in quotes",
    ),
    (
        "capture",
        "interface = \"a/b\"",
        "write the name of an interface",
    ),
    (
        "capture",
        "interface = \"sixteen-letters-\"",
        "write the name of an interface",
    ),
    (
        "capture",
        "queues = 17",
        "found 17; use a whole number from 1 to 16",
    ),
    (
        "capture",
        "queues = -1",
        "found -1; use a whole number from 1 to 16",
    ),
    ("capture", "queues = 99999999999999999999", "from 1 to 16"),
    (
        "capture",
        "queues = \"2\"",
        "found \"2\"; it must be a whole number",
    ),
    (
        "capture",
        "source = \"dpdk\"",
        "use \"ring\" or \"libpcap\"",
    ),
    (
        "capture",
        "source = \"libpcap\"\nqueues = 2",
        "libpcap\", which has one queue",
    ),
    ("capture", "block_kib = 300", "use a power of two"),
    (
        "capture",
        "block_kib = 4096\nblocks = 4096\nqueues = 2",
        "at most 16 GiB",
    ),
    ("capture", "retire_ms = 0", "from 1 to 1000"),
    ("models", "folder = \"\"", "name a folder"),
    ("services", "file = \"\"", "name a file"),
    (
        "services",
        "sanctioned = [\"One Drive\"]",
        "write a service's id or a category",
    ),
    ("response", "mode = \"on\"", "use \"off\", \"shadow\""),
    (
        "response",
        "mode = \"confirm\"",
        "without a rule of engagement",
    ),
    (
        "response",
        "mode = \"autonomous\"",
        "without a port to send by",
    ),
    ("response", "trunk = 1", "it must be true or false"),
    ("response", "rules = [\"r.toml\"]", "nobody who may sign"),
    (
        "response",
        "signers = [\"Jane <abc>\"]",
        "as `tapir rule keygen` printed it",
    ),
    (
        "response",
        "never = [\"everything\"]",
        "write a network like",
    ),
    ("response", "egress_max_per_s = 0", "from 1 to 100000"),
    ("store", "folder = \"\"", "name a folder"),
    ("store", "journal_max_mb = 1", "from 8 to 1000000"),
    ("store", "state_every_s = 0", "from 1 to 86400"),
    (
        "control",
        "socket = \"control.sock\"",
        "use an absolute path",
    ),
    (
        "forward.syslog",
        "facility = \"local0\"",
        "missing; give the host and port",
    ),
    (
        "forward.syslog",
        "address = \"siem\"",
        "write host and port",
    ),
    (
        "forward.syslog",
        "address = \"siem:0\"",
        "write host and port",
    ),
    (
        "forward.syslog",
        "address = \"a:1\"\nfacility = \"local8\"",
        "use a name such as",
    ),
];

#[test]
fn each_value_is_held_to_its_rule() {
    for (section, line, wanted) in WRONG {
        let found = mistakes(&format!("[{section}]\n{line}\n"));
        assert!(
            found.iter().any(|said| said.contains(wanted)),
            "[{section}] {line}: {found:#?}"
        );
        assert!(
            found.iter().all(|said| said.starts_with("dir/t.toml:")),
            "{found:#?}"
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_order() {
    let found =
        mistakes("[sensor]\nid = \"\"\n[capture]\nqueues = 0\nblok = 1\n[store]\nfolder = 3\n");
    let lines: Vec<&str> = found
        .iter()
        .filter_map(|line| line.split(':').nth(1))
        .collect();
    assert_eq!(lines, ["2", "4", "5", "7"], "{found:#?}");
}

/// What is repeated of the file cannot act on the terminal.
#[test]
fn wrong_values_are_shown_escaped_and_cut() {
    let found = mistakes("[sensor]\nid = \"\\u001b[2J\"\n\"\\u001b]0;x\" = 1\n");
    assert_eq!(found.len(), 2);
    assert!(
        found.iter().all(|line| !line.chars().any(char::is_control)),
        "{found:?}"
    );
    let found = mistakes(&format!("[sensor]\nid = \"{}\"\n", "x".repeat(9_999)));
    assert!(found[0].len() < 200, "{found:?}");
}

#[test]
fn the_command_line_goes_before_the_file() {
    let overrides = Overrides {
        interface: Some("mirror0".to_owned()),
        inject: Some("inject0".to_owned()),
        mode: Some(Mode::Shadow),
        record: Some("out.pcapng".into()),
        socket: Some("here.sock".into()),
    };
    let settings = Settings::of_text(None, "[capture]\ninterface = \"eth1\"", &overrides).unwrap();
    assert_eq!(settings.capture.interface.as_deref(), Some("mirror0"));
    assert_eq!(settings.response.inject.as_deref(), Some("inject0"));
    assert_eq!(settings.response.mode, Mode::Shadow);
    assert_eq!(settings.control.socket, Path::new("here.sock"));
    let refused = Overrides {
        interface: Some("a b".to_owned()),
        mode: Some(Mode::Autonomous),
        ..Overrides::default()
    };
    let errors = Settings::of_text(None, "", &refused)
        .unwrap_err()
        .to_string();
    assert_eq!(errors.lines().count(), 3, "{errors}");
    assert!(
        errors.contains("--interface: found \"a b\"; write"),
        "{errors}"
    );
    assert!(
        errors.contains("--response: found \"autonomous\" without a rule"),
        "{errors}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let load = |name: &str| {
        Settings::load(Some(&folder.path().join(name)), &Overrides::default())
            .unwrap_err()
            .to_string()
    };
    assert!(load("none.toml").contains("none.toml: no such file"));
    std::fs::write(folder.path().join("bytes.toml"), [0xff, 0xfe]).unwrap();
    assert!(load("bytes.toml").contains("not UTF-8"));
    std::fs::write(
        folder.path().join("big.toml"),
        " ".repeat(FILE_BYTES_MAX + 1),
    )
    .unwrap();
    assert!(load("big.toml").contains("found 65537 bytes"));
    std::fs::create_dir(folder.path().join("dir.toml")).unwrap();
    assert!(load("dir.toml").contains("not a regular file"));
    std::fs::write(folder.path().join("cut.toml"), "[sensor\nid =").unwrap();
    assert!(load("cut.toml").contains("cut.toml:1: not TOML:"));
}
