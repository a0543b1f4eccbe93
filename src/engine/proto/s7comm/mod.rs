//! S7comm: who reads, writes, loads and stops which Siemens controller.
//!
//! Source:   Wireshark's description of the protocol, which the maker has not published; X.224 class 0 and
//!           RFC 1006 below it. Names are those of the ICSNPP package for Zeek.
//! Input:    both streams of a TCP flow. The connection request says nothing of what follows it, so the first
//!           S7comm message decides; MMS on the same port is left to others.
//! Output:   one `s7comm` record per message. Clues: that a controller serves it, its order number, type and name.
//! Bounds:   messages of 64 KiB (two bytes of length).
//! Not done: addresses and values; S7comm-plus; messages in several transport units beyond the first unit.

mod names;
mod record;

pub use self::record::S7commRecord;
use compact_str::CompactStringExt as _;

use super::gss::tell;
use super::little_endian::field;
use super::tls::hex;
use super::tpkt::{self, Frame};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::{ClueKind, Text, text};

/// First byte of a message.
const MAGIC: u8 = 0x32;
/// Kinds of messages ("remote operating service control").
const JOB: u8 = 1;
const ACK: u8 = 2;
const ACK_DATA: u8 = 3;
const USER_DATA: u8 = 7;
/// Header of a message without its error.
const HEAD_LEN: usize = 10;
/// Transport units: connection request and confirm, data.
const REQUEST: u8 = 0xe0;
const CONFIRM: u8 = 0xd0;
const DATA: u8 = 0xf0;
/// Bit of a data unit: the message ends with it.
const LAST: u8 = 0x80;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct S7comm {
    /// A message has been seen.
    sure: bool,
    /// By sender: the message goes on in its next unit.
    goes_on: [bool; 2],
    /// That the controller serves S7comm is told.
    told: bool,
}

impl Protocol for S7comm {
    const NAME: &'static str = "s7comm";
    // The port is that of every protocol over ISO transport: content decides.
    const PORTS: &'static [Port] = &[];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            [] | [3] | [3, 0] | [3, 0, _] | [3, 0, _, _] | [3, 0, _, _, _] => Probe::Unsure,
            [3, 0, high, low, len, REQUEST | CONFIRM, ..] => {
                let whole = u16::from_be_bytes([*high, *low]);
                if u16::from(*len).saturating_add(5) != whole {
                    return Probe::NotMine;
                }
                let rest = start.get(usize::from(whole)..).unwrap_or_default();
                match rest {
                    [_, _, _, _, _, REQUEST | CONFIRM, ..] => Probe::NotMine,
                    _ => probe_data(rest),
                }
            }
            _ => probe_data(start),
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return Parse::Broken("s7comm_datagram");
        }
        let side = usize::from(input.dir == Dir::Resp);
        if input.gap > 0
            && let Some(goes_on) = self.goes_on.get_mut(side)
        {
            *goes_on = false;
        }
        match tpkt::frame(input.data) {
            Frame::Whole { len, unit } => {
                self.unit(unit, side, input, out);
                Parse::Parsed { used: len }
            }
            Frame::Need(need) => tpkt::more(need),
            // Behind a gap the next segment most likely begins with a frame.
            Frame::Other if self.sure => Parse::Parsed {
                used: input.data.len(),
            },
            Frame::Other => Parse::Broken("s7comm_no_frame"),
        }
    }
}

/// The first data unit, as far as it is there.
fn probe_data(start: &[u8]) -> Probe {
    match start {
        [
            3,
            0,
            _,
            _,
            2,
            DATA,
            0 | LAST,
            MAGIC,
            JOB | ACK | ACK_DATA | USER_DATA,
            0,
            0,
            ..,
        ] => Probe::Certain,
        _ => {
            let form = [
                None,
                Some(0),
                None,
                None,
                Some(2),
                Some(DATA),
                None,
                Some(MAGIC),
            ];
            let form = form.iter().chain([&None, &Some(0), &Some(0)]);
            let fits = start.len() < 11
                && matches!(start.first(), None | Some(3))
                && start
                    .iter()
                    .zip(form)
                    .all(|(byte, known)| known.is_none_or(|known| known == *byte));
            if fits { Probe::Unsure } else { Probe::NotMine }
        }
    }
}

impl S7comm {
    fn unit(&mut self, unit: &[u8], side: usize, input: Input<'_>, out: &mut Out<'_>) {
        let [2, DATA, flags, message @ ..] = unit else {
            return;
        };
        let goes_on = flags & LAST == 0;
        let continues = self
            .goes_on
            .get_mut(side)
            .is_some_and(|before| std::mem::replace(before, goes_on));
        if !continues && let [MAGIC, ..] = message {
            self.message(message, input, out);
        }
    }

