//! Where the truth errs or cannot be compared: `tests/oracle-exceptions.toml`.
//!
//! An entry excuses what differs in one capture, map by map, and must do so: a map of which nothing is
//! excused, or less than is listed, is stale.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

/// On which side ours and the truth differ.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    /// The truth has it, we do not: it lowers the share found.
    Found,
    /// We have it, the truth does not.
    Extra,
}

/// What is excused in one map.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Excused {
    /// As it is compared.
    Values(BTreeSet<String>),
    /// How many, where they are too many to list or have no names.
    Count(usize),
}

/// One entry.
#[derive(Debug, Deserialize)]
struct Exception {
    /// Name of the capture, without its folder.
    file: String,
    side: Side,
    /// What the bytes say.
    reason: String,
    /// By the truth's names of the maps.
    #[serde(flatten)]
    maps: BTreeMap<String, Excused>,
    /// Maps of which all that is listed was there to be excused.
    #[serde(skip)]
    applied: RefCell<BTreeSet<String>>,
}

/// All entries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exceptions {
    exception: Vec<Exception>,
}

impl Exceptions {
    pub(super) fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle-exceptions.toml");
        let text = std::fs::read_to_string(path).unwrap();
        let all: Self = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
        for Exception { file, reason, .. } in &all.exception {
            assert!(!reason.is_empty(), "{file}: no reason");
        }
        all
    }

    /// What entries excuse of a capture's map, each with its own mark of having done so.
    fn of<'a>(
        &'a self,
        file: &'a str,
        map: &'a str,
        side: Side,
    ) -> impl Iterator<Item = (&'a Exception, &'a Excused)> {
        let name = file.rsplit('/').next().unwrap_or(file);
        let mine = self.exception.iter();
        let mine = mine.filter(move |entry| entry.file == name && entry.side == side);
        mine.filter_map(move |entry| Some((entry, entry.maps.get(map)?)))
    }

    /// Takes what is excused out of the values that differ.
    pub(super) fn excuse(&self, file: &str, map: &str, side: Side, values: &mut BTreeSet<String>) {
        for (entry, excused) in self.of(file, map, side) {
            let all = match excused {
                Excused::Count(count) => *count == values.len(),
                Excused::Values(listed) => listed.is_subset(values),
            };
            match excused {
                Excused::Values(listed) => values.retain(|value| !listed.contains(value)),
                Excused::Count(_) if all => values.clear(),
                Excused::Count(_) => {}
            }
            entry.mark(map, all);
        }
    }

    /// How many of `count` that differ are not excused.
    pub(super) fn excuse_count(&self, file: &str, map: &str, side: Side, count: usize) -> usize {
        let mut left = count;
        for (entry, excused) in self.of(file, map, side) {
            let Excused::Count(count) = excused else {
                continue;
            };
            entry.mark(map, *count > 0 && *count <= left);
            left = left.saturating_sub(*count);
        }
        left
    }

    /// Maps of entries that excuse nothing, or not all they list; none is looked at if none of their
    /// captures is among `files`: then this is another corpus.
    pub(super) fn stale(&self, files: &BTreeSet<&str>) -> Vec<String> {
        let is_here = |entry: &Exception| files.contains(entry.file.as_str());
        if !self.exception.iter().any(is_here) {
            return Vec::new();
        }
        let mut stale = Vec::new();
        for Exception {
            file,
            side,
            maps,
            applied,
            ..
        } in &self.exception
        {
            let applied = applied.borrow();
            for map in maps.keys().filter(|map| !applied.contains(*map)) {
                stale.push(format!("stale exception: {file} {map} {side:?}"));
            }
        }
        stale
    }
}

impl Exception {
    fn mark(&self, map: &str, applies: bool) {
        if applies {
            self.applied.borrow_mut().insert(map.to_owned());
        }
    }
}

#[test]
fn an_exception_that_no_longer_applies_is_stale() {
    let text = r#"
        [[exception]]
        file = "a.pcap"
        side = "extra"
        reason = "packet 3"
        sni = ["x", "y"]
        [[exception]]
        file = "a.pcap"
        side = "found"
        reason = "packet 4"
        udp_flows = 2
        "#;
    let set = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned());
        names.collect::<BTreeSet<_>>()
    };
    let (file, files) = ("pcaps/a.pcap", BTreeSet::from(["a.pcap"]));
    let all: Exceptions = toml::from_str(text).unwrap();
    let mut values = set(&["w", "x", "y"]);
    all.excuse(file, "sni", Side::Extra, &mut values);
    assert_eq!(values, set(&["w"]));
    assert_eq!(all.excuse_count(file, "udp_flows", Side::Found, 3), 1);
    assert!(all.stale(&files).is_empty());
    // One of two values is gone, and one of two flows is found now.
    let all: Exceptions = toml::from_str(text).unwrap();
    all.excuse(file, "sni", Side::Extra, &mut set(&["w", "x"]));
    assert_eq!(all.excuse_count(file, "udp_flows", Side::Found, 1), 0);
    assert_eq!(all.stale(&files).len(), 2);
    assert!(all.stale(&BTreeSet::from(["b.pcap"])).is_empty());
}
