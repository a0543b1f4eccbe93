//! Classic BPF: the language in which the kernel is told which frames to keep and whose they are.
//!
//! Standard: the kernel's `Documentation/networking/filter.rst`; codes as in `linux/filter.h`.
//! Input:    operations with labels for targets.
//! Output:   [`Instruction`]s with relative jumps.
//! Bounds:   [`PROGRAM_MAX`] instructions; a conditional jump reaches 255, a plain one anywhere
//!           ahead.

/// Longest program the kernel takes.
pub(crate) const PROGRAM_MAX: usize = 4096;

/// One instruction, laid out as the kernel's `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jt: u8,
    pub(crate) jf: u8,
    pub(crate) k: u32,
}

pub(crate) const LD_W_ABS: u16 = 0x20;
pub(crate) const LD_H_ABS: u16 = 0x28;
pub(crate) const LD_B_ABS: u16 = 0x30;
pub(crate) const LD_W_IND: u16 = 0x40;
pub(crate) const LD_H_IND: u16 = 0x48;
pub(crate) const LD_B_IND: u16 = 0x50;
pub(crate) const LD_MEM: u16 = 0x60;
pub(crate) const LD_LEN: u16 = 0x80;
pub(crate) const LDX_IMM: u16 = 0x01;
pub(crate) const LDX_MEM: u16 = 0x61;
pub(crate) const LDX_MSH: u16 = 0xb1;
pub(crate) const ST: u16 = 0x02;
pub(crate) const STX: u16 = 0x03;
pub(crate) const ADD_K: u16 = 0x04;
pub(crate) const ADD_X: u16 = 0x0c;
pub(crate) const MUL_K: u16 = 0x24;
pub(crate) const AND_K: u16 = 0x54;
pub(crate) const RSH_K: u16 = 0x74;
pub(crate) const XOR_X: u16 = 0xac;
pub(crate) const JA: u16 = 0x05;
pub(crate) const JEQ_K: u16 = 0x15;
pub(crate) const JGT_K: u16 = 0x25;
pub(crate) const JGE_K: u16 = 0x35;
pub(crate) const RET_K: u16 = 0x06;
pub(crate) const RET_A: u16 = 0x16;
pub(crate) const TAX: u16 = 0x07;
pub(crate) const TXA: u16 = 0x87;

/// Class of a code: its lowest three bits.
pub(crate) const CLASS_LD: u16 = 0x00;
pub(crate) const CLASS_LDX: u16 = 0x01;
pub(crate) const CLASS_ALU: u16 = 0x04;
pub(crate) const CLASS_JMP: u16 = 0x05;

/// `SKF_AD_OFF + SKF_AD_VLAN_TAG`: the control word of the tag the kernel has taken off.
pub(crate) const TAG_CONTROL: u32 = ancillary(44);
/// `SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT`: whether it has taken one off.
pub(crate) const TAG_PRESENT: u32 = ancillary(48);
/// `SKF_AD_OFF + SKF_AD_VLAN_TPID`: that tag's EtherType.
pub(crate) const TAG_TYPE: u32 = ancillary(60);

const fn ancillary(which: u32) -> u32 {
    0xffff_f000 + which
}

/// An offset from the start of the Ethernet header, wherever the program's data begins.
pub(crate) const fn from_ethernet(offset: u32) -> u32 {
    0xffe0_0000 + offset
}

/// A place in a program under construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label(usize);

/// A program under construction.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    operations: Vec<Operation>,
    /// Where each label stands, once it does.
    places: Vec<Option<usize>>,
}

#[derive(Debug)]
struct Operation {
    code: u16,
    k: u32,
    /// Targets of a jump; `None` is the next instruction.
    then: Option<Label>,
    otherwise: Option<Label>,
}

impl Assembler {
    /// A label that stands nowhere as long as it is not put.
    pub(crate) fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// Puts `label` before the next operation.
    pub(crate) fn put(&mut self, label: Label) {
        if let Some(place) = self.places.get_mut(label.0) {
            *place = Some(self.operations.len());
        }
    }

    /// Anything but a jump.
    pub(crate) fn op(&mut self, code: u16, k: u32) {
        self.jump(code, k, None, None);
    }

    /// A conditional jump; `None` goes on with the next operation.
    pub(crate) fn jump(
        &mut self,
        code: u16,
        k: u32,
        then: Option<Label>,
        otherwise: Option<Label>,
    ) {
        self.operations.push(Operation {
            code,
            k,
            then,
            otherwise,
        });
    }

    /// An unconditional jump, however far.
    pub(crate) fn go(&mut self, to: Label) {
        self.jump(JA, 0, Some(to), None);
    }

    /// The program; `None` if it is too long, or a jump goes too far, back or nowhere.
    pub(crate) fn finish(self) -> Option<Vec<Instruction>> {
        if self.operations.len() > PROGRAM_MAX {
            return None;
        }
        let distance = |from: usize, to: Option<Label>| match to {
            None => Some(0),
            Some(label) => self.places.get(label.0)?.as_ref()?.checked_sub(from + 1),
        };
        let resolve = |(at, op): (usize, &Operation)| {
            let then = distance(at, op.then)?;
            let otherwise = distance(at, op.otherwise)?;
            let (jt, jf, k) = if op.code == JA {
                (0, 0, u32::try_from(then).ok()?)
            } else {
                (
                    u8::try_from(then).ok()?,
                    u8::try_from(otherwise).ok()?,
                    op.k,
                )
            };
            Some(Instruction {
                code: op.code,
                jt,
                jf,
                k,
            })
        };
        self.operations.iter().enumerate().map(resolve).collect()
    }
}

