//! WS-Discovery: what Windows computers, printers, scanners and cameras say they are.
//!
//! Standard: OASIS WS-Discovery 1.1 §4 to §6, and the drafts of 2005 that devices speak; DPWS 1.1 and ONVIF Core §7.3
//!           for types and scopes.
//! Input:    datagrams of one SOAP envelope each, port 3702.
//! Output:   one `ws_discovery` record per flow, as each message is sent several times; types, hardware and name as
//!           clues.
//! Bounds:   16 KiB and 256 elements of a message, 16 types, scopes and addresses each, texts of 256 bytes. XML is read as
//!           far as elements and their text: no entities, no processing, nothing is looked up.
//! Not done: messages in compressed or binary XML; the managed mode over HTTP.

use super::lines::{TEXT_LEN_MAX, add_distinct, tell, tell_software};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{ClueKind, Interval, Text, Timestamp, heap_of, text};

/// Bytes of a message that are read.
const MESSAGE_LEN_MAX: usize = 16 * 1024;
/// Elements of a message that are looked at; a device sends about twenty.
const ELEMENTS_MAX: usize = 256;
const VALUES_MAX: usize = 16;
/// Namespaces of the drafts and of the standard; each stands in the first element.
const NAMESPACES: [&[u8]; 2] = [
    b"://schemas.xmlsoap.org/ws/2005/04/discovery",
    b"://docs.oasis-open.org/ws-dd/ns/discovery/2009/01",
];
/// Bytes in which a namespace is looked for.
const SENSED_LEN: usize = 2048;

