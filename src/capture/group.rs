//! A port and its sockets: opened together, and opened anew when the interface has come back.
//!
//! Standard: packet(7).
//! Input:    [`RingOptions`] and a [`Reserve`] of sockets made while that was permitted.
//! Output:   a mapped ring for each queue, in one fanout group.
//! Bounds:   one socket of the reserve for each queue each time; a lone queue needs none again.
//!
//! Making a packet socket is the only step the kernel asks a privilege for; options, mapping,
//! binding and joining a group need none. A socket that has joined a group cannot be bound again,
//! so a group whose interface was deleted and made anew needs fresh ones.
//!
//! All sockets join before any of them sees a frame: until then each has a filter that keeps
//! nothing. Otherwise the first frames would be dealt among fewer queues than the later ones.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::block::TAG_BYTES;
use crate::live_error::LiveError;
use crate::live_filter::{LiveFilter, keep_none};
use crate::ring::{self, Geometry, Mapping, Place, Question};
use crate::{SourceError, fanout};

/// How a port is captured from.
#[derive(Clone, Debug)]
pub struct RingOptions {
    /// Name of the interface.
    pub interface: String,
    /// Queues, each read by a thread of its own; 1 to 64.
    pub queues: usize,
    /// Blocks of each queue's ring; 2 to 65,536.
    pub blocks: u32,
    /// Bytes of a block, a power of two from 16 KiB to 16 MiB. A frame longer than a block is cut.
    pub block_bytes: u32,
    /// After so long a block with a frame in it is handed over even if it is not full; 1 to 1,000.
    pub retire_ms: u32,
    /// What to capture, in the language of pcap-filter(7); the meaning is that on a file.
    pub filter: Option<String>,
    /// Frames with this source address are left out: those of our own injection port.
    pub not_from: Option<[u8; 6]>,
}

impl RingOptions {
    /// The defaults for an interface: one queue, 256 blocks of 256 KiB, 10 ms.
    pub fn new(interface: &str) -> Self {
        Self {
            interface: interface.to_owned(),
            queues: 1,
            blocks: 256,
            block_bytes: 256 * 1024,
            retire_ms: 10,
            filter: None,
            not_from: None,
        }
    }

    /// Whether every option is in its range.
    pub(crate) fn check(&self) -> Result<(), LiveError> {
        let refuse = |key, found, remedy| Err(LiveError::Option { key, found, remedy });
        if !(1..=64).contains(&self.queues) {
            return refuse("queues", self.queues as u64, "1 to 64");
        }
        if !(2..=65_536).contains(&self.blocks) {
            return refuse("blocks", self.blocks.into(), "2 to 65536");
        }
        let in_range = (16 * 1024..=16 * 1024 * 1024).contains(&self.block_bytes);
        if !(in_range && self.block_bytes.is_power_of_two()) {
            let remedy = "a power of two from 16384 to 16777216";
            return refuse("block_bytes", self.block_bytes.into(), remedy);
        }
        if !(1..=1_000).contains(&self.retire_ms) {
            return refuse("retire_ms", self.retire_ms.into(), "1 to 1000");
        }
        Ok(())
    }

    fn geometry(&self) -> Geometry {
        Geometry {
            blocks: self.blocks,
            block_bytes: self.block_bytes,
            retire_ms: self.retire_ms,
            headroom: TAG_BYTES,
        }
    }
}

/// Packet sockets that are bound to nothing: made while that is permitted, used later.
#[derive(Debug)]
pub struct Reserve {
    sockets: Vec<OwnedFd>,
}

impl Reserve {
    /// Makes `count` sockets. A group of n queues uses n of them when it is opened, and n more each
    /// time its interface has been deleted and made anew; a lone queue uses one in all.
    ///
    /// # Errors
    ///
    /// [`LiveError::NotPermitted`] without CAP_NET_RAW.
    pub fn open(count: usize) -> Result<Self, LiveError> {
        let refused = |error: nix::Error| {
            LiveError::system("capture", "opening a packet socket", error.into())
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // Protocol 0: the socket sees nothing before it is bound.
        let one = |_| socket(AddressFamily::Packet, SockType::Raw, flags, None).map_err(refused);
        let sockets = (0..count).map(one).collect::<Result<_, _>>()?;
        Ok(Self { sockets })
    }

    /// Sockets left.
    pub fn left(&self) -> usize {
        self.sockets.len()
    }

    /// One to ask about interfaces with.
    pub(crate) fn first(&self) -> Option<&OwnedFd> {
        self.sockets.first()
    }
}

/// State of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Up, with a carrier.
    Up,
    /// There, but without a link or switched off.
    Down,
    /// Not there.
    Gone,
}

