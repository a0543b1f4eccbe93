//! Targets and referrers, without the secrets in them.
//!
//! Standard: RFC 3986 §3.2.1 (user information), RFC 6750 §2.3 (a token in a query).
//! Bounds:   a text of [`URI_LEN_MAX`] bytes.
//! Secrets:  `user:password@`, and the values of parameters whose names say that they are one; the names stay.

use std::borrow::Cow;

use crate::types::{Text, text};

/// Longest target or referrer kept.
pub(super) const URI_LEN_MAX: usize = 2048;

/// Names of parameters that hold a secret, in lower case.
const SECRETS: [&[u8]; 24] = [
    b"access_token",
    b"api-key",
    b"api_key",
    b"apikey",
    b"auth_token",
    b"client_secret",
    b"id_token",
    b"jsessionid",
    b"pass",
    b"passphrase",
    b"passwd",
    b"password",
    b"phpsessid",
    b"pwd",
    b"refresh_token",
    b"secret",
    b"session_id",
    b"sessionid",
    b"sig",
    b"signature",
    b"token",
    b"user_token",
    b"x-amz-security-token",
    b"x-amz-signature",
];

/// A target or referrer without secrets, and where they stood: `userinfo` or `query`.
pub(in crate::proto) fn uri(target: &[u8]) -> (Text, Option<&'static str>) {
    let (target, has_userinfo) = without_userinfo(target);
    let query = without_values(&target);
    let place = if has_userinfo {
        Some("userinfo")
    } else {
        query.as_ref().map(|_| "query")
    };
    (
        text(query.as_deref().unwrap_or(&target), URI_LEN_MAX),
        place,
    )
}

/// The target with the values of secret parameters cut out; `None` if it has none.
fn without_values(target: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'=', target)?;
    let (mut open, mut has_secrets) = (Vec::new(), false);
    // Each part ends before one of these, or with the target.
    for part in target.split_inclusive(|byte| b"?&;#".contains(byte)) {
        let (part, sign) = match part.split_last() {
            Some((last, part)) if b"?&;#".contains(last) => (part, Some(*last)),
            _ => (part, None),
        };
        let value = memchr::memchr(b'=', part).and_then(|at| part.split_at_checked(at));
        let secret = value.filter(|(name, value)| value.len() > 1 && is_secret(name));
        has_secrets |= secret.is_some();
        match secret {
            Some((name, _)) => open.extend([name, b"="].concat()),
            None => open.extend(part),
        }
        open.extend(sign);
    }
    has_secrets.then_some(open)
}

fn is_secret(name: &[u8]) -> bool {
    SECRETS
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
}

/// Cuts `user:password@` out of an absolute target (RFC 3986 §3.2.1).
fn without_userinfo(target: &[u8]) -> (Cow<'_, [u8]>, bool) {
    let whole = (Cow::Borrowed(target), false);
    // A target that begins with a slash has no authority, whatever stands in its query.
    let Some(at) = memchr::memmem::find(target, b"://").filter(|_| !target.starts_with(b"/"))
    else {
        return whole;
    };
    let Some((scheme, rest)) = target.split_at_checked(at.saturating_add(3)) else {
        return whole;
    };
    let end = memchr::memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len());
    let Some((authority, path)) = rest.split_at_checked(end) else {
        return whole;
    };
    let Some(sign) = memchr::memrchr(b'@', authority) else {
        return whole;
    };
    let host = authority.get(sign.saturating_add(1)..).unwrap_or_default();
    (Cow::Owned([scheme, host, path].concat()), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_cut_out() {
        let cut = ("ftp://h/x?y=@".into(), Some("userinfo"));
        assert_eq!(uri(b"ftp://u:p@h/x?y=@"), cut);
        assert_eq!(uri(b"/r?u=http://a@b/"), ("/r?u=http://a@b/".into(), None));
    }

    #[test]
    fn values_that_are_secrets_are_cut_out() {
        for (target, cut) in [
            ("/a?u=x&PassWord=y%20z&v=1", "/a?u=x&PassWord=&v=1"),
            (
                "/a;jsessionid=77?b=c#access_token=d",
                "/a;jsessionid=?b=c#access_token=",
            ),
            ("token=a=b", "token="),
        ] {
            assert_eq!(uri(target.as_bytes()), (cut.into(), Some("query")));
        }
        for open in ["/a?tokens=1&b", "/token=1", "/a?password=", "/=?&;#=", ""] {
            assert_eq!(uri(open.as_bytes()), (open.into(), None));
        }
    }
}
