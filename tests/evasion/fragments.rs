//! IP packets in pieces that overlap, contradict each other, or never come together.

use super::*;
use crate::support::frames::{fragments_of, udp};

/// A question for `name` (RFC 1035 §4).
fn question(name: &[u8; 6]) -> Vec<u8> {
    let header = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let long = [&[60][..], &[b'l'; 60]].concat().repeat(3);
    [
        &header[..],
        &[6],
        name,
        &long,
        b"\x07example\0",
        &[0, 1, 0, 1],
    ]
    .concat()
}

fn ends(v6: bool) -> (End, End) {
    if v6 {
        (end("fd00::5", 40_000), end("fd00::6", 53))
    } else {
        (end("10.1.0.5", 40_000), end("10.1.0.6", 53))
    }
}

/// The question in its frame, and another that differs in its name.
fn packets(v6: bool) -> [Vec<u8>; 2] {
    let (from, to) = ends(v6);
    [b"secret", b"public"].map(|name| udp(from, to, 0, &question(name)))
}

/// Bytes behind the IP header.
const LEN: usize = 8 + 12 + 7 + 3 * 61 + 9 + 4;

/// A piece: of the first or the other packet, from, to, whether more follow, identification.
type Piece = (usize, usize, usize, bool, u32);

/// Frames of pieces, each after a second.
fn pieces(v6: bool, list: &[Piece]) -> Vec<Timed> {
    let packets = packets(v6);
    let cut = |&(which, from, to, more, id): &Piece| {
        let packet: &[u8] = &packets[which % 2];
        (1_000_000_000, fragments_of(packet, id, from, to, more))
    };
    list.iter().map(cut).collect()
}

/// The packet in three pieces without any overlap.
const WHOLE: [Piece; 3] = [
    (0, 0, 96, true, 7),
    (0, 96, 192, true, 7),
    (0, 192, LEN, false, 7),
];

fn judge_pieces(v6: bool, cases: &[(&str, Want, &[Piece])]) {
    let [packet, _] = packets(v6);
    let clean = vec![(STEP_NS, packet)];
    for (name, want, list) in cases {
        judge(name, &clean, &pieces(v6, list), *want);
    }
}

#[test]
fn pieces_without_any_mistake() {
    let [a, b, d] = WHOLE;
    for v6 in [false, true] {
        judge_pieces(
            v6,
            &[
                ("in order", Want::Clean, &WHOLE),
                ("backwards", Want::Clean, &[d, b, a]),
                (
                    "as a mirror of both ways delivers them",
                    Want::Clean,
                    &[a, a, b, b, d],
                ),
            ],
        );
    }
}

#[test]
fn pieces_that_overlap() {
    const SAME: Want = Want::CleanBut(&["fragment_overlap"]);
    const OTHER: Want = Want::Told(&["fragment_inconsistency", "fragment_overlap"]);
    let [a, b, d] = WHOLE;
    judge_pieces(
        false,
        &[
            (
                "a subset of the same bytes",
                SAME,
                &[a, (0, 8, 64, true, 7), b, d],
            ),
            ("a part of the next", SAME, &[a, (0, 80, 192, true, 7), d]),
            (
                "another start after the first",
                OTHER,
                &[a, (1, 0, 96, true, 7), b, d],
            ),
            (
                "another start before the first",
                OTHER,
                &[(1, 0, 96, true, 7), a, b, d],
            ),
            ("another subset", OTHER, &[a, (1, 16, 64, true, 7), b, d]),
            (
                "another piece around a hole",
                OTHER,
                &[d, (1, 8, 64, true, 7), a, b],
            ),
            (
                "a name from both",
                OTHER,
                &[(1, 0, 48, true, 7), (0, 16, 192, true, 7), d],
            ),
        ],
    );
    // Teardrop: the second piece ends within the first.
    judge_pieces(
        false,
        &[(
            "teardrop",
            Want::CleanBut(&["fragment_overlap", "fragment_size_inconsistency"]),
            &[a, b, (0, 24, 32, false, 7), d],
        )],
    );
}