/// The kernel's side, for tests: what a program gives for a frame.
#[cfg(test)]
pub(crate) mod machine {
    use super::*;

    /// A frame as the kernel holds it: the outer tag beside it, not in it.
    pub(crate) struct Held<'a> {
        /// From the Ethernet header on, without the tag taken off.
        pub(crate) frame: &'a [u8],
        /// Where the program's data begins: 0 for a socket's filter, 14 for a fanout.
        pub(crate) data: usize,
        /// EtherType and control word of the tag taken off.
        pub(crate) tag: Option<(u16, u16)>,
    }

    impl Held<'_> {
        fn load(&self, offset: u32, len: usize) -> Option<u32> {
            let tag = self.tag.unwrap_or_default();
            let offset = match offset {
                TAG_CONTROL => return Some(u32::from(tag.1)),
                TAG_PRESENT => return Some(u32::from(self.tag.is_some())),
                TAG_TYPE => return Some(u32::from(tag.0)),
                0xfff0_0000.. => return None,
                0xffe0_0000.. => offset as usize - 0xffe0_0000,
                _ => self.data + offset as usize,
            };
            let bytes = self.frame.get(offset..offset.checked_add(len)?)?;
            Some(
                bytes
                    .iter()
                    .fold(0, |value, byte| value << 8 | u32::from(*byte)),
            )
        }
    }

    /// Runs `program`; a load outside the frame ends it with 0, as in the kernel.
    pub(crate) fn run(program: &[Instruction], held: &Held<'_>) -> u32 {
        step_through(program, held).unwrap_or(0)
    }

    fn step_through(program: &[Instruction], held: &Held<'_>) -> Option<u32> {
        let (mut a, mut x, mut memory, mut at) = (0_u32, 0_u32, [0_u32; 16], 0_usize);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            let branch = |holds: bool| usize::from(if holds { jt } else { jf });
            match code {
                LD_W_ABS => a = held.load(k, 4)?,
                LD_H_ABS => a = held.load(k, 2)?,
                LD_B_ABS => a = held.load(k, 1)?,
                LD_W_IND => a = held.load(x.wrapping_add(k), 4)?,
                LD_H_IND => a = held.load(x.wrapping_add(k), 2)?,
                LD_B_IND => a = held.load(x.wrapping_add(k), 1)?,
                LDX_MSH => x = 4 * (held.load(k, 1)? & 0xf),
                LD_LEN => a = u32::try_from(held.frame.len() - held.data).expect("a frame"),
                LD_MEM => a = memory[k as usize],
                LDX_MEM => x = memory[k as usize],
                LDX_IMM => x = k,
                0x00 => a = k,
                ST => memory[k as usize] = a,
                STX => memory[k as usize] = x,
                TAX => x = a,
                TXA => a = x,
                ADD_K => a = a.wrapping_add(k),
                ADD_X => a = a.wrapping_add(x),
                0x14 => a = a.wrapping_sub(k),
                0x1c => a = a.wrapping_sub(x),
                MUL_K => a = a.wrapping_mul(k),
                0x44 => a |= k,
                0x4c => a |= x,
                AND_K => a &= k,
                0x5c => a &= x,
                0x64 => a <<= k,
                RSH_K => a >>= k,
                XOR_X => a ^= x,
                JA => at += k as usize,
                JEQ_K => at += branch(a == k),
                0x1d => at += branch(a == x),
                JGT_K => at += branch(a > k),
                0x2d => at += branch(a > x),
                JGE_K => at += branch(a >= k),
                0x3d => at += branch(a >= x),
                0x45 => at += branch(a & k != 0),
                RET_K => return Some(k),
                RET_A => return Some(a),
                other => panic!("code {other:#x} is not known"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels become distances; too far, back and nowhere are refused.
    #[test]
    fn jumps_are_resolved_or_refused() {
        let build = |between: usize, code| {
            let mut asm = Assembler::default();
            let end = asm.label();
            asm.jump(code, 7, Some(end), None);
            for _ in 0..between {
                asm.op(RET_K, 1);
            }
            asm.put(end);
            asm.op(RET_K, 0);
            asm.finish()
        };
        let program = build(255, JEQ_K).expect("in reach");
        assert_eq!((program[0].jt, program[0].jf, program[0].k), (255, 0, 7));
        assert_eq!(build(256, JEQ_K), None);
        assert_eq!(build(256, JA).expect("in reach")[0].k, 256);
        assert_eq!(build(PROGRAM_MAX - 1, JA), None);
        let mut asm = Assembler::default();
        let back = asm.label();
        asm.put(back);
        asm.op(RET_K, 0);
        asm.go(back);
        assert_eq!(asm.finish(), None);
        let mut asm = Assembler::default();
        let nowhere = asm.label();
        asm.go(nowhere);
        assert_eq!(asm.finish(), None);
    }
}
