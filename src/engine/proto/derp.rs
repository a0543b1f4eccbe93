//! DERP: Tailscale's relays, by which peers speak that find no way to each other.
//!
//! Source: the makers' published description of the protocol: frames of a kind in one byte and a length in four; the
//!         server begins with its key, behind a mark. Before that comes a request in HTTP to upgrade to `DERP`, whose
//!         answer may be left out.
//! Input:  TCP streams in clear, as behind somebody's own relay; any port.
//! Output: the service of the flow.
//! Not done: what is in TLS, as nearly all of it is: see `ssl`, and the names of the relays in the catalogue.

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};

/// Kind of the frame with the server's key, and the shortest: mark and key; later versions may add to it.
const SERVER_KEY: u8 = 1;
const SERVER_KEY_LEN_MIN: u8 = 8 + 32;
/// `DERP` and a key.
const MARK: &[u8] = b"DERP\xf0\x9f\x94\x91";
const HEADER_LEN: usize = 5;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Derp;

/// Whether a server begins so.
pub(super) fn begins(start: &[u8]) -> bool {
    match start.split_first_chunk::<HEADER_LEN>() {
        Some(([SERVER_KEY, 0, 0, 0, (SERVER_KEY_LEN_MIN..)], rest)) => rest.starts_with(MARK),
        _ => false,
    }
}

impl Protocol for Derp {
    const NAME: &'static str = "derp";
    const PORTS: &'static [Port] = &[Port::Tcp(3340)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], dir: Dir) -> Probe {
        if dir == Dir::Resp && begins(start) {
            return Probe::Certain;
        }
        let head = start.get(..HEADER_LEN).unwrap_or(start);
        let known = [SERVER_KEY, 0, 0, 0];
        let may_be = known.starts_with(head.get(..4).unwrap_or(head))
            && head.get(4).is_none_or(|len| *len >= SERVER_KEY_LEN_MIN)
            && MARK.starts_with(start.get(HEADER_LEN..).unwrap_or_default());
        if dir == Dir::Resp && may_be {
            Probe::Unsure
        } else {
            Probe::NotMine
        }
    }

    fn parse(&mut self, input: Input<'_>, _out: &mut Out<'_>) -> Parse {
        if input.datagram {
            Parse::Broken("derp_datagram")
        } else {
            Parse::Skip
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Talk;
    use super::super::testing::grows;
    use super::*;
    use crate::proto::Kind;

    /// The server's first frame, its key as zeroes.
    fn server_key() -> Vec<u8> {
        [&b"\x01\0\0\0\x28"[..], MARK, &[0; 32]].concat()
    }

    #[test]
    fn a_server_begins_with_its_key() {
        assert_eq!(Derp::probe(&server_key(), Dir::Resp), Probe::Certain);
        grows::<Derp>(&server_key(), Dir::Resp);
        for (start, dir) in [
            (&server_key()[..], Dir::Orig),
            (b"\x01\0\0\0\x27DERP\xf0\x9f\x94\x91", Dir::Resp),
            (b"\x01\0\0\0\x28DERP\xf0\x9f\x94\x92", Dir::Resp),
            (b"\x02\0\0\0\x28", Dir::Resp),
        ] {
            assert_eq!(
                Derp::probe(start, dir),
                Probe::NotMine,
                "{}",
                start.escape_ascii()
            );
        }
    }

    /// With an answer in HTTP and without one (`Derp-Fast-Start`).
    #[test]
    fn it_takes_over_from_http() {
        let ask = b"GET /derp HTTP/1.1\r\nHost: derp.example\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n";
        let agreed =
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n";
        let together = [&agreed[..], &server_key()].concat();
        for answers in [
            vec![server_key()],
            vec![agreed.to_vec(), server_key()],
            vec![together],
        ] {
            let mut talk = Talk::new(Kind::Http, false);
            talk.hear(Dir::Orig, 0, ask);
            for answer in &answers {
                talk.hear(Dir::Resp, 0, answer);
            }
            assert_eq!(talk.kind(), Some(Kind::Derp));
            talk.finish();
            let told = super::super::testing::lines(&talk.told());
            assert!(
                told.iter().any(|line| line.starts_with("http ")),
                "{told:?}"
            );
        }
    }
}
