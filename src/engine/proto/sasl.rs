//! Signing in by SASL: which account, never with what.
//!
//! Standard: RFC 4422 (framework), RFC 4616 (PLAIN), RFC 2195 (CRAM-MD5), RFC 2831 (DIGEST-MD5),
//!           RFC 5802 (SCRAM), RFC 7628 (OAUTHBEARER); LOGIN and XOAUTH2 as servers have them.
//! Input:    a client's responses, each a line of base64.
//! Output:   the account, where the mechanism sends it in clear.
//! Bounds:   4 KiB of a response are decoded; an account of 256 bytes.
//! Secrets:  what is decoded lives in one call; nothing but the account leaves it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::Out;
use super::lines::{TEXT_LEN_MAX, between};
use crate::types::{Text, heap, text};

/// Longest response that is decoded.
const RESPONSE_LEN_MAX: usize = 4096;

/// One exchange.
#[derive(Debug)]
pub(super) struct Sasl {
    mechanism: Text,
    /// Responses seen.
    step: u8,
    /// Whether one may have been missed: then none is taken for a name.
    lost: bool,
}

heap!(Sasl: mechanism);

impl Sasl {
    /// An exchange by the mechanism a client names.
    pub(super) fn new(mechanism: &[u8]) -> Self {
        Self {
            mechanism: text(&mechanism.to_ascii_uppercase(), 32),
            step: 0,
            lost: false,
        }
    }

    /// Name of the mechanism.
    pub(super) fn mechanism(&self) -> &str {
        &self.mechanism
    }

    /// Bytes were lost: what comes next may be the secret.
    pub(super) fn lose(&mut self) {
        self.lost = true;
    }

    /// Takes a response of a client: the account it names becomes `user`; a secret in it is told of.
    pub(super) fn response(
        &mut self,
        line: &[u8],
        service: &'static str,
        user: &mut Option<Text>,
        out: &mut Out<'_>,
    ) {
        let Some((name, secret)) = self.read(line) else {
            return;
        };
        if name.is_some() {
            *user = name;
        }
        if let Some((mechanism, secret)) = secret {
            out.credential((service, mechanism), user.clone(), Some(&secret));
        }
    }

    /// The account a response names, and the secret it shows in clear.
    fn read(&mut self, line: &[u8]) -> Option<(Option<Text>, Option<Shown>)> {
        let step = self.step;
        self.step = self.step.saturating_add(1);
        if self.lost || line.len() > RESPONSE_LEN_MAX || matches!(line, b"" | b"=" | b"*") {
            return None;
        }
        let decoded = STANDARD
            .decode(line)
            .or_else(|_| STANDARD_NO_PAD.decode(line))
            .ok()?;
        let secret = match (self.mechanism.as_str(), step) {
            ("LOGIN", 1) => return Some((None, Some(("LOGIN", decoded)))),
            ("PLAIN", 0) => decoded.rsplit(|byte| *byte == 0).next(),
            _ => None,
        };
        let secret = secret.map(|secret| ("PLAIN", secret.to_vec()));
        let name = match (self.mechanism.as_str(), step) {
            ("LOGIN", 0) => Some(decoded.as_slice()),
            ("PLAIN", 0) => plain(&decoded),
            ("CRAM-MD5", _) => {
                let end = memchr::memrchr(b' ', &decoded)?;
                decoded.get(..end)
            }
            ("DIGEST-MD5", 0) => {
                let at = memchr::memmem::find(&decoded, b"username=")?;
                between(decoded.get(at..)?, b'"', b'"')
            }
            ("XOAUTH2", 0) => {
                let rest = decoded.strip_prefix(b"user=")?;
                rest.get(..memchr::memchr(1, rest)?)
            }
            ("OAUTHBEARER", 0) => between(&decoded, b'=', b','),
            (scram, 0) if scram.starts_with("SCRAM-") => {
                let at = memchr::memmem::find(&decoded, b",n=")?;
                between(decoded.get(at..)?, b'=', b',')
            }
            _ => None,
        }?;
        let printable = name.iter().all(|byte| !byte.is_ascii_control());
        (!name.is_empty() && printable && name.len() <= TEXT_LEN_MAX)
            .then(|| (Some(text(name, TEXT_LEN_MAX)), secret))
    }
}

/// Mechanism and secret; it does not outlive the call.
type Shown = (&'static str, Vec<u8>);

/// The account between the two NULs (RFC 4616 §2).
fn plain(message: &[u8]) -> Option<&[u8]> {
    let mut parts = message.split(|byte| *byte == 0);
    let (authorize, authenticate, _secret) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    Some(if authenticate.is_empty() {
        authorize
    } else {
        authenticate
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(mechanism: &str, lines: &[&str]) -> Vec<Option<Text>> {
        let mut sasl = Sasl::new(mechanism.as_bytes());
        let lines = lines.iter();
        let read = |line: &&str| sasl.read(line.as_bytes()).and_then(|(name, _)| name);
        lines.map(read).collect()
    }

    #[test]
    fn accounts_are_told_and_secrets_are_not() {
        // RFC 4954 §4.1: "\0test\01234"; RFC 4616 §4 has "tim" without an authorization identity.
        assert_eq!(name("plain", &["AHRlc3QAMTIzNA=="]), [Some("test".into())]);
        // "username", then "password".
        let both = name("LOGIN", &["dXNlcm5hbWU=", "cGFzc3dvcmQ="]);
        assert_eq!(both, [Some("username".into()), None]);
        // RFC 2195 §2: "tim b913a602c7eda7a495b4e6e7334d3890".
        let cram = "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw";
        assert_eq!(name("CRAM-MD5", &[cram]), [Some("tim".into())]);
        // RFC 5802 §5: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL".
        let scram = "biwsbj11c2VyLHI9ZnlrbytkMmxiYkZnT05Sdjlxa3hkYXdM";
        assert_eq!(name("SCRAM-SHA-1", &[scram]), [Some("user".into())]);
        assert_eq!(name("PLAIN", &["not base64!"]), [None]);
    }

    #[test]
    fn what_is_shown_in_clear_is_told_of() {
        let secret = |mechanism: &[u8], lines: &[&[u8]]| {
            let mut sasl = Sasl::new(mechanism);
            let read = lines.iter().map(|line| sasl.read(line));
            read.last().flatten().and_then(|(_, secret)| secret)
        };
        let plain = secret(b"PLAIN", &[b"AHRlc3QAMTIzNA=="]);
        assert_eq!(plain, Some(("PLAIN", b"1234".to_vec())));
        let login = secret(b"LOGIN", &[b"dXNlcm5hbWU=", b"cGFzc3dvcmQ="]);
        assert_eq!(login, Some(("LOGIN", b"password".to_vec())));
        let cram = b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw";
        assert_eq!(secret(b"CRAM-MD5", &[cram]), None);
    }

    #[test]
    fn behind_a_gap_nothing_is_taken_for_a_name() {
        let mut sasl = Sasl::new(b"LOGIN");
        sasl.lose();
        assert_eq!(sasl.read(b"cGFzc3dvcmQ="), None);
    }
}
