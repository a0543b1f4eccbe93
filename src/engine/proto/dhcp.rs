//! DHCP: what a device says of itself when it joins, and which address it is given.
//!
//! Standard: RFC 2131 (message), RFC 2132 (options), RFC 4702 (option 81), RFC 6926 (message types).
//! Input:    UDP payload, ports 67 and 68; either direction.
//! Output:   one `dhcp` record per message; joining them by `trans_id` is left to what sees all flows, as
//!           a broadcast and its answer are different flows. Clues for `device`.
//! Units:    lease times in seconds as on the wire; kept as nanoseconds.
//! Bounds:   64 options of 255 bytes in the options, `file` and `sname` fields together.
//! Not done: RFC 3396 long options are not joined.

use std::net::{IpAddr, Ipv4Addr};

use compact_str::{ToCompactString as _, format_compact};

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol, labels};
use crate::record;
use crate::types::{Clue, ClueKind, Interval, MacAddr, Text, text};

/// Options looked at; clients send about a dozen.
const OPTIONS_MAX: usize = 64;
/// Addresses kept of a list of routers or name servers.
const ADDRESSES_MAX: usize = 8;
/// Where the options begin, and the four bytes before them (RFC 2131 §3).
const COOKIE_AT: usize = 236;
const COOKIE: &[u8] = &[0x63, 0x82, 0x53, 0x63];

record! {
    /// One DHCP message (Zeek's `dhcp.log`, which joins the messages of a transaction).
    pub struct DhcpRecord = "dhcp" {
        /// Identifier of the transaction, chosen by the client.
        pub trans_id: u32 = "trans_id",
        /// The client's address, if it already has one.
        pub client_addr: Option<Ipv4Addr> = "client_addr",
        /// The server's address: as it names itself, else the sender of a reply.
        pub server_addr: Option<IpAddr> = "server_addr",
        /// The client's hardware address.
        pub mac: Option<Text> = "mac",
        /// The client's name, option 12.
        pub host_name: Option<Text> = "host_name",
        /// The client's full name, option 81.
        pub client_fqdn: Option<Text> = "client_fqdn",
        /// Domain the server hands out, option 15.
        pub domain: Option<Text> = "domain",
        /// Address the client asks for, option 50.
        pub requested_addr: Option<Ipv4Addr> = "requested_addr",
        /// Address the server assigns.
        pub assigned_addr: Option<Ipv4Addr> = "assigned_addr",
        /// How long the address is lent, option 51.
        pub lease_time: Option<Interval> = "lease_time",
        /// Message to the server, option 56.
        pub client_message: Option<Text> = "client_message",
        /// Message to the client, option 56.
        pub server_message: Option<Text> = "server_message",
        /// Type of the message, such as `DISCOVER`; `BOOTREQUEST` and `BOOTREPLY` without option 53.
        pub msg_types: Vec<Text> = "msg_types",
        /// From the first to the last message; always 0, as each message has its own record.
        pub duration: Interval = "duration",
        /// What the client runs, option 60.
        pub vendor_class: Option<Text> = "vendor_class",
        /// Options the client asks for in its own order, a fingerprint: option 55.
        pub parameter_list: Option<Text> = "parameter_list",
        /// Routers the server hands out, option 3.
        pub routers: Option<Vec<IpAddr>> = "routers",
        /// Name servers the server hands out, option 6.
        pub name_servers: Option<Vec<IpAddr>> = "name_servers",
        /// Relay the message came through.
        pub relay_addr: Option<Ipv4Addr> = "relay_addr",
    }
}

/// Parser of one flow: messages stand for themselves, so it keeps nothing.
#[derive(Debug, Default)]
pub struct Dhcp;

impl Protocol for Dhcp {
    const NAME: &'static str = "dhcp";
    const PORTS: &'static [Port] = &[Port::Udp(67), Port::Udp(68)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        // op, htype and hlen: a request or a reply, any hardware, at most sixteen bytes of address.
        let Some(&[1 | 2, _, 0..=16, _]) = start.first_chunk::<4>() else {
            return Probe::NotMine;
        };
        match start.get(COOKIE_AT..) {
            Some(rest) if rest.starts_with(COOKIE) => Probe::Certain,
            // BOOTP has a vendor area without the cookie; it is 300 bytes long (RFC 951 §3).
            Some(_) if start.len() >= 300 => Probe::Unsure,
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            return Parse::Broken("dhcp_over_stream");
        }
        let Some(message) = Message::read(input.data) else {
            return Parse::Broken("dhcp_truncated");
        };
        let options = Options::read(input.data);
        let sender = match input.dir {
            Dir::Orig => out.flow.orig.ip(),
            Dir::Resp => out.flow.resp.ip(),
        };
        let record = record(&message, &options, sender);
        clues(&message, &options, &record, out);
        out.record(input.ts, record);
        Parse::Parsed {
            used: input.data.len(),
        }
    }
}

