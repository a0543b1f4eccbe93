//! Sign-ins: the tokens of GSS-API, SPNEGO and NTLM, whatever protocol carries them.
//!
//! Standard: RFC 2743 §3.1 (framing), RFC 4178 (SPNEGO), \[MS-SPNG\], \[MS-NLMP\].
//! Input:    security tokens: from SMB, HTTP, LDAP, DCE/RPC.
//! Output:   one `ntlm` record a sign-in; host names, system and user as clues.
//! Use:      [`read`] a token when it crosses, hand it to the flow's [`SignIn`] with who sent it, and let
//!           the carrier's own answer [`SignIn::settle`] it; [`SignIn::finish`] when the flow is over.
//! Bounds:   names of 256 bytes, four wrappings; one sign-in under way, a new one ends the one before.
//! Secrets:  challenges, responses, tickets and keys are passed over where they lie.

mod ntlmssp;
mod record;

use std::sync::Arc;

use self::ntlmssp::{Authenticate, Challenge};
pub use self::record::Ntlm;
use super::ber::{self, OCTET_STRING, SEQUENCE, Values};
use super::{Dir, Out};
use crate::types::{Clue, ClueKind, Text, Timestamp};

/// Tokens within tokens: GSS-API, SPNEGO, the mechanism's framing and the message.
const WRAPPINGS_MAX: usize = 4;
/// SPNEGO, 1.3.6.1.5.5.2.
const SPNEGO: &[u8] = &[0x2b, 6, 1, 5, 5, 2];

/// What a token says.
#[derive(Debug, Default)]
pub(crate) struct Token {
    message: Message,
    /// SPNEGO's own verdict: accepted or rejected; `None` while it goes on.
    pub(crate) accepted: Option<bool>,
}

/// The mechanism's message.
#[derive(Debug, Default)]
enum Message {
    #[default]
    None,
    Challenge(Box<Challenge>),
    Authenticate(Box<Authenticate>),
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
    found.message = match ntlmssp::find(inner) {
        Some(ntlmssp::Message::Challenge(challenge)) => Message::Challenge(Box::new(challenge)),
        Some(ntlmssp::Message::Authenticate(signing)) => Message::Authenticate(Box::new(signing)),
        None => Message::None,
    };
    (found.accepted.is_some() || !matches!(found.message, Message::None)).then_some(found)
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
            (mechanism == SPNEGO).then_some(values.rest())
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
    user: Option<Arc<str>>,
}

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
        }
    }

    /// The carrier has let the client in, or not. Nothing happens where no sign-in is under way.
    pub(crate) fn settle(&mut self, verdict: &Verdict, client: Dir, out: &mut Out<'_>) {
        self.ntlm(Some(verdict), client, out);
    }

    /// Whether a sign-in waits for the carrier's answer.
    pub(crate) fn is_open(&self) -> bool {
        self.ntlm.is_some()
    }

    /// Who was let in last, as NTLM told it.
    pub(crate) fn user(&self) -> Option<&Arc<str>> {
        self.user.as_ref()
    }

    /// Tells a sign-in whose answer was not seen.
    pub(crate) fn finish(&mut self, client: Dir, out: &mut Out<'_>) {
        self.ntlm(None, client, out);
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
        Some(domain) => format!("{domain}\\{user}"),
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