    fn message(&mut self, message: &[u8], input: Input<'_>, out: &mut Out<'_>) -> Option<()> {
        let &[_, kind, _, _, p0, p1, l0, l1, _, _] = message.first_chunk::<HEAD_LEN>()?;
        let mut record = S7commRecord {
            rosctr_code: kind,
            rosctr_name: names::kind(kind)?,
            pdu_reference: u16::from_be_bytes([p0, p1]),
            class: "read",
            ..S7commRecord::default()
        };
        self.sure = true;
        let mut at = HEAD_LEN;
        if matches!(kind, ACK | ACK_DATA) {
            let &[class, error] = message.get(at..)?.first_chunk()?;
            record.error_class = Some(names::error(class));
            record.error_code = Some(code(&[error]));
            at = at.saturating_add(2);
        }
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let parameters = field(message, at, len).unwrap_or_default();
        let data = message.get(at.saturating_add(len)..).unwrap_or_default();
        if kind == USER_DATA {
            user_data(parameters, data, &mut record, input.dir, out);
        } else {
            function(parameters, kind == JOB, &mut record);
        }
        if kind == ACK_DATA && !std::mem::replace(&mut self.told, true) {
            let value = Text::from("s7comm");
            tell(
                input.dir,
                ClueKind::Serves,
                "s7comm answer",
                Some(&value),
                out,
            );
        }
        out.record(input.ts, record);
        Some(())
    }
}

/// A job or its answer: the function and, of a job, the program service it names.
fn function(parameters: &[u8], is_job: bool, record: &mut S7commRecord) {
    let Some(&number) = parameters.first() else {
        return;
    };
    let (name, class) = names::function(number);
    record.function_code = Some(code(&[number]));
    record.function_name = Some(name.into());
    record.class = class;
    // A length in one byte and the name: behind the service's own parameters, or five bytes that say nothing.
    let service = match number {
        0x28 if is_job => parameters.get(8..10).and_then(|len| {
            let &[high, low] = len.first_chunk()?;
            let len = usize::from(u16::from_be_bytes([high, low]));
            parameters.get(len.saturating_add(10)..)
        }),
        0x29 if is_job => parameters.get(6..),
        _ => None,
    };
    if let Some([len, name @ ..]) = service {
        let name = name.get(..usize::from(*len)).unwrap_or(name);
        record.subfunction_name = names::service(name);
        record.subfunction_code = Some(text(name, 64));
    }
}

/// Everything that is no job: group, function within it, error.
fn user_data(
    parameters: &[u8],
    data: &[u8],
    record: &mut S7commRecord,
    dir: Dir,
    out: &mut Out<'_>,
) -> Option<()> {
    let &[0, 1, 0x12, _, _, group, number, _] = parameters.first_chunk()? else {
        return None;
    };
    let (name, class) = names::group(group & 0x0f, number);
    let way = match group >> 4 {
        4 => "Request",
        8 => "Response",
        _ => "Push",
    };
    record.function_code = Some(code(&[group]));
    record.function_name = Some([way, ": ", name].concat_compact());
    record.subfunction_code = Some(code(&[number]));
    record.subfunction_name = names::in_group(group & 0x0f, number);
    record.class = class;
    if group >> 4 == 8
        && let Some(&[high, low]) = parameters.get(10..).and_then(|error| error.first_chunk())
    {
        let is_good = [high, low] == [0, 0];
        record.error_class = Some(if is_good {
            "No error"
        } else {
            "Parameter Error"
        });
        record.error_code = Some(if is_good {
            code(&[0])
        } else {
            code(&[high, low])
        });
        if (group & 0x0f, number) == (4, 1) {
            system_status(data, dir, out);
        }
    }
    Some(())
}

/// A part of the system status list: what the controller is and how it is called.
///
/// Behind return code, transport size and length: the list's number, an index, and rows of the length and
/// count that follow. A row begins with its own number.
fn system_status(data: &[u8], dir: Dir, out: &mut Out<'_>) -> Option<()> {
    let &[0xff, 9, _, _, list0, list1, _, _, len0, len1, _, _] = data.first_chunk()? else {
        return None;
    };
    let len = usize::from(u16::from_be_bytes([len0, len1]));
    let rows = data.get(12..)?.chunks_exact(len.max(2)).take(ROWS_MAX);
    for row in rows {
        let (row_number, rest) = row.split_first_chunk::<2>()?;
        let (kind, evidence, value_len) = match ([list0, list1], row_number) {
            ([0, 0x11], [0, 1]) => (ClueKind::Software, "s7comm order number", 20),
            ([0, 0x1c], [0, 7]) => (ClueKind::Software, "s7comm module type", 32),
            ([0, 0x1c], [0, 1]) => (ClueKind::HostName, "s7comm system name", 24),
            _ => continue,
        };
        let value = rest.get(..value_len)?;
        let end = memchr::memchr(0, value).unwrap_or(value.len());
        let value = text(value.get(..end)?.trim_ascii(), value_len);
        tell(
            dir,
            kind,
            evidence,
            Some(&value).filter(|value| !value.is_empty()),
            out,
        );
    }
    Some(())
}

/// Rows of a status list that are looked at.
const ROWS_MAX: usize = 32;

/// Bytes as ICSNPP writes codes.
fn code(bytes: &[u8]) -> Text {
    ["0x", &hex(bytes, false)].concat_compact()
}

#[cfg(test)]
mod tests;
