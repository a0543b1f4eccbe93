//! What the messages of a handshake add to the `ssl` record.
//!
//! Standard: RFC 5246 §7.4, RFC 8446 §4; tickets RFC 5077; curves RFC 8422 §5.4.
//! Bounds:   one chain of 10 certificates a side, 32 offered protocols, 64 letters of history, 16
//!           oddities of a flow; what is beyond is left out.

use compact_str::format_compact;

use super::certificate::{Certificate, fingerprint};
use super::hello::{ClientHelloView, Ssl2Hello, client_hello, extension, server_hello};
use super::ja3::{ja3, ja3s};
use super::ja4::ja4;
use super::known;
use super::purpose::purpose;
use super::reader::Reader;
use super::record::SslRecord;
use super::{SOURCE, X509Record, names};
use crate::proto::{Dir, Out};
use crate::types::{Clue, ClueKind, FlowRef, Text, heap, text};

/// Certificates of a chain that are looked at.
const CHAIN_LEN_MAX: usize = 10;
/// Protocols of an offer that are kept.
const ALPN_LEN_MAX: usize = 32;
/// Letters of history that are kept.
const HISTORY_LEN_MAX: usize = 64;
/// Longest server name that is kept; a host name has 253 characters at most.
const SERVER_NAME_LEN_MAX: usize = 256;
/// Oddities of one flow that are told: its bytes could hold thousands.
const WEIRDS_MAX: u8 = 16;
/// First version whose handshake is encrypted after the hellos; drafts lie above it.
const TLS_13: u16 = 0x0304;
const DTLS_13: u16 = 0xfefc;
/// Alert level that ends a session.
const FATAL: u8 = 2;

/// What carries the messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::proto) enum Transport {
    /// Records over TCP.
    #[default]
    Tcp,
    /// CRYPTO frames.
    Quic,
    /// Records in datagrams.
    Dtls,
}

impl Transport {
    /// First letter of a JA4.
    fn letter(self) -> char {
        match self {
            Self::Tcp => 't',
            Self::Quic => 'q',
            Self::Dtls => 'd',
        }
    }

    /// What a server that completes a handshake serves.
    fn service(self) -> &'static str {
        match self {
            Self::Tcp => "tls",
            Self::Quic => "quic",
            Self::Dtls => "dtls",
        }
    }
}

/// What is known of one session.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) record: SslRecord,
    transport: Transport,
    /// Whether any hello was seen: without one there is nothing to tell.
    pub(super) is_heard: bool,
    client: Option<Dir>,
    version: Option<u16>,
    cipher: Option<u16>,
    session_id: Vec<u8>,
    is_ticket_offered: bool,
    is_key_exchanged: bool,
    certificate_name: Option<Text>,
    weirds: u8,
}

heap!(Session: record, session_id, certificate_name);

impl Session {
    /// A session whose messages come over `transport`.
    pub(super) fn over(transport: Transport) -> Self {
        Self {
            transport,
            ..Self::default()
        }
    }

    /// Takes one handshake message.
    pub(super) fn message(&mut self, kind: u8, body: &[u8], dir: Dir, out: &mut Out<'_>) {
        match kind {
            1 => self.client_hello(body, dir, out),
            2 => self.server_hello(body, dir, out),
            11 => {
                self.history(names::history(kind), dir);
                self.certificates(body, dir, out);
            }
            12 => {
                self.history(names::history(kind), dir);
                self.server_key_exchange(body);
            }
            16 => {
                self.history(names::history(kind), dir);
                self.is_key_exchanged = true;
            }
            _ => self.history(names::history(kind), dir),
        }
    }

    /// Takes an alert in clear; true if it ends the session.
    pub(super) fn alert(&mut self, level: u8, description: u8, dir: Dir) -> bool {
        self.history('l', dir);
        self.record.last_alert = Some(names::alert(description));
        level == FATAL
    }

    /// Takes a ChangeCipherSpec.
    pub(super) fn change_cipher_spec(&mut self, dir: Dir) {
        self.history('i', dir);
        let server_first = !self.is_client(dir) && !self.is_key_exchanged;
        if server_first && self.is_ticket_offered && !self.is_13() && self.version.is_some() {
            // RFC 5077 §3.1: a server that takes a ticket goes straight on to its ChangeCipherSpec.
            self.record.resumed = true;
        }
    }

