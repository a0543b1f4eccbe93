//! The operator's filter on a live port: the same meaning as on a file.
//!
//! Standard: pcap-filter(7).
//! Input:    the expression, and the MAC address of our own injection port.
//! Output:   a program for the kernel, and an expression for us where the kernel's will not do.
//! Bounds:   the kernel's program has at most [`PROGRAM_MAX`] instructions.
//! Not done: `len`, `less` and `greater` see the length on the wire here, the captured one in files.
//!
//! When the kernel runs a socket's filter it has taken the outer VLAN tag off the frame. So the
//! compiled program is sent twice: as it is for frames that had no tag, and with its offsets moved
//! and its reads of the tag turned to the kernel's note of it for frames that had. Thus `vlan 5`,
//! and `tcp` alone (which means *untagged* TCP, as on a file), hold for the frame as it was on the
//! wire. An expression that cannot be rewritten so is judged by us, on the frame made whole.

use crate::cbpf::{
    ADD_K, Assembler, CLASS_ALU, CLASS_JMP, CLASS_LD, CLASS_LDX, Instruction, JA, JEQ_K, JGE_K,
    JGT_K, LD_B_ABS, LD_B_IND, LD_H_ABS, LD_H_IND, LD_LEN, LD_W_ABS, LD_W_IND, LDX_MSH, Label,
    RET_K, TAG_CONTROL, TAG_PRESENT, TAG_TYPE, TXA,
};
use crate::filter::{Filter, compile};
use crate::{LinkType, SourceError};

/// What is to be attached, and what is left to us.
#[derive(Debug)]
pub(crate) struct LiveFilter {
    /// For the kernel.
    pub(crate) program: Vec<Instruction>,
    /// The expression, if the kernel's program does not know it.
    pub(crate) expression: Option<String>,
}

impl LiveFilter {
    /// A filter that keeps frames from `not_from` out, and what does not match `expression`.
    ///
    /// # Errors
    ///
    /// [`SourceError::Filter`] if the expression does not compile.
    pub(crate) fn new(
        expression: Option<&str>,
        not_from: Option<[u8; 6]>,
    ) -> Result<Self, SourceError> {
        let Some(expression) = expression else {
            let program = program(None, not_from).unwrap_or_else(keep_all);
            return Ok(Self {
                program,
                expression: None,
            });
        };
        let compiled = compile(expression, LinkType::ETHERNET).map_err(|words| {
            let expression = expression.to_owned();
            SourceError::Filter { expression, words }
        })?;
        let lines = compiled.get_instructions().iter();
        let base: Option<Vec<_>> = lines.map(|line| parse(&line.to_string())).collect();
        if let Some(program) = base.and_then(|base| program(Some(&base), not_from)) {
            return Ok(Self {
                program,
                expression: None,
            });
        }
        Ok(Self {
            program: program(None, not_from).unwrap_or_else(keep_all),
            expression: Some(expression.to_owned()),
        })
    }

    /// The part that is ours to run.
    ///
    /// # Errors
    ///
    /// As [`LiveFilter::new`].
    pub(crate) fn ours(&self) -> Result<Option<Filter>, SourceError> {
        let compile = |expression: &String| Filter::new(expression, &[LinkType::ETHERNET]);
        self.expression.as_ref().map(compile).transpose()
    }
}

/// A program that keeps every frame out: what a socket has until all of its group have joined.
pub(crate) fn keep_none() -> Vec<Instruction> {
    vec![RETURN_NOTHING]
}

fn keep_all() -> Vec<Instruction> {
    vec![Instruction {
        k: WHOLE,
        ..RETURN_NOTHING
    }]
}

const RETURN_NOTHING: Instruction = Instruction {
    code: RET_K,
    jt: 0,
    jf: 0,
    k: 0,
};

/// What a filter returns to keep a frame: how much of it, and it is to be all.
const WHOLE: u32 = u32::MAX;

/// libpcap's binding shows an instruction as its four numbers and in no other way.
fn parse(line: &str) -> Option<Instruction> {
    let mut numbers = line.split(' ');
    let mut number = || numbers.next()?.parse::<u32>().ok();
    Some(Instruction {
        code: u16::try_from(number()?).ok()?,
        jt: u8::try_from(number()?).ok()?,
        jf: u8::try_from(number()?).ok()?,
        k: number()?,
    })
}

