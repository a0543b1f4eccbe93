//! What the engine and the tests must not touch: the machine, its clock, its luck.

use super::code::words;
use super::{Complaint, Source};

/// Words that give away I/O, clocks, threads or randomness.
const OF_THE_MACHINE: [&str; 15] = [
    "fs",
    "thread",
    "process",
    "env",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "Instant",
    "SystemTime",
    "rand",
    "getrandom",
    "RandomState",
];

/// Words that make a test depend on the clock.
const CLOCKS: [&str; 4] = ["sleep", "Instant", "SystemTime", "now"];

/// The engine does no I/O, reads no clock, starts no thread. Its tests may read files.
pub(super) fn engine(source: &Source, out: &mut Vec<Complaint>) {
    if !source.path.starts_with("src/engine/") || source.is_test {
        return;
    }
    let lines: Vec<&str> = source.shipped.lines().collect();
    for (line, word) in words(&source.shipped) {
        let text = lines.get(line - 1).copied().unwrap_or_default();
        // A plain word such as `process` may name a field; as a path it is the standard library's.
        let as_path = [format!("{word}::"), format!("::{word}")]
            .iter()
            .any(|p| text.contains(p));
        let upper = word.starts_with(char::is_uppercase);
        if OF_THE_MACHINE.contains(&word) && (upper || as_path) {
            out.push(source.complain(line, format!("the engine must not use `{word}`")));
        }
        if word == "now" && text.contains("::now(") {
            out.push(source.complain(line, "the engine must not read a clock".to_owned()));
        }
    }
}

/// Tests neither sleep nor look at the clock, and none is switched off.
pub(super) fn tests(source: &Source, out: &mut Vec<Complaint>) {
    for (index, line) in source.text.lines().enumerate() {
        let comment = line.trim_start();
        if comment.starts_with("//")
            && ["```ignore", "```no_run"]
                .iter()
                .any(|word| comment.contains(word))
        {
            out.push(source.complain(index + 1, "an example is switched off".to_owned()));
        }
    }
    for (index, line) in source.code.lines().enumerate() {
        let attribute = line.trim_start().starts_with("#[ignore");
        if attribute {
            out.push(source.complain(index + 1, "a test is switched off".to_owned()));
        }
        let shipped = source.shipped.lines().nth(index).unwrap_or_default();
        let in_test = source.is_test || shipped.trim() != line.trim();
        let called =
            |word: &str| line.contains(&format!("{word}(")) || line.contains(&format!("{word}::"));
        for word in CLOCKS {
            if in_test && words(line).any(|(_, found)| found == word) && called(word) {
                out.push(source.complain(index + 1, format!("a test uses the clock: `{word}`")));
            }
        }
    }
}

#[cfg(test)]
mod self_tests {
    use super::super::check_one;
    use super::*;

    #[test]
    fn the_machine_is_complained_of() {
        let count = |text| check_one(engine, "src/engine/flow/tcp.rs", text).len();
        assert_eq!(count("use std::fs;"), 1);
        assert_eq!(count("use std::fs::File;"), 1);
        assert_eq!(count("enum Kind { File }"), 0);
        assert_eq!(count("let t = Instant::now();"), 2);
        assert_eq!(count("std::thread::spawn(f);"), 1);
        assert_eq!(count("let s: std::net::TcpStream;"), 1);
        assert_eq!(count("let process = 1; self.process += process;"), 0);
        assert_eq!(count("use std::net::IpAddr; // std::fs"), 0);
        assert_eq!(count("#[cfg(test)]\nmod tests { use std::fs; }"), 0);
        let elsewhere = check_one(engine, "src/store/disk.rs", "use std::fs;");
        assert_eq!(elsewhere.len(), 0);
    }

    #[test]
    fn clocks_and_switched_off_tests_are_complained_of() {
        let count = |path, text| check_one(tests, path, text).len();
        assert_eq!(count("tests/x.rs", "std::thread::sleep(d);"), 1);
        assert_eq!(count("tests/x.rs", "let t = Instant::now();"), 2);
        assert_eq!(count("src/run/x.rs", "let t = Instant::now();"), 0);
        assert_eq!(
            count(
                "src/run/x.rs",
                "#[cfg(test)]\nmod tests { fn f() { sleep(1) } }"
            ),
            1
        );
        assert_eq!(
            count("src/run/x.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}"),
            1
        );
        assert_eq!(count("src/run/x.rs", "// #[ignore]"), 0);
        assert_eq!(count("src/run/x.rs", "/// ```ignore\n/// f();\n/// ```"), 1);
        assert_eq!(count("src/run/x.rs", "/// ```\n/// f();\n/// ```"), 0);
    }
}
