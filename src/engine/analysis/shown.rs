//! What records show of the devices at their ends: what they do for others, ask for, and who is signed in.

use std::any::Any;

use super::Analysis;
use super::flow::Ends;
use crate::device::Duty;
use crate::flow::Conn;
use crate::proto::dns::DnsRecord;
use crate::proto::ftp::FtpRecord;
use crate::proto::http::HttpRecord;
use crate::proto::imap::ImapRecord;
use crate::proto::pop3::Pop3Record;
use crate::proto::smb::SmbMapping;
use crate::proto::smtp::SmtpRecord;
use crate::proto::syslog::{SyslogRecord, is_event};
use crate::proto::telnet::TelnetRecord;
use crate::types::{FlowRef, RecordBody, Timestamp};

impl Analysis {
    /// Notes what a record shows.
    pub(super) fn shows(
        &mut self,
        ts: Timestamp,
        body: &dyn RecordBody,
        flow: &FlowRef,
        ends: &Ends,
    ) {
        let (orig, resp) = (flow.orig.bits(), flow.resp.bits());
        if ends.resp.is_some()
            && let Some(duty) = duty(body, flow)
        {
            self.devices.did(ts, resp, duty, orig);
        }
        if ends.orig.is_none() {
            return;
        }
        let any: &dyn Any = body;
        if let Some(dns) = any.downcast_ref::<DnsRecord>() {
            let name = dns.query.as_deref().unwrap_or_default();
            self.devices.asked(ts, orig, name);
        } else if let Some(user) = user(any) {
            self.devices.used(ts, orig, user, body.kind());
        }
    }
}

/// What the responder does for the originator.
fn duty(body: &dyn RecordBody, flow: &FlowRef) -> Option<Duty> {
    let any: &dyn Any = body;
    if let Some(conn) = any.downcast_ref::<Conn>() {
        let spoke = |bytes: Option<u64>| bytes.is_some_and(|bytes| bytes > 0);
        let ended = matches!(conn.conn_state, "SF" | "S1" | "S2" | "S3");
        let answered = spoke(conn.orig_bytes) && (spoke(conn.resp_bytes) || ended);
        Duty::of(conn.service, flow, answered)
    } else if let Some(http) = any.downcast_ref::<HttpRecord>() {
        let connected = http.method.as_deref() == Some("CONNECT");
        let done = http.status_code.is_some_and(|code| code / 100 == 2);
        (connected && done).then_some(Duty::Proxy)
    } else if let Some(syslog) = any.downcast_ref::<SyslogRecord>() {
        is_event(&syslog.message).then_some(Duty::Events)
    } else if let Some(share) = any.downcast_ref::<SmbMapping>() {
        let name = share.path.rsplit('\\').next().unwrap_or_default();
        let own = |known: &str| name.eq_ignore_ascii_case(known);
        let own = name.ends_with('$') || own("sysvol") || own("netlogon");
        (share.status.is_none() && !own).then_some(Duty::Share)
    } else {
        None
    }
}

/// Who was let in.
fn user(any: &dyn Any) -> Option<&str> {
    let (user, success) = if let Some(pop3) = any.downcast_ref::<Pop3Record>() {
        (&pop3.user, pop3.success)
    } else if let Some(imap) = any.downcast_ref::<ImapRecord>() {
        (&imap.user, imap.success)
    } else if let Some(smtp) = any.downcast_ref::<SmtpRecord>() {
        (&smtp.user, smtp.auth_success)
    } else if let Some(telnet) = any.downcast_ref::<TelnetRecord>() {
        (&telnet.user, telnet.success)
    } else {
        let ftp = any.downcast_ref::<FtpRecord>()?;
        let anonymous = |user: &str| ["anonymous", "ftp", "<unknown>"].contains(&user);
        let named = ftp.user.as_deref().is_some_and(|user| !anonymous(user));
        (&ftp.user, Some(named && ftp.reply_code == Some(230)))
    };
    user.as_deref().filter(|_| success == Some(true))
}
