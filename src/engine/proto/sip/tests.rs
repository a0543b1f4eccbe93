//! The call of RFC 3261 §24.2 and a registration, over UDP and TCP.

use super::super::testing::{datagrams, endures, stream};
use super::*;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;

const INVITE: &[u8] = b"INVITE sip:bob@biloxi.com SIP/2.0\r\nVia: SIP/2.0/UDP pc33.atlanta.com;branch=z9\r\n\
    From: Alice <sip:alice@atlanta.com>;tag=1\r\nTo: Bob <sip:bob@biloxi.com>\r\nCall-ID: a84b4c\r\n\
    CSeq: 314159 INVITE\r\nUser-Agent: Softphone 1\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n";
const RINGING: &[u8] = b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP pc33.atlanta.com;branch=z9\r\n\
    From: Alice <sip:alice@atlanta.com>;tag=1\r\nTo: Bob <sip:bob@biloxi.com>;tag=2\r\nCall-ID: a84b4c\r\n\
    CSeq: 314159 INVITE\r\nContent-Length: 0\r\n\r\n";
const BUSY: &[u8] = b"SIP/2.0 486 Busy Here\r\nCall-ID: a84b4c\r\nCSeq: 314159 INVITE\r\nServer: PBX 2\r\nContent-Length: 0\r\n\r\n";
const ACK: &[u8] = b"ACK sip:bob@biloxi.com SIP/2.0\r\nCall-ID: a84b4c\r\nCSeq: 314159 ACK\r\nContent-Length: 0\r\n\r\n";
const REGISTER: &[u8] = b"REGISTER sip:pbx SIP/2.0\r\nCall-ID: r1\r\nCSeq: 1 REGISTER\r\n\
    Authorization: Digest username=\"bob\", response=\"dfe56131d1958046689d83306477ecc\"\r\n\r\n";
const TALK: [(Dir, &[u8]); 5] = [
    (C, INVITE),
    (S, RINGING),
    (S, BUSY),
    (C, ACK),
    (C, REGISTER),
];

#[test]
fn a_call_and_a_registration() {
    let mut talk = TALK.to_vec();
    // Sent again: not told again.
    talk.insert(1, (C, INVITE));
    let told = datagrams::<Sip>(5060, &talk);
    let call = concat!(
        r#"sip {"trans_depth":1,"method":"INVITE","uri":"sip:bob@biloxi.com","#,
        r#""request_from":"Alice <sip:alice@atlanta.com>;tag=1","request_to":"Bob <sip:bob@biloxi.com>","#
    );
    assert_eq!(told.records.len(), 4);
    assert_eq!(
        told.records[0],
        [
            call,
            r#""response_from":"Alice <sip:alice@atlanta.com>;tag=1","response_to":"Bob <sip:bob@biloxi.com>;tag=2","#,
            r#""call_id":"a84b4c","seq":"314159 INVITE","request_path":["SIP/2.0/UDP pc33.atlanta.com;branch=z9"],"#,
            r#""response_path":["SIP/2.0/UDP pc33.atlanta.com;branch=z9"],"user_agent":"Softphone 1","#,
            r#""status_code":180,"status_msg":"Ringing","request_body_len":5,"response_body_len":0,"content_type":"application/sdp"}"#,
        ]
        .concat()
    );
    assert!(told.records[1].starts_with(call));
    assert!(told.records[1].contains(r#""status_code":486,"status_msg":"Busy Here""#));
    assert!(told.records[2].starts_with(r#"sip {"trans_depth":2,"method":"ACK""#));
    assert_eq!(
        told.records[3],
        r#"sip {"trans_depth":3,"method":"REGISTER","uri":"sip:pbx","call_id":"r1","seq":"1 REGISTER","user":"bob"}"#
    );
    let clues: Vec<_> = told.clues.iter().map(|clue| clue.value.as_str()).collect();
    assert_eq!(clues, ["Softphone 1", "PBX 2"]);
}

#[test]
fn a_stream_says_the_same() {
    let datagram = datagrams::<Sip>(5060, &TALK).records;
    assert_eq!(stream::<Sip>(&TALK).records, datagram);
    // Two messages in a segment, a keep-alive before.
    let joined = [b"\r\n\r\n", INVITE, ACK].concat();
    assert_eq!(stream::<Sip>(&[(C, &joined)]).records.len(), 2);
    endures::<Sip>(&[(C, INVITE), (S, RINGING), (S, BUSY)], false);
    endures::<Sip>(&TALK, true);
}

#[test]
fn responses_alone_and_many_requests() {
    let told = datagrams::<Sip>(5060, &[(S, BUSY)]);
    assert!(
        told.records[0].starts_with(r#"sip {"trans_depth":0,"method":"INVITE","call_id":"a84b4c""#)
    );
    let many: Vec<Vec<u8>> = (0..40)
        .map(|n| {
            format!("OPTIONS sip:x SIP/2.0\r\nCall-ID: {n}\r\nCSeq: 1 OPTIONS\r\n\r\n").into_bytes()
        })
        .collect();
    let pieces: Vec<_> = many.iter().map(|one| (C, one.as_slice())).collect();
    assert_eq!(datagrams::<Sip>(5060, &pieces).records.len(), 40);
}

#[test]
fn probing_and_what_is_no_sip() {
    let probe = |start: &[u8]| Sip::probe(start, C);
    assert_eq!(
        (probe(INVITE), probe(BUSY)),
        (Probe::Certain, Probe::Certain)
    );
    assert_eq!(probe(b"OPTIONS * HTTP/1.1\r\n"), Probe::NotMine);
    assert_eq!(probe(b"INV"), Probe::Unsure);
    assert_eq!(probe(b"SIP/"), Probe::Unsure);
    assert_eq!(probe(b"NOTIFY * HTTP/1.1\r\n"), Probe::NotMine);
    let told = stream::<Sip>(&[(C, b"nothing of the kind\r\n")]);
    assert_eq!(
        told.end.map(|(a, _)| a),
        Some(Parse::Broken("sip_no_start_line"))
    );
}
