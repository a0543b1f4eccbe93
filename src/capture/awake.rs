//! Cores that do not sleep while a reset may be due at any moment.
//!
//! Standard: Linux `power/pm_qos_interface`: `/dev/cpu_dma_latency`, the longest wake-up from idle that is
//!           bearable, in microseconds.
//! Output:   with 0 an idle core waits for work in a loop instead of being switched off; it takes no time
//!           from anything that wants to run, and power until it is let go.
//! Not done: one core alone: that takes a file of the system that only root may write.
//!
//! A core that sleeps takes from 2 µs to hundreds to come back, a virtual one some 40 µs: more than all
//! that follows until the reset is on the wire.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

const DEVICE: &str = "/dev/cpu_dma_latency";
/// No wake-up is short enough.
const AWAKE_US: i32 = 0;
/// `PM_QOS_CPU_LATENCY_DEFAULT_VALUE`: any is.
const ASLEEP_US: i32 = 2_000_000_000;

/// Keeps idle cores awake, or lets them sleep; they sleep once it is dropped, or the process dies.
#[derive(Debug)]
pub struct Awake {
    device: File,
    on: bool,
}

impl Awake {
    /// Opens the way to say so. Needs root; saying it later needs nothing.
    ///
    /// # Errors
    ///
    /// There is no such device, as in most containers, or it may not be opened.
    pub fn open() -> io::Result<Self> {
        Self::at(Path::new(DEVICE))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let device = OpenOptions::new().write(true).open(path)?;
        Ok(Self { device, on: false })
    }

    /// Keeps cores awake from here on, or lets them sleep.
    ///
    /// # Errors
    ///
    /// The kernel does not take it; what held before still does.
    pub fn keep(&mut self, on: bool) -> io::Result<()> {
        if self.on == on {
            return Ok(());
        }
        let us = if on { AWAKE_US } else { ASLEEP_US };
        self.device.write_all(&us.to_ne_bytes())?;
        self.on = on;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The device takes numbers of 32 bits in the machine's order, one a write; a file shows them all.
    #[test]
    fn a_change_is_said_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device");
        std::fs::write(&path, []).unwrap();
        let mut awake = Awake::at(&path).unwrap();
        for on in [false, true, true, false, false, true] {
            awake.keep(on).unwrap();
        }
        let said = [0, 2_000_000_000, 0].map(i32::to_ne_bytes).concat();
        assert_eq!(std::fs::read(&path).unwrap(), said);
        assert!(Awake::at(&folder.path().join("absent")).is_err());
    }
}
