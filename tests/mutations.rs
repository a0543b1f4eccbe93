//! Real frames, broken in every way a wire or an attacker breaks them.
//!
//! What it shows: nothing panics (overflow is checked), watermarks never fall, no observation comes
//! below one, what is released is in order, no record could act on a terminal, every worker is dealt
//! what belongs to its flows, and every packet is counted in exactly one place.
//! How: frames of the demo capture and of the shared captures, changed by a small generator of numbers
//! with a fixed seed, through `Tracker` and `Analysis` in this process.

use std::net::IpAddr;
use std::path::Path;

use tapir::run::load_models;
use tapir_capture::leap::Clock;
use tapir_capture::{FileSource, InputOptions, LinkType, Source, deal};
use tapir_engine::decode::{self, Network};
use tapir_engine::device::Home;
use tapir_engine::service::Catalogue;
use tapir_engine::types::{
    Body, Endpoint, FlowRef, Json, Mark, Observation, Observations, Seed, Timestamp, Value,
    is_hostile,
};
use tapir_engine::{Analysis, AnalysisSettings, Effect, SavedState, Tracker, TrackerConfig};

use crate::support::frames::end;
use crate::support::tunnels::Way;
use crate::support::{corpus, demo, shared_captures};

/// Frames of the demo, and how often they are changed anew.
const DEMO_FRAMES: usize = 40_000;
const DEMO_SEEDS: u64 = 4;
/// Frames of the demo put into tunnels.
const TUNNEL_FRAMES: usize = 10_000;
/// Frames of one shared capture, and which of the captures: every so many.
const SHARED_FRAMES: usize = 1_000;
const SHARED_STEP: usize = 6;
/// So that names of the frames meet the shipped catalogue.
const SERVICES: &str = include_str!("../catalogue/services.toml");

/// Frames between two looks at the watermark.
const ROUND: usize = 256;

/// A frame of its own.
#[derive(Clone, Debug)]
struct Owned {
    ts_ns: i64,
    link: u32,
    wire_len: u32,
    bytes: Vec<u8>,
}

/// Splitmix64 (Steele, Lea, Flood 2014).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("64 bits").max(1);
        usize::try_from(self.next() % end).expect("below a usize")
    }
}

#[test]
fn the_demo_broken_in_many_ways() {
    let frames = read(&demo(), DEMO_FRAMES);
    assert_eq!(frames.len(), DEMO_FRAMES);
    let asked = std::env::var("TAPIR_MUTATION_SEEDS").ok();
    let seeds = asked.and_then(|n| n.parse().ok()).unwrap_or(DEMO_SEEDS);
    let mut changed = 0;
    for seed in 0..seeds {
        let frames = change(&frames, &mut Numbers::new(seed));
        changed += frames.len();
        run(&frames);
    }
    assert!(changed >= 100_000, "only {changed} frames");
}

/// As they are, or with time running: what was read is in a flow or counted elsewhere.
#[test]
fn every_packet_is_in_one_place() {
    run(&read(&demo(), DEMO_FRAMES));
    let Some(corpus) = corpus("counters over the corpus") else {
        return;
    };
    for capture in shared_captures(&corpus) {
        run(&read(&capture, SHARED_FRAMES));
    }
}

/// Two captures spliced frame by frame: flows, times and link types of both.
#[test]
fn shared_captures_spliced() {
    let Some(corpus) = corpus("spliced captures") else {
        return;
    };
    let captures = shared_captures(&corpus);
    let steps = captures.iter().step_by(SHARED_STEP * 2);
    for (seed, (one, other)) in (0..).zip(steps.zip(captures.iter().rev().step_by(SHARED_STEP))) {
        let mut numbers = Numbers::new(seed);
        let (one, other) = (read(one, SHARED_FRAMES), read(other, SHARED_FRAMES));
        let mut others = other.into_iter();
        let mut spliced = Vec::new();
        for frame in one {
            spliced.push(frame);
            spliced.extend(others.by_ref().take(numbers.below(3)));
        }
        run(&change(&spliced, &mut numbers));
    }
}

/// The demo's frames in every tunnel, some in several within each other, then broken.
#[test]
fn tunnels_broken_in_many_ways() {
    let mut frames = read(&demo(), TUNNEL_FRAMES);
    frames.retain(|frame| matches!(frame.bytes.get(12..14), Some([8, 0] | [0x86, 0xdd])));
    for (at, frame) in frames.iter_mut().enumerate() {
        for depth in 0..=at % 6 {
            let way = Way::ALL[(at / 7 + depth * 3) % Way::ALL.len()];
            let last = u8::try_from(1 + at % 5).expect("small");
            let (from, to) = (end("192.0.2.1", 0), end(&format!("198.51.100.{last}"), 0));
            // What stands behind labels or a session has no IP header to take up.
            let is_ip = matches!(frame.bytes.get(12..14), Some([8, 0] | [0x86, 0xdd]));
            let way = if is_ip { way } else { Way::Vxlan };
            frame.bytes = way.around(from, to, u16::from(last), &frame.bytes);
        }
        frame.wire_len = u32::try_from(frame.bytes.len()).expect("short");
    }
    for seed in 0..DEMO_SEEDS {
        run(&change(&frames, &mut Numbers(seed)));
    }
}

