//! Application protocols: sensing which one a flow speaks, and parsing it.
//!
//! A protocol is one file and one line of the list below. Sensing goes by content first, port second.
//! Input:  stream bytes in order with gaps told (TCP), or one datagram at a time (UDP).
//! Output: records, clues for `device`, weird things, through [`Out`].
//! Panics: see `health`.
//! Bounds: a stream parser that answers `NeedMore` beyond [`BUFFER_BYTES_MAX`] is dropped; one that keeps more
//!         than [`PARSER_BYTES_MAX`] begins anew.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

pub(crate) mod ber;
mod credential;
pub(crate) mod driver;
pub mod files;
pub mod gss;
mod health;
mod labels;
mod lines;
pub mod link_discovery;
pub(crate) mod little_endian;
mod mail;
mod sasl;
pub(crate) mod sense;
mod sql;
#[cfg(test)]
mod testing;
mod tpkt;
mod weird;

pub use crate::flow::Dir;
pub use credential::{Credential, Secret};
pub use driver::Talk;
pub use health::{ParserHealth, ParsersHealth, is_guarded};
pub use weird::Weird;

use std::hash::BuildHasher as _;

use crate::types::{
    Body, Clue, FieldInfo, Fields, FlowRef, Observation, Observations, Record, Seed, Text,
    Timestamp,
};

/// Longest piece of one direction a parser may wait for.
pub const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Most bytes a parser keeps of one flow, what it points to included.
pub const PARSER_BYTES_MAX: usize = 64 * 1024;

/// A port to look at first; never proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// TCP.
    Tcp(u16),
    /// UDP.
    Udp(u16),
}

/// What a protocol travels over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// TCP's streams alone.
    Streams,
    /// Datagrams alone.
    Datagrams,
    /// Either.
    Both,
}

/// What the first bytes of one direction say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Only this protocol begins so.
    Certain,
    /// Could be, with more bytes or on the right port.
    Unsure,
    /// Cannot be.
    NotMine,
}

/// What a parser is handed.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Time of the packet that completed it.
    pub ts: Timestamp,
    /// Who sent it.
    pub dir: Dir,
    /// Stream bytes not yet used, or one datagram.
    pub data: &'a [u8],
    /// Bytes of this direction lost just before `data`; 0 if none. Told once.
    pub gap: u64,
    /// Whether this is a datagram rather than a stream.
    pub datagram: bool,
}

/// A parser's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parse {
    /// `used` bytes are done with; call again with the rest.
    Parsed {
        /// At most the length of the data.
        used: usize,
    },
    /// `used` bytes are done with; call again when `need` more than the rest are there.
    NeedMore {
        /// At most the length of the data.
        used: usize,
        /// At least 1.
        need: usize,
    },
    /// Throw away the rest of the data and the next `bytes` of this direction unseen.
    SkipBytes {
        /// Bytes beyond `data` that are of no interest (a body).
        bytes: u64,
    },
    /// Nothing more of this flow is of interest.
    Skip,
    /// Not this protocol after all, or broken beyond repair: drop the parser.
    Broken(&'static str),
}

impl Parse {
    /// A message of `whole` bytes is done with, of which `data` has the beginning or more.
    pub(crate) fn past(whole: usize, data: &[u8]) -> Self {
        match whole.checked_sub(data.len()) {
            None | Some(0) => Self::Parsed { used: whole },
            Some(beyond) => Self::SkipBytes {
                bytes: u64::try_from(beyond).unwrap_or(u64::MAX),
            },
        }
    }
}

/// Where a parser puts what it found.
#[derive(Debug)]
pub struct Out<'a> {
    /// The flow spoken about.
    pub flow: &'a FlowRef,
    /// Time of emission.
    pub ts: Timestamp,
    /// Whether files are followed.
    pub files: bool,
    /// Makes numbers of secrets.
    key: Seed,
    pub(crate) observations: &'a mut Observations,
}

impl<'a> Out<'a> {
    /// An outlet for one call.
    #[must_use]
    pub fn new(flow: &'a FlowRef, ts: Timestamp, observations: &'a mut Observations) -> Self {
        Self {
            flow,
            ts,
            files: true,
            key: Seed(0),
            observations,
        }
    }

    /// The same with what is told of the run.
    pub(crate) fn reading(self, reading: driver::Reading) -> Self {
        let driver::Reading { files, key } = reading;
        Self { files, key, ..self }
    }

    /// What stands for a secret.
    pub(crate) fn secret(&self, secret: &[u8]) -> Secret {
        Secret::Keyed(self.key.hasher().hash_one(secret))
    }

