//! Names for DNS numbers, spelled as Zeek spells them.
//!
//! Standard: IANA "Domain Name System (DNS) Parameters"; RFC 1002 §4.2.1.3 for NB and NBSTAT.

/// Name of a query type.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn qtype(value: u16) -> Option<&'static str> {
    Some(match value {
        1 => "A",
        2 => "NS",
        3 => "MD",
        4 => "MF",
        5 => "CNAME",
        6 => "SOA",
        7 => "MB",
        8 => "MG",
        9 => "MR",
        10 => "NULL",
        11 => "WKS",
        12 => "PTR",
        13 => "HINFO",
        14 => "MINFO",
        15 => "MX",
        16 => "TXT",
        17 => "RP",
        18 => "AFSDB",
        19 => "X25",
        20 => "ISDN",
        21 => "RT",
        22 => "NSAP",
        23 => "NSAP-PTR",
        24 => "SIG",
        25 => "KEY",
        26 => "PX",
        27 => "GPOS",
        28 => "AAAA",
        29 => "LOC",
        30 => "NXT",
        31 => "EID",
        32 => "NB",
        33 => "SRV",
        34 => "ATMA",
        35 => "NAPTR",
        36 => "KX",
        37 => "CERT",
        38 => "A6",
        39 => "DNAME",
        40 => "SINK",
        41 => "EDNS",
        42 => "APL",
        43 => "DS",
        44 => "SSHFP",
        45 => "IPSECKEY",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        49 => "DHCID",
        50 => "NSEC3",
        51 => "NSEC3PARAM",
        52 => "TLSA",
        53 => "SMIMEA",
        55 => "HIP",
        59 => "CDS",
        60 => "CDNSKEY",
        61 => "OPENPGPKEY",
        62 => "CSYNC",
        63 => "ZONEMD",
        64 => "SVCB",
        65 => "HTTPS",
        99 => "SPF",
        108 => "EUI48",
        109 => "EUI64",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        253 => "MAILB",
        254 => "MAILA",
        255 => "*",
        256 => "URI",
        257 => "CAA",
        32768 => "TA",
        32769 => "DLV",
        65281 => "WINS",
        65282 => "WINS-R",
        _ => return None,
    })
}

/// Name of a query type on the NetBIOS name port, where 33 is not SRV.
pub(super) fn netbios_qtype(value: u16) -> Option<&'static str> {
    if value == 33 {
        Some("NBSTAT")
    } else {
        qtype(value)
    }
}

/// Name of a query class.
pub(super) fn qclass(value: u16) -> Option<&'static str> {
    Some(match value {
        0 => "C_RESERVED",
        1 => "C_INTERNET",
        2 => "C_CSNET",
        3 => "C_CHAOS",
        4 => "C_HESOD",
        254 => "C_NONE",
        255 => "C_ANY",
        _ => return None,
    })
}

/// Name of a response code.
pub(super) fn rcode(value: u16) -> Option<&'static str> {
    Some(match value {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        16 => "BADVERS",
        _ => return None,
    })
}

/// Name of an operation.
pub(super) fn opcode(value: u16) -> Option<&'static str> {
    Some(match value {
        0 => "query",
        1 => "iquery",
        2 => "server-status",
        4 => "notify",
        5 => "dynamic-update",
        6 => "stateful-operations",
        _ => return None,
    })
}

/// Name of an operation on the NetBIOS name port (RFC 1002 §4.2.1.1).
pub(super) fn netbios_opcode(value: u16) -> Option<&'static str> {
    Some(match value {
        0 => "netbios-query",
        5 => "netbios-registration",
        6 => "netbios-release",
        7 => "netbios-wack",
        8 | 9 => "netbios-refresh",
        15 => "netbios-multi-home-registration",
        _ => return None,
    })
}
