//! Live capture: the frames of a port, queue by queue.
//!
//! Standard: packet(7), `TPACKET_V3`.
//! Input:    a port's ring, filled by the kernel.
//! Output:   frames lent from the ring, as they were on the wire, many at a time; `None` when idle.
//! Units:    nanoseconds since the Unix epoch; lengths in bytes.
//! Bounds:   a frame longer than a block is cut; what comes while the ring is full is dropped and
//!           counted by the kernel.
//! Not done: hardware timestamps.
//!
//! Nothing is allocated, locked or asked of the system for a frame: the clock is read for a block,
//! and the system is asked only when there is no block.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt::SocketError};

use crate::epochs::{Epoch, Epochs};
use crate::group::{Link, Opened, Port, Reserve, RingOptions};
use crate::intake::{FRAMES_MAX, Intake};
use crate::live_clock::{ClockCounts, LiveClock};
use crate::ring::{self, Mapping};
use crate::{Batch, Frame, Source, SourceError};

/// One queue of a port.
pub struct Ring {
    port: Arc<Port>,
    queue: usize,
    /// Which opening of the port the socket is from.
    generation: u64,
    mapping: Mapping,
    socket: OwnedFd,
    intake: Intake,
    /// The interface has reported trouble; whether it is there is asked when idle.
    troubled: bool,
    timeout: PollTimeout,
    /// Frames were lent since the ring was last found empty: that is said before more is waited for.
    lent: bool,
}

/// What a queue has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingCounts {
    /// Frames lent.
    pub packets: u64,
    /// Their captured bytes.
    pub bytes: u64,
    /// Frames the kernel dropped because the ring was full.
    pub dropped: u64,
    /// Times the kernel found no free block.
    pub freezes: u64,
    /// Frames left out by the part of the filter that the kernel cannot run.
    pub filtered: u64,
    /// Frames cut because they are longer than a block.
    pub snapped: u64,
    /// Frames longer than the interface's MTU allows: merged by an offload.
    pub over_mtu: u64,
    /// Frames whose sender left the checksums to hardware that never saw them.
    pub checksums_unfinished: u64,
    /// VLAN tags put back.
    pub tags: u64,
    /// Times the interface came back after it had been deleted.
    pub reopened: u64,
    /// Frames whose time was changed.
    pub clock: ClockCounts,
}

impl Ring {
    /// Opens all queues of a port; each is to be read by one thread. The reserve's remaining
    /// sockets are for the times the interface is deleted and made anew.
    ///
    /// # Errors
    ///
    /// [`SourceError::Live`] or [`SourceError::Filter`], in words for the operator.
    pub fn open(
        reserve: Reserve,
        options: &RingOptions,
        epochs: &Arc<Epochs>,
    ) -> Result<Vec<Self>, SourceError> {
        let port = Arc::new(Port::open(options, reserve)?);
        // Four times: the kernel looks at a block every retire time and hands it over at the second
        // look; the rest is for a kernel that is late.
        let lag_ns = 4_000_000 * i64::from(options.retire_ms);
        // As long as a block may stay with the kernel; shorter would only wake for nothing.
        let retire_ms = u16::try_from(options.retire_ms).unwrap_or(u16::MAX);
        let mut rings = Vec::with_capacity(options.queues);
        for (queue, (opened, generation)) in port.first().into_iter().enumerate() {
            let Opened {
                mapping,
                socket,
                mtu,
            } = opened;
            let clock = LiveClock::new(Arc::clone(epochs), lag_ns);
            rings.push(Self {
                queue,
                generation,
                mapping,
                socket,
                intake: Intake::new(clock, port.filter().ours()?, mtu),
                troubled: false,
                timeout: PollTimeout::from(retire_ms),
                lent: false,
                port: Arc::clone(&port),
            });
        }
        Ok(rings)
    }

