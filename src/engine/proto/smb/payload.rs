//! What a read or a write carries: of a pipe, or of a file that is followed.

use super::files::{FileId, Files, Share};
use super::follow::Piece;
use crate::proto::dcerpc::is_pdu;

/// Bytes that tell whether what is written is a PDU.
const SURE_LEN: usize = 16;
/// How far into a command such bytes are waited for; they follow its 112 bytes of header.
const OFFSET_MAX: usize = 1024;

/// What carried bytes belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Pipe,
    /// A file that is followed.
    File(Piece),
    /// A pipe if they look like it; else a file, if it is followed.
    Unknown(Option<Piece>),
}

/// Where in a command the bytes lie that it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) file: FileId,
    /// From the start of the command.
    pub(super) offset: usize,
    pub(super) len: u64,
    pub(super) of: Of,
}

impl Payload {
    /// Bytes of `file` at `offset` of the command; `piece` if they may be a file's. `None` if nobody wants them.
    pub(super) fn new(
        (file, piece): (FileId, Option<Piece>),
        (offset, len): (usize, u64),
        files: &Files,
        follows: bool,
    ) -> Option<Self> {
        let piece = piece.filter(|piece| follows && files.wants(file, *piece, len));
        let of = match files.share(file).unwrap_or_default() {
            Share::Pipe => Of::Pipe,
            Share::Disk => Of::File(piece?),
            Share::Unknown => Of::Unknown(piece),
            Share::Print => return None,
        };
        (len > 0).then_some(Self {
            file,
            offset,
            len,
            of,
        })
    }

    /// Judges what a command of `len` bytes carries, of which `data` is there; else how many of its bytes would tell.
    pub(super) fn judged(self, data: &[u8], len: u64) -> Result<Option<Self>, usize> {
        let end = u64::try_from(self.offset)
            .ok()
            .and_then(|at| at.checked_add(self.len));
        if self.offset == 0 || end.is_none_or(|end| end > len) {
            return Ok(None);
        }
        let Of::Unknown(piece) = self.of else {
            return Ok(Some(self));
        };
        let wanted = self.offset.saturating_add(SURE_LEN);
        let of = if self.len < 16 || self.offset > OFFSET_MAX {
            piece.map(Of::File)
        } else if data.len() < wanted {
            return Err(wanted);
        } else if data.get(self.offset..).is_some_and(is_pdu) {
            Some(Of::Pipe)
        } else {
            piece.map(Of::File)
        };
        Ok(of.map(|of| Self { of, ..self }))
    }
}
