//! Telnet: who signs in where in clear, and whether that succeeded.
//!
//! Standard: RFC 854 and 855 (options), RFC 1091 (terminal type), RFC 1572 (environment), RFC 2946 (encryption).
//! Input:    both streams of a TCP flow. Who is the server is told by who prompts.
//! Output:   one `telnet` record per session (Zeek has no such log).
//! Bounds:   256 bytes of the line under way on each side; 64 bytes of an option's parameters; 16 options.
//! Secrets:  what is typed behind a prompt for a password is thrown away byte by byte. Nothing typed after
//!           signing in is kept.
//! Not done: prompts in other words than those listed; sessions that begin with neither option nor prompt;
//!           what an encrypted session says.

use compact_str::ToCompactString as _;

use super::lines::{TEXT_LEN_MAX, add_distinct, holds};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Text, Timestamp, heap, heap_of, text};

const IAC: u8 = 255;
const SB: u8 = 250;
const SE: u8 = 240;
/// Longest line kept while it is under way.
const LINE_LEN_MAX: usize = 256;
/// Longest parameter of an option.
const PARAMETER_LEN_MAX: usize = 64;
/// Options told.
const OPTIONS_MAX: usize = 16;
/// What asks for an account, at the end of a line.
const ACCOUNT_PROMPTS: [&[u8]; 5] = [
    b"login:",
    b"username:",
    b"user name:",
    b"user:",
    b"login as:",
];
/// What asks for a secret.
const SECRET_PROMPTS: [&[u8]; 5] = [
    b"password:",
    b"passwort:",
    b"passcode:",
    b"passphrase:",
    b"pin:",
];
/// What a refusal says.
const REFUSALS: [&[u8]; 6] = [
    b"incorrect",
    b"failed",
    b"denied",
    b"invalid",
    b"bad password",
    b"failure",
];

record! {
    /// One Telnet session.
    pub struct TelnetRecord = "telnet" {
        /// Last account named at a prompt, or in the client's environment.
        pub user: Option<Text> = "user",
        /// Whether the last attempt to sign in succeeded; absent if none was seen to its end.
        pub success: Option<bool> = "success",
        /// Passwords asked for and typed; they are not kept.
        pub attempts: u64 = "attempts",
        /// First line the server shows.
        pub banner: Option<Text> = "banner",
        /// Terminal the client says it is.
        pub terminal: Option<Text> = "terminal",
        /// Options either side offers or asks for.
        pub options: Option<Vec<Text>> = "options",
        /// Whether the session goes on encrypted.
        pub encrypted: bool = "encrypted",
    }
}

/// Where in Telnet's commands a direction is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Text,
    Iac,
    /// Behind WILL, WONT, DO or DONT; whether it is one of the two that ask.
    Option(bool),
    Sub,
    SubIac,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    place: Place,
    parameter: Vec<u8>,
    line: Vec<u8>,
    /// First line, until it is known who the server is.
    first: Option<Text>,
}

heap!(Side: parameter, line, first);

/// What the client's next line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asked {
    #[default]
    Nothing,
    Account,
    Secret,
    /// A secret was typed; the answer is awaited.
    Answer,
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Telnet {
    sides: [Side; 2],
    asked: Asked,
    server: Option<Dir>,
    started: Option<Timestamp>,
    record: TelnetRecord,
}

