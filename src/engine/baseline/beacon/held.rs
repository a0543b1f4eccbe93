//! Memory of a device's edges.

use super::{BINS, EDGES_MAX, Edge, Edges, Mark, NAME_LEN_MAX};

impl Edges {
    /// Bytes of edges with their histograms and names at most.
    pub(in crate::baseline) const BYTES_MAX: usize = EDGES_MAX
        * (size_of::<Edge>() + size_of::<u64>() + size_of::<Option<Mark>>() + BINS + NAME_LEN_MAX);

    /// Bytes of those there are.
    pub(in crate::baseline) fn allocated(&self) -> usize {
        let edges = self.all.capacity().saturating_mul(size_of::<Edge>());
        let keys = self.keys.capacity().saturating_mul(size_of::<u64>());
        let mark = size_of::<Option<Mark>>();
        let keys = keys.saturating_add(self.marks.capacity().saturating_mul(mark));
        let texts = self
            .all
            .iter()
            .map(|e| e.bins.len().saturating_add(e.name.len()));
        texts.fold(edges.saturating_add(keys), usize::saturating_add)
    }
}
