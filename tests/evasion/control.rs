//! SYN, FIN and RST that their receiver does not take as the sensor might.

use super::*;

const END: usize = REQUEST.len();
/// Where the request is cut.
const CUT: usize = 10;
/// TCP-MD5 (RFC 2385), with two bytes that fill up.
const SIGNATURE: [u8; 20] = [19, 18, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 1, 1];

/// `seg` behind the first bytes of the request, which go on after it.
fn amid(seg: Seg) -> Vec<Seg> {
    talk(&[part(0, CUT), seg, part(CUT, END)])
}

/// The same, with the rest only after a while.
fn amid_and_late(seg: Seg, seconds: i64) -> Vec<Seg> {
    talk(&[part(0, CUT), seg, part(CUT, END).after(seconds)])
}

/// The conversation with another handshake.
fn opened_by(handshake: &[Seg]) -> Vec<Seg> {
    [handshake.to_vec(), vec![part(0, END)], answered()].concat()
}

const JUMP: Want = Want::CleanBut(&["SYN_seq_jump"]);
const INSIDE: Want = Want::CleanBut(&["SYN_inside_connection"]);
const AFTER_RESET: Want = Want::CleanBut(&["data_after_reset"]);

/// CVE-2025-59147 and its kin: which SYN counts is for the responder to say.
#[test]
fn several_syns() {
    let (syn, answer, ack) = (c(SYN, -1, b""), s(SYN | ACK, -1, b""), c(ACK, 0, b""));
    let false_syn = c(SYN, 70_000, b"").ghost();
    judge_all(vec![
        (
            "again, with another number, and the first is answered",
            JUMP,
            opened_by(&[syn.clone(), false_syn.clone(), answer.clone(), ack.clone()]),
        ),
        (
            "again, with another number, and the second is answered",
            JUMP,
            opened_by(&[false_syn.clone(), syn.clone(), answer.clone(), ack.clone()]),
        ),
        (
            "again with the same number",
            Want::Clean,
            opened_by(&[
                syn.clone(),
                syn.clone(),
                answer.clone(),
                answer.clone(),
                ack.clone(),
            ]),
        ),
        (
            "with another number after the answer",
            INSIDE,
            opened_by(&[syn.clone(), answer.clone(), false_syn.clone(), ack.clone()]),
        ),
        (
            "with another number inside, and data",
            Want::CleanBut(&["SYN_inside_connection", "SYN_with_data"]),
            amid(c(SYN, 30_000, b"GET /other HTTP/1.1\r\n\r\n").ghost()),
        ),
        ("inside the connection", INSIDE, amid(false_syn)),
        (
            "with FIN",
            Want::CleanBut(&["baroque_SYN"]),
            opened_by(&[c(SYN | FIN, -1, b"").ghost(), syn, answer, ack]),
        ),
    ]);
}

/// The originator's acknowledgement says which SYN-ACK it took.
#[test]
fn several_answers() {
    let (syn, answer, ack) = (c(SYN, -1, b""), s(SYN | ACK, -1, b""), c(ACK, 0, b""));
    let false_answer = s(SYN | ACK, 70_000, b"").ghost();
    judge_all(vec![
        (
            "two answers, of which the second counts",
            JUMP,
            opened_by(&[
                syn.clone(),
                false_answer.clone(),
                answer.clone(),
                ack.clone(),
            ]),
        ),
        (
            "two answers, of which the first counts",
            JUMP,
            opened_by(&[
                syn.clone(),
                answer.clone(),
                false_answer.clone(),
                ack.clone(),
            ]),
        ),
        (
            "another answer inside the connection",
            INSIDE,
            amid(false_answer),
        ),
        (
            "an answer to something else",
            Want::CleanBut(&["bad_SYN_ack"]),
            opened_by(&[syn, answer.ack(5_000), ack]),
        ),
    ]);
}

