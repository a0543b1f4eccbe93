//! The short way of nearly all packets of a capture.
//!
//! An ordinary segment or datagram in an ordinary frame, expected in a flow that is known, changes a few numbers: it is
//! told from its headers and its flow before anything is changed. All others go the long way, from where they turned out
//! to be anything else; whichever way a packet goes, what becomes of it is the same.

use super::flow::{Arrival, Found, tell, tell_weirds};
use super::{App, Tracker};
use super::{Packet, content};
use crate::decode::{Ip, Tcp, Udp, may_carry, proto};
use crate::flow::{Carrier, Index, Key, Table, Weirds, bit};
use crate::types::{Endpoint, MacAddr, Observations, Phase, Timestamp};

/// Ethernet, as an interface or a file numbers it.
const ETHERNET: u32 = 1;

/// What is read of a frame without a look at its lengths: good for finding a flow, not for believing in one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quick {
    pub(super) key: Key,
    /// The table's hash of the key.
    pub(super) hash: u32,
    /// Whether endpoint `a` of the key sent it.
    pub(super) from_a: bool,
    /// Whether it is IPv4 without options, in a frame without a tag.
    is_plain: bool,
}

impl Quick {
    /// The key of TCP and UDP in Ethernet with at most one tag, whole and without IP options.
    #[inline]
    pub(super) fn read(packet: &Packet<'_>, table: &Table<App>) -> Option<Self> {
        if packet.link != ETHERNET {
            return None;
        }
        let (&[_, _, _, _, _, _, _, _, _, _, _, _, t0, t1], rest) =
            packet.frame.split_first_chunk()?;
        let (ether_type, vlan, rest) = match (u16::from_be_bytes([t0, t1]), rest) {
            (0x8100, &[c0, c1, t0, t1, ref rest @ ..]) => {
                let vlan = u16::from_be_bytes([c0, c1]) & 0x0fff;
                (u16::from_be_bytes([t0, t1]), Some(vlan), rest)
            }
            (ether_type, rest) => (ether_type, None, rest),
        };
        let (key, from_a) = match ether_type {
            0x0800 => v4(rest, vlan.unwrap_or(0))?,
            0x86dd => v6(rest, vlan.unwrap_or(0))?,
            _ => return None,
        };
        Some(Self {
            key,
            hash: table.hash(&key),
            from_a,
            is_plain: ether_type == 0x0800 && vlan.is_none(),
        })
    }
}

/// The key of an IPv4 packet with ports behind a header without options, and whether its sender is endpoint `a`.
#[inline]
fn v4(packet: &[u8], vlan: u16) -> Option<(Key, bool)> {
    // Whole words: the compiler reads single bytes of a header one by one.
    let (words, _) = packet.first_chunk::<24>()?.as_chunks::<4>();
    let [[0x45, ..], flags, [_, proto, ..], src, dst, ports] = words else {
        return None;
    };
    // More fragments, or one that is not the first.
    if u32::from_be_bytes(*flags) & 0x3fff != 0 || !matches!(*proto, proto::TCP | proto::UDP) {
        return None;
    }
    let [src, dst] = [src, dst].map(|addr| u32::from_be_bytes(*addr));
    let [p0, p1, q0, q1] = *ports;
    let src = (src, u16::from_be_bytes([p0, p1]));
    let dst = (dst, u16::from_be_bytes([q0, q1]));
    Some(Key::v4(src, dst, *proto, vlan))
}

/// The same of IPv6 without extension headers.
#[inline]
fn v6(packet: &[u8], vlan: u16) -> Option<(Key, bool)> {
    let (&[0x60..=0x6f, _, _, _, _, _, number, _], rest) = packet.split_first_chunk()? else {
        return None;
    };
    let (src, rest) = rest.split_first_chunk()?;
    let (dst, rest) = rest.split_first_chunk()?;
    let &[p0, p1, q0, q1] = rest.first_chunk()?;
    let src = Endpoint {
        addr: *src,
        port: u16::from_be_bytes([p0, p1]),
    };
    let dst = Endpoint {
        addr: *dst,
        port: u16::from_be_bytes([q0, q1]),
    };
    matches!(number, proto::TCP | proto::UDP).then(|| Key::new(src, dst, number, vlan, 0))
}

/// A packet of which the headers before the transport's are in order, and all of which was captured.
pub(super) struct Whole<'a> {
    pub(super) ip: Ip<'a>,
    macs: (MacAddr, MacAddr),
}

impl<'a> Whole<'a> {
    #[inline]
    pub(super) fn read(packet: &Packet<'a>, quick: &Quick) -> Option<Self> {
        let (&[d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, _, _], rest) =
            packet.frame.split_first_chunk()?;
        let (header, rest) = rest.split_at_checked(20)?;
        let &[_, _, l0, l1, ..] = header else {
            return None;
        };
        let len = u16::from_be_bytes([l0, l1]);
        let payload_len = len.checked_sub(20)?;
        let payload = rest.get(..usize::from(payload_len))?;
        let (src, dst) = if quick.from_a {
            (quick.key.a, quick.key.b)
        } else {
            (quick.key.b, quick.key.a)
        };
        Some(Self {
            ip: Ip {
                src,
                dst,
                proto: quick.key.proto,
                len: u32::from(len),
                header,
                payload,
                payload_len: u32::from(payload_len),
                fragment: None,
            },
            macs: (
                MacAddr([s0, s1, s2, s3, s4, s5]),
                MacAddr([d0, d1, d2, d3, d4, d5]),
            ),
        })
    }

