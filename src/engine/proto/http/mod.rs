//! HTTP/1: who asks which server for what, and what came back.
//!
//! Standard: RFC 9110, RFC 9112; WebDAV and vendors' methods alike.
//! Input:    both streams of a TCP flow. Who is the client is told by the start lines, not by the flow. Heads in
//!           datagrams are `ssdp`.
//! Output:   one `http` record per request with its response; a `websocket` record where the connection becomes
//!           one; user agent and server as software clues.
//! Bounds:   32 open requests a flow, the oldest is then written without response; a head of 64 KiB;
//!           texts as in `head`; 8 user agents told a flow. Bodies are passed over but for their beginning.
//! Units:    body lengths in bytes as announced, or as counted where nothing announces them.
//! Secrets:  credentials, cookies: only that they crossed and by which scheme.
//! Not done: file names inside multipart bodies; what runs inside a CONNECT tunnel or after an upgrade, unless that is HTTP/1 again.

mod body;
mod clues;
mod head;
mod record;
mod sign_in;
mod target;
mod websocket;

use std::collections::VecDeque;

pub(super) use self::head::Fields;
use self::head::StartLine;
pub use self::record::HttpRecord;
pub(super) use self::target::uri;
use self::websocket::Offer;
pub use self::websocket::WebSocketRecord;
use super::files::File;
use super::{BUFFER_BYTES_MAX, Dir, Input, Out, Over, Parse, Port, Probe, Protocol, Secret, derp};
use crate::types::{Text, Timestamp, heap, heap_of, text};

/// Requests sent ahead of their responses; browsers that pipelined sent about eight.
const PENDING_MAX: usize = 32;
/// Longest line of a chunk's size or a trailer.
const LINE_LEN_MAX: usize = 4096;

/// What a direction is in the middle of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before a message; so many bytes were searched for the end of its head.
    #[default]
    Start,
    /// In a body with so many bytes left.
    Fixed(u64),
    /// Before a chunk's size.
    ChunkSize,
    /// In a chunk with so many bytes left, its line end included.
    Chunk(u64),
    /// In the fields behind the last chunk.
    Trailer,
    /// In a body that ends with the flow.
    UntilClose,
    /// A gap or nonsense: wait for a start line.
    Lost,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    state: State,
    /// Bytes of an unfinished head already searched for its end.
    searched: usize,
    /// Whether the message under way is a response.
    responds: bool,
    /// Whether the beginning of its body is still to be looked at, and what was there of it before.
    sniffs: bool,
    beginning: Vec<u8>,
    /// The body under way, if it is of a type that is followed.
    file: Option<Box<File>>,
    /// Bodies followed so far.
    files: u64,
}

heap!(Side: beginning, file);

/// A request or transaction not yet written.
#[derive(Debug)]
struct Open {
    ts: Timestamp,
    record: HttpRecord,
    /// What it offers if it is to become a WebSocket.
    offer: Option<Box<Offer>>,
}

heap!(Open: record, offer);

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Http {
    orig: Side,
    resp: Side,
    depth: u64,
    pending: VecDeque<Open>,
    /// Transaction whose response's length is still being counted.
    open: Option<Open>,
    agent: Option<Text>,
    agents: u8,
    server_told: bool,
    sure: bool,
    tunnel: bool,
    /// Last secret shown by `Basic`.
    shown: Secret,
    /// Who signs in by NTLM or Kerberos, once somebody does.
    sign_in: Option<Box<super::gss::SignIn>>,
}

