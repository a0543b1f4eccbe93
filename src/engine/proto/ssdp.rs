//! SSDP: what televisions, printers, routers and bridges say they are, and who looks for such things.
//!
//! Standard: UPnP Device Architecture 2.0 §1.2 and §1.3: heads of HTTP in datagrams. The name of a control point:
//!           §1.3.2, `CPFN.UPNP.ORG`.
//! Input:    datagrams of one head each. A search is answered by many, each to the port that it came from, so an answer
//!           is a flow of its own.
//! Output:   one `ssdp` record per flow, as a device says a dozen things at once, three times; its server, user
//!           agent and types as clues.
//! Bounds:   64 fields of a head, 16 targets and 32 types of a flow, texts of 256 bytes; 8 types told as clues.
//! Not done: descriptions behind a location, which are HTTP of their own; events (GENA), which are HTTP, too.

use super::lines::{TEXT_LEN_MAX, add_distinct, first_line, tell, tell_software};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{ClueKind, Interval, Text, Timestamp, heap_of, text};

/// Fields of a head that are looked at; devices send about ten.
const FIELDS_MAX: usize = 64;
/// Bytes of an answer in which the fields that make it one are looked for.
const SENSED_LEN: usize = 1024;
const TARGETS_MAX: usize = 16;
const TYPES_MAX: usize = 32;
/// Types told to `device`, of a flow.
const CLUES_MAX: usize = 8;

record! {
    /// What one flow searched or announced.
    pub struct SsdpRecord = "ssdp" {
        /// From the first to the last message.
        pub duration: Option<Interval> = "duration",
        /// `M-SEARCH` or `NOTIFY`; absent of answers.
        pub methods: Vec<Text> = "methods",
        /// Searches, announcements and answers.
        pub messages: u64 = "messages",
        /// Status of the first answer.
        pub status_code: Option<u16> = "status_code",
        /// Where to, as the message has it.
        pub host: Option<Text> = "host",
        /// What is searched for.
        pub search_targets: Option<Vec<Text>> = "search_targets",
        /// What is announced or found: types of devices and services.
        pub types: Option<Vec<Text>> = "types",
        /// `ssdp:alive`, `ssdp:update` or `ssdp:byebye`.
        pub announces: Option<Vec<Text>> = "announces",
        /// Identity of the device, without its type.
        pub uuid: Option<Text> = "uuid",
        /// Where the device describes itself.
        pub location: Option<Text> = "location",
        /// What the device runs.
        pub server: Option<Text> = "server",
        /// What searches.
        pub user_agent: Option<Text> = "user_agent",
        /// What who searches is called, as it says.
        pub control_point: Option<Text> = "control_point",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Ssdp {
    first: Option<Timestamp>,
    last: Timestamp,
    record: SsdpRecord,
}

/// What a head begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Request(&'static str),
    Answer(u16),
}

impl Start {
    fn read(head: &[u8]) -> Option<Self> {
        let line = first_line(head);
        for method in ["M-SEARCH", "NOTIFY"] {
            let rest = line.strip_prefix(method.as_bytes());
            if rest.is_some_and(|rest| rest.starts_with(b" * HTTP/1.")) {
                return Some(Self::Request(method));
            }
        }
        let status = line.strip_prefix(b"HTTP/1.")?.get(1..)?.trim_ascii_start();
        str::from_utf8(status.get(..3)?)
            .ok()?
            .parse()
            .ok()
            .map(Self::Answer)
    }
}

/// Name and value of each field of a head.
fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = head.split(|byte| *byte == b'\n').skip(1).take(FIELDS_MAX);
    lines.filter_map(|line| {
        let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
        Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
    })
}

/// Whether a datagram is one of SSDP: an answer looks like any of HTTP but for its fields.
fn is_head(start: &[u8]) -> bool {
    match Start::read(start) {
        Some(Start::Request(_)) => true,
        Some(Start::Answer(_)) => {
            let start = start.get(..SENSED_LEN).unwrap_or(start);
            let has = |name: &[u8]| fields(start).any(|(n, _)| n.eq_ignore_ascii_case(name));
            has(b"ST") && (has(b"USN") || has(b"EXT"))
        }
        None => false,
    }
}

