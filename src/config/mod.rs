//! One TOML file: the raw text as written, the checked [`Settings`] as used.
//!
//! Input:  `--config FILE`, else [`DEFAULT_PATH`] if it is there, else nothing; and what the command
//!         line says, which goes before the file.
//! Output: [`Settings`], or every mistake at once, each `file:line: key "x": found …; remedy`.
//! Bounds: 64 KiB a file. Relative paths are taken from the folder of the file.

mod check;
mod error;
mod keys;
mod reader;
mod settings;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use tapir_message::Mode;
use toml::de::DeTable;

pub use error::{ConfigError, ConfigErrors};
pub use keys::default_file;
pub use settings::{
    Capture, CaptureSource, Control, Facility, Forward, ModelsFrom, Response, Sensor, Services,
    Settings, Store, Syslog, Word,
};

use reader::{FILE_BYTES_MAX, Reader};

/// The configuration that is read if none is named.
pub const DEFAULT_PATH: &str = "/etc/tapir/tapir.toml";

/// What the command line says; it goes before the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--interface IF`.
    pub interface: Option<String>,
    /// `--inject IF`.
    pub inject: Option<String>,
    /// `--response MODE`.
    pub mode: Option<Mode>,
    /// `--record FILE`.
    pub record: Option<PathBuf>,
    /// `--socket PATH`.
    pub socket: Option<PathBuf>,
}

impl Settings {
    /// Reads and checks a configuration; the defaults apply if no file is named and the usual one is
    /// not there.
    ///
    /// # Errors
    /// The file cannot be read, or has mistakes: all of them.
    pub fn load(path: Option<&Path>, overrides: &Overrides) -> Result<Self, ConfigErrors> {
        match path {
            Some(path) => Self::of_text(Some(path), &read(path)?, overrides),
            None => {
                let usual = Path::new(DEFAULT_PATH);
                match read_if_there(usual)? {
                    Some(text) => Self::of_text(Some(usual), &text, overrides),
                    None => Self::of_text(None, "", overrides),
                }
            }
        }
    }

    /// Checks a text as if it stood in the file at `path`.
    ///
    /// # Errors
    /// All mistakes of the text.
    pub fn of_text(
        path: Option<&Path>,
        text: &str,
        overrides: &Overrides,
    ) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(path, text);
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            let what: Vec<&str> = error.message().lines().collect();
            let text = reader::shown(&what.join("; "));
            reader.error(at, "", format!("not TOML: {text}"));
        }
        if !errors.is_empty() {
            return Err(ConfigErrors(reader.errors));
        }
        let root = root.get_ref();
        reader.known(root);
        let settings = check::settings(&mut reader, root, path, overrides);
        match settings {
            Some(settings) if reader.errors.is_empty() => Ok(settings),
            _ => {
                reader.errors.sort_by_key(|error| error.line);
                Err(ConfigErrors(reader.errors))
            }
        }
    }
}

/// The control socket for a command that talks to a daemon. A configuration that was named must be
/// right; a mistake in the usual one does not keep a person from the daemon that is still running.
///
/// # Errors
/// The named file cannot be read or has mistakes.
pub fn socket(path: Option<&Path>) -> Result<PathBuf, ConfigErrors> {
    match Settings::load(path, &Overrides::default()) {
        Ok(settings) => Ok(settings.control.socket),
        Err(errors) if path.is_some() => Err(errors),
        Err(_) => Settings::of_text(None, "", &Overrides::default()).map(|s| s.control.socket),
    }
}

fn read(path: &Path) -> Result<String, ConfigErrors> {
    read_if_there(path)?.ok_or_else(|| {
        let remedy = "no such file; give one that is there with --config, or leave --config out";
        ConfigErrors::of_file(path, remedy.to_owned())
    })
}

/// The text of a file; none if there is no such file.
fn read_if_there(path: &Path) -> Result<Option<String>, ConfigErrors> {
    let refused = |text: String| ConfigErrors::of_file(path, text);
    let bytes = match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() => {
            return Err(refused(
                "not a regular file; give a TOML file with --config".to_owned(),
            ));
        }
        Ok(meta) if meta.len() > FILE_BYTES_MAX as u64 => {
            return Err(refused(format!(
                "found {} bytes; a configuration has at most {FILE_BYTES_MAX}",
                meta.len()
            )));
        }
        Ok(_) => std::fs::read(path),
        Err(error) => Err(error),
    };
    match bytes {
        Ok(bytes) => String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| refused("not UTF-8; write it in UTF-8".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(format!(
            "cannot read it: {error}; make it readable for this user"
        ))),
    }
}
