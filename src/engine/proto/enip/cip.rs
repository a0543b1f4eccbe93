//! Messages of the common industrial protocol: service, path, status.
//!
//! Standard: volume 1, 2-4 (messages), appendix C (paths), 3-5.5.2 (unconnected send), 5A-6 (packets of services).
//! Bounds:   32 segments of a path; 64 services of a packet; a message in a message once.

use compact_str::format_compact;

use super::names;
use super::record::CipRecord;
use crate::proto::Out;
use crate::proto::little_endian::{field, size16_at, u8_at, u16_at, u32_at};
use crate::types::{Text, Timestamp, text};

/// Bit of a service's number that makes it a response.
const RESPONSE: u8 = 0x80;
/// Services that carry messages.
const PACKET: u8 = 0x0a;
const UNCONNECTED_SEND: u8 = 0x52;
/// Class of the object that opens connections and passes messages on.
const CONNECTION_MANAGER: u32 = 6;
/// Segments of a path and services of a packet that are looked at.
const SEGMENTS_MAX: usize = 32;
const SERVICES_MAX: usize = 64;
/// Longest name of a variable.
const SYMBOL_LEN_MAX: usize = 256;

/// The last request: its service, and the class of its object.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Call {
    service: u8,
    class: Option<u32>,
}

/// What a path leads to.
#[derive(Debug, Default)]
struct Path {
    class: Option<u32>,
    instance: Option<u32>,
    attribute: Option<u32>,
    symbol: Option<Text>,
}

impl Call {
    /// Tells a message and those it carries; whether it was a response, `None` if it is none at all.
    pub(super) fn message(
        &mut self,
        sequence: Option<u16>,
        message: &[u8],
        ts: Timestamp,
        out: &mut Out<'_>,
    ) -> Option<bool> {
        let is_response = u8_at(message, 0)? & RESPONSE != 0;
        let inner = if is_response {
            self.response(sequence, message, ts, out)?
        } else {
            self.request(sequence, message, ts, out)?
        };
        for part in inner.into_iter().flat_map(parts).take(SERVICES_MAX) {
            // What is carried carries nothing of its own.
            let _told = if is_response {
                let mut inner = Self::default();
                inner.response(sequence, part, ts, out)
            } else {
                let mut inner = Self::default();
                let carried = inner.request(sequence, part, ts, out);
                if self.service == UNCONNECTED_SEND {
                    *self = inner;
                }
                carried
            };
        }
        Some(is_response)
    }

    /// Tells a request; what it carries, if it does.
    fn request<'a>(
        &mut self,
        sequence: Option<u16>,
        message: &'a [u8],
        ts: Timestamp,
        out: &mut Out<'_>,
    ) -> Option<Option<Carried<'a>>> {
        let service = u8_at(message, 0)?;
        let len = usize::from(u8_at(message, 1)?).checked_mul(2)?;
        let path = path(field(message, 2, len)?);
        let data = message.get(len.saturating_add(2)..).unwrap_or_default();
        *self = Self {
            service,
            class: path.class,
        };
        let (name, class) = names::service(service, path.class);
        let record = CipRecord {
            cip_sequence_count: sequence,
            direction: "request",
            cip_service_code: Some(hex32(u32::from(service))),
            cip_service: name,
            class_id: path.class.map(hex32),
            class_name: path.class.and_then(names::class),
            instance_id: path.instance.map(hex32),
            attribute_id: path.attribute.map(hex32),
            symbol: path.symbol,
            class,
            ..CipRecord::default()
        };
        out.record(ts, record);
        Some(match (service, path.class) {
            (PACKET, _) => Some(Carried::Packet(data)),
            // Priority and ticks, the length of the message.
            (UNCONNECTED_SEND, Some(CONNECTION_MANAGER)) => size16_at(data, 2)
                .and_then(|len| field(data, 4, len))
                .map(Carried::Message),
            _ => None,
        })
    }

    /// Tells a response; what it carries, if it does.
    fn response<'a>(
        &mut self,
        sequence: Option<u16>,
        message: &'a [u8],
        ts: Timestamp,
        out: &mut Out<'_>,
    ) -> Option<Option<Carried<'a>>> {
        let service = u8_at(message, 0)? & !RESPONSE;
        let (status, extra) = (u8_at(message, 2)?, usize::from(u8_at(message, 3)?));
        let object = self.class.filter(|_| self.service == service);
        let (name, class) = names::service(service, object);
        let record = CipRecord {
            cip_sequence_count: sequence,
            direction: "response",
            cip_service_code: Some(hex32(u32::from(service))),
            cip_service: name,
            cip_status_code: Some(hex32(u32::from(status))),
            cip_status: Some(names::general_status(status)),
            class_id: object.map(hex32),
            class_name: object.and_then(names::class),
            class,
            ..CipRecord::default()
        };
        out.record(ts, record);
        let data = message.get(extra.saturating_mul(2).saturating_add(4)..);
        Some(data.filter(|_| service == PACKET).map(Carried::Packet))
    }
}

