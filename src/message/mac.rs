//! A hardware address.
//!
//! Standard: IEEE 802, EUI-48; written as six lower-case hex pairs with colons.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};

/// An EUI-48 address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// Whether a single station is meant: neither group bit nor all zeroes.
    #[must_use]
    pub const fn is_station(self) -> bool {
        let [first, ..] = self.0;
        first & 1 == 0 && !matches!(self.0, [0, 0, 0, 0, 0, 0])
    }

    /// Whether the address was made up locally and names no vendor.
    #[must_use]
    pub const fn is_local(self) -> bool {
        let [first, ..] = self.0;
        first & 2 != 0
    }
}

impl MacAddr {
    /// What `Display` writes.
    fn text(self) -> [u8; 17] {
        let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
        let mut text = [b':'; 17];
        for (pair, byte) in text.chunks_mut(3).zip(self.0) {
            for (place, half) in pair.iter_mut().zip([byte >> 4, byte & 0xf]) {
                *place = digit(half);
            }
        }
        text
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for MacAddr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.text();
        serializer.serialize_str(str::from_utf8(&text).map_err(S::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for MacAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 6];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| pair.len() == 2);
            *byte = pair
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .ok_or_else(|| D::Error::custom(format!("not a hardware address: {text:?}")))?;
        }
        Ok(Self(bytes))
    }
}
