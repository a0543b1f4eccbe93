//! A stream that is a file and nothing else: what crosses FTP's data connections, or a bare TCP connection.
//!
//! Standard: RFC 959 §3.4 (stream mode: the file ends with the connection); signatures as in `files`.
//! Input:    the stream of the side that sends the file; the other side's is passed over.
//! Output:   a `files` record when the flow ends, its source `TCP`. Where FTP announced the flow, `analysis` calls it
//!           `FTP_DATA` and knows its name and length.
//! Bounds:   one file a flow. What begins with a signature of two or three bytes must go on as such a file does.
//! Not done: files of other kinds; FTP's block and compressed modes; what a restarted transfer (`REST`) leaves out.

use super::files::{Beginning, Contents, begins_file};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::heap_of;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct FileCarrier {
    /// Who sends the file.
    sender: Option<Dir>,
    contents: Contents,
}

impl Protocol for FileCarrier {
    const NAME: &'static str = "file";
    const PORTS: &'static [Port] = &[Port::Tcp(20)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        begins_file(start)
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return Parse::Broken("file_datagram");
        }
        if self.sender.is_none() && Self::probe(input.data, input.dir) != Probe::NotMine {
            self.sender = Some(input.dir);
        }
        if self.sender != Some(input.dir) {
            return Parse::SkipBytes { bytes: u64::MAX };
        }
        if input.gap > 0 {
            self.contents.lose(input.gap);
        }
        let about = |mime_type| Beginning {
            source: "TCP",
            dir: input.dir,
            depth: 1,
            mime_type,
            filename: None,
            total: None,
        };
        self.contents.more(input.data, about, out);
        if self.contents.is_passed() {
            return Parse::Skip;
        }
        Parse::Parsed {
            used: input.data.len(),
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        // What ends with the flow is whole, as far as anybody can tell.
        self.contents.end(true, out);
    }

    fn heap(&self) -> usize {
        heap_of!(self: contents)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::stream;
    use super::*;

    const C: Dir = Dir::Orig;
    const S: Dir = Dir::Resp;

    #[test]
    fn a_file_and_nothing_else() {
        assert_eq!(FileCarrier::probe(b"%PDF-1.4\n", S), Probe::Certain);
        assert_eq!(FileCarrier::probe(b"%PD", S), Probe::Unsure);
        assert_eq!(FileCarrier::probe(b"MZ", S), Probe::Unsure);
        assert_eq!(FileCarrier::probe(&[b'M'; 80], S), Probe::NotMine);
        // A DOS header whose last field leads to the new one 128 bytes in.
        let mut program = [0_u8; 80];
        program[..2].copy_from_slice(b"MZ");
        program[60] = 128;
        assert_eq!(FileCarrier::probe(&program, S), Probe::Certain);
        program[63] = 1;
        assert_eq!(FileCarrier::probe(&program, S), Probe::NotMine);
        assert_eq!(FileCarrier::probe(b"\x89PNG\r\n\x1a\n", S), Probe::NotMine);
        assert_eq!(FileCarrier::probe(b"#!/bin/sh\n", S), Probe::Certain);
        assert_eq!(FileCarrier::probe(b"BZh91AY&SY", S), Probe::Certain);
        assert_eq!(FileCarrier::probe(b"BZhang said", S), Probe::NotMine);
    }

    #[test]
    fn the_file_ends_with_its_stream() {
        let told = stream::<FileCarrier>(&[(S, b"#!/bin/sh\n"), (S, b"id\n"), (C, b"x")]);
        // printf '#!/bin/sh\nid\n' | sha256sum
        let sha = "d7ac283f0efbed24578bd65e51cadae8102f93a9b6b367fbffdb3dbf154af941";
        let [line] = &told.records[..] else {
            panic!("{:?}", told.records)
        };
        assert!(line.starts_with("files ") && line.contains(sha), "{line}");
    }
}
