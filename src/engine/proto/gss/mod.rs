//! Sign-ins: the tokens of GSS-API, SPNEGO and NTLM, whatever protocol carries them.
//!
//! Standard: RFC 2743 §3.1 (framing), RFC 4178 (SPNEGO), RFC 4121 §4.1 (Kerberos), \[MS-SPNG\], \[MS-NLMP\].
//! Input:    security tokens: from SMB, HTTP, LDAP, DCE/RPC.
//! Output:   one `ntlm` or `kerberos` record (`AP`) a sign-in; host names, system and user as clues.
//! Use:      `read` a token when it crosses, hand it to the flow's `SignIn` with who sent it, and let
//!           the carrier's own answer `SignIn::settle` it; `SignIn::finish` when the flow is over.
//! Bounds:   names of 256 bytes, four wrappings; one sign-in under way, a new one ends the one before.
//! Secrets:  challenges, responses, tickets and keys are passed over where they lie.

mod ntlmssp;
mod record;

use std::sync::Arc;

use compact_str::format_compact;

use self::ntlmssp::{Authenticate, Challenge};
pub use self::record::Ntlm;
use super::ber::{self, OCTET_STRING, SEQUENCE, Values};
use super::kerberos::{self, KerberosRecord};
use super::{Dir, Out};
use crate::types::{Clue, ClueKind, Heap, Text, Timestamp, heap};

/// Tokens within tokens: GSS-API, SPNEGO, the mechanism's framing and the message.
const WRAPPINGS_MAX: usize = 4;
/// SPNEGO, 1.3.6.1.5.5.2.
const SPNEGO: &[u8] = &[0x2b, 6, 1, 5, 5, 2];
/// Kerberos 5, 1.2.840.113554.1.2.2, as well with user to user; and as Windows 2000 misspelt it.
const KERBEROS: [&[u8]; 2] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2],
    &[0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 1, 2, 2],
];

/// What a token says.
#[derive(Debug, Default)]
pub(crate) struct Token {
    message: Message,
    /// SPNEGO's own verdict: accepted or rejected; `None` while it goes on.
    pub(crate) accepted: Option<bool>,
}

heap!(Token: message);

/// The mechanism's message.
#[derive(Debug, Default)]
enum Message {
    #[default]
    None,
    Challenge(Box<Challenge>),
    Authenticate(Box<Authenticate>),
    Kerberos(Box<kerberos::Message>),
}

impl Heap for Message {
    fn heap(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Challenge(message) => message.heap(),
            Self::Authenticate(message) => message.heap(),
            Self::Kerberos(message) => message.heap(),
        }
    }
}

impl Token {
    /// A sign-in without any token, as SMB 1 and older have it: an account beside its password's digest.
    pub(crate) fn plain(user: Option<Text>, domain: Option<Text>, system: Option<Text>) -> Self {
        let message = Message::Authenticate(Box::new(Authenticate {
            user,
            domain,
            workstation: None,
            system,
        }));
        Self {
            message,
            accepted: None,
        }
    }
}

/// Reads a token; `None` if it says nothing of interest.
pub(crate) fn read(token: &[u8]) -> Option<Token> {
    let mut found = Token::default();
    let mut inner = token;
    for _ in 0..WRAPPINGS_MAX {
        let Some(unwrapped) = unwrap(inner, &mut found.accepted) else {
            break;
        };
        inner = unwrapped;
    }
    found.message = message(inner).unwrap_or_default();
    (found.accepted.is_some() || !matches!(found.message, Message::None)).then_some(found)
}

