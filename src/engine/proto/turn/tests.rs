//! Messages of the shared capture `nDPI_viber`, as tshark 4.0.17 reads them, some without what is not read (nonces,
//! names, integrity); `ChannelData` after RFC 8656 §12.4.

use proptest::prelude::*;

use super::super::Talk;
use super::super::stun::Stun;
use super::super::testing::{datagrams, endures, grows, lines, stream, unhex, views};
use super::*;
use crate::proto::Kind;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;

fn talk() -> Vec<(Dir, Vec<u8>)> {
    vec![
        // Allocate, UDP; refused, as it is not known who asks (401), in the realm viber.com.
        (C, unhex("0003 0008 2112a442 31612b5a42584b4e3138795a 0019 0004 11000000")),
        (
            S,
            unhex(
                "0113 0024 2112a442 31612b5a42584b4e3138795a 0009 0010 00000401556e617574686f72697a6564
                0014 0009 76696265722e636f6d 000000",
            ),
        ),
        (C, unhex("0003 0008 2112a442 546f48367178365136786436 0019 0004 11000000")),
        (
            S,
            unhex(
                "0103 0020 2112a442 546f48367178365136786436 0016 0008 0001d0d433d1a03b
                0020 0008 0001a0817c310dd4 000d 0004 00000258",
            ),
        ),
        // Permission for a peer, a channel to it.
        (C, unhex("0008 000c 2112a442 5a4e37597672374c31435159 0012 0008 0001cebd33d1a03b")),
        (S, unhex("0108 0000 2112a442 5a4e37597672374c31435159")),
        (
            C,
            unhex("0009 0014 2112a442 7963336b3971587859646f35 000c 0004 40000000 0012 0008 0001cebd33d1a03b"),
        ),
        (S, unhex("0109 0000 2112a442 7963336b3971587859646f35")),
        (C, unhex("4000 0005 0102030405 000000")),
    ]
}

const RECORD: &str = concat!(
    r#"turn {"method":"allocate","realm":"viber.com","transport":"udp","success":true,"error_code":401,"lifetime":600,"#,
    r#""mapped_address":"93.35.169.150","mapped_port":33171,"relayed_address":"18.195.4.121","relayed_port":61894,"#,
    r#""peers":["18.195.4.121"],"relayed":true}"#
);

#[test]
fn an_allocation_and_its_use() {
    let talk = talk();
    assert_eq!(datagrams::<Turn>(3478, &views(&talk)).records, [RECORD]);
    assert_eq!(stream::<Turn>(&views(&talk)).records, [RECORD]);
    for datagram in [true, false] {
        endures::<Turn>(&views(&talk), datagram);
    }
    // Data in an indication (RFC 8656 §11), without what went before; the peer is 18.195.4.121.
    let sent = unhex(
        "0016 0014 2112a442 6d3043434833617233536c70 0012 0008 0001cebd33d1a03b 0013 0003 01020300",
    );
    let told = datagrams::<Turn>(3478, &[(C, &sent)]).records;
    assert_eq!(
        told,
        [r#"turn {"method":"send","peers":["18.195.4.121"],"relayed":true}"#]
    );
}

/// As the capture has it: the client asks how it looks, then goes on to the relay by the same ports.
#[test]
fn it_goes_on_where_stun_ends() {
    let ask = unhex("0001 0000 2112a442 5a4e37597672374c31435159");
    let tell = unhex("0101 000c 2112a442 5a4e37597672374c31435159 0020 0008 0001a0817c310dd4");
    let mut flow = Talk::new(Kind::Stun, true);
    flow.hear(C, 0, &ask);
    flow.hear(S, 0, &tell);
    assert_eq!(flow.kind(), Some(Kind::Stun));
    for (dir, data) in talk() {
        flow.hear(dir, 0, &data);
    }
    assert_eq!(flow.kind(), Some(Kind::Turn));
    flow.finish();
    let stun = r#"stun {"method":"binding","mapped_address":"93.35.169.150","mapped_port":33171}"#;
    assert_eq!(lines(&flow.told()), [stun, RECORD]);
    // Media behind the answer are not looked at for long.
    let mut flow = Talk::new(Kind::Stun, true);
    flow.hear(C, 0, &ask);
    flow.hear(S, 0, &tell);
    for _ in 0..16 {
        flow.hear(C, 0, &[0x80; 40]);
    }
    flow.hear(C, 0, &talk()[0].1);
    assert_eq!(
        (flow.kind(), lines(&flow.told()).len()),
        (Some(Kind::Stun), 1)
    );
}

#[test]
fn it_is_told_from_stun_and_from_others() {
    let all = talk();
    for (dir, data) in &all[..8] {
        assert_eq!(Turn::probe(data, *dir), Probe::Certain);
        assert_eq!(Stun::probe(data, *dir), Probe::NotMine);
        grows::<Turn>(data, *dir);
    }
    // A binding request, a channel before anything else, another cookie, SMB, PostgreSQL.
    for other in [
        &unhex("0001 0000 2112a442 b7e7a701bc34d686fa87dfae")[..],
        &all[8].1,
        &unhex("0003 0008 2112a443 31612b5a42584b4e3138795a"),
        b"\0\0\0\xa4\xffSMBr",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
    ] {
        assert_eq!(
            Turn::probe(other, C),
            Probe::NotMine,
            "{}",
            other.escape_ascii()
        );
    }
    let broken = Some(Parse::Broken("turn_no_message"));
    let cut = &all[0].1[..12];
    assert_eq!(datagrams::<Turn>(3478, &[(C, cut)]).last(), broken);
    assert_eq!(stream::<Turn>(&[(C, &[0xff; 40])]).last(), broken);
}

#[test]
fn what_it_keeps_is_bounded() {
    // Permissions for one peer after the other: eight are kept, and after 64 messages it is told.
    let mut pieces = Vec::new();
    for peer in 0..100 {
        let mut ask =
            unhex("0008 000c 2112a442 5a4e37597672374c31435159 0012 0008 0001cebd33d1a000");
        ask[31] = peer;
        pieces.push((C, ask));
    }
    let told = datagrams::<Turn>(3478, &views(&pieces));
    assert_eq!((told.records.len(), told.last()), (1, Some(Parse::Skip)));
    assert_eq!(told.records[0].matches("18.195.4.").count(), PEERS_MAX);
    // A long piece of data in a stream is passed over, whole.
    let mut data = vec![0x40, 0, 0xff, 0xfe];
    data.extend(vec![7; 65_536]);
    let talk = talk();
    let all = [&talk[0].1[..], &data, &talk[8].1].concat();
    let told = stream::<Turn>(&[(C, &all)]);
    assert_eq!((told.records.len(), told.end), (1, None));
}

proptest! {
    #[test]
    fn any_attributes_never_panic(attributes in prop::collection::vec(any::<u8>(), 0..120), method in 0_u8..16) {
        let len = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        let data = [&[1, method][..], &len, &stun::COOKIE, &[9; 12], &attributes].concat();
        for over in [true, false] {
            let told = if over { datagrams::<Turn>(3478, &[(S, &data)]) } else { stream::<Turn>(&[(S, &data)]) };
            prop_assert!(told.records.len() <= 1);
        }
    }
}
