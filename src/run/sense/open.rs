//! What `sense` opens while it may: ports, files, rules.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tapir_capture::{Armed, Epochs, Injector, RecordGauge, RecordSender, Recording};
use tapir_engine::model::Models;
use tapir_engine::policy::{PolicySettings, Rule};
use tapir_engine::service::Catalogue;
use tapir_engine::types::Timestamp;
use tapir_message::Mode;

use super::live::{LibpcapPort, RingPort};
use crate::config::{CaptureSource, Settings};
use crate::run::record_header::RecordHeader;
use crate::run::{RunError, models, rules, services};
use crate::store::numbers::NumberFile;

/// Records of one run after restarts, at most.
const RECORDS_MAX: u32 = 1_000;

/// Queues of the mirror port.
pub(super) enum Ports {
    Ring(Vec<RingPort>),
    Libpcap(Vec<LibpcapPort>),
}

/// Everything that is open.
pub(super) struct Opened {
    pub(super) ports: Ports,
    pub(super) epochs: Arc<Epochs>,
    pub(super) response: Option<(Armed, Injector, bool)>,
    pub(super) used: NumberFile,
    pub(super) prepared: Prepared,
}

/// What the analysis brings with it.
pub(super) struct Prepared {
    pub(super) models: Option<Models>,
    pub(super) models_hash: String,
    pub(super) models_count: usize,
    pub(super) services: Catalogue,
    rules: Vec<Rule>,
    record: Record,
    notes: Vec<String>,
    /// Addresses of this box: what it sends is its own work.
    pub(super) own: Vec<IpAddr>,
}

/// The record of the run.
enum Record {
    None,
    Open(File),
    Running(Recording, RecordGauge, Vec<Option<RecordSender>>),
    Done(RecordGauge),
}

/// Opens ports and files; after this no privilege is needed any more.
pub(super) fn open(settings: &Settings) -> Result<Opened, RunError> {
    let interface = settings.capture.interface.as_deref();
    let interface = interface.ok_or(RunError::NoInterface)?;
    let models = models::load(settings.models.folder.as_deref())?;
    let services = services::configured(settings)?;
    let rules = rules::load(settings)?;
    let used = NumberFile::open(&settings.store.folder).map_err(|error| RunError::Store {
        path: settings.store.folder.clone(),
        error: error.to_string(),
    })?;
    let injector = match (settings.response.mode, &settings.response.inject) {
        (Mode::Off | Mode::Shadow, _) => None,
        (_, None) => return Err(RunError::NoInjection),
        (mode, Some(_)) if rules.is_empty() => return Err(RunError::NoRule(mode.name())),
        (_, Some(inject)) => Some(Injector::open(inject).map_err(response_port)?),
    };
    // What this box sends itself is no evidence of anything.
    let own = injector.as_ref().map(Injector::mac);
    let epochs = Epochs::new(Box::new(tapir_capture::SystemClocks));
    let (ports, notes) = match settings.capture.source {
        CaptureSource::Ring => {
            let (ports, notes) = super::live::rings(settings, interface, own, &epochs)?;
            (Ports::Ring(ports), notes)
        }
        CaptureSource::Libpcap => {
            let (ports, notes) = super::live::libpcap(settings, interface, own, &epochs)?;
            (Ports::Libpcap(ports), notes)
        }
    };
    // After the ports, which know the names there are if this one is wrong.
    let response = match injector {
        Some(injector) => {
            let armed = Armed::open(interface).map_err(response_port)?;
            Some((armed, injector, settings.response.trunk))
        }
        None => None,
    };
    // After the ports: a start that is refused leaves no empty file behind.
    let record = match &settings.capture.record {
        Some(path) => Record::Open(record_file(path)?),
        None => Record::None,
    };
    let prepared = Prepared {
        models_hash: models.hash().to_owned(),
        models_count: models.len(),
        models: Some(models),
        services,
        rules,
        record,
        notes,
        own: own_addresses(),
    };
    Ok(Opened {
        ports,
        epochs,
        response,
        used,
        prepared,
    })
}

