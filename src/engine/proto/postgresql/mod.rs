//! PostgreSQL: who signs in to which server, how, and what is asked of it.
//!
//! Standard: PostgreSQL documentation, "Frontend/Backend Protocol": message flow, message formats (version 3).
//! Input:    both streams of a TCP flow; the client speaks first.
//! Output:   one `postgresql` record per sign-in and per query with its end. Clues: that a server serves it, and
//!           its version.
//! Bounds:   1 KiB of a message is looked at; texts of 256 bytes; 32 parameters of a sign-in.
//! Secrets:  of a password the `credentials` record is told; of an answer to a challenge by MD5, which guesses can be
//!           tried on, that one crossed. The texts of queries are passed over: of a query its first word and its
//!           size are kept, and the name of a procedure it calls.
//! Not done: encryption by GSS-API; of several statements in one query the end of the last; what comes behind a gap.

mod record;

pub use self::record::PostgresqlRecord;
use compact_str::format_compact;

use super::gss::tell;
use super::lines::{TEXT_LEN_MAX, is_tls, tell_software};
use super::sql::statement;
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::{ClueKind, Text, Timestamp, heap_of, text};

/// Bytes of a message that are looked at.
const LOOKED_AT_MAX: usize = 1024;
/// What a client begins with, by the number behind its length: version 3.0; three requests.
const VERSION_3: u32 = 196_608;
const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
/// Stands for any byte in the form of a start.
const ANY: u8 = b'?';
/// Longest message a client begins with.
const BEGIN_LEN_MAX: usize = 10_000;
/// Parameters of a sign-in looked at.
const PARAMETERS_MAX: usize = 32;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Postgresql {
    /// What the client asked last.
    open: Option<(Timestamp, PostgresqlRecord)>,
    /// The client has begun; a request to encrypt waits for one byte.
    is_begun: bool,
    asks_tls: bool,
    /// That the server serves this is told.
    told: bool,
}

/// A message: its kind, 0 for the first of a client, its length with its head, and where its body begins.
#[derive(Clone, Copy, Debug)]
struct Head {
    kind: u8,
    len: usize,
    body_at: usize,
}

/// The length in four bytes, which counts itself.
fn length(data: &[u8]) -> Option<usize> {
    let len = u32::from_be_bytes(*data.first_chunk()?);
    usize::try_from(len).ok().filter(|len| *len >= 4)
}

/// The number behind a client's first length.
fn begins_with(data: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*data.get(4..)?.first_chunk()?))
}

impl Protocol for Postgresql {
    const NAME: &'static str = "postgresql";
    const PORTS: &'static [Port] = &[Port::Tcp(5432)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let len = length(start);
        match (len, begins_with(start)) {
            (Some(8), Some(TLS | GSS)) | (Some(16), Some(CANCEL)) => return Probe::Certain,
            // Version 3.0 or a later one of 3, then names and values.
            (Some(len @ 9..=BEGIN_LEN_MAX), Some(VERSION_3..=196_618)) => {
                let names = start.get(8..).unwrap_or_default();
                let is_name = names.first().is_none_or(u8::is_ascii_lowercase);
                return match (is_name, start.len() >= 13.min(len)) {
                    (true, true) => Probe::Certain,
                    (true, false) => Probe::Unsure,
                    (false, _) => Probe::NotMine,
                };
            }
            _ => {}
        }
        // Beginnings of a client's first message, and of a server's: how to sign in, or a refusal of what is no
        // PostgreSQL or of a later version; of one letter where it was asked to encrypt.
        let is_begun = |form: &[u8]| {
            let mut pairs = start.iter().zip(form);
            pairs.all(|(byte, known)| byte == known || *known == ANY)
        };
        match start {
            [b'R', 0, 0, 0, 8..=64, 0, 0, 0, 0 | 2..=3 | 5..=12, ..] => Probe::Certain,
            [b'R', ..] if start.len() < 9 && is_begun(b"R\0\0\0?\0\0\0") => Probe::Unsure,
            [b'E', ..] if start.len() >= 12 && is_begun(b"E\0\0??SFATAL\0") => Probe::Certain,
            [b'E', ..] if start.len() < 12 && is_begun(b"E\0\0??SFATAL\0") => Probe::Unsure,
            [b'S' | b'N'] => Probe::Unsure,
            [0, ..] if start.len() < 8 => {
                let forms = [b"\0\0??\0\x03\0\0", b"\0\0??\x04\xd2\x16?"];
                if forms.iter().any(|form| is_begun(&form[..])) {
                    Probe::Unsure
                } else {
                    Probe::NotMine
                }
            }
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return Parse::Broken("postgresql_datagram");
        }
        if input.gap > 0 || is_tls(input.data) {
            // Where the next message begins nobody can tell.
            self.finish(out);
            return Parse::Skip;
        }
        let is_server = input.dir == Dir::Resp;
        if is_server && self.asks_tls {
            return self.encryption(input, out);
        }
        let data = input.data;
        let head = match self.head(data, is_server) {
            Ok(head) => head,
            Err(answer) => {
                if answer == Parse::Skip {
                    self.finish(out);
                }
                return answer;
            }
        };
        let looked_at = head.len.min(LOOKED_AT_MAX);
        let Some(body) = data.get(head.body_at..looked_at) else {
            let need = looked_at.saturating_sub(data.len()).max(1);
            return Parse::NeedMore { used: 0, need };
        };
        match (is_server, head.kind) {
            (true, kind) => self.answer(kind, body, input, out),
            (false, 0) => self.begin(body, input, out),
            (false, kind) => self.ask(kind, head.len, body, input, out),
        }
        Parse::past(head.len, data)
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        if let Some((ts, record)) = self.open.take() {
            out.record(ts, record);
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: open)
    }
}

