//! The block ring: memory shared with the kernel, and the system calls that have no safe name.
//!
//! Standard: packet(7), the kernel's `packet_mmap.rst` (`TPACKET_V3`), `linux/ethtool.h`.
//! Input:    an AF_PACKET socket.
//! Output:   whole blocks as byte slices; answers of the system as numbers.
//! Bounds:   one block is lent at a time; it belongs to the kernel again before the next is begun.
//!
//! Everything that can be done with bytes is done elsewhere: [`crate::block`] finds the frames,
//! [`crate::group`] opens sockets, [`crate::live`] reads them.
#![expect(unsafe_code, reason = "memory shared with the kernel")]

use std::ffi::c_void;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::cbpf::Instruction;

/// Shape of a ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    pub(crate) blocks: u32,
    pub(crate) block_bytes: u32,
    pub(crate) retire_ms: u32,
    /// Room the kernel leaves before each frame.
    pub(crate) headroom: u32,
}

/// A ring mapped into memory.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    blocks: usize,
    block_bytes: usize,
    /// The block to be filled next.
    next: usize,
    /// Whether that block is lent to us.
    held: bool,
}

// SAFETY: the mapping is owned by this value alone; nothing in it belongs to a thread, and the
// other side, the kernel, does not care which thread reads.
// JUSTIFICATION: a raw pointer is not `Send` by itself, and queues are opened by one thread and
// read by others.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Makes `socket` fill a ring of this shape and maps it. Blocks must be whole pages.
    pub(crate) fn new(socket: &OwnedFd, geometry: Geometry) -> io::Result<Self> {
        // The frame size only has to divide the block; a `TPACKET_V3` ring does not use it.
        let frame_bytes = 2048;
        let request = libc::tpacket_req3 {
            tp_block_size: geometry.block_bytes,
            tp_block_nr: geometry.blocks,
            tp_frame_size: frame_bytes,
            tp_frame_nr: geometry.block_bytes / frame_bytes * geometry.blocks,
            tp_retire_blk_tov: geometry.retire_ms,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set_number(socket, libc::PACKET_VERSION, TPACKET_V3)?;
        set_number(socket, libc::PACKET_RESERVE, geometry.headroom)?;
        set(socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let (blocks, block_bytes) = (geometry.blocks as usize, geometry.block_bytes as usize);
        // SAFETY: no address is asked for, so nothing that is mapped is replaced; the length is
        // that of the ring just made on this open socket; the result is checked.
        // JUSTIFICATION: a ring is reached by mmap only, and the standard library has none.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                blocks * block_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            start,
            blocks,
            block_bytes,
            next: 0,
            held: false,
        })
    }

    /// Takes the next block if the kernel has filled it; true also if it is held already.
    pub(crate) fn take(&mut self) -> bool {
        let ours = self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER != 0;
        self.held |= ours;
        self.held
    }

    /// The block taken; empty if none is.
    #[inline]
    pub(crate) fn held(&mut self) -> &mut [u8] {
        if !self.held {
            return &mut [];
        }
        // SAFETY: `next < blocks`, so the block lies in the mapping, which lives as long as `self`
        // and is lent with it. The kernel wrote these bytes before it set the status that `take`
        // read with acquire ordering, and writes none of them until `give_back` resets it; it only
        // reads the status meanwhile. No other slice exists: this one borrows `self` mutably.
        // JUSTIFICATION: copying each block out instead would double the cost of capture.
        unsafe {
            let block = self.start.as_ptr().add(self.next * self.block_bytes);
            std::slice::from_raw_parts_mut(block, self.block_bytes)
        }
    }

    /// Hands the block taken back to the kernel.
    pub(crate) fn give_back(&mut self) {
        if !std::mem::take(&mut self.held) {
            return;
        }
        self.status()
            .store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % self.blocks;
    }

    fn status(&self) -> &AtomicU32 {
        let at = self.next * self.block_bytes
            + offset_of!(libc::tpacket_block_desc, hdr)
            + offset_of!(libc::tpacket_hdr_v1, block_status);
        // SAFETY: blocks are whole pages and the status lies at offset 8, so it is inside the
        // mapping and aligned; it is shared with the kernel, hence atomic; no slice of the block
        // is alive, since those borrow `self` mutably.
        // JUSTIFICATION: the status word is how the kernel and we tell each other whose a block is.
        unsafe { AtomicU32::from_ptr(self.start.as_ptr().add(at).cast()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: address and length are those of the mapping made in `new`; no slice of it is
        // alive, since those borrow `self`.
        // JUSTIFICATION: what was mapped by hand is unmapped by hand.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.blocks * self.block_bytes) };
    }
}

/// `enum tpacket_versions`.
const TPACKET_V3: u32 = 2;

/// Where a program is put.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// Which frames the socket sees.
    Filter,
    /// Which socket of the group a frame goes to.
    Fanout,
}

