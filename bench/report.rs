//! What the comparison came to, as text: tables, then the targets with their figures.

use std::fmt::Write as _;
use std::fs;

use serde::Deserialize;

use crate::Load;
use crate::turns::{BARE, FREE_ONE, FREE_TWO, LIMIT, Run, SOFTFLOWD, SURICATA, Subject, TAPIR};

/// Everything measured.
pub(crate) struct Results {
    pub(crate) subjects: Vec<Subject>,
    /// The mix, then the churn.
    pub(crate) loads: [Load; 2],
    pub(crate) doubled: Vec<Doubled>,
    pub(crate) lookup: Lookup,
    pub(crate) runs: usize,
    pub(crate) load_before: String,
    pub(crate) core: String,
}

/// Tapir on a capture, and on one twice as long.
pub(crate) struct Doubled {
    pub(crate) name: &'static str,
    pub(crate) packets: [u64; 2],
    pub(crate) runs: Vec<[Run; 2]>,
}

/// What `lookup` tells.
#[derive(Deserialize)]
pub(crate) struct Lookup {
    flows: u64,
    rows: Vec<LookupRow>,
    ratio: f64,
}

#[derive(Deserialize)]
struct LookupRow {
    keys: String,
    p50_ns: u64,
    p99_ns: u64,
}

/// The load of the last minute.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A figure, or a dash where there is none.
fn figure(value: f64, digits: usize) -> String {
    if value.is_finite() {
        format!("{value:.digits$}")
    } else {
        "–".to_owned()
    }
}

fn mib(runs: &[Run]) -> f64 {
    let peak = runs.iter().map(|run| run.peak_kib).max();
    peak.map_or(f64::NAN, |kib| kib_to_mib(kib))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn kib_to_mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

impl Results {
    fn runs(&self, load: &Load, name: &str) -> Vec<Run> {
        let at = self
            .subjects
            .iter()
            .position(|subject| subject.name == name);
        at.and_then(|at| load.runs.get(at))
            .cloned()
            .unwrap_or_default()
    }

    /// Median of one program's figure by another's, turn by turn.
    fn ratio(&self, load: &Load, over: &str, under: &str, of: impl Fn(&Run) -> f64) -> f64 {
        let (over, under) = (self.runs(load, over), self.runs(load, under));
        median(
            over.iter()
                .zip(&under)
                .map(|(over, under)| of(over) / of(under)),
        )
    }

    /// CPU of one program by another's.
    fn cpu(&self, load: &Load, over: &str, under: &str) -> f64 {
        self.ratio(load, over, under, |run| run.cpu_s)
    }
}

/// The whole of `results.md`.
pub(crate) fn text(results: &Results) -> String {
    let [mix, churn] = &results.loads;
    let mut text = format!(
        "# Replay: what a packet, a flow and an attack cost\n\n\
         Printed by `make bench` (`bench/compare.sh`): medians of {} turns; ratios are medians of those within a turn.\n\
         CPU seconds are user and system time of the whole process, on core {} alone unless a row says otherwise. Output \
         goes to disk\nand is thrown away.\n\n{}\n",
        results.runs,
        results.core,
        machine(results),
    );
    text.push_str("## Targets\n\n");
    text.push_str(&targets(results));
    for load in [mix, churn] {
        let flows = load
            .flows
            .map_or(String::new(), |flows| format!(", {flows} flows"));
        let _infallible = writeln!(
            text,
            "\n## {}\n\n{} packets{flows}, {} bytes of frames, made by `bench/{}.rs`.\n\n{}",
            match load.name {
                "mix" => "Mix: an office's traffic",
                _ => "Churn: flows that come and go",
            },
            load.packets,
            load.bytes,
            load.name,
            table(results, load),
        );
    }
    let _infallible = write!(
        text,
        "\n## Threads, on all cores\n\nCPU by thread name, on the mix and the churn.\n\n{}",
        threads(results)
    );
    let _infallible = write!(
        text,
        "\n## Twice as much\n\nTapir on floods (`bench/flood.rs`) and churn of two lengths.\n\n{}",
        doubled(results)
    );
    let _infallible = write!(
        text,
        "\n## Keys of the flow table\n\n{}",
        lookup(&results.lookup)
    );
    text.push_str("\n## Programs\n\n");
    text.push_str(&programs(results));
    text
}

fn machine(results: &Results) -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model
        .unwrap_or("unknown")
        .trim_start_matches(['\t', ' ', ':']);
    let cores = info
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "Machine: {model}, {cores} cores, Linux {}; load {} at the beginning, {} at the end.\n",
        kernel.trim(),
        results.load_before,
        load(),
    )
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn table(results: &Results, load: &Load) -> String {
    let mut table = String::from(
        "| program | CPU s (lowest to highest) | ns a packet | µs a flow | wall s | peak MiB | CPU by Tapir's | CPU by the limit's |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for (subject, runs) in results.subjects.iter().zip(&load.runs) {
        if let Err(why) = &subject.version {
            let _infallible = writeln!(table, "| {} | {why} |||||||", subject.name);
            continue;
        }
        let cpu = || runs.iter().map(|run| run.cpu_s);
        let (lowest, highest) = (
            cpu().fold(f64::INFINITY, f64::min),
            cpu().fold(0.0, f64::max),
        );
        let flow = load
            .flows
            .map_or(f64::NAN, |flows| median(cpu()) * 1e6 / flows as f64);
        let _infallible = writeln!(
            table,
            "| {} | {:.2} ({lowest:.2} to {highest:.2}) | {:.0} | {} | {:.2} | {:.0} | {} | {} |",
            subject.name,
            median(cpu()),
            median(cpu()) * 1e9 / load.packets as f64,
            figure(flow, 2),
            median(runs.iter().map(|run| run.wall_s)),
            mib(runs),
            figure(results.cpu(load, subject.name, TAPIR), 2),
            figure(results.cpu(load, subject.name, LIMIT), 2),
        );
    }
    table
}

