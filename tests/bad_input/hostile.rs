//! Texts that would act on whoever reads them: on the terminal, in the logs, in the report.

use super::{Bench, MONDAY};
use crate::support::files;
use crate::support::frames::{ACK, PSH, SYN, Segment, end, pcap, tcp, udp};

/// Names from the wire and from the file system that would move a cursor, colour the screen, turn the
/// reading direction, end a line or open a tag.
#[test]
fn hostile_texts_stay_quoted() {
    const HOSTILE: &str = "a\u{1b}[31m\u{7}\u{9b}2J\u{202e}<script>alert(1)</script>\u{2028}z";
    let bench = Bench::new();
    let (web, browser) = (end("10.1.0.6", 80), end("10.1.0.5", 40_000));
    let request =
        format!("GET /{HOSTILE} HTTP/1.1\r\nHost: {HOSTILE}\r\nUser-Agent: {HOSTILE}\r\n\r\n");
    let segment = |flags, seq, ack| Segment { flags, seq, ack };
    let mut frames = vec![
        (MONDAY, tcp(browser, web, 0, segment(SYN, 99, 0), &[])),
        (
            MONDAY + 10,
            tcp(web, browser, 0, segment(SYN | ACK, 199, 100), &[]),
        ),
        (
            MONDAY + 20,
            tcp(
                browser,
                web,
                0,
                segment(PSH | ACK, 100, 200),
                request.as_bytes(),
            ),
        ),
    ];
    let (resolver, client) = (end("10.1.0.7", 53), end("10.1.0.5", 40_001));
    frames.push((
        MONDAY + 30,
        udp(client, resolver, 0, &dns_query(HOSTILE.as_bytes())),
    ));
    let dhcp = dhcp_request(HOSTILE.as_bytes());
    frames.push((
        MONDAY + 40,
        udp(end("0.0.0.0", 68), end("255.255.255.255", 67), 0, &dhcp),
    ));
    // Cut at the end, so that the name of the file is part of a warning as well.
    let mut bytes = pcap(1, &frames);
    bytes.extend_from_slice(&[0; 20]);
    let input = bench.write(&format!("{}.pcap", HOSTILE.replace('/', "|")), &bytes);
    for more in [&[][..], &["--json"]] {
        let ran = bench.analyze(&input, more);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_harmless("stdout", &ran.stdout);
        assert_harmless("stderr", &ran.stderr);
    }
    let files = files(&bench.path("out"));
    let mut seen = 0;
    for (name, bytes) in &files {
        let text = String::from_utf8(bytes.clone()).expect("UTF-8");
        seen += usize::from(text.contains("alert(1)"));
        assert_harmless(name, &text);
        assert!(
            !name.ends_with(".html") || !text.contains("<script>alert(1)"),
            "{name}"
        );
    }
    assert!(
        seen >= 3,
        "the texts reached only {seen} files of {:?}",
        files.keys()
    );
    // And when the name itself is the mistake.
    let ran = bench.analyze(&bench.path(HOSTILE), &[]);
    assert_harmless("stderr", &ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1);
}

/// Nothing but printable characters and line feeds, and none that turn the direction.
fn assert_harmless(name: &str, text: &str) {
    let hostile = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let found: Vec<char> = text.chars().filter(|c| hostile(*c)).collect();
    assert!(found.is_empty(), "{name}: {found:?} in {text:.2000}");
}

/// A query for one label under `example`: RFC 1035 §4.
fn dns_query(label: &[u8]) -> Vec<u8> {
    let len = u8::try_from(label.len()).expect("a short label");
    assert!(len < 64, "labels have at most 63 bytes");
    let header = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    [&header[..], &[len], label, b"\x07example\0", &[0, 1, 0, 1]].concat()
}

/// A request that carries a host name: RFC 2131 §2, RFC 2132 §3.14.
fn dhcp_request(name: &[u8]) -> Vec<u8> {
    let mut fixed = vec![1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78];
    fixed.resize(28, 0);
    fixed.extend_from_slice(&[2, 0x14, 0, 0, 0, 5]);
    fixed.resize(236, 0);
    let len = u8::try_from(name.len()).expect("a short name");
    [
        &fixed[..],
        &[99, 130, 83, 99, 53, 1, 3, 12, len],
        name,
        &[255],
    ]
    .concat()
}
