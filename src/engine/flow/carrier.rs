//! What carries a flow besides a frame with at most one tag: a second tag, and tunnels.
//!
//! A flow in a tunnel is not the same as one with the same ends outside it, or in another tunnel. So the
//! key holds a hash of the tunnels' ends, kinds and numbers. It has no key of its own and depends on
//! nothing but the packet: it is part of a flow's name. Frames are dealt to workers by the outermost
//! address pair, which is hashed as well, so no two workers can hold halves of one flow. MPLS and PPPoE
//! have no such pair: all their frames go to one worker, and their being there is hashed.
//! Left out: numbers that differ between the two directions, see `Kind::is_same_both_ways`.
//! Bounds:   four tunnels, as Zeek has it; what is told of 262,144 flows at a time, of more no more.

use std::fmt::Write as _;

use crate::decode::{Kind, Tunnel, mpls};
use crate::types::{Held, Map, Seed, Text};

use super::Index;

/// Most tunnels within each other that are looked into.
const DEPTH_MAX: usize = 4;
/// Most flows whose carrier is remembered.
const ENTRIES_MAX: usize = 262_144;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carrier {
    /// Part of a flow's key; 0 if nothing carries it.
    pub hash: u32,
    inner_vlan: u16,
    depth: u8,
    /// Whether one of the tunnels is itself a flow, which counts the packet.
    pub within_flow: bool,
    tunnels: [Tunnel; DEPTH_MAX],
}

impl Carrier {
    /// Nothing.
    pub const NONE: &'static Self = &Self {
        hash: 0,
        inner_vlan: 0,
        depth: 0,
        within_flow: false,
        tunnels: [Tunnel {
            kind: Kind::Mpls,
            id: None,
        }; DEPTH_MAX],
    };

    /// The same behind a second tag.
    #[must_use]
    pub fn tagged(&self, inner_vlan: u16) -> Self {
        Self {
            hash: fold(self.hash, &[1, u64::from(inner_vlan)]),
            inner_vlan,
            ..*self
        }
    }

    /// The same with one more tunnel, between the addresses of `pair` if it has some, in `vlan`; `None`
    /// if that is too many.
    #[must_use]
    pub fn with(&self, tunnel: Tunnel, pair: Option<[[u8; 16]; 2]>, vlan: u16) -> Option<Self> {
        let mut new = *self;
        *new.tunnels.get_mut(usize::from(self.depth))? = tunnel;
        new.depth = self.depth.saturating_add(1);
        new.within_flow |= pair.is_some();
        let [a, b] = pair.unwrap_or_default().map(u128::from_be_bytes);
        let id = tunnel.id.filter(|_| tunnel.kind.is_same_both_ways());
        let [a1, a2] = halves(a.min(b));
        let [b1, b2] = halves(a.max(b));
        let kind = Kind::ALL.iter().position(|kind| *kind == tunnel.kind);
        let kind = u64::try_from(kind.unwrap_or(0)).unwrap_or(0);
        let id = id.map_or([0, 0], |id| [1, id]);
        let [has_id, id] = id;
        let words = [2, kind, has_id, id, a1, a2, b1, b2, u64::from(vlan)];
        new.hash = fold(self.hash, &words);
        Some(new)
    }

    /// Whether there is a tunnel.
    #[must_use]
    pub fn is_tunnel(&self) -> bool {
        self.depth > 0
    }

    /// VLAN id of the second tag.
    #[must_use]
    pub fn inner_vlan(&self) -> Option<u16> {
        (self.inner_vlan != 0).then_some(self.inner_vlan)
    }

    /// The same for a frame of its own tags inside the tunnels.
    #[must_use]
    pub fn untagged(&self) -> Self {
        Self {
            inner_vlan: 0,
            ..*self
        }
    }

    /// The tunnels, outermost first.
    #[must_use]
    pub fn text(&self) -> Option<Text> {
        let tunnels = self.tunnels.get(..usize::from(self.depth))?;
        let mut out = Text::default();
        for tunnel in tunnels {
            if !out.is_empty() {
                out.push('>');
            }
            out.push_str(tunnel.kind.name());
            match (tunnel.kind, tunnel.id) {
                (Kind::Mpls, Some(id)) => push_labels(&mut out, id),
                (Kind::L2tp, Some(id)) => {
                    let _infallible = write!(out, ":{}/{}", id >> 16, id & 0xffff);
                }
                (_, Some(id)) => {
                    let _infallible = write!(out, ":{id}");
                }
                (_, None) => {}
            }
        }
        (!out.is_empty()).then_some(out)
    }
}

