//! CEF in syslog over TCP.
//!
//! Standard: RFC 5424, RFC 6587 §3.4.1 (octet counting), RFC 5482 (user timeout).
//! Input:    whatever the receiver says is read and thrown away; that it ends or breaks is noticed.
//! Bounds:   one second a write; addresses of a name are tried in turn, at most eight.
//! Not done: TLS.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::fd::AsFd as _;
use std::time::Duration;

use nix::libc::linger;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use tapir_message::Numbered;

use super::format::cef::{self, Context, Sensor};
use super::format::syslog;
use super::{LineOf, Output, Timing};

/// Addresses of a name that are tried.
const ADDRESSES_MAX: usize = 8;
/// Longest single wait for room.
const WRITE: Duration = Duration::from_secs(1);
/// What a receiver may say in one look; more is read at the next.
const SAID_MAX: usize = 64 << 10;

/// One receiver.
pub(super) struct SyslogTcp {
    address: String,
    sensor: Sensor,
    timing: Timing,
    stream: Option<TcpStream>,
}

impl SyslogTcp {
    pub(super) const fn new(address: String, sensor: Sensor, timing: Timing) -> Self {
        Self {
            address,
            sensor,
            timing,
            stream: None,
        }
    }

    fn dial(&self) -> Result<TcpStream, String> {
        let address = &self.address;
        let found = address.to_socket_addrs().map_err(|error| {
            format!("syslog {address}: {error}; it is given as host:port, check the name")
        })?;
        let mut why = "the name has no address".to_owned();
        for addr in found.take(ADDRESSES_MAX) {
            match open(addr, &self.timing) {
                Ok(stream) => return Ok(stream),
                Err(error) => why = error.to_string(),
            }
        }
        Err(format!("syslog {address}: {why}; lines wait on disk"))
    }

    fn ended(&self, why: &str) -> String {
        let address = &self.address;
        format!("syslog {address}: {why}; lines wait on disk")
    }
}

/// Connects, and has the kernel notice a receiver that is gone: unanswered data and unanswered probes
/// end the connection sooner than its lines leave the window of those sent again.
fn open(addr: SocketAddr, timing: &Timing) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, timing.connect)?;
    stream.set_write_timeout(Some(WRITE.min(timing.stall / 4)))?;
    stream.set_nodelay(true)?;
    // Later than the stall, which is told in plain words and ends the connection for both sides.
    let unanswered = timing.stall + timing.stall / 3;
    let timeout = u32::try_from(unanswered.as_millis()).unwrap_or(u32::MAX);
    setsockopt(&stream, sockopt::TcpUserTimeout, &timeout)?;
    setsockopt(&stream, sockopt::KeepAlive, &true)?;
    setsockopt(&stream, sockopt::TcpKeepIdle, &10)?;
    setsockopt(&stream, sockopt::TcpKeepInterval, &5)?;
    setsockopt(&stream, sockopt::TcpKeepCount, &3)?;
    Ok(stream)
}

impl Output for SyslogTcp {
    fn encode(&self, notice: &Numbered, line: &LineOf<'_>, out: &mut Vec<u8>) {
        let context = Context {
            sensor: &self.sensor,
            decision: line.decision,
            seq: line.seq,
            repeat: line.repeat,
        };
        let text = cef::line(notice, &context);
        let priority = syslog::priority(&notice.notice);
        let ts = cef::time(&notice.notice);
        syslog::frame(priority, ts, &self.sensor.host, &text, out);
    }

    fn connect(&mut self) -> Result<(), String> {
        self.stream = None;
        self.stream = Some(self.dial()?);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, String> {
        let Some(stream) = &mut self.stream else {
            return Err(self.ended("not connected"));
        };
        match stream.write(bytes) {
            Ok(0) => Err(self.ended("the connection takes nothing more")),
            Ok(count) => Ok(count),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(0),
                _ => Err(self.ended(&error.to_string())),
            },
        }
    }

    fn check(&mut self) -> Result<(), String> {
        let Some(stream) = &mut self.stream else {
            return Err(self.ended("not connected"));
        };
        let mut said = 0;
        let why = loop {
            let mut fds = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::ZERO) {
                Ok(0) | Err(nix::errno::Errno::EINTR) => return Ok(()),
                Ok(_) if said >= SAID_MAX => return Ok(()),
                Ok(_) => {}
                Err(error) => break error.to_string(),
            }
            let mut bytes = [0; 4_096];
            match stream.read(&mut bytes) {
                Ok(0) => break "the receiver closed the connection".to_owned(),
                Ok(count) => said += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error.to_string(),
            }
        };
        Err(self.ended(&why))
    }

    fn close(&mut self, in_order: bool) {
        let Some(stream) = self.stream.take() else {
            return;
        };
        // A receiver that was given up learns so by a reset, and what it never took does not arrive
        // after its repeat. Should that not be possible, the repeat mark still tells them apart.
        let now = linger {
            l_onoff: 1,
            l_linger: 0,
        };
        if !in_order && let Err(error) = setsockopt(&stream, sockopt::Linger, &now) {
            tracing::debug!(%error, "Could not reset a connection.");
        }
    }

    fn target(&self) -> String {
        format!("syslog tcp {}", self.address)
    }
}
