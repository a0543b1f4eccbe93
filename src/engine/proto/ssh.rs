//! SSH: who speaks which implementation.
//!
//! Standard: RFC 4253 §4.2, the identification string.
//! Input:    the first line of each direction, TCP.
//! Output:   one `ssh` record once both lines are there, and a software clue for each side.
//! Bounds:   a line is 255 bytes with CR LF; lines before the server's own are passed over, 16 at most.

use super::{Dir, Input, Out, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Clue, ClueKind, Text, Timestamp, text};

/// Longest identification line, CR LF included (RFC 4253 §4.2).
const LINE_LEN_MAX: usize = 255;
/// Lines a server may send before its own.
const LINES_BEFORE_MAX: u8 = 16;

record! {
    /// One SSH session (Zeek's `ssh.log`).
    pub struct SshRecord = "ssh" {
        /// Protocol version: 1 or 2.
        pub version: Option<u8> = "version",
        /// The client's identification line.
        pub client: Option<Text> = "client",
        /// The server's identification line.
        pub server: Option<Text> = "server",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Ssh {
    started: Option<Timestamp>,
    client: Option<Text>,
    server: Option<Text>,
    lines_before: u8,
    done: bool,
}

impl Protocol for Ssh {
    const NAME: &'static str = "ssh";
    const PORTS: &'static [Port] = &[Port::Tcp(22)];

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start.get(..4) {
            Some(b"SSH-") => Probe::Certain,
            Some(_) => Probe::NotMine,
            None if b"SSH-".starts_with(start) => Probe::Unsure,
            None => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.gap > 0 {
            return Parse::Skip;
        }
        self.started.get_or_insert(input.ts);
        let window = input.data.get(..LINE_LEN_MAX).unwrap_or(input.data);
        let Some(end) = memchr::memchr(b'\n', window) else {
            return if input.data.len() >= LINE_LEN_MAX {
                Parse::Broken("ssh_line_too_long")
            } else {
                Parse::NeedMore { used: 0, need: 1 }
            };
        };
        let line = input.data.get(..end).unwrap_or_default().trim_ascii_end();
        let used = end.saturating_add(1);
        if !line.starts_with(b"SSH-") {
            self.lines_before = self.lines_before.saturating_add(1);
            return if self.lines_before > LINES_BEFORE_MAX {
                Parse::Broken("ssh_no_identification")
            } else {
                Parse::Parsed { used }
            };
        }
        self.identified(input.dir, text(line, LINE_LEN_MAX), out);
        if self.done {
            Parse::Skip
        } else {
            Parse::SkipBytes { bytes: u64::MAX }
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        self.emit(out);
    }
}

impl Ssh {
    /// Keeps a side's line; the record follows once both are there.
    fn identified(&mut self, dir: Dir, line: Text, out: &mut Out<'_>) {
        let (slot, side) = match dir {
            Dir::Orig => (&mut self.client, out.flow.orig),
            Dir::Resp => (&mut self.server, out.flow.resp),
        };
        *slot = Some(line.clone());
        let (ip, evidence) = (Some(side.ip()), "ssh identification");
        out.clue(Clue {
            mac: None,
            ip,
            kind: ClueKind::Software,
            evidence,
            value: line,
        });
        if self.client.is_some() && self.server.is_some() {
            self.emit(out);
        }
    }

    fn emit(&mut self, out: &mut Out<'_>) {
        let Some(ts) = self.started.filter(|_| !self.done) else {
            return;
        };
        self.done = true;
        let line = self
            .server
            .as_deref()
            .or(self.client.as_deref())
            .unwrap_or_default();
        let version = if line.starts_with("SSH-1.") && !line.starts_with("SSH-1.99") {
            1
        } else {
            2
        };
        let record = SshRecord {
            version: Some(version),
            client: self.client.take(),
            server: self.server.take(),
        };
        out.record(ts, record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Body, FlowRef, Observations, Value};

    /// Feeds pieces and returns the values of the `ssh` records.
    fn run(pieces: &[(Dir, &[u8])]) -> Vec<Vec<String>> {
        let (flow, mut seen, mut ssh) = (FlowRef::default(), Observations::new(), Ssh::default());
        for (dir, data) in pieces {
            let input = Input {
                ts: Timestamp::from_secs(1),
                dir: *dir,
                data,
                gap: 0,
                datagram: false,
            };
            ssh.parse(
                input,
                &mut Out::new(&flow, Timestamp::from_secs(1), &mut seen),
            );
        }
        ssh.finish(&mut Out::new(&flow, Timestamp::from_secs(2), &mut seen));
        seen.iter()
            .filter_map(|o| {
                if let Body::Record(r) = &o.body {
                    Some(r)
                } else {
                    None
                }
            })
            .map(|r| (0..3).map(|i| format!("{:?}", r.body.value(i))).collect())
            .collect()
    }

    #[test]
    fn both_lines_make_one_record() {
        let rows = run(&[
            (Dir::Resp, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
            (Dir::Orig, b"SSH-2.0-PuTTY_Release_0.81\r\n"),
        ]);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0][0], format!("{:?}", Value::Int(2)));
        assert_eq!(
            rows[0][1],
            format!("{:?}", Value::Str("SSH-2.0-PuTTY_Release_0.81"))
        );
    }

    #[test]
    fn a_line_without_end_is_broken() {
        let long = [b'x'; 300];
        let mut ssh = Ssh::default();
        let (flow, mut seen) = (FlowRef::default(), Observations::new());
        let input = Input {
            ts: Timestamp::default(),
            dir: Dir::Resp,
            data: &long,
            gap: 0,
            datagram: false,
        };
        let answer = ssh.parse(input, &mut Out::new(&flow, Timestamp::default(), &mut seen));
        assert_eq!(answer, Parse::Broken("ssh_line_too_long"));
    }
}
