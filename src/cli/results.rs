//! Results of `tapir analyze` in a folder, for commands that otherwise ask a daemon.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tapir_message::{ServiceUse, Stats};

use crate::control::{Known, Site};

/// A folder that `tapir analyze --out` wrote.
#[derive(Debug)]
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    /// Whose results these are.
    pub(super) fn site(&self, devices: usize) -> Site {
        Site {
            sensor_id: self.0.display().to_string(),
            time_zone: "UTC".to_owned(),
            devices,
        }
    }

    /// The counters.
    pub(super) fn stats(&self) -> Result<Stats, String> {
        let path = self.0.join("stats.json");
        serde_json::from_str(&text(&path)?).map_err(|error| unread(&path, &error))
    }

    /// Devices, breaches and incidents. Who merged what is not among the results.
    pub(super) fn known(&self) -> Result<Known, String> {
        Ok(Known {
            now: self.stats()?.last_ts,
            devices: self.lines("devices.jsonl")?,
            breaches: self.lines("breaches.jsonl")?,
            incidents: self.lines("incidents.jsonl")?,
            merges: Vec::new(),
        })
    }

    /// Which device used which service.
    pub(super) fn uses(&self) -> Result<Vec<ServiceUse>, String> {
        self.lines("services.jsonl")
    }

    /// A file of JSON lines.
    fn lines<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>, String> {
        let path = self.0.join(name);
        let text = text(&path)?;
        let rows = (1_usize..).zip(text.lines()).map(|(number, line)| {
            let at = |error| unread(&path, &format!("line {number}: {error}"));
            serde_json::from_str(line).map_err(at)
        });
        rows.collect()
    }
}

fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| unread(path, &error))
}

fn unread(path: &Path, error: &dyn std::fmt::Display) -> String {
    let path = path.display();
    format!("{path}: {error}; give a folder that `tapir analyze --out` wrote")
}
