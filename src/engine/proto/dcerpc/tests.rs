//! PDUs laid out by hand after C706 12.5 and 12.6; the helpers write one field a line.

use proptest::prelude::*;

use super::*;
use crate::types::{Body, FlowRef, Observations, Timestamp};

/// svcctl (\[MS-SCMR\] 1.9) as it is sent: three little-endian integers, then eight bytes.
const SVCCTL: [u8; 16] = [
    0x81, 0xbb, 0x7a, 0x36, 0x44, 0x98, 0xf1, 0x35, 0xad, 0x32, 0x98, 0xf0, 0x38, 0x00, 0x10, 0x03,
];
/// NDR (C706 14) as a transfer syntax, version 2.
const NDR: [u8; 20] = [
    0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60,
    2, 0, 0, 0,
];

/// A PDU of one fragment.
fn pdu(kind: u8, call: u32, body: &[u8]) -> Vec<u8> {
    let mut out = vec![5, 0, kind, 3, 0x10, 0, 0, 0]; // version, PFC_FIRST_FRAG | PFC_LAST_FRAG, drep
    out.extend(u16::try_from(16 + body.len()).unwrap().to_le_bytes()); // frag_length
    out.extend([0, 0]); // auth_length
    out.extend(call.to_le_bytes());
    out.extend(body);
    out
}

/// A bind (11) or an alter_context (14).
fn bind(kind: u8, contexts: &[(u16, [u8; 16])]) -> Vec<u8> {
    let mut body = vec![0xb8, 0x10, 0xb8, 0x10, 0, 0, 0, 0]; // max_xmit_frag, max_recv_frag, group
    body.extend([u8::try_from(contexts.len()).unwrap(), 0, 0, 0]); // n_context_elem
    for (id, interface) in contexts {
        body.extend(id.to_le_bytes());
        body.extend([1, 0]); // n_transfer_syn
        body.extend(interface);
        body.extend([2, 0, 0, 0]); // version of the interface
        body.extend(NDR);
    }
    pdu(kind, 1, &body)
}

fn bind_ack(address: &str) -> Vec<u8> {
    let mut body = vec![0xb8, 0x10, 0xb8, 0x10, 1, 0, 0, 0];
    body.extend(u16::try_from(address.len() + 1).unwrap().to_le_bytes());
    body.extend(address.as_bytes());
    body.push(0);
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend([1, 0, 0, 0, 0, 0, 0, 0]); // n_results, acceptance
    body.extend(NDR);
    pdu(12, 1, &body)
}

fn request(call: u32, context: u16, operation: u16, stub: &[u8]) -> Vec<u8> {
    let mut body = u32::try_from(stub.len()).unwrap().to_le_bytes().to_vec(); // alloc_hint
    body.extend(context.to_le_bytes());
    body.extend(operation.to_le_bytes());
    body.extend(stub);
    pdu(0, call, &body)
}

fn response(call: u32) -> Vec<u8> {
    pdu(2, call, &[[4, 0, 0, 0, 0, 0, 0, 0], [0; 8]].concat())
}

fn fault(call: u32, status: u32) -> Vec<u8> {
    let mut body = vec![0x20, 0, 0, 0, 0, 0, 0, 0]; // alloc_hint, context, cancel_count
    body.extend(status.to_le_bytes());
    pdu(3, call, &body)
}

/// Feeds pieces as the driver does, a second apart, and returns the records as JSON, kind in front.
fn run(pieces: &[(Dir, u64, &[u8])], datagram: bool) -> Vec<String> {
    let (flow, mut seen, mut parser) = (FlowRef::default(), Observations::new(), DceRpc::default());
    let (mut skips, mut now) = ([0_u64; 2], Timestamp::from_secs(1));
    for (dir, gap, piece) in pieces {
        now = now.plus(1_000_000_000);
        let skip = &mut skips[usize::from(*dir == Dir::Resp)];
        let lost = gap - *skip.min(&mut gap.clone());
        *skip -= gap - lost;
        let skipped = usize::try_from(*skip).unwrap().min(piece.len());
        *skip -= u64::try_from(skipped).unwrap();
        let data = &piece[skipped..];
        if data.is_empty() {
            continue;
        }
        let input = Input {
            ts: now,
            dir: *dir,
            data,
            gap: lost,
            datagram,
        };
        match parser.parse(input, &mut Out::new(&flow, now, &mut seen)) {
            Parse::Parsed { used } => assert_eq!(used, data.len()),
            Parse::SkipBytes { bytes } => *skip = bytes,
            Parse::NeedMore { .. } => {}
            Parse::Skip | Parse::Broken(_) => break,
        }
    }
    parser.finish(&mut Out::new(&flow, now, &mut seen));
    lines(&seen)
}

