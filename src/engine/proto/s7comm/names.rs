//! Names of S7comm's numbers, and what each does to the controller: `read`, `write` or `control`.

/// Kinds of messages; `None` if there is no such kind.
pub(super) fn kind(code: u8) -> Option<&'static str> {
    Some(match code {
        1 => "Job-Request",
        2 => "Ack",
        3 => "ACK-Data",
        7 => "User-Data",
        _ => return None,
    })
}

/// Functions of jobs.
pub(super) fn function(code: u8) -> (&'static str, &'static str) {
    match code {
        0x00 => ("CPU Services", "read"),
        0x04 => ("Read Variable", "read"),
        0x05 => ("Write Variable", "write"),
        0x1a => ("Request Download", "write"),
        0x1b => ("Download Block", "write"),
        0x1c => ("Download Ended", "write"),
        0x1d => ("Start Upload", "read"),
        0x1e => ("Upload", "read"),
        0x1f => ("End Upload", "read"),
        0x28 => ("PLC Control", "control"),
        0x29 => ("PLC Stop", "control"),
        0xf0 => ("Setup Communication", "read"),
        _ => ("unknown", "control"),
    }
}

/// Groups of functions; the class goes by the function in it.
pub(super) fn group(group: u8, code: u8) -> (&'static str, &'static str) {
    match group {
        0 => ("Mode-Transition", "read"),
        1 => ("Programmer Commands", "control"),
        2 => ("Cyclic Data", "read"),
        3 => ("Block Functions", "read"),
        4 => ("CPU Functions", "read"),
        5 => ("Security", "control"),
        6 => ("PBC BSEND/BRECV", "write"),
        7 if code == 1 => ("Time Functions", "read"),
        7 => ("Time Functions", "write"),
        0xf => ("NC Programming", "control"),
        _ => ("unknown", "control"),
    }
}

/// Functions within a group.
pub(super) fn in_group(group: u8, code: u8) -> Option<&'static str> {
    Some(match (group, code) {
        (0, 0) => "STOP",
        (0, 1) => "Warm Restart",
        (0, 2) => "RUN",
        (3, 1) => "List Blocks",
        (3, 2) => "List Blocks of Type",
        (3, 3) => "Get Block Info",
        (4, 1) => "Read SZL",
        (4, 2) => "Message Service",
        (5, 1) => "PLC Password",
        (7, 1) => "Read Clock",
        (7, 2 | 3) => "Set Clock",
        _ => return None,
    })
}

/// Program services that a job of control starts.
pub(super) fn service(name: &[u8]) -> Option<&'static str> {
    Some(match name {
        b"_INSE" => "Activate PLC Block",
        b"_DELE" => "Delete PLC Block",
        b"_GARB" => "Compress PLC memory",
        b"_MODU" => "PLC Copy Ram to Rom",
        b"P_PROGRAM" => "PLC Start / Stop",
        _ => return None,
    })
}

/// Classes of errors.
pub(super) fn error(class: u8) -> &'static str {
    match class {
        0x00 => "No error",
        0x81 => "Application relationship",
        0x82 => "Object definition",
        0x83 => "No resources available",
        0x84 => "Error on service processing",
        0x85 => "Error on supplies",
        0x87 => "Access error",
        _ => "unknown",
    }
}
