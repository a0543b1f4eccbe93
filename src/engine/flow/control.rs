//! SYN, FIN and RST: which of them count, and which of them leave open whether their receiver took them.
//!
//! Standard: RFC 9293; RFC 5961 §3 (a RST counts only where its receiver is); RFC 7413 (data on a SYN).
//! Policy:   of several SYNs the one that is answered counts. A RST or FIN closes the flow for the record;
//!           where its receiver may have dropped it, for its place, TTL, acknowledgement or signature, the
//!           flow is kept as long as one met in its middle, so that what follows is still read.

use super::state::{Tcp as State, bit};
use super::tcp::ahead;
use super::{Checksum, Dir, Flow, Weirds};
use crate::decode::{Ip, Tcp, flag, is_signed};

/// Farthest a RST or FIN may lie from what is expected to be believed.
const AWAY_MAX: u32 = 1 << 20;
/// Least difference of TTL that is told. A route that changes by one hop makes a smaller one.
const TTL_JUMP_MIN: u8 = 2;

impl<A> Flow<A> {
    /// Looks at a SYN, FIN or RST before it counts. Gives its checksum: for one that is forged its receiver
    /// will drop it.
    pub fn judge(&mut self, dir: Dir, ip: &Ip<'_>, tcp: &Tcp<'_>) -> Checksum {
        let checksum = self.checksum(dir, ip);
        if checksum == Checksum::Forged {
            return checksum;
        }
        let signed = is_signed(ip.payload);
        if tcp.has(flag::SYN) && signed {
            self.flags |= bit::SIGNED;
        }
        if !tcp.has(flag::RST | flag::FIN) {
            return checksum;
        }
        if signed && self.is(bit::FROM_START) && !self.is(bit::SIGNED) {
            self.doubt(Weirds::UNEXPECTED_SIGNATURE);
        }
        let known = self.side(dir).ttl;
        // One that is higher comes as far as the others did.
        let jump = known.saturating_sub(ip.ttl());
        if jump != 0 {
            self.doubt(match tcp.has(flag::RST) {
                _ if jump < TTL_JUMP_MIN => Weirds::NONE,
                true => Weirds::RST_TTL_JUMP,
                false => Weirds::FIN_TTL_JUMP,
            });
        }
        if tcp.has(flag::RST) && !tcp.payload.is_empty() {
            self.note(Weirds::RST_WITH_DATA);
        }
        checksum
    }

    /// Notes the TTL of a segment.
    #[inline]
    pub fn note_ttl(&mut self, dir: Dir, ip: &Ip<'_>) {
        let known = &mut self.side_mut(dir).ttl;
        // The highest: what does not come far enough to be believed has a lower one.
        *known = (*known).max(ip.ttl());
    }

    /// Notes an oddity of a RST or FIN that its receiver may not have believed.
    fn doubt(&mut self, weird: Weirds) {
        self.flags |= bit::DOUBTED;
        self.note(weird);
    }

    /// History, sequence start and oddities of a segment with SYN, FIN or RST. False if it is a SYN that
    /// changes nothing.
    pub(super) fn control(&mut self, dir: Dir, tcp: &Tcp<'_>, start: u32, len: u32) -> bool {
        let (syn, fin, rst) = (tcp.has(flag::SYN), tcp.has(flag::FIN), tcp.has(flag::RST));
        let known = self.side(dir).seen & bit::SEQ != 0;
        let (seen, letter) = match (syn, fin, rst) {
            (false, true, true) => (bit::MULTI, b'I'),
            (true, true, _) | (true, _, true) => (bit::MULTI, b'Q'),
            (true, ..) if tcp.has(flag::ACK) => (bit::SYN, b'H'),
            (true, ..) => (bit::SYN, b'S'),
            (_, true, _) => (bit::FIN, b'F'),
            _ => (bit::RST, b'R'),
        };
        let again = letter == b'S' && known && self.first_seq(dir) != start;
        let side = self.side_mut(dir);
        if side.seen & seen == 0 || again {
            side.seen |= seen;
            self.history.push(dir, letter);
        }
        if (syn || fin) && rst {
            self.note(Weirds::CHRISTMAS);
        } else if syn && fin {
            self.note(Weirds::BAROQUE_SYN);
        } else if syn {
            return self.syn(dir, tcp, start, len);
        } else if fin && known {
            self.fin(dir, start, len);
        }
        true
    }

