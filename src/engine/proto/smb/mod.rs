//! SMB 1 to 3: which shares and files are used, by whom, and how.
//!
//! Standard: \[MS-SMB2\], \[MS-CIFS\], \[MS-SMB\]; framing RFC 1002 §4.3 (NetBIOS session service) and \[MS-SMB2\] 2.1.
//! Input:    TCP, ports 445 and 139. File contents are skipped unseen, unless they begin as a file that is
//!           followed does.
//! Output:   `smb_files` (one record per verb and open), `smb_mapping`; `files` of what is read or written from
//!           the first byte on; sign-ins through `gss`.
//! Bounds:   256 open requests, 64 shares, 64 sessions, 512 open files a flow, 1,024 bytes a name;
//!           beyond that the oldest is told as it stands and dropped (`weird: smb_table_full`).
//! Not done: server-side copies (FSCTL). Encrypted and compressed messages are passed over.

mod dialog;
mod files;
mod follow;
mod header;
mod payload;
mod pipes;
mod records;
mod request;
mod state;
mod v1;
mod wire;

pub use records::{SmbFile, SmbMapping};

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::heap_of;
use dialog::Dialog;
use files::FileId;
use follow::Piece;
use header::{HEADER_LEN, Header};
use payload::{Of, Payload};
use state::State;

/// Bytes of the NetBIOS session header.
const FRAME_LEN: usize = 4;
/// Longest NetBIOS control message; a session request has 68 bytes.
const CONTROL_LEN_MAX: u64 = 256;
/// After a gap, how far to look for the next message: the longest there can be (24-bit length).
const SEARCH_LEN_MAX: u64 = 1 << 24;
/// The same while no message was seen yet: it may be another protocol on our port.
const FIRST_SEARCH_LEN_MAX: u64 = 64 * 1024;
/// How much of a flow's start is searched for a message in the middle.
const PROBE_LEN_MAX: usize = 4096;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Smb {
    orig: At,
    resp: At,
    /// Whether any message was recognised.
    recognised: bool,
    dialog: Dialog,
    old: v1::Dialog,
    state: State,
}

/// Where one direction stands.
#[derive(Clone, Copy, Debug, Default)]
enum At {
    /// Before a NetBIOS header.
    #[default]
    Frame,
    /// Before an SMB2 header; this much of the message is left.
    Command { left: u64 },
    /// Before an SMB1 message of this length.
    Message { len: u64 },
    /// Within what a read or a write carries.
    Carried(Carried),
    /// Somewhere after a gap; this much was searched for a message's beginning.
    Lost { searched: u64 },
}

/// Bytes of a pipe or a file, and the end of the message behind them.
#[derive(Clone, Copy, Debug)]
struct Carried {
    file: FileId,
    /// Where in the file; `None` in a pipe.
    piece: Option<Piece>,
    data: u64,
    /// Of the same command, behind the data.
    tail: u64,
    /// Of the commands behind it.
    rest: u64,
}

impl At {
    /// Where a direction stands when so many bytes of it were lost: within a file's bytes one may count them.
    fn behind_gap(self, gap: u64) -> Self {
        match self {
            Self::Carried(carried) if carried.piece.is_some() && gap < carried.data => {
                Self::Carried(carried.behind(gap))
            }
            _ => Self::Lost { searched: 0 },
        }
    }
}

impl Carried {
    /// The same with so many bytes less to come.
    fn behind(self, len: u64) -> Self {
        Self {
            piece: self.piece.map(|piece| Piece {
                at: piece.at.saturating_add(len),
                ..piece
            }),
            data: self.data.saturating_sub(len),
            ..self
        }
    }
}

impl Protocol for Smb {
    const NAME: &'static str = "smb";
    const PORTS: &'static [Port] = &[Port::Tcp(445), Port::Tcp(139)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            [0, _, _, _, 0xfc..=0xff, b'S', b'M', b'B', ..] | [0x81, 0, 0, 0x44, 0x20, ..] => {
                Probe::Certain
            }
            [0x82 | 0x85, 0, 0, 0, ..] | [0x83, 0, 0, 1, ..] => Probe::Unsure,
            [] | [0 | 0x81..=0x85] | [0, _] | [0, _, _] | [0, _, _, _] => Probe::Unsure,
            [0, _, _, _, id] | [0, _, _, _, id, b'S'] | [0, _, _, _, id, b'S', b'M']
                if *id >= 0xfc =>
            {
                Probe::Unsure
            }
            [0x81..=0x83 | 0x85, 0] | [0x81..=0x83 | 0x85, 0, 0] | [0x81, 0, 0, 0x44] => {
                Probe::Unsure
            }
            _ => match next_message(start.get(..PROBE_LEN_MAX).unwrap_or(start)) {
                Some(_) => Probe::Unsure,
                None => Probe::NotMine,
            },
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return Parse::Broken("smb_datagram");
        }
        if input.gap > 0 {
            *self.at(input.dir) = self.at(input.dir).behind_gap(input.gap);
            self.state.pipes.gap(input.dir);
        }
        match *self.at(input.dir) {
            At::Frame => self.frame(input, out),
            At::Message { len } => self.message(input, len, out),
            At::Carried(carried) => self.carried(input, carried, out),
            At::Command { left } => self.command(input, left, out),
            At::Lost { searched } => self.search(input, searched, out),
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.old.finish(&mut self.state, out);
        self.dialog.finish(&mut self.state, out);
        self.state.finish(out);
    }

    fn heap(&self) -> usize {
        heap_of!(self: dialog, old, state)
    }
}

