//! Flows that are seen only in part, or carry something else than their port says.

use super::*;

const END: usize = REQUEST.len();

/// Lines of one kind without what only the other direction tells.
fn hosts(seen: &Seen) -> Vec<&str> {
    let lines = seen.content.iter();
    lines
        .filter(|line| line.starts_with("http ") && line.contains("/wages/2026.xlsx"))
        .map(|line| line.split(' ').next().expect("a kind"))
        .collect()
}

#[test]
fn flows_seen_from_their_middle() {
    let (clean, asking) = (frames(&clean()), [part(0, 20), part(20, END)]);
    let whole = talk(&asking);
    // Without the SYN, the SYN-ACK, or all of the handshake.
    for (name, skip) in [("SYN", 1), ("SYN and SYN-ACK", 2), ("handshake", 3)] {
        judge(name, &clean, &frames(&whole[skip..]), Want::Clean);
    }
    let mut answer_lost = whole;
    answer_lost.remove(1);
    judge("no SYN-ACK", &clean, &frames(&answer_lost), Want::Clean);
}

/// A mirror of one direction: the request is there, and the answer where that is what is seen.
#[test]
fn flows_seen_one_way() {
    for tiny in [false, true] {
        let asking: Vec<Seg> = if tiny {
            (0..END).map(|at| part(at, at + 1)).collect()
        } else {
            vec![part(0, END)]
        };
        let whole = talk(&asking);
        let of = |client: bool| -> Vec<Seg> {
            whole
                .iter()
                .filter(|seg| seg.client == client)
                .cloned()
                .collect()
        };
        let seen = see(&frames(&of(true)));
        assert_eq!(hosts(&seen), ["http"], "{seen:#?}");
        assert!(seen.weirds.is_empty(), "{seen:#?}");
        let seen = see(&frames(&of(false)));
        assert!(
            seen.content.iter().any(|line| line.contains("200")),
            "{seen:#?}"
        );
        assert!(seen.weirds.is_empty(), "{seen:#?}");
    }
}

/// On a port of no protocol or of another, whole or a byte at a time.
#[test]
fn protocols_on_other_ports() {
    let clean = frames(&clean());
    let tiny: Vec<Seg> = (0..END).map(|at| part(at, at + 1)).collect();
    let small: Vec<Seg> = (0..END)
        .step_by(3)
        .map(|at| part(at, END.min(at + 3)))
        .collect();
    for port in [81, 443, 445, 22, 53, 40_001] {
        let to = end("10.1.0.6", port);
        for asking in [&[part(0, END)][..], &tiny, &small] {
            let frames = frames_from(&talk(asking), (CLIENT_SEQ, SERVER_SEQ), to);
            judge(&format!("port {port}"), &clean, &frames, Want::Clean);
        }
    }
}

/// A request line that is a kilobyte long, three bytes at a time, on a port of no protocol.
#[test]
fn long_starts_in_tiny_segments() {
    let path = "p".repeat(1_000);
    let request = format!("GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut segments = opened();
    let mut at = 0;
    for piece in request.as_bytes().chunks(3) {
        segments.push(c(PSH | ACK, at, piece));
        at += len(piece);
    }
    segments.push(s(PSH | ACK, 0, ANSWER));
    let to = end("10.1.0.6", 40_001);
    let seen = see(&frames_from(&segments, (CLIENT_SEQ, SERVER_SEQ), to));
    assert_eq!(seen.content.len(), 1, "{seen:#?}");
    assert!(seen.content[0].contains(&path), "{seen:#?}");
}

/// The proxy's tunnel: HTTP first, TLS within the same flow.
#[test]
fn a_flow_that_changes_its_protocol() {
    let hello = client_hello(b"inner.example");
    let connect = b"CONNECT inner.example:443 HTTP/1.1\r\nHost: inner.example\r\n\r\n";
    let granted = b"HTTP/1.1 200 Connection established\r\n\r\n";
    let start = len(connect);
    let tiny: Vec<Seg> = (start..)
        .zip(hello.chunks(1))
        .map(|(at, byte)| c(PSH | ACK, at, byte))
        .collect();
    for inner in [vec![c(PSH | ACK, start, &hello)], tiny] {
        let mut segments = opened();
        segments.push(c(PSH | ACK, 0, connect));
        segments.push(s(PSH | ACK, 0, granted));
        segments.extend(inner);
        let seen = see(&frames(&segments));
        let kinds: Vec<_> = seen
            .content
            .iter()
            .filter_map(|l| l.split(' ').next())
            .collect();
        assert_eq!(kinds, ["http", "ssl"], "{seen:#?}");
        assert!(seen.content[1].contains("inner.example"), "{seen:#?}");
    }
}

/// STARTTLS of a protocol that is not read: TLS is found where it begins.
#[test]
fn tls_behind_an_unknown_start() {
    let hello = client_hello(b"mail.example");
    let (ehlo, starttls) = (b"EHLO there\r\n", b"STARTTLS\r\n");
    let mut segments = opened();
    segments.extend([
        s(PSH | ACK, 0, b"220 mail ESMTP\r\n"),
        c(PSH | ACK, 0, ehlo),
        s(PSH | ACK, 16, b"250 STARTTLS\r\n"),
        c(PSH | ACK, len(ehlo), starttls),
        s(PSH | ACK, 30, b"220 go\r\n"),
        c(PSH | ACK, len(ehlo) + len(starttls), &hello),
    ]);
    let to = end("10.1.0.6", 25);
    let seen = see(&frames_from(&segments, (CLIENT_SEQ, SERVER_SEQ), to));
    assert!(
        seen.content
            .iter()
            .any(|line| line.contains("mail.example")),
        "{seen:#?}"
    );
}

/// A ClientHello of TLS 1.2 that names a server: RFC 5246 §7.4.1.2, RFC 6066 §3.
fn client_hello(name: &[u8]) -> Vec<u8> {
    let short = |len: usize| u16::try_from(len).expect("short").to_be_bytes();
    let entry = [&[0][..], &short(name.len()), name].concat();
    let names = [&short(entry.len())[..], &entry].concat();
    let extension = [&[0, 0][..], &short(names.len()), &names].concat();
    let suites = [0x00, 0x04, 0xc0, 0x2f, 0xc0, 0x30];
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[0],
        &suites,
        &[1, 0],
        &short(extension.len()),
        &extension,
    ]
    .concat();
    let handshake = [&[1, 0][..], &short(body.len()), &body].concat();
    [&[0x16, 3, 1][..], &short(handshake.len()), &handshake].concat()
}
