//! Bad input: what the operator is told, what the exit code says, and what is left on disk.
//!
//! What it shows: each mistake gives one line that names what is wrong, where, and what to do; damaged
//! captures are read as far as they go; nothing half-written looks whole; no byte from outside reaches
//! the terminal or a log raw (`hostile`).
//! How: the program runs over files made here by hand.

mod frames;
mod hostile;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::frames::{end, pcap, udp};
use crate::support::{Ran, demo, files, run, tapir, tapir_command};

/// 2026-01-05 09:00:00 UTC, in microseconds.
const MONDAY: u64 = 1_767_603_600_000_000;

/// Works in a folder of its own.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("room");
        fs::write(&path, bytes).expect("room");
        path
    }

    /// Analyses a file into `out`.
    fn analyze(&self, input: &Path, more: &[&str]) -> Ran {
        run(tapir_command()
            .arg("analyze")
            .arg(input)
            .arg("--out")
            .arg(self.path("out"))
            .args(more))
    }

    fn stats(&self) -> Value {
        let bytes = fs::read(self.path("out/stats.json")).expect("stats.json");
        serde_json::from_slice(&bytes).expect("JSON")
    }
}

/// The run failed with one line that holds every one of `words`, and left nothing that looks whole.
fn assert_refused(ran: &Ran, code: i32, out: &Path, words: &[&str]) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert_eq!(
        ran.stderr.lines().count(),
        1,
        "more than one line: {}",
        ran.stderr
    );
    assert_eq!(ran.stdout, "", "an answer in spite of an error");
    for word in words {
        assert!(ran.stderr.contains(word), "no `{word}` in: {}", ran.stderr);
    }
    let left: Vec<String> = files(out).into_keys().collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// Two stations exchange datagrams for a minute.
fn chatter(count: u64) -> Vec<(u64, Vec<u8>)> {
    let (a, b) = (end("10.1.0.5", 40_000), end("10.1.0.6", 40_001));
    (0..count)
        .map(|n| {
            let (from, to) = if n % 2 == 0 { (a, b) } else { (b, a) };
            (MONDAY + n * 100_000, udp(from, to, 0, &[0xa7; 40]))
        })
        .collect()
}

#[test]
fn a_missing_file_is_named() {
    let bench = Bench::new();
    let ran = bench.analyze(&bench.path("monday.pcap"), &[]);
    let words = ["monday.pcap", "no such file", "check the spelling"];
    assert_refused(&ran, 1, &bench.path("out"), &words);
}

#[test]
fn an_empty_file_is_named() {
    let bench = Bench::new();
    let ran = bench.analyze(&bench.write("empty.pcap", b""), &[]);
    assert_refused(
        &ran,
        1,
        &bench.path("out"),
        &["empty.pcap", "empty", "capture again"],
    );
}

#[test]
fn what_is_no_capture_is_named() {
    let bench = Bench::new();
    let ran = bench.analyze(
        &bench.write("notes.txt", b"Monday: call the printer people\n"),
        &[],
    );
    let words = ["notes.txt", "not a capture", "Monday", "pcap or pcapng"];
    assert_refused(&ran, 1, &bench.path("out"), &words);
    let ran = bench.analyze(&bench.write("a.zip", b"PK\x03\x04\x14\0\0\0\x08\0"), &[]);
    assert_refused(
        &ran,
        1,
        &bench.path("out"),
        &["a.zip", "zip", "unpack it first"],
    );
    let ran = bench.analyze(
        &bench
            .write("folder/readme.md", b"# nothing")
            .with_file_name(""),
        &[],
    );
    assert_refused(&ran, 1, &bench.path("out"), &["folder", "no capture"]);
}

#[test]
fn a_filter_that_does_not_compile_is_named() {
    let bench = Bench::new();
    let input = bench.write("a.pcap", &pcap(1, &chatter(4)));
    let ran = bench.analyze(&input, &["--filter", "port and"]);
    assert_refused(&ran, 1, &bench.path("out"), &["port and", "pcap-filter"]);
}

/// A folder below a regular file cannot be made, by root neither.
#[test]
fn an_output_folder_that_cannot_be_is_named() {
    let bench = Bench::new();
    let input = bench.write("a.pcap", &pcap(1, &chatter(4)));
    let file = bench.write("file", b"x");
    let ran = run(tapir_command()
        .arg("analyze")
        .arg(&input)
        .arg("--out")
        .arg(file.join("out")));
    assert_refused(
        &ran,
        1,
        &bench.path("out"),
        &["file/out", "cannot write", "--out"],
    );
    assert_eq!(fs::read(&file).expect("the file"), b"x");
}

