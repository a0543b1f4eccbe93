//! The catalogue: services by the names they are reached by.
//!
//! Matching: a domain stands for itself and for all names below it, an exact one for itself alone; the longest
//!           that fits wins. Capitals do not matter, nor does a dot at the end (RFC 1034 §3.1).
//! Cost:     one walk over a name from its end with a look-up at each of at most eight dots; no allocation.

use std::sync::Arc;

use super::read;
use crate::model::{ModelError, did_you_mean};
use crate::types::{Map, Seed};

/// Most labels of a domain: what stands before them in a name does not matter.
pub(super) const LABELS_MAX: usize = 8;
/// Longest name (RFC 1035 §2.3.4).
pub(super) const NAME_LEN_MAX: usize = 255;
/// Domains of all services together.
const DOMAINS_MAX: usize = 1 << 20;

/// What a service is for, each with what belongs there.
pub const CATEGORIES: &[(&str, &str)] = &[
    ("ads", "advertising and its measurement"),
    ("ai", "assistants and models that are given texts"),
    ("analytics", "how people use sites and programs"),
    ("backup", "copies of whole machines"),
    ("cdn", "delivery of others' content"),
    ("chat", "messages between people and teams"),
    ("code", "source, packages, builds"),
    ("crm", "customers, sales, support, marketing"),
    ("design", "pictures, drawings, prototypes"),
    ("dns", "resolvers, over HTTPS too"),
    ("finance", "accounting, tax, banking"),
    ("hosting", "computers and web space for rent"),
    ("hr", "people, pay, applications"),
    ("identity", "sign-in and directories"),
    ("legal", "contracts and signatures"),
    ("mail", "mail and newsletters"),
    ("media", "music, films, games"),
    ("meeting", "calls and conferences"),
    ("office", "documents, suites, notes"),
    ("paste", "pages anybody may put text on"),
    ("payment", "money from customers"),
    ("project", "tasks, tickets, plans, forms"),
    ("remote-access", "control of a machine from outside"),
    ("search", "search and maps"),
    ("security", "protection and its reports"),
    ("social", "networks of people"),
    ("storage", "files kept or handed over"),
    ("telemetry", "what programs and devices report home"),
    ("update", "new versions of systems and programs"),
    ("vpn", "tunnels to elsewhere"),
];

/// A service's place in the catalogue. Never written out: its order is that of the ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceIx(u16);

impl ServiceIx {
    fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its id: small letters, digits, dashes.
    pub id: Arc<str>,
    /// What people call it.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// One of [`CATEGORIES`].
    pub category: &'static str,
    /// What the site says of it; nothing if it has not said.
    pub sanctioned: Option<bool>,
}

/// A domain as the file has it.
#[derive(Clone, Debug)]
pub(super) struct Domain {
    /// Small letters, no dot at either end.
    pub(super) text: Box<str>,
    /// Whether names below it are not meant.
    pub(super) exact: bool,
    /// Whose it is.
    pub(super) service: ServiceIx,
}

/// A word of the site's that is neither a service nor a category, or is said twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongWord {
    /// The word.
    pub word: String,
    /// What is wrong with it, and the remedy.
    pub text: String,
}

/// See the module. Cheap to clone: copies share what was read.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    services: Arc<[Service]>,
    domains: Arc<Domains>,
    hash: Arc<str>,
}

/// Domains, and where each stands.
#[derive(Debug)]
pub(super) struct Domains {
    all: Vec<Domain>,
    /// By [`Backwards`] of the whole domain.
    places: Map<u64, usize>,
}

impl Default for Domains {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            // What stands in it comes from a file of the site's own: nobody outside picks the keys.
            places: Map::new(DOMAINS_MAX, Seed(0)),
        }
    }
}

impl Domains {
    /// Adds a domain; the one that is there already, if it is.
    pub(super) fn add(&mut self, domain: Domain) -> Result<(), ServiceIx> {
        let mut hash = Backwards::new();
        for byte in domain.text.bytes().rev() {
            hash.add(byte);
        }
        if let Some(at) = self.places.get(&hash.0) {
            return Err(self.all.get(*at).map_or(domain.service, |old| old.service));
        }
        self.places.insert(hash.0, self.all.len());
        self.all.push(domain);
        Ok(())
    }

    /// The domain of this hash and text.
    fn get(&self, hash: Backwards, text: &[u8]) -> Option<&Domain> {
        let domain = self.all.get(*self.places.get(&hash.0)?)?;
        text.eq_ignore_ascii_case(domain.text.as_bytes())
            .then_some(domain)
    }
}

