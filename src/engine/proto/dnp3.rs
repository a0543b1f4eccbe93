//! DNP3: who commands which outstation.
//!
//! Standard: IEEE 1815; the link frame's check is its CRC-16 (polynomial 0x3D65, reflected).
//! Input:    both streams of a TCP flow, or datagrams. Request or reply is told by the function.
//! Output:   one `dnp3` record per request with its reply, one per reply nobody asked for.
//! Bounds:   frames of 292 bytes; one request open a flow, an unanswered one is written at the next.
//! Not done: objects and values; of a fragment in several frames only the first is read.

use super::{Dir, Input, Out, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Timestamp, heap_of};

/// Bytes of a frame's header, its check included.
const HEAD_LEN: usize = 10;
/// Bytes of a block of data; its check of two bytes follows.
const BLOCK_LEN: usize = 16;
/// Bytes that the length counts besides the data.
const COUNTED_LEN: usize = 5;

record! {
    /// One request with its reply (Zeek's `dnp3.log`).
    pub struct Dnp3Record = "dnp3" {
        /// Function of the request.
        pub fc_request: Option<&'static str> = "fc_request",
        /// Function of the reply.
        pub fc_reply: Option<&'static str> = "fc_reply",
        /// Internal indications of the reply, a bit each.
        pub iin: Option<u16> = "iin",
        /// Number of the request's function.
        pub request_code: Option<u8> = "request_code",
        /// Number of the reply's function.
        pub reply_code: Option<u8> = "reply_code",
        /// `read`, `write` or `control`, by the request.
        pub class: Option<&'static str> = "class",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Dnp3 {
    open: Option<(Timestamp, Dnp3Record)>,
    sure: bool,
}

impl Protocol for Dnp3 {
    const NAME: &'static str = "dnp3";
    const PORTS: &'static [Port] = &[Port::Tcp(20_000), Port::Udp(20_000)];

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start {
            [5, 0x64, len, ..] if usize::from(*len) >= COUNTED_LEN => {
                let right =
                    start
                        .first_chunk::<HEAD_LEN>()
                        .is_some_and(|[head @ .., low, high]| {
                            crc(head) == u16::from_le_bytes([*low, *high])
                        });
                if right { Probe::Certain } else { Probe::Unsure }
            }
            [5, 0x64] | [5] => Probe::Unsure,
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        let more = |len: usize| Parse::NeedMore {
            used: 0,
            need: len.saturating_sub(data.len()).max(1),
        };
        if !matches!(data, [5, 0x64, ..] | [5]) {
            // Between frames there is nothing: what is here is the rest of a torn one.
            let next = memchr::memmem::find(data, &[5, 0x64]).unwrap_or(data.len());
            return if self.sure || input.gap > 0 {
                Parse::Parsed { used: next.max(1) }
            } else {
                Parse::Broken("dnp3_no_header")
            };
        }
        let Some([_, _, len, ..]) = data.first_chunk::<HEAD_LEN>() else {
            return more(HEAD_LEN);
        };
        let Some(user) = usize::from(*len).checked_sub(COUNTED_LEN) else {
            return Parse::Parsed { used: 2 };
        };
        let checks = user.div_ceil(BLOCK_LEN).saturating_mul(2);
        let whole = HEAD_LEN.saturating_add(user).saturating_add(checks);
        if data.len() < whole && !input.datagram {
            return more(whole);
        }
        self.sure = true;
        // Transport header (0x40: first frame of a fragment), application control, function.
        if let Some([transport, _, function, rest @ ..]) = data.get(HEAD_LEN..whole.min(data.len()))
            && transport & 0x40 != 0
            && user >= 3
        {
            self.fragment(input.ts, *function, rest.first_chunk(), out);
        }
        let used = whole.min(data.len());
        Parse::Parsed { used }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        if let Some((ts, record)) = self.open.take() {
            out.record(ts, record);
        }
    }

    fn heap(&self) -> usize {
        heap_of!(self: open)
    }
}

impl Dnp3 {
    fn fragment(&mut self, ts: Timestamp, code: u8, iin: Option<&[u8; 2]>, out: &mut Out<'_>) {
        let (name, class) = function(code);
        if code < 128 {
            self.finish(out);
            let record = Dnp3Record {
                fc_request: Some(name),
                request_code: Some(code),
                class: Some(class),
                ..Dnp3Record::default()
            };
            self.open = Some((ts, record));
            // A confirmation, and what wants none, has no reply.
            if matches!(code, 0 | 6 | 8 | 10 | 12) {
                self.finish(out);
            }
            return;
        }
        // An unsolicited response answers nothing.
        let open = self.open.take_if(|_| code != 130);
        let (ts, mut record) = open.unwrap_or_else(|| (ts, Dnp3Record::default()));
        record.fc_reply = Some(name);
        record.reply_code = Some(code);
        record.iin = iin.map(|iin| u16::from_be_bytes(*iin));
        out.record(ts, record);
    }
}

/// The link layer's CRC, of which the complement is sent.
fn crc(bytes: &[u8]) -> u16 {
    let mut crc = 0_u16;
    for byte in bytes {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            let odd = crc & 1 == 1;
            crc >>= 1;
            if odd {
                crc ^= 0xa6bc;
            }
        }
    }
    !crc
}

