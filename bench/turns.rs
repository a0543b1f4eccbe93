//! The programs compared, and their runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::pcap::Failure;

/// What `measure` tells of a run.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Run {
    ok: bool,
    pub(crate) cpu_s: f64,
    pub(crate) wall_s: f64,
    pub(crate) peak_kib: u64,
    pub(crate) threads: BTreeMap<String, f64>,
}

impl Run {
    /// CPU seconds of the threads whose names begin so; no number if there is none.
    pub(crate) fn of_threads(&self, names: &[&str]) -> f64 {
        let begins = |name: &str| names.iter().any(|begin| name.starts_with(begin));
        let threads = self.threads.iter().filter(|(name, _)| begins(name));
        threads
            .map(|(_, seconds)| *seconds)
            .reduce(|sum, seconds| sum + seconds)
            .unwrap_or(f64::NAN)
    }

    /// CPU seconds of the thread that had most of them.
    pub(crate) fn busiest_thread(&self) -> f64 {
        self.threads.values().copied().fold(f64::NAN, f64::max)
    }
}

/// One of the programs.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// What it says of itself, or why it is not there.
    pub(crate) version: Result<String, String>,
    /// The command line; `CAPTURE` and `OUT` are put in for each run.
    pub(crate) command: Vec<String>,
    /// Whether it has one core only.
    pub(crate) pinned: bool,
    /// How many packets a run says it read, from its output folder.
    packets: fn(&Path) -> Option<u64>,
}

impl Subject {
    /// Whether it is the program the bench is about.
    pub(crate) fn is_tapir(&self) -> bool {
        self.name.starts_with(TAPIR)
    }
}

/// Where everything is.
pub(crate) struct Place {
    /// Folder of the captures.
    pub(crate) data: PathBuf,
    /// The core of those that have one.
    pub(crate) core: String,
}

impl Place {
    /// One run; its output is checked to speak of every packet, if it tells, and removed.
    ///
    /// # Errors
    ///
    /// Also if the program does not read everything: what it cost would mean nothing.
    pub(crate) fn run(
        &self,
        subject: &Subject,
        capture: &Path,
        packets: u64,
    ) -> Result<Run, Failure> {
        let out = self.data.join("out");
        let _absent_is_fine = fs::remove_dir_all(&out);
        fs::create_dir_all(&out)?;
        let pin = ["taskset", "-c", &self.core];
        let put_in = |word: &String| {
            word.replace("CAPTURE", &capture.display().to_string())
                .replace("OUT", &out.display().to_string())
        };
        let told = Command::new(beside("measure")?)
            .args(pin.iter().filter(|_| subject.pinned))
            .args(subject.command.iter().map(put_in))
            .stderr(Stdio::inherit())
            .output()?;
        if !told.status.success() {
            return Err(format!("{}: cannot be started", subject.name).into());
        }
        let run: Run = serde_json::from_slice(&told.stdout)?;
        let file = capture.display();
        if !run.ok {
            return Err(format!("{} fails on {file}", subject.name).into());
        }
        let read = (subject.packets)(&out);
        if read.is_some_and(|read| read != packets) {
            return Err(format!(
                "{} read {read:?} of {packets} packets of {file}",
                subject.name
            )
            .into());
        }
        fs::remove_dir_all(&out)?;
        Ok(run)
    }
}

/// A program built with this one.
pub(crate) fn beside(name: &str) -> Result<PathBuf, Failure> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// Tapir first: the others are compared with it.
pub(crate) fn subjects(data: &Path) -> Vec<Subject> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tapir = root.join("target/release/tapir").display().to_string();
    let yaml = root.join("bench/suricata.yaml").display().to_string();
    let limit = data.join("limit").display().to_string();
    let words = |line: &str| -> Vec<String> {
        let put_in = |word: &str| match word {
            "TAPIR" => tapir.clone(),
            "YAML" => yaml.clone(),
            "LIMIT" => limit.clone(),
            _ => word.to_owned(),
        };
        line.split(' ').map(put_in).collect()
    };
    let subject = |name, version, command, packets| Subject {
        name,
        version,
        command: words(command),
        pinned: ![FREE_ONE, FREE_TWO, FREE_BARE].contains(&name),
        packets,
    };
    let says = |command| says(&words(command));
    let whole = "TAPIR analyze CAPTURE --out OUT --workers 1";
    let two = "TAPIR analyze CAPTURE --out OUT --workers 2";
    let none = "TAPIR analyze CAPTURE --out OUT --workers 1 --protocols none";
    let suricata = "suricata -c YAML -l OUT -r CAPTURE --runmode single -S /dev/null";
    let softflowd = "softflowd -d -r CAPTURE -m 2000000 -p none -c none";
    let own = says("TAPIR --version");
    // A version of Tapir that does not know the option does not come to its help either.
    let bare = says("TAPIR analyze --protocols none --help").and_then(|_| own.clone());
    let ndpi = "ndpiReader -i CAPTURE -q -n 1";
    let tcpdump = "tcpdump -n -r CAPTURE -w /dev/null";
    let gcc = says("LIMIT").map(|_| "`bench/limit.c`, gcc -O2".to_owned());
    vec![
        subject(TAPIR, own.clone(), whole, tapir_packets),
        subject(BARE, bare.clone(), none, tapir_packets),
        subject(SURICATA, says("suricata -V"), suricata, suricata_packets),
        subject(SOFTFLOWD, says("softflowd -h"), softflowd, silent),
        subject("ndpiReader", says("ndpiReader -h"), ndpi, silent),
        subject("tcpdump", says("tcpdump --version"), tcpdump, silent),
        subject(LIMIT, gcc, "LIMIT CAPTURE", silent),
        subject(FREE_ONE, own.clone(), whole, tapir_packets),
        subject(FREE_TWO, own, two, tapir_packets),
        subject(FREE_BARE, bare, none, tapir_packets),
    ]
}

/// Names that tables and targets speak of.
pub(crate) const TAPIR: &str = "tapir";
pub(crate) const BARE: &str = "tapir, protocols off";
pub(crate) const SURICATA: &str = "suricata, EVE, no rules";
pub(crate) const SOFTFLOWD: &str = "softflowd, flows only";
pub(crate) const LIMIT: &str = "limit in C";
pub(crate) const FREE_ONE: &str = "tapir, all cores, 1 worker";
pub(crate) const FREE_TWO: &str = "tapir, all cores, 2 workers";
pub(crate) const FREE_BARE: &str = "tapir, protocols off, all cores";

/// The line in which a program tells its version, or its first; some use the wrong stream or fail.
fn says(command: &[String]) -> Result<String, String> {
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|_| "not installed".to_owned())?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().map(str::trim);
    let line = lines
        .clone()
        .find(|line| line.contains("version "))
        .or_else(|| lines.find(|line| !line.is_empty()));
    let line = line.unwrap_or_default();
    let line = line.split(". ").next().unwrap_or(line).to_owned();
    if line.starts_with("error: ") {
        Err(line)
    } else {
        Ok(line)
    }
}

fn tapir_packets(out: &Path) -> Option<u64> {
    let stats = fs::read(out.join("stats.json")).ok()?;
    let stats: serde_json::Value = serde_json::from_slice(&stats).ok()?;
    stats["packets"].as_u64().or(Some(0))
}

fn suricata_packets(out: &Path) -> Option<u64> {
    let stats = fs::read_to_string(out.join("stats.log")).ok()?;
    let line = stats
        .lines()
        .rfind(|line| line.starts_with("decoder.pkts "))?;
    line.rsplit('|').next()?.trim().parse().ok()
}

fn silent(_: &Path) -> Option<u64> {
    None
}
