//! What an operator gets wrong is one line that says what to do; nothing is left behind by it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::cut::{day, prepare};
use super::daemon::{Daemon, configure};
use super::killed::ask_for_canaries;
use super::until;
use crate::support::office::{Office, can};
use crate::support::{self, Ran};

/// Runs `tapir run ARGS` in the sensor's namespace to its end, which has to come by itself.
fn ends(office: &Office, folder: &Path, before: &[&str], args: &[&str]) -> Ran {
    let config = folder.join("tapir.toml");
    let config = config.to_str().expect("UTF-8");
    let all = [
        &["-s", "KILL", "25"],
        before,
        &["run", "--config", config],
        args,
    ]
    .concat();
    let ran = support::run(
        office
            .command("sensor", "timeout", &all)
            .env_remove("TAPIR_LOG"),
    );
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    ran
}

const TAPIR: &str = env!("CARGO_BIN_EXE_tapir");

/// The one line a run ends with.
fn one_line(ran: &Ran) -> &str {
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    ran.stderr.trim_end()
}

/// No process, no filter and no lock of a daemon that did not start.
fn nothing_is_left(office: &Office, folder: &Path) {
    let netns = office.netns("sensor");
    let pids = support::run(std::process::Command::new("ip").args(["netns", "pids", &netns]));
    assert_eq!(pids.stdout, "", "processes are left");
    assert_eq!(office.inside("sensor", "nft", &["list", "ruleset"]), "");
    let lock = folder.join("control.lock");
    office.inside(
        "sensor",
        "flock",
        &["-n", lock.to_str().expect("UTF-8"), "true"],
    );
}

#[test]
fn an_interface_that_is_not_there_is_named_with_those_that_are() {
    let test = "an interface that is not there";
    let Some(office) = Office::open(test) else {
        return;
    };
    if !can(test, &["flock", "timeout"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for mode in ["off", "autonomous"] {
        prepare(folder.path(), mode, "");
        let record = folder.path().join("record.pcapng");
        let args = [
            "--interface",
            "span9",
            "--record",
            record.to_str().expect("UTF-8"),
        ];
        let ran = ends(&office, folder.path(), &[TAPIR], &args);
        let line = one_line(&ran);
        assert!(
            line.contains("span9: no such interface") && line.ends_with("did you mean span0?"),
            "{line}"
        );
        nothing_is_left(&office, folder.path());
        assert!(!record.exists());
        fs::remove_file(folder.path().join("jane.key")).expect("a key");
    }
}

#[test]
fn without_privilege_the_remedy_is_named() {
    let test = "without privilege";
    let Some(office) = Office::open(test) else {
        return;
    };
    if !can(test, &["setpriv", "flock", "timeout"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), "");
    // Nobody may look into the folder the program was built in.
    let program = folder.path().join("tapir");
    fs::copy(TAPIR, &program).expect("a copy");
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(folder.path(), open).expect("the test's own folder");
    let nobody = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        program.to_str().expect("UTF-8"),
    ];
    let ran = ends(&office, folder.path(), &nobody, &["--interface", "span0"]);
    assert!(
        one_line(&ran).contains("run as root or with CAP_NET_RAW"),
        "{}",
        ran.stderr
    );
    nothing_is_left(&office, folder.path());
}

#[test]
fn an_unknown_key_is_shown_where_it_stands() {
    let Some(office) = Office::open("an unknown key") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = configure(folder.path(), "[capture]\nblokcs = 64\n");
    let text = fs::read_to_string(&path).expect("a configuration");
    let at = text.lines().position(|line| line.starts_with("blokcs"));
    let place = format!("{}:{}", path.display(), at.expect("a line") + 1);
    let ran = ends(&office, folder.path(), &[TAPIR], &["--interface", "span0"]);
    let line = one_line(&ran);
    assert!(
        line.contains(&place) && line.contains("did you mean") && line.contains("blocks"),
        "{line}"
    );
    let checked = support::tapir(&["check", "--config", path.to_str().expect("UTF-8")]);
    assert_eq!(checked.code, Some(1));
    assert!(checked.stdout.contains(&place), "{}", checked.stdout);
}

#[test]
fn a_second_daemon_says_who_runs_and_the_first_goes_on() {
    let Some(office) = Office::open("a second daemon") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), "");
    let first = Daemon::start(&office, folder.path(), &[]);
    let parts = first.parts();
    let ran = ends(&office, folder.path(), &[TAPIR], &["--interface", "span0"]);
    let line = one_line(&ran);
    assert!(line.contains(&format!("process {}", first.pid())), "{line}");
    assert_eq!(first.parts(), parts);
    first.stop();
}

#[test]
fn to_act_takes_a_port_and_a_rule() {
    let Some(office) = Office::open("to act takes a port and a rule") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), "");
    for mode in ["confirm", "autonomous"] {
        let args = ["--interface", "span0", "--response", mode];
        let ran = ends(&office, folder.path(), &[TAPIR], &args);
        // Two mistakes, a line each.
        assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
        assert!(
            ran.stderr.contains("--inject") && ran.stderr.contains("response.rules"),
            "{}",
            ran.stderr
        );
        let args = [&args[..], &["--inject", "inj0"]].concat();
        let ran = ends(&office, folder.path(), &[TAPIR], &args);
        assert!(one_line(&ran).contains("response.rules"), "{}", ran.stderr);
    }
}