impl Protocol for Telnet {
    const NAME: &'static str = "telnet";
    const PORTS: &'static [Port] = &[Port::Tcp(23), Port::Tcp(2323)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            // Two commands in a row; sound begins with one of these bytes as well.
            [IAC, 251..=254, option, IAC, 250..=254, ..] if *option < 50 => Probe::Certain,
            [IAC, 250..=254, ..] | [IAC] => Probe::Unsure,
            [b'\r' | b'\n' | b' '..=b'~', ..] if start.len() <= TEXT_LEN_MAX => {
                if asks(start, &ACCOUNT_PROMPTS) || asks(start, &SECRET_PROMPTS) {
                    Probe::Unsure
                } else {
                    Probe::NotMine
                }
            }
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return Parse::Broken("telnet_datagram");
        }
        self.started.get_or_insert(input.ts);
        if input.gap > 0 {
            // The line under way, and perhaps the prompt, are gone: what is typed is taken for nothing.
            *self.side(input.dir) = Side::default();
            if self.asked == Asked::Account {
                self.asked = Asked::Nothing;
            }
        }
        let mut rest = input.data;
        loop {
            rest = self.run(input.dir, rest);
            let Some((byte, behind)) = rest.split_first() else {
                break;
            };
            rest = behind;
            let before = self.record.attempts;
            self.byte(input.dir, *byte);
            if self.record.attempts > before {
                out.credential((Self::NAME, "login"), self.record.user.clone(), None);
            }
            if self.record.encrypted {
                self.finish(out);
                return Parse::Skip;
            }
        }
        if self.server != Some(input.dir.other()) {
            self.prompt(input.dir);
        }
        let used = input.data.len();
        Parse::Parsed { used }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        if let Some(ts) = self.started.take() {
            out.record(ts, std::mem::take(&mut self.record));
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: sides, record)
    }
}

impl Telnet {
    fn side(&mut self, dir: Dir) -> &mut Side {
        let [orig, resp] = &mut self.sides;
        match dir {
            Dir::Orig => orig,
            Dir::Resp => resp,
        }
    }

