//! Requests of SMB 1, and what their answers make of them in [`State`].

use std::collections::BTreeMap;

use super::super::files::{Attributes, FileId, Share};
use super::super::follow::Piece;
use super::super::payload::Payload;
use super::super::state::{State, TreeKey};
use super::super::wire::{
    BUFFER_OVERFLOW, SUCCESS, field, size16_at, status_name, u16_at, u32_at, u64_at,
};
use super::request::{Asked, asked as asked_in, file};
use super::search::found;
use super::{
    Command, Header, LOGOFF_ANDX, NT_CREATE_ANDX, OPEN_ANDX, READ, READ_ANDX, SESSION_SETUP_ANDX,
    TRANSACTION, TREE_DISCONNECT, WRITE, WRITE_ANDX, chain,
};
use crate::proto::gss::{self, Token};
use crate::proto::{Dir, Input, Out};
use crate::types::{ClueKind, Text, Timestamp, heap};

/// Requests waiting for their answer; a client may have 50 in flight.
const REQUESTS_MAX: usize = 64;

/// Requests of one flow.
#[derive(Debug, Default)]
pub(in super::super) struct Dialog {
    requests: BTreeMap<u32, Request>,
}

heap!(Dialog: requests);

/// The commands of one message.
#[derive(Debug)]
struct Request {
    ts: Timestamp,
    client: Dir,
    session: u64,
    tree: TreeKey,
    asked: Vec<(u8, Asked)>,
}

heap!(Request: asked);

impl Dialog {
    /// One message, of which the beginning is there and `len` the whole length.
    pub(in super::super) fn message(
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

    /// Where the bytes lie that a message carries through a pipe, if it may, or of a file, if files are followed.
    pub(in super::super) fn payload(
        &self,
        header: &Header,
        message: &[u8],
        state: &State,
        follows: bool,
    ) -> Option<Payload> {
        let command = chain(header, message).next()?;
        let (words, at) = (command.words, command.bytes_at);
        let answered = matches!(header.status, SUCCESS | BUFFER_OVERFLOW);
        let asked = || self.requests.get(&header.exchange)?.asked.first();
        let (file, offset, len) = match (header.command, header.response) {
            // Behind the format of the data and its length.
            (WRITE, false) => (written(&command)?, at.checked_add(3)?, u16_at(words, 2)?),
            (WRITE_ANDX, false) => {
                let len = long(words, (20, 18))?;
                return Payload::new(
                    written(&command)?,
                    (size16_at(words, 22)?, len),
                    &state.files,
                    follows,
                );
            }
            (TRANSACTION, false) => {
                let Asked::Transact(file) = asked_in(&command)? else {
                    return None;
                };
                ((file, None), size16_at(words, 24)?, u16_at(words, 22)?)
            }
            (READ_ANDX, true) if answered => {
                let len = long(words, (10, 14))?;
                return Payload::new(
                    read(asked()?)?,
                    (size16_at(words, 12)?, len),
                    &state.files,
                    follows,
                );
            }
            (READ, true) if answered => (read(asked()?)?, at.checked_add(3)?, u16_at(words, 0)?),
            (TRANSACTION, true) if answered => {
                (read(asked()?)?, size16_at(words, 14)?, u16_at(words, 12)?)
            }
            _ => return None,
        };
        Payload::new(file, (offset, u64::from(len)), &state.files, follows)
    }

    /// Tells what was not answered.
    pub(in super::super) fn finish(&mut self, state: &mut State, out: &mut Out<'_>) {
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
        let tree = (0, u32::from(header.tree));
        let mut all = Vec::new();
        for command in chain(header, message) {
            match command.number {
                TREE_DISCONNECT => state.disconnected(tree),
                LOGOFF_ANDX => state.signed_off(u64::from(header.session)),
                _ => {}
            }
            if let Some(asked) = asked_in(&command) {
                all.push((command.number, asked));
            }
        }
        if all.is_empty() {
            return;
        }
        let request = Request {
            ts: input.ts,
            client: input.dir,
            session: u64::from(header.session),
            tree,
            asked: all,
        };
        if self.requests.len() >= REQUESTS_MAX
            && let Some((_, oldest)) = self.requests.pop_first()
        {
            state.table_full(out);
            unanswered(oldest, state, out);
        }
        if let Some(replaced) = self.requests.insert(header.exchange, request) {
            unanswered(replaced, state, out);
        }
    }

    fn response(
        &mut self,
        header: &Header,
        (message, len): (&[u8], u64),
        server: Dir,
        state: &mut State,
        out: &mut Out<'_>,
    ) {
        let session = u64::from(header.session);
        let request = self.requests.remove(&header.exchange);
        let commands: Vec<Command<'_>> = chain(header, message).collect();
        let signing = commands
            .iter()
            .find(|command| command.number == SESSION_SETUP_ANDX);
        let mut answered = signing.and_then(|command| answer_token(command, server, out));
        let (status, client) = (Some(header.status), server.other());
        let Some(request) = request else {
            let tokens = (None, answered);
            return state.signed_in(session, tokens, status, (out.ts, client), out);
        };
        for (number, asked) in request.asked {
            let asked = match asked {
                Asked::SignIn(token) => {
                    let tokens = (token.map(|token| *token), answered.take());
                    state.signed_in(session, tokens, status, (request.ts, client), out);
                    continue;
                }
                asked => asked,
            };
            // What a refused chain did not come to has no answer of its own.
            let command = commands.iter().find(|command| command.number == number);
            let answer = Answer {
                header,
                command,
                len,
                ts: request.ts,
                tree: request.tree,
            };
            answer.to(asked, state, out);
        }
    }
}

/// An answer to one command.
#[derive(Clone, Copy, Debug)]
struct Answer<'a> {
    header: &'a Header,
    command: Option<&'a Command<'a>>,
    /// Length of the whole message.
    len: u64,
    ts: Timestamp,
    tree: TreeKey,
}

