//! SOCKS 4, 4A and 5: whom a client asks a proxy for. What is inside is sensed anew.
//!
//! Standard: RFC 1928 (SOCKS 5), RFC 1929 (user name and password); SOCKS 4 and 4A as their authors wrote them.
//! Input:    TCP, port 1080; the exchange before the proxied bytes.
//! Output:   one `socks` record a flow.
//! Bounds:   257 bytes a greeting, 513 a sign-in, 262 a request; names of 255 bytes.
//! Secrets:  the password is passed over.
//! Not done: GSS-API inside SOCKS (RFC 1961), the datagrams of UDP ASSOCIATE, the second answer to BIND.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use compact_str::ToCompactString as _;

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Text, Timestamp, heap_of, text};

/// Longest user name of SOCKS 4, which has no bound of its own.
const USER_LEN_MAX: usize = 255;
/// SOCKS 4A: the address 0.0.0.x means that a name follows.
const NAME_FOLLOWS: u32 = 0xff;

record! {
    /// One request to a proxy (Zeek's `socks.log`); no password is kept.
    pub struct SocksRecord = "socks" {
        /// 4 or 5.
        pub version: u8 = "version",
        /// User name shown to the proxy.
        pub user: Option<Text> = "user",
        /// What the proxy answered, `succeeded` or why not; absent if no answer was seen.
        pub status: Option<Text> = "status",
        /// Address asked for.
        pub request_host: Option<IpAddr> = "request.host",
        /// Name asked for.
        pub request_name: Option<Text> = "request.name",
        /// Port asked for.
        pub request_p: Option<u16> = "request_p",
        /// Address the proxy connects from.
        pub bound_host: Option<IpAddr> = "bound.host",
        /// Name the proxy connects from.
        pub bound_name: Option<Text> = "bound.name",
        /// Port the proxy connects from.
        pub bound_p: Option<u16> = "bound_p",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Socks {
    started: Option<Timestamp>,
    client: Option<Dir>,
    record: SocksRecord,
    /// Whether the server has chosen how to sign in.
    chosen: bool,
    /// Whether the request was answered: what follows is proxied.
    inside: bool,
    told: bool,
}

/// What a message's bytes gave.
enum Taken {
    /// So many are done with.
    Used(usize),
    /// So many must be there.
    Wants(usize),
    /// They make no sense.
    Bad,
}

impl Protocol for Socks {
    const NAME: &'static str = "socks";
    const PORTS: &'static [Port] = &[Port::Tcp(1080)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            [5, count @ 1..=4, methods @ ..] if methods.len() == usize::from(*count) => {
                if methods.iter().all(|method| *method <= 2) {
                    Probe::Certain
                } else {
                    Probe::Unsure
                }
            }
            [5, 1..=0xff, ..] if start.len() <= 257 => Probe::Unsure,
            [4, 1 | 2, _, _, _, _, _, _, texts @ .., 0] => {
                let printable = |byte: &u8| matches!(byte, 0 | b' '..=b'~');
                let short = texts.len() <= USER_LEN_MAX.saturating_mul(2);
                if short && texts.iter().all(printable) {
                    Probe::Certain
                } else {
                    Probe::NotMine
                }
            }
            [5] | [4] => Probe::Unsure,
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return Parse::Broken("socks_datagram");
        }
        if self.inside || input.gap > 0 {
            self.emit(out);
            return Parse::Skip;
        }
        self.started.get_or_insert(input.ts);
        let client = *self.client.get_or_insert(input.dir);
        let taken = if input.dir == client {
            self.client(input.data, out)
        } else {
            self.server(input.data)
        };
        if self.inside {
            self.emit(out);
        }
        match taken {
            Taken::Used(used) if used <= input.data.len() => Parse::Parsed { used },
            Taken::Used(used) | Taken::Wants(used) => Parse::NeedMore {
                used: 0,
                need: used.saturating_sub(input.data.len()).max(1),
            },
            Taken::Bad => Parse::Broken("socks_no_message"),
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.emit(out);
    }

    fn heap(&self) -> usize {
        heap_of!(self: record)
    }
}

