//! MQTT: which device talks to which broker, as whom, about what.
//!
//! Standard: MQTT 3.1.1 and 5.0 (OASIS), MQTT 3.1.
//! Input:    both streams of a TCP flow. Who is the client is told by `CONNECT`.
//! Output:   one `mqtt` record per session; Zeek has the same in `mqtt_connect`, `mqtt_subscribe` and
//!           `mqtt_publish`.
//! Bounds:   16 topics published and 16 subscribed, each once; 1 KiB of a packet is looked at, 256 bytes of
//!           a name kept.
//! Secrets:  the password of `CONNECT`, and what is published: not kept.
//! Not done: names behind properties longer than what is looked at; topic aliases of 5.0.

use super::lines::{TEXT_LEN_MAX, add_distinct};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Text, Timestamp, heap_of, text};

/// Bytes of a packet that are looked at.
const LOOKED_AT_MAX: usize = 1024;
/// Topics kept, of each kind.
const TOPICS_MAX: usize = 16;
/// Names of the packet types, by number.
const TYPES: [&str; 16] = [
    "reserved",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

record! {
    /// One session with a broker.
    pub struct MqttRecord = "mqtt" {
        /// `MQTT`, or `MQIsdp` of version 3.1.
        pub proto_name: Option<Text> = "proto_name",
        /// 3 is 3.1, 4 is 3.1.1, 5 is 5.0.
        pub proto_version: Option<u8> = "proto_version",
        /// What the client calls itself.
        pub client_id: Option<Text> = "client_id",
        /// Account it signs in with.
        pub user: Option<Text> = "user",
        /// Whether a password crossed; it is not kept.
        pub password: bool = "password",
        /// Topic of its last will.
        pub will_topic: Option<Text> = "will_topic",
        /// The broker's answer: 0 is yes.
        pub connect_code: Option<u8> = "connect_code",
        /// Kinds of packets, in the order of their first use.
        pub types: Option<Vec<Text>> = "types",
        /// Topics subscribed to.
        pub subscribed: Option<Vec<Text>> = "subscribed",
        /// Topics published, by either side.
        pub published: Option<Vec<Text>> = "published",
        /// Messages published, by either side.
        pub publish_count: u64 = "publish_count",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Mqtt {
    started: Option<Timestamp>,
    record: MqttRecord,
}

/// First byte, length of the head and of the rest.
fn head(data: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, rest) = data.split_first()?;
    let (len, used) = varint(rest)?;
    Some((*first, used.saturating_add(1), len))
}

/// A number in steps of seven bits, at most four, and its length.
fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        let shift = u32::try_from(at).ok()?.checked_mul(7)?;
        value |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value, at.saturating_add(1)));
        }
    }
    None
}

/// Text or bytes with two bytes of length before them, and what follows.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

/// What follows the properties of version 5.
fn behind_properties(bytes: &[u8], version: u8) -> Option<&[u8]> {
    if version < 5 {
        return Some(bytes);
    }
    let (len, used) = varint(bytes)?;
    bytes.get(used.saturating_add(len)..)
}

impl Protocol for Mqtt {
    const NAME: &'static str = "mqtt";
    const PORTS: &'static [Port] = &[Port::Tcp(1883)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            [0x10, rest @ ..] => {
                let Some((_, used)) = varint(rest) else {
                    return if rest.len() < 4 {
                        Probe::Unsure
                    } else {
                        Probe::NotMine
                    };
                };
                let name = rest.get(used..).unwrap_or_default();
                let names: [&[u8]; 2] = [b"\x00\x04MQTT", b"\x00\x06MQIsdp"];
                if names.iter().any(|known| name.starts_with(known)) {
                    Probe::Certain
                } else if names.iter().any(|known| known.starts_with(name)) {
                    Probe::Unsure
                } else {
                    Probe::NotMine
                }
            }
            // An answer to a sign-in, an empty packet, a publication: on its port.
            [0x20 | 0xc0 | 0xd0 | 0x30..=0x3d] | [0x20 | 0x30..=0x3d, 2..=255] => Probe::Unsure,
            [0x30..=0x3d, 2..=255, 0] => Probe::Unsure,
            [0x20, len, 0 | 1, ..] if *len >= 2 => Probe::Unsure,
            [0xc0 | 0xd0, 0, ..] => Probe::Unsure,
            [0x30..=0x3d, len, 0, topic, ..] if *len >= *topic => Probe::Unsure,
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.gap > 0 || input.datagram {
            // Where the next packet begins nobody can tell.
            self.finish(out);
            return Parse::Skip;
        }
        let data = input.data;
        let Some((first, head, len)) = head(data) else {
            return if data.len() < 5 {
                Parse::NeedMore { used: 0, need: 1 }
            } else {
                Parse::Broken("mqtt_bad_length")
            };
        };
        let kind = first >> 4;
        if kind == 0 || (self.started.is_none() && kind == 1 && len < 10) {
            return Parse::Broken("mqtt_bad_packet");
        }
        let whole = head.saturating_add(len);
        let looked_at = whole.min(head.saturating_add(LOOKED_AT_MAX));
        let Some(body) = data.get(head..looked_at) else {
            return Parse::NeedMore {
                used: 0,
                need: looked_at.saturating_sub(data.len()).max(1),
            };
        };
        self.started.get_or_insert(input.ts);
        self.packet(first, body, out);
        let types = self.record.types.get_or_insert_default();
        let name = TYPES.get(usize::from(kind)).copied().unwrap_or_default();
        add_distinct(types, name.into(), TYPES.len());
        Parse::past(whole, data)
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        if let Some(ts) = self.started.take() {
            out.record(ts, std::mem::take(&mut self.record));
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: record)
    }
}

