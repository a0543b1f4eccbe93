//! The head of an HTTP/1 message: start line and header fields, read leniently.
//!
//! Standard: RFC 9112 §2–§5. Lenient because a sensor must also see what strict parsers refuse: spaces in
//!           a target, bare LF, fields without a value, bytes outside ASCII.
//! Bounds:   the caller hands at most `BUFFER_BYTES_MAX`; each text has its own limit below.
//! Secrets:  values of credentials and cookies are never copied; see `target` for those in addresses.

use compact_str::format_compact;

use super::sign_in::{self, Basic};
use super::target::uri;
use crate::proto::gss::Token;
use crate::types::{Text, text};

/// Longest header value kept, except for the above.
const VALUE_LEN_MAX: usize = 1024;
/// Longest method.
const METHOD_LEN_MAX: usize = 32;
/// Header fields that tell of a proxy, of which so many are kept.
const PROXIED_MAX: usize = 4;

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartLine<'a> {
    /// From a client. HTTP/0.9 has no version.
    Request {
        method: &'a [u8],
        target: &'a [u8],
        version: Option<&'a [u8]>,
    },
    /// From a server.
    Response {
        version: &'a [u8],
        status: u16,
        reason: &'a [u8],
    },
}

impl<'a> StartLine<'a> {
    /// Reads a line without its end.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        if let Some(rest) = line.strip_prefix(b"HTTP/") {
            let (version, rest) = split_once(rest, b' ').filter(|(v, _)| is_version(v))?;
            let (digits, reason) = rest.trim_ascii_start().split_at_checked(3)?;
            let status = str::from_utf8(digits).ok()?.parse().ok()?;
            return Some(Self::Response {
                version,
                status,
                reason: reason.trim_ascii(),
            });
        }
        let (method, rest) = split_once(line, b' ').filter(|(method, _)| is_method(method))?;
        let at = memchr::memmem::rfind(rest, b" HTTP/");
        let Some((target, version)) = at.and_then(|at| rest.split_at_checked(at)) else {
            let target = rest.trim_ascii();
            let simple = is_known(method) && target.starts_with(b"/") && !target.contains(&b' ');
            return simple.then_some(Self::Request {
                method,
                target,
                version: None,
            });
        };
        let version = version.get(b" HTTP/".len()..)?.trim_ascii_end();
        let (target, version) = (target.trim_ascii(), Some(version).filter(|v| is_version(v)));
        version.map(|_| Self::Request {
            method,
            target,
            version,
        })
    }
}

/// `1.1`, `1.0`; also what nobody defined, as long as it is a digit, a dot and a digit.
fn is_version(version: &[u8]) -> bool {
    matches!(version, [b'0'..=b'1', b'.', b'0'..=b'9'])
}

