//! `show device`: everything about one device on one screen.
//!
//! Bounds: 40 lines at any width; of each kind the latest or strongest are shown and the others counted.

use jiff::tz::TimeZone;
use tapir_engine::device::vendor;
use tapir_engine::types::escaped;
use tapir_message::{Breach, Device, Incident, Judgement, MacAddr, Merge, Timestamp};

use super::breaches::mark;
use super::short_id;
use crate::control::Portrait;
use crate::report::band::Band;
use crate::report::screen::{Screen, ink, short_title};
use crate::report::words::{ago, bytes, count, cut, plural, short, span, width};

/// Where the text of a field begins.
const FIELD: usize = 10;
/// Most lines of each kind.
const REASONS_MAX: usize = 3;
const ROLES_MAX: usize = 4;
const ADDRESSES_MAX: usize = 4;
const BREACHES_MAX: usize = 5;
const INCIDENTS_MAX: usize = 2;
const MERGES_MAX: usize = 2;

pub(super) fn show(screen: &mut Screen, zone: &TimeZone, all: &Portrait) {
    let device = &all.device;
    let mut page = Page {
        screen,
        zone,
        now: all.now,
    };
    page.head(device);
    page.judgement("Type", device.kind.as_ref());
    page.judgement("System", device.os.as_ref());
    page.roles(&device.roles);
    page.texts("Serves", &served(device), 1);
    page.addresses(device);
    page.texts("Hardware", &hardware(device), 2);
    if let Some(mac) = device.behind {
        let router = all.router.as_ref();
        let router = router.map_or_else(
            || mac.to_string(),
            |router| format!("{} ({})", router.name, router.id),
        );
        let text = format!("{router}; only its address is known, the hardware is the router's");
        page.field("Behind", &text, 1);
    }
    let known = |what: &str, evidence: &str, last_ts| {
        let age = ago(all.now.since(last_ts));
        format!("{what} ({evidence}, {age})")
    };
    let names = latest(&device.names, |name| name.last_ts).into_iter();
    let names = names.map(|one| known(&one.name, &one.evidence, one.last_ts));
    page.texts("Names", &names.collect::<Vec<_>>(), 2);
    let users = latest(&device.users, |user| user.last_ts).into_iter();
    let users = users.map(|one| known(&one.user, &one.evidence, one.last_ts));
    page.texts("Users", &users.collect::<Vec<_>>(), 2);
    page.seen(device);
    page.claims(device);
    page.breaches(all);
    page.incidents(all);
    page.merges(device, &all.merges);
}

/// A screen under construction, with what its times are told by.
struct Page<'a> {
    screen: &'a mut Screen,
    zone: &'a TimeZone,
    now: Timestamp,
}

