//! Whole sessions through the parser: bytes built by hand from the RFCs, and RFC 8448's own.

use proptest::prelude::*;

pub(super) use super::super::testing::unhex;
use super::*;
use crate::proto::testing::{endures, stream, views};
use crate::types::{Body, ClueKind, FlowRef, Observations};

/// `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj
/// '/C=CH/O=Example, Ltd./CN=Example Root' -addext basicConstraints=critical,CA:TRUE,pathlen:0
/// -set_serial 0x0a1b2c -outform DER -out root.der`
pub(super) const ROOT: &[u8] = include_bytes!("testdata/root.der");
/// `openssl x509 -req -in leaf.csr -CA root.pem -CAkey root.key -set_serial 0x80ff -days 365 -outform DER
/// -extfile leaf.ext -out leaf.der`, with `CA:FALSE` and the six alternative names tested below in
/// `leaf.ext`, and a request like the root's for `/C=CH/O=Example, Ltd./CN=www.example.org`.
pub(super) const LEAF: &[u8] = include_bytes!("testdata/leaf.der");

/// RFC 8448 §3, the client's first message.
pub(super) const RFC8448_CLIENT_HELLO: &str = "
    01 00 00 c0 03 03 cb 34 ec b1 e7 81 63 ba 1c 38 c6 da cb 19 6a 6d ff a2 1a 8d 99 12 ec 18 a2 ef
    62 83 02 4d ec e7 00 00 06 13 01 13 03 13 02 01 00 00 91 00 00 00 0b 00 09 00 00 06 73 65 72 76
    65 72 ff 01 00 01 00 00 0a 00 14 00 12 00 1d 00 17 00 18 00 19 01 00 01 01 01 02 01 03 01 04 00
    23 00 00 00 33 00 26 00 24 00 1d 00 20 99 38 1d e5 60 e4 bd 43 d2 3d 8e 43 5a 7d ba fe b3 c0 6e
    51 c1 3c ae 4d 54 13 69 1e 52 9a af 2c 00 2b 00 03 02 03 04 00 0d 00 20 00 1e 04 03 05 03 06 03
    02 03 08 04 08 05 08 06 04 01 05 01 06 01 02 01 04 02 05 02 06 02 02 02 00 2d 00 02 01 01 00 1c
    00 02 40 01";
/// RFC 8448 §3, the server's first message.
pub(super) const RFC8448_SERVER_HELLO: &str = "
    02 00 00 56 03 03 a6 af 06 a4 12 18 60 dc 5e 6e 60 24 9c d3 4c 95 93 0c 8a c5 cb 14 34 da c1 55
    77 2e d3 e2 69 28 00 13 01 00 00 2e 00 33 00 24 00 1d 00 20 c9 82 88 76 11 20 95 fe 66 76 2b db
    f7 c6 72 e1 56 d6 cc 25 3b 83 3d f1 dd 69 b1 b0 4e 75 1f 0f 00 2b 00 02 03 04";

/// Bytes behind their length in `width` bytes.
fn vector(width: usize, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&len[4 - width..], body].concat()
}

/// The body of a ClientHello for TLS 1.2 with a session id of eight bytes.
pub(super) fn hello(ciphers: &[u16], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let ciphers: Vec<u8> = ciphers.iter().flat_map(|c| c.to_be_bytes()).collect();
    let mut block = Vec::new();
    for (number, body) in extensions {
        block.extend(number.to_be_bytes());
        block.extend(vector(2, body));
    }
    let mut out = vec![3, 3];
    out.extend([0x55; 32]);
    out.extend(vector(1, &[9; 8]));
    out.extend(vector(2, &ciphers));
    out.extend([1, 0]);
    out.extend(vector(2, &block));
    out
}

/// The body of a ServerHello for TLS 1.2.
fn answer(session_id: &[u8], cipher: u16, extensions: &[u8]) -> Vec<u8> {
    let mut out = vec![3, 3];
    out.extend([0x66; 32]);
    out.extend(vector(1, session_id));
    out.extend(cipher.to_be_bytes());
    out.push(0);
    out.extend(vector(2, extensions));
    out
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &vector(3, body)].concat()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &vector(2, body)].concat()
}

fn client_hello_example() -> Vec<u8> {
    let extensions = [
        (0, b"\0\x12\0\0\x0fwww.example.org".to_vec()),
        (16, b"\0\x0c\x02h2\x08http/1.1".to_vec()),
    ];
    message(1, &hello(&[0xc02b, 0xc02f], &extensions))
}

type Pieces = Vec<(Dir, Vec<u8>)>;

