//! DTLS: TLS in datagrams, as VPN clients, WebRTC and IoT speak it.
//!
//! Standard: RFC 6347 (1.2) §4.1 records, §4.2 handshake and its fragments; RFC 4347 (1.0); RFC 9147 (1.3).
//! Input:    UDP datagrams of both directions, on any port.
//! Output:   as `tls`: one `ssl` record when both sides encrypt or the flow is over, `x509` records, clues.
//! Bounds:   16 KiB of one message of a side are put together; 128 records are looked at.
//! Not done: messages that overtake each other: what comes early is left out; connection ids (RFC 9146).

use super::quic::Assembly;
use super::tls::{Carried, Transport, without_cookie};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::heap_of;

/// Type, version, epoch, sequence number, length.
const HEADER_LEN: usize = 13;
/// Type, length, number, offset and length of the fragment.
const MESSAGE_HEADER_LEN: usize = 12;
const RECORDS_MAX: u8 = 128;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CLIENT_HELLO: u8 = 1;

/// Parser of one flow.
#[derive(Debug)]
pub struct Dtls {
    session: Carried,
    orig: Side,
    resp: Side,
    records: u8,
}

impl Default for Dtls {
    fn default() -> Self {
        Self {
            session: Carried::new(Transport::Dtls),
            orig: Side::default(),
            resp: Side::default(),
            records: 0,
        }
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    /// Number of the message expected next.
    next: u16,
    assembly: Assembly,
    /// Whether the message expected has begun.
    is_begun: bool,
    /// Whether it sends encrypted records.
    is_encrypted: bool,
}

/// A record in its place.
struct Record<'a> {
    kind: u8,
    epoch: u16,
    body: &'a [u8],
}

impl Protocol for Dtls {
    const NAME: &'static str = "dtls";
    const PORTS: &'static [Port] = &[Port::Udp(443), Port::Udp(4433), Port::Udp(5684)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match record(start) {
            Some((Record { kind, body, .. }, _)) if kind != HANDSHAKE || body.len() >= 12 => {
                Probe::Certain
            }
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            return Parse::Broken("dtls_over_stream");
        }
        let mut rest = input.data;
        while let Some((record, behind)) = record(rest) {
            rest = behind;
            self.records = self.records.saturating_add(1);
            if self.records > RECORDS_MAX || self.record(&record, input.dir, out) {
                self.session.emit(out);
                return Parse::Skip;
            }
        }
        // A header of DTLS 1.3 (RFC 9147 §4) stands before what is encrypted only.
        if rest.first().is_some_and(|head| head & 0xe0 == 0x20) && self.encrypted(input.dir, out) {
            self.session.emit(out);
            return Parse::Skip;
        }
        Parse::Parsed {
            used: input.data.len(),
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.session.emit(out);
    }

    fn heap(&self) -> usize {
        heap_of!(self: session)
    }
}

impl Dtls {
    /// Takes a record; true if nothing more is to be learned.
    fn record(&mut self, record: &Record<'_>, dir: Dir, out: &mut Out<'_>) -> bool {
        match (record.kind, record.epoch, record.body) {
            (HANDSHAKE, 0, body) => self.handshake(body, dir, out),
            (CHANGE_CIPHER_SPEC, 0, _) => self.session.change_cipher_spec(dir),
            (ALERT, 0, [level, description]) => {
                return self.session.alert(*level, *description, dir);
            }
            (_, 1.., _) | (APPLICATION_DATA, ..) => return self.encrypted(dir, out),
            _ => {}
        }
        false
    }

    /// A side encrypts: it has the keys. Once both do, the handshake is complete.
    fn encrypted(&mut self, dir: Dir, out: &mut Out<'_>) -> bool {
        self.side(dir).is_encrypted = true;
        let is_over = self.orig.is_encrypted && self.resp.is_encrypted;
        if is_over {
            self.session.establish(out);
        }
        is_over
    }

