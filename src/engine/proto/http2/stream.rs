//! Streams of a connection: which response belongs to which request.
//!
//! Standard: RFC 9113 §8.3: what HTTP/1 has in its start lines are fields that begin with a colon.

use std::collections::VecDeque;

use super::super::Secret;
use super::super::http::{Fields, HttpRecord, uri};
use crate::proto::{Dir, Out};
use crate::types::{Clue, ClueKind, Text, Timestamp, heap, text};

/// Streams that wait for their response's end.
const STREAMS_MAX: usize = 64;

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
}

heap!(Open: record);

/// Streams of one connection.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: VecDeque<Open>,
    depth: u64,
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
            && let Some(Open { ts, record, .. }) = self.open.pop_front()
        {
            out.weird("http2_table_full", None, "http2");
            out.record(ts, record);
        }
        self.open.push_back(Open { stream, ts, record });
    }

    fn response(
        &mut self,
        stream: u32,
        (ts, dir): (Timestamp, Dir),
        status: u16,
        fields: Fields,
        out: &mut Out<'_>,
    ) {
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
                self.open.push_back(Open { stream, ts, record });
            }
        }
        let Some(Open { record, .. }) = self.find(stream) else {
            return;
        };
        if (100..200).contains(&status) {
            record.info_code = Some(status);
            return;
        }
        record.status_code = Some(status);
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

    /// A stream is over.
    pub(super) fn close(&mut self, stream: u32, out: &mut Out<'_>) {
        let place = self.open.iter().position(|open| open.stream == stream);
        if let Some(Open { ts, record, .. }) = place.and_then(|place| self.open.remove(place)) {
            out.record(ts, record);
        }
    }

    /// The flow is over.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        for Open { ts, record, .. } in self.open.drain(..) {
            out.record(ts, record);
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
