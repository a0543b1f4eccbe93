//! What one run of a program costs.
//!
//! Usage:  measure COMMAND…
//! Output: one JSON object: `ok` (it ended well), `cpu_s` (user and system time, all threads), `wall_s`,
//!         `peak_kib` (most memory it held), `threads` (CPU seconds by thread name, those of one name summed).
//! How:    the kernel's account of the child once it has ended; threads are looked at while they run, so of
//!         the last 5 ms of a thread nothing is known. The command's own output is thrown away.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// Between two looks at the threads of the running program.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A program that takes longer than this is ended, and has failed.
const PATIENCE: Duration = Duration::from_secs(900);

/// Why there is nothing to tell.
type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (program, arguments) = arguments.split_first().ok_or("usage: measure COMMAND…")?;
    let started = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let mut threads = BTreeMap::new();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > PATIENCE {
            child.kill()?;
        }
        look(child.id(), &mut threads);
        std::thread::sleep(LOOK_EVERY);
    };
    let wall_s = started.elapsed().as_secs_f64();
    // This process has had no other child.
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let mut by_name = BTreeMap::<String, f64>::new();
    for (name, seconds) in threads.into_values() {
        *by_name.entry(name).or_default() += seconds;
    }
    let told = serde_json::json!({
        "ok": status.success(),
        "cpu_s": seconds(usage.user_time()) + seconds(usage.system_time()),
        "wall_s": wall_s,
        "peak_kib": usage.max_rss(),
        "threads": by_name,
    });
    println!("{told}");
    Ok(())
}

/// Notes how long each thread has run so far, and what it is called by now.
fn look(process: u32, threads: &mut BTreeMap<String, (String, f64)>) {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else {
        return;
    };
    for task in tasks.flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file));
        // Either may be gone: a thread that has ended keeps what was last seen of it.
        if let (Ok(name), Ok(run)) = (read("comm"), read("schedstat"))
            && let Some(nanos) = run.split(' ').next().and_then(|word| word.parse().ok())
        {
            let seconds = Duration::from_nanos(nanos).as_secs_f64();
            let id = task.file_name().to_string_lossy().into_owned();
            threads.insert(id, (name.trim().to_owned(), seconds));
        }
    }
}

fn seconds(time: TimeVal) -> f64 {
    let micros = u32::try_from(time.tv_usec()).unwrap_or(0);
    Duration::from_secs(time.tv_sec().unsigned_abs()).as_secs_f64() + f64::from(micros) / 1e6
}
