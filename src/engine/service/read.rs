//! From TOML to a catalogue: every key checked, every mistake told with its place.
//!
//! Bounds: 1 MiB a file, 4,096 services, 256 domains a service, eight labels a domain.
//! Example: `catalogue/services.toml`, which the program carries.

use toml::de::{DeTable, DeValue};

use super::catalogue::{CATEGORIES, Domain, Domains, LABELS_MAX, NAME_LEN_MAX, Service, ix};
use crate::model::{Key, ModelError, Reader, Str, did_you_mean};

const FILE_BYTES_MAX: usize = 1 << 20;
const SERVICES_MAX: usize = 4_096;
const SERVICE_DOMAINS_MAX: usize = 256;
const ID_LEN_MAX: usize = 32;
const TEXT_CHARS_MAX: usize = 80;
/// Longest label (RFC 1035 §2.3.4).
const LABEL_LEN_MAX: usize = 63;

const SERVICE_KEYS: &[Key] = &[
    ("name", true, "what people call it"),
    ("owner", true, "whose it is"),
    (
        "domains",
        false,
        "names it is reached by, with all below them",
    ),
    ("exact", false, "names that stand for themselves alone"),
];

/// A service with where it stands, and the domains it has.
struct Found<'t> {
    service: Service,
    at: usize,
    domains: Vec<(Str<'t>, bool)>,
}

/// Reads all before giving up on anything, so that all mistakes are told.
pub(super) fn read(path: &str, text: &str) -> Result<(Vec<Service>, Domains), Vec<ModelError>> {
    let mut reader = Reader::new(path, text);
    let Some(root) = reader.root("a catalogue", FILE_BYTES_MAX) else {
        return Err(reader.errors);
    };
    let mut found = Vec::new();
    for (key, value) in root.get_ref() {
        let name: &str = key.get_ref();
        match (category(name), value.get_ref()) {
            (Some(category), DeValue::Table(table)) => {
                services(&mut reader, table, category, &mut found);
            }
            (Some(_), other) => {
                let _none: Option<()> = reader.wrong(value, name, "a table of services", other);
            }
            (None, _) => reader.error(key.span().start, unknown_category(name)),
        }
    }
    if found.is_empty() && reader.errors.is_empty() {
        reader.error(
            0,
            "no service in it; write one as in catalogue/services.toml",
        );
    }
    let read = arrange(&mut reader, found);
    if reader.errors.is_empty() {
        return Ok(read);
    }
    reader.errors.sort();
    Err(reader.errors)
}

fn category(name: &str) -> Option<&'static str> {
    let known = CATEGORIES.iter().find(|(category, _)| *category == name);
    known.map(|(category, _)| *category)
}

fn unknown_category(name: &str) -> String {
    let all: Vec<&str> = CATEGORIES.iter().map(|(category, _)| *category).collect();
    let hint = did_you_mean(name, all.iter().copied());
    let (name, all) = (name.escape_debug(), all.join(", "));
    format!("unknown category \"{name}\"{hint} (there are: {all})")
}

/// Reads the services of a category.
fn services<'t>(
    reader: &mut Reader<'_>,
    table: &'t DeTable<'_>,
    category: &'static str,
    found: &mut Vec<Found<'t>>,
) {
    for (key, value) in table {
        let id: &str = key.get_ref();
        let at = key.span().start;
        check_id(reader, id, at);
        let DeValue::Table(inner) = value.get_ref() else {
            let wanted = "{ name = …, owner = …, domains = […] }";
            let _none: Option<()> = reader.wrong(value, id, wanted, value.get_ref());
            continue;
        };
        reader.keys(inner, SERVICE_KEYS, at);
        let name = plain(reader, inner, "name");
        let owner = plain(reader, inner, "owner");
        let mut domains = domains(reader, inner, "domains", false);
        domains.extend(self::domains(reader, inner, "exact", true));
        if inner.get("domains").is_none() && inner.get("exact").is_none() {
            reader.error(at, format!("\"{id}\" has no domain; name at least one"));
        }
        if domains.len() > SERVICE_DOMAINS_MAX {
            let len = domains.len();
            reader.error(
                at,
                format!("\"{id}\" has {len} domains; at most {SERVICE_DOMAINS_MAX}"),
            );
        }
        if let (Some(name), Some(owner)) = (name, owner) {
            found.push(Found {
                service: Service {
                    id: id.into(),
                    name,
                    owner,
                    category,
                    sanctioned: None,
                },
                at,
                domains,
            });
        }
    }
}

