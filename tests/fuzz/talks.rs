//! What each protocol's parser is given to begin with: real talks, ours.
//!
//! They come from the golden cases' own captures, by the protocol that the program finds in each flow,
//! and from `seeds/parsers/NAME/`. A protocol that has neither fails the tests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use tapir_capture::{FileSource, InputOptions, Source as _};
use tapir_engine::decode::{self, Network, Transport};
use tapir_engine::proto::{Dir, Kind};
use tapir_engine::types::{Body, Endpoint, FlowRef, Observations, Timestamp, Value};
use tapir_engine::{Tracker, TrackerConfig};

use super::drive::{Piece, Script};
use crate::support::files;

/// Talks of each protocol by its name.
type Talks = BTreeMap<String, Vec<Script>>;

static TALKS: LazyLock<Talks> = LazyLock::new(read);

/// Talks of one protocol: at least one.
pub(super) fn of(kind: Kind) -> &'static [Script] {
    let talks = TALKS.get(kind.name()).map_or(&[][..], |talks| talks);
    let name = kind.name();
    assert!(
        !talks.is_empty(),
        "no seed for {name}: neither a golden case nor tests/fuzz/seeds/parsers/{name}/"
    );
    talks
}

fn read() -> Talks {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut talks = Talks::new();
    for (name, bytes) in files(&root.join("fuzz/seeds/parsers")) {
        let (protocol, _file) = name.split_once('/').expect("a folder for each protocol");
        let known = Kind::ALL.iter().any(|kind| kind.name() == protocol);
        assert!(known, "seeds of {protocol}, which is no protocol");
        talks
            .entry(protocol.to_owned())
            .or_default()
            .push(Script::read(&bytes));
    }
    for name in files(&root.join("golden")).into_keys() {
        if name.ends_with("/in.pcap") {
            add(&root.join("golden").join(name), &mut talks);
        }
    }
    // What only bears the name of a protocol, because another one turned into it, is no talk of it.
    for kind in Kind::ALL {
        if let Some(talks) = talks.get_mut(kind.name()) {
            talks.retain(|talk| talk.play(*kind).answers > 0);
        }
    }
    talks
}

/// The flows of one capture.
fn add(path: &Path, talks: &mut Talks) {
    let frames = frames(path);
    let mut tracker = Tracker::new(TrackerConfig::default());
    let (mut seen, mut last) = (Observations::new(), Timestamp::MIN);
    for (ts, link, wire_len, frame) in &frames {
        last = *ts;
        tracker.packet(*ts, *link, *wire_len, frame, &mut seen);
    }
    tracker.finish(last, &mut seen);
    let mut flows: BTreeMap<_, (FlowRef, String, Script)> = BTreeMap::new();
    for observation in &seen {
        if let Some(service) = service(&observation.body) {
            let flow = observation.flow;
            let script = Script {
                datagrams: flow.proto == decode::proto::UDP,
                pieces: Vec::new(),
            };
            let ends = (flow.proto, flow.orig, flow.resp);
            flows.entry(ends).or_insert((flow, service, script));
        }
    }
    let mut told: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    for (_, link, wire_len, frame) in &frames {
        let Some((proto, src, dst, seq, data)) = payload(*link, *wire_len, frame) else {
            continue;
        };
        let dirs = [
            (Dir::Orig, (proto, src, dst)),
            (Dir::Resp, (proto, dst, src)),
        ];
        let found = dirs.into_iter().find(|(_, ends)| flows.contains_key(ends));
        let Some((dir, ends)) = found else {
            continue;
        };
        // What is sent again stands at the place where it stood.
        let before = told.entry((ends, dir == Dir::Resp)).or_default();
        if seq.is_some_and(|seq| before.contains(&seq)) {
            continue;
        }
        before.extend(seq);
        if let Some((_, _, script)) = flows.get_mut(&ends) {
            script.pieces.push(Piece {
                dir,
                gap: false,
                bytes: data.to_vec(),
            });
        }
    }
    for (_, service, script) in flows.into_values() {
        talks.entry(service).or_default().push(script);
    }
}

/// Time, link type, length on the wire and bytes of each frame.
fn frames(path: &Path) -> Vec<(Timestamp, u32, u32, Vec<u8>)> {
    let mut frames = Vec::new();
    let Ok(mut source) = FileSource::open(&[path.to_owned()], &InputOptions::default()) else {
        return frames;
    };
    while let Ok(Some(frame)) = source.next() {
        let ts = Timestamp::from_nanos(frame.ts_ns);
        frames.push((ts, frame.link.0, frame.wire_len, frame.bytes.to_vec()));
    }
    frames
}

/// The protocol that a flow's last word names.
fn service(body: &Body) -> Option<String> {
    let record = body
        .record()
        .filter(|record| record.body.kind() == "conn")?;
    let mut fields = record.body.fields().iter();
    let at = fields.position(|field| field.name == "service")?;
    match record.body.value(at) {
        Value::Str(name) => Some(name.to_owned()),
        _ => None,
    }
}

/// IP protocol, source, destination, sequence number and bytes.
type Payload<'a> = (u8, Endpoint, Endpoint, Option<u32>, &'a [u8]);

/// The payload of a frame that has some.
fn payload(link: u32, wire_len: u32, frame: &[u8]) -> Option<Payload<'_>> {
    let Network::Ip(ip) = decode::decode(link, wire_len, frame).ok()?.network else {
        return None;
    };
    let (ports, seq, data) = match Transport::parse(ip.proto, ip.payload, ip.payload_len).ok()? {
        Transport::Tcp(tcp) => ((tcp.src_port, tcp.dst_port), Some(tcp.seq), tcp.payload),
        Transport::Udp(udp) => ((udp.src_port, udp.dst_port), None, udp.payload),
        _ => return None,
    };
    let end = |addr, port| Endpoint { addr, port };
    let (src, dst) = (end(ip.src, ports.0), end(ip.dst, ports.1));
    (!data.is_empty()).then_some((ip.proto, src, dst, seq, data))
}
