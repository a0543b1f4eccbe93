//! The fast socket: frames of armed address pairs, read one by one as they come.
//!
//! Standard: Linux `packet(7)`: auxiliary data, `SO_TIMESTAMPNS`, socket filters.
//! Input:    the mirror interface, and which pairs of addresses are armed.
//! Output:   [`Received`]: whole frames with the kernel's time of receipt and the outer VLAN tag
//!           put back where the kernel took it off.
//! Units:    nanoseconds since the Unix epoch by the system's clock.
//! Bounds:   [`crate::PAIRS_MAX`] pairs; the kernel queues [`QUEUE_BYTES`] and counts what it drops
//!           ([`Armed::lost`]); frames longer than the buffer are cut, their length kept.
//! Not done: judging time. Frames here only find their kill entry; they are never recorded.
//!
//! A ring hands over whole blocks, up to the block's timeout late. This plain socket costs a system
//! call a frame, so the kernel lets only armed pairs through to it; with none armed, nothing. It
//! is opened while the process is privileged; filters, binding and reading need no privilege.
#![expect(unsafe_code, reason = "filters and control messages have no wrapper")]

use std::io::{self, IoSliceMut};
use std::mem;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::inject::{bind, interface_flags, interface_index};
use crate::pairs::{Instruction, program};
use crate::port_error::{PortError, checked_name};
use crate::spin::Spin;

/// What the kernel may queue: some 2,000 full frames with their overhead, 20 ms at 1 Gbit/s.
pub const QUEUE_BYTES: i32 = 4 << 20;

/// Frames read without looking at the wake-up descriptor. More save system calls in a flood, fewer
/// let a new kill entry in sooner.
const RUN_MAX: u32 = 16;

/// Room kept before a frame for a VLAN tag put back.
const TAG_LEN: usize = 4;

/// The second socket on the mirror port.
#[derive(Debug)]
pub struct Armed {
    socket: OwnedFd,
    interface: String,
    /// The interface's number, while bound to it.
    index: Option<i32>,
    /// Frames read since the wake-up descriptor was looked at.
    run: u32,
    spin: Spin,
    lost: u64,
}

/// What waiting for a frame came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A frame of an armed pair (or, rarely, of an IPv6 pair much like one).
    Frame {
        /// When the kernel received it.
        ts_ns: i64,
        /// Its length on the wire.
        wire_len: u32,
        /// Its bytes, tags and all; fewer than `wire_len` if the buffer was too short.
        bytes: &'a [u8],
    },
    /// The wake-up descriptor is readable; it is the caller's to drain.
    Woken,
    /// The time is up.
    Timeout,
    /// There is no frame and the interface is down; frames come again when it is up.
    LinkDown,
    /// There is no frame and the interface is gone; the next call looks for one of its name.
    Gone,
}

