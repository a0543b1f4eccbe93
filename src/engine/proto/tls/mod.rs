//! TLS and SSL: who speaks to which server, with what software, under which certificate.
//!
//! Standard: RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2), RFC 6101 (SSL 3.0); records §5.1 and §6.2.
//! Input:    TCP streams of both directions. Certificates cross in clear up to TLS 1.2 only.
//! Output:   one `ssl` record when the handshake is complete or the flow over, an `x509` record for each
//!           certificate; clues: the client's JA4, and that the server serves TLS.
//! Bounds:   a handshake message is 64 KiB, larger ones are passed over and told; 1,024 records and 64
//!           encrypted ones of a side are looked at, then the flow is left alone.
//! Not done: NPN; what follows STARTTLS comes here only if its parser hands it over.

mod carried;
mod certificate;
mod distinguished_name;
mod handshake;
mod hello;
mod ja3;
mod ja4;
mod known;
mod names;
mod purpose;
mod reader;
mod record;
#[cfg(test)]
mod tests;

pub use certificate::X509Record;
pub use hello::{ClientHelloView, client_hello, is_grease};
pub use ja4::ja4;
pub use record::SslRecord;

pub(super) use carried::Carried;
pub(super) use certificate::hex;
pub(super) use handshake::Transport;
pub(super) use hello::without_cookie;

