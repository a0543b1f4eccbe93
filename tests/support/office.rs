//! A small office in network namespaces: hosts round a learning switch with a true mirror port.
//!
//! ```text
//! pc1 ─┐                    ┌─ span0 (mirror of what enters at every access port)
//! pc2 ─┼─ switch (bridge) ──┤
//! fs  ─┘                    └─ inj0 (an access port of its own, not mirrored) ── sensor ── mgmt0 ── siem
//! ```
//!
//! Every name carries the process id and a count, everything is removed when the value is dropped, and
//! nothing in it has a route out.

use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Hosts of the office with their last address byte; the network is 10.77.0.0/24.
const HOSTS: [(&str, u8); 4] = [("pc1", 101), ("pc2", 102), ("fs", 10), ("cam", 50)];

/// See the module.
#[derive(Debug)]
pub(crate) struct Office {
    prefix: String,
    children: Vec<Child>,
}

impl Office {
    /// Builds the office; `None`, having said why, where that cannot be.
    pub(crate) fn open(test: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !can(test, &["ip", "tc", "ethtool", "nft"]) {
            return None;
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let office = Self {
            prefix: format!("tp{}-{count}-", std::process::id()),
            children: Vec::new(),
        };
        office.build();
        Some(office)
    }

    fn build(&self) {
        for name in self.names() {
            self.must("ip", &["netns", "add", &self.netns(name)]);
            self.inside(name, "ip", &["link", "set", "lo", "up"]);
            for which in ["all", "default"] {
                let key = format!("net.ipv6.conf.{which}.disable_ipv6=1");
                self.inside(name, "sysctl", &["-qw", &key]);
            }
        }
        let sw = |args: &str| self.inside("sw", "ip", &words(args));
        sw("link add br0 type bridge stp_state 0 forward_delay 0");
        sw("link set br0 up");
        self.cable("span", "span0");
        self.cable("p-inj", "inj0");
        sw("link set p-inj master br0");
        for (number, (host, last)) in (1_u8..).zip(HOSTS) {
            self.plug_in(host, number, last);
        }
        let siem = self.netns("siem");
        let link = format!("link add mgmt0 type veth peer name mgmt0 netns {siem}");
        self.inside("sensor", "ip", &words(&link));
        for (host, addr) in [("sensor", "192.168.77.2/24"), ("siem", "192.168.77.1/24")] {
            self.inside(host, "ip", &["addr", "add", addr, "dev", "mgmt0"]);
            self.inside(host, "ip", &["link", "set", "mgmt0", "up"]);
        }
    }

    /// A cable from a port of the switch to one of the sensor, both new.
    pub(crate) fn cable(&self, port: &str, far: &str) {
        let netns = self.netns("sensor");
        let link = format!("link add {port} type veth peer name {far} netns {netns}");
        self.inside("sw", "ip", &words(&link));
        self.inside("sw", "ip", &["link", "set", port, "up"]);
        self.plain("sw", port);
        self.inside("sensor", "ip", &["link", "set", far, "up"]);
        self.plain("sensor", far);
    }

    fn plug_in(&self, host: &str, number: u8, last: u8) {
        let port = format!("p-{host}");
        let netns = self.netns(host);
        let link = format!("link add {port} type veth peer name eth0 netns {netns}");
        self.inside("sw", "ip", &words(&link));
        self.inside("sw", "ip", &["link", "set", &port, "master", "br0", "up"]);
        self.inside("sw", "tc", &["qdisc", "add", "dev", &port, "clsact"]);
        let mirror = format!(
            "filter add dev {port} ingress protocol all u32 match u32 0 0 \
             action mirred egress mirror dev span"
        );
        self.inside("sw", "tc", &words(&mirror));
        self.plain("sw", &port);
        self.plain(host, "eth0");
        let mac = format!("02:77:00:00:00:{number:02x}");
        self.inside(host, "ip", &["link", "set", "eth0", "address", &mac]);
        self.inside(host, "ip", &["link", "set", "eth0", "up"]);
        let addr = format!("10.77.0.{last}/24");
        self.inside(host, "ip", &["addr", "add", &addr, "dev", "eth0"]);
    }

    /// Frames as a cable would carry them: whole segments, checksums done.
    fn plain(&self, host: &str, device: &str) {
        let args = format!("-K {device} tso off gso off gro off tx off rx off");
        self.inside(host, "ethtool", &words(&args));
    }

    fn names(&self) -> Vec<&'static str> {
        let hosts = HOSTS.iter().map(|(host, _)| *host);
        ["sw", "sensor", "siem"].into_iter().chain(hosts).collect()
    }

