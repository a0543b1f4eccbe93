//! A network namespace with a veth pair, for the tests of live capture.
//!
//! How: a test runs itself again by `unshare --net`; the namespace ends with it. There `out` and
//! `tap` are the two ends of the pair; frames are sent into `out` by libpcap.

use std::process::Command;

use pcap::{Active, Capture};

const INSIDE: &str = "TAPIR_TEST_IN_NAMESPACE";

/// Runs `test` in a fresh network namespace with a veth pair that carries nothing by itself.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn in_namespace(name: &str, test: fn()) {
    if std::env::var(INSIDE).is_ok_and(|inside| inside == name) {
        ip("link set lo up");
        pair();
        test();
        return;
    }
    let probe = Command::new("unshare")
        .args(["--net", "ip", "link"])
        .output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        eprintln!("SKIPPED {name}: `unshare --net ip link` does not work, root is needed");
        return;
    }
    let own = std::env::current_exe().expect("the path of this test");
    let output = Command::new("unshare")
        .arg("--net")
        .arg(own)
        .args(["--exact", &format!("live::{name}"), "--nocapture"])
        .env(INSIDE, name)
        .output()
        .expect("unshare");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

pub(crate) fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .expect("ip");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {text}");
}

/// Makes the pair anew, so quiet that only what a test sends is on it.
pub(crate) fn pair() {
    ip("link add out type veth peer name tap");
    for end in ["out", "tap"] {
        let quiet = format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6");
        // A kernel without IPv6 is quiet already.
        std::fs::write(quiet, "1").ok();
        ip(&format!("link set {end} arp off multicast off up"));
    }
}

pub(crate) fn sender() -> Capture<Active> {
    Capture::from_device("out")
        .expect("an interface")
        .snaplen(64)
        .open()
        .expect("libpcap on `out`")
}
