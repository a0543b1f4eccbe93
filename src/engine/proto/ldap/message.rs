//! Requests and results, read from one LDAPMessage.
//!
//! Standard: RFC 4511 §4; Sicily binds \[MS-ADTS\] 5.1.1.1.3; `Netlogon` searches \[MS-ADTS\] 6.3.3.
//! Bounds:   1 KiB a name, 256 bytes any other text, 1 KiB of attribute names a request.
//! Secrets:  passwords and SASL credentials are passed over; values written to entries as well.

use compact_str::ToCompactString as _;

use super::filter;
use super::names;
use super::record::{LdapRecord, LdapSearchRecord};
use crate::proto::Out;
use crate::proto::ber::{self, ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE, Values};
use crate::proto::gss::{self, Token};
use crate::types::{Heap, Text, text};

/// Longest distinguished name kept.
const NAME_LEN_MAX: usize = 1024;
/// Longest other text.
const TEXT_LEN_MAX: usize = 256;
/// Names of attributes kept, in bytes.
const ATTRIBUTES_LEN_MAX: usize = 1024;

/// What a request asks.
#[derive(Debug)]
pub(super) enum Asked {
    /// Anything but a search.
    Other(Box<LdapRecord>),
    /// A search.
    Search(Box<LdapSearchRecord>),
}

impl Heap for Asked {
    fn heap(&self) -> usize {
        match self {
            Self::Other(record) => record.heap(),
            Self::Search(record) => record.heap(),
        }
    }
}

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) asked: Asked,
    /// The client's part of a sign-in.
    pub(super) token: Option<Token>,
    pub(super) starts_tls: bool,
    /// Whether no answer will come: unbind, abandon.
    pub(super) is_final: bool,
    /// What the client calls itself while it looks for a domain controller.
    pub(super) host: Option<Text>,
}

/// A result.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: i64,
    pub(super) diagnostic: Option<Text>,
    /// The server's part of a sign-in.
    pub(super) token: Option<Token>,
}

/// Reads a request's operation; `None` if it is none.
pub(super) fn request(id: i64, tag: u8, body: &[u8], out: &mut Out<'_>) -> Option<Request> {
    let mut request = Request {
        asked: Asked::Other(Box::default()),
        token: None,
        starts_tls: false,
        is_final: matches!(tag, 0x42 | 0x50),
        host: None,
    };
    let mut record = LdapRecord {
        message_id: Some(id),
        ..LdapRecord::default()
    };
    match tag {
        0x60 => request.token = bind(body, &mut record, out),
        0x42 => record.opcode = Some("unbind"),
        0x63 => {
            let (search, host) = search(id, body)?;
            (request.asked, request.host) = (Asked::Search(Box::new(search)), host);
            return Some(request);
        }
        0x66 => modify(body, &mut record),
        0x68 => add(body, &mut record),
        0x4a => {
            record.opcode = Some("delete");
            record.object = name(body);
        }
        0x6c => {
            record.opcode = Some("modify DN");
            let mut parts = Values::new(body);
            record.object = name(parts.next_of(OCTET_STRING)?);
            record.argument = name(parts.next_of(OCTET_STRING)?);
        }
        0x6e => {
            record.opcode = Some("compare");
            let mut parts = Values::new(body);
            record.object = name(parts.next_of(OCTET_STRING)?);
            let attribute = ber::inside(parts.next_of(SEQUENCE)?, OCTET_STRING)?;
            record.argument = Some(text(attribute, TEXT_LEN_MAX));
        }
        0x50 => {
            record.opcode = Some("abandon");
            record.argument = ber::number(body).map(|id| id.to_compact_string());
        }
        0x77 => {
            record.opcode = Some("extended");
            let oid = Values::new(body).first_of(0x80)?;
            record.object = Some(names::extended(oid));
            request.starts_tls = oid == names::START_TLS;
        }
        _ => return None,
    }
    request.asked = Asked::Other(Box::new(record));
    Some(request)
}

/// What operation a result belongs to, by its tag.
pub(super) fn answered(tag: u8) -> Option<&'static str> {
    Some(match tag {
        0x61 => "bind",
        0x67 => "modify",
        0x69 => "add",
        0x6b => "delete",
        0x6d => "modify DN",
        0x6f => "compare",
        0x78 => "extended",
        _ => return None,
    })
}

/// Reads an LDAPResult and what a bind's adds to it.
pub(super) fn answer(body: &[u8]) -> Option<Answer> {
    let mut parts = Values::new(body);
    let code = ber::number(parts.next_of(ENUMERATED)?)?;
    let matched = parts.next_of(OCTET_STRING).unwrap_or_default();
    let diagnostic = parts.next_of(OCTET_STRING).unwrap_or_default();
    let diagnostic = diagnostic.strip_suffix(b"\0").unwrap_or(diagnostic);
    // Sicily has its challenge in the place of the name.
    let token = parts.first_of(0x87).unwrap_or(matched);
    Some(Answer {
        code,
        diagnostic: (!diagnostic.is_empty()).then(|| text(diagnostic, TEXT_LEN_MAX)),
        token: gss::read(token),
    })
}