impl Socks {
    /// Greeting, sign-in or request.
    fn client(&mut self, data: &[u8], out: &mut Out<'_>) -> Taken {
        match data {
            [4, ..] if self.record.version != 5 => self.request4(data),
            [5, count, ..] if self.record.version == 0 => {
                let used = usize::from(*count).saturating_add(2);
                if used <= data.len() {
                    self.record.version = 5;
                }
                Taken::Used(used)
            }
            [1, ..] if self.record.version == 5 => self.sign_in(data, out),
            [5, _, _, kind, rest @ ..] if self.record.version == 5 => {
                let Some((to, used)) = destination(*kind, rest) else {
                    return wants(*kind, rest);
                };
                self.record.request_host = to.host;
                self.record.request_name = to.name;
                self.record.request_p = Some(to.port);
                Taken::Used(used.saturating_add(4))
            }
            [5, ..] => Taken::Wants(if self.record.version == 0 { 2 } else { 4 }),
            _ => Taken::Bad,
        }
    }

    /// User name and password (RFC 1929 §2).
    fn sign_in(&mut self, data: &[u8], out: &mut Out<'_>) -> Taken {
        let Some(user_len) = data.get(1).copied().map(usize::from) else {
            return Taken::Wants(2);
        };
        let behind = user_len.saturating_add(2);
        let Some(password_len) = data.get(behind).copied().map(usize::from) else {
            return Taken::Wants(behind.saturating_add(1));
        };
        let used = behind.saturating_add(1).saturating_add(password_len);
        if used <= data.len() {
            let user = data.get(2..behind).unwrap_or_default();
            self.record.user = Some(text(user, USER_LEN_MAX)).filter(|user| !user.is_empty());
            let secret = data.get(behind.saturating_add(1)..used);
            out.credential((Self::NAME, "RFC 1929"), self.record.user.clone(), secret);
        }
        Taken::Used(used)
    }

    /// The request of SOCKS 4: port, address, user name, and with 4A a name.
    fn request4(&mut self, data: &[u8]) -> Taken {
        let [_, _, p1, p0, a, b, c, d, texts @ ..] = data else {
            return Taken::Wants(9);
        };
        let short = |texts: &[u8]| {
            if texts.len() > USER_LEN_MAX {
                Taken::Bad
            } else {
                Taken::Wants(data.len().saturating_add(1))
            }
        };
        let Some((user, rest)) = until_nul(texts) else {
            return short(texts);
        };
        let address = Ipv4Addr::new(*a, *b, *c, *d);
        let mut used = user.len().saturating_add(9);
        let mut name = None;
        if (1..=NAME_FOLLOWS).contains(&address.to_bits()) {
            let Some((host, _)) = until_nul(rest) else {
                return short(rest);
            };
            used = used.saturating_add(host.len()).saturating_add(1);
            name = Some(text(host, USER_LEN_MAX));
        }
        self.record.version = 4;
        self.record.user = Some(text(user, USER_LEN_MAX)).filter(|user| !user.is_empty());
        self.record.request_p = Some(u16::from_be_bytes([*p1, *p0]));
        self.record.request_host = name.is_none().then_some(address.into());
        self.record.request_name = name;
        Taken::Used(used)
    }

    /// Choice of sign-in, its result, or the answer to the request.
    fn server(&mut self, data: &[u8]) -> Taken {
        match (self.record.version, data) {
            (4, [0, status, p1, p0, a, b, c, d, ..]) => {
                self.record.status = Some(status4(*status));
                self.record.bound_p = Some(u16::from_be_bytes([*p1, *p0]));
                self.record.bound_host = Some(Ipv4Addr::new(*a, *b, *c, *d).into());
                self.inside = true;
                Taken::Used(8)
            }
            (4, [0, ..]) => Taken::Wants(8),
            (5, [5, _, ..]) if !self.chosen => {
                self.chosen = true;
                Taken::Used(2)
            }
            (5, [1, _, ..]) => Taken::Used(2),
            (5, [5, status, _, kind, rest @ ..]) => {
                let Some((from, used)) = destination(*kind, rest) else {
                    return wants(*kind, rest);
                };
                self.record.status = Some(status5(*status));
                self.record.bound_host = from.host;
                self.record.bound_name = from.name;
                self.record.bound_p = Some(from.port);
                self.inside = true;
                Taken::Used(used.saturating_add(4))
            }
            (5, [1 | 5, ..]) => Taken::Wants(if self.chosen { 4 } else { 2 }),
            _ => Taken::Bad,
        }
    }

