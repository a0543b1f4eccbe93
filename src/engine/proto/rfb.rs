//! RFB, the protocol of VNC: who looks at whose screen, and how it was let in.
//!
//! Standard: RFC 6143 §7.1 to §7.3; the registry of its §8.1.2 and vendors' own for the ways in.
//! Input:    both streams up to the first picture; then nothing more is of interest. The server speaks first.
//! Output:   one `rfb` record per flow.
//! Bounds:   a name of 256 bytes; of a reason or a list as much as is there.
//! Secrets:  challenges and responses are never kept.
//! Not done: what follows behind TLS, VeNCrypt, RSA-AES or Apple's sign-in, which is encrypted or vendors' own.

use super::lines::{TEXT_LEN_MAX, tell};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{ClueKind, Text, Timestamp, heap_of, text};

/// `RFB 003.008\n`.
const VERSION_LEN: usize = 12;
/// Ways in (RFC 6143 §8.1.2).
const NONE: u8 = 1;
const VNC: u8 = 2;
/// A challenge, and the response to it.
const CHALLENGE_LEN: usize = 16;
/// Size, pixel format and length of the name before it.
const INIT_LEN: usize = 24;

record! {
    /// One sight of a screen (Zeek's `rfb.log`).
    pub struct RfbRecord = "rfb" {
        /// Major version that the client speaks.
        pub client_major_version: Option<Text> = "client_major_version",
        /// Minor version that the client speaks.
        pub client_minor_version: Option<Text> = "client_minor_version",
        /// Major version that the server offers.
        pub server_major_version: Option<Text> = "server_major_version",
        /// Minor version that the server offers.
        pub server_minor_version: Option<Text> = "server_minor_version",
        /// The way in that was taken.
        pub authentication_method: Option<&'static str> = "authentication_method",
        /// Whether the server let the client in.
        pub auth: Option<bool> = "auth",
        /// Whether others may stay.
        pub share_flag: Option<bool> = "share_flag",
        /// What the screen is called, often its host and user.
        pub desktop_name: Option<Text> = "desktop_name",
        /// Width in pixels.
        pub width: Option<u16> = "width",
        /// Height in pixels.
        pub height: Option<u16> = "height",
    }
}

/// What comes next from the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Server {
    #[default]
    Version,
    /// The ways in, or the one that it wants.
    Security,
    Challenge,
    Result,
    Init,
}

/// What comes next from the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Client {
    #[default]
    Version,
    /// Its choice among the ways in, from version 3.7 on.
    Choice,
    Response,
    Init,
    Over,
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Rfb {
    first: Option<Timestamp>,
    server: Server,
    client: Client,
    /// Who is the server, once it has spoken.
    serves: Option<Dir>,
    /// Minor version that both speak: 3, 7 or 8.
    minor: u8,
    method: Option<u8>,
    record: RfbRecord,
}

impl Protocol for Rfb {
    const NAME: &'static str = "rfb";
    const PORTS: &'static [Port] = &[Port::Tcp(5900), Port::Tcp(5901), Port::Tcp(5902)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match version(start) {
            Some(_) => Probe::Certain,
            None if start.len() < VERSION_LEN
                && b"RFB ".starts_with(start.get(..4).unwrap_or(start)) =>
            {
                Probe::Unsure
            }
            None => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return Parse::Broken("rfb_in_datagram");
        }
        if input.gap > 0 {
            return Parse::Skip;
        }
        self.first.get_or_insert(input.ts);
        // The server greets first, also one that calls a waiting viewer.
        let serves = *self.serves.get_or_insert(input.dir);
        if serves == input.dir {
            self.serve(input.data, input.dir, out)
        } else {
            self.ask(input.data)
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        if let Some(first) = self.first.take() {
            out.record(first, std::mem::take(&mut self.record));
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: record)
    }
}

/// Digits of major and minor version.
fn version(start: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = start.get(..VERSION_LEN)?;
    let numbers = line.strip_prefix(b"RFB ")?.strip_suffix(b"\n")?;
    let (major, minor) = numbers.split_at_checked(3)?;
    let minor = minor.strip_prefix(b".")?;
    let are_digits = major.iter().chain(minor).all(u8::is_ascii_digit);
    are_digits.then_some((major, minor))
}

/// Zeek's names for the ways in.
fn method_name(method: u8) -> &'static str {
    match method {
        0 => "Invalid",
        NONE => "None",
        VNC => "VNC",
        5 => "RA2",
        6 => "RA2ne",
        16 => "Tight",
        17 => "Ultra",
        18 => "TLS",
        19 => "VeNCrypt",
        20 => "GTK-VNC SASL",
        21 => "MD5 hash authentication",
        22 => "Colin Dean xvp",
        30 => "Apple Remote Desktop",
        _ => "unknown",
    }
}

