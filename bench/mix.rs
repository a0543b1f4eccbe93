//! One large capture of an office out of many small ones: the bench's work load.
//!
//! Usage:  mix OUT.pcap INPUT… [BYTES]; an input is a capture or a folder of captures.
//! Output: classic pcap, Ethernet, microseconds, at least BYTES (1.6e9 unless said) of frames. The same
//!         inputs give the same bytes.
//! How:    every Ethernet capture is played again and again, each time from another moment of half an
//!         hour and with its hosts lent to others of 2,000 devices, so that all flows stay whole and no
//!         two plays share one. Silences are cut to a second. Checksums are carried along (RFC 1624):
//!         right ones stay right, wrong ones wrong. Captures of bulk transfers are played four times as
//!         often, for in an office they carry most bytes. Left out are captures with a frame that is cut
//!         or too long for a line of 1,500 bytes: a mirror port shows none, and without them flows would
//!         have holes.

#![expect(clippy::print_stderr, reason = "a program for a terminal")]

mod pcap;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use pcap::{BEGIN_US, Failure, Writer, scrambled};
use tapir_capture::{FileSource, InputOptions, LinkType, Source as _};

/// Devices the hosts are lent to.
const DEVICES: u32 = 2_000;
/// Plays begin within this time, in microseconds.
const WINDOW_US: u64 = 1_800_000_000;
/// Silences inside a capture are cut to this.
const SILENCE_US: u64 = 1_000_000;
/// A capture whose frames are this long on average is of bulk transfers.
const BULK_BYTES: usize = 600;
/// Longest frame: 1,500 bytes, an Ethernet header and a VLAN tag.
const FRAME_MAX: usize = 1_518;
/// The gateway's hardware address.
const GATEWAY: [u8; 6] = [0x02, 0x14, 0xff, 0, 0, 1];

/// A capture in memory.
struct Base {
    bytes: Vec<u8>,
    /// Microseconds since the first, place and length of each frame.
    frames: Vec<(u64, usize, usize)>,
    /// Private addresses in order of appearance, and the hardware addresses they spoke from.
    hosts: BTreeMap<Ipv4Addr, u32>,
    macs: BTreeMap<[u8; 6], u32>,
}

/// One play of a capture.
struct Play<'a> {
    base: &'a Base,
    next: usize,
    begin_us: u64,
    /// Number of the play, and how often its capture was played before.
    number: u32,
    round: u8,
}

fn main() -> Result<(), Failure> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let bytes = arguments.last().and_then(|last| last.parse().ok());
    arguments.truncate(arguments.len() - usize::from(bytes.is_some()));
    let [out, inputs @ ..] = arguments.as_slice() else {
        return Err("usage: mix OUT.pcap INPUT… [BYTES]".into());
    };
    make(Path::new(out), inputs, bytes.unwrap_or(1_600_000_000))
}

/// Makes a capture with at least `bytes` of frames.
pub(crate) fn make(out: &Path, inputs: &[String], bytes: u64) -> Result<(), Failure> {
    let bases = load(inputs)?;
    if bases.is_empty() {
        return Err("no Ethernet capture among the inputs".into());
    }
    let plays = plays(&bases, bytes);
    let count = plays.len();
    let (frames, bytes) = write(out, plays)?;
    let captures = bases.len();
    let out = out.display();
    eprintln!(
        "{out}: {captures} captures, {count} plays, {frames} frames, {bytes} bytes of frames"
    );
    Ok(())
}

/// Reads the Ethernet captures among the inputs, by name.
fn load(inputs: &[String]) -> Result<Vec<Base>, Failure> {
    let mut paths = Vec::new();
    for input in inputs.iter().map(PathBuf::from) {
        if input.is_dir() {
            let entries = std::fs::read_dir(&input)
                .map_err(|error| format!("{}: {error}", input.display()))?;
            paths.extend(entries.flatten().map(|entry| entry.path()));
        } else {
            paths.push(input);
        }
    }
    paths.sort();
    // What is no capture, and what has no usable frame, is passed over.
    let bases = paths.iter().filter_map(|path| Base::load(path).ok());
    Ok(bases.filter(|base| !base.frames.is_empty()).collect())
}

impl Base {
    fn load(path: &Path) -> Result<Self, Failure> {
        let mut base = Self {
            bytes: Vec::new(),
            frames: Vec::new(),
            hosts: BTreeMap::new(),
            macs: BTreeMap::new(),
        };
        let mut source = FileSource::open(&[path.to_owned()], &InputOptions::default())?;
        let (mut last_us, mut at_us) = (None, 0);
        while let Some(frame) = source.next()? {
            let ts_us = u64::try_from(frame.ts_ns / 1_000).unwrap_or(0);
            let whole = frame.bytes.len() == frame.wire_len as usize;
            let fits = (14..=FRAME_MAX).contains(&frame.bytes.len());
            if frame.link != LinkType::ETHERNET || !whole || !fits {
                return Err("not as on a line".into());
            }
            at_us += ts_us
                .saturating_sub(last_us.unwrap_or(ts_us))
                .min(SILENCE_US);
            last_us = Some(ts_us);
            base.frames
                .push((at_us, base.bytes.len(), frame.bytes.len()));
            base.bytes.extend_from_slice(frame.bytes);
            base.learn(frame.bytes);
        }
        Ok(base)
    }

