//! The `postgresql` record.

use crate::record;
use crate::types::Text;

record! {
    /// One sign-in or query with its end (Zeek's `postgresql.log`).
    pub struct PostgresqlRecord = "postgresql" {
        /// Account of a sign-in.
        pub user: Option<Text> = "user",
        /// Database it wants.
        pub database: Option<Text> = "database",
        /// Program of the client, as it names it.
        pub application_name: Option<Text> = "application_name",
        /// What the client sends.
        pub frontend: &'static str = "frontend",
        /// How the server wants it to sign in; absent if it trusts.
        pub auth: Option<&'static str> = "auth",
        /// Whether an answer to that crossed; it is not kept.
        pub password: bool = "password",
        /// First word of a query.
        pub verb: Option<&'static str> = "verb",
        /// Procedure called.
        pub procedure: Option<Text> = "procedure",
        /// Bytes of the query's message.
        pub length: Option<u64> = "length",
        /// Whether the server did it; of a request to encrypt, whether it will.
        pub success: Option<bool> = "success",
        /// What the server answers.
        pub backend: Option<&'static str> = "backend",
        /// Code of its error (SQLSTATE): `28P01` is a wrong password.
        pub error_code: Option<Text> = "error_code",
        /// Rows it sent or changed.
        pub rows: Option<u64> = "rows",
    }
}
