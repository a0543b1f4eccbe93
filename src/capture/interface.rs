//! A pcapng interface: its link type, and how its times become nanoseconds.
//!
//! Standard: `draft-ietf-opsawg-pcapng`, options `if_tsresol` (9) and `if_tsoffset` (14).
//! Units:    the interface's own in, nanoseconds since the Unix epoch out; what lies outside an
//!           `i64` of those becomes its nearest end.

use pcap_parser::InterfaceDescriptionBlock;
use pcap_parser::pcapng::{OptionCode, PcapNGOption};

use crate::LinkType;

/// What a packet's block leaves to its interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interface {
    pub(crate) link: LinkType,
    pub(crate) snap_len: u32,
    scale: Scale,
    offset_s: i64,
}

impl Interface {
    pub(crate) fn new(description: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Self {
        // The parser reads the offset as little-endian whatever the section says.
        let offset_s = option(description, OptionCode::IfTsoffset)
            .and_then(|value| value.first_chunk().copied())
            .map_or(0, |bytes| {
                if big_endian {
                    i64::from_be_bytes(bytes)
                } else {
                    i64::from_le_bytes(bytes)
                }
            });
        let resolution = option(description, OptionCode::IfTsresol)
            .and_then(|value| value.first().copied())
            .unwrap_or(6);
        let link = u32::try_from(description.linktype.0).unwrap_or(0);
        Self {
            link: LinkType::from_file(link),
            snap_len: description.snaplen,
            scale: Scale::new(resolution),
            offset_s,
        }
    }

    pub(crate) fn ns(&self, time: u64) -> i64 {
        let offset = i128::from(self.offset_s) * 1_000_000_000;
        let ns = offset.saturating_add(self.scale.ns(time));
        i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
    }
}

fn option<'a>(
    description: &'a InterfaceDescriptionBlock<'_>,
    code: OptionCode,
) -> Option<&'a [u8]> {
    let found = description
        .options
        .iter()
        .find(|option| option.code == code);
    found.map(PcapNGOption::value)
}

/// How a time counted in units of an interface becomes nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// Units of 1 ns or longer: 10^-9 … 10^0 s.
    Multiply(u32),
    /// Units shorter than 1 ns: this many to the nanosecond.
    Divide(u64),
    /// Units of 2^-n s.
    Shift(u8),
    /// Units so short that no 64-bit count of them reaches 1 ns.
    Nothing,
}

impl Scale {
    /// From `if_tsresol`: the upper bit says power of two, the lower seven the negative exponent.
    fn new(resolution: u8) -> Self {
        match resolution {
            0..=9 => Self::Multiply(10_u32.pow(9 - u32::from(resolution))),
            10..=28 => Self::Divide(10_u64.pow(u32::from(resolution) - 9)),
            29..=127 => Self::Nothing,
            _ => Self::Shift(resolution & 0x7f),
        }
    }

    fn ns(self, time: u64) -> i128 {
        match self {
            Self::Multiply(factor) => i128::from(time) * i128::from(factor),
            Self::Divide(divisor) => i128::from(time / divisor),
            Self::Shift(bits) => (i128::from(time) * 1_000_000_000) >> bits,
            Self::Nothing => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every resolution there is becomes nanoseconds without overflow.
    #[test]
    fn resolutions() {
        assert_eq!(Scale::new(6).ns(5), 5_000);
        assert_eq!(Scale::new(0).ns(5), 5_000_000_000);
        assert_eq!(Scale::new(12).ns(5_999), 5);
        assert_eq!(Scale::new(0x80 | 1).ns(3), 1_500_000_000);
        for resolution in 0..=255 {
            let scale = Scale::new(resolution);
            let interface = Interface {
                link: LinkType::RAW,
                snap_len: 0,
                scale,
                offset_s: i64::MAX,
            };
            assert!(interface.ns(u64::MAX) > 0);
        }
    }
}
