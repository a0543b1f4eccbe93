//! Stratum: who digs for coins, for which purse, with what program.
//!
//! Source:   Stratum mining protocol, version 1 (`mining.*`), and the forms for CryptoNote (`login`) and for Ethereum
//!           (`eth_submitLogin`): a line of JSON a message.
//! Input:    both streams of a TCP flow, any port.
//! Output:   one `stratum` record per session, when its sign-in is answered or the flow is over.
//! Bounds:   lines of 4 KiB, of which 64 words are looked at; texts of 256 bytes; 16 kinds of messages.
//! Secrets:  passwords are passed over. A purse is told: it is what an operator has to ask for.
//! Not done: version 2, which is encrypted; what comes behind the sign-in; mining over HTTP, which is in `http`.

use super::lines::{TEXT_LEN_MAX, add_distinct};
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Text, Timestamp, heap_of, text};

/// Longest line, and words of it that are looked at.
const LINE_LEN_MAX: usize = 4096;
const WORDS_MAX: usize = 64;
/// Kinds of messages kept.
const METHODS_MAX: usize = 16;

record! {
    /// One session with a pool.
    pub struct StratumRecord = "stratum" {
        /// Program of the client.
        pub agent: Option<Text> = "agent",
        /// Purse, or account at the pool, and often a name of the machine behind a dot.
        pub user: Option<Text> = "user",
        /// Kinds of messages up to the sign-in, of both sides.
        pub methods: Option<Vec<Text>> = "methods",
        /// Whether the pool let the client in.
        pub success: Option<bool> = "success",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Stratum {
    started: Option<Timestamp>,
    record: StratumRecord,
    /// Number of the sign-in, as it is written.
    sign_in: Option<Text>,
}

/// A word of a line of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word<'a> {
    /// The name of a member.
    Name(&'a [u8]),
    /// A text, as it is written.
    Text(&'a [u8]),
    /// A number, `true`, `false` or `null`.
    Bare(&'a [u8]),
}

/// The words of a line, without the marks between them.
fn words(line: &[u8]) -> impl Iterator<Item = Word<'_>> {
    let mut rest = line;
    let next = move || {
        let at = rest
            .iter()
            .position(|byte| !b" \t\r\n,:[]{}".contains(byte))?;
        rest = rest.get(at..)?;
        let Some(inside) = rest.strip_prefix(b"\"") else {
            let end = rest
                .iter()
                .position(|byte| b" \t\r\n,:[]{}\"".contains(byte));
            let (word, behind) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
            rest = behind;
            return Some(Word::Bare(word));
        };
        let mut escaped = false;
        let end = inside.iter().position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        })?;
        let word = inside.get(..end)?;
        rest = inside.get(end.saturating_add(1)..)?;
        let is_name = rest.trim_ascii_start().starts_with(b":");
        Some(if is_name {
            Word::Name(word)
        } else {
            Word::Text(word)
        })
    };
    std::iter::from_fn(next).take(WORDS_MAX)
}

/// The word behind a name.
fn behind<'a>(line: &'a [u8], name: &[u8]) -> Option<Word<'a>> {
    words(line)
        .skip_while(|word| *word != Word::Name(name))
        .nth(1)
}

/// The numbers of a line, in words: of a message, of a job.
fn numbers(line: &[u8]) -> impl Iterator<Item = Text> {
    let next = words(line).skip(1);
    words(line).zip(next).filter_map(|pair| match pair {
        (Word::Name(b"id"), Word::Bare(number) | Word::Text(number)) => Some(text(number, 32)),
        _ => None,
    })
}

/// A text behind a name.
fn text_behind<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match behind(line, name) {
        Some(Word::Text(text)) => Some(text),
        _ => None,
    }
}

/// What a line asks for, if it is one of this protocol's.
fn method(line: &[u8]) -> Option<&[u8]> {
    let method = text_behind(line, b"method")?;
    let is_known = method.starts_with(b"mining.")
        || matches!(method, b"eth_submitLogin" | b"eth_login" | b"eth_getWork" | b"eth_submitWork")
        // Other protocols in JSON sign in, too: a purse and a program are theirs alone.
        || (method == b"login" && text_behind(line, b"login").is_some() && text_behind(line, b"agent").is_some())
        || (method == b"job" && text_behind(line, b"job_id").is_some());
    is_known.then_some(method)
}

