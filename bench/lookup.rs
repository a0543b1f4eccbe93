//! How long the flow table takes to find a flow whose key somebody chose with care.
//!
//! Usage:  lookup
//! Output: one JSON object: `rows` with the percentiles of one lookup in nanoseconds for each kind of key, and
//!         `ratio`, chosen keys' 99th percentile to random keys': medians of several turns, the ratio's of those
//!         within a turn.
//! How:    chosen keys share the low bits of their hash, which decide where an entry lies, under a hash
//!         key that an attacker can know; the table has another. What it would cost had it the same is the last
//!         row. Each key is looked for several times, in an order by chance; its fastest time counts, less
//!         the clock's own. Every turn has tables of its own: how far memory is depends on where a table came to
//!         lie, and the first one lies well.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

mod pcap;

use std::hint::black_box;
use std::time::Instant;

use pcap::{Failure, scrambled};
use tapir_engine::flow::{Flow, Key, Table};
use tapir_engine::types::{Endpoint, Ordinal, Seed, Timestamp};

/// Flows in the table.
const FLOWS: usize = 1 << 14;
/// Low bits of the hash that chosen keys share: 268 million keys are tried.
const SHARED_BITS: u32 = 14;
/// Times each key is looked for.
const ROUNDS: u64 = 7;
/// Turns, in each of which every kind of key has a table.
const TURNS: usize = 15;
/// The hash key an attacker knows, and the table's own.
const KNOWN: Seed = Seed(1);
const SECRET: Seed = Seed(0x0005_eed0_f7ab_1e00);

fn main() -> Result<(), Failure> {
    let random: Vec<Key> = (0..FLOWS as u64)
        .map(|number| key(scrambled(number)))
        .collect();
    let regular: Vec<Key> = (0..FLOWS as u64).map(key).collect();
    let chosen = chosen();
    let kinds = [
        ("random", &random, SECRET),
        ("counted up", &regular, SECRET),
        ("chosen against a known hash key", &chosen, SECRET),
        ("chosen, and the table has that hash key", &chosen, KNOWN),
    ];
    let mut turns = kinds.map(|_| (Vec::new(), Vec::new()));
    let mut ratios = Vec::new();
    for turn in 0..TURNS {
        for kind in 0..kinds.len() {
            // Who begins changes.
            let at = (kind + turn) % kinds.len();
            let (_, keys, seed) = kinds[at];
            let (p50, p99) = times(keys, seed)?;
            turns[at].0.push(p50);
            turns[at].1.push(p99);
        }
        let p99 = |at: usize| turns[at].1.last().copied().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        ratios.push(p99(2) as f64 / p99(0).max(1) as f64);
    }
    let rows = kinds.iter().zip(&mut turns).map(|((name, ..), turns)| {
        let (p50, p99) = (percentile(&mut turns.0, 50), percentile(&mut turns.1, 50));
        serde_json::json!({ "keys": name, "p50_ns": p50, "p99_ns": p99 })
    });
    let rows: Vec<_> = rows.collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios[TURNS / 2];
    println!(
        "{}",
        serde_json::json!({ "flows": FLOWS, "rows": rows, "ratio": ratio })
    );
    Ok(())
}

/// A TCP flow of a private host, by its number.
fn key(number: u64) -> Key {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    let end = |addr: [u8; 4], port| Endpoint::new(std::net::Ipv4Addr::from(addr).into(), port);
    let client = end([10, f, g, h], u16::from_be_bytes([d, e]));
    Key::new(client, end([192, 168, a, b], u16::from(c)), 6, 0, 0).0
}

/// Keys whose hashes, under the known hash key, end alike.
fn chosen() -> Vec<Key> {
    let table = Table::<()>::new(1, KNOWN);
    let keys = (0_u64..).map(|number| key(scrambled(number | 1 << 40)));
    keys.filter(|key| table.hash(key).trailing_zeros() >= SHARED_BITS)
        .take(FLOWS)
        .collect()
}

/// The median and the 99th percentile of a lookup, in nanoseconds.
fn times(keys: &[Key], seed: Seed) -> Result<(u64, u64), Failure> {
    let mut table = Table::<()>::new(keys.len(), seed);
    for key in keys {
        let flow = Flow::new(*key, true, Timestamp::from_secs(0), Ordinal::default());
        let hash = table.hash(key);
        if table.find(hash, key).is_none() {
            table.insert(hash, flow).ok_or("the table is full")?;
        }
    }
    let mut order: Vec<usize> = (0..keys.len()).collect();
    let mut fastest = vec![(u64::MAX, u64::MAX); keys.len()];
    for round in 0..ROUNDS {
        order.sort_unstable_by_key(|index| scrambled(*index as u64 | round << 32));
        for index in &order {
            let (key, best) = (&keys[*index], &mut fastest[*index]);
            let begun = Instant::now();
            let found = table.find(table.hash(black_box(key)), key);
            let found_at = Instant::now();
            black_box(found).ok_or("a flow is lost")?;
            let again = Instant::now();
            best.0 = best.0.min(nanos(found_at - begun));
            best.1 = best.1.min(nanos(again - found_at));
        }
    }
    let mut clock: Vec<u64> = fastest.iter().map(|best| best.1).collect();
    let own = percentile(&mut clock, 50);
    let mut times: Vec<u64> = fastest
        .iter()
        .map(|best| best.0.saturating_sub(own))
        .collect();
    Ok((percentile(&mut times, 50), percentile(&mut times, 99)))
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn percentile(values: &mut [u64], percent: usize) -> u64 {
    values.sort_unstable();
    let index = values.len() * percent / 100;
    values.get(index).copied().unwrap_or(0)
}
