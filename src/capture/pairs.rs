//! The fast socket's filter: which frames belong to an armed pair of addresses.
//!
//! Standard: classic BPF as Linux runs it on packet sockets (`networking/filter`).
//! Input:    pairs of addresses, IPv4 or IPv6; both directions of a pair are meant.
//! Output:   a program over a frame's bytes from the Ethernet header on, of which the kernel may
//!           have taken the outer VLAN tag; up to two tags in the bytes are looked through.
//! Bounds:   [`PAIRS_MAX`] pairs: 13 instructions an IPv6 pair and 5 an IPv4 pair, of the 4,096 a
//!           program may have.
//! Not done: IPv4 inside LLC, MPLS, PPPoE or tunnels; a frame cut inside its addresses.
//!
//! IPv4 pairs are matched exactly. Of an IPv6 address the lower 64 bits are matched exactly and
//! the upper 64 through 32 bits made of them, or 256 pairs would not fit: a stranger may pass. It
//! costs a look at the kill table, which compares whole addresses.
//!
//! A pair is put in order first (the smaller address first), in the program as in the list, so one
//! comparison serves both directions. Jumps reach 255 instructions; the only longer one, over the
//! IPv4 pairs, is a `ja`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Pairs a program holds: as many as the kill table has entries.
pub const PAIRS_MAX: usize = 256;

/// One instruction, as the kernel's `sock_filter` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    /// Instructions to skip where the test holds.
    pub(crate) yes: u8,
    /// Instructions to skip where it does not.
    pub(crate) no: u8,
    pub(crate) k: u32,
}

// Codes of linux/bpf_common.h, put together.
const LD_H_ABS: u16 = 0x28;
const LD_W_IND: u16 = 0x40;
const LDX_IMM: u16 = 0x01;
const LD_MEM: u16 = 0x60;
const LDX_MEM: u16 = 0x61;
const ST: u16 = 0x02;
const STX: u16 = 0x03;
const ADD_X: u16 = 0x0c;
const MUL_K: u16 = 0x24;
const JA: u16 = 0x05;
const JEQ_K: u16 = 0x15;
const JEQ_X: u16 = 0x1d;
const JGT_X: u16 = 0x2d;
const RET_K: u16 = 0x06;

/// As much of a frame as there is.
const WHOLE: u32 = 0x0004_0000;

/// Odd, and unlike any address: two upper halves that differ make two numbers that mostly do.
const MIX: u32 = 0x9e37_79b1;

/// Words an IPv6 address is matched by.
const WORDS: usize = 3;

/// A program that lets through what belongs to `pairs`, of which no more than [`PAIRS_MAX`] are
/// looked at; with none it drops everything.
pub(crate) fn program(pairs: &[(IpAddr, IpAddr)]) -> Vec<Instruction> {
    let pairs = pairs.get(..PAIRS_MAX).unwrap_or(pairs);
    let mut v4 = Vec::new();
    let mut v6 = Vec::new();
    for (a, b) in pairs {
        match (a.to_canonical(), b.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => v4.push(ordered(word4(a), word4(b))),
            (IpAddr::V6(a), IpAddr::V6(b)) => v6.push(ordered(words6(a), words6(b))),
            // No frame has one address of each.
            _ => {}
        }
    }
    if v4.is_empty() && v6.is_empty() {
        return vec![ret(0)];
    }
    let mut out = find_ip();
    let v4 = match_v4(&v4);
    out.push(step(JA, u32::try_from(v4.len()).unwrap_or(0)));
    out.extend(v4);
    out.extend(match_v6(&v6));
    out
}

/// Leaves the IP header's offset in X. IPv4 falls through the `ja` that follows to the first
/// instruction behind it, IPv6 takes it; what is neither is dropped.
fn find_ip() -> Vec<Instruction> {
    vec![
        step(LD_H_ABS, 12),
        step(LDX_IMM, 14),
        // A tag: look 4 bytes on, at most twice.
        test(JEQ_K, 0x8100, 2, 0),
        test(JEQ_K, 0x88a8, 1, 0),
        test(JEQ_K, 0x9100, 0, 7),
        step(LD_H_ABS, 16),
        step(LDX_IMM, 18),
        test(JEQ_K, 0x8100, 2, 0),
        test(JEQ_K, 0x88a8, 1, 0),
        test(JEQ_K, 0x9100, 0, 2),
        step(LD_H_ABS, 20),
        step(LDX_IMM, 22),
        test(JEQ_K, 0x0800, 2, 0),
        test(JEQ_K, 0x86dd, 0, 2),
        // To the `ja` that leads to IPv6.
        step(JA, 2),
        step(JA, 2),
        ret(0),
    ]
}