impl Mqtt {
    fn packet(&mut self, first: u8, body: &[u8], out: &mut Out<'_>) {
        let version = self.record.proto_version.unwrap_or(4);
        match first >> 4 {
            1 => {
                self.connect(body, out);
            }
            2 => self.record.connect_code = body.get(1).copied(),
            3 => {
                self.record.publish_count = self.record.publish_count.saturating_add(1);
                if let Some((topic, _)) = string(body).filter(|(topic, _)| !topic.is_empty()) {
                    let topics = self.record.published.get_or_insert_default();
                    add_distinct(topics, text(topic, TEXT_LEN_MAX), TOPICS_MAX);
                }
            }
            8 => {
                // Behind the packet's number.
                let mut rest = body
                    .get(2..)
                    .and_then(|rest| behind_properties(rest, version))
                    .unwrap_or_default();
                while let Some((topic, behind)) = string(rest) {
                    let topics = self.record.subscribed.get_or_insert_default();
                    add_distinct(topics, text(topic, TEXT_LEN_MAX), TOPICS_MAX);
                    // A byte of options.
                    rest = behind.get(1..).unwrap_or_default();
                }
            }
            _ => {}
        }
    }

    /// `CONNECT` as far as its fields are there.
    fn connect(&mut self, body: &[u8], out: &mut Out<'_>) -> Option<()> {
        let (name, rest) = string(body)?;
        self.record.proto_name = Some(text(name, 16));
        let [version, flags, _, _, rest @ ..] = rest else {
            return None;
        };
        self.record.proto_version = Some(*version);
        self.record.password = flags & 0x40 != 0;
        let rest = behind_properties(rest, *version)?;
        let (client, mut rest) = string(rest)?;
        self.record.client_id = Some(text(client, TEXT_LEN_MAX));
        if flags & 4 != 0 {
            rest = behind_properties(rest, *version)?;
            let (topic, behind) = string(rest)?;
            self.record.will_topic = Some(text(topic, TEXT_LEN_MAX));
            rest = string(behind)?.1;
        }
        if flags & 0x80 != 0 {
            let (user, behind) = string(rest)?;
            self.record.user = Some(text(user, TEXT_LEN_MAX));
            rest = behind;
        }
        if self.record.password {
            let secret = string(rest)?.0;
            out.credential(
                (Self::NAME, "CONNECT"),
                self.record.user.clone(),
                Some(secret),
            );
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{endures, stream};
    use super::*;

    const C: Dir = Dir::Orig;
    const S: Dir = Dir::Resp;
    /// MQTT 3.1.1 §3.1: flags c6 are user, password, will, clean; keep-alive 10 s. 0x26 = 38 bytes follow.
    const CONNECT: &[u8] = b"\x10\x26\x00\x04MQTT\x04\xc6\x00\x0a\x00\x02c1\x00\x04bye/\x00\x02xx\x00\x04anna\x00\x06geheim";
    const TALK: [(Dir, &[u8]); 6] = [
        (C, CONNECT),
        (S, b"\x20\x02\x00\x00"),
        // Packet 1, "a/b" at most once, "c/#" at least once.
        (C, b"\x82\x0e\x00\x01\x00\x03a/b\x00\x00\x03c/#\x01"),
        (S, b"\x90\x04\x00\x01\x00\x01"),
        (C, b"\x30\x0c\x00\x04t/17geheim"),
        (C, b"\xe0\x00"),
    ];

    #[test]
    fn a_session() {
        assert_eq!(CONNECT.len(), 40);
        let told = stream::<Mqtt>(&TALK);
        assert_eq!(
            told.records,
            [concat!(
                r#"mqtt {"proto_name":"MQTT","proto_version":4,"client_id":"c1","user":"anna","password":true,"#,
                r#""will_topic":"bye/","connect_code":0,"#,
                r#""types":["CONNECT","CONNACK","SUBSCRIBE","SUBACK","PUBLISH","DISCONNECT"],"#,
                r##""subscribed":["a/b","c/#"],"published":["t/17"],"publish_count":1}"##
            )]
        );
        endures::<Mqtt>(&TALK, false);
    }

    #[test]
    fn large_publications_are_passed_over_and_version_5_read() {
        // 0xb0 0x09 is 1200 bytes: topic "t" and 1197 of payload.
        let mut large = b"\x30\xb0\x09\x00\x01t".to_vec();
        large.resize(3 + 1200, b'x');
        let (first, rest) = large.split_at(1100);
        let told = stream::<Mqtt>(&[(C, CONNECT), (C, first), (C, rest), (C, b"\xe0\x00")]);
        assert!(told.records[0].contains(r#""types":["CONNECT","PUBLISH","DISCONNECT"]"#));
        // MQTT 5.0 §3.1.2.11: five bytes of properties (session expiry) before the client's name.
        let five = b"\x10\x14\x00\x04MQTT\x05\x02\x00\x0a\x05\x11\x00\x00\x00\x0a\x00\x02c5";
        assert_eq!(five.len(), 22);
        let told = stream::<Mqtt>(&[(C, five)]);
        assert!(told.records[0].contains(r#""proto_version":5,"client_id":"c5""#));
    }

    #[test]
    fn probing() {
        assert_eq!(Mqtt::probe(CONNECT, C), Probe::Certain);
        assert_eq!(Mqtt::probe(&CONNECT[..5], C), Probe::Unsure);
        assert_eq!(Mqtt::probe(b"\x10\x05hello", C), Probe::NotMine);
        assert_eq!(Mqtt::probe(b"\x20\x02\x00\x00", S), Probe::Unsure);
    }
}
