//! Where the CPU time of a run goes, by the rooms of the program.
//!
//! Usage:  rooms PROGRAM TABLE.md HERTZ CAPTURE=SAMPLES…
//! Input:  SAMPLES are what `perf script --no-demangle -F ip,sym,symoff,dso` says of PROGRAM reading CAPTURE, so many
//!         samples a second; `nm` and `addr2line` are asked what lies where.
//! Output: a table, on the terminal and in TABLE.md, with a row a room and a column a run.
//! How:    the compiler draws small functions into large ones, so a sample's room is that of the innermost of our source files
//!         that its instruction comes from; what serves every room (`engine/types`, `message`) counts as whose it serves.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

mod pcap;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pcap::Failure;

/// Source files by the beginning of their path in `src`, the longer ones first where one begins like another.
const ROOMS: &[(&str, &str)] = &[
    ("allocator", MEMORY),
    ("capture/", "capture: reading the file"),
    ("engine/decode/", "decode: headers"),
    ("engine/flow/digest", COPIES),
    ("engine/flow/duplicate", COPIES),
    ("engine/flow/recent", COPIES),
    ("engine/flow/stream", "flow: streams put in order"),
    ("engine/flow/wheel", "flow: timers"),
    ("engine/flow/", "flow: table, states, records of flows"),
    ("engine/tracker", "tracker: from a packet to its flow"),
    ("engine/proto/", "protocols"),
    ("engine/device/", "analysis: devices"),
    ("engine/baseline/", "analysis: baselines"),
    ("engine/service/", "analysis: services"),
    (SERVING, "records as text"),
    ("message/", "records as text"),
    ("engine/", "analysis: the rest"),
    ("run/output", "records as text"),
    ("run/record", "records as text"),
    ("run/writing", "records as text"),
    ("report/", "report"),
    ("", "threads: order and hand-over"),
];
const COPIES: &str = "flow: copies told apart";
const MEMORY: &str = "memory asked for and given back";
const HASHES: &str = "hashes: ids, files, certificates";
const KERNEL: &str = "kernel: files, memory";
const MOVED: &str = "memory moved and compared (libc)";
const LIBRARIES: &str = "libraries";
/// What serves every room.
const SERVING: &str = "engine/types/";

/// Samples by object, symbol and offset in it.
type Samples = BTreeMap<(String, String, u64), u64>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, table, hertz, runs @ ..] = arguments.as_slice() else {
        return Err("usage: rooms PROGRAM TABLE.md HERTZ CAPTURE=SAMPLES…".into());
    };
    let program = fs::canonicalize(program)?.display().to_string();
    let hertz: f64 = hertz.parse()?;
    let symbols = symbols(&program)?;
    let mut columns = Vec::new();
    for run in runs {
        let (capture, samples) = run.split_once('=').ok_or("a run is CAPTURE=SAMPLES")?;
        let samples = read(&fs::read_to_string(samples)?);
        if samples.is_empty() {
            return Err(format!("no samples of {capture}: perf saw nothing of the program").into());
        }
        let rooms = by_room(&program, &symbols, &samples)?;
        let (packets, _) = pcap::size(Path::new(capture))?;
        columns.push((rooms, packets));
    }
    let text = rows(&columns, hertz);
    println!("{text}");
    fs::write(table, text).map_err(|error| format!("{table}: {error}"))?;
    Ok(())
}

/// What `perf script` says, counted.
fn read(script: &str) -> Samples {
    let mut samples = Samples::new();
    for line in script.lines() {
        let Some((_, rest)) = line.trim().split_once(' ') else {
            continue;
        };
        let (place, object) = rest.rsplit_once(" (").unwrap_or((rest, ""));
        let (symbol, offset) = place.rsplit_once("+0x").unwrap_or((place, "0"));
        let offset = u64::from_str_radix(offset, 16).unwrap_or(0);
        let object = object.trim_end_matches(')').to_owned();
        *samples
            .entry((object, symbol.to_owned(), offset))
            .or_default() += 1;
    }
    samples
}

/// Where each symbol of a program lies.
fn symbols(program: &str) -> Result<HashMap<String, u64>, Failure> {
    let told = Command::new("nm").arg(program).output()?;
    let text = String::from_utf8_lossy(&told.stdout);
    let each = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        Some((words.nth(1)?.to_owned(), address))
    });
    Ok(each.collect())
}

