//! Packets per CPU second of `tapir analyze`, beside Suricata and tcpdump on the same capture.
//!
//! Usage:  measure CAPTURE RESULTS.md [RUNS]
//! Output: a table on the terminal, and the same with machine and versions in RESULTS.md.
//! Units:  CPU seconds are user and system time of the whole process, all threads.
//! How:    the programs take turns, RUNS (3) times; a row shows the median. Each run's output is checked to
//!         speak of every packet, where the program tells how many it read, and thrown away.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// Between two looks at the memory of a running program.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why there is nothing to show.
type Failure = Box<dyn std::error::Error>;

/// One of the programs compared.
struct Subject {
    name: &'static str,
    version: String,
    /// The command line, `CAPTURE` and `OUT` to be put in.
    command: Vec<String>,
    /// How many packets a run says it read, from its output folder.
    packets: fn(&Path) -> Option<u64>,
    runs: Vec<Run>,
}

struct Run {
    cpu_s: f64,
    wall_s: f64,
    peak_kib: u64,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (capture, results, runs) = match arguments.as_slice() {
        [capture, results] => (capture, results, 3),
        [capture, results, runs] => (capture, results, runs.parse()?),
        _ => return Err("usage: measure CAPTURE RESULTS.md [RUNS]".into()),
    };
    let capture = fs::canonicalize(capture).map_err(|error| format!("{capture}: {error}"))?;
    let (packets, bytes) = size(&capture).ok_or("not a classic little-endian pcap")?;
    let mut subjects = subjects(&capture.with_file_name("out"))?;
    for number in 1..=runs {
        for subject in &mut subjects {
            let run = run(subject, &capture, packets)?;
            println!(
                "run {number}: {:<24} {:7.2} CPU s, {:7.2} s",
                subject.name, run.cpu_s, run.wall_s
            );
            subject.runs.push(run);
        }
    }
    let table = table(&subjects, packets);
    println!("\n{table}");
    fs::write(results, report(&subjects, &table, packets, bytes, runs))?;
    println!("written to {results}");
    Ok(())
}

/// What is compared, and how it is called.
fn subjects(out: &Path) -> Result<Vec<Subject>, Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tapir = root.join("target/release/tapir").display().to_string();
    let yaml = root.join("bench/suricata.yaml").display().to_string();
    let out = out.display().to_string();
    let subject = |name, version: &str, command: &str, packets| -> Result<Subject, Failure> {
        let words = |line: &str| -> Vec<String> {
            line.split(' ')
                .map(|word| {
                    word.replace("TAPIR", &tapir)
                        .replace("YAML", &yaml)
                        .replace("OUT", &out)
                })
                .collect()
        };
        Ok(Subject {
            name,
            version: first_line(&words(version))?,
            command: words(command),
            packets,
            runs: Vec::new(),
        })
    };
    Ok(vec![
        subject(
            "tapir, 1 worker",
            "TAPIR --version",
            "TAPIR analyze CAPTURE --out OUT --workers 1",
            tapir_packets,
        )?,
        subject(
            "tapir, 2 workers",
            "TAPIR --version",
            "TAPIR analyze CAPTURE --out OUT --workers 2",
            tapir_packets,
        )?,
        subject(
            "suricata, EVE, no rules",
            "suricata -V",
            "suricata -c YAML -l OUT -r CAPTURE --runmode single -S /dev/null",
            suricata_packets,
        )?,
        subject(
            "tcpdump -w /dev/null",
            "tcpdump --version",
            "tcpdump -n -r CAPTURE -w /dev/null",
            |_| None,
        )?,
    ])
}

/// One run: CPU and wall time, peak memory; its output is checked and removed.
fn run(subject: &Subject, capture: &Path, packets: u64) -> Result<Run, Failure> {
    let out = capture.with_file_name("out");
    let _absent_is_fine = fs::remove_dir_all(&out);
    fs::create_dir_all(&out)?;
    let command = subject
        .command
        .iter()
        .map(|word| word.replace("CAPTURE", &capture.display().to_string()));
    let command: Vec<String> = command.collect();
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let before = cpu_s()?;
    let started = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let mut peak_kib = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        peak_kib = peak_kib.max(high_water_kib(child.id()));
        std::thread::sleep(LOOK_EVERY);
    };
    let wall_s = started.elapsed().as_secs_f64();
    let cpu_s = cpu_s()? - before;
    if !status.success() {
        return Err(format!("{} failed: {status}", subject.name).into());
    }
    let read = (subject.packets)(&out);
    if read.is_some_and(|read| read != packets) {
        return Err(format!("{} read {read:?} of {packets} packets", subject.name).into());
    }
    fs::remove_dir_all(&out)?;
    Ok(Run {
        cpu_s,
        wall_s,
        peak_kib,
    })
}