impl Protocol for Http {
    const NAME: &'static str = "http";
    const PORTS: &'static [Port] = &[
        Port::Tcp(80),
        Port::Tcp(8080),
        Port::Tcp(8000),
        Port::Tcp(3128),
        Port::Tcp(5985),
    ];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let window = start.get(..LINE_LEN_MAX).unwrap_or(start);
        if let Some((line, _)) = head::split_once(window, b'\n') {
            return match StartLine::read(line.trim_ascii_end()) {
                None => Probe::NotMine,
                Some(StartLine::Request { version: None, .. }) => Probe::Unsure,
                Some(_) => Probe::Certain,
            };
        }
        if window.starts_with(b"HTTP/1.") {
            return Probe::Certain;
        }
        match head::split_once(window, b' ') {
            Some((method, target)) if head::is_known(method) => match target {
                [b'/', ..] if window.len() >= 256 => Probe::Certain,
                _ => Probe::Unsure,
            },
            Some((method, _)) if head::is_method(method) => Probe::Unsure,
            None if head::is_method(window) || b"HTTP/1.".starts_with(window) => Probe::Unsure,
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return Parse::Broken("http_in_datagram");
        }
        if input.gap > 0 {
            self.gap(input.dir, input.gap, out);
        }
        if self.side(input.dir).sniffs {
            self.sniff(&input, out);
        }
        if self.side(input.dir).file.is_some() {
            self.follow(&input, out);
        }
        let all = input.data.len();
        match self.side(input.dir).state {
            State::Start => self.head(input, out),
            State::Fixed(left) => self.pass(input, left, State::Fixed, State::Start),
            State::Chunk(left) => self.pass(input, left, State::Chunk, State::ChunkSize),
            State::ChunkSize | State::Trailer => self.line(input, out),
            State::UntilClose => {
                self.count(input.dir, u64::try_from(all).unwrap_or(u64::MAX));
                Parse::Parsed { used: all }
            }
            State::Lost if Self::probe(input.data, input.dir) == Probe::Certain => {
                self.side(input.dir).state = State::Start;
                self.head(input, out)
            }
            State::Lost => Parse::Parsed { used: all },
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        for dir in [Dir::Orig, Dir::Resp] {
            // What ends with the flow is whole, as far as anybody can tell.
            let whole = self.side(dir).state == State::UntilClose;
            self.end_file(dir, whole, 0, out);
        }
        for Open { ts, record, .. } in self.open.take().into_iter().chain(self.pending.drain(..)) {
            out.record(ts, record);
        }
        self.sign_in_ends(out);
    }

    fn heap(&self) -> usize {
        heap_of!(self: orig, resp, pending, open, agent, sign_in)
    }
}

impl Http {
    fn side(&mut self, dir: Dir) -> &mut Side {
        match dir {
            Dir::Orig => &mut self.orig,
            Dir::Resp => &mut self.resp,
        }
    }

    /// Bytes are missing: fine inside a body that goes on behind them.
    fn gap(&mut self, dir: Dir, gap: u64, out: &mut Out<'_>) {
        self.end_file(dir, false, gap, out);
        self.end_sniff(dir, out);
        let next = match self.side(dir).state {
            State::Fixed(left) if left == gap => State::Start,
            State::Fixed(left) => left.checked_sub(gap).map_or(State::Lost, State::Fixed),
            State::Chunk(left) if left == gap => State::ChunkSize,
            State::Chunk(left) => left.checked_sub(gap).map_or(State::Lost, State::Chunk),
            State::UntilClose => State::UntilClose,
            State::Start | State::ChunkSize | State::Trailer | State::Lost => State::Lost,
        };
        if next == State::UntilClose {
            self.count(dir, gap);
        }
        if next == State::Lost {
            self.lose(dir, out);
        }
        self.side(dir).state = next;
    }

    /// Gives up the message under way in this direction.
    fn lose(&mut self, dir: Dir, out: &mut Out<'_>) {
        self.end_file(dir, false, 0, out);
        let side = self.side(dir);
        side.state = State::Lost;
        side.searched = 0;
        if side.responds {
            self.close(out);
            // Unknown how many responses went by: only the newest request can still be answered.
            while self.pending.len() > 1
                && let Some(Open { ts, record, .. }) = self.pending.pop_front()
            {
                out.record(ts, record);
            }
        }
    }

    /// Writes the transaction whose response has just ended.
    fn close(&mut self, out: &mut Out<'_>) {
        if let Some(Open { ts, record, .. }) = self.open.take() {
            out.record(ts, record);
        }
    }