impl Smb {
    fn at(&mut self, dir: Dir) -> &mut At {
        match dir {
            Dir::Orig => &mut self.orig,
            Dir::Resp => &mut self.resp,
        }
    }

    /// Reads a NetBIOS header and the protocol id behind it.
    fn frame(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        let Some(&[kind, high, mid, low]) = data.first_chunk() else {
            return need(data, FRAME_LEN);
        };
        let len = u64::from(u32::from_be_bytes([0, high, mid, low]));
        let whole = len.saturating_add(4);
        match kind {
            0 if len == 0 => Parse::Parsed { used: FRAME_LEN },
            0 => match data.get(FRAME_LEN..FRAME_LEN.saturating_mul(2)) {
                None => need(data, FRAME_LEN.saturating_mul(2)),
                Some(b"\xfeSMB") => {
                    self.recognised = true;
                    *self.at(input.dir) = At::Command { left: len };
                    Parse::Parsed { used: FRAME_LEN }
                }
                Some(b"\xffSMB") => {
                    self.recognised = true;
                    *self.at(input.dir) = At::Message { len };
                    Parse::Parsed { used: FRAME_LEN }
                }
                Some(b"\xfdSMB") => self.encrypted(data, whole, out),
                // Compressed: nothing to be read there.
                Some(b"\xfcSMB") => {
                    self.recognised = true;
                    pass(data, whole)
                }
                Some(_) => self.lose(input.dir),
            },
            0x81..=0x85 if len <= CONTROL_LEN_MAX => pass(data, whole),
            _ => self.lose(input.dir),
        }
    }

    /// Reads one command of a message that has `left` bytes to go.
    fn command(&mut self, input: Input<'_>, left: u64, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        let available = usize::try_from(left).unwrap_or(usize::MAX);
        if available >= HEADER_LEN && data.len() < HEADER_LEN {
            return need(data, HEADER_LEN);
        }
        let Some(header) = Header::new(data).filter(|_| available >= HEADER_LEN) else {
            *self.at(input.dir) = At::Frame;
            return pass(data, left);
        };
        let next = u64::from(header.next);
        // A distance that leads nowhere ends the compound.
        let len = if next >= 64 && next < left {
            next
        } else {
            left
        };
        let body = data.get(HEADER_LEN..).unwrap_or_default();
        let whole = usize::try_from(len).unwrap_or(usize::MAX);
        let wanted = HEADER_LEN
            .saturating_add(header.body_wanted(body))
            .min(whole);
        let Some(message) = data.get(..wanted) else {
            return need(data, wanted);
        };
        let state = &self.state;
        let payload = self.dialog.payload(&header, message, state, out.files);
        let payload = match payload.map_or(Ok(None), |payload| payload.judged(data, len)) {
            Ok(payload) => payload,
            Err(wanted) => return need(data, wanted),
        };
        let state = &mut self.state;
        self.dialog
            .command(&header, (message, len), input, state, out);
        self.go_on(input, len, left.saturating_sub(len), payload)
    }

    /// Reads an SMB1 message of this length.
    fn message(&mut self, input: Input<'_>, len: u64, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        let whole = usize::try_from(len).unwrap_or(usize::MAX);
        // The words' number stands behind the header.
        let least = v1::HEADER_LEN.saturating_add(1).min(whole);
        if data.len() < least {
            return need(data, least);
        }
        let Some(header) = v1::Header::new(data.get(..whole).unwrap_or(data)) else {
            *self.at(input.dir) = At::Frame;
            return pass(data, len);
        };
        let wanted = header.wanted(data).min(whole);
        let Some(message) = data.get(..wanted) else {
            return need(data, wanted);
        };
        let state = &self.state;
        let payload = self.old.payload(&header, message, state, out.files);
        let payload = match payload.map_or(Ok(None), |payload| payload.judged(data, len)) {
            Ok(payload) => payload,
            Err(wanted) => return need(data, wanted),
        };
        let state = &mut self.state;
        self.old.message(&header, (message, len), input, state, out);
        self.go_on(input, len, 0, payload)
    }