/// A full handshake of TLS 1.2 with two certificates, and a client's empty one.
fn tls12() -> Pieces {
    let chain = [vector(3, LEAF), vector(3, ROOT)].concat();
    // named curve 23 (secp256r1), then point and signature of no interest
    let exchange = [&[3, 0, 23][..], &[4; 70]].concat();
    let server = [
        message(2, &answer(&[8; 32], 0xc02b, b"\0\x10\0\x05\0\x03\x02h2")),
        message(11, &vector(3, &chain)),
        message(12, &exchange),
        message(13, &[1, 1, 0, 0, 0, 0]),
        message(14, &[]),
    ];
    let client = [message(11, &vector(3, &[])), message(16, &[7; 66])];
    let finished = |dir| (dir, [record(20, &[1]), record(22, &[0xee; 40])].concat());
    vec![
        (Dir::Orig, record(22, &client_hello_example())),
        (Dir::Resp, record(22, &server.concat())),
        (Dir::Orig, record(22, &client.concat())),
        finished(Dir::Orig),
        finished(Dir::Resp),
        (Dir::Orig, record(23, &[0xdd; 100])),
    ]
}

/// The session of RFC 8448 §3, with the `change_cipher_spec` messages most implementations send.
fn tls13() -> Pieces {
    vec![
        (Dir::Orig, record(22, &unhex(RFC8448_CLIENT_HELLO))),
        (Dir::Resp, record(22, &unhex(RFC8448_SERVER_HELLO))),
        (Dir::Resp, record(20, &[1])),
        (Dir::Resp, record(23, &[0xcc; 674])),
        (Dir::Orig, record(20, &[1])),
        (Dir::Orig, record(23, &[0xcc; 53])),
    ]
}

/// Each record as a line of JSON after its kind, each clue after its evidence, and the answer that ended it.
fn run(pieces: &[(Dir, Vec<u8>)]) -> (Vec<String>, Option<Parse>) {
    let told = stream::<Tls>(&views(pieces));
    let lines = told.seen.iter().filter_map(|o| line(&o.body)).collect();
    (lines, told.last())
}

fn line(body: &Body) -> Option<String> {
    let mut out = String::new();
    match body {
        Body::Record(record) => {
            out.push_str(record.body.kind());
            out.push_str(&record.body.text());
        }
        Body::Clue(clue) => {
            let kind = if clue.kind == ClueKind::Serves {
                "serves"
            } else {
                "software"
            };
            out = format!(
                "{kind} {} {}: {}",
                clue.ip.unwrap(),
                clue.evidence,
                clue.value
            );
        }
        _ => return None,
    }
    Some(out)
}

#[test]
fn a_full_handshake_of_tls_1_2() {
    let (lines, last) = run(&tls12());
    assert_eq!(last, Some(Parse::Skip));
    let kinds: Vec<_> = lines
        .iter()
        .map(|l| l.split(['{', ':']).next().unwrap())
        .collect();
    let serves = "serves 10.0.0.2 tls handshake";
    assert_eq!(
        kinds,
        ["software 10.0.0.1 ja4", "x509", "x509", serves, "ssl"]
    );
    assert!(lines[0].starts_with("software 10.0.0.1 ja4: t12d0202h2_"));
    assert!(lines[1].ends_with("\"host_cert\":true,\"client_cert\":false,\"self_signed\":false}"));
    assert!(lines[3].ends_with(": tls www.example.org"));
    for expected in [
        r#"ssl{"version":"TLSv12","cipher":"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256","curve":"secp256r1","#,
        r#""server_name":"www.example.org","resumed":false,"next_protocol":"h2","#,
        r#""client_alpns":["h2","http/1.1"],"established":true,"ssl_history":"CsxkrnXGIi","#,
        r#""cert_chain_fps":["5e1f8aa0cdf83800d4309ad23bbddcbf07094aea63f96b9f911c845c772ef5b9","cc8540a6"#,
        r#""subject":"CN=www.example.org,O=Example\\, Ltd.,C=CH","#,
        r#""sni_matches_cert":true,"ja4":"t12d0202h2_"#,
    ] {
        assert!(lines[4].contains(expected), "{expected} in {}", lines[4]);
    }
    assert!(!lines[4].contains("client_cert_chain_fps"));
}

#[test]
fn a_handshake_of_tls_1_3() {
    let (lines, last) = run(&tls13());
    assert_eq!(last, Some(Parse::Skip));
    assert_eq!(
        lines,
        [
            "software 10.0.0.1 ja4: t13d030900_55b375c5d22e_59cd3dafc54d",
            "serves 10.0.0.2 tls handshake: tls",
            r#"ssl{"version":"TLSv13","cipher":"TLS_AES_128_GCM_SHA256","curve":"x25519","server_name":"server","resumed":false,"established":true,"ssl_history":"CsidID","ja4":"t13d030900_55b375c5d22e_59cd3dafc54d","ja3":"da4dea34fe6d4ce5f0725df3f2682fa0","ja3s":"eb1d94daa7e0344597e756a1fb6e7054"}"#,
        ]
    );
}

