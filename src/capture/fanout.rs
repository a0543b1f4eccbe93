//! Fanout: the dealing function of [`crate::deal`], for the kernel to run.
//!
//! Standard: packet(7), `PACKET_FANOUT_CBPF`: the kernel takes the result modulo the sockets.
//! Input:    a frame as `packet_rcv_fanout` has it: data begins behind the Ethernet header, and
//!           the outer 802.1Q or 802.1ad tag has been taken off into the frame's description.
//! Output:   [`crate::deal::hash`] of the frame as it was on the wire.
//! Bounds:   [`TAGS_MAX`] tags, that one included; some 120 instructions, no loop.
//! Not done: what `deal` does not look through.
//!
//! Loads at plain offsets reach all of a frame; those from a header's start reach only what lies in
//! the kernel's first buffer, so only the EtherType is read so. A load beyond the frame ends the
//! program with 0, which is what `deal` says of a packet cut short.

use crate::cbpf::{
    ADD_K, ADD_X, AND_K, Assembler, Instruction, JEQ_K, JGT_K, LD_B_IND, LD_H_ABS, LD_H_IND,
    LD_MEM, LD_W_ABS, LD_W_IND, LDX_IMM, LDX_MEM, Label, MUL_K, RET_A, RET_K, RSH_K, ST, STX,
    TAG_PRESENT, TAX, TXA, XOR_X, from_ethernet,
};
use crate::deal::TAGS_MAX;

/// The program. `None` cannot happen and is a test's business.
pub(crate) fn program() -> Option<Vec<Instruction>> {
    let mut asm = Assembler::default();
    let labels = Labels {
        ethertype: asm.label(),
        ipv4: asm.label(),
        ipv6: asm.label(),
        mix: asm.label(),
        zero: asm.label(),
    };
    tags(&mut asm, &labels);
    ethertype(&mut asm, &labels);
    ipv4(&mut asm, &labels);
    ipv6(&mut asm, &labels);
    mix(&mut asm, &labels);
    asm.put(labels.zero);
    asm.op(RET_K, 0);
    asm.finish()
}

struct Labels {
    /// A is an EtherType that is no tag, X the offset of what it speaks of.
    ethertype: Label,
    /// X is the offset of the IP header.
    ipv4: Label,
    ipv6: Label,
    /// Both folded addresses are in memory.
    mix: Label,
    zero: Label,
}

/// Memory: whether the kernel took a tag off, both addresses, the packet's offset, and room.
const TAKEN: u32 = 0;
const ADDRESS_A: u32 = 1;
const ADDRESS_B: u32 = 2;
const OFFSET: u32 = 3;
const ROOM: u32 = 4;

/// Steps over the tags. Each number of tags in the data has its own code, because a program has no
/// loops; the offsets are constants that way.
fn tags(asm: &mut Assembler, labels: &Labels) {
    asm.op(LD_W_ABS, TAG_PRESENT);
    asm.op(ST, TAKEN);
    asm.op(LD_H_ABS, from_ethernet(12));
    let tags_max = u32::try_from(TAGS_MAX).unwrap_or(0);
    for passed in 0..=tags_max {
        let tag = asm.label();
        let next = asm.label();
        for number in [0x8100, 0x88a8, 0x9100] {
            asm.jump(JEQ_K, number, Some(tag), None);
        }
        asm.op(LDX_IMM, 4 * passed);
        asm.go(labels.ethertype);
        asm.put(tag);
        if passed == tags_max {
            asm.go(labels.zero);
            break;
        }
        if passed + 1 == tags_max {
            // One tag more in the data than the kernel's own leaves room for.
            asm.op(LD_MEM, TAKEN);
            asm.jump(JEQ_K, 0, Some(next), None);
            asm.go(labels.zero);
        }
        asm.put(next);
        asm.op(LD_H_ABS, 4 * passed + 2);
    }
}

