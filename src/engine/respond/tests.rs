//! The kill table against frames written by hand: numbers from the RFCs, checksums from an
//! independent decoder, a peer that takes a reset only where RFC 5961 lets it.

mod properties;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use tapir_message::{Action, Response, ResponseState};

use super::*;
use crate::policy::Authorised;
use crate::types::{MacAddr, Timestamp};

const OWN: MacAddr = MacAddr([2, 0xee, 0, 0, 0, 9]);
const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 5];
const SERVER: [u8; 6] = [2, 0, 0, 0, 0, 7];
const MS: i64 = 1_000_000;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_nanos(1_767_614_400_000_000_000 + ms * MS)
}

/// A segment of the test's connection, 10.0.0.5:50000 to 203.0.113.7:80 or back.
#[derive(Clone, Copy)]
struct Seg {
    from_client: bool,
    port: u16,
    flags: u8,
    seq: u32,
    ack: u32,
    len: usize,
    v6: bool,
    tags: &'static [u8],
    options: &'static [u8],
}

impl Seg {
    const fn client(flags: u8, seq: u32, ack: u32, len: usize) -> Self {
        Self {
            from_client: true,
            port: 50_000,
            flags,
            seq,
            ack,
            len,
            v6: false,
            tags: &[],
            options: &[],
        }
    }

    const fn server(flags: u8, seq: u32, ack: u32, len: usize) -> Self {
        Self {
            from_client: false,
            ..Self::client(flags, seq, ack, len)
        }
    }

    /// Client's TTL is 64, server's 57; flow labels 0xabcde and 0x12345.
    fn frame(&self) -> Vec<u8> {
        let (src_mac, dst_mac) = if self.from_client {
            (CLIENT, SERVER)
        } else {
            (SERVER, CLIENT)
        };
        let (sport, dport) = if self.from_client {
            (self.port, 80_u16)
        } else {
            (80, self.port)
        };
        let mut tcp = Vec::new();
        tcp.extend(sport.to_be_bytes());
        tcp.extend(dport.to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        let words = 5 + u8::try_from(self.options.len() / 4).unwrap();
        tcp.extend([words << 4, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(self.options);
        tcp.extend(vec![b'x'; self.len]);
        let len = u16::try_from(tcp.len()).unwrap();
        let mut out = [dst_mac, src_mac].concat();
        out.extend(self.tags);
        if self.v6 {
            let [c, s] = ["2001:db8::5", "2001:db8:1::7"].map(|text| {
                let addr: std::net::Ipv6Addr = text.parse().unwrap();
                addr.octets()
            });
            let (src, dst, label, hops) = if self.from_client {
                (c, s, [0x6a, 0xbc, 0xde], 64)
            } else {
                (s, c, [0x61, 0x23, 0x45], 57)
            };
            // Version and class share the first byte with nothing; the label's 20 bits follow.
            out.extend([0x86, 0xdd, 0x60, label[0] & 0x0f, label[1], label[2]]);
            out.extend(len.to_be_bytes());
            out.extend([6, hops]);
            out.extend(src);
            out.extend(dst);
        } else {
            let (c, s) = ([10, 0, 0, 5], [203, 0, 113, 7]);
            let (src, dst, ttl) = if self.from_client {
                (c, s, 64)
            } else {
                (s, c, 57)
            };
            out.extend([0x08, 0x00, 0x45, 0]);
            out.extend((len + 20).to_be_bytes());
            out.extend([0, 1, 0x40, 0, ttl, 6, 0, 0]);
            out.extend(src);
            out.extend(dst);
        }
        out.extend(tcp);
        out
    }
}

fn entry_of(action: Action, vlan: u16, v6: bool, trunk: bool) -> KillEntry {
    let (orig, resp) = if v6 {
        ("2001:db8::5", "2001:db8:1::7")
    } else {
        ("10.0.0.5", "203.0.113.7")
    };
    let target = tapir_message::Target {
        orig_h: orig.parse().unwrap(),
        orig_p: 50_000,
        resp_h: resp.parse().unwrap(),
        resp_p: 80,
        vlan,
        orig_mac: MacAddr(CLIENT),
        resp_mac: MacAddr(SERVER),
        uid: "C".to_owned(),
    };
    KillEntry::new(
        Authorised::for_test(action, target, at(0), at(600_000)),
        OWN,
        trunk,
    )
}

fn table_with(action: Action) -> KillTable {
    let mut table = KillTable::new();
    assert!(table.insert(at(0), entry_of(action, 0, false, false)));
    assert_eq!(states(&table.take_changes()), [ResponseState::Armed]);
    table
}

fn states(changes: &[Response]) -> Vec<ResponseState> {
    changes.iter().map(|change| change.state).collect()
}

/// What a reset says, as an independent decoder reads it, all checksums found right.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    dst: [u8; 6],
    ttl: u8,
    label: u32,
    ports: (u16, u16),
    seq: u32,
    ack: Option<u32>,
    vlans: usize,
}

fn told(frame: &ResetFrame) -> Told {
    let packet = SlicedPacket::from_ethernet(frame.as_bytes()).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
        panic!("no TCP")
    };
    let (ttl, label) = match packet.net.as_ref().unwrap() {
        NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            assert_eq!(header.calc_header_checksum(), header.header_checksum);
            let sum = tcp
                .calc_checksum_ipv4(header.source, header.destination)
                .unwrap();
            assert_eq!(sum, tcp.checksum());
            (header.time_to_live, 0)
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header().to_header();
            let sum = tcp
                .calc_checksum_ipv6(header.source, header.destination)
                .unwrap();
            assert_eq!(sum, tcp.checksum());
            (header.hop_limit, header.flow_label.value())
        }
        other => panic!("{other:?}"),
    };
    assert!(tcp.rst() && !tcp.syn() && !tcp.fin());
    assert_eq!(
        (tcp.window_size(), tcp.options().len(), tcp.payload().len()),
        (0, 0, 0)
    );
    assert_eq!(frame.as_bytes()[6..12], OWN.0);
    Told {
        dst: frame.as_bytes()[..6].try_into().unwrap(),
        ttl,
        label,
        ports: (tcp.source_port(), tcp.destination_port()),
        seq: tcp.sequence_number(),
        ack: tcp.ack().then(|| tcp.acknowledgment_number()),
        vlans: packet.link_exts.len(),
    }
}

