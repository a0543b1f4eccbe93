//! TFTP: which files are fetched or left without anybody signing in.
//!
//! Standard: RFC 1350, RFC 2347 to 2349 (options).
//! Input:    the datagram with the request, sent to port 69.
//! Output:   one `tftp` record per request.
//! Bounds:   8 options a request, names of 1 KiB.
//! Not done: the transfer itself, which is a flow of its own from a port the server chooses: so neither
//!           size nor success is told, but for an error on the same ports.

use compact_str::format_compact;

use super::lines::NAME_LEN_MAX;
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Text, Timestamp, heap_of, text};

/// Options kept.
const OPTIONS_MAX: usize = 8;
/// Longest mode or option.
const WORD_LEN_MAX: usize = 64;

record! {
    /// One request.
    pub struct TftpRecord = "tftp" {
        /// Whether the file is to be written; else it is read.
        pub wrq: bool = "wrq",
        /// Name of the file as sent.
        pub fname: Text = "fname",
        /// `octet`, `netascii` or `mail`, as sent.
        pub mode: Text = "mode",
        /// Options as `name=value`.
        pub options: Option<Vec<Text>> = "options",
        /// Code of an error from the same port.
        pub error_code: Option<u16> = "error_code",
        /// Its text.
        pub error_msg: Option<Text> = "error_msg",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Tftp {
    open: Option<(Timestamp, TftpRecord)>,
}

impl Protocol for Tftp {
    const NAME: &'static str = "tftp";
    const PORTS: &'static [Port] = &[Port::Udp(69)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            [0, 1 | 2, ..] if request(start).is_some() => Probe::Certain,
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            return Parse::Broken("tftp_stream");
        }
        let used = input.data.len();
        if let Some(record) = request(input.data) {
            self.finish(out);
            self.open = Some((input.ts, record));
        } else if let [0, 5, high, low, message @ ..] = input.data
            && let Some((_, record)) = &mut self.open
        {
            record.error_code = Some(u16::from_be_bytes([*high, *low]));
            record.error_msg = string(message).map(|(said, _)| text(said, 256));
        }
        Parse::Parsed { used }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        if let Some((ts, record)) = self.open.take() {
            out.record(ts, record);
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: open)
    }
}

/// Reads a request.
fn request(data: &[u8]) -> Option<TftpRecord> {
    let [0, code @ (1 | 2), rest @ ..] = data else {
        return None;
    };
    let (fname, rest) = string(rest)?;
    let (mode, mut rest) = string(rest)?;
    let known: [&[u8]; 3] = [b"octet", b"netascii", b"mail"];
    if fname.is_empty() || !known.iter().any(|known| known.eq_ignore_ascii_case(mode)) {
        return None;
    }
    let mut options = Vec::new();
    while options.len() < OPTIONS_MAX
        && let Some((name, behind)) = string(rest)
        && let Some((value, behind)) = string(behind)
    {
        let (name, value) = (text(name, WORD_LEN_MAX), text(value, WORD_LEN_MAX));
        options.push(format_compact!("{name}={value}"));
        rest = behind;
    }
    Some(TftpRecord {
        wrq: *code == 2,
        fname: text(fname, NAME_LEN_MAX),
        mode: text(mode, WORD_LEN_MAX),
        options: Some(options).filter(|options| !options.is_empty()),
        ..TftpRecord::default()
    })
}

/// What stands before the next NUL, and after it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let window = bytes.get(..NAME_LEN_MAX).unwrap_or(bytes);
    let (string, rest) = bytes.split_at_checked(memchr::memchr(0, window)?)?;
    Some((string, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{datagrams, endures};
    use super::*;

    #[test]
    fn requests_with_options_and_errors() {
        // RFC 1350 §5, RFC 2347; error 1 is "File not found".
        let read = b"\x00\x01boot/pxelinux.0\x00octet\x00tsize\x000\x00blksize\x001428\x00";
        let write = b"\x00\x02switch.cfg\x00NetASCII\x00";
        let error = b"\x00\x05\x00\x01File not found\x00";
        let pieces: [(Dir, &[u8]); 3] = [(Dir::Orig, read), (Dir::Orig, write), (Dir::Resp, error)];
        let told = datagrams::<Tftp>(69, &pieces);
        assert_eq!(
            told.records,
            [
                r#"tftp {"wrq":false,"fname":"boot/pxelinux.0","mode":"octet","options":["tsize=0","blksize=1428"]}"#,
                r#"tftp {"wrq":true,"fname":"switch.cfg","mode":"NetASCII","error_code":1,"error_msg":"File not found"}"#,
            ]
        );
        assert_eq!(Tftp::probe(read, Dir::Orig), Probe::Certain);
        assert_eq!(
            Tftp::probe(b"\x00\x01a\x00b\x00", Dir::Orig),
            Probe::NotMine
        );
        assert_eq!(Tftp::probe(b"\x00\x01\x00\x00", Dir::Orig), Probe::NotMine);
        endures::<Tftp>(&pieces, true);
    }
}
