//! RTP: voice on the wire, named by its content.
//!
//! Standard: RFC 3550 §5.1 (header), RFC 3551 §4.5 and §6 (codecs and their numbers).
//! Input:    UDP datagrams, any port.
//! Output:   the service of the flow.
//! Sensing:  of the header alone a quarter of all random datagrams would do. So the first one must be of a codec with
//!           a number of its own and as long as that codec's frames are, without padding, extension or further
//!           sources; and what follows in its direction must go on with its source and its sequence, or the name is
//!           taken back.
//! Not done: codecs whose numbers are agreed on in SDP; for them the agreement is needed.

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};

const HEADER_LEN: usize = 12;
/// Datagrams of one direction that must agree.
const AGREE_MIN: u8 = 3;
/// Datagrams that may be lost between two.
const LOST_MAX: u16 = 100;

/// Where one direction's source stands.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    sequence: u16,
    agreed: u8,
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Rtp {
    orig: Option<Source>,
    resp: Option<Source>,
}

/// Sequence and source of a datagram, if it is one of version 2.
fn header(data: &[u8]) -> Option<(u16, u32)> {
    let &[first, _, q0, q1, _, _, _, _, s0, s1, s2, s3] = data.first_chunk::<HEADER_LEN>()?;
    let (sequence, ssrc) = (
        u16::from_be_bytes([q0, q1]),
        u32::from_be_bytes([s0, s1, s2, s3]),
    );
    (first >> 6 == 2).then_some((sequence, ssrc))
}

/// Whether a payload of the codec numbered `kind` can be so long: frames of 10 to 60 ms.
fn fits(kind: u8, len: usize) -> bool {
    match kind {
        // G.711 and G.722: 80 bytes in 10 ms.
        0 | 8 | 9 => matches!(len, 80 | 160 | 240 | 320 | 480),
        // GSM: 33 bytes in 20 ms; G.723: 24 or 20 in 30 ms; G.729: 10 in 10 ms.
        3 => matches!(len, 33 | 66 | 99),
        4 => matches!(len, 20 | 24 | 40 | 48),
        18 => matches!(len, 10 | 20 | 30 | 40 | 50 | 60),
        _ => false,
    }
}

impl Protocol for Rtp {
    const NAME: &'static str = "rtp";
    const PORTS: &'static [Port] = &[];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let Some((_, ssrc)) = header(start) else {
            return Probe::NotMine;
        };
        match start {
            [0x80, kind, ..]
                if ssrc != 0 && fits(kind & 0x7f, start.len().saturating_sub(HEADER_LEN)) =>
            {
                Probe::Certain
            }
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, _out: &mut Out<'_>) -> Parse {
        let used = input.data.len();
        let Some((sequence, ssrc)) = header(input.data) else {
            // A keep-alive, or what shares the port (RFC 7983).
            return Parse::Parsed { used };
        };
        let source = match input.dir {
            Dir::Orig => &mut self.orig,
            Dir::Resp => &mut self.resp,
        };
        let Some(known) = source else {
            *source = Some(Source {
                ssrc,
                sequence,
                agreed: 1,
            });
            return Parse::Parsed { used };
        };
        let ahead = sequence.wrapping_sub(known.sequence);
        if known.ssrc != ssrc || ahead > LOST_MAX {
            return Parse::Broken("rtp_inconsistent");
        }
        known.sequence = sequence;
        known.agreed = known.agreed.saturating_add(1);
        if known.agreed >= AGREE_MIN {
            return Parse::Skip;
        }
        Parse::Parsed { used }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{datagrams, endures};
    use super::*;

    /// Version 2, this codec, sequence and source; so many bytes of silence.
    fn packet(kind: u8, sequence: u16, ssrc: u32, len: usize) -> Vec<u8> {
        let [q0, q1] = sequence.to_be_bytes();
        let head = [0x80, kind, q0, q1, 0, 0, 0, 160];
        [&head[..], &ssrc.to_be_bytes(), &vec![0xd5; len]].concat()
    }

    fn end(packets: &[Vec<u8>]) -> Option<Parse> {
        let pieces: Vec<(Dir, &[u8])> = packets.iter().map(|p| (Dir::Orig, &p[..])).collect();
        datagrams::<Rtp>(40_000, &pieces).end.map(|(end, _)| end)
    }

    #[test]
    fn a_codec_is_known_by_its_number_and_its_length() {
        let probe = |data: &[u8]| Rtp::probe(data, Dir::Orig);
        assert_eq!(probe(&packet(0x80 | 8, 7, 9, 160)), Probe::Certain);
        assert_eq!(probe(&packet(18, 7, 9, 20)), Probe::Certain);
        assert_eq!(probe(&packet(8, 7, 9, 161)), Probe::NotMine);
        assert_eq!(probe(&packet(99, 7, 9, 160)), Probe::NotMine);
        assert_eq!(probe(&packet(0, 7, 0, 160)), Probe::NotMine);
        let mut extended = packet(0, 7, 9, 160);
        extended[0] = 0x90;
        assert_eq!(probe(&extended), Probe::NotMine);
    }

    #[test]
    fn what_follows_must_go_on() {
        let first = packet(0, u16::MAX, 9, 160);
        // Around the end of the numbers, one lost, another kind of payload.
        let good = [first.clone(), packet(0, 1, 9, 160), packet(101, 2, 9, 4)];
        assert_eq!(end(&good), Some(Parse::Skip));
        let broken = Some(Parse::Broken("rtp_inconsistent"));
        assert_eq!(end(&[first.clone(), packet(0, 0, 8, 160)]), broken);
        assert_eq!(end(&[first.clone(), packet(0, 9_000, 9, 160)]), broken);
        assert_eq!(end(&[first.clone(), b"\0\0\0\0".to_vec()]), None);
        endures::<Rtp>(&[(Dir::Orig, &first), (Dir::Resp, &good[1])], true);
    }
}