/// The labels kept, and a plus sign for those that were not.
fn push_labels(out: &mut Text, id: u64) {
    let (labels, more) = mpls::kept(id);
    let mut before = ':';
    for label in labels {
        let _infallible = write!(out, "{before}{label}");
        before = '/';
    }
    if more {
        out.push('+');
    }
}

/// The two halves of a number.
fn halves(number: u128) -> [u64; 2] {
    let high = u64::try_from(number >> 64).unwrap_or(0);
    let low = u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0);
    [high, low]
}

/// A multiply-and-fold hash, fixed for all time; never 0, which means nothing.
fn fold(before: u32, words: &[u64]) -> u32 {
    let mut state = u64::from(before) ^ 0x7461_7069_725f_7631;
    for word in words {
        let product = u128::from(state ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .wrapping_add(0x2545_f491_4f6c_dd1d);
        let [high, low] = halves(product);
        state = high ^ low;
    }
    let state = (state ^ state >> 32) & u64::from(u32::MAX);
    u32::try_from(state).unwrap_or(1).max(1)
}

/// What carries the flows that something carries, by their place in the table.
#[derive(Debug)]
pub struct Carriers {
    known: Map<Index, Carrier>,
}

impl Carriers {
    /// Nothing carried.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self {
            known: Map::new(ENTRIES_MAX, seed),
        }
    }

    /// Notes what carries a flow that begins; the first packet's numbers stand for it.
    pub fn begin(&mut self, index: Index, carrier: &Carrier) {
        self.known.insert(index, *carrier);
    }

    /// Gives back what carried a flow that is over.
    pub fn end(&mut self, index: Index) -> Option<Carrier> {
        self.known.remove(&index)
    }

    /// Flows of which it is not known, for want of room.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.known.refused()
    }
}

impl Carriers {
    /// Bytes of what is remembered.
    #[must_use]
    pub fn held(&self) -> Held {
        let bound = Map::<Index, Carrier>::table_bound(ENTRIES_MAX);
        Held::new("carriers of flows", self.known.table_bytes(), bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: Option<[[u8; 16]; 2]> = Some([[1; 16], [2; 16]]);

    fn tunnel(kind: Kind, id: u64) -> Tunnel {
        Tunnel { kind, id: Some(id) }
    }

    #[test]
    fn a_hash_knows_the_tunnel_and_not_the_direction() {
        let vxlan = |id, pair| {
            Carrier::NONE
                .with(tunnel(Kind::Vxlan, id), pair, 0)
                .unwrap()
        };
        let one = vxlan(100, PAIR);
        assert_eq!(one.hash, vxlan(100, Some([[2; 16], [1; 16]])).hash);
        assert_ne!(one.hash, vxlan(101, PAIR).hash);
        assert_ne!(one.hash, vxlan(100, Some([[1; 16], [3; 16]])).hash);
        let teid = |id| Carrier::NONE.with(tunnel(Kind::Gtp, id), PAIR, 0).unwrap();
        assert_eq!(teid(1).hash, teid(2).hash, "each end chooses its own");
        assert_ne!(teid(1).hash, 0);
    }

    #[test]
    fn four_tunnels_and_no_more() {
        let mut carrier = *Carrier::NONE;
        for id in 0..4 {
            carrier = carrier.with(tunnel(Kind::Geneve, id), PAIR, 0).unwrap();
        }
        assert!(carrier.with(tunnel(Kind::Geneve, 4), PAIR, 0).is_none());
        let text = "geneve:0>geneve:1>geneve:2>geneve:3";
        assert_eq!(carrier.text().as_deref(), Some(text));
        assert_eq!(
            (Carrier::NONE.text(), Carrier::NONE.inner_vlan()),
            (None, None)
        );
        assert_eq!(Carrier::NONE.tagged(7).inner_vlan(), Some(7));
    }
}
