//! Requests of interest, read from their words and bytes.
//!
//! Standard: \[MS-CIFS\] 2.2.4 and 2.2.6; \[MS-SMB\] 2.2.4.6 (sign-in), 2.2.4.9 (NT create).

use super::super::files::FileId;
use super::super::wire::{field, size16_at, size32_at, u16_at, u32_at, u64_at};
use super::{
    CHECK_DIRECTORY, CLOSE, CREATE, CREATE_DIRECTORY, CREATE_NEW, Command, DELETE,
    DELETE_DIRECTORY, NT_CREATE_ANDX, NT_RENAME, OPEN, OPEN_ANDX, QUERY_INFORMATION, READ,
    READ_ANDX, RENAME, SESSION_SETUP_ANDX, TRANSACTION, TRANSACTION2, TREE_CONNECT,
    TREE_CONNECT_ANDX, WRITE, WRITE_ANDX,
};
use crate::proto::gss::{self, Token};
use crate::types::{Heap, Text};

/// What was asked, as far as the answer needs it.
#[derive(Debug)]
pub(super) enum Asked {
    SignIn(Option<Box<Token>>),
    TreeConnect(Text),
    Open {
        name: Text,
        delete: bool,
    },
    Close(FileId),
    Read {
        file: FileId,
        at: u64,
    },
    Write {
        file: FileId,
        at: u64,
        len: u32,
    },
    /// Something done to a name without opening it.
    Named {
        action: &'static str,
        name: Text,
    },
    /// A pattern searched for, and in which form what is found is to be told.
    Search {
        name: Text,
        level: u16,
    },
    RenameName {
        from: Text,
        to: Text,
    },
    Delete(FileId),
    /// How long the file is to be.
    Length(FileId, u64),
    Rename(FileId, Text),
    /// A write to a pipe and a read from it in one.
    Transact(FileId),
}

impl Heap for Asked {
    fn heap(&self) -> usize {
        match self {
            Self::SignIn(token) => token.heap(),
            Self::TreeConnect(name)
            | Self::Open { name, .. }
            | Self::Named { name, .. }
            | Self::Search { name, .. }
            | Self::Rename(_, name) => name.heap(),
            Self::RenameName { from, to } => from.heap().saturating_add(to.heap()),
            Self::Close(_)
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Delete(_)
            | Self::Length(..)
            | Self::Transact(_) => 0,
        }
    }
}

/// What the request asks; `None` if it is cut or of no interest.
pub(super) fn asked(command: &Command<'_>) -> Option<Asked> {
    let (words, at) = (command.words, command.bytes_at);
    let named = |action| {
        let (name, _) = command.formatted(at)?;
        Some(Asked::Named { action, name })
    };
    match command.number {
        SESSION_SETUP_ANDX => Some(Asked::SignIn(sign_in(command).map(Box::new))),
        TREE_CONNECT_ANDX => {
            let password = size16_at(words, 6)?;
            let (path, _) = command.text(at.checked_add(password)?);
            Some(Asked::TreeConnect(path))
        }
        TREE_CONNECT => Some(Asked::TreeConnect(command.formatted(at)?.0)),
        NT_CREATE_ANDX => {
            /// FILE_DELETE_ON_CLOSE.
            const DELETE_ON_CLOSE: u32 = 0x1000;
            let name = command.text_of(at, size16_at(words, 5)?)?;
            let delete = u32_at(words, 39)? & DELETE_ON_CLOSE != 0;
            Some(open(name, delete))
        }
        OPEN_ANDX => Some(open(command.text(at).0, false)),
        OPEN | CREATE | CREATE_NEW => Some(open(command.formatted(at)?.0, false)),
        CLOSE => Some(Asked::Close(file(words, 0)?)),
        READ_ANDX => Some(Asked::Read {
            file: file(words, 4)?,
            at: place(words, (6, 20))?,
        }),
        READ => Some(Asked::Read {
            file: file(words, 0)?,
            at: place(words, (4, usize::MAX))?,
        }),
        WRITE_ANDX => {
            let high = u32::from(u16_at(words, 18)?) << 16;
            let len = high | u32::from(u16_at(words, 20)?);
            Some(Asked::Write {
                file: file(words, 4)?,
                at: place(words, (6, 24))?,
                len,
            })
        }
        WRITE => {
            let len = u32::from(u16_at(words, 2)?);
            Some(Asked::Write {
                file: file(words, 0)?,
                at: place(words, (4, usize::MAX))?,
                len,
            })
        }
        DELETE | DELETE_DIRECTORY => named("SMB::FILE_DELETE"),
        QUERY_INFORMATION | CHECK_DIRECTORY => named("SMB::FILE_QUERY"),
        CREATE_DIRECTORY => named("SMB::FILE_OPEN"),
        RENAME | NT_RENAME => {
            let (from, next) = command.formatted(at)?;
            // UTF-16 names stand at even places: a byte may lie between.
            let (to, _) = command
                .formatted(next)
                .or_else(|| command.formatted(next.checked_add(1)?))?;
            Some(Asked::RenameName { from, to })
        }
        TRANSACTION => {
            /// TRANS_TRANSACT_NMPIPE.
            const TRANSACT: u16 = 0x26;
            (u16_at(words, 28)? == TRANSACT).then_some(Asked::Transact(file(words, 30)?))
        }
        TRANSACTION2 => transaction2(command),
        _ => None,
    }
}