impl Protocol for Ssdp {
    const NAME: &'static str = "ssdp";
    const PORTS: &'static [Port] = &[Port::Udp(1900)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        if is_head(start) {
            Probe::Certain
        } else {
            Probe::NotMine
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            return Parse::Broken("ssdp_over_stream");
        }
        let used = input.data.len();
        let Some(start) = Start::read(input.data) else {
            // Among heads it says nothing, before them it is no SSDP.
            return match self.first {
                Some(_) => Parse::Parsed { used },
                None => Parse::Broken("ssdp_no_start_line"),
            };
        };
        self.first.get_or_insert(input.ts);
        self.last = input.ts;
        self.record.messages = self.record.messages.saturating_add(1);
        match start {
            Start::Request(method) => add_distinct(&mut self.record.methods, method.into(), 2),
            Start::Answer(status) => {
                self.record.status_code.get_or_insert(status);
            }
        }
        for (name, value) in fields(input.data) {
            if !value.is_empty() {
                self.field(input.dir, start, (name, value), out);
            }
        }
        Parse::Parsed { used }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        if let Some(first) = self.first.take() {
            self.record.duration = Some(Interval(self.last.nanos().saturating_sub(first.nanos())));
            out.record(first, std::mem::take(&mut self.record));
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: record)
    }
}

impl Ssdp {
    /// Takes one field.
    fn field(&mut self, dir: Dir, start: Start, (name, value): (&[u8], &[u8]), out: &mut Out<'_>) {
        let record = &mut self.record;
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        let said = || text(value, TEXT_LEN_MAX);
        match name.len() {
            2 if is(b"ST") && start == Start::Request("M-SEARCH") => {
                let list = record.search_targets.get_or_insert_default();
                add_distinct(list, said(), TARGETS_MAX);
            }
            2 if is(b"ST") || is(b"NT") => self.offers(dir, value, out),
            3 if is(b"NTS") => {
                add_distinct(record.announces.get_or_insert_default(), said(), 3);
            }
            3 if is(b"USN") => {
                let uuid = value.strip_prefix(b"uuid:").unwrap_or(value);
                let end = memchr::memmem::find(uuid, b"::").unwrap_or(uuid.len());
                let uuid = uuid.get(..end).unwrap_or(uuid);
                record.uuid.get_or_insert_with(|| text(uuid, TEXT_LEN_MAX));
            }
            4 if is(b"HOST") => {
                record.host.get_or_insert_with(said);
            }
            6 if is(b"SERVER") && record.server.is_none() => {
                tell_software(dir, "ssdp server", said(), out);
                record.server = Some(said());
            }
            8 if is(b"LOCATION") => {
                record.location.get_or_insert_with(said);
            }
            10 if is(b"USER-AGENT") && record.user_agent.is_none() => {
                tell_software(dir, "ssdp user agent", said(), out);
                record.user_agent = Some(said());
            }
            13 if is(b"CPFN.UPNP.ORG") => {
                record.control_point.get_or_insert_with(said);
            }
            _ => {}
        }
    }

    /// The sender is of this type, or has a part that is; its identity and `upnp:rootdevice` say nothing more.
    fn offers(&mut self, dir: Dir, value: &[u8], out: &mut Out<'_>) {
        if value.starts_with(b"uuid:") || value == b"upnp:rootdevice" {
            return;
        }
        let types = self.record.types.get_or_insert_default();
        let before = types.len();
        add_distinct(types, text(value, TEXT_LEN_MAX), TYPES_MAX);
        let Some(new) = types.get(before).filter(|_| before < CLUES_MAX) else {
            return;
        };
        tell(dir, ClueKind::Serves, "ssdp type", short(new).into(), out);
    }
}