/// Source and destination, put in order in memory, compared with each pair.
fn match_v4(pairs: &[(u32, u32)]) -> Vec<Instruction> {
    let mut out = vec![
        step(LD_W_IND, 12),
        step(ST, 0),
        step(LD_W_IND, 16),
        step(ST, 1),
        step(LDX_MEM, 1),
        step(LD_MEM, 0),
        // The larger one goes second: A is the source, X the destination.
        test(JGT_X, 0, 0, 2),
        step(ST, 1),
        step(STX, 0),
    ];
    for (a, b) in pairs {
        out.extend([
            step(LD_MEM, 0),
            test(JEQ_K, *a, 0, 3),
            step(LD_MEM, 1),
            test(JEQ_K, *b, 0, 1),
            ret(WHOLE),
        ]);
    }
    out.push(ret(0));
    out
}

/// As [`match_v4`], with three words an address; where words are equal the next decides the order.
fn match_v6(pairs: &[([u32; WORDS], [u32; WORDS])]) -> Vec<Instruction> {
    let mut out = Vec::new();
    // Memory 0-2: the source's words, 3-5: the destination's. The header's offset stays in 6.
    out.push(step(STX, 6));
    for (address, memory) in [(8, 0), (24, 3)] {
        out.extend([
            step(LD_W_IND, address),
            step(MUL_K, MIX),
            step(ST, 7),
            step(LD_W_IND, address + 4),
            step(LDX_MEM, 7),
            step(ADD_X, 0),
            step(ST, memory),
            step(LDX_MEM, 6),
            step(LD_W_IND, address + 8),
            step(ST, memory + 1),
            step(LD_W_IND, address + 12),
            step(ST, memory + 2),
        ]);
    }
    // Each word: greater means exchange, equal means look at the next, less means all is well.
    const EXCHANGE: u8 = 12;
    for word in 0..3_u8 {
        let tests_behind = 4 * (2 - word);
        out.extend([
            step(LDX_MEM, u32::from(word) + 3),
            step(LD_MEM, u32::from(word)),
            test(JGT_X, 0, tests_behind + 1, 0),
            test(JEQ_X, 0, 0, tests_behind + EXCHANGE),
        ]);
    }
    // All equal: the same address twice, and no exchange can matter.
    for word in 0..3 {
        out.extend([
            step(LDX_MEM, word + 3),
            step(LD_MEM, word),
            step(ST, word + 3),
            step(STX, word),
        ]);
    }
    for (a, b) in pairs {
        let words = a.iter().chain(b).zip(0_u32..);
        for (index, (word, memory)) in (0_u8..).zip(words) {
            out.push(step(LD_MEM, memory));
            // A mismatch leads past what is left of this pair, its `ret` included.
            out.push(test(JEQ_K, *word, 0, 2 * (5 - index) + 1));
        }
        out.push(ret(WHOLE));
    }
    out.push(ret(0));
    out
}

fn step(code: u16, k: u32) -> Instruction {
    test(code, k, 0, 0)
}

fn test(code: u16, k: u32, yes: u8, no: u8) -> Instruction {
    Instruction { code, yes, no, k }
}

fn ret(bytes: u32) -> Instruction {
    step(RET_K, bytes)
}

fn ordered<T: Ord>(a: T, b: T) -> (T, T) {
    if a <= b { (a, b) } else { (b, a) }
}

fn word4(address: Ipv4Addr) -> u32 {
    u32::from_be_bytes(address.octets())
}

