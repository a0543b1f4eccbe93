//! Numbers and IPv4 addresses as ASCII, several digits at a time in one machine word.
//!
//! A piece is laid into a word whose lowest byte is its first character, put behind the text whole and
//! cut to its length: copies of a fixed length need no call.

/// ASCII of eight zeroes.
const ZEROES: u64 = 0x3030_3030_3030_3030;
/// 10^8, one more than eight digits hold.
const EIGHT: u64 = 100_000_000;

/// The eight decimal digits of a number below 10^8, leading zeroes included, first digit lowest.
#[inline]
fn eight(value: u64) -> u64 {
    // Two lanes of four digits, four of two, eight of one; each step divides by multiplying, with a
    // factor that is exact for every value of its lane.
    let (upper, lower) = (value / 10_000, value % 10_000);
    let fours = upper | lower.wrapping_shl(32);
    let top = fours.wrapping_mul(10_486).wrapping_shr(20) & 0x0000_007f_0000_007f;
    let twos = top | fours.wrapping_sub(top.wrapping_mul(100)).wrapping_shl(16);
    let top = twos.wrapping_mul(103).wrapping_shr(10) & 0x000f_000f_000f_000f;
    let ones = top | twos.wrapping_sub(top.wrapping_mul(10)).wrapping_shl(8);
    ones | ZEROES
}

/// Puts the first `len` bytes of `word` behind `out`.
#[inline]
fn put(out: &mut Vec<u8>, word: u64, len: u32) {
    let end = out.len().saturating_add(usize::try_from(len).unwrap_or(0));
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

/// Appends a number.
#[inline]
pub(super) fn push_number(out: &mut Vec<u8>, value: u64) {
    if value < 10 {
        let [digit, ..] = value.to_le_bytes();
        return out.push(b'0' | digit);
    }
    if value < EIGHT {
        return push_short(out, value);
    }
    let (upper, lower) = (value / EIGHT, value % EIGHT);
    if upper < EIGHT {
        push_short(out, upper);
    } else {
        push_short(out, upper / EIGHT);
        put(out, eight(upper % EIGHT), 8);
    }
    put(out, eight(lower), 8);
}

/// Appends a number below 10^8 without leading zeroes.
#[inline]
fn push_short(out: &mut Vec<u8>, value: u64) {
    let word = eight(value);
    // Leading zeroes are zero bytes once the digits' common bits are taken off; one digit stays.
    let digits = (word ^ ZEROES) | 1u64.wrapping_shl(56);
    let skip = digits.trailing_zeros() & !7;
    put(out, word.wrapping_shr(skip), 8u32.wrapping_sub(skip / 8));
}

/// Appends a point and the six digits of a number below a million.
#[inline]
pub(super) fn push_micros(out: &mut Vec<u8>, value: u64) {
    // Of eight digits the first two are zeroes: one makes way, the other becomes the point.
    let word = eight(value).wrapping_shr(8) & !0xff | u64::from(b'.');
    put(out, word, 7);
}

/// An octet's digits with a point behind them, first character lowest.
const OCTETS: [u32; 256] = octets();

const fn octets() -> [u32; 256] {
    let mut all = [0; 256];
    let mut octet = 0u32;
    while octet < 256 {
        let (hundreds, tens, ones) = (octet / 100, octet / 10 % 10, octet % 10);
        let mut word = (ones | 0x30) | 0x2e00;
        if octet >= 10 {
            word = (word << 8) | (tens | 0x30);
        }
        if octet >= 100 {
            word = (word << 8) | (hundreds | 0x30);
        }
        all[octet as usize] = word;
        octet += 1;
    }
    all
}

/// An IPv4 address with a point behind it, first character lowest, and its length in bits.
#[inline]
fn dotted(octets: [u8; 4]) -> (u128, u32) {
    let (mut text, mut bits) = (0u128, 0u32);
    for octet in octets {
        let word = OCTETS.get(usize::from(octet)).copied().unwrap_or(0);
        text |= u128::from(word).wrapping_shl(bits);
        bits = bits
            .wrapping_add(32)
            .wrapping_sub(word.leading_zeros() & !7);
    }
    (text, bits)
}

/// Appends an IPv4 address and `after`.
#[inline]
pub(super) fn push_ipv4(out: &mut Vec<u8>, octets: [u8; 4], after: u8) {
    let (mut text, bits) = dotted(octets);
    // The last point becomes what is to come behind.
    text ^= u128::from(b'.' ^ after).wrapping_shl(bits.wrapping_sub(8));
    let end = out
        .len()
        .saturating_add(usize::try_from(bits / 8).unwrap_or(0));
    out.extend_from_slice(&text.to_le_bytes());
    out.truncate(end);
}

/// Lends an IPv4 address as text to `take`.
#[inline]
pub(super) fn with_ipv4<T>(octets: [u8; 4], take: impl FnOnce(&str) -> T) -> T {
    let (text, bits) = dotted(octets);
    let len = usize::try_from(bits / 8).unwrap_or(0).saturating_sub(1);
    let bytes = text.to_le_bytes();
    let text = bytes.get(..len).unwrap_or_default();
    take(std::str::from_utf8(text).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b">".to_vec();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// Every value of a lane of four digits, in either lane; every length of number; the widest.
    #[test]
    fn numbers_read_as_the_standard_library_writes_them() {
        let lanes = (0..10_000).flat_map(|n| [n, n * 10_000, n * 10_000 + 9_999 - n]);
        let powers = (0..20).map(|n| 10u64.pow(n));
        let edges = powers.flat_map(|n| [n - 1, n, n + 1, n.saturating_mul(7) / 3]);
        for n in lanes.chain(edges).chain([u64::MAX, u64::MAX - 1]) {
            assert_eq!(text(|out| push_number(out, n)), format!(">{n}"));
        }
        for n in (0..1_000_000).step_by(7).chain([0, 1, 999_999, 100_000]) {
            assert_eq!(text(|out| push_micros(out, n)), format!(">.{n:06}"));
        }
    }

    /// Every octet in every place.
    #[test]
    fn addresses_read_as_the_standard_library_writes_them() {
        for octet in 0..=255u8 {
            for place in 0..4 {
                let mut octets = [1, 20, 255, 0];
                octets[place] = octet;
                let expected = format!(">{}\"", std::net::Ipv4Addr::from(octets));
                assert_eq!(text(|out| push_ipv4(out, octets, b'"')), expected);
                let lent = with_ipv4(octets, |text| format!(">{text}\""));
                assert_eq!(lent, expected);
            }
        }
    }
}
