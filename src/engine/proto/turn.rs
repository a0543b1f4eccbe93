//! TURN: a device that reaches others, and is reached by them, through a relay outside.
//!
//! Standard: RFC 8656 §5 to §12 (methods, `ChannelData`), §18 (attributes); messages are those of STUN (RFC 8489).
//! Input:    UDP datagrams and TCP streams, any port. Over TCP `ChannelData` is filled up to four bytes (§12.5).
//! Output:   one `turn` record when the flow is over, or 64 messages were seen; a software clue.
//! Bounds:   64 messages, 8 peers; texts of 128 bytes; 4 KiB of a message of a stream.
//! Secrets:  user names, nonces and integrity codes are not read.
//! Not done: TURN over TLS, which is `ssl`; connections of RFC 6062.

use std::net::IpAddr;

use super::stun::{self, Message, SOFTWARE, XOR_MAPPED_ADDRESS, address, software, text_of};
use super::{Dir, Input, Out, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Text, Timestamp, heap_of};

/// Messages looked at.
const MESSAGES_MAX: u8 = 64;
/// Peers kept.
const PEERS_MAX: usize = 8;
/// Bytes of a message of a stream that are looked at; longer ones carry data.
const LOOKED_AT_MAX: usize = 4096;
/// Header of `ChannelData`: channel number and length.
const CHANNEL_HEADER_LEN: usize = 4;

const ERROR_CODE: u16 = 0x0009;
const LIFETIME: u16 = 0x000d;
const XOR_PEER_ADDRESS: u16 = 0x0012;
const DATA: u16 = 0x0013;
const REALM: u16 = 0x0014;
const XOR_RELAYED_ADDRESS: u16 = 0x0016;
const REQUESTED_TRANSPORT: u16 = 0x0019;

