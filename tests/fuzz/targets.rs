//! The list of what is fuzzed beside the parsers; shared by the fuzz program and the test that replays seeds.
#![allow(
    dead_code,
    reason = "the program and the test use different parts of it"
)]

use tapir_engine::proto::Kind;

use super::{drive, formats};

/// What a target does with its bytes.
pub(crate) type Run = fn(&[u8]);

/// Names and functions.
pub(crate) const TARGETS: [(&str, Run); 11] = [
    ("frames", drive::frames),
    ("models", drive::models),
    ("captures", formats::captures),
    ("config", formats::config),
    ("services", formats::services),
    ("rules", formats::rules),
    ("journal", formats::journal),
    ("decisions", formats::decisions),
    ("state", formats::state),
    ("requests", formats::requests),
    ("record_header", formats::record_header),
];

/// What the target of this name does.
pub(crate) fn find(name: &str) -> Option<Run> {
    let mut all = TARGETS.iter();
    all.find(|(target, _)| *target == name).map(|(_, run)| *run)
}

/// Whether the target is a parser's: `parser_` and a protocol of the list.
pub(crate) fn is_parser(name: &str) -> bool {
    let protocol = name.strip_prefix("parser_");
    protocol.is_some_and(|protocol| Kind::ALL.iter().any(|kind| kind.name() == protocol))
}
