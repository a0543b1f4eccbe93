//! Requests of SMB 2 and 3, and what their answers make of them in [`State`].

use std::collections::BTreeMap;

use super::files::{Attributes, FileId, Opened, Share};
use super::follow::Piece;
use super::header::{
    CLOSE, CREATE, Header, IOCTL, LOGOFF, READ, SESSION_SETUP, SET_INFO, TREE_DISCONNECT, WRITE,
};
use super::payload::Payload;
use super::request::{Asked, PIPE_TRANSCEIVE, Target, asked};
use super::state::State;
use super::wire::{
    BUFFER_OVERFLOW, PENDING, SUCCESS, size16_at, size32_at, status_name, u8_at, u16_at, u32_at,
    u64_at, u128_at,
};
use crate::proto::gss::{self, Token};
use crate::proto::{Dir, Input, Out};
use crate::types::{Timestamp, heap};

/// Requests waiting for their answer. Windows keeps a few dozen in flight.
const REQUESTS_MAX: usize = 256;
/// A FileId of all ones means the file of the command before it (\[MS-SMB2\] 3.2.4.1.4).
const SAME_FILE: FileId = FileId::MAX;
/// Commands after a CREATE that may mean its file before it has an id; more are not compounded.
const COMPOUND_MAX: u64 = 16;

/// Requests of one flow.
#[derive(Debug, Default)]
pub(super) struct Dialog {
    requests: BTreeMap<u64, Request>,
    compound: Compound,
}

heap!(Dialog: requests);

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

heap!(Request: asked);

impl Dialog {
    /// One command: `message` is its header and the beginning of its body, `len` its whole length.
    pub(super) fn command(
        &mut self,
        header: &Header,
        (message, len): (&[u8], u64),
        input: Input<'_>,
        state: &mut State,
        out: &mut Out<'_>,
    ) {
        if header.response {
            self.response(header, (message, len), input.dir, state, out);
        } else {
            self.request(header, message, input, state, out);
        }
    }

    /// Where the bytes lie that a command carries through a pipe, if it may, or of a file, if files are followed.
    pub(super) fn payload(
        &self,
        header: &Header,
        message: &[u8],
        state: &State,
        follows: bool,
    ) -> Option<Payload> {
        let body = message.get(super::HEADER_LEN..)?;
        let answered = matches!(header.status, SUCCESS | BUFFER_OVERFLOW);
        let piece = |at, is_written| Some(Piece { at, is_written });
        let (file, offset, len) = match (header.command, header.response) {
            (WRITE, false) => {
                let file = (u128_at(body, 16)?, piece(u64_at(body, 8)?, true));
                (file, size16_at(body, 2)?, u32_at(body, 4)?)
            }
            (READ, true) if answered => {
                let request = self.requests.get(&header.message)?;
                let (Target::Known(file), Asked::Read { at }) = (request.file, &request.asked)
                else {
                    return None;
                };
                let file = (file, piece(*at, false));
                (file, usize::from(u8_at(body, 2)?), u32_at(body, 4)?)
            }
            (IOCTL, false) if u32_at(body, 4)? == PIPE_TRANSCEIVE => {
                let file = (u128_at(body, 8)?, None);
                (file, size32_at(body, 24)?, u32_at(body, 28)?)
            }
            (IOCTL, true) if answered && u32_at(body, 4)? == PIPE_TRANSCEIVE => {
                let file = (u128_at(body, 8)?, None);
                (file, size32_at(body, 32)?, u32_at(body, 36)?)
            }
            _ => return None,
        };
        if file.0 == SAME_FILE {
            return None;
        }
        Payload::new(file, (offset, u64::from(len)), &state.files, follows)
    }

    /// Tells what was not answered.
    pub(super) fn finish(&mut self, state: &mut State, out: &mut Out<'_>) {
        while let Some((_, request)) = self.requests.pop_first() {
            unanswered(request, state, out);
        }
    }