record! {
    /// What one flow to a relay tells (ours).
    pub struct TurnRecord = "turn" {
        /// Method of the first message.
        pub method: &'static str = "method",
        /// Software of who asks, as it says.
        pub client_software: Option<Text> = "client_software",
        /// Software of the relay.
        pub server_software: Option<Text> = "server_software",
        /// Realm in which the relay wants to know who asks.
        pub realm: Option<Text> = "realm",
        /// What the relay is to speak with others: `udp` or `tcp`.
        pub transport: Option<&'static str> = "transport",
        /// Whether an address was given at last.
        pub success: Option<bool> = "success",
        /// The last error's code; 401 asks who it is.
        pub error_code: Option<u16> = "error_code",
        /// How long the address is given for, in seconds.
        pub lifetime: Option<u32> = "lifetime",
        /// Address the asker has from outside.
        pub mapped_address: Option<IpAddr> = "mapped_address",
        /// Its port.
        pub mapped_port: Option<u16> = "mapped_port",
        /// Address at the relay that others reach the asker by.
        pub relayed_address: Option<IpAddr> = "relayed_address",
        /// Its port.
        pub relayed_port: Option<u16> = "relayed_port",
        /// With whom the asker wants to speak, or speaks.
        pub peers: Option<Vec<IpAddr>> = "peers",
        /// Whether data went through the relay.
        pub relayed: bool = "relayed",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Turn {
    started: Option<Timestamp>,
    record: TurnRecord,
    messages: u8,
}

/// Length of what begins here, its header included, if it is a message or `ChannelData`.
fn length(start: &[u8]) -> Option<(bool, usize)> {
    let &[first, _, l0, l1] = start.first_chunk::<CHANNEL_HEADER_LEN>()?;
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    match first {
        0..=0x3f => Some((true, len.saturating_add(stun::HEADER_LEN))),
        // Channels have numbers from 0x4000 to 0x4fff (§12).
        0x40..=0x4f => Some((false, len.saturating_add(CHANNEL_HEADER_LEN))),
        _ => None,
    }
}

impl Protocol for Turn {
    const NAME: &'static str = "turn";
    const PORTS: &'static [Port] = &[Port::Udp(3478), Port::Tcp(3478)];

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let is_ours = |kind: u16| stun::is_relaying(kind) && kind & 0xc000 == 0;
        let cookie = start.get(4..).unwrap_or_default();
        let cookie = cookie.get(..4).unwrap_or(cookie);
        let may_be = match *start {
            [] => true,
            // Of a method's number the last four bits, with those of the class around them.
            [first] => first <= 1,
            [first, second, ..] => is_ours(u16::from_be_bytes([first, second])),
        };
        match (may_be && stun::COOKIE.starts_with(cookie), cookie.len()) {
            (false, _) => Probe::NotMine,
            (true, 4) => Probe::Certain,
            (true, _) => Probe::Unsure,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        if input.datagram {
            // What is neither shares the port (RFC 7983).
            if let Some((is_message, _)) = length(data) {
                self.one(is_message, data, input, out);
            }
            let is_first = self.started.is_none();
            return if is_first {
                Parse::Broken("turn_no_message")
            } else {
                self.go_on(Parse::Parsed { used: data.len() }, out)
            };
        }
        if input.gap > 0 {
            // Where the next message begins nobody can tell.
            self.finish(out);
            return Parse::Skip;
        }
        let Some(need) = CHANNEL_HEADER_LEN
            .checked_sub(data.len())
            .filter(|n| *n > 0)
        else {
            return self.piece(input, out);
        };
        Parse::NeedMore { used: 0, need }
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

impl Turn {
    /// The next message of a stream.
    fn piece(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        let Some((is_message, len)) = length(data) else {
            return self.lost(out);
        };
        let whole = len.next_multiple_of(4);
        if is_message && len <= LOOKED_AT_MAX && data.len() < len {
            let need = len.saturating_sub(data.len());
            return Parse::NeedMore { used: 0, need };
        }
        if !self.one(is_message, data.get(..len).unwrap_or(data), input, out) {
            return self.lost(out);
        }
        self.go_on(Parse::past(whole, data), out)
    }

    /// Takes a message or `ChannelData`; false if it is neither.
    fn one(&mut self, is_message: bool, data: &[u8], input: Input<'_>, out: &mut Out<'_>) -> bool {
        if is_message {
            match stun::message(data) {
                Some(message) => self.take(&message, input, out),
                // One too long to be looked at, which carries data.
                None => {
                    let is_cut = length(data).is_some_and(|(_, len)| len > data.len());
                    return is_cut && self.started.is_some();
                }
            }
        } else if self.started.is_some() {
            self.record.relayed = true;
        } else {
            return false;
        }
        self.messages = self.messages.saturating_add(1);
        true
    }

    /// What cannot be read any more.
    fn lost(&mut self, out: &mut Out<'_>) -> Parse {
        if self.started.is_none() {
            return Parse::Broken("turn_no_message");
        }
        self.finish(out);
        Parse::Skip
    }

    /// The answer, unless enough was seen.
    fn go_on(&mut self, answer: Parse, out: &mut Out<'_>) -> Parse {
        if self.messages < MESSAGES_MAX {
            return answer;
        }
        self.finish(out);
        Parse::Skip
    }

    fn take(&mut self, message: &Message<'_>, input: Input<'_>, out: &mut Out<'_>) {
        self.started.get_or_insert(input.ts);
        let record = &mut self.record;
        if record.method.is_empty() {
            record.method = message.method();
        }
        let allocates = message.method() == "allocate";
        if allocates && message.is_answer() {
            record.success = Some(!message.is_error());
        }
        for (kind, value) in message.attributes() {
            let place = || address(value, message.transaction);
            match kind {
                SOFTWARE => {
                    let slot = if message.is_answer() {
                        &mut record.server_software
                    } else {
                        &mut record.client_software
                    };
                    software(input.dir, slot, value, out);
                }
                REALM => record.realm = Some(text_of(value)),
                REQUESTED_TRANSPORT => record.transport = value.first().and_then(|n| transport(*n)),
                // The class in the last three bits of the third byte, the number in the fourth (RFC 8489 §14.8).
                ERROR_CODE => {
                    if let &[_, _, class, number, ..] = value {
                        let code = u16::from(class & 7).saturating_mul(100);
                        record.error_code = Some(code.saturating_add(u16::from(number)));
                    }
                }
                LIFETIME if allocates && message.is_answer() => {
                    record.lifetime = value.first_chunk().map(|time| u32::from_be_bytes(*time));
                }
                XOR_MAPPED_ADDRESS => {
                    if let Some((address, port)) = place() {
                        (record.mapped_address, record.mapped_port) = (Some(address), Some(port));
                    }
                }
                XOR_RELAYED_ADDRESS => {
                    if let Some((address, port)) = place() {
                        (record.relayed_address, record.relayed_port) = (Some(address), Some(port));
                    }
                }
                XOR_PEER_ADDRESS => {
                    if let Some((peer, _)) = place() {
                        let peers = record.peers.get_or_insert_default();
                        if peers.len() < PEERS_MAX && !peers.contains(&peer) {
                            peers.push(peer);
                        }
                    }
                }
                DATA => record.relayed = true,
                _ => {}
            }
        }
    }
}

/// A protocol's number, as REQUESTED-TRANSPORT has it (§18.7).
fn transport(number: u8) -> Option<&'static str> {
    match number {
        6 => Some("tcp"),
        17 => Some("udp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
