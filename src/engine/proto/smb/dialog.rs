//! Requests, and what their answers make of them: sign-ins, shares, and through [`Files`] the files.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::SmbMapping;
use super::files::{FileId, Files, Opened, Share, Tree};
use super::header::{
    CLOSE, CREATE, Header, LOGOFF, READ, SESSION_SETUP, SET_INFO, TREE_DISCONNECT, WRITE,
};
use super::request::{Asked, Target, asked};
use super::wire::{
    BUFFER_OVERFLOW, MORE_PROCESSING, PENDING, SUCCESS, size16_at, status_name, u8_at, u16_at,
    u32_at, u128_at,
};
use crate::proto::gss::{self, SignIn, Token, Verdict};
use crate::proto::{Dir, Input, Out};
use crate::types::{Text, Timestamp};

/// Requests waiting for their answer. Windows keeps a few dozen in flight.
const REQUESTS_MAX: usize = 256;
/// Shares connected.
const TREES_MAX: usize = 64;
/// Sessions on one connection: terminal servers have some.
const SESSIONS_MAX: usize = 64;
/// A FileId of all ones means the file of the command before it (\[MS-SMB2\] 3.2.4.1.4).
const SAME_FILE: FileId = FileId::MAX;
/// Commands after a CREATE that may mean its file before it has an id; more are not compounded.
const COMPOUND_MAX: u64 = 16;

/// State of one flow.
#[derive(Debug, Default)]
pub(super) struct Dialog {
    requests: BTreeMap<u64, Request>,
    trees: BTreeMap<(u64, u32), Tree>,
    sessions: BTreeMap<u64, SignIn>,
    files: Files,
    compound: Compound,
    full: bool,
}

/// What commands marked as related inherit from the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Compound {
    session: u64,
    tree: u32,
    file: Target,
}

#[derive(Debug)]
struct Request {
    ts: Timestamp,
    client: Dir,
    session: u64,
    tree: u32,
    file: Target,
    asked: Asked,
}

impl Dialog {
    /// One command: `message` is its header and the beginning of its body, `len` its whole length.
    pub(super) fn command(
        &mut self,
        header: &Header,
        message: &[u8],
        len: u64,
        input: Input<'_>,
        out: &mut Out<'_>,
    ) {
        let body = message.get(super::HEADER_LEN..).unwrap_or_default();
        if header.response {
            self.response(header, message, body, len, input.dir, out);
        } else {
            self.request(header, message, body, input, out);
        }
    }