impl Page<'_> {
    fn ago(&self, ts: Timestamp) -> String {
        ago(self.now.since(ts))
    }

    fn field(&mut self, name: &str, text: &str, lines: usize) {
        self.screen.paragraph(name, FIELD, text, lines);
    }

    /// Several texts as one paragraph; nothing if there are none.
    fn texts(&mut self, name: &str, texts: &[String], lines: usize) {
        if !texts.is_empty() {
            self.field(name, &texts.join("; "), lines);
        }
    }

    /// Name, what it is, and its id at the end of the line.
    fn head(&mut self, device: &Device) {
        let is = [&device.kind, &device.os];
        let is: Vec<&str> = is
            .into_iter()
            .flatten()
            .map(|one| one.value.as_str())
            .collect();
        let is = if is.is_empty() {
            "not known what it is".to_owned()
        } else {
            is.join(", ")
        };
        let id = escaped(&device.id);
        let room = self.screen.width.saturating_sub(width(&id) + 2);
        let name = cut(&escaped(&device.name), room);
        let is = cut(
            &format!("  {}", escaped(&is)),
            room.saturating_sub(width(&name)),
        );
        let used = width(&name) + width(&is) + width(&id);
        let gap = " ".repeat(self.screen.width.saturating_sub(used));
        self.screen
            .line(&[("1", &name), ("", &is), ("", &gap), ("2", &id)]);
        self.screen.blank();
    }

    /// What is concluded, how surely, and on what grounds.
    fn judgement(&mut self, name: &str, judged: Option<&Judgement>) {
        let Some(judged) = judged else {
            return self.field(name, "not known: nothing it sent says enough", 1);
        };
        let text = format!("{}, {} % sure", judged.value, judged.confidence);
        self.field(name, &text, 1);
        for reason in judged.reasons.iter().take(REASONS_MAX) {
            let text = format!("- {}, {}", reason.what, self.ago(reason.last_ts));
            self.field("", &text, 1);
        }
    }

    /// What it does for others, a role a line; the room of those it has not goes to those it has.
    fn roles(&mut self, roles: &[Judgement]) {
        let (shown, more) = most(roles.len(), ROLES_MAX);
        let lines = ROLES_MAX / roles.len().clamp(1, ROLES_MAX);
        for (index, role) in roles.iter().take(shown).enumerate() {
            let reason = |reason: &tapir_message::Reason| {
                format!("{} ({})", reason.what, self.ago(reason.last_ts))
            };
            let reasons: Vec<String> = role.reasons.iter().map(reason).collect();
            let head = format!("{}, {} % sure", role.value, role.confidence);
            let text = if reasons.is_empty() {
                head
            } else {
                format!("{head}: {}", reasons.join("; "))
            };
            self.field(if index == 0 { "Roles" } else { "" }, &text, lines);
        }
        if more > 0 {
            let rest = roles.iter().skip(shown).map(|role| role.value.as_str());
            let rest: Vec<&str> = rest.collect();
            self.field("", &format!("and {}", rest.join(", ")), 1);
        }
    }

    /// Its addresses as a table, those held last first.
    fn addresses(&mut self, device: &Device) {
        let held = latest(&device.addresses, |held| held.last_ts);
        let (shown, more) = most(held.len(), ADDRESSES_MAX);
        let lines: Vec<(String, String)> = held
            .iter()
            .take(shown)
            .map(|held| (held.addr.to_string(), escaped(&held.evidence)))
            .collect();
        let wide = lines.iter().map(|(addr, _)| addr.len()).max().unwrap_or(0);
        let evidence_wide = lines.iter().map(|(_, by)| width(by)).max().unwrap_or(0);
        for (index, ((addr, by), held)) in lines.iter().zip(&held).enumerate() {
            let pad = " ".repeat(evidence_wide.saturating_sub(width(by)));
            let text = format!(
                "{addr:<wide$}  {by}{pad}  {}, since {}",
                self.ago(held.last_ts),
                short(held.first_ts, self.zone)
            );
            self.field(if index == 0 { "Addresses" } else { "" }, &text, 1);
        }
        if more > 0 {
            self.field("", &format!("and {more} that it held before"), 1);
        }
    }

    /// When, where and how much.
    fn seen(&mut self, device: &Device) {
        let mut text = span(device.first_ts, device.last_ts, self.zone);
        if !device.vlans.is_empty() {
            let vlans: Vec<String> = device.vlans.iter().map(u16::to_string).collect();
            text.push_str(&format!("; VLAN {}", vlans.join(", ")));
        }
        self.field("Seen", &text, 1);
        let text = format!(
            "{} sent, {} received; {} flows begun, {} answered",
            bytes(device.bytes_sent),
            bytes(device.bytes_received),
            count(device.flows_orig),
            count(device.flows_resp)
        );
        self.field("Traffic", &text, 1);
    }

    /// What else it said of itself or was seen to do.
    fn claims(&mut self, device: &Device) {
        let all = latest(&device.claims, |claim| claim.last_ts);
        let others = all.into_iter().filter(|claim| {
            let shown = claim.claim.starts_with(SERVES) || claim.claim.starts_with(USED_BY);
            !shown
        });
        let text = |claim: &tapir_message::Claim| format!("{} ({})", claim.claim, claim.evidence);
        let texts: Vec<String> = others.map(text).collect();
        self.texts("Also", &texts, 2);
    }

    /// Breaches that may still grow, the highest score first.
    fn breaches(&mut self, all: &Portrait) {
        let open = |breach: &&Breach| all.is_open(breach.last_ts);
        let mut open: Vec<&Breach> = all.breaches.iter().filter(open).collect();
        open.sort_by_key(|breach| std::cmp::Reverse(breach.score));
        let older = all.breaches.len() - open.len();
        self.screen.blank();
        if all.breaches.is_empty() {
            return self.field("Breaches", "none", 1);
        }
        let (shown, more) = most(open.len(), BREACHES_MAX - usize::from(older > 0));
        for (index, breach) in open.iter().take(shown).enumerate() {
            let (score, asks, color) = mark(breach);
            let text = format!(
                "{} ({}), {}",
                short_title(&breach.title),
                breach.model,
                self.ago(breach.last_ts)
            );
            let name = if index == 0 { "Breaches" } else { "" };
            self.scored(name, (&score, asks, color), &text, &breach.id);
        }
        if more + older > 0 {
            let name = if shown == 0 { "Breaches" } else { "" };
            let mut parts = Vec::new();
            match (more, shown) {
                (0, 0) => parts.push("none open".to_owned()),
                (0, _) => {}
                _ => parts.push(format!("{more} more open")),
            }
            if older > 0 {
                parts.push(format!("{older} older"));
            }
            let text = format!(
                "{}: tapir show breaches --device {}",
                parts.join(", "),
                all.device.id
            );
            self.field(name, &text, 1);
        }
    }

    fn incidents(&mut self, all: &Portrait) {
        let open = |incident: &&Incident| all.is_open(incident.last_ts);
        let open: Vec<&Incident> = all.incidents.iter().filter(open).collect();
        let (shown, more) = most(open.len(), INCIDENTS_MAX);
        for (index, incident) in open.iter().take(shown).enumerate() {
            let score = incident
                .score
                .map_or_else(|| "–".to_owned(), |s| s.to_string());
            let color = incident.score.map_or("36", |score| ink(Band::of(score)));
            let text = format!(
                "{}, {}, {}",
                short_title(&incident.title),
                plural(incident.timeline.len(), "breach", "breaches"),
                self.ago(incident.last_ts)
            );
            let name = if index == 0 { "Incidents" } else { "" };
            self.scored(name, (&score, "", color), &text, &incident.id);
        }
        if more > 0 {
            let text = format!(
                "and {more} more: tapir show incidents --device {}",
                all.device.id
            );
            self.field("", &text, 1);
        }
    }

    /// A line with a score, a text and an id.
    fn scored(
        &mut self,
        name: &str,
        (score, asks, color): (&str, &str, &str),
        text: &str,
        id: &str,
    ) {
        let id = short_id(id);
        let room = self
            .screen
            .width
            .saturating_sub(FIELD + 4 + 8 + 2 + width(&id));
        let text = cut(&escaped(text), room);
        let gap = " ".repeat(room.saturating_sub(width(&text)) + 2);
        self.screen.line(&[
            ("2", &format!("{name:<FIELD$}")),
            (color, &format!("{score:<4}")),
            (color, &format!("{asks:<8}")),
            ("", &text),
            ("", &gap),
            ("2", &id),
        ]);
    }

    /// What was merged into it, and how to take it back.
    fn merges(&mut self, device: &Device, merges: &[Merge]) {
        if merges.is_empty() {
            // Results in a folder say which, and not why.
            return self.texts("Merged", &device.merged, 2);
        }
        let (shown, more) = most(merges.len(), MERGES_MAX);
        let lines = MERGES_MAX / merges.len().clamp(1, MERGES_MAX);
        for (index, merge) in merges.iter().take(shown).enumerate() {
            let text = format!(
                "{}, {}, {}: {}",
                merge.other,
                merge.who.as_deref().unwrap_or("automatic"),
                short(merge.ts, self.zone),
                merge.why
            );
            self.field(if index == 0 { "Merged" } else { "" }, &text, lines);
        }
        if more > 0 {
            self.field("", &format!("and {more} more: tapir device merges"), 1);
        }
    }
}

