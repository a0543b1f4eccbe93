//! ONC RPC: which services a host asks of another, and what it does to its files over NFS.
//!
//! Standard: RFC 5531 (calls, replies, record marking), RFC 1833 (portmap, rpcbind), RFC 1094 and RFC 1813 (NFS 2 and 3,
//!           mount).
//! Input:    datagrams, or both streams of a TCP flow.
//! Output:   one `onc_rpc` record per flow and program, as a file is read with thousands of calls; the machine name that a
//!           client tells and what a server serves as clues.
//! Bounds:   1 KiB of a message is read, the rest is passed over; 16 programs and 64 open calls a flow, 32 procedures
//!           and names of each.
//! Secrets:  credentials other than those of `AUTH_SYS`, which are none, are not looked at.
//! Not done: what is inside NFS 4's compounds, and behind RPCSEC_GSS and TLS; file handles are not joined to names.

mod message;
mod program;

use std::collections::VecDeque;

use self::message::{Begins, Call, Kind};
use super::lines::{NAME_LEN_MAX, TEXT_LEN_MAX, add_distinct, tell};
use super::{Dir, Input, Out, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{ClueKind, Interval, Text, Timestamp, heap, heap_of, text};

/// Bytes of a message that are looked at.
const HEAD_LEN_MAX: usize = 1024;
/// Longest fragment taken for one: servers read and write a megabyte at once.
const FRAGMENT_LEN_MAX: usize = 16 << 20;
const PROGRAMS_MAX: usize = 16;
const PENDING_MAX: usize = 64;
/// Procedures and names of a program, each.
const VALUES_MAX: usize = 32;

record! {
    /// What one flow asked of one program.
    pub struct OncRpcRecord = "onc_rpc" {
        /// From the first to the last message.
        pub duration: Option<Interval> = "duration",
        /// The program by its name, such as `nfs`, else its number.
        pub program: Text = "program",
        /// Its version.
        pub version: u32 = "version",
        /// What was called, by name where it is known.
        pub procedures: Vec<Text> = "procedures",
        /// Calls.
        pub calls: u64 = "calls",
        /// Replies to them.
        pub replies: u64 = "replies",
        /// Replies that refuse the call.
        pub refused: u64 = "refused",
        /// How the caller says who it is: `AUTH_NONE`, `AUTH_SYS`, `RPCSEC_GSS` or a number.
        pub auth: Option<Text> = "auth",
        /// What the caller's machine is called, as it says.
        pub machine_name: Option<Text> = "machine_name",
        /// The caller's user, as it says.
        pub user_id: Option<u32> = "user_id",
        /// Names of files and folders in the calls.
        pub names: Option<Vec<Text>> = "names",
        /// Programs that portmap was asked about, such as `nfs 3 tcp`.
        pub asked: Option<Vec<Text>> = "asked",
    }
}

/// Talk with one program.
#[derive(Debug, Default)]
struct Talk {
    program: u32,
    first: Timestamp,
    last: Timestamp,
    record: OncRpcRecord,
}

heap!(Talk: record);

/// One direction of a stream.
#[derive(Debug, Default)]
struct Side {
    /// The next fragment goes on with a message.
    continues: bool,
    /// Bytes are missing: wait for the beginning of a message.
    lost: bool,
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct OncRpc {
    orig: Side,
    resp: Side,
    talks: Vec<Talk>,
    /// Identifier of each open call and its place among the talks.
    pending: VecDeque<(u32, usize)>,
    name_told: bool,
}

impl Protocol for OncRpc {
    const NAME: &'static str = "onc_rpc";
    const PORTS: &'static [Port] = &[
        Port::Udp(111),
        Port::Tcp(111),
        Port::Udp(2049),
        Port::Tcp(2049),
    ];

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        // A stream's first fragment is its last one as well, and short; in streams alone is it looked for behind a mark.
        if let [0x80, rest @ ..] = start {
            let behind = match rest {
                [0, _, _, message @ ..] => message::begins(message),
                _ if rest.len() < 3 => Some(Begins::Unsure),
                _ => None,
            };
            match behind {
                Some(Begins::Call | Begins::Ping) => return Probe::Certain,
                Some(_) => return Probe::Unsure,
                None => {}
            }
        }
        match message::begins(start) {
            Some(Begins::Call) => Probe::Certain,
            Some(Begins::Ping | Begins::Reply) => Probe::Unsure,
            Some(Begins::Unsure) | None => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            // What is none among datagrams that are says nothing; before them it is no RPC.
            if !self.message(&input, input.data, out) && self.talks.is_empty() {
                return Parse::Broken("onc_rpc_malformed");
            }
            return Parse::Parsed {
                used: input.data.len(),
            };
        }
        self.fragment(&input, out)
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        for talk in self.talks.drain(..) {
            let mut record = talk.record;
            record.duration = Some(Interval(
                talk.last.nanos().saturating_sub(talk.first.nanos()),
            ));
            out.record(talk.first, record);
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: talks, pending)
    }
}

impl OncRpc {
    fn side(&mut self, dir: Dir) -> &mut Side {
        match dir {
            Dir::Orig => &mut self.orig,
            Dir::Resp => &mut self.resp,
        }
    }