impl Armed {
    /// Opens the socket on `interface` with no pair armed: it gives nothing until
    /// [`Armed::watch`]. Needs CAP_NET_RAW; nothing later does.
    ///
    /// # Errors
    ///
    /// [`PortError`], one line for the operator.
    pub fn open(interface: &str) -> Result<Self, PortError> {
        checked_name(interface)?;
        let io = |step| PortError::at(interface, step);
        // Protocol 0: the kernel gives nothing to it before it is bound, so nothing comes in ahead
        // of the filter.
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None,
        )
        .map_err(io("opening a packet socket"))?;
        attach(&socket, &program(&[])).map_err(io("attaching a filter"))?;
        for (level, name, step) in [
            (
                libc::SOL_PACKET,
                libc::PACKET_AUXDATA,
                "asking for VLAN tags",
            ),
            (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, "asking for times"),
            (
                libc::SOL_PACKET,
                libc::PACKET_IGNORE_OUTGOING,
                "leaving out frames sent",
            ),
        ] {
            set(&socket, level, name, &1_i32).map_err(io(step))?;
        }
        // Beyond the system's usual bound only for the privileged; less than wanted still works.
        let forced = set(
            &socket,
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            &QUEUE_BYTES,
        );
        if forced.is_err() {
            set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &QUEUE_BYTES)
                .map_err(io("sizing its queue"))?;
        }
        let mut armed = Self {
            socket,
            interface: interface.to_owned(),
            index: None,
            run: 0,
            spin: Spin::new(),
            lost: 0,
        };
        armed.bind().map_err(io("binding to it"))?;
        Ok(armed)
    }

    /// Arms exactly these pairs, in both directions, instead of those armed before; of more than
    /// [`crate::PAIRS_MAX`] the first are taken. Frames queued for pairs that stay armed are kept; with no
    /// pair left everything queued is thrown away, so nothing stale is read once one is armed again.
    /// Frames queued for one of several pairs, just disarmed, may still come out: whoever reads
    /// compares them with what is armed, as with any frame.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the kernel refuses; what was armed before then stays so.
    pub fn watch(&mut self, pairs: &[(IpAddr, IpAddr)]) -> Result<(), PortError> {
        let io = PortError::at(&self.interface, "attaching a filter");
        attach(&self.socket, &program(pairs)).map_err(io)?;
        if pairs.is_empty() {
            // The filter drops everything, so this comes to an end.
            let mut scrap = [0; 64];
            while !matches!(receive(&self.socket, &mut scrap), Err(Errno::EAGAIN)) {}
        } else {
            // What was armed speaks, or it would not be.
            self.spin.hit();
        }
        Ok(())
    }

    /// Waits for a frame of an armed pair, for `wake` to become readable, or for the time to be up.
    /// An interface that is down or gone is no error: it is said at once when it happens and each
    /// time the time is up, and frames come again when it is back. `buffer` holds the frame; make it as long as frames can be.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the kernel cannot be asked at all.
    pub fn recv<'a>(
        &mut self,
        buffer: &'a mut [u8],
        wake: BorrowedFd<'_>,
        timeout: Duration,
    ) -> Result<Received<'a>, PortError> {
        self.run += 1;
        if self.run < RUN_MAX {
            // In a busy flow the next frame is already there.
            if let Some(got) = self.take(buffer)? {
                return Ok(got.lend(buffer));
            }
        }
        self.run = 0;
        if self.index.is_none() {
            // Another interface of that name may be there by now; if not, it is said below.
            let _bound = self.bind();
        }
        let waited = self.spin.wait([wake, self.socket.as_fd()], timeout);
        let [woken, ready] = waited.map_err(PortError::at(&self.interface, "waiting"))?;
        if woken {
            return Ok(Received::Woken);
        }
        if ready && let Some(got) = self.take(buffer)? {
            return Ok(got.lend(buffer));
        }
        Ok(self.idle())
    }

    /// Puts the calling thread, and those it starts from here on, before all that runs at the usual
    /// priority: a frame then waits for no other thread's time slice (`make bench-live` shows what is
    /// left of it). Needs CAP_SYS_NICE; threads started later need nothing.
    ///
    /// # Errors
    ///
    /// The process may not; the thread goes on as before.
    pub fn urgent() -> io::Result<()> {
        schedule(libc::SCHED_FIFO, 1)
    }

    /// Takes that back for the calling thread; those it has started keep it.
    ///
    /// # Errors
    ///
    /// The kernel refuses, which needs no privilege and so should not be.
    pub fn usual() -> io::Result<()> {
        schedule(libc::SCHED_OTHER, 0)
    }

    /// Frames of armed pairs that the kernel had no room for, since the socket was opened.
    pub fn lost(&mut self) -> u64 {
        if let Ok(dropped) = dropped(&self.socket) {
            self.lost += u64::from(dropped);
        }
        self.lost
    }

    /// Binds to the interface of that name there is now, and makes it promiscuous.
    fn bind(&mut self) -> Result<(), Errno> {
        let index = interface_index(&self.socket, &self.interface)?;
        bind(&self.socket, index, ETH_P_ALL)?;
        // The membership went with the interface; a plain socket may ask again without privilege.
        // SAFETY: `packet_mreq` is plain old data of integers; all zeros is a valid value.
        // JUSTIFICATION: it has no constructor.
        let mut membership: libc::packet_mreq = unsafe { mem::zeroed() };
        membership.mr_ifindex = index;
        membership.mr_type = u16::try_from(libc::PACKET_MR_PROMISC).unwrap_or_default();
        set(
            &self.socket,
            libc::SOL_PACKET,
            libc::PACKET_ADD_MEMBERSHIP,
            &membership,
        )?;
        self.index = Some(index);
        Ok(())
    }

    /// Why there is no frame. The interface bound to is compared with the one that bears its name
    /// now, as the kernel does not tell of one that goes while it is down.
    fn idle(&mut self) -> Received<'static> {
        let index = interface_index(&self.socket, &self.interface).ok();
        if index.is_none() || index != self.index {
            self.index = None;
            return Received::Gone;
        }
        let both = libc::IFF_UP | libc::IFF_RUNNING;
        match interface_flags(&self.socket, &self.interface) {
            Ok(flags) if flags & both == both => Received::Timeout,
            _ => Received::LinkDown,
        }
    }

    /// A frame, if one is queued.
    fn take(&mut self, buffer: &mut [u8]) -> Result<Option<Got>, PortError> {
        match receive(&self.socket, buffer) {
            Ok(got) => {
                self.spin.hit();
                Ok(Some(got))
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            // Told once when the link goes down or the interface goes away; `idle` says which.
            Err(Errno::ENETDOWN | Errno::ENXIO | Errno::ENODEV) => Ok(None),
            Err(error) => Err(PortError::at(&self.interface, "reading")(error)),
        }
    }
}

