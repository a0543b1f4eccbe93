//! Syslog: which machine reports what, how urgent.
//!
//! Standard: RFC 3164, RFC 5424; over TCP RFC 6587, both framings.
//! Input:    datagrams, or the client's stream.
//! Output:   one `syslog` record per message; the sender's name for itself as a host name clue, if one flow
//!           carries one name only: a relay passes on what others call themselves. Likewise the sender's make, by
//!           the head of an event in the common event format (`CEF:0|maker|product|version|`).
//! Bounds:   256 bytes of a message; frames of 8 KiB over TCP.
//! Secrets:  a value behind `password=`, `pwd:`, `secret=`, `token=` and the like becomes `<hidden>`.
//! Not done: structured data apart; messages without a priority.

use super::gss::tell;
use super::lines::{BothLines, Next, TEXT_LEN_MAX, word};
use super::{Dir, Input, Out, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{ClueKind, Heap, Text, text};

/// Longest frame with its length before it.
const FRAME_LEN_MAX: usize = 8192;
/// Longest host or program name.
const NAME_LEN_MAX: usize = 255;
/// Names of the facilities as Zeek has them, by number.
const FACILITIES: [&str; 24] = [
    "KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON", "AUTHPRIV",
    "FTP", "NTP", "AUDIT", "ALERT", "CLOCK", "LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4",
    "LOCAL5", "LOCAL6", "LOCAL7",
];
/// Names of the severities, by number.
const SEVERITIES: [&str; 8] = [
    "EMERG", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG",
];
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
/// What secrets stand behind, `=` or `:` between.
const SECRETS: [&[u8]; 7] = [
    b"password",
    b"passwd",
    b"passphrase",
    b"pwd",
    b"secret",
    b"token",
    b"api_key",
];

record! {
    /// One message (Zeek's `syslog.log`).
    pub struct SyslogRecord = "syslog" {
        /// `udp` or `tcp`.
        pub proto: &'static str = "proto",
        /// Which part of the system it is from.
        pub facility: &'static str = "facility",
        /// How urgent it is.
        pub severity: &'static str = "severity",
        /// What follows the priority, its head included; secrets are hidden.
        pub message: Text = "message",
        /// Machine the message names as its origin.
        pub host: Option<Text> = "host",
        /// Program it names.
        pub app: Option<Text> = "app",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Syslog {
    lines: BothLines,
    host: Own,
    make: Own,
    sure: bool,
}

impl Protocol for Syslog {
    const NAME: &'static str = "syslog";
    const PORTS: &'static [Port] = &[Port::Udp(514), Port::Tcp(514), Port::Tcp(601)];

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            [b'<', ..] => {}
            // A length comes first.
            [b'1'..=b'9', ..] => {
                let head = start.get(..6).unwrap_or(start);
                let (digits, rest) = word(head);
                let counted = digits.iter().all(u8::is_ascii_digit);
                return match rest.first() {
                    Some(b'<') if counted => Probe::Unsure,
                    None if counted && head.len() < 6 => Probe::Unsure,
                    _ => Probe::NotMine,
                };
            }
            _ => return Probe::NotMine,
        }
        match priority(start) {
            None if start.len() < 5 => Probe::Unsure,
            None => Probe::NotMine,
            Some((_, [b'1', b' ', b'1' | b'2', _, _, _, b'-', ..])) => Probe::Certain,
            Some((_, said)) if MONTHS.iter().any(|month| said.starts_with(month)) => Probe::Certain,
            Some(_) => Probe::Unsure,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        if input.datagram {
            return if self.message(input, data, "udp", out) {
                Parse::Parsed { used: data.len() }
            } else {
                Parse::Broken("syslog_no_priority")
            };
        }
        if input.gap == 0
            && let Some((head, len)) = counted(data)
        {
            let whole = head.saturating_add(len);
            let Some(frame) = data.get(head..whole) else {
                let need = whole.saturating_sub(data.len()).max(1);
                return Parse::NeedMore { used: 0, need };
            };
            return self.framed(input, frame, whole, out);
        }
        match self.lines.of(input.dir).next(data, input.gap) {
            Next::More => Parse::NeedMore { used: 0, need: 1 },
            Next::Passed { used } => Parse::Parsed { used },
            Next::Line { line, used, .. } => self.framed(input, line, used, out),
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.host.tell(ClueKind::HostName, "syslog header", out);
        self.make.tell(ClueKind::Software, "cef device", out);
    }

    fn heap(&self) -> usize {
        self.host.heap().saturating_add(self.make.heap())
    }
}

impl Syslog {
    /// One frame of a stream.
    fn framed(&mut self, input: Input<'_>, frame: &[u8], used: usize, out: &mut Out<'_>) -> Parse {
        let is_message = self.message(input, frame, "tcp", out);
        self.sure |= is_message;
        if is_message || self.sure || frame.is_empty() {
            Parse::Parsed { used }
        } else {
            Parse::Broken("syslog_no_priority")
        }
    }

    /// Tells a message; false if it is none.
    fn message(
        &mut self,
        input: Input<'_>,
        message: &[u8],
        proto: &'static str,
        out: &mut Out<'_>,
    ) -> bool {
        let Some((number, said)) = priority(message) else {
            return false;
        };
        let facility = FACILITIES.get(usize::from(number >> 3)).copied();
        let severity = SEVERITIES.get(usize::from(number & 7)).copied();
        let (host, app) = origin(said);
        let host = host.map(|host| text(host, NAME_LEN_MAX));
        if let Some(host) = &host {
            self.host.hear(host, input.dir);
        }
        if let Some(make) = make(said) {
            self.make.hear(&make, input.dir);
        }
        let said = said.trim_ascii_end();
        let said = said.get(..TEXT_LEN_MAX).unwrap_or(said);
        let record = SyslogRecord {
            proto,
            facility: facility.unwrap_or("UNSPECIFIED"),
            severity: severity.unwrap_or("UNSPECIFIED"),
            message: text(&without_secrets(said), TEXT_LEN_MAX),
            host,
            app: app.map(|app| text(app, NAME_LEN_MAX)),
        };
        out.record(input.ts, record);
        true
    }
}

/// What all messages of a flow say alike of who sends them.
#[derive(Debug, Default)]
struct Own {
    said: Option<(Text, Dir)>,
    differs: bool,
}

impl Own {
    fn hear(&mut self, said: &Text, dir: Dir) {
        match &self.said {
            None => self.said = Some((said.clone(), dir)),
            Some((known, _)) => self.differs |= known != said,
        }
    }

    fn tell(&mut self, kind: ClueKind, evidence: &'static str, out: &mut Out<'_>) {
        if let Some((value, dir)) = self.said.take().filter(|_| !self.differs) {
            tell(dir, kind, evidence, Some(&value), out);
        }
    }

    fn heap(&self) -> usize {
        let said = self.said.as_ref();
        said.map_or(0, |(said, _)| said.heap())
    }
}

/// Begins an event in the common event format; a bar parts its head.
const CEF: &[u8] = b"CEF:";
/// Bytes of a message before which such an event begins: behind the heads of all relays.
const CEF_AT_MAX: usize = 256;

/// Whether a message carries a security event in one of the formats that are made for receivers of them.
#[must_use]
pub fn is_event(message: &str) -> bool {
    ["CEF:0|", "CEF:1|", "LEEF:1.0|", "LEEF:2.0|"]
        .iter()
        .any(|begin| message.contains(begin))
}

/// Maker, product and version in the head of an event.
fn make(said: &[u8]) -> Option<Text> {
    let head = said.get(..CEF_AT_MAX).unwrap_or(said);
    let at = memchr::memmem::find(head, CEF)?;
    let mut parts = said.get(at..)?.split(|byte| *byte == b'|');
    let _format = parts.next()?;
    let parts = [parts.next()?, parts.next()?, parts.next()?];
    let is_whole = parts
        .iter()
        .all(|part| !part.is_empty() && part.len() <= 64);
    is_whole.then(|| text(&parts.join(&b' '), TEXT_LEN_MAX))
}

/// The number in angle brackets and what follows it (RFC 5424 §6.2.1: at most 191).
fn priority(message: &[u8]) -> Option<(u8, &[u8])> {
    let rest = message.strip_prefix(b"<")?;
    let end = rest.iter().take(4).position(|byte| *byte == b'>')?;
    let (digits, rest) = rest.split_at_checked(end)?;
    let number = str::from_utf8(digits).ok()?.parse().ok()?;
    (digits.iter().all(u8::is_ascii_digit) && number <= 191).then_some((number, rest.get(1..)?))
}

/// Length of the head and of the frame behind it (RFC 6587 §3.4.1).
fn counted(data: &[u8]) -> Option<(usize, usize)> {
    let head = data.get(..6).unwrap_or(data);
    let end = memchr::memchr(b' ', head)?;
    let len = str::from_utf8(head.get(..end)?).ok()?.parse().ok()?;
    let head = end.saturating_add(1);
    let begins = data.get(head).is_none_or(|byte| *byte == b'<');
    (begins && (1..=FRAME_LEN_MAX).contains(&len)).then_some((head, len))
}

/// Host and program that the head of a message names.
fn origin(said: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    let named = |name: &'_ [u8]| !name.is_empty() && name != b"-";
    if let Some(rest) = said.strip_prefix(b"1 ") {
        let (_time, rest) = word(rest);
        let (host, rest) = word(rest);
        let (app, _) = word(rest);
        return (
            Some(host).filter(|n| named(n)),
            Some(app).filter(|n| named(n)),
        );
    }
    let (month, rest) = word(said);
    if !MONTHS.contains(&month) {
        return (None, None);
    }
    // `Oct 11 22:14:15`; some write the year before the time.
    let (_day, mut rest) = word(rest);
    let mut timed = false;
    for _ in 0..2 {
        let (time, behind) = word(rest);
        if time.first().is_some_and(u8::is_ascii_digit) {
            timed |= time.contains(&b':');
            rest = behind;
        }
        if timed {
            break;
        }
    }
    if !timed {
        return (None, None);
    }
    let (host, rest) = word(rest);
    // A tag where the host should be: the sender left its name out.
    let (host, rest) = if host.ends_with(b":") {
        (&[][..], host)
    } else {
        (host, rest)
    };
    let end = rest
        .iter()
        .take(64)
        .position(|byte| !(byte.is_ascii_alphanumeric() || b"-_./".contains(byte)));
    let app = end.filter(|end| matches!(rest.get(*end), Some(b':' | b'[')));
    let app = app.and_then(|end| rest.get(..end));
    (Some(host).filter(|n| named(n)), app.filter(|n| named(n)))
}

/// The text with `<hidden>` for each value behind a word that announces a secret.
fn without_secrets(said: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(said.len());
    let mut rest = said;
    while let Some((byte, behind)) = rest.split_first() {
        let key = SECRETS.iter().find(|key| {
            rest.get(..key.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(key))
        });
        let value = key.and_then(|key| {
            // `password=x`, `password: x`, `"password":"x"`.
            let behind = rest.get(key.len()..)?;
            let mark = behind.iter().position(|byte| !b"\"' ".contains(byte))?;
            matches!(behind.get(mark), Some(b'=' | b':')).then_some(())?;
            let after = behind.get(mark.saturating_add(1)..)?;
            let gap = after
                .iter()
                .take_while(|byte| b"\"' ".contains(byte))
                .count();
            Some(
                key.len()
                    .saturating_add(mark)
                    .saturating_add(1)
                    .saturating_add(gap),
            )
        });
        let Some(at) = value else {
            out.push(*byte);
            rest = behind;
            continue;
        };
        let (head, value) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend(head);
        let end = value.iter().position(|byte| b" \t,;&\"')}".contains(byte));
        let end = end.unwrap_or(value.len());
        if end > 0 {
            out.extend(b"<hidden>");
        }
        rest = value.get(end..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::{datagrams, endures, stream};
    use super::*;

    const C: Dir = Dir::Orig;
    /// RFC 3164 §5.4, example 1; RFC 5424 §6.5, example 1 without its byte order mark.
    const OLD: &[u8] =
        b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8";
    const NEW: &[u8] =
        b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root' failed";

    #[test]
    fn both_standards() {
        let told = datagrams::<Syslog>(514, &[(C, OLD), (C, NEW)]);
        assert_eq!(
            told.records,
            [
                r#"syslog {"proto":"udp","facility":"AUTH","severity":"CRIT","message":"Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8","host":"mymachine","app":"su"}"#,
                r#"syslog {"proto":"udp","facility":"AUTH","severity":"CRIT","message":"1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root' failed","host":"mymachine.example.com","app":"su"}"#,
            ]
        );
        // Two names: a relay.
        assert!(told.clues.is_empty());
        let told = datagrams::<Syslog>(514, &[(C, OLD), (C, OLD)]);
        assert_eq!(
            (told.clues.len(), told.clues[0].value.as_str()),
            (1, "mymachine")
        );
    }

    #[test]
    fn an_event_tells_its_senders_make() {
        let event = b"<134>1 2026-11-22T03:14:09.000Z lon1 tapir - - - CEF:0|Tapir|Sensor|1.0.0|CMD-01|Beacon|9|type=0";
        let told = datagrams::<Syslog>(514, &[(C, event), (C, event)]);
        let known = (ClueKind::Software, "Tapir Sensor 1.0.0");
        assert!(
            told.clues
                .iter()
                .any(|clue| (clue.kind, &*clue.value) == known)
        );
        assert!(is_event(&told.records[0]) && !is_event("CEF: x"));
        // A relay passes on what others are.
        let other = b"<134>Oct 11 22:14:15 fw CEF:0|Maker|Wall|2|1|x|1|";
        let told = datagrams::<Syslog>(514, &[(C, event), (C, other)]);
        assert!(told.clues.is_empty());
        for none in [
            &b"CEF:0|a|b"[..],
            b"CEF:0||b|c|",
            b"CEF:0|a|b|c|",
            b"no event",
        ] {
            assert_eq!(
                make(none).as_deref(),
                (none == b"CEF:0|a|b|c|").then_some("a b c")
            );
        }
    }

    #[test]
    fn both_framings() {
        let counted = [b"76 ", OLD, b"81 ", NEW].concat();
        assert_eq!((OLD.len(), NEW.len()), (76, 81));
        assert_eq!(stream::<Syslog>(&[(C, &counted)]).records.len(), 2);
        let lines = [OLD, b"\n", NEW, b"\n"].concat();
        let told = stream::<Syslog>(&[(C, &lines)]);
        assert_eq!(told.records.len(), 2);
        assert!(told.records[0].contains(r#""proto":"tcp""#));
        endures::<Syslog>(&[(C, &counted), (C, &lines)], false);
        endures::<Syslog>(&[(C, OLD), (C, NEW)], true);
    }

    #[test]
    fn secrets_in_messages_are_hidden() {
        let hide = |said: &str| String::from_utf8(without_secrets(said.as_bytes())).unwrap();
        assert_eq!(
            hide("login password=geheim ok"),
            "login password=<hidden> ok"
        );
        assert_eq!(hide("Passwd: geheim, x"), "Passwd: <hidden>, x");
        assert_eq!(
            hide(r#"{"token":"geheim","a":1}"#),
            r#"{"token":"<hidden>","a":1}"#
        );
        assert_eq!(hide("password changed for x"), "password changed for x");
        assert_eq!(hide("db_pwd=\"geheim\""), "db_pwd=\"<hidden>\"");
    }

    #[test]
    fn heads_as_real_devices_write_them() {
        let names = |said: &'static [u8]| origin(said);
        let expected = (Some(&b"btr01"[..]), Some(&b"sudo"[..]));
        assert_eq!(
            names(b"Oct 21 2016:55:08 btr01 sudo:   admin : x"),
            expected
        );
        assert_eq!(names(b"Oct 21 2016 16:55:08 btr01 sudo[7]: x"), expected);
        assert_eq!(
            names(b"Oct 21 16:55:08 sudo: x"),
            (None, Some(&b"sudo"[..]))
        );
        assert_eq!(names(b"no head at all"), (None, None));
    }

    #[test]
    fn probing() {
        let probe = |start: &[u8]| Syslog::probe(start, C);
        assert_eq!((probe(OLD), probe(NEW)), (Probe::Certain, Probe::Certain));
        assert_eq!(probe(b"<13>hello"), Probe::Unsure);
        assert_eq!(probe(b"<html>"), Probe::NotMine);
        assert_eq!(probe(b"<192>x"), Probe::NotMine);
        assert_eq!(probe(b"76 <34>Oct"), Probe::Unsure);
        assert_eq!(probe(b"220 x"), Probe::NotMine);
    }
}
