//! Sensing: which protocol the start of a flow belongs to.
//!
//! The first 2 KiB of each direction are shown to every protocol: first to those whose port it is, then to the others,
//! in list order. The first that is certain wins; else, on one of its ports, the first that is unsure. From the
//! eighth piece on they are shown again whenever they have grown by an eighth.
//!
//! Nobody is asked in vain: which protocols may begin with a stream's first byte is asked once and for all, and
//! those that only streams or only datagrams carry are not looked for elsewhere.
//!
//! Later: TLS begins in the middle of a stream after STARTTLS, a proxy's preamble or `CONNECT`; HTTP
//! and SSH after SOCKS. So where nothing was found, the next 32 pieces of a direction are looked at once more,
//! by their first bytes.

use std::sync::LazyLock;

use super::{Dir, Kind, Over, Port, Probe};
use crate::types::{Endpoint, FlowRef};

/// Bytes of one direction that are sensed.
pub(super) const SENSED_BYTES_MAX: usize = 2 * 1024;
/// Pieces of one direction that are each sensed; later ones only as the start grows.
pub(super) const SENSED_PIECES_MAX: u8 = 8;

/// Pieces of one direction in which a later beginning is looked for.
pub(crate) const LATER_PIECES_MAX: u8 = 32;
/// Bytes of a stream that several protocols may begin with before the port decides: whoever sends fewer
/// at a time would choose what he is taken for.
const PORT_BYTES_MIN: usize = 16;
/// A piece shorter than this may be the first bytes of a later beginning.
const BEGINNING_LEN: usize = 6;
/// Longest header of HAProxy's PROXY protocol, version 1, its line end included.
const PROXY_LINE_LEN_MAX: usize = 107;

/// What a protocol list says of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sensed {
    /// It is this one.
    Found(Kind),
    /// More bytes may tell.
    Unsure,
    /// None.
    Unknown,
}

/// Some protocols: a bit each, in list order.
type Kinds = u128;

const _: () = assert!(Kind::ALL.len() <= 128, "a bit for each protocol");

/// What each protocol says of itself, asked once.
struct Known {
    /// By direction and first byte: what a stream may be.
    streams: [[Kinds; 256]; 2],
    datagrams: Kinds,
    /// In ascending order: whose port it is.
    tcp: Vec<(u16, Kinds)>,
    udp: Vec<(u16, Kinds)>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let may_begin = |byte: usize, dir| {
        let start = [u8::try_from(byte).unwrap_or_default()];
        kinds(|kind| kind.over() != Over::Datagrams && kind.probe(&start, dir) != Probe::NotMine)
    };
    let ports = |number: fn(Port) -> Option<u16>| {
        let of = |kind: Kind| kind.ports().iter().copied().filter_map(number);
        let mut ports: Vec<u16> = Kind::ALL.iter().copied().flat_map(of).collect();
        ports.sort_unstable();
        ports.dedup();
        let whose = |port| (port, kinds(|kind| of(kind).any(|its| its == port)));
        ports.into_iter().map(whose).collect()
    };
    Known {
        streams: [Dir::Orig, Dir::Resp].map(|dir| std::array::from_fn(|byte| may_begin(byte, dir))),
        datagrams: kinds(|kind| kind.over() != Over::Streams),
        tcp: ports(|port| match port {
            Port::Tcp(port) => Some(port),
            Port::Udp(_) => None,
        }),
        udp: ports(|port| match port {
            Port::Udp(port) => Some(port),
            Port::Tcp(_) => None,
        }),
    }
});

impl Known {
    /// What the start of a direction may be, and whose port it goes over: the responder's, with
    /// datagrams either.
    fn candidates(&self, start: &[u8], dir: Dir, flow: &FlowRef) -> (Kinds, Kinds) {
        let whose = |ports: &[(u16, Kinds)], port: u16| {
            let at = ports.binary_search_by_key(&port, |(port, _)| *port);
            at.ok()
                .and_then(|at| ports.get(at))
                .map_or(0, |(_, kinds)| *kinds)
        };
        if flow.proto != 6 {
            let either = |ends: [&Endpoint; 2]| ends.map(|end| whose(&self.udp, end.port));
            let [orig, resp] = match flow.proto {
                17 => either([&flow.orig, &flow.resp]),
                // What stands in place of ports elsewhere is none.
                _ => [0, 0],
            };
            return (self.datagrams, orig | resp);
        }
        let [orig, resp] = &self.streams;
        let by_byte = if dir == Dir::Orig { orig } else { resp };
        let may = start
            .first()
            .and_then(|first| by_byte.get(usize::from(*first)));
        (
            may.copied().unwrap_or(Kinds::MAX),
            whose(&self.tcp, flow.resp.port),
        )
    }
}

/// Those for which it holds.
fn kinds(holds: impl Fn(Kind) -> bool) -> Kinds {
    let mut all = 0;
    for (number, kind) in Kind::ALL.iter().enumerate() {
        all |= Kinds::from(holds(*kind)).wrapping_shl(u32::try_from(number).unwrap_or(0));
    }
    all
}

/// The same one after the other, in list order.
fn each(mut kinds: Kinds) -> impl Iterator<Item = Kind> {
    std::iter::from_fn(move || {
        let first = kinds.trailing_zeros();
        kinds &= kinds.wrapping_sub(1);
        Kind::ALL.get(usize::try_from(first).ok()?).copied()
    })
}

