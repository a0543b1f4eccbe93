//! State on disk: versioned, checksummed, replaced whole.
//!
//! `DIR/analysis.state` is one header line (format, version, BLAKE3 of the rest) and one JSON value.
//! A new state is written aside, flushed and renamed over the old one, which stays as
//! `analysis.state.previous`. Beside it: the journal of notices, the lease of their numbers, the
//! decision log, the kill switch, and what people said of devices since.

pub mod journal;

pub mod numbers;

pub mod rulings;

pub mod decisions;

pub mod stopped;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tapir_engine::SavedState;

const FILE: &str = "analysis.state";
const FORMAT: &str = "tapir-analysis-state";
const VERSION: u32 = 1;

/// Why state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Reading or writing failed.
    #[error("{}: cannot keep state: {error}; give a folder that you may write to with --state", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is not what it was when written.
    #[error("{}: damaged ({why}); put analysis.state.previous in its place or remove it to learn anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
}

/// First line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
    blake3: String,
}

/// Loads the state of `folder`; an empty one if there is none yet.
///
/// # Errors
/// The file cannot be read, or is damaged or of another version.
pub fn load(folder: Option<&Path>) -> Result<SavedState, StateError> {
    let Some(folder) = folder else {
        return Ok(SavedState::default());
    };
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(SavedState::default()),
        Err(error) => return Err(StateError::Io { path, error }),
    };
    parse(&text).map_err(|why| StateError::Damaged { path, why })
}

fn parse(text: &str) -> Result<SavedState, String> {
    let (head, body) = text.split_once('\n').ok_or("no header line")?;
    let header: Header = serde_json::from_str(head).map_err(|error| format!("header: {error}"))?;
    if header.format != FORMAT || header.version != VERSION {
        return Err(format!(
            "{} version {}, not {FORMAT} {VERSION}",
            header.format, header.version
        ));
    }
    if blake3::hash(body.as_bytes()).to_hex().as_str() != header.blake3 {
        return Err("its checksum does not match".into());
    }
    serde_json::from_str(body).map_err(|error| error.to_string())
}

/// Replaces the state of `folder`.
///
/// # Errors
/// The folder or file cannot be written; the old state then stands.
pub fn save(folder: &Path, state: &SavedState) -> Result<(), StateError> {
    let failed = |path: &Path, error| StateError::Io {
        path: path.to_owned(),
        error,
    };
    let path = folder.join(FILE);
    let body = serde_json::to_string(state).map_err(|error| failed(&path, error.into()))?;
    let header = Header {
        format: FORMAT.into(),
        version: VERSION,
        blake3: blake3::hash(body.as_bytes()).to_hex().to_string(),
    };
    let head = serde_json::to_string(&header).map_err(|error| failed(&path, error.into()))?;
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let new = folder.join("analysis.state.new");
    let write = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        write!(file, "{head}\n{body}")?;
        file.sync_all()?;
        if path.exists() {
            fs::rename(&path, folder.join("analysis.state.previous"))?;
        }
        fs::rename(&new, &path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| failed(&path, error))
}

/// Puts `bytes` in the place of a file whole or not at all; on disk when this returns.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = folder.join(format!("{name}.new"));
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), &SavedState::default()).unwrap();
        load(Some(folder.path())).unwrap();
        let path = folder.path().join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        for cut in [0, 10, text.len() / 2, text.len() - 1] {
            fs::write(&path, &text.as_bytes()[..cut]).unwrap();
            let error = load(Some(folder.path())).unwrap_err().to_string();
            assert!(
                error.contains("damaged") && !error.contains('\n'),
                "{error}"
            );
        }
    }

    #[test]
    fn no_folder_is_no_state() {
        assert!(load(None).unwrap().devices.is_empty());
        let missing = Path::new("/nonexistent/tapir");
        assert!(load(Some(missing)).unwrap().devices.is_empty());
    }
}
