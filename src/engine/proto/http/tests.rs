//! Tests of the HTTP parser: both streams written out, and split anywhere.

use super::*;
use crate::types::{Body, FlowRef, Observations};
use proptest::prelude::*;

mod files;

/// A flow table in small: keeps what a parser did not use, skips what it does not want.
#[derive(Default)]
struct Flow {
    http: Http,
    flow: FlowRef,
    seen: Observations,
    held: [Vec<u8>; 2],
    skip: [u64; 2],
    last: Option<Parse>,
    second: i64,
}

impl Flow {
    fn feed(&mut self, dir: Dir, piece: &[u8], mut gap: u64) {
        let side = usize::from(dir == Resp);
        self.second += 1;
        let ts = Timestamp::from_secs(self.second);
        // What is skipped may be lost as well as seen.
        let lost = self.skip[side].min(gap);
        (self.skip[side], gap) = (self.skip[side] - lost, gap - lost);
        let skipped = self.skip[side].min(piece.len() as u64);
        self.skip[side] -= skipped;
        self.held[side].extend_from_slice(&piece[usize::try_from(skipped).unwrap()..]);
        while !self.held[side].is_empty() {
            if matches!(self.last, Some(Parse::Skip | Parse::Broken(_))) {
                return;
            }
            let data = std::mem::take(&mut self.held[side]);
            let input = Input {
                ts,
                dir,
                data: &data,
                gap: std::mem::take(&mut gap),
                datagram: false,
            };
            let answer = self
                .http
                .parse(input, &mut Out::new(&self.flow, ts, &mut self.seen));
            self.last = Some(answer);
            match answer {
                Parse::Parsed { used } => {
                    assert!(used > 0, "no progress");
                    self.held[side] = data[used..].to_vec();
                }
                Parse::NeedMore { used, need } => {
                    assert!(need > 0);
                    self.held[side] = data[used..].to_vec();
                    return;
                }
                Parse::SkipBytes { bytes } => self.skip[side] = bytes,
                Parse::Skip | Parse::Broken(_) => {}
            }
        }
    }

    fn close(mut self) -> Vec<String> {
        let ts = Timestamp::from_secs(99);
        self.http
            .finish(&mut Out::new(&self.flow, ts, &mut self.seen));
        let mut lines = Vec::new();
        for observation in &self.seen {
            let Body::Record(record) = &observation.body else {
                continue;
            };
            if record.body.kind() != "credentials" {
                lines.push(record.body.text());
            }
        }
        lines
    }
}

fn run(pieces: &[(Dir, &[u8])]) -> Vec<String> {
    let mut flow = Flow::default();
    for (dir, piece) in pieces {
        flow.feed(*dir, piece, 0);
    }
    flow.close()
}

use Dir::{Orig, Resp};

#[test]
fn request_and_response_make_one_record() {
    let lines = run(&[
        (
            Orig,
            b"POST /a?b=%20 HTTP/1.1\r\nHost: h:81\r\nUser-Agent: U\r\nContent-Length: 3\r\n\
            Authorization: Basic eDp5\r\nContent-Type: text/xml\r\nCookie: k=v\r\n\r\nabc",
        ),
        (
            Resp,
            b"HTTP/1.1 200 Quite OK\r\nServer: S\r\nContent-Type: text/html; x\r\n\
            Content-Length: 5\r\n\r\nhello",
        ),
    ]);
    assert_eq!(
        lines,
        [concat!(
            r#"{"trans_depth":1,"method":"POST","host":"h:81","uri":"/a?b=%20","version":"1.1","#,
            r#""user_agent":"U","request_body_len":3,"response_body_len":5,"status_code":200,"#,
            r#""status_msg":"Quite OK","authorization":true,"auth_scheme":"Basic","#,
            r#""orig_mime_types":["text/xml"],"resp_mime_types":["text/html"]}"#
        )]
    );
}

