//! A SIP message, line by line.
//!
//! Standard: RFC 3261 §7, compact header names §7.3.3.
//! Bounds:   8 `Via` headers; texts of 256 bytes; a header with its folded lines is cut at 1 KiB.
//! Secrets:  of `Authorization` and `Proxy-Authorization` only the user name; passwords in URIs are cut out.

use compact_str::format_compact;

use super::super::lines::{NAME_LEN_MAX, TEXT_LEN_MAX, between, word};
use crate::types::{Heap, Text, heap, text};

/// `Via` headers kept.
const VIA_MAX: usize = 8;

/// Methods of RFC 3261 and its extensions.
const METHODS: [&[u8]; 14] = [
    b"INVITE",
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"OPTIONS",
    b"REGISTER",
    b"SUBSCRIBE",
    b"NOTIFY",
    b"PUBLISH",
    b"MESSAGE",
    b"INFO",
    b"PRACK",
    b"UPDATE",
    b"REFER",
];

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Request { method: Text, uri: Text },
    Response { status: u16, reason: Text },
}

impl Heap for Start {
    fn heap(&self) -> usize {
        match self {
            Self::Request { method, uri } => method.heap().saturating_add(uri.heap()),
            Self::Response { reason, .. } => reason.heap(),
        }
    }
}

impl Start {
    /// Reads a line without its end.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        if let Some(rest) = line.strip_prefix(b"SIP/2.0 ") {
            let (digits, reason) = word(rest);
            let status = str::from_utf8(digits).ok()?.parse().ok()?;
            return (100..700).contains(&status).then(|| Self::Response {
                status,
                reason: text(reason, TEXT_LEN_MAX),
            });
        }
        let rest = line.trim_ascii_end().strip_suffix(b" SIP/2.0")?;
        let (method, uri) = word(rest);
        METHODS.contains(&method).then(|| Self::Request {
            method: text(method, 16),
            uri: kept(uri),
        })
    }
}

/// Whether a start can be the beginning of a request: `Some(true)` once its line is whole and right.
pub(super) fn is_request(start: &[u8]) -> Option<bool> {
    let window = start.get(..NAME_LEN_MAX).unwrap_or(start);
    let known = METHODS.iter().any(|method| {
        let len = window.len().min(method.len());
        let space = window.get(method.len()).is_none_or(|byte| *byte == b' ');
        window.get(..len) == method.get(..len) && space
    });
    if !known {
        return Some(false);
    }
    let end = memchr::memchr(b'\n', window)?;
    let line = window.get(..end).unwrap_or_default().trim_ascii_end();
    Some(line.ends_with(b" SIP/2.0"))
}

/// What the lines so far say.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) start: Option<Start>,
    field: Vec<u8>,
    pub(super) date: Option<Text>,
    pub(super) from: Option<Text>,
    pub(super) to: Option<Text>,
    pub(super) reply_to: Option<Text>,
    pub(super) call_id: Option<Text>,
    pub(super) seq: Option<Text>,
    pub(super) subject: Option<Text>,
    pub(super) via: Vec<Text>,
    pub(super) user_agent: Option<Text>,
    pub(super) server: Option<Text>,
    pub(super) warning: Option<Text>,
    pub(super) body_len: Option<u64>,
    pub(super) content_type: Option<Text>,
    pub(super) user: Option<Text>,
}

heap! {
    Message:
    start, field, date, from, to, reply_to, call_id, seq, subject, via, user_agent, server,
    warning, content_type, user,
}

