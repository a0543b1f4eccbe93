//! Rules of engagement, as the configuration names them: read, verified, or refused.

use std::path::{Path, PathBuf};

use tapir_engine::policy::{Rule, Signer};

use super::RunError;
use crate::config::Settings;

/// Bytes a rule may have.
const RULE_BYTES_MAX: u64 = 64 * 1024;

/// Loads every rule the configuration names.
///
/// # Errors
/// A file cannot be read, or a rule is not signed by somebody who may, or has mistakes: all of them.
pub(crate) fn load(settings: &Settings) -> Result<Vec<Rule>, RunError> {
    let (mut rules, mut refused) = (Vec::new(), Vec::new());
    for path in &settings.response.rules {
        match load_one(path, &settings.response.signers) {
            Ok(rule) => rules.push(rule),
            Err(why) => refused.push(why),
        }
    }
    if refused.is_empty() {
        Ok(rules)
    } else {
        Err(RunError::Rule(refused.join("\n")))
    }
}

/// Loads one rule; its signature is in the file of the same name with `.sig` behind it.
///
/// # Errors
/// One line for each mistake.
pub fn load_one(path: &Path, signers: &[Signer]) -> Result<Rule, String> {
    let text = read(path)?;
    let beside = signature_of(path);
    if !beside.exists() {
        return Err(format!(
            "{}: unsigned, there is no {}; sign it with tapir rule sign",
            path.display(),
            beside.display()
        ));
    }
    let signature = read(&beside)?;
    Rule::load(&path.display().to_string(), &text, &signature, signers)
        .map_err(|error| error.to_string())
}

/// Where the signature of a rule is.
pub(crate) fn signature_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

fn read(path: &Path) -> Result<String, String> {
    let failed = |error: &dyn std::fmt::Display| {
        format!(
            "{}: cannot be read: {error}; check the path and its owner",
            path.display()
        )
    };
    let meta = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !meta.is_file() || meta.len() > RULE_BYTES_MAX {
        return Err(failed(&"not a file of at most 64 KiB"));
    }
    std::fs::read_to_string(path).map_err(|error| failed(&error))
}