    /// Goes on behind a command of `len` bytes, or within it where it carries something of interest.
    fn go_on(&mut self, input: Input<'_>, len: u64, rest: u64, payload: Option<Payload>) -> Parse {
        if let Some(payload) = payload {
            let offset = u64::try_from(payload.offset).unwrap_or(u64::MAX);
            let end = offset.saturating_add(payload.len);
            let piece = match payload.of {
                Of::File(piece) => Some(piece),
                Of::Pipe | Of::Unknown(_) => None,
            };
            *self.at(input.dir) = At::Carried(Carried {
                file: payload.file,
                piece,
                data: payload.len,
                tail: len.saturating_sub(end),
                rest,
            });
            return pass(input.data, offset);
        }
        *self.at(input.dir) = behind(rest);
        pass(input.data, len)
    }

    /// Hands on what goes through a pipe, or is of a file.
    fn carried(&mut self, input: Input<'_>, carried: Carried, out: &mut Out<'_>) -> Parse {
        let len = usize::try_from(carried.data).unwrap_or(usize::MAX);
        let data = input.data.get(..len).unwrap_or(input.data);
        let state = &mut self.state;
        let full = match carried.piece {
            Some(piece) => state
                .files
                .bytes(carried.file, piece, (input.dir, data), out),
            None => {
                let pipes = &mut state.pipes;
                pipes.bytes(carried.file, input.dir, data, input.ts, out)
            }
        };
        if full {
            state.table_full(out);
        }
        let here = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let left = carried.behind(here);
        if left.data > 0 {
            *self.at(input.dir) = At::Carried(left);
            return Parse::Parsed { used: data.len() };
        }
        *self.at(input.dir) = behind(left.rest);
        pass(input.data, here.saturating_add(left.tail))
    }

    /// An encrypted message (\[MS-SMB2\] 2.2.41): says once a session that it is.
    fn encrypted(&mut self, data: &[u8], whole: u64, out: &mut Out<'_>) -> Parse {
        /// Where the SessionId stands, NetBIOS header included.
        const SESSION_AT: usize = 48;
        const WANTED: usize = 56;
        self.recognised = true;
        if data.len() < WANTED && whole >= 56 {
            return need(data, WANTED);
        }
        if let Some(session) = wire::u64_at(data, SESSION_AT) {
            self.state.blind(session, "smb_encrypted", out);
        }
        pass(data, whole)
    }

    /// The bytes make no sense as a frame: look for the next one that does.
    fn lose(&mut self, dir: Dir) -> Parse {
        *self.at(dir) = At::Lost { searched: 1 };
        Parse::Parsed { used: 1 }
    }

    /// Looks for the beginning of a message after a gap.
    fn search(&mut self, input: Input<'_>, searched: u64, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        if let Some(at) = next_message(data) {
            *self.at(input.dir) = At::Frame;
            if at == 0 {
                return self.frame(input, out);
            }
            return Parse::Parsed { used: at };
        }
        // A beginning may be cut: keep one byte less than what is looked for.
        let used = data.len().saturating_sub(SIGNATURE_LEN.saturating_sub(1));
        let searched = searched.saturating_add(u64::try_from(used).unwrap_or(u64::MAX));
        if searched > SEARCH_LEN_MAX {
            return Parse::Skip;
        }
        if searched > FIRST_SEARCH_LEN_MAX && !self.recognised {
            return Parse::Broken("smb_no_message");
        }
        *self.at(input.dir) = At::Lost { searched };
        Parse::NeedMore { used, need: 1 }
    }
}

/// NetBIOS header, protocol id and the header length behind it.
const SIGNATURE_LEN: usize = 10;

/// Where in `data` an SMB2 or an encrypted message begins with its NetBIOS header.
fn next_message(data: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(data, b"SMB").find_map(|at| {
        let start = at.checked_sub(FRAME_LEN.saturating_add(1))?;
        match data.get(start..start.saturating_add(SIGNATURE_LEN))? {
            [0, _, _, _, 0xfe, _, _, _, 64, 0] | [0, _, _, _, 0xfd, ..] => Some(start),
            _ => None,
        }
    })
}

/// Where a direction stands behind a command, with `rest` bytes of its message to go.
fn behind(rest: u64) -> At {
    match rest {
        0 => At::Frame,
        left => At::Command { left },
    }
}

/// Done with `len` bytes, of which some may not be there yet.
fn pass(data: &[u8], len: u64) -> Parse {
    match usize::try_from(len).ok().filter(|used| *used <= data.len()) {
        Some(used) => Parse::Parsed { used },
        None => Parse::SkipBytes {
            bytes: len.saturating_sub(u64::try_from(data.len()).unwrap_or(u64::MAX)),
        },
    }
}

/// `have` in total must be there.
fn need(data: &[u8], have: usize) -> Parse {
    Parse::NeedMore {
        used: 0,
        need: have.saturating_sub(data.len()).max(1),
    }
}

#[cfg(test)]
mod tests;