fn answers(table: &mut KillTable, ms: i64, seg: &Seg) -> Vec<Told> {
    let mut out = Resets::new();
    table.on_frame(at(ms), &seg.frame(), &mut out);
    out.iter().map(told).collect()
}

fn to_server(seq: u32, ack: Option<u32>) -> Told {
    Told {
        dst: SERVER,
        ttl: 64,
        label: 0,
        ports: (50_000, 80),
        seq,
        ack,
        vlans: 0,
    }
}

fn to_client(seq: u32, ack: Option<u32>) -> Told {
    Told {
        dst: CLIENT,
        ttl: 57,
        label: 0,
        ports: (80, 50_000),
        seq,
        ack,
        vlans: 0,
    }
}

#[test]
fn both_ends_get_the_next_byte_they_expect() {
    let mut table = table_with(Action::ResetFlow);
    // The server has sent 1,000 bytes from 5,000 on: the client expects 6,000; it acknowledged 300.
    // The client's TTL is not known yet and is taken from the frame at hand.
    let data = Seg::server(ACK, 5_000, 300, 1_000);
    let first = answers(&mut table, 1, &data);
    assert_eq!(
        first,
        [
            to_client(6_000, None),
            Told {
                ttl: 57,
                ..to_server(300, None)
            }
        ]
    );
    let ack = Seg::client(ACK, 300, 6_000, 0);
    assert_eq!(
        answers(&mut table, 2, &ack),
        [to_server(300, None), to_client(6_000, None)]
    );
    // Sequence numbers wrap: 0xffff_fff0 + 0x20 + FIN = 0x11.
    let mut table = table_with(Action::ResetFlow);
    let last = Seg::client(ACK | FIN, 0xffff_fff0, 7, 0x20);
    assert_eq!(answers(&mut table, 3, &last)[0], to_server(0x11, None));
}