/// An answer that is there already is not touched by a run that cannot begin.
#[test]
fn an_earlier_answer_survives_a_mistake() {
    let bench = Bench::new();
    let input = bench.write("a.pcap", &pcap(1, &chatter(30)));
    assert_eq!(bench.analyze(&input, &[]).code, Some(0));
    let before = files(&bench.path("out"));
    assert_eq!(bench.analyze(&bench.path("b.pcap"), &[]).code, Some(1));
    assert_eq!(files(&bench.path("out")), before);
}

/// Killed while it writes: nothing looks whole, and the next run clears up.
#[test]
fn a_killed_run_does_not_look_whole() {
    let bench = Bench::new();
    let out = bench.path("out");
    let mut child = tapir_command()
        .arg("analyze")
        .arg(demo())
        .arg("--out")
        .arg(&out)
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    while files(&out).is_empty() && child.try_wait().expect("a child").is_none() {
        std::thread::yield_now();
    }
    child.kill().expect("a child");
    let status = child.wait().expect("a child");
    assert_eq!(status.code(), None, "it was over before it could be killed");
    let left = files(&out);
    assert!(
        !left.is_empty() && left.keys().all(|name| name.starts_with('.')),
        "{:?}",
        left.keys()
    );
    let input = bench.write("a.pcap", &pcap(1, &chatter(30)));
    assert_eq!(bench.analyze(&input, &[]).code, Some(0));
    let whole = files(&out);
    assert!(whole.contains_key("stats.json"));
    assert!(
        whole.keys().all(|name| !name.starts_with('.')),
        "{:?}",
        whole.keys()
    );
}

/// A file system of 64 KiB, in a mount namespace of its own that is gone with the program.
#[test]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn a_full_disk_is_named_and_leaves_nothing() {
    let bench = Bench::new();
    // Flows enough that their records alone do not fit: many fail while they are written, few, of less than a log's
    // buffer, when the writer's thread closes the log.
    let input = |flows: u16| {
        let frame = |n: u16| {
            let (a, b) = (end("10.1.0.5", 20_000 + n), end("10.1.0.6", 40_001));
            (MONDAY + u64::from(n) * 1_000, udp(a, b, 0, b"hello"))
        };
        let frames: Vec<_> = (0..flows).map(frame).collect();
        bench.write(&format!("{flows}.pcap"), &pcap(1, &frames))
    };
    let small = bench.path("small");
    fs::create_dir(&small).expect("room");
    let in_namespace = |script: &str, input: &Path| {
        let mut command = Command::new("unshare");
        command.args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
        ]);
        command
            .arg(&small)
            .arg(env!("CARGO_BIN_EXE_tapir"))
            .arg(input);
        command
    };
    let mount = "mount -t tmpfs -o size=64k small \"$1\"";
    let allowed = in_namespace(mount, &small)
        .output()
        .is_ok_and(|output| output.status.success());
    if !allowed {
        println!("SKIPPED full disk: this user may not mount in a namespace of its own");
        return;
    }
    let script = format!(
        "{mount} && {{ \"$2\" analyze \"$3\" --out \"$1/out\"; code=$?; find \"$1/out\" -type f >&2; exit $code; }}"
    );
    for flows in [2_000, 300] {
        // What `find` prints joins the error: a file left behind is a second line.
        let ran = run(&mut in_namespace(&script, &input(flows)));
        assert_refused(
            &ran,
            1,
            &bench.path("out"),
            &["small/out/conn.log", "No space left", "--out"],
        );
    }
}

/// Models with a mistake, made from a shipped one.
#[test]
fn a_model_with_a_mistake_is_named() {
    let bench = Bench::new();
    let input = bench.write("a.pcap", &pcap(1, &chatter(4)));
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/recon/address-sweep.toml");
    let shipped = fs::read_to_string(shipped).expect("a shipped model");
    let condition = shipped
        .lines()
        .find(|line| line.starts_with("when = "))
        .expect("a condition");
    let changed = |by: &str| shipped.replacen(condition, &format!("when = \"{by}\""), 1);
    let mistakes = [
        (
            "unknown field",
            changed("tragets >= 8"),
            vec!["tragets", "targets"],
        ),
        ("ill type", changed("targets >= '8'"), vec!["targets"]),
        (
            "unknown key",
            shipped.replacen("impact = ", "impcat = 3\nimpact = ", 1),
            vec!["impcat"],
        ),
        (
            "a word for a number",
            shipped.replacen("impact = 3", "impact = \"high\"", 1),
            vec!["impact"],
        ),
    ];
    for (name, text, words) in mistakes {
        assert_ne!(text, shipped, "{name}: nothing was changed");
        let models = bench.write(&format!("{name}/sweep.toml"), text.as_bytes());
        let models = models
            .parent()
            .expect("a folder")
            .to_string_lossy()
            .into_owned();
        let ran = bench.analyze(&input, &["--models", &models]);
        let place = ["sweep.toml:"];
        let words: Vec<&str> = words.into_iter().chain(place).collect();
        assert_refused(&ran, 1, &bench.path("out"), &words);
    }
    let none = bench.write("no models/readme.md", b"x").with_file_name("");
    let ran = bench.analyze(&input, &["--models", &none.to_string_lossy()]);
    assert_refused(
        &ran,
        1,
        &bench.path("out"),
        &["no models", "no .toml file", "--models"],
    );
}

