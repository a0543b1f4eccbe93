//! Talks with a secret in them, in every protocol that carries some.

mod binary;
mod databases;
mod mail;
mod web;

use crate::support::frames::{ACK, End, FIN, PSH, SYN, Segment, end, tcp, udp};

/// 2026-01-05 09:00:00 UTC, in microseconds.
const MONDAY: u64 = 1_767_603_600_000_000;

/// Whether the client says it, and what.
type Said = (bool, Vec<u8>);

/// A talk and what must not be kept of it.
pub(super) struct Talk {
    pub(super) name: &'static str,
    /// What `conn` calls it.
    pub(super) service: &'static str,
    datagrams: bool,
    port: u16,
    said: Vec<Said>,
    pub(super) secrets: Vec<Vec<u8>>,
}

impl Talk {
    /// The talk as frames, a millisecond apart.
    pub(super) fn frames(&self) -> Vec<(u64, Vec<u8>)> {
        let (client, server) = (end("10.1.0.5", 40_000), end("10.1.0.6", self.port));
        let mut frames = Vec::new();
        if self.datagrams {
            for (up, data) in &self.said {
                let (from, to) = if *up {
                    (client, server)
                } else {
                    (server, client)
                };
                frames.push(udp(from, to, 0, data));
            }
        } else {
            stream(client, server, &self.said, &mut frames);
        }
        (MONDAY..).step_by(1_000).zip(frames).collect()
    }
}

/// A connection from its handshake to its end.
fn stream(client: End, server: End, said: &[Said], frames: &mut Vec<Vec<u8>>) {
    let segment = |flags, seq, ack| Segment { flags, seq, ack };
    let (mut up, mut down) = (100_u32, 200_u32);
    frames.push(tcp(client, server, 0, segment(SYN, 99, 0), &[]));
    frames.push(tcp(server, client, 0, segment(SYN | ACK, 199, 100), &[]));
    frames.push(tcp(client, server, 0, segment(ACK, 100, 200), &[]));
    for (from_client, data) in said {
        let len = u32::try_from(data.len()).expect("short");
        let flags = PSH | ACK;
        if *from_client {
            frames.push(tcp(client, server, 0, segment(flags, up, down), data));
            up += len;
        } else {
            frames.push(tcp(server, client, 0, segment(flags, down, up), data));
            down += len;
        }
    }
    frames.push(tcp(client, server, 0, segment(FIN | ACK, up, down), &[]));
    frames.push(tcp(
        server,
        client,
        0,
        segment(FIN | ACK, down, up + 1),
        &[],
    ));
    frames.push(tcp(client, server, 0, segment(ACK, up + 1, down + 1), &[]));
}

fn bytes(secrets: &[&str]) -> Vec<Vec<u8>> {
    secrets
        .iter()
        .map(|secret| secret.as_bytes().to_vec())
        .collect()
}

/// A talk in lines; `>` in front is the client's.
fn lines(
    (name, service, port): (&'static str, &'static str, u16),
    secrets: &[&str],
    text: &[&str],
) -> Talk {
    let said = text.iter().map(|line| {
        let (from, line) = line.split_at(1);
        (from == ">", [line, "\r\n"].concat().into_bytes())
    });
    Talk {
        name,
        service,
        datagrams: false,
        port,
        said: said.collect(),
        secrets: bytes(secrets),
    }
}

fn datagram(
    (name, service, port): (&'static str, &'static str, u16),
    secrets: &[&str],
    data: Vec<u8>,
) -> Talk {
    Talk {
        name,
        service,
        datagrams: true,
        port,
        said: vec![(true, data)],
        secrets: bytes(secrets),
    }
}

/// Every talk.
pub(super) fn all() -> Vec<Talk> {
    let mut all = web::talks();
    all.extend(mail::smtp());
    all.extend(mail::pop3());
    all.extend(mail::imap());
    all.extend(text());
    all.extend(binary::datagrams());
    all.extend(binary::streams());
    all.extend(databases::talks());
    all
}

fn text() -> Vec<Talk> {
    vec![
        lines(
            ("ftp", "ftp", 21),
            &["File-Geheim7", "Account-Geheim7"],
            &["<220 ready", ">USER anna", "<331 password", ">PASS File-Geheim7", "<332 account", ">ACCT Account-Geheim7", "<230 in", ">QUIT", "<221 bye"],
        ),
        lines(
            ("irc", "irc", 6667),
            &["Server-Geheim7", "Nick-Geheim7", "Oper-Geheim7", "Short-Geheim7", "Channel-Key77"],
            &[
                ">PASS Server-Geheim7", ">NICK anna", ">USER anna 0 * :Anna", "<:irc.example 001 anna :Welcome",
                ">PRIVMSG NickServ :IDENTIFY Nick-Geheim7", ">NS IDENTIFY Short-Geheim7", ">OPER root Oper-Geheim7",
                ">JOIN #a Channel-Key77", "<:anna!a@h JOIN #a", ">QUIT :bye",
            ],
        ),
        Talk {
            said: vec![
                (false, b"\xff\xfd\x18\xff\xfd\x20".to_vec()),
                (true, b"\xff\xfb\x18\xff\xfc\x20".to_vec()),
                (false, b"login: ".to_vec()),
                (true, b"anna\r\n".to_vec()),
                (false, b"anna\r\nPassword: ".to_vec()),
                (true, b"Screen-Geheim7\r\n".to_vec()),
                (false, b"\r\nWelcome to h\r\nanna@h:~$ ".to_vec()),
                (true, b"su\r\n".to_vec()),
                (false, b"su\r\nPassword: ".to_vec()),
                (true, b"Root-Geheim77\r\n".to_vec()),
                (false, b"\r\nroot@h:~# ".to_vec()),
            ],
            ..lines(("telnet", "telnet", 23), &["Screen-Geheim7", "Root-Geheim77"], &[])
        },
        datagram(
            ("sip", "sip", 5060),
            &["6629fae49393a05397450978507c4ef1", "Uri-Geheim77"],
            b"REGISTER sip:anna:Uri-Geheim77@h.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.0.5;branch=z9hG4bKa\r\nFrom: <sip:anna:Uri-Geheim77@h.example>;tag=1\r\nTo: <sip:anna:Uri-Geheim77@h.example>\r\nCall-ID: 1@h\r\nCSeq: 1 REGISTER\r\nContact: <sip:anna:Uri-Geheim77@10.1.0.5>\r\nAuthorization: Digest username=\"anna\", realm=\"h\", nonce=\"n\", uri=\"sip:h\", response=\"6629fae49393a05397450978507c4ef1\"\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
    ]
}
