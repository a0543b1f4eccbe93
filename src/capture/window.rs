//! A sliding window over a byte stream: large reads in, whole records out, nothing allocated once
//! the buffer stands.
//!
//! Input:    a plain or unpacking reader, read 256 KiB at a time.
//! Output:   slices of the buffer, valid until the next call that moves the window.
//! Bounds:   the buffer never exceeds [`BUFFER_BYTES`]; a record larger than that cannot be asked
//!           for.

use std::io::{self, Read};

/// One buffer: also the largest pcapng block that is looked into. Smaller costs system calls,
/// larger leaves the second-level cache.
pub(crate) const BUFFER_BYTES: usize = 1 << 18;

/// What stands between a request and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Short {
    /// The stream ended after this many of the requested bytes.
    Ended(usize),
    /// Reading failed.
    Failed(io::ErrorKind),
}

pub(crate) struct Window {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Stream offset of `buffer[0]`.
    base: u64,
    /// Why no more can be read, once that is known.
    over: Option<Option<io::ErrorKind>>,
}

impl Window {
    /// A window over `reader` that uses `buffer`, which keeps its size if it has one.
    pub(crate) fn new(reader: Box<dyn Read + Send>, mut buffer: Vec<u8>) -> Self {
        if buffer.is_empty() {
            buffer.resize(BUFFER_BYTES, 0);
        }
        Self {
            reader,
            buffer,
            start: 0,
            end: 0,
            base: 0,
            over: None,
        }
    }

    /// The buffer, to be used for the next file.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Stream offset of the first byte not yet consumed.
    pub(crate) fn position(&self) -> u64 {
        self.base + self.start as u64
    }

    /// Sees to it that `len` bytes lie ahead.
    #[inline]
    pub(crate) fn need(&mut self, len: usize) -> Result<(), Short> {
        if self.end - self.start >= len {
            Ok(())
        } else {
            self.fill(len)
        }
    }

    /// `len` bytes at `offset` from the window's start; empty if they were not asked for first.
    #[inline]
    pub(crate) fn bytes(&self, offset: usize, len: usize) -> &[u8] {
        let from = self.start.saturating_add(offset);
        let to = from.saturating_add(len).min(self.end);
        self.buffer.get(from..to).unwrap_or(&[])
    }

    /// What is here already.
    #[inline]
    pub(crate) fn ahead(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or(&[])
    }

    /// The buffer as a whole; what `offset` counts from lies at [`Self::start`].
    #[inline]
    pub(crate) fn whole(&self) -> &[u8] {
        &self.buffer
    }

    /// Where in the buffer the window begins.
    #[inline]
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// The `N` bytes at `offset`; zeros if they were not asked for first.
    #[inline]
    pub(crate) fn array<const N: usize>(&self, offset: usize) -> [u8; N] {
        self.bytes(offset, N).try_into().unwrap_or([0; N])
    }

    /// Moves past `len` bytes that were asked for before.
    #[inline]
    pub(crate) fn consume(&mut self, len: usize) {
        self.start = self.start.saturating_add(len).min(self.end);
    }

    /// Moves past `len` bytes, however many, without keeping them.
    pub(crate) fn skip(&mut self, mut len: u64) -> Result<(), Short> {
        loop {
            let ahead = self.end - self.start;
            let step = usize::try_from(len).map_or(ahead, |len| len.min(ahead));
            self.consume(step);
            len -= step as u64;
            if len == 0 {
                return Ok(());
            }
            self.fill(1)?;
        }
    }

    #[cold]
    fn fill(&mut self, len: usize) -> Result<(), Short> {
        if len > self.buffer.len() {
            self.buffer.resize(len.min(BUFFER_BYTES), 0);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.base += self.start as u64;
        self.end -= self.start;
        self.start = 0;
        while self.end < len {
            match self.over {
                Some(None) => return Err(Short::Ended(self.end)),
                Some(Some(kind)) => return Err(Short::Failed(kind)),
                None => {}
            }
            let room = self.buffer.get_mut(self.end..).unwrap_or(&mut []);
            match self.reader.read(room) {
                Ok(0) => self.over = Some(None),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.over = Some(Some(error.kind())),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives one byte at a time and then fails.
    struct Drip(Vec<u8>);

    impl Read for Drip {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::Error::from(io::ErrorKind::InvalidData));
            }
            room[0] = self.0.remove(0);
            Ok(1)
        }
    }

    /// Bytes come out in order whatever the reads give, positions count from the stream's start,
    /// and a failure is told apart from an end.
    #[test]
    fn slides_and_tells_why_it_stops() {
        let mut window = Window::new(Box::new(Drip((0..10).collect())), vec![0; 4]);
        assert_eq!(window.need(3), Ok(()));
        assert_eq!(window.bytes(1, 2), &[1, 2]);
        window.consume(3);
        assert_eq!(window.need(4), Ok(()));
        assert_eq!(window.array::<4>(0), [3, 4, 5, 6]);
        assert_eq!(window.position(), 3);
        assert_eq!(window.skip(6), Ok(()));
        assert_eq!(
            window.need(2),
            Err(Short::Failed(io::ErrorKind::InvalidData))
        );
        assert_eq!(window.position(), 9);
        let mut window = Window::new(Box::new(&[1_u8, 2][..]), Vec::new());
        assert_eq!(window.need(5), Err(Short::Ended(2)));
        assert_eq!(window.skip(9), Err(Short::Ended(0)));
    }
}
