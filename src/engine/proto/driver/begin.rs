//! Where a parser begins: with the stream, in its middle, or behind another parser.
//!
//! Bounds: see `sense`.

use super::super::sense::{
    LATER_PIECES_MAX, SENSED_BYTES_MAX, SENSED_PIECES_MAX, Sensed, begins, may_begin, sense,
};
use super::super::{Dir, Kind, Probe};
use super::{Call, Lane, Mouth, State, len64, rest};

impl Mouth {
    /// Adds bytes to the start of a direction and looks at it.
    pub(super) fn sense(&mut self, dir: Dir, gap: u64, bytes: &[u8], call: &mut Call<'_>) {
        self.first.get_or_insert(dir);
        let lane = self.lane(dir);
        if lane.unknown {
            if lane.pieces < LATER_PIECES_MAX {
                lane.pieces = lane.pieces.saturating_add(1);
                if !self.start_later(dir, bytes, call) && may_begin(bytes, dir) {
                    let lane = self.lane(dir);
                    (lane.unknown, lane.want) = (false, 0);
                    lane.buffer = bytes.to_vec();
                }
            }
            return;
        }
        if gap > 0 {
            // A start with a hole in it says nothing; what follows the hole may.
            lane.gap = lane
                .gap
                .saturating_add(gap)
                .saturating_add(len64(&lane.buffer));
            lane.buffer.clear();
        }
        if bytes.is_empty() {
            return;
        }
        lane.pieces = lane.pieces.saturating_add(1);
        lane.buffer.extend_from_slice(bytes);
        if lane.buffer.len() < lane.want {
            self.start_later(dir, bytes, call);
            return;
        }
        // Who sends a byte at a time is not looked at each time: so the work stays in proportion.
        if lane.pieces >= SENSED_PIECES_MAX {
            lane.want = lane.buffer.len().saturating_add(lane.buffer.len() / 8);
        }
        match sense(&lane.buffer, dir, call.flow) {
            Sensed::Found(kind) => {
                (self.orig.want, self.resp.want) = (0, 0);
                self.start(kind);
                let first = self.first.unwrap_or(dir);
                self.parse(first, 0, &[], call);
                self.parse(first.other(), 0, &[], call);
            }
            _ if self.start_later(dir, bytes, call) => {}
            sensed => {
                let lane = self.lane(dir);
                let is_short = lane.buffer.len() < SENSED_BYTES_MAX;
                if sensed == Sensed::Unsure && is_short {
                    return;
                }
                lane.unknown = true;
                lane.buffer = Vec::new();
                if self.orig.unknown && self.resp.unknown {
                    self.state = State::Done;
                }
            }
        }
    }

    /// Starts a parser with a piece that begins a protocol, whatever went before. True if it did.
    fn start_later(&mut self, dir: Dir, bytes: &[u8], call: &mut Call<'_>) -> bool {
        let Some((kind, skip)) = begins(bytes, dir) else {
            return false;
        };
        self.start_behind(kind, dir, skip);
        self.parse(dir, 0, bytes, call);
        true
    }

    /// Starts the parser in the middle of the stream: what was kept of it before is not its concern.
    pub(super) fn start_behind(&mut self, kind: Kind, dir: Dir, skip: usize) {
        for lane in [&mut self.orig, &mut self.resp] {
            *lane = Lane::default();
        }
        self.lane(dir).skip = u64::try_from(skip).unwrap_or(u64::MAX);
        self.told = false;
        self.start(kind);
    }

    /// The parser of `was` is done at `used`: TLS or SSH may begin just there, as behind an HTTP `CONNECT`, or DERP.
    pub(super) fn turn(
        &mut self,
        was: Option<Kind>,
        dir: Dir,
        data: &[u8],
        used: usize,
        call: &mut Call<'_>,
    ) -> usize {
        let left = rest(data, used);
        if was == Some(Kind::Socks) {
            return self.sense_inside(dir, left, data.len(), call);
        }
        // What gave up on these very bytes does not begin again with them.
        let there = begins(left, dir).map(|(kind, _)| kind);
        let there = there.filter(|kind| {
            matches!(kind, Kind::Tls | Kind::Ssh | Kind::Derp) && was != Some(*kind)
        });
        if was == Some(Kind::Tls) || !(there.is_some() || may_begin(left, dir)) {
            return data.len();
        }
        self.finish(call);
        let Some(kind) = there else {
            self.parser = None;
            (self.orig, self.resp) = (Lane::default(), Lane::default());
            self.lane(dir).buffer = left.to_vec();
            self.state = State::Sensing;
            return data.len();
        };
        self.start_behind(kind, dir, 0);
        used.saturating_add(self.feed(dir, left, call))
    }

    /// STUN is done: who has asked how it looks from outside may go on with TURN, with this very datagram.
    pub(super) fn turn_relay(&mut self, dir: Dir, datagram: &[u8], call: &mut Call<'_>) {
        if self.kind == Some(Kind::Stun) && Kind::Turn.probe(datagram, dir) == Probe::Certain {
            self.finish(call);
            self.start(Kind::Turn);
        }
    }

    /// A proxy has connected: anything may be inside, and the name stays until it is found.
    fn sense_inside(&mut self, dir: Dir, left: &[u8], used: usize, call: &mut Call<'_>) -> usize {
        self.finish(call);
        self.parser = None;
        (self.orig, self.resp) = (Lane::default(), Lane::default());
        (self.state, self.first, self.told) = (State::Sensing, None, false);
        self.sense(dir, 0, left, call);
        used
    }
}