impl Message {
    /// Takes a header line; true at the blank one.
    pub(super) fn line(&mut self, line: &[u8]) -> bool {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            let left = NAME_LEN_MAX.saturating_sub(self.field.len());
            self.field.extend(line.iter().take(left));
            return false;
        }
        self.close();
        self.field.extend(line.iter().take(NAME_LEN_MAX));
        line.is_empty()
    }

    /// Reads the header that is whole now.
    pub(super) fn close(&mut self) {
        let field = std::mem::take(&mut self.field);
        let Some(at) = memchr::memchr(b':', &field) else {
            return;
        };
        let (name, value) = field.split_at_checked(at).unwrap_or_default();
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let name = name.trim_ascii().to_ascii_lowercase();
        let some = || Some(kept(value));
        match name.as_slice() {
            b"date" => self.date = some(),
            b"from" | b"f" => self.from = some(),
            b"to" | b"t" => self.to = some(),
            b"reply-to" => self.reply_to = some(),
            b"call-id" | b"i" => self.call_id = some(),
            b"cseq" => self.seq = some(),
            b"subject" | b"s" => self.subject = some(),
            b"user-agent" => self.user_agent = some(),
            b"server" => self.server = some(),
            b"warning" => self.warning = some(),
            b"content-type" | b"c" => self.content_type = some(),
            b"via" | b"v" if self.via.len() < VIA_MAX => self.via.push(kept(value)),
            b"content-length" | b"l" => {
                self.body_len = str::from_utf8(value).ok().and_then(|len| len.parse().ok());
            }
            b"authorization" | b"proxy-authorization" => {
                let at = memchr::memmem::find(value, b"username=");
                let named = at.and_then(|at| between(value.get(at..)?, b'"', b'"'));
                self.user = named.map(|name| text(name, TEXT_LEN_MAX));
            }
            _ => {}
        }
    }
}

/// A value as it is kept: `sip:user:password@host` loses the password.
fn kept(value: &[u8]) -> Text {
    let value = text(value, TEXT_LEN_MAX);
    let Some(scheme) = value.find("sip:").or_else(|| value.find("sips:")) else {
        return value;
    };
    let parts = || {
        let (head, rest) = value.split_at_checked(scheme)?;
        let (name, rest) = rest.split_once(':')?;
        let (user, host) = rest.split_once('@')?;
        let (account, _password) = user.split_once(':')?;
        let plain = !account.contains(['>', ';', ' ', ',']);
        plain.then(|| format_compact!("{head}{name}:{account}@{host}"))
    };
    parts().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_lines() {
        let start = Start::read(b"INVITE sip:bob@biloxi.com SIP/2.0");
        let (method, uri) = ("INVITE".into(), "sip:bob@biloxi.com".into());
        assert_eq!(start, Some(Start::Request { method, uri }));
        let (status, reason) = (180, "Ringing".into());
        let start = Start::read(b"SIP/2.0 180 Ringing");
        assert_eq!(start, Some(Start::Response { status, reason }));
        assert_eq!(Start::read(b"GET / HTTP/1.1"), None);
        assert_eq!(Start::read(b"SIP/2.0 99 x"), None);
        assert_eq!(is_request(b"INVITE sip:b"), None);
        assert_eq!(is_request(b"OPTIONS * HTTP/1.1\r\n"), Some(false));
        assert_eq!(is_request(b"BYE sip:b SIP/2.0\r\n"), Some(true));
        assert_eq!(is_request(b"BYES"), Some(false));
    }

    #[test]
    fn compact_and_folded_headers_without_secrets() {
        let mut message = Message::default();
        for line in [
            &b"v: SIP/2.0/UDP pc33"[..],
            b"f: \"A\" <sip:alice:geheim@a.com;x=1>",
            b"s: one",
            b"  two",
            b"l: 12",
            b"Authorization: Digest username=\"bob\", response=\"geheim\"",
        ] {
            assert!(!message.line(line));
        }
        assert!(message.line(b""));
        assert_eq!(message.from.as_deref(), Some("\"A\" <sip:alice@a.com;x=1>"));
        assert_eq!(message.subject.as_deref(), Some("one  two"));
        assert_eq!((message.body_len, message.via.len()), (Some(12), 1));
        assert_eq!(message.user.as_deref(), Some("bob"));
        assert_eq!(kept(b"sip:bob@b.com:5060"), "sip:bob@b.com:5060");
    }
}
