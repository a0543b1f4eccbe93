//! The `ftp` record.

use std::net::IpAddr;

use crate::record;
use crate::types::Text;

record! {
    /// One command with its reply, or a reply nobody asked for (Zeek's `ftp.log`).
    pub struct FtpRecord = "ftp" {
        /// Account of the session, as `USER` named it.
        pub user: Option<Text> = "user",
        /// `<hidden>` once a password crossed; it is not kept.
        pub password: Option<&'static str> = "password",
        /// The command, in capitals; absent for the greeting and other replies nobody asked for.
        pub command: Option<Text> = "command",
        /// Its argument as sent; `<hidden>` where it is a secret.
        pub arg: Option<Text> = "arg",
        /// Size of the file in bytes, as the server says.
        pub file_size: Option<u64> = "file_size",
        /// Last reply's code.
        pub reply_code: Option<u16> = "reply_code",
        /// First line of its text.
        pub reply_msg: Option<Text> = "reply_msg",
        /// Whether the server waits for the data connection, which is told with the command that announces
        /// it and with the one that uses it.
        pub passive: Option<bool> = "data_channel.passive",
        /// Who is going to open the data connection.
        pub data_orig_h: Option<IpAddr> = "data_channel.orig_h",
        /// Who waits for it.
        pub data_resp_h: Option<IpAddr> = "data_channel.resp_h",
        /// And on which port.
        pub data_resp_p: Option<u16> = "data_channel.resp_p",
        /// Folder the server is in, where a file is named and the folder is known.
        pub cwd: Option<Text> = "cwd",
        /// Code of a preliminary (1xx) reply, as to a transfer that began.
        pub info_code: Option<u16> = "info_code",
    }
}

impl FtpRecord {
    /// Whether a data connection is announced, and not refused.
    pub(crate) fn announces(&self) -> bool {
        match self.command.as_deref() {
            Some("PORT" | "EPRT") => matches!(self.reply_code, Some(200..300)),
            _ => matches!(self.reply_code, Some(227 | 229)),
        }
    }

    /// Whether what was asked for crosses a data connection (RFC 959 §4.1.3, RFC 3659 §7).
    pub(crate) fn is_transfer(&self) -> bool {
        let command = self.command.as_deref().unwrap_or_default();
        ["RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD"].contains(&command)
    }
}
