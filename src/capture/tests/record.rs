//! The record of a live run: what goes in comes out, in the order of (epoch, time, queue).

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use tapir_capture::{
    DamageKind, FileSource, Frame, InputOptions, LinkType, RECORD_COMMENT_START, RecordSender,
    Recording, Source as _,
};

const S: i64 = 1_000_000_000;
/// The time that made-up times are counted from.
const BASE: i64 = 1_700_000_000 * S;

/// A frame read back: time, length on the wire, link, epoch, bytes.
type Kept = (i64, u32, u32, bool, Vec<u8>);

fn comment() -> String {
    format!("{RECORD_COMMENT_START}1,\"sensor_id\":\"t\",\"home\":[\"10.0.0.0/8\"]}}")
}

fn frame(ts_ns: i64, bytes: &[u8]) -> Frame<'_> {
    Frame {
        ts_ns,
        wire_len: u32::try_from(bytes.len()).unwrap() + 4,
        link: LinkType::ETHERNET,
        epoch: false,
        bytes,
    }
}

/// What is read of a file: frames, how long each epoch lasted, and the end.
fn read(path: &Path) -> (Vec<Kept>, Vec<Option<i64>>) {
    let mut source =
        FileSource::open(&[path.to_path_buf()], &InputOptions::default()).expect("opens");
    assert_eq!(source.record_comment(), Some(comment().as_str()));
    let (mut frames, mut passed) = (Vec::new(), Vec::new());
    while let Some(f) = source.next().expect("goes on") {
        let kept = (f.ts_ns, f.wire_len, f.link.0, f.epoch, f.bytes.to_vec());
        if kept.3 {
            passed.push(source.passed());
        }
        frames.push(kept);
    }
    passed.push(source.passed());
    let report = source.report();
    assert_eq!((report.clamped, report.weird_time), (0, 0));
    (frames, passed)
}

