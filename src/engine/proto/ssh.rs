//! SSH: who speaks which implementation, with which algorithms, and whether somebody got in.
//!
//! Standard: RFC 4253 §4.2 (identification), §6 (packets), §7 (key exchange), §8; RFC 4419 and RFC 5656 for
//!           the numbers of other exchanges.
//! Input:    TCP streams of both directions, up to the end of authentication.
//! Output:   one `ssh` record when somebody got in or the flow is over; a software clue for each side.
//! Bounds:   a line is 255 bytes with CR LF; 16 lines before the server's own are passed over; a packet in
//!           clear is 35,000 bytes, and 16 KiB of each side's offer are kept; see `auth` for the rest.
//! Not done: what SSH 1 says after its lines; `direction` of Zeek's log, which needs to know the site.

mod auth;
mod kex;
#[cfg(test)]
mod tests;

use compact_str::{CompactStringExt as _, format_compact};
use md5::{Digest as _, Md5};

use self::auth::Auth;
use self::kex::{Agreed, Offer, Way, agreed, hassh, offer, string};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Clue, ClueKind, Text, Timestamp, heap, heap_of, text};

/// Longest identification line, CR LF included (RFC 4253 §4.2).
const LINE_LEN_MAX: usize = 255;
/// Lines a server may send before its own.
const LINES_BEFORE_MAX: u8 = 16;
/// Longest packet that every implementation takes (RFC 4253 §6.1).
const PACKET_LEN_MAX: usize = 35_000;
/// Longest offer that is kept until the other side's is there.
const OFFER_LEN_MAX: usize = 16 * 1024;
/// Packets in clear of one side: a handshake has a handful.
const PACKETS_MAX: u8 = 32;

/// Message numbers (RFC 4253 §12, RFC 4419 §5).
const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;
const KEX_REPLY: u8 = 31;
const GROUP_EXCHANGE_INIT: u8 = 32;
const GROUP_EXCHANGE_REPLY: u8 = 33;

record! {
    /// One SSH session (Zeek's `ssh.log`).
    pub struct SshRecord = "ssh" {
        /// Protocol version: 1 or 2.
        pub version: Option<u8> = "version",
        /// Whether somebody got in, by the sizes of what is encrypted; absent if they do not tell.
        pub auth_success: Option<bool> = "auth_success",
        /// Requests for authentication that were answered; the first mostly asks for the methods only.
        pub auth_attempts: Option<u64> = "auth_attempts",
        /// The client's identification line.
        pub client: Option<Text> = "client",
        /// The server's identification line.
        pub server: Option<Text> = "server",
        /// Cipher agreed upon.
        pub cipher_alg: Option<Text> = "cipher_alg",
        /// MAC agreed upon; ciphers that bring their own do not use it.
        pub mac_alg: Option<Text> = "mac_alg",
        /// Compression agreed upon.
        pub compression_alg: Option<Text> = "compression_alg",
        /// Key exchange agreed upon.
        pub kex_alg: Option<Text> = "kex_alg",
        /// Kind of the server's key agreed upon.
        pub host_key_alg: Option<Text> = "host_key_alg",
        /// MD5 of the server's key, as `ssh-keygen -l -E md5` writes it.
        pub host_key: Option<Text> = "host_key",
        /// HASSH fingerprint of the client.
        pub hassh: Option<Text> = "hassh",
        /// HASSH fingerprint of the server.
        pub hassh_server: Option<Text> = "hasshServer",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Ssh {
    started: Option<Timestamp>,
    orig: Side,
    resp: Side,
    /// Who is the client, by what it says; else who opened the connection.
    client: Option<Dir>,
    host_key: Option<Text>,
    lines_before: u8,
    auth: Auth,
    is_done: bool,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    line: Option<Text>,
    /// Its KEXINIT from behind the message number.
    offer: Option<Vec<u8>>,
    packets: u8,
    is_encrypted: bool,
}

heap!(Side: line, offer);

impl Protocol for Ssh {
    const NAME: &'static str = "ssh";
    const PORTS: &'static [Port] = &[Port::Tcp(22)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start.get(..4) {
            Some(b"SSH-") => Probe::Certain,
            Some(_) => Probe::NotMine,
            None if b"SSH-".starts_with(start) => Probe::Unsure,
            None => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.gap > 0 || self.is_done {
            // What is left of the handshake does not fit together any more, and no size is sure.
            self.emit(out);
            return Parse::Skip;
        }
        self.started.get_or_insert(input.ts);
        let side = self.side(input.dir);
        if side.is_encrypted {
            return self.encrypted(input, out);
        }
        if side.line.is_none() {
            return self.line(input, out);
        }
        self.packet(input, out)
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.emit(out);
    }