#[test]
fn handshakes_that_are_split_or_cross() {
    const BOTH: Want = Want::CleanBut(&["simultaneous_open"]);
    let (syn, theirs) = (c(SYN, -1, b""), s(SYN, -1, b""));
    judge_all(vec![
        (
            "both open",
            BOTH,
            opened_by(&[
                syn.clone(),
                theirs.clone(),
                c(SYN | ACK, -1, b""),
                s(SYN | ACK, -1, b""),
                c(ACK, 0, b""),
            ]),
        ),
        (
            "split in four",
            BOTH,
            opened_by(&[
                syn.clone(),
                s(ACK, 7_777, b"").ghost(),
                theirs.clone(),
                c(SYN | ACK, -1, b""),
                s(ACK, 0, b""),
            ]),
        ),
        (
            "split in five",
            BOTH,
            opened_by(&[
                syn,
                theirs,
                c(SYN | ACK, -1, b""),
                s(ACK, 0, b""),
                c(ACK, 0, b""),
            ]),
        ),
    ]);
}

#[test]
fn data_before_the_handshake_is_over() {
    let (syn, answer, ack) = (c(SYN, -1, b""), s(SYN | ACK, -1, b""), c(ACK, 0, b""));
    let early = c(PSH | ACK, 0, b"GET /other/2026.x HTTP/1.1\r\nHo")
        .ack(4_444)
        .ghost();
    let first = c(SYN, -1, &REQUEST[..CUT]);
    judge_all(vec![
        (
            "data on the SYN that counts",
            Want::CleanBut(&["SYN_with_data"]),
            [vec![first, answer.clone(), part(CUT, END)], answered()].concat(),
        ),
        (
            "data on the SYN that does not count, and other data after it",
            Want::Told(&[
                "SYN_with_data",
                "data_before_established",
                "inconsistent_retransmission",
            ]),
            opened_by(&[
                c(SYN, -1, b"GET /other").ghost(),
                answer.clone().ack(0),
                ack.clone(),
            ]),
        ),
        (
            "other data before the answer",
            Want::Told(&["data_before_established", "inconsistent_retransmission"]),
            opened_by(&[
                syn.clone(),
                early.clone(),
                answer.clone().ack(0),
                ack.clone(),
            ]),
        ),
        (
            "data far ahead before the answer",
            Want::CleanBut(&["TCP_seq_underflow_or_misorder"]),
            opened_by(&[
                syn.clone(),
                Seg {
                    at: 1 << 30,
                    ..early
                },
                answer.clone().ack(0),
                ack.clone(),
            ]),
        ),
        (
            "an answer the mirror delivers late",
            Want::Clean,
            opened_by(&[syn, ack.ack(0), answer]),
        ),
    ]);
}

#[test]
fn resets_that_are_not_believed() {
    let at = i64::try_from(CUT).expect("small");
    let plain = false_reset(at);
    let low = plain.clone().ttl(3);
    let signed = Seg {
        options: SIGNATURE.to_vec(),
        ..plain.clone()
    };
    let broken = Seg {
        bad_sum: true,
        ..plain.clone()
    };
    judge_all(vec![
        ("in its place", AFTER_RESET, amid(plain.clone())),
        (
            "of the server",
            AFTER_RESET,
            amid(s(RST | ACK, 0, b"").ghost()),
        ),
        (
            "its checksum is wrong",
            Want::CleanBut(&["bad_TCP_checksum"]),
            amid(broken.clone()),
        ),
        (
            "and the rest is late",
            Want::CleanBut(&["bad_TCP_checksum"]),
            amid_and_late(broken, 200),
        ),
        (
            "its TTL is low",
            Want::CleanBut(&["RST_TTL_jump", "data_after_reset"]),
            amid(low.clone()),
        ),
        (
            "its TTL is low and the rest is late",
            Want::CleanBut(&["RST_TTL_jump", "data_after_reset"]),
            amid_and_late(low, 200),
        ),
        (
            "its TTL is one lower and the rest is late",
            AFTER_RESET,
            amid_and_late(plain.clone().ttl(63), 200),
        ),
        (
            "it is signed and the connection is not",
            Want::CleanBut(&["data_after_reset", "unexpected_TCP_signature"]),
            amid_and_late(signed, 200),
        ),
        (
            "it acknowledges what was never sent",
            Want::CleanBut(&["bad_RST_ack", "data_after_reset"]),
            amid_and_late(plain.ack(60_000), 200),
        ),
        (
            "it lies a little beside its place",
            AFTER_RESET,
            amid_and_late(false_reset(at + 100), 200),
        ),
        (
            "it lies far away",
            Want::CleanBut(&["RST_out_of_window"]),
            amid_and_late(false_reset(at + (1 << 29)), 200),
        ),
    ]);
}