    /// The next frames of the ring, at most `frames_max`, or `None` when idle or at a new epoch.
    fn lend(&mut self, frames_max: usize) -> Result<Option<Batch<'_>>, SourceError> {
        if !self.advance(frames_max)? {
            return Ok(None);
        }
        self.lent = true;
        Ok(Some(self.intake.taken(self.mapping.held())))
    }

    /// Takes in what can be lent; false when idle or at a new epoch.
    fn advance(&mut self, frames_max: usize) -> Result<bool, SourceError> {
        let mut waited = false;
        loop {
            if self.intake.take(self.mapping.held(), frames_max) {
                return Ok(true);
            }
            self.mapping.give_back();
            // Read before the ring is found empty: what had arrived by then is in it.
            self.intake.clock.read();
            if self.mapping.take() {
                // And again after what is in the block has arrived.
                self.intake.clock.read();
                self.intake.begin(self.mapping.held());
                continue;
            }
            self.intake.clock.idle();
            if self.intake.follow() {
                return Ok(false);
            }
            if waited || std::mem::take(&mut self.lent) || !self.wait()? {
                return Ok(false);
            }
            waited = true;
        }
    }

    /// Waits for a block, at most as long as the kernel keeps one. False if there is none.
    fn wait(&mut self) -> Result<bool, SourceError> {
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, self.timeout) {
            Ok(0) | Err(nix::Error::EINTR) => {}
            Ok(_) => {
                let events = fds.first().and_then(PollFd::revents);
                let events = events.unwrap_or(PollFlags::empty());
                if events.contains(PollFlags::POLLERR) {
                    // Reading the error clears it; otherwise poll would return at once for ever.
                    getsockopt(&self.socket, SocketError).ok();
                    self.troubled = true;
                }
                if events.contains(PollFlags::POLLIN) {
                    return Ok(true);
                }
            }
            Err(error) => {
                let name = &self.port.options.interface;
                let error = std::io::Error::from(error);
                let step = "waiting for frames";
                return Err(crate::LiveError::system(name, step, error).into());
            }
        }
        if self.troubled {
            self.recover()?;
        }
        Ok(false)
    }

    /// Opens the port anew if its interface was deleted and is back.
    fn recover(&mut self) -> Result<(), SourceError> {
        match self.port.link(&self.socket) {
            Link::Up => self.troubled = false,
            // The kernel takes the socket up again together with the link.
            Link::Down => {}
            Link::Gone if self.port.options.queues == 1 => {
                if self.port.rebind(&self.socket)? {
                    self.intake.counts.reopened += 1;
                }
            }
            Link::Gone => {
                let renewed = self.port.renew(self.queue, self.generation, &self.socket)?;
                if let Some((opened, generation)) = renewed {
                    self.read_statistics();
                    self.generation = generation;
                    self.mapping = opened.mapping;
                    self.socket = opened.socket;
                    self.intake.renew(opened.mtu);
                }
            }
        }
        Ok(())
    }

    /// The kernel forgets its figures when they are read, so they are added up here.
    fn read_statistics(&mut self) {
        if let Ok((drops, freezes)) = ring::statistics(&self.socket) {
            self.intake.counts.dropped += u64::from(drops);
            self.intake.counts.freezes += u64::from(freezes);
        }
    }

    /// What the queue has seen so far; asks the kernel.
    pub fn counts(&mut self) -> RingCounts {
        self.read_statistics();
        RingCounts {
            clock: self.intake.clock.counts(),
            ..self.intake.counts
        }
    }

    /// State of the interface; asks the kernel.
    pub fn link(&self) -> Link {
        self.port.link(&self.socket)
    }

    /// Number of this queue; frames are dealt to it as by [`crate::dealt_to`].
    pub fn queue(&self) -> usize {
        self.queue
    }

    /// The epoch this queue is in. When [`Source::batch`] has given `None` it may be a new one; the
    /// next frame then carries the mark.
    pub fn epoch(&self) -> Epoch {
        self.intake.clock.epoch()
    }

    /// No later frame of this queue has a lower time in this epoch. Grows while the port is idle.
    pub fn watermark_ns(&self) -> i64 {
        self.intake.clock.watermark_ns()
    }

    /// How long a reader may stand still on a port too quiet to fill blocks, in milliseconds:
    /// blocks times retire time. On a busy port the bytes of the ring are what counts.
    pub fn stall_ms(&self) -> u64 {
        let options = &self.port.options;
        u64::from(options.blocks) * u64::from(options.retire_ms)
    }

    /// Sockets left for the times the interface is deleted and made anew.
    pub fn reserve_left(&self) -> usize {
        self.port.reserve_left()
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring")
            .field("interface", &self.port.options.interface)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

impl Source for Ring {
    /// As [`Source::batch`], one at a time.
    fn next(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        let batch = self.lend(1)?;
        Ok(batch.and_then(|batch| batch.frame(0)))
    }

    /// Waits at most the retire time, and not at all where the ring has just been emptied: whoever reads
    /// can do what waits for that, and ask again. An error says that the port cannot be opened again; asking
    /// again tries again.
    fn batch(&mut self) -> Result<Option<Batch<'_>>, SourceError> {
        self.lend(FRAMES_MAX)
    }

    fn passed(&self) -> Option<i64> {
        self.intake.clock.passed_ns()
    }

    fn ended(&self) -> bool {
        false
    }
}
