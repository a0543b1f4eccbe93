//! SIP: who calls whom, who registers where, and what became of it.
//!
//! Standard: RFC 3261; RFC 3903, 3428, 6665 and others add methods.
//! Input:    datagrams of one message each, or both streams of a TCP flow.
//! Output:   one `sip` record per response with its request, as Zeek has them, and one per request without
//!           a response (`ACK` at once, others at the end). The sender's program is a software clue; where media
//!           are awaited is told, so that their flows are known.
//! Bounds:   16 requests open for a response, the oldest is then written as it is; 4 programs told a flow;
//!           messages as in `message`, descriptions of media as in `sdp`. Other bodies are passed over.
//! Secrets:  credentials: only the account they name; passwords in URIs are cut out.
//! Not done: calls over several flows are not joined.

mod message;
mod record;
mod sdp;

use std::collections::VecDeque;

use self::message::{Message, Start, is_request};
pub use self::record::SipRecord;
use super::lines::{BothLines, LINE_LEN_MAX, Next, tell_software};
use super::{Dir, Input, Out, Parse, Port, Probe, Protocol};
use crate::types::{Text, Timestamp, heap, heap_of};

/// Requests that await a response.
const OPEN_MAX: usize = 16;
/// Programs told of one flow: a proxy's flow carries many.
const AGENTS_MAX: usize = 4;
/// Headers of one message.
const LINES_MAX: u16 = 256;

/// A request.
#[derive(Debug)]
struct Open {
    ts: Timestamp,
    record: SipRecord,
    answered: bool,
}

heap!(Open: record);

/// A message under way in a stream.
#[derive(Debug, Default)]
struct Side {
    message: Message,
    lines: u16,
    /// Whether a start line is awaited after nonsense.
    lost: bool,
    /// Length of the description that comes next.
    description: usize,
}

heap!(Side: message);

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Sip {
    lines: BothLines,
    sides: [Side; 2],
    open: VecDeque<Open>,
    depth: u64,
    agents: Vec<Text>,
    sure: bool,
}

impl Protocol for Sip {
    const NAME: &'static str = "sip";
    const PORTS: &'static [Port] = &[Port::Udp(5060), Port::Tcp(5060)];

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let first = start.first().copied().unwrap_or(0);
        if !first.is_ascii_uppercase() {
            return Probe::NotMine;
        }
        if start.starts_with(b"SIP/2.0 ") {
            return Probe::Certain;
        }
        match is_request(start) {
            Some(true) => Probe::Certain,
            None => Probe::Unsure,
            Some(false) if b"SIP/2.0 ".starts_with(start) => Probe::Unsure,
            Some(false) => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return self.datagram(input, out);
        }
        if input.gap > 0 {
            let side = self.side(input.dir);
            *side = Side {
                lost: true,
                ..Side::default()
            };
        }
        let description = self.side(input.dir).description;
        if description > 0 {
            return self.description(description, input, out);
        }
        match self.lines.of(input.dir).next(input.data, input.gap) {
            Next::More => Parse::NeedMore { used: 0, need: 1 },
            Next::Passed { used } => Parse::Parsed { used },
            Next::Line { line, used, .. } => self.line(input, line, used, out),
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        while let Some(open) = self.open.pop_front() {
            Self::write(open, out);
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: sides, open, agents)
    }
}

impl Sip {
    fn side(&mut self, dir: Dir) -> &mut Side {
        let [orig, resp] = &mut self.sides;
        match dir {
            Dir::Orig => orig,
            Dir::Resp => resp,
        }
    }

    /// One message, at least its head.
    fn datagram(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let used = input.data.len();
        // Keep-alives between messages (RFC 5626 §3.5.1, and single NULs of old).
        if input
            .data
            .iter()
            .all(|byte| matches!(byte, b'\r' | b'\n' | 0))
        {
            return Parse::Parsed { used };
        }
        let (mut message, mut head) = (Message::default(), 0_usize);
        for line in input
            .data
            .split(|byte| *byte == b'\n')
            .take(usize::from(LINES_MAX))
        {
            head = head.saturating_add(line.len()).saturating_add(1);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if message.start.is_none() {
                message.start = Start::read(line);
                if message.start.is_none() {
                    return if self.sure {
                        Parse::Parsed { used }
                    } else {
                        Parse::Broken("sip_no_start_line")
                    };
                }
            } else if message.line(line.get(..LINE_LEN_MAX).unwrap_or(line)) {
                break;
            }
        }
        message.close();
        if sdp::is_description(message.content_type.as_deref()) {
            sdp::announce(input.data.get(head..).unwrap_or_default(), out);
        }
        self.message(input, message, out);
        Parse::Parsed { used }
    }