/// The root of a share has no name.
fn open(name: Text, delete: bool) -> Asked {
    let name = Some(name).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| Text::from("<share_root>"));
    Asked::Open { name, delete }
}

/// The file whose number stands at `at`.
pub(super) fn file(words: &[u8], at: usize) -> Option<FileId> {
    u16_at(words, at).map(FileId::from)
}

/// A place in a file: its low half, and the high one where the command is long enough to have it.
fn place(words: &[u8], (low, high): (usize, usize)) -> Option<u64> {
    let high = u64::from(u32_at(words, high).unwrap_or(0)) << 32;
    Some(high | u64::from(u32_at(words, low)?))
}

/// The account of a sign-in: by NTLMSSP, or beside the answer to the server's challenge.
fn sign_in(command: &Command<'_>) -> Option<Token> {
    let (words, at) = (command.words, command.bytes_at);
    let passwords = match words.len() / 2 {
        12 => {
            let blob = field(command.message, at, size16_at(words, 14)?)?;
            return gss::read(blob);
        }
        13 => size16_at(words, 14)?.checked_add(size16_at(words, 16)?)?,
        10 => size16_at(words, 14)?,
        _ => return None,
    };
    let some = |name: Text| Some(name).filter(|name| !name.is_empty());
    let (user, next) = command.text(at.checked_add(passwords)?);
    let (domain, next) = command.text(next);
    let (system, _) = command.text(next);
    Some(Token::plain(some(user), some(domain), some(system)))
}

/// What is done to names and open files by TRANSACTION2.
fn transaction2(command: &Command<'_>) -> Option<Asked> {
    let (words, message) = (command.words, command.message);
    let (parameters, data) = (size16_at(words, 20)?, size16_at(words, 24)?);
    let bytes = message.get(parameters..)?;
    let named = |action, at| {
        let (name, _) = command.text(parameters.checked_add(at)?);
        (!name.is_empty()).then_some(Asked::Named { action, name })
    };
    match u16_at(words, 28)? {
        0 => Some(open(command.text(parameters.checked_add(28)?).0, false)),
        1 => {
            let (name, _) = command.text(parameters.checked_add(12)?);
            let level = u16_at(bytes, 6)?;
            Some(Asked::Search { name, level })
        }
        5 => named("SMB::FILE_QUERY", 6),
        6 => named("SMB::FILE_SET_ATTRIBUTE", 6),
        8 => {
            let file = file(bytes, 0)?;
            let info = message.get(data..)?;
            match u16_at(bytes, 2)? {
                // SMB_SET_FILE_DISPOSITION_INFO, and FileDispositionInformation passed through
                0x102 | 1013 => (info.first()? & 1 != 0).then_some(Asked::Delete(file)),
                // SMB_SET_FILE_END_OF_FILE_INFO, and FileEndOfFileInformation passed through
                0x104 | 1020 => Some(Asked::Length(file, u64_at(info, 0)?)),
                // FileRenameInformation passed through
                1010 => {
                    let name = field(info, 12, size32_at(info, 8)?)?;
                    let name = super::utf16(name, super::NAME_LEN_MAX);
                    Some(Asked::Rename(file, name))
                }
                _ => None,
            }
        }
        0xd => named("SMB::FILE_OPEN", 4),
        0x10 => named("SMB::DFS_REFERRAL", 2),
        _ => None,
    }
}