    /// Takes a hello in the form of SSL 2.0; true if the session is in SSL 2.0 itself.
    pub(super) fn ssl2(&mut self, hello: Ssl2Hello<'_>, dir: Dir, out: &mut Out<'_>) -> bool {
        self.is_heard = true;
        match hello {
            Ssl2Hello::Client { version } => {
                self.client.get_or_insert(dir);
                self.history('c', dir);
                // The fingerprint has but the version to tell: no evidence of a software.
                self.record.ja4 = Some(ja4(&ClientHelloView::ssl2(version), 't').into());
                false
            }
            Ssl2Hello::Server { certificate } => {
                self.client.get_or_insert_with(|| dir.other());
                self.history('s', dir);
                self.record.version = Some(names::version(0x0002));
                self.chain(std::iter::once(certificate), dir, out);
                true
            }
        }
    }

    /// Whether messages after the hellos are encrypted and ChangeCipherSpec means nothing.
    pub(super) fn is_13(&self) -> bool {
        self.version.is_some_and(|version| match version {
            // DTLS counts downwards.
            0xfe00..=0xfeff => version <= DTLS_13,
            _ => version >= TLS_13,
        })
    }

    /// Notes a letter of history.
    pub(super) fn history(&mut self, letter: char, dir: Dir) {
        let letter = if self.is_client(dir) {
            letter.to_ascii_uppercase()
        } else {
            letter
        };
        let history = self.record.ssl_history.get_or_insert_default();
        if history.len() < HISTORY_LEN_MAX {
            history.push(letter);
        }
    }

    /// The record as it is to be told.
    pub(super) fn record(&mut self, flow: &FlowRef) -> SslRecord {
        let mut record = std::mem::take(&mut self.record);
        record.purpose = purpose(&record, flow);
        record
    }

    /// The handshake is complete.
    pub(super) fn establish(&mut self, out: &mut Out<'_>) {
        self.record.established = true;
        let server = match self.client.unwrap_or(Dir::Orig) {
            Dir::Orig => out.flow.resp,
            Dir::Resp => out.flow.orig,
        };
        let service = self.transport.service();
        let value = match &self.certificate_name {
            Some(name) => format_compact!("{service} {name}"),
            None => Text::from(service),
        };
        out.clue(Clue {
            mac: None,
            ip: Some(server.ip()),
            kind: ClueKind::Serves,
            evidence: "tls handshake",
            value,
        });
    }

    /// Tells an oddity, within the bound.
    pub(super) fn weird(&mut self, name: &'static str, addl: Option<Text>, out: &mut Out<'_>) {
        if self.weirds < WEIRDS_MAX {
            self.weirds = self.weirds.saturating_add(1);
            out.weird(name, addl, SOURCE);
        }
    }

    fn is_client(&self, dir: Dir) -> bool {
        self.client.unwrap_or(Dir::Orig) == dir
    }

    fn client_hello(&mut self, body: &[u8], dir: Dir, out: &mut Out<'_>) {
        let is_first = self.client.is_none();
        self.client.get_or_insert(dir);
        self.history('c', dir);
        self.is_heard = true;
        // After a HelloRetryRequest the client says the same again, fitted to the server's wish.
        if !is_first && self.record.ja4.is_some() {
            return;
        }
        let Some(hello) = client_hello(body) else {
            self.weird("ssl_client_hello_unparsable", None, out);
            return;
        };
        let name = hello.server_name();
        self.record.server_name = name.map(|name| text(name, SERVER_NAME_LEN_MAX));
        let offer: Vec<Text> = hello
            .alpn()
            .take(ALPN_LEN_MAX)
            .map(|name| text(name, usize::from(u8::MAX)))
            .collect();
        self.record.client_alpns = Some(offer).filter(|offer| !offer.is_empty());
        self.session_id = hello.session_id.to_vec();
        self.is_ticket_offered = hello
            .extension(extension::SESSION_TICKET)
            .is_some_and(|ticket| !ticket.is_empty());
        let ja4 = Text::from(ja4(&hello, self.transport.letter()));
        self.record.ja4 = Some(ja4.clone());
        self.record.ja3 = Some(ja3(&hello));
        let ech = hello.extension(extension::ENCRYPTED_CLIENT_HELLO);
        self.record.ech = ech.map(|_| true);
        let client = match dir {
            Dir::Orig => out.flow.orig,
            Dir::Resp => out.flow.resp,
        };
        out.clue(Clue {
            mac: None,
            ip: Some(client.ip()),
            kind: ClueKind::Software,
            evidence: "ja4",
            value: ja4,
        });
    }

