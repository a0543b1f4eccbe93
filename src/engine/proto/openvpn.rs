//! OpenVPN: that a tunnel is set up.
//!
//! Source: OpenVPN's wire protocol: an operation in five bits and a key number in three, a session id of
//!         eight bytes, then what authenticates, then a packet id.
//! Input:  UDP datagrams; TCP, where each packet stands behind its length in two bytes.
//! Output: the service of the flow.
//! Bounds: only the resets that begin a session are looked at.
//! Not done: tls-crypt-v2, whose first byte is a letter `P` and whose length is anything.

use super::{Dir, Input, Out, Parse, Port, Probe, Protocol};

/// Resets of client and server, version 2; key number 0.
const CLIENT_RESET: u8 = 7 << 3;
const SERVER_RESET: u8 = 8 << 3;
/// A client's reset without authentication: operation, session, no acknowledgements, packet id 0.
const PLAIN_LEN: usize = 14;
/// What `tls-auth` and `tls-crypt` make of it, by their hash.
const SEALED_LENS: [usize; 4] = [42, 54, 74, 86];

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Openvpn;

impl Protocol for Openvpn {
    const NAME: &'static str = "openvpn";
    const PORTS: &'static [Port] = &[
        Port::Udp(1194),
        Port::Tcp(1194),
        Port::Udp(443),
        Port::Tcp(443),
    ];

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match *start {
            [CLIENT_RESET | SERVER_RESET] => Probe::Unsure,
            [CLIENT_RESET | SERVER_RESET, ..] => packet(start),
            // A packet of TCP comes alone: nobody goes on before the other has answered.
            [0] => Probe::Unsure,
            [0, low] if is_len(usize::from(low)) => Probe::Unsure,
            [0, low, CLIENT_RESET | SERVER_RESET, ..] => {
                let len = usize::from(low);
                match start.get(2..) {
                    Some(rest) if rest.len() == len => packet(rest),
                    Some(rest) if rest.len() < len && is_len(len) => Probe::Unsure,
                    _ => Probe::NotMine,
                }
            }
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, _out: &mut Out<'_>) -> Parse {
        // Of a stream a beginning may have been enough.
        if input.datagram && packet(input.data) == Probe::NotMine {
            return Parse::Broken("openvpn_no_reset");
        }
        Parse::Skip
    }
}

/// Whether a reset can be as long.
fn is_len(len: usize) -> bool {
    len == PLAIN_LEN || SEALED_LENS.contains(&len)
}

fn packet(packet: &[u8]) -> Probe {
    let [kind, session @ ..] = packet else {
        return Probe::NotMine;
    };
    let has_session = session.get(..8).is_some_and(|id| id != [0; 8]);
    if !has_session {
        return Probe::NotMine;
    }
    let is_plain = packet.len() == PLAIN_LEN && session.get(8..) == Some(&[0; 5]);
    if is_plain && *kind == CLIENT_RESET {
        Probe::Certain
    } else if SEALED_LENS.contains(&packet.len()) {
        Probe::Unsure
    } else {
        Probe::NotMine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_by_their_form() {
        let plain = [0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0];
        assert_eq!(Openvpn::probe(&plain, Dir::Orig), Probe::Certain);
        let tcp = [&[0, 14][..], &plain].concat();
        assert_eq!(Openvpn::probe(&tcp, Dir::Orig), Probe::Certain);
        assert_eq!(Openvpn::probe(&tcp[..10], Dir::Orig), Probe::Unsure);
        let longer = [&tcp[..], &[0]].concat();
        assert_eq!(Openvpn::probe(&longer, Dir::Orig), Probe::NotMine);
        let sealed = [&plain[..9], &[0xaa; 33]].concat();
        assert_eq!(Openvpn::probe(&sealed, Dir::Orig), Probe::Unsure);
        let other = [&plain[..9], &[0xaa; 5]].concat();
        assert_eq!(Openvpn::probe(&other, Dir::Orig), Probe::NotMine);
        let nobody = [0x38, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Openvpn::probe(&nobody, Dir::Orig), Probe::NotMine);
        assert_eq!(Openvpn::probe(b"8 text", Dir::Orig), Probe::NotMine);
        let proxied = b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\n";
        assert_eq!(Openvpn::probe(proxied, Dir::Orig), Probe::NotMine);
    }
}