impl Protocol for Stratum {
    const NAME: &'static str = "stratum";
    const PORTS: &'static [Port] = &[Port::Tcp(3333)];
    const OVER: Over = Over::Streams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let [b'{', rest @ ..] = start else {
            return Probe::NotMine;
        };
        match memchr::memchr(b'\n', rest) {
            Some(end) if method(rest.get(..end).unwrap_or_default()).is_some() => Probe::Certain,
            // The line is not all there yet.
            None if start.len() < 1024 && rest.is_ascii() => Probe::Unsure,
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if input.datagram {
            return Parse::Broken("stratum_datagram");
        }
        if input.gap > 0 {
            self.finish(out);
            return Parse::Skip;
        }
        let window = input.data.get(..LINE_LEN_MAX).unwrap_or(input.data);
        let Some(end) = memchr::memchr(b'\n', window) else {
            if input.data.len() < LINE_LEN_MAX {
                return Parse::NeedMore { used: 0, need: 1 };
            }
            self.finish(out);
            return Parse::Skip;
        };
        let line = window.get(..end).unwrap_or_default();
        if !matches!(line.trim_ascii_start(), [] | [b'{', ..]) {
            if self.started.is_none() {
                return Parse::Broken("stratum_no_object");
            }
            // Who answers in other words is no pool.
            if input.dir == Dir::Resp {
                self.record.success = Some(false);
            }
            self.finish(out);
            return Parse::Skip;
        }
        self.started.get_or_insert(input.ts);
        if self.line(line) {
            self.finish(out);
            return Parse::Skip;
        }
        Parse::Parsed {
            used: end.saturating_add(1),
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        if let Some(ts) = self.started.take() {
            out.record(ts, std::mem::take(&mut self.record));
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: record, sign_in)
    }
}

impl Stratum {
    /// Takes a line; true if it answers the sign-in.
    fn line(&mut self, line: &[u8]) -> bool {
        let Some(method) = method(line) else {
            // Jobs have numbers, too, and may stand before that of the answer.
            let is_answer =
                self.sign_in.is_some() && numbers(line).any(|number| Some(number) == self.sign_in);
            if is_answer {
                let error = behind(line, b"error").is_some_and(|word| word != Word::Bare(b"null"));
                let refused = matches!(
                    behind(line, b"result"),
                    Some(Word::Bare(b"false" | b"null"))
                );
                self.record.success = Some(!error && !refused);
            }
            return is_answer;
        };
        let methods = self.record.methods.get_or_insert_default();
        add_distinct(methods, text(method, 64), METHODS_MAX);
        let first = || match behind(line, b"params") {
            Some(Word::Text(first)) => Some(text(first, TEXT_LEN_MAX)),
            _ => None,
        };
        match method {
            b"mining.subscribe" => self.record.agent = first(),
            b"mining.authorize" | b"eth_submitLogin" | b"eth_login" => {
                (self.record.user, self.sign_in) = (first(), numbers(line).last());
            }
            b"login" => {
                let told =
                    |name: &[u8]| text_behind(line, name).map(|value| text(value, TEXT_LEN_MAX));
                (self.record.user, self.record.agent) = (told(b"login"), told(b"agent"));
                self.sign_in = numbers(line).last();
            }
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{endures, grows, stream};
    use super::*;

    const C: Dir = Dir::Orig;
    const S: Dir = Dir::Resp;
    /// The shared capture `DI-cryptominingdetection_cgminer.s0`, its third flow.
    const REFUSED: [(Dir, &[u8]); 4] = [
        (C, b"{\"id\": 8, \"method\": \"mining.subscribe\", \"params\": [\"cgminer/3.7.2\"]}\n"),
        (S, b"{\"error\":null,\"id\":8,\"result\":[[\"mining.notify\",\"ae6812eb4cd7735a302a8a9dd95cf71f\"],\"00\",8]}\n"),
        (C, b"{\"id\": 16, \"method\": \"mining.authorize\", \"params\": [\"Bitcoin\", \"x\"]}\n"),
        (S, b"{\"error\":[24,\"Unauthorized-worker\",null],\"id\":16,\"result\":null}\n"),
    ];
    /// `DI-cryptominingdetection_xmr-eu1.nanopool.org`, purse and job shortened.
    const LOGIN: [(Dir, &[u8]); 2] = [
        (C, b"{\"method\": \"login\", \"params\": {\"login\": \"47mr7jYTroxQ\", \"pass\": \"geheim\", \"agent\": \"xmr/1.0\"}, \"id\": 1}\n"),
        (S, b"{\"id\":1,\"jsonrpc\":\"2.0\",\"result\":{\"id\":\"1\",\"job\":{\"blob\":\"0405\",\"job_id\":\"6774\",\"target\":\"69ba0000\"},\"status\":\"OK\"},\"error\":null}\n"),
    ];

    #[test]
    fn sign_ins_of_two_kinds() {
        let told = stream::<Stratum>(&REFUSED);
        assert_eq!(
            told.records,
            [
                r#"stratum {"agent":"cgminer/3.7.2","user":"Bitcoin","methods":["mining.subscribe","mining.authorize"],"success":false}"#
            ]
        );
        assert!(told.end.is_some());
        let told = stream::<Stratum>(&LOGIN);
        assert_eq!(
            told.records,
            [
                r#"stratum {"agent":"xmr/1.0","user":"47mr7jYTroxQ","methods":["login"],"success":true}"#
            ]
        );
        // `DI-cryptominingdetection_cgminer.s2`: a web server answers.
        let told = stream::<Stratum>(&[REFUSED[0], (S, b"HTTP/1.1 400 Bad Request\r\n\r\n")]);
        assert!(told.records[0].ends_with(r#""success":false}"#));
        // Nobody answers: told at the end.
        assert_eq!(stream::<Stratum>(&LOGIN[..1]).records.len(), 1);
        endures::<Stratum>(&REFUSED, false);
        grows::<Stratum>(REFUSED[0].1, C);
        grows::<Stratum>(LOGIN[0].1, C);
        endures::<Stratum>(&LOGIN, false);
    }

    #[test]
    fn starts() {
        for (start, probe) in [
            (REFUSED[0].1, Probe::Certain),
            (&REFUSED[0].1[..30], Probe::Unsure),
            (LOGIN[0].1, Probe::Certain),
            (
                b"{\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}\n",
                Probe::NotMine,
            ),
            (
                b"{\"method\":\"login\",\"params\":{\"user\":\"anna\"}}\n",
                Probe::NotMine,
            ),
            (
                b"{\"text\":\"\\\"method\\\":\\\"mining.subscribe\\\"\"}\n",
                Probe::NotMine,
            ),
            (b"[1]\n", Probe::NotMine),
        ] {
            assert_eq!(Stratum::probe(start, C), probe, "{}", start.escape_ascii());
        }
    }
}
