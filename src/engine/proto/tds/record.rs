//! The `tds` record.

use crate::record;
use crate::types::Text;

record! {
    /// One message of a client with the server's answer (`tds.log` of `zeek-plugin-tds`, and more).
    pub struct TdsRecord = "tds" {
        /// Kind of message.
        pub command: &'static str = "command",
        /// Bytes of the message without the headers of its packets.
        pub length: u64 = "length",
        /// Version of the server, as it says before and after the sign-in.
        pub version: Option<Text> = "version",
        /// Encryption as the server has it: `off` (of the sign-in alone), `on`, `not supported`, `required`.
        pub encryption: Option<&'static str> = "encryption",
        /// Instance the client asks for.
        pub instance: Option<Text> = "instance",
        /// Version of the protocol the client speaks.
        pub tds_version: Option<Text> = "tds_version",
        /// Account of the server; of an integrated sign-in see `ntlm` and `kerberos`.
        pub user: Option<Text> = "user",
        /// Whether a password crossed; it is not kept.
        pub password: bool = "password",
        /// How the client signs in: `sql` or `integrated`.
        pub auth: Option<&'static str> = "auth",
        /// What the client's machine calls itself.
        pub client_host: Option<Text> = "client_host",
        /// Program of the client.
        pub application: Option<Text> = "application",
        /// Its library.
        pub library: Option<Text> = "library",
        /// What it calls the server.
        pub server_name: Option<Text> = "server_name",
        /// Database it wants.
        pub database: Option<Text> = "database",
        /// First word of a statement.
        pub verb: Option<&'static str> = "verb",
        /// Procedure called.
        pub procedure: Option<Text> = "procedure",
        /// Whether the server did it.
        pub success: Option<bool> = "success",
        /// Number of the server's error: 18456 is a sign-in refused.
        pub error_number: Option<u32> = "error_number",
    }
}
