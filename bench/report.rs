//! What the comparison came to, as text.

use std::fmt::Write as _;
use std::fs;

use serde::Deserialize;

use crate::Load;
use crate::targets;
use crate::turns::{FREE_ONE, FREE_TWO, LIMIT, Run, Subject, TAPIR};

/// Everything measured.
pub(crate) struct Results {
    pub(crate) subjects: Vec<Subject>,
    /// The mix, then the churn.
    pub(crate) loads: [Load; 2],
    pub(crate) doubled: Vec<Doubled>,
    pub(crate) lookup: Lookup,
    pub(crate) runs: usize,
    pub(crate) load_before: String,
    /// How steady the machine was.
    pub(crate) yardstick: String,
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
    pub(crate) ratio: f64,
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

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A figure, or a dash where there is none.
pub(crate) fn figure(value: f64, digits: usize) -> String {
    if value.is_finite() {
        format!("{value:.digits$}")
    } else {
        "–".to_owned()
    }
}

pub(crate) fn mib(runs: &[Run]) -> f64 {
    let peak = runs.iter().map(|run| run.peak_kib).max();
    peak.map_or(f64::NAN, kib_to_mib)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn kib_to_mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

impl Results {
    pub(crate) fn runs(&self, load: &Load, name: &str) -> Vec<Run> {
        let at = self
            .subjects
            .iter()
            .position(|subject| subject.name == name);
        at.and_then(|at| load.runs.get(at))
            .cloned()
            .unwrap_or_default()
    }

    /// Median of one program's figure by another's, turn by turn.
    pub(crate) fn ratio(
        &self,
        load: &Load,
        over: &str,
        under: &str,
        of: impl Fn(&Run) -> f64,
    ) -> f64 {
        let (over, under) = (self.runs(load, over), self.runs(load, under));
        median(
            over.iter()
                .zip(&under)
                .map(|(over, under)| of(over) / of(under)),
        )
    }

    /// CPU of one program by another's.
    pub(crate) fn cpu(&self, load: &Load, over: &str, under: &str) -> f64 {
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
    text.push_str(&targets::table(results));
    for load in [mix, churn] {
        let flows = load
            .flows
            .map_or(String::new(), |flows| format!(", {flows} flows"));
        let _infallible = write!(
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
        "Machine: {model}, {cores} cores, Linux {}; load {} at the beginning, {} at the end.\n{}\n",
        kernel.trim(),
        results.load_before,
        load(),
        results.yardstick,
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
    pub(crate) fn ratio(&self) -> f64 {
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
        "\nTapir writes its records, devices, breaches and report; Suricata writes to EVE flows and what it has to say of the \
         protocols\nthat both speak, with every other protocol and every rule off, so that it does no more than is compared; \
         softflowd keeps\nflows and sends them nowhere; ndpiReader tells the protocol of each flow; tcpdump only copies. \
         Only ratios within one\ntable mean anything: machines differ.\n",
    );
    text
}
