//! The kernel's own frame generator: small UDP frames, many more a second than a socket can send.
//!
//! How:  a program of a few instructions is run by the kernel on frames of its own (`BPF_PROG_TEST_RUN` with
//!       `BPF_F_TEST_XDP_LIVE_FRAMES`). It waits until the frame is due, writes the flow's address and port,
//!       counts, and sends the frame out of the interface. The far end of a veth pair takes such frames only
//!       while it receives by NAPI, which `ethtool -K … gro on` switches on.
//! Sums: the identification is the complement of the address's lower half, so that one IPv4 checksum is right
//!       for all flows; the UDP checksum is zero, none.

#![expect(unsafe_code, reason = "the system call bpf")]

use std::ffi::c_long;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::time::Instant;

use crate::pcap::Failure;
use crate::{HOSTS, PORTS, counted};

/// Frames the program is run on before it is asked again whether time is up, at full speed.
const CHUNK: u32 = 1 << 19;
/// Frames the kernel sends at once.
const BATCH: u32 = 64;
/// How far behind its rate the program may fall and still catch up, in nanoseconds.
const BEHIND_NS: i32 = 5_000_000;
/// How often the program looks at the clock for one frame.
const LOOKS: i32 = 4_000;

/// Commands of the system call.
const MAP_CREATE: c_long = 0;
const MAP_LOOKUP: c_long = 1;
const PROG_LOAD: c_long = 5;
const TEST_RUN: c_long = 10;
/// Kinds of map and program, and the flag for frames that are sent.
const ARRAY: u32 = 2;
const XDP: u32 = 6;
const LIVE_FRAMES: u32 = 2;

/// The call's argument: each command has its own layout in it, the rest must be zero.
#[repr(C, align(8))]
struct Attr([u8; 144]);

impl Attr {
    fn new() -> Self {
        Self([0; 144])
    }

    fn u32(mut self, at: usize, value: u32) -> Self {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        self
    }

    /// An address of memory that outlives the call.
    fn address<T>(mut self, at: usize, memory: *const T) -> Self {
        let address = memory.addr() as u64;
        self.0[at..at + 8].copy_from_slice(&address.to_ne_bytes());
        self
    }

    fn fd(self, at: usize, fd: &OwnedFd) -> Self {
        self.u32(at, u32::try_from(fd.as_raw_fd()).unwrap_or(u32::MAX))
    }
}

