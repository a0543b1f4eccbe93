//! HTTP/2 in clear: the same requests and responses as HTTP/1, in frames and with packed header fields.
//!
//! Standard: RFC 9113 (frames §6, message §8.1), RFC 7541 (HPACK). With prior knowledge (§3.3) only.
//! Input:    both streams of a TCP flow that begins with a client's preface; gRPC is of this kind.
//! Output:   one `http` record per stream, its version 2, when its response ends; `files` of its bodies; user agent
//!           and server as software clues.
//! Bounds:   64 open streams, the oldest is then written as it stands; a header block of 16 KiB; a table as in
//!           `hpack`; texts as in HTTP/1. Bodies are passed over unless they begin as a file that is followed
//!           does, 16 at a time. After a loss elsewhere than in such a body header fields cannot be read any
//!           more, so the flow is left.
//! Secrets:  as in HTTP/1.
//! Not done: `Upgrade: h2c`; pushed responses are joined to no request.

mod hpack;
mod huffman;
mod stream;
#[cfg(test)]
mod tests;

use self::hpack::{Decoder, Trouble};
use self::stream::Streams;
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::{heap, heap_of};

/// What a client begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER_LEN: usize = 9;
/// Longest block of header fields, over all its frames.
const BLOCK_LEN_MAX: usize = 16 * 1024;
/// Longest frame that is waited for, its padding included.
const FRAME_LEN_MAX: usize = 32 * 1024;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x01;
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Http2 {
    client: Option<Dir>,
    client_side: Side,
    server_side: Side,
    streams: Streams,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    decoder: Decoder,
    /// A block of header fields under way.
    block: Option<Block>,
    /// A piece of a body under way.
    data: Option<Data>,
}

heap!(Side: decoder, block);

/// Header fields that go on in the next frame.
#[derive(Debug)]
struct Block {
    stream: u32,
    is_pushed: bool,
    ends_stream: bool,
    bytes: Vec<u8>,
}

heap!(Block: bytes);

/// A piece of a body that is looked at.
#[derive(Clone, Copy, Debug)]
struct Data {
    stream: u32,
    /// Bytes still to come, and those of the padding behind them.
    left: usize,
    padding: usize,
    ends_stream: bool,
}

/// A frame's header.
#[derive(Clone, Copy, Debug)]
struct Frame {
    len: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Protocol for Http2 {
    const NAME: &'static str = "http2";
    const PORTS: &'static [Port] = &[Port::Tcp(80), Port::Tcp(8080), Port::Tcp(50051)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        if start.starts_with(PREFACE) {
            Probe::Certain
        } else if PREFACE.starts_with(start) {
            Probe::Unsure
        } else {
            Probe::NotMine
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if (input.gap > 0 && !self.lose(input)) || input.datagram {
            self.finish(out);
            return Parse::Skip;
        }
        let is_client = self.is_client(input.dir);
        if let Some(data) = self.side(is_client).data {
            return self.data(data, input, out);
        }
        if self.client.is_none()
            && PREFACE.starts_with(input.data)
            && input.data.len() < PREFACE.len()
        {
            let need = PREFACE.len().saturating_sub(input.data.len());
            return Parse::NeedMore { used: 0, need };
        }
        if input.data.starts_with(PREFACE) && self.client.is_none() {
            self.client = Some(input.dir);
            return Parse::Parsed {
                used: PREFACE.len(),
            };
        }
        let Some((header, rest)) = input.data.split_first_chunk::<HEADER_LEN>() else {
            let need = HEADER_LEN.saturating_sub(input.data.len());
            return Parse::NeedMore { used: 0, need };
        };
        let frame = frame(header);
        match frame.kind {
            HEADERS | CONTINUATION | PUSH_PROMISE | RST_STREAM => {
                self.with_body(frame, rest, input, out)
            }
            _ => self.passed(frame, rest, input, out),
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.streams.finish(out);
    }

    fn heap(&self) -> usize {
        heap_of!(self: client_side, server_side, streams)
    }
}

impl Http2 {
    /// A frame that is read as a whole.
    fn with_body(
        &mut self,
        frame: Frame,
        rest: &[u8],
        input: Input<'_>,
        out: &mut Out<'_>,
    ) -> Parse {
        if frame.len > FRAME_LEN_MAX {
            return self.give_up("http2_frame_too_long", out);
        }
        let Some(body) = rest.get(..frame.len) else {
            let need = frame.len.saturating_sub(rest.len());
            return Parse::NeedMore { used: 0, need };
        };
        let is_client = self.is_client(input.dir);
        let fine = match frame.kind {
            RST_STREAM => {
                self.streams.close(frame.stream, out);
                Ok(())
            }
            CONTINUATION => self.fragment(frame, body, input, out),
            _ => match unpadded(frame, body) {
                Some(fragment) => {
                    let block = Block {
                        stream: frame.stream,
                        is_pushed: frame.kind == PUSH_PROMISE,
                        ends_stream: frame.flags & END_STREAM != 0,
                        bytes: Vec::new(),
                    };
                    self.side(is_client).block = Some(block);
                    self.fragment(frame, fragment, input, out)
                }
                None => Err("http2_bad_frame"),
            },
        };
        match fine {
            Ok(()) => Parse::Parsed {
                used: HEADER_LEN.saturating_add(frame.len),
            },
            Err(weird) => self.give_up(weird, out),
        }
    }

