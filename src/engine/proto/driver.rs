//! From a flow's payload to its parser: sensing, buffering, and what each answer means.
//!
//! Stream:  bytes go to the parser straight from the frame; what it leaves is kept until more comes.
//! Bounds:  2 KiB sensed and [`BUFFER_BYTES_MAX`] left over a direction; a parser that wants more, or
//!          makes no progress, is dropped. What a parser keeps: see `weigh`.

mod begin;
mod call;
mod talk;
mod weigh;

pub use self::talk::Talk;

use self::call::Call;
use super::{BUFFER_BYTES_MAX, Dir, Input, Kind, Parse, Parser, ParsersHealth};
use crate::flow::{Room, Stream};
use crate::types::{FlowRef, Observations, Seed, Timestamp};

/// What one call works with.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The flow.
    pub(crate) flow: FlowRef,
    /// Time of the packet, or of the close.
    pub(crate) ts: Timestamp,
    /// Where observations go.
    pub(crate) out: &'a mut Observations,
    /// Bytes all flows may still hold.
    pub(crate) room: &'a mut Room,
    /// How the parsers fare.
    pub(crate) health: &'a mut ParsersHealth,
    /// What parsers are told of the run.
    pub(crate) reading: Reading,
}

/// What parsers are told of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Whether files are followed.
    pub(crate) files: bool,
    /// Makes numbers of secrets.
    pub(crate) key: Seed,
}

impl Context<'_> {
    /// What a parser's call needs, and the account.
    fn split(&mut self) -> (Call<'_>, &mut Room) {
        let call = Call {
            flow: &self.flow,
            ts: self.ts,
            out: self.out,
            health: self.health,
            reading: self.reading,
        };
        (call, self.room)
    }
}

/// Sensing and parsing state of one flow.
#[derive(Debug)]
pub(crate) struct App {
    streams: Option<Box<(Stream, Stream)>>,
    mouth: Mouth,
    /// Bytes held in `room`'s account.
    charged: usize,
}

/// The parser and what it has not used yet.
#[derive(Debug)]
struct Mouth {
    state: State,
    parser: Option<Parser>,
    kind: Option<Kind>,
    /// Whether the parser has emitted a record.
    told: bool,
    /// Bytes the parser may still use before it is weighed, and what it pointed to when it was.
    unweighed: u32,
    heap: u32,
    orig: Lane,
    resp: Lane,
    /// Who spoke first, among bytes kept while sensing.
    first: Option<Dir>,
}

/// What becomes of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No protocol yet.
    Sensing,
    /// A parser takes it.
    Parsing,
    /// Nobody wants it any more.
    Done,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    /// In order, not used yet.
    buffer: Vec<u8>,
    /// Length of `buffer` at which to call the parser, or to sense, again.
    want: usize,
    /// Bytes to throw away.
    skip: u64,
    /// Bytes lost before `buffer`, not told yet.
    gap: u64,
    /// Pieces sensed.
    pieces: u8,
    /// Sensing has given up on it.
    unknown: bool,
}

impl App {
    /// State of a stream whose directions go on at `orig` and `resp`, as far as that is known.
    #[must_use]
    pub(crate) fn stream(orig: Option<u32>, resp: Option<u32>) -> Self {
        let streams = Box::new((begin(orig), begin(resp)));
        Self {
            streams: Some(streams),
            ..Self::datagrams()
        }
    }

    /// State of a flow of datagrams.
    #[must_use]
    pub(crate) fn datagrams() -> Self {
        Self {
            streams: None,
            mouth: Mouth::new(),
            charged: 0,
        }
    }

    /// The protocol, once sensed.
    #[must_use]
    pub(crate) fn kind(&self) -> Option<Kind> {
        self.mouth.kind
    }

    /// Whether nothing is left to do, not even at the end.
    #[must_use]
    pub(crate) fn is_over(&self) -> bool {
        self.mouth.state == State::Done && self.mouth.parser.is_none()
    }

    /// Whether more payload changes nothing; the parser may still want to finish.
    #[inline]
    pub(crate) fn is_deaf(&self) -> bool {
        self.mouth.state == State::Done
    }

    /// Marks a direction as unknown before anything was kept of it.
    pub(crate) fn set_unknown(&mut self, dir: Dir) {
        self.mouth.lane(dir).unknown = true;
    }

    /// Starts the parser of `kind`.
    pub(crate) fn start(&mut self, kind: Kind) {
        self.mouth.start(kind);
    }

    /// Starts the parser of `kind` behind the next `skip` bytes of `dir`.
    pub(crate) fn start_behind(&mut self, kind: Kind, dir: Dir, skip: usize) {
        self.mouth.start_behind(kind, dir, skip);
    }