#[test]
fn a_held_pair_refuses_every_step_of_a_new_connection() {
    let mut table = table_with(Action::HoldPair);
    let call = Seg {
        port: 50_001,
        ..Seg::client(SYN, 99, 0, 0)
    };
    // RFC 9293 §3.10.7.1: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>, the SYN counting one.
    let refused = Told {
        ttl: 64,
        ports: (80, 50_001),
        ..to_client(0, Some(100))
    };
    assert_eq!(answers(&mut table, 1, &call), [refused]);
    assert_eq!(answers(&mut table, 2, &call).len(), 1, "repeated");
    let accepted = Seg {
        port: 50_001,
        ..Seg::server(SYN | ACK, 700, 100, 0)
    };
    let both = [
        Told {
            ports: (50_001, 80),
            ..to_server(100, None)
        },
        Told {
            ports: (80, 50_001),
            ..to_client(701, Some(100))
        },
    ];
    assert_eq!(answers(&mut table, 3, &accepted), both);
    let other = Seg {
        port: 50_001,
        ..Seg::client(ACK, 100, 701, 10)
    };
    assert_eq!(answers(&mut table, 4, &other)[0].seq, 110);
    table.advance(at(504));
    let changes = table.take_changes();
    assert_eq!(states(&changes), [ResponseState::Reset]);
    assert_eq!((changes[0].redials, changes[0].bytes_after), (1, 10));
    let again = Seg {
        port: 50_002,
        ..call
    };
    assert_eq!(answers(&mut table, 600, &again).len(), 1);
    let changes = table.take_changes();
    assert_eq!(
        (changes[0].state, changes[0].redials),
        (ResponseState::Reset, 2)
    );
    table.advance(at(600_000));
    assert_eq!(states(&table.take_changes()), [ResponseState::Expired]);
    assert!(table.is_empty() && table.pairs().is_empty());
}

#[test]
fn ipv6_labels_and_tags_are_copied() {
    const TAGS: &[u8] = &[0x88, 0xa8, 0x60, 0x64, 0x81, 0x00, 0x00, 0x07];
    let seg = Seg {
        v6: true,
        tags: TAGS,
        ..Seg::client(ACK, 10, 20, 5)
    };
    for trunk in [true, false] {
        let mut table = KillTable::new();
        table.insert(at(0), entry_of(Action::ResetFlow, 100, true, trunk));
        let server = Seg {
            from_client: false,
            ..seg
        };
        answers(&mut table, 1, &server);
        let mut out = Resets::new();
        table.on_frame(at(2), &seg.frame(), &mut out);
        let both: Vec<Told> = out.iter().map(told).collect();
        assert_eq!(
            both.iter().map(|t| t.label).collect::<Vec<_>>(),
            [0xa_bcde, 0x1_2345]
        );
        assert_eq!(both.iter().map(|t| t.ttl).collect::<Vec<_>>(), [64, 57]);
        for frame in out.iter() {
            let tagged = frame.as_bytes()[12..].starts_with(TAGS);
            assert_eq!(tagged, trunk);
        }
    }
    let mut table = KillTable::new();
    table.insert(at(0), entry_of(Action::ResetFlow, 101, true, true));
    assert!(answers(&mut table, 1, &seg).is_empty(), "another VLAN");
}

#[test]
fn resets_are_never_answered_nor_are_we() {
    let mut table = table_with(Action::HoldPair);
    assert!(answers(&mut table, 1, &Seg::client(RST, 1, 0, 0)).is_empty());
    let mut own = Seg::client(ACK, 1, 1, 5).frame();
    own[6..12].copy_from_slice(&OWN.0);
    let mut out = Resets::new();
    table.on_frame(at(2), &own, &mut out);
    assert!(out.is_empty());
}