/// Samples of each room.
fn by_room(
    program: &str,
    symbols: &HashMap<String, u64>,
    samples: &Samples,
) -> Result<BTreeMap<&'static str, u64>, Failure> {
    let mut rooms = BTreeMap::new();
    let mut ours = Vec::new();
    for ((object, symbol, offset), count) in samples {
        let address = symbols.get(symbol).filter(|_| object == program);
        match address {
            Some(address) => ours.push((address + offset, symbol, *count)),
            None => *rooms.entry(elsewhere(object, symbol)).or_default() += *count,
        }
    }
    let places: Vec<u64> = ours.iter().map(|(address, ..)| *address).collect();
    let files = files(program, &places)?;
    for (address, symbol, count) in ours {
        let files = files.get(&address).map(Vec::as_slice);
        *rooms
            .entry(room(files.unwrap_or_default(), symbol))
            .or_default() += count;
    }
    Ok(rooms)
}

/// What is not the program's own.
fn elsewhere(object: &str, symbol: &str) -> &'static str {
    if object.starts_with('[') {
        KERNEL
    } else if symbol.contains("mem") {
        MOVED
    } else {
        LIBRARIES
    }
}

/// The source files that the instruction at each address comes from, innermost first.
fn files(program: &str, addresses: &[u64]) -> Result<HashMap<u64, Vec<String>>, Failure> {
    let mut child = Command::new("addr2line")
        .args(["-i", "-a", "-e", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("addr2line: {error}; install binutils"))?;
    let mut asked = child.stdin.take().ok_or("addr2line listens to nobody")?;
    let questions = addresses.iter().fold(String::new(), |mut text, address| {
        let _infallible = writeln!(text, "{address:#x}");
        text
    });
    // It answers while it is asked.
    let asking = std::thread::spawn(move || asked.write_all(questions.as_bytes()));
    let told = child.wait_with_output()?;
    asking.join().map_err(|_| "asking addr2line failed")??;
    let mut files = HashMap::new();
    let mut at = 0;
    for line in String::from_utf8_lossy(&told.stdout).lines() {
        if let Some(address) = line.strip_prefix("0x") {
            at = u64::from_str_radix(address, 16)?;
            files.insert(at, Vec::new());
        } else if let Some(files) = files.get_mut(&at) {
            files.push(line.to_owned());
        }
    }
    Ok(files)
}

/// The room of an instruction of the program.
fn room(files: &[String], symbol: &str) -> &'static str {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");
    let own = || files.iter().filter_map(|file| file.strip_prefix(root));
    let serves = |path: &&str| path.starts_with(SERVING) || path.starts_with("message/");
    let path = own().find(|path| !serves(path)).or_else(|| own().next());
    let library = |names: &[&str]| {
        let is = |text: &str| names.iter().any(|name| text.contains(name));
        files.iter().any(|file| is(file)) || is(symbol)
    };
    if library(&["mimalloc", "_mi_"]) {
        MEMORY
    } else if library(&["blake3", "sha1", "sha2", "md5"]) {
        HASHES
    } else if let Some(path) = path {
        let room = ROOMS.iter().find(|(begin, _)| path.starts_with(begin));
        room.map_or(LIBRARIES, |(_, room)| room)
    } else {
        LIBRARIES
    }
}

/// Samples of a room.
fn of(rooms: &BTreeMap<&'static str, u64>, room: &str) -> u64 {
    rooms.get(room).copied().unwrap_or(0)
}

/// One row a room, the largest of the first run first.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn rows(columns: &[(BTreeMap<&'static str, u64>, u64)], hertz: f64) -> String {
    let all = columns.iter().flat_map(|(rooms, _)| rooms.keys());
    let mut rooms: Vec<&str> = all.copied().collect();
    rooms.sort_unstable();
    rooms.dedup();
    let first = |room: &str| columns.first().map(|(rooms, _)| of(rooms, room));
    rooms.sort_by_key(|room| std::cmp::Reverse(first(room)));
    let mut text = String::new();
    for room in rooms {
        let _infallible = write!(text, "| {room} |");
        for (rooms, packets) in columns {
            let (count, all) = (of(rooms, room) as f64, rooms.values().sum::<u64>() as f64);
            let nanos = count * 1e9 / hertz / *packets as f64;
            let _infallible = write!(text, " {:.1} % | {nanos:.0} |", 100.0 * count / all);
        }
        text.push('\n');
    }
    text.push_str("| all |");
    for (rooms, packets) in columns {
        let nanos = rooms.values().sum::<u64>() as f64 * 1e9 / hertz / *packets as f64;
        let _infallible = write!(text, " 100 % | {nanos:.0} |");
    }
    text.push('\n');
    text
}