fn bpf(command: c_long, attr: &mut Attr) -> std::io::Result<RawFd> {
    let size = size_of::<Attr>();
    // SAFETY: the attribute is a live, zero-filled structure of the size told; the addresses in it are of
    // memory the callers own until they return, of the lengths they tell.
    // JUSTIFICATION: no safe wrapper of this system call is among the dependencies.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size) };
    match RawFd::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just opened this descriptor for the caller, and nothing else has it.
    // JUSTIFICATION: it is to be closed with its owner.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// One instruction: operation, registers (target below, source above), offset and constant.
type Instruction = (u8, u8, i16, i32);

/// Registers by what they hold; 0 is the result of a call, 1 to 5 its arguments.
const CONTEXT: u8 = 6;
const SHARED: u8 = 7;
const DUE: u8 = 8;
const LEFT: u8 = 9;

fn of(to: u8, from: u8) -> u8 {
    to | from << 4
}

/// Waits until the next frame is due: memory holds that time behind the count.
fn pace(gap_ns: i32) -> Vec<Instruction> {
    vec![
        (0x79, of(DUE, SHARED), 8, 0), // due = shared.due
        (0xb7, LEFT, 0, LOOKS),        // left = LOOKS
        (0x85, 0, 0, 5),               // now = ktime_get_ns()
        (0x3d, of(0, DUE), 2, 0),      // if now >= due: on
        (0x17, LEFT, 0, 1),            // left -= 1
        (0x55, LEFT, -4, 0),           // if left != 0: look again
        (0xbf, of(1, DUE), 0, 0),      // latest = due
        (0x07, 1, 0, BEHIND_NS),       // latest += BEHIND_NS
        (0x3d, of(1, 0), 1, 0),        // if latest >= now: on
        (0xbf, of(DUE, 0), 0, 0),      // due = now
        (0x07, DUE, 0, gap_ns),        // due += gap
        (0x7b, of(SHARED, DUE), 8, 0), // shared.due = due
    ]
}

/// The whole program, for frames to `interface`.
fn program(shared: &OwnedFd, interface: i32, flows: i32, gap_ns: i32) -> Vec<Instruction> {
    let mut code = vec![
        (0xbf, of(CONTEXT, 1), 0, 0),
        // shared = the map's memory, an instruction of two places
        (0x18, of(SHARED, 2), 0, shared.as_raw_fd()),
        (0, 0, 0, 0),
    ];
    if gap_ns > 0 {
        code.extend(pace(gap_ns));
    }
    code.extend([
        (0x61, of(2, CONTEXT), 0, 0), // frame
        (0x61, of(3, CONTEXT), 4, 0), // its end
        (0xbf, of(4, 2), 0, 0),
        (0x07, 4, 0, 60),
        (0xbd, of(4, 3), 2, 0), // if frame + 60 <= end: on
        (0xb7, 0, 0, 1),        // drop
        (0x95, 0, 0, 0),
        (0x79, of(1, SHARED), 0, 0), // number = shared.count
        (0xbf, of(4, 1), 0, 0),
        (0x07, 4, 0, 1),
        (0x7b, of(SHARED, 4), 0, 0), // shared.count = number + 1
        (0x97, 1, 0, flows),         // flow = number % flows
        (0xbf, of(4, 1), 0, 0),
        (0x97, 4, 0, HOSTS.cast_signed()),
        (0x07, 4, 0, 1),                   // host = flow % HOSTS + 1
        (0x37, 1, 0, HOSTS.cast_signed()), // flow /= HOSTS
        (0xbf, of(5, 1), 0, 0),
        (0x97, 1, 0, PORTS.cast_signed()),
        (0x07, 1, 0, 1_024),               // port = flow % PORTS + 1,024
        (0x37, 5, 0, PORTS.cast_signed()), // net = flow / PORTS
        (0x67, 5, 0, 8),
        (0x4f, of(5, 4), 0, 0), // lower half of the address
        (0xdc, 1, 0, 16),       // both in network order
        (0xdc, 5, 0, 16),
        (0x6b, of(2, 1), 34, 0), // frame.port = port
        (0x6b, of(2, 5), 28, 0), // frame.address = net, host
        (0xa7, 5, 0, 0xffff),
        (0x6b, of(2, 5), 18, 0), // frame.identification = its complement
        (0xb7, 1, 0, interface),
        (0xb7, 2, 0, 0),
        (0x85, 0, 0, 23), // redirect(interface, 0)
        (0x95, 0, 0, 0),
    ]);
    code
}

/// The program in the kernel, and the memory it counts in.
struct Generator {
    program: OwnedFd,
    shared: OwnedFd,
}

impl Generator {
    fn load(interface: u32, flows: u32, gap_ns: u64) -> Result<Self, Failure> {
        // One element of 16 bytes: frames sent, and when the next is due.
        let mut map = Attr::new().u32(0, ARRAY).u32(4, 4).u32(8, 16).u32(12, 1);
        let shared = owned(bpf(MAP_CREATE, &mut map).map_err(|error| format!("bpf map: {error}"))?);
        let (interface, flows) = (i32::try_from(interface)?, i32::try_from(flows.max(1))?);
        let code: Vec<u8> = program(&shared, interface, flows, i32::try_from(gap_ns)?)
            .iter()
            .flat_map(|(operation, registers, offset, constant)| {
                let [a, b] = offset.to_ne_bytes();
                let [c, d, e, f] = constant.to_ne_bytes();
                [*operation, *registers, a, b, c, d, e, f]
            })
            .collect();
        let (licence, mut said) = (c"Apache-2.0", vec![0_u8; 1 << 20]);
        let mut attr = Attr::new()
            .u32(0, XDP)
            .u32(4, u32::try_from(code.len() / 8)?)
            .address(8, code.as_ptr())
            .address(16, licence.as_ptr())
            .u32(24, 1)
            .u32(28, u32::try_from(said.len())?)
            .address(32, said.as_mut_ptr());
        let program = bpf(PROG_LOAD, &mut attr).map_err(|error| {
            let said = String::from_utf8_lossy(&said);
            format!("bpf program: {error}\n{}", said.trim_end_matches('\0'))
        })?;
        let program = owned(program);
        Ok(Self { program, shared })
    }

    /// Sends `repeat` frames.
    fn run(&self, frame: &[u8], repeat: u32) -> Result<(), Failure> {
        let mut attr = Attr::new()
            .fd(0, &self.program)
            .u32(8, u32::try_from(frame.len())?)
            .address(16, frame.as_ptr())
            .u32(32, repeat)
            .u32(64, LIVE_FRAMES)
            .u32(72, BATCH);
        bpf(TEST_RUN, &mut attr).map_err(|error| format!("bpf run: {error}"))?;
        Ok(())
    }

    /// Frames sent so far.
    fn sent(&self) -> Result<u64, Failure> {
        let (key, mut value) = (0_u32, [0_u64; 2]);
        let mut attr = Attr::new()
            .fd(0, &self.shared)
            .address(8, &raw const key)
            .address(16, value.as_mut_ptr());
        bpf(MAP_LOOKUP, &mut attr)?;
        // The kernel wrote behind the compiler's back.
        Ok(std::hint::black_box(value)[0])
    }
}

/// Sends frames like `frame` out of `interface`, `pps` a second, or as many as go; prints how many, and how
/// many the far end did not take.
pub(crate) fn generate(
    interface: &str,
    frame: &[u8],
    pps: u64,
    seconds: u64,
    flows: u32,
) -> Result<(), Failure> {
    let number = nix::net::if_::if_nametoindex(interface)?;
    let gap_ns = 1_000_000_000_u64.checked_div(pps).unwrap_or(0);
    let generator = Generator::load(number, flows, gap_ns)?;
    let before = counted(interface, "tx_packets")?;
    let begun = Instant::now();
    if pps > 0 {
        // To begin takes the kernel milliseconds, so all frames are asked for at once.
        generator.run(frame, u32::try_from(pps * seconds)?)?;
    } else {
        while begun.elapsed().as_secs() < seconds {
            generator.run(frame, CHUNK)?;
        }
    }
    let took = begun.elapsed().as_secs_f64();
    let sent = generator.sent()?;
    // The interface counts what the far end took; the rest is dropped without a word.
    let refused = sent.saturating_sub(counted(interface, "tx_packets")? - before);
    #[expect(clippy::cast_precision_loss, reason = "rates of one run")]
    let rate = sent as f64 / took;
    let mbit = rate * 60.0 * 8e-6;
    println!("sent {sent} refused {refused} too_long 0 rate {rate:.0} mbit {mbit:.0}");
    Ok(())
}
