//! Numbers of TLS by the names Zeek writes.
//!
//! Source: IANA "Transport Layer Security (TLS) Parameters"; RFC 8446 §6 and §4.2.7.

use compact_str::format_compact;
use tls_parser::TlsCipherSuite;

use crate::types::Text;

/// `TLSv12` and the like.
pub(super) fn version(version: u16) -> Text {
    let name = match version {
        0x0002 => "SSLv2",
        0x0300 => "SSLv3",
        0xfeff | 0x0100 => "DTLSv10",
        0xfefd => "DTLSv12",
        0xfefc => "DTLSv13",
        0x0301 => "TLSv10",
        0x0302 => "TLSv11",
        0x0303 => "TLSv12",
        0x0304 => "TLSv13",
        0x7f00..=0x7fff => return format_compact!("TLSv13-draft{}", version & 0xff),
        _ => return format_compact!("unknown-{version}"),
    };
    Text::const_new(name)
}

/// IANA's name of a cipher suite.
pub(super) fn cipher(id: u16) -> Text {
    TlsCipherSuite::from_id(id).map_or_else(
        || format_compact!("unknown-{id}"),
        |suite| Text::const_new(suite.name),
    )
}

/// Whether the server's key exchange message of this suite begins with a named curve.
pub(super) fn is_ecdhe(id: u16) -> bool {
    TlsCipherSuite::from_id(id).is_some_and(|suite| suite.name.starts_with("TLS_ECDH"))
}

/// Name of a group for key agreement.
pub(super) fn group(id: u16) -> Text {
    let name = match id {
        19 => "secp192r1",
        20 => "secp224k1",
        21 => "secp224r1",
        22 => "secp256k1",
        23 => "secp256r1",
        24 => "secp384r1",
        25 => "secp521r1",
        26 => "brainpoolP256r1",
        27 => "brainpoolP384r1",
        28 => "brainpoolP512r1",
        29 => "x25519",
        30 => "x448",
        31 => "brainpoolP256r1tls13",
        32 => "brainpoolP384r1tls13",
        33 => "brainpoolP512r1tls13",
        41 => "curveSM2",
        256 => "ffdhe2048",
        257 => "ffdhe3072",
        258 => "ffdhe4096",
        259 => "ffdhe6144",
        260 => "ffdhe8192",
        0x11eb => "SecP256r1MLKEM768",
        0x11ec => "X25519MLKEM768",
        0x11ed => "SecP384r1MLKEM1024",
        0x6399 => "X25519Kyber768Draft00",
        _ => return format_compact!("unknown-{id}"),
    };
    Text::const_new(name)
}

/// Description of an alert.
pub(super) fn alert(id: u8) -> Text {
    let name = match id {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => return format_compact!("unknown-{id}"),
    };
    Text::const_new(name)
}

/// Letter of a handshake message in `ssl_history`; the client's are written in capitals.
pub(super) fn history(handshake: u8) -> char {
    match handshake {
        0 => 'h',
        1 => 'c',
        2 => 's',
        3 => 'v',
        4 => 't',
        5 => 'e',
        6 => 'j',
        8 => 'o',
        11 => 'x',
        12 => 'k',
        13 => 'r',
        14 => 'n',
        15 => 'y',
        16 => 'g',
        20 => 'f',
        21 => 'w',
        22 => 'u',
        23 => 'a',
        24 => 'p',
        254 => 'm',
        _ => 'z',
    }
}