    /// Tells what is still open.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        while let Some((_, request)) = self.requests.pop_first() {
            self.unanswered(request, out);
        }
        self.files.finish(out);
    }

    fn request(
        &mut self,
        header: &Header,
        message: &[u8],
        body: &[u8],
        input: Input<'_>,
        out: &mut Out<'_>,
    ) {
        let before = if header.related {
            self.compound
        } else {
            Compound::default()
        };
        let (session, tree) = if header.related {
            (before.session, before.tree)
        } else {
            (header.session, header.tree.unwrap_or(0))
        };
        let file = match header.command {
            CREATE => Target::Of(header.message),
            CLOSE => target(body, 8, before),
            READ | WRITE | SET_INFO => target(body, 16, before),
            // A compound may put a query between an open and its close.
            _ => before.file,
        };
        self.compound = Compound {
            session,
            tree,
            file,
        };
        if header.command == TREE_DISCONNECT {
            self.trees.remove(&(session, tree));
        } else if header.command == LOGOFF {
            self.sessions.remove(&session);
        }
        let Some(asked) = asked(header.command, message, body) else {
            return;
        };
        let request = Request {
            ts: input.ts,
            client: input.dir,
            session,
            tree,
            file,
            asked,
        };
        if self.requests.len() >= REQUESTS_MAX
            && let Some((_, oldest)) = self.requests.pop_first()
        {
            self.table_full(out);
            self.unanswered(oldest, out);
        }
        self.requests.insert(header.message, request);
    }

    fn response(
        &mut self,
        header: &Header,
        message: &[u8],
        body: &[u8],
        len: u64,
        server: Dir,
        out: &mut Out<'_>,
    ) {
        if header.status == PENDING {
            return;
        }
        let Some(request) = self.requests.remove(&header.message) else {
            if header.command == SESSION_SETUP {
                let (tokens, at) = ((None, answer_token(message, body)), (out.ts, server));
                self.signed_in(header.session, tokens, Some(header.status), at, out);
            }
            return;
        };
        let ok = header.status == SUCCESS;
        let file = match request.file {
            Target::Known(id) => Some(id),
            Target::None | Target::Of(_) => None,
        };
        let ts = request.ts;
        match request.asked {
            Asked::SignIn(token) => {
                let tokens = (token.map(|token| *token), answer_token(message, body));
                let at = (ts, server);
                self.signed_in(header.session, tokens, Some(header.status), at, out);
            }
            Asked::TreeConnect(path) => self.connected(header, body, path, ts, out),
            Asked::Create { ref name, delete } => {
                let opened = self.opened(&request, name.clone());
                self.created(header, body, opened, delete, out);
            }
            Asked::Close => self.files.close(file, out),
            Asked::Read if ok || header.status == BUFFER_OVERFLOW => {
                // What a server claims to send cannot be more than the message holds.
                let bytes = u64::from(u32_at(body, 4).unwrap_or(0)).min(len);
                self.files.read(file, bytes, ts);
            }
            Asked::Write { len } if ok => {
                let bytes = u32_at(body, 4).unwrap_or(0).min(len);
                self.files.wrote(file, u64::from(bytes), ts);
            }
            Asked::Read | Asked::Write { .. } => {}
            Asked::Delete => self.files.deleted(file, ts, header.status, out),
            Asked::Rename(name) => self.files.renamed(file, name, ts, header.status, out),
        }
    }

    /// CREATE was answered: there is a file, or a reason why not.
    fn created(
        &mut self,
        header: &Header,
        body: &[u8],
        opened: Opened,
        delete: bool,
        out: &mut Out<'_>,
    ) {
        // Informational codes (oplock break in progress) still open the file.
        let id =
            u128_at(body, 64).filter(|_| header.status >> 30 < 2 && u16_at(body, 0) == Some(89));
        let Some(id) = id else {
            let status = (header.status != SUCCESS).then(|| status_name(header.status));
            return opened.failed(status, out);
        };
        let later = header.message.saturating_add(1)..=header.message.saturating_add(COMPOUND_MAX);
        for (_, request) in self.requests.range_mut(later) {
            if matches!(request.file, Target::Of(message) if message == header.message) {
                request.file = Target::Known(id);
            }
        }
        if self.files.open(id, opened, body, delete, out) {
            self.table_full(out);
        }
    }

    /// What the records about a file need to know of its opening.
    fn opened(&self, request: &Request, name: Text) -> Opened {
        Opened {
            ts: request.ts,
            name,
            tree: self
                .trees
                .get(&(request.session, request.tree))
                .cloned()
                .unwrap_or_default(),
            user: self
                .sessions
                .get(&request.session)
                .and_then(|session| session.user().cloned()),
        }
    }

    /// TREE_CONNECT was answered.
    fn connected(
        &mut self,
        header: &Header,
        body: &[u8],
        path: Text,
        ts: Timestamp,
        out: &mut Out<'_>,
    ) {
        let ok = header.status == SUCCESS;
        let share = match u8_at(body, 2).filter(|_| ok) {
            Some(1) => Share::Disk,
            Some(2) => Share::Pipe,
            Some(3) => Share::Print,
            _ => Share::Unknown,
        };
        let tree = Tree {
            path: Some(path.as_str().into()),
            share,
        };
        let user = self
            .sessions
            .get(&header.session)
            .and_then(|session| session.user().map(Arc::as_ref));
        let mapping = SmbMapping {
            path,
            share_type: share.name(),
            user: user.map(Text::from),
            status: (!ok).then(|| status_name(header.status)),
        };
        out.record(ts, mapping);
        let Some(id) = header.tree.filter(|_| ok) else {
            return;
        };
        let key = (header.session, id);
        if self.trees.len() >= TREES_MAX && !self.trees.contains_key(&key) {
            self.table_full(out);
            self.trees.pop_first();
        }
        self.trees.insert(key, tree);
    }

    /// SESSION_SETUP was answered, or never: what client and server said goes to their session.
    fn signed_in(
        &mut self,
        id: u64,
        (asked, answered): (Option<Token>, Option<Token>),
        verdict: Option<u32>,
        (ts, server): (Timestamp, Dir),
        out: &mut Out<'_>,
    ) {
        if asked.is_none() && answered.is_none() {
            return;
        }
        let now = out.ts;
        let session = self.session(id, out);
        if let Some(token) = asked {
            session.take(token, (ts, server.other()), out);
        }
        if let Some(token) = answered {
            session.take(token, (now, server), out);
        }
        let Some(status) = verdict else {
            return session.finish(server.other(), out);
        };
        if status != MORE_PROCESSING {
            let success = status == SUCCESS;
            let status = (!success).then(|| status_name(status));
            session.settle(&Verdict { success, status }, server.other(), out);
        }
    }

    /// The session with this id; at the bound the one with the lowest id goes for it.
    fn session(&mut self, id: u64, out: &mut Out<'_>) -> &mut SignIn {
        if self.sessions.len() >= SESSIONS_MAX && !self.sessions.contains_key(&id) {
            self.table_full(out);
            self.sessions.pop_first();
        }
        self.sessions.entry(id).or_default()
    }

    /// A request whose answer was not seen: opens and sign-ins are told all the same.
    fn unanswered(&mut self, request: Request, out: &mut Out<'_>) {
        match request.asked {
            Asked::Create { ref name, .. } => {
                self.opened(&request, name.clone()).failed(None, out);
            }
            Asked::SignIn(Some(token)) => {
                let at = (request.ts, request.client.other());
                self.signed_in(request.session, (Some(*token), None), None, at, out);
            }
            _ => {}
        }
    }

    /// Says once that a table was at its bound.
    fn table_full(&mut self, out: &mut Out<'_>) {
        if !std::mem::replace(&mut self.full, true) {
            out.weird("smb_table_full", None, "smb");
        }
    }
}

/// The file named at `at`, or that of the command before.
fn target(body: &[u8], at: usize, before: Compound) -> Target {
    match u128_at(body, at) {
        Some(SAME_FILE) => before.file,
        Some(id) => Target::Known(id),
        None => Target::None,
    }
}

/// The token a SESSION_SETUP was answered with.
fn answer_token(message: &[u8], body: &[u8]) -> Option<Token> {
    gss::read(message.get(size16_at(body, 4)?..)?)
}
