//! One daemon in the sensor's namespace, with its own folders.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::until;
use crate::support::office::Office;
use crate::support::{self, Ran};

/// A running `tapir run`.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    pub(crate) folder: PathBuf,
}

/// Writes a configuration for a daemon whose files all live in `folder`; `more` is appended.
pub(crate) fn configure(folder: &Path, more: &str) -> PathBuf {
    let path = folder.join("tapir.toml");
    let text = format!(
        "[sensor]\nid = \"lon1\"\n[store]\nfolder = \"{0}/store\"\n\
         [control]\nsocket = \"{0}/control.sock\"\n{more}",
        folder.display()
    );
    fs::write(&path, text).expect("a configuration");
    path
}

impl Daemon {
    /// Starts a daemon on the mirror port and waits until both halves work.
    pub(crate) fn start(office: &Office, folder: &Path, args: &[&str]) -> Self {
        let config = folder.join("tapir.toml");
        let program = env!("CARGO_BIN_EXE_tapir");
        let mut all = vec!["run", "--interface", "span0", "--config"];
        let config = config.to_str().expect("UTF-8");
        all.push(config);
        all.extend(args);
        Self::spawn(&mut office.command("sensor", program, &all), folder)
    }

    /// Starts a daemon by a command of one's own.
    pub(crate) fn spawn(command: &mut Command, folder: &Path) -> Self {
        let log = fs::File::create(folder.join("daemon.log")).expect("a log");
        let child = command
            .env_remove("TAPIR_LOG")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the daemon starts");
        let mut daemon = Self {
            child,
            folder: folder.to_owned(),
        };
        daemon.wait_ready();
        daemon
    }

    /// Process id of the supervisor.
    pub(crate) fn pid(&self) -> u64 {
        self.child.id().into()
    }

    /// Waits until frames are read.
    pub(crate) fn wait_ready(&mut self) {
        until("the daemon is ready", || {
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("the daemon ended with {status}: {}", self.log());
            }
            let status = self.status()?;
            let ready = status["health"]["ts"].is_string();
            ready.then_some(())
        });
    }

    /// What the daemon wrote to its standard error.
    pub(crate) fn log(&self) -> String {
        let mut text = String::new();
        let file = fs::File::open(self.folder.join("daemon.log"));
        let _absent = file.and_then(|mut file| file.read_to_string(&mut text));
        text
    }

    /// `tapir show status --json`, if it answers.
    pub(crate) fn status(&self) -> Option<Value> {
        let ran = self.ask(&["show", "status", "--json"]);
        let answer: Value = serde_json::from_str(&ran.stdout).ok()?;
        Some(answer["status"].clone())
    }

    /// `tapir ARGS` against this daemon.
    pub(crate) fn ask(&self, args: &[&str]) -> Ran {
        let socket = self.folder.join("control.sock");
        let socket = socket.to_str().expect("UTF-8");
        support::run(
            support::tapir_command()
                .args(args)
                .args(["--socket", socket]),
        )
    }

    /// `tapir ARGS --json` as lines of JSON or one value.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let all: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let ran = self.ask(&all);
        serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {} {}", ran.stdout, ran.stderr))
    }

    /// Process ids of `sense` and `serve`.
    pub(crate) fn parts(&self) -> (u64, u64) {
        until("both halves have a process", || {
            let status = self.status()?;
            let pid = |name: &str| status[name]["pid"].as_u64();
            Some((pid("sense")?, pid("serve")?))
        })
    }

    /// Asks the daemon to end, and waits until it has.
    pub(crate) fn stop(mut self) -> PathBuf {
        signal(u64::from(self.child.id()), "TERM");
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "{status}: {}", self.log());
        let runs = self.folder.join("store/runs");
        let mut names: Vec<PathBuf> = fs::read_dir(&runs)
            .expect("a folder of runs")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        names.sort();
        names.pop().expect("a run")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Sends a signal to a process this test started.
pub(crate) fn signal(pid: u64, name: &str) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status();
    assert!(sent.expect("kill").success());
}