/// A queue's socket and its ring.
#[derive(Debug)]
pub(crate) struct Opened {
    // Unmapped before the socket is closed: fields are dropped in order.
    pub(crate) mapping: Mapping,
    pub(crate) socket: OwnedFd,
    /// Longest packet the interface takes.
    pub(crate) mtu: u32,
}

/// What the queues of a port share.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) options: RingOptions,
    filter: LiveFilter,
    group: Mutex<Group>,
}

#[derive(Debug)]
struct Group {
    reserve: Reserve,
    /// How many times the group has been opened.
    generation: u64,
    /// Sockets of the latest generation, until their queues fetch them.
    waiting: Vec<Option<Opened>>,
}

impl Port {
    /// Opens all queues.
    pub(crate) fn open(options: &RingOptions, reserve: Reserve) -> Result<Self, SourceError> {
        options.check()?;
        let port = Self {
            filter: LiveFilter::new(options.filter.as_deref(), options.not_from)?,
            options: options.clone(),
            group: Mutex::new(Group {
                reserve,
                generation: 0,
                waiting: Vec::new(),
            }),
        };
        port.open_group(&mut port.lock())?;
        Ok(port)
    }

    /// The sockets of all queues as first opened, in the order of the queues.
    pub(crate) fn first(&self) -> Vec<(Opened, u64)> {
        let mut group = self.lock();
        let generation = group.generation;
        let opened = group.waiting.iter_mut().filter_map(Option::take);
        opened.map(|opened| (opened, generation)).collect()
    }

    /// A queue's socket of a later generation than `generation`, opened if need be. `None` if the
    /// interface is not there or down.
    pub(crate) fn renew(
        &self,
        queue: usize,
        generation: u64,
        old: &OwnedFd,
    ) -> Result<Option<(Opened, u64)>, SourceError> {
        let mut group = self.lock();
        if group.generation == generation {
            if !self.is_up(old) {
                return Ok(None);
            }
            match self.open_group(&mut group) {
                // It went away again while it was being opened.
                Err(LiveError::NoInterface { .. } | LiveError::Down { .. }) => return Ok(None),
                opened => opened?,
            }
        }
        let generation = group.generation;
        let opened = group.waiting.get_mut(queue).and_then(Option::take);
        Ok(opened.map(|opened| (opened, generation)))
    }

