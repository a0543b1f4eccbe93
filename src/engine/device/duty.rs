//! What a device does for others, as its flows show: which services it answers, and for how many.
//!
//! Bounds: one row a service, 19 of them.

use serde::{Deserialize, Serialize};

use crate::decode::proto;
use crate::types::{FlowRef, Timestamp};

/// A service that says something about who offers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Names.
    Dns,
    /// Files and printers of Windows.
    Smb,
    /// A share that is not the system's own.
    Share,
    /// Files of Unix.
    Nfs,
    /// Files.
    Ftp,
    /// Pages on a port for everybody.
    Web,
    /// Connections for others.
    Proxy,
    /// Mail taken in.
    Smtp,
    /// Mailboxes.
    Mailbox,
    /// Records of others.
    Syslog,
    /// Pages to be printed.
    Print,
    /// The way in from outside.
    Vpn,
    /// Databases.
    Database,
    /// Messages of things.
    Mqtt,
    /// Control of machines.
    Control,
    /// Calls.
    Sip,
    /// Sign-ins of network access.
    Radius,
    /// A shell.
    Ssh,
    /// Security events of others.
    Events,
}

impl Duty {
    /// How many there are.
    pub(super) const COUNT: usize = 19;

    /// What the responder of a flow does, whose content is `service` and which `answered` says was answered.
    #[must_use]
    pub fn of(service: Option<&str>, flow: &FlowRef, answered: bool) -> Option<Self> {
        let (port, is_tcp) = (flow.resp.port, flow.proto == proto::TCP);
        if service == Some("syslog") {
            // It is sent to and never answers.
            return Some(Self::Syslog);
        }
        if !answered {
            return None;
        }
        Some(match (service, port) {
            (Some("dns"), 53 | 853) => Self::Dns,
            (Some("smb"), _) => Self::Smb,
            (Some("ftp"), _) => Self::Ftp,
            (Some("http" | "http2" | "ssl"), 631) | (_, 515 | 9100) if is_tcp => Self::Print,
            (Some("http" | "http2" | "ssl" | "quic"), 80 | 443 | 8000 | 8080 | 8443) => Self::Web,
            (Some("socks"), _) => Self::Proxy,
            (Some("smtp"), _) => Self::Smtp,
            (Some("imap" | "pop3"), _) | (Some("ssl"), 993 | 995) => Self::Mailbox,
            (Some("wireguard" | "openvpn" | "ipsec" | "ike"), _) => Self::Vpn,
            (Some("mysql" | "postgresql" | "tds" | "redis"), _) => Self::Database,
            (Some("mqtt"), _) | (Some("ssl"), 8883) => Self::Mqtt,
            // Its own port, as it looks like any other TLS (RFC 5425 §4.1).
            (Some("ssl"), 6514) => Self::Syslog,
            (Some("modbus" | "dnp3" | "s7comm" | "bacnet" | "enip" | "cip"), _) => Self::Control,
            (Some("sip"), _) => Self::Sip,
            (Some("radius"), _) => Self::Radius,
            (Some("ssh"), _) => Self::Ssh,
            (Some("onc_rpc") | None, 2049) if is_tcp => Self::Nfs,
            _ => return None,
        })
    }

    /// As the table of evidence calls it.
    fn word(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Smb => "smb",
            Self::Share => "a file share",
            Self::Nfs => "nfs",
            Self::Ftp => "ftp",
            Self::Web => "web pages",
            Self::Proxy => "proxied connections",
            Self::Smtp => "smtp",
            Self::Mailbox => "mailboxes",
            Self::Syslog => "syslog",
            Self::Print => "printing",
            Self::Vpn => "a vpn",
            Self::Database => "a database",
            Self::Mqtt => "mqtt",
            Self::Control => "industrial control",
            Self::Sip => "sip",
            Self::Radius => "radius",
            Self::Ssh => "ssh",
            Self::Events => "security events",
        }
    }
}

/// A duty as it was seen done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) duty: Duty,
    /// For whom: hashes of the first three addresses.
    clients: [u32; 3],
    pub(super) last_ts: Timestamp,
}

impl Done {
    /// As evidence: `dns for several devices`.
    pub(super) fn text(&self) -> String {
        let known = self.clients.iter().filter(|client| **client != 0).count();
        let whom = match (known, self.duty) {
            // A machine that all report to is more than the log of a neighbour.
            (3.., Duty::Syslog) => "several devices, three at least",
            (2.., _) => "several devices",
            _ => "one device",
        };
        format!("{} for {whom}", self.duty.word())
    }

    /// Adds what another entry of the same machine did.
    pub(super) fn absorb(&mut self, other: &Self) {
        other.clients.iter().for_each(|client| self.served(*client));
        self.last_ts = self.last_ts.max(other.last_ts);
    }

    fn served(&mut self, client: u32) {
        if client == 0 || self.clients.contains(&client) {
            return;
        }
        if let Some(free) = self.clients.iter_mut().find(|client| **client == 0) {
            *free = client;
        }
    }
}

/// Notes that `duty` was done for the address `client`.
pub(super) fn note(done: &mut Vec<Done>, ts: Timestamp, duty: Duty, client: u128) {
    let words = [client, client >> 32, client >> 64, client >> 96];
    let folded = words.iter().fold(0, |all, word| all ^ word & 0xffff_ffff);
    let client = u32::try_from(folded).unwrap_or(0).max(1);
    if let Some(known) = done.iter_mut().find(|known| known.duty == duty) {
        known.served(client);
        known.last_ts = ts;
        return;
    }
    // Most devices do one thing or none.
    done.reserve_exact(1);
    done.push(Done {
        duty,
        clients: [client, 0, 0],
        last_ts: ts,
    });
}
