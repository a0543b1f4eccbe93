//! What stands before a daemon may run, and before a frame may leave.
//!
//! [`Lock`]: one daemon a control socket. [`Guard`]: the egress filter on the injection port.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use tapir_capture::{Egress, Injector};
use tapir_message::Mode;

use super::RunError;
use crate::config::Settings;
use crate::store::stopped;

/// Time between two looks at the filter's counters. Looking runs a program whose end wakes the supervisor,
/// so a look at every waking would wake it again for ever.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Held while a daemon runs; the system lets go of it when the process ends, however that comes.
#[derive(Debug)]
pub(super) struct Lock {
    _held: Flock<File>,
}

impl Lock {
    /// Takes the lock beside the control socket.
    pub(super) fn take(settings: &Settings) -> Result<Self, RunError> {
        let path = settings.control.socket.with_extension("lock");
        let refused = |error| RunError::Lock {
            path: path.clone(),
            error,
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(refused)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(refused)?;
        let mut held = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => held,
            Err((mut file, _)) => {
                let mut pid = String::new();
                let _unknown = file.read_to_string(&mut pid);
                return Err(RunError::Running {
                    socket: settings.control.socket.clone(),
                    pid: pid.trim().chars().filter(char::is_ascii_digit).collect(),
                });
            }
        };
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut held).map_err(refused)?;
        Ok(Self { _held: held })
    }
}

/// The egress filter of the injection port, if there is one.
#[derive(Debug)]
pub(super) struct Guard {
    egress: Option<Egress>,
    stopped: bool,
    degraded: Vec<String>,
    looked: Option<(Instant, Look)>,
}

/// Frames let out and refused, and what is wrong.
type Look = ((u64, u64), Vec<String>);

impl Guard {
    /// Installs the filter, if any mode may ever send: before `sense` starts.
    pub(super) fn install(settings: &Settings) -> Result<Self, RunError> {
        let inject = match (settings.response.mode, &settings.response.inject) {
            (Mode::Confirm | Mode::Autonomous, Some(inject)) => inject,
            (Mode::Confirm | Mode::Autonomous, None) => return Err(RunError::NoInjection),
            _ => return Ok(Self::nothing()),
        };
        let refused = |error: &dyn std::fmt::Display| RunError::Response(error.to_string());
        let mac = Injector::open(inject)
            .map_err(|error| refused(&error))?
            .mac();
        let egress = Egress::install(inject, mac, settings.response.egress_max_per_s)
            .map_err(|error| refused(&error))?;
        let mut guard = Self {
            egress: Some(egress),
            ..Self::nothing()
        };
        // Who pulled the kill switch before a restart has pulled it still.
        if stopped::load(&settings.store.folder).is_some() {
            guard.drop_all();
        }
        Ok(guard)
    }

    fn nothing() -> Self {
        Self {
            egress: None,
            stopped: false,
            degraded: Vec::new(),
            looked: None,
        }
    }

    /// Lets nothing out any more.
    pub(super) fn drop_all(&mut self) {
        self.stopped = true;
        self.set();
    }

    /// Lets resets out again.
    pub(super) fn allow(&mut self) {
        self.stopped = false;
        self.set();
    }

    fn set(&mut self) {
        let Some(egress) = &self.egress else { return };
        let done = if self.stopped {
            egress.drop_all()
        } else {
            egress.allow()
        };
        self.looked = None;
        self.degraded.clear();
        if let Err(error) = done {
            tracing::error!(%error, "The egress filter could not be changed.");
            self.degraded.push(format!("egress filter: {error}"));
        }
    }

    /// Frames let out and refused, and what is wrong, at the last look.
    pub(super) fn look(&mut self) -> Look {
        if let Some((at, look)) = &self.looked
            && at.elapsed() < LOOK_EVERY
        {
            return look.clone();
        }
        let look = self.ask();
        self.looked = Some((Instant::now(), look.clone()));
        look
    }

    fn ask(&self) -> Look {
        let Some(egress) = &self.egress else {
            return ((0, 0), Vec::new());
        };
        match egress.counts() {
            Ok(counts) => ((counts.passed, counts.refused), self.degraded.clone()),
            Err(error) => {
                let mut degraded = self.degraded.clone();
                degraded.push(format!("egress filter: {error}"));
                ((0, 0), degraded)
            }
        }
    }

    /// Takes the filter away.
    pub(super) fn remove(&mut self) {
        if let Some(egress) = self.egress.take()
            && let Err(error) = egress.remove()
        {
            tracing::warn!(%error, "The egress filter could not be removed.");
        }
    }
}