/// RFC 5722: a receiver drops the whole packet, and so does the sensor.
#[test]
fn pieces_of_ipv6_that_overlap() {
    let [a, b, d] = WHOLE;
    let lists: [&[Piece]; 3] = [
        &[a, (0, 8, 64, true, 7), b, d],
        &[a, (1, 80, 192, true, 7), d],
        &[a, b, (0, 96, 152, true, 7), d, a, b],
    ];
    for list in lists {
        let seen = see(&pieces(true, list));
        assert!(seen.content.is_empty(), "{seen:#?}");
        assert_eq!(seen.weirds.get("fragment_overlap"), Some(&1), "{seen:#?}");
    }
    // The next packet of the two is whole again.
    let list = [a, (0, 8, 64, true, 7), b, d]
        .into_iter()
        .chain(WHOLE.map(|(which, from, to, more, _)| (which, from, to, more, 8)));
    let all: Vec<Piece> = list.collect();
    judge_pieces(
        true,
        &[(
            "the next packet",
            Want::CleanBut(&["fragment_overlap"]),
            &all,
        )],
    );
}

#[test]
fn pieces_whose_lengths_contradict() {
    const SIZE: Want = Want::CleanBut(&["fragment_size_inconsistency"]);
    const BOTH: Want = Want::CleanBut(&["fragment_overlap", "fragment_size_inconsistency"]);
    let [a, b, d] = WHOLE;
    judge_pieces(
        false,
        &[
            (
                "two last pieces, the shorter later",
                BOTH,
                &[a, d, (0, 192, 200, false, 7), b],
            ),
            (
                "bytes behind the last",
                SIZE,
                &[a, d, (0, 224, 288, true, 7), b],
            ),
            ("off by one", BOTH, &[(0, 0, 95, true, 7), a, b, d]),
        ],
    );
    judge_pieces(
        false,
        &[
            (
                "two last pieces, the shorter first",
                Want::Told(&[
                    "DNS_label_len_gt_pkt",
                    "fragment_overlap",
                    "fragment_size_inconsistency",
                ]),
                &[a, (0, 192, 200, false, 7), d, b],
            ),
            (
                "behind the longest packet there is",
                Want::CleanBut(&["excessively_large_fragment"]),
                &[a, (2, 65_528, 65_628, true, 7), b, d],
            ),
        ],
    );
}

#[test]
fn pieces_that_are_tiny() {
    let tiny: Vec<Piece> = (0..LEN.div_ceil(8))
        .map(|n| (0, n * 8, LEN.min(n * 8 + 8), n * 8 + 8 < LEN, 7))
        .collect();
    const TINY: Want = Want::CleanBut(&["excessively_small_fragment"]);
    judge_pieces(false, &[("eight bytes each", TINY, &tiny)]);
    judge_pieces(true, &[("eight bytes each", TINY, &tiny)]);
}

/// An identification is used anew (CVE-2024-37151), and pieces come when the others are forgotten.
#[test]
fn pieces_and_time() {
    let [a, b, d] = WHOLE;
    let [packet, another] = packets(false);
    let clean = vec![(STEP_NS, packet.clone()), (STEP_NS, another)];
    let other = WHOLE.map(|(_, from, to, more, id)| (1, from, to, more, id));
    let reused = pieces(false, &[WHOLE, other].concat());
    judge("an identification used anew", &clean, &reused, Want::Clean);

    let mut late = pieces(false, &[a, b, d]);
    late[2].0 = 45_000_000_000;
    let clean = vec![(STEP_NS, packet)];
    judge(
        "a hole filled too late",
        &clean,
        &late,
        Want::Told(&["fragment_after_timeout"]),
    );
    let mut never = pieces(false, &[a, d]);
    never.push((300_000_000_000, clean[0].1.clone()));
    judge(
        "a hole never filled, and then the packet",
        &clean,
        &never,
        Want::Clean,
    );
    let mut again = pieces(false, &[a, b, a, b, d]);
    again[2].0 = 45_000_000_000;
    let want = Want::CleanBut(&["fragment_after_timeout"]);
    judge("all of it again after the time", &clean, &again, want);
}

/// RFC 6946: a fragment header around a whole packet makes no fragment.
#[test]
fn whole_packets_of_ipv6_that_say_they_are_fragments() {
    judge_pieces(true, &[("atomic", Want::Clean, &[(0, 0, LEN, false, 7)])]);
}

/// A thousand overlapping packets of one pair of addresses are one oddity.
#[test]
fn many_packets_are_told_once() {
    let list: Vec<Piece> = (0..1_000)
        .flat_map(|id| [(0, 0, 96, true, id), (1, 8, 64, true, id)])
        .collect();
    let mut frames = pieces(false, &list);
    frames.iter_mut().for_each(|frame| frame.0 = STEP_NS);
    let seen = see(&frames);
    let told: Vec<_> = seen.weirds.values().collect();
    assert_eq!(told, [&1, &1], "{:?}", seen.weirds);
}
