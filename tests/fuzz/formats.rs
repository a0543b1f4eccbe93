//! What each fuzz target of a file format does with its bytes; shared with the test that replays seeds.
#![allow(
    dead_code,
    reason = "each target is a program of its own and uses one of these"
)]

use std::fs;
use std::path::{Path, PathBuf};

use tapir::config::{Overrides, Settings};
use tapir::control::Request;
use tapir::store::decisions::{DecisionLog, verify};
use tapir::store::journal::{Journal, JournalSettings};
use tapir_capture::{FileSource, InputOptions, Source as _};
use tapir_engine::device::Home;
use tapir_engine::policy::{Rule, Signer, check};
use tapir_engine::service::Catalogue;
use tapir_engine::types::{Seed, Timestamp};
use tapir_engine::{Analysis, AnalysisSettings, PolicySettings, SavedState};

/// Frames read of one capture; a packed one may hold more than anybody waits for.
const FRAMES_MAX: usize = 10_000;

/// A capture file: pcap, pcapng, either packed by gzip or zstd, as its first bytes say.
pub(crate) fn captures(data: &[u8]) {
    let folder = Folder::new();
    let path = folder.put("in.pcap", data);
    for merge in [false, true] {
        let options = InputOptions {
            merge,
            filter: None,
        };
        let Ok(mut source) = FileSource::open(std::slice::from_ref(&path), &options) else {
            continue;
        };
        let mut last = i64::MIN;
        for _ in 0..FRAMES_MAX {
            let Ok(Some(frame)) = source.next() else {
                break;
            };
            assert!(frame.epoch || frame.ts_ns >= last, "time ran back");
            last = frame.ts_ns;
        }
        let _report = source.report();
    }
}

/// The configuration.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Err(mistakes) = Settings::of_text(None, text, &Overrides::default()) {
        assert!(!mistakes.0.is_empty() && !mistakes.to_string().is_empty());
    }
}

/// A catalogue of services; one that is read is asked for every line of its own text.
pub(crate) fn services(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    match Catalogue::load("services.toml", text) {
        Ok(catalogue) => {
            let mut names = text.split(['"', '\'', '\n']);
            assert!(names.all(|name| {
                catalogue
                    .find(name)
                    .is_none_or(|ix| catalogue.get(ix).is_some())
            }));
            let mut ids = catalogue.services().iter().map(|service| &service.id);
            assert!(ids.all(|id| catalogue.by_id(id).is_some()));
        }
        Err(mistakes) => assert!(mistakes.iter().all(|one| !one.to_string().is_empty())),
    }
}

/// A rule of engagement and its signature, behind a zero byte.
pub(crate) fn rules(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let (text, signature) = text.split_once('\0').unwrap_or((text, ""));
    let mistakes = check("fuzz.toml", text);
    let signer = Signer {
        name: "Anna".into(),
        key: [7; 32],
    };
    let loaded = Rule::load("fuzz.toml", text, signature, &[signer]);
    assert!(loaded.is_err(), "nobody has that key: {mistakes:?}");
}

/// A segment of the journal: opened, read, opened again.
pub(crate) fn journal(data: &[u8]) {
    let folder = Folder::new();
    folder.put("00000000000000000001.seg", data);
    for _ in 0..2 {
        let Ok(journal) = Journal::open(&folder.0, JournalSettings::default()) else {
            return;
        };
        if let Ok(entries) = journal.read_after(0, 1 << 20) {
            assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "out of order");
        }
    }
}

/// The decision log: followed as it is, opened, and followed again.
pub(crate) fn decisions(data: &[u8]) {
    let folder = Folder::new();
    folder.put("decisions.log", data);
    let before = verify(&folder.0).is_ok();
    let opened = DecisionLog::open(&folder.0, Timestamp::default());
    assert!(!before || opened.is_ok(), "a whole chain is not opened");
}

/// What an analysis knew, given to one.
pub(crate) fn state(data: &[u8]) {
    let Ok(saved) = serde_json::from_slice::<SavedState>(data) else {
        return;
    };
    let settings = AnalysisSettings {
        own: Vec::new(),
        services: Catalogue::default(),
        sensor_id: "tapir".into(),
        home: Home::new(vec![]),
        time_zone: jiff::tz::TimeZone::UTC,
        seed: Seed(7),
        response: PolicySettings::default(),
    };
    let Ok(models) = tapir::run::load_models(None) else {
        return;
    };
    let mut analysis = Analysis::new(settings, models, saved);
    analysis.advance(Timestamp::from_secs(2_000_000_000));
    while analysis.poll().is_some() {}
    analysis.finish(Timestamp::from_secs(2_000_000_001));
    let _saved = analysis.save();
}

/// One line to the daemon.
pub(crate) fn requests(data: &[u8]) {
    let Ok(request) = serde_json::from_slice::<Request>(data) else {
        return;
    };
    let line = serde_json::to_string(&request).unwrap_or_default();
    let again = serde_json::from_str::<Request>(&line);
    assert!(again.is_ok_and(|again| again == request), "{line}");
}

/// What a record says of its run.
pub(crate) fn record_header(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let _mistakes_are_fine = tapir::run::check_record_header(text);
}

/// A folder that is gone afterwards; in memory where there is such a place.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let thread = format!("{:?}", std::thread::current().id());
        let number: String = thread.chars().filter(char::is_ascii_digit).collect();
        let path = base.join(format!("tapir-fuzz-{}-{number}", std::process::id()));
        let _absent_is_fine = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap_or_default();
        Self(path)
    }

    fn put(&self, name: &str, data: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, data).unwrap_or_default();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone_is_fine = fs::remove_dir_all(&self.0);
    }
}
