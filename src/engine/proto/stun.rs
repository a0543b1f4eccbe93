//! STUN: a device that asks how it looks from outside, to be called by others.
//!
//! Standard: RFC 8489 §5 (header), §14 (attributes).
//! Input:    UDP datagrams, any port. Calls mix it with media on the same ports.
//! Output:   one `stun` record when an address is told or the flow is over; a software clue.
//! Bounds:   8 messages are looked at, and 16 datagrams behind the answer, for who has asked how it looks may go on with
//!           TURN; texts of 128 bytes.
//! Secrets:  user names and integrity codes are not read.
//! Not done: TCP; the older RFC 3489, which has no mark of its own. A method of TURN ends it: see `turn`.

use std::net::IpAddr;

use super::gss::tell;
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{ClueKind, Text, Timestamp, heap_of, text};

/// Length of a message's header.
pub(super) const HEADER_LEN: usize = 20;
/// What tells it from everything else (RFC 8489 §5).
pub(super) const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const MESSAGES_MAX: u8 = 8;
/// Datagrams behind the answer among which TURN may begin.
const LATER_MAX: u8 = 16;
const TEXT_LEN_MAX: usize = 128;

pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
pub(super) const SOFTWARE: u16 = 0x8022;

record! {
    /// What one flow of STUN tells.
    pub struct StunRecord = "stun" {
        /// Method of the first message: `binding`, or `other`.
        pub method: &'static str = "method",
        /// Software of who asks, as it says.
        pub client_software: Option<Text> = "client_software",
        /// Software of who answers.
        pub server_software: Option<Text> = "server_software",
        /// Address the asker has from outside.
        pub mapped_address: Option<IpAddr> = "mapped_address",
        /// Its port.
        pub mapped_port: Option<u16> = "mapped_port",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Stun {
    started: Option<Timestamp>,
    record: StunRecord,
    messages: u8,
    /// The answer was told.
    is_told: bool,
    /// Datagrams since then.
    later: u8,
}

impl Protocol for Stun {
    const NAME: &'static str = "stun";
    const PORTS: &'static [Port] = &[Port::Udp(3478), Port::Udp(19_302)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        if message(start).is_some_and(|message| !is_relaying(message.kind)) {
            Probe::Certain
        } else {
            Probe::NotMine
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            return Parse::Broken("stun_over_stream");
        }
        let used = input.data.len();
        let message = message(input.data);
        if message
            .as_ref()
            .is_some_and(|message| is_relaying(message.kind))
        {
            self.finish(out);
            return Parse::Skip;
        }
        if self.is_told {
            self.later = self.later.saturating_add(1);
            let goes_on = self.later < LATER_MAX;
            return if goes_on {
                Parse::Parsed { used }
            } else {
                Parse::Skip
            };
        }
        if let Some(message) = message {
            self.started.get_or_insert(input.ts);
            self.messages = self.messages.saturating_add(1);
            self.is_told = self.take(&message, input.dir, out);
            if self.is_told || self.messages >= MESSAGES_MAX {
                self.finish(out);
            }
            if self.messages >= MESSAGES_MAX {
                return Parse::Skip;
            }
        }
        Parse::Parsed { used }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        if let Some(ts) = self.started.take() {
            out.record(ts, std::mem::take(&mut self.record));
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: record)
    }
}

impl Stun {
    /// Takes a message; true if it tells the asker's address.
    fn take(&mut self, message: &Message<'_>, dir: Dir, out: &mut Out<'_>) -> bool {
        let record = &mut self.record;
        if record.method.is_empty() {
            record.method = message.method();
        }
        for (kind, value) in message.attributes() {
            match kind {
                SOFTWARE => {
                    let slot = if message.is_answer() {
                        &mut record.server_software
                    } else {
                        &mut record.client_software
                    };
                    software(dir, slot, value, out);
                }
                XOR_MAPPED_ADDRESS => {
                    if let Some((address, port)) = address(value, message.transaction) {
                        record.mapped_address = Some(address);
                        record.mapped_port = Some(port);
                    }
                }
                _ => {}
            }
        }
        record.mapped_address.is_some()
    }
}

/// A message in its place.
pub(super) struct Message<'a> {
    kind: u16,
    pub(super) transaction: &'a [u8],
    attributes: &'a [u8],
}

/// RFC 8489 §5: the number of a method lies around the two bits of the class.
fn number(kind: u16) -> u16 {
    kind & 0x000f | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2
}

/// Whether it is a message of TURN (RFC 8656 §17).
pub(super) fn is_relaying(kind: u16) -> bool {
    matches!(number(kind), 3 | 4 | 6..=9)
}

impl Message<'_> {
    /// Its method's name.
    pub(super) fn method(&self) -> &'static str {
        match number(self.kind) {
            1 => "binding",
            3 => "allocate",
            4 => "refresh",
            6 => "send",
            7 => "data",
            8 => "create_permission",
            9 => "channel_bind",
            _ => "other",
        }
    }

    /// Whether its class is success or error.
    pub(super) fn is_answer(&self) -> bool {
        self.kind & 0x0100 != 0
    }

    /// Whether its class is error.
    pub(super) fn is_error(&self) -> bool {
        self.kind & 0x0110 == 0x0110
    }

    /// Number and value of each attribute; they begin at multiples of four (RFC 8489 §14).
    pub(super) fn attributes(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let mut rest = self.attributes;
        std::iter::from_fn(move || {
            let ([k0, k1, l0, l1], behind) = rest.split_first_chunk::<4>()?;
            let len = usize::from(u16::from_be_bytes([*l0, *l1]));
            let value = behind.get(..len)?;
            rest = behind.get(len.next_multiple_of(4)..).unwrap_or_default();
            Some((u16::from_be_bytes([*k0, *k1]), value))
        })
    }
}

