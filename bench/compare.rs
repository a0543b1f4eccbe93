//! Tapir beside other readers of captures, on the same captures, in one sitting.
//!
//! Usage:  compare DATA RESULTS.md RUNS CHURN-FLOWS CORE
//! Input:  `mix.pcap`, `churn.pcap` and, for times at twice the length, `NAME-1.pcap` and `NAME-2.pcap` in DATA;
//!         the programs `measure` and `lookup` beside this one.
//! Output: tables and the targets with their figures, on the terminal and in RESULTS.md.
//! How:    the programs take turns, RUNS times; a row shows medians. Ratios are taken within a turn, and the
//!         median of those is shown, so that a machine that slows down in between does less harm.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

mod pcap;
mod report;
mod targets;
mod turns;
mod yardstick;

use std::path::{Path, PathBuf};
use std::process::Command;

use pcap::Failure;
use report::{Doubled, Lookup, Results};
use turns::{Place, Run, Subject, TAPIR, beside, subjects};
use yardstick::Yardstick;

/// A capture, and the runs of each program on it: `None` for a program that is not there.
pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Flows, if they are known.
    pub(crate) flows: Option<u64>,
    pub(crate) runs: Vec<Vec<Run>>,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, results, runs, flows, core] = arguments.as_slice() else {
        return Err("usage: compare DATA RESULTS.md RUNS CHURN-FLOWS CORE".into());
    };
    let data = std::fs::canonicalize(data).map_err(|error| format!("{data}: {error}"))?;
    let (runs, flows) = (runs.parse()?, flows.parse()?);
    let mut subjects = subjects(&data);
    let core = core.clone();
    let place = Place { data, core };
    let load_before = report::load();
    let mut yardstick = Yardstick::new();
    let mut turns =
        |name, flows| turns_on(&place, (&mut subjects, &mut yardstick), name, flows, runs);
    let mix = turns("mix", None)?;
    let churn = turns("churn", Some(flows))?;
    let results_of = Results {
        loads: [mix, churn],
        doubled: doubled(&place, &subjects, runs)?,
        lookup: lookup(&place)?,
        subjects,
        runs,
        load_before,
        yardstick: yardstick.text(),
        core: place.core.clone(),
    };
    let text = report::text(&results_of);
    println!("\n{text}");
    std::fs::write(results, text).map_err(|error| format!("{results}: {error}"))?;
    println!("written to {results}");
    Ok(())
}

/// Every program in turn on one capture. Another's failure becomes its row, one of Tapir's ends the bench.
fn turns_on(
    place: &Place,
    (subjects, yardstick): (&mut [Subject], &mut Yardstick),
    name: &'static str,
    flows: Option<u64>,
    turns: usize,
) -> Result<Load, Failure> {
    let capture = place.data.join(name).with_extension("pcap");
    let (packets, bytes) = pcap::size(&capture)?;
    let mut runs: Vec<Vec<Run>> = subjects.iter().map(|_| Vec::new()).collect();
    for turn in 1..=turns {
        for (subject, runs) in subjects.iter_mut().zip(&mut runs) {
            if subject.version.is_err() {
                continue;
            }
            yardstick.lay();
            let run = match place.run(subject, &capture, packets) {
                Err(why) if !subject.is_tapir() => {
                    eprintln!("compare: {why}");
                    subject.version = Err(why.to_string());
                    continue;
                }
                run => run?,
            };
            let (name_of, cpu_s, wall_s) = (subject.name, run.cpu_s, run.wall_s);
            println!("{name} {turn}: {name_of:<28} {cpu_s:7.2} CPU s, {wall_s:7.2} s");
            runs.push(run);
        }
    }
    Ok(Load {
        name,
        packets,
        bytes,
        flows,
        runs,
    })
}

/// Tapir on each capture that is there in two lengths.
fn doubled(place: &Place, subjects: &[Subject], turns: usize) -> Result<Vec<Doubled>, Failure> {
    let tapir = subjects.iter().find(|subject| subject.name == TAPIR);
    let tapir = tapir.ok_or("no tapir")?;
    let mut all = Vec::new();
    for name in ["churn", "one", "flows", "macs", "fragments", "disorder"] {
        let path = |length: &str| -> PathBuf { place.data.join(format!("{name}-{length}.pcap")) };
        let (once, twice) = (path("1"), path("2"));
        if !once.exists() || !twice.exists() {
            eprintln!("compare: no {name} in two lengths");
            continue;
        }
        let mut rows = Vec::new();
        let packets = [pcap::size(&once)?.0, pcap::size(&twice)?.0];
        for turn in 1..=turns {
            let run = |capture: &Path, packets| place.run(tapir, capture, packets);
            let pair = [run(&once, packets[0])?, run(&twice, packets[1])?];
            let [one, two] = [pair[0].cpu_s, pair[1].cpu_s];
            println!("{name} {turn}: {one:7.2} and {two:7.2} CPU s");
            rows.push(pair);
        }
        all.push(Doubled {
            name,
            packets,
            runs: rows,
        });
    }
    Ok(all)
}

/// Lookups in the flow table with keys of all kinds.
fn lookup(place: &Place) -> Result<Lookup, Failure> {
    let told = Command::new("taskset")
        .args(["-c", &place.core])
        .arg(beside("lookup")?)
        .output()?;
    if !told.status.success() {
        return Err(String::from_utf8_lossy(&told.stderr).into());
    }
    Ok(serde_json::from_slice(&told.stdout)?)
}
