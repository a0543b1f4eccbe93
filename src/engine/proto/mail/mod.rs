//! The text of a mail: its head's fields and the names of what is attached. For SMTP, POP3 and IMAP.
//!
//! Standard: RFC 5322 (fields, folding), RFC 2045 and 2046 (MIME parts), RFC 2183 (Content-Disposition).
//! Input:    one line after the other, dots already unstuffed or not: no field begins with one.
//! Output:   the fields of [`Mail`] once the lines were taken; where its parts begin and end, for `part`.
//! Bounds:   a field of 4 KiB with its folded lines, the rest of it is passed over; 8 boundaries open at a
//!           time; 32 attachments; 32 addresses a field; 16 of the path; texts of 256 bytes.
//! Not done: encoded words outside attachments' names are kept as sent.

mod names;
pub(super) mod part;

use std::net::IpAddr;

use self::names::{decoded, parameter};
use self::part::Encoding;
use super::lines::{TEXT_LEN_MAX, add_distinct, between};
use crate::types::{Text, heap, text};

/// Longest field, its folded lines included.
const FIELD_LEN_MAX: usize = 4096;
/// Boundaries that may end or begin a part; nested parts have one each.
const BOUNDARIES_MAX: usize = 8;
/// Longest boundary (RFC 2046 §5.1.1).
const BOUNDARY_LEN_MAX: usize = 70;
/// Names of attachments kept.
pub(super) const ATTACHMENTS_MAX: usize = 32;
/// Addresses of one field kept.
const ADDRESSES_MAX: usize = 32;
/// Stations of the path kept.
const PATH_MAX: usize = 16;

/// Where in the mail a line stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Head,
    PartHead,
    Body,
}

/// What a line is to the parts of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Head,
    /// The last of a head: what the part holds begins with the next.
    Begins,
    /// Of what a part holds, if there is one.
    Within,
    /// The part ends before it.
    Boundary,
}

/// One mail, as far as its lines were taken.
#[derive(Debug, Default)]
pub(super) struct Mail {
    place: Place,
    /// Field under way, without line ends.
    field: Vec<u8>,
    boundaries: Vec<Vec<u8>>,
    /// Whether the head under way is of a part that holds a mail.
    holds_mail: bool,
    /// Whether it is of a part that holds parts.
    holds_parts: bool,
    /// How what it holds is encoded, and its name.
    encoding: Encoding,
    name: Option<Text>,
    pub(super) date: Option<Text>,
    pub(super) from: Option<Text>,
    pub(super) to: Vec<Text>,
    pub(super) cc: Vec<Text>,
    pub(super) reply_to: Option<Text>,
    pub(super) msg_id: Option<Text>,
    pub(super) in_reply_to: Option<Text>,
    pub(super) subject: Option<Text>,
    pub(super) x_originating_ip: Option<IpAddr>,
    pub(super) first_received: Option<Text>,
    pub(super) second_received: Option<Text>,
    pub(super) path: Vec<IpAddr>,
    pub(super) user_agent: Option<Text>,
    pub(super) attachments: Vec<Text>,
}

heap! {
    Mail:
    field, boundaries, name, date, from, to, cc, reply_to, msg_id, in_reply_to, subject,
    first_received, second_received, path, user_agent, attachments,
}

impl Mail {
    /// Takes a line without its end.
    pub(super) fn line(&mut self, line: &[u8]) -> Step {
        match self.place {
            Place::Body => self.body(line),
            Place::Head | Place::PartHead => self.head(line),
        }
    }

    /// There are no more lines.
    pub(super) fn end(&mut self) {
        self.close_field();
    }

    /// How the part that begins is encoded and what it is called; `None` if it holds parts itself.
    pub(super) fn begins(&mut self) -> Option<(Encoding, Option<Text>)> {
        (!self.holds_parts).then(|| (self.encoding, self.name.take()))
    }

    /// Whether the mail is one part, which ends with it.
    pub(super) fn is_one(&self) -> bool {
        self.boundaries.is_empty()
    }

