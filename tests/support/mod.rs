//! What several tests need: running the program, captures made by hand, the shared captures.

pub(crate) mod frames;
pub(crate) mod office;
pub(crate) mod tunnels;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The shipped demo capture.
pub(crate) fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/office.pcap.zst")
}

/// What a run of the program left on the terminal.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `tapir ARGS…` with nothing to read and no settings from outside.
pub(crate) fn tapir<S: AsRef<OsStr>>(args: &[S]) -> Ran {
    run(tapir_command().args(args))
}

/// `tapir`, to be given arguments.
pub(crate) fn tapir_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapir"));
    command.env_remove("TAPIR_LOG").env_remove("NO_COLOR");
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8 on the terminal");
    Ran {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Every file below a folder by its path inside; empty if the folder is not there.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        let Ok(entries) = fs::read_dir(&next) else {
            continue;
        };
        for path in entries.map(|entry| entry.expect("a readable entry").path()) {
            if path.is_dir() {
                open.push(path);
            } else {
                let inside = path.strip_prefix(folder).expect("a path inside");
                let bytes = fs::read(&path).expect("a readable file");
                found.insert(inside.to_string_lossy().into_owned(), bytes);
            }
        }
    }
    found
}

/// The folder of shared captures: `TAPIR_CORPUS`, else `../shared/corpus`; says so if there is none.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
pub(crate) fn corpus(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("TAPIR_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"),
        PathBuf::from,
    );
    let there = folder.join("manifest.json").is_file();
    if !there {
        println!("SKIPPED {test}: no shared captures; name their folder in TAPIR_CORPUS");
    }
    there.then_some(folder)
}

/// Every shared capture, in order of name.
pub(crate) fn shared_captures(corpus: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(corpus.join("pcaps")).expect("captures");
    let mut captures: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    captures.sort();
    captures
}