/// A hash over bytes from the last to the first (FNV-1a, 64 bits), so that each suffix has its own on the way.
#[derive(Clone, Copy, Debug)]
struct Backwards(u64);

impl Backwards {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    const fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ byte as u64).wrapping_mul(0x0100_0000_01b3);
    }
}

impl Catalogue {
    /// Reads a catalogue: TOML, a table for each category, in it a key for each service.
    ///
    /// # Errors
    /// All mistakes of the text, each with its line.
    pub fn load(path: &str, text: &str) -> Result<Self, Vec<ModelError>> {
        let (services, domains) = read::read(path, text)?;
        Ok(Self {
            services: services.into(),
            domains: Arc::new(domains),
            hash: blake3::hash(text.as_bytes()).to_hex().as_str().into(),
        })
    }

    /// BLAKE3 of the text it was read from; empty if there is none.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// How many services.
    #[must_use]
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// All services, in order of their ids.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The service at `ix`.
    #[must_use]
    pub fn get(&self, ix: ServiceIx) -> Option<&Service> {
        self.services.get(ix.index())
    }

    /// The service of this id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<ServiceIx> {
        let at = self.services.binary_search_by(|s| (*s.id).cmp(id)).ok()?;
        Some(ix(at))
    }

    /// The service that a host name belongs to.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ServiceIx> {
        let name = name.as_bytes();
        let name = name.strip_suffix(b".").unwrap_or(name);
        if name.len() > NAME_LEN_MAX {
            return None;
        }
        let (mut hash, mut labels, mut found) = (Backwards::new(), 0, None);
        for (at, byte) in name.iter().enumerate().rev() {
            if *byte == b'.' {
                labels += 1;
                // No domain is a top-level one.
                if labels > 1 {
                    let below = name.get(at.saturating_add(1)..).unwrap_or_default();
                    let domain = self.domains.get(hash, below);
                    found = domain.filter(|domain| !domain.exact).or(found);
                }
                if labels == LABELS_MAX {
                    return found.map(|domain| domain.service);
                }
            }
            hash.add(byte.to_ascii_lowercase());
        }
        let whole = self.domains.get(hash, name).or(found);
        whole.map(|domain| domain.service)
    }

    /// The same catalogue with what the site says: ids or categories that are sanctioned, and that are not.
    /// What is said of a service goes before what is said of its category.
    ///
    /// # Errors
    /// Words that are neither, or that are said twice.
    pub fn judged(&self, yes: &[&str], no: &[&str]) -> Result<Self, Vec<WrongWord>> {
        let mut services = self.services.to_vec();
        let mut wrong = Vec::new();
        let said = || {
            yes.iter()
                .map(|w| (*w, true))
                .chain(no.iter().map(|w| (*w, false)))
        };
        for (place, (word, _)) in said().enumerate() {
            let text = if said().take(place).any(|(before, _)| before == word) {
                "said twice; say of each service or category once whether it is sanctioned"
                    .to_owned()
            } else if self.knows(word) {
                continue;
            } else {
                self.unknown(word)
            };
            wrong.push(WrongWord {
                word: word.to_owned(),
                text,
            });
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        for service in &mut services {
            let of = |name: &str| said().find(|(word, _)| *word == name).map(|(_, yes)| yes);
            service.sanctioned = of(&service.id).or_else(|| of(service.category));
        }
        Ok(Self {
            services: services.into(),
            ..self.clone()
        })
    }

    fn knows(&self, word: &str) -> bool {
        self.by_id(word).is_some() || CATEGORIES.iter().any(|(category, _)| *category == word)
    }

    /// What to say of a word that nothing is called by.
    fn unknown(&self, word: &str) -> String {
        let ids = self.services.iter().map(|service| &*service.id);
        let categories = CATEGORIES.iter().map(|(category, _)| *category);
        let hint = did_you_mean(word, ids.chain(categories.clone()));
        if hint.is_empty() {
            let all: Vec<&str> = categories.collect();
            let all = all.join(", ");
            return format!(
                "no service or category of this name; write a service's id, or one of {all}"
            );
        }
        format!("no service or category of this name{hint}")
    }
}

/// The place `at` in a catalogue, which has fewer than 65,536 services.
pub(super) fn ix(at: usize) -> ServiceIx {
    ServiceIx(u16::try_from(at).unwrap_or(u16::MAX))
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
