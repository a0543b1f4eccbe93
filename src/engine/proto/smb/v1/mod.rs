//! SMB 1: the same records as of its successors.
//!
//! Standard: \[MS-CIFS\] 2.2 (messages), \[MS-SMB\] 2.2 (extensions).
//! Input:    one message after the other; of a write or a read only the words before its bytes.
//! Bounds:   64 requests without an answer, 4 commands a chain, 16 KiB of a sign-in, 4 KiB of others.
//! Not done: NT_TRANSACT; raw and multiplexed transfers; the old LANMAN calls.

mod dialog;
mod request;
mod search;

pub(super) use dialog::Dialog;

use super::wire::{field, size16_at, u8_at, u16_at, u32_at, utf16};
use crate::types::{Text, text};

/// Bytes before the words of the first command.
pub(super) const HEADER_LEN: usize = 32;
/// Commands of one chain.
const CHAIN_MAX: usize = 4;
/// Longest name kept, in bytes of UTF-8.
const NAME_LEN_MAX: usize = 1024;

pub(super) const CREATE_DIRECTORY: u8 = 0x00;
pub(super) const DELETE_DIRECTORY: u8 = 0x01;
pub(super) const OPEN: u8 = 0x02;
pub(super) const CREATE: u8 = 0x03;
pub(super) const CLOSE: u8 = 0x04;
pub(super) const DELETE: u8 = 0x06;
pub(super) const RENAME: u8 = 0x07;
pub(super) const QUERY_INFORMATION: u8 = 0x08;
pub(super) const READ: u8 = 0x0a;
pub(super) const WRITE: u8 = 0x0b;
pub(super) const CREATE_NEW: u8 = 0x0f;
pub(super) const CHECK_DIRECTORY: u8 = 0x10;
pub(super) const TRANSACTION: u8 = 0x25;
pub(super) const TRANSACTION_SECONDARY: u8 = 0x26;
pub(super) const OPEN_ANDX: u8 = 0x2d;
pub(super) const READ_ANDX: u8 = 0x2e;
pub(super) const WRITE_ANDX: u8 = 0x2f;
pub(super) const TRANSACTION2: u8 = 0x32;
pub(super) const TREE_CONNECT: u8 = 0x70;
pub(super) const TREE_DISCONNECT: u8 = 0x71;
pub(super) const SESSION_SETUP_ANDX: u8 = 0x73;
pub(super) const LOGOFF_ANDX: u8 = 0x74;
pub(super) const TREE_CONNECT_ANDX: u8 = 0x75;
pub(super) const NT_RENAME: u8 = 0xa5;
pub(super) const NT_CREATE_ANDX: u8 = 0xa2;
const LOCKING_ANDX: u8 = 0x24;
const NO_ANDX: u8 = 0xff;

/// A header, checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    command: u8,
    /// NTSTATUS; or a DOS error, of which only 0 is understood.
    status: u32,
    /// Whether the server sent it.
    response: bool,
    /// Whether strings are UTF-16.
    unicode: bool,
    tree: u16,
    session: u16,
    /// Process and multiplex id: the answer has the same.
    exchange: u32,
}

impl Header {
    /// The header at the start of `data`; `None` if it is cut or not one.
    pub(super) fn new(data: &[u8]) -> Option<Self> {
        const REPLY: u8 = 0x80;
        const UNICODE: u16 = 0x8000;
        let data = data.get(..HEADER_LEN)?;
        if !data.starts_with(b"\xffSMB") {
            return None;
        }
        Some(Self {
            command: u8_at(data, 4)?,
            status: u32_at(data, 5)?,
            response: u8_at(data, 9)? & REPLY != 0,
            unicode: u16_at(data, 10)? & UNICODE != 0,
            tree: u16_at(data, 24)?,
            session: u16_at(data, 28)?,
            exchange: u32::from(u16_at(data, 26)?) << 16 | u32::from(u16_at(data, 30)?),
        })
    }

    /// How many bytes of the message are worth waiting for; `message` is what is there already.
    pub(super) fn wanted(&self, message: &[u8]) -> usize {
        let words = u8_at(message, HEADER_LEN).map_or(0, usize::from);
        let fixed = words.saturating_mul(2).saturating_add(HEADER_LEN + 3);
        match (self.command, self.response) {
            (SESSION_SETUP_ANDX, _) => 16 * 1024,
            (WRITE_ANDX | WRITE | TRANSACTION_SECONDARY, false)
            | (READ_ANDX | READ | TRANSACTION, true) => fixed,
            _ => 4 * 1024,
        }
    }
}

