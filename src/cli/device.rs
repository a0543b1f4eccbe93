//! `tapir device …`: a person says which devices are one machine.

use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};

use super::daemon::Daemon;
use crate::control::Request;

/// What can be said of devices.
#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// Hold two devices to be one machine; `split` takes it back.
    Merge(Merge),
    /// Take apart what was merged, by a person or by evidence; `merge` takes it back.
    Split(Split),
    /// List which devices are held to be one machine: since when, who said so, and why.
    Merges(Merges),
}

/// Which two.
#[derive(Debug, ClapArgs)]
pub(crate) struct Merge {
    /// The device whose id stays: id, name, address or hardware address.
    #[arg(value_name = "DEVICE")]
    into: String,
    /// The one that is part of it from now on.
    #[arg(value_name = "OTHER")]
    other: String,
    #[command(flatten)]
    daemon: Daemon,
}

/// Which.
#[derive(Debug, ClapArgs)]
pub(crate) struct Split {
    /// The id that was merged, or the device that one was merged into.
    #[arg(value_name = "DEVICE")]
    device: String,
    #[command(flatten)]
    daemon: Daemon,
}

/// Of which daemon.
#[derive(Debug, ClapArgs)]
pub(crate) struct Merges {
    #[command(flatten)]
    daemon: Daemon,
}

/// Runs the command.
pub(crate) fn run(device: Device) -> ExitCode {
    match device {
        Device::Merge(Merge {
            into,
            other,
            daemon,
        }) => daemon.show(&Request::MergeDevices { into, other }, false),
        Device::Split(Split { device, daemon }) => {
            daemon.show(&Request::SplitDevice { device }, false)
        }
        Device::Merges(Merges { daemon }) => daemon.show(&Request::Merges, false),
    }
}
