//! The kill switch: what is stopped stays stopped, whoever is killed, until a person lifts it.

use super::acts::{Scene, said};
use super::cut::{CANARY, RULE};
use super::daemon::signal;
use super::until;

/// Writes one valid reset to the injection port, as only the product may.
const RESET: &str = "import socket, struct\n\
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('inj0', 0))\n\
    own = bytes.fromhex(open('/sys/class/net/inj0/address').read().strip().replace(':', ''))\n\
    ip = bytes([0x45,0,0,40,0,0,0,0,64,6,0,0,10,77,0,101,10,77,0,10])\n\
    tcp = struct.pack('>HHIIBBHHH', 1, 2, 3, 4, 0x50, 4, 0, 0, 0)\n\
    try: s.send(b'\\x02\\x77\\0\\0\\0\\x01' + own + b'\\x08\\0' + ip + tcp)\n\
    except OSError: pass\n";

/// Whether a valid reset written to the port reaches the switch.
fn a_reset_passes(scene: &Scene) -> bool {
    let before = scene.office.injected();
    scene.office.inside("sensor", "python3", &["-c", RESET]);
    scene.office.injected() > before
}

/// Asks for a new kind of bait: withheld because of the switch, and nothing leaves.
fn is_stopped(scene: &Scene, bait: &str) {
    let before = scene.office.injected();
    let url = format!("http://10.77.0.10/{bait}");
    scene
        .office
        .inside("pc1", "curl", &["-sS", "-o", "/dev/null", &url]);
    let entry = scene.entry(bait, |entry| {
        entry["decision"]["model"] == format!("TST-{}", bait.to_uppercase())
    });
    assert!(said(&entry, "withheld"), "{bait}: {entry}");
    let reason = entry["decision"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("all responses were stopped by"), "{reason}");
    assert_eq!(scene.office.injected(), before, "{bait}");
    assert!(!a_reset_passes(scene), "{bait}: the port is open");
    let shown = scene.daemon.ask(&["show", "status"]);
    assert!(
        shown.stdout.to_lowercase().contains("stopped"),
        "{}",
        shown.stdout
    );
    assert_eq!(scene.daemon.status().expect("a status")["stopped"], true);
}

/// Kills what is named and waits until it is back.
fn kill(scene: &Scene, who: &[&str]) {
    let count =
        |status: &serde_json::Value, part: &str| status[part]["restarts"].as_u64().unwrap_or(0);
    let before = scene.daemon.status().expect("a status");
    let (sense, serve) = scene.daemon.parts();
    for part in who {
        signal(if *part == "sense" { sense } else { serve }, "KILL");
    }
    until("the dead are replaced", || {
        let status = scene.daemon.status()?;
        let back = who
            .iter()
            .all(|part| count(&status, part) > count(&before, part));
        (back && status["health"]["ts"].is_string()).then_some(())
    });
}

#[test]
fn stopped_responses_stay_stopped_whoever_is_killed_until_they_are_resumed() {
    let test = "stopped responses stay stopped";
    let baits = ["ant", "bee", "cat", "dog", "canary"];
    let model = |bait: &&str| {
        let id = CANARY.replace("TST-01", &format!("TST-{}", bait.to_uppercase()));
        id.replace("contains \"canary\"", &format!("contains \"{bait}\""))
            .replace("/canary.bin", &format!("/{bait}.bin"))
    };
    let models: Vec<String> = baits.iter().map(model).collect();
    let rule = RULE.replace("\"TST-01\"", "\"TST-*\"");
    let plan = ("autonomous", rule.as_str(), &models[..], "");
    let Some(scene) = Scene::open_with(test, plan, |_, _| {}) else {
        return;
    };
    assert!(a_reset_passes(&scene), "the filter lets no reset out");
    let stopped = scene.daemon.ask(&["stop-responses"]);
    assert_eq!(stopped.code, Some(0), "{}", stopped.stderr);
    until("the port is closed", || {
        (!a_reset_passes(&scene)).then_some(())
    });
    is_stopped(&scene, "ant");
    kill(&scene, &["sense"]);
    is_stopped(&scene, "bee");
    kill(&scene, &["serve"]);
    is_stopped(&scene, "cat");
    kill(&scene, &["sense", "serve"]);
    is_stopped(&scene, "dog");
    let resumed = scene.daemon.ask(&["resume-responses"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    until("the port is open", || a_reset_passes(&scene).then_some(()));
    scene
        .download("pc1", "http://10.77.0.10/canary.bin")
        .ends_reset();
    scene.daemon.stop();
}
