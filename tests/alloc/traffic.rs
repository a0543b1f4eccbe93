//! Flows that go on for ever, of each kind that matters to the hot path.

use crate::support::frames::{ACK, End, FIN, PSH, SYN, Segment, end, tcp, udp};
use crate::support::tunnels::Way;

/// Bytes of payload in each data packet.
const PAYLOAD: usize = 600;

/// Kinds of flows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mix {
    /// TCP over IPv4, payload of no known protocol.
    Unknown,
    /// The same with a VLAN tag.
    Tagged,
    /// The same over IPv6.
    V6,
    /// UDP datagrams of no known protocol.
    Datagrams,
    /// HTTP: a body of a gigabyte in each direction.
    HttpBody,
    /// TLS: application data after the hellos.
    Tls,
    /// The first kind in VXLAN in GRE.
    Tunnelled,
}

/// One flow: its beginning, then the same two packets with numbers that go on.
pub(super) struct Flow {
    pub(super) opening: Vec<Vec<u8>>,
    orig: End,
    resp: End,
    vlan: u16,
    /// Next sequence numbers of originator and responder; `None` for UDP.
    seq: Option<(u32, u32)>,
    payload: Vec<u8>,
    pair: [Vec<u8>; 2],
    tunnelled: bool,
}

impl Mix {
    pub(super) const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Tagged,
        Self::V6,
        Self::Datagrams,
        Self::HttpBody,
        Self::Tls,
        Self::Tunnelled,
    ];

    /// The flow numbered `n` of this kind.
    pub(super) fn flow(self, n: u16) -> Flow {
        let port = 20_000 + n;
        let (orig, resp) = match self {
            Self::V6 => (end("2001:db8::7", port), end("2001:db8::9", 9_999)),
            Self::HttpBody => (end("10.0.0.7", port), end("10.0.0.9", 80)),
            Self::Tls => (end("10.0.0.7", port), end("10.0.0.9", 443)),
            _ => (end("10.0.0.7", port), end("10.0.0.9", 9_999)),
        };
        let vlan = if matches!(self, Self::Tagged) { 42 } else { 0 };
        let payload = match self {
            Self::Tls => record(23, &vec![0x5a; PAYLOAD - 5]),
            _ => vec![0xa7; PAYLOAD],
        };
        let seq = (!matches!(self, Self::Datagrams)).then_some((1_000, 2_000));
        let pair = [Vec::new(), Vec::new()];
        let mut flow = Flow {
            opening: Vec::new(),
            orig,
            resp,
            vlan,
            seq,
            payload,
            pair,
            tunnelled: matches!(self, Self::Tunnelled),
        };
        if seq.is_some() {
            flow.handshake();
        }
        let first: [Vec<u8>; 2] = match self {
            Self::HttpBody => [
                b"POST /up HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000000\r\n\r\n"
                    .into(),
                b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n".into(),
            ],
            Self::Tls => [client_hello(), server_hello()],
            _ => [flow.payload.clone(), flow.payload.clone()],
        };
        flow.data(&first);
        flow.opening.extend(flow.pair.clone());
        if matches!(self, Self::Tls) {
            flow.data(&[client_finished(), server_finished()]);
            flow.opening.extend(flow.pair.clone());
        }
        flow
    }
}

impl Flow {
    /// The next data packet of each side.
    pub(super) fn next(&mut self) -> &[Vec<u8>; 2] {
        let payload = self.payload.clone();
        self.data(&[payload.clone(), payload]);
        &self.pair
    }

    /// A FIN from each side, and the last acknowledgement; UDP says no goodbye.
    pub(super) fn closing(&self) -> Vec<Vec<u8>> {
        let Some((seq, ack)) = self.seq else {
            return Vec::new();
        };
        vec![
            self.segment(true, FIN | ACK, (seq, ack), &[]),
            self.segment(false, FIN | ACK, (ack, seq + 1), &[]),
            self.segment(true, ACK, (seq + 1, ack + 1), &[]),
        ]
    }

    fn handshake(&mut self) {
        let (seq, ack) = self.seq.unwrap_or_default();
        self.opening = vec![
            self.segment(true, SYN, (seq - 1, 0), &[]),
            self.segment(false, SYN | ACK, (ack - 1, seq), &[]),
            self.segment(true, ACK, (seq, ack), &[]),
        ];
    }

    /// Makes `pair` a packet of each side with these payloads.
    fn data(&mut self, payloads: &[Vec<u8>; 2]) {
        let [out, back] = payloads;
        self.pair = match self.seq {
            None => [
                udp(self.orig, self.resp, self.vlan, out),
                udp(self.resp, self.orig, self.vlan, back),
            ],
            Some((seq, ack)) => {
                let next = |seq: u32, payload: &[u8]| {
                    seq.wrapping_add(u32::try_from(payload.len()).expect("a short payload"))
                };
                let (after, ack_after) = (next(seq, out), next(ack, back));
                self.seq = Some((after, ack_after));
                [
                    self.segment(true, PSH | ACK, (seq, ack), out),
                    self.segment(false, PSH | ACK, (ack, after), back),
                ]
            }
        };
    }

    fn segment(
        &self,
        from_orig: bool,
        flags: u8,
        (seq, ack): (u32, u32),
        payload: &[u8],
    ) -> Vec<u8> {
        let (from, to) = if from_orig {
            (self.orig, self.resp)
        } else {
            (self.resp, self.orig)
        };
        let frame = tcp(from, to, self.vlan, Segment { flags, seq, ack }, payload);
        if !self.tunnelled {
            return frame;
        }
        let (near, far) = (end("192.0.2.1", 0), end("192.0.2.2", 0));
        let (near, far) = if from_orig { (near, far) } else { (far, near) };
        let frame = Way::Vxlan.around(near, far, 100, &frame);
        Way::Gre.around(near, far, 7, &frame)
    }
}

/// A TLS record: RFC 8446 §5.1.
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len())
        .expect("a short record")
        .to_be_bytes();
    [&[kind, 3, 3], &len[..], body].concat()
}

/// A handshake message: RFC 8446 §4.
fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len())
        .expect("a short message")
        .to_be_bytes();
    record(22, &[&[kind], &len[1..], body].concat())
}

/// Version, random, no session, two cipher suites, no compression, server name `a.example`.
fn client_hello() -> Vec<u8> {
    let name = b"a.example";
    let name_len = u8::try_from(name.len()).expect("a short name");
    let list = [&[0, name_len + 3, 0, 0, name_len], &name[..]].concat();
    let extension = [&[0, 0, 0, name_len + 5], &list[..]].concat();
    let len = u8::try_from(extension.len()).expect("a short extension");
    let fixed = [
        &[3, 3][..],
        &[0x11; 32],
        &[0],
        &[0, 4, 0x13, 0x01, 0xc0, 0x2f],
        &[1, 0],
    ]
    .concat();
    handshake(1, &[&fixed[..], &[0, len], &extension].concat())
}

/// Version, random, no session, the suite chosen, no compression; no certificate; done.
fn server_hello() -> Vec<u8> {
    let body = [&[3, 3][..], &[0x22; 32], &[0], &[0xc0, 0x2f], &[0]].concat();
    [handshake(2, &body), handshake(14, &[])].concat()
}

/// Key exchange, change to cipher, and what is encrypted from there on.
fn client_finished() -> Vec<u8> {
    [handshake(16, &[0x33; 66]), server_finished()].concat()
}

/// Change to cipher, and a message that is encrypted.
fn server_finished() -> Vec<u8> {
    [record(20, &[1]), record(22, &[0x44; 40])].concat()
}
