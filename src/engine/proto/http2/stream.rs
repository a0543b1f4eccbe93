//! Streams of a connection: which response belongs to which request.
//!
//! Standard: RFC 9113 §8.3: what HTTP/1 has in its start lines are fields that begin with a colon.

use std::collections::VecDeque;

use super::super::Secret;
use super::super::files::{Beginning, Contents};
use super::super::http::{Fields, HttpRecord, uri};
use crate::proto::{Dir, Out};
use crate::types::{Clue, ClueKind, Text, Timestamp, heap, text};

/// Streams that wait for their response's end.
const STREAMS_MAX: usize = 64;
/// Files followed at a time.
const FILES_MAX: usize = 16;

/// Header fields of one message.
#[derive(Debug, Default)]
pub(super) struct Head {
    method: Option<Text>,
    path: Option<(Text, Option<&'static str>)>,
    authority: Option<Text>,
    status: Option<u16>,
    fields: Fields,
}

impl Head {
    /// Takes a field.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b":method" => self.method = Some(text(value, 32)),
            b":path" => self.path = Some(uri(value)),
            b":authority" => self.authority = Some(text(value, 1_024)),
            b":status" => {
                self.status = str::from_utf8(value)
                    .ok()
                    .and_then(|code| code.parse().ok())
            }
            _ => self.fields.field(name, value),
        }
    }
}

/// A request that waits for its response.
#[derive(Debug)]
struct Open {
    stream: u32,
    ts: Timestamp,
    record: HttpRecord,
    asked: Body,
    answered: Body,
}

heap!(Open: record, asked, answered);

/// The body of a message.
#[derive(Debug)]
struct Body {
    contents: Contents,
    /// Its length, if that is announced.
    total: Option<u64>,
}

heap!(Body: contents);

impl Default for Body {
    /// Of no interest until its head was read.
    fn default() -> Self {
        Self {
            contents: Contents::Passed,
            total: None,
        }
    }
}

impl Body {
    /// The body behind these fields; what is compressed on the way, or a part of a file, does not begin as the file does.
    fn behind(fields: &Fields, is_part: bool) -> Self {
        if fields.encoded || is_part {
            return Self::default();
        }
        Self {
            contents: Contents::default(),
            total: fields.content_length,
        }
    }
}

impl Open {
    fn new(stream: u32, ts: Timestamp, record: HttpRecord) -> Self {
        let (asked, answered) = (Body::default(), Body::default());
        Self {
            stream,
            ts,
            record,
            asked,
            answered,
        }
    }

    fn body(&mut self, is_client: bool) -> &mut Body {
        if is_client {
            &mut self.asked
        } else {
            &mut self.answered
        }
    }

    /// Writes it as it stands.
    fn tell(mut self, out: &mut Out<'_>) {
        self.asked.contents.end(false, out);
        self.answered.contents.end(false, out);
        out.record(self.ts, self.record);
    }
}

/// Streams of one connection.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: VecDeque<Open>,
    depth: u64,
    /// Files followed so far, by direction.
    files: [u64; 2],
    agent: Option<Text>,
    server: Option<Text>,
    /// Last secret shown by `Basic`.
    shown: Secret,
}

heap!(Streams: open, agent, server);

impl Streams {
    /// A message begins, or its trailer ends it.
    pub(super) fn head(
        &mut self,
        stream: u32,
        (ts, dir, is_client): (Timestamp, Dir, bool),
        head: Head,
        out: &mut Out<'_>,
    ) {
        if is_client && head.method.is_some() {
            self.request(stream, (ts, dir), head, out);
        } else if let Some(status) = head.status.filter(|_| !is_client) {
            self.response(stream, (ts, dir), status, head.fields, out);
        }
    }

    fn request(&mut self, stream: u32, (ts, dir): (Timestamp, Dir), head: Head, out: &mut Out<'_>) {
        let mut fields = head.fields;
        if let Some(basic) = fields.basic.take() {
            basic.tell(&mut self.shown, out);
        }
        if fields.user_agent.is_some() && fields.user_agent != self.agent {
            // A connection is of one client, unless a proxy holds it: then the first is told.
            if self.agent.is_none() {
                software(dir, "http user-agent", fields.user_agent.clone(), out);
            }
            self.agent = fields.user_agent.clone();
        }
        self.depth = self.depth.saturating_add(1);
        let (path, secret) = head.path.unzip();
        let auth_scheme = fields.auth_scheme.or_else(|| secret.flatten());
        let asked = Body::behind(&fields, false);
        let record = HttpRecord {
            trans_depth: self.depth,
            method: head.method,
            host: head.authority.or(fields.host),
            uri: path,
            referrer: fields.referrer,
            version: Some(Text::const_new("2")),
            user_agent: fields.user_agent,
            origin: fields.origin,
            authorization: auth_scheme.is_some(),
            auth_scheme,
            proxied: Some(fields.proxied).filter(|list| !list.is_empty()),
            orig_filenames: fields.filename.map(|name| vec![name]),
            orig_mime_types: fields.mime_type.map(|name| vec![name]),
            ..HttpRecord::default()
        };
        self.close(stream, out);
        if self.open.len() >= STREAMS_MAX
            && let Some(oldest) = self.open.pop_front()
        {
            out.weird("http2_table_full", None, "http2");
            oldest.tell(out);
        }
        self.open.push_back(Open {
            asked,
            ..Open::new(stream, ts, record)
        });
    }

