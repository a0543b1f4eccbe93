//! The injector: the one way out of the box, and it fits nothing but a reset.
//!
//! Standard: Linux `packet(7)`; frames as RFC 791, RFC 8200 and RFC 9293 lay them out.
//! Input:    [`ResetFrame`]s, each checked to be a bare TCP reset from the port's own address.
//! Output:   the frame on the injection interface, or why not.
//! Bounds:   [`RESET_BYTES_MAX`] bytes a frame; sending never waits.
//! Not done: binding again after the interface has gone. A new interface of the same name has no
//!           egress filter until one is installed, so it takes a new injector as well.
//!
//! The socket is bound for sending only (protocol 0: the kernel queues nothing to it) and never
//! asks to bypass the queueing discipline, so that the port's egress filter
//! ([`crate::Egress`]) sees whatever is written to it.
#![expect(unsafe_code, reason = "binding and addresses have no safe wrapper")]

use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socket};

use crate::port_error::{PortError, checked_name};

/// Most bytes a reset takes: Ethernet, two VLAN tags, IPv6 and TCP without options.
pub const RESET_BYTES_MAX: usize = 14 + 8 + 40 + 20;

/// The VLAN tags a reset may carry.
const TAGS_MAX: usize = 2;

/// Sends resets on one interface.
#[derive(Debug)]
pub struct Injector {
    socket: OwnedFd,
    mac: [u8; 6],
    counts: InjectCounts,
}

/// What became of the frames handed to an [`Injector`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InjectCounts {
    /// Taken by the kernel.
    pub sent: u64,
    /// Turned away by the egress filter or a full queue.
    pub refused: u64,
    /// Not sent because the interface was down or gone.
    pub down: u64,
    /// Not sent for another reason.
    pub failed: u64,
}

/// What became of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The kernel took it.
    Ok,
    /// The egress filter, or a full queue, turned it away.
    Refused,
    /// The interface is down.
    Down,
    /// The interface has gone; this injector will never send again.
    Gone,
    /// Made for another port's address; not handed to the kernel.
    NotOurs,
    /// The kernel's error number.
    Failed(i32),
}

impl Injector {
    /// Opens the way out on `interface`. Needs CAP_NET_RAW; sending later does not.
    ///
    /// # Errors
    ///
    /// [`PortError`], one line for the operator.
    pub fn open(interface: &str) -> Result<Self, PortError> {
        checked_name(interface)?;
        let io = |step| PortError::at(interface, step);
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            None,
        )
        .map_err(io("opening a packet socket"))?;
        let index = interface_index(&socket, interface).map_err(io("looking it up"))?;
        let (family, mac) = hardware(&socket, interface).map_err(io("reading its address"))?;
        if family != libc::ARPHRD_ETHER || mac[0] & 1 != 0 || mac == [0; 6] {
            return Err(PortError::NotEthernet {
                interface: interface.to_owned(),
            });
        }
        bind(&socket, index, 0).map_err(io("binding to it"))?;
        Ok(Self {
            socket,
            mac,
            counts: InjectCounts::default(),
        })
    }

    /// Sends one reset, or says why not. Never waits.
    #[inline]
    pub fn send(&mut self, frame: &ResetFrame) -> Sent {
        if frame.source() != self.mac {
            self.counts.failed += 1;
            return Sent::NotOurs;
        }
        match send(
            self.socket.as_raw_fd(),
            frame.bytes(),
            MsgFlags::MSG_DONTWAIT,
        ) {
            Ok(_) => {
                self.counts.sent += 1;
                Sent::Ok
            }
            Err(error) => self.not_sent(error),
        }
    }

    #[cold]
    fn not_sent(&mut self, error: Errno) -> Sent {
        match error {
            Errno::ENOBUFS | Errno::EAGAIN => {
                self.counts.refused += 1;
                Sent::Refused
            }
            Errno::ENETDOWN => {
                self.counts.down += 1;
                Sent::Down
            }
            Errno::ENXIO | Errno::ENODEV => {
                self.counts.down += 1;
                Sent::Gone
            }
            error => {
                self.counts.failed += 1;
                Sent::Failed(error as i32)
            }
        }
    }

    /// The port's own address, which every frame bears as its source.
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// What became of all frames so far.
    pub fn counts(&self) -> InjectCounts {
        self.counts
    }
}

