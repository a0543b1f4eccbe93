//! Whole connections through the parser: the packets of RFC 9001 and RFC 9369, and some sealed here.

use proptest::prelude::*;

use super::super::testing::unhex;
use super::super::tls::hex;
use super::*;
use crate::types::{Body, Endpoint, FlowRef, Observations};

/// RFC 9001 §A.2: a client's Initial of 1,200 bytes.
const V1_CLIENT: &[u8] = include_bytes!("testdata/rfc9001_a2.bin");
/// RFC 9369 §A.2: the same in version 2.
const V2_CLIENT: &[u8] = include_bytes!("testdata/rfc9369_a2.bin");
/// RFC 9001 §A.3: the server's answer.
const V1_SERVER: &str = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a\
    5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3\
    dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84\
    022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4\
    2158407dd074ee";
/// RFC 9369 §A.3.
const V2_SERVER: &str = "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698\
    baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17\
    f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2\
    c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca8\
    4bed8521e2e140";
/// RFC 9001 §A.4: a Retry.
const V1_RETRY: &str = "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba";
/// The client's packet of §A.2 in clear: a CRYPTO frame of 241 bytes at 0 (§A.2).
const CLIENT_FRAME_LEN: usize = 245;

const SHORT: &[u8] = &[
    0x41, 0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5, 9, 9, 9,
];

fn flow() -> FlowRef {
    FlowRef {
        orig: Endpoint::new([192, 0, 2, 1].into(), 50_000),
        resp: Endpoint::new([192, 0, 2, 2].into(), 443),
        proto: 17,
        ..FlowRef::default()
    }
}

/// Each record as JSON after its kind, and the last answer.
fn run(datagrams: &[(Dir, &[u8])]) -> (Vec<String>, Option<Parse>) {
    let (flow, mut seen, mut quic) = (flow(), Observations::new(), Quic::default());
    let (ts, mut last) = (Timestamp::from_secs(1), None);
    for (dir, data) in datagrams {
        let input = Input {
            ts,
            dir: *dir,
            data,
            gap: 0,
            datagram: true,
        };
        let answer = quic.parse(input, &mut Out::new(&flow, ts, &mut seen));
        last = Some(answer);
        if answer == Parse::Skip {
            break;
        }
    }
    quic.finish(&mut Out::new(&flow, Timestamp::from_secs(2), &mut seen));
    let records = seen.iter().filter_map(|observation| {
        let Body::Record(record) = &observation.body else {
            return None;
        };
        let mut out = record.body.kind().to_owned();
        out.push_str(&record.body.text());
        Some(out)
    });
    (records.collect(), last)
}

/// What the client of RFC 9001 §A.2 says in the handshake: its plain packet, checked against the text.
fn hello() -> Vec<u8> {
    let (packet, _) = first(V1_CLIENT).unwrap();
    let keys = keys(1, packet.dcid, Side::Client);
    let plain = keys.open(&packet).unwrap();
    assert_eq!(plain.len(), 1_162);
    assert!(hex(&plain, false).starts_with("060040f1010000ed0303ebf8fa56f12939b9584a3896472ec4"));
    assert!(plain[CLIENT_FRAME_LEN..].iter().all(|byte| *byte == 0));
    plain[4..CLIENT_FRAME_LEN].to_vec()
}

fn keys(number: u32, destination: &[u8], side: Side) -> Keys {
    Keys::new(&version::recipe(number).unwrap(), destination, side)
}

/// An Initial of a client with CRYPTO frames (offset, data), padded to `len` bytes of frames.
fn initial(keys: &Keys, destination: &[u8], token: &[u8], pieces: &[(usize, &[u8])]) -> Vec<u8> {
    let two = |n: usize| (u16::try_from(n).unwrap() | 0x4000).to_be_bytes();
    let mut payload = Vec::new();
    for (offset, data) in pieces {
        payload.push(6);
        payload.extend(two(*offset));
        payload.extend(two(data.len()));
        payload.extend(*data);
    }
    payload.resize(payload.len().max(200), 0);
    let mut header = vec![0xc0, 0, 0, 0, 1];
    header.push(u8::try_from(destination.len()).unwrap());
    header.extend(destination);
    header.extend([1, 0x77]); // source connection id
    header.push(u8::try_from(token.len()).unwrap());
    header.extend(token);
    header.extend(two(1 + payload.len() + 16));
    header.push(3); // packet number
    keys.seal(&header, &payload)
}

