//! `tapir rule sign FILE --key KEY`: a person puts their name under a rule.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args as ClapArgs;
use ed25519_dalek::Signer as _;
use tapir_engine::types::escaped;

use super::super::daemon::{fail, print};
use super::key::Key;
use super::{signature_path, text_of};
use crate::report::json_line;

/// What is signed, and with what.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The rule of engagement.
    #[arg(value_name = "FILE")]
    rule: PathBuf,
    /// The private key, as `tapir rule keygen` wrote it.
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    /// Give the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    match sign(&args.rule, &args.key) {
        Ok((path, name)) => {
            let path = path.display().to_string();
            print(&if args.json {
                json_line(
                    &serde_json::json!({"schema": "tapir.signature/1", "file": path, "by": name}),
                )
            } else {
                format!("{}: signed by {}\n", escaped(&path), escaped(&name))
            });
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

/// Signs a rule; says where the signature is and whose it is.
fn sign(rule: &Path, key: &Path) -> Result<(PathBuf, String), String> {
    let key = Key::read(key)?;
    let text = text_of(rule)?;
    let signature = key.signing.sign(text.as_bytes());
    let path = signature_path(rule);
    // Written aside and put in its place whole: a daemon never reads half a signature.
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    let encoded = STANDARD.encode(signature.to_bytes()) + "\n";
    let written = fs::write(&aside, encoded).and_then(|()| fs::rename(&aside, &path));
    written.map_err(|error| {
        format!(
            "{}: cannot write the signature: {error}; sign where this user may write",
            path.display()
        )
    })?;
    Ok((path, key.name))
}
