//! SNMP: who asks whom for how much, and what a device says it is.
//!
//! Standard: RFC 1157 (v1), RFC 3416 (v2c PDUs), RFC 3411 to 3414 (v3), RFC 3418 (sysDescr, sysName).
//! Input:    UDP datagrams, both directions. The agent is who responds or traps.
//! Output:   one `snmp` record per flow, counts in variable bindings as Zeek has them; sysDescr as a software
//!           clue, sysName as a host name.
//! Bounds:   64 bindings of a message are looked at; texts of 256 bytes.
//! Secrets:  a community string is one: only whether it is `public`, which everybody knows. A v3 user's
//!           name is an account and kept.
//! Not done: SNMP over TCP; encrypted v3 messages, of which only the user is told.

use super::lines::{TEXT_LEN_MAX, tell_software};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Clue, ClueKind, Interval, Text, Timestamp, heap_of, text};

/// Variable bindings of a message that are looked at.
const BINDINGS_MAX: usize = 64;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const TIME_TICKS: u8 = 0x43;
/// 1.3.6.1.2.1.1.1.0.
const SYS_DESCR: &[u8] = &[0x2b, 6, 1, 2, 1, 1, 1, 0];
/// 1.3.6.1.2.1.1.3.0.
const SYS_UP_TIME: &[u8] = &[0x2b, 6, 1, 2, 1, 1, 3, 0];
/// 1.3.6.1.2.1.1.5.0.
const SYS_NAME: &[u8] = &[0x2b, 6, 1, 2, 1, 1, 5, 0];

record! {
    /// What one flow asked and answered (Zeek's `snmp.log`).
    pub struct SnmpRecord = "snmp" {
        /// From the first to the last message.
        pub duration: Option<Interval> = "duration",
        /// `1`, `2c` or `3`.
        pub version: &'static str = "version",
        /// Whether the community string is `public`; absent in version 3. The string itself is not kept.
        pub community_public: Option<bool> = "community_public",
        /// User of version 3.
        pub user: Option<Text> = "user",
        /// Variables asked for by Get and GetNext.
        pub get_requests: u64 = "get_requests",
        /// Variables asked for by GetBulk.
        pub get_bulk_requests: u64 = "get_bulk_requests",
        /// Variables in responses.
        pub get_responses: u64 = "get_responses",
        /// Variables to be set.
        pub set_requests: u64 = "set_requests",
        /// Messages nobody asked for: traps, informs.
        pub traps: u64 = "traps",
        /// What the agent says it is.
        pub display_string: Option<Text> = "display_string",
        /// Since when it is up, as it says.
        pub up_since: Option<Timestamp> = "up_since",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Snmp {
    first: Option<Timestamp>,
    last: Timestamp,
    record: SnmpRecord,
    name_told: bool,
}

/// What a message has before its PDU.
struct Message<'a> {
    version: &'static str,
    community: Option<&'a [u8]>,
    user: Option<&'a [u8]>,
    /// Tag and contents of the PDU; `None` if it is encrypted.
    pdu: Option<(u8, &'a [u8])>,
}

impl Protocol for Snmp {
    const NAME: &'static str = "snmp";
    const PORTS: &'static [Port] = &[Port::Udp(161), Port::Udp(162)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        if start.first() == Some(&SEQUENCE) && Message::read(start).is_some() {
            Probe::Certain
        } else {
            Probe::NotMine
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            return Parse::Skip;
        }
        let Some(message) = Message::read(input.data) else {
            return Parse::Broken("snmp_malformed");
        };
        self.first.get_or_insert(input.ts);
        self.last = input.ts;
        self.record.version = message.version;
        if let Some(community) = message.community {
            // One message with another community than the known one is enough.
            if self.record.community_public.is_none() {
                out.credential((Self::NAME, "community"), None, Some(community));
            }
            let public = self.record.community_public.unwrap_or(true);
            self.record.community_public = Some(public && community == b"public");
        }
        if let Some(user) = message.user.filter(|user| !user.is_empty()) {
            self.record.user = Some(text(user, TEXT_LEN_MAX));
        }
        if let Some((tag, body)) = message.pdu {
            self.pdu(input, tag, body, out);
        }
        let used = input.data.len();
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

impl<'a> Message<'a> {
    /// Reads a message as far as its PDU.
    fn read(datagram: &'a [u8]) -> Option<Self> {
        let (SEQUENCE, body, _) = value(datagram)? else {
            return None;
        };
        let (INTEGER, [version], rest) = value(body)? else {
            return None;
        };
        let (version, is_3) = match version {
            0 => ("1", false),
            1 => ("2c", false),
            3 => ("3", true),
            _ => return None,
        };
        if is_3 {
            return Self::read_3(rest);
        }
        let (OCTET_STRING, community, rest) = value(rest)? else {
            return None;
        };
        let (tag @ 0xa0..=0xa8, pdu, _) = value(rest)? else {
            return None;
        };
        Some(Self {
            version,
            community: Some(community),
            user: None,
            pdu: Some((tag, pdu)),
        })
    }