impl Rfb {
    /// What the server says.
    fn serve(&mut self, data: &[u8], dir: Dir, out: &mut Out<'_>) -> Parse {
        match self.server {
            Server::Version => self.greeting(data, dir, out),
            Server::Security if self.minor == 0 => more(data, data.len().saturating_add(1)),
            Server::Security if self.minor == 3 => self.decree(data),
            Server::Security => self.offer(data),
            // The client has not chosen yet, as far as was seen.
            Server::Challenge | Server::Result if self.method.is_none() => {
                more(data, data.len().saturating_add(1))
            }
            Server::Challenge if data.len() < CHALLENGE_LEN => more(data, CHALLENGE_LEN),
            Server::Challenge => {
                self.server = Server::Result;
                let used = CHALLENGE_LEN;
                Parse::Parsed { used }
            }
            Server::Result => self.result(data),
            Server::Init => self.init(data),
        }
    }

    fn greeting(&mut self, data: &[u8], dir: Dir, out: &mut Out<'_>) -> Parse {
        if data.len() < VERSION_LEN {
            return more(data, VERSION_LEN);
        }
        let Some((major, minor)) = version(data) else {
            return Parse::Broken("rfb_no_version");
        };
        self.record.server_major_version = Some(digits(major));
        self.record.server_minor_version = Some(digits(minor));
        tell(dir, ClueKind::Serves, "rfb greeting", "vnc".into(), out);
        self.server = Server::Security;
        Parse::Parsed { used: VERSION_LEN }
    }

    /// Version 3.3: four bytes with the way in that the server wants.
    fn decree(&mut self, data: &[u8]) -> Parse {
        let Some(&[_, _, _, method]) = data.first_chunk() else {
            return more(data, 4);
        };
        self.choose(method);
        self.client = match method {
            VNC => Client::Response,
            NONE => Client::Init,
            _ => return Parse::Skip,
        };
        Parse::Parsed { used: 4 }
    }

    /// From version 3.7 on: a number of ways, each a byte; none if the server refuses.
    fn offer(&mut self, data: &[u8]) -> Parse {
        let Some(&count) = data.first() else {
            return more(data, 1);
        };
        let used = usize::from(count).saturating_add(1);
        if data.len() < used {
            return more(data, used);
        }
        if count == 0 {
            self.choose(0);
            self.record.auth = Some(false);
            return Parse::Skip;
        }
        self.server = Server::Challenge;
        Parse::Parsed { used }
    }

    /// A way in is taken: what the server says next depends on it.
    fn choose(&mut self, method: u8) {
        self.method = Some(method);
        self.record.authentication_method = Some(method_name(method));
        self.server = match method {
            VNC => Server::Challenge,
            // Before version 3.8 nobody is told that nothing was asked of him.
            NONE if self.minor < 8 => Server::Init,
            _ => Server::Result,
        };
        if self.server == Server::Init {
            self.record.auth = Some(true);
        }
    }

    fn result(&mut self, data: &[u8]) -> Parse {
        let Some(result) = data.first_chunk() else {
            return more(data, 4);
        };
        let is_in = *result == [0; 4];
        self.record.auth = Some(is_in);
        if !is_in {
            return Parse::Skip;
        }
        self.server = Server::Init;
        Parse::Parsed { used: 4 }
    }

    fn init(&mut self, data: &[u8]) -> Parse {
        let Some((head, rest)) = data.split_first_chunk::<INIT_LEN>() else {
            return more(data, INIT_LEN);
        };
        let &[w0, w1, h0, h1, .., n0, n1, n2, n3] = head;
        let len = usize::try_from(u32::from_be_bytes([n0, n1, n2, n3])).unwrap_or(usize::MAX);
        let kept = len.min(TEXT_LEN_MAX);
        let Some(name) = rest.get(..kept) else {
            return more(data, INIT_LEN.saturating_add(kept));
        };
        self.record.width = Some(u16::from_be_bytes([w0, w1]));
        self.record.height = Some(u16::from_be_bytes([h0, h1]));
        self.record.desktop_name = Some(text(name, TEXT_LEN_MAX));
        Parse::Skip
    }

    /// What the client says.
    fn ask(&mut self, data: &[u8]) -> Parse {
        let used = match self.client {
            Client::Version => VERSION_LEN,
            Client::Choice | Client::Init => 1,
            Client::Response => CHALLENGE_LEN,
            Client::Over => data.len(),
        };
        let (Some(said), true) = (data.get(..used), used > 0) else {
            return more(data, used.max(1));
        };
        match self.client {
            Client::Version => {
                let Some((major, minor)) = version(said) else {
                    return Parse::Broken("rfb_no_version");
                };
                self.record.client_major_version = Some(digits(major));
                self.record.client_minor_version = Some(digits(minor));
                (self.minor, self.client) = match minor {
                    b"008" => (8, Client::Choice),
                    b"007" => (7, Client::Choice),
                    // Whatever else is sent counts as 3.3 (RFC 6143 §7.1.1).
                    _ => (3, Client::Over),
                };
            }
            Client::Choice => {
                let method = said.first().copied().unwrap_or(0);
                self.choose(method);
                self.client = match method {
                    NONE => Client::Init,
                    VNC => Client::Response,
                    _ => return Parse::Skip,
                };
            }
            Client::Response => self.client = Client::Init,
            Client::Init => {
                self.record.share_flag = said.first().map(|flag| *flag != 0);
                self.client = Client::Over;
            }
            Client::Over => {}
        }
        Parse::Parsed { used }
    }
}