    /// Takes the handshake messages of a record, or fragments of them.
    fn handshake(&mut self, body: &[u8], dir: Dir, out: &mut Out<'_>) {
        let mut rest = body;
        while let Some((header, behind)) = rest.split_first_chunk::<MESSAGE_HEADER_LEN>() {
            let [kind, l0, l1, l2, n0, n1, o0, o1, o2, f0, f1, f2] = *header;
            let three = |a, b, c| usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(0);
            let Some((fragment, next)) = behind.split_at_checked(three(f0, f1, f2)) else {
                return;
            };
            rest = next;
            let number = u16::from_be_bytes([n0, n1]);
            let side = self.side(dir);
            if number < side.next {
                continue;
            }
            if number > side.next {
                if side.is_begun {
                    continue;
                }
                // What was before is lost, or before the capture.
                side.next = number;
            }
            side.is_begun = true;
            let at = three(o0, o1, o2).saturating_add(4);
            let is_kept =
                side.assembly.add(0, &[kind, l0, l1, l2]) && side.assembly.add(at, fragment);
            let assembly = std::mem::take(&mut side.assembly);
            if !is_kept {
                out.weird("dtls_message_too_scattered", None, Self::NAME);
                self.advance(dir);
            } else if let Some((kind, message)) = assembly.message() {
                self.advance(dir);
                if kind == CLIENT_HELLO {
                    self.session
                        .message(kind, &without_cookie(message), dir, out);
                } else {
                    self.session.message(kind, message, dir, out);
                }
            } else {
                self.side(dir).assembly = assembly;
            }
        }
    }

    /// The next message is expected.
    fn advance(&mut self, dir: Dir) {
        let side = self.side(dir);
        side.next = side.next.saturating_add(1);
        side.is_begun = false;
    }

    fn side(&mut self, dir: Dir) -> &mut Side {
        match dir {
            Dir::Orig => &mut self.orig,
            Dir::Resp => &mut self.resp,
        }
    }
}