/// What a message carries.
#[derive(Clone, Copy, Debug)]
enum Carried<'a> {
    /// One message.
    Message(&'a [u8]),
    /// Several: their count, the offset of each, and they themselves.
    Packet(&'a [u8]),
}

/// The messages carried.
fn parts(carried: Carried<'_>) -> impl Iterator<Item = &[u8]> {
    let (one, packet) = match carried {
        Carried::Message(message) => (Some(message), None),
        Carried::Packet(packet) => (None, Some(packet)),
    };
    let several = packet.into_iter().flat_map(|packet| {
        // The offsets are there, all of them.
        let count = size16_at(packet, 0).unwrap_or_default();
        let is_whole = packet.len() / 2 > count;
        let count = if is_whole { count.min(SERVICES_MAX) } else { 0 };
        let offset = move |index: usize| size16_at(packet, index.checked_mul(2)?.checked_add(2)?);
        (0..count).filter_map(move |index| {
            // The next one begins where this one ends.
            let last = index.saturating_add(1) >= count;
            let end = if last {
                packet.len()
            } else {
                offset(index.saturating_add(1))?
            };
            packet.get(offset(index)?..end)
        })
    });
    one.into_iter().chain(several)
}

/// What a path says, as far as it is understood.
fn path(mut rest: &[u8]) -> Path {
    let mut path = Path::default();
    for _ in 0..SEGMENTS_MAX {
        let Some((&kind, behind)) = rest.split_first() else {
            break;
        };
        // A name: its length, its letters, and one byte more if they are odd.
        if kind == 0x91 {
            let Some((&len, letters)) = behind.split_first() else {
                break;
            };
            let len = usize::from(len);
            let name = letters.get(..len).unwrap_or(letters);
            let symbol = path.symbol.get_or_insert_default();
            if symbol.len().saturating_add(len) < SYMBOL_LEN_MAX {
                if !symbol.is_empty() {
                    symbol.push('.');
                }
                symbol.push_str(&text(name, SYMBOL_LEN_MAX));
            }
            rest = letters
                .get(len.saturating_add(len % 2)..)
                .unwrap_or_default();
            continue;
        }
        // Logical segments: a value of one byte, or of two or four behind a byte that fills.
        let (value, used) = match kind & 0x03 {
            0 => (u8_at(behind, 0).map(u32::from), 1),
            1 => (u16_at(behind, 1).map(u32::from), 3),
            2 => (u32_at(behind, 1), 5),
            _ => break,
        };
        match kind & 0xfc {
            0x20 => path.class = path.class.or(value),
            0x24 => path.instance = path.instance.or(value),
            0x30 => path.attribute = path.attribute.or(value),
            // Members, connection points, and indices into an array.
            0x28 | 0x2c => {}
            _ => break,
        }
        rest = behind.get(used..).unwrap_or_default();
    }
    path
}

/// A number as ICSNPP writes them.
pub(super) fn hex32(value: u32) -> Text {
    format_compact!("0x{value:02x}")
}
