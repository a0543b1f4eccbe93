//! How often a cut succeeds, by kind of connection. Prints figures; asserts only that it works at all.

use super::acts::Scene;
use super::cut::{CANARY, RULE};
use super::until;

/// Connections of each kind; each asks for bait of its own, so that each is a breach of its own.
const EACH: usize = 20;
const KINDS: [&str; 3] = ["bulk", "paced", "pingpong"];

/// Answers a request and then speaks as its path says.
const SERVER: &str = r"
import socket, socketserver, time
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        s = self.request
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = b''
        while b'\r\n\r\n' not in head: head += s.recv(4096)
        s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n')
        try:
            while True:
                if b'bulk' in head: s.sendall(bytes(65536))
                elif b'paced' in head: s.sendall(b'x'); time.sleep(0.1)
                else:
                    if not s.recv(4096): return
                    s.sendall(b'pong')
        except OSError: pass
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
Server(('10.77.0.10', 8080), Handler).serve_forever()
";

/// Makes connections one after the other; prints kind and how each ended within two seconds.
const CLIENT: &str = r"
import socket, sys, time
kind, each = sys.argv[1], int(sys.argv[2])
for n in range(each):
    s = socket.create_connection(('10.77.0.10', 8080), 5)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    path = '/canary-%s-%02d.' % (kind, n)
    verb = 'POST' if kind == 'pingpong' else 'GET'
    more = 'Content-Length: 99999999999\r\n' if kind == 'pingpong' else ''
    s.sendall(('%s %s HTTP/1.1\r\nHost: fs\r\n%s\r\n' % (verb, path, more)).encode())
    begun, how = time.monotonic(), 'lived'
    s.settimeout(2)
    try:
        while time.monotonic() - begun < 2:
            got = s.recv(65536)
            if not got: how = 'closed'; break
            if kind == 'pingpong': s.sendall(b'ping')
    except ConnectionResetError: how = 'reset'
    except BrokenPipeError: how = 'reset'
    except TimeoutError: how = 'silent'
    print(how, '%.1f' % ((time.monotonic() - begun) * 1000))
    s.close()
";

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what this test is for")]
fn connections_of_every_kind_are_cut() {
    let test = "most connections are cut";
    let mut models = Vec::new();
    for kind in KINDS {
        for n in 0..EACH {
            let number = models.len() + 1;
            let id = CANARY.replace("TST-01", &format!("TST-{number:02}"));
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
        assert!(ended * 4 > EACH, "{kind}: {text}");
    }
    let latency = |entry: &serde_json::Value| entry["response"]["latency_ns"].as_u64();
    let mut latencies: Vec<u64> = scene.responses().iter().filter_map(latency).collect();
    latencies.sort_unstable();
    let at = |share: usize| latencies.get(latencies.len() * share / 100).copied();
    println!(
        "packet to first reset: half within {:?} ns, 9 of 10 within {:?} ns, of {}",
        at(50),
        at(90),
        latencies.len()
    );
    scene.daemon.stop();
}