/// Shows the start of a direction to every protocol.
#[must_use]
pub(crate) fn sense(start: &[u8], dir: Dir, flow: &FlowRef) -> Sensed {
    let (may, whose) = KNOWN.candidates(start, dir, flow);
    let (mut on_port, mut unsure) = (None, false);
    for kind in each(may & whose) {
        match kind.probe(start, dir) {
            Probe::Certain => return Sensed::Found(kind),
            Probe::Unsure if on_port.is_none() => on_port = Some(kind),
            Probe::Unsure => unsure = true,
            Probe::NotMine => {}
        }
    }
    for kind in each(may & !whose) {
        match kind.probe(start, dir) {
            Probe::Certain => return Sensed::Found(kind),
            Probe::Unsure => unsure = true,
            Probe::NotMine => {}
        }
    }
    // A few bytes in which others see theirs too: on a stream more will come.
    let is_too_short = unsure && flow.proto == 6 && start.len() < PORT_BYTES_MIN;
    match on_port.filter(|_| !is_too_short) {
        Some(kind) => Sensed::Found(kind),
        None if unsure => Sensed::Unsure,
        None => Sensed::Unknown,
    }
}

/// The protocol that begins with this piece of a stream, though others went before; and how many bytes
/// of the piece come before it.
#[inline]
#[must_use]
pub(crate) fn begins(piece: &[u8], dir: Dir) -> Option<(Kind, usize)> {
    match piece {
        [0x16, 3, ..] => certain(Kind::Tls, piece, dir, 0),
        [b'S', b'S', b'H', b'-', ..] => certain(Kind::Ssh, piece, dir, 0),
        [1, 0, 0, 0, _, b'D', b'E', b'R', b'P', ..] => certain(Kind::Derp, piece, dir, 0),
        // Only who opened the connection asks; a server's text may quote a request.
        [b'G', b'E', b'T', b' ', ..]
        | [b'P', b'O', b'S', b'T', ..]
        | [b'H', b'E', b'A', b'D', ..]
            if dir == Dir::Orig =>
        {
            certain(Kind::Http, piece, dir, 0)
        }
        [b'P', b'R', b'O', b'X', b'Y', b' ', ..] => {
            let line = piece.get(..PROXY_LINE_LEN_MAX).unwrap_or(piece);
            let skip = memchr::memchr(b'\n', line)?.saturating_add(1);
            let rest = piece.get(skip..)?;
            [Kind::Tls, Kind::Http]
                .into_iter()
                .find_map(|kind| certain(kind, rest, dir, skip))
        }
        _ => None,
    }
}

/// Whether a piece too short to tell is how a protocol begins that may do so later.
#[must_use]
pub(crate) fn may_begin(piece: &[u8], dir: Dir) -> bool {
    if piece.is_empty() || piece.len() >= BEGINNING_LEN {
        return false;
    }
    let asks: [&[u8]; 3] = [b"GET ", b"POST ", b"HEAD "];
    piece == [0x16]
        || piece.starts_with(&[0x16, 3])
        || (dir == Dir::Orig && asks.iter().any(|ask| ask.starts_with(piece)))
}

/// `kind` and `skip` if `start` can be nothing else.
fn certain(kind: Kind, start: &[u8], dir: Dir, skip: usize) -> Option<(Kind, usize)> {
    (kind.probe(start, dir) == Probe::Certain).then_some((kind, skip))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flow(proto: u8, resp: u16) -> FlowRef {
        let end = |n: u8, port| Endpoint::new([10, 0, 0, n].into(), port);
        FlowRef {
            orig: end(1, 50_000),
            resp: end(2, resp),
            proto,
            ..FlowRef::default()
        }
    }

    #[test]
    fn a_port_is_asked_first_and_content_goes_before_it() {
        let hello = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(
            sense(hello, Dir::Orig, &flow(6, 443)),
            Sensed::Found(Kind::Http)
        );
        let banner = b"SSH-2.0-OpenSSH_9.2\r\n";
        assert_eq!(
            sense(banner, Dir::Resp, &flow(6, 80)),
            Sensed::Found(Kind::Ssh)
        );
        assert_eq!(sense(&[], Dir::Orig, &flow(6, 80)), Sensed::Unsure);
        let snmp = KNOWN.candidates(&[0x30], Dir::Orig, &flow(6, 161)).0;
        assert!(
            each(snmp).all(|kind| kind != Kind::Snmp),
            "a stream is no place for it"
        );
        let snmp = KNOWN.candidates(&[0x30], Dir::Orig, &flow(17, 161)).1;
        assert_eq!(each(snmp).collect::<Vec<_>>(), [Kind::Snmp]);
    }

    proptest! {
        /// What the first byte rules out is ruled out by every start with that byte.
        #[test]
        fn no_start_is_lost_by_its_first_byte(start in proptest::collection::vec(any::<u8>(), 1..80), orig: bool) {
            let dir = if orig { Dir::Orig } else { Dir::Resp };
            let (may, _) = KNOWN.candidates(&start, dir, &flow(6, 1));
            for kind in each(!may).filter(|kind| kind.over() != Over::Datagrams) {
                prop_assert_eq!(kind.probe(&start, dir), Probe::NotMine, "{}", kind.name());
            }
        }
    }
}
