//! Tests of ONC RPC: messages laid out after RFC 5531, RFC 1833 and RFC 1813.

use super::super::testing::{Told, datagrams, endures, stream};
use super::message::CALL_LEN;
use super::*;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;
/// `AUTH_SYS` of root on pc-anna: stamp, name, user, group, no more groups.
const SYS: &[u8] = b"\0\0\0\x01\0\0\0\x1c\0\0\0\x07\0\0\0\x07pc-anna\0\0\0\0\0\0\0\0\0\0\0\0\0";
const NO_AUTH: &[u8] = &[0; 8];

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A call of procedure `number` with this credential and these arguments.
fn call(
    xid: u32,
    (program, version, number): (u32, u32, u32),
    auth: &[u8],
    args: &[u8],
) -> Vec<u8> {
    let head = words(&[xid, 0, 2, program, version, number]);
    [&head[..], auth, NO_AUTH, args].concat()
}

/// An accepted reply without results.
fn reply(xid: u32) -> Vec<u8> {
    words(&[xid, 1, 0, 0, 0, 0])
}

fn opaque(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).expect("short");
    let padding = bytes.len().next_multiple_of(4) - bytes.len();
    [&len.to_be_bytes()[..], bytes, &[0; 3][..padding]].concat()
}

/// A record of a stream, its last fragment.
fn marked(message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).expect("short") | 1 << 31;
    [&len.to_be_bytes()[..], message].concat()
}

fn clues(told: &Told) -> Vec<(&'static str, &str)> {
    told.clues.iter().map(|c| (c.evidence, &*c.value)).collect()
}

