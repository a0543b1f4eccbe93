//! The `dns` record.

use crate::record;
use crate::types::{Interval, Text};

record! {
    /// One DNS transaction: a question and what was answered (Zeek's `dns.log`).
    pub struct DnsRecord = "dns" {
        /// Transport protocol: `udp` or `tcp`.
        pub proto: &'static str = "proto",
        /// Identifier the asker chose; 0 in mDNS.
        pub trans_id: u16 = "trans_id",
        /// From query to response; absent if either was not seen.
        pub rtt: Option<Interval> = "rtt",
        /// The name asked for, case as on the wire; `.` is the root. An mDNS announcement has its first answer's.
        pub query: Option<Text> = "query",
        /// Class asked for; in mDNS without its top bit.
        pub qclass: Option<u16> = "qclass",
        /// Name of the class.
        pub qclass_name: Option<&'static str> = "qclass_name",
        /// Type asked for.
        pub qtype: Option<u16> = "qtype",
        /// Name of the type; absent if it has none.
        pub qtype_name: Option<&'static str> = "qtype_name",
        /// Service behind a NetBIOS name: its sixteenth byte, 0x20 a file server.
        pub nb_suffix: Option<u8> = "nb_suffix",
        /// Operation; 0 is a query, 5 a dynamic update.
        pub opcode: u16 = "opcode",
        /// Name of the operation.
        pub opcode_name: Option<&'static str> = "opcode_name",
        /// Response code; absent without a response.
        pub rcode: Option<u16> = "rcode",
        /// Name of the response code.
        pub rcode_name: Option<&'static str> = "rcode_name",
        /// Whether the server is an authority for the name.
        pub aa: bool = "AA",
        /// Whether the message was cut short.
        pub tc: bool = "TC",
        /// Whether recursion was asked for.
        pub rd: bool = "RD",
        /// Whether the server offers recursion.
        pub ra: bool = "RA",
        /// The three bits between RA and the response code.
        pub z: u8 = "Z",
        /// What was answered, one text for each record of the answer section.
        pub answers: Option<Vec<Text>> = "answers",
        /// How long each answer may be kept.
        pub ttls: Option<Vec<Interval>> = "TTLs",
        /// Whether the response held nothing but the question.
        pub rejected: bool = "rejected",
    }
}