    /// Notes the private hosts of a frame, and which hardware address the sender has.
    fn learn(&mut self, frame: &[u8]) {
        let Some((0x0800, ip)) = network(frame) else {
            return;
        };
        for at in [ip + 12, ip + 16] {
            let Some(addr) = address(frame, at).filter(is_host) else {
                continue;
            };
            let fresh = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
            let index = *self.hosts.entry(addr).or_insert(fresh);
            if at == ip + 12
                && let Some(mac) = frame.get(6..12).and_then(|mac| mac.try_into().ok())
            {
                self.macs.entry(mac).or_insert(index);
            }
        }
    }
}

/// As many rounds over all captures as it takes to have `bytes` of frames.
fn plays(bases: &[Base], bytes: u64) -> Vec<Play<'_>> {
    let mut plays = Vec::new();
    let (mut sum, mut number, mut round) = (0_u64, 0_u32, 0_u8);
    loop {
        for base in bases {
            let bulk = base.bytes.len() / base.frames.len().max(1) >= BULK_BYTES;
            if !bulk && !round.is_multiple_of(4) {
                continue;
            }
            let begin_us = BEGIN_US + scrambled(number.into()) % WINDOW_US;
            plays.push(Play {
                base,
                next: 0,
                begin_us,
                number,
                round,
            });
            number += 1;
            sum += base.bytes.len() as u64;
        }
        if sum >= bytes || round == u8::MAX {
            return plays;
        }
        round += 1;
    }
}

/// Plays all at once, in order of time; ties by number. Frames and their bytes.
fn write(path: &Path, mut plays: Vec<Play<'_>>) -> Result<(u64, u64), Failure> {
    let mut out = Writer::create(path)?;
    let mut heads: BinaryHeap<_> = plays
        .iter()
        .enumerate()
        .filter_map(|(index, play)| Some(Reverse((play.next_us()?, index))))
        .collect();
    let mut frame = Vec::with_capacity(FRAME_MAX);
    while let Some(Reverse((ts_us, index))) = heads.pop() {
        let Some(play) = plays.get_mut(index) else {
            continue;
        };
        play.take(&mut frame);
        out.frame(ts_us, &frame)?;
        heads.extend(play.next_us().map(|next_us| Reverse((next_us, index))));
    }
    out.end()
}

