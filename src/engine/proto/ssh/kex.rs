//! What both sides offer for the key exchange, what comes of it, and HASSH.
//!
//! Standard: RFC 4253 §7.1 (SSH_MSG_KEXINIT, negotiation); RFC 5647 and its users for ciphers that bring
//!           their own MAC. HASSH: Salesforce's published definition (BSD 3-clause).

use compact_str::format_compact;
use md5::{Digest as _, Md5};

use super::super::tls::hex;
use crate::types::{Text, text};

/// Length of the cookie before the lists.
const COOKIE_LEN: usize = 16;
/// Longest algorithm name that is written.
const NAME_LEN_MAX: usize = 128;

/// The name lists of one side, in the order of the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer<'a> {
    pub(super) kex: &'a [u8],
    pub(super) host_key: &'a [u8],
    /// To the server, to the client.
    pub(super) cipher: [&'a [u8]; 2],
    pub(super) mac: [&'a [u8]; 2],
    pub(super) compression: [&'a [u8]; 2],
}

/// Reads a KEXINIT from behind its message number.
pub(super) fn offer(body: &[u8]) -> Option<Offer<'_>> {
    let (_, mut rest) = body.split_at_checked(COOKIE_LEN)?;
    let mut list = || string(&mut rest);
    Some(Offer {
        kex: list()?,
        host_key: list()?,
        cipher: [list()?, list()?],
        mac: [list()?, list()?],
        compression: [list()?, list()?],
    })
}

/// Bytes behind their length in 32 bits (RFC 4251 §5).
pub(super) fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    let (bytes, tail) = after.split_at_checked(len)?;
    *rest = tail;
    Some(bytes)
}

/// HASSH of a side: MD5 over its key exchanges, and its ciphers, MACs and compressions of the way it
/// sends.
pub(super) fn hassh(offer: &Offer<'_>, way: Way) -> Text {
    let mut hash = Md5::new_with_prefix(offer.kex);
    for lists in [&offer.cipher, &offer.mac, &offer.compression] {
        hash.update(b";");
        hash.update(way.of(lists));
    }
    hex(&hash.finalize(), false)
}

/// Where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToServer,
    ToClient,
}

impl Way {
    fn of<'a>(self, lists: &[&'a [u8]; 2]) -> &'a [u8] {
        let [server, client] = lists;
        match self {
            Self::ToServer => server,
            Self::ToClient => client,
        }
    }
}

/// What both agree on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) kex: Option<Text>,
    pub(super) host_key: Option<Text>,
    pub(super) cipher: Option<Text>,
    pub(super) mac: Option<Text>,
    pub(super) compression: Option<Text>,
}

/// Negotiates as both sides do: the client's first that the server has too.
pub(super) fn agreed(client: &Offer<'_>, server: &Offer<'_>) -> Agreed {
    let one =
        |ours: &[u8], theirs: &[u8]| common(ours, theirs).map(|name| text(name, NAME_LEN_MAX));
    let two = |ours: &[&[u8]; 2], theirs: &[&[u8]; 2]| {
        let [up, down] =
            [Way::ToServer, Way::ToClient].map(|way| common(way.of(ours), way.of(theirs)));
        both(up, down)
    };
    Agreed {
        kex: one(client.kex, server.kex),
        host_key: one(client.host_key, server.host_key),
        cipher: two(&client.cipher, &server.cipher),
        mac: two(&client.mac, &server.mac),
        compression: two(&client.compression, &server.compression),
    }
}

/// One name if both ways have the same, else both as Zeek writes them.
fn both(up: Option<&[u8]>, down: Option<&[u8]>) -> Option<Text> {
    let (up, down) = (up?, down?);
    if up == down {
        return Some(text(up, NAME_LEN_MAX));
    }
    let [up, down] = [up, down].map(|name| text(name, NAME_LEN_MAX));
    Some(format_compact!("To server: {up}, to client: {down}"))
}

/// Names looked at of a list: the work is at most the product of two lists.
const NAMES_MAX: usize = 64;

fn common<'a>(ours: &'a [u8], theirs: &'a [u8]) -> Option<&'a [u8]> {
    let names = |list| <[u8]>::split(list, |byte| *byte == b',').take(NAMES_MAX);
    names(ours).find(|name| !name.is_empty() && names(theirs).any(|other| other == *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &str) -> Vec<u8> {
        let len = u32::try_from(names.len()).unwrap();
        [&len.to_be_bytes()[..], names.as_bytes()].concat()
    }

    fn message(lists: [&str; 8]) -> Vec<u8> {
        let mut body = vec![7; COOKIE_LEN];
        body.extend(lists.iter().flat_map(|names| list(names)));
        body
    }

    const CLIENT: [&str; 8] = [
        "curve25519-sha256,diffie-hellman-group14-sha256",
        "ssh-ed25519,rsa-sha2-512",
        "chacha20-poly1305@openssh.com,aes128-ctr",
        "aes256-ctr,aes128-ctr",
        "hmac-sha2-256",
        "hmac-sha2-256",
        "none,zlib",
        "none",
    ];
    const SERVER: [&str; 8] = [
        "diffie-hellman-group14-sha256,curve25519-sha256",
        "rsa-sha2-512",
        "aes128-ctr",
        "aes256-ctr",
        "hmac-sha2-512,hmac-sha2-256",
        "hmac-sha2-256",
        "none",
        "zlib",
    ];

    #[test]
    fn the_clients_first_choice_that_both_have() {
        let (client, server) = (message(CLIENT), message(SERVER));
        let agreed = agreed(&offer(&client).unwrap(), &offer(&server).unwrap());
        assert_eq!(agreed.kex.as_deref(), Some("curve25519-sha256"));
        assert_eq!(agreed.host_key.as_deref(), Some("rsa-sha2-512"));
        assert_eq!(
            agreed.cipher.as_deref(),
            Some("To server: aes128-ctr, to client: aes256-ctr")
        );
        assert_eq!(agreed.mac.as_deref(), Some("hmac-sha2-256"));
        assert_eq!(agreed.compression, None, "nothing in common one way");
    }

    /// `printf %s 'curve25519-sha256,…;chacha20-…,aes128-ctr;hmac-sha2-256;none,zlib' | md5sum`, and for a
    /// server its own way's lists.
    #[test]
    fn hassh_takes_the_lists_of_the_way_a_side_sends() {
        let client = message(CLIENT);
        let client = offer(&client).unwrap();
        assert_eq!(
            hassh(&client, Way::ToServer),
            "8b53f5717d0c0cf3cbf573a9525029f8"
        );
        assert_eq!(
            hassh(&client, Way::ToClient),
            "97bb1a410cf00834cbf931b38a2de1af"
        );
    }

    #[test]
    fn a_message_cut_anywhere_is_none() {
        let body = message(CLIENT);
        for end in 0..body.len() {
            assert!(offer(&body[..end]).is_none(), "{end}");
        }
    }
}