/// Hands the kernel a program; one of the same place is replaced at once.
pub(crate) fn attach(socket: &OwnedFd, place: Place, program: &[Instruction]) -> io::Result<()> {
    let filter = |i: &Instruction| libc::sock_filter {
        code: i.code,
        jt: i.jt,
        jf: i.jf,
        k: i.k,
    };
    let mut filters: Vec<_> = program.iter().map(filter).collect();
    let description = libc::sock_fprog {
        len: u16::try_from(filters.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: filters.as_mut_ptr(),
    };
    // The kernel copies the instructions before the call returns, while `filters` is alive.
    match place {
        Place::Filter => set(
            socket,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            &description,
        ),
        Place::Fanout => set(
            socket,
            libc::SOL_PACKET,
            libc::PACKET_FANOUT_DATA,
            &description,
        ),
    }
}

/// Sets one of packet(7)'s options that is a number.
pub(crate) fn set_number(socket: &OwnedFd, option: i32, value: u32) -> io::Result<()> {
    set(socket, libc::SOL_PACKET, option, &value)
}

/// Has the interface take all frames in as long as the socket is bound to it.
pub(crate) fn set_promiscuous(socket: &OwnedFd, index: i32) -> io::Result<()> {
    let membership = libc::packet_mreq {
        mr_ifindex: index,
        mr_type: 1, // PACKET_MR_PROMISC
        mr_alen: 0,
        mr_address: [0; 8],
    };
    let option = libc::PACKET_ADD_MEMBERSHIP;
    set(socket, libc::SOL_PACKET, option, &membership)
}

/// The number of the fanout group the socket is in.
pub(crate) fn fanout_group(socket: &OwnedFd) -> io::Result<u32> {
    let mut value = 0_u32;
    get(socket, libc::PACKET_FANOUT, &mut value)?;
    Ok(value & 0xffff)
}

/// Drops and freezes since the last time this was asked.
pub(crate) fn statistics(socket: &OwnedFd) -> io::Result<(u32, u32)> {
    let mut value = libc::tpacket_stats_v3 {
        tp_packets: 0,
        tp_drops: 0,
        tp_freeze_q_cnt: 0,
    };
    get(socket, libc::PACKET_STATISTICS, &mut value)?;
    Ok((value.tp_drops, value.tp_freeze_q_cnt))
}

/// `T` is one of the kernel's plain structures, laid out as in C.
fn set<T>(socket: &OwnedFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    let len = length_of(value)?;
    // SAFETY: the descriptor is open; the kernel reads `len` bytes from the address of a live
    // `T` and, for a program, the instructions it points to, which `attach` keeps alive.
    // JUSTIFICATION: the safe wrappers know none of packet(7)'s options.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            ptr::from_ref(value).cast(),
            len,
        )
    };
    checked(done)
}

/// As [`set`]; every bit pattern is a `T`.
fn get<T>(socket: &OwnedFd, option: i32, value: &mut T) -> io::Result<()> {
    let mut len = length_of(value)?;
    // SAFETY: the descriptor is open; the kernel writes at most `len` bytes to the address of a
    // live `T`, of which both callers' consist of integers only.
    // JUSTIFICATION: the safe wrappers know none of packet(7)'s options.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            ptr::from_mut(value).cast(),
            &raw mut len,
        )
    };
    checked(done)
}

/// `AF_PACKET` and `ETH_P_ALL` in the width an address has them.
const FAMILY: libc::sa_family_t = 17;
const ALL_PROTOCOLS: u16 = 3;

