//! Tests of the DNS parser: messages written out byte by byte.

use super::*;
use crate::types::{Body, Clue, ClueKind, Endpoint, FlowRef, Observations};
use proptest::prelude::*;
use std::net::IpAddr;

/// A flow from 10.0.0.2 to 10.0.0.1.
fn flow(orig_port: u16, resp_port: u16) -> FlowRef {
    let end = |n, port| Endpoint::new(IpAddr::from([10, 0, 0, n]), port);
    FlowRef {
        orig: end(2, orig_port),
        resp: end(1, resp_port),
        ..FlowRef::default()
    }
}

/// Feeds datagrams one second apart; returns records as JSON, clues, and the answers.
fn run(flow: &FlowRef, datagrams: &[(Dir, &[u8])]) -> (Vec<String>, Vec<Clue>, Vec<Parse>) {
    let (mut seen, mut dns) = (Observations::new(), Dns::default());
    let (mut second, mut said) = (0, Vec::new());
    for (dir, data) in datagrams {
        second += 1;
        let ts = Timestamp::from_secs(second);
        let input = Input {
            ts,
            dir: *dir,
            data,
            gap: 0,
            datagram: true,
        };
        said.push(dns.parse(input, &mut Out::new(flow, ts, &mut seen)));
    }
    dns.finish(&mut Out::new(flow, Timestamp::from_secs(99), &mut seen));
    let (records, clues) = told(&seen);
    (records, clues, said)
}

/// Records as JSON with their time, and clues.
fn told(seen: &Observations) -> (Vec<String>, Vec<Clue>) {
    let (mut records, mut clues) = (Vec::new(), Vec::new());
    for observation in seen {
        match &observation.body {
            Body::Record(record) => {
                let mut line = format!("{} ", record.ts.secs());
                line.push_str(&record.body.text());
                records.push(line);
            }
            Body::Clue(clue) => clues.push((**clue).clone()),
            _ => {}
        }
    }
    (records, clues)
}

/// Query 0x1234 for `Www.Ab.de`, type A, recursion wanted.
const QUERY: &[u8] =
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03Www\x02Ab\x02de\x00\x00\x01\x00\x01";
/// Its response: a CNAME `x.Ab.de` for 300 s and its address 192.0.2.1 for 60 s.
const RESPONSE: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00\
    \x03www\x02Ab\x02de\x00\x00\x01\x00\x01\
    \xc0\x0c\x00\x05\x00\x01\x00\x00\x01\x2c\x00\x04\x01x\xc0\x10\
    \xc0\x27\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01";

#[test]
fn query_and_response_make_one_record() {
    let (records, clues, _) = run(
        &flow(40_000, 53),
        &[(Dir::Orig, QUERY), (Dir::Resp, RESPONSE)],
    );
    assert_eq!(
        records,
        [concat!(
            r#"1 {"proto":"udp","trans_id":4660,"rtt":1.000000,"query":"www.Ab.de","qclass":1,"#,
            r#""qclass_name":"C_INTERNET","qtype":1,"qtype_name":"A","opcode":0,"#,
            r#""opcode_name":"query","rcode":0,"rcode_name":"NOERROR","AA":false,"TC":false,"#,
            r#""RD":true,"RA":true,"Z":0,"answers":["x.Ab.de","192.0.2.1"],"#,
            r#""TTLs":[300.000000,60.000000],"rejected":false}"#
        )]
    );
    let clue = &clues[0];
    assert_eq!(
        (clues.len(), clue.kind, &*clue.value),
        (1, ClueKind::DnsName, "www.Ab.de")
    );
    assert_eq!(clue.ip, Some(IpAddr::from([192, 0, 2, 1])));
}