#[test]
fn signed_segments_are_refused() {
    // Kind 19, length 18, and the padding to a multiple of four.
    const MD5: &[u8] = &[1, 1, 19, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut table = table_with(Action::ResetFlow);
    let seg = Seg {
        options: MD5,
        ..Seg::client(ACK, 1, 1, 5)
    };
    assert!(answers(&mut table, 1, &seg).is_empty());
    assert_eq!(states(&table.take_changes()), [ResponseState::Refused]);
    assert!(table.is_empty());
}

#[test]
fn silence_and_the_ends_word_are_death_and_talk_is_not() {
    let data = |seq| Seg::server(ACK, seq, 300, 100);
    let mut table = table_with(Action::ResetFlow);
    answers(&mut table, 1, &data(1_000));
    assert_eq!(states(&table.take_changes()), [ResponseState::Sent]);
    assert_eq!(table.next_deadline(), Some(at(151)));
    table.advance(at(501));
    assert_eq!(states(&table.take_changes()), [ResponseState::Reset]);
    // It speaks again: it was not dead.
    assert_eq!(answers(&mut table, 600, &data(1_100)).len(), 2);
    assert_eq!(states(&table.take_changes()), [ResponseState::Sent]);
    // A reset where the stream is not is a trick; one where it is ends it.
    answers(&mut table, 601, &Seg::server(RST, 9, 0, 0));
    assert!(table.take_changes().is_empty());
    answers(&mut table, 602, &Seg::server(RST, 1_200, 0, 0));
    let changes = table.take_changes();
    assert_eq!(states(&changes), [ResponseState::Reset]);
    assert_eq!((changes[0].frames_sent, changes[0].bytes_after), (4, 200));

    // Data every 10 ms in spite of everything: 64 pairs, then failure half a second later.
    let mut table = table_with(Action::ResetFlow);
    let mut sent = 0;
    for n in 0..200_u32 {
        sent += answers(&mut table, i64::from(n) * 10, &data(1_000 + n * 100)).len();
    }
    assert_eq!(sent, 128);
    let changes = table.take_changes();
    assert_eq!(states(&changes), [ResponseState::Failed]);
    assert!(table.is_empty(), "{changes:?}");
}

/// 150 ms after the last frame both ends have what was on its way: each is told what it acknowledged
/// last, or where the other's stream stood, and only once.
#[test]
fn a_silent_flow_gets_a_last_pair() {
    let mut table = table_with(Action::ResetFlow);
    answers(&mut table, 1, &Seg::server(ACK, 1_000, 300, 100));
    let mut last = |ms| {
        let mut out = Resets::new();
        table.advance(at(ms));
        let more = table.last_pair(&mut out);
        assert_eq!(more, !out.is_empty());
        out.iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(last(150), []);
    let server = Told {
        ttl: 64,
        ..to_server(300, None)
    };
    assert_eq!(last(151), [to_client(1_100, None), server]);
    assert_eq!(last(152), []);
    table.advance(at(651));
    assert_eq!(states(&table.take_changes()), [ResponseState::Reset]);
}

#[test]
fn what_is_never_seen_is_unknown_and_what_is_taken_back_stops() {
    let mut table = table_with(Action::ResetFlow);
    table.advance(at(600_000));
    assert_eq!(states(&table.take_changes()), [ResponseState::Unknown]);
    let mut table = table_with(Action::HoldPair);
    assert_eq!(table.pairs().len(), 1);
    assert_eq!(table.revert(Some("other"), "Ann", at(1)), 0);
    assert_eq!(table.revert(None, "Ann", at(2)), 1);
    assert!(answers(&mut table, 3, &Seg::client(ACK, 1, 1, 1)).is_empty());
    let changes = table.take_changes();
    assert_eq!(states(&changes), [ResponseState::Reverted]);
    assert!(changes[0].text.contains("Ann"));
}

#[test]
fn the_table_is_bounded_and_late_orders_are_refused() {
    let mut table = KillTable::new();
    for n in 0..=ENTRIES_MAX {
        let mut entry = entry_of(Action::HoldPair, 0, false, false);
        entry.decision = n.to_string();
        assert_eq!(table.insert(at(1), entry), n < ENTRIES_MAX);
    }
    let refused = table.take_changes();
    assert_eq!(refused[0].state, ResponseState::Refused);
    let mut table = KillTable::new();
    assert!(!table.insert(at(600_000), entry_of(Action::HoldPair, 0, false, false)));
    assert_eq!(states(&table.take_changes()), [ResponseState::Refused]);
}

#[test]
fn a_new_connection_on_the_same_ports_is_let_go() {
    let mut table = table_with(Action::ResetFlow);
    assert!(answers(&mut table, 1, &Seg::client(SYN, 77, 0, 0)).is_empty());
    // The SYN alone proves nothing: the old connection is still cut.
    assert_eq!(answers(&mut table, 2, &Seg::server(ACK, 5, 6, 7)).len(), 2);
    assert!(answers(&mut table, 3, &Seg::server(SYN | ACK, 9, 78, 0)).is_empty());
    assert!(answers(&mut table, 4, &Seg::client(ACK, 78, 10, 5)).is_empty());
    assert_eq!(states(&table.take_changes()), [ResponseState::Reset]);
}

#[test]
fn latency_is_the_first_resets_and_the_longest() {
    let mut table = table_with(Action::ResetFlow);
    let mut out = Resets::new();
    let frame = Seg::server(ACK, 5_000, 300, 1_000).frame();
    for (latency, first) in [(70_000, true), (90_000, false), (50_000, false)] {
        table.on_frame(at(1), &frame, &mut out);
        assert_eq!(out.is_first(), first);
        table.sent(&out, latency, 1);
    }
    let changes = table.take_changes();
    assert_eq!(changes[0].latency_ns, Some(70_000));
    assert_eq!(changes[0].latency_max_ns, Some(90_000));
    assert_eq!((changes[0].frames_sent, changes[0].frames_refused), (6, 3));
}