fn words6(address: Ipv6Addr) -> [u32; WORDS] {
    let [a, b, c, d, e, f, g, h] = address.segments().map(u32::from);
    let upper = (a << 16 | b).wrapping_mul(MIX).wrapping_add(c << 16 | d);
    [upper, e << 16 | f, g << 16 | h]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs a program as the kernel would: a load outside the frame drops it. Gives the bytes to
    /// keep, or `None` where the program itself is no program the kernel would take.
    fn run(program: &[Instruction], frame: &[u8]) -> Option<u32> {
        let (mut a, mut x, mut memory, mut at) = (0_u32, 0_u32, [None; 16], 0);
        let load = |at: usize, len: usize| {
            let bytes = frame.get(at..at + len)?;
            Some(
                bytes
                    .iter()
                    .fold(0, |value, byte| value << 8 | u32::from(*byte)),
            )
        };
        loop {
            let Instruction { code, yes, no, k } = *program.get(at)?;
            at += 1;
            let jump = |holds: bool| usize::from(if holds { yes } else { no });
            let place = usize::try_from(k).ok()?;
            match code {
                LD_H_ABS => match load(place, 2) {
                    Some(value) => a = value,
                    None => return Some(0),
                },
                LD_W_IND => match load(place + usize::try_from(x).ok()?, 4) {
                    Some(value) => a = value,
                    None => return Some(0),
                },
                LDX_IMM => x = k,
                // The kernel refuses a program that reads memory it has not written.
                LD_MEM => a = (*memory.get(place)?)?,
                LDX_MEM => x = (*memory.get(place)?)?,
                ST => *memory.get_mut(place)? = Some(a),
                STX => *memory.get_mut(place)? = Some(x),
                ADD_X => a = a.wrapping_add(x),
                MUL_K => a = a.wrapping_mul(k),
                JA => at += place,
                JEQ_K => at += jump(a == k),
                JEQ_X => at += jump(a == x),
                JGT_X => at += jump(a > x),
                RET_K => return Some(k),
                _ => return None,
            }
        }
    }

    fn frame(from: IpAddr, to: IpAddr, tags: usize) -> Vec<u8> {
        let mut frame = vec![2; 12];
        for tag in [[0x91, 0, 0, 5], [0x81, 0, 0, 7]].iter().skip(2 - tags) {
            frame.extend(tag);
        }
        match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                frame.extend([8, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0]);
                frame.extend([from.octets(), to.octets()].concat());
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 6, 64]);
                frame.extend([from.octets(), to.octets()].concat());
            }
            _ => panic!("one family"),
        }
        frame
    }

    fn address(v6: bool) -> BoxedStrategy<IpAddr> {
        // Few values a word, so that addresses often share some of them.
        let word = prop_oneof![Just(0_u32), Just(1), Just(0x8000_0000), any::<u32>()];
        if v6 {
            let words = [word.clone(), word.clone(), word.clone(), word];
            words
                .prop_map(|words| {
                    let whole = words
                        .iter()
                        .fold(0, |all, word| all << 32 | u128::from(*word));
                    // Not a mapped one: those mean the IPv4 address.
                    IpAddr::V6(Ipv6Addr::from_bits(whole | 1 << 127))
                })
                .boxed()
        } else {
            word.prop_map(|word| IpAddr::V4(Ipv4Addr::from_bits(word)))
                .boxed()
        }
    }

    fn pair() -> impl Strategy<Value = (IpAddr, IpAddr)> {
        any::<bool>().prop_flat_map(|v6| (address(v6), address(v6)))
    }

    proptest! {
        /// Both directions of every armed pair pass, behind any tags; others do not.
        #[test]
        fn armed_pairs_pass(
            pairs in prop::collection::vec(pair(), 0..20),
            others in prop::collection::vec(pair(), 20),
            tags in 0_usize..3,
        ) {
            let program = program(&pairs);
            for (a, b) in &pairs {
                prop_assert_eq!(run(&program, &frame(*a, *b, tags)), Some(WHOLE));
                prop_assert_eq!(run(&program, &frame(*b, *a, tags)), Some(WHOLE));
            }
            for (a, b) in others {
                let armed = pairs.contains(&(a, b)) || pairs.contains(&(b, a));
                let kept = run(&program, &frame(a, b, tags));
                prop_assert_eq!(kept, Some(if armed { WHOLE } else { 0 }), "{} {}", a, b);
            }
        }

        /// Any bytes come to an end, whatever is armed.
        #[test]
        fn any_bytes(
            pairs in prop::collection::vec(pair(), 0..4),
            bytes in prop::collection::vec(any::<u8>(), 0..90),
        ) {
            prop_assert!(run(&program(&pairs), &bytes).is_some());
        }
    }

    /// As many pairs as there may be fit the kernel's bound, of either family, and the last of
    /// them is found; more are left out.
    #[test]
    fn a_full_list_fits() {
        let v4 = |i: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + i));
        let v6 = |i: u32| IpAddr::V6(Ipv6Addr::from_bits(1 << 125 | u128::from(i)));
        let address: [&dyn Fn(u32) -> IpAddr; 2] = [&v4, &v6];
        for address in address {
            let pairs: Vec<_> = (0..257).map(|i| (address(i), address(1_000 + i))).collect();
            let program = program(&pairs);
            assert!(program.len() <= 4_096, "{} instructions", program.len());
            let kept = |i| run(&program, &frame(address(1_000 + i), address(i), 0));
            assert_eq!(
                (kept(0), kept(255), kept(256)),
                (Some(WHOLE), Some(WHOLE), Some(0))
            );
        }
        assert_eq!(program(&[]), [ret(0)]);
        assert_eq!(program(&[(v4(1), v6(1))]), [ret(0)]);
    }
}