    /// Tells of a secret that was shown. `secret` is looked at here and nowhere else.
    pub(crate) fn credential(
        &mut self,
        (service, mechanism): (&'static str, &'static str),
        username: Option<Text>,
        secret: Option<&[u8]>,
    ) {
        let secret = secret.map_or(Secret::Unseen, |secret| self.secret(secret));
        self.record(
            self.ts,
            Credential {
                service,
                username,
                mechanism,
                secret,
            },
        );
    }

    /// Emits a record with the record's own time (Zeek: the request's).
    pub fn record<T: Fields + std::fmt::Debug + Send + 'static>(&mut self, ts: Timestamp, body: T) {
        self.emit(Body::Record(Record::new(ts, *self.flow, None, body)));
    }

    /// Emits evidence about a device.
    pub fn clue(&mut self, clue: Clue) {
        self.emit(Body::Clue(Box::new(clue)));
    }

    /// Emits an oddity: Zeek's `weird` record.
    pub fn weird(&mut self, name: &'static str, addl: Option<Text>, source: &'static str) {
        self.record(
            self.ts,
            Weird {
                name,
                addl,
                source: Some(source),
                notice: false,
            },
        );
    }

    fn emit(&mut self, body: Body) {
        self.observations.push(Observation {
            ts: self.ts,
            flow: *self.flow,
            body,
        });
    }
}

/// An application protocol. `Default` is a fresh parser for one flow.
pub trait Protocol: Default + std::fmt::Debug {
    /// Lower-case name: `service` in `conn`, metric label.
    const NAME: &'static str;
    /// Where to look first.
    const PORTS: &'static [Port];
    /// Over what else it is not even looked for.
    const OVER: Over = Over::Both;
    /// Judges the first bytes of one direction; `dir` is who sent them. What cannot be one of a stream's
    /// first bytes cannot become so by those that follow.
    fn probe(start: &[u8], dir: Dir) -> Probe;
    /// Takes the next piece of one direction.
    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse;
    /// The flow is over: emit what is still open.
    fn finish(&mut self, _out: &mut Out<'_>) {}
    /// Bytes of memory it points to.
    fn heap(&self) -> usize {
        0
    }
}

/// Writes the enum over all protocols, its dispatch and the schema of their records, once.
macro_rules! protocols {
    (
        protocols { $( $variant:ident in $module:ident ),* $(,)? }
        records { $( $record:path ),* $(,)? }
    ) => {
        $( pub mod $module; )*

        /// A parser of any protocol, for one flow.
        ///
        /// Each is held by a pointer: a flow takes the memory of its own protocol, not of the largest.
        #[derive(Debug)]
        pub enum Parser {
            $( #[doc = concat!("See [`", stringify!($module), "`].")] $variant(Box<$module::$variant>), )*
        }

        /// Names of a protocol without a parser's state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $( #[doc = concat!("See [`", stringify!($module), "`].")] $variant, )*
        }

        impl Kind {
            /// All protocols, in probing order.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// See [`Protocol::NAME`].
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => <$module::$variant as Protocol>::NAME, )* }
            }

            /// See [`Protocol::PORTS`].
            #[must_use]
            pub fn ports(self) -> &'static [Port] {
                match self { $( Self::$variant => <$module::$variant as Protocol>::PORTS, )* }
            }

            /// See [`Protocol::OVER`].
            #[must_use]
            pub fn over(self) -> Over {
                match self { $( Self::$variant => <$module::$variant as Protocol>::OVER, )* }
            }

            /// See [`Protocol::probe`].
            #[must_use]
            pub fn probe(self, start: &[u8], dir: Dir) -> Probe {
                match self { $( Self::$variant => <$module::$variant as Protocol>::probe(start, dir), )* }
            }

            /// A fresh parser.
            #[must_use]
            pub fn parser(self) -> Parser {
                match self { $( Self::$variant => Parser::$variant(Box::default()), )* }
            }
        }

        impl Parser {
            /// See [`Protocol::NAME`].
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $( Self::$variant(_) => <$module::$variant as Protocol>::NAME, )* }
            }

            /// See [`Protocol::parse`].
            pub fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
                match self { $( Self::$variant(parser) => parser.parse(input, out), )* }
            }

            /// Bytes of the largest parser.
            pub(crate) const BYTES_MAX: usize = {
                let mut most = 0;
                $( if size_of::<$module::$variant>() > most { most = size_of::<$module::$variant>(); } )*
                most
            };

            /// Bytes of the parser and of what it points to.
            pub(crate) fn allocated(&self) -> usize {
                let own = match self { $( Self::$variant(parser) => size_of_val(&**parser), )* };
                own.saturating_add(self.heap())
            }

            /// See [`Protocol::heap`].
            pub(crate) fn heap(&self) -> usize {
                match self { $( Self::$variant(parser) => Protocol::heap(&**parser), )* }
            }

            /// See [`Protocol::finish`].
            pub fn finish(&mut self, out: &mut Out<'_>) {
                match self { $( Self::$variant(parser) => parser.finish(out), )* }
            }
        }

        /// Kind and fields of every record, for the model language and the documentation.
        pub const SCHEMAS: &[(&str, &[FieldInfo])] = &[
            (<crate::flow::Conn as Fields>::KIND, <crate::flow::Conn as Fields>::FIELDS),
            (<Weird as Fields>::KIND, <Weird as Fields>::FIELDS),
            (<Credential as Fields>::KIND, <Credential as Fields>::FIELDS),
            $( (<$record as Fields>::KIND, <$record as Fields>::FIELDS), )*
        ];
    };
}

