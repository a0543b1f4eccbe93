//! What the heads of HTTP say of the software at both ends.

use super::{Dir, Http, Out};
use crate::types::{Clue, ClueKind, Text};

/// User agents told of one flow: a proxy's flow carries many.
const AGENTS_MAX: u8 = 8;

impl Http {
    /// Tells what the client runs, once for each user agent in a row.
    pub(super) fn told_agent(&mut self, dir: Dir, agent: Option<&str>, out: &mut Out<'_>) {
        if agent.is_none() || agent == self.agent.as_deref() || self.agents >= AGENTS_MAX {
            return;
        }
        self.agents = self.agents.saturating_add(1);
        self.agent = agent.map(Text::from);
        software(
            dir,
            "http user-agent",
            agent.unwrap_or_default().into(),
            out,
        );
    }

    /// Tells what the server runs, once.
    pub(super) fn told_server(
        &mut self,
        dir: Dir,
        evidence: &'static str,
        server: Option<Text>,
        out: &mut Out<'_>,
    ) {
        if let Some(server) = server.filter(|_| !self.server_told) {
            self.server_told = true;
            software(dir, evidence, server, out);
        }
    }
}

fn software(dir: Dir, evidence: &'static str, value: Text, out: &mut Out<'_>) {
    let side = match dir {
        Dir::Orig => out.flow.orig,
        Dir::Resp => out.flow.resp,
    };
    let (ip, kind) = (Some(side.ip()), ClueKind::Software);
    out.clue(Clue {
        mac: None,
        ip,
        kind,
        evidence,
        value,
    });
}
