//! What a mail or a session came to.

use std::net::IpAddr;

use super::{Smtp, SmtpRecord};
use crate::proto::lines::tell_software;
use crate::proto::{Dir, Out};
use crate::types::Text;

impl Smtp {
    /// Writes what the mail or the session came to, and begins anew.
    pub(super) fn emit(&mut self, out: &mut Out<'_>) {
        let fresh = SmtpRecord {
            helo: self.record.helo.clone(),
            user: self.record.user.clone(),
            auth: self.record.auth.clone(),
            auth_success: self.record.auth_success,
            ..SmtpRecord::default()
        };
        let mut record = std::mem::replace(&mut self.record, fresh);
        let mut mail = std::mem::take(&mut self.mail);
        mail.end();
        self.parts.over(false, out);
        let fuids = self.parts.fuids();
        self.settled = false;
        let Some(ts) = self.started.take() else {
            return;
        };
        self.depth = self.depth.saturating_add(1);
        record.trans_depth = self.depth;
        let (client, server) = match self.client {
            Some(Dir::Resp) => (out.flow.resp, out.flow.orig),
            _ => (out.flow.orig, out.flow.resp),
        };
        if record.mailfrom.is_some() || record.rcptto.is_some() {
            let ends: [IpAddr; 2] = [server.ip(), client.ip()];
            record.path = Some(ends.into_iter().chain(mail.path).collect());
        }
        if let Some(agent) = mail.user_agent.clone().filter(|_| !self.agent_told) {
            self.agent_told = true;
            let dir = self.client.unwrap_or(Dir::Orig);
            // A relay passes on what others wrote: only who sent the mail first says it of himself.
            if mail.first_received.is_none() {
                tell_software(dir, "mail user-agent", agent, out);
            }
        }
        let list = |list: Vec<Text>| Some(list).filter(|list| !list.is_empty());
        record.date = mail.date;
        record.from = mail.from;
        record.to = list(mail.to);
        record.cc = list(mail.cc);
        record.reply_to = mail.reply_to;
        record.msg_id = mail.msg_id;
        record.in_reply_to = mail.in_reply_to;
        record.subject = mail.subject;
        record.x_originating_ip = mail.x_originating_ip;
        record.first_received = mail.first_received;
        record.second_received = mail.second_received;
        record.user_agent = mail.user_agent;
        record.attachments = list(mail.attachments);
        record.fuids = list(fuids);
        out.record(ts, record);
    }
}
