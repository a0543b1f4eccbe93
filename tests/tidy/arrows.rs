//! Which part of the source may know which.
//!
//! Input:  code without comments and texts, and the path of its file.
//! Output: one complaint a line for a path that leads the wrong way.

use super::{Complaint, Source};

/// The engine's rooms; a room may use those before it.
const ROOMS: [&str; 13] = [
    "types", "decode", "flow", "proto", "device", "mirror", "baseline", "model", "service",
    "breach", "incident", "policy", "respond",
];

/// What joins the rooms; no room may use it.
const ABOVE: [&str; 2] = ["tracker", "analysis"];

/// A crate or room, and the words that must not occur in its code.
const STRANGERS: [(&str, &[&str]); 3] = [
    ("src/capture/", &["tapir_engine", "tapir_message", "tapir"]),
    ("src/message/", &["tapir_engine", "tapir_capture", "tapir"]),
    ("src/engine/", &["tapir_capture", "tapir"]),
];

/// Rooms of the appliance that do not know each other.
const SIBLINGS: [&str; 5] = ["evidence", "store", "forward", "report", "config"];

/// Engine rooms use only rooms before them.
pub(super) fn rooms(source: &Source, out: &mut Vec<Complaint>) {
    let Some(inside) = source.path.strip_prefix("src/engine/") else {
        return;
    };
    let room = inside.split(['/', '.']).next().unwrap_or_default();
    let Some(rank) = ROOMS.iter().position(|name| *name == room) else {
        return;
    };
    for (line, used) in paths(source, inside) {
        let later = ROOMS.iter().position(|name| *name == used) > Some(rank);
        if later || ABOVE.contains(&used.as_str()) {
            out.push(source.complain(
                line,
                format!("`{room}` uses `{used}`, which comes after it"),
            ));
        }
    }
}

/// Crates that must not know each other do not name each other.
pub(super) fn crates(source: &Source, out: &mut Vec<Complaint>) {
    for (folder, strangers) in STRANGERS {
        if !source.path.starts_with(folder) {
            continue;
        }
        for (line, word) in super::code::words(&source.code) {
            if strangers.contains(&word) {
                out.push(source.complain(line, format!("`{folder}` must not know `{word}`")));
            }
        }
    }
}

/// Appliance rooms know `message`, not each other.
pub(super) fn siblings(source: &Source, out: &mut Vec<Complaint>) {
    let Some(inside) = source.path.strip_prefix("src/") else {
        return;
    };
    let room = inside.split(['/', '.']).next().unwrap_or_default();
    if !SIBLINGS.contains(&room) {
        return;
    }
    for (line, used) in paths(source, inside) {
        if SIBLINGS.contains(&used.as_str()) && used != room {
            out.push(source.complain(line, format!("`{room}` must not know `{used}`")));
        }
    }
}

/// First names behind the crate's root, each with its line: from `crate::`, and from as many
/// `super::` as lead there from this file.
fn paths(source: &Source, inside: &str) -> Vec<(usize, String)> {
    let depth = inside.matches('/').count() + usize::from(!inside.ends_with("mod.rs"));
    let mut prefixes = vec!["crate::".to_owned()];
    if depth > 0 {
        prefixes.push("super::".repeat(depth));
    }
    let mut found = Vec::new();
    for prefix in prefixes {
        for (at, _) in source.code.match_indices(&prefix) {
            let (before, rest) = source.code.split_at(at);
            let (_, path) = rest.split_at(prefix.len());
            if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let line = before.matches('\n').count() + 1;
            found.extend(first_names(path).into_iter().map(|name| (line, name)));
        }
    }
    found
}

/// The name at the start of a path, or the first name of each path of a group in braces.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        let text = text.trim_start();
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut names = Vec::new();
    let (mut depth, mut item) = (0_usize, String::new());
    for c in group.chars() {
        match c {
            ',' if depth == 0 => names.push(name(&std::mem::take(&mut item))),
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            c => item.push(c),
        }
    }
    names.push(name(&item));
    names
}

#[cfg(test)]
mod tests {
    use super::super::check_one;
    use super::*;

    fn complaints(rule: super::super::Rule, path: &str, text: &str) -> usize {
        check_one(rule, path, text).len()
    }

    #[test]
    fn a_later_room_is_complained_of() {
        let count = |path, text| complaints(rooms, path, text);
        assert_eq!(
            count("src/engine/flow/tcp.rs", "use crate::proto::Weird;"),
            1
        );
        assert_eq!(
            count(
                "src/engine/flow/tcp.rs",
                "use crate::{types::Text, device::Device};"
            ),
            1
        );
        assert_eq!(
            count(
                "src/engine/flow/tcp.rs",
                "use crate::{a::{b, device}, types::{c}};"
            ),
            0
        );
        assert_eq!(
            count("src/engine/flow/mod.rs", "use super::device::Device;"),
            1
        );
        assert_eq!(
            count(
                "src/engine/flow/tcp.rs",
                "fn f(x: super::super::device::D) {}"
            ),
            1
        );
        assert_eq!(
            count(
                "src/engine/flow/tcp.rs",
                "use crate::decode::Tcp; // crate::device"
            ),
            0
        );
        assert_eq!(
            count("src/engine/proto/driver.rs", "use crate::flow::Conn;"),
            0
        );
        assert_eq!(
            count("src/engine/proto/driver.rs", "use crate::tracker::Tracker;"),
            1
        );
        assert_eq!(
            count("src/engine/tracker/mod.rs", "use crate::proto::Weird;"),
            0
        );
    }

    #[test]
    fn strangers_are_complained_of() {
        let count = |path, text| complaints(crates, path, text);
        assert_eq!(
            count("src/capture/file.rs", "use tapir_engine::Tracker;"),
            1
        );
        assert_eq!(count("src/engine/lib.rs", "use tapir_capture::Frame;"), 1);
        assert_eq!(count("src/engine/lib.rs", "use tapir_message::Stats;"), 0);
        assert_eq!(count("src/message/lib.rs", "pub use tapir_engine::x;"), 1);
        let count = |path, text| complaints(siblings, path, text);
        assert_eq!(count("src/report/html.rs", "use crate::store::State;"), 1);
        assert_eq!(count("src/report/html.rs", "use crate::report::Band;"), 0);
    }
}
