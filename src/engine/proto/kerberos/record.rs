//! The `kerberos` record.

use crate::record;
use crate::types::{Text, Timestamp};

record! {
    /// One request with its reply (Zeek's `kerberos.log`); no ticket and no key is kept.
    pub struct KerberosRecord = "kerberos" {
        /// `AS` (sign-in), `TGS` (a ticket for a service), `AP` (its use, in Kerberos or a security token), or `TGT`
        /// (the server's own ticket, user to user).
        pub request_type: Option<&'static str> = "request_type",
        /// Client as `name/REALM`, the reply's form before the request's.
        pub client: Option<Text> = "client",
        /// Service, its parts joined by `/`, the reply's form before the request's.
        pub service: Option<Text> = "service",
        /// Whether a ticket was given, or with `AP` accepted; absent if no answer was seen.
        pub success: Option<bool> = "success",
        /// Error, by its name in RFC 4120.
        pub error_msg: Option<Text> = "error_msg",
        /// From when on the ticket was asked to be valid.
        pub from: Option<Timestamp> = "from",
        /// Until when it was asked to be valid; 1970 stands for as long as may be.
        pub till: Option<Timestamp> = "till",
        /// Encryption of the ticket given, or with `AP` shown.
        pub cipher: Option<Text> = "cipher",
        /// Whether a forwardable ticket was asked for.
        pub forwardable: Option<bool> = "forwardable",
        /// Whether a renewable ticket was asked for.
        pub renewable: Option<bool> = "renewable",
        /// Error, as a number.
        pub error_code: Option<i64> = "error_code",
        /// Encryptions the client offered, best first.
        pub ciphers_offered: Option<Vec<Text>> = "ciphers_offered",
        /// Encryptions the KDC has keys of the client for, as it tells before a sign-in.
        pub ciphers_known: Option<Vec<Text>> = "ciphers_known",
        /// Proof of identity in an `AS` request: `timestamp`, `challenge`, `certificate`, `armoured`; absent if none.
        pub preauth: Option<&'static str> = "preauth",
        /// Encryption of that proof, or of the authenticator beside a ticket.
        pub preauth_cipher: Option<Text> = "preauth_cipher",
        /// Encryption of the reply's part for the client.
        pub reply_cipher: Option<Text> = "reply_cipher",
        /// Service of the ticket a `TGS` request rests on, or that the server shows with `TGT`.
        pub tgt_service: Option<Text> = "tgt_service",
        /// Encryption of that ticket.
        pub tgt_cipher: Option<Text> = "tgt_cipher",
        /// Client of the request, where the reply's differs.
        pub asked_client: Option<Text> = "asked_client",
        /// Service of the request, where the reply's differs.
        pub asked_service: Option<Text> = "asked_service",
        /// Whom a service asks a ticket for (S4U2Self), as `name/REALM`.
        pub for_user: Option<Text> = "for_user",
        /// With `AP`: whether the server proved itself too.
        pub mutual: Option<bool> = "mutual",
    }
}