    fn emit(&mut self, out: &mut Out<'_>) {
        let Some(ts) = self.started.filter(|_| !self.told) else {
            return;
        };
        self.told = true;
        out.record(ts, std::mem::take(&mut self.record));
    }
}

/// An address or a name, and a port.
struct Destination {
    host: Option<IpAddr>,
    name: Option<Text>,
    port: u16,
}

/// Reads a destination (RFC 1928 §5) and how long it is; `None` if it is cut or of no known kind.
fn destination(kind: u8, data: &[u8]) -> Option<(Destination, usize)> {
    let (host, name, len) = match kind {
        1 => {
            let octets = data.first_chunk::<4>()?;
            (Some(Ipv4Addr::from(*octets).into()), None, 4)
        }
        4 => {
            let octets = data.first_chunk::<16>()?;
            (Some(Ipv6Addr::from(*octets).into()), None, 16)
        }
        3 => {
            let (len, rest) = data.split_first()?;
            let name = rest.get(..usize::from(*len))?;
            (None, Some(text(name, 255)), name.len().saturating_add(1))
        }
        _ => return None,
    };
    let port = u16::from_be_bytes(*data.get(len..)?.first_chunk()?);
    Some((Destination { host, name, port }, len.saturating_add(2)))
}

/// How many bytes a message with a destination that is cut must have.
fn wants(kind: u8, data: &[u8]) -> Taken {
    let len = match (kind, data.first()) {
        (1, _) => 4,
        (4, _) => 16,
        (3, Some(len)) => usize::from(*len).saturating_add(1),
        (3, None) => 1,
        _ => return Taken::Bad,
    };
    Taken::Wants(len.saturating_add(6))
}

/// What stands before and after the first NUL.
fn until_nul(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, rest) = bytes.split_at_checked(memchr::memchr(0, bytes)?)?;
    Some((before, rest.get(1..)?))
}

/// Answers of SOCKS 5 (RFC 1928 §6), spelt as Zeek spells them.
fn status5(status: u8) -> Text {
    let name = match status {
        0 => "succeeded",
        1 => "general SOCKS server failure",
        2 => "connection not allowed by ruleset",
        3 => "Network unreachable",
        4 => "Host unreachable",
        5 => "Connection refused",
        6 => "TTL expired",
        7 => "Command not supported",
        8 => "Address type not supported",
        other => return other.to_compact_string(),
    };
    Text::const_new(name)
}