fn ethertype(asm: &mut Assembler, labels: &Labels) {
    let not_ipv4 = asm.label();
    let not_ipv6 = asm.label();
    let length = asm.label();
    asm.put(labels.ethertype);
    asm.jump(JEQ_K, 0x0800, None, Some(not_ipv4));
    asm.go(labels.ipv4);
    asm.put(not_ipv4);
    asm.jump(JEQ_K, 0x86dd, None, Some(not_ipv6));
    asm.go(labels.ipv6);
    asm.put(not_ipv6);
    asm.jump(JGT_K, 0x05dc, None, Some(length));
    asm.go(labels.zero);
    // An 802.3 length: LLC with SNAP, organisation code 0, EtherType.
    let snap = asm.label();
    let ieee = asm.label();
    let not_ipv4 = asm.label();
    let other = asm.label();
    asm.put(length);
    asm.op(LD_W_IND, 0);
    asm.jump(JEQ_K, 0xaaaa_0300, Some(snap), None);
    asm.go(labels.zero);
    asm.put(snap);
    asm.op(LD_H_IND, 4);
    asm.jump(JEQ_K, 0, Some(ieee), None);
    asm.go(labels.zero);
    asm.put(ieee);
    asm.op(LD_H_IND, 6);
    asm.op(ST, ROOM);
    asm.op(TXA, 0);
    asm.op(ADD_K, 8);
    asm.op(TAX, 0);
    asm.op(LD_MEM, ROOM);
    asm.jump(JEQ_K, 0x0800, None, Some(not_ipv4));
    asm.go(labels.ipv4);
    asm.put(not_ipv4);
    asm.jump(JEQ_K, 0x86dd, None, Some(other));
    asm.go(labels.ipv6);
    asm.put(other);
    asm.go(labels.zero);
}

fn ipv4(asm: &mut Assembler, labels: &Labels) {
    asm.put(labels.ipv4);
    version(asm, labels, 0x40);
    for (at, to) in [(12, ADDRESS_A), (16, ADDRESS_B)] {
        asm.op(LD_W_IND, at);
        asm.op(ST, to);
    }
    asm.go(labels.mix);
}

fn ipv6(asm: &mut Assembler, labels: &Labels) {
    asm.put(labels.ipv6);
    version(asm, labels, 0x60);
    asm.op(STX, OFFSET);
    for (at, to) in [(8, ADDRESS_A), (24, ADDRESS_B)] {
        let plain = asm.label();
        let done = asm.label();
        asm.op(LDX_MEM, OFFSET);
        // All four words first: XOR wants its other operand in X.
        for word in 0..4 {
            asm.op(LD_W_IND, at + 4 * word);
            asm.op(ST, ROOM + word);
        }
        // An IPv4-mapped address counts as the IPv4 address it maps: its last word.
        for (word, mapped) in [(0, 0), (1, 0), (2, 0xffff)] {
            asm.op(LD_MEM, ROOM + word);
            asm.jump(JEQ_K, mapped, None, Some(plain));
        }
        asm.op(LD_MEM, ROOM + 3);
        asm.op(ST, to);
        asm.go(done);
        asm.put(plain);
        asm.op(LD_MEM, ROOM);
        for word in 1..4 {
            asm.op(LDX_MEM, ROOM + word);
            asm.op(XOR_X, 0);
        }
        asm.op(ST, to);
        asm.put(done);
    }
    asm.go(labels.mix);
}

/// Goes on only if the version nibble is `wanted`.
fn version(asm: &mut Assembler, labels: &Labels, wanted: u32) {
    let right = asm.label();
    asm.op(LD_B_IND, 0);
    asm.op(AND_K, 0xf0);
    asm.jump(JEQ_K, wanted, Some(right), None);
    asm.go(labels.zero);
    asm.put(right);
}