    /// Adds to the length of the body under way, if its transaction is still here.
    fn count(&mut self, dir: Dir, bytes: u64) {
        if self.side(dir).responds {
            if let Some(Open { record, .. }) = &mut self.open {
                record.response_body_len = record.response_body_len.saturating_add(bytes);
            }
        } else if let Some(Open { record, .. }) = self.pending.back_mut() {
            record.request_body_len = record.request_body_len.saturating_add(bytes);
        }
    }

    /// A start line and its header fields.
    fn head(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        let blank = data
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        if blank > 0 {
            return Parse::Parsed { used: blank };
        }
        let searched = self.side(input.dir).searched;
        let mut end = head::end(data, searched);
        // The first bytes decide early; a long head that grows is not judged at every byte.
        if end.is_some() || searched < 512 {
            match Self::probe(data, input.dir) {
                Probe::NotMine => return self.nonsense(input, out),
                Probe::Unsure => end = simple_end(data).or(end),
                Probe::Certain => {}
            }
        }
        if end.is_none() && data.len() >= BUFFER_BYTES_MAX.saturating_sub(1) {
            out.weird("HTTP_head_too_long", None, Self::NAME);
            end = Some(data.len());
        }
        let Some(used) = end else {
            // The last bytes may be the first half of the blank line.
            self.side(input.dir).searched = data.len().saturating_sub(3);
            return Parse::NeedMore { used: 0, need: 1 };
        };
        self.side(input.dir).searched = 0;
        let head = data.get(..used).unwrap_or_default();
        let (line, rest) = head::split_once(head, b'\n').unwrap_or((head, &[]));
        match StartLine::read(line.trim_ascii_end()) {
            None => return self.nonsense(input, out),
            Some(StartLine::Request {
                method,
                target,
                version,
            }) => {
                self.request(input, (method, target, version), Fields::read(rest), out);
            }
            Some(StartLine::Response {
                version,
                status,
                reason,
            }) => {
                let over = self.response(input, (version, status, reason), Fields::read(rest), out);
                if over {
                    self.finish(out);
                    return Parse::Skip;
                }
            }
        }
        self.sure = true;
        if used >= BUFFER_BYTES_MAX.saturating_sub(1) {
            self.lose(input.dir, out);
        }
        Parse::Parsed { used }
    }

    /// What should be a start line is none.
    fn nonsense(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        // Behind `CONNECT`, where DERP takes over, or where somebody asks an SSH server in HTTP.
        if self.tunnel || derp::begins(input.data) || input.data.starts_with(b"SSH-") {
            self.finish(out);
            return Parse::Skip;
        }
        // One side may talk nonsense and be told so in HTTP by the other.
        if !self.sure && self.side(input.dir.other()).state == State::Lost {
            return Parse::Broken("http_no_start_line");
        }
        self.lose(input.dir, out);
        Parse::Parsed {
            used: input.data.len(),
        }
    }

