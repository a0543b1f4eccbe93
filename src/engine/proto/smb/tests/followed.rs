//! Files read and written from their first byte on: what is lost, what is too much.

use super::messages::*;
use super::{CREATE, Dir};
use crate::proto::testing::lines;
use crate::proto::{Kind, PARSER_BYTES_MAX, Talk};

/// A program's first bytes and more.
fn program(len: usize) -> Vec<u8> {
    let mut out = b"MZ\x90\0".to_vec();
    out.resize(len, 7);
    out
}

/// A share and `files` open files of it.
fn opened(files: u8, size: u64) -> Talk {
    let mut talk = Talk::new(Kind::Smb, false);
    talk.hear(Dir::Orig, 0, &ask(3, 1, &tree_connect(r"\\srv\c$")));
    talk.hear(Dir::Resp, 0, &answer(3, 1, &tree_connected(1)));
    for file in 1..=files {
        let message = 100 + u64::from(file);
        talk.hear(Dir::Orig, 0, &ask(CREATE, message, &create("a.exe", 0)));
        talk.hear(Dir::Resp, 0, &answer(CREATE, message, &created(file, size)));
    }
    talk
}

/// What was told of files, and how often a table was full.
fn told(talk: &mut Talk) -> (Vec<String>, usize) {
    talk.finish();
    let all = lines(&talk.told());
    let full = all.iter().filter(|line| line.contains("smb_table_full"));
    let full = full.count();
    let files = all.into_iter().filter(|line| line.starts_with("files "));
    (files.collect(), full)
}

/// The answer to a read.
fn have(data: &[u8]) -> Vec<u8> {
    let mut body = have_read(u32::try_from(data.len()).unwrap());
    body.truncate(16);
    body.extend(data);
    answer(8, 2, &body)
}

#[test]
fn bytes_lost_within_a_read_are_counted() {
    let mut talk = opened(1, 300);
    talk.hear(Dir::Orig, 0, &ask(8, 2, &read_or_write(1, 300, &[0])));
    let all = have(&program(300));
    talk.hear(Dir::Resp, 0, &all[..150]);
    talk.hear(Dir::Resp, 50, &all[200..]);
    // The message behind it is read as if nothing had happened.
    talk.hear(Dir::Orig, 0, &ask(6, 3, &close(1)));
    talk.hear(Dir::Resp, 0, &answer(6, 3, &[60, 0]));
    let (files, _) = told(&mut talk);
    let [line] = &files[..] else {
        panic!("{files:?}")
    };
    let counts = r#""seen_bytes":250,"total_bytes":300,"missing_bytes":50}"#;
    assert!(line.ends_with(counts), "{line}");
}

#[test]
fn a_write_that_is_refused_leaves_no_hash() {
    for (status, has_hash) in [(0, true), (0xc000_007f, false)] {
        let mut talk = opened(1, 0);
        let data = program(200);
        talk.hear(Dir::Orig, 0, &ask(9, 2, &read_or_write(1, 200, &data)));
        let answered = if status == 0 {
            answer(9, 2, &written(200))
        } else {
            refuse(9, 2, status)
        };
        talk.hear(Dir::Resp, 0, &answered);
        talk.hear(Dir::Orig, 0, &ask(6, 3, &close(1)));
        talk.hear(Dir::Resp, 0, &answer(6, 3, &[60, 0]));
        let (files, _) = told(&mut talk);
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].contains("sha256"), has_hash, "{files:?}");
    }
}

#[test]
fn so_many_are_followed_and_the_parser_stays_in_its_bound() {
    let mut talk = opened(200, 0);
    for file in 1..=200 {
        let message = 1_000 + u64::from(file);
        let body = read_or_write(file, 200, &program(200));
        talk.hear(Dir::Orig, 0, &ask(9, message, &body));
        talk.hear(Dir::Resp, 0, &answer(9, message, &written(200)));
        assert!(talk.parser_bytes() <= PARSER_BYTES_MAX);
    }
    let (files, full) = told(&mut talk);
    assert_eq!((files.len(), full), (32, 1));
}