use self::handshake::Session;
use self::hello::{ssl2_hello, ssl2_is_client, ssl2_len};
use super::{BUFFER_BYTES_MAX, Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::{Timestamp, heap, heap_of};

/// Name of this parser in `weird`.
const SOURCE: &str = "ssl";
/// Header of a record: type, version, length.
const HEADER_LEN: usize = 5;
/// Header of a handshake message: type, length.
const MESSAGE_HEADER_LEN: usize = 4;
/// Longest record: 2^14 bytes and what encryption may add (RFC 5246 §6.2.3).
const RECORD_LEN_MAX: usize = 16_384 + 2_048;
/// Records looked at before a flow is left alone: a hello in records of one byte each still fits.
const RECORDS_MAX: u16 = 1_024;
/// Encrypted records of one side looked at before a flow is left alone. A TLS 1.3 server sends a
/// handful before the client's first; this many mean that the other side is not seen.
const OPAQUE_RECORDS_MAX: u16 = 64;
/// Pieces of something else passed over before a side's first record.
const STRAYS_MAX: u16 = 64;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const HEARTBEAT: u8 = 24;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Tls {
    started: Option<Timestamp>,
    orig: Side,
    resp: Side,
    session: Session,
    records: u16,
    is_done: bool,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    /// The beginning of a handshake message that goes on in the next record.
    pending: Vec<u8>,
    /// Whether it sent anything yet.
    is_begun: bool,
    /// Bytes of a message too long that are still to come.
    discard: usize,
    /// Whether it sent a ChangeCipherSpec.
    is_changed: bool,
    /// Encrypted records it sent.
    opaque: u16,
    /// Pieces of something else before its first record.
    strays: u16,
}

heap!(Side: pending);

/// What became of one record.
enum Step {
    /// It is done with; so many bytes of the data are used.
    Used(usize),
    /// So many bytes more are needed.
    Need(usize),
    /// It is done with but not all there: this many bytes are still to come.
    Beyond(usize),
    /// Nothing more is of interest.
    Done,
    /// This is no TLS.
    Broken(&'static str),
}

impl Protocol for Tls {
    const NAME: &'static str = "ssl";
    const PORTS: &'static [Port] = &[
        Port::Tcp(443),
        Port::Tcp(8443),
        Port::Tcp(993),
        Port::Tcp(995),
        Port::Tcp(465),
        Port::Tcp(636),
        Port::Tcp(853),
        Port::Tcp(3269),
        Port::Tcp(5061),
        Port::Tcp(5986),
        Port::Tcp(8883),
    ];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let Some(kind) = start.first() else {
            return Probe::Unsure;
        };
        if kind & 0x80 != 0 {
            return probe_ssl2(start);
        }
        let is_kind = (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(kind);
        let is_version = start.get(1).is_none_or(|major| *major == 3)
            && start.get(2).is_none_or(|minor| *minor <= 4);
        let length = start
            .get(3..5)
            .and_then(|pair| <[u8; 2]>::try_from(pair).ok());
        let length = length.map(|pair| usize::from(u16::from_be_bytes(pair)));
        if !is_kind || !is_version || length.is_some_and(|n| n == 0 || n > RECORD_LEN_MAX) {
            return Probe::NotMine;
        }
        match start.get(HEADER_LEN..) {
            // Type, a length whose high byte is zero, and a version: TLS 1.3 too says 3 here.
            Some([1 | 2, 0, _, _, 3, 0..=4, ..]) if *kind == HANDSHAKE => Probe::Certain,
            _ => Probe::Unsure,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if self.is_done {
            return Parse::Skip;
        }
        if input.gap > 0 && !self.resume(&input) {
            self.emit(out);
            return Parse::Skip;
        }
        self.started.get_or_insert(input.ts);
        let mut rest = input.data;
        while !rest.is_empty() {
            let used = input.data.len().saturating_sub(rest.len());
            match self.step(rest, input.dir, out) {
                Step::Used(len) => rest = rest.get(len..).unwrap_or_default(),
                Step::Need(need) => return Parse::NeedMore { used, need },
                Step::Beyond(len) => {
                    let bytes = u64::try_from(len).unwrap_or(u64::MAX);
                    return Parse::SkipBytes { bytes };
                }
                Step::Done => {
                    self.emit(out);
                    return Parse::Skip;
                }
                Step::Broken(weird) => {
                    self.emit(out);
                    return Parse::Broken(weird);
                }
            }
        }
        Parse::Parsed {
            used: input.data.len(),
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.emit(out);
    }

    fn heap(&self) -> usize {
        heap_of!(self: orig, resp, session)
    }
}

impl Tls {
    /// Takes the first record of `data`, or of a hello in the form of SSL 2.0.
    fn step(&mut self, data: &[u8], dir: Dir, out: &mut Out<'_>) -> Step {
        if data.first().is_some_and(|kind| kind & 0x80 != 0) {
            return self.step_ssl2(data, dir, out);
        }
        let Some((header, rest)) = data.split_first_chunk::<HEADER_LEN>() else {
            return Step::Need(HEADER_LEN.saturating_sub(data.len()));
        };
        let [kind, major, minor, high, low] = *header;
        let len = usize::from(u16::from_be_bytes([high, low]));
        if !(CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(&kind) || major != 3 || minor > 4 {
            return self.stray(dir);
        }
        if len > RECORD_LEN_MAX {
            return Step::Broken("ssl_record_too_long");
        }
        self.side(dir).is_begun = true;
        self.records = self.records.saturating_add(1);
        if self.records > RECORDS_MAX {
            return Step::Done;
        }
        if self.is_opaque(kind, len, dir) {
            if self.opaque(kind, dir, out) {
                return Step::Done;
            }
            return match len.checked_sub(rest.len()) {
                Some(missing) if missing > 0 => Step::Beyond(missing),
                _ => Step::Used(HEADER_LEN.saturating_add(len)),
            };
        }
        let Some(body) = rest.get(..len) else {
            // The record is met again when it is whole.
            self.records = self.records.saturating_sub(1);
            return Step::Need(len.saturating_sub(rest.len()));
        };
        if self.clear(kind, body, dir, out) {
            return Step::Done;
        }
        Step::Used(HEADER_LEN.saturating_add(len))
    }

    /// A hello in the form of SSL 2.0, which only ever comes first.
    fn step_ssl2(&mut self, data: &[u8], dir: Dir, out: &mut Out<'_>) -> Step {
        if data.len() < 3 {
            return Step::Need(3usize.saturating_sub(data.len()));
        }
        let Some(len) = ssl2_len(data).filter(|_| !self.side(dir).is_begun) else {
            return self.stray(dir);
        };
        let whole = len.saturating_add(2);
        let Some(body) = data.get(2..whole) else {
            return Step::Need(whole.saturating_sub(data.len()));
        };
        let Some(hello) = ssl2_hello(body) else {
            return self.stray(dir);
        };
        self.side(dir).is_begun = true;
        if self.session.ssl2(hello, dir, out) {
            Step::Done
        } else {
            Step::Used(whole)
        }
    }

    /// Bytes that are no record. Before a side's first record they are passed over for a while, if
    /// the other side's hello is there: a staged implant is sent in clear before it turns to TLS.
    fn stray(&mut self, dir: Dir) -> Step {
        let is_heard = self.session.is_heard;
        let side = self.side(dir);
        if !is_heard || side.is_begun || side.strays >= STRAYS_MAX {
            return Step::Broken("ssl_invalid_record");
        }
        side.strays = side.strays.saturating_add(1);
        Step::Beyond(0)
    }

    /// Whether a record's body is encrypted, as far as the messages before it tell.
    fn is_opaque(&mut self, kind: u8, len: usize, dir: Dir) -> bool {
        const ALERT_LEN: usize = 2;
        let is_13 = self.session.is_13();
        let is_changed = self.side(dir).is_changed && !is_13;
        match kind {
            APPLICATION_DATA => true,
            // In TLS 1.3 whatever is encrypted goes as application data.
            HANDSHAKE | HEARTBEAT => is_changed,
            ALERT => is_changed || len != ALERT_LEN,
            _ => false,
        }
    }

    /// Takes an encrypted record; true if the flow has nothing more to tell.
    fn opaque(&mut self, kind: u8, dir: Dir, out: &mut Out<'_>) -> bool {
        if !self.session.is_heard {
            // Caught in the middle.
            return true;
        }
        let side = self.side(dir);
        side.opaque = side.opaque.saturating_add(1);
        let opaque = side.opaque;
        if kind == APPLICATION_DATA && opaque == 1 {
            self.session.history('d', dir);
        }
        let is_ready = self.session.is_13() || (self.orig.is_changed && self.resp.is_changed);
        if is_ready && self.orig.opaque > 0 && self.resp.opaque > 0 {
            self.session.establish(out);
            return true;
        }
        opaque > OPAQUE_RECORDS_MAX
    }

    /// Takes a record in clear; true if the flow has nothing more to tell.
    fn clear(&mut self, kind: u8, body: &[u8], dir: Dir, out: &mut Out<'_>) -> bool {
        match (kind, body) {
            // Caught in the middle: an encrypted message looks like a strange one.
            (HANDSHAKE, [3..=u8::MAX, ..]) if self.is_fresh(dir) => return true,
            (HANDSHAKE, _) => self.handshake(body, dir, out),
            (CHANGE_CIPHER_SPEC, _) => {
                self.side(dir).is_changed = true;
                self.session.change_cipher_spec(dir);
            }
            (ALERT, [level, description]) => {
                return self.session.alert(*level, *description, dir);
            }
            (HEARTBEAT, _) => self.session.history('b', dir),
            _ => {}
        }
        false
    }

    /// Whether nothing is known yet, not even the beginning of a hello.
    fn is_fresh(&mut self, dir: Dir) -> bool {
        !self.session.is_heard && self.side(dir).pending.is_empty()
    }

    /// Takes the handshake bytes of one record. Messages may share a record and may cross records.
    fn handshake(&mut self, body: &[u8], dir: Dir, out: &mut Out<'_>) {
        let side = self.side(dir);
        let (passed, body) = body.split_at(side.discard.min(body.len()));
        side.discard = side.discard.saturating_sub(passed.len());
        let mut pending = std::mem::take(&mut side.pending);
        let joined = if pending.is_empty() {
            body
        } else {
            pending.extend_from_slice(body);
            &pending
        };
        let mut rest = joined;
        while let Some(([kind, a, b, c], after)) = rest.split_first_chunk::<MESSAGE_HEADER_LEN>() {
            let len = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap_or(usize::MAX);
            if len > BUFFER_BYTES_MAX {
                self.session
                    .weird("ssl_handshake_message_too_long", None, out);
                self.side(dir).discard = len.saturating_sub(after.len());
                rest = after.get(len..).unwrap_or_default();
                continue;
            }
            let Some((message, next)) = after.split_at_checked(len) else {
                break;
            };
            self.session.message(*kind, message, dir, out);
            rest = next;
        }
        let used = joined.len().saturating_sub(rest.len());
        self.side(dir).pending = if pending.is_empty() {
            rest.to_vec()
        } else {
            pending.drain(..used);
            pending
        };
    }

    /// After a loss: whether this direction begins anew with a hello.
    fn resume(&mut self, input: &Input<'_>) -> bool {
        let side = self.side(input.dir);
        side.pending.clear();
        side.discard = 0;
        Self::probe(input.data, input.dir) == Probe::Certain
    }

    fn side(&mut self, dir: Dir) -> &mut Side {
        match dir {
            Dir::Orig => &mut self.orig,
            Dir::Resp => &mut self.resp,
        }
    }

    /// Emits the record, once, if there was a hello.
    fn emit(&mut self, out: &mut Out<'_>) {
        let is_done = std::mem::replace(&mut self.is_done, true);
        if is_done || !self.session.is_heard {
            return;
        }
        let record = self.session.record(out.flow);
        out.record(self.started.unwrap_or(out.ts), record);
    }
}

/// Judges a start in the form of SSL 2.0.
fn probe_ssl2(start: &[u8]) -> Probe {
    if start.len() < 3 {
        return Probe::Unsure;
    }
    let Some(len) = ssl2_len(start) else {
        return Probe::NotMine;
    };
    match ssl2_is_client(len, start.get(2..).unwrap_or_default()) {
        Some(true) => Probe::Certain,
        Some(false) => Probe::NotMine,
        None => Probe::Unsure,
    }
}
