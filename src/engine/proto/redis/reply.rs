//! Answers of a server, as far as they say whether a command was done.
//!
//! Bounds: lines of 1 KiB; nesting costs nothing, as elements are only counted.

use super::request::{line, number};
use crate::proto::Parse;
use crate::types::{Text, text};

/// Longest line.
const LINE_LEN_MAX: usize = 1024;
/// Bytes of the server's account of itself in which its version stands.
const INFO_LEN_MAX: usize = 512;

/// An answer that is all there.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// First word of an error.
    pub(super) error: Option<Text>,
    /// The server's version.
    pub(super) version: Option<Text>,
}

/// Where the server's stream is.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// Elements of the answer still to come, in all depths.
    left: u64,
    /// The answer is one nobody asked for.
    is_push: bool,
}

impl Replies {
    /// Takes the next element; the answer if it is complete. `is_info`: it is the server's account of itself.
    pub(super) fn take(&mut self, data: &[u8], is_info: bool) -> (Parse, Option<Reply>) {
        let broken = (Parse::Broken("redis_no_answer"), None);
        let Some((line, used)) = line(data, LINE_LEN_MAX) else {
            let more = Parse::NeedMore { used: 0, need: 1 };
            return if data.len() < LINE_LEN_MAX {
                (more, None)
            } else {
                broken
            };
        };
        let Some((&kind, rest)) = line.split_first() else {
            return broken;
        };
        let is_first = self.left == 0;
        if is_first {
            (self.left, self.is_push) = (1, kind == b'>');
        }
        let mut reply = Reply::default();
        let (mut inside, mut len) = (0, None);
        match kind {
            b'+' | b':' | b'_' | b'#' | b',' | b'(' => {}
            b'-' => reply.error = word(rest),
            // A text; -1 is none at all.
            b'$' | b'=' | b'!' => len = number(rest),
            b'*' | b'~' | b'>' => inside = number(rest).unwrap_or_default(),
            // Names with values; attributes come before what they are about.
            b'%' => inside = number(rest).unwrap_or_default().saturating_mul(2),
            b'|' => {
                inside = number(rest)
                    .unwrap_or_default()
                    .saturating_mul(2)
                    .saturating_add(1)
            }
            _ => return broken,
        }
        let mut whole = used;
        if let Some(len) = len {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            whole = used.saturating_add(len).saturating_add(2);
            let looked_at = used.saturating_add(len.min(INFO_LEN_MAX));
            if (kind == b'!' || (is_info && is_first)) && data.len() < looked_at {
                let need = looked_at.saturating_sub(data.len());
                if is_first {
                    self.left = 0;
                }
                return (Parse::NeedMore { used: 0, need }, None);
            }
            let value = data.get(used..looked_at).unwrap_or_default();
            if kind == b'!' {
                reply.error = word(value);
            } else if is_info && is_first {
                reply.version = version(value);
            }
        }
        self.left = self.left.saturating_sub(1).saturating_add(inside);
        let reply = (self.left == 0 && !self.is_push).then_some(reply);
        (Parse::past(whole, data), reply)
    }
}

/// The first word of an error, in capitals as servers write it.
fn word(rest: &[u8]) -> Option<Text> {
    let end = rest
        .iter()
        .take_while(|byte| byte.is_ascii_uppercase() || **byte == b'_')
        .count();
    Some(text(rest.get(..end)?, 32))
}

/// `redis_version:7.0.5`, or `valkey_version:8.0.0` where that stands before it.
fn version(info: &[u8]) -> Option<Text> {
    let at = memchr::memmem::find(info, b"_version:")?.checked_add(9)?;
    let rest = info.get(at..)?;
    let end = rest
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'.')
        .count();
    Some(text(rest.get(..end)?, 32)).filter(|version| !version.is_empty())
}