fn program(base: Option<&[Instruction]>, not_from: Option<[u8; 6]>) -> Option<Vec<Instruction>> {
    let mut asm = Assembler::default();
    if let Some([a, b, c, d, e, f]) = not_from {
        let other = asm.label();
        asm.op(LD_W_ABS, 6);
        let upper = u32::from_be_bytes([a, b, c, d]);
        asm.jump(JEQ_K, upper, None, Some(other));
        asm.op(LD_H_ABS, 10);
        let lower = u32::from(u16::from_be_bytes([e, f]));
        asm.jump(JEQ_K, lower, None, Some(other));
        asm.op(RET_K, 0);
        asm.put(other);
    }
    let Some(base) = base else {
        asm.op(RET_K, WHOLE);
        return asm.finish();
    };
    let tagged = asm.label();
    let plain = asm.label();
    asm.op(LD_W_ABS, TAG_PRESENT);
    asm.jump(JEQ_K, 0, Some(plain), None);
    asm.go(tagged);
    asm.put(plain);
    copy(&mut asm, base, false)?;
    asm.put(tagged);
    copy(&mut asm, base, true)?;
    asm.finish()
}

/// Whether an instruction can be reached, and then whether A holds what stands at offset 12.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    at_all: bool,
    with_tag_type: bool,
}

impl Reached {
    fn from(&mut self, with_tag_type: bool) {
        self.with_tag_type = with_tag_type && (self.with_tag_type || !self.at_all);
        self.at_all = true;
    }
}

/// Adds `base` for untagged frames, or rewritten for tagged ones. `None` if it cannot be.
fn copy(asm: &mut Assembler, base: &[Instruction], tagged: bool) -> Option<()> {
    let labels: Vec<Label> = base.iter().map(|_| asm.label()).collect();
    let mut reached = vec![Reached::default(); base.len()];
    reached.first_mut()?.from(false);
    for (at, instruction) in base.iter().enumerate() {
        let here = *reached.get(at)?;
        asm.put(*labels.get(at)?);
        if !here.at_all {
            // Jumps over it still count it, so something has to stand here.
            asm.op(RET_K, 0);
            continue;
        }
        let Instruction { code, jt, jf, k } = *instruction;
        match code {
            RET_K => asm.op(RET_K, if k == 0 { 0 } else { WHOLE }),
            JA => {
                let to = at + 1 + k as usize;
                reached.get_mut(to)?.from(here.with_tag_type);
                asm.go(*labels.get(to)?);
            }
            _ if code & 7 == CLASS_JMP => {
                let then = at + 1 + usize::from(jt);
                let otherwise = at + 1 + usize::from(jf);
                let (may, may_not) = outcomes(code, k, tagged && here.with_tag_type);
                for (to, possible) in [(then, may), (otherwise, may_not)] {
                    if possible {
                        reached.get_mut(to)?.from(here.with_tag_type);
                    }
                }
                asm.jump(
                    code,
                    k,
                    Some(*labels.get(then)?),
                    Some(*labels.get(otherwise)?),
                );
            }
            // Other returns do not come out of libpcap.
            0x06..=0x16 if code & 7 == RET_K => return None,
            _ => {
                emit(asm, *instruction, tagged)?;
                let keeps_a = !matches!(code & 7, CLASS_LD | CLASS_ALU) && code != TXA;
                let with_tag_type = code == LD_H_ABS && k == 12 || keeps_a && here.with_tag_type;
                reached.get_mut(at + 1)?.from(with_tag_type);
            }
        }
    }
    Some(())
}

/// Whether a comparison may hold, and may fail, if A is known to be a tag's EtherType: the kernel
/// takes off only 802.1Q and 802.1ad tags.
fn outcomes(code: u16, k: u32, a_is_tag_type: bool) -> (bool, bool) {
    if !a_is_tag_type {
        return (true, true);
    }
    match code {
        JEQ_K => (matches!(k, 0x8100 | 0x88a8), true),
        JGT_K => (k < 0x88a8, k >= 0x8100),
        JGE_K => (k <= 0x88a8, k > 0x8100),
        _ => (true, true),
    }
}

/// One instruction that neither jumps nor returns.
fn emit(asm: &mut Assembler, instruction: Instruction, tagged: bool) -> Option<()> {
    let Instruction { code, k, .. } = instruction;
    if !tagged {
        asm.op(code, k);
        return Some(());
    }
    match code {
        LD_H_ABS if k == 12 => asm.op(LD_W_ABS, TAG_TYPE),
        LD_H_ABS if k == 14 => asm.op(LD_W_ABS, TAG_CONTROL),
        LD_W_ABS => asm.op(code, moved(k, 4)?),
        LD_H_ABS => asm.op(code, moved(k, 2)?),
        LD_B_ABS | LDX_MSH => asm.op(code, moved(k, 1)?),
        // With an index the place is not known before; behind the tag it is moved all the same.
        LD_W_IND | LD_H_IND | LD_B_IND => asm.op(code, moved(k.max(12), 4)?),
        LD_LEN => {
            asm.op(LD_LEN, 0);
            asm.op(ADD_K, 4);
        }
        // The remaining loads are of constants and memory; LDX of the length does not occur.
        _ if code & 7 == CLASS_LDX && code & 0xe0 == 0x80 => return None,
        _ => asm.op(code, k),
    }
    Some(())
}

