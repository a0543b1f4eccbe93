//! Heads of HTTP in datagrams: SSDP (UPnP Device Architecture 2.0 §1).

use super::head::{self, Fields, StartLine};
use super::{Http, Input, Out, Parse, Protocol as _};

impl Http {
    /// A datagram is one head, written at once: searches are answered by many, and to another port.
    pub(super) fn datagram(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        let head = head::end(data, 0)
            .and_then(|end| data.get(..end))
            .unwrap_or(data);
        let (line, rest) = head::split_once(head, b'\n').unwrap_or((head, &[]));
        let Some(start) = StartLine::read(line.trim_ascii_end()) else {
            return Parse::Broken("http_no_start_line");
        };
        let mut fields = Fields::read(rest);
        self.told_server(input.dir, "ssdp server", fields.server.take(), out);
        match start {
            StartLine::Request {
                method,
                target,
                version,
            } => {
                self.request(input, (method, target, version), fields, out);
            }
            StartLine::Response {
                version,
                status,
                reason,
            } => {
                self.response(input, (version, status, reason), fields, out);
            }
        }
        self.finish(out);
        Parse::Parsed { used: data.len() }
    }
}