    /// Version 3 (RFC 3412 §6, RFC 3414 §2.4).
    fn read_3(rest: &'a [u8]) -> Option<Self> {
        let (SEQUENCE, header, rest) = value(rest)? else {
            return None;
        };
        let (INTEGER, _id, header) = value(header)? else {
            return None;
        };
        let (INTEGER, _size, _) = value(header)? else {
            return None;
        };
        let (OCTET_STRING, parameters, rest) = value(rest)? else {
            return None;
        };
        Some(Self {
            version: "3",
            community: None,
            user: user(parameters),
            pdu: scoped(rest),
        })
    }
}

/// The user in the security parameters: the fourth value.
fn user(parameters: &[u8]) -> Option<&[u8]> {
    let (SEQUENCE, mut rest, _) = value(parameters)? else {
        return None;
    };
    for _ in 0..3 {
        rest = value(rest)?.2;
    }
    let (OCTET_STRING, user, _) = value(rest)? else {
        return None;
    };
    Some(user)
}

/// The PDU behind context engine and name, if it is not encrypted.
fn scoped(rest: &[u8]) -> Option<(u8, &[u8])> {
    let (SEQUENCE, body, _) = value(rest)? else {
        return None;
    };
    let (_, _engine, body) = value(body)?;
    let (_, _name, body) = value(body)?;
    let (tag, pdu, _) = value(body)?;
    Some((tag, pdu))
}

/// Tag, contents and what follows (X.690, one byte of tag, definite length). Contents that are cut are
/// handed out as far as they are there.
fn value(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = data.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let add = |len: u32, octet: &u8| len << 8 | u32::from(*octet);
            (usize::try_from(octets.iter().fold(0, add)).ok()?, rest)
        }
        _ => return None,
    };
    let (body, rest) = rest.split_at_checked(len).unwrap_or((rest, &[]));
    Some((*tag, body, rest))
}

/// A non-negative number of up to eight bytes.
fn number(body: &[u8]) -> Option<u64> {
    let significant = body.strip_prefix(&[0]).unwrap_or(body);
    if significant.len() > 8 {
        return None;
    }
    let add = |number: u64, octet: &u8| number << 8 | u64::from(*octet);
    Some(significant.iter().fold(0, add))
}

impl Snmp {
    fn pdu(&mut self, input: Input<'_>, tag: u8, body: &[u8], out: &mut Out<'_>) {
        // The trap of version 1 has fields of its own and none of what is looked for.
        let bindings = if tag == 0xa4 {
            &[][..]
        } else {
            bindings(body).unwrap_or_default()
        };
        let (mut rest, mut count) = (bindings, 0_u64);
        let agent_speaks = matches!(tag, 0xa2 | 0xa7);
        for _ in 0..BINDINGS_MAX {
            let Some((SEQUENCE, binding, behind)) = value(rest) else {
                break;
            };
            (rest, count) = (behind, count.saturating_add(1));
            if agent_speaks {
                self.binding(input, binding, out);
            }
        }
        let counter = match tag {
            0xa0 | 0xa1 => &mut self.record.get_requests,
            0xa2 => &mut self.record.get_responses,
            0xa3 => &mut self.record.set_requests,
            0xa5 => &mut self.record.get_bulk_requests,
            _ => {
                count = 1;
                &mut self.record.traps
            }
        };
        *counter = counter.saturating_add(count);
    }

    /// What an agent says of itself.
    fn binding(&mut self, input: Input<'_>, binding: &[u8], out: &mut Out<'_>) {
        let Some((OBJECT_IDENTIFIER, name, rest)) = value(binding) else {
            return;
        };
        let Some((tag, body, _)) = value(rest) else {
            return;
        };
        match (name, tag) {
            (SYS_DESCR, OCTET_STRING) if self.record.display_string.is_none() => {
                let said = text(body.trim_ascii(), TEXT_LEN_MAX);
                tell_software(input.dir, "snmp sysDescr", said.clone(), out);
                self.record.display_string = Some(said);
            }
            (SYS_NAME, OCTET_STRING) if !self.name_told && !body.is_empty() => {
                self.name_told = true;
                let side = match input.dir {
                    Dir::Orig => out.flow.orig,
                    Dir::Resp => out.flow.resp,
                };
                out.clue(Clue {
                    mac: None,
                    ip: Some(side.ip()),
                    kind: ClueKind::HostName,
                    evidence: "snmp sysName",
                    value: text(body, TEXT_LEN_MAX),
                });
            }
            (SYS_UP_TIME, TIME_TICKS) => {
                // Hundredths of a second.
                let ticks = number(body).and_then(|ticks| i64::try_from(ticks).ok());
                let up = ticks.and_then(|ticks| ticks.checked_mul(10_000_000));
                let since = up.and_then(|up| input.ts.nanos().checked_sub(up));
                self.record.up_since = since.map(Timestamp::from_nanos);
            }
            _ => {}
        }
    }
}

