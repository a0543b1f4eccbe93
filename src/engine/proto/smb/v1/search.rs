//! What a search found: the names in its answer.
//!
//! Standard: \[MS-CIFS\] 2.2.6.2.2 (FIND_FIRST2), 2.2.8.1 (levels of information).
//! Bounds:   32 names an answer; of the answer the first 4 KiB.
//! Not done: the levels of LANMAN; what FIND_NEXT2 adds.

use super::super::wire::{field, size16_at, size32_at, utf16};
use super::{Command, NAME_LEN_MAX};
use crate::types::{Text, text};

/// Names told of one answer: a search goes over whole folders.
const FOUND_MAX: usize = 32;

/// The names that an answer holds in this level of information; the folder itself and the one above are
/// in every one and left out.
pub(super) fn found(command: &Command<'_>, level: u16) -> Vec<Text> {
    let Some((len_at, name_at)) = layout(level) else {
        return Vec::new();
    };
    let data = size16_at(command.words, 14).and_then(|at| command.message.get(at..));
    let (mut entry, mut names) = (data.unwrap_or_default(), Vec::new());
    for _ in 0..FOUND_MAX {
        let name = size32_at(entry, len_at).and_then(|len| field(entry, name_at, len));
        let Some(name) = name else { break };
        let name = if command.unicode {
            utf16(name, NAME_LEN_MAX)
        } else {
            text(name, NAME_LEN_MAX)
        };
        if !matches!(name.as_str(), "" | "." | "..") {
            names.push(name);
        }
        match size32_at(entry, 0).filter(|next| *next > 0) {
            Some(next) => entry = entry.get(next..).unwrap_or_default(),
            None => break,
        }
    }
    names
}

/// Where length and name stand within an entry.
fn layout(level: u16) -> Option<(usize, usize)> {
    match level {
        // SMB_FIND_FILE_DIRECTORY_INFO, …FULL_DIRECTORY_INFO, …NAMES_INFO, …BOTH_DIRECTORY_INFO
        0x101 => Some((60, 64)),
        0x102 => Some((60, 68)),
        0x103 => Some((8, 12)),
        0x104 => Some((60, 94)),
        _ => None,
    }
}
