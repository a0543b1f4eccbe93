//! What records show of the devices at their ends: what they do for others, ask for, and who is signed in.

use super::Analysis;
use super::flow::Ends;
use super::look::Look;
use crate::device::Duty;
use crate::proto::syslog::is_event;
use crate::types::{FlowRef, RecordBody, Timestamp};

impl Analysis {
    /// Notes what a record shows.
    pub(super) fn shows(
        &mut self,
        ts: Timestamp,
        (look, body): (Look<'_>, &dyn RecordBody),
        flow: &FlowRef,
        ends: &Ends,
    ) {
        let (orig, resp) = (flow.orig.bits(), flow.resp.bits());
        if ends.resp.is_some()
            && let Some(duty) = duty(look, flow)
        {
            self.devices.did(ts, resp, duty, orig);
        }
        if ends.orig.is_none() {
            return;
        }
        if let Look::Dns(dns) = look {
            let name = dns.query.as_deref().unwrap_or_default();
            self.devices.asked(ts, orig, name);
        } else if let Some(user) = user(look) {
            self.devices.used(ts, orig, user, body.kind());
        }
    }
}

/// What the responder does for the originator.
fn duty(look: Look<'_>, flow: &FlowRef) -> Option<Duty> {
    match look {
        Look::Conn(conn) => {
            let spoke = |bytes: Option<u64>| bytes.is_some_and(|bytes| bytes > 0);
            let ended = matches!(conn.conn_state, "SF" | "S1" | "S2" | "S3");
            let answered = spoke(conn.orig_bytes) && (spoke(conn.resp_bytes) || ended);
            Duty::of(conn.service, flow, answered)
        }
        Look::Http(http) => {
            let connected = http.method.as_deref() == Some("CONNECT");
            let done = http.status_code.is_some_and(|code| code / 100 == 2);
            (connected && done).then_some(Duty::Proxy)
        }
        Look::Syslog(syslog) => is_event(&syslog.message).then_some(Duty::Events),
        Look::SmbMapping(share) => {
            let name = share.path.rsplit('\\').next().unwrap_or_default();
            let own = |known: &str| name.eq_ignore_ascii_case(known);
            let own = name.ends_with('$') || own("sysvol") || own("netlogon");
            (share.status.is_none() && !own).then_some(Duty::Share)
        }
        _ => None,
    }
}

/// Who was let in.
fn user(look: Look<'_>) -> Option<&str> {
    let (user, success) = match look {
        Look::Pop3(pop3) => (&pop3.user, pop3.success),
        Look::Imap(imap) => (&imap.user, imap.success),
        Look::Smtp(smtp) => (&smtp.user, smtp.auth_success),
        Look::Telnet(telnet) => (&telnet.user, telnet.success),
        Look::Ftp(ftp) => {
            let anonymous = |user: &str| ["anonymous", "ftp", "<unknown>"].contains(&user);
            let named = ftp.user.as_deref().is_some_and(|user| !anonymous(user));
            (&ftp.user, Some(named && ftp.reply_code == Some(230)))
        }
        _ => return None,
    };
    user.as_deref().filter(|_| success == Some(true))
}