protocols! {
    protocols {
        Smb in smb,
        Ssh in ssh,
        Dns in dns,
        Dhcp in dhcp,
        Http in http,
        Tls in tls,
        Kerberos in kerberos,
        Ldap in ldap,
        Rdp in rdp,
        DceRpc in dcerpc,
        Quic in quic,
        Ftp in ftp,
        Smtp in smtp,
        Pop3 in pop3,
        Imap in imap,
        Snmp in snmp,
        Ntp in ntp,
        Syslog in syslog,
        Tftp in tftp,
        Sip in sip,
        Irc in irc,
        Telnet in telnet,
        Http2 in http2,
        Dtls in dtls,
        Stun in stun,
        Turn in turn,
        Wireguard in wireguard,
        Openvpn in openvpn,
        Ike in ike,
        Bittorrent in bittorrent,
        Mqtt in mqtt,
        Dnp3 in dnp3,
        Modbus in modbus,
        Radius in radius,
        Socks in socks,
        Nbdgm in nbdgm,
        S7comm in s7comm,
        Bacnet in bacnet,
        Enip in enip,
        Tds in tds,
        Mysql in mysql,
        Postgresql in postgresql,
        Redis in redis,
        Stratum in stratum,
        Tailscale in tailscale,
        Derp in derp,
        Rustdesk in rustdesk,
        Teamviewer in teamviewer,
        Dhcpv6 in dhcpv6,
        Ndp in ndp,
        Ssdp in ssdp,
        WsDiscovery in ws_discovery,
        Rfb in rfb,
        OncRpc in onc_rpc,
        Rtcp in rtcp,
        Rtp in rtp,
        FileCarrier in file_carrier,
    }
    records {
        smb::SmbFile,
        smb::SmbMapping,
        gss::Ntlm,
        ssh::SshRecord,
        dns::DnsRecord,
        dhcp::DhcpRecord,
        dhcpv6::Dhcpv6Record,
        http::HttpRecord,
        http::WebSocketRecord,
        files::FileRecord,
        tls::SslRecord,
        tls::X509Record,
        dcerpc::DceRpcRecord,
        quic::QuicRecord,
        ftp::FtpRecord,
        smtp::SmtpRecord,
        pop3::Pop3Record,
        imap::ImapRecord,
        snmp::SnmpRecord,
        ntp::NtpRecord,
        syslog::SyslogRecord,
        tftp::TftpRecord,
        sip::SipRecord,
        irc::IrcRecord,
        telnet::TelnetRecord,
        stun::StunRecord,
        turn::TurnRecord,
        mqtt::MqttRecord,
        dnp3::Dnp3Record,
        modbus::ModbusRecord,
        kerberos::KerberosRecord,
        ldap::LdapRecord,
        ldap::LdapSearchRecord,
        rdp::RdpRecord,
        radius::RadiusRecord,
        socks::SocksRecord,
        s7comm::S7commRecord,
        bacnet::BacnetRecord,
        enip::EnipRecord,
        enip::CipRecord,
        enip::CipIdentityRecord,
        tds::TdsRecord,
        mysql::MysqlRecord,
        postgresql::PostgresqlRecord,
        redis::RedisRecord,
        stratum::StratumRecord,
        ndp::NdpRecord,
        ssdp::SsdpRecord,
        ws_discovery::WsDiscoveryRecord,
        rfb::RfbRecord,
        onc_rpc::OncRpcRecord,
        link_discovery::LinkDiscoveryRecord,
    }
}