#[test]
fn a_hello_in_records_of_one_byte_and_one_after_a_retry() {
    let whole = run(&tls13()).0;
    let mut pieces = tls13();
    let bytes = unhex(RFC8448_CLIENT_HELLO);
    pieces[0].1 = bytes.iter().flat_map(|byte| record(22, &[*byte])).collect();
    assert_eq!(run(&pieces).0, whole);

    let mut retry = unhex(RFC8448_SERVER_HELLO);
    let random = "cf 21 ad 74 e5 9a 61 11 be 1d 8c 02 1e 65 b8 91 \
                  c2 a2 11 16 7a bb 8c 5e 07 9e 09 e2 c8 a8 33 9c";
    retry[6..38].copy_from_slice(&unhex(random));
    let mut pieces = tls13();
    let again = (Dir::Orig, [record(20, &[1]), pieces[0].1.clone()].concat());
    pieces.splice(1..1, [(Dir::Resp, record(22, &retry)), again]);
    pieces.remove(6);
    let lines = run(&pieces).0;
    assert_eq!(lines.len(), 3);
    assert!(
        lines[2].contains(r#""established":true,"ssl_history":"CjICsidD""#),
        "{}",
        lines[2]
    );
}

#[test]
fn resumption_shows_in_session_id_and_ticket() {
    let finished = |dir| (dir, [record(20, &[1]), record(22, &[0xee; 40])].concat());
    let resumed = |client: Vec<u8>, id: &[u8]| {
        let server = message(2, &answer(id, 0x002f, &[]));
        let client = record(22, &message(1, &client));
        let pieces = [
            (Dir::Orig, client),
            (Dir::Resp, record(22, &server)),
            finished(Dir::Resp),
            finished(Dir::Orig),
        ];
        let lines = run(&pieces).0;
        assert!(
            lines[2].contains(r#""established":true,"ssl_history":"CsiI""#),
            "{}",
            lines[2]
        );
        lines[2].contains(r#""resumed":true"#)
    };
    assert!(resumed(hello(&[0x002f], &[]), &[9; 8]));
    assert!(!resumed(hello(&[0x002f], &[]), &[8; 8]));
    assert!(resumed(hello(&[0x002f], &[(35, vec![1, 2])]), &[]));
}

#[test]
fn a_refused_hello_keeps_the_alert() {
    let alert = (Dir::Resp, record(21, &[2, 40]));
    let (lines, last) = run(&[(Dir::Orig, record(22, &client_hello_example())), alert]);
    assert_eq!(last, Some(Parse::Skip));
    let expected =
        r#"ssl{"server_name":"www.example.org","resumed":false,"last_alert":"handshake_failure","#;
    assert!(lines[1].starts_with(expected), "{}", lines[1]);
    assert!(lines[1].contains(r#""established":false,"ssl_history":"Cl""#));
}

#[test]
fn a_message_too_long_is_told_and_passed_over() {
    // Certificate of 0x020000 bytes in eight records of 16 KiB and the rest, then ServerHelloDone.
    let long = [&[11, 2, 0, 0][..], &vec![0; 0x02_0000], &message(14, &[])].concat();
    let hello = message(2, &answer(&[], 0xc02b, &[]));
    let mut pieces = vec![(Dir::Resp, record(22, &hello))];
    pieces.extend(
        long.chunks(16_384)
            .map(|part| (Dir::Resp, record(22, part))),
    );
    let (lines, _) = run(&pieces);
    assert_eq!(
        lines[0],
        r#"weird{"name":"ssl_handshake_message_too_long","notice":false,"source":"ssl"}"#
    );
    assert!(lines[1].contains(r#""ssl_history":"sn""#), "{}", lines[1]);
}

#[test]
fn what_is_no_certificate_and_a_chain_too_long_are_told() {
    let chain = vector(3, &[0x30, 0]).repeat(11);
    let server = [
        message(2, &answer(&[], 0x002f, &[])),
        message(11, &vector(3, &chain)),
    ];
    let (lines, _) = run(&[(Dir::Resp, record(22, &server.concat()))]);
    let unparsable = lines
        .iter()
        .filter(|l| l.contains("x509_unparsable"))
        .count();
    assert_eq!((unparsable, lines.len()), (10, 12));
    assert!(lines[10].contains("ssl_certificate_chain_too_long"));
}

#[test]
fn oddities_and_chains_of_one_flow_are_bounded() {
    let bad = message(11, &[0, 0, 9]).repeat(100);
    let hello = message(2, &answer(&[], 0x002f, &[]));
    let chain = message(11, &vector(3, &vector(3, LEAF))).repeat(9);
    let (lines, _) = run(&[(Dir::Resp, record(22, &[hello, bad, chain].concat()))]);
    let count = |kind| lines.iter().filter(|l| l.starts_with(kind)).count();
    assert_eq!((count("weird"), count("x509"), count("ssl")), (16, 1, 1));
}

#[test]
fn a_loss_ends_the_parsing_with_what_is_known() {
    let (flow, mut seen, mut tls) = (FlowRef::default(), Observations::new(), Tls::default());
    let ts = Timestamp::from_secs(1);
    let data = record(22, &client_hello_example());
    let mut feed = |data: &[u8], gap| {
        let input = Input {
            ts,
            dir: Dir::Orig,
            data,
            gap,
            datagram: false,
        };
        tls.parse(input, &mut Out::new(&flow, ts, &mut seen))
    };
    assert_eq!(
        feed(&data, 5),
        Parse::Parsed { used: data.len() },
        "begins anew with a hello"
    );
    assert_eq!(feed(b"xyz", 5), Parse::Skip);
    assert_eq!(feed(&data, 0), Parse::Skip);
    assert_eq!(
        seen.iter()
            .filter(|o| matches!(o.body, Body::Record(_)))
            .count(),
        1
    );
}

#[test]
fn other_starts_and_the_middle_of_a_session_give_nothing() {
    assert_eq!(
        run(&[(Dir::Orig, b"GET / HTTP/1.1\r\n\r\n".to_vec())]),
        (vec![], Some(Parse::Broken("ssl_invalid_record")))
    );
    assert_eq!(
        run(&[(Dir::Orig, record(23, &[1; 30]))]),
        (vec![], Some(Parse::Skip))
    );
    let finished = record(22, &[0x0b, 0x9c, 0x4d, 0xda, 0xec]);
    assert_eq!(run(&[(Dir::Orig, finished)]), (vec![], Some(Parse::Skip)));
    // A stage of an implant in clear before the server's hello.
    let mut pieces = tls13();
    pieces.insert(1, (Dir::Resp, b"MZ\x90\0 and more".to_vec()));
    assert_eq!(run(&pieces).0.len(), 3);
}

#[test]
fn probing_goes_by_content() {
    let probe = |start: &[u8]| Tls::probe(start, Dir::Orig);
    let hello = record(22, &client_hello_example());
    assert_eq!(probe(&hello), Probe::Certain);
    assert_eq!(probe(&hello[..10]), Probe::Unsure);
    assert_eq!(probe(&record(23, &[0; 40])), Probe::Unsure);
    assert_eq!(probe(&[]), Probe::Unsure);
    assert_eq!(probe(&[0x16]), Probe::Unsure);
    assert_eq!(probe(b"GET / HTTP/1.1"), Probe::NotMine);
    assert_eq!(
        probe(&[0x16, 3, 1, 0, 0]),
        Probe::NotMine,
        "no handshake record is empty"
    );
    assert_eq!(probe(&[0x16, 3, 1, 0x50, 0]), Probe::NotMine, "too long");
    let mut ssl2 = vec![0x80, 28, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2f];
    ssl2.extend([7; 16]);
    assert_eq!(probe(&ssl2), Probe::Certain);
    for end in 0..ssl2.len() {
        let expected = if end < 11 {
            Probe::Unsure
        } else {
            Probe::Certain
        };
        assert_eq!(probe(&ssl2[..end]), expected, "{end}");
    }
    assert_eq!(probe(&[0xff, b'S', b'M', b'B']), Probe::NotMine);
}

#[test]
fn what_is_cut_split_or_changed_does_no_harm() {
    for pieces in [tls12(), tls13()] {
        endures::<Tls>(&views(&pieces), false);
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)), 0..8)) {
        let dir = |first| if first { Dir::Orig } else { Dir::Resp };
        let pieces: Pieces = bytes.into_iter().map(|(first, piece)| (dir(first), piece)).collect();
        run(&pieces);
        // The same inside records, so that messages are reached.
        let framed: Pieces = pieces.iter().map(|(d, p)| (*d, record(22, p))).collect();
        run(&framed);
        for (kind, (dir, piece)) in [1, 2, 11, 12, 16].into_iter().zip(pieces) {
            run(&[(dir, record(22, &message(kind, &piece)))]);
        }
    }
}
