//! Requests of interest, read from their bodies.
//!
//! Standard: \[MS-SMB2\] 2.2.5, 2.2.9, 2.2.13, 2.2.21, 2.2.31, 2.2.39; \[MS-FSCC\] 2.4.11, 2.4.43.

use super::files::FileId;
use super::header::{CLOSE, CREATE, IOCTL, READ, SESSION_SETUP, SET_INFO, TREE_CONNECT, WRITE};
use super::wire::{field, size16_at, size32_at, u8_at, u32_at, u64_at, utf16};
use crate::proto::gss::{self, Token};
use crate::types::{Heap, Text};

/// Longest name or share path kept, in bytes of UTF-8.
const NAME_LEN_MAX: usize = 1024;

/// FSCTL_PIPE_TRANSCEIVE: a write to a pipe and a read from it in one.
pub(super) const PIPE_TRANSCEIVE: u32 = 0x0011_c017;
/// FSCTL_DFS_GET_REFERRALS.
pub(super) const GET_REFERRALS: u32 = 0x0006_0194;

/// What was asked, as far as the answer needs it.
#[derive(Debug)]
pub(super) enum Asked {
    SignIn(Option<Box<Token>>),
    TreeConnect(Text),
    Create {
        name: Text,
        delete: bool,
    },
    Close,
    Read {
        at: u64,
    },
    Write {
        at: u64,
        len: u32,
    },
    Delete,
    /// How long the file is to be.
    Length(u64),
    Rename(Text),
    /// Where a name of the distributed file system lies.
    Referral(Text),
}

impl Heap for Asked {
    fn heap(&self) -> usize {
        match self {
            Self::SignIn(token) => token.heap(),
            Self::TreeConnect(name)
            | Self::Create { name, .. }
            | Self::Rename(name)
            | Self::Referral(name) => name.heap(),
            Self::Close
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Delete
            | Self::Length(_) => 0,
        }
    }
}

/// Which file a request is about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Target {
    #[default]
    None,
    Known(FileId),
    /// The file that the CREATE with this MessageId will give.
    Of(u64),
}

/// What the request asks; `None` if it is cut or of no interest.
pub(super) fn asked(command: u16, message: &[u8], body: &[u8]) -> Option<Asked> {
    match command {
        SESSION_SETUP => {
            let blob = size16_at(body, 12)
                .and_then(|at| message.get(at..))
                .unwrap_or_default();
            Some(Asked::SignIn(gss::read(blob).map(Box::new)))
        }
        TREE_CONNECT => Some(Asked::TreeConnect(name(message, body, 4)?)),
        CREATE => {
            /// FILE_DELETE_ON_CLOSE.
            const DELETE_ON_CLOSE: u32 = 0x1000;
            let name = Some(name(message, body, 44)?).filter(|name| !name.is_empty());
            Some(Asked::Create {
                name: name.unwrap_or_else(|| Text::from("<share_root>")),
                delete: u32_at(body, 40)? & DELETE_ON_CLOSE != 0,
            })
        }
        CLOSE => Some(Asked::Close),
        READ => Some(Asked::Read {
            at: u64_at(body, 8)?,
        }),
        WRITE => Some(Asked::Write {
            at: u64_at(body, 8)?,
            len: u32_at(body, 4)?,
        }),
        SET_INFO => set_info(message, body),
        IOCTL if u32_at(body, 4)? == GET_REFERRALS => {
            // REQ_GET_DFS_REFERRAL, \[MS-DFSC\] 2.2.2: the level, then the name.
            let input = field(message, size32_at(body, 24)?, size32_at(body, 28)?)?;
            let name = utf16(input.get(2..)?, NAME_LEN_MAX);
            // An empty one asks for the domains there are.
            (!name.is_empty()).then_some(Asked::Referral(name))
        }
        _ => None,
    }
}

/// SET_INFO: renames and deletions, both in the form of Windows 10 as well, and lengths.
fn set_info(message: &[u8], body: &[u8]) -> Option<Asked> {
    /// SMB2_0_INFO_FILE.
    const FILE: u8 = 1;
    if u8_at(body, 2)? != FILE {
        return None;
    }
    let info = message.get(size16_at(body, 8)?..)?;
    match u8_at(body, 3)? {
        // FileRenameInformation, FileRenameInformationEx
        10 | 65 => {
            let name = field(info, 20, size32_at(info, 16)?)?;
            Some(Asked::Rename(utf16(name, NAME_LEN_MAX)))
        }
        // FileEndOfFileInformation
        20 => Some(Asked::Length(u64_at(info, 0)?)),
        // FileDispositionInformation, FileDispositionInformationEx
        13 | 64 => (u8_at(info, 0)? & 1 != 0).then_some(Asked::Delete),
        _ => None,
    }
}

/// The name whose offset and length stand at `at`.
fn name(message: &[u8], body: &[u8], at: usize) -> Option<Text> {
    let len = size16_at(body, at.checked_add(2)?)?;
    if len == 0 {
        return Some(Text::default());
    }
    Some(utf16(
        field(message, size16_at(body, at)?, len)?,
        NAME_LEN_MAX,
    ))
}