/// Signs the rule in `folder` with a key in it.
fn sign(folder: &Path, key: &str) {
    let at = |name: &str| folder.join(name).display().to_string();
    let signed = support::tapir(&["rule", "sign", &at("rule.toml"), "--key", &at(key)]);
    assert_eq!(signed.code, Some(0), "{}", signed.stderr);
}

/// Puts another end to the rule in `folder`, signed by who may.
fn end_rule_at(folder: &Path, until: &str) {
    let path = folder.join("rule.toml");
    let text = fs::read_to_string(&path).expect("a rule");
    let line = |line: &str| match line.starts_with("until = ") {
        true => format!("until = {until}\n"),
        false => format!("{line}\n"),
    };
    let text: String = text.lines().map(line).collect();
    fs::write(&path, text).expect("a rule");
    sign(folder, "jane.key");
}

#[test]
fn a_rule_nobody_may_have_signed_is_refused() {
    let Some(office) = Office::open("a rule nobody may have signed") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    prepare(folder.path(), "autonomous", "");
    let refused = |word: &str| {
        let args = ["--interface", "span0", "--inject", "inj0"];
        let ran = ends(&office, folder.path(), &[TAPIR], &args);
        let line = one_line(&ran);
        assert!(line.contains("rule.toml") && line.contains(word), "{line}");
        nothing_is_left(&office, folder.path());
        let checked = support::tapir(&["check", "--config", &at("tapir.toml")]);
        assert_eq!(checked.code, Some(1));
        assert!(checked.stdout.contains(word), "{}", checked.stdout);
    };
    fs::remove_file(at("rule.toml.sig")).expect("a signature");
    refused("unsigned");
    let stranger = [
        "rule",
        "keygen",
        "--name",
        "Jane Smith, head of IT",
        "--out",
        &at("stranger.key"),
    ];
    assert_eq!(support::tapir(&stranger).code, Some(0));
    sign(folder.path(), "stranger.key");
    refused("signature");
    sign(folder.path(), "jane.key");
    let rule = fs::read_to_string(at("rule.toml")).expect("a rule");
    fs::write(at("rule.toml"), rule.replace("= 60\n", "= 61\n")).expect("a rule");
    refused("signature");
}

/// Asks for a canary; gives what was decided about it.
fn decided(office: &Office, daemon: &Daemon) -> String {
    ask_for_canaries(office, 0, 1);
    until("a decision", || {
        let responses = daemon.json(&["show", "responses"]).to_string();
        responses.contains("verdict").then_some(responses)
    })
}

/// `check` refuses it, so that a person notices; the sensor still watches, and says why it will not act.
#[test]
fn an_expired_rule_is_a_mistake_to_check_and_a_reason_to_run() {
    let Some(office) = Office::open("an expired rule") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path(), "autonomous", "");
    let over = day("2 days ago");
    end_rule_at(folder.path(), &over);
    let over = over.get(..10).expect("a date");
    let config = folder.path().join("tapir.toml");
    let checked = support::tapir(&["check", "--config", config.to_str().expect("UTF-8")]);
    assert_eq!(checked.code, Some(1));
    assert!(
        checked.stdout.contains(&format!("expired {over}")),
        "{}",
        checked.stdout
    );
    let before = office.injected();
    let daemon = Daemon::start(&office, folder.path(), &["--inject", "inj0"]);
    says(
        &daemon,
        "DEGRADED",
        &format!("Rule R-0001 expired at {over}"),
    );
    let decided = decided(&office, &daemon);
    assert!(
        decided.contains("withheld") && decided.contains(&format!("rule R-0001 expired at {over}")),
        "{decided}"
    );
    assert_eq!(office.injected(), before);
    daemon.stop();
}

/// The end of a rule comes while the daemon runs.
#[test]
fn a_rule_that_expires_meanwhile_withholds_from_then_on() {
    let Some(office) = Office::open("a rule that expires meanwhile") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path(), "autonomous", "");
    let soon = office.inside("sensor", "date", &["-ud", "8 seconds", "+%FT%TZ"]);
    end_rule_at(folder.path(), soon.trim());
    let daemon = Daemon::start(&office, folder.path(), &["--inject", "inj0"]);
    says(&daemon, "DEGRADED", "Rule R-0001 expired at");
    let decided = decided(&office, &daemon);
    assert!(
        decided.contains("withheld") && decided.contains("rule R-0001 expired at"),
        "{decided}"
    );
    daemon.stop();
}

/// Waits until the status is `state` with a reason that contains `words`.
pub(crate) fn says(daemon: &Daemon, state: &str, words: &str) {
    until(&format!("status {state}: {words}"), || {
        let status = daemon.status()?;
        let said = status["state"] == state && status["reasons"].to_string().contains(words);
        said.then_some(())
    });
}

#[test]
fn a_record_is_never_written_over() {
    let Some(office) = Office::open("a record is never written over") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path(), "off", "");
    let record = folder.path().join("record.pcapng");
    fs::write(&record, "precious").expect("a file");
    let args = ["--record", record.to_str().expect("UTF-8")];
    let daemon = Daemon::start(&office, folder.path(), &args);
    ask_for_canaries(&office, 0, 1);
    until("the record grows", || {
        let status = daemon.status()?;
        (status["health"]["recorded"].as_u64()? >= 5).then_some(())
    });
    assert!(daemon.log().contains("record-2.pcapng"), "{}", daemon.log());
    daemon.stop();
    assert_eq!(fs::read(&record).expect("the file"), b"precious");
    let other = fs::metadata(folder.path().join("record-2.pcapng")).expect("a record");
    assert!(other.len() > 500, "{} bytes", other.len());
}
