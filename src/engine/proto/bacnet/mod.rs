//! BACnet/IP: who reads, writes and restarts which building controller.
//!
//! Standard: ANSI/ASHRAE 135: Annex J (BACnet/IP), clause 6 (network layer), 20 (messages, tags), 21 (services).
//!           Names are those of the ICSNPP package for Zeek.
//! Input:    UDP datagrams, port 47808.
//! Output:   one `bacnet` record per message; messages between routers (clause 6.4) have none, nor has what a flow
//!           has said before and that changes nothing (a controller polled every second reads the same). Clues, of devices
//!           that are not behind a router: that they serve BACnet, and the name and model they give.
//! Bounds:   a datagram; the last 512 different readings of a flow are remembered; of a message in segments only
//!           the first is told; of several objects the first.
//! Not done: values, other than name and model; BACnet/SC and MS/TP.

mod names;
mod record;
mod said;
mod tags;

pub use self::record::BacnetRecord;
use self::said::Said;
use super::gss::tell;
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::{ClueKind, Text, heap_of};

/// First byte of a datagram.
const MAGIC: u8 = 0x81;
/// Header of the virtual link layer.
const LINK_LEN: usize = 4;
/// Functions of the virtual link layer.
const RESULT: u8 = 0;
const WRITE_TABLE: u8 = 1;
const READ_TABLE: u8 = 2;
const TABLE: u8 = 3;
const FORWARDED: u8 = 4;
const REGISTER: u8 = 5;
const READ_FOREIGN: u8 = 6;
const FOREIGN: u8 = 7;
const DELETE_FOREIGN: u8 = 8;
const DISTRIBUTE: u8 = 9;
const UNICAST: u8 = 10;
const BROADCAST: u8 = 11;
/// Kinds of messages.
const CONFIRMED: u8 = 0;
const UNCONFIRMED: u8 = 1;
const SIMPLE_ACK: u8 = 2;
const COMPLEX_ACK: u8 = 3;
const SEGMENT_ACK: u8 = 4;
const ERROR: u8 = 5;
const REJECT: u8 = 6;
const ABORT: u8 = 7;
/// Bit of a message's first byte: it comes in segments.
const SEGMENTED: u8 = 8;
/// The message in which a device says who it is, and the answer to ReadProperty.
const I_AM: (u8, u8) = (UNCONFIRMED, 0);
const READ: (u8, u8) = (COMPLEX_ACK, 12);
/// The kind of object that stands for the device, and three of its properties.
const DEVICE: u32 = 8;
const FIRMWARE_REVISION: u32 = 44;
const MODEL_NAME: u32 = 70;
const OBJECT_NAME: u32 = 77;

/// Readings remembered.
const READINGS_MAX: usize = 512;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Bacnet {
    /// By sender: that it serves BACnet is told.
    told: [bool; 2],
    /// What was told and changes nothing, the oldest first.
    readings: Vec<u64>,
}

/// Function of the link layer and what it carries, if the form is right; whether the length is, too.
fn link(data: &[u8]) -> Option<(u8, &[u8], bool)> {
    let (&[MAGIC, function, high, low], body) = data.split_first_chunk::<LINK_LEN>()? else {
        return None;
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    let body = body.get(..len.checked_sub(LINK_LEN)?).unwrap_or(body);
    let fits = match function {
        RESULT | REGISTER => body.len() == 2,
        // Entries: address, port and mask; address, port and two times.
        WRITE_TABLE | TABLE | FOREIGN => body.len().is_multiple_of(10),
        READ_TABLE | READ_FOREIGN => body.is_empty(),
        DELETE_FOREIGN => body.len() == 6,
        FORWARDED => body.get(6) == Some(&1),
        DISTRIBUTE | UNICAST | BROADCAST => body.first() == Some(&1),
        _ => false,
    };
    fits.then_some((function, body, len == data.len()))
}

impl Protocol for Bacnet {
    const NAME: &'static str = "bacnet";
    const PORTS: &'static [Port] = &[Port::Udp(47_808)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match link(start) {
            Some((.., true)) => Probe::Certain,
            Some((.., false)) => Probe::Unsure,
            None => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            return Parse::Broken("bacnet_over_stream");
        }
        let used = input.data.len();
        if let Some((function, body, _)) = link(input.data) {
            self.message(function, body, input, out);
        } else {
            out.weird("bacnet_bad_header", None, Self::NAME);
        }
        Parse::Parsed { used }
    }

    fn heap(&self) -> usize {
        heap_of!(self: readings)
    }
}

