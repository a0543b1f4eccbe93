//! The socket pair between `sense` and `serve`: whole messages, in order, over any restart.
//!
//! Both ends are held by the supervisor as well, so what one side has written stays readable when it
//! dies, and waits when the other side is being restarted.
//!
//! Format: a message is JSON of the enums of `tapir_message`, cut into packets of at most
//!         [`PART_BYTES`]. Each packet begins with 4 bytes: version (little endian), flags (1 first part,
//!         2 last part, 4 with a text), 0. Where a text goes beside the JSON, the message is the JSON's
//!         length (4 bytes, little endian), the JSON, the text: what is text already is not escaped and
//!         parsed once more.
//! Bounds: a message of more than [`MESSAGE_BYTES_MAX`] is refused by the sender. A first part begins
//!         anew whatever was not finished: its sender died while writing it.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, recv, send, setsockopt, socketpair, sockopt,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tapir_message::VERSION;

/// Bytes of a message in one packet; well below the smallest usual socket buffer (208 KiB).
const PART_BYTES: usize = 60 * 1024;
const HEADER_BYTES: usize = 4;
/// What stands before the JSON where a text goes with it.
const TEXT_HEAD: usize = 4;
const FIRST: u8 = 1;
const LAST: u8 = 2;
const TEXT: u8 = 4;
/// Longest message. The state of 10,000 devices stays below.
const MESSAGE_BYTES_MAX: usize = 1 << 29;
/// Wanted size of the socket's buffer, so that short pauses of the reader do not stop the writer.
const SOCKET_BYTES: usize = 4 << 20;

/// Why the other process cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The system refused.
    #[error("the other process cannot be reached: {0}")]
    Io(#[from] io::Error),
    /// The message is too long, or does not turn into JSON.
    #[error("a message to the other process cannot be written: {0}")]
    Message(String),
    /// The other side speaks another version.
    #[error(
        "the other process speaks message version {0}, this one {VERSION}: install both from one package"
    )]
    Version(u16),
    /// The supervisor has gone.
    #[error("the supervisor has gone")]
    Closed,
}

impl From<Errno> for LinkError {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// Both ends, for the supervisor to hand out.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd), LinkError> {
    let (a, b) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?;
    for end in [&a, &b] {
        // Beyond the system's bound only a privileged process may go; less will do as well.
        if setsockopt(end, sockopt::SndBufForce, &SOCKET_BYTES).is_err() {
            setsockopt(end, sockopt::SndBuf, &SOCKET_BYTES)?;
        }
    }
    Ok((a, b))
}

/// The two halves of one end.
pub(crate) fn open(end: OwnedFd) -> (Sender, Receiver) {
    let end = Arc::new(end);
    let sender = Sender {
        end: Arc::clone(&end),
        packet: Vec::new(),
    };
    let receiver = Receiver {
        end,
        packet: vec![0; PART_BYTES + HEADER_BYTES],
        message: Vec::new(),
        text_from: 0,
        begun: false,
        discarded: 0,
    };
    (sender, receiver)
}

/// Writes messages; blocks while the other side does not read.
#[derive(Debug)]
pub(crate) struct Sender {
    end: Arc<OwnedFd>,
    packet: Vec<u8>,
}

impl Sender {
    /// Sends one message.
    pub(crate) fn send<T: Serialize>(&mut self, message: &T) -> Result<(), LinkError> {
        let body =
            serde_json::to_vec(message).map_err(|error| LinkError::Message(error.to_string()))?;
        self.send_bytes(&body, 0)
    }