    /// Binds the socket of a lone queue to the interface as it is now. False if it is not there or
    /// down.
    pub(crate) fn rebind(&self, socket: &OwnedFd) -> Result<bool, SourceError> {
        let name = &self.options.interface;
        if !self.is_up(socket) {
            return Ok(false);
        }
        let bound = self
            .ask(socket, Question::Index)
            .and_then(|index| self.bind(socket, index));
        match bound {
            Ok(()) => Ok(true),
            Err(LiveError::NoInterface { .. } | LiveError::Down { .. }) => Ok(false),
            Err(LiveError::System { step, error, .. }) => {
                Err(LiveError::system(name, step, error).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens every queue's socket and puts it where the queue fetches it.
    fn open_group(&self, group: &mut Group) -> Result<(), LiveError> {
        let name = &self.options.interface;
        let queues = self.options.queues;
        if group.reserve.left() < queues {
            let interface = name.clone();
            return Err(LiveError::ReserveUsedUp { interface });
        }
        let Some(first) = group.reserve.first() else {
            return Err(LiveError::NotPermitted);
        };
        let index = self.ask(first, Question::Index)?;
        let kind = self.ask(first, Question::Kind)?;
        if ![libc::ARPHRD_ETHER, libc::ARPHRD_LOOPBACK].contains(&u16::try_from(kind).unwrap_or(0))
        {
            let interface = name.clone();
            return Err(LiveError::NotEthernet { interface, kind });
        }
        if self.ask(first, Question::Flags)? & libc::IFF_UP == 0 {
            let interface = name.clone();
            return Err(LiveError::Down { interface });
        }
        let mtu = self.ask(first, Question::Mtu)?;
        let sockets: Vec<OwnedFd> = group.reserve.sockets.drain(..queues).collect();
        let mut opened = Vec::with_capacity(queues);
        for socket in sockets {
            let mapping = self.prepare(&socket)?;
            opened.push(Opened {
                mapping,
                socket,
                mtu: u32::try_from(mtu).unwrap_or(u32::MAX),
            });
        }
        for one in &opened {
            self.bind(&one.socket, index)?;
        }
        if queues > 1 {
            self.join(&opened)?;
        }
        for one in &opened {
            ring::attach(&one.socket, Place::Filter, &self.filter.program)
                .map_err(|error| LiveError::system(name, "attaching the filter", error))?;
        }
        group.generation += 1;
        group.waiting = opened.into_iter().map(Some).collect();
        Ok(())
    }

    /// A ring that stays empty.
    fn prepare(&self, socket: &OwnedFd) -> Result<Mapping, LiveError> {
        let name = &self.options.interface;
        let failed = |step| move |error| LiveError::system(name, step, error);
        ring::attach(socket, Place::Filter, &keep_none()).map_err(failed("attaching a filter"))?;
        ring::set_number(socket, libc::PACKET_IGNORE_OUTGOING, 1)
            .map_err(failed("leaving out frames sent"))?;
        Mapping::new(socket, self.options.geometry()).map_err(|error| {
            let bytes = u64::from(self.options.blocks) * u64::from(self.options.block_bytes);
            match error.kind() {
                io::ErrorKind::OutOfMemory => LiveError::NoMemory {
                    interface: name.clone(),
                    mebibytes: bytes >> 20,
                },
                _ => LiveError::system(name, "making the ring", error),
            }
        })
    }

    fn bind(&self, socket: &OwnedFd, index: i32) -> Result<(), LiveError> {
        let name = &self.options.interface;
        ring::bind(socket, index)
            .map_err(|error| LiveError::system(name, "binding to the interface", error))?;
        ring::set_promiscuous(socket, index)
            .map_err(|error| LiveError::system(name, "making the interface promiscuous", error))
    }

    /// Joins the sockets into a group, in the order of their queues: the kernel counts members by
    /// the order of joining, and after the link was lost by the order in which they were made.
    fn join(&self, opened: &[Opened]) -> Result<(), LiveError> {
        let name = &self.options.interface;
        let failed = |error| LiveError::system(name, "joining the queues", error);
        // The group's own hook is what sees frames, so the group is told to leave out those sent.
        let kind = libc::PACKET_FANOUT_CBPF | libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
        let mut id = 0;
        for (queue, one) in opened.iter().enumerate() {
            // The first has the kernel pick a number that no other program uses.
            let unique = match queue {
                0 => libc::PACKET_FANOUT_FLAG_UNIQUEID,
                _ => 0,
            };
            let group = (kind | unique) << 16 | id;
            ring::set_number(&one.socket, libc::PACKET_FANOUT, group).map_err(failed)?;
            if queue == 0 {
                id = ring::fanout_group(&one.socket).map_err(failed)?;
                let program = fanout::program().unwrap_or_default();
                ring::attach(&one.socket, Place::Fanout, &program).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// State of the interface the socket is bound to.
    pub(crate) fn link(&self, socket: &OwnedFd) -> Link {
        // The kernel makes the number negative when the interface is deleted.
        if ring::bound_index(socket).is_ok_and(|index| index < 0) {
            return Link::Gone;
        }
        let wanted = libc::IFF_UP | libc::IFF_RUNNING;
        match self.ask(socket, Question::Flags) {
            Ok(flags) if flags & wanted == wanted => Link::Up,
            _ => Link::Down,
        }
    }

    fn is_up(&self, socket: &OwnedFd) -> bool {
        let flags = self.ask(socket, Question::Flags);
        flags.is_ok_and(|flags| flags & libc::IFF_UP != 0)
    }

    fn ask(&self, socket: &OwnedFd, question: Question) -> Result<i32, LiveError> {
        let name = &self.options.interface;
        ring::ask(socket, name, question).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LiveError::no_interface(name),
            _ => LiveError::system(name, "asking about the interface", error),
        })
    }

    /// The part of the filter a queue runs itself.
    pub(crate) fn filter(&self) -> &LiveFilter {
        &self.filter
    }

    /// Sockets left in reserve.
    pub(crate) fn reserve_left(&self) -> usize {
        self.lock().reserve.left()
    }

    /// A thread that panicked here left sockets that are opened or not, nothing in between.
    fn lock(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