/// A whole message and nothing else.
pub(super) fn message(data: &[u8]) -> Option<Message<'_>> {
    let ([k0, k1, l0, l1, c0, c1, c2, c3, ..], attributes) =
        data.split_first_chunk::<HEADER_LEN>()?;
    let len = usize::from(u16::from_be_bytes([*l0, *l1]));
    let is_mine = k0 & 0xc0 == 0 && [*c0, *c1, *c2, *c3] == COOKIE && len == attributes.len();
    let kind = u16::from_be_bytes([*k0, *k1]);
    is_mine.then_some(Message {
        kind,
        transaction: data.get(8..HEADER_LEN)?,
        attributes,
    })
}

/// An address mixed with cookie and transaction, lest a router change it (RFC 8489 §14.2).
pub(super) fn address(value: &[u8], transaction: &[u8]) -> Option<(IpAddr, u16)> {
    let ([_, family, p0, p1], bytes) = value.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes([p0 ^ 0x21, p1 ^ 0x12]);
    let mask = COOKIE.iter().chain(transaction);
    let plain: Vec<u8> = bytes
        .iter()
        .zip(mask)
        .map(|(byte, mask)| byte ^ mask)
        .collect();
    let address = match family {
        1 => <[u8; 4]>::try_from(plain).ok()?.into(),
        2 => <[u8; 16]>::try_from(plain).ok()?.into(),
        _ => return None,
    };
    Some((address, port))
}

/// A text as it is kept.
pub(super) fn text_of(value: &[u8]) -> Text {
    text(value, TEXT_LEN_MAX)
}

/// Tells the program of one side, the first time it is heard.
pub(super) fn software(dir: Dir, slot: &mut Option<Text>, value: &[u8], out: &mut Out<'_>) {
    if slot.is_none() {
        *slot = Some(text_of(value));
        tell(dir, ClueKind::Software, "stun software", slot.as_ref(), out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::{Body, FlowRef, Observations};

    /// RFC 5769 §2.1: a request, SOFTWARE `STUN test client` first; integrity and fingerprint left out.
    const REQUEST: &[u8] =
        b"\0\x01\0\x14\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\0\x10STUN test client";
    /// RFC 5769 §2.2: the answer, SOFTWARE `test vector` padded with a blank, and 192.0.2.1:32853.
    const ANSWER: &[u8] =
        b"\x01\x01\0\x1c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\0\x0btest vector \0\x20\0\x08\0\x01\xa1\x47\xe1\x12\xa6\x43";
    /// RFC 5769 §2.3: the same with 2001:db8:1234:5678:11:2233:4455:6677.
    const ANSWER_6: &[u8] =
        b"\x01\x01\0\x28\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\0\x0btest vector \0\x20\0\x14\0\x02\xa1\x47\
        \x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9";

    fn run(datagrams: &[(Dir, &[u8])]) -> Vec<String> {
        let (flow, mut seen, mut stun) = (FlowRef::default(), Observations::new(), Stun::default());
        let ts = Timestamp::from_secs(1);
        for (dir, data) in datagrams {
            let input = Input {
                ts,
                dir: *dir,
                data,
                gap: 0,
                datagram: true,
            };
            stun.parse(input, &mut Out::new(&flow, ts, &mut seen));
        }
        stun.finish(&mut Out::new(&flow, ts, &mut seen));
        let records = seen.iter().filter_map(|observation| {
            let Body::Record(record) = &observation.body else {
                return None;
            };
            let mut out = String::new();
            out.push_str(&record.body.text());
            Some(out)
        });
        records.collect()
    }

    #[test]
    fn the_messages_of_rfc_5769() {
        let record = |address: &str| {
            format!(
                r#"{{"method":"binding","client_software":"STUN test client","server_software":"test vector","mapped_address":"{address}","mapped_port":32853}}"#
            )
        };
        let lines = run(&[(Dir::Orig, REQUEST), (Dir::Resp, ANSWER)]);
        assert_eq!(lines, [record("192.0.2.1")]);
        let lines = run(&[(Dir::Orig, REQUEST), (Dir::Resp, ANSWER_6)]);
        assert_eq!(lines, [record("2001:db8:1234:5678:11:2233:4455:6677")]);
        assert_eq!(run(&[(Dir::Orig, REQUEST)]).len(), 1);
    }

    #[test]
    fn a_message_cut_anywhere_is_none() {
        for end in 0..ANSWER.len() {
            assert_eq!(
                Stun::probe(&ANSWER[..end], Dir::Resp),
                Probe::NotMine,
                "{end}"
            );
        }
        assert_eq!(Stun::probe(ANSWER, Dir::Resp), Probe::Certain);
    }

    proptest! {
        #[test]
        fn any_attributes_never_panic(attributes in prop::collection::vec(any::<u8>(), 0..120)) {
            let len = u16::try_from(attributes.len()).unwrap().to_be_bytes();
            let data = [&[1, 1][..], &len, &COOKIE, &[9; 12], &attributes].concat();
            prop_assert_eq!(run(&[(Dir::Resp, &data)]).len(), 1);
        }
    }
}
