//! RTCP: how a call's media fare, named by its content.
//!
//! Standard: RFC 3550 §6.1 (compound packets) and §6.4 to §6.7.
//! Input:    UDP datagrams, any port.
//! Output:   the service of the flow.
//! Not done: reports alone (RFC 5506), SRTCP, what the reports say.

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};

/// Reports of a sender and of a receiver: one of them begins each datagram.
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
/// The last type there is a use for (RFC 3611).
const LAST: u8 = 207;
/// Packets in a datagram.
const PACKETS_MAX: usize = 16;

/// Parser of one flow: there is nothing more to learn.
#[derive(Debug, Default)]
pub struct Rtcp;

/// Type of the packet that `data` begins with, and what follows it.
fn packet(data: &[u8]) -> Option<(u8, &[u8])> {
    let &[first, kind, l0, l1] = data.first_chunk()?;
    // In words, less one.
    let len = usize::from(u16::from_be_bytes([l0, l1]))
        .saturating_add(1)
        .saturating_mul(4);
    let rest = data.get(len..)?;
    (first >> 6 == 2 && (SENDER_REPORT..=LAST).contains(&kind)).then_some((kind, rest))
}

impl Protocol for Rtcp {
    const NAME: &'static str = "rtcp";
    const PORTS: &'static [Port] = &[];
    const OVER: Over = Over::Datagrams;

    /// A report and at least one packet behind it, that end with the datagram.
    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let Some((SENDER_REPORT | RECEIVER_REPORT, mut rest)) = packet(start) else {
            return Probe::NotMine;
        };
        for _ in 1..PACKETS_MAX {
            let Some((_, behind)) = packet(rest) else {
                return Probe::NotMine;
            };
            if behind.is_empty() {
                return Probe::Certain;
            }
            rest = behind;
        }
        Probe::NotMine
    }

    fn parse(&mut self, _input: Input<'_>, _out: &mut Out<'_>) -> Parse {
        Parse::Skip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_and_who_sends_it() {
        // RFC 3550 §6.4.2 and §6.5: a receiver without reports; its name "a@pc".
        let compound = b"\x80\xc9\0\x01\0\0\0\x07\x81\xca\0\x03\0\0\0\x07\x01\x04a@pc\0\0";
        let probe = |data: &[u8]| Rtcp::probe(data, Dir::Orig);
        assert_eq!(probe(compound), Probe::Certain);
        for cut in 0..compound.len() {
            assert_eq!(probe(&compound[..cut]), Probe::NotMine);
        }
        assert_eq!(probe(&[&compound[..], b"\0"].concat()), Probe::NotMine);
        assert_eq!(probe(&compound[8..]), Probe::NotMine);
        // Words of no length that go on for ever.
        assert_eq!(probe(&b"\x80\xc9\0\0".repeat(99)), Probe::NotMine);
    }
}
