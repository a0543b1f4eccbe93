//! What tracker and analysis say they hold is what they took.
//!
//! What it shows: at every ten thousandth packet and at the end, the sum of what the rooms count is within
//! a tenth of what the allocator has given and not got back; on the demo, and over the shared captures with every protocol.
//! How: one thread hands frames over, so that the allocator's tally is of this work alone. Flow slots are left out on
//! both sides: they are asked for at once, and counted as they are used.

use std::path::PathBuf;

use tapir::run::load_models;
use tapir_capture::{FileSource, InputOptions, Source as _};
use tapir_engine::device::Home;
use tapir_engine::service::Catalogue;
use tapir_engine::types::{Held, Observations, Seed, Timestamp};
use tapir_engine::{
    Analysis, AnalysisSettings, PolicySettings, SavedState, Tracker, TrackerConfig,
};

use super::tallied;
use crate::support;

/// Packets between two looks.
const LOOK_EVERY: u64 = 10_000;
/// What is not counted: lists of what is under way, verdicts, figures of protocols.
const SMALL_BYTES: u64 = 64 * 1024;

#[test]
fn the_demo_is_held_as_counted() {
    look(&[support::demo()]);
}

#[test]
fn the_shared_captures_are_held_as_counted() {
    if let Some(corpus) = support::corpus("counted memory over the shared captures") {
        look(&[corpus.join("pcaps")]);
    }
}

/// What grew between two counts, without flow slots.
fn grown(rooms: &[Held], before: &[Held]) -> i64 {
    let sum = |rooms: &[Held]| -> i64 {
        let rooms = rooms.iter().filter(|room| room.what != "flow slots");
        rooms
            .map(|room| i64::try_from(room.bytes).expect("few bytes"))
            .sum()
    };
    sum(rooms) - sum(before)
}

/// Reads captures and compares, with one thread: what the tracker makes, the analysis drops.
#[expect(clippy::print_stdout, reason = "the figures are worth seeing")]
fn look(inputs: &[PathBuf]) {
    let mut source = FileSource::open(inputs, &InputOptions::default()).expect("captures");
    let mut tracker = Tracker::new(TrackerConfig::default());
    let models = load_models(None).expect("the shipped models");
    let settings = AnalysisSettings {
        own: Vec::new(),
        services: Catalogue::default(),
        sensor_id: "tapir".into(),
        home: Home::new(vec![]),
        time_zone: jiff::tz::TimeZone::UTC,
        seed: Seed(7),
        response: PolicySettings::default(),
    };
    let mut analysis = Analysis::new(settings, models, SavedState::default());
    let before = [tracker.held(), analysis.held()].concat();
    let mut out = Observations::with_capacity(1 << 16);
    let (mut took, mut packets) = (0, 0_u64);
    while let Ok(Some(frame)) = source.next() {
        let ts = Timestamp::from_nanos(frame.ts_ns);
        took += tallied(|| {
            if frame.epoch {
                tracker.epoch(ts, &mut out);
            }
            tracker.packet(ts, frame.link.0, frame.wire_len, frame.bytes, &mut out);
            // Only what is held matters here, not what order says: the clock just does not go back.
            for mut observation in out.drain(..) {
                observation.ts = ts;
                analysis.observe(&mut observation);
                while analysis.poll().is_some() {}
            }
        })
        .live_bytes;
        packets += 1;
        if packets.is_multiple_of(LOOK_EVERY) {
            let held = [tracker.held(), analysis.held()].concat();
            let counted = grown(&held, &before);
            println!("{packets} packets: {counted} bytes counted, {took} taken");
            let off = took.abs_diff(counted);
            assert!(off <= took.unsigned_abs() / 10 + SMALL_BYTES, "{held:#?}");
        }
    }
    assert!(packets > LOOK_EVERY);
}
