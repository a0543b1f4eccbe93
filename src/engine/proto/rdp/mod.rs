//! RDP: who connects to whose desktop, from which client, and how it is secured.
//!
//! Standard: \[MS-RDPBCGR\] 2.2.1.1–2.2.1.4; framing RFC 2126 (TPKT), X.224 class 0.
//! Input:    TCP, port 3389; the first two messages of each side. TLS behind them is read by `tls`.
//! Output:   one `rdp` record a connection; the client's name and that the server is one, as clues.
//! Bounds:   messages of 64 KiB (two bytes of length); a cookie of 256 bytes; else as in `mcs`.
//! Not done: RDP over UDP or behind a gateway; certificates in clear; what follows the connect messages;
//!           a stream with a gap before those is told as it stands.

mod mcs;
mod names;
mod record;

pub use self::record::RdpRecord;
use super::gss::tell;
use super::little_endian::{u8_at, u16_at, u32_at};
use super::tpkt::{self, Frame};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::{ClueKind, Text, Timestamp, heap_of, text};

/// Fixed part of an X.224 connection request or confirm, its length included.
const CONNECT_LEN: usize = 7;
/// Longest cookie kept.
const COOKIE_LEN_MAX: usize = 256;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Rdp {
    started: Option<Timestamp>,
    record: RdpRecord,
    /// The server has chosen TLS.
    tls_next: bool,
    done: bool,
}

impl Protocol for Rdp {
    const NAME: &'static str = "rdp";
    const PORTS: &'static [Port] = &[Port::Tcp(3389)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            [3, 0, high, low, len, 0xe0 | 0xd0, rest @ ..] => {
                let whole = u16::from_be_bytes([*high, *low]);
                if u16::from(*len).saturating_add(5) != whole {
                    return Probe::NotMine;
                }
                match rest.get(5..) {
                    // Routing tokens and cookies; a negotiation with its length of 8.
                    Some([b'C', b'o', b'o', b'k', b'i', b'e', ..]) => Probe::Certain,
                    Some([1..=3, _, 8, 0, ..]) => Probe::Certain,
                    Some([b'C' | b't' | 1..=3, ..] | []) | None => Probe::Unsure,
                    // Other protocols over ISO transport give parameters here.
                    Some(_) => Probe::NotMine,
                }
            }
            [] | [3] | [3, 0] | [3, 0, _] | [3, 0, _, _] | [3, 0, _, _, _] => Probe::Unsure,
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return Parse::Broken("rdp_datagram");
        }
        if input.gap > 0 || self.done {
            self.emit(out);
            return Parse::Skip;
        }
        if self.tls_next && input.data.starts_with(&[0x16]) {
            self.record.result = Some("encrypted");
            self.emit(out);
            return Parse::Skip;
        }
        let (whole, frame) = match tpkt::frame(input.data) {
            Frame::Whole { len, unit } => (len, unit),
            Frame::Need(need) => return tpkt::more(need),
            Frame::Other => return self.other(out),
        };
        match u8_at(frame, 1) {
            Some(0xe0) => self.request(frame, input.ts),
            Some(0xd0) => self.confirm(frame, input, out),
            Some(0xf0) => self.connect(frame, input, out),
            _ => return self.other(out),
        }
        if self.done {
            return Parse::Skip;
        }
        Parse::Parsed { used: whole }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.emit(out);
    }

    fn heap(&self) -> usize {
        heap_of!(self: record)
    }
}

impl Rdp {
    /// What comes is not what the standard has here.
    fn other(&mut self, out: &mut Out<'_>) -> Parse {
        if self.started.is_none() {
            return Parse::Broken("rdp_no_frame");
        }
        self.emit(out);
        Parse::Skip
    }

    /// X.224 connection request: cookie and negotiation.
    fn request(&mut self, frame: &[u8], ts: Timestamp) {
        self.started.get_or_insert(ts);
        let mut rest = frame.get(CONNECT_LEN..).unwrap_or_default();
        if let Some(end) = memchr::memchr(b'\n', rest).filter(|_| !rest.starts_with(&[1])) {
            let line = rest.get(..end).unwrap_or_default().trim_ascii_end();
            if let Some(name) = line.strip_prefix(b"Cookie: mstshash=") {
                self.record.cookie = Some(text(name, COOKIE_LEN_MAX));
            }
            rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
        }
        if let ([1, flags, 8, 0, ..], Some(offered)) = (rest, u32_at(rest, 4)) {
            let known = [1, 2, 4, 8, 0x10]
                .into_iter()
                .filter(|bit| offered & bit != 0);
            let names: Vec<Text> = known.map(names::protocol).collect();
            self.record.requested_protocols = Some(names).filter(|names| !names.is_empty());
            self.record.restricted_admin = Some(flags & 1 != 0);
        }
    }

    /// X.224 connection confirm: the server's choice.
    fn confirm(&mut self, frame: &[u8], input: Input<'_>, out: &mut Out<'_>) {
        self.started.get_or_insert(input.ts);
        let value = Text::from("rdp");
        tell(
            input.dir,
            ClueKind::Serves,
            "rdp confirm",
            Some(&value),
            out,
        );
        let rest = frame.get(CONNECT_LEN..).unwrap_or_default();
        match (u8_at(rest, 0), u16_at(rest, 2), u32_at(rest, 4)) {
            (Some(2), Some(8), Some(chosen)) => {
                self.record.security_protocol = Some(names::protocol(chosen));
                self.tls_next = chosen != 0;
            }
            (Some(3), Some(8), Some(code)) => {
                self.record.security_protocol = Some(names::failure(code));
                self.emit(out);
            }
            _ => self.record.security_protocol = Some(names::protocol(0)),
        }
    }

    /// X.224 data with an MCS connect message in clear.
    fn connect(&mut self, frame: &[u8], input: Input<'_>, out: &mut Out<'_>) {
        self.started.get_or_insert(input.ts);
        let message = frame.get(3..).unwrap_or_default();
        match message {
            [0x7f, 0x65, ..] => {
                mcs::client(message, &mut self.record);
                let name = self.record.client_name.as_ref();
                tell(input.dir, ClueKind::HostName, "rdp client name", name, out);
            }
            [0x7f, 0x66, ..] => {
                mcs::server(message, &mut self.record);
                // Connect-Response: result ENUMERATED (T.125 §7).
                let accepted =
                    memchr::memmem::find(message.get(..16).unwrap_or(message), &[10, 1, 0]);
                self.record.result = Some(if accepted.is_some() {
                    "Success"
                } else {
                    "Refused"
                });
                self.emit(out);
            }
            // Later messages: the connect messages were not seen, or not both.
            _ => self.emit(out),
        }
    }

    fn emit(&mut self, out: &mut Out<'_>) {
        let Some(ts) = self.started.filter(|_| !self.done) else {
            return;
        };
        self.done = true;
        out.record(ts, std::mem::take(&mut self.record));
    }
}

#[cfg(test)]
mod tests;