/// How claims begin that have a line of their own.
const SERVES: &str = "serves ";
const USED_BY: &str = "used by ";

/// What it serves, each once, the latest first.
fn served(device: &Device) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for claim in latest(&device.claims, |claim| claim.last_ts) {
        if let Some(service) = claim.claim.strip_prefix(SERVES)
            && !all.iter().any(|known| known == service)
        {
            all.push(service.to_owned());
        }
    }
    if all.is_empty() {
        return all;
    }
    vec![all.join(", ")]
}

/// Its hardware addresses with their vendors.
fn hardware(device: &Device) -> Vec<String> {
    let own = device
        .mac
        .map(|mac| one_card(mac, device.vendor.as_deref()));
    let others = device
        .other_macs
        .iter()
        .map(|mac| one_card(*mac, vendor(*mac)));
    own.into_iter().chain(others).collect()
}

fn one_card(mac: MacAddr, vendor: Option<&str>) -> String {
    match vendor {
        Some(vendor) => format!("{mac} ({vendor})"),
        None if mac.is_local() => format!("{mac} (randomised)"),
        None => mac.to_string(),
    }
}

/// The latest first; equals as they stand.
fn latest<T>(all: &[T], last: impl Fn(&T) -> Timestamp) -> Vec<&T> {
    let mut sorted: Vec<&T> = all.iter().collect();
    sorted.sort_by_key(|one| std::cmp::Reverse(last(one)));
    sorted
}

/// How many of `all` get a line each, and how many share the last line, if `max` lines are there.
const fn most(all: usize, max: usize) -> (usize, usize) {
    if all <= max {
        (all, 0)
    } else {
        let shown = max.saturating_sub(1);
        (shown, all - shown)
    }
}
