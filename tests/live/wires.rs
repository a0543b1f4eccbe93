//! Connections of other kinds are cut, too: on a tagged trunk, over IPv6, SSH, SMB.

use super::acts::{BAIT, Running, Scene, said};
use super::cut::{CANARY, RULE};
use super::until;
use crate::support::office::Office;

/// Frames that came in from the injection port with a VLAN tag, and all of them.
fn tagged(office: &Office) -> (u64, u64) {
    let args = ["-s", "filter", "show", "dev", "p-inj", "ingress"];
    let text = office.inside("sw", "tc", &args);
    let mut counts = text.lines().filter_map(|line| {
        let (_, rest) = line.trim().strip_prefix("Sent ")?.split_once(" bytes ")?;
        rest.split_whitespace().next()?.parse::<u64>().ok()
    });
    let tagged = counts.next().unwrap_or(0);
    (tagged, tagged + counts.sum::<u64>())
}

#[test]
fn a_download_behind_a_vlan_is_cut_with_tagged_resets() {
    let test = "a download behind a VLAN";
    let rule = RULE.replace("10.77.0.0/24", "10.77.7.0/24");
    let models = [CANARY.to_owned()];
    let plan = ("autonomous", rule.as_str(), &models[..], "trunk = true\n");
    let scene = Scene::open_with(test, plan, |office, servers| {
        for (host, last) in [("pc1", 101), ("fs", 10)] {
            let ip = |args: &str| {
                let words: Vec<&str> = args.split_whitespace().collect();
                office.inside(host, "ip", &words);
            };
            // Two addresses of one adapter would look like a router, which is never touched.
            ip("addr flush dev eth0");
            ip("link add link eth0 name eth0.7 type vlan id 7");
            ip(&format!("addr add 10.77.7.{last}/24 dev eth0.7"));
            ip("link set eth0.7 up");
        }
        servers.web(office, "10.77.7.10");
        let tc = |args: &str| {
            let words: Vec<&str> = args.split_whitespace().collect();
            office.inside("sw", "tc", &words);
        };
        tc("qdisc add dev p-inj clsact");
        for (pref, proto) in [(1, "802.1q"), (2, "all")] {
            tc(&format!(
                "filter add dev p-inj ingress pref {pref} protocol {proto} u32 match u32 0 0 \
                 action gact ok"
            ));
        }
    });
    let Some(scene) = scene else {
        return;
    };
    let resets = scene.resets("fs");
    scene
        .download("pc1", "http://10.77.7.10/canary.bin")
        .is_reset();
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
        .is_reset();
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
    assert!(said.contains("reset by peer"), "{said}");
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