    /// Takes a fragment of a stream (RFC 5531 §11): a bit for the last one, its length, and so many bytes.
    fn fragment(&mut self, input: &Input<'_>, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        let side = self.side(input.dir);
        side.lost |= input.gap > 0;
        if side.lost {
            let message = data.get(4..).unwrap_or_default();
            if matches!(message::begins(message), None | Some(Begins::Unsure)) {
                return Parse::Parsed { used: data.len() };
            }
            (side.lost, side.continues) = (false, false);
        }
        let Some((marker, rest)) = data.split_first_chunk::<4>() else {
            let need = 4_usize.saturating_sub(data.len());
            return Parse::NeedMore { used: 0, need };
        };
        let marker = u32::from_be_bytes(*marker);
        let len = usize::try_from(marker & 0x7fff_ffff).unwrap_or(usize::MAX);
        if len > FRAGMENT_LEN_MAX {
            return self.astray(input, "onc_rpc_fragment_too_long");
        }
        if !side.continues {
            let wanted = len.min(HEAD_LEN_MAX);
            if rest.len() < wanted {
                let need = wanted.saturating_sub(rest.len());
                return Parse::NeedMore { used: 0, need };
            }
            let head = rest.get(..len).unwrap_or(rest);
            if !self.message(input, head, out) {
                return self.astray(input, "onc_rpc_malformed");
            }
        }
        self.side(input.dir).continues = marker >> 31 == 0;
        match len.checked_sub(rest.len()) {
            Some(beyond) if beyond > 0 => Parse::SkipBytes {
                bytes: u64::try_from(beyond).unwrap_or(u64::MAX),
            },
            _ => Parse::Parsed {
                used: len.saturating_add(4),
            },
        }
    }

    /// No message is where one should be: waits for the next, if there were any before.
    fn astray(&mut self, input: &Input<'_>, name: &'static str) -> Parse {
        if self.talks.is_empty() {
            return Parse::Broken(name);
        }
        self.side(input.dir).lost = true;
        Parse::Parsed {
            used: input.data.len(),
        }
    }

    /// Takes the beginning of a message; false if it is none.
    fn message(&mut self, input: &Input<'_>, data: &[u8], out: &mut Out<'_>) -> bool {
        match message::read(data) {
            Some((xid, Kind::Call(call))) => self.call(input, xid, &call, out),
            Some((xid, Kind::Reply { accepted })) => self.reply(input, xid, accepted, out),
            None => return false,
        }
        true
    }

    fn call(&mut self, input: &Input<'_>, xid: u32, call: &Call<'_>, out: &mut Out<'_>) {
        let Some(at) = self.talk(input.ts, call) else {
            return;
        };
        if self.pending.len() >= PENDING_MAX {
            self.pending.pop_front();
        }
        self.pending.push_back((xid, at));
        let name_told = &mut self.name_told;
        let Some(talk) = self.talks.get_mut(at) else {
            return;
        };
        talk.last = input.ts;
        let record = &mut talk.record;
        record.calls = record.calls.saturating_add(1);
        let procedure = program::procedure(call.program, call.version, call.procedure);
        add_distinct(&mut record.procedures, procedure, VALUES_MAX);
        // What asks nothing of anybody is called without a credential.
        if call.flavor != 0 || record.auth.is_none() {
            record.auth = Some(message::flavor(call.flavor));
        }
        if let Some((machine, uid)) = call.auth_sys() {
            record.user_id.get_or_insert(uid);
            if record.machine_name.is_none() && !machine.is_empty() {
                let machine = text(machine, TEXT_LEN_MAX);
                if !std::mem::replace(name_told, true) {
                    let kind = ClueKind::HostName;
                    tell(
                        input.dir,
                        kind,
                        "onc rpc machine name",
                        machine.clone(),
                        out,
                    );
                }
                record.machine_name = Some(machine);
            }
        }
        if let Some(asked) = program::asked(call) {
            add_distinct(record.asked.get_or_insert_default(), asked, VALUES_MAX);
        }
        for name in program::names(call).into_iter().flatten() {
            let name = text(name, NAME_LEN_MAX);
            add_distinct(record.names.get_or_insert_default(), name, VALUES_MAX);
        }
    }

    /// The place of the talk that a call belongs to, begun if it is new; none if there are too many.
    fn talk(&mut self, ts: Timestamp, call: &Call<'_>) -> Option<usize> {
        let same =
            |talk: &Talk| (talk.program, talk.record.version) == (call.program, call.version);
        if let Some(at) = self.talks.iter().position(same) {
            return Some(at);
        }
        if self.talks.len() >= PROGRAMS_MAX {
            return None;
        }
        self.talks.push(Talk {
            program: call.program,
            first: ts,
            last: ts,
            record: OncRpcRecord {
                program: program::name(call.program),
                version: call.version,
                ..OncRpcRecord::default()
            },
        });
        self.talks.len().checked_sub(1)
    }

    fn reply(&mut self, input: &Input<'_>, xid: u32, accepted: bool, out: &mut Out<'_>) {
        let Some(at) = self.pending.iter().position(|(open, _)| *open == xid) else {
            return;
        };
        let Some((_, at)) = self.pending.remove(at) else {
            return;
        };
        let Some(talk) = self.talks.get_mut(at) else {
            return;
        };
        talk.last = input.ts;
        let record = &mut talk.record;
        if accepted && record.replies == record.refused {
            // It is there, and has not been told yet.
            let serves = record.program.clone();
            tell(input.dir, ClueKind::Serves, "onc rpc reply", serves, out);
        }
        record.refused = record.refused.saturating_add(u64::from(!accepted));
        record.replies = record.replies.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
