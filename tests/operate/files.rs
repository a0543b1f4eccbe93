//! What is read before anything is started: the configuration, rules of engagement and their keys.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{Bench, assert_one_line};
use crate::support::tapir;

#[test]
fn a_configuration_is_checked_without_starting_anything() {
    let bench = Bench::new();
    bench.write(
        "bad.toml",
        "[capture]\nqueus = 2\nretire_ms = 0\n[sensor]\ntime_zone = \"Middle/Earth\"\n",
    );
    let ran = bench.here(&["check", "--config", "bad.toml"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{ran:?}");
    assert!(lines[0].starts_with("MISTAKE  configuration: bad.toml:2: key \"capture.queus\""));
    assert!(lines[0].ends_with("did you mean \"queues\"?"), "{ran:?}");
    assert!(
        lines[1].contains("bad.toml:3:") && lines[2].contains("bad.toml:5:"),
        "{ran:?}"
    );
    // A command that needs the configuration gives the same lines.
    let ran = bench.here(&["show", "status", "--config", "bad.toml"]);
    assert_eq!(
        (ran.code, ran.stderr.lines().count()),
        (Some(1), 3),
        "{ran:?}"
    );
    bench.write("good.toml", "[sensor]\nid = \"kontor\"\n");
    let ran = bench.here(&["check", "--config", "good.toml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        ran.stdout,
        "OK       configuration: good.toml\nOK       models: 8 models\nOK       services: 489 services\n"
    );
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/tapir.toml");
    let shipped = shipped.to_string_lossy().into_owned();
    assert_eq!(tapir(&["check", "--config", &shipped]).code, Some(0));
    bench.write("models.toml", "[models]\nfolder = \"none\"\n");
    let ran = bench.here(&["check", "--config", "models.toml", "--json"]);
    let value: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((ran.code, &value["ok"]), (Some(1), &json!(false)));
    assert_eq!(value["checks"][1]["what"], "models");
    bench.write(
        "services.toml",
        "[services]\nunsanctioned = [\"storrage\"]\n",
    );
    let ran = bench.here(&["check", "--config", "services.toml"]);
    let wrong = ran.stdout.lines().last().expect("a line");
    assert_eq!(ran.code, Some(1));
    assert!(
        wrong.starts_with("MISTAKE  services: services.toml:2: key \"services.unsanctioned\""),
        "{wrong}"
    );
    assert!(wrong.ends_with("did you mean \"storage\"?"), "{wrong}");
}

/// A key is made, a rule signed and taken; every other way it is refused.
#[test]
fn rules_are_signed_and_anything_else_is_refused() {
    let bench = Bench::new();
    let keygen = [
        "rule",
        "keygen",
        "--name",
        "Jane Smith",
        "--out",
        "jane.key",
    ];
    let ran = bench.here(&keygen);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let signers = ran.stdout.lines().last().expect("a line").to_owned();
    assert!(signers.starts_with("signers = [\"Jane Smith <"), "{ran:?}");
    let config = format!("[response]\nrules = [\"night.toml\"]\n{signers}\n");
    bench.write("t.toml", &config);
    let rule = "id = \"R-0007\"\nauthorised_by = \"Jane Smith\"\nreason = \"nights\"\n\
        from = 2199-01-01T00:00:00Z\nuntil = 2199-12-31T18:00:00Z\n";
    bench.write("night.toml", rule);
    let check = ["rule", "check", "night.toml", "--config", "t.toml"];
    assert_one_line(
        &bench.here(&check),
        1,
        &["night.toml: unsigned", "tapir rule sign"],
    );
    let sign = ["rule", "sign", "night.toml", "--key", "jane.key"];
    let ran = bench.here(&sign);
    assert_eq!(
        ran.stdout, "night.toml.sig: signed by Jane Smith\n",
        "{ran:?}"
    );
    let ran = bench.here(&check);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout
            .starts_with("night.toml: OK, R-0007 of Jane Smith, in force until 2199-12-31"),
        "{ran:?}"
    );
    assert_eq!(bench.here(&["check", "--config", "t.toml"]).code, Some(0));

    bench.write("night.toml", &rule.replace("0007", "0008"));
    assert_one_line(
        &bench.here(&check),
        1,
        &["night.toml: ", "altered after signing", "Jane Smith"],
    );
    let ran = bench.here(&["check", "--config", "t.toml"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("MISTAKE  rule: "), "{ran:?}");
    bench.write("night.toml", &rule.replace("2199", "1999"));
    assert_eq!(bench.here(&sign).code, Some(0));
    assert_one_line(&bench.here(&check), 1, &["expired 1999-12-31"]);
    bench.write("night.toml.sig", "bm90IGEgc2lnbmF0dXJl\n");
    assert_one_line(
        &bench.here(&check),
        1,
        &["the signature is not base64 of 64 bytes"],
    );
}

/// A private key is its owner's alone, and never overwritten.
#[test]
fn keys_are_kept() {
    let bench = Bench::new();
    let keygen = [
        "rule",
        "keygen",
        "--name",
        "Jane Smith",
        "--out",
        "jane.key",
    ];
    assert_eq!(bench.here(&keygen).code, Some(0));
    let mode = fs::metadata(bench.path("jane.key"))
        .expect("a key")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = fs::read(bench.path("jane.key")).expect("a key");
    assert_one_line(
        &bench.here(&keygen),
        1,
        &["jane.key", "already there", "--out"],
    );
    assert_eq!(fs::read(bench.path("jane.key")).expect("a key"), before);
    bench.write("night.toml", "id = \"R-0007\"\n");
    let sign = ["rule", "sign", "night.toml", "--key", "jane.key"];
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(bench.path("jane.key"), open).expect("own file");
    assert_one_line(
        &bench.here(&sign),
        1,
        &["others may read this key", "chmod 600"],
    );
    let forged = ["rule", "keygen", "--name", "Eve\" <x>", "--out", "eve.key"];
    assert_eq!(bench.here(&forged).code, Some(2));
}
