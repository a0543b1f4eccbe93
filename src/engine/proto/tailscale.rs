//! Tailscale: peers that look for a way to each other before WireGuard begins.
//!
//! Source: Tailscale's description of its discovery messages: six bytes of mark, a public key of 32, a nonce of 24,
//!         and what is sealed, with its code of 16.
//! Input:  UDP datagrams, any port; WireGuard goes over the same flow.
//! Output: the service of the flow.

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};

/// `TS` and a speech balloon.
const MARK: &[u8] = b"TS\xf0\x9f\x92\xac";
/// Mark, key, nonce and code, around at least two bytes.
const LEN_MIN: usize = 6 + 32 + 24 + 16 + 2;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Tailscale;

impl Protocol for Tailscale {
    const NAME: &'static str = "tailscale";
    const PORTS: &'static [Port] = &[Port::Udp(41_641)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        if start.starts_with(MARK) && start.len() >= LEN_MIN {
            Probe::Certain
        } else {
            Probe::NotMine
        }
    }

    fn parse(&mut self, input: Input<'_>, _out: &mut Out<'_>) -> Parse {
        if input.datagram {
            Parse::Skip
        } else {
            Parse::Broken("tailscale_over_stream")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::unhex;
    use super::*;

    /// The first message of the shared capture `zeek-spicy-wireguard_tailscale_linux`, sealed part as zeroes.
    #[test]
    fn a_ping_and_nothing_else() {
        let key = "b6847dd212ae777bfae214b36d0d971152f0c7e0524e0c28b0a0105b5fa61617";
        let mut ping = [MARK, &unhex(key), &[0; 54]].concat();
        assert_eq!(
            (ping.len(), Tailscale::probe(&ping, Dir::Orig)),
            (92, Probe::Certain)
        );
        ping.truncate(LEN_MIN - 1);
        assert_eq!(Tailscale::probe(&ping, Dir::Orig), Probe::NotMine);
        assert_eq!(Tailscale::probe(&[b'T'; 100], Dir::Orig), Probe::NotMine);
    }
}
