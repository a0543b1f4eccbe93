//! EtherNet/IP and CIP: who reads, writes, resets and programs which controller.
//!
//! Standard: ODVA, The CIP Networks Library: volume 2 chapter 2 (encapsulation), volume 1 chapters 2 to 5
//!           (messages, paths, objects). Names are those of the ICSNPP package for Zeek.
//! Input:    both streams of a TCP flow on port 44818, or datagrams there.
//! Output:   one `cip` record per request and response; a `cip_identity` record per device that lists its
//!           identity; an `enip` record per message of the encapsulation that carries neither.
//! Bounds:   messages of 64 KiB; of a packet of services the first 64; 16 items a message.
//! Not done: cyclic data (port 2222); values; the reply to a request that is not the last one of its kind.

mod cip;
mod identity;
mod names;
mod record;

use self::cip::{Call, hex32};
pub use self::record::{CipIdentityRecord, CipRecord, EnipRecord};
use super::gss::tell;
use super::little_endian::{field, size16_at, u16_at, u32_at};
use super::{Dir, Input, Out, Parse, Port, Probe, Protocol};
use crate::types::{ClueKind, Text};

/// Header of the encapsulation.
const HEAD_LEN: usize = 24;
/// Commands of the encapsulation.
const REGISTER: u16 = 0x65;
const LIST_IDENTITY: u16 = 0x63;
const RR_DATA: u16 = 0x6f;
const UNIT_DATA: u16 = 0x70;
/// Items looked at in a message.
const ITEMS_MAX: u16 = 16;
/// Items that carry something: an identity, a message in a connection, one without.
const IDENTITY: u16 = 0x0c;
const CONNECTED: u16 = 0xb1;
const UNCONNECTED: u16 = 0xb2;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Enip {
    /// A message has been seen.
    sure: bool,
    /// The last request, for the class of object its response is about.
    last: Call,
    /// That the responder serves CIP is told.
    told: bool,
}

/// A header: command, length of what follows, session, status. `None` if it cannot be one.
fn head(data: &[u8]) -> Option<(u16, usize, u32, u32)> {
    let command = u16_at(data, 0)?;
    let (session, status) = (u32_at(data, 4)?, u32_at(data, 8)?);
    let is_known = names::command(command).is_some() && names::status(status).is_some();
    let no_options = u32_at(data, 20) == Some(0);
    (is_known && no_options).then_some((command, size16_at(data, 2)?, session, status))
}

impl Protocol for Enip {
    const NAME: &'static str = "enip";
    const PORTS: &'static [Port] = &[Port::Tcp(44_818), Port::Udp(44_818)];

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        if start.len() < HEAD_LEN {
            let known = match *start {
                [] => true,
                // Nobody begins by doing nothing; Modbus has zeroes there.
                [0] | [0, 0, ..] => false,
                [low] => names::command(u16::from(low)).is_some(),
                [low, high, ..] => names::command(u16::from_le_bytes([low, high])).is_some(),
            };
            // The status is small, and mostly 0.
            let status = start.get(8..).unwrap_or_default();
            let fits = status.iter().take(4).enumerate();
            let fits = fits
                .into_iter()
                .all(|(at, byte)| *byte == 0 || (at == 0 && *byte <= 0x6a));
            return if known && fits {
                Probe::Unsure
            } else {
                Probe::NotMine
            };
        }
        let Some((command, len, session, status)) = head(start) else {
            return Probe::NotMine;
        };
        let body = start.get(HEAD_LEN..).unwrap_or_default();
        match command {
            // Version 1, no options.
            REGISTER if len == 4 && body.starts_with(&[1, 0, 0, 0]) => Probe::Certain,
            // The interface of CIP, a time to wait, and two items.
            RR_DATA | UNIT_DATA if status == 0 && session != 0 => match body {
                [0, 0, 0, 0, _, _, 1..=4, 0, ..] => Probe::Certain,
                _ if body.len() < 8 => Probe::Unsure,
                _ => Probe::NotMine,
            },
            LIST_IDENTITY if matches!(body, [1, 0, 0x0c, 0, ..]) => Probe::Certain,
            REGISTER | RR_DATA | UNIT_DATA => Probe::Unsure,
            _ if session == 0 && (len == 0 || body.first().is_none_or(|first| *first == 1)) => {
                Probe::Unsure
            }
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        if data.len() < HEAD_LEN {
            let need = HEAD_LEN.saturating_sub(data.len());
            return if input.datagram {
                Parse::Parsed { used: data.len() }
            } else {
                Parse::NeedMore { used: 0, need }
            };
        }
        let Some((command, len, session, status)) = head(data) else {
            // Behind a gap the next segment most likely begins with a message.
            return if self.sure {
                Parse::Parsed { used: data.len() }
            } else {
                Parse::Broken("enip_no_header")
            };
        };
        let whole = HEAD_LEN.saturating_add(len);
        if data.len() < whole && !input.datagram {
            let need = whole.saturating_sub(data.len());
            return Parse::NeedMore { used: 0, need };
        }
        self.sure = true;
        let body = data
            .get(HEAD_LEN..whole.min(data.len()))
            .unwrap_or_default();
        let carried = match command {
            RR_DATA | UNIT_DATA if status == 0 => body.get(6..),
            LIST_IDENTITY => Some(body),
            _ => None,
        };
        let told = carried.is_some_and(|items| self.items(items, input, out));
        if !told {
            let record = EnipRecord {
                enip_command_code: Some(hex32(u32::from(command))),
                enip_command: names::command(command),
                length: u16::try_from(len).unwrap_or(u16::MAX),
                session_handle: Some(hex32(session)),
                enip_status: names::status(status),
            };
            out.record(input.ts, record);
        }
        Parse::Parsed {
            used: whole.min(data.len()),
        }
    }
}

impl Enip {
    /// The items of a message; true if one of them was told.
    fn items(&mut self, items: &[u8], input: Input<'_>, out: &mut Out<'_>) -> bool {
        let (mut at, mut told) = (2_usize, false);
        for _ in 0..u16_at(items, 0).unwrap_or_default().min(ITEMS_MAX) {
            let (Some(kind), Some(len)) =
                (u16_at(items, at), size16_at(items, at.saturating_add(2)))
            else {
                break;
            };
            at = at.saturating_add(4);
            let Some(item) = field(items, at, len) else {
                break;
            };
            at = at.saturating_add(len);
            let message = match kind {
                IDENTITY => {
                    told |= identity::tell_identity(item, input, out).is_some();
                    continue;
                }
                CONNECTED => (u16_at(item, 0), item.get(2..)),
                UNCONNECTED => (None, Some(item)),
                _ => continue,
            };
            let (sequence, Some(message)) = message else {
                continue;
            };
            if let Some(is_response) = self.last.message(sequence, message, input.ts, out) {
                told = true;
                if is_response && !std::mem::replace(&mut self.told, true) {
                    let value = Text::from("enip");
                    tell(
                        input.dir,
                        ClueKind::Serves,
                        "cip response",
                        Some(&value),
                        out,
                    );
                }
            }
        }
        told
    }
}

#[cfg(test)]
mod tests;
