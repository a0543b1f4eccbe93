//! QUIC: whom a client visits, read from the Initial packets, whose keys everybody can derive.
//!
//! Standard: RFC 9000 and RFC 9001 (version 1), RFC 9369 (version 2), RFC 8999 (all versions); drafts 22
//!           to 34 where their salt is known. Other drafts and Google's own versions are named, not opened.
//! Input:    UDP datagrams of both directions, on any port.
//! Output:   one `quic` record, the `ssl` record of the handshake inside it, and that record's clues.
//! Bounds:   8 Initials a side are opened, with two keys at most each; 16 KiB of a side's handshake are
//!           kept; 64 datagrams are looked at, then the flow is left alone. What could not be opened is told once.
//! Not done: Handshake packets need the keys of the session. A second connection on the same ports is not
//!           seen once the first one's hellos are.

mod assemble;
mod frames;
mod keys;
mod packet;
mod record;
#[cfg(test)]
mod tests;
mod version;

pub use record::QuicRecord;

pub(super) use self::assemble::Assembly;
use self::frames::{Frame, frames};
use self::keys::{Keys, Side};
use self::packet::{Kind, Packet, first, google_version};
use super::tls::{Carried, Transport, hex};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::{Timestamp, heap, heap_of};

/// Initials of one side that are opened.
const INITIALS_MAX: u8 = 8;
/// Datagrams of a flow that are looked at.
const DATAGRAMS_MAX: u8 = 64;
/// Letters of history that are kept.
const HISTORY_LEN_MAX: usize = 64;
/// Longest packet that is opened: what a jumbo frame holds.
const PACKET_LEN_MAX: usize = 9_216;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// Parser of one flow.
#[derive(Debug)]
pub struct Quic {
    started: Option<Timestamp>,
    record: QuicRecord,
    handshake: Carried,
    client: Option<Dir>,
    /// The destination the client first chose: all keys follow from it.
    origin: Vec<u8>,
    client_side: Half,
    server_side: Half,
    datagrams: u8,
    is_retried: bool,
    is_failure_told: bool,
    is_done: bool,
}

/// What is known of one side.
#[derive(Debug, Default)]
struct Half {
    /// Its keys and the version they are for.
    keys: Option<(u32, Keys)>,
    assembly: Assembly,
    initials: u8,
    /// Whether its hello was told.
    is_heard: bool,
}

heap!(Half: assembly);

impl Default for Quic {
    fn default() -> Self {
        Self {
            started: None,
            record: QuicRecord::default(),
            handshake: Carried::new(Transport::Quic),
            client: None,
            origin: Vec::new(),
            client_side: Half::default(),
            server_side: Half::default(),
            datagrams: 0,
            is_retried: false,
            is_failure_told: false,
            is_done: false,
        }
    }
}

impl Protocol for Quic {
    const NAME: &'static str = "quic";
    const PORTS: &'static [Port] = &[Port::Udp(443), Port::Udp(853), Port::Udp(80)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let Some(head) = start.first() else {
            return Probe::Unsure;
        };
        if head & 0x80 == 0 {
            return match google_version(start) {
                Some(_) => Probe::Certain,
                None => Probe::NotMine,
            };
        }
        let [_, a, b, c, d, ..] = *start else {
            return Probe::NotMine;
        };
        let number = u32::from_be_bytes([a, b, c, d]);
        let is_negotiating = number == version::NEGOTIATION || version::is_reserved(number);
        if !(is_negotiating || version::is_known(number)) {
            return Probe::NotMine;
        }
        match first(start) {
            // The fixed bit is set; only a server that asks for another version may leave it out.
            Some(_) if head & 0x40 != 0 && !is_negotiating => Probe::Certain,
            Some(_) if is_negotiating => Probe::Unsure,
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            return Parse::Broken("quic_over_stream");
        }
        self.datagrams = self.datagrams.saturating_add(1);
        if self.datagrams > DATAGRAMS_MAX {
            self.emit(out);
            return Parse::Skip;
        }
        self.started.get_or_insert(input.ts);
        let is_long = input.data.first().is_some_and(|head| head & 0x80 != 0);
        if is_long {
            self.long(input.data, input.dir, out);
        } else if let Some(number) = google_version(input.data) {
            self.record.version = version::name(number);
        } else if self.short(input.dir, out) {
            return Parse::Skip;
        }
        Parse::Parsed {
            used: input.data.len(),
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.emit(out);
    }

    fn heap(&self) -> usize {
        heap_of!(self: record, handshake, origin, client_side, server_side)
    }
}

impl Quic {
    /// Takes the packets of a datagram.
    fn long(&mut self, data: &[u8], dir: Dir, out: &mut Out<'_>) {
        let mut rest = data;
        while let Some((packet, behind)) = first(rest) {
            rest = behind;
            match packet.kind {
                Kind::Initial => self.initial(&packet, dir, out),
                Kind::Handshake => self.history('h', dir),
                Kind::ZeroRtt => self.history('z', dir),
                Kind::Retry => self.retry(&packet, dir),
                Kind::Negotiation => self.history('v', dir),
                Kind::Foreign => {
                    self.record.version = version::name(packet.version);
                    self.connection_ids(&packet, dir);
                    self.history('u', dir);
                }
            }
        }
    }

    /// A server makes the client begin again: the keys now follow from the connection id it chose.
    fn retry(&mut self, packet: &Packet<'_>, dir: Dir) {
        self.history('r', dir);
        let is_from_server = self.client.is_some_and(|client| client != dir);
        if is_from_server && !self.is_retried && !self.server_side.is_heard {
            self.is_retried = true;
            self.origin = packet.scid.to_vec();
            (self.client_side.keys, self.server_side.keys) = (None, None);
        }
    }