#[test]
fn shared_captures_broken_in_many_ways() {
    let Some(corpus) = corpus("mutations corpus") else {
        return;
    };
    for (seed, capture) in (0..).zip(shared_captures(&corpus).iter().step_by(SHARED_STEP)) {
        run(&change(
            &read(capture, SHARED_FRAMES),
            &mut Numbers::new(seed),
        ));
    }
}

/// The first frames of a capture.
fn read(path: &Path, most: usize) -> Vec<Owned> {
    let mut frames = Vec::new();
    let Ok(mut source) = FileSource::open(&[path.to_owned()], &InputOptions::default()) else {
        return frames;
    };
    while let Ok(Some(frame)) = source.next()
        && frames.len() < most
    {
        frames.push(Owned {
            ts_ns: frame.ts_ns,
            link: frame.link.0,
            wire_len: frame.wire_len,
            bytes: frame.bytes.to_vec(),
        });
    }
    frames
}

/// About half of the frames changed; some more come out than went in.
fn change(frames: &[Owned], numbers: &mut Numbers) -> Vec<Owned> {
    let mut out: Vec<Owned> = Vec::with_capacity(frames.len());
    for (at, frame) in frames.iter().enumerate() {
        let mut frame = frame.clone();
        match numbers.below(20) {
            0 | 1 => (0..=numbers.below(8)).for_each(|_| flip(&mut frame.bytes, numbers)),
            2 => {
                let len = numbers.below(frame.bytes.len() + 1);
                frame.bytes.truncate(len);
                if numbers.below(2) == 0 {
                    frame.wire_len = u32::try_from(len).expect("short");
                }
            }
            // Any two bytes may be a length; those of IP, TCP, UDP and TLS are among them.
            3..=5 => lie(&mut frame.bytes, numbers),
            6 => (0..=numbers.below(12)).for_each(|_| out.push(frame.clone())),
            7 => {
                if let Some(before) = out.len().checked_sub(1 + numbers.below(6)) {
                    std::mem::swap(&mut frame.bytes, &mut out[before].bytes);
                }
            }
            8 => {
                let other = &frames[numbers.below(frames.len())].bytes;
                let head = numbers.below(frame.bytes.len().min(80) + 1);
                frame.bytes.truncate(head);
                frame.bytes.extend(other.iter().skip(numbers.below(80)));
            }
            9 if at % 64 == 0 => frame.ts_ns = leap(frame.ts_ns, numbers),
            _ => {}
        }
        out.push(frame);
    }
    out
}

fn flip(bytes: &mut [u8], numbers: &mut Numbers) {
    let at = numbers.below(bytes.len());
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << numbers.below(8);
    }
}

/// Writes an extreme or random length somewhere.
fn lie(bytes: &mut [u8], numbers: &mut Numbers) {
    let value = match numbers.below(6) {
        0 => 0,
        1 => 0xffff,
        2 => 1,
        3 => 0x7fff,
        4 => 0x8000,
        _ => u16::try_from(numbers.below(2_000)).expect("small"),
    };
    let at = numbers.below(bytes.len().min(160));
    if let Some(pair) = bytes.get_mut(at..at + 2) {
        pair.copy_from_slice(&value.to_be_bytes());
    }
}

/// Another time: a little or decades away, the ends of the range included.
fn leap(ts_ns: i64, numbers: &mut Numbers) -> i64 {
    let step = 1_i64 << numbers.below(62);
    match numbers.below(8) {
        0 => i64::MAX,
        1 => i64::MIN,
        2 | 3 => ts_ns.saturating_sub(step),
        _ => ts_ns.saturating_add(step),
    }
}

/// Both halves of the engine, joined as the runtime joins them.
struct Engine {
    tracker: Tracker,
    analysis: Analysis,
    pending: Observations,
    watermark: Timestamp,
    /// Time of the last observation released.
    released: Timestamp,
    /// Packets of the flows that are over.
    in_flows: u64,
    line: Vec<u8>,
}

fn run(frames: &[Owned]) {
    let mut engine = Engine::new();
    let mut clock = Clock::new();
    let mut last = Timestamp::MIN;
    for (count, frame) in frames.iter().enumerate() {
        let judged = clock.judge(Some(frame.ts_ns));
        let ts = Timestamp::from_nanos(judged.ts_ns);
        if judged.epoch {
            engine.epoch(last, ts);
        } else if count % ROUND == 0 {
            engine.round(last, count % (ROUND * 8) == 0);
        }
        last = ts;
        dealt_with_its_flow(frame);
        let wire_len = frame.wire_len;
        engine
            .tracker
            .packet(ts, frame.link, wire_len, &frame.bytes, &mut engine.pending);
    }
    engine.tracker.finish(last, &mut engine.pending);
    assert_eq!(engine.tracker.flows(), 0);
    engine.release(None);
    let stats = engine.tracker.stats();
    let placed = engine.in_flows + stats.without_flow();
    assert_eq!(stats.packets + stats.carried, placed, "{stats:?}");
    for (kind, health) in stats.parsers.iter() {
        assert_eq!(health.panicked, 0, "faults of {}", kind.name());
    }
    engine.analysis.finish(last);
    engine.drain();
}