impl Postgresql {
    /// The head of the next message, or what to answer where there is none.
    fn head(&self, data: &[u8], is_server: bool) -> Result<Head, Parse> {
        let is_first = !is_server && !self.is_begun;
        let before = usize::from(!is_first);
        let (kind, rest) = match data.split_first() {
            Some((kind, rest)) if !is_first => (*kind, rest),
            _ => (0, data),
        };
        if rest.len() < 4 {
            let need = 4_usize.saturating_sub(rest.len());
            return Err(Parse::NeedMore { used: 0, need });
        }
        let fits = match kind {
            0 => is_first,
            _ => kind.is_ascii_alphanumeric(),
        };
        let Some(len) = length(rest).filter(|_| fits) else {
            let is_sure = self.is_begun || self.told;
            return Err(if is_sure {
                Parse::Skip
            } else {
                Parse::Broken("postgresql_no_message")
            });
        };
        Ok(Head {
            kind,
            len: len.saturating_add(before),
            body_at: before.saturating_add(4),
        })
    }

    /// The server's one byte: whether it encrypts.
    fn encryption(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        self.asks_tls = false;
        self.serves(input.dir, out);
        if let (Some((_, record)), Some(&byte)) = (&mut self.open, input.data.first()) {
            record.backend = Some("ssl_reply");
            record.success = Some(matches!(byte, b'S' | b'G'));
        }
        self.finish(out);
        Parse::Parsed { used: 1 }
    }

    fn serves(&mut self, dir: Dir, out: &mut Out<'_>) {
        if !std::mem::replace(&mut self.told, true) {
            let value = Text::from("postgresql");
            tell(
                dir,
                ClueKind::Serves,
                "postgresql answer",
                Some(&value),
                out,
            );
        }
    }

    /// What a client begins with.
    fn begin(&mut self, body: &[u8], input: Input<'_>, out: &mut Out<'_>) {
        let Some((number, rest)) = body.split_first_chunk() else {
            return;
        };
        let mut record = PostgresqlRecord::default();
        match u32::from_be_bytes(*number) {
            TLS => record.frontend = "ssl_request",
            GSS => record.frontend = "gssenc_request",
            CANCEL => record.frontend = "cancel_request",
            _ => record.frontend = "startup",
        }
        self.finish(out);
        self.asks_tls = matches!(record.frontend, "ssl_request" | "gssenc_request");
        self.is_begun = !self.asks_tls;
        if record.frontend == "startup" {
            let mut parts = rest.split(|byte| *byte == 0);
            for _ in 0..PARAMETERS_MAX {
                let (Some(name @ [_, ..]), Some(value)) = (parts.next(), parts.next()) else {
                    break;
                };
                let value = Some(text(value, TEXT_LEN_MAX));
                match name {
                    b"user" => record.user = value,
                    b"database" => record.database = value,
                    b"application_name" => record.application_name = value,
                    _ => {}
                }
            }
        }
        self.open = Some((input.ts, record));
    }

