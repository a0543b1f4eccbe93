//! Whole connections through the parser: frames by hand from RFC 9113, header blocks of RFC 7541 §C.

use proptest::prelude::*;

use super::*;
use crate::proto::testing::{endures, stream, views};
use crate::types::Body;

/// RFC 7541 §C.4.1: GET http://www.example.com/, and §C.4.2, the same with `cache-control`.
const GET: &[u8] = &[
    0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4,
    0xff,
];
const GET_AGAIN: &[u8] = &[
    0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf,
];

type Pieces = Vec<(Dir, Vec<u8>)>;

fn run(pieces: &Pieces) -> (Vec<String>, Option<Parse>) {
    let told = stream::<Http2>(&views(pieces));
    let lines = told
        .seen
        .iter()
        .filter_map(|observation| match &observation.body {
            Body::Record(record) if record.body.kind() != "credentials" => {
                let mut out = record.body.kind().to_owned();
                out.push_str(&record.body.text());
                Some(out)
            }
            Body::Clue(clue) => Some(format!("{} runs {}", clue.ip.unwrap(), clue.value)),
            _ => None,
        });
    (lines.collect(), told.last())
}

/// Length 24, type, flags, stream 31.
fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

/// A field that enters no table: name and value as they are (RFC 7541 §6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let byte = |text: &str| u8::try_from(text.len()).unwrap();
    [
        &[0, byte(name)][..],
        name.as_bytes(),
        &[byte(value)],
        value.as_bytes(),
    ]
    .concat()
}

fn session() -> Pieces {
    // :status 200 is entry 8
    let ok = [
        &[0x88][..],
        &literal("server", "test/1"),
        &literal("content-type", "text/html; x"),
    ]
    .concat();
    let secret = [
        &[0x83, 0x86][..], // :method POST, :scheme http
        &literal(":path", "/login?x"),
        &literal(":authority", "kontor.example"),
        &literal("user-agent", "curl/7.88.1"),
        &literal("authorization", "Basic c2VjcmV0OnNlY3JldA=="),
    ]
    .concat();
    let padded = [&[3][..], &[0, 0, 0, 0, 16], GET_AGAIN, &[0; 3]].concat();
    vec![
        (
            Dir::Orig,
            [
                PREFACE,
                &frame(4, 0, 0, &[]),
                &frame(HEADERS, END_HEADERS | END_STREAM, 1, GET),
            ]
            .concat(),
        ),
        (Dir::Resp, frame(4, 0, 0, &[0, 3, 0, 0, 0, 100])),
        (
            Dir::Resp,
            [
                frame(HEADERS, END_HEADERS, 1, &ok),
                frame(DATA, 0, 1, &[7; 300]),
            ]
            .concat(),
        ),
        // Padding and priority; the header block goes on in a CONTINUATION.
        (
            Dir::Orig,
            frame(
                HEADERS,
                END_HEADERS | END_STREAM | PADDED | PRIORITY,
                3,
                &padded,
            ),
        ),
        (Dir::Orig, frame(HEADERS, 0, 5, &secret[..20])),
        (
            Dir::Orig,
            frame(CONTINUATION, END_HEADERS, 5, &secret[20..]),
        ),
        (
            Dir::Orig,
            frame(
                DATA,
                END_STREAM | PADDED,
                5,
                &[&[4][..], b"body", &[0; 4]].concat(),
            ),
        ),
        (
            Dir::Resp,
            frame(HEADERS, END_HEADERS | END_STREAM, 5, &[0x8d]),
        ), // :status 404
        (Dir::Resp, frame(DATA, END_STREAM, 1, &[7; 50])),
    ]
}

#[test]
fn requests_with_their_responses() {
    let (lines, last) = run(&session());
    assert_eq!(
        lines,
        [
            "10.0.0.2 runs test/1",
            "10.0.0.1 runs curl/7.88.1",
            r#"http{"trans_depth":3,"method":"POST","host":"kontor.example","uri":"/login?x","version":"2","user_agent":"curl/7.88.1","request_body_len":4,"response_body_len":0,"status_code":404,"authorization":true,"auth_scheme":"Basic"}"#,
            r#"http{"trans_depth":1,"method":"GET","host":"www.example.com","uri":"/","version":"2","request_body_len":0,"response_body_len":350,"status_code":200,"authorization":false,"resp_mime_types":["text/html"]}"#,
            r#"http{"trans_depth":2,"method":"GET","host":"www.example.com","uri":"/","version":"2","request_body_len":0,"response_body_len":0,"authorization":false}"#,
        ]
    );
    assert_eq!(last, None);
}