fn new_record(folder: &Path, queues: usize) -> (PathBuf, Recording, Vec<RecordSender>) {
    let path = folder.join("record.pcapng");
    let (recording, senders) = Recording::create(&path, &comment(), queues).expect("begins");
    (path, recording, senders)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// What a queue does next.
#[derive(Clone, Debug)]
enum Act {
    /// A frame so much later, of so many bytes.
    Push(i64, u8),
    Idle(i64),
    /// The next epoch begins, so much after the last frame, this far from [`BASE`].
    Epoch(i64, i64),
}

fn acts() -> impl Strategy<Value = Vec<(usize, Act)>> {
    let step = prop_oneof![Just(0_i64), 0..5_i64, 0..3 * S];
    let act = prop_oneof![
        12 => (step.clone(), any::<u8>()).prop_map(|(step, len)| Act::Push(step, len)),
        3 => step.clone().prop_map(Act::Idle),
        1 => (step, -1_000 * S..1_000 * S).prop_map(|(after, to)| Act::Epoch(after, to)),
    ];
    prop::collection::vec((0_usize..3, act), 0..60)
}

/// Where a frame belongs: epoch, time, queue, ordinal.
type Place = (u64, i64, usize, usize);

/// What the acts amount to when sorted by hand.
#[derive(Default)]
struct Expected {
    frames: Vec<(Place, Vec<u8>)>,
    /// Where each epoch begins, and until when it lasted.
    begins: Vec<i64>,
    ended: Vec<i64>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However queues take turns, are idle and learn of epochs, the record is the merged order: bytes,
    /// times and epochs as they were, and the time each epoch lasted.
    #[test]
    fn any_interleaving_is_merged(acts in acts(), queues in 1_usize..4) {
        let folder = folder();
        let (path, recording, mut senders) = new_record(folder.path(), queues);
        let mut expected = Expected { begins: vec![BASE], ..Expected::default() };
        // Epoch and time of each queue; a queue learns of an epoch when its turn comes.
        let mut states = vec![(0_usize, BASE); queues];
        for (index, (queue, act)) in acts.iter().enumerate() {
            let queue = queue % queues;
            if let Act::Epoch(after, to) = act {
                let latest = states.iter().filter(|state| state.0 == expected.ended.len());
                let latest = latest.map(|state| state.1).max();
                let begun = expected.begins[expected.ended.len()];
                expected.ended.push(latest.unwrap_or(begun) + after);
                expected.begins.push(BASE + to);
            }
            let epoch = expected.ended.len();
            if states[queue].0 < epoch {
                states[queue] = (epoch, expected.begins[epoch]);
                for _ in 0..2 {
                    senders[queue].epoch(epoch as u64, expected.ended[epoch - 1]);
                }
            }
            let now = &mut states[queue].1;
            match act {
                Act::Push(step, len) => {
                    *now += step;
                    let mut bytes = vec![*len; usize::from(*len)];
                    bytes.push(u8::try_from(index).unwrap());
                    senders[queue].push(&frame(*now, &bytes));
                    expected.frames.push(((epoch as u64, *now, queue, index), bytes));
                }
                Act::Idle(step) => {
                    *now += step;
                    senders[queue].idle(*now);
                }
                Act::Epoch(..) => {}
            }
        }
        // All have heard of the last epoch at the end, and end at the same time.
        let last = expected.ended.len();
        let in_last = states.iter().filter(|state| state.0 == last).map(|state| state.1).max();
        let end = in_last.unwrap_or(expected.begins[last]) + 7;
        for mut sender in senders {
            if last > 0 {
                sender.epoch(last as u64, expected.ended[last - 1]);
            }
            sender.finish(end);
        }
        let status = recording.finish();
        prop_assert_eq!(status.failure, None);
        prop_assert_eq!((status.recorded, status.left_out), (expected.frames.len() as u64, 0));
        prop_assert_eq!(status.bytes, fs::metadata(&path).unwrap().len());

        expected.frames.sort();
        expected.ended.push(end);
        let place = |epoch: u64| usize::try_from(epoch).unwrap();
        let mut before = None;
        let mut lasted = Vec::new();
        let kept = |((epoch, ts_ns, ..), bytes): &(Place, Vec<u8>)| {
            // The first frame of the file begins an epoch too, if it is not of the first.
            let begins = before.unwrap_or(0) != *epoch;
            if begins {
                lasted.push(Some(expected.ended[before.map_or(0, place)]));
            }
            before = Some(*epoch);
            let wire_len = u32::try_from(bytes.len()).unwrap() + 4;
            (*ts_ns, wire_len, 1, begins, bytes.clone())
        };
        let whole: Vec<Kept> = expected.frames.iter().map(kept).collect();
        // The end is that of the last epoch with a frame in it, or of the first.
        lasted.push(Some(expected.ended[before.map_or(0, place)]));
        let (frames, passed) = read(&path);
        prop_assert_eq!(frames, whole);
        prop_assert_eq!(passed, lasted);
    }
}

proptest! {
    /// A record that somebody changed is survived, and its times run back only where an epoch begins.
    #[test]
    fn hostile_records_keep_the_order(
        holes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        swap in any::<prop::sample::Index>(),
    ) {
        let folder = folder();
        let (path, recording, mut senders) = new_record(folder.path(), 1);
        for i in 0..6 {
            senders[0].push(&frame(BASE + i * S, &[7; 8]));
            if i == 3 {
                senders[0].epoch(1, BASE + 5 * S);
            }
        }
        senders.pop().expect("one").finish(BASE + 9 * S);
        prop_assert_eq!(recording.finish().recorded, 6);
        let mut bytes = fs::read(&path).expect("there");
        let comment = 28..28 + RECORD_COMMENT_START.len();
        for (place, byte) in &holes {
            let place = place.index(bytes.len());
            if place >= 4 && !comment.contains(&place) {
                bytes[place] = *byte;
            }
        }
        // Two sections become four, cut anywhere.
        let cut = swap.index(bytes.len());
        let twice = [&bytes[..], &bytes[..cut]].concat();
        fs::write(&path, twice).expect("written");
        let Ok(mut source) = FileSource::open(&[path], &InputOptions::default()) else {
            return Ok(());
        };
        let mut last_ns = i64::MIN;
        while let Some(frame) = source.next().expect("goes on") {
            prop_assert!(frame.epoch || frame.ts_ns >= last_ns);
            last_ns = frame.ts_ns;
        }
    }
}

/// Other programs read it: all packets, their times to the nanosecond, the comment.
#[test]
fn other_programs_read_it() {
    let folder = folder();
    let (path, recording, mut senders) = new_record(folder.path(), 2);
    for i in 0..1_000 {
        let bytes = [&[2; 12][..], &[8, 6], &[0; 28]].concat();
        senders[usize::from(i % 3 == 0)].push(&frame(BASE + i * 1_001, &bytes));
    }
    for mut sender in senders {
        sender.epoch(1, BASE + S);
        sender.push(&frame(BASE - 500 * S, &[2; 60]));
        sender.finish(BASE - 400 * S);
    }
    assert_eq!(recording.finish().recorded, 1_002);
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).arg(&path).output();
        let Ok(output) = output else {
            crate::namespace::skipped("record::other_programs_read_it", &format!("no {program}"));
            return None;
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{program}: {said}");
        Some(said)
    };
    if let Some(said) = run("tshark", &["-T", "fields", "-e", "frame.time_epoch", "-r"]) {
        let times: Vec<&str> = said.lines().collect();
        assert_eq!(times.len(), 1_002);
        assert_eq!(times[999], "1700000000.000999999");
        assert_eq!(times[1_001], "1699999500.000000000");
    }
    if let Some(said) = run("capinfos", &["-cTmk"]) {
        assert!(said.contains("1002"), "{said}");
    }
    if let Some(said) = run("capinfos", &["-k"]) {
        assert!(said.contains("tapir_record"), "{said}");
    }
}

