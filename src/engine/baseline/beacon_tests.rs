//! Calls in a rhythm, and calls without one.

use super::*;

/// Calls at the given seconds with the given size; number of verdicts and the last one.
fn calls(
    times: impl IntoIterator<Item = f64>,
    size: impl Fn(u64) -> u64,
) -> (usize, Option<Beacon>) {
    let (mut edges, rhythm) = (Edges::default(), Rhythm::default());
    let mut verdicts: Vec<(Span, Beacon)> = vec![];
    for (n, s) in (0..).zip(times) {
        let ts = Timestamp::from_nanos((s * 1e9) as i64);
        verdicts.extend(edges.call(ts, 7, "x", &rhythm));
        edges.size(7, size(n));
    }
    (verdicts.len(), verdicts.pop().map(|(_, beacon)| beacon))
}

/// A small generator, so that the test needs no crate: splitmix64 to [0, 1).
fn noise(n: u64) -> f64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[test]
fn a_jittered_beacon_of_constant_size_is_found() {
    let mut now = 1e9;
    let times: Vec<f64> = (0..160)
        .map(|n| {
            now += 90.0 * (0.8 + 0.4 * noise(n));
            now
        })
        .collect();
    let (_, verdict) = calls(times, |_| 2_700);
    let beacon = verdict.expect("a verdict");
    assert!(
        (80.0..100.0).contains(&(beacon.period.0 as f64 / 1e9)),
        "{beacon:?}"
    );
    assert!(beacon.jitter < 0.3, "{beacon:?}");
}

#[test]
fn browsing_is_not_a_beacon() {
    let mut now = 1e9;
    let times: Vec<f64> = (0..200)
        .map(|n| {
            // Think times spread over four orders of magnitude.
            now += libm::exp(noise(n) * 9.0);
            now
        })
        .collect();
    let (verdicts, last) = calls(times, |n| (noise(n + 77) * 300_000.0) as u64);
    assert_eq!(verdicts, 0, "{last:?}");
}

#[test]
fn a_device_keeps_its_most_regular_edges() {
    let (mut edges, rhythm) = (Edges::default(), Rhythm::default());
    for n in 0..30_i64 {
        edges.call(Timestamp::from_secs(1_000_000 + 60 * n), 1, "x", &rhythm);
        edges.size(1, 100);
        for other in 0..20 {
            let ts = Timestamp::from_secs(1_000_000 + 60 * n + 1 + other);
            edges.call(ts, 1_000 + 20 * n as u64 + other as u64, "y", &rhythm);
        }
    }
    assert_eq!(edges.all.len(), EDGES_MAX);
    assert!(
        edges
            .standing(Timestamp::MIN, &rhythm)
            .iter()
            .any(|(_, b)| b.endpoint == "x")
    );
}