    /// Takes a segment: `cut` bytes behind `data` were not captured; `acked` is how far its receiver has
    /// acknowledged. True if a byte came again and differed.
    pub(crate) fn segment(
        &mut self,
        dir: Dir,
        seq: u32,
        (data, cut): (&[u8], u32),
        acked: Option<u32>,
        context: &mut Context<'_>,
    ) -> bool {
        let Self {
            streams: Some(streams),
            mouth,
            ..
        } = self
        else {
            return false;
        };
        let stream = match dir {
            Dir::Orig => &mut streams.0,
            Dir::Resp => &mut streams.1,
        };
        let skip = mouth.lane(dir).skip;
        if skip == u64::MAX {
            return false;
        }
        stream.watch(skip == 0);
        let (mut call, room) = context.split();
        let differs = stream.segment(seq, data, cut, acked, room, &mut |gap, bytes| {
            mouth.take(dir, gap, bytes, &mut call);
        });
        self.settle(context.room);
        differs
    }

    /// The other side has acknowledged everything of `dir` before `ack`.
    pub(crate) fn acked(&mut self, dir: Dir, ack: u32, context: &mut Context<'_>) {
        let Self {
            streams: Some(streams),
            mouth,
            ..
        } = self
        else {
            return;
        };
        let stream = match dir {
            Dir::Orig => &mut streams.0,
            Dir::Resp => &mut streams.1,
        };
        if stream.held_bytes() == 0 {
            return;
        }
        let (mut call, _) = context.split();
        stream.acked(ack, &mut |gap, bytes| {
            mouth.take(dir, gap, bytes, &mut call)
        });
        self.settle(context.room);
    }

    /// Takes a datagram.
    pub(crate) fn datagram(&mut self, dir: Dir, data: &[u8], context: &mut Context<'_>) {
        let (mut call, _) = context.split();
        self.mouth.datagram(dir, data, &mut call);
        if self.mouth.held() != self.charged {
            self.settle(context.room);
        }
    }

    /// The flow is over: hands out what is held and lets the parser finish.
    pub(crate) fn finish(&mut self, context: &mut Context<'_>) {
        let (mut call, _) = context.split();
        if let Some(streams) = &mut self.streams {
            let mouth = &mut self.mouth;
            streams
                .0
                .close(&mut |gap, bytes| mouth.take(Dir::Orig, gap, bytes, &mut call));
            streams
                .1
                .close(&mut |gap, bytes| mouth.take(Dir::Resp, gap, bytes, &mut call));
        }
        self.mouth.finish(&mut call);
        self.mouth.parser = None;
        self.mouth.state = State::Done;
        self.settle(context.room);
    }

    /// Lets go of what is not needed any more and brings the account up to date.
    fn settle(&mut self, room: &mut Room) {
        let deaf = self.mouth.orig.skip == u64::MAX && self.mouth.resp.skip == u64::MAX;
        if self.mouth.state == State::Done || deaf {
            self.streams = None;
            self.mouth.orig.buffer = Vec::new();
            self.mouth.resp.buffer = Vec::new();
        }
        let streams = self.streams.as_ref();
        let held = |s: &Stream| s.held_bytes().saturating_add(s.recent_bytes());
        let now = streams
            .map_or(0, |s| held(&s.0).saturating_add(held(&s.1)))
            .saturating_add(self.mouth.held());
        let grown = now > self.charged;
        room.changed(self.charged, now);
        self.charged = now;
        if grown && room.used > room.max {
            // What parsers wait for and keep counts as well: at the bound the one that asks for more is dropped.
            room.refused = room.refused.saturating_add(1);
            self.mouth.drop_parser();
            self.settle(room);
        }
    }
}

impl Mouth {
    /// Nothing heard yet.
    fn new() -> Self {
        Self {
            state: State::Sensing,
            parser: None,
            kind: None,
            told: false,
            unweighed: 0,
            heap: 0,
            orig: Lane::default(),
            resp: Lane::default(),
            first: None,
        }
    }

    fn lane(&mut self, dir: Dir) -> &mut Lane {
        match dir {
            Dir::Orig => &mut self.orig,
            Dir::Resp => &mut self.resp,
        }
    }

    fn start(&mut self, kind: Kind) {
        self.parser = Some(kind.parser());
        (self.kind, self.state) = (Some(kind), State::Parsing);
        (self.unweighed, self.heap) = (0, 0);
    }

    /// Takes bytes in order.
    fn take(&mut self, dir: Dir, gap: u64, bytes: &[u8], call: &mut Call<'_>) {
        match self.state {
            State::Done => {}
            State::Sensing => self.sense(dir, gap, bytes, call),
            State::Parsing => self.parse(dir, gap, bytes, call),
        }
    }

