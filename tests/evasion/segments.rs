//! TCP segments that overlap, come out of order, or lie where their sender is not.

use super::*;
use crate::support::frames::URG;

/// Where the request is cut: in the middle of the path.
const CUT: usize = 10;
const END: usize = REQUEST.len();
const DIFFERS: Want = Want::CleanBut(&["inconsistent_retransmission"]);

#[test]
fn copies_that_differ() {
    judge_all(vec![
        (
            "another copy after the parser has the first",
            DIFFERS,
            talk(&[part(0, END), other(0, END).ghost()]),
        ),
        (
            "another copy with other borders",
            DIFFERS,
            talk(&[part(0, END), other(5, 17).ghost()]),
        ),
        (
            "a forged copy first, short enough to say nothing",
            Want::Told(&["inconsistent_retransmission"]),
            talk(&[other(0, 3).ghost(), part(0, END)]),
        ),
        (
            "a forged request of no protocol first",
            Want::Told(&["inconsistent_retransmission"]),
            talk(&[other(0, END).ghost(), part(0, END)]),
        ),
        (
            "a forged middle first, in order",
            Want::Told(&["inconsistent_retransmission"]),
            talk(&[part(0, CUT), other(CUT, 20).ghost(), part(CUT, END)]),
        ),
        (
            "two copies held out of order",
            DIFFERS,
            talk(&[part(CUT, END), other(CUT, END).ghost(), part(0, CUT)]),
        ),
        (
            "a copy that reaches behind what is held",
            Want::Told(&["inconsistent_retransmission"]),
            talk(&[
                part(CUT, 20),
                other(15, 25).ghost(),
                part(0, CUT),
                part(20, END),
            ]),
        ),
    ]);
}

#[test]
fn copies_that_do_not_differ() {
    let tiny: Vec<Seg> = (0..END).map(|at| part(at, at + 1)).collect();
    let reversed: Vec<Seg> = tiny.iter().rev().cloned().collect();
    let mut twice = tiny.clone();
    twice.extend([part(0, 30), part(10, 40), part(0, END)]);
    judge_all(vec![
        ("in many tiny segments", Want::Clean, talk(&tiny)),
        (
            "in many tiny segments, backwards",
            Want::Clean,
            talk(&reversed),
        ),
        ("sent again with other borders", Want::Clean, talk(&twice)),
        (
            "in two, backwards",
            Want::Clean,
            talk(&[part(CUT, END), part(0, CUT)]),
        ),
        (
            "a keep-alive with a byte of garbage",
            Want::Clean,
            talk(&[
                part(0, END),
                s(ACK, 0, b""),
                c(ACK, len(REQUEST) - 1, b"\0").ghost(),
            ]),
        ),
        (
            "a keep-alive before the first byte",
            Want::Clean,
            talk(&[c(ACK, -1, b"\0").ghost(), part(0, END)]),
        ),
        (
            "probes of a closed window carry the next byte",
            Want::Clean,
            talk(&[
                part(0, CUT),
                Seg {
                    window: 0,
                    ..s(ACK, 0, b"")
                },
                part(CUT, CUT + 1).ghost(),
                Seg {
                    window: 0,
                    ..s(ACK, 0, b"")
                }
                .ack(10),
                part(CUT, CUT + 1).ghost(),
                s(ACK, 0, b"").ack(10),
                part(CUT, END),
            ]),
        ),
        (
            "probes of a closed window carry another byte",
            Want::Told(&["inconsistent_retransmission"]),
            talk(&[
                part(0, CUT),
                Seg {
                    window: 0,
                    ..s(ACK, 0, b"")
                },
                other(CUT, CUT + 1).ghost(),
                Seg {
                    window: 0,
                    ..s(ACK, 0, b"")
                }
                .ack(10),
                part(CUT, END),
            ]),
        ),
    ]);
}

#[test]
fn places_where_nobody_is() {
    judge_all(vec![
        (
            "before the stream",
            Want::CleanBut(&["TCP_seq_underflow_or_misorder"]),
            talk(&[c(PSH | ACK, -400, &[b'x'; 40]).ghost(), part(0, END)]),
        ),
        (
            "half the sequence space away",
            Want::CleanBut(&["TCP_seq_underflow_or_misorder"]),
            talk(&[c(PSH | ACK, 1 << 30, &[b'x'; 40]).ghost(), part(0, END)]),
        ),
        (
            "a false first byte that reaches into the stream",
            Want::Told(&[
                "TCP_seq_underflow_or_misorder",
                "inconsistent_retransmission",
            ]),
            talk(&[
                c(PSH | ACK, -4, b"xxxxPUT /other HTTP/1.1\r\n").ghost(),
                part(0, END),
            ]),
        ),
        (
            "a little ahead, which its receiver drops",
            Want::CleanBut(&["inconsistent_retransmission"]),
            talk(&[c(PSH | ACK, 20, &[b'x'; 10]).ghost(), part(0, END)]),
        ),
        (
            "beyond what is ever sent",
            Want::CleanBut(&["inappropriate_FIN"]),
            talk(&[c(PSH | ACK, 50_000, &[b'x'; 10]).ghost(), part(0, END)]),
        ),
    ]);
}

/// CVE-2024-55629: whether the byte before the pointer is in the stream depends on the receiver. Here it
/// is, as RFC 6093 asks; that it may not be is told.
#[test]
fn urgent_bytes() {
    let mut marked = part(0, END);
    marked.flags |= URG;
    marked.urgent = 7;
    let mut inserted = part(0, END);
    inserted.data.insert(8, b'!');
    inserted.flags |= URG;
    inserted.urgent = 9;
    judge_all(vec![
        (
            "a byte of the request",
            Want::CleanBut(&["urgent_data"]),
            talk(&[marked]),
        ),
        (
            "a byte between",
            Want::Told(&["inappropriate_FIN", "urgent_data"]),
            talk(&[inserted]),
        ),
    ]);
}

/// The numbers of both streams pass zero within the request and within the answer.
#[test]
fn numbers_that_wrap_around() {
    let near_end = 0_u32.wrapping_sub(20);
    let clean = frames(&clean());
    let tiny: Vec<Seg> = (0..END).map(|at| part(at, at + 1)).collect();
    let backwards: Vec<Seg> = tiny.iter().rev().cloned().collect();
    for (name, asking, want) in [
        ("whole", vec![part(0, END)], Want::Clean),
        ("tiny", tiny, Want::Clean),
        ("tiny, backwards", backwards, Want::Clean),
        ("again", vec![part(0, END), part(5, END)], Want::Clean),
        (
            "differing",
            vec![part(0, END), other(15, 25).ghost()],
            DIFFERS,
        ),
    ] {
        let wrapping = frames_from(&talk(&asking), (near_end, near_end), server());
        judge(name, &clean, &wrapping, want);
    }
}
