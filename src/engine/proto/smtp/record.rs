//! The `smtp` record.

use std::net::IpAddr;

use crate::record;
use crate::types::Text;

record! {
    /// One mail, or a session without one (Zeek's `smtp.log`).
    pub struct SmtpRecord = "smtp" {
        /// Which record of the session this is, from 1.
        pub trans_depth: u64 = "trans_depth",
        /// What the client calls itself in `HELO` or `EHLO`.
        pub helo: Option<Text> = "helo",
        /// Sender on the envelope.
        pub mailfrom: Option<Text> = "mailfrom",
        /// Recipients on the envelope.
        pub rcptto: Option<Vec<Text>> = "rcptto",
        /// `Date` header.
        pub date: Option<Text> = "date",
        /// `From` header.
        pub from: Option<Text> = "from",
        /// `To` header.
        pub to: Option<Vec<Text>> = "to",
        /// `Cc` header.
        pub cc: Option<Vec<Text>> = "cc",
        /// `Reply-To` header.
        pub reply_to: Option<Text> = "reply_to",
        /// `Message-ID` header.
        pub msg_id: Option<Text> = "msg_id",
        /// `In-Reply-To` header.
        pub in_reply_to: Option<Text> = "in_reply_to",
        /// `Subject` header.
        pub subject: Option<Text> = "subject",
        /// `X-Originating-IP` header.
        pub x_originating_ip: Option<IpAddr> = "x_originating_ip",
        /// First `Received` header.
        pub first_received: Option<Text> = "first_received",
        /// Second `Received` header.
        pub second_received: Option<Text> = "second_received",
        /// Last reply of the server to this mail.
        pub last_reply: Option<Text> = "last_reply",
        /// Addresses the mail went through, the last first.
        pub path: Option<Vec<IpAddr>> = "path",
        /// `User-Agent` or `X-Mailer` header.
        pub user_agent: Option<Text> = "user_agent",
        /// Whether the session goes on in TLS.
        pub tls: bool = "tls",
        /// Identifiers in `files` of what was attached, as far as it was followed.
        pub fuids: Option<Vec<Text>> = "fuids",
        /// Account signed in, where the mechanism tells it.
        pub user: Option<Text> = "user",
        /// Mechanism of the sign-in; what it carries is not kept.
        pub auth: Option<Text> = "auth",
        /// Whether the server accepted it.
        pub auth_success: Option<bool> = "auth_success",
        /// Distinct commands since the last record, in the order of their first use.
        pub commands: Option<Vec<Text>> = "commands",
        /// Names of attached files.
        pub attachments: Option<Vec<Text>> = "attachments",
    }
}
