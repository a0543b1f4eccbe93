//! Connections of other kinds are cut, too: on a tagged trunk, over IPv6, SSH, SMB.

use std::path::Path;

use super::acts::{BAIT, Running, Scene, said};
use super::cut::{CANARY, RULE};
use super::until;
use crate::support::office::{Office, can};

/// Counts what comes in from the injection port.
const COUNTS: &str = "table netdev counts {
  counter entered { }
  counter tagged { }
  chain in {
    type filter hook ingress device \"p-inj\" priority 0;
    counter name entered
    vlan id 7 counter name tagged
  }
}";

/// Frames that came in from the injection port with the tag of VLAN 7, and all of them.
fn tagged(office: &Office) -> (u64, u64) {
    let text = office.inside("sw", "nft", &["list", "counters"]);
    let packets = |name: &str| {
        let (_, after) = text.split_once(&format!("counter {name} {{"))?;
        after.split_whitespace().nth(1)?.parse().ok()
    };
    (
        packets("tagged").expect("a count"),
        packets("entered").expect("a count"),
    )
}

/// A network card on VLAN 7 of a trunk, for kernels without VLAN interfaces: what is written to `tap0`
/// leaves `eth0` with a tag, what comes in with that tag goes up without it.
const TRUNK_CARD: &str = r"
import fcntl, os, select, socket, struct, subprocess, sys
tap = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(tap, 0x400454ca, struct.pack('16sH22x', b'tap0', 0x1002))
mac = open('/sys/class/net/eth0/address').read().strip()
for args in ['link set tap0 address ' + mac + ' mtu 1400 up', 'addr add ' + sys.argv[1] + ' dev tap0']:
    subprocess.run(['ip'] + args.split(), check=True)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); wire.bind(('eth0', 3))
wire.setsockopt(263, 8, 1); wire.setsockopt(263, 23, 1)
while True:
    for ready in select.select([tap, wire], [], [])[0]:
        if ready is tap:
            frame = os.read(tap, 65536)
            wire.send(frame[:12] + b'\x81\0\0\x07' + frame[12:])
            continue
        frame, told, _, _ = wire.recvmsg(65536, 256)
        for level, kind, data in told:
            if (level, kind) == (263, 8):
                status, _, _, _, _, tag, _ = struct.unpack('IIIHHHH', data[:20])
                if status & 0x10 and tag & 0xfff == 7: os.write(tap, frame)
";

#[test]
#[expect(
    clippy::print_stdout,
    reason = "what is skipped is said where tests report"
)]
fn a_download_behind_a_vlan_is_cut_with_tagged_resets() {
    let test = "a download behind a VLAN";
    let rule = RULE.replace("10.77.0.0/24", "10.77.7.0/24");
    if !Path::new("/dev/net/tun").exists() || !can(test, &["python3"]) {
        println!("SKIPPED {test}: needs /dev/net/tun");
        return;
    }
    let models = [CANARY.to_owned()];
    let plan = ("autonomous", rule.as_str(), &models[..], "trunk = true\n");
    let scene = Scene::open_with(test, plan, |office, servers| {
        for (host, last) in [("pc1", 101), ("fs", 10)] {
            // Two addresses of one adapter would look like a router, which is never touched.
            office.inside(host, "ip", &["addr", "flush", "dev", "eth0"]);
            let addr = format!("10.77.7.{last}/24");
            office.start(host, "python3", &["-c", TRUNK_CARD, &addr]);
            until("the card works", || {
                let shown = office.run(host, "ip", &["addr", "show", "dev", "tap0"]);
                let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
                shown.contains(&addr).then_some(())
            });
        }
        servers.web(office, "10.77.7.10");
        office.inside("sw", "nft", &[COUNTS]);
    });
    let Some(scene) = scene else {
        return;
    };
    let resets = scene.resets("fs");
    scene
        .download("pc1", "http://10.77.7.10/canary.bin")
        .ends_reset();
    until("the server's end is reset", || {
        (scene.resets("fs") > resets).then_some(())
    });
    let (with_tag, all) = tagged(&scene.office);
    assert!(
        with_tag > 0 && with_tag == all,
        "{with_tag} of {all} tagged"
    );
    scene.daemon.stop();
}

#[test]
fn a_download_over_ipv6_is_cut() {
    let test = "a download over IPv6";
    let rule = RULE.replace("10.77.0.0/24", "fd77::/64");
    let models = [CANARY.to_owned()];
    let plan = ("autonomous", rule.as_str(), &models[..], "");
    let scene = Scene::open_with(test, plan, |office, servers| {
        for (host, addr) in [("pc1", "fd77::101/64"), ("fs", "fd77::10/64")] {
            for which in ["all", "default", "eth0"] {
                let key = format!("net.ipv6.conf.{which}.disable_ipv6=0");
                office.inside(host, "sysctl", &["-qw", &key]);
            }
            let args = ["addr", "add", addr, "nodad", "dev", "eth0"];
            office.inside(host, "ip", &args);
        }
        servers.web(office, "fd77::10");
    });
    let Some(scene) = scene else {
        return;
    };
    let resets = scene.resets("fs");
    scene
        .download("pc1", "http://[fd77::10]/canary.bin")
        .ends_reset();
    until("the server's end is reset", || {
        (scene.resets("fs") > resets).then_some(())
    });
    scene.daemon.stop();
}