impl AsFd for Armed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Every protocol: what to bind to for all frames.
const ETH_P_ALL: u16 = 3;

/// Where a frame lies in the buffer.
#[derive(Clone, Copy, Debug)]
struct Got {
    ts_ns: i64,
    wire_len: u32,
    from: usize,
    to: usize,
}

impl Got {
    fn lend(self, buffer: &[u8]) -> Received<'_> {
        Received::Frame {
            ts_ns: self.ts_ns,
            wire_len: self.wire_len,
            bytes: buffer.get(self.from..self.to).unwrap_or(&[]),
        }
    }
}

/// Room for the control messages asked for, aligned as their headers want it.
#[repr(C, align(8))]
struct Control([u8; 256]);

/// Reads one frame into `buffer`, behind room for a tag, and puts the tag back if there was one.
fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Result<Got, Errno> {
    let mut control = Control([0; 256]);
    let (len, auxiliary, ts_ns) = {
        let room = buffer.get_mut(TAG_LEN..).unwrap_or(&mut []);
        let mut parts = [IoSliceMut::new(room)];
        // SAFETY: `msghdr` is plain old data of integers and raw pointers; all zeros, null pointers
        // included, is a valid value.
        // JUSTIFICATION: it has no constructor, and its padding must be zero.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = parts.as_mut_ptr().cast();
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = control.0.len();
        // SAFETY: `message` points to one `IoSliceMut`, which the standard library guarantees to be
        // laid out as an `iovec`, over bytes borrowed mutably for this block, and to `control`;
        // both outlive the call, which writes no further than the lengths given.
        // JUSTIFICATION: the safe wrapper allocates for each auxiliary message, and this runs for
        // each frame.
        let done = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_TRUNC) };
        let len = Errno::result(done)?;
        let (auxiliary, ts_ns) = control_of(&message);
        // With MSG_TRUNC it is the frame's whole length that is told.
        (usize::try_from(len).unwrap_or(0), auxiliary, ts_ns)
    };
    let to = TAG_LEN.saturating_add(len).min(buffer.len());
    let mut got = Got {
        ts_ns,
        wire_len: u32::try_from(len).unwrap_or(u32::MAX),
        from: TAG_LEN.min(to),
        to,
    };
    if let Some(auxiliary) = auxiliary {
        put_tag_back(buffer, &auxiliary, &mut got);
    }
    Ok(got)
}

/// The auxiliary data and the time among the control messages of a received frame.
fn control_of(message: &libc::msghdr) -> (Option<libc::tpacket_auxdata>, i64) {
    let (mut auxiliary, mut ts_ns) = (None, 0);
    // SAFETY: `message` is what `recvmsg` filled in: its control pointer and length tell of memory
    // that the caller still holds.
    // JUSTIFICATION: the walk over control messages is pointer arithmetic by its nature.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: a header that is not null lies whole within the control memory, aligned as the
        // kernel puts it.
        // JUSTIFICATION: as above.
        let (level, kind, len) = unsafe {
            let header = &*header;
            (header.cmsg_level, header.cmsg_type, header.cmsg_len)
        };
        // SAFETY: as above; what lies behind the header belongs to its message.
        // JUSTIFICATION: as above.
        let data = unsafe { libc::CMSG_DATA(header) };
        // SAFETY: a pure computation.
        // JUSTIFICATION: it is C's own macro for the length of a message with so much data.
        let holds = |size: u32| len >= unsafe { libc::CMSG_LEN(size) } as usize;
        if (level, kind) == (libc::SOL_PACKET, libc::PACKET_AUXDATA) && holds(AUXILIARY_LEN) {
            // SAFETY: the message's length says that a whole structure lies there; it is made of
            // integers, for which any bytes are valid, and is read without asking for alignment.
            // JUSTIFICATION: the bytes have no other way into the structure.
            auxiliary = Some(unsafe { data.cast::<libc::tpacket_auxdata>().read_unaligned() });
        } else if (level, kind) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) && holds(TIME_LEN) {
            // SAFETY: as for the auxiliary data; a `timespec` is made of integers.
            // JUSTIFICATION: as above.
            let time = unsafe { data.cast::<libc::timespec>().read_unaligned() };
            ts_ns = time
                .tv_sec
                .saturating_mul(1_000_000_000)
                .saturating_add(time.tv_nsec);
        }
        // SAFETY: `header` came from this walk over `message`.
        // JUSTIFICATION: as above.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    (auxiliary, ts_ns)
}