/// CPU seconds of all children that have ended.
fn cpu_s() -> Result<f64, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| {
        let micros = u32::try_from(time.tv_usec()).unwrap_or(0);
        Duration::from_secs(time.tv_sec().unsigned_abs()).as_secs_f64() + f64::from(micros) / 1e6
    };
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// Most memory the process ever held, as the kernel tells it.
fn high_water_kib(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
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

/// Frames of a capture, and their bytes.
fn size(capture: &Path) -> Option<(u64, u64)> {
    let mut file = BufReader::with_capacity(1 << 20, fs::File::open(capture).ok()?);
    let mut head = [0; 24];
    file.read_exact(&mut head).ok()?;
    if !head.starts_with(&0xa1b2_c3d4_u32.to_le_bytes()) {
        return None;
    }
    let (mut packets, mut bytes) = (0, 0);
    let mut record = [0; 16];
    while file.read_exact(&mut record).is_ok() {
        let len = u32::from_le_bytes(record.get(8..12)?.try_into().ok()?);
        file.seek_relative(len.into()).ok()?;
        packets += 1;
        bytes += u64::from(len);
    }
    Some((packets, bytes))
}

fn first_line(command: &[String]) -> Result<String, Failure> {
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    let text = if output.stdout.is_empty() {
        output.stderr
    } else {
        output.stdout
    };
    Ok(String::from_utf8_lossy(&text)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One row for each program; the last columns compare with Suricata and tcpdump.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn table(subjects: &[Subject], packets: u64) -> String {
    let rate =
        |subject: &Subject| packets as f64 / median(subject.runs.iter().map(|run| run.cpu_s));
    let rate_of = |name: &str| {
        let found = subjects
            .iter()
            .find(|subject| subject.name.starts_with(name));
        found.map_or(f64::NAN, rate)
    };
    let (suricata, tcpdump) = (rate_of("suricata"), rate_of("tcpdump"));
    let mut table = String::from(
        "| program | packets per CPU s | ns per packet | CPU s (lowest to highest) | wall s | peak MiB | of Suricata's rate | of tcpdump's rate |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for subject in subjects {
        let cpu = || subject.runs.iter().map(|run| run.cpu_s);
        let (lowest, highest) = (
            cpu().fold(f64::INFINITY, f64::min),
            cpu().fold(0.0, f64::max),
        );
        let wall = median(subject.runs.iter().map(|run| run.wall_s));
        let peak = subject
            .runs
            .iter()
            .map(|run| run.peak_kib)
            .max()
            .unwrap_or(0)
            / 1024;
        let rate = rate(subject);
        let _infallible = writeln!(
            table,
            "| {} | {rate:.0} | {:.0} | {:.2} ({lowest:.2} to {highest:.2}) | {wall:.2} | {peak} | {:.2} | {:.2} |",
            subject.name,
            1e9 / rate,
            median(cpu()),
            rate / suricata,
            rate / tcpdump,
        );
    }
    table
}

/// The table with everything that is needed to judge it.
fn report(subjects: &[Subject], table: &str, packets: u64, bytes: u64, runs: usize) -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("unknown");
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let cores = info
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let mut text = format!(
        "# Replay throughput\n\nPrinted by `make bench` (`bench/measure.rs`); medians of {runs} runs in which the programs \
         took turns.\nCPU seconds are user and system time of the whole process. Output goes to disk and is thrown away.\n\n\
         Capture: {packets} packets, {bytes} bytes of frames, made by `bench/mix.rs`.\n\
         Machine: {model}, {cores} cores, Linux {}, load {load} at the end.\n\n{table}\n",
        kernel.trim(),
    );
    let root = format!("{}/", env!("CARGO_MANIFEST_DIR"));
    for subject in subjects {
        let command = subject.command.join(" ").replace(&root, "");
        let _infallible = writeln!(text, "- {}: {}; `{command}`", subject.name, subject.version);
    }
    text.push_str(
        "\nTapir writes `conn`, `dns`, `http`, `ssl`, `x509`, `smb_*`, `ntlm`, `dhcp`, `ssh` and breaches; Suricata \
         writes\n`flow`, `dns`, `http`, `tls`, `smb`, `dhcp` and `ssh` to EVE, with every other protocol and every rule \
         off, so that\nit does no more than is compared. Only ratios within one table mean anything: machines differ.\n",
    );
    text
}