    fn heap(&self) -> usize {
        heap_of!(self: orig, resp, host_key)
    }
}

impl Ssh {
    /// Takes a line before the first packet.
    fn line(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let window = input.data.get(..LINE_LEN_MAX).unwrap_or(input.data);
        let Some(end) = memchr::memchr(b'\n', window) else {
            if input.data.len() < LINE_LEN_MAX {
                return Parse::NeedMore { used: 0, need: 1 };
            }
            self.emit(out);
            return Parse::Broken("ssh_line_too_long");
        };
        let line = input.data.get(..end).unwrap_or_default().trim_ascii_end();
        let used = end.saturating_add(1);
        if !line.starts_with(b"SSH-") {
            self.lines_before = self.lines_before.saturating_add(1);
            if self.lines_before <= LINES_BEFORE_MAX {
                return Parse::Parsed { used };
            }
            self.emit(out);
            return Parse::Broken("ssh_no_identification");
        }
        self.identified(input.dir, text(line, LINE_LEN_MAX), out);
        let is_old = |side: &Side| side.line.as_deref().is_some_and(is_version_1);
        if is_old(&self.orig) || is_old(&self.resp) {
            if self.orig.line.is_some() && self.resp.line.is_some() {
                self.emit(out);
                return Parse::Skip;
            }
            return Parse::SkipBytes { bytes: u64::MAX };
        }
        Parse::Parsed { used }
    }

    /// Keeps a side's line.
    fn identified(&mut self, dir: Dir, line: Text, out: &mut Out<'_>) {
        let side = match dir {
            Dir::Orig => out.flow.orig,
            Dir::Resp => out.flow.resp,
        };
        self.side(dir).line = Some(line.clone());
        out.clue(Clue {
            mac: None,
            ip: Some(side.ip()),
            kind: ClueKind::Software,
            evidence: "ssh identification",
            value: line,
        });
    }

