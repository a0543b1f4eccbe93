//! A reader that stands still: within what the ring bridges nothing is lost, beyond it every loss is counted.
//!
//! How: the capturing process is stopped by a signal while frames come, and goes on when all have been sent. What
//! came in is the mirror port's own count, what was read and what was lost is the daemon's.

use std::fs;

use super::daemon::{Daemon, configure, signal};
use super::until;
use crate::support::office::{Office, can};

/// A small ring: 4 MiB. Its blocks are handed over late, so that it bridges 6.4 s.
const RING: &str = "[capture]\nblocks = 64\nblock_kib = 64\nretire_ms = 100\n";
const STALL_MS: u64 = 6_400;

/// Sends frames of a size, each from a port of its own.
const SENDER: &str = r"
import socket, struct, sys
count, size = int(sys.argv[1]), int(sys.argv[2])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0))
own = bytes.fromhex(open('/sys/class/net/eth0/address').read().strip().replace(':', ''))
for n in range(count):
    body = struct.pack('>HHHH', 1024 + n % 60000, 9, 8 + size, 0) + bytes(size)
    ip = struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(body), n % 65536, 0, 64, 17, 0)
    ip += bytes([10, 77, 0, 101, 10, 77, 0, 10])
    s.send(b'\x02\x77\0\0\0\x03' + own + b'\x08\0' + ip + body)
";

/// Frames that have come in at the mirror port.
fn came(office: &Office) -> u64 {
    let path = "/sys/class/net/span0/statistics/rx_packets";
    let text = office.inside("sensor", "cat", &[path]);
    text.trim().parse().expect("a count")
}

/// Frames read and frames lost, as the daemon says.
fn accounted(daemon: &Daemon) -> Option<(u64, u64)> {
    let status = daemon.status()?;
    let queues = status["health"]["queues"].as_array()?.clone();
    let sum = |name: &str| -> Option<u64> { queues.iter().map(|q| q[name].as_u64()).sum() };
    Some((sum("packets")?, sum("dropped")?))
}

/// Stops the reader while `frames` of `size` bytes come; gives how many were read and lost of how many.
fn stalled(test: &str, frames: u32, size: u32) -> Option<(u64, u64, u64)> {
    let office = Office::open(test)?;
    if !can(test, &["python3", "cat"]) {
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), RING);
    let before = came(&office);
    let daemon = Daemon::start(&office, folder.path(), &[]);
    let status = daemon.status().expect("a status");
    assert_eq!(status["health"]["stall_ms"], STALL_MS, "{status}");
    let shown = daemon.ask(&["show", "status"]);
    let stated = "bridges a stall of 6400 ms";
    assert!(shown.stdout.contains(stated), "{}", shown.stdout);

    let (sense, _) = daemon.parts();
    signal(sense, "STOP");
    until("the reader stands still", || {
        let stat = fs::read_to_string(format!("/proc/{sense}/stat")).expect("a process");
        stat.contains(") T ").then_some(())
    });
    let args = ["-c", SENDER, &frames.to_string(), &size.to_string()];
    office.inside("pc1", "python3", &args);
    signal(sense, "CONT");

    let told = until("every frame is accounted for", || {
        let (read, lost) = accounted(&daemon)?;
        let all = came(&office) - before;
        (read + lost == all).then_some((read, lost, all))
    });
    assert!(told.2 >= u64::from(frames), "{told:?}");
    let status = daemon.status().expect("a status");
    assert_eq!(status["sense"]["restarts"], 0, "{status}");
    daemon.stop();
    Some(told)
}

#[test]
fn a_stall_that_the_ring_bridges_loses_nothing() {
    if let Some((read, lost, all)) = stalled("a stall the ring bridges", 2_000, 18) {
        assert_eq!((read, lost), (all, 0));
    }
}

#[test]
fn a_stall_beyond_it_loses_and_says_exactly_how_much() {
    // Thirty megabytes into a ring of four.
    if let Some((read, lost, all)) = stalled("a stall beyond the ring", 25_000, 1_200) {
        assert!(lost > 0 && read > 0, "{read} read, {lost} lost of {all}");
    }
}