    /// Adds to the block under way and reads it once it is whole.
    fn fragment(
        &mut self,
        frame: Frame,
        bytes: &[u8],
        input: Input<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), &'static str> {
        let is_client = self.is_client(input.dir);
        let side = if is_client {
            &mut self.client_side
        } else {
            &mut self.server_side
        };
        let block = side
            .block
            .as_mut()
            .filter(|block| block.stream == frame.stream);
        let block = block.ok_or("http2_bad_frame")?;
        if block.bytes.len().saturating_add(bytes.len()) > BLOCK_LEN_MAX {
            return Err("http2_headers_too_long");
        }
        block.bytes.extend_from_slice(bytes);
        if frame.flags & END_HEADERS == 0 {
            return Ok(());
        }
        let Some(block) = side.block.take() else {
            return Ok(());
        };
        let mut head = stream::Head::default();
        let read = side
            .decoder
            .block(&block.bytes, |name, value| head.field(name, value));
        match read {
            Ok(()) => {}
            Err(Trouble::Malformed) => return Err("http2_bad_headers"),
            Err(Trouble::TooLarge) => return Err("http2_table_too_large"),
        }
        if !block.is_pushed {
            let from = (input.ts, input.dir, is_client);
            self.streams.head(block.stream, from, head, out);
            if block.ends_stream {
                self.streams.over(block.stream, is_client, out);
            }
        }
        Ok(())
    }

    /// A frame whose body is of no interest, but for its length.
    fn passed(&mut self, frame: Frame, rest: &[u8], input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let is_client = self.is_client(input.dir);
        if frame.kind == DATA {
            // A padded one tells its padding in the first byte of the body.
            let padding = match (frame.flags & PADDED, rest.first()) {
                (0, _) => 0,
                (_, Some(len)) => usize::from(*len).saturating_add(1),
                (_, None) if frame.len > 0 => return Parse::NeedMore { used: 0, need: 1 },
                (_, None) => 0,
            };
            self.streams
                .count(frame.stream, is_client, frame.len.saturating_sub(padding));
            let data = Data {
                stream: frame.stream,
                left: frame.len.saturating_sub(padding),
                padding: padding.saturating_sub(1),
                ends_stream: frame.flags & END_STREAM != 0,
            };
            if data.left > 0 && out.files && self.streams.wants(frame.stream, is_client) {
                self.side(is_client).data = Some(data);
                let used = HEADER_LEN.saturating_add(usize::from(padding > 0));
                return Parse::Parsed { used };
            }
            if data.ends_stream {
                self.streams.over(frame.stream, is_client, out);
            }
        }
        match frame.len.checked_sub(rest.len()) {
            Some(missing) if missing > 0 => Parse::SkipBytes {
                bytes: u64::try_from(missing).unwrap_or(u64::MAX),
            },
            _ => Parse::Parsed {
                used: HEADER_LEN.saturating_add(frame.len),
            },
        }
    }

    /// A piece of a body that is looked at.
    fn data(&mut self, data: Data, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let is_client = self.is_client(input.dir);
        let here = input.data.get(..data.left).unwrap_or(input.data);
        let from = (input.dir, is_client);
        self.streams.body(data.stream, from, here, out);
        let left = data.left.saturating_sub(here.len());
        self.side(is_client).data = Some(Data { left, ..data }).filter(|_| left > 0);
        if left > 0 {
            return Parse::Parsed { used: here.len() };
        }
        if data.ends_stream {
            self.streams.over(data.stream, is_client, out);
        }
        Parse::past(here.len().saturating_add(data.padding), input.data)
    }

    /// Bytes were lost; false if it is not known what they were.
    fn lose(&mut self, input: Input<'_>) -> bool {
        let is_client = self.is_client(input.dir);
        let Some(data) = &mut self.side(is_client).data else {
            return false;
        };
        let gap = usize::try_from(input.gap).unwrap_or(usize::MAX);
        let Some(left) = data.left.checked_sub(gap).filter(|left| *left > 0) else {
            return false;
        };
        data.left = left;
        let stream = data.stream;
        self.streams.lose(stream, is_client, input.gap);
        true
    }

    fn give_up(&mut self, weird: &'static str, out: &mut Out<'_>) -> Parse {
        self.finish(out);
        Parse::Broken(weird)
    }

    fn is_client(&self, dir: Dir) -> bool {
        self.client.unwrap_or(Dir::Orig) == dir
    }

    fn side(&mut self, is_client: bool) -> &mut Side {
        if is_client {
            &mut self.client_side
        } else {
            &mut self.server_side
        }
    }
}

/// RFC 9113 §4.1: length 24, type 8, flags 8, a reserved bit, stream 31.
fn frame(header: &[u8; HEADER_LEN]) -> Frame {
    let [a, b, c, kind, flags, s0, s1, s2, s3] = *header;
    Frame {
        len: usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX),
        kind,
        flags,
        stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
    }
}

/// The fragment of a HEADERS or PUSH_PROMISE frame: padding's length, then priority or the promised
/// stream, then the fragment, then padding.
fn unpadded(frame: Frame, body: &[u8]) -> Option<&[u8]> {
    const PRIORITY_LEN: usize = 5;
    const PROMISED_LEN: usize = 4;
    let (padding, mut body) = match frame.flags & PADDED {
        0 => (0, body),
        _ => body
            .split_first()
            .map(|(len, rest)| (usize::from(*len), rest))?,
    };
    if frame.kind == HEADERS && frame.flags & PRIORITY != 0 {
        body = body.get(PRIORITY_LEN..)?;
    }
    if frame.kind == PUSH_PROMISE {
        body = body.get(PROMISED_LEN..)?;
    }
    body.get(..body.len().checked_sub(padding)?)
}
