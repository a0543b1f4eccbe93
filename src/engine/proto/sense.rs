//! Sensing: which protocol the start of a flow belongs to.
//!
//! The first 2 KiB or eight pieces of each direction are shown to every protocol in list order. The
//! first that is certain wins; else, on one of its ports, the first that is unsure.

use super::{Dir, Kind, Port, Probe};
use crate::types::FlowRef;

/// Bytes of one direction that are sensed.
pub(super) const SENSED_BYTES_MAX: usize = 2 * 1024;
/// Pieces of one direction that are sensed.
pub(super) const SENSED_PIECES_MAX: u8 = 8;

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
    match on_port {
        Some(kind) => Sensed::Found(kind),
        None if unsure => Sensed::Unsure,
        None => Sensed::Unknown,
    }
}

/// Whether the flow uses one of the protocol's ports: the responder's, with UDP either.
fn is_on_port(kind: Kind, flow: &FlowRef) -> bool {
    kind.ports().iter().any(|port| match *port {
        Port::Tcp(port) => flow.proto == 6 && flow.resp.port == port,
        Port::Udp(port) => flow.proto == 17 && (flow.resp.port == port || flow.orig.port == port),
    })
}
