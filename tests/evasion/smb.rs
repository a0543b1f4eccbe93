//! SMB2: a credential file is opened, and somebody tries to hide its name.
//!
//! Messages are laid out after [MS-SMB2] 2.2: NetBIOS length, 64-byte header, body.

use super::*;

const TREE_CONNECT: u16 = 3;
const CREATE: u16 = 5;
/// SMB2_FLAGS_SERVER_TO_REDIR: the message is an answer.
const ANSWER_FLAG: u32 = 1;
const FILE: &str = "passwords.xls";

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A message of one command, with its NetBIOS header.
fn message(command: u16, flags: u32, id: u64, body: &[u8]) -> Vec<u8> {
    let mut out = b"\xfeSMB".to_vec();
    out.extend(64_u16.to_le_bytes()); // StructureSize
    out.extend([0; 2]); // CreditCharge
    out.extend([0; 4]); // Status: success
    out.extend(command.to_le_bytes());
    out.extend([1, 0]); // Credits
    out.extend(flags.to_le_bytes());
    out.extend([0; 4]); // NextCommand: none
    out.extend(id.to_le_bytes());
    out.extend([0; 4]); // Reserved
    out.extend(7_u32.to_le_bytes()); // TreeId
    out.extend(9_u64.to_le_bytes()); // SessionId
    out.extend([0; 16]); // Signature
    out.extend(body);
    let len = u32::try_from(out.len()).expect("short");
    let mut framed = len.to_be_bytes().to_vec();
    framed.append(&mut out);
    framed
}

/// TREE_CONNECT of `\\files\wages`: [MS-SMB2] 2.2.9.
fn connect() -> Vec<u8> {
    let path = wide(r"\\files\wages");
    let mut body = vec![9, 0, 0, 0, 72, 0]; // StructureSize, Reserved, PathOffset
    body.extend(u16::try_from(path.len()).expect("short").to_le_bytes());
    body.extend(path);
    message(TREE_CONNECT, 0, 1, &body)
}

/// Its answer: a disk. 2.2.10.
fn connected() -> Vec<u8> {
    let mut body = vec![16, 0, 1, 0];
    body.extend([0; 12]); // ShareFlags, Capabilities, MaximalAccess
    message(TREE_CONNECT, ANSWER_FLAG, 1, &body)
}

/// CREATE of the file: 2.2.13.
fn create() -> Vec<u8> {
    let name = wide(FILE);
    let mut body = vec![57, 0, 0, 0]; // StructureSize, SecurityFlags, RequestedOplockLevel
    body.extend(2_u32.to_le_bytes()); // Impersonation
    body.extend([0; 16]); // SmbCreateFlags, Reserved
    body.extend(0x0012_0089_u32.to_le_bytes()); // DesiredAccess: generic read
    body.extend([0; 4]); // FileAttributes
    body.extend(1_u32.to_le_bytes()); // ShareAccess: read
    body.extend(1_u32.to_le_bytes()); // CreateDisposition: open
    body.extend([0; 4]); // CreateOptions
    body.extend(120_u16.to_le_bytes()); // NameOffset
    body.extend(u16::try_from(name.len()).expect("short").to_le_bytes());
    body.extend([0; 8]); // CreateContexts
    body.extend(name);
    message(CREATE, 0, 2, &body)
}

/// Its answer: 2.2.14.
fn created() -> Vec<u8> {
    let mut body = vec![89, 0, 0, 0];
    body.extend(1_u32.to_le_bytes()); // CreateAction: opened
    body.extend([0; 32]); // four times
    body.extend(4_096_u64.to_le_bytes()); // AllocationSize
    body.extend(1_234_u64.to_le_bytes()); // EndofFile
    body.extend([0; 8]); // FileAttributes, Reserved
    body.extend([5; 16]); // FileId
    body.extend([0; 8]); // CreateContexts
    message(CREATE, ANSWER_FLAG, 2, &body)
}

/// The conversation with `asking` for the segments of the CREATE.
fn opening(asking: &[Seg]) -> Vec<Timed> {
    let (connect, connected) = (connect(), connected());
    let mut segments = opened();
    segments.push(c(PSH | ACK, 0, &connect));
    segments.push(s(PSH | ACK, 0, &connected));
    segments.extend_from_slice(asking);
    segments.push(s(PSH | ACK, len(&connected), &created()));
    let to = end("10.1.0.6", 445);
    frames_from(&segments, (CLIENT_SEQ, SERVER_SEQ), to)
}

/// Bytes `from` to `to` of the CREATE where they belong.
fn piece(from: usize, to: usize) -> Seg {
    let bytes = create();
    let at = len(&connect()) + i64::try_from(from).expect("short");
    c(PSH | ACK, at, &bytes[from..to])
}

/// The same place with the name of a harmless file.
fn lie(from: usize, to: usize) -> Seg {
    let (truth, harmless) = (create(), wide("calendar1.txt"));
    let mut bytes = truth.clone();
    let name = truth.len() - harmless.len();
    bytes[name..].copy_from_slice(&harmless);
    Seg {
        data: bytes[from..to].to_vec(),
        ..piece(from, to)
    }
}

#[test]
fn the_file_is_told() {
    let all = create().len();
    let seen = see(&opening(&[piece(0, all)]));
    assert!(
        seen.content
            .iter()
            .any(|line| line.starts_with("smb_files ") && line.contains(FILE)),
        "{seen:#?}"
    );
    assert!(seen.weirds.is_empty(), "{seen:#?}");
}

#[test]
fn segments_that_hide_a_files_name() {
    let all = create().len();
    let name = all - 2 * FILE.len();
    let middle = name + 6;
    let clean = opening(&[piece(0, all)]);
    let tiny: Vec<Seg> = (0..all).map(|at| piece(at, at + 1)).collect();
    let backwards: Vec<Seg> = tiny.iter().rev().cloned().collect();
    let differs = Want::CleanBut(&["inconsistent_retransmission"]);
    for (case, want, asking) in [
        ("a byte at a time", Want::Clean, tiny),
        ("a byte at a time, backwards", Want::Clean, backwards),
        (
            "cut within the NetBIOS header",
            Want::Clean,
            vec![piece(0, 2), piece(2, all)],
        ),
        (
            "cut within the name, the end first",
            Want::Clean,
            vec![piece(middle, all), piece(0, middle)],
        ),
        (
            "the name again, now harmless",
            differs,
            vec![piece(0, all), lie(name, all).ghost()],
        ),
        (
            "two copies of the name out of order, the harmless one second",
            differs,
            vec![piece(name, all), lie(name, all).ghost(), piece(0, name)],
        ),
        (
            "a harmless name first, which the server does not take",
            Want::Told(&["inconsistent_retransmission"]),
            vec![piece(0, name), lie(name, all).ghost(), piece(name, all)],
        ),
        (
            "a harmless name with a wrong checksum, then the true one",
            Want::Told(&["inconsistent_retransmission"]),
            vec![
                piece(0, name),
                Seg {
                    bad_sum: true,
                    ..lie(name, all).ghost()
                },
                piece(name, all),
            ],
        ),
        (
            "a reset far outside the window in between",
            Want::CleanBut(&["RST_out_of_window"]),
            vec![
                piece(0, middle),
                false_reset(len(&connect()) + 5_000_000),
                piece(middle, all),
            ],
        ),
    ] {
        judge(case, &clean, &opening(&asking), want);
    }
}