/// Where `len` bytes at `offset` of the frame on the wire lie once the tag is taken off.
fn moved(offset: u32, len: u32) -> Option<u32> {
    match offset {
        // Offsets from there on are the kernel's own.
        0x8000_0000.. => None,
        16.. => Some(offset - 4),
        _ => (offset + len <= 12).then_some(offset),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cbpf::machine::{Held, run};

    const EXPRESSIONS: [&str; 16] = [
        "tcp port 80",
        "vlan",
        "vlan 5",
        "vlan 5 and tcp port 80",
        "vlan and vlan 7 and udp",
        "tcp port 80 or (vlan and tcp port 80)",
        "not vlan",
        "ip6",
        "arp or rarp",
        "host 10.0.0.1 and not port 22",
        "vlan and ip6 and tcp",
        "ether src 02:02:02:02:02:02",
        "tcp[tcpflags] & tcp-syn != 0",
        "vlan and tcp[tcpflags] & (tcp-rst|tcp-fin) != 0",
        "stp or llc",
        "len > 60",
    ];

    const OUTSIDE: [&str; 2] = ["ether[14] = 3", "ether[13:2] = 7"];

    fn frame(tags: &[(u16, u16)], ethertype: u16, port: u16, len: usize) -> Vec<u8> {
        let mut frame = vec![2; 12];
        for (number, control) in tags {
            frame.extend(number.to_be_bytes());
            frame.extend(control.to_be_bytes());
        }
        frame.extend(ethertype.to_be_bytes());
        let mut packet = vec![0; 60];
        if ethertype == 0x86dd {
            packet[0] = 0x60;
            packet[6] = 6;
            packet[40..42].copy_from_slice(&port.to_be_bytes());
        } else {
            packet[0] = 0x45;
            packet[9] = if port == 53 { 17 } else { 6 };
            packet[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
            packet[20..22].copy_from_slice(&port.to_be_bytes());
            packet[33] = 2;
        }
        frame.extend(packet);
        frame.truncate(len);
        frame
    }

    /// What the kernel does with a frame on the wire, given these programs.
    fn kept(filter: &LiveFilter, wire: &[u8]) -> bool {
        let number = |at: usize| u16::from_be_bytes([wire[at], wire[at + 1]]);
        let tagged = matches!(number(12), 0x8100 | 0x88a8);
        let frame = if tagged {
            [&wire[..12], &wire[16..]].concat()
        } else {
            wire.to_vec()
        };
        let tag = tagged.then(|| (number(12), number(14)));
        let held = Held {
            frame: &frame,
            data: 0,
            tag,
        };
        run(&filter.program, &held) != 0
    }

    proptest! {
        /// The kernel keeps what libpcap's own machine keeps of the frame as it was on the wire.
        #[test]
        fn as_on_a_file(
            tags in proptest::collection::vec((
                prop_oneof![Just(0x8100_u16), Just(0x88a8)], prop_oneof![Just(5_u16), Just(0xe007)],
            ), 0..3),
            ethertype in prop_oneof![
                Just(0x0800_u16), Just(0x86dd), Just(0x0806), Just(0x9100), Just(30), any::<u16>(),
            ],
            port in prop_oneof![Just(80_u16), Just(53), any::<u16>()],
            len in 20_usize..90,
        ) {
            let wire = frame(&tags, ethertype, port, len);
            for expression in EXPRESSIONS {
                let filter = LiveFilter::new(Some(expression), None).expect("a filter");
                prop_assert!(filter.expression.is_none(), "{} is not rewritten", expression);
                let oracle = compile(expression, LinkType::ETHERNET).expect("a filter");
                prop_assert_eq!(kept(&filter, &wire), oracle.filter(&wire), "{}", expression);
            }
        }
    }

    /// What reads across the tag is left to us; frames from our own port are kept out all the same.
    #[test]
    fn what_cannot_be_rewritten_is_ours() {
        for expression in OUTSIDE {
            let filter = LiveFilter::new(Some(expression), Some([2; 6])).expect("a filter");
            assert_eq!(filter.expression.as_deref(), Some(expression));
            assert!(filter.ours().expect("a filter").is_some());
            assert!(!kept(&filter, &frame(&[], 0x0800, 80, 60)));
        }
    }

    /// Frames with our own source address are kept out, all others kept whole.
    #[test]
    fn own_frames_are_kept_out() {
        let own = LiveFilter::new(None, Some([2, 2, 2, 2, 2, 3])).expect("a filter");
        assert!(kept(&own, &frame(&[], 0x0800, 80, 60)));
        let own = LiveFilter::new(Some("tcp"), Some([2; 6])).expect("a filter");
        assert!(!kept(&own, &frame(&[], 0x0800, 80, 60)));
        assert!(!kept(&own, &frame(&[(0x8100, 5)], 0x0800, 80, 60)));
        let all = LiveFilter::new(None, None).expect("a filter");
        assert_eq!(all.program, keep_all());
        assert!(LiveFilter::new(Some("tcp prot 80"), None).is_err());
    }
}