impl AsFd for Injector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The bytes of one reset. There is no way to make one but [`ResetFrame::checked`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ResetFrame {
    bytes: [u8; RESET_BYTES_MAX],
    len: u8,
}

impl ResetFrame {
    /// Takes `bytes` if they are a whole Ethernet frame from `own_mac` to one station, behind at
    /// most two VLAN tags, of IPv4 without options and unfragmented or IPv6 without extension
    /// headers, of TCP without options and data, with RST set and no flag beside it but ACK.
    pub fn checked(bytes: &[u8], own_mac: [u8; 6]) -> Option<Self> {
        let (addresses, mut rest) = bytes.split_first_chunk::<12>()?;
        let group = addresses[0] & 1 != 0;
        if group || addresses[6..] != own_mac || own_mac[0] & 1 != 0 || own_mac == [0; 6] {
            return None;
        }
        let mut tags = 0;
        let (ethertype, packet) = loop {
            let (ethertype, after) = rest.split_first_chunk::<2>()?;
            match u16::from_be_bytes(*ethertype) {
                0x8100 | 0x88a8 if tags < TAGS_MAX => {
                    rest = after.get(2..)?;
                    tags += 1;
                }
                other => break (other, after),
            }
        };
        let segment = match ethertype {
            0x0800 => ipv4_payload(packet)?,
            0x86dd => ipv6_payload(packet)?,
            _ => return None,
        };
        let header: &[u8; 20] = segment.try_into().ok()?;
        // Data offset 5 and no reserved bit; RST, with or without ACK.
        if header[12] != 0x50 || header[13] & !0x10 != 0x04 {
            return None;
        }
        let mut kept = [0; RESET_BYTES_MAX];
        kept.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let len = u8::try_from(bytes.len()).ok()?;
        Some(Self { bytes: kept, len })
    }

    /// The frame, without padding.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }

    fn source(&self) -> [u8; 6] {
        let [_, _, _, _, _, _, a, b, c, d, e, f, ..] = self.bytes;
        [a, b, c, d, e, f]
    }
}

impl std::fmt::Debug for ResetFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ResetFrame").field(&self.bytes()).finish()
    }
}

/// What an IPv4 header of 20 bytes carries, if it is TCP, whole and as long as the header says.
fn ipv4_payload(packet: &[u8]) -> Option<&[u8]> {
    let (header, payload) = packet.split_first_chunk::<20>()?;
    let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    // Every fragment bit but "don't fragment" must be clear.
    let fragment = u16::from_be_bytes([header[6], header[7]]) & 0xbfff;
    (header[0] == 0x45 && total_len == packet.len() && fragment == 0 && header[9] == 6)
        .then_some(payload)
}

/// What an IPv6 header carries, if TCP comes right behind it and is as long as the header says.
fn ipv6_payload(packet: &[u8]) -> Option<&[u8]> {
    let (header, payload) = packet.split_first_chunk::<40>()?;
    let payload_len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    (header[0] >> 4 == 6 && payload_len == payload.len() && header[6] == 6).then_some(payload)
}

/// An interface request with the name filled in.
fn request(interface: &str) -> libc::ifreq {
    // SAFETY: `ifreq` is plain old data of integers, arrays of them and a union of such; all
    // zeros is a valid value of each.
    // JUSTIFICATION: its union has no constructor; zeroing is how the C interface begins too.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // The last byte stays zero: names are at most 15 bytes, checked before.
    let room = request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1);
    for (to, from) in room.zip(interface.as_bytes()) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    request
}

/// The number the kernel knows `interface` by.
pub(crate) fn interface_index(socket: &OwnedFd, interface: &str) -> Result<i32, Errno> {
    let mut request = request(interface);
    // SAFETY: the descriptor is open for the length of the call, `request` is a whole `ifreq` with
    // a name that ends in a zero byte, and SIOCGIFINDEX writes only into it.
    // JUSTIFICATION: `if_nametoindex` opens a socket of its own, which is forbidden once the
    // process is confined; this asks through the socket there is.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFINDEX, &raw mut request) };
    Errno::result(done)?;
    // SAFETY: SIOCGIFINDEX succeeded, so it is this member of the union that was written; it is an
    // integer, for which any bytes are valid.
    // JUSTIFICATION: a C union can be read in no other way.
    Ok(unsafe { request.ifr_ifru.ifru_ifindex })
}

/// The flags of `interface` (`IFF_UP`, `IFF_RUNNING`, …).
pub(crate) fn interface_flags(socket: &OwnedFd, interface: &str) -> Result<i32, Errno> {
    let mut request = request(interface);
    // SAFETY: as in `interface_index`; SIOCGIFFLAGS writes only into `request`.
    // JUSTIFICATION: no wrapper asks for flags through a given socket.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
    Errno::result(done)?;
    // SAFETY: SIOCGIFFLAGS succeeded, so it is this member of the union that was written; it is an
    // integer, for which any bytes are valid.
    // JUSTIFICATION: a C union can be read in no other way.
    Ok(i32::from(unsafe { request.ifr_ifru.ifru_flags }))
}

/// The hardware type and address of `interface`.
fn hardware(socket: &OwnedFd, interface: &str) -> Result<(u16, [u8; 6]), Errno> {
    let mut request = request(interface);
    // SAFETY: as in `interface_index`; SIOCGIFHWADDR writes only into `request`.
    // JUSTIFICATION: no wrapper gives an interface's hardware address and type.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) };
    Errno::result(done)?;
    // SAFETY: SIOCGIFHWADDR succeeded, so it is this member of the union that was written; it is
    // made of integers, for which any bytes are valid.
    // JUSTIFICATION: a C union can be read in no other way.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr };
    let mut mac = [0; 6];
    for (to, from) in mac.iter_mut().zip(address.sa_data) {
        [*to] = from.to_ne_bytes();
    }
    Ok((address.sa_family, mac))
}