/// The function in the header of `deal`.
fn mix(asm: &mut Assembler, labels: &Labels) {
    asm.put(labels.mix);
    asm.op(LDX_MEM, ADDRESS_A);
    asm.op(LD_MEM, ADDRESS_B);
    asm.op(XOR_X, 0);
    asm.op(MUL_K, 0x9e37_79b1);
    asm.op(ST, ROOM);
    asm.op(LD_MEM, ADDRESS_B);
    asm.op(ADD_X, 0);
    asm.op(MUL_K, 0x85eb_ca77);
    asm.op(LDX_MEM, ROOM);
    asm.op(ADD_X, 0);
    asm.op(TAX, 0);
    asm.op(RSH_K, 15);
    asm.op(XOR_X, 0);
    asm.op(MUL_K, 0x2c1b_3c6d);
    asm.op(TAX, 0);
    asm.op(RSH_K, 16);
    asm.op(XOR_X, 0);
    asm.op(RET_A, 0);
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::cbpf::machine::{Held, run};
    use crate::deal::hash;
    use crate::{FileSource, InputOptions, LinkType, Source};

    /// What the program gives for a frame on the wire: the kernel takes a first 802.1Q or 802.1ad
    /// tag off, and drops a frame too short for that.
    fn in_kernel(program: &[Instruction], wire: &[u8]) -> Option<u32> {
        if wire.len() < 14 {
            return None;
        }
        let number = |at: usize| u16::from_be_bytes([wire[at], wire[at + 1]]);
        if !matches!(number(12), 0x8100 | 0x88a8) {
            let (data, tag) = (14, None);
            let frame = wire;
            return Some(run(program, &Held { frame, data, tag }));
        }
        let frame = [&wire[..12], wire.get(16..)?].concat();
        (frame.len() >= 16).then(|| {
            let tag = Some((number(12), number(14)));
            let held = Held {
                frame: &frame,
                data: 14,
                tag,
            };
            run(program, &held)
        })
    }

    fn frame(tags: &[u16], ethertype: u16, packet: &[u8]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        for tag in tags {
            frame.extend(tag.to_be_bytes());
            frame.extend([0, 7]);
        }
        frame.extend(ethertype.to_be_bytes());
        frame.extend(packet);
        frame
    }

    fn packets() -> impl Strategy<Value = (u16, Vec<u8>)> {
        let bytes = |len| proptest::collection::vec(any::<u8>(), len);
        let v4 =
            bytes(16..60).prop_map(|rest| (0x0800_u16, [&[0x45, 0, 0, 40][..], &rest].concat()));
        let mapped = prop_oneof![Just([0_u8, 0, 0xff, 0xff]), any::<[u8; 4]>()];
        let v6 = (bytes(0..60), mapped, 0_usize..9).prop_map(|(rest, mapped, zeros)| {
            let mut packet = [&[0x60, 0, 0, 0, 0, 0, 6, 64][..], &rest].concat();
            for (at, byte) in packet.iter_mut().skip(8).take(zeros).enumerate() {
                *byte = u8::from(at > 7);
            }
            if let Some(four) = packet.get_mut(16..20) {
                four.copy_from_slice(&mapped);
            }
            (0x86dd, packet)
        });
        let ip = prop_oneof![v4, v6];
        let wrong = (ip.clone(), any::<u8>()).prop_map(|((kind, mut packet), first)| {
            packet[0] = first;
            (kind, packet)
        });
        let snap = (ip.clone(), 0_u8..20).prop_map(|((kind, packet), broken)| {
            let mut snap = [0xaa, 0xaa, 3, 0, 0, 0];
            if let Some(byte) = snap.get_mut(usize::from(broken)) {
                *byte ^= 1;
            }
            let length = if broken == 19 { 0x05dd } else { 60 };
            (length, [&snap[..], &kind.to_be_bytes(), &packet].concat())
        });
        prop_oneof![ip, wrong, snap, (any::<u16>(), bytes(0..60))]
    }

    /// The kernel takes programs of at most 4,096 instructions; this one is far from it.
    #[test]
    fn is_short() {
        let program = program().expect("every jump is in reach");
        assert!(program.len() < 200, "{}", program.len());
    }

    proptest! {
        /// Program and function agree on any frame, tagged in any way, cut anywhere.
        #[test]
        fn agrees_with_the_function(
            tags in proptest::collection::vec(
                prop_oneof![Just(0x8100_u16), Just(0x88a8), Just(0x9100)], 0..6),
            (ethertype, packet) in packets(),
            cut in 14_usize..140,
        ) {
            let program = program().expect("every jump is in reach");
            let mut wire = frame(&tags, ethertype, &packet);
            wire.truncate(cut);
            if let Some(dealt) = in_kernel(&program, &wire) {
                prop_assert_eq!(dealt, hash(LinkType::ETHERNET, &wire));
            }
        }
    }

    /// Program and function agree on every Ethernet frame of the corpus.
    #[test]
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn agrees_over_the_corpus() {
        let Some(corpus) = std::env::var_os("TAPIR_CORPUS").map(PathBuf::from) else {
            eprintln!("SKIPPED agrees_over_the_corpus: TAPIR_CORPUS is not set");
            return;
        };
        let program = program().expect("every jump is in reach");
        let text = std::fs::read_to_string(corpus.join("manifest.json")).expect("a manifest");
        let manifest: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let mut compared = 0_u64;
        for entry in manifest["files"].as_array().expect("files") {
            let path = corpus.join(entry["file"].as_str().expect("a name"));
            let mut source =
                FileSource::open(&[path], &InputOptions::default()).expect("a capture");
            while let Some(frame) = source.next().expect("a readable capture") {
                if frame.link != LinkType::ETHERNET {
                    continue;
                }
                if let Some(dealt) = in_kernel(&program, frame.bytes) {
                    assert_eq!(dealt, hash(frame.link, frame.bytes), "{:?}", frame.bytes);
                    compared += 1;
                }
            }
        }
        assert!(compared > 0, "the corpus holds no Ethernet");
    }
}
