//! What a record says of the run it was made in, so that a replay is the same run.
//!
//! Format: one line of JSON in the comment of each pcapng section.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tapir_capture::RECORD_COMMENT_START;

use crate::config::Word;

/// Version of this header.
const VERSION: u32 = 1;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RecordHeader {
    tapir_record: u32,
    /// Part of every id.
    pub(super) sensor_id: String,
    /// Zone of hours and workdays.
    pub(super) time_zone: String,
    /// Networks of the site.
    pub(super) home: Vec<String>,
    /// Addresses of the sensor itself.
    #[serde(default)]
    pub(super) own: Vec<IpAddr>,
    /// Whether programs, archives and documents were hashed.
    #[serde(default = "yes")]
    pub(super) hash_files: bool,
    /// Port it was taken at.
    pub(super) interface: String,
    /// BLAKE3 over the models.
    pub(super) models: String,
    /// BLAKE3 of the catalogue of services; empty in records of versions without one.
    #[serde(default)]
    pub(super) services: String,
    /// Services and categories that the site allows.
    #[serde(default)]
    pub(super) sanctioned: Vec<String>,
    /// Those that it does not.
    #[serde(default)]
    pub(super) unsanctioned: Vec<String>,
    /// BLAKE3 over the facts people had told; empty, as there are none yet.
    pub(super) facts: String,
    /// BLAKE3 over what the analysis knew at the start; empty if nothing.
    pub(super) state: String,
}

/// What records say that were made before it could be otherwise.
fn yes() -> bool {
    true
}

impl RecordHeader {
    /// The header of a run; `state` is the JSON text of what the analysis knows at its start.
    pub(super) fn new(
        settings: &crate::config::Settings,
        own: &[IpAddr],
        models: &str,
        services: &str,
        state: &str,
    ) -> Self {
        let sensor = &settings.sensor;
        let words = |words: &[Word]| words.iter().map(|word| word.text.clone()).collect();
        Self {
            tapir_record: VERSION,
            sensor_id: sensor.id.clone(),
            time_zone: sensor.time_zone_name.clone(),
            home: sensor.home_names.clone(),
            own: own.to_vec(),
            hash_files: sensor.hash_files,
            interface: settings.capture.interface.clone().unwrap_or_default(),
            models: models.to_owned(),
            services: services.to_owned(),
            sanctioned: words(&settings.services.sanctioned),
            unsanctioned: words(&settings.services.unsanctioned),
            facts: String::new(),
            state: state_hash(state),
        }
    }

    /// The comment of a file, if it is one of ours.
    pub(super) fn parse(comment: &str) -> Result<Self, String> {
        let header: Self = serde_json::from_str(comment).map_err(|error| error.to_string())?;
        if header.tapir_record == VERSION {
            Ok(header)
        } else {
            Err(format!("version {}", header.tapir_record))
        }
    }

    /// The header as a section's comment.
    pub(super) fn comment(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        debug_assert!(text.starts_with(RECORD_COMMENT_START), "readers go by this");
        text
    }
}

/// Whether a comment is the header of a record.
///
/// # Errors
/// What is wrong with it.
pub fn check_record_header(comment: &str) -> Result<(), String> {
    RecordHeader::parse(comment).map(|_| ())
}

/// BLAKE3 of a state's JSON text; empty for a state that knows nothing.
pub(super) fn state_hash(state: &str) -> String {
    let empty = serde_json::to_string(&tapir_engine::SavedState::default());
    if state.is_empty() || empty.is_ok_and(|empty| empty == state) {
        String::new()
    } else {
        blake3::hash(state.as_bytes()).to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_what_readers_look_for_and_nothing_known_has_no_hash() {
        let settings = crate::config::Settings::of_text(None, "", &Default::default()).unwrap();
        let header = RecordHeader::new(&settings, &[], "m", "s", "");
        assert!(header.comment().starts_with(RECORD_COMMENT_START));
        assert_eq!(RecordHeader::parse(&header.comment()).unwrap(), header);
        let nothing = serde_json::to_string(&tapir_engine::SavedState::default()).unwrap();
        assert_eq!(state_hash(&nothing), "");
        assert_eq!(state_hash("{}").len(), 64);
    }
}
