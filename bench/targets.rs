//! The targets, each with its figure and whether that meets it.

use crate::report::{Results, figure, median, mib};
use crate::turns::{BARE, FREE_BARE, FREE_ONE, FREE_TWO, LIMIT, Run, SOFTFLOWD, SURICATA, TAPIR};

/// A figure, and what it is to be.
struct Target {
    name: String,
    value: f64,
    bound: Bound,
}

/// Which way a figure is better, and how good it is to be.
#[derive(Clone, Copy)]
enum Bound {
    /// No less than the first, if it is given; the second is wished.
    AtLeast(Option<f64>, Option<f64>),
    AtMost(f64),
    /// A figure to read the others by.
    Told,
}

use Bound::{AtLeast, AtMost, Told};

fn target(name: &str, value: f64, bound: Bound) -> Target {
    let name = name.to_owned();
    Target { name, value, bound }
}

/// One row a target.
pub(crate) fn table(results: &Results) -> String {
    let mut table =
        String::from("| target | figure | bound | wish | |\n|---|---:|---:|---:|---|\n");
    for targets in [cost(results), workers(results), hostile(results)] {
        for target in targets {
            table.push_str(&row(&target));
        }
    }
    table
}

/// CPU and memory beside other programs.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn cost(results: &Results) -> Vec<Target> {
    let [mix, churn] = &results.loads;
    let flow = churn.flows.map_or(f64::NAN, |flows| {
        let runs = results.runs(churn, TAPIR);
        median(runs.iter().map(|run| run.cpu_s)) * 1e6 / flows as f64
    });
    let (wide, narrow) = (AtLeast(Some(3.0), Some(6.0)), AtLeast(None, Some(1.0)));
    let speed = 100.0 * results.cpu(mix, LIMIT, BARE);
    // The same work as the limit's: reading, headers and flows, without what is made of the flows.
    let limit = results.runs(mix, LIMIT);
    let bare = results.runs(mix, FREE_BARE);
    let pairs = limit.iter().zip(&bare);
    let tracking = pairs.map(|(limit, bare)| 100.0 * limit.cpu_s / bare.of_threads(&["tracker"]));
    vec![
        target(
            "mix: Suricata's CPU by Tapir's",
            results.cpu(mix, SURICATA, TAPIR),
            wide,
        ),
        target(
            "mix: softflowd's CPU (flows only) by Tapir's",
            results.cpu(mix, SOFTFLOWD, TAPIR),
            narrow,
        ),
        target(
            "mix, protocols off: % of the limit's speed",
            speed,
            AtLeast(Some(40.0), Some(60.0)),
        ),
        target(
            "the same, by the tracker's thread alone",
            median(tracking),
            Told,
        ),
        target(
            "churn: Suricata's CPU by Tapir's",
            results.cpu(churn, SURICATA, TAPIR),
            AtLeast(Some(5.0), Some(12.0)),
        ),
        target("churn: µs a flow", flow, AtMost(6.7)),
        target(
            "mix: peak MiB",
            mib(&results.runs(mix, TAPIR)),
            AtMost(128.0),
        ),
        target(
            "churn: peak MiB",
            mib(&results.runs(churn, TAPIR)),
            AtMost(300.0),
        ),
    ]
}

/// What a second worker brings and costs, on the mix.
fn workers(results: &Results) -> Vec<Target> {
    let [mix, _] = &results.loads;
    let tracker = |run: &Run| run.of_threads(&["tracker"]);
    let packets = |run: &Run| run.of_threads(&["reader", "tracker"]);
    // The main thread analyses: it has the program's name until it is given another.
    let analysis = |run: &Run| match tracker(run) {
        named if named.is_finite() => run.of_threads(&["analysis", "tapir"]),
        unnamed => unnamed,
    };
    let share = |name| {
        let runs = results.runs(mix, name);
        100.0 * median(runs.iter().map(|run| analysis(run) / run.cpu_s))
    };
    let wall = results.ratio(mix, FREE_ONE, FREE_TWO, |run| run.wall_s);
    let trackers = results.ratio(mix, FREE_TWO, FREE_ONE, tracker);
    let all = results.ratio(mix, FREE_TWO, FREE_ONE, packets);
    vec![
        target(
            "2 workers: wall time of one by theirs",
            wall,
            AtLeast(Some(1.6), None),
        ),
        target(
            "2 workers: CPU of one's busiest thread by that of theirs",
            results.ratio(mix, FREE_ONE, FREE_TWO, Run::busiest_thread),
            Told,
        ),
        target(
            "2 workers: trackers' CPU a packet by one's",
            trackers,
            AtMost(1.1),
        ),
        target(
            "2 workers: trackers' and reader's CPU a packet by one's",
            all,
            Told,
        ),
        target(
            "1 worker: analysis, % of all CPU",
            share(FREE_ONE),
            AtMost(15.0),
        ),
        target(
            "2 workers: analysis, % of all CPU",
            share(FREE_TWO),
            AtMost(15.0),
        ),
    ]
}

/// What an attacker can do.
fn hostile(results: &Results) -> Vec<Target> {
    let keys = target(
        "chosen keys' p99 by random keys'",
        results.lookup.ratio,
        AtMost(3.0),
    );
    let twice = results.doubled.iter().map(|row| {
        let name = format!("{}: CPU for twice as much", row.name);
        target(&name, row.ratio(), AtMost(2.3))
    });
    std::iter::once(keys).chain(twice).collect()
}

fn row(target: &Target) -> String {
    let value = target.value;
    let (bound, wish, met, wish_met) = match target.bound {
        AtLeast(least, wish) => (
            least.map(|least| format!("≥ {least}")),
            wish.map(|wish| format!("≥ {wish}")),
            least.map(|least| value >= least),
            wish.map(|wish| value >= wish),
        ),
        AtMost(most) => (Some(format!("≤ {most}")), None, Some(value <= most), None),
        Told => (None, None, None, None),
    };
    let verdict = match (met, wish_met) {
        _ if !value.is_finite() => "not measured",
        (Some(false), _) => "short",
        (_, Some(true)) => "wish met",
        (Some(true), _) => "met",
        (None, Some(false)) => "short of the wish",
        (None, None) => "",
    };
    let (bound, wish) = (bound.unwrap_or_default(), wish.unwrap_or_default());
    let figure = figure(value, 2);
    format!(
        "| {} | {figure} | {bound} | {wish} | {verdict} |\n",
        target.name
    )
}