/// Binds a packet socket to the interface of number `index` for frames of `protocol`.
pub(crate) fn bind(socket: &OwnedFd, index: i32, protocol: u16) -> Result<(), Errno> {
    // SAFETY: `sockaddr_ll` is plain old data of integers; all zeros is a valid value.
    // JUSTIFICATION: it has no constructor that leaves padding zero.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index;
    let len = libc::socklen_t::try_from(size_of_val(&address)).unwrap_or_default();
    // SAFETY: the descriptor is open for the length of the call; `address` lives as long, is
    // `len` bytes long and is only read.
    // JUSTIFICATION: `nix` makes link addresses only out of raw pointers.
    let done = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    Errno::result(done).map(drop)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWN: [u8; 6] = [2, 0, 0, 0, 0, 9];

    /// A reset with `tags` VLAN tags, written out from the RFCs.
    pub(crate) fn reset(tags: usize, v6: bool) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 1];
        frame.extend(OWN);
        for tag in [[0x88, 0xa8, 0, 5], [0x81, 0, 0, 7]].iter().skip(2 - tags) {
            frame.extend(tag);
        }
        if v6 {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend([0, 20, 6, 64]); // payload length, TCP, hop limit
            frame.extend([0x20; 32]);
        } else {
            frame.extend([0x08, 0x00, 0x45, 0, 0, 40]);
            frame.extend([0, 0, 0x40, 0, 64, 6, 0, 0]); // id, don't fragment, TTL, TCP, checksum
            frame.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        }
        frame.extend([0, 80, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0]); // ports, sequence, acknowledgement
        frame.extend([0x50, 0x04, 0, 0, 0, 0, 0, 0]); // RST, window, checksum, urgent
        frame
    }

    /// All six layouts are taken, byte for byte; each of them spoilt in one place is not.
    #[test]
    fn only_bare_resets_are_taken() {
        for tags in 0..=2 {
            for v6 in [false, true] {
                let frame = reset(tags, v6);
                let taken = ResetFrame::checked(&frame, OWN).expect("a reset");
                assert_eq!(taken.bytes(), frame);
                assert_eq!(taken.source(), OWN);
                let ip = 14 + 4 * tags;
                let tcp = frame.len() - 20;
                let spoilt = |at: usize, byte: u8| {
                    let mut frame = frame.clone();
                    frame[at] = byte;
                    ResetFrame::checked(&frame, OWN).is_some()
                };
                assert!(spoilt(tcp + 13, 0x14), "RST with ACK is a reset");
                for flags in [0x00, 0x02, 0x05, 0x06, 0x0c, 0x10, 0x24, 0x84] {
                    assert!(!spoilt(tcp + 13, flags), "flags {flags:02x}");
                }
                assert!(!spoilt(tcp + 12, 0x60), "options");
                assert!(!spoilt(0, 1), "to a group");
                assert!(!spoilt(11, 8), "another's address");
                assert!(!spoilt(ip, if v6 { 0x45 } else { 0x46 }));
                if v6 {
                    assert!(!spoilt(ip + 6, 44) && !spoilt(ip + 6, 17) && !spoilt(ip + 5, 21));
                } else {
                    assert!(!spoilt(ip + 6, 0x20) && !spoilt(ip + 7, 1), "fragments");
                    assert!(!spoilt(ip + 9, 17) && !spoilt(ip + 3, 41));
                }
                let mut long = frame.clone();
                long.push(0);
                assert_eq!(ResetFrame::checked(&long, OWN), None);
                for len in 0..frame.len() {
                    assert_eq!(ResetFrame::checked(&frame[..len], OWN), None);
                }
            }
        }
        let mut three = reset(2, false);
        three.splice(12..12, [0x81, 0, 0, 1]);
        assert_eq!(ResetFrame::checked(&three, OWN), None);
        assert_eq!(ResetFrame::checked(&reset(0, false), [0; 6]), None);
    }

    proptest! {
        /// Whatever is taken is what was given, and no bytes panic.
        #[test]
        fn any_bytes(
            tags in 0_usize..3,
            v6 in any::<bool>(),
            holes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            keep in any::<prop::sample::Index>(),
        ) {
            let mut frame = reset(tags, v6);
            for (place, byte) in &holes {
                let place = place.index(frame.len());
                frame[place] = *byte;
            }
            frame.truncate(keep.index(frame.len()) + 1);
            if let Some(taken) = ResetFrame::checked(&frame, OWN) {
                prop_assert_eq!(taken.bytes(), &frame[..]);
            }
        }
    }
}
