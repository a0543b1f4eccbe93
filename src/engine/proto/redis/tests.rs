//! Talks of the shared captures `zeek_auth`, `zeek_client-skip-while-off` and `zeek_pipeline-with-commands`, whole;
//! further ones by the examples of the protocol's description.

use super::super::testing::{endures, grows, shown_secrets, stream};
use super::*;
use crate::proto::Secret;

const C: Dir = Dir::Orig;
const S: Dir = Dir::Resp;
const WRONG: &[u8] = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const AUTH: [(Dir, &[u8]); 4] = [
    (
        C,
        b"*3\r\n$4\r\nAUTH\r\n$8\r\nnotauser\r\n$12\r\nnotapassword\r\n",
    ),
    (S, WRONG),
    (
        C,
        b"*3\r\n$4\r\nAUTH\r\n$7\r\ndefault\r\n$15\r\ndefaultpassword\r\n",
    ),
    (S, b"+OK\r\n"),
];

fn line(rest: &str) -> String {
    format!(r#"redis {{"cmd.name":{rest}}}"#)
}

#[test]
fn sign_ins_are_told_each_time() {
    let told = stream::<Redis>(&AUTH);
    assert_eq!(
        told.records,
        [
            line(r#""AUTH","user":"notauser","password":true,"success":false,"error":"WRONGPASS""#),
            line(r#""AUTH","user":"default","password":true,"success":true"#),
        ]
    );
    assert_eq!(
        (told.clues.len(), told.clues[0].kind),
        (1, ClueKind::Serves)
    );
    endures::<Redis>(&AUTH, false);
    // A password alone, by either form; with `HELLO`.
    let told = stream::<Redis>(&[
        (
            C,
            b"*2\r\n$4\r\nauth\r\n$6\r\ngeheim\r\nAUTH geheim\r\nAUTH anna geheim\r\n",
        ),
        (
            C,
            b"*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$4\r\nanna\r\n$6\r\ngeheim\r\n",
        ),
    ]);
    let all = told.records.concat();
    assert!(!all.contains("geheim"), "{all}");
    assert_eq!(all.matches(r#""user":"anna""#).count(), 2);
    assert_eq!(all.matches(r#""password":true"#).count(), 4);
    let shown =
        |user: &str, how: &str| format!(r#"{{"service":"redis",{user}"mechanism":"{how}"}}"#);
    let anna = r#""username":"anna","#;
    assert_eq!(
        told.credentials,
        [
            shown("", "AUTH"),
            shown("", "AUTH"),
            shown(anna, "AUTH"),
            shown(anna, "HELLO"),
        ]
    );
    // One secret, however it is sent; one too long to be looked at is told of all the same.
    let secrets = |talk: &[(Dir, &[u8])]| shown_secrets(&stream::<Redis>(talk).seen);
    let long = [&b"*2\r\n$4\r\nAUTH\r\n$300\r\n"[..], &[b'x'; 300], b"\r\n"].concat();
    let same = secrets(&[
        (
            C,
            b"AUTH geheim\r\n*3\r\n$4\r\nAUTH\r\n$1\r\na\r\n$6\r\ngeheim\r\n",
        ),
        (C, &long),
    ]);
    assert_eq!(same[0], same[1]);
    assert_eq!((same.len(), same[2]), (3, Secret::Unseen));
    assert_ne!(same[0], Secret::Unseen);
}

#[test]
fn a_command_is_told_once() {
    let told = stream::<Redis>(&[
        (C, b"PING\r\nPING\r\nSET HI 3\r\nGET HI\r\n"),
        (S, b"+PONG\r\n+PONG\r\n+OK\r\n$1\r\n3\r\n"),
    ]);
    let good = |name: &str| line(&format!(r#""{name}","password":false,"success":true"#));
    assert_eq!(told.records, ["PING", "SET", "GET"].map(good));
    // Arrays in arrays, a map, nothing, a push; then an error. All parts of `CONFIG` are told.
    let talk: [(Dir, &[u8]); 2] = [
        (
            C,
            b"*1\r\n$7\r\nCOMMAND\r\n*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$3\r\ndir\r\n$4\r\n/tmp\r\n\
              *2\r\n$3\r\nGET\r\n$1\r\nx\r\n*3\r\n$6\r\nmodule\r\n$4\r\nload\r\n$9\r\n/tmp/x.so\r\n",
        ),
        (
            S,
            b"*2\r\n*2\r\n:1\r\n$2\r\nab\r\n%1\r\n+a\r\n*0\r\n>1\r\n+news\r\n+OK\r\n$-1\r\n-ERR unknown command\r\n",
        ),
    ];
    let told = stream::<Redis>(&talk);
    let bad = line(r#""MODULE LOAD","password":false,"success":false,"error":"ERR""#);
    assert_eq!(
        told.records,
        [good("COMMAND"), good("CONFIG SET"), good("GET"), bad]
    );
    endures::<Redis>(&talk, false);
}

#[test]
fn answers_that_do_not_come_are_not_matched() {
    let told = stream::<Redis>(&[
        (C, b"PING\r\nCLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nGET x\r\n"),
        (S, b"+PONG\r\n+OK\r\n-ERR\r\n"),
    ]);
    let silent = |name: &str| line(&format!(r#""{name}","password":false"#));
    assert_eq!(told.records, ["PING", "CLIENT REPLY", "GET"].map(silent));
    // A flood of commands nobody answers is bounded.
    let flood = b"PING\r\n".repeat(4_000);
    assert_eq!(stream::<Redis>(&[(C, &flood)]).records.len(), 1);
    // So are different ones.
    let names: String = (0..500).map(|n| format!("X{n}\r\n")).collect();
    assert_eq!(
        stream::<Redis>(&[(C, names.as_bytes())]).records.len(),
        COMMANDS_MAX
    );
}

#[test]
fn a_server_tells_its_version() {
    let info = b"# Server\r\nredis_version:7.0.15\r\nredis_git_sha1:00000000\r\n";
    let answer = [format!("${}\r\n", info.len()).as_bytes(), info, b"\r\n"].concat();
    let talk: [(Dir, &[u8]); 2] = [(C, b"*1\r\n$4\r\nINFO\r\n"), (S, &answer)];
    let clues: Vec<_> = stream::<Redis>(&talk)
        .clues
        .into_iter()
        .map(|clue| clue.value)
        .collect();
    assert_eq!(clues, ["redis", "Redis 7.0.15"]);
    endures::<Redis>(&talk, false);
}

#[test]
fn starts() {
    for (start, probe) in [
        (AUTH[0].1, Probe::Certain),
        (&AUTH[0].1[..9], Probe::Unsure),
        (b"*", Probe::Unsure),
        (b"PING\r\nPING\r\n", Probe::Unsure),
        (b"+PONG\r\n", Probe::Unsure),
        (b"+OK POP3 ready\r\n", Probe::NotMine),
        (b"* OK IMAP4rev1\r\n", Probe::NotMine),
        (b"*3\r\n$x\r\nAUTH", Probe::NotMine),
        (b"*3\r\n$4\r\n\0\0\0\0", Probe::NotMine),
        (b"*99999999\r\n$4\r\nPING", Probe::NotMine),
        (
            b"\xb2\xb2\xb2\xb2\0\0\0\x80\0\0\0\0\x1d\xff\x7f",
            Probe::NotMine,
        ),
    ] {
        assert_eq!(Redis::probe(start, C), probe, "{}", start.escape_ascii());
    }
    for start in [
        AUTH[0].1,
        b"PING\r\nPING\r\n",
        b"config get dir\r\n",
        b"+PONG\r\n",
    ] {
        grows::<Redis>(start, C);
    }
    // `SkipBytes` passes a long value over; what follows is read.
    let value = [
        &b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5000\r\n"[..],
        &[b'v'; 5000],
        b"\r\nDEL k\r\n",
    ]
    .concat();
    assert_eq!(stream::<Redis>(&[(C, &value)]).records.len(), 2);
}