/// The mechanism's message. Kerberos frames it with two bytes, or as SMB and DCE/RPC do, not at all.
fn message(inner: &[u8]) -> Option<Message> {
    let framed = match inner {
        [0x6e | 0x6f | 0x7e, ..] => Some(inner),
        [1..=3, 0, rest @ ..] | [4, 0 | 1, rest @ ..] => Some(rest),
        _ => None,
    };
    if let Some(message) = framed.and_then(kerberos::read) {
        return Some(Message::Kerberos(Box::new(message)));
    }
    Some(match ntlmssp::find(inner)? {
        ntlmssp::Message::Challenge(challenge) => Message::Challenge(Box::new(challenge)),
        ntlmssp::Message::Authenticate(signing) => Message::Authenticate(Box::new(signing)),
    })
}

/// What a wrapping holds; `None` if `token` is none.
fn unwrap<'a>(token: &'a [u8], accepted: &mut Option<bool>) -> Option<&'a [u8]> {
    /// MechToken and responseToken have the same number (RFC 4178 §4.2).
    const TOKEN: u8 = 0xa2;
    match *token.first()? {
        // InitialContextToken: the mechanism's OID, then its token.
        0x60 => {
            let mut values = Values::new(ber::inside(token, 0x60)?);
            let mechanism = values.next_of(ber::OBJECT_IDENTIFIER)?;
            let known = mechanism == SPNEGO || KERBEROS.iter().any(|k| mechanism.starts_with(k));
            known.then_some(values.rest())
        }
        // NegTokenInit and NegTokenResp.
        choice @ (0xa0 | 0xa1) => {
            let fields = Values::new(ber::inside(ber::inside(token, choice)?, SEQUENCE)?);
            if choice == 0xa1
                && let Some(state) = fields.first_of(0xa0)
            {
                *accepted = match ber::inside(state, ber::ENUMERATED)?.first() {
                    Some(0) => Some(true),
                    Some(2) => Some(false),
                    _ => None,
                };
            }
            ber::inside(fields.first_of(TOKEN)?, OCTET_STRING)
        }
        _ => None,
    }
}

/// How a carrier answered.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Whether it let the client in.
    pub(crate) success: bool,
    /// Its reason for not doing so.
    pub(crate) status: Option<Text>,
}

/// The sign-ins of one session, one after the other.
#[derive(Debug, Default)]
pub(crate) struct SignIn {
    server: Option<Box<Challenge>>,
    ntlm: Option<Box<(Timestamp, Authenticate)>>,
    /// A ticket shown, with its record so far.
    ticket: Option<Box<(Timestamp, KerberosRecord)>>,
    kerberos_seen: bool,
    user: Option<Arc<str>>,
}

heap!(SignIn: server, ntlm, ticket, user);

impl SignIn {
    /// Takes a token that `sender` sent at `ts`.
    pub(crate) fn take(&mut self, token: Token, (ts, sender): (Timestamp, Dir), out: &mut Out<'_>) {
        match token.message {
            Message::None => {}
            Message::Challenge(challenge) => {
                let names = [
                    (ClueKind::HostName, "ntlm", &challenge.nb_name),
                    (ClueKind::HostName, "ntlm dns name", &challenge.dns_name),
                    (ClueKind::Software, "ntlm version", &challenge.system),
                ];
                for (kind, evidence, value) in names {
                    tell(sender, kind, evidence, value.as_ref(), out);
                }
                self.server = Some(challenge);
            }
            Message::Authenticate(signing) => {
                self.ntlm(None, sender, out);
                let names = [
                    (ClueKind::HostName, "ntlm", &signing.workstation),
                    (ClueKind::Software, "ntlm version", &signing.system),
                ];
                for (kind, evidence, value) in names {
                    tell(sender, kind, evidence, value.as_ref(), out);
                }
                self.ntlm = Some(Box::new((ts, *signing)));
            }
            Message::Kerberos(message) => self.kerberos(&message, ts, out),
        }
    }

    /// The carrier has let the client in, or not. Nothing happens where no sign-in is under way.
    pub(crate) fn settle(&mut self, verdict: &Verdict, client: Dir, out: &mut Out<'_>) {
        self.ntlm(Some(verdict), client, out);
        // Who asks for the server's own ticket has shown none yet: only a reply says how that went.
        if let Some((_, record)) = self.ticket.as_deref_mut()
            && record.request_type != Some("TGT")
        {
            record.success = Some(verdict.success);
        }
        self.ticket(out);
    }

