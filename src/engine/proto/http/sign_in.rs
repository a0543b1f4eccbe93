//! Sign-ins by NTLM and Negotiate in header fields.
//!
//! Standard: RFC 4559 (Negotiate); \[MS-NTHT\] (NTLM). A sign-in belongs to the connection, not to a request.
//! Bounds:   a token is part of a head, which is bounded; of what follows it nothing is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Http, Input, Out};
use crate::proto::gss::{self, Token, Verdict};
use crate::proto::{Protocol as _, Secret};
use crate::types::{Text, text};

/// Longest name kept.
const USER_LEN_MAX: usize = 256;

/// The token in the value of `Authorization` or `WWW-Authenticate`.
pub(super) fn token(value: &[u8]) -> Option<Token> {
    let space = memchr::memchr(b' ', value)?;
    let (scheme, rest) = value.split_at_checked(space)?;
    let known: [&[u8]; 3] = [b"NTLM", b"Negotiate", b"Kerberos"];
    if !known.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let base64 = rest.trim_ascii();
    let end = base64.iter().position(|byte| matches!(byte, b',' | b' '));
    let base64 = base64.get(..end.unwrap_or(base64.len()))?;
    gss::read(&STANDARD.decode(base64).ok()?)
}

/// Name and password of `Basic` (RFC 7617); they do not outlive the request's call.
#[derive(Default)]
pub(in crate::proto) struct Basic {
    user: Text,
    secret: Vec<u8>,
}

/// The secret is not told.
impl std::fmt::Debug for Basic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Basic").finish_non_exhaustive()
    }
}

impl Basic {
    /// From the value of `Authorization`.
    pub(in crate::proto) fn read(value: &[u8]) -> Option<Self> {
        let code = value.get(b"Basic ".len()..)?.trim_ascii();
        let pair = STANDARD.decode(code).ok()?;
        let at = memchr::memchr(b':', &pair)?;
        let (user, secret) = pair.split_at_checked(at)?;
        Some(Self {
            user: text(user, USER_LEN_MAX),
            secret: secret.get(1..)?.to_vec(),
        })
    }

    /// Tells of it, unless it is the one shown `before` on this connection.
    pub(in crate::proto) fn tell(self, before: &mut Secret, out: &mut Out<'_>) {
        let secret = out.secret(&self.secret);
        if std::mem::replace(before, secret) != secret {
            let user = Some(self.user).filter(|user| !user.is_empty());
            out.credential((Http::NAME, "Basic"), user, Some(&self.secret));
        }
    }
}

impl Http {
    /// The client's part of a sign-in.
    pub(super) fn signs_in(&mut self, token: Option<Token>, input: Input<'_>, out: &mut Out<'_>) {
        if let Some(token) = token {
            let sign_in = self.sign_in.get_or_insert_default();
            sign_in.take(token, (input.ts, input.dir), out);
        }
    }

    /// The server's part, and what its status says of the client's.
    pub(super) fn signed_in(
        &mut self,
        token: Option<Token>,
        status: u16,
        input: Input<'_>,
        out: &mut Out<'_>,
    ) {
        self.signs_in(token, input, out);
        if let Some(sign_in) = self.sign_in.as_mut().filter(|sign_in| sign_in.is_open()) {
            let success = !matches!(status, 401 | 407);
            let verdict = Verdict {
                success,
                status: None,
            };
            sign_in.settle(&verdict, input.dir.other(), out);
        }
    }

    /// The flow is over: tells a sign-in nobody answered.
    pub(super) fn sign_in_ends(&mut self, out: &mut Out<'_>) {
        if let Some(mut sign_in) = self.sign_in.take() {
            sign_in.finish(crate::proto::Dir::Orig, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Dir;
    use crate::proto::gss::tests::{authenticate, challenge, init, resp};
    use crate::proto::testing::{stream, views};

    /// Sends heads in turn, the client's first.
    fn talk(heads: &[String]) -> Vec<String> {
        let dirs = [Dir::Orig, Dir::Resp].into_iter().cycle();
        let pieces: Vec<_> = dirs
            .zip(heads)
            .map(|(dir, head)| (dir, head.clone().into_bytes()))
            .collect();
        let mut lines = stream::<Http>(&views(&pieces)).lines;
        lines.retain(|line| line.starts_with("ntlm"));
        lines
    }

    fn ask(value: &str) -> String {
        format!("GET /wsman HTTP/1.1\r\nHost: srv\r\nAuthorization: {value}\r\n\r\n")
    }

    fn answer(status: &str, field: &str) -> String {
        format!("HTTP/1.1 {status}\r\n{field}\r\nContent-Length: 0\r\n\r\n")
    }

    #[test]
    fn three_messages_are_one_sign_in() {
        let b64 = |bytes: &[u8]| STANDARD.encode(bytes);
        let heads = |status: &str| {
            [
                ask(&format!("NTLM {}", b64(b"NTLMSSP\0\x01\0\0\0\0\0\0\0"))),
                answer(
                    "401 Unauthorized",
                    &format!("WWW-Authenticate: NTLM {}", b64(&challenge())),
                ),
                ask(&format!("NTLM {}", b64(&authenticate()))),
                answer(status, "Server: x"),
            ]
        };
        let who =
            r#""username":"eve","hostname":"PC","domainname":"AD","server_nb_computer_name":"DC""#;
        assert_eq!(
            talk(&heads("200 OK")),
            [format!(r#"ntlm {{{who},"success":true}}"#)]
        );
        assert_eq!(
            talk(&heads("401 No")),
            [format!(r#"ntlm {{{who},"success":false}}"#)]
        );
        assert_eq!(talk(&heads("200 OK")[..3]), [format!("ntlm {{{who}}}")]);
    }

    #[test]
    fn negotiate_wraps_them() {
        let heads = [
            ask(&format!(
                "Negotiate {}",
                STANDARD.encode(init(&authenticate()))
            )),
            answer(
                "200 OK",
                &format!(
                    "WWW-Authenticate: negotiate {}",
                    STANDARD.encode(resp(0, None))
                ),
            ),
        ];
        assert_eq!(
            talk(&heads),
            [r#"ntlm {"username":"eve","hostname":"PC","domainname":"AD","success":true}"#]
        );
        assert!(token(b"Basic TlRMTVNTUAADAAAA").is_none());
        assert!(token(b"NTLM").is_none());
        assert!(token(b"NTLM !!!!").is_none());
    }
}
