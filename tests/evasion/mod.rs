//! Evasion: what somebody sends so that a sensor reads something else than the receiver.
//!
//! What it shows: each way either leaves the content records as they are without it, or is told as a
//! `weird` record that names it; never neither. An oddity is told once a flow.
//! How: a conversation of a few frames goes through a `Tracker`, clean and with the evasion; the cases
//! are tables, one file a family. The ways are those of Ptacek and Newsham (1998) and of the mistakes
//! other sensors have published; a case names the number where there is one.

mod content;
mod control;
mod fragments;
mod segments;
mod smb;

use std::collections::BTreeMap;

use tapir_engine::types::{Json, Observations, Seed, Timestamp};
use tapir_engine::{Tracker, TrackerConfig};

use crate::support::frames::{ACK, End, FIN, PSH, RST, SYN, Segment, end, tcp_with};

/// First byte of each side's stream.
const CLIENT_SEQ: u32 = 1_000;
const SERVER_SEQ: u32 = 900_000;
/// Time between two frames, unless a case says otherwise.
const STEP_NS: i64 = 1_000_000;

const REQUEST: &[u8] =
    b"GET /wages/2026.xlsx HTTP/1.1\r\nHost: files.example\r\nUser-Agent: probe/1\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: s/1\r\nContent-Length: 5\r\n\r\nhello";

/// What must come of an evasion.
#[derive(Clone, Copy, Debug)]
enum Want {
    /// The records of the clean conversation, and nothing odd.
    Clean,
    /// The records of the clean conversation, and these oddities.
    CleanBut(&'static [&'static str]),
    /// These oddities, whatever the records.
    Told(&'static [&'static str]),
}

/// What came of some frames.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// Records but `conn` and `weird`, in order.
    content: Vec<String>,
    /// Names of oddities and how often each was told.
    weirds: BTreeMap<String, usize>,
    /// `conn` records.
    conns: Vec<String>,
}

/// A frame and the time that passes before it.
type Timed = (i64, Vec<u8>);

/// Runs frames through a tracker of their own.
fn see(frames: &[Timed]) -> Seen {
    let mut tracker = Tracker::new(TrackerConfig {
        flows_max: 64,
        reassembly_bytes_max: 1 << 20,
        seed: Seed(3),
        ..TrackerConfig::default()
    });
    let (mut out, mut now) = (Observations::new(), Timestamp::from_secs(1_767_603_600));
    for (passes, frame) in frames {
        now = now.plus(*passes);
        let wire_len = u32::try_from(frame.len()).expect("a short frame");
        tracker.packet(now, 1, wire_len, frame, &mut out);
    }
    tracker.finish(now.plus(1), &mut out);
    let mut seen = Seen::default();
    for observation in &out {
        let Some(record) = observation.body.record() else {
            continue;
        };
        let mut line = format!("{} ", record.body.kind()).into_bytes();
        let mut json = Json::open(&mut line);
        record.body.write(&mut json);
        json.close();
        let line = String::from_utf8(line).expect("text");
        match record.body.kind() {
            "weird" => {
                let name = line.split('"').nth(3).expect("a name").to_owned();
                *seen.weirds.entry(name).or_default() += 1;
            }
            "conn" => seen.conns.push(line),
            _ => seen.content.push(line),
        }
    }
    seen
}

/// Fails unless the frames give what is wanted, next to the clean ones.
fn judge(name: &str, clean: &[Timed], frames: &[Timed], want: Want) {
    if let Err(wrong) = verdict(clean, frames, want) {
        panic!("{name}: {wrong}");
    }
}

/// What is wrong about what frames give.
fn verdict(clean: &[Timed], frames: &[Timed], want: Want) -> Result<(), String> {
    let (clean, seen) = (see(clean), see(frames));
    assert!(!clean.content.is_empty(), "nothing to hide: {clean:#?}");
    assert!(clean.weirds.is_empty(), "odd by itself: {clean:#?}");
    let told: Vec<&str> = seen.weirds.keys().map(String::as_str).collect();
    let wanted = match want {
        Want::Clean => &[][..],
        Want::CleanBut(names) | Want::Told(names) => names,
    };
    if told != wanted {
        return Err(format!("wanted {wanted:?}: {seen:#?}"));
    }
    if seen.weirds.values().any(|count| *count > 1) {
        return Err(format!("told more than once: {:?}", seen.weirds));
    }
    if !matches!(want, Want::Told(_)) && seen.content != clean.content {
        return Err(format!(
            "other records than {:#?}: {seen:#?}",
            clean.content
        ));
    }
    Ok(())
}

/// One segment of a conversation between [`client`] and [`server`].
#[derive(Clone, Debug)]
struct Seg {
    client: bool,
    flags: u8,
    /// Where it lies in its sender's stream; a SYN lies at -1.
    at: i64,
    /// What it acknowledges; by itself, what the other side has sent so far.
    ack: Option<i64>,
    data: Vec<u8>,
    ttl: u8,
    window: u16,
    urgent: u16,
    options: Vec<u8>,
    bad_sum: bool,
    /// Whether its receiver never takes it.
    ghost: bool,
    passes_ns: i64,
}