    fn head(&mut self, line: &[u8]) -> Step {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            let left = FIELD_LEN_MAX.saturating_sub(self.field.len());
            if !self.field.is_empty() {
                self.field.extend(line.iter().take(left));
            }
            return Step::Head;
        }
        self.close_field();
        if line.is_empty() {
            if std::mem::take(&mut self.holds_mail) {
                self.part_head();
                return Step::Head;
            }
            self.place = Place::Body;
            return Step::Begins;
        }
        if self.place == Place::PartHead && line.starts_with(b"--") {
            return self.body(line);
        }
        self.field.extend(line.iter().take(FIELD_LEN_MAX));
        Step::Head
    }

    /// The head of a part begins.
    fn part_head(&mut self) {
        self.place = Place::PartHead;
        (self.holds_parts, self.encoding, self.name) = (false, Encoding::Plain, None);
    }

    fn body(&mut self, line: &[u8]) -> Step {
        if let Some(rest) = line.strip_prefix(b"--") {
            let rest = rest.trim_ascii_end();
            let closing = rest.strip_suffix(b"--").unwrap_or(rest);
            if self.boundaries.iter().any(|boundary| boundary == rest) {
                self.part_head();
                return Step::Boundary;
            } else if self.boundaries.iter().any(|boundary| boundary == closing) {
                self.place = Place::Body;
                return Step::Boundary;
            }
        } else if let Some([b'0'..=b'7', b'0'..=b'7', b'0'..=b'7', b' ', name @ ..]) =
            line.strip_prefix(b"begin ")
        {
            // uuencode: `begin 644 name`.
            self.attached(text(name.trim_ascii(), TEXT_LEN_MAX));
        }
        Step::Within
    }

    fn attached(&mut self, name: Text) {
        if !name.is_empty() {
            add_distinct(&mut self.attachments, name, ATTACHMENTS_MAX);
        }
    }

    /// Reads the field that is whole now.
    fn close_field(&mut self) {
        let field = std::mem::take(&mut self.field);
        let Some(at) = memchr::memchr(b':', &field) else {
            return;
        };
        let (name, value) = field.split_at_checked(at).unwrap_or_default();
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let name = name.trim_ascii().to_ascii_lowercase();
        self.part_field(&name, value);
        if self.place != Place::Head || value.is_empty() {
            return;
        }
        let kept = || Some(text(value, TEXT_LEN_MAX));
        match name.as_slice() {
            b"date" => self.date = kept(),
            b"from" => self.from = kept(),
            b"to" => addresses(value, &mut self.to),
            b"cc" => addresses(value, &mut self.cc),
            b"reply-to" => self.reply_to = kept(),
            b"message-id" => self.msg_id = kept(),
            b"in-reply-to" => self.in_reply_to = kept(),
            b"subject" => self.subject = kept(),
            b"user-agent" | b"x-mailer" => self.user_agent = kept(),
            b"x-originating-ip" => self.x_originating_ip = address(value),
            b"received" => self.received(value),
            _ => {}
        }
    }

    /// Fields that parts have as well as mails.
    fn part_field(&mut self, name: &[u8], value: &[u8]) {
        if name == b"content-transfer-encoding" {
            self.encoding = Encoding::new(value);
            return;
        }
        let is_type = name == b"content-type";
        if !is_type && name != b"content-disposition" {
            return;
        }
        let key: &[u8] = if is_type { b"name" } else { b"filename" };
        if let Some(name) = parameter(value, key) {
            let name = decoded(&name);
            // What the disposition says goes before what the type says (RFC 2183 §2.3).
            if !name.is_empty() && (!is_type || self.name.is_none()) {
                self.name = Some(name.clone());
            }
            self.attached(name);
        }
        if !is_type {
            return;
        }
        self.holds_mail = value.len() >= 14
            && value
                .get(..14)
                .is_some_and(|kind| kind.eq_ignore_ascii_case(b"message/rfc822"));
        if let Some(mut boundary) = parameter(value, b"boundary") {
            self.holds_parts = true;
            boundary.truncate(BOUNDARY_LEN_MAX);
            if self.boundaries.len() >= BOUNDARIES_MAX {
                self.boundaries.remove(0);
            }
            self.boundaries.push(boundary);
        }
    }

    fn received(&mut self, value: &[u8]) {
        let kept = Some(text(value, TEXT_LEN_MAX));
        if self.first_received.is_none() {
            self.first_received = kept;
        } else if self.second_received.is_none() {
            self.second_received = kept;
        }
        // `from host (name [192.0.2.1]) by …`: the station's address stands in brackets.
        if let Some(station) = address(value)
            && self.path.len() < PATH_MAX
            && !self.path.contains(&station)
        {
            self.path.push(station);
        }
    }
}

