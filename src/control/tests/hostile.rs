//! Clients of every kind: wrong, silent, deaf, too many, gone; and a socket that is not free.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use super::super::server::Limits;
use super::super::*;
use super::{Bench, FakeDesk};
use crate::report::fixture::Office;

#[test]
fn what_is_not_a_request_is_answered_and_forgotten() {
    let bench = Bench::new();
    let mistakes: [(&[u8], &str); 7] = [
        (b"", "ended before its newline"),
        (b"{\"request\":\"status\"}", "ended before its newline"),
        (b"\n", "not a request of this version"),
        (
            b"{\"request\":\"format_disk\"}\n",
            "not a request of this version",
        ),
        (
            b"{\"request\":\"explain\",\"breach\":\"x\",\"y\":1}\n",
            "unknown field",
        ),
        (b"\xff\xfe\x00\n", "not a request of this version"),
        (&[b'x'; 70_000], "at most 65536 bytes"),
    ];
    for (bytes, wanted) in mistakes {
        let answer = bench.answer_to(bytes);
        assert!(
            answer.contains("\"schema\":\"tapir.refused/1\""),
            "{answer}"
        );
        assert!(answer.contains(wanted), "{answer}");
        assert_eq!(answer.lines().count(), 1);
    }
    // Brackets without end are refused by depth, not by the stack.
    let answer = bench.answer_to(&[&[b'['; 60_000][..], b"\n"].concat());
    assert!(answer.contains("bad_request"), "{answer}");
    assert!(matches!(bench.ask(&Request::Status), Answer::Status { .. }));
}

#[test]
fn connections_are_bounded() {
    let limits = Limits {
        clients: 2,
        reserved: 1,
        ..Limits::default()
    };
    let bench = Bench::with_limits(limits);
    let silent: Vec<UnixStream> = (0..3)
        .map(|_| UnixStream::connect(&bench.path).unwrap())
        .collect();
    // Connections are taken in order, so the fourth is the one too many.
    assert_eq!(bench.refusal(&Request::Status).why, Why::Busy);
    drop(silent);
    let back = (0..100_000).any(|_| {
        std::thread::yield_now();
        ask(&bench.path, &Request::Status).is_ok()
    });
    assert!(back, "the places of those who left were not given back");
}

#[test]
fn patience_ends() {
    let limits = Limits {
        request: Duration::from_millis(30),
        ..Limits::default()
    };
    let bench = Bench::with_limits(limits);
    for begun in [&b""[..], b"{\"request\":"] {
        let mut stream = UnixStream::connect(&bench.path).unwrap();
        stream.write_all(begun).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("no whole request came"), "{answer}");
    }
}

#[test]
fn clients_that_leave_or_do_not_read_hold_nobody() {
    let limits = Limits {
        answer: Duration::from_millis(30),
        clients: 4,
        reserved: 0,
        ..Limits::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let mut desk = FakeDesk::new();
    desk.office = Office::new().times(400);
    let server = Server::bind(&path).unwrap().with_limits(limits);
    let _serving = server.serve(Arc::new(desk)).unwrap();
    let request = b"{\"request\":\"breaches\"}\n";
    let mut deaf = Vec::new();
    for round in 0..12 {
        // Each place has to come back before the next round gets one.
        let taken = (0..100_000).any(|_| {
            std::thread::yield_now();
            let Ok(mut stream) = UnixStream::connect(&path) else {
                return false;
            };
            stream.write_all(request).is_ok() && {
                let mut start = [0; 24];
                stream.read_exact(&mut start).is_ok()
                    && start.starts_with(b"{\"schema\":\"tapir.breach")
                    && {
                        if round % 2 == 0 {
                            deaf.push(stream);
                        }
                        true
                    }
            }
        });
        assert!(taken, "round {round}: no place came back");
    }
}

#[test]
fn a_socket_of_another_daemon_is_left_alone() {
    let bench = Bench::new();
    let error = Server::bind(&bench.path).unwrap_err().to_string();
    assert!(
        error.contains(&format!("(process {})", std::process::id())),
        "{error}"
    );
    assert!(error.contains("control.sock: another daemon"), "{error}");
    assert!(matches!(bench.ask(&Request::Status), Answer::Status { .. }));
    // A daemon that stands still with a full queue is there all the same.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("still.sock");
    let still = UnixListener::bind(&path).unwrap();
    nix::sys::socket::listen(&still, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    assert!(matches!(
        Server::bind(&path),
        Err(ServerError::Taken { .. })
    ));
}

#[test]
fn a_stale_socket_is_replaced_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(matches!(
        ask(&path, &Request::Status),
        Err(ControlError::NotRunning(_))
    ));
    let server = Server::bind(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    drop(server);
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(matches!(
        Server::bind(&file),
        Err(ServerError::NotASocket(_))
    ));
    assert!(matches!(
        Server::bind(&file.join("below")),
        Err(ServerError::Io { .. })
    ));
    assert_eq!(std::fs::read(&file).unwrap(), b"x");
    let made = folder.path().join("a/b/control.sock");
    let _server = Server::bind(&made).unwrap();
    let mode = std::fs::metadata(made.parent().unwrap())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o750);
}