    fn server_hello(&mut self, body: &[u8], dir: Dir, out: &mut Out<'_>) {
        self.client.get_or_insert_with(|| dir.other());
        self.is_heard = true;
        let Some(hello) = server_hello(body) else {
            self.history('s', dir);
            self.weird("ssl_server_hello_unparsable", None, out);
            return;
        };
        self.history(if hello.is_retry { 'j' } else { 's' }, dir);
        self.record.ja3s.get_or_insert_with(|| ja3s(&hello));
        self.version = Some(hello.version());
        self.record.version = Some(names::version(hello.version()));
        self.cipher = Some(hello.cipher);
        self.record.cipher = Some(names::cipher(hello.cipher));
        if self.is_13() {
            self.record.curve = hello.group().map(names::group);
            self.record.resumed = hello.extension(extension::PRE_SHARED_KEY).is_some();
        } else {
            // The echo in TLS 1.3 is for middleboxes and says nothing (RFC 8446 §4.1.3).
            let id = hello.session_id;
            self.record.resumed = !id.is_empty() && id == self.session_id;
        }
        let chosen = hello.alpn();
        self.record.next_protocol = chosen.map(|name| text(name, usize::from(u8::MAX)));
    }

    /// The curve of an ephemeral key exchange (RFC 8422 §5.4: curve type 3 is a named one).
    fn server_key_exchange(&mut self, body: &[u8]) {
        const NAMED_CURVE: u8 = 3;
        self.is_key_exchanged = true;
        let mut reader = Reader::new(body);
        let is_ecdhe = self.cipher.is_some_and(names::is_ecdhe);
        if is_ecdhe && reader.u8() == Some(NAMED_CURVE) {
            self.record.curve = reader.u16().map(names::group);
        }
    }

    /// A Certificate message up to TLS 1.2: certificates behind their lengths behind a length.
    fn certificates(&mut self, body: &[u8], dir: Dir, out: &mut Out<'_>) {
        let known = if self.is_client(dir) {
            &self.record.client_cert_chain_fps
        } else {
            self.is_key_exchanged = true;
            &self.record.cert_chain_fps
        };
        if known.is_some() {
            // No side shows two chains in clear; a third one would be a flood.
            return;
        }
        let Some(list) = Reader::new(body).vec24() else {
            self.weird("ssl_certificate_unparsable", None, out);
            return;
        };
        let mut list = Reader::new(list);
        self.chain(std::iter::from_fn(|| list.vec24()), dir, out);
    }

    /// The certificates of one side, its own first.
    fn chain<'a>(&mut self, chain: impl Iterator<Item = &'a [u8]>, dir: Dir, out: &mut Out<'_>) {
        let is_client = self.is_client(dir);
        let mut fingerprints = Vec::new();
        for (index, der) in chain.enumerate() {
            if index >= CHAIN_LEN_MAX {
                self.weird("ssl_certificate_chain_too_long", None, out);
                break;
            }
            let host_cert = index == 0;
            let Some(parsed) = known::read(der) else {
                let fingerprint = fingerprint(der);
                self.weird("x509_unparsable", Some(fingerprint.clone()), out);
                fingerprints.push(fingerprint);
                continue;
            };
            fingerprints.push(parsed.record.fingerprint.clone());
            if host_cert {
                self.own_certificate(&parsed, is_client);
            }
            let record = X509Record {
                host_cert,
                client_cert: is_client,
                ..parsed.record
            };
            out.record(out.ts, record);
        }
        let fingerprints = Some(fingerprints).filter(|list| !list.is_empty());
        if is_client {
            self.record.client_cert_chain_fps = fingerprints;
        } else {
            self.record.cert_chain_fps = fingerprints;
        }
    }

    /// Notes whom a side's own certificate names.
    fn own_certificate(&mut self, own: &Certificate, is_client: bool) {
        let (subject, issuer) = (own.record.subject.clone(), own.record.issuer.clone());
        if is_client {
            self.record.client_subject = subject;
            self.record.client_issuer = issuer;
            return;
        }
        self.record.subject = subject;
        self.record.issuer = issuer;
        self.certificate_name = own.name().cloned();
        let host = self.record.server_name.as_deref();
        self.record.sni_matches_cert = host.map(|host| own.matches(host));
    }
}