    /// Where a SYN puts the start of its stream. False if it changes nothing.
    fn syn(&mut self, dir: Dir, tcp: &Tcp<'_>, start: u32, len: u32) -> bool {
        let peer = self.side(dir.other()).state;
        let answers = tcp.has(flag::ACK);
        if !answers && peer == State::SynSent {
            self.note(Weirds::SIMULTANEOUS_OPEN);
        }
        if len > 0 {
            self.note(Weirds::SYN_WITH_DATA);
        }
        let side = self.side(dir);
        if side.seen & bit::SEQ != 0 && self.first_seq(dir) != start {
            let unanswered = matches!(peer, State::Inactive | State::SynSent | State::Reset);
            let follows = side.payload == 0
                && match side.state {
                    State::SynSent | State::SynAckSent | State::Reset => unanswered,
                    // A bare ACK before the SYN: a handshake split in two.
                    State::Partial => peer == State::SynSent,
                    // Another SYN-ACK; what the originator acknowledges will tell which counts.
                    State::Established => answers && !self.is(bit::ESTABLISHED),
                    State::Inactive | State::Closed => false,
                };
            if !follows {
                self.note(Weirds::SYN_INSIDE_CONNECTION);
                return false;
            }
            if side.state != State::Partial {
                self.note(Weirds::SYN_SEQ_JUMP);
            }
            self.side_mut(dir).next = start;
        }
        if answers && peer == State::SynSent {
            self.syn_answered(dir.other(), start, tcp.ack);
        }
        true
    }

    /// The SYN of `dir` is answered by one whose stream starts at `peer_start`, with `ack`.
    fn syn_answered(&mut self, dir: Dir, peer_start: u32, ack: u32) {
        let first = self.first_seq(dir);
        let (jumped, peer_acked) = (
            self.weirds().has(Weirds::SYN_SEQ_JUMP),
            self.acked(dir.other()),
        );
        let side = self.side_mut(dir);
        let (payload, next) = (side.payload, side.next);
        if payload == 0 && ack != next {
            if jumped {
                side.next = ack;
            } else {
                self.note(Weirds::BAD_SYN_ACK);
            }
        }
        // Data that acknowledges this very SYN was overtaken by it, not sent before it.
        let overtaken = peer_acked == Some(peer_start);
        if payload > 0 && ack == first && !overtaken {
            self.note(Weirds::DATA_BEFORE_ESTABLISHED);
        }
    }

    /// The originator's first acknowledgement says which of two SYN-ACKs it took.
    pub(super) fn choose_answer(&mut self, ack: u32) {
        if self.resp.payload == 0 && self.weirds().has(Weirds::SYN_SEQ_JUMP) {
            self.resp.next = ack;
        }
    }

    /// A FIN behind `len` bytes at `start`.
    fn fin(&mut self, dir: Dir, start: u32, len: u32) {
        let end = start.wrapping_add(len);
        match ahead(self.side(dir).next, end) {
            Some(distance) if distance <= AWAY_MAX => {
                if start == self.side(dir).next {
                    self.flags |= fin_in_order(dir);
                }
            }
            _ => self.doubt(Weirds::INAPPROPRIATE_FIN),
        }
    }

    /// Whether a RST of `dir` is believed.
    pub(super) fn believes_reset(&mut self, dir: Dir, tcp: &Tcp<'_>) -> bool {
        let peer = self.side(dir.other());
        let (peer_known, peer_next) = (peer.seen & bit::SEQ != 0, peer.next);
        let side = self.side(dir);
        let (state, known) = (side.state, side.seen & bit::SEQ != 0);
        if peer_known && tcp.has(flag::ACK) {
            // What lies beyond may be a FIN.
            let beyond = ahead(peer_next, tcp.ack).is_some_and(|n| n > 1);
            let refuses = state == State::Inactive && tcp.ack.wrapping_sub(peer_next) > 1;
            if beyond || refuses {
                self.doubt(Weirds::BAD_RST_ACK);
            }
        }
        if !known {
            return true;
        }
        let next = self.side(dir).next;
        let away = next.wrapping_sub(tcp.seq).min(tcp.seq.wrapping_sub(next));
        if away > AWAY_MAX {
            self.note(Weirds::RST_OUT_OF_WINDOW);
            return false;
        }
        // Behind a FIN it lies one ahead.
        if tcp.seq.wrapping_sub(next) > 1 {
            self.doubt(Weirds::NONE);
        }
        true
    }

    /// Data at `start` of a side that has closed or reset the connection.
    pub(super) fn data_after_end(&mut self, dir: Dir, start: u32, len: u32) {
        let side = self.side(dir);
        let new = ahead(side.next, start.wrapping_add(len)).is_some_and(|n| n > 0);
        if !new {
            return;
        }
        if side.state == State::Reset {
            self.doubt(Weirds::DATA_AFTER_RESET);
        } else if self.flags & fin_in_order(dir) != 0 {
            self.doubt(Weirds::DATA_AFTER_FIN);
        }
    }
}

/// The bit of [`Flow::flags`] that says `dir` has sent a FIN in order.
fn fin_in_order(dir: Dir) -> u32 {
    match dir {
        Dir::Orig => bit::FIN_IN_ORDER,
        Dir::Resp => bit::FIN_IN_ORDER << 1,
    }
}
