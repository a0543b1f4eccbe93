//! TDS: who signs in to which Microsoft SQL Server, from which machine and program, and what is asked of it.
//!
//! Standard: \[MS-TDS\] 2.2.3 (packets), 2.2.6 (messages of the client), 2.2.7 (tokens of the server).
//! Input:    both streams of a TCP flow.
//! Output:   one `tds` record per message of the client with the answer to it; `ntlm` and `kerberos` records of
//!           integrated sign-ins. Clues: that a server serves it and its version, the client's machine.
//! Bounds:   4 KiB of a packet are looked at; texts of 256 bytes.
//! Secrets:  of a password the `credentials` record is told; the texts of statements are passed over: of a
//!           statement its first word and its size are kept, and the name of a procedure it calls.
//! Not done: TLS within packets, as it is with encryption, is not read; what comes behind it in clear neither;
//!           several answers in one; UDP 1434.

mod login;
mod record;
mod tokens;

pub use self::record::TdsRecord;
use compact_str::ToCompactString as _;

use self::tokens::Answer;
use super::gss::{self, SignIn, Verdict, tell};
use super::lines::{TEXT_LEN_MAX, is_tls, tell_software};
use super::little_endian::{field, size16_at, size32_at, u16_at, utf16};
use super::sql::statement;
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::{ClueKind, Text, Timestamp, heap_of};

/// Header of a packet.
const HEAD_LEN: usize = 8;
/// Bytes of a packet that are looked at.
const LOOKED_AT_MAX: usize = 4096;
/// Kinds of packets.
const BATCH: u8 = 1;
const CALL: u8 = 3;
const RESPONSE: u8 = 4;
const LOGIN: u8 = 0x10;
const SSPI: u8 = 0x11;
const PRELOGIN: u8 = 0x12;
/// Bit of the status: the message ends with this packet.
const LAST: u8 = 1;
/// Bytes of a statement that are looked at for its first words.
const STATEMENT_LEN_MAX: usize = 1024;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Tds {
    /// What the client asked last.
    open: Option<(Timestamp, TdsRecord)>,
    sign_in: SignIn,
    /// By sender: the message goes on in the next packet.
    goes_on: [bool; 2],
    sure: bool,
    /// That the server serves this is told.
    told: bool,
}

/// A packet's header.
#[derive(Clone, Copy, Debug)]
struct Packet {
    kind: u8,
    is_last: bool,
    /// With the header.
    len: usize,
}

impl Packet {
    /// `None` if these eight bytes are no header.
    fn read(data: &[u8]) -> Option<Self> {
        let &[kind, status, high, low, _, _, _, 0] = data.first_chunk::<HEAD_LEN>()? else {
            return None;
        };
        let len = usize::from(u16::from_be_bytes([high, low]));
        let is_known = command(kind).is_some() || kind == RESPONSE;
        (is_known && status & 0xe0 == 0 && len >= HEAD_LEN).then_some(Self {
            kind,
            is_last: status & LAST != 0,
            len,
        })
    }
}

/// Messages of a client, as `zeek-plugin-tds` calls them.
fn command(kind: u8) -> Option<&'static str> {
    Some(match kind {
        BATCH => "SQL batch",
        CALL => "Remote procedure call",
        6 => "Attention signal",
        7 => "Bulk load data",
        8 => "Federated authentication token",
        0x0e => "Transaction manager request",
        LOGIN => "TDS7 login",
        SSPI => "SSPI message",
        PRELOGIN => "TDS7 pre-login message",
        _ => return None,
    })
}