#[test]
fn a_scanners_next_protocol_from_the_same_port_is_no_query() {
    // An NTP request (RFC 5905 §7.3), as it follows a DNS probe in a port scan.
    let mut ntp = vec![0xe3, 0, 4, 0xfa, 0, 1, 0, 0, 0, 1, 0, 0];
    ntp.resize(48, 0);
    let (records, ..) = run(
        &flow(40_000, 47_808),
        &[(Dir::Orig, QUERY), (Dir::Orig, &ntp)],
    );
    assert_eq!(records.len(), 1);
    assert_eq!(
        run(&flow(40_000, 53), &[(Dir::Orig, QUERY), (Dir::Orig, &ntp)])
            .0
            .len(),
        2
    );
}

#[test]
fn unanswered_and_unasked_are_written_too() {
    let (records, _, _) = run(&flow(40_000, 53), &[(Dir::Orig, QUERY)]);
    assert!(records.len() == 1 && records[0].contains(r#""query":"Www.Ab.de""#));
    assert!(!records[0].contains("rcode"));
    let (records, _, _) = run(&flow(53, 40_000), &[(Dir::Orig, RESPONSE)]);
    assert!(records.len() == 1 && !records[0].contains("rtt"));
}

#[test]
fn a_response_with_another_question_does_not_answer() {
    let mut other = RESPONSE.to_vec();
    other[13] = b'q';
    let (records, _, _) = run(
        &flow(40_000, 53),
        &[(Dir::Orig, QUERY), (Dir::Resp, &other)],
    );
    assert_eq!(records.len(), 2);
    assert!(records[0].contains(r#""query":"qww.Ab.de""#) && !records[0].contains("rtt"));
}

#[test]
fn a_refusal_with_only_the_question_is_rejected() {
    let mut refused = QUERY.to_vec();
    refused[2..4].copy_from_slice(&[0x81, 0x85]);
    let (records, _, _) = run(
        &flow(40_000, 53),
        &[(Dir::Orig, QUERY), (Dir::Resp, &refused)],
    );
    assert_eq!(records.len(), 1);
    assert!(records[0].contains(r#""rcode_name":"REFUSED""#));
    assert!(records[0].contains(r#""rejected":true"#));
}

#[test]
fn an_mdns_announcement_names_its_device() {
    // An address record of `Pc.local`, unique, two minutes, for the sender's own address.
    let message = b"\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00\
        \x02Pc\x05local\x00\x00\x01\x80\x01\x00\x00\x00\x78\x00\x04\x0a\x00\x00\x02";
    let (records, clues, _) = run(&flow(5353, 5353), &[(Dir::Orig, message)]);
    assert_eq!(records.len(), 1);
    assert!(records[0].contains(r#""query":"Pc.local","qclass":1,"#));
    assert!(records[0].contains(r#""answers":["10.0.0.2"]"#));
    assert_eq!(
        (clues[0].kind, &*clues[0].value),
        (ClueKind::HostName, "Pc")
    );
    assert_eq!(clues[0].evidence, "mdns");
    // The same from another sender is somebody's word about somebody else.
    assert!(run(&flow(5353, 5353), &[(Dir::Resp, message)]).1.is_empty());
}

#[test]
fn an_mdns_announcement_names_its_services() {
    // PTR of the subtype `_u._sub._ipp._tcp.local`, ten seconds.
    let message = b"\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00\
        \x02_u\x04_sub\x04_ipp\x04_tcp\x05local\x00\x00\x0c\x00\x01\
        \x00\x00\x00\x0a\x00\x04\x01P\xc0\x0c";
    let (records, clues, _) = run(&flow(5353, 5353), &[(Dir::Orig, message)]);
    assert!(records[0].contains(r#""answers":["P._u._sub._ipp._tcp.local"]"#));
    assert_eq!(
        (clues[0].kind, &*clues[0].value),
        (ClueKind::Serves, "_ipp._tcp")
    );
}

#[test]
fn a_netbios_registration_names_its_device() {
    // Registration of FRED<00>, unique, broadcast, for 10.0.0.2 (RFC 1002 §4.2.2).
    let message = b"\x00\x07\x29\x10\x00\x01\x00\x00\x00\x00\x00\x01\
        \x20EGFCEFEECACACACACACACACACACACAAA\x00\x00\x20\x00\x01\
        \xc0\x0c\x00\x20\x00\x01\x00\x00\x00\x00\x00\x06\x00\x00\x0a\x00\x00\x02";
    let (records, clues, _) = run(&flow(137, 137), &[(Dir::Orig, message)]);
    assert!(records[0].contains(r#""query":"FRED","#) && records[0].contains(r#""nb_suffix":0"#));
    assert!(records[0].contains(r#""opcode_name":"netbios-registration""#));
    assert_eq!(
        (clues[0].kind, &*clues[0].value),
        (ClueKind::HostName, "FRED")
    );
}

#[test]
fn the_65th_open_query_pushes_the_first_out() {
    let queries: Vec<Vec<u8>> = (0..65)
        .map(|id| {
            let mut query = QUERY.to_vec();
            query[1] = id;
            query
        })
        .collect();
    let (flow, mut seen, mut dns) = (flow(40_000, 53), Observations::new(), Dns::default());
    for query in &queries {
        let ts = Timestamp::from_secs(1);
        let input = Input {
            ts,
            dir: Dir::Orig,
            data: query,
            gap: 0,
            datagram: true,
        };
        dns.parse(input, &mut Out::new(&flow, ts, &mut seen));
    }
    assert_eq!((seen.len(), dns.pending.len()), (1, PENDING_MAX));
}

#[test]
fn sensing_takes_whole_messages_and_leaves_the_rest() {
    assert_eq!(Dns::probe(QUERY, Dir::Orig), Probe::Certain);
    assert_eq!(Dns::probe(RESPONSE, Dir::Resp), Probe::Certain);
    let framed = [&[0, 27][..], QUERY].concat();
    assert_eq!(QUERY.len(), 27);
    assert_eq!(Dns::probe(&framed, Dir::Orig), Probe::Certain);
    assert_eq!(Dns::probe(&framed[..20], Dir::Orig), Probe::NotMine);
    for other in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        &[0; 64],
    ] {
        assert_eq!(Dns::probe(other, Dir::Orig), Probe::NotMine, "{other:?}");
    }
}

/// Feeds a stream in the given pieces, keeping what was not used, as the flow table does.
fn stream(pieces: &[Vec<u8>]) -> Vec<String> {
    let (flow, mut seen, mut dns) = (flow(40_000, 53), Observations::new(), Dns::default());
    let (ts, mut held) = (Timestamp::from_secs(1), Vec::new());
    'pieces: for piece in pieces {
        held.extend_from_slice(piece);
        while !held.is_empty() {
            let input = Input {
                ts,
                dir: Dir::Orig,
                data: &held,
                gap: 0,
                datagram: false,
            };
            match dns.parse(input, &mut Out::new(&flow, ts, &mut seen)) {
                Parse::Parsed { used } => drop(held.drain(..used)),
                Parse::NeedMore { used: 0, need } if need > 0 => continue 'pieces,
                other => panic!("{other:?}"),
            }
        }
    }
    dns.finish(&mut Out::new(&flow, ts, &mut seen));
    told(&seen).0
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same(cuts in proptest::collection::vec(0..160_usize, 0..6)) {
        let framed = |message: &[u8]| {
            [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
        };
        let whole = [framed(QUERY), framed(RESPONSE), framed(QUERY)].concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
        cuts.extend([0, whole.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|w| whole[w[0]..w[1]].to_vec()).collect();
        prop_assert_eq!(stream(&pieces), stream(std::slice::from_ref(&whole)));
    }

    #[test]
    fn cut_and_damaged_messages_never_panic(
        cut in 0..RESPONSE.len(),
        at in 0..RESPONSE.len(),
        value in any::<u8>(),
        port in prop_oneof![Just(53_u16), Just(5353), Just(5355), Just(137)],
    ) {
        let mut message = RESPONSE.to_vec();
        message[at] = value;
        let flow = flow(40_000, port);
        let _ = run(&flow, &[(Dir::Resp, &message), (Dir::Resp, &message[..cut])]);
        let _ = Dns::probe(&message[..cut], Dir::Resp);
    }
}