    /// Sends one message and a text that belongs to it.
    pub(crate) fn send_with<'a, T: Serialize>(
        &mut self,
        message: &T,
        text: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), LinkError> {
        let mut body = vec![0; TEXT_HEAD];
        serde_json::to_writer(&mut body, message)
            .map_err(|error| LinkError::Message(error.to_string()))?;
        let len = u32::try_from(body.len() - TEXT_HEAD)
            .map_err(|error| LinkError::Message(error.to_string()))?;
        if let Some(head) = body.first_chunk_mut() {
            *head = len.to_le_bytes();
        }
        for part in text {
            body.extend_from_slice(part);
        }
        self.send_bytes(&body, TEXT)
    }

    fn send_bytes(&mut self, body: &[u8], flags: u8) -> Result<(), LinkError> {
        if body.len() > MESSAGE_BYTES_MAX {
            return Err(LinkError::Message(format!("{} bytes", body.len())));
        }
        let parts = body.chunks(PART_BYTES);
        let count = parts.len();
        for (index, part) in parts.enumerate() {
            let first = if index == 0 { FIRST } else { 0 };
            let last = if index + 1 == count { LAST } else { 0 };
            let [low, high] = VERSION.to_le_bytes();
            self.packet.clear();
            self.packet
                .extend_from_slice(&[low, high, flags | first | last, 0]);
            self.packet.extend_from_slice(part);
            self.put()?;
        }
        Ok(())
    }

    fn put(&self) -> Result<(), LinkError> {
        loop {
            match send(self.end.as_raw_fd(), &self.packet, MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(LinkError::Closed),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Reads messages.
#[derive(Debug)]
pub(crate) struct Receiver {
    end: Arc<OwnedFd>,
    packet: Vec<u8>,
    message: Vec<u8>,
    /// Where the text of the message read last lies in it.
    text_from: usize,
    begun: bool,
    discarded: u64,
}

impl Receiver {
    /// The next message; `None` if none has begun to arrive within `wait_ms` (`None`: waits for ever).
    pub(crate) fn receive<T: DeserializeOwned>(
        &mut self,
        wait_ms: Option<u16>,
    ) -> Result<Option<T>, LinkError> {
        loop {
            if !self.ready(wait_ms)? {
                return Ok(None);
            }
            let len = match recv(self.end.as_raw_fd(), &mut self.packet, MsgFlags::empty()) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(len) => len,
                Err(Errno::EINTR | Errno::EAGAIN) => continue,
                Err(Errno::ECONNRESET) => return Err(LinkError::Closed),
                Err(errno) => return Err(errno.into()),
            };
            if let Some(message) = self.part(len)? {
                return Ok(Some(message));
            }
        }
    }

    /// The text that came with the message received last; empty if none did.
    pub(crate) fn text(&self) -> &[u8] {
        self.message.get(self.text_from..).unwrap_or_default()
    }

    /// Messages of which the beginning was missing: their reader died while they were read.
    pub(crate) fn discarded(&self) -> u64 {
        self.discarded
    }

    /// Whether something is there to be read.
    fn ready(&self, wait_ms: Option<u16>) -> Result<bool, LinkError> {
        let timeout = wait_ms.map_or(PollTimeout::NONE, PollTimeout::from);
        loop {
            let mut fds = [PollFd::new(self.end.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, timeout) {
                Ok(count) => return Ok(count > 0),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Takes in a packet of `len` bytes; gives the message it completes.
    fn part<T: DeserializeOwned>(&mut self, len: usize) -> Result<Option<T>, LinkError> {
        let packet = self.packet.get(..len).unwrap_or_default();
        let Some((&[low, high, flags, _], part)) = packet.split_first_chunk() else {
            self.discarded += 1;
            return Ok(None);
        };
        let version = u16::from_le_bytes([low, high]);
        if version != VERSION {
            return Err(LinkError::Version(version));
        }
        if flags & FIRST != 0 {
            self.discarded += u64::from(self.begun);
            self.message.clear();
            // A large state should not stay in memory for the sake of small messages.
            if self.message.capacity() > 16 * PART_BYTES {
                self.message = Vec::new();
            }
            self.begun = true;
        }
        if !self.begun || self.message.len() + part.len() > MESSAGE_BYTES_MAX {
            self.discarded += u64::from(flags & LAST != 0);
            self.begun = false;
            return Ok(None);
        }
        self.message.extend_from_slice(part);
        if flags & LAST == 0 {
            return Ok(None);
        }
        self.begun = false;
        let whole = self.message.len();
        let (from, to) = match self.message.first_chunk() {
            Some(len) if flags & TEXT != 0 => {
                let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(whole);
                (TEXT_HEAD, TEXT_HEAD.saturating_add(len).min(whole))
            }
            _ => (0, whole),
        };
        self.text_from = to;
        let body = self.message.get(from..to).unwrap_or_default();
        let message =
            serde_json::from_slice(body).map_err(|error| LinkError::Message(error.to_string()))?;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use tapir_message::{ToSense, ToServe};

    use super::*;

    #[test]
    fn messages_of_any_length_arrive_whole() {
        let (a, b) = pair().unwrap();
        let (mut sender, _) = open(a);
        let (_, mut receiver) = open(b);
        for len in [0, 1, PART_BYTES, 3 * PART_BYTES + 17] {
            let message = ToSense::State("x".repeat(len));
            let expected = message.clone();
            let reader = std::thread::scope(|scope| {
                let reader = scope.spawn(|| receiver.receive::<ToSense>(None).unwrap());
                sender.send(&message).unwrap();
                reader.join().unwrap()
            });
            assert_eq!(reader, Some(expected));
        }
        assert_eq!(receiver.receive::<ToSense>(Some(0)).unwrap(), None);
        assert_eq!(receiver.discarded(), 0);
    }

    /// A text arrives as it was sent, in as many parts as it takes, and the next message has none.
    #[test]
    fn a_text_goes_beside_its_message() {
        let (a, b) = pair().unwrap();
        let (mut sender, _) = open(a);
        let (_, mut receiver) = open(b);
        for len in [0, 3, PART_BYTES, 2 * PART_BYTES + 5] {
            let text = "\"\\\n".repeat(len);
            let message = ToSense::State("with a text".to_owned());
            let received = std::thread::scope(|scope| {
                let reader = scope.spawn(|| receiver.receive::<ToSense>(None).unwrap());
                let parts = text.as_bytes().chunks(1_000);
                sender.send_with(&message, parts).unwrap();
                reader.join().unwrap()
            });
            assert_eq!(received, Some(message));
            assert_eq!(receiver.text(), text.as_bytes());
            sender.send(&ToSense::Begin).unwrap();
            assert_eq!(
                receiver.receive::<ToSense>(None).unwrap(),
                Some(ToSense::Begin)
            );
            assert_eq!(receiver.text(), b"");
        }
    }

    /// A reader that takes over in the middle of a message begins with the next whole one; a writer
    /// that takes over leaves no trace of what its predecessor had begun.
    #[test]
    fn what_is_cut_is_left_out_and_counted() {
        let (a, b) = pair().unwrap();
        let (sender, _) = open(a);
        let (_, mut receiver) = open(b);
        let hello = serde_json::to_vec(&ToServe::Hello { version: VERSION }).unwrap();
        let [low, high] = VERSION.to_le_bytes();
        let put = |flags: u8, part: &[u8]| {
            let packet = [&[low, high, flags, 0][..], part].concat();
            send(sender.end.as_raw_fd(), &packet, MsgFlags::empty()).unwrap();
        };
        put(0, b"the middle");
        put(LAST, b"the end");
        put(FIRST, b"begun and left");
        put(FIRST | LAST, &hello);
        let message = receiver.receive::<ToServe>(None).unwrap();
        assert_eq!(message, Some(ToServe::Hello { version: VERSION }));
        assert_eq!(receiver.discarded(), 2);
    }

    #[test]
    fn another_version_is_refused() {
        let (a, b) = pair().unwrap();
        let (_, mut receiver) = open(b);
        let [low, high] = (VERSION + 1).to_le_bytes();
        send(a.as_raw_fd(), &[low, high, 3, 0], MsgFlags::empty()).unwrap();
        let error = receiver.receive::<ToSense>(None).unwrap_err().to_string();
        assert!(error.contains("version"), "{error}");
    }
}