impl Protocol for Tds {
    const NAME: &'static str = "tds";
    const PORTS: &'static [Port] = &[Port::Tcp(1433)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        if start.len() < HEAD_LEN {
            let kind = start.first().copied().unwrap_or(PRELOGIN);
            let known = command(kind).is_some() || kind == RESPONSE;
            let status = start.get(1).is_none_or(|status| status & 0xe0 == 0);
            return if known && status {
                Probe::Unsure
            } else {
                Probe::NotMine
            };
        }
        let Some(packet) = Packet::read(start) else {
            return Probe::NotMine;
        };
        let body = start.get(HEAD_LEN..).unwrap_or_default();
        match packet.kind {
            PRELOGIN | RESPONSE if login::is_prelogin(body, packet.len) => Probe::Certain,
            LOGIN if login::is_login(body) => Probe::Certain,
            PRELOGIN | LOGIN if body.len() >= login::HEAD_LEN => Probe::NotMine,
            _ => Probe::Unsure,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return Parse::Broken("tds_datagram");
        }
        if input.gap > 0 || is_tls(input.data) {
            // Where the next packet begins nobody can tell.
            self.finish(out);
            return Parse::Skip;
        }
        let data = input.data;
        if data.len() < HEAD_LEN {
            let need = HEAD_LEN.saturating_sub(data.len());
            return Parse::NeedMore { used: 0, need };
        }
        let Some(packet) = Packet::read(data) else {
            if !self.sure {
                return Parse::Broken("tds_no_header");
            }
            self.finish(out);
            return Parse::Skip;
        };
        let looked_at = packet.len.min(LOOKED_AT_MAX);
        let Some(body) = data.get(HEAD_LEN..looked_at) else {
            let need = looked_at.saturating_sub(data.len()).max(1);
            return Parse::NeedMore { used: 0, need };
        };
        self.sure = true;
        self.packet(packet, body, input, out);
        Parse::past(packet.len, data)
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.sign_in.finish(Dir::Orig, out);
        self.emit(out);
    }

    fn heap(&self) -> usize {
        heap_of!(self: open, sign_in)
    }
}

impl Tds {
    fn emit(&mut self, out: &mut Out<'_>) {
        if let Some((ts, record)) = self.open.take() {
            out.record(ts, record);
        }
    }

    fn packet(&mut self, packet: Packet, body: &[u8], input: Input<'_>, out: &mut Out<'_>) {
        let side = usize::from(input.dir == Dir::Resp);
        let continues = self
            .goes_on
            .get_mut(side)
            .is_some_and(|before| std::mem::replace(before, !packet.is_last));
        let len = u64::try_from(packet.len.saturating_sub(HEAD_LEN)).unwrap_or(u64::MAX);
        if packet.kind == RESPONSE {
            if !continues {
                self.answer(body, input, out);
            }
            return;
        }
        if continues {
            if let Some((_, record)) = &mut self.open {
                record.length = record.length.saturating_add(len);
            }
            return;
        }
        // The handshake of TLS goes in packets of this kind, too.
        if packet.kind == PRELOGIN && is_tls(body) {
            return;
        }
        if packet.kind == SSPI {
            self.token(body, input, out);
            return;
        }
        self.emit(out);
        let mut record = TdsRecord {
            command: command(packet.kind).unwrap_or_default(),
            length: len,
            ..TdsRecord::default()
        };
        match packet.kind {
            LOGIN => {
                if let Some(token) = login::read(body, &mut record) {
                    self.token(token, input, out);
                }
                if record.password {
                    let (user, secret) = (record.user.clone(), login::password(body));
                    let secret = secret.as_ref().map(|secret| secret.as_bytes());
                    out.credential((Self::NAME, "login"), user, secret);
                }
                let host = record.client_host.as_ref();
                tell(input.dir, ClueKind::HostName, "tds login", host, out);
            }
            PRELOGIN => login::ask(body, &mut record),
            BATCH => {
                let text = utf16(behind_headers(body), STATEMENT_LEN_MAX);
                put(&text, &mut record);
            }
            CALL => {
                let _as_far_as_it_goes = call(behind_headers(body), &mut record);
            }
            _ => {}
        }
        self.open = Some((input.ts, record));
    }

    /// A token of a sign-in by NTLM or Kerberos.
    fn token(&mut self, token: &[u8], input: Input<'_>, out: &mut Out<'_>) {
        if let Some(token) = gss::read(token) {
            self.sign_in.take(token, (input.ts, input.dir), out);
        }
    }