/// The fixed fields (RFC 2131 §2).
#[derive(Debug)]
struct Message {
    reply: bool,
    xid: u32,
    ciaddr: Option<Ipv4Addr>,
    yiaddr: Option<Ipv4Addr>,
    giaddr: Option<Ipv4Addr>,
    mac: Option<MacAddr>,
}

impl Message {
    fn read(data: &[u8]) -> Option<Self> {
        let reply = *data.first()? == 2;
        let xid = u32::from_be_bytes(*data.get(4..)?.first_chunk()?);
        // hlen 6 whatever the hardware type: Wi-Fi adapters have been seen with type 6.
        let mac = (data.get(2) == Some(&6))
            .then(|| data.get(28..)?.first_chunk().copied())
            .flatten();
        let addr = |at| address(data.get(at..)?.get(..4)?);
        let (ciaddr, yiaddr, giaddr) = (addr(12), addr(16), addr(24));
        Some(Self {
            reply,
            xid,
            ciaddr,
            yiaddr,
            giaddr,
            mac: mac.map(MacAddr),
        })
    }
}

/// An address of four bytes; all zeroes mean none.
fn address(bytes: &[u8]) -> Option<Ipv4Addr> {
    let octets = <[u8; 4]>::try_from(bytes).ok()?;
    Some(Ipv4Addr::from(octets)).filter(|ip| !ip.is_unspecified())
}

/// The options of interest, first occurrence of each.
#[derive(Debug, Default)]
struct Options<'a> {
    seen: Vec<(u8, &'a [u8])>,
}

impl<'a> Options<'a> {
    /// Reads the options field and, if option 52 says so, the `file` and `sname` fields.
    fn read(data: &'a [u8]) -> Self {
        let mut options = Self::default();
        let Some(area) = data
            .get(COOKIE_AT..)
            .and_then(|area| area.strip_prefix(COOKIE))
        else {
            return options;
        };
        options.area(area);
        let overload = options
            .get(52)
            .and_then(<[u8]>::first)
            .copied()
            .unwrap_or(0);
        for (bit, from, to) in [(1, 108, 236), (2, 44, 108)] {
            if overload & bit != 0 {
                options.area(data.get(from..to).unwrap_or_default());
            }
        }
        options
    }

    /// Reads one area up to its end option (255); 0 is padding (RFC 2132 §3).
    fn area(&mut self, mut area: &'a [u8]) {
        while let Some((&code, rest)) = area.split_first()
            && code != 255
            && self.seen.len() < OPTIONS_MAX
        {
            if code == 0 {
                area = rest;
                continue;
            }
            let Some((&len, rest)) = rest.split_first() else {
                return;
            };
            let Some((value, rest)) = rest.split_at_checked(usize::from(len)) else {
                return;
            };
            self.seen.push((code, value));
            area = rest;
        }
    }

    fn get(&self, code: u8) -> Option<&'a [u8]> {
        self.seen
            .iter()
            .find(|(seen, _)| *seen == code)
            .map(|(_, value)| *value)
    }

    fn address(&self, code: u8) -> Option<Ipv4Addr> {
        address(self.get(code)?)
    }

    fn addresses(&self, code: u8) -> Option<Vec<IpAddr>> {
        let list = self.get(code)?.chunks_exact(4).take(ADDRESSES_MAX);
        Some(list.filter_map(address).map(IpAddr::V4).collect())
    }

    /// Text without the zero bytes some clients end it with; absent if nothing is left.
    fn text(&self, code: u8) -> Option<Text> {
        Some(unpadded(self.get(code)?)).filter(|text| !text.is_empty())
    }

    /// Option 81: flags, two obsolete bytes, then a name as text or as labels (RFC 4702 §2).
    fn fqdn(&self) -> Option<Text> {
        let (&[flags, _, _], name) = self.get(81)?.split_first_chunk()?;
        let name = if flags & 4 == 0 {
            unpadded(name)
        } else {
            labels::name(name)
        };
        Some(name).filter(|name| !name.is_empty())
    }

    /// Option 55 as `1,3,6`.
    fn parameters(&self) -> Option<Text> {
        let mut out = String::new();
        for code in self.get(55)? {
            if !out.is_empty() {
                out.push(',');
            }
            out.push_str(itoa::Buffer::new().format(*code));
        }
        (!out.is_empty()).then(|| out.into())
    }
}

fn unpadded(bytes: &[u8]) -> Text {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last.saturating_add(1));
    text(bytes.get(..end).unwrap_or_default(), 255)
}

