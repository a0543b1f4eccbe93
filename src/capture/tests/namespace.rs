//! Network namespaces for tests: each test that wants one runs once more, alone, inside it.
//!
//! How: the test starts its own binary through `unshare --net` with only itself selected; the
//! namespace goes when that process ends, however it ends.

use std::process::Command;

/// Set to the name of the test that runs inside.
const INSIDE: &str = "TAPIR_TEST_NAMESPACE";

/// Runs `body` in a namespace of its own with two interfaces joined by a cable, `tap0` and `peer0`,
/// both up and silent. `name` is the test's whole name. Without root or one of `programs`, says
/// that it is skipped.
pub(crate) fn with_cable(name: &str, programs: &[&str], body: impl FnOnce()) {
    if std::env::var(INSIDE).is_ok_and(|inside| inside == name) {
        command("ip", &["link", "set", "lo", "up"]);
        add_cable("tap0", "peer0");
        body();
        return;
    }
    if let Some(why) = missing(programs) {
        skipped(name, &why);
        return;
    }
    let binary = std::env::current_exe().expect("this binary");
    let output = Command::new("unshare")
        .arg("--net")
        .arg(binary)
        .args(["--exact", name, "--nocapture", "--test-threads", "1"])
        .env(INSIDE, name)
        .output()
        .expect("unshare");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{name} inside: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Two interfaces joined by a cable, up, of which neither says anything by itself.
pub(crate) fn add_cable(one: &str, other: &str) {
    command(
        "ip",
        &["link", "add", one, "type", "veth", "peer", "name", other],
    );
    for end in [one, other] {
        command(
            "ip",
            &[
                "link",
                "set",
                end,
                "addrgenmode",
                "none",
                "arp",
                "off",
                "up",
            ],
        );
    }
    // The kernel tells of the carrier a little later; each question takes it some time.
    for end in [one, other] {
        let is_up = || {
            let shown = Command::new("ip")
                .args(["-o", "link", "show", end])
                .output();
            String::from_utf8_lossy(&shown.expect("ip").stdout).contains("state UP")
        };
        assert!((0..2_000).any(|_| is_up()), "{end} does not come up");
    }
}

/// Runs a program that must succeed.
pub(crate) fn command(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status();
    assert!(
        status.as_ref().is_ok_and(std::process::ExitStatus::success),
        "{program} {arguments:?}: {status:?}"
    );
}

/// Says that a test is left out, and why.
#[expect(
    clippy::print_stderr,
    reason = "what is left out is said to whoever runs the tests"
)]
pub(crate) fn skipped(name: &str, why: &str) {
    eprintln!("SKIPPED {name}: {why}");
}

fn missing(programs: &[&str]) -> Option<String> {
    if !nix::unistd::Uid::effective().is_root() {
        return Some("needs root".to_owned());
    }
    let absent = |program: &&&str| Command::new(program).arg("--version").output().is_err();
    let absent = ["unshare", "ip"].iter().chain(programs).find(absent)?;
    Some(format!("{absent} is missing"))
}
