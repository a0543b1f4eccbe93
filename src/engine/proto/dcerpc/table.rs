//! Names of interfaces and of their operations.
//!
//! Source: the interface definitions in Microsoft's open specifications (\[MS-SAMR\], \[MS-SCMR\] …), C706 and, for
//!         PROFINET, IEC 61158-6-10; names of fact, written down in `interfaces.txt`.
//! Form:   `interfaces.txt` has a line `UUID name` per interface, sorted, then lines that begin with a
//!         tab and hold its operations in the order of their numbers; `-` where there is none.

use std::sync::LazyLock;

use crate::types::Text;

/// See the module.
static TABLE: &str = include_str!("interfaces.txt");

/// Characters of a UUID as text.
const UUID_LEN: usize = 36;

/// An interface that the table knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// What the endpoint is called.
    pub(super) name: &'static str,
    operations: &'static str,
}

impl Known {
    /// The name of the operation with this number.
    pub(super) fn operation(&self, number: u16) -> Option<&'static str> {
        self.operations
            .split_ascii_whitespace()
            .nth(usize::from(number))
            .filter(|name| *name != "-")
    }
}

/// The interfaces in ascending order of their UUIDs.
static KNOWN: LazyLock<Vec<(u128, Known)>> = LazyLock::new(|| {
    let head = |line: &&str| !line.starts_with('\t');
    let known = |line: &'static str| {
        let (uuid, name) = line.split_once(' ')?;
        // What follows the line, up to the next interface, are its operations.
        let at = line.as_ptr().addr().wrapping_sub(TABLE.as_ptr().addr());
        let behind = TABLE.get(at.checked_add(line.len())?..)?;
        let mut ends = memchr::memchr_iter(b'\n', behind.as_bytes());
        let end = ends.find(|end| behind.as_bytes().get(end.wrapping_add(1)) != Some(&b'\t'));
        let operations = behind.get(..end.unwrap_or(behind.len()))?;
        Some((parsed(uuid)?, Known { name, operations }))
    };
    TABLE.lines().filter(head).filter_map(known).collect()
});

/// What the table says of an interface.
pub(super) fn find(uuid: u128) -> Option<Known> {
    let at = KNOWN.binary_search_by_key(&uuid, |(uuid, _)| *uuid).ok()?;
    KNOWN.get(at).map(|(_, known)| *known)
}

/// The interface that the table calls `name`, as pipes are called after what they carry.
pub(super) fn named(name: &str) -> Option<u128> {
    let mut known = KNOWN.iter();
    let (uuid, _) = known.find(|(_, known)| known.name.eq_ignore_ascii_case(name))?;
    Some(*uuid)
}

/// A UUID as it is written.
pub(super) fn text(uuid: u128) -> Text {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS.get(usize::from(half)).copied().unwrap_or(b'0'));
    let mut out = String::with_capacity(UUID_LEN);
    for (index, byte) in uuid.to_be_bytes().into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out.push(digit(byte >> 4));
        out.push(digit(byte & 0xf));
    }
    out.into()
}

/// The number of a written UUID.
fn parsed(text: &str) -> Option<u128> {
    let hex: String = text.chars().filter(|digit| *digit != '-').collect();
    u128::from_str_radix(&hex, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_is_found_and_the_table_is_sorted() {
        let heads: Vec<&str> = TABLE
            .lines()
            .filter(|line| !line.starts_with('\t'))
            .collect();
        assert!(heads.len() > 90 && heads.is_sorted());
        for head in heads {
            let (uuid, name) = head.split_once(' ').unwrap();
            let number = parsed(uuid).unwrap();
            assert_eq!(text(number), uuid);
            assert_eq!(find(number).map(|known| known.name), Some(name), "{uuid}");
        }
        for absent in [0, 1, u128::MAX, 0x8000 << 112] {
            assert_eq!(find(absent), None);
        }
    }

    /// Numbers as the specifications list them: \[MS-SCMR\] 3.1.4.12, \[MS-TSCH\] 3.2.5.4.2,
    /// \[MS-DRSR\] 4.1.10, \[MS-EFSR\] 3.1.4.2.1, \[MS-NRPC\] 3.5.4.4.2, \[MS-LSAD\] 3.1.4.6.6, \[MS-RPRN\]
    /// 3.1.4.10.4, \[MS-PAR\] 3.1.4.2.2, \[MS-RRP\] 3.1.5.22, \[MS-SAMR\] 3.1.5.1.1, \[MS-WMI\] 3.1.4.3.22.
    #[test]
    fn operations_have_the_numbers_of_the_specifications() {
        for (uuid, number, name) in [
            (
                "367abb81-9844-35f1-ad32-98f038001003",
                12,
                "RCreateServiceW",
            ),
            (
                "86d35949-83c9-4044-b424-db363231fd0c",
                1,
                "SchRpcRegisterTask",
            ),
            ("e3514235-4b06-11d1-ab04-00c04fc2dcd2", 3, "DRSGetNCChanges"),
            (
                "c681d488-d850-11d0-8c52-00c04fd90f7e",
                0,
                "EfsRpcOpenFileRaw",
            ),
            (
                "df1941c5-fe89-4e79-bf10-463657acf44d",
                4,
                "EfsRpcEncryptFileSrv",
            ),
            (
                "12345678-1234-abcd-ef00-01234567cffb",
                26,
                "NetrServerAuthenticate3",
            ),
            (
                "12345778-1234-abcd-ef00-0123456789ab",
                43,
                "LsarRetrievePrivateData",
            ),
            (
                "12345778-1234-abcd-ef00-0123456789ab",
                130,
                "LsarOpenPolicyWithCreds",
            ),
            (
                "12345678-1234-abcd-ef00-0123456789ab",
                65,
                "RpcRemoteFindFirstPrinterChangeNotificationEx",
            ),
            (
                "76f03f96-cdfd-44fc-a22c-64950a001209",
                39,
                "RpcAsyncAddPrinterDriver",
            ),
            (
                "338cd001-2244-31f1-aaaa-900038001003",
                31,
                "BaseRegSaveKeyEx",
            ),
            ("12345778-1234-abcd-ef00-0123456789ac", 64, "SamrConnect5"),
            ("9556dc99-828c-11cf-a37e-00aa003240c7", 24, "ExecMethod"),
        ] {
            let known = find(parsed(uuid).unwrap()).unwrap();
            assert_eq!(known.operation(number), Some(name));
            assert_eq!(known.operation(u16::MAX), None);
        }
        // Number 4 of the account database is not used on the wire.
        let samr = find(named("samr").unwrap()).unwrap();
        assert_eq!((samr.name, samr.operation(4)), ("samr", None));
        assert_eq!(named("no such pipe"), None);
    }
}