#[test]
fn resets_that_are_strange() {
    let at = i64::try_from(CUT).expect("small");
    let carrying = Seg {
        data: b"xxxxxxxx".to_vec(),
        ..false_reset(at)
    };
    judge_all(vec![
        (
            "it carries data",
            Want::CleanBut(&["RST_with_data", "data_after_reset"]),
            amid(carrying),
        ),
        (
            "many of them",
            Want::CleanBut(&["RST_TTL_jump", "data_after_reset"]),
            talk(&[
                part(0, 5),
                false_reset(5).ttl(3),
                part(5, 8),
                false_reset(8).ttl(4),
                part(8, END),
            ]),
        ),
        (
            "one that acknowledges nothing answers the SYN",
            Want::CleanBut(&["bad_RST_ack"]),
            opened_by(&[
                c(SYN, -1, b""),
                s(RST | ACK, 0, b"").ack(9_999).ghost(),
                s(SYN | ACK, -1, b""),
                c(ACK, 0, b""),
            ]),
        ),
        (
            "with SYN",
            Want::CleanBut(&["TCP_christmas", "data_after_reset"]),
            amid(c(SYN | RST, 70_000, b"").ghost()),
        ),
    ]);
}

/// A reset that counts: nothing is odd about it, nor about what was on its way.
#[test]
fn resets_that_are_believed() {
    let asked = len(REQUEST);
    let over = |last: &[Seg]| [opened(), vec![part(0, END)], last.to_vec()].concat();
    let clean = frames(&over(&[
        s(PSH | ACK, 0, ANSWER),
        s(RST | ACK, len(ANSWER), b""),
    ]));
    for (name, segments) in [
        (
            "of the client",
            over(&[s(PSH | ACK, 0, ANSWER), c(RST | ACK, asked, b"")]),
        ),
        (
            "while the answer is on its way",
            over(&[c(RST | ACK, asked, b""), s(PSH | ACK, 0, ANSWER)]),
        ),
        (
            "behind a FIN",
            over(&[
                s(PSH | ACK, 0, ANSWER),
                c(FIN | ACK, asked, b""),
                c(RST, asked + 1, b""),
            ]),
        ),
    ] {
        judge(name, &clean, &frames(&segments), Want::Clean);
    }
}

#[test]
fn fins_that_are_not_the_end() {
    let at = i64::try_from(CUT).expect("small");
    let fin = c(FIN | ACK, at, b"").ghost();
    judge_all(vec![
        (
            "data goes on behind it",
            Want::CleanBut(&["data_after_FIN"]),
            amid(fin.clone()),
        ),
        (
            "late, after the TTL was low",
            Want::CleanBut(&["FIN_TTL_jump", "data_after_FIN"]),
            amid_and_late(fin.clone().ttl(3), 200),
        ),
        (
            "of both ends, of which one was forged",
            Want::CleanBut(&["FIN_TTL_jump", "data_after_FIN"]),
            talk(&[
                part(0, CUT),
                fin.ttl(3),
                s(FIN | ACK, 0, b"").ttl(3).ghost(),
                part(CUT, END).after(200),
            ]),
        ),
        (
            "before what was already sent",
            Want::CleanBut(&["inappropriate_FIN"]),
            amid(c(FIN | ACK, 2, b"").ghost()),
        ),
        (
            "far ahead",
            Want::CleanBut(&["inappropriate_FIN"]),
            amid(c(FIN | ACK, 1 << 28, b"").ghost()),
        ),
        (
            "it overtakes the data",
            Want::Clean,
            [
                opened(),
                vec![c(FIN | ACK, len(REQUEST), b""), part(0, END)],
                answered(),
            ]
            .concat(),
        ),
        (
            "with RST",
            Want::CleanBut(&["TCP_christmas", "data_after_reset"]),
            amid(c(FIN | RST | ACK, at, b"").ghost()),
        ),
    ]);
}