/// The address in square brackets, or the whole value.
fn address(value: &[u8]) -> Option<IpAddr> {
    let inside = between(value, b'[', b']').unwrap_or(value);
    let inside = inside.strip_prefix(b"IPv6:").unwrap_or(inside);
    str::from_utf8(inside).ok()?.parse().ok()
}

/// The addresses of a list, names included: cut at commas outside quotes.
fn addresses(value: &[u8], list: &mut Vec<Text>) {
    let mut quoted = false;
    let parts = value.split(|byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    });
    for part in parts {
        let part = part.trim_ascii();
        if !part.is_empty() {
            add_distinct(list, text(part, TEXT_LEN_MAX), ADDRESSES_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Mail {
        let mut mail = Mail::default();
        for line in lines.split('\n') {
            mail.line(line.as_bytes());
        }
        mail.end();
        mail
    }

    #[test]
    fn the_head_with_folded_lines() {
        // After RFC 5322, appendix A.1.3 and A.4.
        let mail = read(
            "Received: from x.y.test (x.y.test [192.0.2.7])\n  by example.net; 21 Nov 1997\n\
             Received: from [IPv6:2001:db8::9] by x.y.test\n\
             From: Pete <pete@silly.test>\nTo: \"A, B\" <a@b.test>,\n\tc@d.test\nSubject: one\n two\n\
             X-Originating-IP: [10.0.0.9]\nX-Mailer: x 1\nMessage-ID: <1@x>\n\nSubject: not this one\n",
        );
        assert_eq!(mail.from.as_deref(), Some("Pete <pete@silly.test>"));
        assert_eq!(mail.to, ["\"A, B\" <a@b.test>", "c@d.test"]);
        assert_eq!(mail.subject.as_deref(), Some("one two"));
        assert_eq!(mail.x_originating_ip, Some([10, 0, 0, 9].into()));
        let stations: [IpAddr; 2] = [[192, 0, 2, 7].into(), "2001:db8::9".parse().unwrap()];
        assert_eq!(mail.path, stations);
        assert!(mail.second_received.unwrap().starts_with("from [IPv6"));
        assert_eq!(mail.user_agent.as_deref(), Some("x 1"));
    }

    #[test]
    fn attachments_of_nested_parts() {
        let mail = read(
            "Content-Type: multipart/mixed; boundary=\"out er\"\n\npreamble name=\"no\"\n--out er\n\
             Content-Type: multipart/alternative;\n boundary=inner\n\n--inner\nContent-Type: text/plain\n\n\
             --no boundary\nContent-Disposition: attachment; filename=no\n--inner--\n--out er\n\
             Content-Type: application/pdf; name=\"a b.pdf\"\nContent-Disposition: attachment;\n\
             \tfilename=\"a b.pdf\"\n\nJVBERi0=\n--out er\nContent-Type: message/rfc822\n\n\
             Subject: inside\nContent-Type: text/csv; name=c.csv\n\nx\nbegin 644 old.zip\n--out er--\n\
             Content-Type: text/csv; name=after.csv\n",
        );
        assert_eq!(mail.attachments, ["a b.pdf", "c.csv", "old.zip"]);
        assert_eq!(mail.subject, None);
    }

    #[test]
    fn lists_and_fields_are_bounded() {
        let long = format!("Subject: {}\n {}\n\n", "x".repeat(5000), "y".repeat(5000));
        assert_eq!(read(&long).subject.unwrap().len(), TEXT_LEN_MAX);
        let many: String = (0..99).map(|n| format!("u{n}@x,")).collect();
        assert_eq!(read(&format!("To: {many}\n\n")).to.len(), ADDRESSES_MAX);
    }
}