/// A disk that is full does not end the run: it is said, and what is lost is counted.
#[test]
fn a_full_disk_is_told() {
    let file = OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("a full disk");
    let (recording, mut senders) = Recording::start(file, &comment(), 1).expect("begins");
    let gauge = recording.gauge();
    for i in 0..10_000 {
        senders[0].push(&frame(BASE + i, &[7; 1_000]));
    }
    senders.pop().expect("one").finish(BASE + S);
    let status = recording.finish();
    assert_eq!(
        (status.recorded, status.left_out, status.bytes),
        (0, 10_000, 0)
    );
    let why = status.failure.clone().expect("a reason");
    assert!(
        why.contains("No space left on device") && !why.contains('\n'),
        "{why}"
    );
    assert_eq!(gauge.status(), status);
}

/// Runs a test once more with a disk of 4 MiB, mounted where only it sees it.
fn on_a_small_disk(name: &str) {
    let folder = folder();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-ec"])
        .arg("mount -t tmpfs -o size=4m none \"$0\" && exec \"$1\" --exact \"$2\" --nocapture")
        .arg(folder.path())
        .arg(std::env::current_exe().expect("this binary"))
        .arg(name)
        .env("TAPIR_TEST_DISK", folder.path())
        .output();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output {
        Ok(output) if said(&output.stdout).contains("running 1 test") => {
            assert!(output.status.success(), "{name}: {}", said(&output.stderr));
        }
        _ => crate::namespace::skipped(name, "may not mount in a namespace of its own"),
    }
}

/// A disk that fills up in the middle leaves a readable file: the frames that fitted, counted right.
#[test]
fn a_disk_that_fills_keeps_what_fitted() {
    let Some(disk) = std::env::var_os("TAPIR_TEST_DISK") else {
        on_a_small_disk("record::a_disk_that_fills_keeps_what_fitted");
        return;
    };
    let (path, recording, mut senders) = new_record(Path::new(&disk), 1);
    let gauge = recording.gauge();
    let mut sent = 0;
    // One batch at a time, so that it is the disk that runs out.
    while gauge.status().failure.is_none() {
        for _ in 0..200 {
            senders[0].push(&frame(BASE + sent * 1_000_000, &[7; 1_000]));
            sent += 1;
        }
        senders[0].idle(BASE + sent * 1_000_000);
        assert!(sent < 100_000_000);
    }
    senders.pop().expect("one").finish(BASE + sent * 1_000_000);
    let status = recording.finish();
    assert_eq!(status.recorded + status.left_out, sent.unsigned_abs());
    assert_eq!(status.bytes, fs::metadata(&path).expect("there").len());
    let (frames, passed) = read(&path);
    assert!(!frames.is_empty());
    assert_eq!(frames.len() as u64, status.recorded);
    assert_eq!(passed, [None]);
}

