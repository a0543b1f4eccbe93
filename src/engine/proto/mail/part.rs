//! What the parts of a mail hold: decoded as their lines come, and followed if it is a file of a watched type.
//!
//! Standard: RFC 2045 §6 (base64, quoted-printable); the line end before a boundary belongs to that (RFC 2046 §5.1.1).
//! Output:   a `files` record for each, when the part ends.
//! Bounds:   one part at a time, 600 bytes with what is remembered of its file; 32 identifiers a mail. Of a line
//!           beyond the bound of `lines` the rest is missing.
//! Cost:     a part that does not begin as a watched file is not decoded any further.
//! Not done: uuencode; mails within mails that are encoded as a whole.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ATTACHMENTS_MAX;
use super::names::hex;
use crate::proto::files::{Beginning, Contents};
use crate::proto::{Dir, Out};
use crate::types::{Text, heap};

/// Bytes decoded at a time.
const DECODED_LEN: usize = 512;
/// Characters of base64 for that many: whole groups of four.
const GROUPS_LEN: usize = DECODED_LEN / 3 * 4;

/// Content-Transfer-Encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum Encoding {
    /// As it is.
    #[default]
    Plain,
    Base64,
    QuotedPrintable,
    /// One that is not understood.
    Unknown,
}

impl Encoding {
    /// Reads the field's value.
    pub(super) fn new(value: &[u8]) -> Self {
        let is = |name: &[u8]| value.eq_ignore_ascii_case(name);
        if is(b"base64") {
            Self::Base64
        } else if is(b"quoted-printable") {
            Self::QuotedPrintable
        } else if is(b"7bit") || is(b"8bit") || is(b"binary") {
            Self::Plain
        } else {
            Self::Unknown
        }
    }
}

/// A line of a part.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Line<'a> {
    pub(in super::super) text: &'a [u8],
    /// CR LF, LF, or nothing where the line goes on.
    pub(in super::super) end: &'static [u8],
    /// Whether this is all of it.
    pub(in super::super) is_whole: bool,
}

/// The parts of one direction's mails.
#[derive(Debug, Default)]
pub(in super::super) struct Parts {
    part: Option<Part>,
    /// Files followed so far.
    files: u64,
    /// Their identifiers in the mail under way.
    fuids: Vec<Text>,
}

heap!(Parts: part, fuids);

/// A part under way.
#[derive(Debug)]
struct Part {
    encoding: Encoding,
    name: Option<Text>,
    contents: Contents,
    /// Base64: the last bits, and how many of them are not used yet.
    bits: u16,
    left: u8,
    /// Base64: whether its end was seen.
    is_over: bool,
    /// Line end that belongs to the part if another line of it follows.
    pending: &'static [u8],
}

heap!(Part: name, contents);

impl Parts {
    /// A part begins.
    pub(in super::super) fn begin(&mut self, (encoding, name): (Encoding, Option<Text>)) {
        if encoding != Encoding::Unknown {
            self.part = Some(Part {
                encoding,
                name,
                contents: Contents::default(),
                bits: 0,
                left: 0,
                is_over: false,
                pending: b"",
            });
        }
    }

    /// Its next line.
    pub(in super::super) fn line(&mut self, line: Line<'_>, dir: Dir, out: &mut Out<'_>) {
        let Some(mut part) = self.part.take() else {
            return;
        };
        let was_followed = part.contents.file().is_some();
        part.line(line, (dir, self.files.saturating_add(1)), out);
        if let Some(file) = part.contents.file().filter(|_| !was_followed) {
            self.files = self.files.saturating_add(1);
            if self.fuids.len() < ATTACHMENTS_MAX {
                self.fuids.push(file.fuid().into());
            }
        }
        if !part.contents.is_passed() {
            self.part = Some(part);
        }
    }

    /// Bytes of the mail were lost.
    pub(in super::super) fn lose(&mut self, bytes: u64) {
        if let Some(part) = &mut self.part {
            (part.bits, part.left, part.pending) = (0, 0, b"");
            part.contents.lose(bytes);
        }
    }

    /// The part ends at a boundary.
    pub(in super::super) fn boundary(&mut self, out: &mut Out<'_>) {
        self.end(true, b"", out);
    }

    /// The mail ends; `whole` if a part that is still under way ends with it.
    pub(in super::super) fn over(&mut self, whole: bool, out: &mut Out<'_>) {
        let pending = self.part.as_ref().map_or(&b""[..], |part| part.pending);
        self.end(whole, pending, out);
    }

    /// Identifiers of what the mail held.
    pub(in super::super) fn fuids(&mut self) -> Vec<Text> {
        std::mem::take(&mut self.fuids)
    }