#[test]
fn damaged_state_is_named() {
    let bench = Bench::new();
    let input = bench.write("a.pcap", &pcap(1, &chatter(4)));
    let state = bench.path("state").to_string_lossy().into_owned();
    assert_eq!(bench.analyze(&input, &["--state", &state]).code, Some(0));
    let file = bench.path("state/analysis.state");
    let mut bytes = fs::read(&file).expect("a state");
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    fs::write(&file, bytes).expect("room");
    fs::remove_dir_all(bench.path("out")).expect("the first answer");
    let ran = bench.analyze(&input, &["--state", &state]);
    assert_refused(
        &ran,
        1,
        &bench.path("out"),
        &["analysis.state", "damaged", "previous"],
    );
}

/// Mistakes on the command line: exit 2, and the flag is named.
#[test]
fn mistakes_on_the_command_line_are_usage_errors() {
    let bench = Bench::new();
    let input = bench.write("a.pcap", &pcap(1, &chatter(4)));
    let mistakes: [(&[&str], &str); 7] = [
        (&["--workers", "0"], "--workers"),
        (&["--workers", "many"], "--workers"),
        (&["--home", "10.0.0.0/33"], "--home"),
        (&["--time-zone", "Middle/Earth"], "--time-zone"),
        (&["--fail-on", "101"], "--fail-on"),
        (&["--sensor-id", "a b"], "--sensor-id"),
        (&["--what"], "--what"),
    ];
    for (arguments, word) in mistakes {
        let ran = bench.analyze(&input, arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(word), "{arguments:?}: {}", ran.stderr);
        assert!(
            files(&bench.path("out")).is_empty(),
            "{arguments:?} left files behind"
        );
    }
    assert_eq!(tapir(&["analyze"]).code, Some(2), "no file was named");
    assert_eq!(tapir(&["analyse"]).code, Some(2), "no such command");
}

/// Cut in a record: everything before it is analysed, one warning names the byte, exit 0.
#[test]
fn a_cut_capture_is_read_as_far_as_it_goes() {
    let bench = Bench::new();
    let frames = chatter(50);
    let whole = pcap(1, &frames);
    let record = 16 + frames[0].1.len();
    let damage = 24 + 40 * record;
    let input = bench.write("cut.pcap", &whole[..damage + 20]);
    let ran = bench.analyze(&input, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    for word in ["cut.pcap", &damage.to_string()] {
        assert!(ran.stderr.contains(word), "no `{word}` in: {}", ran.stderr);
    }
    let stats = bench.stats();
    assert_eq!(stats["packets"], 40);
    assert_eq!(stats["cut_at_byte"]["cut.pcap"], damage);
    assert_eq!(stats["warnings"].as_array().map(Vec::len), Some(1));
}

/// Link type 147 is for private use: nobody can decode it. Packets are counted, one warning, exit 0.
#[test]
fn an_unknown_link_type_is_counted() {
    let bench = Bench::new();
    let input = bench.write("user.pcap", &pcap(147, &chatter(30)));
    let ran = bench.analyze(&input, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    let stats = bench.stats();
    assert_eq!(stats["packets"], 30);
    let counts: Vec<&Value> = stats["not_decoded"]
        .as_object()
        .expect("counts")
        .values()
        .collect();
    assert_eq!(counts, [30], "{}", stats["not_decoded"]);
    assert_eq!(stats["warnings"].as_array().map(Vec::len), Some(1));
}

/// `--fail-on`: the answer is given all the same, and the exit code is 5 from that score on.
#[test]
fn a_score_can_fail_the_run() {
    let bench = Bench::new();
    let ran = bench.analyze(&demo(), &["--fail-on", "60"]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert!(!ran.stdout.is_empty());
    assert!(bench.path("out/stats.json").is_file());
    let input = bench.write("a.pcap", &pcap(1, &chatter(30)));
    assert_eq!(bench.analyze(&input, &["--fail-on", "60"]).code, Some(0));
}
