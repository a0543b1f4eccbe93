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
    let (key, _) = crate::flow::Key::new(ends[0], ends[1], 6, 0, 0);
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

/// A record with a ClientHello of TLS 1.2 (RFC 5246 §7.4.1.2): one cipher, the name `a.example`.
fn client_hello() -> Vec<u8> {
    let name = b"\0\x0e\0\x0c\0\0\x09a.example"; // server_name (RFC 6066 §3)
    let mut body = vec![3, 3];
    body.extend([7; 32]); // random
    body.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]); // no session, one cipher, no compression
    body.extend([0, 18, 0, 0]); // extensions of 18 bytes, the first of number 0
    body.extend(name);
    let len = u8::try_from(body.len()).unwrap();
    let head = [22, 3, 1, 0, len + 4, 1, 0, 0, len];
    [&head[..], &body].concat()
}

/// Server names of the `ssl` records, and the service.
fn ssl(bench: &Bench) -> (Vec<String>, Vec<String>) {
    (
        records(&bench.out, "ssl", "server_name"),
        bench.conns("service"),
    )
}

#[test]
fn tls_is_found_behind_what_no_parser_knows() {
    let starttls = with(|b| {
        b.seg('<', "PA", b"220 mail\r\n")
            .seg('>', "PA", b"STARTTLS\r\n")
            .seg('<', "PA", b"220 go\r\n")
            .seg('>', "PA", &client_hello());
    });
    let socks = with(|b| {
        b.seg('>', "PA", &[5, 1, 0])
            .seg('<', "PA", &[5, 0])
            .seg('>', "PA", b"\x05\x01\0\x03\x01a\0\x50")
            .seg('>', "PA", &client_hello());
    });
    let proxy = with(|b| {
        let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 5 443\r\n";
        b.seg('>', "PA", &[&line[..], &client_hello()].concat());
    });
    let connect = with(|b| {
        b.seg('>', "PA", b"CONNECT a.example:443 HTTP/1.1\r\n\r\n")
            .seg('<', "PA", b"HTTP/1.1 200 OK\r\n\r\n")
            .seg('>', "PA", &client_hello());
    });
    assert_eq!(records(&connect.out, "http", "method"), ["CONNECT"]);
    for bench in [starttls, socks, proxy, connect] {
        let found = (vec!["a.example".to_owned()], vec!["ssl".to_owned()]);
        assert_eq!(ssl(&bench), found);
    }
}

#[test]
fn http_is_found_behind_socks() {
    let bench = with(|b| {
        b.seg('>', "PA", &[4, 1, 0, 80, 192, 0, 2, 9, 0])
            .seg('<', "PA", &[0, 90, 0, 0, 0, 0, 0, 0])
            .seg('>', "PA", b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
            .seg('<', "PA", b"HTTP/1.1 204 No Content\r\n\r\n");
    });
    assert_eq!(records(&bench.out, "http", "uri"), ["/x"]);
    assert_eq!(records(&bench.out, "http", "status_msg"), ["No Content"]);
    assert_eq!(bench.conns("service"), ["http"]);
}

#[test]
fn a_later_beginning_is_looked_for_in_32_pieces() {
    let after = |pieces: usize| {
        ssl(&with(|b| {
            for _ in 0..=pieces {
                b.seg('>', "PA", b"\x01\x02\x03\x04 of its own");
            }
            b.seg('>', "PA", &client_hello());
        }))
    };
    assert_eq!(after(31).1, ["ssl"]);
    assert_eq!(after(32).1, ["None"]);
}

proptest::proptest! {
    /// However the hello is cut behind its first 11 bytes, it makes the same record.
    #[test]
    fn a_hello_behind_something_else_may_be_split(cuts in proptest::collection::vec(11..70_usize, 0..6)) {
        let hello = client_hello();
        let mut cuts = cuts;
        cuts.sort_unstable();
        let bench = with(|b| {
            b.seg('<', "PA", b"* OK IMAP\r\n").seg('>', "PA", b"a STARTTLS\r\n");
            let mut from = 0;
            for to in cuts.into_iter().chain([hello.len()]) {
                let piece = &hello[from..to.max(from)];
                if !piece.is_empty() {
                    b.seg('>', "PA", piece);
                }
                from = to.max(from);
            }
        });
        proptest::prop_assert_eq!(ssl(&bench).0, ["a.example"]);
    }
}

/// A hello that stays unread, with bytes behind it that are no record: the parser breaks, and what
/// begins anew with the same bytes would break again, for ever.
#[test]
fn tls_that_breaks_is_not_begun_again_with_the_same_bytes() {
    let hello = [22, 3, 1, 0, 9, 1, 0, 0, 200, 3, 3, 0, 0, 0];
    let bench = with(|b| {
        b.seg('>', "PA", &[&hello[..], b"no record"].concat());
    });
    let weird = records(&bench.out, "weird", "name");
    assert_eq!(weird, ["ssl_invalid_record"]);
    assert_eq!(bench.conns("history").len(), 1);
}