    /// Whether a sign-in waits for the carrier's answer.
    pub(crate) fn is_open(&self) -> bool {
        self.ntlm.is_some() || self.ticket.is_some()
    }

    /// Who was let in last, as NTLM told it.
    pub(crate) fn user(&self) -> Option<&Arc<str>> {
        self.user.as_ref()
    }

    /// Tells a sign-in whose answer was not seen.
    pub(crate) fn finish(&mut self, client: Dir, out: &mut Out<'_>) {
        self.ntlm(None, client, out);
        self.ticket(out);
    }

    /// A message of Kerberos: a ticket is shown, or that is answered.
    fn kerberos(&mut self, message: &kerberos::Message, ts: Timestamp, out: &mut Out<'_>) {
        match message.kind {
            kerberos::AP_REQ | kerberos::TGT_REQ => {
                self.ticket(out);
                self.kerberos_seen = true;
                self.ticket = Some(Box::new((ts, kerberos::asked(message))));
            }
            kerberos::AP_REP | kerberos::TGT_REP | kerberos::ERROR => {
                if let Some((_, record)) = self.ticket.as_deref_mut() {
                    record.answered(message);
                } else if !self.kerberos_seen {
                    // The capture begins in the middle; later ones are a third step, without news.
                    self.kerberos_seen = true;
                    let mut record = KerberosRecord::default();
                    record.answered(message);
                    out.record(ts, record);
                }
            }
            _ => {}
        }
    }

    /// Tells a ticket shown, if one is.
    fn ticket(&mut self, out: &mut Out<'_>) {
        if let Some(open) = self.ticket.take() {
            let (ts, record) = *open;
            out.record(ts, record);
        }
    }

    /// Tells an NTLM sign-in, if one is under way.
    fn ntlm(&mut self, verdict: Option<&Verdict>, client: Dir, out: &mut Out<'_>) {
        let Some(open) = self.ntlm.take() else {
            return;
        };
        let (ts, signing) = *open;
        if verdict.is_some_and(|verdict| verdict.success) {
            self.user = signing.user.as_deref().map(Arc::from);
            tell(
                client,
                ClueKind::User,
                "ntlm",
                account(&signing).as_ref(),
                out,
            );
        }
        let told = self.server.as_deref().cloned().unwrap_or_default();
        let record = Ntlm {
            username: signing.user,
            hostname: signing.workstation,
            domainname: signing.domain,
            server_nb_computer_name: told.nb_name,
            server_dns_computer_name: told.dns_name,
            server_tree_name: told.tree_name,
            success: verdict.map(|verdict| verdict.success),
            status: verdict
                .filter(|verdict| !verdict.success)
                .and_then(|verdict| verdict.status.clone()),
        };
        out.record(ts, record);
    }
}

/// The account as Windows writes it, `DOMAIN\\user`; machines' accounts end in `$` and are no users.
fn account(signing: &Authenticate) -> Option<Text> {
    let user = signing.user.as_ref().filter(|user| !user.ends_with('$'))?;
    Some(match &signing.domain {
        Some(domain) => format_compact!("{domain}\\{user}"),
        None => user.clone(),
    })
}

/// Emits evidence about one side.
pub(super) fn tell(
    side: Dir,
    kind: ClueKind,
    evidence: &'static str,
    value: Option<&Text>,
    out: &mut Out<'_>,
) {
    let Some(value) = value.cloned() else { return };
    let end = match side {
        Dir::Orig => out.flow.orig,
        Dir::Resp => out.flow.resp,
    };
    out.clue(Clue {
        mac: None,
        ip: Some(end.ip()),
        kind,
        evidence,
        value,
    });
}

#[cfg(test)]
pub(super) mod tests;
