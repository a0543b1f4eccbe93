//! What is wrong with a configuration, all of it at once.

use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file; absent if it is about the command line.
    pub path: Option<PathBuf>,
    /// Line, from 1; 0 if the mistake has no line.
    pub line: usize,
    /// The key, such as `capture.queues`; the flag on the command line; empty if neither.
    pub key: String,
    /// What was found, and the remedy.
    pub text: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}:", path.display())?;
            if self.line > 0 {
                write!(f, "{}:", self.line)?;
            }
            f.write_str(" ")?;
        }
        if self.key.starts_with("--") {
            write!(f, "{}: ", self.key)?;
        } else if !self.key.is_empty() {
            write!(f, "key \"{}\": ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

/// Every mistake of a configuration, a line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    /// One mistake about a whole file.
    pub(super) fn of_file(path: &Path, text: String) -> Self {
        Self(vec![ConfigError {
            path: Some(path.to_owned()),
            line: 0,
            key: String::new(),
            text,
        }])
    }
}

fn lines(errors: &[ConfigError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