impl Bacnet {
    fn message(&mut self, function: u8, body: &[u8], input: Input<'_>, out: &mut Out<'_>) {
        let mut said = Said {
            function,
            ..Said::default()
        };
        let network = match function {
            FORWARDED => body.get(6..).unwrap_or_default(),
            DISTRIBUTE | UNICAST | BROADCAST => body,
            RESULT => {
                let code = body.first_chunk().map(|code| u16::from_be_bytes(*code));
                said.result = code.map(u32::from);
                return self.record(&said, input, out);
            }
            _ => return self.record(&said, input, out),
        };
        let Some((is_routed, message)) = application(network) else {
            return;
        };
        let Some(unit) = unit(message).filter(|unit| !unit.is_later) else {
            return;
        };
        unit.say(&mut said);
        let serves =
            matches!(unit.kind, SIMPLE_ACK | COMPLEX_ACK | ERROR) || (unit.kind, unit.code) == I_AM;
        if serves && !is_routed && function != FORWARDED {
            self.tell(&said, &unit, input.dir, out);
        }
        self.record(&said, input, out);
    }

    /// Tells a message, unless the same was told that changes nothing.
    fn record(&mut self, said: &Said, input: Input<'_>, out: &mut Out<'_>) {
        if said.is_reading() {
            let reading = said.digest();
            if self.readings.contains(&reading) {
                return;
            }
            if self.readings.len() >= READINGS_MAX {
                self.readings.remove(0);
            }
            self.readings.push(reading);
        }
        out.record(input.ts, said.record());
    }

    /// That the sender serves BACnet, and what it says of itself.
    fn tell(&mut self, said: &Said, unit: &Unit<'_>, dir: Dir, out: &mut Out<'_>) {
        if let Some(told) = self.told.get_mut(usize::from(dir == Dir::Resp))
            && !std::mem::replace(told, true)
        {
            let value = Text::from("bacnet");
            tell(dir, ClueKind::Serves, "bacnet answer", Some(&value), out);
        }
        if (unit.kind, unit.code) != READ || said.object.map(|id| id >> 22) != Some(DEVICE) {
            return;
        }
        let (clue, evidence) = match said.property {
            Some(OBJECT_NAME) => (ClueKind::HostName, "bacnet object name"),
            Some(MODEL_NAME) => (ClueKind::Software, "bacnet model name"),
            Some(FIRMWARE_REVISION) => (ClueKind::Software, "bacnet firmware revision"),
            _ => return,
        };
        let value = tags::text_value(unit.rest);
        tell(dir, clue, evidence, value.as_ref(), out);
    }
}

impl Unit<'_> {
    /// Adds what the message says.
    fn say(&self, said: &mut Said) {
        // What a segment's acknowledgement has in place of a service is a size.
        let code = if self.kind == SEGMENT_ACK {
            0
        } else {
            self.code
        };
        said.unit = Some((self.kind, code));
        said.invoke_id = self.invoke_id;
        match self.kind {
            CONFIRMED | UNCONFIRMED | COMPLEX_ACK => {
                tags::object(self.kind, self.code, self.rest, said);
            }
            ERROR => said.result = tags::error(self.rest),
            _ => {}
        }
    }
}

/// A message of the application layer (clause 20.1).
struct Unit<'a> {
    kind: u8,
    /// Everything but what is not answered has one.
    invoke_id: Option<u8>,
    /// A segment that is not the first.
    is_later: bool,
    /// The service; of a rejection or abortion its reason.
    code: u8,
    rest: &'a [u8],
}

/// Reads the head of a message.
fn unit(message: &[u8]) -> Option<Unit<'_>> {
    let (&first, mut rest) = message.split_first()?;
    let mut next = || {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        Some(byte)
    };
    let kind = first >> 4;
    if kind == CONFIRMED {
        let _longest_answer = next()?;
    }
    let invoke_id = if kind == UNCONFIRMED {
        None
    } else {
        Some(next()?)
    };
    let mut is_later = false;
    if matches!(kind, CONFIRMED | COMPLEX_ACK) && first & SEGMENTED != 0 {
        is_later = next()? > 0;
        let _window = next()?;
    }
    let code = next()?;
    names::pdu_type(kind)?;
    Some(Unit {
        kind,
        invoke_id,
        is_later,
        code,
        rest,
    })
}

/// Behind the network layer's header (clause 6.2): whether the sender is behind a router, and the message.
/// `None` for messages between routers.
fn application(network: &[u8]) -> Option<(bool, &[u8])> {
    let [1, control, rest @ ..] = network else {
        return None;
    };
    let (has_target, has_source) = (control & 0x20 != 0, control & 0x08 != 0);
    if control & 0x80 != 0 {
        return None;
    }
    let mut rest = rest;
    for _ in 0..usize::from(has_target).saturating_add(usize::from(has_source)) {
        let (&[_, _, len], behind) = rest.split_first_chunk::<3>()?;
        rest = behind.get(usize::from(len)..)?;
    }
    // The count of hops.
    rest = rest.get(usize::from(has_target)..)?;
    Some((has_source, rest))
}

#[cfg(test)]
mod tests;
