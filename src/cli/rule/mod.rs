//! `tapir rule …`: keys and signatures of rules of engagement.
//!
//! Standard: Ed25519 (RFC 8032) over the exact bytes of the rule; keys and signatures as base64.
//! The private key stays with the person who authorises; the sensor only ever gets the public one.

mod check;
mod key;
mod keygen;
mod sign;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

pub(super) use check::verified;

/// Longest rule in bytes.
const RULE_BYTES_MAX: u64 = 64 * 1024;

/// What can be done with rules.
#[derive(Debug, Subcommand)]
pub(crate) enum Rule {
    /// Make a key pair; prints the line for `response.signers`.
    Keygen(keygen::Args),
    /// Sign a rule of engagement; writes FILE.sig.
    Sign(sign::Args),
    /// Check a rule of engagement and its signature.
    Check(check::Args),
}

/// Runs the command.
pub(crate) fn run(rule: Rule) -> ExitCode {
    match rule {
        Rule::Keygen(args) => keygen::run(&args),
        Rule::Sign(args) => sign::run(&args),
        Rule::Check(args) => check::run(&args),
    }
}

/// Where the signature of a rule stands.
fn signature_path(rule: &Path) -> PathBuf {
    let mut path = rule.as_os_str().to_owned();
    path.push(".sig");
    PathBuf::from(path)
}

/// The text of a rule.
fn text_of(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let failed = |error: &dyn std::fmt::Display| {
        format!("{shown}: cannot read the rule: {error}; name a file that this user may read")
    };
    let meta = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !meta.is_file() || meta.len() > RULE_BYTES_MAX {
        return Err(format!(
            "{shown}: a rule is a regular file of at most {RULE_BYTES_MAX} bytes"
        ));
    }
    std::fs::read_to_string(path).map_err(|error| failed(&error))
}
