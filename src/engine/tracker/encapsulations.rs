//! What packets came in: tags, tunnels and pieces, and the numbers these go by.
//!
//! Bounds: the 256 smallest numbers of each kind: whatever the number of workers, together they know the
//!         256 smallest of all.

use tapir_message::Stats;

use super::stats::put;
use crate::decode::{Encapsulated, Frame, Kind, mpls};

/// Most numbers kept of each kind.
const IDS_MAX: usize = 256;
/// Tunnels, then VLAN tags.
const KINDS: usize = Kind::ALL.len().saturating_add(1);
/// Place of VLAN tags.
const VLAN: usize = Kind::ALL.len();

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Encapsulations {
    packets: [u64; KINDS],
    ids: [Vec<u64>; KINDS],
    fragments: [u64; 2],
}

impl Encapsulations {
    /// Counts a frame's tags.
    pub(super) fn tagged(&mut self, frame: &Frame<'_>) {
        self.count(VLAN);
        self.id(VLAN, u64::from(frame.vlan));
        if frame.inner_vlan != 0 {
            self.id(VLAN, u64::from(frame.inner_vlan));
        }
    }

    /// Counts a tunnel.
    pub(super) fn tunnelled(&mut self, carried: &Encapsulated<'_>) {
        let kind = carried.tunnel.kind;
        let at = place(kind);
        // GRE is counted with its header, whatever it carries.
        if kind != Kind::Gre {
            self.count(at);
        }
        if kind == Kind::Mpls {
            mpls::labels(carried.stack).for_each(|label| self.id(at, label));
        } else if let Some(id) = carried.tunnel.id {
            self.id(at, id);
        }
    }

    /// Counts a GRE header.
    pub(super) fn gre(&mut self) {
        self.count(place(Kind::Gre));
    }

    /// Counts a fragment.
    pub(super) fn fragment(&mut self, v6: bool) {
        if let Some(count) = self.fragments.get_mut(usize::from(v6)) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds these counters to those of the run.
    pub(super) fn add_to(&self, stats: &mut Stats) {
        let names = Kind::ALL.iter().map(|kind| kind.name()).chain(["vlan"]);
        for ((name, n), ids) in names.zip(self.packets).zip(&self.ids) {
            put(&mut stats.encapsulations, name.to_owned(), n);
            if ids.is_empty() {
                continue;
            }
            let known = stats.encapsulation_ids.entry(name.to_owned()).or_default();
            known.extend(ids);
            while known.len() > IDS_MAX {
                known.pop_last();
            }
        }
        for (name, n) in ["ipv4_fragment", "ipv6_fragment"]
            .into_iter()
            .zip(self.fragments)
        {
            put(&mut stats.encapsulations, name.to_owned(), n);
        }
    }

    fn count(&mut self, at: usize) {
        if let Some(count) = self.packets.get_mut(at) {
            *count = count.saturating_add(1);
        }
    }

    fn id(&mut self, at: usize, id: u64) {
        let Some(ids) = self.ids.get_mut(at) else {
            return;
        };
        let Err(place) = ids.binary_search(&id) else {
            return;
        };
        if ids.len() >= IDS_MAX {
            if place >= IDS_MAX {
                return;
            }
            ids.pop();
        }
        ids.insert(place, id);
    }
}

/// Place of a tunnel among the counters.
pub(super) fn place(kind: Kind) -> usize {
    Kind::ALL.iter().position(|k| *k == kind).unwrap_or(0)
}
