//! Sensing: which protocol the start of a flow belongs to.
//!
//! The first 2 KiB of each direction are shown to every protocol in list order. The first that is certain
//! wins; else, on one of its ports, the first that is unsure. From the eighth piece on they are shown
//! again whenever they have grown by an eighth.
//!
//! Later: TLS begins in the middle of a stream after STARTTLS, a proxy's preamble or `CONNECT`; HTTP
//! and SSH after SOCKS. So where nothing was found, the next 32 pieces of a direction are looked at once more,
//! by their first bytes.

use super::{Dir, Kind, Port, Probe};
use crate::types::FlowRef;

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

/// Shows the start of a direction to every protocol.
#[must_use]
pub(crate) fn sense(start: &[u8], dir: Dir, flow: &FlowRef) -> Sensed {
    let (mut on_port, mut unsure) = (None, false);
    for &kind in Kind::ALL {
        match kind.probe(start, dir) {
            Probe::Certain => return Sensed::Found(kind),
            Probe::Unsure if on_port.is_none() && is_on_port(kind, flow) => on_port = Some(kind),
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

/// Whether the flow uses one of the protocol's ports: the responder's, with UDP either.
fn is_on_port(kind: Kind, flow: &FlowRef) -> bool {
    kind.ports().iter().any(|port| match *port {
        Port::Tcp(port) => flow.proto == 6 && flow.resp.port == port,
        Port::Udp(port) => flow.proto == 17 && (flow.resp.port == port || flow.orig.port == port),
    })
}