/// Ciphers 1301 and 1302, extensions 0 ff01 a 10 5 33 2b d 2d 1c 39 in §A.2: 11 without GREASE. ALPN is
/// `alpn`. The hashes by `printf 1301,1302 | sha256sum` and
/// `printf '0005,000a,000d,001c,002b,002d,0033,0039,ff01_0403,0503,0603,0203,0804,0805,0806' | sha256sum`.
const JA4: &str = "q13d0211an_62ed6f6ca7ad_4d634acda6c0";

/// `printf 771,4865-4866,0-65281-10-16-5-51-43-13-45-28-57,29-23-24, | md5sum`; the server's 771,4865,51-43.
const JA3: &str = "41bc9ae914d6cb3bd0bd0a5453ab7d7f";
const JA3S: &str = "eb1d94daa7e0344597e756a1fb6e7054";

fn quic_line(version: &str, history: &str) -> String {
    format!(
        r#"quic{{"version":"{version}","client_initial_dcid":"8394c8f03e515708","client_scid":"","server_scid":"f067a5502a4262b5","server_name":"example.com","client_protocol":"alpn","history":"{history}","ja4":"{JA4}"}}"#
    )
}

fn ssl_line(established: bool) -> String {
    let established = if established { "true" } else { "false" };
    format!(
        r#"ssl{{"version":"TLSv13","cipher":"TLS_AES_128_GCM_SHA256","curve":"x25519","server_name":"example.com","resumed":false,"client_alpns":["alpn"],"established":{established},"ssl_history":"Cs","ja4":"{JA4}","ja3":"{JA3}","ja3s":"{JA3S}"}}"#
    )
}

#[test]
fn the_packets_of_rfc_9001() {
    let server = unhex(V1_SERVER);
    let (lines, last) = run(&[
        (Dir::Orig, V1_CLIENT),
        (Dir::Resp, &server),
        (Dir::Resp, SHORT),
        (Dir::Orig, SHORT),
    ]);
    assert_eq!(lines, [quic_line("1", "ISis"), ssl_line(true)]);
    assert_eq!(last, Some(Parse::Skip));
}

#[test]
fn the_packets_of_rfc_9369() {
    let server = unhex(V2_SERVER);
    let (lines, _) = run(&[(Dir::Orig, V2_CLIENT), (Dir::Resp, &server)]);
    assert_eq!(lines, [quic_line("quicv2", "ISis"), ssl_line(false)]);
}

/// RFC 9368 §4: the client begins in version 1, the server goes on in version 2 with keys from the same
/// destination.
#[test]
fn a_server_may_choose_the_other_version() {
    let server = unhex(V2_SERVER);
    let (lines, _) = run(&[(Dir::Orig, V1_CLIENT), (Dir::Resp, &server)]);
    assert_eq!(lines, [quic_line("quicv2", "ISis"), ssl_line(false)]);
}