    /// The full name of a host's namespace.
    pub(crate) fn netns(&self, host: &str) -> String {
        format!("{}{host}", self.prefix)
    }

    /// A command that will run in a host's namespace, with nothing to read.
    pub(crate) fn command(&self, host: &str, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.netns(host), program]);
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, whatever that is.
    pub(crate) fn run(&self, host: &str, program: &str, args: &[&str]) -> Output {
        let output = self.command(host, program, args).output();
        output.unwrap_or_else(|error| panic!("{program}: {error}"))
    }

    /// Runs a command that has to succeed; gives what it printed.
    pub(crate) fn inside(&self, host: &str, program: &str, args: &[&str]) -> String {
        let netns = self.netns(host);
        let all: Vec<&str> = ["netns", "exec", &netns, program]
            .into_iter()
            .chain(args.iter().copied())
            .collect();
        self.must("ip", &all)
    }

    /// Starts a command that is ended with the office.
    pub(crate) fn start(&mut self, host: &str, program: &str, args: &[&str]) {
        let child = self
            .command(host, program, args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.children
            .push(child.unwrap_or_else(|error| panic!("{program}: {error}")));
    }

    /// Frames that came out of the sensor's injection port, as the switch counted them.
    pub(crate) fn injected(&self) -> u64 {
        let text = self.inside("sw", "cat", &["/sys/class/net/p-inj/statistics/rx_packets"]);
        text.trim().parse().expect("a count")
    }

    /// Where the switch believes the hosts that have spoken to be: hardware address and port, in order.
    pub(crate) fn hosts_in_switch_table(&self) -> Vec<String> {
        let text = self.inside("sw", "bridge", &["fdb", "show", "br", "br0", "dynamic"]);
        let entry = |line: &str| {
            let mut words = line.split_whitespace();
            format!(
                "{} {}",
                words.next().unwrap_or(""),
                words.nth(1).unwrap_or("")
            )
        };
        let hosts = text.lines().filter(|line| line.starts_with("02:77:"));
        let mut table: Vec<String> = hosts.map(entry).collect();
        table.sort();
        table
    }

    fn must(&self, program: &str, args: &[&str]) -> String {
        let output = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(
            output.status.success(),
            "{program} {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _gone_already = child.kill();
            let _reaped = child.wait();
        }
        for name in self.names() {
            let netns = self.netns(name);
            let pids = Command::new("ip").args(["netns", "pids", &netns]).output();
            let pids = pids.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
            // Only what this office started can be in its namespaces.
            for pid in pids.unwrap_or_default().split_whitespace() {
                let _gone = Command::new("kill").args(["-9", pid]).status();
            }
            let _gone = Command::new("ip").args(["netns", "del", &netns]).status();
        }
    }
}

/// Whether namespaces can be used and all programs are there; says why not, by the test's name.
#[expect(
    clippy::print_stdout,
    reason = "what is skipped is said where tests report"
)]
pub(crate) fn can(test: &str, programs: &[&str]) -> bool {
    static NAMESPACES: OnceLock<bool> = OnceLock::new();
    let namespaces = *NAMESPACES.get_or_init(namespaces_work);
    let lacks = |program: &&&str| {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .stdout(Stdio::null())
            .status();
        !found.is_ok_and(|status| status.success())
    };
    let lacking: Vec<&str> = programs.iter().filter(lacks).copied().collect();
    if !namespaces {
        println!(
            "SKIPPED {test}: network namespaces with an egress filter are root's, or not to be had here"
        );
    } else if !lacking.is_empty() {
        println!("SKIPPED {test}: not installed: {}", lacking.join(", "));
    }
    namespaces && lacking.is_empty()
}

/// Whether a namespace can be made, and nftables be asked in it.
fn namespaces_work() -> bool {
    let netns = format!("tp{}-probe", std::process::id());
    let ip = |args: &[&str]| {
        let done = Command::new("ip").args(args).stdin(Stdio::null()).output();
        done.is_ok_and(|output| output.status.success())
    };
    let works =
        ip(&["netns", "add", &netns]) && ip(&["netns", "exec", &netns, "nft", "list", "tables"]);
    ip(&["netns", "del", &netns]);
    works
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}