impl Answer<'_> {
    fn to(self, asked: Asked, state: &mut State, out: &mut Out<'_>) {
        let status = self.header.status;
        let session = u64::from(self.header.session);
        let words = self.command.map_or(&[][..], |command| command.words);
        match asked {
            Asked::TreeConnect(path) => self.connected(path, state, out),
            Asked::Open { name, delete } => self.opened(name, delete, state, out),
            Asked::Close(file) => state.close(Some(file), out),
            Asked::Read { file, .. } if matches!(status, SUCCESS | BUFFER_OVERFLOW) => {
                let bytes = match self.command.map(|command| command.number) {
                    Some(READ) => u16_at(words, 0),
                    _ => u16_at(words, 10),
                };
                let high = u64::from(u16_at(words, 14).unwrap_or(0)) << 16;
                let bytes = (high | u64::from(bytes.unwrap_or(0))).min(self.len);
                state.files.read(Some(file), bytes, self.ts);
            }
            Asked::Write { file, at, len } if status == SUCCESS => {
                state.files.wrote(Some(file), (at, u64::from(len)), self.ts);
            }
            Asked::Write { file, .. } => state.files.refused(Some(file)),
            Asked::Length(file, length) => {
                if status == SUCCESS {
                    state.files.set_length(Some(file), length);
                }
            }
            Asked::Named { action, name } => {
                let opened = state.opened(session, self.tree, name, self.ts);
                opened.asked(action, status, out);
            }
            Asked::Search { name, level } => self.searched(name, level, state, out),
            Asked::RenameName { from, to } => {
                let opened = state.opened(session, self.tree, to, self.ts);
                opened.renamed(from, status, out);
            }
            Asked::Delete(file) => state.files.deleted(Some(file), self.ts, status, out),
            Asked::Rename(file, name) => {
                state.files.renamed(Some(file), name, self.ts, status, out);
            }
            Asked::SignIn(_) | Asked::Read { .. } | Asked::Transact(_) => {}
        }
    }

    /// A search was answered: what was searched for, and what was found.
    fn searched(self, name: Text, level: u16, state: &State, out: &mut Out<'_>) {
        let (status, session) = (self.header.status, u64::from(self.header.session));
        let opened = state.opened(session, self.tree, name, self.ts);
        opened.asked("SMB::FILE_SEARCH", status, out);
        let command = self.command.filter(|_| status == SUCCESS);
        for name in command.map_or_else(Vec::new, |command| found(command, level)) {
            let opened = state.opened(session, self.tree, name, self.ts);
            opened.asked("SMB::FILE_FOUND", status, out);
        }
    }

    /// A share was granted or refused; the service says what it offers.
    fn connected(self, path: Text, state: &mut State, out: &mut Out<'_>) {
        let status = self.header.status;
        let service = self
            .command
            .map(|command| command.ascii(command.bytes_at).0);
        let share = match service.as_deref() {
            Some("A:") => Share::Disk,
            Some("IPC") => Share::Pipe,
            Some("LPT1:") => Share::Print,
            _ => Share::Unknown,
        };
        let key = (0, u32::from(self.header.tree));
        let session = u64::from(self.header.session);
        state.connected(session, Some(key), (path, share), (self.ts, status), out);
    }

    /// A file was opened, or not.
    fn opened(self, name: Text, delete: bool, state: &mut State, out: &mut Out<'_>) {
        let status = self.header.status;
        let session = u64::from(self.header.session);
        // Within a chain the share may be one that the same message connects.
        let tree = (0, u32::from(self.header.tree));
        let tree = if status == SUCCESS { tree } else { self.tree };
        let opened = state.opened(session, tree, name, self.ts);
        match self.command.and_then(handle).filter(|_| status == SUCCESS) {
            Some((file, attributes)) => state.open(file, opened, &attributes, delete, out),
            None => opened.failed((status != SUCCESS).then(|| status_name(status)), out),
        }
    }
}