/// The variable bindings of a PDU: behind request id, error status and error index.
fn bindings(mut body: &[u8]) -> Option<&[u8]> {
    for _ in 0..3 {
        body = value(body)?.2;
    }
    let (SEQUENCE, bindings, _) = value(body)? else {
        return None;
    };
    Some(bindings)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{datagrams, endures};
    use super::*;

    const C: Dir = Dir::Orig;
    const S: Dir = Dir::Resp;

    /// Get of sysDescr.0, community "public", version 1.
    const GET: &[u8] =
        b"\x30\x26\x02\x01\x00\x04\x06public\xa0\x19\x02\x01\x26\x02\x01\x00\x02\x01\x00\
        \x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x05\x00";
    /// Its response "Box 1", and sysUpTime.0 = 500 hundredths, and sysName.0 = "sw".
    const RESPONSE: &[u8] =
        b"\x30\x4b\x02\x01\x00\x04\x06public\xa2\x3e\x02\x01\x26\x02\x01\x00\x02\x01\x00\
        \x30\x33\x30\x11\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x04\x05Box 1\
        \x30\x0e\x06\x08\x2b\x06\x01\x02\x01\x01\x03\x00\x43\x02\x01\xf4\
        \x30\x0e\x06\x08\x2b\x06\x01\x02\x01\x01\x05\x00\x04\x02sw";
    /// RFC 3414: a request for the report, user "admin", nothing encrypted.
    const V3: &[u8] =
        b"\x30\x40\x02\x01\x03\x30\x0f\x02\x03\x00\x91\xc8\x02\x02\x05\xdc\x04\x01\x04\x02\x01\x03\
        \x04\x15\x30\x13\x04\x00\x02\x01\x00\x02\x01\x00\x04\x05admin\x04\x00\x04\x00\
        \x30\x13\x04\x00\x04\x00\xa0\x0d\x02\x03\x00\x91\xc8\x02\x01\x00\x02\x01\x00\x30\x00";

    #[test]
    fn a_question_and_what_the_agent_says_it_is() {
        let told = datagrams::<Snmp>(161, &[(C, GET), (S, RESPONSE)]);
        // The second datagram comes at 2 s; 5 s of uptime lead to 3 s before the epoch.
        assert_eq!(
            told.records,
            [concat!(
                r#"snmp {"duration":1.000000,"version":"1","community_public":true,"get_requests":1,"#,
                r#""get_bulk_requests":0,"get_responses":3,"set_requests":0,"traps":0,"#,
                r#""display_string":"Box 1","up_since":-3.000000}"#
            )]
        );
        let clues: Vec<_> = told
            .clues
            .iter()
            .map(|c| (c.evidence, c.value.as_str()))
            .collect();
        assert_eq!(clues, [("snmp sysDescr", "Box 1"), ("snmp sysName", "sw")]);
        assert!(
            told.clues
                .iter()
                .all(|c| c.ip == Some([10, 0, 0, 2].into()))
        );
    }

    #[test]
    fn a_community_is_a_secret_and_a_user_is_not() {
        let secret = GET.to_vec();
        let mut secret: Vec<u8> = secret;
        secret[7..13].copy_from_slice(b"geheim");
        let told = datagrams::<Snmp>(161, &[(C, &secret)]);
        assert!(told.records[0].contains(r#""community_public":false"#));
        assert!(!told.records[0].contains("geheim"));
        let told = datagrams::<Snmp>(161, &[(C, V3)]);
        assert!(told.records[0].contains(r#""version":"3","user":"admin""#));
    }

    #[test]
    fn lengths_of_several_bytes() {
        // 30 82 00 26 as some agents write it.
        let long = [&b"\x30\x82\x00\x26"[..], &GET[2..]].concat();
        assert_eq!(Snmp::probe(&long, C), Probe::Certain);
        // LDAP's bind begins alike: 30 0c 02 01 01 60 07.
        let ldap = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00";
        assert_eq!(Snmp::probe(ldap, C), Probe::NotMine);
        endures::<Snmp>(&[(C, GET), (S, RESPONSE), (C, V3)], true);
    }
}