#[test]
fn a_hello_in_pieces_over_several_initials_out_of_order() {
    let (hello, id) = (hello(), [1, 2, 3, 4, 5, 6, 7, 8]);
    let keys = keys(1, &id, Side::Client);
    let last = initial(&keys, &id, &[], &[(200, &hello[200..])]);
    let first = initial(&keys, &id, &[], &[(90, &hello[90..201]), (0, &hello[..50])]);
    let middle = initial(&keys, &id, &[], &[(40, &hello[40..100])]);
    // The first two share a datagram; the last comes twice.
    let two = [&last[..], &first].concat();
    let (lines, _) = run(&[(Dir::Orig, &two), (Dir::Orig, &last), (Dir::Orig, &middle)]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains(r#""server_name":"example.com""#),
        "{}",
        lines[0]
    );
    assert!(lines[0].contains(r#""history":"IIIIS""#), "{}", lines[0]);
    assert!(lines[0].contains(JA4));
}

/// RFC 9001 §5.2: after a Retry the keys follow from the connection id that the server chose.
#[test]
fn a_retry_changes_the_keys() {
    let (hello, id, chosen) = (
        hello(),
        unhex("8394c8f03e515708"),
        unhex("f067a5502a4262b5"),
    );
    let old = initial(&keys(1, &id, Side::Client), &id, &[], &[(0, &hello[..100])]);
    let retry = unhex(V1_RETRY);
    let fresh = keys(1, &chosen, Side::Client);
    let new = initial(&fresh, &chosen, b"token", &[(0, &hello)]);
    let (lines, _) = run(&[(Dir::Orig, &old), (Dir::Resp, &retry), (Dir::Orig, &new)]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains(r#""client_initial_dcid":"8394c8f03e515708""#));
    assert!(lines[0].contains(r#""server_name":"example.com""#));
    assert!(lines[0].contains(r#""history":"IrIS""#), "{}", lines[0]);
}

#[test]
fn after_a_retry_the_server_is_understood_too() {
    let chosen = unhex("f067a5502a4262b5");
    // The ServerHello of RFC 9001 §A.3, sealed as this server would after its Retry (§A.4).
    let server = unhex(V1_SERVER);
    let (packet, _) = first(&server).unwrap();
    let old = keys(1, &unhex("8394c8f03e515708"), Side::Server);
    let plain = old.open(&packet).unwrap();
    let header = [&server[..16], &[0x40, 0x75, 0, 1]].concat();
    let header = [&[0xc1], &header[1..]].concat();
    let new = keys(1, &chosen, Side::Server).seal(&header, &plain);
    let retry = unhex(V1_RETRY);
    let pieces = [
        (Dir::Orig, V1_CLIENT),
        (Dir::Resp, &retry[..]),
        (Dir::Resp, &new[..]),
    ];
    let (lines, _) = run(&pieces);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains(r#""history":"ISris""#), "{}", lines[0]);
    assert_eq!(lines[1], ssl_line(false));
}

#[test]
fn the_client_may_be_the_one_that_answered() {
    let server = unhex(V1_SERVER);
    // The capture begins with an answer to an Initial nobody saw.
    let (lines, _) = run(&[
        (Dir::Orig, &server),
        (Dir::Resp, V1_CLIENT),
        (Dir::Orig, &server),
    ]);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with(r#"weird{"name":"quic_initial_not_decrypted""#));
    for part in [
        r#""client_scid":"","server_scid":"f067a5502a4262b5""#,
        r#""client_initial_dcid":"8394c8f03e515708""#,
        r#""server_name":"example.com""#,
    ] {
        assert!(lines[1].contains(part), "{}", lines[1]);
    }
    assert!(lines[2].contains(r#""version":"TLSv13""#), "{}", lines[2]);
}

#[test]
fn other_versions_are_named() {
    // long header, version Q050, connection ids of 8 and 0 bytes
    let q050 = [
        &[0xc3][..],
        b"Q050",
        &[8, 1, 2, 3, 4, 5, 6, 7, 8, 0],
        &[0; 40],
    ]
    .concat();
    let (lines, _) = run(&[(Dir::Orig, &q050)]);
    assert_eq!(
        lines,
        [
            r#"quic{"version":"Q050","client_initial_dcid":"0102030405060708","client_scid":"","history":"U"}"#
        ]
    );
    assert_eq!(Quic::probe(&q050, Dir::Orig), Probe::Certain);
    let q043 = [&[0x0d, 1, 2, 3, 4, 5, 6, 7, 8][..], b"Q043", &[1; 20]].concat();
    assert_eq!(Quic::probe(&q043, Dir::Orig), Probe::Certain);
    assert_eq!(run(&[(Dir::Orig, &q043)]).0, [r#"quic{"version":"Q043"}"#]);
    // A server that speaks neither: version 0, both connection ids, versions 1 and draft 29.
    let negotiation = unhex("8000000000000408f067a500000001ff00001d");
    let negotiation = [&negotiation[..6], &[0, 4], &negotiation[8..]].concat();
    let (lines, _) = run(&[(Dir::Orig, V1_CLIENT), (Dir::Resp, &negotiation)]);
    assert!(lines[0].contains(r#""history":"ISv""#), "{}", lines[0]);
}

#[test]
fn what_begins_otherwise_is_not_taken() {
    for data in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xc0],
        &[0xc0, 0, 0, 0, 1],
        &[
            0xc0, 0, 0, 0, 2, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x40, 0x40, 1, 1,
        ],
        // a connection id of 21 bytes
        &[
            0xc0, 0, 0, 0, 1, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0,
        ],
        // RTP, version 2
        &[0x80, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4],
    ] {
        assert_ne!(Quic::probe(data, Dir::Orig), Probe::Certain, "{data:x?}");
    }
    assert_eq!(Quic::probe(V1_CLIENT, Dir::Orig), Probe::Certain);
    assert_eq!(Quic::probe(&unhex(V2_SERVER), Dir::Resp), Probe::Certain);
}

#[test]
fn work_and_words_are_bounded() {
    let mut wrong = V1_CLIENT.to_vec();
    wrong[600] ^= 1;
    let datagrams = vec![(Dir::Orig, &wrong[..]); 100];
    let (lines, last) = run(&datagrams);
    assert_eq!(last, Some(Parse::Skip));
    let weirds = lines
        .iter()
        .filter(|line| line.starts_with("weird"))
        .count();
    assert_eq!((lines.len(), weirds), (2, 1), "{lines:?}");
    assert!(lines[1].contains(&"I".repeat(64)) && !lines[1].contains(&"I".repeat(65)));
    let mut quic = Quic::default();
    let (flow, mut seen) = (flow(), Observations::new());
    for (dir, data) in &datagrams[..20] {
        let ts = Timestamp::from_secs(1);
        let input = Input {
            ts,
            dir: *dir,
            data,
            gap: 0,
            datagram: true,
        };
        quic.parse(input, &mut Out::new(&flow, ts, &mut seen));
    }
    assert_eq!(quic.client_side.initials, INITIALS_MAX);
}

#[test]
fn packets_cut_anywhere() {
    for end in 0..V1_CLIENT.len() {
        let (lines, _) = run(&[
            (Dir::Orig, &V1_CLIENT[..end]),
            (Dir::Resp, &V1_CLIENT[..end]),
        ]);
        assert!(lines.is_empty(), "{end}: {lines:?}");
    }
}

proptest! {
    #[test]
    fn damaged_packets_never_panic(
        at in 0..60_usize,
        byte in any::<u8>(),
        tail in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut data = V1_CLIENT.to_vec();
        data[at] = byte;
        let random = [&[0xc0 | byte, 0, 0, 0, 1][..], &tail].concat();
        let _ = run(&[(Dir::Orig, &data), (Dir::Resp, &random), (Dir::Orig, &random)]);
    }

    /// Whatever an opened packet holds.
    #[test]
    fn any_frames_never_panic(payload in prop::collection::vec(any::<u8>(), 4..300)) {
        let id = [1, 2, 3, 4];
        let header = [&[0xc0, 0, 0, 0, 1, 4][..], &id, &[0, 0], &(u16::try_from(payload.len() + 17).unwrap() | 0x4000).to_be_bytes(), &[0]].concat();
        let packet = keys(1, &id, Side::Client).seal(&header, &payload);
        prop_assert!(keys(1, &id, Side::Client).open(&first(&packet).unwrap().0).is_some());
        let _ = run(&[(Dir::Orig, &packet)]);
    }
}