    fn end(&mut self, whole: bool, pending: &[u8], out: &mut Out<'_>) {
        let Some(mut part) = self.part.take() else {
            return;
        };
        // A character of base64 that stands alone stands for nothing.
        if part.left == 6 {
            part.contents.lose(0);
        }
        if part
            .contents
            .file()
            .is_some_and(|file| file.more(out.ts, pending))
        {
            part.contents.end(whole, out);
        } else {
            part.contents.end(false, out);
        }
    }
}

/// Where decoded bytes go: gathered, so that a file is not followed byte by byte.
struct Sink<'a, 'b> {
    name: &'a mut Option<Text>,
    depth: u64,
    dir: Dir,
    contents: &'a mut Contents,
    bytes: [u8; DECODED_LEN],
    len: usize,
    out: &'a mut Out<'b>,
}

impl Sink<'_, '_> {
    fn put(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len = self.len.saturating_add(1);
        }
        if self.len == DECODED_LEN {
            self.flush();
        }
    }

    /// Hands on bytes that need no decoding.
    fn put_all(&mut self, bytes: &[u8]) {
        self.flush();
        let about = (&mut *self.name, self.depth, self.dir);
        hand_on(bytes, about, self.contents, self.out);
    }

    fn flush(&mut self) {
        let len = std::mem::take(&mut self.len);
        let bytes = self.bytes.get(..len).unwrap_or_default();
        let about = (&mut *self.name, self.depth, self.dir);
        hand_on(bytes, about, self.contents, self.out);
    }
}

/// Hands bytes on to what they belong to, which asks for more of itself where it begins.
fn hand_on(
    bytes: &[u8],
    (name, depth, dir): (&mut Option<Text>, u64, Dir),
    contents: &mut Contents,
    out: &mut Out<'_>,
) {
    if bytes.is_empty() {
        return;
    }
    let about = |mime_type| Beginning {
        source: "SMTP",
        dir,
        depth,
        mime_type,
        filename: name.take(),
        total: None,
    };
    contents.more(bytes, about, out);
}

