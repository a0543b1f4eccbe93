//! Payload on its way to a parser: sensing, order, gaps, differing copies. SSH is the parser.

use super::*;

const CLIENT_LINE: &[u8] = b"SSH-2.0-PuTTY_Release_0.81\r\n";
const SERVER_LINE: &[u8] = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n";

/// A handshake on a port nobody knows, then whatever `talk` does.
fn with(talk: impl FnOnce(&mut Bench)) -> Bench {
    let mut bench = Bench::new();
    bench.handshake();
    talk(&mut bench);
    let end = bench.now_ms + 1;
    bench.finish(end);
    bench
}

/// Client and server lines of the `ssh` records, and the service.
fn told(bench: &Bench) -> (Vec<String>, Vec<String>, Vec<String>) {
    let field = |name| records(&bench.out, "ssh", name);
    (field("client"), field("server"), bench.conns("service"))
}

#[test]
fn content_tells_the_protocol_on_any_port() {
    let bench = with(|b| {
        b.seg('<', "PA", SERVER_LINE).seg('>', "PA", CLIENT_LINE);
    });
    let (client, server, service) = told(&bench);
    assert_eq!(client, ["SSH-2.0-PuTTY_Release_0.81"]);
    assert_eq!(server, ["SSH-2.0-OpenSSH_9.2p1 Debian-2"]);
    assert_eq!(service, ["ssh"]);
    let mut stats = tapir_message::Stats::default();
    bench.tracker.stats().add_to(&mut stats);
    assert_eq!(stats.services.get("ssh"), Some(&1));
}

#[test]
fn single_bytes_in_both_directions_make_the_same_record() {
    let bench = with(|b| {
        for byte in SERVER_LINE {
            b.seg('<', "PA", &[*byte]);
        }
        for byte in CLIENT_LINE {
            b.seg('>', "PA", &[*byte]);
        }
    });
    assert_eq!(told(&bench).0, ["SSH-2.0-PuTTY_Release_0.81"]);
    assert_eq!(told(&bench).1, ["SSH-2.0-OpenSSH_9.2p1 Debian-2"]);
}

#[test]
fn segments_out_of_order_and_repeated_are_put_right() {
    let bench = with(|b| {
        let (seq, ack) = (b.server_seq, b.client_seq);
        let piece = |at: usize, to: usize| {
            let seq = seq + u32::try_from(at).unwrap();
            tcp(SERVER, CLIENT, "PA", seq, ack, &SERVER_LINE[at..to])
        };
        for (ms, (at, to)) in (10..).zip([(20, 32), (8, 20), (3, 9), (0, 5), (0, 32)]) {
            b.frame(ms, &piece(at, to));
        }
    });
    assert_eq!(told(&bench).1, ["SSH-2.0-OpenSSH_9.2p1 Debian-2"]);
    assert_eq!(bench.conns("missed_bytes"), ["0"]);
}

#[test]
fn differing_copies_of_a_byte_are_weird() {
    let bench = with(|b| {
        let (seq, ack) = (b.server_seq, b.client_seq);
        b.frame(
            10,
            &tcp(SERVER, CLIENT, "PA", seq + 4, ack, b"2.0-evil\r\n"),
        );
        b.frame(
            11,
            &tcp(SERVER, CLIENT, "PA", seq + 4, ack, b"2.0-good\r\n"),
        );
        b.frame(12, &tcp(SERVER, CLIENT, "PA", seq, ack, b"SSH-"));
    });
    assert_eq!(
        records(&bench.out, "weird", "name"),
        ["inconsistent_retransmission"]
    );
    assert_eq!(told(&bench).1, ["SSH-2.0-evil"], "the first copy counts");
}

#[test]
fn a_gap_is_told_once_it_is_acknowledged() {
    let bench = with(|b| {
        b.seg('<', "PA", SERVER_LINE);
        let (seq, ack) = (b.client_seq, b.server_seq);
        b.frame(10, &tcp(CLIENT, SERVER, "PA", seq + 100, ack, b"later"));
        b.frame(11, &tcp(SERVER, CLIENT, "A", ack, seq + 105, b""));
    });
    // The parser gave up at the gap and said so by `Skip`; at the end it tells what it has.
    assert_eq!(told(&bench).1, ["SSH-2.0-OpenSSH_9.2p1 Debian-2"]);
    assert_eq!(bench.conns("missed_bytes"), ["100"]);
    assert_eq!(bench.tracker.room.used, 0, "nothing is held any more");
}

#[test]
fn a_broken_protocol_is_weird_and_no_service() {
    let bench = with(|b| {
        b.seg('<', "PA", b"SSH-").seg('<', "PA", &[b'x'; 300]);
    });
    assert_eq!(records(&bench.out, "weird", "name"), ["ssh_line_too_long"]);
    assert_eq!(bench.conns("service"), ["None"]);
}

#[test]
fn what_no_protocol_claims_makes_no_state() {
    let mut bench = Bench::new();
    bench
        .handshake()
        .seg('>', "PA", b"\x01\x02\x03\x04 something of its own");
    let from_a = true;
    let ends = [CLIENT, SERVER].map(|(ip, port)| crate::types::Endpoint::new(ip.into(), port));
    let (key, _) = crate::flow::Key::new(ends[0], ends[1], 6, 0);
    let hash = bench.tracker.table.hash(&key);
    let index = bench.tracker.table.find(hash, &key).unwrap();
    let flow = bench.tracker.table.get_mut(index).unwrap();
    assert!(flow.app.is_none() && flow.dir(from_a) == crate::flow::Dir::Orig);
}

#[test]
fn at_the_bound_of_all_bytes_held_the_parser_that_asks_is_dropped() {
    let mut bench = Bench::new();
    bench.tracker.room.max = 10;
    bench.handshake();
    bench.seg('<', "PA", b"SSH-2.0-more than ten bytes without an end");
    assert_eq!(bench.tracker.room.used, 0);
    let end = bench.now_ms + 1;
    bench.finish(end);
    assert_eq!(bench.tracker.stats().reassembly_refused, 1);
}