/// Without a batch to spare frames are left out and counted, and the others stay in order.
#[test]
fn what_has_no_room_is_counted() {
    let folder = folder();
    let (path, recording, mut senders) = new_record(folder.path(), 2);
    // The second queue says nothing, so nothing of the first may be written.
    for i in 0..40_000 {
        senders[0].push(&frame(BASE + i, &[7; 1_000]));
    }
    for sender in senders {
        sender.finish(BASE + S);
    }
    let status = recording.finish();
    assert_eq!(status.recorded + status.left_out, 40_000);
    assert!(
        status.recorded >= 10_000 && status.left_out >= 10_000,
        "{status:?}"
    );
    let (frames, _) = read(&path);
    assert_eq!(frames.len() as u64, status.recorded);
    assert!(frames.is_sorted_by_key(|frame| frame.0));
}

/// A record cut short reads up to its cut; the end of its time is then not known.
#[test]
fn cut_short() {
    let folder = folder();
    let (path, recording, mut senders) = new_record(folder.path(), 1);
    for i in 0..10 {
        senders[0].push(&frame(BASE + i, &[7; 100]));
    }
    senders.pop().expect("one").finish(BASE + S);
    assert_eq!(recording.finish().recorded, 10);
    let (frames, passed) = read(&path);
    assert_eq!((frames.len(), passed), (10, vec![Some(BASE + S)]));
    let len = fs::metadata(&path).expect("there").len();
    let file = File::options().write(true).open(&path).expect("opens");
    // The block at the end has 40 bytes; a packet's has 132.
    for (cut, left) in [(1, 10), (40, 10), (41, 9), (41 + 132 * 3, 6)] {
        file.set_len(len - cut).expect("cut");
        let (frames, passed) = read(&path);
        assert_eq!((frames.len(), passed), (left, vec![None]), "{cut}");
    }
    let mut source = FileSource::open(&[path], &InputOptions::default()).expect("opens");
    while source.next().expect("goes on").is_some() {}
    let damage = source.report().files[0].damage.expect("told");
    assert!(matches!(damage.kind, DamageKind::Cut { .. }));
}

/// Records one after another: time goes on, and where it would run back an epoch begins. A record is
/// never written over, and what merely looks like one is read as any file.
#[test]
fn several_and_others() {
    let folder = folder();
    let record = |name: &str, from: i64| {
        let path = folder.path().join(name);
        let (recording, mut senders) = Recording::create(&path, &comment(), 1).expect("begins");
        for i in 0..3 {
            senders[0].push(&frame(from + i * S, &[1; 60]));
        }
        senders.pop().expect("one").finish(from + 5 * S);
        assert_eq!(recording.finish().left_out, 0);
        path
    };
    let paths = [
        record("a", BASE),
        record("b", BASE + S),
        record("c", BASE + 60 * S),
    ];
    let mut source = FileSource::open(&paths, &InputOptions::default()).expect("opens");
    let mut frames = Vec::new();
    while let Some(frame) = source.next().expect("goes on") {
        let (seconds, epoch) = ((frame.ts_ns - BASE) / S, frame.epoch);
        frames.push((seconds, epoch, source.passed().map(|ns| (ns - BASE) / S)));
    }
    let expected = [
        (0, false, None),
        (1, false, None),
        (2, false, None),
        (1, true, Some(5)),
        (2, false, Some(5)),
        (3, false, Some(5)),
        (60, false, Some(5)),
        (61, false, Some(5)),
        (62, false, Some(5)),
    ];
    assert_eq!(frames, expected);
    assert_eq!(source.passed(), Some(BASE + 65 * S));

    let error = Recording::create(&paths[0], &comment(), 1)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the file exists and is not written over"),
        "{error}"
    );

    let path = folder.path().join("other");
    let other = "{\"tapir_recorded\":1}";
    let (recording, mut senders) = Recording::create(&path, other, 1).expect("begins");
    senders[0].push(&frame(BASE, &[1; 60]));
    senders[0].epoch(1, BASE + S);
    for i in 0..64 {
        senders[0].push(&frame(BASE - 500 * S + i, &[1; 60]));
    }
    drop(senders);
    assert_eq!(recording.finish().left_out, 0);
    let mut source = FileSource::open(&[path], &InputOptions::default()).expect("opens");
    assert_eq!(source.record_comment(), None);
    while source.next().expect("goes on").is_some() {}
    assert_eq!((source.report().weird_time, source.passed()), (63, None));
}
