//! Frames inside frames, written by hand.
//!
//! Standard: RFC 7348 (VXLAN), 8926 (Geneve), 2890 (GRE), 3032 (MPLS), 2516 (PPPoE), 4380 (Teredo),
//! 3GPP TS 29.281 (GTP-U), draft-foschiano-erspan (ERSPAN II).

use super::frames::{End, carrying, udp};

/// Length of an Ethernet header without tags.
const ETHERNET_LEN: usize = 14;

/// The ways a frame of untagged IP can be put inside another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Vxlan,
    Geneve,
    Gtp,
    Gre,
    Erspan,
    Ipip,
    Mpls,
    Pppoe,
}

impl Way {
    pub(crate) const ALL: [Self; 8] = [
        Self::Vxlan,
        Self::Geneve,
        Self::Gtp,
        Self::Gre,
        Self::Erspan,
        Self::Ipip,
        Self::Mpls,
        Self::Pppoe,
    ];

    /// `frame` between `from` and `to`, by the number `id`. An end's port is that of a tunnel over UDP.
    pub(crate) fn around(self, from: End, to: End, id: u16, frame: &[u8]) -> Vec<u8> {
        let port = |port| {
            (
                End {
                    port: 50_000,
                    ..from
                },
                End { port, ..to },
            )
        };
        let packet = &frame[ETHERNET_LEN..];
        let [i0, i1] = id.to_be_bytes();
        let len = u16::try_from(packet.len())
            .expect("a short packet")
            .to_be_bytes();
        let version = packet[0] >> 4;
        match self {
            Self::Vxlan => {
                let (from, to) = port(4_789);
                let head = [8, 0, 0, 0, 0, i0, i1, 0];
                udp(from, to, 0, &[&head, frame].concat())
            }
            Self::Geneve => {
                let (from, to) = port(6_081);
                let head = [1, 0, 0x65, 0x58, 0, i0, i1, 0, 1, 2, 3, 0];
                udp(from, to, 0, &[&head, frame].concat())
            }
            Self::Gtp => {
                let (from, to) = port(2_152);
                let head = [0x30, 255, len[0], len[1], 0, 0, i0, i1];
                udp(from, to, 0, &[&head, packet].concat())
            }
            Self::Gre => {
                let kind = if version == 4 { [8, 0] } else { [0x86, 0xdd] };
                let head = [0x20, 0, kind[0], kind[1], 0, 0, i0, i1];
                carrying(from, to, 47, &[&head, packet].concat())
            }
            Self::Erspan => {
                let gre = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1];
                let head = [0x10, 7, i0 & 3, i1, 0, 0, 0, 0];
                carrying(from, to, 47, &[&gre[..], &head, frame].concat())
            }
            Self::Ipip => carrying(from, to, if version == 4 { 4 } else { 41 }, packet),
            Self::Mpls => {
                let label = (u32::from(id) << 12 | 0x1ff).to_be_bytes();
                let head = [&to.mac[..], &from.mac, &[0x88, 0x47]].concat();
                [&head[..], &[0, 1, 0, 0xff], &label, packet].concat()
            }
            Self::Pppoe => {
                let kind = if version == 4 { 0x21 } else { 0x57 };
                let len = u16::try_from(packet.len() + 2)
                    .expect("a short packet")
                    .to_be_bytes();
                let session = [0x11, 0, i0, i1, len[0], len[1], 0, kind];
                [&to.mac[..], &from.mac, &[0x88, 0x64], &session, packet].concat()
            }
        }
    }
}
