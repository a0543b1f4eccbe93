//! Ids for people: base32 without letters that look alike.
//!
//! Standard: Crockford's base32, upper case.

/// The first `digits` base32 digits of `bytes`; `0` stands where the bytes end.
#[must_use]
pub fn base32(bytes: &[u8], digits: usize) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bit = |n: usize| {
        bytes.get(n / 8).map_or(0, |byte| {
            byte.checked_shr(7 - u32::try_from(n % 8).unwrap_or(0))
                .unwrap_or(0)
                & 1
        })
    };
    (0..digits)
        .map(|digit| {
            let value = (0..5).fold(0_u8, |value, n| value << 1 | bit(digit * 5 + n));
            DIGITS
                .get(usize::from(value))
                .map_or('0', |c| char::from(*c))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::base32;

    #[test]
    fn writes_five_bits_a_digit() {
        // 0b11111_00000_00001_0 -> Z, 0, 1
        assert_eq!(base32(&[0b1111_1000, 0b0000_0010], 3), "Z01");
        assert_eq!(base32(&[0xff], 2), "ZW");
    }
}
