//! Names of EtherNet/IP's and CIP's numbers, and what each service does: `read`, `write` or `control`.
//!
//! Source: the CIP Networks Library, volumes 1 and 2; for the services of Logix controllers, Rockwell's
//!         publication 1756-PM020.

/// Commands of the encapsulation; `None` if there is no such command.
pub(super) fn command(code: u16) -> Option<&'static str> {
    Some(match code {
        0x00 => "NOP",
        0x04 => "List Services",
        0x63 => "List Identity",
        0x64 => "List Interfaces",
        0x65 => "Register Session",
        0x66 => "Unregister Session",
        0x6f => "Send RR Data",
        0x70 => "Send Unit Data",
        0xc8 => "Start DTLS",
        _ => return None,
    })
}

/// Status of the encapsulation; `None` if there is no such status.
pub(super) fn status(code: u32) -> Option<&'static str> {
    Some(match code {
        0x00 => "Success",
        0x01 => "Invalid Command",
        0x02 => "No Memory Resources",
        0x03 => "Incorrect Data",
        0x64 => "Invalid Session Handle",
        0x65 => "Invalid Length",
        0x69 => "Unsupported Protocol Revision",
        0x6a => "Encapsulated CIP service not allowed on this port",
        _ => return None,
    })
}

/// Services: from 0x4b on each class of objects has its own, and without a class they are not known.
pub(super) fn service(code: u8, class: Option<u32>) -> (&'static str, &'static str) {
    match code {
        0x01 => ("Get Attributes All", "read"),
        0x02 => ("Set Attributes All", "write"),
        0x03 => ("Get Attribute List", "read"),
        0x04 => ("Set Attribute List", "write"),
        0x05 => ("Reset", "control"),
        0x06 => ("Start", "control"),
        0x07 => ("Stop", "control"),
        0x08 => ("Create", "write"),
        0x09 => ("Delete", "write"),
        0x0a => ("Multiple Service Packet", "read"),
        0x0d => ("Apply Attributes", "write"),
        0x0e => ("Get Attribute Single", "read"),
        0x10 => ("Set Attribute Single", "write"),
        0x11 => ("Find Next Object Instance", "read"),
        0x15 => ("Restore", "control"),
        0x16 => ("Save", "control"),
        0x17 => ("Nop", "read"),
        0x18 => ("Get Member", "read"),
        0x19 => ("Set Member", "write"),
        0x1a => ("Insert Member", "write"),
        0x1b => ("Remove Member", "write"),
        0x1c => ("Group Sync", "read"),
        _ => match (code, class) {
            (0x4e, Some(6)) => ("Forward Close", "read"),
            (0x52, Some(6)) => ("Unconnected Send", "read"),
            (0x54, Some(6)) => ("Forward Open", "read"),
            (0x56, Some(6)) => ("Get Connection Data", "read"),
            (0x57, Some(6)) => ("Search Connection Data", "read"),
            (0x5a, Some(6)) => ("Get Connection Owner", "read"),
            (0x5b, Some(6)) => ("Large Forward Open", "read"),
            (0x4b, Some(0x67)) => ("Execute PCCC", "control"),
            // A variable by its name or by its symbol's number.
            (0x4c, None | Some(0x6b)) => ("Read Tag", "read"),
            (0x4d, None | Some(0x6b)) => ("Write Tag", "write"),
            (0x4e, None | Some(0x6b)) => ("Read Modify Write Tag", "write"),
            (0x52, None | Some(0x6b)) => ("Read Tag Fragmented", "read"),
            (0x53, None | Some(0x6b)) => ("Write Tag Fragmented", "write"),
            (0x55, Some(0x6b | 0x6c)) => ("Get Instance Attribute List", "read"),
            (0x4c, Some(0x6c)) => ("Read Template", "read"),
            _ => ("unknown", "control"),
        },
    }
}

/// How a service went (volume 1, appendix B).
pub(super) fn general_status(code: u8) -> &'static str {
    STATUSES
        .get(usize::from(code))
        .copied()
        .unwrap_or("unknown")
}

