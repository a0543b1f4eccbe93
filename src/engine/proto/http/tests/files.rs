//! Tests of bodies that are followed as files.

use super::Dir::{Orig, Resp};
use super::{Flow, run};

const ASK: &[u8] = b"GET /a.exe HTTP/1.1\r\nHost: h\r\n\r\n";
/// 22 bytes; their SHA-256 by `printf 'MZ\220\0this is no program' | sha256sum`.
const PROGRAM: &[u8] = b"MZ\x90\0this is no program";
const HASH: &str = "37f45a1fab9b50f4f43eeea3ac646917aefc5da0686d86b8228a2065fd71f68f";

/// The `files` record among the lines.
fn file(lines: &[String]) -> Option<&str> {
    let mut files = lines.iter().filter(|line| line.contains(r#""fuid":"#));
    let file = files.next().map(String::as_str);
    assert!(files.next().is_none(), "{lines:?}");
    file
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\n", head.as_bytes(), b"\r\n", body].concat()
}

#[test]
fn a_program_is_hashed_however_it_comes() {
    let named = "Content-Disposition: attachment; filename=a.exe\r\n";
    let fixed = answer(&format!("{named}Content-Length: 22\r\n"), PROGRAM);
    let lines = run(&[(Orig, ASK), (Resp, &fixed)]);
    let fuid = lines[0].split(r#""resp_fuids":[""#).nth(1).expect("a fuid");
    let fuid = fuid.split('"').next().expect("its end");
    assert!(fuid.starts_with('F') && fuid.len() == 18, "{fuid}");
    let expected = format!(
        "{{\"fuid\":\"{fuid}\",\"source\":\"HTTP\",\"depth\":1,\"mime_type\":\"application/x-dosexec\",\
         \"filename\":\"a.exe\",\"duration\":0.000000,\"is_orig\":false,\"seen_bytes\":22,\"total_bytes\":22,\
         \"missing_bytes\":0,\"sha256\":\"{HASH}\"}}"
    );
    assert_eq!(file(&lines), Some(expected.as_str()));

    let chunked = answer(
        "Transfer-Encoding: chunked\r\n",
        &[b"1\r\nM\r\n15\r\n", &PROGRAM[1..], b"\r\n0\r\n\r\n"].concat(),
    );
    let until_close = answer("", PROGRAM);
    for (whole, has_total) in [(fixed, true), (chunked, false), (until_close, false)] {
        for cut in 0..whole.len() {
            let (head, tail) = whole.split_at(cut);
            let lines = run(&[(Orig, ASK), (Resp, head), (Resp, tail)]);
            let file = file(&lines).expect("a file");
            assert!(file.contains(HASH), "cut at {cut}: {file}");
            assert!(file.contains(r#""seen_bytes":22,"#), "cut at {cut}: {file}");
            assert_eq!(file.contains("total_bytes"), has_total);
        }
    }
}

#[test]
fn an_upload_is_followed_as_well() {
    let head = b"PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 22\r\n\r\n";
    let lines = run(&[(Orig, &[&head[..], PROGRAM].concat()), (Orig, ASK)]);
    let file = file(&lines).expect("a file");
    assert!(file.contains(r#""is_orig":true"#) && file.contains(HASH));
    assert!(lines.iter().any(|line| line.contains("orig_fuids")));
}

#[test]
fn what_is_lost_or_cut_has_no_hash() {
    let head = answer("Content-Length: 22\r\n", &PROGRAM[..8]);
    let mut flow = Flow::default();
    flow.feed(Orig, ASK, 0);
    flow.feed(Resp, &head, 0);
    flow.feed(Resp, &PROGRAM[12..], 4);
    let lines = flow.close();
    let lost = file(&lines).expect("a file");
    assert!(
        lost.contains(r#""seen_bytes":8,"total_bytes":22,"missing_bytes":4}"#),
        "{lost}"
    );
    let lines = run(&[(Orig, ASK), (Resp, &head)]);
    let cut = file(&lines).expect("a file");
    assert!(
        cut.contains(r#""seen_bytes":8,"total_bytes":22,"missing_bytes":0}"#),
        "{cut}"
    );
}

#[test]
fn what_is_long_or_of_no_interest_is_passed_over() {
    let long = answer("Content-Length: 9000000\r\n", PROGRAM);
    let lines = run(&[(Orig, ASK), (Resp, &long)]);
    let long = file(&lines).expect("a file");
    assert!(
        long.contains(r#""total_bytes":9000000,"missing_bytes":0}"#),
        "{long}"
    );
    let page = answer("Content-Length: 22\r\n", b"<html>22 bytes</html>\n");
    let coded = answer("Content-Encoding: gzip\r\nContent-Length: 22\r\n", PROGRAM);
    let part = [b"HTTP/1.1 206 Part\r\nContent-Length: 22\r\n\r\n", PROGRAM].concat();
    for other in [page, coded, part] {
        assert_eq!(file(&run(&[(Orig, ASK), (Resp, &other)])), None);
    }
}
