//! Modbus over TCP: who reads and who writes which controller.
//!
//! Standard: MODBUS Application Protocol 1.1b3; MODBUS Messaging on TCP/IP 1.0b (MBAP header).
//! Input:    both streams of a TCP flow, or datagrams. The server is on port 502, else the responder.
//! Output:   one `modbus` record per message, as Zeek has them.
//! Bounds:   messages of 260 bytes, as the standard has it.
//! Not done: values and addresses.

use super::{Dir, Input, Out, Parse, Port, Probe, Protocol};
use crate::record;

/// Bytes up to the function code.
const HEAD_LEN: usize = 8;
/// Registered port.
const PORT: u16 = 502;

record! {
    /// One message (Zeek's `modbus.log`).
    pub struct ModbusRecord = "modbus" {
        /// Transaction.
        pub tid: u16 = "tid",
        /// Unit behind the server.
        pub unit: u8 = "unit",
        /// Name of the function.
        pub func: &'static str = "func",
        /// Its number.
        pub func_code: u8 = "func_code",
        /// `REQ` or `RESP`.
        pub pdu_type: &'static str = "pdu_type",
        /// Name of the exception.
        pub exception: Option<&'static str> = "exception",
        /// `read`, `write` or `control` (diagnostics, programs, restarts).
        pub class: &'static str = "class",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Modbus {
    sure: bool,
}

/// A header: transaction, length of what follows it, unit, function.
fn head(data: &[u8]) -> Option<(u16, usize, u8, u8)> {
    let [t0, t1, 0, 0, l0, l1, unit, function, ..] = data else {
        return None;
    };
    let len = usize::from(u16::from_be_bytes([*l0, *l1]));
    let tid = u16::from_be_bytes([*t0, *t1]);
    ((2..=254).contains(&len) && function & 0x7f != 0).then_some((tid, len, *unit, *function))
}

impl Protocol for Modbus {
    const NAME: &'static str = "modbus";
    const PORTS: &'static [Port] = &[Port::Tcp(PORT), Port::Udp(PORT)];

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        let partly = matches!(
            start,
            [_, _, 0, 0, 0, ..] | [_, _, 0, 0] | [_, _, 0] | [_, _] | [_]
        );
        if head(start).is_some() || (start.len() < HEAD_LEN && partly) {
            Probe::Unsure
        } else {
            Probe::NotMine
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        let data = input.data;
        if data.len() < HEAD_LEN {
            return Parse::NeedMore {
                used: 0,
                need: HEAD_LEN.saturating_sub(data.len()),
            };
        }
        let Some((tid, len, unit, function)) = head(data) else {
            // Behind a gap the next segment most likely begins with a message.
            return if self.sure {
                Parse::Parsed { used: data.len() }
            } else {
                Parse::Broken("modbus_no_header")
            };
        };
        let whole = len.saturating_add(6);
        if data.len() < whole && !input.datagram {
            return Parse::NeedMore {
                used: 0,
                need: whole.saturating_sub(data.len()),
            };
        }
        self.sure = true;
        let server = if out.flow.orig.port == PORT && out.flow.resp.port != PORT {
            Dir::Orig
        } else {
            Dir::Resp
        };
        let code = function & 0x7f;
        let exception = (function & 0x80 != 0).then(|| exception(data.get(HEAD_LEN).copied()));
        let (func, class) = function_name(code);
        let record = ModbusRecord {
            tid,
            unit,
            func,
            func_code: code,
            pdu_type: if input.dir == server { "RESP" } else { "REQ" },
            exception,
            class,
        };
        out.record(input.ts, record);
        let used = whole.min(data.len());
        Parse::Parsed { used }
    }
}

/// Zeek's name of a function, and what it does to the controller.
fn function_name(code: u8) -> (&'static str, &'static str) {
    match code {
        1 => ("READ_COILS", "read"),
        2 => ("READ_DISCRETE_INPUTS", "read"),
        3 => ("READ_HOLDING_REGISTERS", "read"),
        4 => ("READ_INPUT_REGISTERS", "read"),
        5 => ("WRITE_SINGLE_COIL", "write"),
        6 => ("WRITE_SINGLE_REGISTER", "write"),
        7 => ("READ_EXCEPTION_STATUS", "read"),
        8 => ("DIAGNOSTICS", "control"),
        9 => ("PROGRAM_484", "control"),
        10 => ("POLL_484", "control"),
        11 => ("GET_COMM_EVENT_COUNTER", "read"),
        12 => ("GET_COMM_EVENT_LOG", "read"),
        13 => ("PROGRAM_584_984", "control"),
        14 => ("POLL_584_984", "control"),
        15 => ("WRITE_MULTIPLE_COILS", "write"),
        16 => ("WRITE_MULTIPLE_REGISTERS", "write"),
        17 => ("REPORT_SLAVE_ID", "read"),
        18 => ("PROGRAM_884_U84", "control"),
        19 => ("RESET_COMM_LINK_884_U84", "control"),
        20 => ("READ_FILE_RECORD", "read"),
        21 => ("WRITE_FILE_RECORD", "write"),
        22 => ("MASK_WRITE_REGISTER", "write"),
        23 => ("READ_WRITE_MULTIPLE_REGISTERS", "write"),
        24 => ("READ_FIFO_QUEUE", "read"),
        40 => ("PROGRAM_CONCEPT", "control"),
        43 => ("ENCAP_INTERFACE_TRANSPORT", "read"),
        125 => ("FIRMWARE_REPLACEMENT", "control"),
        126 => ("PROGRAM_584_984_2", "control"),
        127 => ("REPORT_LOCAL_ADDRESS_MB", "read"),
        _ => ("unknown", "control"),
    }
}

/// Zeek's name of an exception.
fn exception(code: Option<u8>) -> &'static str {
    match code {
        Some(1) => "ILLEGAL_FUNCTION",
        Some(2) => "ILLEGAL_DATA_ADDRESS",
        Some(3) => "ILLEGAL_DATA_VALUE",
        Some(4) => "SLAVE_DEVICE_FAILURE",
        Some(5) => "ACKNOWLEDGE",
        Some(6) => "SLAVE_DEVICE_BUSY",
        Some(8) => "MEMORY_PARITY_ERROR",
        Some(10) => "GATEWAY_PATH_UNAVAILABLE",
        Some(11) => "GATEWAY_TARGET_DEVICE_FAILED_TO_RESPOND",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{datagrams, endures, stream};
    use super::*;

    const C: Dir = Dir::Orig;
    const S: Dir = Dir::Resp;
    /// MODBUS Application Protocol 1.1b3 §6.3: read registers 108-110; §7: exception 2 to function 3.
    const TALK: [(Dir, &[u8]); 3] = [
        (C, b"\x00\x01\x00\x00\x00\x06\x11\x03\x00\x6b\x00\x03\x00\x02\x00\x00\x00\x06\x11\x06\x00\x01\x00\x03"),
        (S, b"\x00\x01\x00\x00\x00\x09\x11\x03\x06\x02\x2b\x00\x00\x00\x64"),
        (S, b"\x00\x02\x00\x00\x00\x03\x11\x86\x02"),
    ];

    #[test]
    fn requests_responses_exceptions() {
        let told = stream::<Modbus>(&TALK);
        let read = r#""unit":17,"func":"READ_HOLDING_REGISTERS","func_code":3,"pdu_type":"#;
        let write = r#""unit":17,"func":"WRITE_SINGLE_REGISTER","func_code":6,"pdu_type":"#;
        assert_eq!(
            told.records,
            [
                [r#"modbus {"tid":1,"#, read, r#""REQ","class":"read"}"#].concat(),
                [r#"modbus {"tid":2,"#, write, r#""REQ","class":"write"}"#].concat(),
                [r#"modbus {"tid":1,"#, read, r#""RESP","class":"read"}"#].concat(),
                [
                    r#"modbus {"tid":2,"#,
                    write,
                    r#""RESP","exception":"ILLEGAL_DATA_ADDRESS","class":"write"}"#
                ]
                .concat(),
            ]
        );
        assert_eq!(datagrams::<Modbus>(502, &TALK[1..]).records.len(), 2);
        endures::<Modbus>(&TALK, false);
        assert_eq!(Modbus::probe(TALK[0].1, C), Probe::Unsure);
        assert_eq!(
            Modbus::probe(b"\x00\x01\x00\x01\x00\x06\x11\x03", C),
            Probe::NotMine
        );
    }
}