/// Classes of objects; the rare ones stay numbers.
pub(super) fn class(number: u32) -> Option<&'static str> {
    let at = CLASSES
        .binary_search_by_key(&number, |(known, _)| *known)
        .ok()?;
    CLASSES.get(at).map(|(_, name)| *name)
}

/// Ways a service may go, by number.
const STATUSES: [&str; 45] = [
    "Success",
    "Connection failure",
    "Resource unavailable",
    "Invalid parameter value",
    "Path segment error",
    "Path destination unknown",
    "Partial transfer",
    "Connection lost",
    "Service not supported",
    "Invalid attribute value",
    "Attribute list error",
    "Already in requested mode/state",
    "Object state conflict",
    "Object already exists",
    "Attribute not settable",
    "Privilege violation",
    "Device state conflict",
    "Reply data too large",
    "Fragmentation of a primitive value",
    "Not enough data",
    "Attribute not supported",
    "Too much data",
    "Object does not exist",
    "Service fragmentation sequence not in progress",
    "No stored attribute data",
    "Store operation failure",
    "Routing failure, request packet too large",
    "Routing failure, response packet too large",
    "Missing attribute list entry data",
    "Invalid attribute value list",
    "Embedded service error",
    "Vendor specific error",
    "Invalid parameter",
    "Write-once value or medium already written",
    "Invalid reply received",
    "Buffer overflow",
    "Invalid message format",
    "Key failure in path",
    "Path size invalid",
    "Unexpected attribute in list",
    "Invalid Member ID",
    "Member not settable",
    "Group 2 only server general failure",
    "Unknown Modbus error",
    "Attribute not gettable",
];

/// Classes of objects with their numbers, ascending.
const CLASSES: [(u32, &str); 62] = [
    (0x01, "Identity"),
    (0x02, "Message Router"),
    (0x03, "DeviceNet"),
    (0x04, "Assembly"),
    (0x05, "Connection"),
    (0x06, "Connection Manager"),
    (0x07, "Register"),
    (0x08, "Discrete Input Point"),
    (0x09, "Discrete Output Point"),
    (0x0a, "Analog Input Point"),
    (0x0b, "Analog Output Point"),
    (0x0e, "Presence Sensing"),
    (0x0f, "Parameter"),
    (0x10, "Parameter Group"),
    (0x12, "Group"),
    (0x23, "Position Sensor"),
    (0x24, "Position Controller Supervisor"),
    (0x25, "Position Controller"),
    (0x26, "Block Sequencer"),
    (0x27, "Command Block"),
    (0x28, "Motor Data"),
    (0x29, "Control Supervisor"),
    (0x2a, "AC/DC Drive"),
    (0x2b, "Acknowledge Handler"),
    (0x2c, "Overload"),
    (0x2d, "Softstart"),
    (0x2e, "Selection"),
    (0x35, "Trip Point"),
    (0x37, "File"),
    (0x41, "Event Log"),
    (0x42, "Motion Device Axis"),
    (0x43, "Time Sync"),
    (0x44, "Modbus"),
    (0x45, "Originator Connection List"),
    (0x46, "Modbus Serial Link"),
    (0x47, "Device Level Ring (DLR)"),
    (0x48, "QoS"),
    (0x4d, "Target Connection List"),
    (0x51, "Base Switch"),
    (0x52, "SNMP"),
    (0x5c, "Power Curtailment"),
    (0x5d, "CIP Security"),
    (0x5e, "EtherNet/IP Security"),
    (0x5f, "Certificate Management"),
    (0x60, "Authority"),
    (0x61, "Password Authenticator"),
    (0x62, "Certificate Authenticator"),
    (0x67, "PCCC Class"),
    (0x6b, "Symbol"),
    (0x6c, "Template"),
    (0xac, "Program Name"),
    (0xf0, "ControlNet"),
    (0xf1, "ControlNet Keeper"),
    (0xf2, "ControlNet Scheduling"),
    (0xf3, "Connection Configuration"),
    (0xf4, "Port"),
    (0xf5, "TCP/IP Interface"),
    (0xf6, "Ethernet Link"),
    (0xf7, "CompoNet"),
    (0xf8, "CompoNet Repeater"),
    (0xf9, "HART Master Port"),
    (0xfa, "I/O Aggregation"),
];
