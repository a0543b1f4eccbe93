//! What kind of thing a device is, what it runs and what it does for others: concluded from its evidence.
//!
//! Input:  a device's names, claims, hardware address and duties; the table of evidence.
//! Output: for each conclusion a confidence and its three strongest grounds.
//! How:    weights are logarithms of odds and add up; one kind of evidence counts once for a value, however often
//!         it was seen, and of versions that it told one after the other the last. Values that lead from the general
//!         to the particular support each other; the others compete with each other and with "something else". Where
//!         the particular is not sure, the general is concluded.
//! Not done: time to live and TCP options, which say little behind a router.

use std::borrow::Cow;

use tapir_message::{Device, Judgement, Reason};

use super::duty::{Done, Duty};
use super::table::{ASKED, ASKS, About, rows};
use crate::types::Timestamp;

/// Weight of "something else".
const ELSE: i32 = 6;
/// Least confidence worth telling, per cent.
const SURE_MIN: u8 = 50;
/// Grounds told.
const REASONS_MAX: usize = 3;
/// Between the general and the particular.
const STEP: &str = " > ";
const GUEST: &str = "virtual machine";
/// Longest version taken from evidence.
const VERSION_LEN_MAX: usize = 16;

/// Concludes what can be concluded.
pub(super) fn judge(device: &mut Device, done: &[Done]) {
    let mut facts = facts(device, done);
    let mut hits = hits(&facts, 0);
    let roles = roles(&hits, &facts);
    let os = conclude(About::Os, &hits, &facts);
    let begin = facts.len();
    for role in &roles {
        let last_ts = role.reasons.first().map_or(device.last_ts, |r| r.last_ts);
        facts.push(Fact::new("role", role.value.clone(), last_ts));
    }
    if let Some((path, os)) = &os {
        let last_ts = os.reasons.first().map_or(device.last_ts, |r| r.last_ts);
        facts.push(Fact::new("os", path.clone(), last_ts));
    }
    hits.extend(self::hits(&facts, begin));
    // A virtual machine is something else first: only one of which little else is known is told of as such.
    let says = |hit: &Hit| hit.about == About::Kind && hit.path != GUEST && hit.weight > ELSE;
    if hits.iter().any(says) {
        hits.retain(|hit| hit.path != GUEST);
    }
    let kind = conclude(About::Kind, &hits, &facts);
    drop(facts);
    device.kind = kind.map(|(_, kind)| kind);
    device.os = os.map(|(_, os)| os);
    device.roles = roles;
}

/// One piece of evidence.
struct Fact<'a> {
    source: &'a str,
    text: Cow<'a, str>,
    last_ts: Timestamp,
}

impl<'a> Fact<'a> {
    fn new(source: &'a str, text: impl Into<Cow<'a, str>>, last_ts: Timestamp) -> Self {
        let text = text.into();
        Self {
            source,
            text,
            last_ts,
        }
    }

    /// In words.
    fn what(&self) -> String {
        let text = &self.text;
        match self.source {
            "vendor" => format!("hardware of {text}"),
            "mac" => format!("hardware address {text}"),
            "os" => format!("runs {}", leaf(text)),
            "role" => format!("is a {text}"),
            "frame" | "frames of several addresses" => text.to_string(),
            ASKS => format!("{ASKED}{text}"),
            source => format!("{source} {text}"),
        }
    }
}

/// A row of the table that a fact meets.
struct Hit {
    about: About,
    source: &'static str,
    /// The value with all that leads to it.
    path: String,
    weight: i32,
    fact: usize,
    last_ts: Timestamp,
}

/// All that is known of a device, as the table of evidence calls it.
fn facts<'a>(device: &'a Device, done: &[Done]) -> Vec<Fact<'a>> {
    let mut facts = Vec::new();
    // Who resolves names for others asks for what they want to know.
    let asks_for_others = done.iter().any(|done| done.duty == Duty::Dns);
    for claim in &device.claims {
        if claim.evidence == ASKS && asks_for_others {
            continue;
        }
        let (evidence, claimed) = (claim.evidence.as_str(), claim.claim.as_str());
        let (source, text) = match claimed.strip_prefix("serves ") {
            Some(service) => ("serves", service),
            None => (evidence, claimed.strip_prefix(ASKED).unwrap_or(claimed)),
        };
        facts.push(Fact::new(source, text, claim.last_ts));
    }
    let names = device.names.iter();
    facts.extend(names.map(|name| Fact::new("name", name.name.as_str(), name.last_ts)));
    if let Some(vendor) = &device.vendor {
        facts.push(Fact::new("vendor", vendor.as_str(), device.last_ts));
    }
    if let Some(mac) = device.mac.filter(|mac| mac.is_local()) {
        facts.push(Fact::new("mac", mac.to_string(), device.last_ts));
    }
    facts.extend(
        done.iter()
            .map(|done| Fact::new("answers", done.text(), done.last_ts)),
    );
    facts
}

