//! How often a cut succeeds, by kind of connection. Prints figures; asserts only that most succeed.

use super::acts::Scene;
use super::cut::{CANARY, RULE};
use super::until;

/// Connections of each kind; each asks for bait of its own, so that each is a breach of its own.
const EACH: usize = 20;
const KINDS: [&str; 3] = ["bulk", "paced", "pingpong"];

/// Answers a request and then speaks as its path says.
const SERVER: &str = "import socket, socketserver, time\n\
class Handler(socketserver.BaseRequestHandler):\n\
    def handle(self):\n\
        s = self.request\n\
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n\
        head = b''\n\
        while b'\\r\\n\\r\\n' not in head: head += s.recv(4096)\n\
        s.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 99999999999\\r\\n\\r\\n')\n\
        try:\n\
            while True:\n\
                if b'bulk' in head: s.sendall(bytes(65536))\n\
                elif b'paced' in head: s.sendall(b'x'); time.sleep(0.1)\n\
                else:\n\
                    if not s.recv(4096): return\n\
                    s.sendall(b'pong')\n\
        except OSError: pass\n\
class Server(socketserver.ThreadingTCPServer):\n\
    allow_reuse_address = True\n\
    daemon_threads = True\n\
Server(('10.77.0.10', 8080), Handler).serve_forever()\n";

/// Makes connections one after the other; prints kind and how each ended within two seconds.
const CLIENT: &str = "import socket, sys, time\n\
kind, each = sys.argv[1], int(sys.argv[2])\n\
for n in range(each):\n\
    s = socket.create_connection(('10.77.0.10', 8080), 5)\n\
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n\
    path = '/canary-%s-%02d.' % (kind, n)\n\
    verb = 'POST' if kind == 'pingpong' else 'GET'\n\
    more = 'Content-Length: 99999999999\\r\\n' if kind == 'pingpong' else ''\n\
    s.sendall(('%s %s HTTP/1.1\\r\\nHost: fs\\r\\n%s\\r\\n' % (verb, path, more)).encode())\n\
    begun, how = time.monotonic(), 'lived'\n\
    s.settimeout(2)\n\
    try:\n\
        while time.monotonic() - begun < 2:\n\
            got = s.recv(65536)\n\
            if not got: how = 'closed'; break\n\
            if kind == 'pingpong': s.sendall(b'ping')\n\
    except ConnectionResetError: how = 'reset'\n\
    except BrokenPipeError: how = 'reset'\n\
    except TimeoutError: how = 'silent'\n\
    print(how, '%.1f' % ((time.monotonic() - begun) * 1000))\n\
    s.close()\n";

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what this test is for")]
fn most_connections_of_every_kind_are_cut_within_two_seconds() {
    let test = "most connections are cut";
    let mut models = Vec::new();
    for kind in KINDS {
        for n in 0..EACH {
            let id = CANARY.replace("TST-01", &format!("TST-{kind}-{n:02}"));
            let bait = format!("canary-{kind}-{n:02}.");
            models.push(
                id.replace("contains \"canary\"", &format!("contains \"{bait}\""))
                    .replace("/canary.bin", &format!("/{bait}")),
            );
        }
    }
    let rule = RULE.replace("\"TST-01\"", "\"TST-*\"");
    let plan = ("autonomous", rule.as_str(), &models[..], "");
    let scene = Scene::open_with(test, plan, |office, _| {
        office.start("fs", "python3", &["-c", SERVER]);
        until("the server listens", || {
            let listening = office.inside("fs", "ss", &["-Htln", "sport = :8080"]);
            (!listening.trim().is_empty()).then_some(())
        });
    });
    let Some(scene) = scene else {
        return;
    };
    for kind in KINDS {
        let each = EACH.to_string();
        let args = ["-c", CLIENT, kind, &each];
        let text = scene.office.inside("pc1", "python3", &args);
        let ended = text
            .lines()
            .filter(|line| line.starts_with("reset"))
            .count();
        let mut times: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("reset "))
            .collect();
        times.sort_by(|a, b| a.len().cmp(&b.len()).then(a.cmp(b)));
        let middle = times.get(times.len() / 2).copied().unwrap_or("-");
        println!("{kind}: {ended} of {EACH} reset within 2 s, half of them within {middle} ms");
        if ended < EACH {
            println!("{kind}: {}", text.replace('\n', "; "));
        }
        assert!(ended * 2 > EACH, "{kind}: {text}");
    }
    for entry in scene.responses() {
        let response = &entry["response"];
        println!(
            "{} {} latency {} frames {} after {}",
            entry["decision"]["model"],
            response["state"],
            response["latency_ns"],
            response["frames_sent"],
            response["bytes_after"]
        );
    }
    scene.daemon.stop();
}
