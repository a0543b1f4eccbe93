//! Lines over a socket, with an end to patience and to memory.
//!
//! Bounds: the caller names the most bytes and the longest time for the whole line, however slowly its
//!         pieces come.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Bytes handed to the socket at once, so that a reader that stopped is noticed between two pieces.
const PIECE: usize = 64 * 1024;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its newline.
    Whole(Vec<u8>),
    /// The other end closed before the line was whole.
    Cut,
    /// More than may be.
    TooLong,
    /// It took too long.
    TooSlow,
}

/// Reads one line.
pub(super) fn read(stream: &mut UnixStream, most: usize, patience: Duration) -> io::Result<Line> {
    let end = Instant::now() + patience;
    let mut line = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Line::TooSlow);
        }
        stream.set_read_timeout(Some(left))?;
        let got = match stream.read(&mut piece) {
            Ok(0) => return Ok(Line::Cut),
            Ok(got) => piece.get(..got).unwrap_or_default(),
            Err(error) if is_timeout(&error) => return Ok(Line::TooSlow),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let newline = got.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(got.get(..newline.unwrap_or(got.len())).unwrap_or_default());
        if line.len() > most {
            return Ok(Line::TooLong);
        }
        if newline.is_some() {
            return Ok(Line::Whole(line));
        }
    }
}

/// Writes bytes, all in the given time or not at all.
pub(super) fn write(stream: &mut UnixStream, bytes: &[u8], patience: Duration) -> io::Result<()> {
    let end = Instant::now() + patience;
    for piece in bytes.chunks(PIECE) {
        let mut rest = piece;
        while !rest.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            stream.set_write_timeout(Some(left))?;
            match stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
