//! Live capture by libpcap: the portable way, where the block ring cannot be used.
//!
//! Standard: pcap(3PCAP), pcap-filter(7).
//! Input:    the interface of [`RingOptions`]; its queues and blocks mean nothing here.
//! Output:   [`Frame`]s lent by libpcap, VLAN tags in place; `None` when idle.
//! Units:    nanoseconds since the Unix epoch; lengths in bytes.
//! Bounds:   one queue, a buffer of [`BUFFER_BYTES`]; what does not fit is dropped and counted.
//! Not done: going on after the interface was deleted: that takes a privilege again, so the error
//!           stays. `vlan` in a filter is libpcap's own reading of it on a live port.

use std::os::fd::AsFd;
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use ::pcap::{Active, Capture, Direction, Error, Packet, Precision};

use crate::epochs::{Epoch, Epochs};
use crate::group::RingOptions;
use crate::live_clock::{ClockCounts, LiveClock, Verdict};
use crate::live_error::LiveError;
use crate::{FRAME_BYTES_MAX, Frame, LinkType, Source, SourceError};

/// What libpcap keeps for a reader that is late; the same memory as a ring's default.
pub(crate) const BUFFER_BYTES: i32 = 64 * 1024 * 1024;

/// A port read through libpcap.
pub struct PcapLive {
    interface: String,
    capture: Capture<Active>,
    link: LinkType,
    clock: LiveClock,
    begins_epoch: bool,
    /// The last look found nothing, so the next one waits.
    idle: bool,
    timeout: PollTimeout,
    packets: u64,
}

/// What libpcap says it has seen since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PcapCounts {
    /// Frames lent.
    pub packets: u64,
    /// Frames dropped because the buffer was full, as libpcap counts them: in 32 bits.
    pub dropped: u32,
    /// Frames the interface dropped, where it says so.
    pub interface_dropped: u32,
    /// Frames whose time was changed.
    pub clock: ClockCounts,
}

impl std::fmt::Debug for PcapLive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PcapLive")
            .field("interface", &self.interface)
            .finish_non_exhaustive()
    }
}

impl PcapLive {
    /// Opens the interface, promiscuous, for frames received.
    ///
    /// # Errors
    ///
    /// [`SourceError::Live`] or [`SourceError::Filter`], in words for the operator.
    pub fn open(options: &RingOptions, epochs: &Arc<Epochs>) -> Result<Self, SourceError> {
        options.check()?;
        let name = options.interface.as_str();
        if nix::net::if_::if_nametoindex(name).is_err() {
            return Err(LiveError::no_interface(name).into());
        }
        let failed = |error: Error| refused(name, &error);
        let mut capture = Capture::from_device(name)
            .map_err(failed)?
            .promisc(true)
            .snaplen(i32::try_from(FRAME_BYTES_MAX).unwrap_or(i32::MAX))
            // With a timeout and no immediate mode frames come in batches, each at most so late.
            .timeout(i32::try_from(options.retire_ms).unwrap_or(i32::MAX))
            .immediate_mode(false)
            .buffer_size(BUFFER_BYTES)
            .precision(Precision::Nano)
            .open()
            // Otherwise libpcap waits for ever on a quiet port, whatever the timeout.
            .and_then(Capture::setnonblock)
            .map_err(failed)?;
        capture.direction(Direction::In).map_err(failed)?;
        if let Some(expression) = expression(options) {
            capture.filter(&expression, true).map_err(|error| {
                let words = error.to_string();
                SourceError::Filter { expression, words }
            })?;
        }
        let link = u32::try_from(capture.get_datalink().0).unwrap_or(u32::MAX);
        let lag_ns = 4_000_000 * i64::from(options.retire_ms);
        Ok(Self {
            interface: name.to_owned(),
            capture,
            link: LinkType::from_file(link),
            clock: LiveClock::new(Arc::clone(epochs), lag_ns),
            begins_epoch: false,
            idle: false,
            timeout: PollTimeout::from(u16::try_from(options.retire_ms).unwrap_or(u16::MAX)),
            packets: 0,
        })
    }