/// CPU of each thread with one and with two workers.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn threads(results: &Results) -> String {
    let mut table = String::from(
        "| capture | workers | thread | CPU s | ns a packet | of the process |\n|---|---:|---|---:|---:|---:|\n",
    );
    for load in &results.loads {
        for (workers, name) in [(1, FREE_ONE), (2, FREE_TWO)] {
            let runs = results.runs(load, name);
            let mut names: Vec<&String> = runs.iter().flat_map(|run| run.threads.keys()).collect();
            names.sort();
            names.dedup();
            for thread in names {
                let of = |run: &Run| run.threads.get(thread).copied().unwrap_or(0.0);
                let cpu = median(runs.iter().map(of));
                let _infallible = writeln!(
                    table,
                    "| {} | {workers} | {thread} | {cpu:.2} | {:.0} | {:.1} % |",
                    load.name,
                    cpu * 1e9 / load.packets as f64,
                    100.0 * median(runs.iter().map(|run| of(run) / run.cpu_s)),
                );
            }
        }
    }
    table
}

impl Doubled {
    fn ratio(&self) -> f64 {
        median(
            self.runs
                .iter()
                .map(|[once, twice]| twice.cpu_s / once.cpu_s),
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn doubled(results: &Results) -> String {
    let mut table = String::from(
        "| traffic | packets | CPU s | ns a packet | peak MiB | packets | CPU s | peak MiB | CPU by CPU |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in &results.doubled {
        let [once, twice] = row.packets;
        let cpu = |at: usize| median(row.runs.iter().map(|pair| pair[at].cpu_s));
        let peak = |at: usize| median(row.runs.iter().map(|pair| kib_to_mib(pair[at].peak_kib)));
        let _infallible = writeln!(
            table,
            "| {} | {once} | {:.2} | {:.0} | {:.0} | {twice} | {:.2} | {:.0} | {:.2} |",
            row.name,
            cpu(0),
            cpu(0) * 1e9 / once as f64,
            peak(0),
            cpu(1),
            peak(1),
            row.ratio(),
        );
    }
    table
}

fn lookup(lookup: &Lookup) -> String {
    let mut table = format!(
        "One lookup among {} flows (`bench/lookup.rs`).\n\n| keys | p50 ns | p99 ns |\n|---|---:|---:|\n",
        lookup.flows
    );
    for row in &lookup.rows {
        let _infallible = writeln!(table, "| {} | {} | {} |", row.keys, row.p50_ns, row.p99_ns);
    }
    table
}

/// A bound, whether more or less is better, and what is wished beyond it.
enum Bound {
    AtLeast(f64, Option<f64>),
    AtMost(f64),
    /// A figure to read the others by.
    Told,
}

/// One row a target.
fn targets(results: &Results) -> String {
    use Bound::{AtLeast, AtMost, Told};
    let [mix, churn] = &results.loads;
    let wall = results.ratio(mix, FREE_ONE, FREE_TWO, |run| run.wall_s);
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
    let flow = churn.flows.map_or(f64::NAN, |flows| {
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let flows = flows as f64;
        median(
            results
                .runs(churn, TAPIR)
                .iter()
                .map(|run| run.cpu_s * 1e6 / flows),
        )
    });
    let mut rows = vec![
        (
            "mix: Suricata's CPU by Tapir's",
            results.cpu(mix, SURICATA, TAPIR),
            AtLeast(3.0, Some(6.0)),
        ),
        (
            "mix: softflowd's CPU (flows only) by Tapir's",
            results.cpu(mix, SOFTFLOWD, TAPIR),
            AtLeast(0.0, Some(1.0)),
        ),
        (
            "churn: Suricata's CPU by Tapir's",
            results.cpu(churn, SURICATA, TAPIR),
            AtLeast(5.0, Some(12.0)),
        ),
        ("churn: µs a flow", flow, AtMost(6.7)),
        (
            "mix, protocols off: % of the limit's speed",
            100.0 * results.cpu(mix, LIMIT, BARE),
            AtLeast(40.0, Some(60.0)),
        ),
        (
            "mix: peak MiB",
            mib(&results.runs(mix, TAPIR)),
            AtMost(128.0),
        ),
        (
            "churn: peak MiB",
            mib(&results.runs(churn, TAPIR)),
            AtMost(300.0),
        ),
        (
            "mix, 2 workers: wall time of one by that of two",
            wall,
            AtLeast(1.6, None),
        ),
        (
            "mix, 2 workers: CPU of trackers a packet, by one's",
            results.ratio(mix, FREE_TWO, FREE_ONE, tracker),
            AtMost(1.1),
        ),
        (
            "mix, 2 workers: CPU of reader and trackers a packet, by one's",
            results.ratio(mix, FREE_TWO, FREE_ONE, packets),
            Told,
        ),
        (
            "mix, 1 worker: analysis, % of all CPU",
            share(FREE_ONE),
            AtMost(15.0),
        ),
        (
            "mix, 2 workers: analysis, % of all CPU",
            share(FREE_TWO),
            AtMost(15.0),
        ),
        (
            "chosen keys' p99 by random keys'",
            results.lookup.ratio,
            AtMost(3.0),
        ),
    ];
    let twice: Vec<(String, f64)> = results
        .doubled
        .iter()
        .map(|row| (format!("{}: CPU for twice as much", row.name), row.ratio()))
        .collect();
    rows.extend(
        twice
            .iter()
            .map(|(name, ratio)| (name.as_str(), *ratio, AtMost(2.3))),
    );
    let mut table =
        String::from("| target | figure | bound | wish | |\n|---|---:|---:|---:|---|\n");
    for (name, value, bound) in rows {
        table.push_str(&row(name, value, &bound));
    }
    table
}

fn row(name: &str, value: f64, bound: &Bound) -> String {
    let (said, wish, met) = match *bound {
        Bound::AtLeast(least, wish) => {
            let wished = wish.map_or(String::new(), |wish| format!("≥ {wish}"));
            let said = if least > 0.0 {
                format!("≥ {least}")
            } else {
                String::new()
            };
            (
                said,
                wished,
                (value >= least, wish.is_some_and(|wish| value >= wish)),
            )
        }
        Bound::Told => (String::new(), String::new(), (true, false)),
        Bound::AtMost(most) => (format!("≤ {most}"), String::new(), (value <= most, false)),
    };
    let verdict = match met {
        _ if !value.is_finite() => "not measured",
        (_, true) => "wish met",
        (true, _) if said.is_empty() && wish.is_empty() => "",
        (true, _) if said.is_empty() => "short of the wish",
        (true, _) => "met",
        (false, _) => "short",
    };
    format!(
        "| {name} | {} | {said} | {wish} | {verdict} |\n",
        figure(value, 2)
    )
}

/// Versions and command lines.
fn programs(results: &Results) -> String {
    let mut text = String::new();
    let root = format!("{}/", env!("CARGO_MANIFEST_DIR"));
    for subject in &results.subjects {
        let version = subject.version.as_ref().unwrap_or_else(|why| why);
        let command = subject.command.join(" ").replace(&root, "");
        let _infallible = writeln!(text, "- {}: {version}; `{command}`", subject.name);
    }
    text.push_str(
        "\nTapir writes its records, devices, breaches and report; Suricata writes `flow`, `dns`, `http`, `tls`, `smb`, \
         `dhcp` and `ssh`\nto EVE, with every other protocol and every rule off, so that it does no more than is compared; \
         softflowd keeps flows and\nsends them nowhere; ndpiReader tells the protocol of each flow; tcpdump only copies. \
         Only ratios within one table mean anything:\nmachines differ.\n",
    );
    text
}
