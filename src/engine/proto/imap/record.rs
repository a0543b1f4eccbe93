//! The `imap` record.

use crate::record;
use crate::types::Text;

record! {
    /// One IMAP session.
    pub struct ImapRecord = "imap" {
        /// Account the client named.
        pub user: Option<Text> = "user",
        /// How it signed in: `LOGIN` or the mechanism of `AUTHENTICATE`; what that carries is not kept.
        pub auth: Option<Text> = "auth",
        /// Whether the server accepted it.
        pub success: Option<bool> = "success",
        /// Distinct commands in the order of their first use, without `UID`.
        pub commands: Option<Vec<Text>> = "commands",
        /// Mailboxes opened.
        pub mailboxes: Option<Vec<Text>> = "mailboxes",
        /// Names of attached files, of mails fetched or stored and of their structure.
        pub attachments: Option<Vec<Text>> = "attachments",
        /// Whether the session goes on in TLS.
        pub tls: bool = "tls",
    }
}