record! {
    /// What one flow searched or announced.
    pub struct WsDiscoveryRecord = "ws_discovery" {
        /// From the first to the last message.
        pub duration: Option<Interval> = "duration",
        /// What was said: `Hello`, `Bye`, `Probe`, `ProbeMatches`, `Resolve`, `ResolveMatches`.
        pub actions: Vec<Text> = "actions",
        /// Messages.
        pub messages: u64 = "messages",
        /// Identity of the device that is spoken of.
        pub endpoint: Option<Text> = "endpoint",
        /// Types, asked for or of the device, without their namespaces.
        pub types: Option<Vec<Text>> = "types",
        /// Scopes, such as ONVIF's names of hardware and place.
        pub scopes: Option<Vec<Text>> = "scopes",
        /// Where the device describes itself.
        pub addresses: Option<Vec<Text>> = "addresses",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct WsDiscovery {
    first: Option<Timestamp>,
    last: Timestamp,
    record: WsDiscoveryRecord,
}

impl Protocol for WsDiscovery {
    const NAME: &'static str = "ws_discovery";
    const PORTS: &'static [Port] = &[Port::Udp(3702)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let window = start.get(..SENSED_LEN).unwrap_or(start);
        let is_xml = window.trim_ascii_start().first() == Some(&b'<');
        // Nobody else speaks of discovery within an envelope.
        let is_soap = || memchr::memmem::find(window, b"Envelope").is_some();
        let named = |name: &&[u8]| memchr::memmem::find(window, name).is_some();
        if is_xml && is_soap() && NAMESPACES.iter().any(named) {
            Probe::Certain
        } else {
            Probe::NotMine
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            // The same envelopes go over HTTP, which knows what they lie in.
            return Parse::Skip;
        }
        let used = input.data.len();
        if Self::probe(input.data, input.dir) != Probe::Certain {
            // Among envelopes it says nothing, before them it is no WS-Discovery.
            return match self.first {
                Some(_) => Parse::Parsed { used },
                None => Parse::Broken("ws_discovery_no_envelope"),
            };
        }
        self.first.get_or_insert(input.ts);
        self.last = input.ts;
        self.record.messages = self.record.messages.saturating_add(1);
        let window = input.data.get(..MESSAGE_LEN_MAX).unwrap_or(input.data);
        let mut offers = false;
        for (name, value) in Elements(window).take(ELEMENTS_MAX) {
            if name == b"Action" {
                let action = value
                    .rsplit(|byte| *byte == b'/')
                    .next()
                    .unwrap_or_default();
                offers = matches!(action, b"Hello" | b"ProbeMatches" | b"ResolveMatches");
                add_distinct(&mut self.record.actions, text(action, 32), VALUES_MAX);
            } else if !value.is_empty() {
                self.element(input.dir, offers, (name, value), out);
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

impl WsDiscovery {
    /// Takes one element's text; `offers` if the sender speaks of itself.
    fn element(
        &mut self,
        dir: Dir,
        offers: bool,
        (name, value): (&[u8], &[u8]),
        out: &mut Out<'_>,
    ) {
        let words = value
            .split(u8::is_ascii_whitespace)
            .filter(|w| !w.is_empty());
        let words = words.take(VALUES_MAX);
        match name {
            b"Address" if value.starts_with(b"urn:") || value.starts_with(b"uuid:") => {
                let id = value
                    .rsplit(|byte| *byte == b':')
                    .next()
                    .unwrap_or_default();
                let id = || text(id, TEXT_LEN_MAX);
                self.record.endpoint.get_or_insert_with(id);
            }
            b"Types" => {
                let list = self.record.types.get_or_insert_default();
                for word in words {
                    let word = word.rsplit(|byte| *byte == b':').next().unwrap_or(word);
                    let before = list.len();
                    add_distinct(list, text(word, TEXT_LEN_MAX), VALUES_MAX);
                    if let Some(new) = list.get(before).filter(|_| offers) {
                        tell(dir, ClueKind::Serves, "ws-discovery type", new.clone(), out);
                    }
                }
            }
            b"Scopes" => {
                let list = self.record.scopes.get_or_insert_default();
                for word in words {
                    let before = list.len();
                    add_distinct(list, text(word, TEXT_LEN_MAX), VALUES_MAX);
                    let new = list.get(before).filter(|_| offers);
                    let hardware = new.and_then(|new| new.split_once("onvif.org/hardware/"));
                    if let Some((_, hardware)) = hardware {
                        tell_software(dir, "onvif hardware", hardware.into(), out);
                    }
                }
            }
            b"XAddrs" => {
                let list = self.record.addresses.get_or_insert_default();
                for word in words {
                    add_distinct(list, text(word, TEXT_LEN_MAX), VALUES_MAX);
                }
            }
            _ => {}
        }
    }
}

/// Local name and text of each element that has no other before its text ends.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let open = memchr::memchr(b'<', self.0)?;
            let tag = self.0.get(open.saturating_add(1)..)?;
            let close = memchr::memchr(b'>', tag)?;
            let (tag, rest) = tag.split_at_checked(close)?;
            self.0 = rest.get(1..)?;
            if matches!(tag.first(), None | Some(b'/' | b'?' | b'!')) || tag.ends_with(b"/") {
                continue;
            }
            let end = tag.iter().position(u8::is_ascii_whitespace);
            let name = tag.get(..end.unwrap_or(tag.len()))?;
            let name = name.rsplit(|byte| *byte == b':').next()?;
            let text = self.0.get(..memchr::memchr(b'<', self.0)?)?;
            return Some((name, text.trim_ascii()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{datagrams, endures};
    use super::*;

    const C: Dir = Dir::Orig;

    /// An envelope as Windows writes it, shortened.
    fn envelope(action: &str, body: &str) -> Vec<u8> {
        let space = "http://schemas.xmlsoap.org/ws/2005/04/discovery";
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope \
             xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:wsd=\"{space}\"><soap:Header>\
             <wsa:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</wsa:To>\
             <wsa:Action>{space}/{action}</wsa:Action></soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
        )
        .into_bytes()
    }

    fn hello() -> Vec<u8> {
        envelope(
            "Hello",
            "<wsd:Hello><wsa:EndpointReference><wsa:Address>urn:uuid:143b0898-3ffa-4e5b-baa7-d58c4371935e\
             </wsa:Address></wsa:EndpointReference><wsd:Types>wsdp:Device pub:Computer</wsd:Types>\
             <wsd:XAddrs>http://10.0.0.1:5357/143b0898/</wsd:XAddrs></wsd:Hello>",
        )
    }

    #[test]
    fn a_computer_says_that_it_is_one() {
        let told = datagrams::<WsDiscovery>(3702, &[(C, &hello()), (C, &hello())]);
        assert_eq!(
            told.records,
            [concat!(
                r#"ws_discovery {"duration":1.000000,"actions":["Hello"],"messages":2,"#,
                r#""endpoint":"143b0898-3ffa-4e5b-baa7-d58c4371935e","types":["Device","Computer"],"#,
                r#""addresses":["http://10.0.0.1:5357/143b0898/"]}"#
            )]
        );
        let told: Vec<_> = told.clues.iter().map(|c| (c.evidence, &*c.value)).collect();
        let expected = [
            ("ws-discovery type", "Device"),
            ("ws-discovery type", "Computer"),
        ];
        assert_eq!(told, expected);
    }

    /// ONVIF Core §7.3.2.
    #[test]
    fn a_camera_names_its_hardware_and_a_search_says_nothing_of_its_sender() {
        let scopes = "<d:Scopes> onvif://www.onvif.org/type/ptz\n onvif://www.onvif.org/hardware/CAM-7 </d:Scopes>";
        let types = "<d:Types>dn:NetworkVideoTransmitter</d:Types>";
        let camera = envelope("ProbeMatches", &[types, scopes].concat());
        let told = datagrams::<WsDiscovery>(3702, &[(C, &camera)]);
        let clues: Vec<_> = told.clues.iter().map(|c| (c.evidence, &*c.value)).collect();
        let expected = [
            ("ws-discovery type", "NetworkVideoTransmitter"),
            ("onvif hardware", "CAM-7"),
        ];
        assert_eq!(clues, expected);
        let search = envelope("Probe", types);
        let told = datagrams::<WsDiscovery>(3702, &[(C, &search)]);
        assert!(told.records[0].contains(r#""actions":["Probe"]"#));
        assert!(told.records[0].contains(r#""types":["NetworkVideoTransmitter"]"#));
        assert!(told.clues.is_empty());
    }

    #[test]
    fn other_xml_is_not_ours_and_hostile_xml_ends() {
        let other = b"<?xml version=\"1.0\"?><soap:Envelope><soap:Body/></soap:Envelope>";
        assert_eq!(WsDiscovery::probe(other, C), Probe::NotMine);
        assert_eq!(WsDiscovery::probe(&hello(), C), Probe::Certain);
        let deep = envelope("Probe", &"<a><".repeat(9_000));
        let wide = envelope("Hello", &"<d:Types>a:b c:d</d:Types>".repeat(900));
        for hostile in [deep, wide] {
            let told = datagrams::<WsDiscovery>(3702, &[(C, &hostile)]);
            assert_eq!(told.records.len(), 1);
        }
        endures::<WsDiscovery>(&[(C, &hello())], true);
    }
}