    /// The first packet of the server's answer.
    fn answer(&mut self, body: &[u8], input: Input<'_>, out: &mut Out<'_>) {
        if !std::mem::replace(&mut self.told, true) {
            let value = Text::from("tds");
            tell(input.dir, ClueKind::Serves, "tds answer", Some(&value), out);
        }
        let Some((_, record)) = &mut self.open else {
            return;
        };
        if record.command == command(PRELOGIN).unwrap_or_default() {
            login::answer(body, record);
            self.emit(out);
            return;
        }
        let Answer {
            token,
            version,
            error,
            is_over,
        } = tokens::read(body);
        if let Some(version) = version {
            tell_software(input.dir, "tds login answer", version.clone(), out);
            record.version = Some(version);
        }
        if let Some(token) = token {
            self.token(token, input, out);
            return;
        }
        record.error_number = error;
        record.success = is_over.then_some(error.is_none());
        if self.sign_in.is_open() {
            let verdict = Verdict {
                success: error.is_none(),
                status: error.map(|number| number.to_compact_string()),
            };
            self.sign_in.settle(&verdict, input.dir.other(), out);
        }
        self.emit(out);
    }
}

/// What stands behind the headers that versions from 7.2 on put before a request (2.2.5.3): their length as a
/// whole, then each with its length and kind.
fn behind_headers(body: &[u8]) -> &[u8] {
    let (Some(all), Some(first), Some(1..=3)) =
        (size32_at(body, 0), size32_at(body, 4), u16_at(body, 8))
    else {
        return body;
    };
    match body.get(all..) {
        Some(rest) if first >= 6 && first.saturating_add(4) <= all => rest,
        _ => body,
    }
}

/// Adds what a statement does.
fn put(text: &str, record: &mut TdsRecord) {
    let statement = statement(text.as_bytes());
    record.verb = statement.verb;
    record.procedure = record.procedure.take().or(statement.procedure);
}

/// A call of a procedure (2.2.6.6): by its name, or by the number that stands for it.
fn call(body: &[u8], record: &mut TdsRecord) -> Option<()> {
    let len = size16_at(body, 0)?;
    if len != 0xffff {
        let name = field(body, 2, len.checked_mul(2)?)?;
        record.procedure = Some(utf16(name, TEXT_LEN_MAX));
        return Some(());
    }
    let number = u16_at(body, 2)?;
    record.procedure = Some(procedure(number).into());
    // Behind flags comes the statement.
    if number == EXECUTE_SQL {
        put(
            &utf16(long_text(body.get(6..)?)?, STATEMENT_LEN_MAX),
            record,
        );
    }
    Some(())
}

/// Number of `sp_executesql`.
const EXECUTE_SQL: u16 = 10;

/// A first parameter without a name that is a text in UTF-16 (2.2.5.5.1, 2.2.5.2.3): its longest length and
/// collation, then its length, or with a longest length of 65535 the length of all and that of the first part.
fn long_text(parameter: &[u8]) -> Option<&[u8]> {
    /// NVARCHAR.
    const TEXT: u8 = 0xe7;
    let [0, _, TEXT, ..] = parameter else {
        return None;
    };
    let (at, len) = if size16_at(parameter, 3)? == 0xffff {
        (22, size32_at(parameter, 18)?)
    } else {
        (12, size16_at(parameter, 10)?)
    };
    let text = parameter.get(at..)?;
    Some(text.get(..len).unwrap_or(text))
}

/// Procedures that have a number (2.2.6.6).
fn procedure(number: u16) -> &'static str {
    match number {
        1 => "sp_cursor",
        2 => "sp_cursoropen",
        3 => "sp_cursorprepare",
        4 => "sp_cursorexecute",
        5 => "sp_cursorprepexec",
        6 => "sp_cursorunprepare",
        7 => "sp_cursorfetch",
        8 => "sp_cursoroption",
        9 => "sp_cursorclose",
        EXECUTE_SQL => "sp_executesql",
        11 => "sp_prepare",
        12 => "sp_execute",
        13 => "sp_prepexec",
        14 => "sp_prepexecrpc",
        15 => "sp_unprepare",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests;