/// Services in order of their ids with their domains; what is there twice is told.
fn arrange(reader: &mut Reader<'_>, mut found: Vec<Found<'_>>) -> (Vec<Service>, Domains) {
    if let Some(first) = found.get(SERVICES_MAX) {
        let message = format!("more than {SERVICES_MAX} services; leave some out");
        reader.error(first.at, message);
    }
    found.sort_by(|a, b| (&a.service.id, a.at).cmp(&(&b.service.id, b.at)));
    for pair in found.windows(2) {
        if let [first, second] = pair
            && first.service.id == second.service.id
        {
            let (id, line) = (&second.service.id, reader.line(first.at));
            reader.error(
                second.at,
                format!("\"{id}\" is there already in line {line}; leave one out"),
            );
        }
    }
    let mut domains = Domains::default();
    for (place, one) in found.iter().enumerate() {
        for (text, exact) in &one.domains {
            let domain = Domain {
                text: text.text.into(),
                exact: *exact,
                service: ix(place),
            };
            if let Err(other) = domains.add(domain) {
                let owner = found.iter().enumerate().find(|(at, _)| ix(*at) == other);
                let owner = owner.map_or("another", |(_, other)| &other.service.id);
                let message = format!(
                    "\"{}\" belongs to \"{owner}\" already; leave one out",
                    text.text
                );
                reader.error(text.span.start, message);
            }
        }
    }
    let services = found.into_iter().map(|one| one.service).collect();
    (services, domains)
}

fn check_id(reader: &mut Reader<'_>, id: &str, at: usize) {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let shown = id.escape_debug();
    if id.is_empty() || id.len() > ID_LEN_MAX || !id.chars().all(fine) {
        let message = format!(
            "an id is 1 to {ID_LEN_MAX} small letters, digits and dashes; found \"{shown}\""
        );
        reader.error(at, message);
    } else if category(id).is_some() {
        let message = format!("\"{shown}\" is a category; give the service another id");
        reader.error(at, message);
    }
}

/// A text of a few words.
fn plain(reader: &mut Reader<'_>, table: &DeTable<'_>, key: &str) -> Option<String> {
    let found = reader.string(table, key)?;
    let text = found.text.trim();
    let count = text.chars().count();
    if count == 0 || count > TEXT_CHARS_MAX || text.chars().any(crate::types::is_hostile) {
        let message = format!("{key} is a text of 1 to {TEXT_CHARS_MAX} characters");
        reader.error(found.span.start, message);
        return None;
    }
    Some(text.to_owned())
}

/// The domains at `key`, each with whether it is exact.
fn domains<'t>(
    reader: &mut Reader<'_>,
    table: &'t DeTable<'_>,
    key: &str,
    exact: bool,
) -> Vec<(Str<'t>, bool)> {
    let Some(value) = table.get(key) else {
        return Vec::new();
    };
    let DeValue::Array(items) = value.get_ref() else {
        let _none: Option<()> = reader.wrong(value, key, "a list of texts", value.get_ref());
        return Vec::new();
    };
    if items.is_empty() {
        let at = value.span().start;
        reader.error(
            at,
            format!("{key} is an empty list; name a host, or leave it out"),
        );
    }
    let mut found = Vec::new();
    for item in items {
        if let Some(domain) = reader.as_string(item, key) {
            if let Some(why) = wrong_domain(domain.text) {
                let text = domain.text.escape_debug();
                reader.error(domain.span.start, format!("{key}: \"{text}\" {why}"));
            }
            found.push((domain, exact));
        }
    }
    found
}

/// What is wrong with a domain, if anything is.
fn wrong_domain(text: &str) -> Option<String> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let label =
        |label: &str| !label.is_empty() && label.len() <= LABEL_LEN_MAX && label.chars().all(fine);
    let labels = text.split('.').count();
    if text.starts_with("*.") {
        return Some("has a star; names below a domain are meant without it".to_owned());
    }
    if text.len() > NAME_LEN_MAX || !text.split('.').all(label) {
        let why = "is no host name; write small letters, digits, dashes and dots (xn-- for others)";
        return Some(why.to_owned());
    }
    if !(2..=LABELS_MAX).contains(&labels) {
        return Some(format!(
            "has {labels} labels; a domain has 2 to {LABELS_MAX}"
        ));
    }
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_address = last.chars().all(|c| c.is_ascii_digit());
    is_address.then(|| "is an address; only names are matched".to_owned())
}