/// Of each byte its value as a character of base64 (RFC 4648 §4); above 63 if it is none.
const VALUES: [u8; 256] = values();

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "made by the compiler, which would refuse it"
)]
const fn values() -> [u8; 256] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut all = [u8::MAX; 256];
    let mut value = 0u8;
    while value < 64 {
        all[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    all
}

/// Value of a character of base64; `None` if it is none.
fn value(byte: u8) -> Option<u16> {
    let value = VALUES.get(usize::from(byte)).filter(|value| **value < 64)?;
    Some(u16::from(*value))
}

impl Part {
    fn line(&mut self, line: Line<'_>, (dir, depth): (Dir, u64), out: &mut Out<'_>) {
        let mut contents = std::mem::take(&mut self.contents);
        // Asked for once at most, when the file begins.
        let mut name = self.name.take();
        let mut sink = Sink {
            name: &mut name,
            depth,
            dir,
            contents: &mut contents,
            bytes: [0; DECODED_LEN],
            len: 0,
            out,
        };
        match self.encoding {
            Encoding::Base64 => self.base64(line.text, &mut sink),
            Encoding::QuotedPrintable => self.quoted(line, &mut sink),
            Encoding::Plain | Encoding::Unknown => {
                sink.put_all(std::mem::replace(&mut self.pending, line.end));
                sink.put_all(line.text);
            }
        }
        sink.flush();
        if !line.is_whole {
            contents.lose(0);
        }
        (self.contents, self.name) = (contents, name);
    }

    /// A line of base64: what is not of the alphabet counts for nothing (RFC 2045 §6.8).
    fn base64(&mut self, text: &[u8], sink: &mut Sink<'_, '_>) {
        // Nearly every line is whole groups of four, the last of them padded as it should be.
        let mut text = text;
        while self.left == 0
            && !self.is_over
            && !text.is_empty()
            && let (groups, rest) = text.split_at_checked(GROUPS_LEN).unwrap_or((text, &[]))
            && let Ok(len) = STANDARD.decode_slice(groups, &mut sink.bytes)
        {
            sink.len = len;
            sink.flush();
            self.is_over = groups.ends_with(b"=");
            text = rest;
        }
        for byte in text {
            if *byte == b'=' {
                self.is_over = true;
            }
            let Some(value) = value(*byte) else {
                continue;
            };
            if self.is_over {
                // Something behind the padding: nobody agrees on what that means.
                sink.contents.lose(0);
                return;
            }
            // Six bits more: twelve at the most, of which the upper eight are a byte.
            self.bits = self.bits << 6 | value;
            self.left = self.left.saturating_add(6);
            if let Some(rest) = self.left.checked_sub(8) {
                let byte = self.bits.wrapping_shr(u32::from(rest)) & 0xff;
                sink.put(u8::try_from(byte).unwrap_or(0));
                self.left = rest;
            }
        }
    }

    /// A line of quoted-printable (RFC 2045 §6.7); what is no escape stands for itself.
    fn quoted(&mut self, line: Line<'_>, sink: &mut Sink<'_, '_>) {
        for byte in std::mem::replace(&mut self.pending, line.end) {
            sink.put(*byte);
        }
        let mut text = line.text.trim_ascii_end();
        if let Some(before) = text.strip_suffix(b"=") {
            (text, self.pending) = (before, b"");
        }
        while let Some((byte, rest)) = text.split_first() {
            let escaped = match (byte, rest) {
                (b'=', [high, low, rest @ ..]) => hex(*high, *low).map(|byte| (byte, rest)),
                _ => None,
            };
            let (byte, rest) = escaped.unwrap_or((*byte, rest));
            sink.put(byte);
            text = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::proto::testing::{flow, lines};
    use crate::types::{Observations, Timestamp};

    /// The only file of a part with these lines.
    fn told(encoding: Encoding, all: &[&[u8]], lost: u64) -> Option<String> {
        let (flow, mut seen) = (flow(6, 25), Observations::new());
        let mut out = Out::new(&flow, Timestamp::from_secs(1), &mut seen);
        let mut parts = Parts::default();
        parts.begin((encoding, Some("a".into())));
        for (number, text) in all.iter().enumerate() {
            if number == 1 && lost > 0 {
                parts.lose(lost);
            }
            let (end, is_whole): (&[u8], _) = (b"\r\n", true);
            let line = Line {
                text,
                end,
                is_whole,
            };
            parts.line(line, Dir::Orig, &mut out);
        }
        parts.boundary(&mut out);
        let told = lines(&seen);
        assert!(told.len() <= 1, "{told:?}");
        told.into_iter().next()
    }

    fn hash(bytes: &[u8]) -> String {
        let digest = Sha256::digest(bytes);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(r#""sha256":"{hex}""#)
    }

    #[test]
    fn quoted_and_plain_lines() {
        let quoted = told(
            Encoding::QuotedPrintable,
            &[b"{\\rtf1 =FC=3d=", b"=zz  ", b"", b"}"],
            0,
        );
        assert!(
            quoted
                .unwrap()
                .contains(&hash(b"{\\rtf1 \xfc==zz\r\n\r\n}"))
        );
        let plain = told(Encoding::Plain, &[b"#!/bin/sh", b"id"], 0);
        assert!(plain.unwrap().contains(&hash(b"#!/bin/sh\r\nid")));
    }

    #[test]
    fn what_is_torn_has_no_hash() {
        // "%PDF-1.7" and more, RFC 4648.
        let lines: [&[u8]; 2] = [b"JVBERi0xLjc=", b""];
        assert!(
            told(Encoding::Base64, &lines, 0)
                .unwrap()
                .contains(&hash(b"%PDF-1.7"))
        );
        let lost = told(Encoding::Base64, &lines, 9).unwrap();
        assert!(lost.ends_with(r#""missing_bytes":9}"#), "{lost}");
        let behind = told(Encoding::Base64, &[b"JVBERi0xLjc=", b"JVBE"], 0).unwrap();
        assert!(!behind.contains("sha256"), "{behind}");
        let alone = told(Encoding::Base64, &[b"JVBERi0xL"], 0).unwrap();
        assert!(!alone.contains("sha256"), "{alone}");
        assert_eq!(told(Encoding::Base64, &[b"iVBORw0KGgo="], 0), None);
    }

    proptest! {
        /// However it is cut into lines, and whatever stands between.
        #[test]
        fn base64_comes_out_as_it_went_in(rest in prop::collection::vec(any::<u8>(), 0..3_000), width in 1..90_usize) {
            let file = [&b"%PDF-"[..], &rest].concat();
            let text = STANDARD.encode(&file);
            let spaced: Vec<Vec<u8>> = text.as_bytes().chunks(width).map(|line| [line, b" \t"].concat()).collect();
            let all: Vec<&[u8]> = spaced.iter().map(Vec::as_slice).collect();
            let told = told(Encoding::Base64, &all, 0).expect("a file");
            prop_assert!(told.contains(&hash(&file)), "{}", told);
        }
    }
}
