//! Messages laid out after \[MS-RDPBCGR\] 4.1 (the annotated dumps there) and 2.2.1.

use proptest::prelude::*;

use super::*;
use crate::proto::testing::{endures, stream, views};

/// TPKT and X.224 header of the given type, then what follows.
fn frame(kind: u8, rest: &[u8]) -> Vec<u8> {
    let x224 = match kind {
        0xf0 => vec![2, 0xf0, 0x80],
        kind => vec![u8::try_from(rest.len()).unwrap() + 6, kind, 0, 0, 0, 0, 0],
    };
    let len = u16::try_from(4 + x224.len() + rest.len())
        .unwrap()
        .to_be_bytes();
    [&[3, 0][..], &len, &x224, rest].concat()
}

/// The request of \[MS-RDPBCGR\] 4.1.1 with its cookie, and a negotiation for all three securities.
fn request(negotiation: &[u8]) -> Vec<u8> {
    frame(
        0xe0,
        &[b"Cookie: mstshash=eltons\r\n", negotiation].concat(),
    )
}

fn block(kind: u16, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len() + 4).unwrap();
    [&kind.to_le_bytes()[..], &len.to_le_bytes(), body].concat()
}

fn wide(text: &str, len: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.resize(len, 0);
    bytes
}

/// MCS Connect-Initial with client core data and two channels.
fn connect_initial() -> Vec<u8> {
    let mut core = vec![4, 0, 8, 0]; // version 5 and later
    core.extend([0x00, 0x05, 0x00, 0x04]); // 1280 x 1024
    core.extend([1, 0xca, 3, 0xaa]); // colorDepth, SASSequence
    core.extend([0x09, 4, 0, 0]); // keyboardLayout
    core.extend([0xce, 0x0e, 0, 0]); // clientBuild 3790
    core.extend(wide("ELTONS-DEV2", 32));
    core.extend([4, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0]); // keyboard type, subtype, function keys
    core.extend([0; 64]); // imeFileName
    core.extend([1, 0xca, 1, 0, 0, 0, 0, 0]); // postBeta2ColorDepth, clientProductId, serialNumber
    core.extend([24, 0, 7, 0, 1, 0]); // highColorDepth, supportedColorDepths, earlyCapabilityFlags
    core.extend(wide("69712-783", 64));
    let mut net = vec![2, 0, 0, 0];
    net.extend(b"rdpdr\0\0\0\0\0\x80\x80cliprdr\0\0\0\xa0\xc0");
    let blocks = [block(0xc001, &core), block(0xc003, &net)].concat();
    let len = u16::try_from(blocks.len()).unwrap() | 0x8000;
    let head = [0x7f, 0x65, 0x82, 1, 0x94, 4, 1, 1, 4, 1, 1, 1, 1, 0xff];
    frame(
        0xf0,
        &[&head[..], b"Duca", &len.to_be_bytes(), &blocks].concat(),
    )
}

/// MCS Connect-Response: rt-successful; 128 bit, client compatible, a proprietary certificate.
fn connect_response() -> Vec<u8> {
    let mut security = vec![2, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0];
    security.extend([0xaa; 4]); // serverRandom
    security.extend([1, 0, 0, 0x80, 1, 0, 0, 0]); // temporary, CERT_CHAIN_VERSION_1
    let blocks = [block(0x0c01, &[4, 0, 8, 0]), block(0x0c02, &security)].concat();
    let len = u8::try_from(blocks.len()).unwrap();
    let head = [0x7f, 0x66, 0x82, 1, 0x45, 10, 1, 0, 2, 1, 0];
    frame(0xf0, &[&head[..], b"McDn", &[len], &blocks].concat())
}

fn in_clear() -> Vec<(Dir, Vec<u8>)> {
    vec![
        (Dir::Orig, request(&[])),
        (Dir::Resp, frame(0xd0, &[])),
        (Dir::Orig, connect_initial()),
        (Dir::Resp, connect_response()),
    ]
}

fn feed(pieces: &[(Dir, Vec<u8>)]) -> (Vec<String>, Option<Parse>) {
    let told = stream::<Rdp>(&views(pieces));
    let last = told.last();
    (told.lines, last)
}

