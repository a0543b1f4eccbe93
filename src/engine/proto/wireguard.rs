//! WireGuard: that a tunnel is set up, which is all that can be seen of it.
//!
//! Source: the protocol's own description: a type, three zeroes, and messages of fixed length up to the data.
//! Input:  UDP datagrams, any port; Tailscale speaks the same.
//! Output: the service of the flow.

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};

const INITIATION: (u8, usize) = (1, 148);
const RESPONSE: (u8, usize) = (2, 92);
const COOKIE: (u8, usize) = (3, 64);
/// Data: type, receiver, counter, then blocks of 16 bytes and a tag of 16.
const DATA: u8 = 4;
const DATA_LEN_MIN: usize = 32;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Wireguard;

impl Protocol for Wireguard {
    const NAME: &'static str = "wireguard";
    const PORTS: &'static [Port] = &[Port::Udp(51_820), Port::Udp(41_641)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let [kind, 0, 0, 0, ..] = *start else {
            return Probe::NotMine;
        };
        let len = start.len();
        if [INITIATION, RESPONSE, COOKIE].contains(&(kind, len)) {
            return Probe::Certain;
        }
        // The counter has eight bytes, of which the upper four are never used up.
        let is_counter = start.get(12..16) == Some(&[0; 4]);
        if kind == DATA && is_counter && len >= DATA_LEN_MIN && len.is_multiple_of(16) {
            return Probe::Unsure;
        }
        Probe::NotMine
    }

    fn parse(&mut self, input: Input<'_>, _out: &mut Out<'_>) -> Parse {
        if input.datagram {
            Parse::Skip
        } else {
            Parse::Broken("wireguard_over_stream")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_by_type_and_length() {
        let message = |kind: u8, len: usize| {
            let mut bytes = vec![0; len];
            (bytes[0], bytes[4], bytes[8]) = (kind, 0x15, 0x13);
            Wireguard::probe(&bytes, Dir::Orig)
        };
        assert_eq!(message(1, 148), Probe::Certain);
        assert_eq!(message(2, 92), Probe::Certain);
        assert_eq!(message(3, 64), Probe::Certain);
        assert_eq!(message(4, 96), Probe::Unsure);
        assert_eq!(message(4, 97), Probe::NotMine);
        assert_eq!(message(1, 147), Probe::NotMine);
        assert_eq!(Wireguard::probe(&[1, 0, 0], Dir::Orig), Probe::NotMine);
        assert_eq!(
            Wireguard::probe(&[1, 0, 0, 1, 0], Dir::Orig),
            Probe::NotMine
        );
    }
}
