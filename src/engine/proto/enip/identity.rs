//! A device's identity, as it answers whoever asks all devices (volume 2, 2-4.2).

use std::net::Ipv4Addr;

use compact_str::{ToCompactString as _, format_compact};

use super::cip::hex32;
use super::record::CipIdentityRecord;
use crate::proto::gss::tell;
use crate::proto::little_endian::{field, u8_at, u16_at, u32_at};
use crate::proto::{Input, Out};
use crate::types::{ClueKind, Text, text};

/// Bytes before the product's name: version, socket, numbers, serial number, length of the name.
const NAME_AT: usize = 33;

/// The record and the clues of an identity item.
pub(super) fn tell_identity(item: &[u8], input: Input<'_>, out: &mut Out<'_>) -> Option<()> {
    // The socket is in network order, all else is not.
    let &[p0, p1, address @ ..] = field(item, 4, 6)?.first_chunk::<6>()?;
    let (major, minor) = (u8_at(item, 24)?, u8_at(item, 25)?);
    let len = usize::from(u8_at(item, NAME_AT.saturating_sub(1))?);
    let name = text(field(item, NAME_AT, len)?, 256);
    let record = CipIdentityRecord {
        socket_address: Some(Ipv4Addr::from(address).to_compact_string()),
        socket_port: u16::from_be_bytes([p0, p1]),
        vendor_id: u16_at(item, 18)?,
        device_type_id: u16_at(item, 20)?,
        product_code: u16_at(item, 22)?,
        revision: Some(format_compact!("{major}.{minor}")),
        device_status: u16_at(item, 26).map(|status| hex32(u32::from(status))),
        serial_number: u32_at(item, 28).map(hex32),
        device_state: u8_at(item, NAME_AT.saturating_add(len)).map(|state| hex32(u32::from(state))),
        product_name: Some(name.clone()).filter(|name| !name.is_empty()),
    };
    let serves = Text::from("enip");
    tell(
        input.dir,
        ClueKind::Serves,
        "cip identity",
        Some(&serves),
        out,
    );
    if !name.is_empty() {
        let revision = record.revision.as_deref().unwrap_or_default();
        let value = format_compact!("{name} {revision}");
        tell(
            input.dir,
            ClueKind::Software,
            "cip identity",
            Some(&value),
            out,
        );
    }
    out.record(input.ts, record);
    Some(())
}