/// What the facts from `begin` on say by the table: of each kind of evidence and value the strongest.
fn hits(facts: &[Fact<'_>], begin: usize) -> Vec<Hit> {
    let mut hits: Vec<Hit> = Vec::new();
    for (at, fact) in facts.iter().enumerate().skip(begin) {
        let small = fact.text.to_ascii_lowercase();
        for row in rows(fact.source) {
            let Some(end) = row.find(&small) else {
                continue;
            };
            let hit = Hit {
                about: row.about,
                source: row.source(),
                path: filled(row.value, small.get(end..).unwrap_or_default()),
                weight: row.weight,
                fact: at,
                last_ts: fact.last_ts,
            };
            match hits.iter_mut().find(|old| old.rivals(&hit)) {
                Some(old) if hit.beats(old) => *old = hit,
                Some(_) => {}
                None => hits.push(hit),
            }
        }
    }
    hits
}

impl Hit {
    /// Whether only one of the two may count: the same said twice, or two versions of the same.
    fn rivals(&self, other: &Self) -> bool {
        let (mine, its) = (general(&self.path), general(&other.path));
        let same = self.path == other.path;
        let versions = mine.is_some() && mine == its && self.about == About::Os;
        self.about == other.about
            && self.source == other.source
            && (self.weight > 0) == (other.weight > 0)
            && (same || versions)
    }

    /// Whether this is to count and not `old`.
    fn beats(&self, old: &Self) -> bool {
        if self.path == old.path {
            (self.weight, self.last_ts) > (old.weight, old.last_ts)
        } else {
            (self.last_ts, self.weight) > (old.last_ts, old.weight)
        }
    }
}

/// `value` with the version that stands at the beginning of `rest` in place of `{}`; without one, what is more
/// general.
fn filled(value: &str, rest: &str) -> String {
    if !value.contains("{}") {
        return value.to_owned();
    }
    let version = |c: &char| c.is_ascii_digit() || matches!(c, '.' | '_');
    let said: String = rest
        .chars()
        .take_while(version)
        .take(VERSION_LEN_MAX)
        .collect();
    let said = said.replace('_', ".");
    let said = said.trim_end_matches('.');
    match general(value) {
        Some(general) if said.is_empty() => general.to_owned(),
        _ => value.replace("{}", said),
    }
}

/// What a value is a kind of.
fn general(path: &str) -> Option<&str> {
    path.rsplit_once(STEP).map(|(general, _)| general)
}

/// The value alone.
fn leaf(path: &str) -> &str {
    path.rsplit_once(STEP).map_or(path, |(_, leaf)| leaf)
}

/// Whether `one` is `other` or a kind of it.
fn is_a(one: &str, other: &str) -> bool {
    let rest = one.strip_prefix(other);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(STEP))
}

/// The likeliest value, with all that leads to it; the most particular one that is sure.
fn conclude(about: About, hits: &[Hit], facts: &[Fact<'_>]) -> Option<(String, Judgement)> {
    let hits: Vec<&Hit> = hits.iter().filter(|hit| hit.about == about).collect();
    let mut paths: Vec<&str> = hits
        .iter()
        .filter(|h| h.weight > 0)
        .map(|h| &*h.path)
        .collect();
    paths.sort_unstable();
    paths.dedup();
    // Values that nothing makes more particular.
    let ends = |path: &&&str| !paths.iter().any(|p| p != *path && is_a(p, path));
    let ends: Vec<&str> = paths.iter().filter(ends).copied().collect();
    let sum = |path: &str| -> i32 {
        let speaks = |hit: &&&Hit| is_a(path, &hit.path) || is_a(&hit.path, path);
        hits.iter().filter(speaks).map(|hit| hit.weight).sum()
    };
    let best = ends
        .iter()
        .max_by_key(|path| (sum(path), std::cmp::Reverse(**path)))?;
    let mut path: &str = best;
    loop {
        let rivals = ends.iter().filter(|end| !is_a(end, path));
        let against = rivals.map(|rival| odds(sum(rival))).sum::<f64>() + odds(ELSE);
        let confidence = share(odds(sum(path)), against);
        if confidence >= SURE_MIN {
            let speaks = |hit: &&Hit| is_a(path, &hit.path) || is_a(&hit.path, path);
            let grounds = hits.iter().copied().filter(speaks);
            let judgement = told(leaf(path), confidence, grounds, facts);
            return Some((path.to_owned(), judgement));
        }
        path = general(path)?;
    }
}

/// What it does for others: each by itself.
fn roles(hits: &[Hit], facts: &[Fact<'_>]) -> Vec<Judgement> {
    let of_role = || hits.iter().filter(|hit| hit.about == About::Role);
    let mut values: Vec<&str> = of_role().map(|hit| &*hit.path).collect();
    values.sort_unstable();
    values.dedup();
    let mut roles: Vec<Judgement> = values
        .into_iter()
        .filter_map(|value| {
            let grounds = || of_role().filter(|hit| hit.path == value);
            let confidence = share(odds(grounds().map(|hit| hit.weight).sum()), odds(ELSE));
            (confidence >= SURE_MIN).then(|| told(value, confidence, grounds(), facts))
        })
        .collect();
    roles.sort_by_key(|role| std::cmp::Reverse(role.confidence));
    roles
}

/// A conclusion with its strongest grounds.
fn told<'a>(
    value: &str,
    confidence: u8,
    grounds: impl Iterator<Item = &'a Hit>,
    facts: &[Fact<'_>],
) -> Judgement {
    let mut grounds: Vec<&Hit> = grounds.filter(|hit| hit.weight > 0).collect();
    grounds.sort_by_key(|hit| (std::cmp::Reverse((hit.weight, hit.last_ts)), hit.fact));
    let mut reasons: Vec<Reason> = Vec::new();
    for hit in grounds {
        let what = facts.get(hit.fact).map(Fact::what).unwrap_or_default();
        if reasons.len() < REASONS_MAX && reasons.iter().all(|known| known.what != what) {
            let last_ts = hit.last_ts;
            reasons.push(Reason { what, last_ts });
        }
    }
    Judgement {
        value: value.to_owned(),
        confidence,
        reasons,
    }
}

fn odds(weight: i32) -> f64 {
    libm::exp10(f64::from(weight) / 10.0)
}

/// Odds for and against as per cent, 1–99.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 1 and 99"
)]
fn share(odds: f64, against: f64) -> u8 {
    libm::round(100.0 * odds / (odds + against)).clamp(1.0, 99.0) as u8
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
