//! A record's body as what the analysis looks into, told by one look at its type.

use std::any::{Any, TypeId};

use crate::flow::Conn;
use crate::proto::Weird;
use crate::proto::dns::DnsRecord;
use crate::proto::ftp::FtpRecord;
use crate::proto::http::HttpRecord;
use crate::proto::imap::ImapRecord;
use crate::proto::pop3::Pop3Record;
use crate::proto::smb::{SmbFile, SmbMapping};
use crate::proto::smtp::SmtpRecord;
use crate::proto::syslog::SyslogRecord;
use crate::proto::telnet::TelnetRecord;
use crate::proto::tls::{SslRecord, X509Record};
use crate::types::RecordBody;

/// Makes the enum and the look from one list: each kind is asked for by comparing numbers, as every
/// `downcast_ref` would be another call through the body's table.
macro_rules! looks {
    ($($name:ident: $body:ty),* $(,)?) => {
        /// See the module.
        #[derive(Clone, Copy, Debug)]
        #[expect(dead_code, reason = "of a file the kind says all there is to learn")]
        pub(super) enum Look<'a> {
            $($name(&'a $body),)*
            /// Nothing that the analysis reads.
            Other,
        }

        impl<'a> Look<'a> {
            /// What `body` is.
            pub(super) fn at(body: &'a dyn RecordBody) -> Self {
                let body: &dyn Any = body;
                let kind = body.type_id();
                $(if kind == TypeId::of::<$body>() {
                    return body.downcast_ref().map_or(Self::Other, Self::$name);
                })*
                Self::Other
            }
        }
    };
}

looks! {
    Conn: Conn,
    Dns: DnsRecord,
    Ftp: FtpRecord,
    Http: HttpRecord,
    Ssl: SslRecord,
    X509: X509Record,
    Weird: Weird,
    SmbFile: SmbFile,
    SmbMapping: SmbMapping,
    Pop3: Pop3Record,
    Imap: ImapRecord,
    Smtp: SmtpRecord,
    Telnet: TelnetRecord,
    Syslog: SyslogRecord,
}
