//! TeamViewer: that a device is looked at or looks at another, by its own protocol.
//!
//! Source: nDPI's description of the first bytes, and the lengths in them as the shared capture has them.
//! Input:  TCP streams. A message begins with one of two marks and a command; then its length, in two bytes
//!         behind the older mark, in four behind the newer, whose header has 24 bytes in all.
//! Output: the service of the flow.
//! Not done: TeamViewer over HTTP, over TLS (see `ssl`) and between peers over UDP.

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};

/// Marks of the older and the newer form.
const OLDER: [u8; 2] = [0x17, 0x24];
const NEWER: [u8; 2] = [0x11, 0x30];
/// Headers of the two.
const OLDER_LEN: usize = 5;
const NEWER_LEN: usize = 24;
/// Longest message by which the protocol is known.
const MESSAGE_LEN_MAX: usize = 4096;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Teamviewer;

/// Length of the first message.
fn length(start: &[u8]) -> Option<usize> {
    match *start {
        [a, b, _, low, high, ..] if [a, b] == OLDER => {
            Some(usize::from(u16::from_le_bytes([low, high])).saturating_add(OLDER_LEN))
        }
        // Behind the command comes a zero; lengths are short.
        [a, b, _, 0, low, high, 0, 0, ..] if [a, b] == NEWER => {
            Some(usize::from(u16::from_le_bytes([low, high])).saturating_add(NEWER_LEN))
        }
        _ => None,
    }
}

impl Protocol for Teamviewer {
    const NAME: &'static str = "teamviewer";
    const PORTS: &'static [Port] = &[Port::Tcp(5938)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let Some(len) = length(start) else {
            let is_begin = [OLDER, NEWER]
                .iter()
                .any(|mark| mark.starts_with(start.get(..2).unwrap_or(start)));
            return if is_begin && start.len() < 8 {
                Probe::Unsure
            } else {
                Probe::NotMine
            };
        };
        if len > MESSAGE_LEN_MAX {
            return Probe::NotMine;
        }
        // What comes behind the first message begins alike.
        match start.get(len..) {
            Some([]) | None => Probe::Unsure,
            Some(next) if length(next).is_some() => Probe::Certain,
            Some(next) if next.len() < 8 => Probe::Unsure,
            Some(_) => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, _out: &mut Out<'_>) -> Parse {
        if input.datagram {
            Parse::Broken("teamviewer_datagram")
        } else {
            Parse::Skip
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{grows, unhex};
    use super::*;

    /// The first messages of each side of the shared capture `nDPI_teamviewer`.
    #[test]
    fn two_messages_in_a_row() {
        let first =
            unhex("1724 0a 2000 00000000000000004800800001000000148000006fb78c804805532216142004");
        let second =
            unhex("1724 28 1800 008000007fffffff8080000000000000000000000000000017243c2000");
        assert_eq!(Teamviewer::probe(&first, Dir::Orig), Probe::Unsure);
        let both = [&first[..], &second].concat();
        assert_eq!(Teamviewer::probe(&both, Dir::Orig), Probe::Certain);
        grows::<Teamviewer>(&both, Dir::Orig);
        let answer = unhex(
            "1130 36 00 18000000 0100000000000000 1b00000018000000 8c0067fc71b09880d95938c589a6c18cc7919eea283d28cd",
        );
        assert_eq!((length(&answer), answer.len()), (Some(48), 48));
        let next = unhex("1130 3c 00 7b000000 02");
        assert_eq!(
            Teamviewer::probe(&[&answer[..], &next].concat(), Dir::Resp),
            Probe::Certain
        );
        // TLS begins with the same byte; other lengths; a message of another protocol behind the first.
        assert_eq!(
            Teamviewer::probe(b"\x17\x03\x03\0\x20", Dir::Orig),
            Probe::NotMine
        );
        assert_eq!(
            Teamviewer::probe(&unhex("1130 36 00 00000100"), Dir::Orig),
            Probe::NotMine
        );
        let other = [&first[..], b"GET / HTTP/1.1"].concat();
        assert_eq!(Teamviewer::probe(&other, Dir::Orig), Probe::NotMine);
    }
}
