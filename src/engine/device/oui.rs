//! Vendor of a hardware address.
//!
//! Source: the IEEE registries MA-L (24 bits), MA-M (28 bits) and MA-S (36 bits) as Debian's
//! `ieee-data` packages them; `packaging/oui/make.py` writes the table.
//! Not done: locally administered addresses name no vendor and are not looked up.

use crate::types::MacAddr;

/// Lines of hex prefix, tab, organisation; sorted, so that a prefix is found by bisection.
static TABLE: &str = include_str!("oui.tsv");

/// Who registered the block that `mac` lies in; the longest block wins.
#[must_use]
pub fn vendor(mac: MacAddr) -> Option<&'static str> {
    if mac.is_local() || !mac.is_station() {
        return None;
    }
    let hex: String = mac.0.iter().map(|byte| format!("{byte:02x}")).collect();
    [9, 7, 6]
        .iter()
        .find_map(|digits| find(hex.get(..*digits)?))
}

/// Bisects the table for a line whose prefix equals `prefix`.
fn find(prefix: &str) -> Option<&'static str> {
    let (mut low, mut high) = (0, TABLE.len());
    while low < high {
        let middle = low.midpoint(high);
        let bytes = TABLE.as_bytes();
        let start = memchr::memrchr(b'\n', bytes.get(..middle)?).map_or(0, |at| at + 1);
        let end = memchr::memchr(b'\n', bytes.get(start..)?).map_or(TABLE.len(), |at| start + at);
        let (key, name) = TABLE.get(start..end)?.split_once('\t')?;
        match key.cmp(prefix) {
            std::cmp::Ordering::Equal => return Some(name),
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_line_of_the_table() {
        for (index, line) in TABLE.lines().enumerate() {
            if index % 97 == 0 {
                let (prefix, name) = line.split_once('\t').unwrap();
                assert_eq!(find(prefix), Some(name), "{prefix}");
            }
        }
        assert_eq!(find("zzzzzz"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn knows_a_vendor_and_asks_none_of_a_made_up_address() {
        // b8:27:eb is the Raspberry Pi Foundation's block in the public registry.
        let name = vendor(MacAddr([0xb8, 0x27, 0xeb, 1, 2, 3])).unwrap();
        assert!(name.starts_with("Raspberry Pi"), "{name}");
        assert_eq!(vendor(MacAddr([0x02, 0x27, 0xeb, 1, 2, 3])), None);
    }
}