    /// Gives bytes to the parser, with what it left before them.
    fn parse(&mut self, dir: Dir, gap: u64, bytes: &[u8], call: &mut Call<'_>) {
        if self.state != State::Parsing {
            return;
        }
        let lane = self.lane(dir);
        lane.unknown = false;
        if gap > 0 {
            // What the parser left cannot be completed: it is lost to it as well.
            let lost = gap.saturating_add(len64(&lane.buffer));
            lane.buffer.clear();
            lane.want = 0;
            let skipped = lost.min(lane.skip);
            lane.skip = lane.skip.saturating_sub(skipped);
            lane.gap = lane.gap.saturating_add(lost.saturating_sub(skipped));
        }
        let skipped = lane.skip.min(len64(bytes));
        lane.skip = lane
            .skip
            .saturating_sub(if lane.skip == u64::MAX { 0 } else { skipped });
        let bytes = rest(bytes, usize::try_from(skipped).unwrap_or(usize::MAX));
        if lane.buffer.is_empty() {
            if !bytes.is_empty() {
                let used = self.feed(dir, bytes, call);
                self.keep(dir, rest(bytes, used));
            }
            return;
        }
        lane.buffer.extend_from_slice(bytes);
        if lane.buffer.len() < lane.want {
            return;
        }
        let mut buffer = std::mem::take(&mut lane.buffer);
        let used = self.feed(dir, &buffer, call);
        buffer.drain(..used.min(buffer.len()));
        // What was found inside a proxy's stream has kept its own already.
        if self.state == State::Parsing && self.lane(dir).buffer.is_empty() {
            self.lane(dir).buffer = buffer;
        }
    }

    /// Keeps what the parser left.
    fn keep(&mut self, dir: Dir, left: &[u8]) {
        if self.state == State::Parsing && !left.is_empty() {
            self.lane(dir).buffer.extend_from_slice(left);
        }
    }

    /// Calls the parser until it wants no more; returns how much is done with.
    fn feed(&mut self, dir: Dir, data: &[u8], call: &mut Call<'_>) -> usize {
        let mut used = 0_usize;
        while used < data.len() {
            let left = rest(data, used);
            let gap = std::mem::take(&mut self.lane(dir).gap);
            let input = Input {
                ts: call.ts,
                dir,
                data: left,
                gap,
                datagram: false,
            };
            match self.call(input, call) {
                Parse::Parsed { used: n } if n > 0 && n <= left.len() => {
                    used = used.saturating_add(n);
                }
                Parse::NeedMore { used: n, need } if n <= left.len() => {
                    used = used.saturating_add(n);
                    let want = left.len().saturating_sub(n).saturating_add(need.max(1));
                    if want > BUFFER_BYTES_MAX {
                        self.finish(call);
                        self.drop_parser();
                    }
                    self.lane(dir).want = want;
                    return used;
                }
                Parse::SkipBytes { bytes } => {
                    self.lane(dir).skip = bytes;
                    return data.len();
                }
                Parse::Skip => {
                    self.state = State::Done;
                    return self.turn(self.kind, dir, data, used, call);
                }
                Parse::Broken(name) => {
                    // What breaks may lose its name: it must not be begun again with the same bytes.
                    let was = self.kind;
                    self.broken(name, call);
                    return self.turn(was, dir, data, used, call);
                }
                // No progress, or more than there was: the parser has a bug.
                Parse::Parsed { .. } | Parse::NeedMore { .. } => {
                    self.fault("parser_wrong_answer", call);
                    return data.len();
                }
            }
        }
        used
    }

    /// Gives one datagram to the parser.
    fn datagram(&mut self, dir: Dir, data: &[u8], call: &mut Call<'_>) {
        let mut left = data;
        while self.state == State::Parsing && !left.is_empty() {
            let input = Input {
                ts: call.ts,
                dir,
                data: left,
                gap: 0,
                datagram: true,
            };
            match self.call(input, call) {
                Parse::Parsed { used } if used > 0 && used <= left.len() => left = rest(left, used),
                Parse::Parsed { .. } => self.fault("parser_wrong_answer", call),
                Parse::NeedMore { .. } | Parse::SkipBytes { .. } => return,
                Parse::Skip => {
                    self.state = State::Done;
                    self.turn_relay(dir, left, call);
                }
                Parse::Broken(name) => self.broken(name, call),
            }
        }
    }
}

/// The stream that goes on at `expect`.
fn begin(expect: Option<u32>) -> Stream {
    expect.map_or_else(Stream::unknown, Stream::new)
}

/// `data` from `used` on.
fn rest(data: &[u8], used: usize) -> &[u8] {
    data.get(used..).unwrap_or_default()
}

/// A length as it is counted.
fn len64(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

impl App {
    /// Bytes of a flow's state beside what `room` has in its account.
    pub(crate) const BYTES_MAX: usize =
        size_of::<Self>() + size_of::<(Stream, Stream)>() + Parser::BYTES_MAX;

    /// Bytes asked of the allocator.
    pub(crate) fn allocated(&self) -> usize {
        let streams = self.streams.as_deref().map_or(0, |(orig, resp)| {
            size_of::<(Stream, Stream)>()
                .saturating_add(orig.allocated())
                .saturating_add(resp.allocated())
        });
        let parser = self.mouth.parser.as_ref().map_or(0, Parser::allocated);
        size_of::<Self>()
            .saturating_add(streams)
            .saturating_add(parser)
            .saturating_add(self.mouth.orig.buffer.capacity())
            .saturating_add(self.mouth.resp.buffer.capacity())
    }
}