    /// A line of a stream.
    fn line(&mut self, input: Input<'_>, line: &[u8], used: usize, out: &mut Out<'_>) -> Parse {
        let sure = self.sure;
        let side = self.side(input.dir);
        side.lines = side.lines.saturating_add(1);
        if side.message.start.is_none() {
            side.message.start = Start::read(line);
            let is_start = side.message.start.is_some();
            if is_start {
                (side.lines, side.lost) = (0, false);
            } else if !line.is_empty() && !sure && !side.lost {
                return Parse::Broken("sip_no_start_line");
            }
            return Parse::Parsed { used };
        }
        if !side.message.line(line) {
            if side.lines > LINES_MAX {
                (side.message, side.lost) = (Message::default(), true);
                out.weird("sip_many_headers", None, Self::NAME);
            }
            return Parse::Parsed { used };
        }
        let message = std::mem::take(&mut side.message);
        let body = message.body_len.unwrap_or(0);
        let is_description = sdp::is_description(message.content_type.as_deref());
        self.message(input, message, out);
        let short = usize::try_from(body).unwrap_or(usize::MAX);
        if is_description && short <= sdp::BODY_LEN_MAX {
            self.side(input.dir).description = short;
            return Parse::Parsed { used };
        }
        // The body: what of it is here, and what is still to come.
        let here = input.data.len().saturating_sub(used);
        match usize::try_from(body) {
            Ok(body) if body <= here => Parse::Parsed {
                used: used.saturating_add(body),
            },
            _ => Parse::SkipBytes {
                bytes: body.saturating_sub(u64::try_from(here).unwrap_or(u64::MAX)),
            },
        }
    }

    /// The body of a message of a stream, once it is whole.
    fn description(&mut self, len: usize, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let Some(body) = input.data.get(..len) else {
            let need = len.saturating_sub(input.data.len());
            return Parse::NeedMore { used: 0, need };
        };
        self.side(input.dir).description = 0;
        sdp::announce(body, out);
        Parse::Parsed { used: len }
    }

    fn message(&mut self, input: Input<'_>, message: Message, out: &mut Out<'_>) {
        self.sure = true;
        let agent = match message.start {
            Some(Start::Request { .. }) => message.user_agent.clone(),
            _ => message
                .server
                .clone()
                .or_else(|| message.user_agent.clone()),
        };
        if let Some(agent) = agent
            && self.agents.len() < AGENTS_MAX
            && !self.agents.contains(&agent)
        {
            self.agents.push(agent.clone());
            tell_software(input.dir, "sip user-agent", agent, out);
        }
        match message.start.clone() {
            Some(Start::Request { method, uri }) => {
                self.request(input, (method, uri), message, out)
            }
            Some(Start::Response { status, reason }) => {
                self.response(input, (status, reason), message, out);
            }
            None => {}
        }
    }

    fn request(
        &mut self,
        input: Input<'_>,
        (method, uri): (Text, Text),
        message: Message,
        out: &mut Out<'_>,
    ) {
        // Sent again over UDP until it is answered.
        let again = self
            .open
            .iter()
            .any(|open| open.record.call_id == message.call_id && open.record.seq == message.seq);
        if again && message.call_id.is_some() {
            return;
        }
        self.depth = self.depth.saturating_add(1);
        let is_ack = method == "ACK";
        let open = Open {
            ts: input.ts,
            answered: false,
            record: SipRecord {
                trans_depth: self.depth,
                method: Some(method),
                uri: Some(uri),
                date: message.date,
                request_from: message.from,
                request_to: message.to,
                reply_to: message.reply_to,
                call_id: message.call_id,
                seq: message.seq,
                subject: message.subject,
                request_path: Some(message.via).filter(|list| !list.is_empty()),
                user_agent: message.user_agent,
                request_body_len: message.body_len,
                content_type: message.content_type,
                user: message.user,
                ..SipRecord::default()
            },
        };
        if is_ack {
            Self::write(open, out);
            return;
        }
        if self.open.len() >= OPEN_MAX
            && let Some(oldest) = self.open.pop_front()
        {
            Self::write(oldest, out);
        }
        self.open.push_back(open);
    }

    fn response(
        &mut self,
        input: Input<'_>,
        (status, reason): (u16, Text),
        message: Message,
        out: &mut Out<'_>,
    ) {
        let at = self.open.iter().position(|open| {
            open.record.call_id == message.call_id && open.record.seq == message.seq
        });
        let (ts, mut record) = match at.and_then(|at| self.open.get_mut(at)) {
            Some(open) => {
                open.answered = true;
                (open.ts, open.record.clone())
            }
            None => {
                let seq = message.seq.as_deref().unwrap_or_default();
                let method = seq.rsplit_once(' ').map(|(_, method)| method.into());
                let record = SipRecord {
                    method,
                    call_id: message.call_id,
                    seq: message.seq,
                    ..SipRecord::default()
                };
                (input.ts, record)
            }
        };
        if status >= 200
            && let Some(at) = at
        {
            self.open.remove(at);
        }
        record.response_from = message.from;
        record.response_to = message.to;
        record.response_path = Some(message.via).filter(|list| !list.is_empty());
        record.status_code = Some(status);
        record.status_msg = Some(reason);
        record.warning = message.warning;
        record.response_body_len = message.body_len;
        record.content_type = message.content_type.or(record.content_type);
        out.record(ts, record);
    }

    /// Writes a request that no response went with.
    fn write(open: Open, out: &mut Out<'_>) {
        if !open.answered {
            out.record(open.ts, open.record);
        }
    }
}

#[cfg(test)]
mod tests;