/// Methods are upper-case words; `RPC_IN_DATA` and `M-SEARCH` show which other bytes occur.
pub(super) fn is_method(word: &[u8]) -> bool {
    (1..=METHOD_LEN_MAX).contains(&word.len())
        && word.first().is_some_and(u8::is_ascii_alphabetic)
        && word
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Methods that are proof enough where no version follows.
pub(super) fn is_known(method: &[u8]) -> bool {
    const KNOWN: [&[u8]; 9] = [
        b"GET",
        b"POST",
        b"HEAD",
        b"PUT",
        b"DELETE",
        b"OPTIONS",
        b"CONNECT",
        b"PATCH",
        b"PROPFIND",
    ];
    KNOWN.contains(&method)
}

/// What stands before and after the first `byte`.
pub(super) fn split_once(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = bytes.split_at_checked(memchr::memchr(byte, bytes)?)?;
    Some((before, rest.get(1..)?))
}

/// Where the head ends, searched from `from`; `None` if its blank line is not there yet.
pub(super) fn end(data: &[u8], from: usize) -> Option<usize> {
    let tail = data.get(from..)?;
    for at in memchr::memchr_iter(b'\n', tail) {
        let after = from.saturating_add(at).saturating_add(1);
        match data.get(after..)? {
            [b'\n', ..] => return Some(after.saturating_add(1)),
            [b'\r', b'\n', ..] => return Some(after.saturating_add(2)),
            _ => {}
        }
    }
    None
}

/// Header fields of interest.
#[derive(Debug, Default)]
pub(in crate::proto) struct Fields {
    pub(in crate::proto) host: Option<Text>,
    pub(in crate::proto) referrer: Option<Text>,
    pub(in crate::proto) user_agent: Option<Text>,
    pub(in crate::proto) origin: Option<Text>,
    pub(in crate::proto) server: Option<Text>,
    pub(in crate::proto) mime_type: Option<Text>,
    pub(in crate::proto) filename: Option<Text>,
    pub(in crate::proto) proxied: Vec<Text>,
    pub(in crate::proto) auth_scheme: Option<&'static str>,
    pub(in crate::proto) token: Option<Token>,
    pub(in crate::proto) basic: Option<Basic>,
    pub(in crate::proto) content_length: Option<u64>,
    pub(in crate::proto) chunked: bool,
    /// The body is compressed: its first bytes say nothing of what is inside.
    pub(in crate::proto) encoded: bool,
    /// The connection is to become a WebSocket (RFC 6455 §4.1).
    pub(in crate::proto) is_websocket: bool,
    /// Whether DERP is to be spoken from here on.
    pub(super) is_derp: bool,
    pub(in crate::proto) websocket_protocol: Option<Text>,
    pub(in crate::proto) websocket_extensions: Option<Text>,
    /// Lengths that are none or contradict each other: how requests are smuggled past a proxy.
    pub(in crate::proto) conflict: bool,
}

impl Fields {
    /// Reads the lines behind the start line.
    pub(super) fn read(lines: &[u8]) -> Self {
        let mut fields = Self::default();
        let mut rest = Some(lines);
        while let Some(lines) = rest {
            let split = split_once(lines, b'\n');
            let line = split.map_or(lines, |(line, _)| line);
            if let Some((name, value)) = split_once(line, b':') {
                fields.field(name.trim_ascii(), value.trim_ascii());
            }
            rest = split.map(|(_, behind)| behind);
        }
        fields.conflict |= fields.chunked && fields.content_length.is_some();
        fields
    }

    /// Takes one field.
    pub(in crate::proto) fn field(&mut self, name: &[u8], value: &[u8]) {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        let set = |slot: &mut Option<Text>, limit| {
            slot.get_or_insert_with(|| text(value, limit));
        };
        // The length rules most lines out before any comparison is made.
        match name.len() {
            3 if is(b"Via") => self.proxied(name, value),
            4 if is(b"Host") => set(&mut self.host, VALUE_LEN_MAX),
            6 if is(b"Origin") => set(&mut self.origin, VALUE_LEN_MAX),
            6 if is(b"Server") => set(&mut self.server, VALUE_LEN_MAX),
            7 if is(b"Upgrade") => {
                self.is_websocket = value.eq_ignore_ascii_case(b"websocket");
                self.is_derp = value.eq_ignore_ascii_case(b"DERP");
            }
            7 if is(b"Referer") => {
                self.referrer.get_or_insert_with(|| uri(value).0);
            }
            9 if is(b"Forwarded") || is(b"Client-IP") => self.proxied(name, value),
            10 if is(b"User-Agent") => set(&mut self.user_agent, VALUE_LEN_MAX),
            12 if is(b"Content-Type") => {
                self.mime_type = mime_type(value);
            }
            13 if is(b"Authorization") => self.authorization(value),
            14 if is(b"Content-Length") => {
                // What a signed number cannot hold is taken for no length, as receivers do.
                let length = str::from_utf8(value)
                    .ok()
                    .and_then(|digits| digits.parse().ok());
                let length = length.filter(|length| i64::try_from(*length).is_ok());
                self.conflict |= self
                    .content_length
                    .is_some_and(|first| Some(first) != length);
                self.conflict |= length.is_none();
                self.content_length = self.content_length.or(length);
            }
            15 if is(b"X-Forwarded-For") => self.proxied(name, value),
            16 if is(b"WWW-Authenticate") => self.challenge(value),
            16 if is(b"Content-Encoding") => {
                self.encoded = !value.is_empty() && !value.eq_ignore_ascii_case(b"identity");
            }
            16 if is(b"Proxy-Connection") => self.proxied(name, value),
            17 if is(b"Transfer-Encoding") => {
                let mut codings = value.split(|byte| *byte == b',');
                self.chunked |= codings.any(|c| c.trim_ascii().eq_ignore_ascii_case(b"chunked"));
            }
            19 if is(b"Content-Disposition") => self.filename = filename(value),
            18 if is(b"Proxy-Authenticate") => self.challenge(value),
            19 if is(b"Proxy-Authorization") => self.authorization(value),
            22 if is(b"Sec-WebSocket-Protocol") => set(&mut self.websocket_protocol, 256),
            24 if is(b"Sec-WebSocket-Extensions") => set(&mut self.websocket_extensions, 256),
            _ => {}
        }
    }

    fn authorization(&mut self, value: &[u8]) {
        let scheme = auth_scheme(value);
        if scheme == "Basic" {
            self.basic = Basic::read(value);
        }
        self.auth_scheme = Some(scheme);
        self.challenge(value);
    }

    fn challenge(&mut self, value: &[u8]) {
        if self.token.is_none() {
            self.token = sign_in::token(value);
        }
    }

    fn proxied(&mut self, name: &[u8], value: &[u8]) {
        if self.proxied.len() < PROXIED_MAX {
            let name = text(&name.to_ascii_uppercase(), METHOD_LEN_MAX);
            self.proxied
                .push(format_compact!("{name} -> {}", text(value, 256)));
        }
    }
}

/// Name of an authentication scheme. Only known names are told: an unknown word may be the secret itself.
fn auth_scheme(value: &[u8]) -> &'static str {
    const KNOWN: [&str; 12] = [
        "Basic",
        "Digest",
        "Bearer",
        "NTLM",
        "Negotiate",
        "Kerberos",
        "OAuth",
        "Hawk",
        "Mutual",
        "Token",
        "SCRAM-SHA-256",
        "AWS4-HMAC-SHA256",
    ];
    let word = value.split(|byte| *byte == b' ').next().unwrap_or_default();
    let known = KNOWN
        .into_iter()
        .find(|known| known.as_bytes().eq_ignore_ascii_case(word));
    known.unwrap_or("other")
}

