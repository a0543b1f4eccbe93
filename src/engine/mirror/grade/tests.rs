//! Each fault by itself: its cause, its grade, and a fix.

use super::*;

/// An hour of a mirror that is right.
fn right() -> MirrorFigures {
    MirrorFigures {
        packets: 100_000,
        group: 4_000,
        checked: 6_000,
        flows_all: 5_000,
        flow_packets: 90_000,
        flows: 2_000,
        one_way: 12,
        content: 40_000_000,
        hosts: 40,
        ..MirrorFigures::default()
    }
}

fn letter(figures: &MirrorFigures) -> (&'static str, Vec<String>) {
    let (grade, causes) = grade(figures, &[], &["10.0.0.7".to_owned()]);
    assert!(
        causes
            .iter()
            .all(|c| c.text.ends_with('.') && c.fix.ends_with(['.', ')']))
    );
    let names = causes.into_iter().map(|cause| cause.cause).collect();
    (grade.map_or("-", Grade::letter), names)
}

/// A name, what it changes in an hour that is right, and the grade.
type Case = (&'static str, fn(&mut MirrorFigures), &'static str);

const CASES: [Case; 24] = [
    ("only_broadcast", |f| f.group = 99_500, "F"),
    ("one_way", |f| f.one_way = 100, "B"),
    ("one_way", |f| f.one_way = 300, "C"),
    ("one_way", |f| f.one_way = 800, "D"),
    ("one_way", |f| f.one_way = 1_900, "F"),
    ("lost", |f| f.missed = 6_000, "B"),
    ("lost", |f| f.missed = 100_000, "C"),
    ("lost", |f| f.missed = 1_000_000, "D"),
    ("lost", |f| f.missed = 10_000_000, "F"),
    ("ring", |f| f.ring_dropped = 20, "B"),
    ("ring", |f| f.ring_dropped = 2_000, "D"),
    ("loop", |f| f.tripled = 60, "B"),
    ("loop", |f| f.tripled = 2_500, "F"),
    ("copies", |f| f.copies = 3_000, "B"),
    ("copies", |f| f.copies = 12_000, "C"),
    ("copies", |f| f.copies = 90_000, "D"),
    ("other_vlan", |f| f.other_vlan = 150, "B"),
    ("other_vlan", |f| f.other_vlan = 2_000, "C"),
    ("silent_hosts", |f| f.silent = 1, "B"),
    ("silent_hosts", |f| f.silent = 10, "C"),
    ("silent_hosts", |f| f.silent = 25, "D"),
    ("snapped", |f| f.truncated = 99_000, "D"),
    ("offload", |f| f.oversize = 500, "B"),
    ("checksums", |f| f.bad_checksums = 5_000, "B"),
];

#[test]
fn each_fault_has_its_cause_and_its_grade() {
    assert_eq!(letter(&right()), ("A", vec![]));
    for (name, change, expected) in CASES {
        let mut figures = right();
        change(&mut figures);
        assert_eq!(letter(&figures), (expected, vec![name.to_owned()]));
    }
}

#[test]
fn the_worst_three_are_told_in_order() {
    let figures = MirrorFigures {
        one_way: 1_900,
        copies: 12_000,
        truncated: 99_000,
        silent: 1,
        ..right()
    };
    assert_eq!(
        letter(&figures),
        (
            "F",
            ["one_way", "snapped", "copies"].map(str::to_owned).to_vec()
        )
    );
}

#[test]
fn too_little_is_not_judged() {
    let figures = MirrorFigures {
        packets: 150,
        one_way: 10,
        flows: 10,
        ..MirrorFigures::default()
    };
    assert_eq!(letter(&figures), ("-", vec![]));
}

#[test]
fn a_vlan_that_is_gone_weighs_by_what_it_carried() {
    let vlan = |most| MirrorVlan {
        vlan: 20,
        most,
        gone: true,
        ..MirrorVlan::default()
    };
    for (most, expected) in [(1_000, Grade::C), (50_000, Grade::D)] {
        let (grade, causes) = grade(&right(), &[vlan(most)], &[]);
        assert_eq!(grade, Some(expected));
        assert_eq!(causes[0].examples, ["VLAN 20"]);
    }
}

#[test]
fn drops_of_the_ring_are_known_later() {
    let span = (None, None);
    let mirror = graded(right(), Vec::new(), &[], span);
    assert_eq!(mirror.grade, Some(Grade::A));
    assert_eq!(with_ring(mirror.clone(), 0), mirror);
    assert_eq!(with_ring(mirror, 3_000).grade, Some(Grade::D));
}

/// A model's sentence cuts what is longer.
#[test]
fn every_fix_fits_into_a_sentence() {
    for suspect in suspects(&right()) {
        let cause = causes::cause(suspect.cause, Grade::C, &right(), Vec::new());
        assert!(cause.fix.chars().count() <= 128, "{}", cause.fix);
    }
}
