//! The hot path takes no memory per packet.
//!
//! What it shows: once its tables are warm a `Tracker` makes no allocation for packets of flows that
//! live, whatever they carry; opening and closing flows costs a bounded number of allocations each and
//! leaves nothing behind; over the demo capture all memory is given back.
//! How: the test binary's allocator counts, for each thread apart, so that tests beside it do not matter.

#![expect(unsafe_code, reason = "an allocator can be written in no other way")]

mod held;
mod traffic;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tapir_capture::{FileSource, InputOptions, Source as _};
use tapir_engine::types::{Observations, Timestamp};
use tapir_engine::{Tracker, TrackerConfig};

use crate::support;
use traffic::Mix;

#[global_allocator]
static COUNTING: Counting = Counting;

/// The system's allocator with a tally.
struct Counting;

thread_local! {
    /// What this thread did. Without a destructor and constant at birth: reading it never allocates.
    static TALLY: Cell<Tally> = const { Cell::new(Tally { count: 0, asked_bytes: 0, live_bytes: 0 }) };
}

/// Allocations made, bytes asked for in all, and bytes taken but not given back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) asked_bytes: u64,
    pub(crate) live_bytes: i64,
}

fn note(count: u64, taken: usize, given: usize) {
    let signed = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    // A thread that is ending has no tally any more; what it does then is nobody's.
    let _ending = TALLY.try_with(|tally| {
        let was = tally.get();
        tally.set(Tally {
            count: was.count + count,
            asked_bytes: was.asked_bytes + u64::try_from(taken).unwrap_or(0),
            live_bytes: was.live_bytes + signed(taken) - signed(given),
        });
    });
}