/// `text/html` out of `Text/HTML; charset=utf-8`.
fn mime_type(value: &[u8]) -> Option<Text> {
    let bare = value.split(|byte| *byte == b';').next()?.trim_ascii();
    (!bare.is_empty()).then(|| text(&bare.to_ascii_lowercase(), 128))
}

/// The file name a `Content-Disposition` suggests (RFC 6266 §4.3).
fn filename(value: &[u8]) -> Option<Text> {
    value.split(|byte| *byte == b';').find_map(|part| {
        let (name, value) = split_once(part, b'=')?;
        let name = name.trim_ascii();
        let value = if name.eq_ignore_ascii_case(b"filename*") {
            value.rsplit(|byte| *byte == b'\'').next()?
        } else if name.eq_ignore_ascii_case(b"filename") {
            value
        } else {
            return None;
        };
        let value = value.trim_ascii();
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        Some(text(value.strip_suffix(b"\"").unwrap_or(value), 256))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &[u8]) -> Option<(&[u8], &[u8])> {
        match StartLine::read(line)? {
            StartLine::Request { method, target, .. } => Some((method, target)),
            StartLine::Response { .. } => None,
        }
    }

    #[test]
    fn start_lines() {
        let some = |method: &'static str, target: &'static str| {
            Some((method.as_bytes(), target.as_bytes()))
        };
        assert_eq!(request(b"GET / HTTP/1.1"), some("GET", "/"));
        assert_eq!(request(b"GET /a b HTTP/1.0"), some("GET", "/a b"));
        assert_eq!(request(b"GET /old"), some("GET", "/old"));
        assert_eq!(
            request(b"RPC_IN_DATA /x HTTP/1.1"),
            some("RPC_IN_DATA", "/x")
        );
        assert_eq!(request(b"OPTIONS sip:a SIP/2.0"), None);
        assert_eq!(request(b"PRI * HTTP/2.0"), None);
        assert_eq!(
            StartLine::read(b"HTTP/1.1 404 Not Found"),
            Some(StartLine::Response {
                version: b"1.1",
                status: 404,
                reason: b"Not Found"
            })
        );
        assert_eq!(StartLine::read(b"HTTP/1.1 4x4 No"), None);
    }

    #[test]
    fn the_head_ends_at_the_blank_line() {
        assert_eq!(end(b"A\r\nB\r\n\r\nbody", 0), Some(8));
        assert_eq!(end(b"A\n\nbody", 0), Some(3));
        assert_eq!(end(b"A\r\nB\r\n\r", 0), None);
        assert_eq!(end(b"A\r\nB\r\n\r\n", 3), Some(8));
    }

    #[test]
    fn secrets_are_not_kept() {
        let fields = Fields::read(b"Authorization: Basic c2VjcmV0\r\nCookie: secret=1\r\n");
        assert_eq!(fields.auth_scheme, Some("Basic"));
        assert!(!format!("{fields:?}").contains("c2VjcmV0"));
        assert!(!format!("{fields:?}").contains("secret=1"));
        assert_eq!(
            Fields::read(b"authorization: s3cr3t").auth_scheme,
            Some("other")
        );
    }

    #[test]
    fn fields_are_read_and_conflicts_told() {
        let fields = Fields::read(
            b"Content-Type: Text/HTML; charset=x\r\nContent-Disposition: attachment; filename=\"a b.exe\"\r\n\
              Content-Length: 5\r\nContent-Length: 6\r\nVia: 1.1 p\r\n",
        );
        assert_eq!(fields.mime_type.as_deref(), Some("text/html"));
        assert_eq!(fields.filename.as_deref(), Some("a b.exe"));
        assert_eq!((fields.content_length, fields.conflict), (Some(5), true));
        assert_eq!(fields.proxied, ["VIA -> 1.1 p"]);
        assert!(Fields::read(b"Transfer-Encoding: gzip, Chunked\r\n").chunked);
    }
}
