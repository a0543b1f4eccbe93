//! Whose traffic a capture is: what was said on the command line, else what a live run's record says.

use std::net::IpAddr;

use jiff::tz::TimeZone;
use tapir_engine::SavedState;
use tapir_engine::device::Net;

use super::Options;
use super::record_header::{RecordHeader, state_hash};

/// Why a record is not replayed.
#[derive(Debug, thiserror::Error)]
#[error("the record is of a run with other {0}; give the same, or --force to go on with these")]
pub struct RecordMismatch(&'static str);

/// What the results are computed for.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) sensor_id: String,
    pub(super) time_zone: TimeZone,
    pub(super) home: Vec<Net>,
    /// Addresses of the sensor that took the record.
    pub(super) own: Vec<IpAddr>,
    /// Services and categories that the site allows, and those that it does not.
    pub(super) sanctioned: Vec<String>,
    pub(super) unsanctioned: Vec<String>,
    /// Whether programs, archives and documents are hashed.
    pub(super) hash_files: bool,
    /// Names of what was read.
    pub(super) inputs: Vec<String>,
}

impl Site {
    /// The site of a run over `options.inputs`, the first of which carries `comment`.
    pub(super) fn new(
        options: &Options,
        comment: Option<&str>,
        (models, services): (&str, &str),
        state: &SavedState,
    ) -> Result<Self, RecordMismatch> {
        let header = match comment.map(RecordHeader::parse) {
            Some(Ok(header)) => Some(header),
            Some(Err(_)) if !options.force => return Err(RecordMismatch("version")),
            _ => None,
        };
        if let Some(header) = header.as_ref().filter(|_| !options.force) {
            let text = serde_json::to_string(state).unwrap_or_default();
            let differs = [
                ("models (--models)", header.models != models),
                (
                    "catalogue of services (--services)",
                    !header.services.is_empty() && header.services != services,
                ),
                (
                    "starting state (--state)",
                    header.state != state_hash(&text),
                ),
                ("facts", !header.facts.is_empty()),
            ];
            if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
                return Err(RecordMismatch(what));
            }
        }
        let recorded = header.as_ref();
        let zone = || TimeZone::get(&recorded?.time_zone).ok();
        let home = || {
            let nets = recorded?.home.iter().map(|net| net.parse().ok());
            nets.collect::<Option<Vec<Net>>>()
        };
        let names = options.inputs.iter().map(|path| path.display().to_string());
        Ok(Self {
            sensor_id: options
                .sensor_id
                .clone()
                .or_else(|| recorded.map(|header| header.sensor_id.clone()))
                .unwrap_or_else(|| "tapir".to_owned()),
            time_zone: options
                .time_zone
                .clone()
                .or_else(zone)
                .unwrap_or(TimeZone::UTC),
            home: options.home.clone().or_else(home).unwrap_or_default(),
            sanctioned: options
                .sanctioned
                .clone()
                .or_else(|| recorded.map(|header| header.sanctioned.clone()))
                .unwrap_or_default(),
            unsanctioned: options
                .unsanctioned
                .clone()
                .or_else(|| recorded.map(|header| header.unsanctioned.clone()))
                .unwrap_or_default(),
            own: recorded.map_or_else(Vec::new, |header| header.own.clone()),
            hash_files: options
                .hash_files
                .or_else(|| recorded.map(|header| header.hash_files))
                .unwrap_or(true),
            inputs: match recorded {
                Some(header) => vec![header.interface.clone()],
                None => names.collect(),
            },
        })
    }
}
