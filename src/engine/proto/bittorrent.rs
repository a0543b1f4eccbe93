//! BitTorrent: that a device shares files with peers.
//!
//! Standard: BEP 3 (peer wire), BEP 5 (distributed hash table).
//! Input:    TCP streams that begin with the handshake; UDP datagrams of the hash table.
//! Output:   the service of the flow.
//! Not done: uTP (BEP 29), and peers that hide the handshake.

use super::{Dir, Input, Out, Parse, Port, Probe, Protocol};

/// Length of the name, and the name.
const HANDSHAKE: &[u8] = b"\x13BitTorrent protocol";
/// Beginnings of a question and of an answer: a dictionary whose first entry has a node's id.
const TABLE: [&[u8]; 3] = [b"d1:ad2:id20:", b"d1:rd2:id20:", b"d2:ip6:"];

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Bittorrent;

impl Protocol for Bittorrent {
    const NAME: &'static str = "bittorrent";
    const PORTS: &'static [Port] = &[Port::Tcp(6881), Port::Udp(6881)];

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        if start.starts_with(HANDSHAKE) || TABLE.iter().any(|begin| start.starts_with(begin)) {
            Probe::Certain
        } else if HANDSHAKE.starts_with(start) {
            Probe::Unsure
        } else {
            Probe::NotMine
        }
    }

    fn parse(&mut self, _input: Input<'_>, _out: &mut Out<'_>) -> Parse {
        Parse::Skip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_and_the_hash_table() {
        assert_eq!(
            Bittorrent::probe(b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x05", Dir::Orig),
            Probe::Certain
        );
        assert_eq!(Bittorrent::probe(b"\x13BitT", Dir::Orig), Probe::Unsure);
        // BEP 5's own example of a ping.
        let ping = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
        assert_eq!(Bittorrent::probe(ping, Dir::Orig), Probe::Certain);
        assert_eq!(Bittorrent::probe(b"d8:announce", Dir::Orig), Probe::NotMine);
    }
}