    fn request(
        &mut self,
        header: &Header,
        message: &[u8],
        input: Input<'_>,
        state: &mut State,
        out: &mut Out<'_>,
    ) {
        let body = message.get(super::HEADER_LEN..).unwrap_or_default();
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
        match header.command {
            TREE_DISCONNECT => state.disconnected((session, tree)),
            LOGOFF => state.signed_off(session),
            // SMB2_SESSION_FLAG_BINDING: shares and files of other connections are used here as well.
            SESSION_SETUP if u8_at(body, 2).is_some_and(|flags| flags & 1 != 0) => {
                state.blind(session, "smb_multichannel", out);
            }
            _ => {}
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
            state.table_full(out);
            unanswered(oldest, state, out);
        }
        self.requests.insert(header.message, request);
    }

    fn response(
        &mut self,
        header: &Header,
        (message, len): (&[u8], u64),
        server: Dir,
        state: &mut State,
        out: &mut Out<'_>,
    ) {
        if header.status == PENDING {
            return;
        }
        let body = message.get(super::HEADER_LEN..).unwrap_or_default();
        let Some(request) = self.requests.remove(&header.message) else {
            if header.command == SESSION_SETUP {
                let tokens = (None, answer_token(message, body));
                let at = (out.ts, server.other());
                state.signed_in(header.session, tokens, Some(header.status), at, out);
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
                let at = (ts, server.other());
                state.signed_in(header.session, tokens, Some(header.status), at, out);
            }
            Asked::TreeConnect(path) => {
                let share = u8_at(body, 2)
                    .filter(|_| ok)
                    .map_or_else(Share::default, share);
                let tree = header.tree.map(|tree| (header.session, tree));
                let at = (ts, header.status);
                state.connected(header.session, tree, (path, share), at, out);
            }
            Asked::Create { name, delete } => {
                let tree = (request.session, request.tree);
                let opened = state.opened(request.session, tree, name, ts);
                self.created(header, body, (opened, delete), state, out);
            }
            Asked::Close => state.close(file, out),
            Asked::Read { .. } if ok || header.status == BUFFER_OVERFLOW => {
                // What a server claims to send cannot be more than the message holds.
                let bytes = u64::from(u32_at(body, 4).unwrap_or(0)).min(len);
                state.files.read(file, bytes, ts);
            }
            Asked::Write { at, len } if ok => {
                let bytes = u32_at(body, 4).unwrap_or(0).min(len);
                state.files.wrote(file, (at, u64::from(bytes)), ts);
            }
            Asked::Write { .. } => state.files.refused(file),
            Asked::Read { .. } => {}
            Asked::Length(length) => {
                if ok {
                    state.files.set_length(file, length);
                }
            }
            Asked::Delete => state.files.deleted(file, ts, header.status, out),
            Asked::Rename(name) => state.files.renamed(file, name, ts, header.status, out),
            Asked::Referral(name) => {
                let tree = (request.session, request.tree);
                let opened = state.opened(request.session, tree, name, ts);
                opened.asked("SMB::DFS_REFERRAL", header.status, out);
            }
        }
    }

    /// CREATE was answered: there is a file, or a reason why not.
    fn created(
        &mut self,
        header: &Header,
        body: &[u8],
        (opened, delete): (Opened, bool),
        state: &mut State,
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
        let times = body.get(8..).unwrap_or_default();
        let attributes = Attributes::new(u32_at(body, 4), times, u64_at(body, 48));
        state.open(id, opened, &attributes, delete, out);
    }
}

/// A request whose answer was not seen: opens and sign-ins are told all the same.
fn unanswered(request: Request, state: &mut State, out: &mut Out<'_>) {
    match request.asked {
        Asked::Create { name, .. } => {
            let tree = (request.session, request.tree);
            let opened = state.opened(request.session, tree, name, request.ts);
            opened.failed(None, out);
        }
        Asked::SignIn(Some(token)) => {
            let at = (request.ts, request.client);
            state.signed_in(request.session, (Some(*token), None), None, at, out);
        }
        _ => {}
    }
}

/// The token a SESSION_SETUP was answered with.
fn answer_token(message: &[u8], body: &[u8]) -> Option<Token> {
    gss::read(message.get(size16_at(body, 4)?..)?)
}

/// ShareType (\[MS-SMB2\] 2.2.10).
fn share(kind: u8) -> Share {
    match kind {
        1 => Share::Disk,
        2 => Share::Pipe,
        3 => Share::Print,
        _ => Share::Unknown,
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
