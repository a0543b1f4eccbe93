//! STUN and TURN: a device that asks how it looks from outside, to be called by others.
//!
//! Standard: RFC 8489 §5 (header), §14 (attributes); RFC 8656 §18 (TURN).
//! Input:    UDP datagrams, any port. Calls mix it with media on the same ports.
//! Output:   one `stun` record when an address is told or the flow is over; a software clue.
//! Bounds:   8 messages are looked at; texts of 128 bytes.
//! Secrets:  user names and integrity codes are not read.
//! Not done: TCP; the older RFC 3489, which has no mark of its own.

use std::net::IpAddr;

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Clue, ClueKind, Text, Timestamp, heap_of, text};

const HEADER_LEN: usize = 20;
/// What tells it from everything else (RFC 8489 §5).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const MESSAGES_MAX: u8 = 8;
const TEXT_LEN_MAX: usize = 128;

const XOR_RELAYED_ADDRESS: u16 = 0x0016;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const SOFTWARE: u16 = 0x8022;

record! {
    /// What one flow of STUN tells.
    pub struct StunRecord = "stun" {
        /// Method of the first message: `binding`, `allocate` or others' names.
        pub method: &'static str = "method",
        /// Software of who asks, as it says.
        pub client_software: Option<Text> = "client_software",
        /// Software of who answers.
        pub server_software: Option<Text> = "server_software",
        /// Address the asker has from outside.
        pub mapped_address: Option<IpAddr> = "mapped_address",
        /// Its port.
        pub mapped_port: Option<u16> = "mapped_port",
        /// Address at the relay that others reach the asker by.
        pub relayed_address: Option<IpAddr> = "relayed_address",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Stun {
    started: Option<Timestamp>,
    record: StunRecord,
    messages: u8,
}

impl Protocol for Stun {
    const NAME: &'static str = "stun";
    const PORTS: &'static [Port] = &[Port::Udp(3478), Port::Udp(19_302)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        if message(start).is_some() {
            Probe::Certain
        } else {
            Probe::NotMine
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            return Parse::Broken("stun_over_stream");
        }
        if let Some(message) = message(input.data) {
            self.started.get_or_insert(input.ts);
            self.messages = self.messages.saturating_add(1);
            let is_answered = self.take(&message, input.dir, out);
            if is_answered || self.messages >= MESSAGES_MAX {
                self.finish(out);
                return Parse::Skip;
            }
        }
        Parse::Parsed {
            used: input.data.len(),
        }
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
        let mut rest = message.attributes;
        while let Some(([k0, k1, l0, l1], behind)) = rest.split_first_chunk::<4>() {
            let len = usize::from(u16::from_be_bytes([*l0, *l1]));
            let Some(value) = behind.get(..len) else {
                break;
            };
            // Attributes begin at multiples of four (RFC 8489 §14).
            rest = behind.get(len.next_multiple_of(4)..).unwrap_or_default();
            match u16::from_be_bytes([*k0, *k1]) {
                SOFTWARE => {
                    let slot = if message.is_answer() {
                        &mut record.server_software
                    } else {
                        &mut record.client_software
                    };
                    if slot.is_none() {
                        *slot = Some(text(value, TEXT_LEN_MAX));
                        software(dir, slot.clone(), out);
                    }
                }
                XOR_MAPPED_ADDRESS => {
                    if let Some((address, port)) = address(value, message.transaction) {
                        record.mapped_address = Some(address);
                        record.mapped_port = Some(port);
                    }
                }
                XOR_RELAYED_ADDRESS => {
                    record.relayed_address = address(value, message.transaction).map(|(a, _)| a);
                }
                _ => {}
            }
        }
        record.mapped_address.is_some()
    }
}

/// A message in its place.
struct Message<'a> {
    kind: u16,
    transaction: &'a [u8],
    attributes: &'a [u8],
}

impl Message<'_> {
    /// RFC 8489 §5: the method lies around the two bits of the class.
    fn method(&self) -> &'static str {
        let method = self.kind & 0x000f | (self.kind & 0x00e0) >> 1 | (self.kind & 0x3e00) >> 2;
        match method {
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
    fn is_answer(&self) -> bool {
        self.kind & 0x0100 != 0
    }
}

fn message(data: &[u8]) -> Option<Message<'_>> {
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
fn address(value: &[u8], transaction: &[u8]) -> Option<(IpAddr, u16)> {
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

fn software(dir: Dir, value: Option<Text>, out: &mut Out<'_>) {
    let side = match dir {
        Dir::Orig => out.flow.orig,
        Dir::Resp => out.flow.resp,
    };
    out.clue(Clue {
        mac: None,
        ip: Some(side.ip()),
        kind: ClueKind::Software,
        evidence: "stun software",
        value: value.unwrap_or_default(),
    });
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