impl Engine {
    fn new() -> Self {
        let settings = AnalysisSettings {
            own: Vec::new(),
            services: Catalogue::load("services.toml", SERVICES).expect("the catalogue"),
            sensor_id: "tapir".into(),
            home: Home::new(vec![]),
            time_zone: jiff::tz::TimeZone::UTC,
            seed: Seed(7),
            response: tapir_engine::PolicySettings::default(),
        };
        let models = load_models(None).expect("the shipped models");
        Self {
            // Small bounds, so that they are met.
            tracker: Tracker::new(TrackerConfig {
                flows_max: 300,
                reassembly_bytes_max: 1 << 18,
                seed: Seed(7),
                ..TrackerConfig::default()
            }),
            analysis: Analysis::new(settings, models, SavedState::default()),
            pending: Observations::new(),
            watermark: Timestamp::MIN,
            released: Timestamp::MIN,
            in_flows: 0,
            line: Vec::new(),
        }
    }

    /// Ends a round at `until`, to the nanosecond if `exact`.
    fn round(&mut self, until: Timestamp, exact: bool) {
        if exact {
            self.tracker.settle(until, &mut self.pending);
        } else {
            self.tracker.advance(until, &mut self.pending);
        }
        let watermark = self.tracker.watermark();
        assert!(watermark >= self.watermark, "the watermark fell");
        let held = self.pending.iter().all(|o| o.ts >= self.watermark);
        assert!(held, "an observation below the watermark");
        self.watermark = watermark;
        self.release(Some(watermark));
    }

    fn epoch(&mut self, until: Timestamp, ts: Timestamp) {
        self.round(until, false);
        self.tracker.epoch(ts, &mut self.pending);
        self.release(None);
        self.analysis.observe(&mut Observation {
            ts,
            flow: FlowRef::default(),
            body: Body::Mark(Mark::Epoch),
        });
        (self.watermark, self.released) = (Timestamp::MIN, Timestamp::MIN);
    }

    /// Hands on what lies below the watermark, or everything.
    fn release(&mut self, watermark: Option<Timestamp>) {
        self.pending.sort_by_key(|o| (o.ts, o.flow.key()));
        let ready = watermark.map_or(self.pending.len(), |watermark| {
            self.pending.partition_point(|o| o.ts < watermark)
        });
        let held = self.pending.split_off(ready);
        for mut observation in std::mem::replace(&mut self.pending, held) {
            assert!(observation.ts >= self.released, "out of order");
            self.released = observation.ts;
            self.in_flows += packets_told(&observation);
            self.analysis.observe(&mut observation);
            self.drain();
        }
    }

    /// Takes what came out and looks at every text in it.
    fn drain(&mut self) {
        while let Some(effect) = self.analysis.poll() {
            let Effect::Record(record) = effect else {
                continue;
            };
            self.line.clear();
            let mut json = Json::open(&mut self.line);
            record.body.write(&mut json);
            json.close();
            let line = str::from_utf8(&self.line).expect("text");
            assert!(!line.contains(is_hostile), "{line}");
        }
    }
}

/// Packets of a flow that is over, by its `conn` record.
fn packets_told(observation: &Observation) -> u64 {
    let Some(record) = observation.body.record() else {
        return 0;
    };
    if record.body.kind() != "conn" {
        return 0;
    }
    let fields = record.body.fields().iter().enumerate();
    fields
        .filter(|(_, field)| ["orig_pkts", "resp_pkts"].contains(&field.name))
        .map(|(index, _)| match record.body.value(index) {
            Value::Int(n) => u64::try_from(n).expect("a count"),
            other => panic!("packets are counted: {other:?}"),
        })
        .sum()
}

/// Whatever is decoded as IP goes where the bare packet would go, or its flow would fall apart.
fn dealt_with_its_flow(frame: &Owned) {
    let Ok(decoded) = decode::decode(frame.link, frame.wire_len, &frame.bytes) else {
        return;
    };
    let Network::Ip(ip) = decoded.network else {
        return;
    };
    let ends = [ip.src, ip.dst].map(|addr| Endpoint { addr, port: 0 }.ip());
    let mut packet = vec![0_u8; 40];
    match ends {
        [IpAddr::V4(src), IpAddr::V4(dst)] => {
            packet[0] = 0x45;
            packet[12..16].copy_from_slice(&src.octets());
            packet[16..20].copy_from_slice(&dst.octets());
        }
        _ => {
            packet[0] = 0x60;
            packet[8..24].copy_from_slice(&ip.src);
            packet[24..40].copy_from_slice(&ip.dst);
        }
    }
    assert_eq!(
        deal::hash(LinkType(frame.link), &frame.bytes),
        deal::hash(LinkType::RAW, &packet),
        "link type {}: {:02x?}",
        frame.link,
        frame.bytes
    );
}