fn lines(seen: &Observations) -> Vec<String> {
    let mut lines = Vec::new();
    for observation in seen {
        match &observation.body {
            Body::Record(record) => {
                let mut line = format!("{} ", record.body.kind());
                line.push_str(&record.body.text());
                lines.push(line);
            }
            Body::Clue(clue) => lines.push(format!("{} {}", clue.evidence, clue.value)),
            _ => {}
        }
    }
    lines
}

fn feed(pieces: &[(Dir, Vec<u8>)]) -> Vec<String> {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|(dir, data)| (*dir, 0, &data[..]))
        .collect();
    run(&pieces, false)
}

/// A service is created: bind, its answer, a call, its answer.
fn conversation() -> Vec<(Dir, Vec<u8>)> {
    vec![
        (Dir::Orig, bind(11, &[(0, SVCCTL)])),
        (Dir::Resp, bind_ack(r"\PIPE\svcctl")),
        (Dir::Orig, request(2, 0, 12, &[0xaa; 300])),
        (Dir::Resp, response(2)),
    ]
}

const WHERE: &str = r#""named_pipe":"\\PIPE\\svcctl","endpoint":"svcctl""#;
const UUID: &str = r#""interface":"367abb81-9844-35f1-ad32-98f038001003""#;

#[test]
fn a_call_is_named_with_its_round_trip() {
    assert_eq!(
        feed(&conversation()),
        [format!(
            r#"dce_rpc {{"rtt":1.000000,{WHERE},"operation":"RCreateServiceW",{UUID},"opnum":12}}"#
        )]
    );
}

