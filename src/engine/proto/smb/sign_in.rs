//! Sign-ins by NTLM: the record, and what both machines say of themselves.

use super::Ntlm;
use super::ntlmssp::{self, Authenticate, Challenge, Message};
use crate::proto::{Dir, Out};
use crate::types::{Clue, ClueKind, Text, Timestamp};

/// A sign-in whose verdict shows only in what follows, as in the trailers of DCE/RPC.
#[derive(Debug, Default)]
pub(in crate::proto) struct SignIn {
    server: Option<Box<Challenge>>,
    open: Option<Box<Open>>,
}

#[derive(Debug)]
struct Open {
    ts: Timestamp,
    client: Dir,
    said: Authenticate,
}

impl SignIn {
    /// A security token, from `sender`.
    pub(in crate::proto) fn token(
        &mut self,
        token: &[u8],
        sender: Dir,
        ts: Timestamp,
        out: &mut Out<'_>,
    ) {
        match ntlmssp::find(token) {
            Some(Message::Challenge(challenge)) => {
                challenged(&challenge, sender, out);
                self.server = Some(Box::new(challenge));
            }
            Some(Message::Authenticate(said)) => {
                self.finish(out);
                self.open = Some(Box::new(Open {
                    ts,
                    client: sender,
                    said,
                }));
            }
            None => {}
        }
    }

    /// What follows shows whether `server` accepted it.
    pub(in crate::proto) fn judged(&mut self, success: bool, server: Dir, out: &mut Out<'_>) {
        if self.open.as_ref().is_some_and(|open| open.client != server) {
            self.tell(Some((success, None)), out);
        }
    }

    /// Nothing followed.
    pub(in crate::proto) fn finish(&mut self, out: &mut Out<'_>) {
        self.tell(None, out);
    }

    fn tell(&mut self, verdict: Option<Verdict>, out: &mut Out<'_>) {
        if let Some(open) = self.open.take() {
            let at = (open.ts, open.client);
            concluded(open.said, self.server.as_deref(), verdict, at, out);
        }
    }
}

/// Whether a sign-in was accepted, and the status of a refusal if there is one.
pub(super) type Verdict = (bool, Option<Text>);

/// Emits what the server says of itself.
pub(super) fn challenged(challenge: &Challenge, server: Dir, out: &mut Out<'_>) {
    let (name, dns_name) = (challenge.nb_name.as_ref(), challenge.dns_name.as_ref());
    tell(server, ClueKind::HostName, "ntlm", name, out);
    tell(server, ClueKind::HostName, "ntlm dns name", dns_name, out);
    let system = challenge.system.as_ref();
    tell(server, ClueKind::Software, "ntlm version", system, out);
}

/// Emits the sign-in, begun at a time by one side, and what that side says of itself.
pub(super) fn concluded(
    said: Authenticate,
    server: Option<&Challenge>,
    verdict: Option<Verdict>,
    (ts, client): (Timestamp, Dir),
    out: &mut Out<'_>,
) {
    let (name, system) = (said.workstation.as_ref(), said.system.as_ref());
    tell(client, ClueKind::HostName, "ntlm", name, out);
    tell(client, ClueKind::Software, "ntlm version", system, out);
    let told = server.cloned().unwrap_or_default();
    let (success, status) = verdict.map_or((None, None), |(ok, status)| (Some(ok), status));
    let record = Ntlm {
        username: said.user,
        hostname: said.workstation,
        domainname: said.domain,
        server_nb_computer_name: told.nb_name,
        server_dns_computer_name: told.dns_name,
        server_tree_name: told.tree_name,
        success,
        status,
    };
    out.record(ts, record);
}

/// Emits evidence about one side.
pub(super) fn tell(
    side: Dir,
    kind: ClueKind,
    evidence: &'static str,
    value: Option<&Text>,
    out: &mut Out<'_>,
) {
    let Some(value) = value.cloned() else { return };
    let end = match side {
        Dir::Orig => out.flow.orig,
        Dir::Resp => out.flow.resp,
    };
    out.clue(Clue {
        mac: None,
        ip: Some(end.ip()),
        kind,
        evidence,
        value,
    });
}
