//! The table of evidence: what each kind says of a device, and how strongly.
//!
//! Source: our own observations and the makers' public documents; one row a fact, in `evidence.tsv`, whose head
//!         says what the columns mean.

use std::sync::OnceLock;

use memchr::memmem::Finder;

/// Lines of five columns; lines with `#` in front are for the reader.
static TEXT: &str = include_str!("evidence.tsv");

/// What a row says something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// What kind of thing it is.
    Kind,
    /// What it runs.
    Os,
    /// What it does for others.
    Role,
}

/// One row.
#[derive(Debug)]
pub(super) struct Row {
    source: &'static str,
    at_begin: bool,
    at_end: bool,
    text: &'static str,
    finder: Finder<'static>,
    pub(super) about: About,
    pub(super) value: &'static str,
    /// Tenths of a power of ten of odds.
    pub(super) weight: i32,
}

impl Row {
    pub(super) fn source(&self) -> &'static str {
        self.source
    }

    fn read(line: &'static str) -> Option<Self> {
        let mut cells = line.split('\t');
        let (source, pattern) = (cells.next()?, cells.next()?);
        let (about, value, weight) = (cells.next()?, cells.next()?, cells.next()?);
        let text = pattern.strip_prefix('^').unwrap_or(pattern);
        let bare = text.strip_suffix('$').unwrap_or(text);
        let about = match about {
            "kind" => About::Kind,
            "os" => About::Os,
            "role" => About::Role,
            _ => return None,
        };
        let row = Self {
            source,
            at_begin: text.len() < pattern.len(),
            at_end: bare.len() < text.len(),
            text: bare,
            finder: Finder::new(bare),
            about,
            value,
            weight: weight.parse().ok()?,
        };
        (cells.next().is_none() && !bare.is_empty()).then_some(row)
    }

    /// Where in `evidence`, which is in small letters, the pattern ends; none if it is not there.
    pub(super) fn find(&self, evidence: &str) -> Option<usize> {
        let (text, bytes) = (self.text, evidence.as_bytes());
        // Most rows are told by their first letter.
        if self.at_begin && bytes.first() != text.as_bytes().first() {
            return None;
        }
        let at = match (self.at_begin, self.at_end) {
            (true, true) => (evidence == text).then_some(0),
            (true, false) => evidence.starts_with(text).then_some(0),
            (false, true) => evidence.strip_suffix(text).map(str::len),
            (false, false) => self.finder.find(bytes),
        };
        Some(at?.saturating_add(text.len()))
    }
}

#[derive(Debug)]
struct Table {
    /// By source.
    rows: Vec<Row>,
    /// Domains that say something of who asks for them, in order, and a bit for each of them.
    asked: Vec<&'static str>,
    filter: [u64; 4],
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let lines = TEXT.lines().filter(|line| !line.starts_with('#'));
        let mut rows: Vec<Row> = lines.filter_map(Row::read).collect();
        rows.sort_by_key(|row| row.source);
        let asks = rows.iter().filter(|row| row.source == ASKS);
        let mut asked: Vec<_> = asks.map(|row| row.text).collect();
        asked.sort_unstable();
        asked.dedup();
        let mut filter = [0; 4];
        for (word, mask) in asked.iter().map(|known| bit(known)) {
            if let Some(word) = filter.get_mut(word) {
                *word |= mask;
            }
        }
        Table {
            rows,
            asked,
            filter,
        }
    })
}

/// Reads the table, which is otherwise read when it is first asked.
pub(super) fn prepare() {
    table();
}

/// Source of the rows on names asked for.
pub(super) const ASKS: &str = "dns query";
/// How the claim begins that a name was asked for.
pub(super) const ASKED: &str = "asks for ";

/// The rows on one kind of evidence.
pub(super) fn rows(source: &str) -> &'static [Row] {
    let rows = &table().rows;
    let begin = rows.partition_point(|row| row.source < source);
    let rest = rows.get(begin..).unwrap_or_default();
    let len = rest.partition_point(|row| row.source == source);
    rest.get(..len).unwrap_or_default()
}

/// Word and bit of a domain in the filter, in letters of either size: its length and its first letters.
fn bit(domain: &str) -> (usize, u64) {
    let mut letters = domain.bytes().map(|byte| usize::from(byte | 0x20));
    let mut next = || letters.next().unwrap_or(0);
    let (first, second) = (next(), next());
    let sum = first.wrapping_mul(37).wrapping_add(second.wrapping_mul(11));
    let hash = sum.wrapping_add(domain.len().wrapping_mul(5));
    (hash / 64 % 4, 1 << (hash % 64))
}

/// The domain of the table that `name` lies in.
pub(super) fn asked(name: &str) -> Option<&'static str> {
    let Table { asked, filter, .. } = table();
    let mut rest = name.trim_end_matches('.');
    loop {
        let by = |known: &&str| {
            let letters = rest.bytes().map(|byte| byte.to_ascii_lowercase());
            known.bytes().cmp(letters)
        };
        // Length and first letters tell that most names are not there.
        let (word, mask) = bit(rest);
        if filter.get(word).is_some_and(|word| word & mask != 0)
            && let Ok(at) = asked.binary_search_by(by)
        {
            return asked.get(at).copied();
        }
        (_, rest) = rest.split_once('.')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_can_be_found() {
        for line in TEXT.lines().filter(|line| !line.starts_with('#')) {
            let row = Row::read(line).unwrap_or_else(|| panic!("{line}"));
            assert!(
                rows(row.source).iter().any(|r| r.text == row.text),
                "{line}"
            );
            // Evidence is looked at in small letters.
            assert_eq!(row.text, row.text.to_ascii_lowercase(), "{line}");
            let limit = if row.about == About::Role {
                1..=20
            } else {
                -20..=30
            };
            assert!(limit.contains(&row.weight), "{line}");
        }
        assert!(rows("no such source").is_empty());
    }

    #[test]
    fn a_name_is_looked_up_by_its_ends() {
        assert_eq!(asked("Captive.Apple.com."), Some("captive.apple.com"));
        assert_eq!(asked("frontdoor.nest.com"), Some("nest.com"));
        assert_eq!(asked("honest.com"), None);
        assert_eq!(asked("com"), None);
        assert_eq!(asked(""), None);
    }
}