/// Name of a message type (RFC 2132 §9.6 and later).
fn message_type(value: u8) -> Option<&'static str> {
    Some(match value {
        1 => "DISCOVER",
        2 => "OFFER",
        3 => "REQUEST",
        4 => "DECLINE",
        5 => "ACK",
        6 => "NAK",
        7 => "RELEASE",
        8 => "INFORM",
        9 => "FORCERENEW",
        10 => "LEASEQUERY",
        11 => "LEASEUNASSIGNED",
        12 => "LEASEUNKNOWN",
        13 => "LEASEACTIVE",
        14 => "BULKLEASEQUERY",
        15 => "LEASEQUERYDONE",
        16 => "ACTIVELEASEQUERY",
        17 => "LEASEQUERYSTATUS",
        18 => "TLS",
        _ => return None,
    })
}

fn record(message: &Message, options: &Options<'_>, sender: IpAddr) -> DhcpRecord {
    let kind = options.get(53).and_then(<[u8]>::first).copied();
    let said = options.text(56);
    let (client_message, server_message) = if message.reply {
        (None, said)
    } else {
        (said, None)
    };
    let own = match sender {
        IpAddr::V4(ip) if !message.reply && !ip.is_unspecified() && message.giaddr.is_none() => {
            Some(ip)
        }
        _ => None,
    };
    let named = options.address(54).map(IpAddr::V4);
    DhcpRecord {
        trans_id: message.xid,
        client_addr: message.ciaddr.or(own),
        server_addr: named.or_else(|| message.reply.then_some(sender)),
        mac: message.mac.map(|mac| mac.to_compact_string()),
        host_name: options.text(12),
        client_fqdn: options.fqdn(),
        domain: options.text(15),
        requested_addr: options.address(50),
        assigned_addr: message.yiaddr,
        lease_time: options
            .get(51)
            .and_then(|value| <[u8; 4]>::try_from(value).ok())
            .map(|value| {
                Interval(i64::from(u32::from_be_bytes(value)).saturating_mul(1_000_000_000))
            }),
        client_message,
        server_message,
        msg_types: vec![match kind {
            Some(kind) => message_type(kind)
                .map_or_else(|| format_compact!("UNKNOWN-{kind}"), Text::const_new),
            None if message.reply => Text::from("BOOTREPLY"),
            None => Text::from("BOOTREQUEST"),
        }],
        duration: Interval(0),
        vendor_class: options.text(60),
        parameter_list: options.parameters(),
        routers: options.addresses(3),
        name_servers: options.addresses(6),
        relay_addr: message.giaddr,
    }
}

/// Tells `device` what the client says of itself, and who leases addresses.
fn clues(message: &Message, options: &Options<'_>, record: &DhcpRecord, out: &mut Out<'_>) {
    let client = record.client_addr.map(IpAddr::V4);
    let mut tell = |ip, kind, evidence, value: &str| {
        let mac = message.mac;
        out.clue(Clue {
            mac,
            ip,
            kind,
            evidence,
            value: value.into(),
        });
    };
    if !message.reply {
        // First, as it tells machines of one name apart.
        if let Some(id) = identifier(options, message.mac) {
            tell(client, ClueKind::Software, "dhcp client id", &id);
        }
        let said = [
            (&record.host_name, ClueKind::HostName, "dhcp option 12"),
            (&record.client_fqdn, ClueKind::HostName, "dhcp option 81"),
            (
                &record.vendor_class,
                ClueKind::Software,
                "dhcp vendor class",
            ),
            (
                &record.parameter_list,
                ClueKind::Software,
                "dhcp parameter list",
            ),
        ];
        for (value, kind, evidence) in said {
            if let Some(value) = value {
                tell(client, kind, evidence, value.trim_end_matches('.'));
            }
        }
        return;
    }
    let kind = options.get(53).and_then(<[u8]>::first).copied();
    if let (Some(5), Some(ip)) = (kind, message.yiaddr.or(message.ciaddr)) {
        tell(Some(IpAddr::V4(ip)), ClueKind::Lease, "dhcp ack", "");
    }
    if matches!(kind, Some(2 | 5)) {
        let (ip, evidence) = (record.server_addr, "dhcp reply");
        out.clue(Clue {
            mac: None,
            ip,
            kind: ClueKind::Serves,
            evidence,
            value: "dhcp".into(),
        });
    }
}

/// The client's identifier, option 61, if it is more than its hardware address: a DUID with what it belongs to left
/// out (RFC 4361 §6.1), so that all interfaces of a machine have the same, or what else the client made up.
fn identifier(options: &Options<'_>, mac: Option<MacAddr>) -> Option<Text> {
    /// Shorter ones are no identifiers (RFC 2132 §9.14 knows them from two bytes on).
    const LEN_MIN: usize = 7;
    let id = options.get(61).filter(|id| id.len() >= LEN_MIN)?;
    let (&kind, value) = id.split_first()?;
    let (name, value) = match kind {
        255 => ("duid", value.get(4..).filter(|duid| duid.len() >= LEN_MIN)?),
        _ if mac.is_some_and(|mac| *value == mac.0) => return None,
        _ => ("id", id),
    };
    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format_compact!("{name} {hex}"))
}

#[cfg(test)]
mod tests;