    fn request(
        &mut self,
        input: Input<'_>,
        (method, target, version): (&[u8], &[u8], Option<&[u8]>),
        mut fields: Fields,
        out: &mut Out<'_>,
    ) {
        let offer = Offer::of(&mut fields);
        if fields.conflict {
            out.weird("HTTP_conflicting_lengths", None, Self::NAME);
        }
        if let Some(basic) = fields.basic.take() {
            basic.tell(&mut self.shown, out);
        }
        self.signs_in(fields.token, input, out);
        self.told_agent(input.dir, fields.user_agent.as_deref(), out);
        self.depth = self.depth.saturating_add(1);
        let (uri, secret) = uri(target);
        let auth_scheme = fields.auth_scheme.or(secret);
        let length = fields
            .content_length
            .filter(|_| !fields.chunked)
            .unwrap_or(0);
        let record = HttpRecord {
            trans_depth: self.depth,
            method: Some(text(method, 32)),
            host: fields.host,
            uri: Some(uri),
            referrer: fields.referrer,
            version: Some(text(version.unwrap_or(b"0.9"), 3)),
            user_agent: fields.user_agent,
            origin: fields.origin,
            request_body_len: length,
            authorization: auth_scheme.is_some(),
            auth_scheme,
            proxied: Some(fields.proxied).filter(|list| !list.is_empty()),
            orig_filenames: fields.filename.map(|name| vec![name]),
            orig_mime_types: fields.mime_type.map(|name| vec![name]),
            ..HttpRecord::default()
        };
        if self.pending.len() >= PENDING_MAX
            && let Some(oldest) = self.pending.pop_front()
        {
            out.record(oldest.ts, oldest.record);
        }
        self.pending.push_back(Open {
            ts: input.ts,
            record,
            offer,
        });
        let side = self.side(input.dir);
        side.responds = false;
        side.sniffs = !fields.encoded && (fields.chunked || length > 0);
        side.beginning.clear();
        side.state = match (fields.chunked, length) {
            (true, _) => State::ChunkSize,
            (false, 0) => State::Start,
            (false, length) => State::Fixed(length),
        };
    }

    /// Joins a response to the oldest request; true if the flow speaks something else from here on.
    fn response(
        &mut self,
        input: Input<'_>,
        (version, status, reason): (&[u8], u16, &[u8]),
        mut fields: Fields,
        out: &mut Out<'_>,
    ) -> bool {
        self.close(out);
        self.side(input.dir).responds = true;
        if (100..200).contains(&status)
            && status != 101
            && let Some(Open { record, .. }) = self.pending.front_mut()
        {
            record.info_code = Some(status);
            record.info_msg = Some(text(reason, 128));
            return false;
        }
        self.signed_in(fields.token.take(), status, input, out);
        self.told_server(input.dir, fields.server.take(), out);
        let Open {
            ts,
            mut record,
            offer,
        } = self.pending.pop_front().unwrap_or_else(|| {
            self.depth = self.depth.saturating_add(1);
            let version = Some(text(version, 3));
            let record = HttpRecord {
                trans_depth: self.depth,
                version,
                ..HttpRecord::default()
            };
            Open {
                ts: input.ts,
                record,
                offer: None,
            }
        });
        if let Some(offer) = offer.filter(|_| status == 101 && fields.is_websocket) {
            out.record(out.ts, offer.agreed(&record, &mut fields));
        }
        record.status_code = Some(status);
        record.status_msg = Some(text(reason, 128));
        record.resp_filenames = fields.filename.map(|name| vec![name]);
        record.resp_mime_types = fields.mime_type.map(|name| vec![name]);
        let method = record.method.as_deref();
        let connected = method == Some("CONNECT") && (200..300).contains(&status);
        let state = if matches!(status, 100..200 | 204 | 304) || method == Some("HEAD") || connected
        {
            State::Start
        } else if fields.chunked {
            State::ChunkSize
        } else {
            match fields.content_length {
                Some(0) => State::Start,
                Some(length) => State::Fixed(length),
                None => State::UntilClose,
            }
        };
        if let State::Fixed(length) = state {
            record.response_body_len = length;
        }
        let side = self.side(input.dir);
        side.state = state;
        // A part of a file does not begin as the file does.
        side.sniffs = state != State::Start && !fields.encoded && status != 206;
        side.beginning.clear();
        let is_told = !side.sniffs && !matches!(state, State::ChunkSize | State::UntilClose);
        self.tunnel |= connected;
        self.open = Some(Open {
            ts,
            record,
            offer: None,
        });
        if is_told {
            self.close(out);
        }
        status == 101 && !fields.is_derp
    }
}

/// Where a request of HTTP/0.9 ends: it is one line without a version, and has no header fields.
fn simple_end(data: &[u8]) -> Option<usize> {
    let (line, _) = head::split_once(data, b'\n')?;
    match StartLine::read(line.trim_ascii_end())? {
        StartLine::Request { version: None, .. } => Some(line.len().saturating_add(1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