/// All of `len` bytes are wanted.
fn more(data: &[u8], len: usize) -> Parse {
    let need = len.saturating_sub(data.len()).max(1);
    Parse::NeedMore { used: 0, need }
}

/// A number as it is written, without zeroes before it.
fn digits(number: &[u8]) -> Text {
    let digits = text(number, 3);
    let short = digits.trim_start_matches('0');
    if short.is_empty() {
        "0".into()
    } else {
        short.into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{endures, stream};
    use super::*;

    const C: Dir = Dir::Orig;
    const S: Dir = Dir::Resp;
    /// RFC 6143 §7.3.2: 1280 x 800, a pixel format, "anna@pc-anna".
    const INIT: &[u8] =
        b"\x05\0\x03\x20\x20\x18\0\x01\0\xff\0\xff\0\xff\x10\x08\0\0\0\0\0\0\0\x0canna@pc-anna";

    #[test]
    fn a_password_is_asked_for_and_not_kept() {
        let pieces: [(Dir, &[u8]); 9] = [
            (S, b"RFB 003.008\n"),
            (C, b"RFB 003.008\n"),
            (S, b"\x02\x01\x02"),
            (C, b"\x02"),
            (S, b"challengechallen"),
            (C, b"responseresponse"),
            (S, b"\0\0\0\0"),
            (C, b"\x01"),
            (S, INIT),
        ];
        let told = stream::<Rfb>(&pieces);
        assert_eq!(
            told.records,
            [concat!(
                r#"rfb {"client_major_version":"3","client_minor_version":"8","server_major_version":"3","#,
                r#""server_minor_version":"8","authentication_method":"VNC","auth":true,"share_flag":true,"#,
                r#""desktop_name":"anna@pc-anna","width":1280,"height":800}"#
            )]
        );
        assert_eq!(told.clues[0].ip, Some([10, 0, 0, 2].into()));
        let mut refused = pieces[..7].to_vec();
        refused[6].1 = b"\0\0\0\x01\0\0\0\x03no!";
        let told = stream::<Rfb>(&refused);
        assert!(told.records[0].contains(r#""authentication_method":"VNC","auth":false}"#));
        endures::<Rfb>(&pieces, false);
    }

    #[test]
    fn older_versions_say_less() {
        // 3.7 with nothing asked for: no result is told.
        let told = stream::<Rfb>(&[
            (S, b"RFB 003.007\n"),
            (C, b"RFB 003.007\n"),
            (S, b"\x01\x01"),
            (C, b"\x01"),
            (C, b"\0"),
            (S, INIT),
        ]);
        assert!(
            told.records[0]
                .contains(r#""authentication_method":"None","auth":true,"share_flag":false"#)
        );
        assert!(told.records[0].contains(r#""width":1280"#));
        // 3.3: the server decides.
        let told = stream::<Rfb>(&[
            (S, b"RFB 003.008\n"),
            (C, b"RFB 003.003\n"),
            (S, b"\0\0\0\x02challengechallen"),
            (C, b"responseresponse"),
            (S, b"\0\0\0\0"),
            (C, b"\x01"),
            (S, INIT),
        ]);
        assert!(told.records[0].contains(r#""client_minor_version":"3""#));
        assert!(told.records[0].contains(r#""authentication_method":"VNC","auth":true"#));
        assert!(told.records[0].contains("anna@pc-anna"));
    }

    #[test]
    fn what_is_encrypted_or_refused_ends() {
        let told = stream::<Rfb>(&[
            (S, b"RFB 003.008\n"),
            (C, b"RFB 003.008\n"),
            (S, b"\x01\x13"),
            (C, b"\x13"),
        ]);
        assert!(told.records[0].contains(r#""authentication_method":"VeNCrypt"}"#));
        assert_eq!(told.end.map(|(end, _)| end), Some(Parse::Skip));
        let told = stream::<Rfb>(&[
            (S, b"RFB 003.008\n"),
            (C, b"RFB 003.008\n"),
            (S, b"\0\0\0\0\x08too many"),
        ]);
        assert!(told.records[0].contains(r#""authentication_method":"Invalid","auth":false}"#));
    }

    #[test]
    fn sensing() {
        assert_eq!(Rfb::probe(b"RFB 003.889\n", S), Probe::Certain);
        assert_eq!(Rfb::probe(b"RFB 00", S), Probe::Unsure);
        assert_eq!(Rfb::probe(b"RFB 00x.008\n", S), Probe::NotMine);
        assert_eq!(Rfb::probe(b"RF", S), Probe::Unsure);
        assert_eq!(Rfb::probe(b"HTTP/1.1 200", S), Probe::NotMine);
    }
}