/// Lengths of what is read out of control messages (linux/if_packet.h, a 64-bit `timespec`).
const AUXILIARY_LEN: u32 = 20;
const TIME_LEN: u32 = 16;
const _: () = assert!(size_of::<libc::tpacket_auxdata>() == AUXILIARY_LEN as usize);
const _: () = assert!(size_of::<libc::timespec>() == TIME_LEN as usize);

/// Moves the two addresses into the room before the frame and the tag behind them.
fn put_tag_back(buffer: &mut [u8], auxiliary: &libc::tpacket_auxdata, got: &mut Got) {
    let said = |flag: u32| auxiliary.tp_status & flag != 0;
    let whole = got.to - got.from >= 12;
    if !said(libc::TP_STATUS_VLAN_VALID) || !whole {
        return;
    }
    let kind = if said(libc::TP_STATUS_VLAN_TPID_VALID) {
        auxiliary.tp_vlan_tpid
    } else {
        0x8100
    };
    buffer.copy_within(TAG_LEN..TAG_LEN + 12, 0);
    if let Some(room) = buffer.get_mut(12..16) {
        let ([a, b], [c, d]) = (kind.to_be_bytes(), auxiliary.tp_vlan_tci.to_be_bytes());
        room.copy_from_slice(&[a, b, c, d]);
        got.from = 0;
        got.wire_len = got.wire_len.saturating_add(4);
    }
}

/// Sets how the calling thread is scheduled.
fn schedule(policy: i32, priority: i32) -> io::Result<()> {
    // SAFETY: `sched_param` is plain old data of integers; all zeros is a valid value.
    // JUSTIFICATION: its fields differ between C libraries, and it has no constructor.
    let mut parameters: libc::sched_param = unsafe { mem::zeroed() };
    parameters.sched_priority = priority;
    // SAFETY: the parameters live for the call and are only read; 0 means the calling thread.
    // JUSTIFICATION: `nix` does not wrap it.
    let done = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    Errno::result(done).map(drop).map_err(Into::into)
}

/// Attaches a filter in place of the one before it, in one step.
fn attach(socket: &OwnedFd, program: &[Instruction]) -> Result<(), Errno> {
    let mut filter: Vec<libc::sock_filter> = program
        .iter()
        .map(|instruction| libc::sock_filter {
            code: instruction.code,
            jt: instruction.yes,
            jf: instruction.no,
            k: instruction.k,
        })
        .collect();
    let whole = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| Errno::EINVAL)?,
        filter: filter.as_mut_ptr(),
    };
    // The kernel copies the program while it is asked, so it need not outlive the call.
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &whole)
}

/// Sets a socket option to a plain value.
fn set<T>(socket: &OwnedFd, level: i32, name: i32, value: &T) -> Result<(), Errno> {
    let len = libc::socklen_t::try_from(size_of::<T>()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the descriptor is open for the length of the call; `value` is `len` bytes long, lives
    // as long and is only read. Where it holds a pointer (a filter), the caller keeps what it
    // points to alive and tells its right length.
    // JUSTIFICATION: `nix` has no packet socket options.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            len,
        )
    };
    Errno::result(done).map(drop)
}

/// Frames dropped for want of room since the last call.
fn dropped(socket: &OwnedFd) -> Result<u32, Errno> {
    let mut stats = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut len = libc::socklen_t::try_from(size_of_val(&stats)).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the descriptor is open for the length of the call; `stats` is `len` bytes long and
    // made of integers, so whatever is written into it is valid.
    // JUSTIFICATION: `nix` has no packet socket options.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut stats).cast(),
            &raw mut len,
        )
    };
    Errno::result(done).map(|_| stats.tp_drops)
}
