//! The SMB2 header and how much of each command is of interest.
//!
//! Standard: \[MS-SMB2\] 2.2.1 (header), 2.2.3–2.2.40 (commands).

use super::request::GET_REFERRALS;
use super::wire::{u16_at, u32_at, u64_at};

/// Bytes of the header.
pub(super) const HEADER_LEN: usize = 64;
/// Most bytes of a CREATE request's or sign-in's body that are waited for.
const BODY_LEN_MAX: usize = 16 * 1024;

/// The same of a question for a DFS referral.
const REFERRAL_LEN_MAX: usize = 2 * 1024;

pub(super) const SESSION_SETUP: u16 = 1;
pub(super) const LOGOFF: u16 = 2;
pub(super) const TREE_CONNECT: u16 = 3;
pub(super) const TREE_DISCONNECT: u16 = 4;
pub(super) const CREATE: u16 = 5;
pub(super) const CLOSE: u16 = 6;
pub(super) const READ: u16 = 8;
pub(super) const WRITE: u16 = 9;
pub(super) const IOCTL: u16 = 11;
pub(super) const SET_INFO: u16 = 17;

/// A header, checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// NTSTATUS; meaningless in requests.
    pub(super) status: u32,
    pub(super) command: u16,
    /// Whether the server sent it.
    pub(super) response: bool,
    /// Whether it goes on with the file of the command before it.
    pub(super) related: bool,
    /// Distance to the next command of the compound; 0 for the last.
    pub(super) next: u32,
    pub(super) message: u64,
    /// TreeId; `None` in asynchronous messages, which have none.
    pub(super) tree: Option<u32>,
    pub(super) session: u64,
}

impl Header {
    /// The header at the start of `data`; `None` if it is cut or not one.
    pub(super) fn new(data: &[u8]) -> Option<Self> {
        const RESPONSE: u32 = 1;
        const ASYNC: u32 = 2;
        const RELATED: u32 = 4;
        let data = data.get(..HEADER_LEN)?;
        if !data.starts_with(b"\xfeSMB") || u16_at(data, 4)? != 64 {
            return None;
        }
        let flags = u32_at(data, 16)?;
        Some(Self {
            status: u32_at(data, 8)?,
            command: u16_at(data, 12)?,
            response: flags & RESPONSE != 0,
            related: flags & RELATED != 0,
            next: u32_at(data, 20)?,
            message: u64_at(data, 24)?,
            tree: u32_at(data, 36).filter(|_| flags & ASYNC == 0),
            session: u64_at(data, 40)?,
        })
    }

    /// How many bytes after the header are worth waiting for; `body` is what is there already.
    pub(super) fn body_wanted(&self, body: &[u8]) -> usize {
        match (self.command, self.response) {
            (IOCTL, false) => match u32_at(body, 4) {
                None => 8,
                Some(GET_REFERRALS) => REFERRAL_LEN_MAX,
                Some(_) => 32,
            },
            (IOCTL, true) => 40,
            (CREATE | SESSION_SETUP | TREE_CONNECT | SET_INFO, false) | (SESSION_SETUP, true) => {
                BODY_LEN_MAX
            }
            (CREATE, true) => 80,
            (READ | WRITE, false) => 32,
            (CLOSE, false) => 24,
            (READ | WRITE | TREE_CONNECT, true) => 8,
            _ => 0,
        }
    }
}
