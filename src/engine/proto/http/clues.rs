//! What the heads of HTTP say of the software at both ends.

use super::super::lines::tell_software;
use super::{Dir, Http, Out};
use crate::types::Text;

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
        let agent = agent.unwrap_or_default().into();
        tell_software(dir, "http user-agent", agent, out);
    }

    /// Tells what the server runs, once.
    pub(super) fn told_server(&mut self, dir: Dir, server: Option<Text>, out: &mut Out<'_>) {
        if let Some(server) = server.filter(|_| !self.server_told) {
            self.server_told = true;
            tell_software(dir, "http server header", server, out);
        }
    }
}