    /// Takes what a server, or a side not known yet, shows up to the next command or end of a line, all at once.
    /// Gives what is left.
    fn run<'a>(&mut self, dir: Dir, data: &'a [u8]) -> &'a [u8] {
        if self.server == Some(dir.other()) || self.side(dir).place != Place::Text {
            return data;
        }
        let len = memchr::memchr3(IAC, b'\r', b'\n', data).unwrap_or(data.len());
        let (shown, rest) = data.split_at_checked(len).unwrap_or((data, &[]));
        let line = &mut self.side(dir).line;
        let room = LINE_LEN_MAX.saturating_sub(line.len());
        line.extend(shown.iter().filter(|byte| **byte != 0).take(room));
        rest
    }

    fn byte(&mut self, dir: Dir, byte: u8) {
        let side = self.side(dir);
        let place = side.place;
        side.place = match (place, byte) {
            (Place::Text, IAC) => Place::Iac,
            (Place::Sub, IAC) => Place::SubIac,
            (Place::Iac, SB) => {
                side.parameter.clear();
                Place::Sub
            }
            (Place::Iac, 251 | 253) => Place::Option(true),
            (Place::Iac, 252 | 254) => Place::Option(false),
            (Place::Iac | Place::Option(_) | Place::SubIac, _) => Place::Text,
            (place, _) => place,
        };
        match (place, byte) {
            (Place::Option(true), option) => {
                let options = self.record.options.get_or_insert_default();
                add_distinct(options, name(option), OPTIONS_MAX);
            }
            (Place::Sub, byte) if byte != IAC && side.parameter.len() < PARAMETER_LEN_MAX => {
                side.parameter.push(byte);
            }
            (Place::SubIac, IAC) => {
                // A doubled byte stands for itself.
                side.place = Place::Sub;
            }
            (Place::SubIac, SE) => {
                let parameter = std::mem::take(&mut side.parameter);
                self.parameter(&parameter);
            }
            (Place::Text, byte) if byte != IAC => self.text(dir, byte),
            _ => {}
        }
    }

    /// The parameters of an option.
    fn parameter(&mut self, parameter: &[u8]) {
        match parameter {
            // TERMINAL-TYPE IS.
            [24, 0, terminal @ ..] => self.record.terminal = Some(text(terminal, TEXT_LEN_MAX)),
            // NEW-ENVIRON IS VAR "USER" VALUE.
            [39, 0, rest @ ..] => {
                let at = memchr::memmem::find(rest, b"\x00USER\x01");
                let value = at.and_then(|at| rest.get(at.saturating_add(6)..));
                if let Some(value) = value.filter(|_| self.record.user.is_none()) {
                    let end = value.iter().position(|byte| *byte <= 3);
                    let value = value.get(..end.unwrap_or(value.len())).unwrap_or_default();
                    self.record.user = Some(text(value, TEXT_LEN_MAX));
                }
            }
            // ENCRYPT START.
            [38, 3, ..] => self.record.encrypted = true,
            _ => {}
        }
    }

    /// A byte of text: of the client's side, or the end of a line.
    fn text(&mut self, dir: Dir, byte: u8) {
        let ends = matches!(byte, b'\r' | b'\n');
        if self.server == Some(dir.other()) {
            self.typed(dir, byte, ends);
            return;
        }
        let side = self.side(dir);
        if ends {
            let mut line = std::mem::take(&mut side.line);
            self.shown(dir, line.trim_ascii());
            // The next line has the same room.
            line.clear();
            self.side(dir).line = line;
        }
    }

    /// A byte of the client: only an account is kept.
    fn typed(&mut self, dir: Dir, byte: u8, ends: bool) {
        match self.asked {
            Asked::Secret if ends => {
                self.record.attempts = self.record.attempts.saturating_add(1);
                self.asked = Asked::Answer;
            }
            Asked::Account if ends => {
                let line = std::mem::take(&mut self.side(dir).line);
                if !line.is_empty() {
                    self.record.user = Some(text(line.trim_ascii(), TEXT_LEN_MAX));
                    self.asked = Asked::Nothing;
                }
            }
            Asked::Account => {
                let line = &mut self.side(dir).line;
                match byte {
                    8 | 127 => drop(line.pop()),
                    b' '.. if line.len() < LINE_LEN_MAX => line.push(byte),
                    _ => {}
                }
            }
            // Whoever was answered and goes on: what is shown later is no answer to the password.
            Asked::Answer if self.record.success.is_some() && byte >= b' ' => {
                self.asked = Asked::Nothing;
            }
            _ => {}
        }
    }

    /// A line of the server, or of a side not known yet.
    fn shown(&mut self, dir: Dir, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        if self.server.is_none() {
            self.side(dir)
                .first
                .get_or_insert_with(|| text(line, TEXT_LEN_MAX));
        } else if self.asked == Asked::Answer {
            let refused = REFUSALS.iter().any(|word| holds(line, word));
            if refused {
                self.asked = Asked::Nothing;
            }
            self.record.success = Some(!refused);
        }
    }

    /// What the line under way asks for; who asks is the server.
    fn prompt(&mut self, dir: Dir) {
        let line = self.side(dir).line.trim_ascii();
        let (secret, account) = (asks(line, &SECRET_PROMPTS), asks(line, &ACCOUNT_PROMPTS));
        let shell = matches!(line.last(), Some(b'$' | b'#' | b'>' | b'%'));
        if !secret && !account {
            if shell && self.asked == Asked::Answer {
                (self.record.success, self.asked) = (Some(true), Asked::Nothing);
            }
            return;
        }
        if self.server.is_none() {
            self.server = Some(dir);
            self.record.banner = self.side(dir).first.take();
            // What the other side sent until now was kept as text of nobody known.
            let client = self.side(dir.other());
            (client.line, client.first) = (Vec::new(), None);
        }
        if secret {
            (self.asked, self.record.success) = (Asked::Secret, None);
        } else {
            if self.asked == Asked::Answer {
                self.record.success = Some(false);
            }
            self.asked = Asked::Account;
        }
    }
}

/// Whether a text ends with a prompt.
fn asks(start: &[u8], prompts: &[&[u8]]) -> bool {
    let text = start.trim_ascii_end();
    prompts.iter().any(|prompt| {
        let at = text.len().checked_sub(prompt.len());
        let tail = at.and_then(|at| text.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(prompt))
    })
}

