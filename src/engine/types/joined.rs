//! A few short pieces put one behind the other, to be hashed in one go.

/// Up to `N` bytes; what goes beyond is left out.
#[derive(Debug)]
pub(crate) struct Joined<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Joined<N> {
    /// No bytes yet.
    pub(crate) fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }

    /// Puts `piece` behind what is there.
    #[inline]
    pub(crate) fn add(&mut self, piece: &[u8]) {
        let end = self.len.saturating_add(piece.len());
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(piece);
            self.len = end;
        }
    }

    /// All of it.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