/// Zeek's name of a function, and what it does to the outstation.
fn function(code: u8) -> (&'static str, &'static str) {
    match code {
        0 => ("CONFIRM", "read"),
        1 => ("READ", "read"),
        2 => ("WRITE", "write"),
        3 => ("SELECT", "control"),
        4 => ("OPERATE", "control"),
        5 => ("DIRECT_OPERATE", "control"),
        6 => ("DIRECT_OPERATE_NR", "control"),
        7 => ("IMMED_FREEZE", "control"),
        8 => ("IMMED_FREEZE_NR", "control"),
        9 => ("FREEZE_CLEAR", "control"),
        10 => ("FREEZE_CLEAR_NR", "control"),
        11 => ("FREEZE_AT_TIME", "control"),
        12 => ("FREEZE_AT_TIME_NR", "control"),
        13 => ("COLD_RESTART", "control"),
        14 => ("WARM_RESTART", "control"),
        15 => ("INITIALIZE_DATA", "control"),
        16 => ("INITIALIZE_APPL", "control"),
        17 => ("START_APPL", "control"),
        18 => ("STOP_APPL", "control"),
        19 => ("SAVE_CONFIG", "control"),
        20 => ("ENABLE_UNSOLICITED", "control"),
        21 => ("DISABLE_UNSOLICITED", "control"),
        22 => ("ASSIGN_CLASS", "write"),
        23 => ("DELAY_MEASURE", "read"),
        24 => ("RECORD_CURRENT_TIME", "write"),
        25 => ("OPEN_FILE", "write"),
        26 => ("CLOSE_FILE", "read"),
        27 => ("DELETE_FILE", "write"),
        28 => ("GET_FILE_INFO", "read"),
        29 => ("AUTHENTICATE_FILE", "control"),
        30 => ("ABORT_FILE", "control"),
        31 => ("ACTIVATE_CONFIG", "control"),
        32 => ("AUTHENTICATE_REQ", "control"),
        33 => ("AUTHENTICATE_ERR", "control"),
        129 => ("RESPONSE", "read"),
        130 => ("UNSOLICITED_RESPONSE", "read"),
        131 => ("AUTHENTICATE_RESP", "read"),
        _ => ("unknown", "control"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{datagrams, endures, stream};
    use super::*;

    const C: Dir = Dir::Orig;
    const S: Dir = Dir::Resp;

    /// A frame with right checks round a fragment.
    fn frame(control: u8, fragment: &[u8]) -> Vec<u8> {
        let len = u8::try_from(fragment.len() + 5).unwrap();
        let mut out = vec![5, 0x64, len, control, 4, 0, 3, 0];
        let check = crc(&out).to_le_bytes();
        out.extend(check);
        for block in fragment.chunks(16) {
            out.extend(block);
            out.extend(crc(block).to_le_bytes());
        }
        out
    }

    #[test]
    fn the_check_of_the_standard() {
        // A reset of the link, as IEEE 1815 and many dumps have it: 05 64 05 C0 01 00 00 04 E9 21.
        assert_eq!(
            crc(&[5, 0x64, 5, 0xc0, 1, 0, 0, 4]).to_le_bytes(),
            [0xe9, 0x21]
        );
        let reset = [5, 0x64, 5, 0xc0, 1, 0, 0, 4, 0xe9, 0x21];
        assert_eq!(Dnp3::probe(&reset, C), Probe::Certain);
        assert_eq!(Dnp3::probe(&reset[..4], C), Probe::Unsure);
        assert_eq!(Dnp3::probe(b"\x05\x64\x04", C), Probe::NotMine);
        // No application data: no record.
        assert!(stream::<Dnp3>(&[(C, &reset)]).records.is_empty());
    }

    #[test]
    fn requests_and_replies() {
        let read = frame(0xc4, &[0xc0, 0xc1, 1, 60, 2, 6]);
        let mut reply = vec![0xc0, 0xc1, 129, 0x80, 0];
        reply.extend([7; 30]);
        let reply = frame(0x44, &reply);
        let operate = frame(0xc4, &[0xc1, 0xc2, 5, 12, 1]);
        let unsolicited = frame(0x44, &[0xc0, 0xf0, 130, 0, 0]);
        let talk = [
            (C, &read[..]),
            (S, &reply),
            (C, &operate),
            (S, &unsolicited),
        ];
        let told = stream::<Dnp3>(&talk);
        assert_eq!(
            told.records,
            [
                r#"dnp3 {"fc_request":"READ","fc_reply":"RESPONSE","iin":32768,"request_code":1,"reply_code":129,"class":"read"}"#,
                r#"dnp3 {"fc_reply":"UNSOLICITED_RESPONSE","iin":0,"reply_code":130}"#,
                r#"dnp3 {"fc_request":"DIRECT_OPERATE","request_code":5,"class":"control"}"#,
            ]
        );
        assert_eq!(datagrams::<Dnp3>(20_000, &talk).records.len(), 3);
        endures::<Dnp3>(&talk, false);
    }
}
