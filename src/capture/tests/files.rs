//! Files of every format, whole, cut, packed, in parts and merged: the same frames come out.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tapir_capture::{
    BATCH_FRAMES, Compression, DamageKind, FileReport, FileSource, InputOptions, InputReport,
    MERGE_FILES_MAX, Source, SourceError,
};

use crate::written::{PLAIN, Packet, Style, pcap, pcapng};

/// A frame kept: time, wire length, link number, epoch, bytes.
type Kept = (i64, u32, u32, bool, Vec<u8>);

fn read(paths: &[PathBuf], options: &InputOptions) -> (Vec<Kept>, InputReport) {
    let mut source = FileSource::open(paths, options).expect("opens");
    let mut frames = Vec::new();
    while let Some(f) = source.next().expect("goes on") {
        frames.push((f.ts_ns, f.wire_len, f.link.0, f.epoch, f.bytes.to_vec()));
    }
    assert!(source.ended());
    let (many, report) = batched(paths, options);
    assert_eq!((&many, report), (&frames, source.report()));
    (frames, source.report())
}

/// The same, as many at a time as there are.
fn batched(paths: &[PathBuf], options: &InputOptions) -> (Vec<Kept>, InputReport) {
    let mut source = FileSource::open(paths, options).expect("opens");
    let mut frames = Vec::new();
    while let Some(batch) = source.batch().expect("goes on") {
        assert!((1..=BATCH_FRAMES).contains(&batch.len()));
        for number in 0..batch.len() {
            let f = batch.frame(number).expect("one of the batch");
            assert!(!f.epoch || batch.len() == 1, "an epoch begins alone");
            frames.push((f.ts_ns, f.wire_len, f.link.0, f.epoch, f.bytes.to_vec()));
        }
        assert_eq!(batch.frame(batch.len()), None);
    }
    assert!(source.ended());
    (frames, source.report())
}