    /// What has been seen so far; asks libpcap.
    pub fn counts(&mut self) -> PcapCounts {
        let seen = self.capture.stats().ok();
        PcapCounts {
            packets: self.packets,
            dropped: seen.as_ref().map_or(0, |seen| seen.dropped),
            interface_dropped: seen.as_ref().map_or(0, |seen| seen.if_dropped),
            clock: self.clock.counts(),
        }
    }

    /// The epoch this port is in, as [`crate::Ring::epoch`].
    pub fn epoch(&self) -> Epoch {
        self.clock.epoch()
    }

    /// No later frame has a lower time in this epoch. Grows while the port is idle.
    pub fn watermark_ns(&self) -> i64 {
        self.clock.watermark_ns()
    }
}

impl Source for PcapLive {
    /// Waits at most the retire time.
    fn next(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        if std::mem::take(&mut self.idle) {
            let mut fds = [PollFd::new(self.capture.as_fd(), PollFlags::POLLIN)];
            // Whatever it says, libpcap is asked next and tells what is wrong.
            poll(&mut fds, self.timeout).ok();
        }
        self.clock.read();
        if self.clock.follow() {
            self.begins_epoch = true;
            return Ok(None);
        }
        let packet = match self.capture.next_packet() {
            Ok(packet) => packet,
            Err(Error::TimeoutExpired | Error::NoMorePackets) => {
                // The clock was read before the buffer was found empty.
                self.clock.idle();
                self.idle = true;
                return Ok(None);
            }
            Err(error) => return Err(refused(&self.interface, &error)),
        };
        self.clock.read();
        let stamp_ns = stamp_ns(&packet);
        // libpcap lends a packet once, so the first frame of an epoch is not asked for again: it is
        // judged anew, and carries the mark at once.
        let ts_ns = loop {
            match self.clock.judge(stamp_ns) {
                Verdict::Time(ts_ns) => break ts_ns,
                Verdict::Epoch => self.begins_epoch = true,
            }
        };
        self.packets += 1;
        Ok(Some(Frame {
            ts_ns,
            wire_len: packet.header.len.max(packet.header.caplen),
            link: self.link,
            epoch: std::mem::take(&mut self.begins_epoch),
            bytes: packet.data,
        }))
    }

    fn passed(&self) -> Option<i64> {
        self.clock.passed_ns()
    }

    fn ended(&self) -> bool {
        false
    }
}

/// With nanosecond precision libpcap puts nanoseconds where a `timeval` has microseconds.
fn stamp_ns(packet: &Packet<'_>) -> i64 {
    let stamp = packet.header.ts;
    stamp
        .tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(stamp.tv_usec)
}

/// The operator's expression and the exclusion of our own frames, as one.
fn expression(options: &RingOptions) -> Option<String> {
    let own = options.not_from.map(|[a, b, c, d, e, f]| {
        format!("not ether src {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    });
    // The exclusion first: a `vlan` moves the offsets of all that follows it.
    match (own, options.filter.as_deref()) {
        (Some(own), Some(filter)) => Some(format!("{own} and ({filter})")),
        (own, filter) => own.or_else(|| filter.map(str::to_owned)),
    }
}

fn refused(interface: &str, error: &Error) -> SourceError {
    let words = match error {
        Error::PcapError(words) => words.clone(),
        other => other.to_string(),
    };
    let interface = interface.to_owned();
    // libpcap tells these apart in words only.
    let error = if words.contains("ermission") || words.contains("not permitted") {
        LiveError::NotPermitted
    } else if words.contains("disappeared") {
        LiveError::no_interface(&interface)
    } else if words.contains("is not up") || words.contains("went down") {
        LiveError::Down { interface }
    } else {
        LiveError::Pcap { interface, words }
    };
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_frames_are_excluded_before_anything_else() {
        let mut options = RingOptions::new("lo");
        assert_eq!(expression(&options), None);
        options.filter = Some("vlan 5 or arp".to_owned());
        assert_eq!(expression(&options).as_deref(), Some("vlan 5 or arp"));
        options.not_from = Some([2, 0, 0, 0, 0, 0xab]);
        assert_eq!(
            expression(&options).as_deref(),
            Some("not ether src 02:00:00:00:00:ab and (vlan 5 or arp)")
        );
    }
}