/// One command of a chain.
#[derive(Clone, Copy, Debug)]
struct Command<'a> {
    number: u8,
    message: &'a [u8],
    words: &'a [u8],
    /// Where the bytes behind the words begin, from the start of the message.
    bytes_at: usize,
    unicode: bool,
}

impl<'a> Command<'a> {
    /// The bytes behind the words, as far as they are there.
    fn bytes(&self) -> &'a [u8] {
        let len = size16_at(self.message, self.bytes_at.saturating_sub(2)).unwrap_or(0);
        let bytes = self.message.get(self.bytes_at..).unwrap_or_default();
        bytes.get(..len).unwrap_or(bytes)
    }

    /// The text that begins at `at` of the message and ends with a NUL or the message, and where the next
    /// one begins. UTF-16 stands at even places.
    fn text(&self, at: usize) -> (Text, usize) {
        if !self.unicode {
            return self.ascii(at);
        }
        let at = at.next_multiple_of(2);
        let bytes = self.message.get(at..).unwrap_or_default();
        let (units, _odd) = bytes.as_chunks::<2>();
        let len = units.iter().position(|unit| *unit == [0, 0]);
        let len = len.unwrap_or(units.len()).saturating_mul(2);
        let next = at.saturating_add(len).saturating_add(2);
        (
            utf16(bytes.get(..len).unwrap_or_default(), NAME_LEN_MAX),
            next,
        )
    }

    /// The same in bytes, whatever the header says.
    fn ascii(&self, at: usize) -> (Text, usize) {
        let bytes = self.message.get(at..).unwrap_or_default();
        let len = memchr::memchr(0, bytes).unwrap_or(bytes.len());
        let next = at.saturating_add(len).saturating_add(1);
        (
            text(bytes.get(..len).unwrap_or_default(), NAME_LEN_MAX),
            next,
        )
    }

    /// The text of this many bytes at `at` of the message.
    fn text_of(&self, at: usize, len: usize) -> Option<Text> {
        let at = if self.unicode {
            at.next_multiple_of(2)
        } else {
            at
        };
        let bytes = field(self.message, at, len)?;
        Some(if self.unicode {
            utf16(bytes, NAME_LEN_MAX)
        } else {
            let end = memchr::memchr(0, bytes).unwrap_or(len);
            text(bytes.get(..end)?, NAME_LEN_MAX)
        })
    }

    /// A name behind its format byte, as the core commands have it, and where the next begins.
    fn formatted(&self, at: usize) -> Option<(Text, usize)> {
        const NAME: u8 = 4;
        let after = at.checked_add(1)?;
        (u8_at(self.message, at)? == NAME).then(|| self.text(after))
    }
}

/// The commands of a message, at most [`CHAIN_MAX`]; each must stand behind the one before.
fn chain<'a>(header: &Header, message: &'a [u8]) -> impl Iterator<Item = Command<'a>> {
    let (mut number, mut at, unicode) = (header.command, HEADER_LEN, header.unicode);
    let mut left = CHAIN_MAX;
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        if number == NO_ANDX {
            return None;
        }
        let words_len = usize::from(u8_at(message, at)?).checked_mul(2)?;
        let words_at = at.checked_add(1)?;
        let words = field(message, words_at, words_len)?;
        let command = Command {
            number,
            message,
            words,
            bytes_at: words_at.checked_add(words_len)?.checked_add(2)?,
            unicode,
        };
        let next = size16_at(words, 2).filter(|next| *next > at && is_chained(number));
        match (next, u8_at(words, 0)) {
            (Some(next), Some(next_number)) => (number, at) = (next_number, next),
            _ => left = 0,
        }
        Some(command)
    })
}

/// Whether another command may follow this one.
fn is_chained(number: u8) -> bool {
    matches!(
        number,
        LOCKING_ANDX
            | OPEN_ANDX
            | READ_ANDX
            | WRITE_ANDX
            | SESSION_SETUP_ANDX
            | LOGOFF_ANDX
            | TREE_CONNECT_ANDX
            | NT_CREATE_ANDX
    )
}