const IN_CLEAR: &str = r#"rdp {"cookie":"eltons","result":"Success","security_protocol":"RDP","client_channels":["rdpdr","cliprdr"],"keyboard_layout":"English - United States","client_build":"RDP 5.2","client_name":"ELTONS-DEV2","client_dig_product_id":"69712-783","desktop_width":1280,"desktop_height":1024,"requested_color_depth":"24bit","cert_type":"RSA","cert_permanent":false,"encryption_level":"Client compatible","encryption_method":"128bit"}"#;

#[test]
fn a_connection_in_clear_tells_of_its_client() {
    let (rows, last) = feed(&in_clear());
    assert_eq!(
        rows,
        [
            "Serves rdp confirm: rdp",
            "HostName rdp client name: ELTONS-DEV2",
            IN_CLEAR
        ]
    );
    assert_eq!(last, Some(Parse::Skip));
}

#[test]
fn behind_a_choice_of_tls_comes_tls() {
    let pieces = [
        // RDP_NEG_REQ: restricted admin; SSL, HYBRID and HYBRID_EX.
        (Dir::Orig, request(&[1, 1, 8, 0, 11, 0, 0, 0])),
        (Dir::Resp, frame(0xd0, &[2, 0x1f, 8, 0, 2, 0, 0, 0])),
        (Dir::Orig, b"\x16\x03\x01\0\x05\x01".to_vec()),
    ];
    let (rows, last) = feed(&pieces);
    assert_eq!(last, Some(Parse::Skip));
    assert_eq!(
        rows[1],
        r#"rdp {"cookie":"eltons","result":"encrypted","security_protocol":"HYBRID","requested_protocols":["SSL","HYBRID","HYBRID_EX"],"restricted_admin":true}"#
    );
}

#[test]
fn a_refusal_tells_its_reason() {
    let pieces = [
        (Dir::Orig, request(&[1, 0, 8, 0, 0, 0, 0, 0])),
        (Dir::Resp, frame(0xd0, &[3, 0, 8, 0, 5, 0, 0, 0])),
    ];
    let (rows, _) = feed(&pieces);
    assert_eq!(
        rows[1],
        r#"rdp {"cookie":"eltons","security_protocol":"HYBRID_REQUIRED_BY_SERVER","restricted_admin":false}"#
    );
}

#[test]
fn a_connection_that_ends_early_is_told_as_it_stands() {
    assert_eq!(feed(&in_clear()[..1]).0, [r#"rdp {"cookie":"eltons"}"#]);
}

#[test]
fn beginnings_are_recognised() {
    assert_eq!(Rdp::probe(&request(&[]), Dir::Orig), Probe::Certain);
    assert_eq!(
        Rdp::probe(&frame(0xe0, &[1, 0, 8, 0, 3, 0, 0, 0]), Dir::Orig),
        Probe::Certain
    );
    assert_eq!(
        Rdp::probe(&frame(0xd0, &[2, 0, 8, 0, 1, 0, 0, 0]), Dir::Resp),
        Probe::Certain
    );
    assert_eq!(Rdp::probe(&frame(0xd0, &[]), Dir::Resp), Probe::Unsure);
    for len in 0..12 {
        assert_eq!(
            Rdp::probe(&request(&[])[..len], Dir::Orig),
            Probe::Unsure,
            "{len}"
        );
    }
    // S7 over ISO transport: parameters of the connection request; and other protocols.
    let s7 = frame(0xe0, &[0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2]);
    for other in [
        &s7[..],
        b"GET / HTTP",
        b"\x03\0\0\x13\x20\xe0",
        &connect_initial(),
    ] {
        assert_eq!(Rdp::probe(other, Dir::Orig), Probe::NotMine);
    }
}

#[test]
fn what_is_cut_split_or_changed_does_no_harm() {
    endures::<Rdp>(&views(&in_clear()), false);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        stream::<Rdp>(&[(Dir::Orig, &bytes)]);
        let data = [&[0x7f, 0x65][..], b"Duca", &bytes].concat();
        feed(&[(Dir::Orig, frame(0xf0, &data)), (Dir::Resp, frame(0xf0, &bytes))]);
    }
}