fn read_one(folder: &Path, bytes: &[u8]) -> (Vec<Kept>, FileReport) {
    let path = folder.join("one");
    fs::write(&path, bytes).expect("written");
    let (frames, mut report) = read(&[path], &InputOptions::default());
    (frames, report.files.pop().expect("a report"))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// What packets in order of time come out as.
fn expected(packets: &[Packet]) -> Vec<Kept> {
    let kept = |(ts_ns, wire_len, bytes): &Packet| {
        (
            i64::try_from(*ts_ns).unwrap(),
            *wire_len,
            1,
            false,
            bytes.clone(),
        )
    };
    packets.iter().map(kept).collect()
}

/// Packets in order of time, up to `count`, in whole milliseconds from 1,000 s on.
fn packets(count: usize) -> impl Strategy<Value = Vec<Packet>> {
    let packet = (
        0_u64..5_000,
        0_u32..50,
        prop::collection::vec(any::<u8>(), 0..40),
    );
    prop::collection::vec(packet, 0..count).prop_map(|packets| {
        let mut at = 1_000_000;
        let place = |(step, extra, bytes): (u64, u32, Vec<u8>)| {
            at += step;
            let wire_len = u32::try_from(bytes.len()).unwrap() + extra;
            (at * 1_000_000, wire_len, bytes)
        };
        packets.into_iter().map(place).collect()
    })
}

fn style() -> impl Strategy<Value = Style> {
    (any::<bool>(), any::<bool>()).prop_map(|(big_endian, nanoseconds)| Style {
        big_endian,
        nanoseconds,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Byte order and unit make no difference, and pcapng none to pcap, but that 2^-30 s is
    /// coarser than a nanosecond.
    #[test]
    fn formats_give_equal_frames(packets in packets(30), style in style()) {
        let folder = folder();
        let (frames, report) = read_one(folder.path(), &pcap(style, &packets));
        prop_assert_eq!(&frames, &expected(&packets));
        prop_assert_eq!(report.packets, packets.len() as u64);
        let (mut frames, report) = read_one(folder.path(), &pcapng(style, &packets));
        prop_assert_eq!(report.damage, None);
        for (frame, packet) in frames.iter_mut().zip(&packets) {
            let ts_ns = i64::try_from(packet.0).unwrap();
            prop_assert!((0..=1).contains(&(ts_ns - frame.0)), "{} {}", ts_ns, frame.0);
            frame.0 = ts_ns;
        }
        prop_assert_eq!(frames, expected(&packets));
    }

    /// A capture cut into files gives the frames of the whole, in whatever order they are named.
    #[test]
    fn parts_equal_the_whole(
        packets in packets(60),
        cuts in prop::collection::btree_set(0_usize..60, 0..5),
        backwards in any::<bool>(),
    ) {
        let folder = folder();
        let whole = folder.path().join("whole");
        fs::write(&whole, pcap(PLAIN, &packets)).unwrap();
        let mut bounds: Vec<_> = cuts.into_iter().filter(|cut| *cut < packets.len()).collect();
        bounds.insert(0, 0);
        bounds.push(packets.len());
        let mut parts = Vec::new();
        for (index, pair) in bounds.windows(2).enumerate() {
            let part = folder.path().join(format!("part{index}"));
            fs::write(&part, pcap(PLAIN, &packets[pair[0]..pair[1]])).unwrap();
            parts.push(part);
        }
        if backwards {
            parts.reverse();
        }
        for merge in [false, true] {
            let options = InputOptions { merge, filter: None };
            let (frames, report) = read(&parts, &options);
            prop_assert_eq!(frames, read(std::slice::from_ref(&whole), &options).0);
            prop_assert_eq!((report.clamped, report.weird_time, report.epochs), (0, 0, 0));
        }
    }

    /// Packets dealt to several files come back in order of time when merged.
    #[test]
    fn merged_taps_equal_the_whole(
        packets in packets(60),
        taps in prop::collection::vec(0_usize..4, 60),
    ) {
        let folder = folder();
        let mut dealt = vec![Vec::new(); 4];
        for (packet, tap) in packets.iter().zip(taps) {
            dealt[tap].push(packet.clone());
        }
        let paths: Vec<_> = (0..4).map(|tap| folder.path().join(format!("tap{tap}"))).collect();
        for (path, packets) in paths.iter().zip(&dealt) {
            fs::write(path, pcap(PLAIN, packets)).unwrap();
        }
        let options = InputOptions { merge: true, filter: None };
        let (mut frames, report) = read(&paths, &options);
        prop_assert!(frames.is_sorted_by_key(|frame| frame.0));
        prop_assert_eq!(report.clamped + report.weird_time, 0);
        let mut whole = expected(&packets);
        frames.sort();
        whole.sort();
        prop_assert_eq!(frames, whole);
    }

    /// No bytes panic, whatever they follow; frames read never exceed what was written.
    #[test]
    fn any_bytes_are_survived(
        packets in packets(4),
        style in style(),
        holes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let folder = folder();
        for write in [pcap, pcapng] {
            let mut file = write(style, &packets);
            for (place, byte) in &holes {
                let place = place.index(file.len());
                if place >= 4 {
                    file[place] = *byte;
                }
            }
            let path = folder.path().join("hurt");
            fs::write(&path, file).unwrap();
            read(&[path], &InputOptions::default());
        }
    }
}

proptest! {
    // Each case reads the file as often as it has bytes.
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// A file cut anywhere gives the frames before the cut, and tells where the first record is
    /// that is not whole; a cut between records is no damage.
    #[test]
    fn cut_anywhere_is_a_prefix(packets in packets(6), style in style()) {
        let folder = folder();
        for write in [pcap, pcapng] {
            let file = write(style, &packets);
            let (whole, _) = read_one(folder.path(), &file);
            let mut starts = vec![0];
            for cut in 4..file.len() {
                let (frames, report) = read_one(folder.path(), &file[..cut]);
                prop_assert_eq!(&frames[..], &whole[..frames.len()]);
                match report.damage {
                    None => starts.push(cut as u64),
                    Some(damage) => {
                        let is_cut = matches!(damage.kind, DamageKind::Cut { .. });
                        prop_assert!(is_cut, "{}", damage);
                        prop_assert_eq!(Some(&damage.at_byte), starts.last());
                    }
                }
            }
        }
    }
}

/// Packed files give the same frames; a damaged one is read up to the damage and says where.
#[test]
fn packed_files() {
    let folder = folder();
    let many: Vec<Packet> = (0_u64..4_000)
        .map(|i| (i * 1_000_000_000, 60, i.to_le_bytes().repeat(7)))
        .collect();
    for plain in [pcap(PLAIN, &many), pcapng(PLAIN, &many[100..])] {
        let (whole, _) = read_one(folder.path(), &plain);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::encode_all(&plain[..], 1).unwrap();
        for (packed, compression) in [(gzip, Compression::Gzip), (zstd, Compression::Zstd)] {
            let (frames, report) = read_one(folder.path(), &packed);
            assert_eq!((frames == whole, report.compression), (true, compression));
            assert_eq!(report.damage, None);
            let (frames, report) = read_one(folder.path(), &packed[..packed.len() / 2]);
            assert!(frames.len() < whole.len() && frames[..] == whole[..frames.len()]);
            let damage = report.damage.expect("damage");
            assert_eq!(damage.kind, DamageKind::Unpack(compression));
            assert!(damage.at_byte <= plain.len() as u64);
        }
    }
}

/// Two gzip members, or zstd frames, in one file are one stream.
#[test]
fn packed_in_pieces() {
    let folder = folder();
    let many: Vec<Packet> = (0..10).map(|i| (i, 60, vec![1; 20])).collect();
    let plain = pcap(PLAIN, &many);
    let (left, right) = plain.split_at(100);
    let zstd = [
        zstd::encode_all(left, 1).unwrap(),
        zstd::encode_all(right, 1).unwrap(),
    ]
    .concat();
    assert_eq!(read_one(folder.path(), &zstd).0.len(), 10);
    let gzip = |bytes: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    };
    assert_eq!(
        read_one(folder.path(), &[gzip(left), gzip(right)].concat())
            .0
            .len(),
        10
    );
}

/// What is not a capture is refused by name with a remedy; in a folder it is left out.
#[test]
fn refusals_and_folders() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let open = |path: &Path| FileSource::open(&[path.to_path_buf()], &InputOptions::default());
    assert!(matches!(
        open(&path("absent")),
        Err(SourceError::Missing { .. })
    ));
    assert!(matches!(
        open(folder.path()),
        Err(SourceError::NoCaptures { skipped: 0, .. })
    ));
    fs::write(path("empty"), []).unwrap();
    assert!(matches!(
        open(&path("empty")),
        Err(SourceError::Empty { .. })
    ));
    fs::write(path("text"), "hello world").unwrap();
    let error = open(&path("text")).unwrap_err().to_string();
    assert!(
        error.contains("text: not a capture (starts with \"hello wo\"…)"),
        "{error}"
    );
    fs::write(path("short"), [0xd4, 0xc3]).unwrap();
    assert!(matches!(
        open(&path("short")),
        Err(SourceError::NotACapture { .. })
    ));
    assert!(matches!(
        open(Path::new("/dev/null")),
        Err(SourceError::NotAFile { .. })
    ));
    assert!(matches!(
        FileSource::open(&[], &InputOptions::default()),
        Err(SourceError::NoInput)
    ));
    assert!(matches!(
        open(folder.path()),
        Err(SourceError::NoCaptures { skipped: 3, .. })
    ));
    for (name, ts_ns) in [("b", 5), ("a", 5), ("c", 1)] {
        fs::write(path(name), pcap(PLAIN, &[(ts_ns, 1, name.into())])).unwrap();
    }
    let (frames, report) = read(&[folder.path().into(), path("a")], &InputOptions::default());
    let order: Vec<_> = frames.iter().map(|frame| frame.4.clone()).collect();
    assert_eq!(order, [b"c", b"a", b"b"]);
    assert_eq!(
        (
            report.skipped_count,
            report.skipped.len(),
            report.files.len()
        ),
        (3, 3, 3)
    );
}

/// Only matching frames come out, the others are counted; an epoch that began with a frame kept
/// back is told with the next.
#[test]
fn filter_counts_and_keeps_epochs() {
    let folder = folder();
    let arp = [&[0xff; 12][..], &[8, 6], &[0; 28]].concat();
    let other = [&[0xff; 12][..], &[8, 0], &[0; 28]].concat();
    let mut packets: Vec<Packet> = vec![(1_000_000_000_000, 42, arp.clone())];
    packets.extend((0..64).map(|i| (i, 42, other.clone())));
    packets.push((100, 42, arp.clone()));
    let path = folder.path().join("file");
    fs::write(&path, pcap(PLAIN, &packets)).unwrap();
    let options = InputOptions {
        merge: false,
        filter: Some("arp".into()),
    };
    let (frames, report) = read(&[path], &options);
    assert_eq!(
        frames,
        [
            (1_000_000_000_000, 42, 1, false, arp.clone()),
            (100, 42, 1, true, arp)
        ]
    );
    assert_eq!(
        (report.files[0].packets, report.files[0].filtered),
        (66, 64)
    );
    assert_eq!((report.weird_time, report.epochs), (63, 1));
}

/// Files that overlap and are not merged: said so in the report, handled as an epoch change.
#[test]
fn overlap_without_merge_is_told() {
    let folder = folder();
    let series = |from: u64| -> Vec<Packet> {
        (0..100)
            .map(|i| ((from + i) * 1_000_000_000, 1, vec![7]))
            .collect()
    };
    let paths = [folder.path().join("a"), folder.path().join("b")];
    fs::write(&paths[0], pcap(PLAIN, &series(1_000))).unwrap();
    fs::write(&paths[1], pcap(PLAIN, &series(1_010))).unwrap();
    let (frames, report) = read(&paths, &InputOptions::default());
    assert_eq!((frames.len(), report.overlaps), (200, 1));
    assert_eq!((report.weird_time, report.epochs), (63, 1));
    let options = InputOptions {
        merge: true,
        filter: None,
    };
    let (frames, report) = read(&paths, &options);
    assert_eq!(
        (frames.len(), report.overlaps, report.weird_time),
        (200, 0, 0)
    );
}

/// A merge that would keep more files open than its bound refuses by name, and goes on without
/// the file when asked again.
#[test]
fn merge_is_bounded() {
    let folder = folder();
    for index in 0..=MERGE_FILES_MAX {
        let packets = [(0, 1, vec![1]), (1_000, 1, vec![2])];
        fs::write(
            folder.path().join(format!("{index:03}")),
            pcap(PLAIN, &packets),
        )
        .unwrap();
    }
    let options = InputOptions {
        merge: true,
        filter: None,
    };
    let mut source = FileSource::open(&[folder.path().into()], &options).expect("opens");
    let error = source.next().expect_err("one too many").to_string();
    assert!(
        error.contains("more than 256 files overlap in time at"),
        "{error}"
    );
    let mut frames = 0;
    while source.next().expect("goes on").is_some() {
        frames += 1;
    }
    assert_eq!(frames, 2 * MERGE_FILES_MAX);
    assert!(!source.report().files.last().expect("a report").done);
}

/// A file that vanishes between opening and reading is an error; the files after it still come.
#[test]
fn a_file_that_vanishes_is_told() {
    let folder = folder();
    let path = |index| folder.path().join(format!("{index}"));
    for index in 0..3 {
        fs::write(path(index), pcap(PLAIN, &[(index, 1, vec![1])])).unwrap();
    }
    let mut source =
        FileSource::open(&[folder.path().into()], &InputOptions::default()).expect("opens");
    fs::remove_file(path(1)).unwrap();
    assert_eq!(source.next().unwrap().map(|frame| frame.ts_ns), Some(0));
    assert!(matches!(source.next(), Err(SourceError::Missing { .. })));
    assert_eq!(source.next().unwrap().map(|frame| frame.ts_ns), Some(2));
    assert_eq!(source.next().unwrap(), None);
}
