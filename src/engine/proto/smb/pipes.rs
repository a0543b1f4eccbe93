//! Named pipes: what is written to and read from them is handed to DCE/RPC.
//!
//! Bounds: 64 pipes and 48 KiB for what they hold; the one opened first goes for another.

use std::collections::BTreeMap;

use super::files::FileId;
use crate::proto::dcerpc::Pipe;
use crate::proto::{Dir, Out};
use crate::types::{Timestamp, heap};

/// Pipes of a flow.
const PIPES_MAX: usize = 64;
/// Bytes that all of them may hold.
const WEIGHT_MAX: usize = 48 * 1024;
/// The pipes of one flow.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    open: BTreeMap<FileId, Open>,
    ordinals: u64,
    /// What all of them weigh.
    weight: usize,
}

heap!(Pipes: open);

#[derive(Debug)]
struct Open {
    /// Place in the order of opening.
    ordinal: u64,
    weight: usize,
    pipe: Box<Pipe>,
}

heap!(Open: pipe);

impl Pipes {
    /// A pipe was opened. True if another had to go for it.
    pub(super) fn open(&mut self, id: FileId, name: &str, out: &mut Out<'_>) -> bool {
        let evict = self.open.len() >= PIPES_MAX;
        if evict {
            self.evict(id, out);
        }
        self.ordinals = self.ordinals.saturating_add(1);
        let pipe = Box::new(Pipe::named(name));
        let open = Open {
            ordinal: self.ordinals,
            weight: pipe.weight(),
            pipe,
        };
        self.weight = self.weight.saturating_add(open.weight);
        self.open.insert(id, open);
        evict
    }

    /// Bytes that went through a pipe. True if another had to go for what they left behind.
    pub(super) fn bytes(
        &mut self,
        id: FileId,
        dir: Dir,
        data: &[u8],
        ts: Timestamp,
        out: &mut Out<'_>,
    ) -> bool {
        let mut evict = !self.open.contains_key(&id) && self.open(id, "", out);
        if let Some(open) = self.open.get_mut(&id) {
            open.pipe.bytes(dir, data, ts, out);
            let weight = std::mem::replace(&mut open.weight, open.pipe.weight());
            let rest = self.weight.saturating_sub(weight);
            self.weight = rest.saturating_add(open.weight);
        }
        while self.weight > WEIGHT_MAX && self.open.len() > 1 {
            self.evict(id, out);
            evict = true;
        }
        evict
    }

    /// Bytes of one direction were lost: which pipe they belonged to is not known.
    pub(super) fn gap(&mut self, dir: Dir) {
        for open in self.open.values_mut() {
            open.pipe.gap(dir, u64::MAX);
        }
    }

    /// The pipe was closed.
    pub(super) fn close(&mut self, id: FileId, out: &mut Out<'_>) {
        if let Some(mut open) = self.open.remove(&id) {
            self.weight = self.weight.saturating_sub(open.weight);
            open.pipe.finish(out);
        }
    }

    /// Closes what is still open, in the order of opening.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        let mut pipes: Vec<_> = std::mem::take(&mut self.open).into_values().collect();
        pipes.sort_by_key(|open| open.ordinal);
        for mut open in pipes {
            open.pipe.finish(out);
        }
    }

    /// Closes the pipe that was opened first, `keep` apart.
    fn evict(&mut self, keep: FileId, out: &mut Out<'_>) {
        let others = self.open.iter().filter(|(id, _)| **id != keep);
        let oldest = others
            .min_by_key(|(_, open)| open.ordinal)
            .map(|(id, _)| *id);
        if let Some(oldest) = oldest {
            self.close(oldest, out);
        }
    }
}
