//! Sums slide on, and losses are those of the hours that are asked for.

use super::*;

fn minute(n: i64) -> Timestamp {
    Timestamp::from_nanos(n * 60 * 1_000_000_000)
}

fn census(packets: u64) -> Census {
    Census {
        packets,
        vlans: vec![(0, packets)],
        ..Census::default()
    }
}

#[test]
fn the_hour_slides_and_the_whole_stays() {
    let mut watch = MirrorWatch::new(Seed(3));
    for n in 0..180 {
        watch.census(minute(n), &census(100));
    }
    assert_eq!(watch.last_hour(minute(179)).figures.packets, 6_000);
    assert_eq!(watch.whole().figures.packets, 18_000);
    assert_eq!(watch.last_hour(minute(400)).figures.packets, 0);
    assert_eq!(watch.slots.len(), 7);
}

#[test]
fn a_breach_carries_the_loss_of_its_own_hours() {
    let mut watch = MirrorWatch::new(Seed(3));
    for hour in 0..30 {
        let lost = Ended {
            tcp: true,
            missed: if hour == 10 { 50 } else { 0 },
            content: if hour == 10 { 50 } else { 100 },
            ..Ended::default()
        };
        watch.ended(minute(hour * 60), &lost);
    }
    let loss = |from: i64, to: i64| watch.loss(minute(from * 60), minute(to * 60 + 59));
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
    assert!(near(loss(10, 10), 0.5) && near(loss(9, 13), 0.1));
    assert!(near(loss(11, 29), 0.0) && near(loss(40, 41), 0.0));
    assert_eq!(watch.losses.len(), LOSS_HOURS);
}