impl Play<'_> {
    /// When the next frame is due.
    fn next_us(&self) -> Option<u64> {
        let (at_us, _, _) = self.base.frames.get(self.next)?;
        Some(self.begin_us + at_us)
    }

    /// Puts the next frame, with its addresses lent, into `frame`.
    fn take(&mut self, frame: &mut Vec<u8>) {
        frame.clear();
        if let Some(&(_, at, len)) = self.base.frames.get(self.next) {
            frame.extend_from_slice(self.base.bytes.get(at..at + len).unwrap_or_default());
        }
        self.next += 1;
        self.lend_mac(frame, 0);
        self.lend_mac(frame, 6);
        match network(frame) {
            Some((0x0806, arp)) => self.lend_arp(frame, arp),
            Some((0x0800, ip)) => self.lend_v4(frame, ip),
            Some((0x86dd, ip)) => self.lend_v6(frame, ip),
            _ => {}
        }
    }

    /// Device of the host numbered `index`; different hosts of a play are different devices.
    fn device(&self, index: u32) -> u32 {
        let first = u32::try_from(scrambled(u64::from(self.number) | 1 << 40) % u64::from(DEVICES));
        (first.unwrap_or(0) + index) % DEVICES
    }

    fn lend_mac(&self, frame: &mut [u8], at: usize) {
        let Some(mac) = frame.get_mut(at..at + 6) else {
            return;
        };
        if mac.first().is_none_or(|first| first & 1 == 1) {
            return;
        }
        let known: Option<[u8; 6]> = (&*mac).try_into().ok();
        let index = known.and_then(|mac| self.base.macs.get(&mac));
        let lent = index.map_or(GATEWAY, |index| {
            let [_, _, high, low] = self.device(*index).to_be_bytes();
            [0x02, 0x14, 0, 0, high, low]
        });
        mac.copy_from_slice(&lent);
    }

    /// A private host becomes one of the devices; hosts beyond their number get a network of their own.
    fn lend_addr(&self, addr: Ipv4Addr, peer: Ipv4Addr) -> Ipv4Addr {
        if let Some(index) = self.base.hosts.get(&addr) {
            let device = if *index < DEVICES {
                self.device(*index)
            } else {
                *index
            };
            let net: u32 = if *index < DEVICES {
                0x0a14_0000
            } else {
                0x0a80_0000
            };
            return Ipv4Addr::from_bits(net + device / 250 * 256 + 1 + device % 250);
        }
        if self.base.hosts.contains_key(&peer) || !is_station(addr) {
            return addr;
        }
        // Both ends outside: turned a little each round, or plays of one capture would share flows.
        let [a, b, c, d] = addr.octets();
        Ipv4Addr::new(a, b.wrapping_add(self.round.wrapping_mul(37)), c, d)
    }

    fn lend_arp(&self, frame: &mut [u8], arp: usize) {
        self.lend_mac(frame, arp + 8);
        self.lend_mac(frame, arp + 18);
        for at in [arp + 14, arp + 24] {
            if let Some(addr) = address(frame, at) {
                // An address that never spoke IP is lent as if it had been the first to.
                let known = self.base.hosts.contains_key(&addr);
                let lent = if known {
                    self.lend_addr(addr, addr)
                } else {
                    addr
                };
                put(frame, at, &lent.octets());
            }
        }
    }

    fn lend_v4(&self, frame: &mut [u8], ip: usize) {
        let (Some(src), Some(dst)) = (address(frame, ip + 12), address(frame, ip + 16)) else {
            return;
        };
        let was = [src.octets(), dst.octets()].concat();
        let now = [
            self.lend_addr(src, dst).octets(),
            self.lend_addr(dst, src).octets(),
        ]
        .concat();
        put(frame, ip + 12, &now);
        carry(frame, ip + 10, &was, &now);
        let byte = |at: usize| frame.get(at).copied().unwrap_or(0);
        let fragment_offset = u16::from_be_bytes([byte(ip + 6) & 0x1f, byte(ip + 7)]);
        let body = ip + usize::from(byte(ip) & 0x0f) * 4;
        if fragment_offset == 0 {
            carry_transport(frame, byte(ip + 9), body, &was, &now);
        }
    }

    /// Unicast addresses get the play's number into their interface part.
    fn lend_v6(&self, frame: &mut [u8], ip: usize) {
        let Some(was) = frame.get(ip + 8..ip + 40).map(<[u8]>::to_vec) else {
            return;
        };
        let mut now = was.clone();
        let number = self.number.to_be_bytes();
        for addr in now
            .chunks_exact_mut(16)
            .filter(|addr| addr.first() != Some(&0xff))
        {
            if addr.iter().any(|byte| *byte != 0) {
                addr.iter_mut()
                    .skip(8)
                    .zip(&number)
                    .for_each(|(byte, mask)| *byte ^= mask);
            }
        }
        put(frame, ip + 8, &now);
        let next = frame.get(ip + 6).copied().unwrap_or(0);
        carry_transport(frame, next, ip + 40, &was, &now);
    }
}

/// EtherType behind VLAN tags, and where its header begins.
fn network(frame: &[u8]) -> Option<(u16, usize)> {
    let mut at = 12;
    loop {
        let pair: [u8; 2] = frame.get(at..at + 2)?.try_into().ok()?;
        match u16::from_be_bytes(pair) {
            0x8100 | 0x88a8 => at += 4,
            other => return Some((other, at + 2)),
        }
    }
}

fn address(frame: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = frame.get(at..at + 4)?.try_into().ok()?;
    Some(Ipv4Addr::from(octets))
}

/// Whether an address is a private host; `.255` is the broadcast of most such networks.
fn is_host(addr: &Ipv4Addr) -> bool {
    addr.is_private() && addr.octets()[3] != 255
}

/// Whether an address is of one machine on the internet.
fn is_station(addr: Ipv4Addr) -> bool {
    let special = [
        addr.is_unspecified(),
        addr.is_multicast(),
        addr.is_broadcast(),
        addr.is_loopback(),
        addr.is_link_local(),
        addr.is_private(),
    ];
    !special.contains(&true)
}

fn put(frame: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = frame.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// Corrects the checksum of a transport header at `body` for changed addresses.
fn carry_transport(frame: &mut [u8], proto: u8, body: usize, was: &[u8], now: &[u8]) {
    let at = match proto {
        6 => body + 16,
        // Zero means that the sender made none.
        17 if frame
            .get(body + 6..body + 8)
            .is_some_and(|sum| sum != [0, 0]) =>
        {
            body + 6
        }
        58 => body + 2,
        _ => return,
    };
    carry(frame, at, was, now);
}

/// RFC 1624, equation 3: the sum at `at` after the words of `was` became those of `now`.
fn carry(frame: &mut [u8], at: usize, was: &[u8], now: &[u8]) {
    let Some(place) = frame.get_mut(at..at + 2) else {
        return;
    };
    let word = |pair: &[u8]| u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    let mut sum = 0xffff - word(place);
    for (old, new) in was.chunks_exact(2).zip(now.chunks_exact(2)) {
        sum += (0xffff - word(old)) + word(new);
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = u16::try_from(0xffff - sum).unwrap_or(0);
    place.copy_from_slice(&sum.to_be_bytes());
}
