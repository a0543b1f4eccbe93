//! The kill switch on disk: who stopped all responses, for as long as they are stopped.
//!
//! `DIR/responses.stopped` holds the name of who did. Its presence counts, not what is in it: a file
//! that cannot be read stops responses, too.
//!
//! Read by the supervisor before anything can be sent, and by `serve`, which alone writes it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

const FILE: &str = "responses.stopped";
/// Said where the file is there and tells nothing.
const SOMEBODY: &str = "somebody";

/// Who stopped all responses, if somebody did.
#[must_use]
pub fn load(folder: &Path) -> Option<String> {
    match fs::read_to_string(folder.join(FILE)) {
        Ok(who) if who.trim().is_empty() => Some(SOMEBODY.to_owned()),
        Ok(who) => Some(who.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(format!("{SOMEBODY} ({FILE}: {error})")),
    }
}

/// Notes that `who` stopped them, or with `None` that they are allowed again; on disk when it returns.
///
/// # Errors
/// The folder cannot be written; what was noted before then stands.
pub fn save(folder: &Path, who: Option<&str>) -> io::Result<()> {
    let path = folder.join(FILE);
    match who {
        Some(who) => {
            // Its name is what counts, so it need not appear whole.
            let mut file = File::create(&path)?;
            let written = writeln!(file, "{who}").and_then(|()| file.sync_all());
            File::open(folder)?.sync_all()?;
            written
        }
        None => {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            File::open(folder)?.sync_all()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_until_it_is_lifted_and_a_file_without_words_stops_too() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load(folder.path()), None);
        save(folder.path(), Some("ann")).unwrap();
        assert_eq!(load(folder.path()).as_deref(), Some("ann"));
        save(folder.path(), None).unwrap();
        save(folder.path(), None).unwrap();
        assert_eq!(load(folder.path()), None);
        fs::write(folder.path().join(FILE), "").unwrap();
        assert_eq!(load(folder.path()).as_deref(), Some(SOMEBODY));
        fs::write(folder.path().join(FILE), [0xff]).unwrap();
        assert!(load(folder.path()).is_some());
    }
}
