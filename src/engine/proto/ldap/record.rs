//! The `ldap` and `ldap_search` records.

use crate::record;
use crate::types::Text;

record! {
    /// One operation that is no search, with its result (Zeek's `ldap.log`); no password is kept.
    pub struct LdapRecord = "ldap" {
        /// Number that joins request and response.
        pub message_id: Option<i64> = "message_id",
        /// Version of LDAP a bind asks for.
        pub version: Option<i64> = "version",
        /// Operation, such as `bind simple`, `bind SASL`, `modify`, `extended`; `sealed` where a security layer hides the rest.
        pub opcode: Option<&'static str> = "opcode",
        /// Result, such as `success` or `invalid credentials`; absent if no answer was seen.
        pub result: Option<Text> = "result",
        /// What the server adds to it.
        pub diagnostic_message: Option<Text> = "diagnostic_message",
        /// Entry or account it is about; of an extended operation its name.
        pub object: Option<Text> = "object",
        /// SASL mechanism; attributes changed; new name; `REDACTED` for a password.
        pub argument: Option<Text> = "argument",
    }
}

record! {
    /// One search with its result (Zeek's `ldap_search.log`).
    pub struct LdapSearchRecord = "ldap_search" {
        /// Number that joins request and responses.
        pub message_id: Option<i64> = "message_id",
        /// `base`, `single` or `tree`; absent if the request was not seen.
        pub scope: Option<&'static str> = "scope",
        /// When aliases are followed: `never`, `searching`, `finding`, `always`.
        pub deref_aliases: Option<&'static str> = "deref_aliases",
        /// Where the search begins; empty for the server's own entry.
        pub base_object: Option<Text> = "base_object",
        /// Entries that came back.
        pub result_count: u64 = "result_count",
        /// Result, such as `success` or `size limit exceeded`; absent if none was seen.
        pub result: Option<Text> = "result",
        /// What the server adds to it.
        pub diagnostic_message: Option<Text> = "diagnostic_message",
        /// Filter in the form of RFC 4515.
        pub filter: Option<Text> = "filter",
        /// Attributes asked for.
        pub attributes: Option<Vec<Text>> = "attributes",
        /// Referrals to other servers that came back.
        pub referral_count: Option<u64> = "referral_count",
    }
}
