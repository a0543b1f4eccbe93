//! The `mysql` record.

use crate::record;
use crate::types::Text;

record! {
    /// One sign-in or command with the beginning of its answer (Zeek's `mysql.log`).
    pub struct MysqlRecord = "mysql" {
        /// The command; `login` for a sign-in, `greeting` where a server refuses a client unasked.
        pub cmd: &'static str = "cmd",
        /// Account of a sign-in.
        pub arg: Option<Text> = "arg",
        /// Version of the server.
        pub version: Option<Text> = "version",
        /// How the client signs in.
        pub auth_plugin: Option<Text> = "auth_plugin",
        /// Database it wants.
        pub database: Option<Text> = "database",
        /// Program of the client, as it names it.
        pub application: Option<Text> = "application",
        /// First word of a statement.
        pub verb: Option<&'static str> = "verb",
        /// Procedure called.
        pub procedure: Option<Text> = "procedure",
        /// Bytes behind the command.
        pub length: u64 = "length",
        /// Whether the server did it.
        pub success: Option<bool> = "success",
        /// Number of its error: 1045 is a sign-in refused, 1130 a machine.
        pub error_code: Option<u16> = "error_code",
    }
}
