//! What all dialects share: sign-ins, shares, open files and pipes of one flow.
//!
//! Bounds: 64 shares, 64 sessions; see [`Files`] and [`Pipes`] for theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::SmbMapping;
use super::files::{Attributes, FileId, Files, Opened, Share, Tree};
use super::pipes::Pipes;
use super::wire::{MORE_PROCESSING, SUCCESS, status_name};
use crate::proto::gss::{SignIn, Token, Verdict};
use crate::proto::{Dir, Out};
use crate::types::{Text, Timestamp, heap};

/// Shares connected.
const TREES_MAX: usize = 64;
/// Sessions on one connection: terminal servers have some.
const SESSIONS_MAX: usize = 64;

/// A share by its session and its number.
pub(super) type TreeKey = (u64, u32);

/// State of one flow.
#[derive(Debug, Default)]
pub(super) struct State {
    trees: BTreeMap<TreeKey, Tree>,
    sessions: BTreeMap<u64, Session>,
    pub(super) files: Files,
    pub(super) pipes: Pipes,
    full: bool,
}

heap!(State: trees, sessions, files, pipes);

#[derive(Debug, Default)]
struct Session {
    sign_in: SignIn,
    /// Whether it was said that we cannot read it.
    is_blind: bool,
}

heap!(Session: sign_in);

impl State {
    /// A step of a sign-in was answered, or never: what both sides said goes to their session.
    pub(super) fn signed_in(
        &mut self,
        id: u64,
        (asked, answered): (Option<Token>, Option<Token>),
        verdict: Option<u32>,
        (ts, client): (Timestamp, Dir),
        out: &mut Out<'_>,
    ) {
        if asked.is_none() && answered.is_none() {
            return;
        }
        let now = out.ts;
        let sign_in = &mut self.session(id, out).sign_in;
        if let Some(token) = asked {
            sign_in.take(token, (ts, client), out);
        }
        if let Some(token) = answered {
            sign_in.take(token, (now, client.other()), out);
        }
        let Some(status) = verdict else {
            return sign_in.finish(client, out);
        };
        if status != MORE_PROCESSING {
            let success = status == SUCCESS;
            let status = (!success).then(|| status_name(status));
            sign_in.settle(&Verdict { success, status }, client, out);
        }
    }

    /// The session is over.
    pub(super) fn signed_off(&mut self, id: u64) {
        self.sessions.remove(&id);
    }

    /// Says once a session that it cannot be read, and why.
    pub(super) fn blind(&mut self, id: u64, why: &'static str, out: &mut Out<'_>) {
        if !std::mem::replace(&mut self.session(id, out).is_blind, true) {
            out.weird(why, None, "smb");
        }
    }

    /// A share was asked for; `tree` is its key if it was granted.
    pub(super) fn connected(
        &mut self,
        session: u64,
        tree: Option<TreeKey>,
        (path, share): (Text, Share),
        (ts, status): (Timestamp, u32),
        out: &mut Out<'_>,
    ) {
        let mapping = SmbMapping {
            path: path.clone(),
            share_type: share.name(),
            user: self.user(session).map(|user| Text::from(&*user)),
            status: (status != SUCCESS).then(|| status_name(status)),
        };
        out.record(ts, mapping);
        let Some(key) = tree.filter(|_| status == SUCCESS) else {
            return;
        };
        if self.trees.len() >= TREES_MAX && !self.trees.contains_key(&key) {
            self.table_full(out);
            self.trees.pop_first();
        }
        let path = Some(path.as_str().into());
        self.trees.insert(key, Tree { path, share });
    }

    /// The share is let go.
    pub(super) fn disconnected(&mut self, tree: TreeKey) {
        self.trees.remove(&tree);
    }

    /// What the records about a file need to know of its opening.
    pub(super) fn opened(&self, session: u64, tree: TreeKey, name: Text, ts: Timestamp) -> Opened {
        Opened {
            ts,
            name,
            tree: self.trees.get(&tree).cloned().unwrap_or_default(),
            user: self.user(session),
        }
    }

    /// A file was opened.
    pub(super) fn open(
        &mut self,
        id: FileId,
        opened: Opened,
        attributes: &Attributes,
        delete: bool,
        out: &mut Out<'_>,
    ) {
        self.pipes.close(id, out);
        if opened.tree.share == Share::Pipe && self.pipes.open(id, &opened.name, out) {
            self.table_full(out);
        }
        if self.files.open(id, opened, attributes, delete, out) {
            self.table_full(out);
        }
    }

    /// A file was closed.
    pub(super) fn close(&mut self, id: Option<FileId>, out: &mut Out<'_>) {
        if let Some(id) = id {
            self.pipes.close(id, out);
        }
        self.files.close(id, out);
    }

    /// Tells what is still open.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        self.pipes.finish(out);
        self.files.finish(out);
    }

    /// Says once that a table was at its bound.
    pub(super) fn table_full(&mut self, out: &mut Out<'_>) {
        if !std::mem::replace(&mut self.full, true) {
            out.weird("smb_table_full", None, "smb");
        }
    }

    fn user(&self, session: u64) -> Option<Arc<str>> {
        self.sessions.get(&session)?.sign_in.user().cloned()
    }

    /// The session with this id; at the bound the one with the lowest id goes for it.
    fn session(&mut self, id: u64, out: &mut Out<'_>) -> &mut Session {
        if self.sessions.len() >= SESSIONS_MAX && !self.sessions.contains_key(&id) {
            self.table_full(out);
            self.sessions.pop_first();
        }
        self.sessions.entry(id).or_default()
    }
}