// SAFETY: every call goes to `System` with the arguments it came with, and `System` keeps the contract
// of `GlobalAlloc`; the tally is a `Cell` of this thread, so counting neither allocates nor panics.
// JUSTIFICATION: nothing safe can see every allocation of a program.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size(), 0);
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System.alloc`: the
        // layout's size is not zero.
        // JUSTIFICATION: the trait leaves no safe way on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size(), 0);
        // SAFETY: as in `alloc`.
        // JUSTIFICATION: as in `alloc`; without it the system's zeroed pages would be zeroed again.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(1, new_size, layout.size());
        // SAFETY: `ptr` came from this allocator, hence from `System`, with this layout; the caller
        // promises that `new_size` is neither zero nor too large.
        // JUSTIFICATION: as in `alloc`; without it every growth would be a copy.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        note(0, 0, layout.size());
        // SAFETY: `ptr` came from this allocator, hence from `System`, with this layout.
        // JUSTIFICATION: as in `alloc`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// What `work` did to this thread's tally, for tests of other topics.
pub(crate) fn asked_for(work: impl FnOnce()) -> Tally {
    tallied(work)
}

/// What `work` did to this thread's tally.
fn tallied(work: impl FnOnce()) -> Tally {
    let before = TALLY.get();
    work();
    let after = TALLY.get();
    Tally {
        count: after.count - before.count,
        asked_bytes: after.asked_bytes - before.asked_bytes,
        live_bytes: after.live_bytes - before.live_bytes,
    }
}

/// The tally itself: without this the tests below could not fail.
#[test]
fn the_tally_counts() {
    let mut kept = Vec::new();
    let tally = tallied(|| kept.push(Box::new([0_u8; 100])));
    assert!(tally.count >= 2 && tally.live_bytes >= 100, "{tally:?}");
    let tally = tallied(|| kept.clear());
    assert_eq!((tally.count, tally.live_bytes), (0, -100));
    assert_eq!(tallied(|| ()).count, 0);
}

/// Hands one packet over and forgets what came of it.
fn hand(tracker: &mut Tracker, ts_ns: i64, frame: &[u8], out: &mut Observations) {
    let wire_len = u32::try_from(frame.len()).expect("a short frame");
    tracker.packet(Timestamp::from_nanos(ts_ns), 1, wire_len, frame, out);
    out.clear();
}

/// 700 flows of seven kinds, both directions, for three minutes after a warm-up of one. Once a minute the
/// frames counted for the mirror are told, in a box with a list of VLANs.
#[test]
fn packets_of_living_flows_take_no_memory() {
    const FLOWS_PER_KIND: u16 = 100;
    const ROUND_NS: i64 = 2_000_000_000;
    const PER_MINUTE: u64 = 2;
    for kind in Mix::ALL {
        let mut tracker = Tracker::new(TrackerConfig::default());
        let mut out = Observations::with_capacity(4_096);
        let mut flows: Vec<_> = (0..FLOWS_PER_KIND).map(|n| kind.flow(n)).collect();
        for flow in &flows {
            for (n, frame) in (0..).zip(&flow.opening) {
                hand(&mut tracker, n * 1_000_000, frame, &mut out);
            }
        }
        let mut round = |tracker: &mut Tracker, number: i64| {
            let mut counted = 0;
            for (n, flow) in (0..).zip(&mut flows) {
                let ts_ns = number * ROUND_NS + n * 1_000_000;
                for frame in flow.next() {
                    counted += tallied(|| hand(tracker, ts_ns, frame, &mut out)).count;
                }
            }
            counted
        };
        let _warm_up: u64 = (1..30).map(|number| round(&mut tracker, number)).sum();
        let counted: u64 = (30..120).map(|number| round(&mut tracker, number)).sum();
        assert!(
            counted <= 3 * PER_MINUTE,
            "{kind:?}: {counted} allocations in 18,000 packets"
        );
        // The outer flows: GRE, and VXLAN from another port in each direction.
        let outer = if matches!(kind, Mix::Tunnelled) { 3 } else { 0 };
        assert_eq!(
            tracker.flows(),
            usize::from(FLOWS_PER_KIND) + outer,
            "{kind:?}: flows alive"
        );
    }
}

/// Flows that come and go, closed by the sender or by their timer: so many allocations each, and
/// nothing stays.
#[test]
fn flows_that_come_and_go_are_bounded() {
    /// A `conn` record with its texts, and what a table moves about when it is worked over.
    const PER_FLOW_MAX: u64 = 12;
    const FLOWS: u16 = 20_000;
    const EACH_NS: i64 = 10_000_000;
    for kind in [Mix::Unknown, Mix::Datagrams] {
        let mut tracker = Tracker::new(TrackerConfig::default());
        let mut out = Observations::with_capacity(1 << 16);
        let mut turn = |tracker: &mut Tracker, flows: std::ops::Range<u16>| {
            let idle_ns = (i64::from(flows.end) + 30_000) * EACH_NS;
            let make = |n: u16| {
                let flow = kind.flow(n);
                let frames = flow.opening.iter().cloned().chain(flow.closing());
                (i64::from(n) * EACH_NS, frames.collect())
            };
            let mut tally = tallied_over(flows, make, tracker, &mut out);
            // Five quiet minutes: the timers of all that is left.
            let timers = tallied(|| {
                tracker.advance(Timestamp::from_nanos(idle_ns), &mut out);
                out.clear();
            });
            tally.count += timers.count;
            tally.live_bytes += timers.live_bytes;
            tally
        };
        let _warm_up = turn(&mut tracker, 0..FLOWS / 4);
        let tally = turn(&mut tracker, FLOWS / 2..FLOWS);
        let count = u64::from(FLOWS / 2);
        assert!(
            tally.count <= PER_FLOW_MAX * count,
            "{kind:?}: {tally:?} for {count} flows"
        );
        assert!(
            tally.live_bytes <= 64 * 1024,
            "{kind:?}: {tally:?} stayed after {count} flows"
        );
        assert_eq!(tracker.flows(), 0, "{kind:?}: flows still alive");
        let idle = tallied(|| tracker.advance(Timestamp::from_nanos(i64::MAX / 2), &mut out));
        assert_eq!(idle.count, 0, "{kind:?}: nothing was due");
    }
}

/// The tally of handing over the frames that `make` gives for each number; making them is not counted.
fn tallied_over(
    numbers: std::ops::Range<u16>,
    make: impl Fn(u16) -> (i64, Vec<Vec<u8>>),
    tracker: &mut Tracker,
    out: &mut Observations,
) -> Tally {
    let mut sum = Tally::default();
    for number in numbers {
        let (ts_ns, frames) = make(number);
        for (n, frame) in (0..).zip(&frames) {
            let tally = tallied(|| hand(tracker, ts_ns + n * 100_000, frame, out));
            sum.count += tally.count;
            sum.asked_bytes += tally.asked_bytes;
            sum.live_bytes += tally.live_bytes;
        }
    }
    sum
}

/// Ten days of an office: memory is taken for what is told, not for packets, and all of it given back.
#[test]
fn the_demo_gives_back_what_it_took() {
    read_whole(&[support::demo()]);
}

/// The same over every shared capture, malformed ones included.
#[test]
fn the_shared_captures_give_back_what_they_took() {
    let Some(corpus) = support::corpus("memory over the shared captures") else {
        return;
    };
    read_whole(&[corpus.join("pcaps")]);
}

/// Reads captures through one tracker. Fails if memory stays behind, or too much was asked for.
#[expect(clippy::print_stdout, reason = "the figures are worth seeing")]
fn read_whole(inputs: &[std::path::PathBuf]) {
    /// A record has a dozen texts, each grown once or twice while it is read.
    const PER_OBSERVATION_MAX: u64 = 24;
    let mut source = FileSource::open(inputs, &InputOptions::default()).expect("captures");
    let mut out = Observations::with_capacity(1 << 16);
    let (mut packets, mut count, mut told) = (0_u64, 0, 0);
    let whole = tallied(|| {
        let mut tracker = Tracker::new(TrackerConfig::default());
        let mut last = Timestamp::MIN;
        while let Ok(Some(frame)) = source.next() {
            last = Timestamp::from_nanos(frame.ts_ns);
            if frame.epoch {
                tracker.epoch(last, &mut out);
            }
            let tally = tallied(|| {
                tracker.packet(last, frame.link.0, frame.wire_len, frame.bytes, &mut out);
            });
            packets += 1;
            count += tally.count;
            told += u64::try_from(out.len()).unwrap_or(0);
            out.clear();
        }
        tracker.finish(last, &mut out);
        out = Observations::new();
    });
    // What stays is the reader's: buffers, and reports of the files.
    assert!(
        whole.live_bytes <= 8 << 20,
        "{} bytes stayed",
        whole.live_bytes
    );
    assert!(packets > 100_000, "only {packets} packets");
    println!("{packets} packets, {told} observations, {count} allocations");
    assert!(
        count <= PER_OBSERVATION_MAX * told,
        "{count} allocations for {told} observations"
    );
}