/// The first record of a datagram and what follows it. Version 1.0 before its standard was 1.0 to the
/// letter (Cisco's AnyConnect still says so).
fn record(data: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let ([kind, major, minor, e0, e1, _, _, _, _, _, _, l0, l1], rest) =
        data.split_first_chunk::<HEADER_LEN>()?;
    let is_version = matches!((major, minor), (0xfe, 0xfc..=0xff) | (1, 0));
    let is_kind = (CHANGE_CIPHER_SPEC..=26).contains(kind);
    let len = usize::from(u16::from_be_bytes([*l0, *l1]));
    let (body, behind) = rest
        .split_at_checked(len)
        .filter(|_| is_version && is_kind && len > 0)?;
    let epoch = u16::from_be_bytes([*e0, *e1]);
    let kind = *kind;
    Some((Record { kind, epoch, body }, behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::{Body, Endpoint, FlowRef, Observations, Timestamp};

    fn run(datagrams: &[(Dir, Vec<u8>)]) -> (Vec<String>, Option<Parse>) {
        let flow = FlowRef {
            orig: Endpoint::new([192, 0, 2, 1].into(), 50_000),
            resp: Endpoint::new([192, 0, 2, 2].into(), 443),
            proto: 17,
            ..FlowRef::default()
        };
        let (mut seen, mut dtls, mut last) = (Observations::new(), Dtls::default(), None);
        let ts = Timestamp::from_secs(1);
        for (dir, data) in datagrams {
            let input = Input {
                ts,
                dir: *dir,
                data,
                gap: 0,
                datagram: true,
            };
            last = Some(dtls.parse(input, &mut Out::new(&flow, ts, &mut seen)));
            if last == Some(Parse::Skip) {
                break;
            }
        }
        dtls.finish(&mut Out::new(&flow, ts, &mut seen));
        let records = seen.iter().filter_map(|observation| {
            let Body::Record(record) = &observation.body else {
                return None;
            };
            let mut out = record.body.kind().to_owned();
            out.push_str(&record.body.text());
            Some(out)
        });
        (records.collect(), last)
    }

    /// A record of DTLS 1.2.
    fn wrapped(kind: u8, epoch: u16, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap();
        [
            &[kind, 0xfe, 0xfd][..],
            &epoch.to_be_bytes(),
            &[0; 6],
            &len.to_be_bytes(),
            body,
        ]
        .concat()
    }

    /// A fragment of a handshake message.
    fn fragment(kind: u8, number: u16, whole: usize, at: usize, part: &[u8]) -> Vec<u8> {
        let three = |n: usize| u32::try_from(n).unwrap().to_be_bytes()[1..].to_vec();
        let head = [
            &[kind][..],
            &three(whole),
            &number.to_be_bytes(),
            &three(at),
            &three(part.len()),
        ];
        wrapped(HANDSHAKE, 0, &[&head.concat()[..], part].concat())
    }

    fn message(kind: u8, number: u16, body: &[u8]) -> Vec<u8> {
        fragment(kind, number, body.len(), 0, body)
    }

    /// ClientHello: version, random, no session, cookie, ciphers c02b c02f, no compression, extensions
    /// server_name `a.example` and supported_versions fefc fefd.
    fn hello(cookie: &[u8], versions: bool) -> Vec<u8> {
        let mut extensions = b"\0\0\0\x0e\0\x0c\0\0\x09a.example".to_vec();
        if versions {
            extensions.extend([0, 43, 0, 5, 4, 0xfe, 0xfd, 0xfe, 0xfc]);
        }
        let mut out = vec![0xfe, 0xfd];
        out.extend([0x55; 32]);
        out.extend([0, u8::try_from(cookie.len()).unwrap()]);
        out.extend(cookie);
        out.extend([0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0, 0]);
        out.push(u8::try_from(extensions.len()).unwrap());
        out.extend(extensions);
        out
    }

    fn server_hello() -> Vec<u8> {
        [&[0xfe, 0xfd][..], &[0x66; 32], &[0, 0xc0, 0x2b, 0]].concat()
    }

    /// b by `printf c02b,c02f | sha256sum`; with one extension that counts, c by `printf 002b | sha256sum`.
    #[test]
    fn a_handshake_with_a_cookie() {
        let (lines, last) = run(&[
            (Dir::Orig, message(1, 0, &hello(&[], false))),
            (Dir::Resp, message(3, 0, &[0xfe, 0xff, 2, 7, 7])),
            (Dir::Orig, message(1, 1, &hello(&[7, 7], false))),
            (Dir::Resp, message(2, 1, &server_hello())),
            (
                Dir::Orig,
                [wrapped(20, 0, &[1]), wrapped(22, 1, &[0xee; 40])].concat(),
            ),
            (Dir::Resp, wrapped(22, 1, &[0xee; 40])),
        ]);
        assert_eq!(last, Some(Parse::Skip));
        assert_eq!(lines.len(), 1, "{lines:?}");
        for part in [
            r#""version":"DTLSv12","cipher":"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256""#,
            r#""server_name":"a.example","resumed":false,"established":true,"ssl_history":"CvCsI""#,
            r#""ja4":"dd2d020100_b6f57f3be927_000000000000""#,
        ] {
            assert!(lines[0].contains(part), "{part} not in {}", lines[0]);
        }
    }

    #[test]
    fn fragments_in_any_order_and_version_1_3() {
        let hello = hello(&[], true);
        let part = |at: usize, end: usize| fragment(1, 0, hello.len(), at, &hello[at..end]);
        let datagrams = [
            (Dir::Orig, part(40, hello.len())),
            (Dir::Orig, part(0, 25)),
            (Dir::Orig, part(20, 41)),
        ];
        let (lines, _) = run(&datagrams);
        assert!(
            lines[0].contains(r#""server_name":"a.example""#),
            "{lines:?}"
        );
        assert!(
            lines[0].contains(r#""ja4":"dd3d020200_b6f57f3be927_b9a491fefe05""#),
            "{lines:?}"
        );
    }

    #[test]
    fn what_begins_otherwise_is_not_taken() {
        let hello = message(1, 0, &hello(&[], false));
        assert_eq!(Dtls::probe(&hello, Dir::Orig), Probe::Certain);
        for end in 0..hello.len() {
            assert_eq!(
                Dtls::probe(&hello[..end], Dir::Orig),
                Probe::NotMine,
                "{end}"
            );
        }
        assert_eq!(
            Dtls::probe(&[22, 3, 1, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0], Dir::Orig),
            Probe::NotMine
        );
    }

    proptest! {
        #[test]
        fn any_fragments_never_panic(
            parts in prop::collection::vec((0..5_u8, 0..3_u16, 0..200_usize, 0..200_usize, prop::collection::vec(any::<u8>(), 0..60)), 0..12),
            tail in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut all: Vec<(Dir, Vec<u8>)> = parts
                .iter()
                .map(|(kind, number, whole, at, part)| (Dir::Orig, fragment(*kind, *number, *whole, *at, part)))
                .collect();
            all.push((Dir::Resp, wrapped(22, 0, &tail)));
            all.push((Dir::Resp, tail));
            let _ = run(&all);
        }
    }
}
