//! RustDesk: a device that can be looked at from elsewhere, as it registers with the server that lets others find it.
//!
//! Source: the makers' `rendezvous.proto`: `RendezvousMessage` with `register_peer` as its field 6, that with `id` as 1
//!         and `serial` as 2; one message a datagram, in the coding of protocol buffers. Every client sends it again and
//!         again for as long as it runs.
//! Input:  UDP datagrams, port 21116.
//! Output: the service of the flow.
//! Not done: TCP, where sign-ins and calls are sealed by a key exchange; direct talks of two clients.

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};

/// Fields with their kinds: number shifted by three, 2 for bytes with a length, 0 for a number.
const REGISTER_PEER: u8 = 6 << 3 | 2;
const ID: u8 = 1 << 3 | 2;
const SERIAL: u8 = 2 << 3;
/// Shortest and longest name of a device.
const ID_LEN: std::ops::RangeInclusive<usize> = 6..=32;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Rustdesk;

/// Whether a datagram is a registration and nothing else.
fn is_registration(data: &[u8]) -> bool {
    let body = |data: &[u8]| -> Option<bool> {
        let &[REGISTER_PEER, len, ID, id_len, ..] = data.first_chunk::<4>()? else {
            return None;
        };
        let (id, rest) = data.get(4..)?.split_at_checked(usize::from(id_len))?;
        // A number in sevens of bits, all but the last byte with the highest one; not sent if it is zero.
        let serial = match rest {
            [] => true,
            [SERIAL, digits @ .., last] => {
                digits.len() < 5 && last & 0x80 == 0 && digits.iter().all(|byte| byte & 0x80 != 0)
            }
            _ => false,
        };
        let is_id = ID_LEN.contains(&id.len())
            && id
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte));
        Some(serial && is_id && usize::from(len) == data.len().saturating_sub(2))
    };
    body(data).unwrap_or(false)
}

impl Protocol for Rustdesk {
    const NAME: &'static str = "rustdesk";
    const PORTS: &'static [Port] = &[Port::Udp(21_116)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        // On its port alone: others have messages of this form, too.
        if is_registration(start) {
            Probe::Unsure
        } else {
            Probe::NotMine
        }
    }

    fn parse(&mut self, input: Input<'_>, _out: &mut Out<'_>) -> Parse {
        if input.datagram {
            Parse::Skip
        } else {
            Parse::Broken("rustdesk_over_stream")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Coded by hand after the makers' description; a serial of 0 is left out, one of 300 takes two bytes.
    #[test]
    fn a_registration_and_nothing_else() {
        for mine in [
            &b"\x32\x0b\x0a\x09123456789"[..],
            b"\x32\x0d\x0a\x09123456789\x10\x01",
            b"\x32\x0e\x0a\x09123456789\x10\xac\x02",
        ] {
            assert_eq!(
                Rustdesk::probe(mine, Dir::Orig),
                Probe::Unsure,
                "{}",
                mine.escape_ascii()
            );
        }
        for other in [
            &b""[..],
            b"\x32\x0b\x0a\x09",
            b"\x32\x0c\x0a\x09123456789",
            b"\x32\x0b\x0a\x0912345678\0",
            b"\x32\x07\x0a\x0512345",
            b"\x32\x0d\x0a\x09123456789\x10\x81",
            b"\x32\x0d\x0a\x09123456789\x18\x01",
            b"\x3a\x0b\x0a\x09123456789",
        ] {
            assert_eq!(
                Rustdesk::probe(other, Dir::Orig),
                Probe::NotMine,
                "{}",
                other.escape_ascii()
            );
        }
    }
}