    /// A message of a client that is signed in, or about to be.
    fn ask(&mut self, kind: u8, len: usize, body: &[u8], input: Input<'_>, out: &mut Out<'_>) {
        let (frontend, start) = match kind {
            b'Q' => ("simple_query", body),
            // Behind the name of the prepared statement.
            b'P' => {
                let end = memchr::memchr(0, body).unwrap_or(body.len());
                (
                    "parse",
                    body.get(end.saturating_add(1)..).unwrap_or_default(),
                )
            }
            b'F' => ("function_call", &[][..]),
            b'X' => ("terminate", &[][..]),
            b'p' => {
                self.password(body, out);
                return;
            }
            _ => return,
        };
        self.finish(out);
        let said = statement(start);
        let record = PostgresqlRecord {
            frontend,
            verb: said.verb,
            procedure: said.procedure,
            length: Some(u64::try_from(len.saturating_sub(5)).unwrap_or(u64::MAX)),
            ..PostgresqlRecord::default()
        };
        self.open = Some((input.ts, record));
        if kind == b'X' {
            self.finish(out);
        }
    }

    /// What a client answers to the server's wish: the password itself, or what it makes of it.
    fn password(&mut self, body: &[u8], out: &mut Out<'_>) {
        let Some((_, record)) = &mut self.open else {
            return;
        };
        record.password = true;
        let end = memchr::memchr(0, body);
        let secret = match record.auth {
            Some("cleartext") => end.and_then(|end| body.get(..end)),
            Some("md5") => None,
            _ => return,
        };
        let mechanism = record.auth.unwrap_or_default();
        out.credential((Self::NAME, mechanism), record.user.clone(), secret);
    }

    /// A message of the server.
    fn answer(&mut self, kind: u8, body: &[u8], input: Input<'_>, out: &mut Out<'_>) {
        self.serves(input.dir, out);
        if kind == b'S'
            && let Some(version) = body.strip_prefix(b"server_version\0")
        {
            let end = memchr::memchr(0, version).unwrap_or(version.len());
            let version = text(version.get(..end).unwrap_or_default(), TEXT_LEN_MAX);
            let value = format_compact!("PostgreSQL {version}");
            tell_software(input.dir, "postgresql server_version", value, out);
        }
        let Some((_, record)) = &mut self.open else {
            if kind == b'E' && !self.is_begun {
                let record = PostgresqlRecord {
                    frontend: "unknown",
                    backend: Some("error"),
                    success: Some(false),
                    error_code: field(body, b'C'),
                    ..PostgresqlRecord::default()
                };
                out.record(input.ts, record);
            }
            return;
        };
        match kind {
            b'R' => {
                let number = body.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
                match number.and_then(method) {
                    Some(method) => record.auth = record.auth.or(Some(method)),
                    // The server is content; if it never asked, it trusts.
                    None if number == Some(0) => {
                        (record.backend, record.success) = (Some("auth_ok"), Some(true));
                    }
                    None => {}
                }
            }
            b'C' => {
                (record.backend, record.success) = (Some("command_complete"), Some(true));
                record.rows = rows(body);
            }
            b'I' => (record.backend, record.success) = (Some("empty_query"), Some(true)),
            b'E' => {
                (record.backend, record.success) = (Some("error"), Some(false));
                record.error_code = field(body, b'C');
                // What refuses a sign-in ends it: there is no more to come.
                if record.frontend == "startup" {
                    self.finish(out);
                }
            }
            // The server is ready for the next query.
            b'Z' => self.finish(out),
            _ => {}
        }
    }
}

/// How the server wants the client to sign in.
fn method(number: u32) -> Option<&'static str> {
    Some(match number {
        2 => "kerberos",
        3 => "cleartext",
        5 => "md5",
        7 => "gss",
        9 => "sspi",
        10 => "sasl",
        _ => return None,
    })
}

/// The count at the end of what a command says of itself.
fn rows(body: &[u8]) -> Option<u64> {
    let end = memchr::memchr(0, body).unwrap_or(body.len());
    let tag = body.get(..end)?;
    let digits = tag.rsplit(|byte| *byte == b' ').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A field of an error: its letter, its text, a NUL.
fn field(body: &[u8], wanted: u8) -> Option<Text> {
    let mut fields = body.split(|byte| *byte == 0);
    let (_, value) =
        fields.find_map(|field| field.split_first().filter(|(kind, _)| **kind == wanted))?;
    Some(text(value, 8))
}

#[cfg(test)]
mod tests;
