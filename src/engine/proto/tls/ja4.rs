//! JA4: a fingerprint of what a TLS client offers, whatever order it offers it in.
//!
//! Source: FoxIO's published JA4 definition (`technical_details/JA4.md`, BSD 3-clause).
//! Output: `a_b_c`, 36 characters: a in clear, b over the ciphers, c over extensions and signature
//!         algorithms; b and c are the first 12 hex digits of a SHA-256.
//! Not done: JA4S and the other JA4+ methods, whose licence does not go with this project's.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::hello::{ClientHelloView, extension};

/// Hex digits kept of each hash.
const HASH_LEN: usize = 12;
/// Room for the text that is hashed: what a browser offers fits.
const TEXT_LEN: usize = 256;
/// What stands for the hash of nothing.
const EMPTY: &str = "000000000000";

/// The JA4 of a hello; `transport` is `t` for TCP, `q` for QUIC, `d` for DTLS.
#[must_use]
pub fn ja4(hello: &ClientHelloView<'_>, transport: char) -> String {
    let mut ciphers: Vec<u16> = hello.ciphers().collect();
    ciphers.sort_unstable();
    let mut numbers: Vec<u16> = hello.extensions().map(|(number, _)| number).collect();
    let extension_count = numbers.len();
    let named = numbers.contains(&extension::SERVER_NAME);
    numbers.retain(|n| !matches!(*n, extension::SERVER_NAME | extension::ALPN));
    numbers.sort_unstable();

    let mut out = String::with_capacity(36);
    out.push(transport);
    out.push_str(version(hello.version()));
    out.push(if named { 'd' } else { 'i' });
    let counts = [ciphers.len(), extension_count].map(|count| count.min(99));
    for count in counts {
        let _infallible = write!(out, "{count:02}");
    }
    for character in alpn(hello.alpn().next()) {
        out.push(character);
    }
    out.push('_');
    if ciphers.is_empty() {
        out.push_str(EMPTY);
    } else {
        let mut text = String::with_capacity(TEXT_LEN);
        list(&mut text, ciphers.iter().copied());
        finish(&text, &mut out);
    }
    out.push('_');
    if numbers.is_empty() {
        out.push_str(EMPTY);
    } else {
        let mut text = String::with_capacity(TEXT_LEN);
        list(&mut text, numbers.iter().copied());
        let mut algorithms = hello.signature_algorithms().peekable();
        if algorithms.peek().is_some() {
            text.push('_');
            list(&mut text, algorithms);
        }
        finish(&text, &mut out);
    }
    out
}

/// Two characters for a version; `00` if it has none.
fn version(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// First and last character of the first protocol offered; the outer hex digits of its outer bytes if
/// one of them is no letter or digit.
fn alpn(name: Option<&[u8]>) -> [char; 2] {
    let Some((first, last)) = name.and_then(|n| Some((*n.first()?, *n.last()?))) else {
        return ['0', '0'];
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(first), char::from(last)];
    }
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    [digit(first >> 4), digit(last & 0x0f)]
}

/// Writes four hex digits a number, with commas between.
fn list(out: &mut String, numbers: impl Iterator<Item = u16>) {
    for (index, number) in numbers.enumerate() {
        if index > 0 {
            out.push(',');
        }
        for byte in number.to_be_bytes() {
            push_hex(byte, out);
        }
    }
}

/// Writes the beginning of the text's hash in hex.
fn finish(text: &str, out: &mut String) {
    for byte in Sha256::digest(text).iter().take(HASH_LEN / 2) {
        push_hex(*byte, out);
    }
}

fn push_hex(byte: u8, out: &mut String) {
    for nibble in [byte >> 4, byte & 0x0f] {
        out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::super::hello::client_hello;
    use super::super::tests::{RFC8448_CLIENT_HELLO, hello, unhex};
    use super::*;

    /// Extension of 16-bit numbers behind a 16-bit length.
    fn list16(numbers: &[u16]) -> Vec<u8> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
        let len = u16::try_from(bytes.len()).unwrap();
        [&len.to_be_bytes()[..], &bytes].concat()
    }

    fn of(ciphers: &[u16], extensions: &[(u16, Vec<u8>)]) -> String {
        ja4(&client_hello(&hello(ciphers, extensions)).unwrap(), 't')
    }

    /// The example of FoxIO's definition, a Chrome with GREASE, here in shuffled order.
    #[test]
    fn the_published_example() {
        let ciphers = [
            0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
            0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
        ];
        let algorithms = list16(&[
            0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601,
        ]);
        let mut extensions = vec![
            (0x1a1a, vec![]),
            (0x0000, vec![0, 4, 0, 0, 1, b'a']),
            (0x000d, algorithms),
            (0x0010, b"\0\x0c\x02h2\x08http/1.1".to_vec()),
            (0x002b, vec![6, 0xea, 0xea, 3, 4, 3, 3]),
        ];
        let others = [
            0x001b, 0x0033, 0x4469, 0x0017, 0x002d, 0x0005, 0x0023, 0x0012, 0x000b, 0x000a, 0xff01,
            0x0015, 0xbaba,
        ];
        extensions.extend(others.map(|number| (number, vec![])));
        let expected = "t13d1516h2_8daaf6152771_e5627efa2ab1";
        assert_eq!(of(&ciphers, &extensions), expected);
        extensions.reverse();
        assert_eq!(of(&ciphers, &extensions), expected);
    }

    /// Hashes by `printf 1301,1302,1303 | sha256sum` and so on, by hand from the RFC's bytes.
    #[test]
    fn the_client_of_rfc_8448() {
        let bytes = unhex(RFC8448_CLIENT_HELLO);
        let hello = client_hello(&bytes[4..]).unwrap();
        assert_eq!(ja4(&hello, 't'), "t13d030900_55b375c5d22e_59cd3dafc54d");
        assert!(ja4(&hello, 'q').starts_with("q13d"));
    }

    #[test]
    fn nothing_offered_is_zeroes() {
        assert_eq!(of(&[], &[]), "t12i000000_000000000000_000000000000");
        let only_name = [(0, vec![])];
        assert_eq!(of(&[], &only_name), "t12d000100_000000000000_000000000000");
    }

    #[test]
    fn counts_stop_at_99() {
        let many: Vec<u16> = (1..=300).collect();
        assert!(of(&many, &[]).starts_with("t12i990000_"));
    }

    #[test]
    fn protocol_names_that_are_no_text_go_by_their_outer_digits() {
        assert_eq!(alpn(Some(b"h2")), ['h', '2']);
        assert_eq!(alpn(Some(b"http/1.1")), ['h', '1']);
        assert_eq!(alpn(Some(b"x")), ['x', 'x']);
        // The definition's own table: ab → "ab", 20 61 → "21", 30 31 ab cd → "3d", ab → "ab".
        assert_eq!(alpn(Some(&[0xab])), ['a', 'b']);
        assert_eq!(alpn(Some(&[0x20, 0x61])), ['2', '1']);
        assert_eq!(alpn(Some(&[0x30, 0x31, 0xab, 0xcd])), ['3', 'd']);
        assert_eq!(alpn(None), ['0', '0']);
    }
}