#[test]
fn pipelining_head_continue_and_chunks_keep_their_places() {
    let lines = run(&[
        (Orig, b"HEAD /1 HTTP/1.1\r\n\r\nPUT /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
            3\r\nabc\r\n0\r\n\r\nGET /3 HTTP/1.1\r\n\r\nGET /4 HTTP/1.1\r\n\r\n"),
        (Resp, b"HTTP/1.1 200 A\r\nContent-Length: 999\r\n\r\nHTTP/1.1 100 Go\r\n\r\n\
            HTTP/1.1 204 B\r\n\r\nHTTP/1.1 200 C\r\nTransfer-Encoding: chunked\r\n\r\n\
            5;x=y\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nT: x\r\n\r\nHTTP/1.0 200 D\r\n\r\nto the end"),
    ]);
    assert_eq!(lines.len(), 4, "{lines:?}");
    let has = |index: usize, parts: &[&str]| {
        for part in parts {
            assert!(
                lines[index].contains(part),
                "{part} not in {}",
                lines[index]
            );
        }
    };
    has(
        0,
        &[
            r#""uri":"/1""#,
            r#""response_body_len":0,"#,
            r#""status_msg":"A""#,
        ],
    );
    has(
        1,
        &[
            r#""uri":"/2""#,
            r#""request_body_len":3,"#,
            r#""info_code":100"#,
            r#""status_code":204"#,
        ],
    );
    has(2, &[r#""uri":"/3""#, r#""response_body_len":21,"#]);
    has(3, &[r#""uri":"/4""#, r#""response_body_len":10,"#]);
}

#[test]
fn halves_are_written_too() {
    let lines = run(&[(Orig, b"GET /a HTTP/1.1\r\n\r\n")]);
    assert!(lines.len() == 1 && !lines[0].contains("status_code"));
    let lines = run(&[(Resp, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")]);
    assert!(lines.len() == 1 && lines[0].contains(r#""status_code":404"#));
}

#[test]
fn a_gap_in_a_body_is_nothing_and_one_between_heals() {
    let mut flow = Flow::default();
    let get = b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n";
    flow.feed(Orig, get, 0);
    flow.feed(
        Resp,
        b"HTTP/1.1 200 A\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nab",
        0,
    );
    flow.feed(Resp, b"HTTP/1.1 200 lost\r\n\r\n", 500);
    let lines = flow.close();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].contains(r#""status_msg":"A""#));
    assert!(lines[1].contains(r#""uri":"/b""#) && !lines[1].contains("status_code"));
    assert!(lines[2].contains(r#""uri":"/c""#) && lines[2].contains("lost"));
    // A whole body is lost, and nothing else.
    let mut flow = Flow::default();
    flow.feed(Resp, b"HTTP/1.1 200 A\r\nContent-Length: 8\r\n\r\n", 0);
    flow.feed(Resp, b"HTTP/1.1 201 B\r\n\r\n", 8);
    assert_eq!(flow.close().len(), 2);
}

#[test]
fn tunnels_and_upgrades_end_it() {
    let lines = run(&[
        (Orig, b"CONNECT h:443 HTTP/1.1\r\n\r\n"),
        (Resp, b"HTTP/1.1 200 Established\r\n\r\n"),
        (Orig, b"\x16\x03\x01\x00\xa0\x01"),
        (Orig, b"GET /not HTTP/1.1\r\n\r\n"),
    ]);
    assert!(
        lines.len() == 1 && lines[0].contains(r#""uri":"h:443""#),
        "{lines:?}"
    );
    let lines = run(&[
        (Orig, b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"),
        (
            Resp,
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05hello",
        ),
    ]);
    assert!(
        lines.len() == 1 && lines[0].contains(r#""status_code":101"#),
        "{lines:?}"
    );
}

#[test]
fn bounds_hold() {
    let mut flow = Flow::default();
    for _ in 0..40 {
        flow.feed(Orig, b"GET / HTTP/1.1\r\n\r\n", 0);
    }
    assert_eq!((flow.http.pending.len(), flow.seen.len()), (PENDING_MAX, 8));
    let long = [b"GET /a HTTP/1.1\r\n".to_vec(), b"X: y\r\n".repeat(20_000)].concat();
    let mut flow = Flow::default();
    for piece in long.chunks(1460) {
        flow.feed(Orig, piece, 0);
    }
    assert!(flow.held[0].len() < BUFFER_BYTES_MAX);
    assert!(
        flow.close()
            .iter()
            .any(|line| line.contains("HTTP_head_too_long"))
    );
}

#[test]
fn sensing() {
    let judge = |start: &[u8]| Http::probe(start, Orig);
    assert_eq!(judge(b"GET / HTTP/1.1\r\n"), Probe::Certain);
    assert_eq!(judge(b"FROB /x HTTP/1.0\r\n"), Probe::Certain);
    assert_eq!(judge(b"HTTP/1.1 200 OK\r\n"), Probe::Certain);
    assert_eq!(judge(b"GET /lo"), Probe::Unsure);
    assert_eq!(judge(b"GET /\r\n"), Probe::Unsure);
    assert_eq!(judge(b"NOTIFY /event HTTP/1.1\r\n"), Probe::Certain);
    assert_eq!(judge(b"OPTIONS sip:x SIP/2.0\r\n"), Probe::NotMine);
    assert_eq!(judge(b"SSH-2.0-x\r\n"), Probe::NotMine);
    assert_eq!(judge(b"\x16\x03\x01"), Probe::NotMine);
}

proptest! {
    #[test]
    fn any_split_gives_the_same(cuts in proptest::collection::vec(0..300_usize, 0..8)) {
        let requests = b"POST /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
            \r\nPUT /3 HTTP/1.1\r\nContent-Length: 6\r\n\r\nabcdefGET /4 HTTP/1.1\n\nGET /old\r\n";
        let responses = b"HTTP/1.1 200 A\r\nContent-Length: 9\r\n\r\n012345678HTTP/1.1 200 C\r\n\
            Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: x\r\n\r\nHTTP/1.0 200 D\r\n\r\nend";
        let split = |whole: &'static [u8], dir| {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.min(&whole.len())).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            cuts.windows(2).map(|w| (dir, &whole[w[0]..w[1]])).collect::<Vec<_>>()
        };
        let whole = [(Orig, &requests[..]), (Resp, &responses[..])];
        let pieces = [split(requests, Orig), split(responses, Resp)].concat();
        prop_assert_eq!(run(&pieces), run(&whole));
        prop_assert_eq!(run(&whole).len(), 4);
    }

    #[test]
    fn random_bytes_never_panic(
        junk in proptest::collection::vec(any::<u8>(), 0..200),
        start in prop_oneof![
            Just(&b""[..]), Just(&b"GET / HTTP/1.1\r\n\r\n"[..]), Just(&b"HTTP/1.1 200 \r\n\r\n"[..]),
            Just(&b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n"[..]),
        ],
        gap in 0..9_u64,
    ) {
        let mut flow = Flow::default();
        flow.feed(Orig, start, 0);
        flow.feed(Orig, &junk, gap);
        flow.feed(Resp, &junk, 0);
        let _ = flow.close();
    }
}

#[test]
fn a_body_is_what_its_first_bytes_say() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\n";
    let mut pieces: Vec<(Dir, &[u8])> = vec![(Orig, b"GET /a.txt HTTP/1.1\r\n\r\n"), (Resp, head)];
    // One byte a segment.
    let program = b"MZ\x90\0\x03\0";
    pieces.extend(program.chunks(1).map(|byte| (Resp, byte)));
    let lines = run(&pieces);
    assert!(
        lines[0].contains(r#""response_body_len":6"#),
        "{}",
        lines[0]
    );
    assert!(lines[0].contains(r#""resp_mime_types":["application/x-dosexec"]"#));

    // The document ends first, and is told first.
    let lines = run(&[
        (Orig, b"POST /u HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n%PD\r\n5\r\nF-1.7\r\n0\r\n\r\n"),
        (Resp, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: text/css\r\n\r\n\x1f\x8b\x08\0"),
    ]);
    assert!(
        lines[1].contains(r#""orig_mime_types":["application/pdf"]"#),
        "{}",
        lines[1]
    );
    assert!(
        lines[1].contains(r#""resp_mime_types":["text/css"]"#),
        "compressed on the way"
    );
    assert!(lines[1].contains(r#""response_body_len":4"#));
}

#[test]
fn a_response_lost_at_its_body_is_told_all_the_same() {
    let mut flow = Flow::default();
    flow.feed(Orig, b"GET / HTTP/1.1\r\n\r\n", 0);
    flow.feed(Resp, b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", 0);
    flow.feed(Resp, b"x", 100);
    flow.feed(Orig, b"GET /2 HTTP/1.1\r\n\r\n", 0);
    let lines = flow.close();
    assert!(
        lines[0].contains(r#""response_body_len":900,"status_code":200"#),
        "{}",
        lines[0]
    );
    assert!(lines[1].contains(r#""uri":"/2""#));
}

/// The example of RFC 6455 §1.2, with an extension.
#[test]
fn a_connection_that_becomes_a_websocket_says_so() {
    let lines = run(&[
        (
            Orig,
            b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
            Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        ),
        (
            Resp,
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
        ),
    ]);
    assert_eq!(
        lines[0],
        r#"{"host":"server.example.com","uri":"/chat","subprotocol":"chat","client_protocols":"chat, superchat","client_extensions":"permessage-deflate"}"#
    );
    assert!(lines[1].contains(r#""status_code":101"#));
    assert_eq!(lines.len(), 2);
}