#[test]
fn faults_unknown_operations_and_silence_are_told() {
    let mut pieces = conversation();
    pieces.truncate(2);
    pieces.push((Dir::Orig, request(3, 0, 500, &[])));
    pieces.push((Dir::Resp, fault(3, 5)));
    pieces.push((Dir::Orig, request(4, 0, 2, &[])));
    assert_eq!(
        feed(&pieces),
        [
            format!(
                r#"dce_rpc {{"rtt":1.000000,{WHERE},"operation":"unknown-500",{UUID},"opnum":500,"fault":"ERROR_ACCESS_DENIED"}}"#
            ),
            format!(r#"dce_rpc {{{WHERE},"operation":"RDeleteService",{UUID},"opnum":2}}"#),
        ]
    );
}

#[test]
fn contexts_lead_to_their_interfaces_and_unused_ones_are_told_once() {
    let mut strange = SVCCTL;
    strange[0] = 0x82;
    let rows = feed(&[
        (
            Dir::Orig,
            bind(11, &[(0, strange), (1, strange), (7, SVCCTL)]),
        ),
        (Dir::Orig, bind(14, &[(9, SVCCTL)])),
        (Dir::Orig, request(2, 7, 0, &[])),
        (Dir::Resp, response(2)),
    ]);
    assert_eq!(rows.len(), 2);
    assert!(rows[0].contains("RCloseServiceHandle"));
    // An interface that the table does not have is called by its UUID; no operation: none was called.
    let uuid = "367abb82-9844-35f1-ad32-98f038001003";
    assert_eq!(
        rows[1],
        format!(r#"dce_rpc {{"endpoint":"{uuid}","interface":"{uuid}"}}"#)
    );
}

#[test]
fn only_the_first_fragment_of_a_call_counts() {
    let mut first = request(2, 0, 12, &[0; 50]);
    first[3] = 1; // PFC_FIRST_FRAG
    let mut last = request(2, 0, 12, &[0; 50]);
    last[3] = 2; // PFC_LAST_FRAG
    let mut pieces = conversation();
    pieces[2].1 = [first, last].concat();
    assert_eq!(feed(&pieces), feed(&conversation()));
}

#[test]
fn big_endian_senders_are_read() {
    let mut bind = bind(11, &[(0, SVCCTL)]);
    bind[4] = 0; // drep: big-endian
    let len = u8::try_from(bind.len()).unwrap();
    bind[8..16].copy_from_slice(&[0, len, 0, 0, 0, 0, 0, 1]);
    bind[28..30].copy_from_slice(&[0, 5]); // p_cont_id
    bind[32..40].copy_from_slice(&[0x36, 0x7a, 0xbb, 0x81, 0x98, 0x44, 0x35, 0xf1]);
    let mut call = request(2, 0, 0, &[]);
    call[4] = 0;
    call[8..16].copy_from_slice(&[0, 24, 0, 0, 0, 0, 0, 2]);
    call[20..24].copy_from_slice(&[0, 5, 0, 12]); // p_cont_id, opnum
    let rows = feed(&[(Dir::Orig, bind), (Dir::Orig, call)]);
    assert!(
        rows.len() == 1 && rows[0].contains("RCreateServiceW"),
        "{rows:?}"
    );
}

/// An AUTHENTICATE (\[MS-NLMP\] 2.2.1.3) with nothing but a user, in a security trailer (\[MS-RPCE\] 2.2.2.11).
fn auth3() -> Vec<u8> {
    let mut token = b"NTLMSSP\0\x03\0\0\0".to_vec();
    token.extend([0; 24]); // responses, domain
    token.extend([6, 0, 6, 0, 64, 0, 0, 0]); // user: 6 bytes at 64
    token.extend([0; 16]); // workstation, session key
    token.extend([1, 0, 0, 0]); // UNICODE
    token.extend(b"e\0v\0e\0");
    let mut body = vec![0; 4]; // pad
    body.extend([10, 6, 0, 0, 0, 0, 0, 0]); // RPC_C_AUTHN_WINNT, privacy, no padding, context
    body.extend(&token);
    let mut out = pdu(16, 1, &body);
    out[10] = u8::try_from(token.len()).unwrap(); // auth_length
    out
}

#[test]
fn sign_ins_in_trailers_are_judged_by_what_follows() {
    let told = |pieces: &[(Dir, Vec<u8>)]| {
        let rows = feed(pieces).into_iter();
        rows.filter(|row| row.starts_with("ntlm {"))
            .collect::<Vec<_>>()
    };
    let mut pieces = conversation();
    pieces.insert(2, (Dir::Orig, auth3()));
    assert_eq!(told(&pieces), [r#"ntlm {"username":"eve","success":true}"#]);
    pieces[4].1 = fault(2, 5);
    assert_eq!(
        told(&pieces),
        [r#"ntlm {"username":"eve","success":false}"#]
    );
    pieces.truncate(3);
    assert_eq!(told(&pieces), [r#"ntlm {"username":"eve"}"#]);
}

#[test]
fn after_a_gap_the_next_pdu_is_found() {
    let whole = conversation();
    let call = [&[5, 0, 0, 9][..], &whole[2].1].concat();
    let rows = run(
        &[
            (Dir::Orig, 0, &whole[0].1),
            (Dir::Resp, 0, &whole[1].1),
            (Dir::Orig, 77, &call),
            (Dir::Resp, 0, &whole[3].1),
        ],
        false,
    );
    assert_eq!(rows, feed(&whole));
    // Lost within a body: nothing is missed.
    let (head, tail) = whole[2].1.split_at(100);
    let rows = run(
        &[
            (Dir::Orig, 0, &whole[0].1),
            (Dir::Resp, 0, &whole[1].1),
            (Dir::Orig, 0, head),
            (Dir::Orig, 50, &tail[50..]),
            (Dir::Orig, 0, &request(9, 0, 0, &[])),
        ],
        false,
    );
    assert_eq!(rows.len(), 2);
}

/// A connectionless PDU (C706 12.5) of svcctl, without a body.
fn datagram(kind: u8, sequence: u8, operation: u8) -> Vec<u8> {
    let mut out = vec![4, kind, 0, 0, 0x10, 0, 0, 0]; // version, flags, drep, serial_hi
    out.extend([0; 16]); // object
    out.extend(SVCCTL);
    out.extend([0x11; 16]); // activity
    out.extend([0; 4]); // server_boot
    out.extend([2, 0, 0, 0]); // if_vers
    out.extend([sequence, 0, 0, 0]);
    out.extend([operation, 0, 0xff, 0xff, 0xff, 0xff]); // opnum, ihint, ahint
    out.extend([0, 0, 0, 0, 0, 0]); // len, fragnum, auth_proto, serial_lo
    out
}

#[test]
fn datagrams_are_calls_of_their_own() {
    let (ask, again, other) = (datagram(0, 1, 12), datagram(0, 1, 12), datagram(0, 2, 2));
    assert_eq!(DceRpc::probe(&ask, Dir::Orig), Probe::Certain);
    let rows = run(
        &[
            (Dir::Orig, 0, &ask),
            (Dir::Orig, 0, &again),
            (Dir::Resp, 0, &datagram(2, 1, 12)),
            (Dir::Orig, 0, &other),
            (Dir::Orig, 0, b"something else"),
        ],
        true,
    );
    assert_eq!(rows.len(), 2);
    assert!(rows[0].contains(r#""rtt":2.000000"#) && rows[0].contains("RCreateServiceW"));
    assert!(!rows[1].contains("rtt") && rows[1].contains("RDeleteService"));
    for len in 1..ask.len() {
        assert_eq!(DceRpc::probe(&ask[..len], Dir::Orig), Probe::NotMine);
        run(&[(Dir::Orig, 0, &ask[..len])], true);
    }
}

#[test]
fn beginnings_are_recognised() {
    let first = bind(11, &[(0, SVCCTL)]);
    assert_eq!(DceRpc::probe(&first, Dir::Orig), Probe::Certain);
    for len in 0..16 {
        assert_eq!(
            DceRpc::probe(&first[..len], Dir::Orig),
            Probe::Unsure,
            "{len}"
        );
    }
    // SOCKS 5 (RFC 1928): one method; the answer to it and to a request; a CONNECT to 1.2.3.4:80.
    let methods = [5, 1, 0];
    let answers = [5, 0, 5, 0, 0, 1, 1, 2, 3, 4, 0, 80];
    let connect = [5, 1, 0, 5, 1, 0, 1, 1, 2, 3, 4, 0, 80];
    assert_eq!(DceRpc::probe(&answers, Dir::Resp), Probe::NotMine);
    assert_eq!(DceRpc::probe(&connect, Dir::Orig), Probe::NotMine);
    assert_ne!(DceRpc::probe(&methods, Dir::Orig), Probe::Certain);
    assert_eq!(DceRpc::probe(b"GET / HTTP/1.1", Dir::Orig), Probe::NotMine);
}

#[test]
fn tables_hold_their_bounds_and_lose_nothing_told() {
    let mut pieces = vec![(Dir::Orig, bind(11, &[(0, SVCCTL)]))];
    for call in 0..200 {
        pieces.push((Dir::Orig, request(call, 0, 0, &[])));
    }
    for id in 1..200_u8 {
        let mut interface = SVCCTL;
        interface[15] = id;
        pieces.push((Dir::Orig, bind(14, &[(u16::from(id), interface)])));
    }
    let rows = feed(&pieces);
    let count = |text| rows.iter().filter(|row| row.contains(text)).count();
    assert_eq!(count("RCloseServiceHandle"), 200);
    // Of the 199 others one is svcctl again, by a second context.
    assert_eq!(count(r#""endpoint":"367abb81"#), 198);
    assert_eq!(count("dce_rpc_table_full"), 1);
}

#[test]
fn what_is_not_ours_is_given_up() {
    let junk = vec![0x41; 70_000];
    let rows = feed(&[(Dir::Orig, junk), (Dir::Orig, bind(11, &[(0, SVCCTL)]))]);
    assert!(rows.is_empty());
}

#[test]
fn a_cut_at_any_byte_does_no_harm() {
    let mut whole = conversation();
    whole.insert(2, (Dir::Orig, auth3()));
    for (cut, (dir, data)) in whole.iter().enumerate() {
        for len in 0..data.len() {
            let mut pieces = whole.clone();
            pieces[cut] = (*dir, data[..len].to_vec());
            feed(&pieces);
        }
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_records(sizes in prop::collection::vec(1..60_usize, 1..40)) {
        let whole = conversation();
        let (mut pieces, mut sizes) = (Vec::new(), sizes.iter().cycle());
        for (dir, data) in &whole {
            let mut rest = &data[..];
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                pieces.push((*dir, 0, piece));
                rest = after;
            }
        }
        // The round trip depends on the number of pieces here.
        let named = |rows: Vec<String>| rows.iter().filter(|row| row.contains("RCreateServiceW")).count();
        prop_assert_eq!(named(run(&pieces, false)), 1);
    }

    #[test]
    fn changed_bytes_never_panic(
        changes in prop::collection::vec((0..4_usize, 0..340_usize, any::<u8>()), 1..20),
        datagrams in any::<bool>(),
    ) {
        let mut pieces = conversation();
        for (piece, at, byte) in changes {
            if let Some(slot) = pieces[piece].1.get_mut(at) {
                *slot = byte;
            }
        }
        let pieces: Vec<_> = pieces.iter().map(|(dir, data)| (*dir, 0, &data[..])).collect();
        run(&pieces, datagrams);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        run(&[(Dir::Orig, 0, &bytes), (Dir::Resp, 3, &bytes)], false);
        let pdu = [&[5, 0, 11, 3, 0x10, 0, 0, 0][..], &bytes].concat();
        run(&[(Dir::Orig, 0, &pdu)], false);
    }
}