    #[inline]
    pub(super) fn arrival(&self, ts: Timestamp) -> Arrival {
        Arrival {
            ts,
            src_mac: self.macs.0,
            dst_mac: self.macs.1,
            pkts: 1,
            bytes: self.ip.len,
            whole: true,
            joined: false,
        }
    }
}

impl Tracker {
    /// Takes a packet the short way; false if it has to go the long way, and nothing was done.
    #[inline]
    pub(super) fn plain(
        &mut self,
        ts: Timestamp,
        packet: &Packet<'_>,
        quick: &Quick,
        out: &mut Observations,
    ) -> bool {
        if !quick.is_plain {
            return false;
        }
        let Some(whole) = Whole::read(packet, quick) else {
            return false;
        };
        let arrival = whole.arrival(ts);
        self.counted.decoded(arrival.dst_mac, 0);
        let expected = match quick.key.proto {
            proto::TCP => self.plain_segment(&whole.ip, quick, &arrival, out),
            _ => self.plain_datagram(&whole.ip, quick, &arrival, out),
        };
        if expected.is_none() {
            // Its headers need not be read again.
            let at = (0, Carrier::NONE, Some(quick));
            self.transport(&arrival, at, &whole.ip, Some(&whole.ip), out);
        }
        true
    }

    #[inline]
    pub(super) fn plain_segment(
        &mut self,
        ip: &Ip<'_>,
        quick: &Quick,
        arrival: &Arrival,
        out: &mut Observations,
    ) -> Option<()> {
        let tcp = Tcp::parse(ip.payload, ip.payload_len).ok()?;
        let data_len = ip.payload_len.saturating_sub(tcp.header_len);
        let index = self.table.find(quick.hash, &quick.key)?;
        let flow = self.table.get_mut(index)?;
        let dir = flow.dir(quick.from_a);
        if flow.deadline() <= arrival.ts || !flow.is_plain(dir, &tcp, data_len) {
            return None;
        }
        let found = Found {
            index,
            dir,
            new: false,
        };
        if flow.is(bit::GENUINE) || !self.look_back(found, arrival, (0, Carrier::NONE), ip) {
            self.plain_arrive(found, arrival, (ip, &tcp), data_len, out);
        }
        Some(())
    }

    /// A datagram that is not its sender's first, and not to a port of a tunnel.
    #[inline]
    fn plain_datagram(
        &mut self,
        ip: &Ip<'_>,
        quick: &Quick,
        arrival: &Arrival,
        out: &mut Observations,
    ) -> Option<()> {
        let udp = Udp::parse(ip.payload, ip.payload_len).ok()?;
        if may_carry(&udp) {
            return None;
        }
        let index = self.table.find(quick.hash, &quick.key)?;
        let flow = self.table.get_mut(index)?;
        let dir = flow.dir(quick.from_a);
        if flow.deadline() <= arrival.ts || flow.side(dir).pkts == 0 {
            return None;
        }
        let found = Found {
            index,
            dir,
            new: false,
        };
        if !flow.is(bit::GENUINE) && self.look_back(found, arrival, (0, Carrier::NONE), ip) {
            return Some(());
        }
        let flow = self.table.get_mut(index)?;
        flow.last_ts = arrival.ts;
        flow.count(dir, 1, arrival.bytes);
        flow.side_mut(dir).mac = arrival.src_mac;
        let odd = flow.weirds();
        self.datagram(found, arrival.ts, &udp, out);
        self.plain_told(index, odd, arrival, out);
        Some(())
    }

    /// Tells what became of a packet's flow.
    #[inline]
    fn plain_told(&mut self, index: Index, odd: Weirds, arrival: &Arrival, out: &mut Observations) {
        let Some(flow) = self.table.get_mut(index) else {
            return;
        };
        if flow.weirds() != odd {
            tell_weirds(flow, flow.weirds().without(odd), arrival.ts, out);
        }
        if flow.wants_update(arrival.ts, arrival.bytes) {
            tell(flow, Phase::Update, None, arrival.ts, out);
        }
    }

    /// What `arrive` does, as far as a plain segment needs it. Its flow's deadline comes no nearer, so the
    /// timing wheel need not know.
    #[inline]
    fn plain_arrive(
        &mut self,
        found: Found,
        arrival: &Arrival,
        (ip, tcp): (&Ip<'_>, &Tcp<'_>),
        len: u32,
        out: &mut Observations,
    ) {
        let (dir, ts) = (found.dir, arrival.ts);
        let Some(flow) = self.table.get_mut(found.index) else {
            return;
        };
        flow.last_ts = ts;
        flow.count(dir, 1, arrival.bytes);
        flow.side_mut(dir).mac = arrival.src_mac;
        flow.note_ttl(dir, ip);
        let step = flow.plain_step(dir, tcp, len);
        let odd = flow.weirds();
        if flow.app.is_some() || content::wants_more(flow, dir, len) && self.protocols {
            self.segment(found, ts, tcp, step, out);
        }
        self.plain_told(found.index, odd, arrival, out);
    }
}
