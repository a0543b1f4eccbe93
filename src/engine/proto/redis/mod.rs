//! Redis and its kin (Valkey, KeyDB): who asks which server for what kinds of commands.
//!
//! Standard: Redis serialization protocol, versions 2 and 3 ("RESP"), and commands in a line.
//! Input:    both streams of a TCP flow.
//! Output:   one `redis` record for each command a client uses on a flow for the first time, with its answer; a
//!           cache is asked ten thousand times a second, and always for the same. Sign-ins are told each time.
//!           Clues: that a server serves it, and its version.
//! Bounds:   64 different commands a flow; 1,024 unanswered ones; names of 64 bytes.
//! Secrets:  of a password the `credentials` record is told; keys and values are passed over.
//! Not done: answers behind `CLIENT REPLY`, `MONITOR` or a subscription are not matched; replication streams.

mod reply;
mod request;

use std::collections::VecDeque;

use compact_str::CompactStringExt as _;

use self::reply::Replies;
use self::request::{Command, Requests};
use super::gss::tell;
use super::lines::tell_software;
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{ClueKind, Text, Timestamp, heap_of};

/// Different commands told of one flow.
const COMMANDS_MAX: usize = 64;
/// Commands that may wait for their answers.
const PENDING_MAX: usize = 1024;

record! {
    /// A command's first use on a flow, or a sign-in (Zeek's `redis.log`).
    pub struct RedisRecord = "redis" {
        /// The command; of those that have parts, with the part.
        pub command: Text = "cmd.name",
        /// Account of a sign-in; absent if only a password crossed.
        pub user: Option<Text> = "user",
        /// Whether a password crossed; it is not kept.
        pub password: bool = "password",
        /// Whether the server did it.
        pub success: Option<bool> = "success",
        /// First word of its error: `WRONGPASS`, `NOAUTH`, `NOPERM`.
        pub error: Option<Text> = "error",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Redis {
    requests: Requests,
    replies: Replies,
    /// Commands without an answer; those that are told have a record.
    pending: VecDeque<Option<Box<(Timestamp, RedisRecord)>>>,
    /// Commands told.
    seen: Vec<Text>,
    /// Answers cannot be matched any more.
    lost: bool,
    sure: bool,
    told: bool,
}

impl Protocol for Redis {
    const NAME: &'static str = "redis";
    const PORTS: &'static [Port] = &[Port::Tcp(6379)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        request::probe(start)
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return Parse::Broken("redis_datagram");
        }
        if input.gap > 0 {
            // Where the next command begins nobody can tell.
            self.finish(out);
            return Parse::Skip;
        }
        let answer = if input.dir == Dir::Orig {
            let (answer, command) = self.requests.take(input.data, out);
            if let Some(command) = command {
                self.sure = true;
                self.command(command, input.ts, out);
            }
            answer
        } else {
            let asks_version = self.pending.front().and_then(Option::as_ref);
            let asks_version = asks_version.is_some_and(|open| open.1.command == "INFO");
            let (answer, reply) = self.replies.take(input.data, asks_version);
            if let Some(reply) = reply {
                self.reply(reply, input.dir, out);
            }
            answer
        };
        match answer {
            Parse::Broken(_) if self.sure => {
                self.finish(out);
                Parse::Skip
            }
            answer => answer,
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        for open in std::mem::take(&mut self.pending).into_iter().flatten() {
            let (ts, record) = *open;
            out.record(ts, record);
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: requests, pending, seen)
    }
}

impl Redis {
    fn command(&mut self, command: Command, ts: Timestamp, out: &mut Out<'_>) {
        let is_new = command.password || !self.seen.contains(&command.name);
        let is_told = is_new && (command.password || self.seen.len() < COMMANDS_MAX);
        if is_told && !self.seen.contains(&command.name) && self.seen.len() < COMMANDS_MAX {
            self.seen.push(command.name.clone());
        }
        // From here on the server may say nothing, or more than it is asked.
        let is_one_way = matches!(
            &*command.name,
            "CLIENT REPLY"
                | "MONITOR"
                | "SUBSCRIBE"
                | "PSUBSCRIBE"
                | "SSUBSCRIBE"
                | "SYNC"
                | "PSYNC"
        );
        let record = is_told.then(|| RedisRecord {
            command: command.name,
            user: command.user,
            password: command.password,
            ..RedisRecord::default()
        });
        self.lost |= is_one_way || self.pending.len() >= PENDING_MAX;
        if self.lost {
            self.finish(out);
            if let Some(record) = record {
                out.record(ts, record);
            }
        } else {
            self.pending
                .push_back(record.map(|record| Box::new((ts, record))));
        }
    }

    fn reply(&mut self, reply: reply::Reply, dir: Dir, out: &mut Out<'_>) {
        if !std::mem::replace(&mut self.told, true) {
            let value = Text::from("redis");
            tell(dir, ClueKind::Serves, "redis answer", Some(&value), out);
        }
        if let Some(version) = reply.version {
            tell_software(
                dir,
                "redis info",
                ["Redis ", &version].concat_compact(),
                out,
            );
        }
        if let Some(Some(open)) = self.pending.pop_front() {
            let (ts, mut record) = *open;
            record.success = Some(reply.error.is_none());
            record.error = reply.error;
            out.record(ts, record);
        }
    }
}

#[cfg(test)]
mod tests;
