//! IKE: that IPsec is negotiated.
//!
//! Standard: RFC 7296 §3.1 (version 2), RFC 2408 §3.1 (version 1): the same header; RFC 3948 §2.2: on port
//!           4500 four zeroes stand before it.
//! Input:    UDP datagrams, any port.
//! Output:   the service of the flow.

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};

/// SPIs of both sides, next payload, version, exchange, flags, message id, length.
const HEADER_LEN: usize = 28;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Ike;

impl Protocol for Ike {
    const NAME: &'static str = "ike";
    const PORTS: &'static [Port] = &[Port::Udp(500), Port::Udp(4500)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let message = match start {
            [0, 0, 0, 0, rest @ ..] => rest,
            _ => start,
        };
        if is_message(message) {
            Probe::Certain
        } else {
            Probe::NotMine
        }
    }

    fn parse(&mut self, input: Input<'_>, _out: &mut Out<'_>) -> Parse {
        if input.datagram {
            Parse::Skip
        } else {
            Parse::Broken("ike_over_stream")
        }
    }
}

/// Whether a header's parts fit together and its length is the datagram's.
fn is_message(message: &[u8]) -> bool {
    let Some((header, _)) = message.split_first_chunk::<HEADER_LEN>() else {
        return false;
    };
    let [
        s0,
        s1,
        s2,
        s3,
        s4,
        s5,
        s6,
        s7,
        ..,
        version,
        exchange,
        _,
        _,
        _,
        _,
        _,
        l0,
        l1,
        l2,
        l3,
    ] = *header;
    let len = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).ok();
    let is_exchange = match version {
        0x10 => matches!(exchange, 1..=6 | 32..=33),
        0x20 => matches!(exchange, 34..=43),
        _ => false,
    };
    is_exchange && len == Some(message.len()) && [s0, s1, s2, s3, s4, s5, s6, s7] != [0; 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SA_INIT of version 2 with an empty body; on port 4500 behind four zeroes.
    #[test]
    fn headers_whose_length_is_the_datagrams() {
        let mut message = vec![9; 8];
        message.extend([0; 8]); // nobody has answered yet
        message.extend([33, 0x20, 34, 0x08, 0, 0, 0, 0, 0, 0, 0, 28]);
        assert_eq!(Ike::probe(&message, Dir::Orig), Probe::Certain);
        let encapsulated = [&[0; 4][..], &message].concat();
        assert_eq!(Ike::probe(&encapsulated, Dir::Orig), Probe::Certain);
        message[17] = 0x10;
        assert_eq!(
            Ike::probe(&message, Dir::Orig),
            Probe::NotMine,
            "no such exchange"
        );
        message[18] = 2;
        assert_eq!(Ike::probe(&message, Dir::Orig), Probe::Certain, "main mode");
        message.push(0);
        assert_eq!(
            Ike::probe(&message, Dir::Orig),
            Probe::NotMine,
            "longer than it says"
        );
        for end in 0..28 {
            assert_eq!(Ike::probe(&encapsulated[..end], Dir::Orig), Probe::NotMine);
        }
    }
}