/// Binds the socket to an interface, for frames of all protocols.
pub(crate) fn bind(socket: &OwnedFd, index: i32) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: FAMILY,
        sll_protocol: ALL_PROTOCOLS.to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let len = length_of(&address)?;
    // SAFETY: the descriptor is open, and the kernel reads `len` bytes of a live `sockaddr_ll`.
    // JUSTIFICATION: the safe wrapper has no way to make a link-layer address.
    let done = unsafe { libc::bind(socket.as_raw_fd(), ptr::from_ref(&address).cast(), len) };
    checked(done)
}

/// Number of the interface the socket is bound to: 0 if to none, negative if it was deleted.
pub(crate) fn bound_index(socket: &OwnedFd) -> io::Result<i32> {
    let mut address = libc::sockaddr_ll {
        sll_family: FAMILY,
        sll_protocol: 0,
        sll_ifindex: 0,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let mut len = length_of(&address)?;
    let at: *mut libc::sockaddr_ll = &raw mut address;
    // SAFETY: the descriptor is open, and the kernel writes at most `len` bytes to a live
    // `sockaddr_ll`, which consists of integers only.
    // JUSTIFICATION: the safe wrapper refuses the shorter address of a socket without interface.
    let done = unsafe { libc::getsockname(socket.as_raw_fd(), at.cast(), &raw mut len) };
    checked(done)?;
    Ok(address.sll_ifindex)
}

/// What can be asked about an interface.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question {
    Index,
    Mtu,
    Flags,
    /// ARPHRD_ number.
    Kind,
}

/// Asks about the interface of this name; `NotFound` or ENODEV if there is none.
pub(crate) fn ask(socket: &OwnedFd, name: &str, question: Question) -> io::Result<i32> {
    let mut request = request(name, libc::__c_anonymous_ifr_ifru { ifru_ifindex: 0 })?;
    let code = match question {
        Question::Index => libc::SIOCGIFINDEX,
        Question::Mtu => libc::SIOCGIFMTU,
        Question::Flags => libc::SIOCGIFFLAGS,
        Question::Kind => libc::SIOCGIFHWADDR,
    };
    ioctl(socket, code, &mut request)?;
    // SAFETY: each code fills the field that is read here, all of them integers, and the whole
    // union was initialised before.
    // JUSTIFICATION: the kernel answers in a union.
    Ok(unsafe {
        match question {
            Question::Index => request.ifr_ifru.ifru_ifindex,
            Question::Mtu => request.ifr_ifru.ifru_mtu,
            Question::Flags => i32::from(request.ifr_ifru.ifru_flags),
            Question::Kind => i32::from(request.ifr_ifru.ifru_hwaddr.sa_family),
        }
    })
}

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// One of ethtool's commands that takes and gives a number.
pub(crate) fn ethtool(socket: &OwnedFd, name: &str, command: u32, data: u32) -> io::Result<u32> {
    let mut value = EthtoolValue { command, data };
    let ifru_data = ptr::from_mut(&mut value).cast();
    let mut request = request(name, libc::__c_anonymous_ifr_ifru { ifru_data })?;
    ioctl(socket, libc::SIOCETHTOOL, &mut request)?;
    Ok(value.data)
}

fn request(name: &str, ifru: libc::__c_anonymous_ifr_ifru) -> io::Result<libc::ifreq> {
    let mut ifr_name = [0; libc::IFNAMSIZ];
    // The last byte stays 0.
    if name.len() >= ifr_name.len() || name.bytes().any(|byte| byte == 0) {
        return Err(io::ErrorKind::NotFound.into());
    }
    for (to, from) in ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    Ok(libc::ifreq {
        ifr_name,
        ifr_ifru: ifru,
    })
}

fn ioctl(socket: &OwnedFd, code: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
    let request: *mut c_void = ptr::from_mut(request).cast();
    // SAFETY: the descriptor is open; every code used in this file reads and writes one `ifreq`,
    // and SIOCETHTOOL also the live `EthtoolValue` its caller put there.
    // JUSTIFICATION: interfaces are asked by ioctl, so that no file has to be read.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), code, request) })
}

fn length_of<T>(value: &T) -> io::Result<libc::socklen_t> {
    let len = libc::socklen_t::try_from(size_of_val(value));
    Ok(len.map_err(|_| io::ErrorKind::InvalidInput)?)
}

fn checked(done: i32) -> io::Result<()> {
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