/// A model of another kind of record, made of the canary's.
fn model(on: &str, when: &str, hit: &str, near: &str) -> String {
    let row = |fields: &str| format!("row = {{ {fields}, device = \"pc1\", peer = \"fs\" }}\n");
    format!(
        "id = \"TST-01\"\ntitle = \"Bait was touched\"\nclass = \"threat\"\nattack = [\"T1005\"]\n\
         on = \"{on}\"\ndevice = \"orig\"\nwhen = '{when}'\nrate_prior = 0.001\nimpact = 5\n\
         response = \"reset\"\nrarity_text = \"Nobody has a reason to.\"\n\
         owner = \"{{device}} touched bait on {{peer}}.\"\n\
         engineer = \"{{device}} touched bait on {{peer}}.\"\ndescription = \"Bait.\"\n\
         [[test]]\nexpect = \"breach\"\nband = [95, 100]\nnote = \"the bait\"\n{}\
         [[test]]\nexpect = \"no_breach\"\nnote = \"anything else\"\n{}\
         [[test]]\nexpect = \"near_miss\"\nnote = \"much like it\"\n{}",
        row(hit),
        row(near),
        row(near),
    )
}

/// Signed in and at work when a person approves: both ends are reset.
#[test]
fn an_established_ssh_session_is_cut() {
    let test = "an established SSH session";
    let when = "client contains \"OpenSSH\"";
    let hit = "client = \"SSH-2.0-OpenSSH_9.2\"";
    let models = [model("ssh", when, hit, "client = \"SSH-2.0-dropbear\"")];
    let plan = ("confirm", RULE, &models[..], "");
    let Some(scene) = Scene::open_with(test, plan, |_, _| {}) else {
        return;
    };
    let resets = (scene.resets("pc1"), scene.resets("fs"));
    let proof = scene.daemon.folder.join("signed-in");
    let work = format!(
        "touch {}; while :; do echo working; sleep 0.05; done",
        proof.display()
    );
    let mut args = scene.servers.ssh_args();
    args.push(work);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut session = Running::start(scene.office.command("pc1", "ssh", &args));
    until("the session works", || {
        assert!(session.runs(), "the session did not begin");
        proof.exists().then_some(())
    });
    let asked = scene.entry("the question", |entry| said(entry, "ask"));
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let (id, code) = (text(&asked["decision"]["id"]), text(&asked["code"]));
    let approved = scene.daemon.ask(&["approve", &id, &code]);
    assert_eq!(approved.code, Some(0), "{}", approved.stderr);
    let (code, said) = session.end();
    assert_eq!(code, Some(255), "{said}");
    // Which of the two depends on whether it was reading or writing.
    let cut = ["reset by peer", "Broken pipe"];
    assert!(cut.iter().any(|how| said.contains(how)), "{said}");
    until("both ends are reset", || {
        let now = (scene.resets("pc1"), scene.resets("fs"));
        (now.0 > resets.0 && now.1 > resets.1).then_some(())
    });
    scene.daemon.stop();
}

#[test]
fn a_transfer_over_smb_is_cut() {
    let test = "a transfer over SMB";
    let when = "name contains \"canary\"";
    let near = "name = \"plan.txt\"";
    let models = [model("smb_files", when, "name = \"canary.dat\"", near)];
    let plan = ("autonomous", RULE, &models[..], "");
    let scene = Scene::open_with(test, plan, |office, _| {
        // Slow enough that the transfer lasts some seconds.
        let shape = "qdisc add dev eth0 root tbf rate 80mbit burst 32kb latency 50ms";
        let words: Vec<&str> = shape.split_whitespace().collect();
        office.inside("fs", "tc", &words);
    });
    let Some(scene) = scene else {
        return;
    };
    let resets = (scene.resets("pc1"), scene.resets("fs"));
    let got = scene.office.run(
        "pc1",
        "smbclient",
        &[
            "-N",
            "-s",
            "/dev/null",
            "//10.77.0.10/data",
            "-c",
            "get canary.dat /dev/null",
        ],
    );
    assert!(!got.status.success(), "the transfer came to its end");
    until("both ends are reset", || {
        let now = (scene.resets("pc1"), scene.resets("fs"));
        (now.0 > resets.0 && now.1 > resets.1).then_some(())
    });
    // A page of the same server is nobody's concern.
    let page = scene.office.inside(
        "pc1",
        "curl",
        &["-sS", &BAIT.replace("canary.bin", "small")],
    );
    assert!(page.starts_with("small"), "{page}");
    scene.daemon.stop();
}