/// A name; `None` if empty.
fn name(bytes: &[u8]) -> Option<Text> {
    (!bytes.is_empty()).then(|| text(bytes, NAME_LEN_MAX))
}

fn bind(body: &[u8], record: &mut LdapRecord, out: &mut Out<'_>) -> Option<Token> {
    record.opcode = Some("bind");
    let mut parts = Values::new(body);
    record.version = ber::number(parts.next_of(INTEGER)?);
    record.object = name(parts.next_of(OCTET_STRING)?);
    let auth = parts.next()?;
    match auth.tag {
        0x80 => {
            record.opcode = Some("bind simple");
            record.argument = (!auth.body.is_empty()).then(|| Text::from("REDACTED"));
            if !auth.body.is_empty() {
                let user = record.object.clone();
                out.credential(("ldap", "bind simple"), user, Some(auth.body));
            }
            None
        }
        0xa3 => {
            record.opcode = Some("bind SASL");
            let mut parts = Values::new(auth.body);
            record.argument = Some(text(parts.next_of(OCTET_STRING)?, 64));
            gss::read(parts.next_of(OCTET_STRING)?)
        }
        0x89..=0x8b => {
            record.opcode = Some("bind Sicily");
            gss::read(auth.body)
        }
        _ => None,
    }
}

fn search(id: i64, body: &[u8]) -> Option<(LdapSearchRecord, Option<Text>)> {
    let mut parts = Values::new(body);
    let base = parts.next_of(OCTET_STRING)?;
    let scope = ber::number(parts.next_of(ENUMERATED)?)?;
    let deref = ber::number(parts.next_of(ENUMERATED)?)?;
    // sizeLimit, timeLimit, typesOnly.
    let _limits = (parts.next()?, parts.next()?, parts.next()?);
    let filter = parts.next()?;
    let attributes = list(parts.next_of(SEQUENCE).unwrap_or_default());
    let host = filter::equals(filter, b"Host").filter(|host| !host.is_empty());
    let record = LdapSearchRecord {
        message_id: Some(id),
        scope: match scope {
            0 => Some("base"),
            1 => Some("single"),
            2 => Some("tree"),
            3 => Some("subordinates"),
            _ => None,
        },
        deref_aliases: match deref {
            0 => Some("never"),
            1 => Some("searching"),
            2 => Some("finding"),
            3 => Some("always"),
            _ => None,
        },
        base_object: Some(text(base, NAME_LEN_MAX)),
        filter: Some(filter::written(filter)),
        attributes: Some(attributes).filter(|list| !list.is_empty()),
        ..LdapSearchRecord::default()
    };
    Some((record, host.map(|host| text(host, TEXT_LEN_MAX))))
}

/// Texts of a list, as many as the bound holds.
fn list(body: &[u8]) -> Vec<Text> {
    let (mut texts, mut room) = (Vec::new(), ATTRIBUTES_LEN_MAX);
    for value in Values::new(body) {
        // An entry of a list costs more than its letters.
        let Some(left) = room.checked_sub(value.body.len().saturating_add(16)) else {
            break;
        };
        room = left;
        texts.push(text(value.body, TEXT_LEN_MAX));
    }
    texts
}

/// Attributes changed, each with how; their values are no concern of ours.
fn modify(body: &[u8], record: &mut LdapRecord) {
    record.opcode = Some("modify");
    let mut parts = Values::new(body);
    record.object = parts.next_of(OCTET_STRING).and_then(name);
    let mut changes = Text::default();
    for change in Values::new(parts.next_of(SEQUENCE).unwrap_or_default()) {
        let mut parts = Values::new(change.body);
        let how = match parts.next_of(ENUMERATED).and_then(ber::number) {
            Some(0) => "add",
            Some(1) => "delete",
            Some(2) => "replace",
            Some(3) => "increment",
            _ => "?",
        };
        let attribute = parts
            .next_of(SEQUENCE)
            .and_then(|b| ber::inside(b, OCTET_STRING));
        if !push(&mut changes, how, attribute.unwrap_or_default()) {
            break;
        }
    }
    record.argument = Some(changes).filter(|changes| !changes.is_empty());
}

/// Attributes of a new entry.
fn add(body: &[u8], record: &mut LdapRecord) {
    record.opcode = Some("add");
    let mut parts = Values::new(body);
    record.object = parts.next_of(OCTET_STRING).and_then(name);
    let mut attributes = Text::default();
    for attribute in Values::new(parts.next_of(SEQUENCE).unwrap_or_default()) {
        let name = ber::inside(attribute.body, OCTET_STRING).unwrap_or_default();
        if !push(&mut attributes, "", name) {
            break;
        }
    }
    record.argument = Some(attributes).filter(|attributes| !attributes.is_empty());
}

/// Adds to a list in words; false if there is no more room.
fn push(list: &mut Text, how: &str, attribute: &[u8]) -> bool {
    if list.len().saturating_add(attribute.len()) > TEXT_LEN_MAX {
        return false;
    }
    if !list.is_empty() {
        list.push_str(", ");
    }
    if !how.is_empty() {
        list.push_str(how);
        list.push(' ');
    }
    list.push_str(&text(attribute, TEXT_LEN_MAX));
    true
}