#[test]
fn a_port_is_asked_for() {
    // RFC 1833 §3.2: GETPORT of NFS 3 over TCP.
    let ask = call(7, (100_000, 2, 3), NO_AUTH, &words(&[100_003, 3, 6, 0]));
    let told = datagrams::<OncRpc>(111, &[(C, &ask), (S, &[reply(7), words(&[2049])].concat())]);
    assert_eq!(
        told.records,
        [concat!(
            r#"onc_rpc {"duration":1.000000,"program":"portmap","version":2,"procedures":["GETPORT"],"#,
            r#""calls":1,"replies":1,"refused":0,"auth":"AUTH_NONE","asked":["nfs 3 tcp"]}"#
        )]
    );
    assert_eq!(clues(&told), [("onc rpc reply", "portmap")]);
    let rpcbind = [words(&[100_005, 3]), opaque(b"udp6"), opaque(b"")].concat();
    let told = datagrams::<OncRpc>(111, &[(C, &call(8, (100_000, 4, 3), NO_AUTH, &rpcbind))]);
    assert!(
        told.records[0].contains(r#""asked":["mount 3 udp6"]"#),
        "{:?}",
        told.records
    );
}

#[test]
fn files_are_named_and_so_is_the_machine() {
    let handle = opaque(&[9; 32]);
    let old = [handle.clone(), opaque(b"preise.csv")].concat();
    let rename = [&old[..], &handle, &opaque(b"preise.old")].concat();
    let mut asked = marked(&call(1, (100_003, 3, 3), SYS, &old));
    asked.extend(marked(&call(2, (100_003, 3, 14), SYS, &rename)));
    // A write whose data goes on for long, and a call of another program behind it.
    let write = [handle, words(&[0, 0, 3000, 2]), opaque(&[0xaa; 3000])].concat();
    asked.extend(marked(&call(3, (100_003, 3, 7), SYS, &write)));
    asked.extend(marked(&call(4, (100_227, 3, 0), NO_AUTH, b"")));
    let answers = [
        marked(&reply(1)),
        marked(&words(&[2, 1, 1, 1, 1])),
        marked(&reply(4)),
    ]
    .concat();
    let pieces: [(Dir, &[u8]); 2] = [(C, &asked), (S, &answers)];
    let told = stream::<OncRpc>(&pieces);
    assert_eq!(
        told.records,
        [
            concat!(
                r#"onc_rpc {"duration":1.000000,"program":"nfs","version":3,"#,
                r#""procedures":["LOOKUP","RENAME","WRITE"],"calls":3,"replies":2,"refused":1,"#,
                r#""auth":"AUTH_SYS","machine_name":"pc-anna","user_id":0,"#,
                r#""names":["preise.csv","preise.old"]}"#
            ),
            concat!(
                r#"onc_rpc {"duration":1.000000,"program":"nfs_acl","version":3,"procedures":["NULL"],"#,
                r#""calls":1,"replies":1,"refused":0,"auth":"AUTH_NONE"}"#
            ),
        ]
    );
    let expected = [
        ("onc rpc machine name", "pc-anna"),
        ("onc rpc reply", "nfs"),
        ("onc rpc reply", "nfs_acl"),
    ];
    assert_eq!(clues(&told), expected);
    // A small one, cut everywhere.
    let small: [(Dir, &[u8]); 2] = [(C, &asked[..140]), (S, &answers)];
    endures::<OncRpc>(&small, false);
}

#[test]
fn a_message_in_several_fragments_is_one_call() {
    let ask = call(7, (100_005, 3, 1), SYS, &opaque(b"/export"));
    let (head, tail) = ask.split_at(72);
    let first = [&words(&[72])[..], head].concat();
    let last = [
        &words(&[1 << 31 | u32::try_from(tail.len()).expect("short")])[..],
        tail,
    ]
    .concat();
    let told = stream::<OncRpc>(&[(C, &first), (C, &last), (C, &marked(&ask))]);
    assert!(
        told.records[0].contains(r#""program":"mount","version":3,"procedures":["MNT"],"calls":2"#)
    );
    assert!(told.records[0].contains(r#""names":["/export"]"#));
    let endless = words(&[u32::MAX, 0, 0]);
    let told = stream::<OncRpc>(&[(C, &endless)]);
    assert_eq!(
        told.end.map(|(end, _)| end),
        Some(Parse::Broken("onc_rpc_fragment_too_long"))
    );
    // Behind nonsense it goes on with the next message.
    let told = stream::<OncRpc>(&[(C, &marked(&ask)), (C, &endless), (C, &marked(&ask))]);
    assert!(told.records[0].contains(r#""calls":2"#) && told.end.is_none());
}

#[test]
fn a_flow_keeps_no_more_than_its_bounds() {
    let many: Vec<Vec<u8>> = (0..200)
        .map(|n| call(n, (100_003 + n / 10, 3, n), SYS, &opaque(&[b'x'; 200])))
        .collect();
    let many: Vec<(Dir, &[u8])> = many.iter().map(|one| (C, &one[..])).collect();
    let told = datagrams::<OncRpc>(2049, &many);
    assert_eq!(told.records.len(), PROGRAMS_MAX);
    endures::<OncRpc>(&many[..2], true);
}

#[test]
fn sensing_wants_a_whole_call() {
    let ask = call(7, (100_000, 2, 4), NO_AUTH, b"");
    assert_eq!(OncRpc::probe(&ask, C), Probe::Certain);
    assert_eq!(OncRpc::probe(&marked(&ask), C), Probe::Certain);
    assert_eq!(OncRpc::probe(&ask[..30], C), Probe::NotMine);
    for cut in 1..CALL_LEN + 4 {
        assert_eq!(
            OncRpc::probe(&marked(&ask)[..cut], C),
            Probe::Unsure,
            "{cut}"
        );
    }
    // Whether anybody is there is asked at any port.
    let ping = call(7, (100_000, 2, 0), NO_AUTH, b"");
    assert_eq!(OncRpc::probe(&ping, C), Probe::Unsure);
    assert_eq!(OncRpc::probe(&marked(&ping), C), Probe::Certain);
    assert_eq!(OncRpc::probe(&reply(7), S), Probe::Unsure);
    // Another version of RPC; a program that nobody has; a credential that is none and not empty.
    let version = [&ask[..11], &[3], &ask[12..]].concat();
    let program = [&ask[..12], &[0; 4], &ask[16..]].concat();
    let credential = call(7, (100_000, 2, 4), b"\0\0\0\0\0\0\0\x04....", b"");
    for other in [version, program, credential] {
        assert_eq!(OncRpc::probe(&other, C), Probe::NotMine);
    }
}
