//! SMB2 messages laid out after \[MS-SMB2\] 2.2.

use super::RESPONSE;

pub(super) fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A header (2.2.1.2) with a body; session 7, tree 3.
pub(super) fn command(command: u16, flags: u32, status: u32, message: u64, body: &[u8]) -> Vec<u8> {
    let mut out = b"\xfeSMB\x40\0\x01\0".to_vec(); // id, StructureSize, CreditCharge
    out.extend(status.to_le_bytes());
    out.extend(command.to_le_bytes());
    out.extend([1, 0]); // Credit
    out.extend(flags.to_le_bytes());
    out.extend([0; 4]); // NextCommand
    out.extend(message.to_le_bytes());
    out.extend([0; 4]); // Reserved
    out.extend(3_u32.to_le_bytes()); // TreeId
    out.extend(7_u64.to_le_bytes()); // SessionId
    out.extend([0; 16]); // Signature
    out.extend(body);
    out
}

pub(super) fn ask(number: u16, message: u64, body: &[u8]) -> Vec<u8> {
    framed(&command(number, 0, 0, message, body))
}

pub(super) fn answer(number: u16, message: u64, body: &[u8]) -> Vec<u8> {
    framed(&command(number, RESPONSE, 0, message, body))
}

pub(super) fn refuse(number: u16, message: u64, status: u32) -> Vec<u8> {
    framed(&command(
        number,
        RESPONSE,
        status,
        message,
        &[9, 0, 0, 0, 0, 0, 0, 0, 0],
    ))
}

/// A NetBIOS session message.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).unwrap();
    [&len.to_be_bytes(), message].concat()
}

/// Chains commands, each padded to eight bytes (3.2.4.1.4).
pub(super) fn compound(commands: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let mut command = command.clone();
        if index + 1 < commands.len() {
            command.resize(command.len().next_multiple_of(8), 0);
            let next = u32::try_from(command.len()).unwrap();
            command[20..24].copy_from_slice(&next.to_le_bytes());
        }
        out.extend(command);
    }
    framed(&out)
}

/// 2.2.9
pub(super) fn tree_connect(path: &str) -> Vec<u8> {
    let path = wide(path);
    let len = u16::try_from(path.len()).unwrap().to_le_bytes();
    [&[9, 0, 0, 0, 72, 0], &len[..], &path].concat() // PathOffset 64 + 8
}

/// 2.2.10, of the given share type.
pub(super) fn tree_connected(kind: u8) -> [u8; 16] {
    [16, 0, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 1, 0x1f, 0]
}

/// 2.2.13
pub(super) fn create(name: &str, options: u32) -> Vec<u8> {
    let name = wide(name);
    let mut body = vec![57, 0]; // StructureSize
    body.extend([0; 38]); // up to CreateDisposition
    body.extend(options.to_le_bytes());
    body.extend(120_u16.to_le_bytes()); // NameOffset 64 + 56
    body.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    body.extend([0; 8]); // contexts
    body.extend(name);
    body
}

/// 2.2.14
pub(super) fn created(file: u8, size: u64) -> Vec<u8> {
    let mut body = vec![89, 0, 0, 0]; // StructureSize, OplockLevel, Flags
    body.extend(2_u32.to_le_bytes()); // CreateAction: created
    body.extend(125_911_584_000_000_000_u64.to_le_bytes()); // CreationTime 2000-01-01
    body.extend([0; 24]); // other times
    body.extend(4096_u64.to_le_bytes()); // AllocationSize
    body.extend(size.to_le_bytes()); // EndofFile
    body.extend([0; 8]); // FileAttributes, Reserved2
    body.extend([file; 16]); // FileId
    body.extend([0; 8]); // contexts
    body
}

/// 2.2.15
pub(super) fn close(file: u8) -> Vec<u8> {
    [&[24, 0, 0, 0, 0, 0, 0, 0], &[file; 16][..]].concat()
}

/// 2.2.19 and 2.2.21 begin alike; a write's data follows.
pub(super) fn read_or_write(file: u8, len: u32, data: &[u8]) -> Vec<u8> {
    let mut body = vec![49, 0, 112, 0]; // StructureSize, DataOffset 64 + 48
    body.extend(len.to_le_bytes());
    body.extend([0; 8]); // Offset
    body.extend([file; 16]);
    body.extend([0; 16]);
    body.extend(data);
    body
}

/// 2.2.20
pub(super) fn have_read(len: u32) -> Vec<u8> {
    let mut body = vec![17, 0, 80, 0];
    body.extend(len.to_le_bytes());
    body.extend([0; 8]);
    body.resize(16 + usize::try_from(len).unwrap(), b'x');
    body
}

/// 2.2.22
pub(super) fn written(len: u32) -> Vec<u8> {
    [&[17, 0, 0, 0], &len.to_le_bytes()[..], &[0; 8]].concat()
}

/// 2.2.39 with a class of file information.
pub(super) fn set_info(file: u8, class: u8, info: &[u8]) -> Vec<u8> {
    let mut body = vec![33, 0, 1, class]; // StructureSize, SMB2_0_INFO_FILE, FileInfoClass
    body.extend(u32::try_from(info.len()).unwrap().to_le_bytes());
    body.extend([96, 0, 0, 0, 0, 0, 0, 0]); // BufferOffset 64 + 32, Reserved, AdditionalInformation
    body.extend([file; 16]);
    body.extend(info);
    body
}

/// FileRenameInformation, \[MS-FSCC\] 2.4.43.2
pub(super) fn rename(name: &str) -> Vec<u8> {
    let name = wide(name);
    let len = u32::try_from(name.len()).unwrap().to_le_bytes();
    [&[0; 16], &len[..], &name].concat()
}
