//! The file of a private key: two lines of TOML that only its owner may read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use serde::Deserialize;
use tapir_engine::types::escaped;

/// Longest key file in bytes.
const FILE_BYTES_MAX: u64 = 4_096;

/// A key with the name of its owner.
pub(super) struct Key {
    pub(super) name: String,
    pub(super) signing: SigningKey,
}

/// What the file says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    private_key: String,
}

impl Key {
    /// A new key from the system's randomness.
    pub(super) fn generate(name: &str) -> Result<Self, String> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|error| format!("the system gives no randomness: {error}; try again"))?;
        Ok(Self {
            name: name.to_owned(),
            signing: SigningKey::from_bytes(&secret),
        })
    }

    /// Writes the key to a file that was not there, for its owner only.
    pub(super) fn write(&self, path: &Path) -> Result<(), String> {
        let text = format!(
            "# Private key for rules of engagement. Keep it off the sensor; who has it can sign.\nname = \"{}\"\nprivate_key = \"{}\"\n",
            self.name,
            STANDARD.encode(self.signing.to_bytes())
        );
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let written = file.and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => format!(
                "{}: already there and not overwritten; give another file with --out",
                path.display()
            ),
            _ => format!(
                "{}: cannot write the key: {error}; give a file with --out that this user may write",
                path.display()
            ),
        })
    }

    /// Reads a key that nobody but its owner may read.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let remedy = "give a file that `tapir rule keygen` wrote";
        let failed = |error: io::Error| format!("{shown}: cannot read the key: {error}; {remedy}");
        let meta = fs::metadata(path).map_err(failed)?;
        if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
            return Err(format!("{shown}: this is not a private key; {remedy}"));
        }
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!(
                "{shown}: others may read this key (mode {mode:o}); run `chmod 600` on it, and make a new key if they could have"
            ));
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let not = || format!("{shown}: this is not a private key; {remedy}");
        // The reason is left out: it could repeat the key on the terminal.
        let file: File = toml::from_str(&text).map_err(|_| not())?;
        let bytes = STANDARD.decode(file.private_key).map_err(|_| not())?;
        let secret: [u8; 32] = bytes.try_into().map_err(|_| not())?;
        Ok(Self {
            name: name(&file.name).map_err(|_| not())?,
            signing: SigningKey::from_bytes(&secret),
        })
    }

    /// The line for `response.signers`.
    pub(super) fn signer(&self) -> String {
        let public = STANDARD.encode(self.signing.verifying_key().to_bytes());
        format!("{} <{public}>", self.name)
    }
}

/// A name that stands in quotes and before a `<` without harm.
pub(super) fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    let fine = !text.contains(['<', '>', '"', '\\']) && escaped(text) == text;
    if fine && !text.is_empty() && text.chars().count() <= 80 {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 80 characters without <, >, quotes and backslashes".to_owned())
    }
}