#[test]
fn a_secret_shown_is_told_of() {
    let told = stream::<Http2>(&views(&session()));
    let told = told.credentials.join("");
    assert!(
        told.starts_with(r#"{"service":"http","username":""#),
        "{told}"
    );
    assert!(told.ends_with(r#","mechanism":"Basic"}"#), "{told}");
}

#[test]
fn what_is_cut_split_or_changed_does_no_harm() {
    endures::<Http2>(&views(&session()), false);
}

#[test]
fn bounds_hold() {
    let start = (Dir::Orig, PREFACE.to_vec());
    let end = |pieces: &Pieces| run(pieces).1;
    let long = frame(HEADERS, 0, 1, &vec![0; FRAME_LEN_MAX + 1]);
    assert_eq!(
        end(&vec![start.clone(), (Dir::Orig, long)]),
        Some(Parse::Broken("http2_frame_too_long"))
    );
    let endless = frame(CONTINUATION, 0, 1, &[0; 8_000]);
    let flood = [frame(HEADERS, 0, 1, &[]), endless.repeat(3)].concat();
    assert_eq!(
        end(&vec![start.clone(), (Dir::Orig, flood)]),
        Some(Parse::Broken("http2_headers_too_long"))
    );
    let stray = frame(CONTINUATION, END_HEADERS, 1, &[]);
    assert_eq!(
        end(&vec![start.clone(), (Dir::Orig, stray)]),
        Some(Parse::Broken("http2_bad_frame"))
    );
    let mut many = vec![start, (Dir::Orig, frame(HEADERS, END_HEADERS, 1, GET))];
    for stream in 1..200 {
        many.push((
            Dir::Orig,
            frame(HEADERS, END_HEADERS, 2 * stream + 1, GET_AGAIN),
        ));
    }
    let (lines, _) = run(&many);
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.starts_with("http{"))
            .count(),
        200
    );
    let full = lines
        .iter()
        .filter(|line| line.contains("http2_table_full"));
    assert_eq!(full.count(), 200 - 64);
}

#[test]
fn bytes_lost_within_a_body_are_counted_and_the_rest_is_read() {
    let mut talk = crate::proto::Talk::new(crate::proto::Kind::Http2, false);
    talk.hear(Dir::Orig, 0, PREFACE);
    let ask = frame(HEADERS, END_HEADERS | END_STREAM, 1, GET);
    talk.hear(Dir::Orig, 0, &ask);
    talk.hear(Dir::Resp, 0, &frame(HEADERS, END_HEADERS, 1, &[0x88]));
    let body = [&b"%PDF-1.7"[..], &[b'x'; 92]].concat();
    let data = frame(DATA, END_STREAM, 1, &body);
    talk.hear(Dir::Resp, 0, &data[..50]);
    talk.hear(Dir::Resp, 20, &data[70..]);
    let told = crate::proto::testing::lines(&talk.told());
    let [file, http] = &told[..] else {
        panic!("{told:?}")
    };
    let counts = r#""seen_bytes":80,"missing_bytes":20}"#;
    assert!(
        file.starts_with("files ") && file.ends_with(counts),
        "{file}"
    );
    assert!(
        http.contains(r#""resp_mime_types":["application/pdf"]"#),
        "{http}"
    );
}

#[test]
fn so_many_bodies_are_followed() {
    let mut all = vec![(Dir::Orig, PREFACE.to_vec())];
    for stream in (1..50).step_by(2) {
        let get = if stream == 1 { GET } else { GET_AGAIN };
        all.push((Dir::Orig, frame(HEADERS, END_HEADERS, stream, get)));
        all.push((Dir::Orig, frame(DATA, 0, stream, b"%PDF-1.7")));
    }
    let (lines, _) = run(&all);
    let of = |start: &str| lines.iter().filter(|line| line.contains(start)).count();
    assert_eq!((of("files{"), of("http2_many_files")), (16, 25 - 16));
}

#[test]
fn only_the_preface_begins_it() {
    assert_eq!(Http2::probe(PREFACE, Dir::Orig), Probe::Certain);
    assert_eq!(Http2::probe(&PREFACE[..5], Dir::Orig), Probe::Unsure);
    assert_eq!(
        Http2::probe(b"PROPFIND / HTTP/1.1", Dir::Orig),
        Probe::NotMine
    );
}

proptest! {
    #[test]
    fn any_bytes_never_panic(
        pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..60)), 0..12),
        kinds in prop::collection::vec((0..11_u8, any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..8),
    ) {
        let mut all = vec![(Dir::Orig, PREFACE.to_vec())];
        all.extend(kinds.iter().map(|(kind, flags, body)| (Dir::Orig, frame(*kind, *flags, 1, body))));
        all.extend(kinds.iter().map(|(kind, flags, body)| (Dir::Resp, frame(*kind, *flags, 1, body))));
        all.extend(pieces.into_iter().map(|(up, piece)| (if up { Dir::Orig } else { Dir::Resp }, piece)));
        let _ = run(&all);
    }
}