/// `InternetGatewayDevice:1` out of `urn:schemas-upnp-org:device:InternetGatewayDevice:1`.
fn short(urn: &str) -> &str {
    let behind = |kind| urn.split_once(kind).map(|(_, rest)| rest);
    behind(":device:")
        .or_else(|| behind(":service:"))
        .unwrap_or(urn)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{datagrams, endures};
    use super::*;
    use crate::types::Clue;

    const C: Dir = Dir::Orig;
    /// UPnP Device Architecture 2.0 §1.3.2, with the user agent of a browser.
    const SEARCH: &[u8] = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n\
        MX: 1\r\nST: urn:dial-multiscreen-org:service:dial:1\r\nUSER-AGENT: Google Chrome/75.0 Windows\r\n\r\n";
    /// §1.2.2, as an access router writes it.
    const ALIVE: &[u8] = b"NOTIFY * HTTP/1.1 \r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=3000\r\n\
        LOCATION: http://192.168.0.1:5431/igdevicedesc.xml\r\nSERVER: UPnP/1.0 BOX-1/1.0\r\n\
        NT: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\
        USN: uuid:f5c1d177-62e5-45d1-a6e7-c412f504c74a::urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\
        NTS: ssdp:alive\r\n\r\n";
    /// §1.3.3.
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=100\r\nEXT:\r\n\
        LOCATION: http://10.0.0.1/description.xml\r\nSERVER:Linux/3.14.0 UPnP/1.0 IpBridge/1.32.0\r\n\
        ST: upnp:rootdevice\r\nUSN: uuid:2f402f80-da50-11e1-9b23-0017882c92b4::upnp:rootdevice\r\n\r\n";

    fn clues(told: &[Clue]) -> Vec<(&str, &str)> {
        told.iter().map(|c| (c.evidence, &*c.value)).collect()
    }

    #[test]
    fn who_searches_says_for_what() {
        let told = datagrams::<Ssdp>(1900, &[(C, SEARCH), (C, SEARCH)]);
        assert_eq!(
            told.records,
            [concat!(
                r#"ssdp {"duration":1.000000,"methods":["M-SEARCH"],"messages":2,"host":"239.255.255.250:1900","#,
                r#""search_targets":["urn:dial-multiscreen-org:service:dial:1"],"#,
                r#""user_agent":"Google Chrome/75.0 Windows"}"#
            )]
        );
        let expected = [("ssdp user agent", "Google Chrome/75.0 Windows")];
        assert_eq!(clues(&told.clues), expected);
    }

    #[test]
    fn a_device_says_what_it_is() {
        let told = datagrams::<Ssdp>(1900, &[(C, ALIVE), (C, ALIVE)]);
        assert_eq!(
            told.records,
            [concat!(
                r#"ssdp {"duration":1.000000,"methods":["NOTIFY"],"messages":2,"host":"239.255.255.250:1900","#,
                r#""types":["urn:schemas-upnp-org:device:InternetGatewayDevice:1"],"announces":["ssdp:alive"],"#,
                r#""uuid":"f5c1d177-62e5-45d1-a6e7-c412f504c74a","#,
                r#""location":"http://192.168.0.1:5431/igdevicedesc.xml","server":"UPnP/1.0 BOX-1/1.0"}"#
            )]
        );
        let expected = [
            ("ssdp server", "UPnP/1.0 BOX-1/1.0"),
            ("ssdp type", "InternetGatewayDevice:1"),
        ];
        assert_eq!(clues(&told.clues), expected);
        let told = datagrams::<Ssdp>(40_000, &[(C, ANSWER)]);
        assert!(told.records[0].contains(r#""methods":[],"messages":1,"status_code":200"#));
        assert!(told.records[0].contains(r#""uuid":"2f402f80-da50-11e1-9b23-0017882c92b4""#));
        assert_eq!(told.clues.len(), 1);
    }

    #[test]
    fn other_heads_are_none_of_it() {
        for ours in [SEARCH, ALIVE, ANSWER] {
            assert_eq!(Ssdp::probe(ours, C), Probe::Certain);
        }
        for other in [
            &b"NOTIFY /event HTTP/1.1\r\nNT: upnp:event\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nUSN: and ST: in a body",
            b"GET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(Ssdp::probe(other, C), Probe::NotMine);
        }
    }

    #[test]
    fn a_flow_keeps_no_more_than_its_bounds() {
        let many: Vec<Vec<u8>> = (0..100)
            .map(|n| {
                format!(
                    "NOTIFY * HTTP/1.1\r\nNT: urn:x:device:{n}{}\r\n\r\n",
                    "y".repeat(999)
                )
            })
            .map(String::into_bytes)
            .collect();
        let many: Vec<(Dir, &[u8])> = many.iter().map(|one| (C, &one[..])).collect();
        let told = datagrams::<Ssdp>(1900, &many);
        assert_eq!(told.clues.len(), CLUES_MAX);
        assert!(told.records[0].len() < TYPES_MAX * (TEXT_LEN_MAX + 3) + 200);
        endures::<Ssdp>(&[(C, SEARCH), (C, ALIVE), (C, ANSWER)], true);
    }
}