    fn response(
        &mut self,
        stream: u32,
        (ts, dir): (Timestamp, Dir),
        status: u16,
        fields: Fields,
        out: &mut Out<'_>,
    ) {
        let answered = Body::behind(&fields, status == 206);
        if fields.server.is_some() && self.server.is_none() {
            self.server = fields.server;
            software(dir, "http server header", self.server.clone(), out);
        }
        if self.find(stream).is_none() {
            // The request was before the capture, or has been written already.
            self.depth = self.depth.saturating_add(1);
            let record = HttpRecord {
                trans_depth: self.depth,
                version: Some(Text::const_new("2")),
                ..HttpRecord::default()
            };
            if self.open.len() < STREAMS_MAX {
                self.open.push_back(Open::new(stream, ts, record));
            }
        }
        let Some(open) = self.find(stream) else {
            return;
        };
        let record = &mut open.record;
        if (100..200).contains(&status) {
            record.info_code = Some(status);
            return;
        }
        record.status_code = Some(status);
        open.answered = answered;
        record.resp_filenames = fields.filename.map(|name| vec![name]);
        record.resp_mime_types = fields.mime_type.map(|name| vec![name]);
    }

    /// Adds to the length of a body.
    pub(super) fn count(&mut self, stream: u32, is_client: bool, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if let Some(Open { record, .. }) = self.find(stream) {
            let len = if is_client {
                &mut record.request_body_len
            } else {
                &mut record.response_body_len
            };
            *len = len.saturating_add(bytes);
        }
    }

    /// Whether a body is to be looked at.
    pub(super) fn wants(&mut self, stream: u32, is_client: bool) -> bool {
        let open = self.find(stream);
        open.is_some_and(|open| !open.body(is_client).contents.is_passed())
    }

    /// Takes the next bytes of a body.
    pub(super) fn body(
        &mut self,
        stream: u32,
        (dir, is_client): (Dir, bool),
        bytes: &[u8],
        out: &mut Out<'_>,
    ) {
        let mut files = self.files;
        let [orig, resp] = &mut files;
        let depth = if dir == Dir::Orig { orig } else { resp };
        let all = self
            .open
            .iter_mut()
            .flat_map(|open| [&mut open.asked, &mut open.answered]);
        let followed = all.filter_map(|body| body.contents.file()).count();
        let Some(open) = self.find(stream) else {
            return;
        };
        let body = if is_client {
            &mut open.asked
        } else {
            &mut open.answered
        };
        if followed >= FILES_MAX && body.contents.file().is_none() {
            body.contents = Contents::Passed;
            return out.weird("http2_many_files", None, "http2");
        }
        let record = &mut open.record;
        let (types, names, fuids) = if is_client {
            let names = &record.orig_filenames;
            (&mut record.orig_mime_types, names, &mut record.orig_fuids)
        } else {
            let names = &record.resp_filenames;
            (&mut record.resp_mime_types, names, &mut record.resp_fuids)
        };
        let total = body.total;
        let about = |mime_type| {
            *depth = depth.saturating_add(1);
            Beginning {
                source: "HTTP",
                dir,
                depth: *depth,
                mime_type,
                filename: names.as_ref().and_then(|names| names.first().cloned()),
                total,
            }
        };
        if let Some(kind) = body.contents.more(bytes, about, out) {
            *types = Some(vec![kind.into()]);
            *fuids = body.contents.file().map(|file| vec![file.fuid().into()]);
        }
        self.files = files;
    }

    /// Bytes of a body were lost.
    pub(super) fn lose(&mut self, stream: u32, is_client: bool, bytes: u64) {
        if let Some(open) = self.find(stream) {
            open.body(is_client).contents.lose(bytes);
        }
    }

    /// A message is over, and with the response its stream.
    pub(super) fn over(&mut self, stream: u32, is_client: bool, out: &mut Out<'_>) {
        if let Some(open) = self.find(stream) {
            open.body(is_client).contents.end(true, out);
        }
        if !is_client {
            self.close(stream, out);
        }
    }

    /// A stream is over.
    pub(super) fn close(&mut self, stream: u32, out: &mut Out<'_>) {
        let place = self.open.iter().position(|open| open.stream == stream);
        if let Some(open) = place.and_then(|place| self.open.remove(place)) {
            open.tell(out);
        }
    }

    /// The flow is over.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        for open in self.open.drain(..) {
            open.tell(out);
        }
    }

    fn find(&mut self, stream: u32) -> Option<&mut Open> {
        self.open.iter_mut().find(|open| open.stream == stream)
    }
}

fn software(dir: Dir, evidence: &'static str, value: Option<Text>, out: &mut Out<'_>) {
    let side = match dir {
        Dir::Orig => out.flow.orig,
        Dir::Resp => out.flow.resp,
    };
    out.clue(Clue {
        mac: None,
        ip: Some(side.ip()),
        kind: ClueKind::Software,
        evidence,
        value: value.unwrap_or_default(),
    });
}