    /// Takes an Initial: it may be the next part of its sender's hello.
    fn initial(&mut self, packet: &Packet<'_>, dir: Dir, out: &mut Out<'_>) {
        self.record.version = version::name(packet.version);
        self.connection_ids(packet, dir);
        self.history('i', dir);
        if self.client.is_none() && self.origin != packet.dcid {
            // Who can be opened with the keys of a client is the client.
            self.origin = packet.dcid.to_vec();
            self.client_side.keys = None;
        }
        let is_server = self.client.is_some_and(|client| client != dir);
        let half = self.half(is_server);
        if half.is_heard || half.initials >= INITIALS_MAX || packet.bytes.len() > PACKET_LEN_MAX {
            return;
        }
        half.initials = half.initials.saturating_add(1);
        match self.open(packet, is_server) {
            Some(payload) => {
                if self.client.is_none() {
                    self.set_client(dir);
                }
                self.opened(&payload, is_server, dir, out);
            }
            None if !self.is_failure_told => {
                self.is_failure_told = true;
                out.weird("quic_initial_not_decrypted", None, Self::NAME);
            }
            None => {}
        }
    }

    /// Decrypts a packet with the keys at hand, or with new ones if another destination calls for them.
    fn open(&mut self, packet: &Packet<'_>, is_server: bool) -> Option<Vec<u8>> {
        let recipe = version::recipe(packet.version)?;
        let side = if is_server {
            Side::Server
        } else {
            Side::Client
        };
        let half = if is_server {
            &mut self.server_side
        } else {
            &mut self.client_side
        };
        let same = half.keys.take_if(|(number, _)| *number == packet.version);
        let (_, keys) = half.keys.insert(same.unwrap_or_else(|| {
            let keys = Keys::new(&recipe, &self.origin, side);
            (packet.version, keys)
        }));
        if let Some(payload) = keys.open(packet) {
            return Some(payload);
        }
        if is_server || packet.dcid == self.origin {
            return None;
        }
        // After a Retry, or where another connection begins, the keys follow from a new destination.
        let keys = Keys::new(&recipe, packet.dcid, side);
        let payload = keys.open(packet)?;
        self.origin = packet.dcid.to_vec();
        self.client_side.keys = Some((packet.version, keys));
        self.server_side.keys = None;
        Some(payload)
    }

    /// Takes the frames of an Initial.
    fn opened(&mut self, payload: &[u8], is_server: bool, dir: Dir, out: &mut Out<'_>) {
        for frame in frames(payload) {
            match frame {
                Frame::Close => self.history('c', dir),
                Frame::Crypto { offset, data } => {
                    if !self.half(is_server).assembly.add(offset, data) {
                        out.weird("quic_hello_too_scattered", None, Self::NAME);
                        self.half(is_server).initials = INITIALS_MAX;
                        return;
                    }
                }
            }
        }
        let half = if is_server {
            &mut self.server_side
        } else {
            &mut self.client_side
        };
        let expected = if is_server {
            SERVER_HELLO
        } else {
            CLIENT_HELLO
        };
        let Some((kind, body)) = half.assembly.message() else {
            return;
        };
        if kind == expected {
            self.handshake.message(kind, body, dir, out);
            half.is_heard = true;
            self.history('s', dir);
        }
        let half = self.half(is_server);
        half.initials = INITIALS_MAX;
        half.assembly.give_up();
        half.keys = None;
    }

    /// A packet of the session itself; true if nothing more is to be learned.
    fn short(&mut self, dir: Dir, out: &mut Out<'_>) -> bool {
        // A client has the session's keys once it has seen the whole handshake.
        let is_over = self.client_side.is_heard && self.client == Some(dir);
        if is_over {
            self.handshake.establish(out);
            self.emit(out);
        }
        is_over
    }

    fn half(&mut self, is_server: bool) -> &mut Half {
        if is_server {
            &mut self.server_side
        } else {
            &mut self.client_side
        }
    }

    fn is_client(&self, dir: Dir) -> bool {
        self.client.unwrap_or(Dir::Orig) == dir
    }

    /// The capture may begin with the server's packets: then what was noted is the other side's.
    fn set_client(&mut self, dir: Dir) {
        if !self.is_client(dir) {
            let record = &mut self.record;
            std::mem::swap(&mut record.client_scid, &mut record.server_scid);
            record.client_initial_dcid = Some(hex(&self.origin, false));
        }
        self.client = Some(dir);
    }

    fn connection_ids(&mut self, packet: &Packet<'_>, dir: Dir) {
        let is_client = self.is_client(dir);
        let record = &mut self.record;
        let own = if is_client {
            let destination = &mut record.client_initial_dcid;
            destination.get_or_insert_with(|| hex(packet.dcid, false));
            &mut record.client_scid
        } else {
            &mut record.server_scid
        };
        own.get_or_insert_with(|| hex(packet.scid, false));
    }

    /// Notes a letter of history.
    fn history(&mut self, letter: char, dir: Dir) {
        let letter = if self.is_client(dir) {
            letter.to_ascii_uppercase()
        } else {
            letter
        };
        let history = self.record.history.get_or_insert_default();
        if history.len() < HISTORY_LEN_MAX {
            history.push(letter);
        }
    }

    /// Emits the records, once, if a version was named.
    fn emit(&mut self, out: &mut Out<'_>) {
        let is_done = std::mem::replace(&mut self.is_done, true);
        if is_done || self.record.version.is_empty() {
            return;
        }
        let record = QuicRecord {
            server_name: self.handshake.server_name(),
            client_protocol: self.handshake.client_protocol(),
            ja4: self.handshake.ja4(),
            ..std::mem::take(&mut self.record)
        };
        out.record(self.started.unwrap_or(out.ts), record);
        self.handshake.emit(out);
    }
}