/// Addresses of this box's interfaces, those of the loopback left out.
fn own_addresses() -> Vec<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
    });
    let mut own: Vec<IpAddr> = addresses.filter(|ip| !ip.is_loopback()).collect();
    own.sort_unstable();
    own.dedup();
    own
}

fn response_port(error: tapir_capture::PortError) -> RunError {
    RunError::Response(error.to_string())
}

/// A new file for the record; after a restart the next free name, so that nothing is written over.
fn record_file(path: &Path) -> Result<File, RunError> {
    let refused = |path: &Path, error: io::Error| RunError::Store {
        path: path.to_owned(),
        error: format!("{error}; it is named with --record"),
    };
    for number in 1..=RECORDS_MAX {
        let path = match number {
            1 => path.to_owned(),
            number => numbered(path, number),
        };
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match made {
            Ok(file) => {
                if number > 1 {
                    tracing::warn!(path = %path.display(), "The record goes on in another file.");
                }
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(refused(&path, error)),
        }
    }
    Err(refused(path, io::ErrorKind::AlreadyExists.into()))
}

/// `name-2.pcapng` for `name.pcapng`.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{number}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{number}"),
    };
    path.with_file_name(name)
}

impl Prepared {
    /// What policy is to go by.
    pub(super) fn policy(&self, settings: &Settings) -> PolicySettings {
        PolicySettings {
            mode: settings.response.mode,
            rules: self.rules.clone(),
            never: settings.response.never.clone(),
        }
    }

    /// Begins the record, if there is one.
    pub(super) fn begin(
        &mut self,
        settings: &Settings,
        state: &str,
        queues: usize,
    ) -> Result<(), RunError> {
        if let Record::Open(_) = self.record
            && let Record::Open(file) = std::mem::replace(&mut self.record, Record::None)
        {
            let header = RecordHeader::new(
                settings,
                &self.own,
                &self.models_hash,
                self.services.hash(),
                state,
            );
            let (recording, senders) =
                Recording::start(file, &header.comment(), queues).map_err(RunError::System)?;
            let gauge = recording.gauge();
            let senders = senders.into_iter().map(Some).collect();
            self.record = Record::Running(recording, gauge, senders);
        }
        Ok(())
    }

    /// A queue's way into the record.
    pub(super) fn sender(&mut self, queue: usize) -> Option<RecordSender> {
        match &mut self.record {
            Record::Running(_, _, senders) => senders.get_mut(queue)?.take(),
            _ => None,
        }
    }

    /// Waits until the record is on disk; every queue has let go of it.
    pub(super) fn close(&mut self) {
        if let Record::Running(..) = self.record
            && let Record::Running(recording, gauge, senders) =
                std::mem::replace(&mut self.record, Record::None)
        {
            drop(senders);
            recording.finish();
            self.record = Record::Done(gauge);
        }
    }

    /// Frames recorded, and left out.
    pub(super) fn recorded(&self) -> (u64, u64) {
        self.gauge().map_or((0, 0), |gauge| {
            let status = gauge.status();
            (status.recorded, status.left_out)
        })
    }

    /// What is wrong with the record or the port.
    pub(super) fn trouble(&self) -> Option<String> {
        let status = self.gauge()?.status();
        match status.failure {
            Some(why) => Some(format!("The record has ended: {why}.")),
            None if status.left_out > 0 => Some(format!(
                "{} frames were left out of the record.",
                status.left_out
            )),
            None => None,
        }
    }

    /// Rules whose time is over by `now`, in sentences: nothing is done under them any more.
    pub(super) fn expired(&self, now: Timestamp) -> impl Iterator<Item = String> {
        let over = self.rules.iter().filter(move |rule| rule.until <= now);
        over.map(|rule| {
            format!(
                "Rule {} expired at {}: nothing is done under it; have a later one signed.",
                rule.id, rule.until
            )
        })
    }

    /// What could not be set on the port, in sentences.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    fn gauge(&self) -> Option<&RecordGauge> {
        match &self.record {
            Record::Running(_, gauge, _) | Record::Done(gauge) => Some(gauge),
            Record::None | Record::Open(_) => None,
        }
    }
}