    /// Takes a packet in clear: length, length of its padding, content, padding.
    fn packet(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        const LENGTH_LEN: usize = 4;
        let Some((length, rest)) = input.data.split_first_chunk::<LENGTH_LEN>() else {
            let need = LENGTH_LEN.saturating_sub(input.data.len());
            return Parse::NeedMore { used: 0, need };
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > PACKET_LEN_MAX {
            self.emit(out);
            return Parse::Broken("ssh_packet_too_long");
        }
        let Some(packet) = rest.get(..length) else {
            let need = length.saturating_sub(rest.len());
            return Parse::NeedMore { used: 0, need };
        };
        let side = self.side(input.dir);
        side.packets = side.packets.saturating_add(1);
        if side.packets > PACKETS_MAX {
            self.emit(out);
            return Parse::Skip;
        }
        if let Some((padding, content)) = packet.split_first() {
            let len = content.len().saturating_sub(usize::from(*padding));
            if let Some((kind, body)) = content.get(..len).and_then(<[u8]>::split_first) {
                self.message(*kind, body, input.dir);
            }
        }
        Parse::Parsed {
            used: length.saturating_add(LENGTH_LEN),
        }
    }

    /// Takes the message of a packet in clear.
    fn message(&mut self, kind: u8, body: &[u8], dir: Dir) {
        match kind {
            KEXINIT if self.side(dir).offer.is_none() => {
                let kept = body.get(..OFFER_LEN_MAX).unwrap_or(body);
                self.side(dir).offer = Some(kept.to_vec());
            }
            NEWKEYS => self.side(dir).is_encrypted = true,
            GROUP_EXCHANGE_INIT => self.client = Some(dir),
            // In a group exchange 31 is the group, and the key comes with 33.
            KEX_REPLY | GROUP_EXCHANGE_REPLY => {
                let mut rest = body;
                let key = string(&mut rest).filter(|key| is_key(key));
                if let Some(key) = key {
                    self.client = Some(dir.other());
                    self.host_key = Some(colons(&Md5::digest(key)));
                }
            }
            _ => {}
        }
    }

    /// Takes a segment of what is encrypted: only its size tells.
    fn encrypted(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let len = input.data.len();
        if self.client.unwrap_or(Dir::Orig) == input.dir {
            self.auth.client();
        } else if self.auth.server(len) {
            self.emit(out);
            return Parse::Skip;
        }
        Parse::Parsed { used: len }
    }

    fn side(&mut self, dir: Dir) -> &mut Side {
        match dir {
            Dir::Orig => &mut self.orig,
            Dir::Resp => &mut self.resp,
        }
    }

    fn emit(&mut self, out: &mut Out<'_>) {
        let is_told = std::mem::replace(&mut self.is_done, true);
        let is_heard = self.orig.line.is_some() || self.resp.line.is_some();
        let Some(ts) = self.started.filter(|_| is_heard && !is_told) else {
            return;
        };
        self.auth.settle();
        let (mut client, mut server) = (&mut self.orig, &mut self.resp);
        if self.client == Some(Dir::Resp) {
            std::mem::swap(&mut client, &mut server);
        }
        let offers = [&*client, &*server].map(|side| side.offer.as_deref().and_then(offer));
        let [client_offer, server_offer]: [Option<Offer<'_>>; 2] = offers;
        let agreed = match (&client_offer, &server_offer) {
            (Some(client), Some(server)) => agreed(client, server),
            _ => Agreed::default(),
        };
        let hassh_of = |offer: Option<Offer<'_>>, way| offer.map(|offer| hassh(&offer, way));
        let is_old =
            [&*client, &*server].map(|side| side.line.as_deref().is_some_and(is_version_1));
        let record = SshRecord {
            version: Some(if is_old.contains(&true) { 1 } else { 2 }),
            auth_success: self.auth.success,
            auth_attempts: Some(self.auth.attempts).filter(|attempts| *attempts > 0),
            hassh: hassh_of(client_offer, Way::ToServer),
            hassh_server: hassh_of(server_offer, Way::ToClient),
            cipher_alg: agreed.cipher,
            mac_alg: agreed.mac,
            compression_alg: agreed.compression,
            kex_alg: agreed.kex,
            host_key_alg: agreed.host_key,
            host_key: self.host_key.take(),
            client: client.line.take(),
            server: server.line.take(),
        };
        out.record(ts, record);
    }
}

/// Whether a side speaks version 1 only; 1.99 is a server that speaks both (RFC 4253 §5.1).
fn is_version_1(line: &str) -> bool {
    line.starts_with("SSH-1.") && !line.starts_with("SSH-1.99")
}

/// Whether a string is a public key: it begins with the name of its kind (RFC 4253 §6.6).
fn is_key(key: &[u8]) -> bool {
    let mut rest = key;
    string(&mut rest).is_some_and(|name| name.is_ascii() && !name.is_empty() && name.len() < 64)
}

/// Bytes in hex with colons between.
fn colons(bytes: &[u8]) -> Text {
    let pairs: Vec<Text> = bytes
        .iter()
        .map(|byte| format_compact!("{byte:02x}"))
        .collect();
    pairs.join_compact(":")
}
