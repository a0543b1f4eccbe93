//! What a message says, in numbers.
//!
//! A controller is asked the same thing again and again: whether that was told is known before a name is looked up.

use std::hash::{BuildHasher as _, Hasher as _};

use compact_str::ToCompactString as _;

use super::record::BacnetRecord;
use super::{ABORT, ERROR, REJECT, RESULT, SEGMENT_ACK, UNCONFIRMED, names};
use crate::types::{Seed, Text};

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Function of the virtual link layer.
    pub(super) function: u8,
    /// Kind of message, and its service; of a rejection or abortion the reason.
    pub(super) unit: Option<(u8, u8)>,
    /// What an answer shares with its request.
    pub(super) invoke_id: Option<u8>,
    /// First object: ten bits of kind, twenty-two of number.
    pub(super) object: Option<u32>,
    pub(super) property: Option<u32>,
    pub(super) vendor_id: Option<u16>,
    /// Code of an error, or of the link layer's answer.
    pub(super) result: Option<u32>,
}

impl Said {
    /// Service and class; of what names no service, those of the link layer.
    fn service(&self) -> (Option<&'static str>, &'static str) {
        let (name, class) = match self.unit {
            Some((UNCONFIRMED, code)) => names::unconfirmed(code),
            None | Some((SEGMENT_ACK | REJECT | ABORT, _)) => {
                return (None, names::link(self.function).1);
            }
            Some((_, code)) => names::confirmed(code),
        };
        (Some(name), class)
    }

    /// Whether it changes nothing.
    pub(super) fn is_reading(&self) -> bool {
        self.unit.is_none() || self.service().1 == "read"
    }

    /// All that is said but the number that an answer shares with its request.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = Seed(0).hasher().build_hasher();
        let whole = |part: Option<u32>| part.map_or(u64::MAX, u64::from);
        let (kind, code) = self.unit.unwrap_or((u8::MAX, u8::MAX));
        let vendor = self.vendor_id.map_or(u32::MAX, u32::from);
        hasher.write_u64(
            u64::from(u32::from_be_bytes([0, self.function, kind, code])) << 32 | u64::from(vendor),
        );
        hasher.write_u64(whole(self.object));
        hasher.write_u64(whole(self.property));
        hasher.write_u64(whole(self.result));
        hasher.finish()
    }

    /// The same in names.
    pub(super) fn record(&self) -> BacnetRecord {
        let (pdu_service, class) = self.service();
        BacnetRecord {
            bvlc_function: names::link(self.function).0,
            pdu_type: self.unit.and_then(|(kind, _)| names::pdu_type(kind)),
            pdu_service,
            invoke_id: self.invoke_id,
            result_code: self.result_code(),
            object_type: self
                .object
                .map(|id| named(names::object(id >> 22), id >> 22)),
            instance_number: self.object.map(|id| id & 0x003f_ffff),
            property: self
                .property
                .map(|number| named(names::property(number), number)),
            vendor_id: self.vendor_id,
            class,
        }
    }

    fn result_code(&self) -> Option<Text> {
        match (self.unit, self.result) {
            (Some((REJECT, reason)), _) => Some(Text::const_new(names::reject(reason))),
            (Some((ABORT, reason)), _) => Some(Text::const_new(names::abort(reason))),
            (Some((ERROR, _)), Some(code)) => Some(named(names::error(code), code)),
            (None, Some(code)) if self.function == RESULT => {
                let code = u16::try_from(code).unwrap_or(u16::MAX);
                Some(Text::const_new(names::link_result(code)))
            }
            _ => None,
        }
    }
}

/// A name, or the number that has none.
fn named(name: Option<&'static str>, number: u32) -> Text {
    name.map_or_else(|| number.to_compact_string(), Text::const_new)
}
