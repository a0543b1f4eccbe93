//! Names of results and extended operations.
//!
//! Standard: RFC 4511 §4.1.9 (results), RFC 3928, RFC 4370, RFC 4528, RFC 3909; spelt as Zeek spells them.

use compact_str::ToCompactString as _;

use crate::types::Text;

/// Name of a result, or its number.
pub(super) fn result(code: i64) -> Text {
    let name = match code {
        0 => "success",
        1 => "operations error",
        2 => "protocol error",
        3 => "time limit exceeded",
        4 => "size limit exceeded",
        5 => "compare false",
        6 => "compare true",
        7 => "auth method not supported",
        8 => "stronger auth required",
        9 => "partial results",
        10 => "referral",
        11 => "admin limit exceeded",
        12 => "unavailable critical extension",
        13 => "confidentiality required",
        14 => "SASL bind in progress",
        16 => "no such attribute",
        17 => "undefined attribute type",
        18 => "inappropriate matching",
        19 => "constraint violation",
        20 => "attribute or value exists",
        21 => "invalid attribute syntax",
        32 => "no such object",
        33 => "alias problem",
        34 => "invalid DN syntax",
        35 => "is leaf",
        36 => "alias dereferencing problem",
        48 => "inappropriate authentication",
        49 => "invalid credentials",
        50 => "insufficient access rights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwilling to perform",
        54 => "loop detect",
        60 => "sort control missing",
        61 => "offset range error",
        64 => "naming violation",
        65 => "object class violation",
        66 => "not allowed on non-leaf",
        67 => "not allowed on RDN",
        68 => "entry already exists",
        69 => "object class mods prohibited",
        70 => "results too large",
        71 => "affects multiple DSAs",
        76 => "control error",
        80 => "other",
        113 => "LCUP resources exhausted",
        118 => "canceled",
        119 => "no such operation",
        120 => "too late",
        121 => "cannot cancel",
        122 => "assertion failed",
        123 => "authorization denied",
        code => return code.to_compact_string(),
    };
    Text::const_new(name)
}

/// OID of StartTLS (RFC 4511 §4.14).
pub(super) const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// Name of an extended operation; else its OID.
pub(super) fn extended(oid: &[u8]) -> Text {
    let name = match oid {
        START_TLS => "StartTLS",
        b"1.3.6.1.4.1.4203.1.11.1" => "modify password",
        b"1.3.6.1.4.1.4203.1.11.3" => "whoami",
        b"1.3.6.1.1.8" => "cancel",
        b"1.3.6.1.1.21.1" => "start transaction",
        b"1.3.6.1.1.21.3" => "end transaction",
        b"1.3.6.1.4.1.1466.20036" => "notice of disconnection",
        b"1.2.840.113556.1.4.1781" => "fast bind",
        b"1.3.6.1.4.1.1466.101.119.1" => "dynamic refresh",
        oid => return crate::types::text(oid, 128),
    };
    Text::const_new(name)
}
