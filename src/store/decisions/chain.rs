//! Following the chain of a decision log, line by line.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{FILE, FIRST, LINE_MAX, Line, full_files};

/// Length of `,"hash":"…"}` at the end of a line.
const HASH_TAIL: usize = 9 + 64 + 2;
/// Where a chain is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {why}", path.display())]
pub struct Broken {
    /// File.
    pub path: PathBuf,
    /// Line in it, from 1.
    pub line: u64,
    /// What does not fit.
    pub why: String,
}

/// A chain without a break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Lines.
    pub entries: u64,
    /// Number of the first line there: above 1 if older files were moved away.
    pub first: u64,
    /// Hash of the last line, to compare with one kept elsewhere.
    pub last_hash: String,
}

/// Follows the chain through all files of `folder`.
///
/// # Errors
/// The first line that does not fit, or a file that cannot be read.
pub fn verify(folder: &Path) -> Result<Verified, Broken> {
    let mut files = full_files(folder).map_err(|error| unread(folder, &error))?;
    let newest = folder.join(FILE);
    // A crash between two files leaves only full ones.
    if files.is_empty() || newest.exists() {
        files.push(newest);
    }
    let mut verified = Verified {
        entries: 0,
        first: 1,
        last_hash: FIRST.to_owned(),
    };
    for path in files {
        let file = File::open(&path).map_err(|error| unread(&path, &error))?;
        let mut reader = BufReader::new(file);
        for number in 1.. {
            let mut text = Vec::new();
            let mut limited = (&mut reader).take(LINE_MAX as u64);
            let read = limited.read_until(b'\n', &mut text);
            if read.map_err(|error| unread(&path, &error))? == 0 {
                break;
            }
            let broken = |why| Broken {
                path: path.clone(),
                line: number,
                why,
            };
            let (line, hash) = check(&text).map_err(broken)?;
            follow(&mut verified, &line, hash).map_err(broken)?;
        }
    }
    Ok(verified)
}

/// Adds a line to a chain.
fn follow(chain: &mut Verified, line: &Line, hash: String) -> Result<(), String> {
    if chain.entries == 0 {
        chain.first = line.n;
        let begins = line.n > 1 || line.prev == FIRST;
        if !begins {
            return Err("the first line names one before it".to_owned());
        }
    } else if line.n != chain.first + chain.entries {
        let wanted = chain.first + chain.entries;
        return Err(format!("line number {}, {wanted} was next", line.n));
    } else if line.prev != chain.last_hash {
        return Err("`prev` is not the hash of the line before".to_owned());
    }
    chain.entries += 1;
    chain.last_hash = hash;
    Ok(())
}

/// Reads one line with its end and checks its own hash.
pub(super) fn check(text: &[u8]) -> Result<(Line, String), String> {
    let text = std::str::from_utf8(text).map_err(|_| "not UTF-8".to_owned())?;
    let text = text.strip_suffix('\n').ok_or("the line has no end")?;
    let at = text
        .len()
        .checked_sub(HASH_TAIL)
        .ok_or("too short for a line")?;
    let (body, tail) = text.split_at_checked(at).ok_or("no hash at its end")?;
    let hash = tail
        .strip_prefix(",\"hash\":\"")
        .and_then(|tail| tail.strip_suffix("\"}"))
        .ok_or("no hash at its end")?;
    let body = format!("{body}}}");
    if blake3::hash(body.as_bytes()).to_hex().as_str() != hash {
        return Err("its hash does not match".to_owned());
    }
    let line = serde_json::from_str(&body).map_err(|error| format!("not a line: {error}"))?;
    Ok((line, hash.to_owned()))
}

fn unread(path: &Path, error: &io::Error) -> Broken {
    Broken {
        path: path.to_owned(),
        line: 0,
        why: format!("cannot be read: {error}"),
    }
}