/// A segment of the client's.
fn c(flags: u8, at: i64, data: &[u8]) -> Seg {
    Seg {
        client: true,
        flags,
        at,
        ack: None,
        data: data.to_vec(),
        ttl: 64,
        window: 0xffff,
        urgent: 0,
        options: Vec::new(),
        bad_sum: false,
        ghost: false,
        passes_ns: STEP_NS,
    }
}

/// A segment of the server's.
fn s(flags: u8, at: i64, data: &[u8]) -> Seg {
    Seg {
        client: false,
        ..c(flags, at, data)
    }
}

impl Seg {
    fn ghost(self) -> Self {
        Self {
            ghost: true,
            ..self
        }
    }

    fn ttl(self, ttl: u8) -> Self {
        Self { ttl, ..self }
    }

    fn ack(self, ack: i64) -> Self {
        Self {
            ack: Some(ack),
            ..self
        }
    }

    fn after(self, seconds: i64) -> Self {
        Self {
            passes_ns: seconds * 1_000_000_000,
            ..self
        }
    }
}

fn client() -> End {
    end("10.1.0.5", 40_000)
}

fn server() -> End {
    end("10.1.0.6", 80)
}

/// The frames of segments whose streams begin at the given numbers.
fn frames_from(segments: &[Seg], (client_seq, server_seq): (u32, u32), to: End) -> Vec<Timed> {
    let mut ends = [-1, -1];
    let place = |base: u32, at: i64| {
        let at = u32::try_from(at.rem_euclid(1 << 32)).expect("32 bits");
        base.wrapping_add(at)
    };
    let mut frames = Vec::new();
    for seg in segments {
        let (mine, other) = (usize::from(!seg.client), usize::from(seg.client));
        let bases = [client_seq, server_seq];
        let ack = match seg.flags & ACK {
            0 => 0,
            _ => place(bases[other], seg.ack.unwrap_or(ends[other])),
        };
        let (from, to) = if seg.client {
            (client(), to)
        } else {
            (to, client())
        };
        let numbers = Segment {
            flags: seg.flags,
            seq: place(bases[mine], seg.at),
            ack,
        };
        let extra = (seg.window, seg.urgent, &seg.options[..]);
        let mut frame = tcp_with(from, to, 0, numbers, extra, &seg.data);
        frame[22] = seg.ttl;
        if seg.bad_sum {
            frame[14 + 20 + 16] ^= 0xff;
        }
        frames.push((seg.passes_ns, frame));
        if !seg.ghost {
            let len = i64::try_from(seg.data.len()).expect("short");
            let syn_or_fin = i64::from(seg.flags & SYN != 0) + i64::from(seg.flags & FIN != 0);
            ends[mine] = ends[mine].max(seg.at + len + syn_or_fin);
        }
    }
    frames
}

fn frames(segments: &[Seg]) -> Vec<Timed> {
    frames_from(segments, (CLIENT_SEQ, SERVER_SEQ), server())
}

fn len(data: &[u8]) -> i64 {
    i64::try_from(data.len()).expect("short")
}

/// The handshake.
fn opened() -> Vec<Seg> {
    vec![c(SYN, -1, b""), s(SYN | ACK, -1, b""), c(ACK, 0, b"")]
}

/// The answer and both ends' farewell.
fn answered() -> Vec<Seg> {
    let (asked, told) = (len(REQUEST), len(ANSWER));
    vec![
        s(ACK, 0, b""),
        s(PSH | ACK, 0, ANSWER),
        c(FIN | ACK, asked, b""),
        s(FIN | ACK, told, b""),
        c(ACK, asked + 1, b""),
    ]
}

/// The whole conversation, with `asking` for the segments of the request.
fn talk(asking: &[Seg]) -> Vec<Seg> {
    [opened(), asking.to_vec(), answered()].concat()
}

/// The conversation nobody disturbs.
fn clean() -> Vec<Seg> {
    talk(&[c(PSH | ACK, 0, REQUEST)])
}

/// The request from `from` to `to` as one segment.
fn part(from: usize, to: usize) -> Seg {
    let at = i64::try_from(from).expect("short");
    c(PSH | ACK, at, &REQUEST[from..to])
}

/// The same place with other bytes.
fn other(from: usize, to: usize) -> Seg {
    let seg = part(from, to);
    let data = vec![b'x'; seg.data.len()];
    Seg { data, ..seg }
}

/// Judges a table of conversations next to the clean one.
fn judge_all(cases: Vec<(&str, Want, Vec<Seg>)>) {
    let clean = frames(&clean());
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(name, want, segments)| {
            let wrong = verdict(&clean, &frames(segments), *want).err()?;
            Some(format!("{name}: {wrong}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A RST of the client at `at` that its receiver never believes.
fn false_reset(at: i64) -> Seg {
    c(RST | ACK, at, b"").ghost()
}