/// The number of the file that was opened, and what is said of it.
fn handle(command: &Command<'_>) -> Option<(FileId, Attributes)> {
    let words = command.words;
    let size = |at| u32_at(words, at).map(u64::from);
    match command.number {
        NT_CREATE_ANDX => {
            let times = words.get(11..)?;
            let attributes = Attributes::new(u32_at(words, 7), times, u64_at(words, 55));
            Some((file(words, 5)?, attributes))
        }
        OPEN_ANDX => Some((file(words, 4)?, Attributes::new(None, &[], size(12)))),
        _ => Some((file(words, 0)?, Attributes::new(None, &[], size(8)))),
    }
}

/// The token a sign-in was answered with; the server's system stands behind it.
fn answer_token(command: &Command<'_>, server: Dir, out: &mut Out<'_>) -> Option<Token> {
    let (words, at) = (command.words, command.bytes_at);
    let blob_len = match words.len() / 2 {
        4 => size16_at(words, 6).unwrap_or(0),
        _ => 0,
    };
    let blob = field(command.message, at, blob_len).unwrap_or_default();
    let (system, _) = command.text(at.saturating_add(blob_len));
    if command.bytes().len() > blob_len && !system.is_empty() {
        let kind = ClueKind::Software;
        gss::tell(server, kind, "smb native os", Some(&system), out);
    }
    gss::read(blob)
}

/// A length in two halves.
fn long(words: &[u8], (low, high): (usize, usize)) -> Option<u64> {
    let high = u64::from(u16_at(words, high).unwrap_or(0)) << 16;
    Some(high | u64::from(u16_at(words, low)?))
}

/// The pipe or the piece of a file that is written.
fn written(command: &Command<'_>) -> Option<(FileId, Option<Piece>)> {
    let Asked::Write { file, at, .. } = asked_in(command)? else {
        return None;
    };
    let is_written = true;
    Some((file, Some(Piece { at, is_written })))
}

/// The pipe or the piece of a file that a request read from.
fn read((_, asked): &(u8, Asked)) -> Option<(FileId, Option<Piece>)> {
    let is_written = false;
    match *asked {
        Asked::Read { file, at } => Some((file, Some(Piece { at, is_written }))),
        Asked::Transact(file) => Some((file, None)),
        _ => None,
    }
}

/// A request whose answer was not seen: opens and sign-ins are told all the same.
fn unanswered(request: Request, state: &mut State, out: &mut Out<'_>) {
    for (_, asked) in request.asked {
        match asked {
            Asked::Open { name, .. } => {
                let opened = state.opened(request.session, request.tree, name, request.ts);
                opened.failed(None, out);
            }
            Asked::Named { action, name } => {
                let opened = state.opened(request.session, request.tree, name, request.ts);
                opened.asked(action, SUCCESS, out);
            }
            Asked::Search { name, .. } => {
                let opened = state.opened(request.session, request.tree, name, request.ts);
                opened.asked("SMB::FILE_SEARCH", SUCCESS, out);
            }
            Asked::SignIn(Some(token)) => {
                let at = (request.ts, request.client);
                state.signed_in(request.session, (Some(*token), None), None, at, out);
            }
            _ => {}
        }
    }
}