/// Names of the options worth telling (IANA's "Telnet Options").
fn name(option: u8) -> Text {
    let name = match option {
        0 => "BINARY",
        1 => "ECHO",
        3 => "SUPPRESS-GO-AHEAD",
        5 => "STATUS",
        24 => "TERMINAL-TYPE",
        31 => "NAWS",
        32 => "TERMINAL-SPEED",
        33 => "REMOTE-FLOW-CONTROL",
        34 => "LINEMODE",
        35 => "X-DISPLAY-LOCATION",
        36 => "ENVIRON",
        37 => "AUTHENTICATION",
        38 => "ENCRYPT",
        39 => "NEW-ENVIRON",
        other => return other.to_compact_string(),
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{endures, stream};
    use super::*;

    const C: Dir = Dir::Orig;
    const S: Dir = Dir::Resp;
    /// RFC 854: IAC DO 24, IAC WILL 1; RFC 1091: IAC SB 24 0 "XTERM" IAC SE; characters echoed one by one.
    const TALK: [(Dir, &[u8]); 14] = [
        (S, b"\xff\xfd\x18\xff\xfb\x01"),
        (C, b"\xff\xfb\x18\xff\xfa\x18\x00XTERM\xff\xf0"),
        (S, b"\r\nOpenBSD/i386\r\n\r\nlogin: "),
        (C, b"r"),
        (S, b"r"),
        (C, b"x\x7foot\r\x00"),
        (S, b"oot\r\n"),
        (S, b"Password: "),
        (C, b"gehe"),
        (C, b"im\r\x00"),
        (S, b"\r\nLogin incorrect\r\nlogin: "),
        (C, b"anna\r\x00"),
        (S, b"anna\r\nPassword: "),
        (C, b"geheim\r\n"),
    ];

    #[test]
    fn a_refused_and_a_granted_sign_in() {
        let told = stream::<Telnet>(&TALK);
        let refused = r#""attempts":2,"banner":"OpenBSD/i386","terminal":"XTERM","options":["TERMINAL-TYPE","ECHO"],"encrypted":false}"#;
        assert_eq!(
            told.records,
            [[r#"telnet {"user":"anna","#, refused].concat()]
        );
        let mut talk = TALK.to_vec();
        talk.push((S, b"\r\nLast login: Mon\r\n$ "));
        talk.push((C, b"cat geheim\r\n"));
        talk.push((S, b"Permission denied\r\n$ "));
        let told = stream::<Telnet>(&talk);
        assert!(
            told.records[0].starts_with(r#"telnet {"user":"anna","success":true,"attempts":2"#)
        );
        assert!(!told.records[0].contains("geheim"));
        let told = stream::<Telnet>(&TALK[..11]);
        assert!(
            told.records[0].starts_with(r#"telnet {"user":"root","success":false,"attempts":1"#)
        );
    }

    #[test]
    fn typed_ahead_and_in_the_middle_nothing_is_kept() {
        let blind: [(Dir, &[u8]); 3] = [
            (S, b"login: "),
            (C, b"root\r\ngeheim\r\nsh\r\n"),
            (S, b"\r\nPassword: "),
        ];
        let told = stream::<Telnet>(&blind);
        assert!(told.records[0].starts_with(r#"telnet {"user":"root","attempts":0"#));
        assert!(!told.records[0].contains("geheim"));
        // Begun in the middle, the client taken for the one who answers.
        let turned: [(Dir, &[u8]); 2] = [(S, b"geheim\r\n"), (C, b"login: ")];
        assert!(!stream::<Telnet>(&turned).records[0].contains("geheim"));
    }

    #[test]
    fn environment_and_encryption() {
        // RFC 1572 §6: IS VAR "USER" VALUE "-froot"; RFC 2946: IAC SB 38 3 (START) key id.
        let told = stream::<Telnet>(&[
            (C, b"\xff\xfa\x27\x00\x00USER\x01-froot\xff\xf0"),
            (C, b"\xff\xfa\x26\x03\x00\xff\xf0secret"),
        ]);
        assert_eq!(
            told.records,
            [r#"telnet {"user":"-froot","attempts":0,"encrypted":true}"#]
        );
        assert_eq!(told.end.map(|(answer, _)| answer), Some(Parse::Skip));
    }

    #[test]
    fn probing_and_noise() {
        let probe = |start: &[u8]| Telnet::probe(start, S);
        assert_eq!(probe(TALK[0].1), Probe::Certain);
        // An MPEG audio frame begins with ff fb.
        assert_eq!(probe(b"\xff\xfb\x90\x44\x00\x00"), Probe::Unsure);
        assert_eq!(probe(b"Username: "), Probe::Unsure);
        assert_eq!(probe(b"Welcome\r\n"), Probe::NotMine);
        endures::<Telnet>(&TALK, false);
    }
}