/// Answers of SOCKS 4.
fn status4(status: u8) -> Text {
    let name = match status {
        0x5a => "succeeded",
        0x5b => "general SOCKS server failure",
        0x5c => "request failed because client is not running identd",
        0x5d => "request failed because client's identd could not confirm the user",
        other => return other.to_compact_string(),
    };
    Text::const_new(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::testing::{endures, stream};

    fn run(pieces: &[(Dir, &[u8])]) -> (Vec<String>, Option<Parse>) {
        let told = stream::<Socks>(pieces);
        let last = told.last();
        (told.lines, last)
    }

    /// RFC 1928 §3 to §6 and RFC 1929: a name is asked for after a sign-in, then TLS begins.
    const FIVE: [(Dir, &[u8]); 7] = [
        (Dir::Orig, &[5, 2, 0, 2]),
        (Dir::Resp, &[5, 2]),
        (Dir::Orig, b"\x01\x03eve\x06SECRET"),
        (Dir::Resp, &[1, 0]),
        (Dir::Orig, b"\x05\x01\0\x03\x06ex.org\x01\xbb"),
        (Dir::Resp, &[5, 0, 0, 1, 10, 0, 0, 7, 0xc0, 0]),
        (Dir::Orig, &[0x16, 3, 1]),
    ];
    const TOLD: &str = r#"socks {"version":5,"user":"eve","status":"succeeded","request.name":"ex.org","request_p":443,"bound.host":"10.0.0.7","bound_p":49152}"#;

    #[test]
    fn a_name_is_asked_for() {
        assert_eq!(run(&FIVE), (vec![TOLD.to_owned()], Some(Parse::Skip)));
        let shown = r#"{"service":"socks","username":"eve","mechanism":"RFC 1929"}"#;
        assert_eq!(stream::<Socks>(&FIVE).credentials, [shown]);
    }

    #[test]
    fn versions_4_and_4a() {
        let answer: (Dir, &[u8]) = (Dir::Resp, &[0, 0x5a, 0, 80, 0, 0, 0, 0]);
        let ask: (Dir, &[u8]) = (Dir::Orig, b"\x04\x01\0\x50\xc0\0\x02\x0aeve\0");
        let (rows, _) = run(&[ask, answer]);
        assert_eq!(
            rows,
            [
                r#"socks {"version":4,"user":"eve","status":"succeeded","request.host":"192.0.2.10","request_p":80,"bound.host":"0.0.0.0","bound_p":80}"#
            ]
        );
        let named: (Dir, &[u8]) = (Dir::Orig, b"\x04\x01\0\x50\0\0\0\x01\0ex.org\0");
        let (rows, _) = run(&[named, (Dir::Resp, &[0, 0x5b, 0, 0, 0, 0, 0, 0])]);
        assert!(rows[0].contains(r#""request.name":"ex.org","request_p":80"#));
        assert!(rows[0].contains("general SOCKS server failure"));
    }

    #[test]
    fn refusals_and_ipv6_are_told() {
        let mut ask = vec![5, 1, 0, 4];
        ask.extend("2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        ask.extend([0, 22]);
        let (rows, _) = run(&[
            (Dir::Orig, &[5, 1, 0]),
            (Dir::Resp, &[5, 0]),
            (Dir::Orig, &ask),
            (Dir::Resp, &[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]),
        ]);
        assert!(rows[0].contains(r#""request.host":"2001:db8::7","request_p":22"#));
        assert!(rows[0].contains("connection not allowed by ruleset"));
    }

    #[test]
    fn what_is_no_socks_is_broken() {
        let (_, last) = run(&[(Dir::Orig, &[5, 1, 0]), (Dir::Resp, b"HTTP/1.1 400")]);
        assert_eq!(last, Some(Parse::Broken("socks_no_message")));
        let (_, last) = run(&[(
            Dir::Orig,
            &[&[4, 1, 0, 80, 1, 2, 3, 4][..], &[b'x'; 300]].concat(),
        )]);
        assert_eq!(last, Some(Parse::Broken("socks_no_message")));
    }

    #[test]
    fn beginnings_are_recognised() {
        assert_eq!(Socks::probe(&[5, 1, 0], Dir::Orig), Probe::Certain);
        assert_eq!(
            Socks::probe(b"\x04\x01\0\x50\x01\x02\x03\x04\0", Dir::Orig),
            Probe::Certain
        );
        for unsure in [&[5][..], &[4], &[5, 2, 0], &[5, 2, 0, 0x80]] {
            assert_eq!(Socks::probe(unsure, Dir::Orig), Probe::Unsure);
        }
        // DCE/RPC, and what is longer than any greeting.
        for other in [
            &[5, 0, 11, 3][..],
            &[5; 400],
            b"\x04\x01\0\x50\x01\x02\x03\x04\x01\0",
        ] {
            assert_eq!(Socks::probe(other, Dir::Orig), Probe::NotMine);
        }
    }

    #[test]
    fn what_is_cut_split_or_changed_does_no_harm() {
        endures::<Socks>(&FIVE, false);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(first in prop::collection::vec(any::<u8>(), 0..40), second in prop::collection::vec(any::<u8>(), 0..40)) {
            run(&[(Dir::Orig, &first), (Dir::Resp, &second)]);
            run(&[FIVE[0], FIVE[1], (Dir::Orig, &first), (Dir::Resp, &second)]);
        }
    }
}
