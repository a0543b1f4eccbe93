//! Conversations in SMB 1, laid out after \[MS-CIFS\] 2.2.4 and \[MS-SMB\] 2.2.4.

use super::messages::{framed, wide};
use super::piped::{answered, bind, call};
use super::{Dir, Smb, feed};
use crate::proto::testing::{endures, views};

const NT_CREATE: u8 = 0xa2;
const WRITE: u8 = 0x2f;
const READ: u8 = 0x2e;
const CLOSE: u8 = 0x04;

/// One command: words in pairs of bytes, then bytes; tree 3, user 7.
struct Message {
    number: u8,
    exchange: u8,
    status: u32,
    response: bool,
    unicode: bool,
    words: Vec<u8>,
    bytes: Vec<u8>,
}

impl Message {
    fn ask(number: u8, exchange: u8, words: &[u8], bytes: &[u8]) -> Self {
        Self {
            number,
            exchange,
            status: 0,
            response: false,
            unicode: true,
            words: words.to_vec(),
            bytes: bytes.to_vec(),
        }
    }

    fn answer(number: u8, exchange: u8, words: &[u8], bytes: &[u8]) -> Self {
        Self {
            response: true,
            ..Self::ask(number, exchange, words, bytes)
        }
    }

    fn ascii(self) -> Self {
        Self {
            unicode: false,
            ..self
        }
    }

    fn refused(number: u8, exchange: u8, status: u32) -> Self {
        Self {
            status,
            ..Self::answer(number, exchange, &[], &[])
        }
    }

    /// Header (2.2.3.1), words, bytes, with the NetBIOS header in front.
    fn wire(&self) -> Vec<u8> {
        let mut out = b"\xffSMB".to_vec();
        out.push(self.number);
        out.extend(self.status.to_le_bytes());
        out.push(if self.response { 0x80 } else { 0 });
        out.extend(if self.unicode { [1, 0xc0] } else { [1, 0x40] }); // SMB_FLAGS2
        out.extend([0; 12]); // PIDHigh, SecurityFeatures, Reserved
        out.extend([3, 0, 9, 0, 7, 0, self.exchange, 0]); // TID, PIDLow, UID, MID
        out.push(u8::try_from(self.words.len() / 2).unwrap());
        out.extend(&self.words);
        out.extend(u16::try_from(self.bytes.len()).unwrap().to_le_bytes());
        out.extend(&self.bytes);
        framed(&out)
    }
}

/// Words that begin with the end of a chain.
fn alone(words: &[u8]) -> Vec<u8> {
    [&[0xff, 0, 0, 0][..], words].concat()
}

/// UTF-16 with its NUL; the bytes of all these commands begin at an odd place, so a byte lies before.
fn name(text: &str) -> Vec<u8> {
    [&[0][..], &wide(text), &[0, 0]].concat()
}

fn tree_connect(path: &str, service: &str) -> Vec<(Dir, Vec<u8>)> {
    // Flags, PasswordLength 1; the password's NUL takes the pad's place.
    let bytes = [&name(path), service.as_bytes(), b"\0"].concat();
    let ask = Message::ask(0x75, 1, &alone(&[0, 0, 1, 0]), &bytes);
    let granted = [service.as_bytes(), b"\0N\0T\0F\0S\0\0\0"].concat();
    let answer = Message::answer(0x75, 1, &alone(&[1, 0]), &granted);
    vec![(Dir::Orig, ask.wire()), (Dir::Resp, answer.wire())]
}

/// 2.2.4.64: NameLength at 5, CreateOptions at 39.
fn nt_create(exchange: u8, file: &str, options: u32) -> Message {
    let text = wide(file);
    let mut words = alone(&[0]);
    words.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    words.resize(39, 0);
    words.extend(options.to_le_bytes());
    words.resize(48, 0);
    Message::ask(NT_CREATE, exchange, &words, &name(file))
}

/// The answer: FID at 5, CreateDisposition at 7, times from 11, EndOfFile at 55.
fn nt_created(exchange: u8, file: u8, size: u8) -> Message {
    let mut words = alone(&[0, file, 0, 2, 0, 0, 0]);
    words.extend(125_911_584_000_000_000_u64.to_le_bytes()); // CreateTime 2000-01-01
    words.resize(55, 0);
    words.push(size);
    words.resize(68, 0);
    Message::answer(NT_CREATE, exchange, &words, &[])
}

/// 2.2.4.43 with 14 words: FID, DataLength at 20, DataOffset at 22: 32 + 1 + 28 + 2 + pad.
fn write(exchange: u8, file: u8, data: &[u8]) -> Message {
    let mut words = alone(&[file, 0]);
    words.resize(20, 0);
    words.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
    words.extend([64, 0, 0, 0, 0, 0]);
    Message::ask(WRITE, exchange, &words, &[&[0][..], data].concat())
}

fn read(exchange: u8, file: u8) -> Message {
    let mut words = alone(&[file, 0]);
    words.resize(24, 0);
    Message::ask(READ, exchange, &words, &[])
}

/// 2.2.4.42: DataLength at 10, DataOffset at 12: 32 + 1 + 24 + 2 + pad.
fn have(exchange: u8, data: &[u8]) -> Message {
    let mut words = alone(&[0; 6]);
    words.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
    words.extend([60, 0]);
    words.resize(24, 0);
    Message::answer(READ, exchange, &words, &[&[0][..], data].concat())
}

fn written(exchange: u8, len: u8) -> Message {
    Message::answer(WRITE, exchange, &alone(&[len, 0, 0, 0, 0, 0, 0, 0]), &[])
}

fn conversation() -> Vec<(Dir, Vec<u8>)> {
    let mut pieces = tree_connect(r"\\pc\C$", "A:");
    let orig = |message: Message| (Dir::Orig, message.wire());
    let resp = |message: Message| (Dir::Resp, message.wire());
    pieces.extend([
        orig(nt_create(2, r"\a.txt", 0)),
        resp(nt_created(2, 5, 77)),
        orig(write(3, 5, b"some text")),
        resp(written(3, 9)),
        orig(read(4, 5)),
        resp(have(4, b"text")),
        orig(Message::ask(CLOSE, 5, &[5, 0, 0, 0, 0, 0], &[])),
        resp(Message::answer(CLOSE, 5, &[], &[])),
        // 2.2.4.7: SearchAttributes; a format byte before the name, which then stands at an even place.
        orig(Message::ask(
            0x06,
            6,
            &[0, 0],
            &[&[4][..], &wide("\\b.txt\0")].concat(),
        )),
        resp(Message::refused(0x06, 6, 0xc000_0022)),
        // 2.2.4.8: two names.
        orig(Message::ask(0x07, 7, &[0, 0], b"\x04\\old.txt\0\x04\\new.txt\0").ascii()),
        resp(Message::answer(0x07, 7, &[], &[])),
    ]);
    pieces
}

#[test]
fn a_file_is_opened_written_read_deleted_renamed() {
    let path = r#""path":"\\\\pc\\C$""#;
    assert_eq!(
        feed(&conversation()),
        [
            format!(r#"smb_mapping {{{path},"share_type":"DISK"}}"#),
            format!(
                r#"smb_files {{"action":"SMB::FILE_OPEN",{path},"name":"\\a.txt","size":77,"times.created":946684800.000000,"create_action":"created"}}"#
            ),
            format!(
                r#"smb_files {{"action":"SMB::FILE_READ",{path},"name":"\\a.txt","size":77,"bytes_read":4}}"#
            ),
            format!(
                r#"smb_files {{"action":"SMB::FILE_WRITE",{path},"name":"\\a.txt","size":77,"bytes_written":9}}"#
            ),
            format!(
                r#"smb_files {{"action":"SMB::FILE_DELETE",{path},"name":"\\b.txt","status":"STATUS_ACCESS_DENIED"}}"#
            ),
            format!(
                r#"smb_files {{"action":"SMB::FILE_RENAME",{path},"name":"\\new.txt","prev_name":"\\old.txt"}}"#
            ),
        ]
    );
}

/// 2.2.4.53 with 13 words: two passwords, then account, domain, system.
fn sign_in() -> Message {
    let mut words = alone(&[0; 10]);
    words.extend([3, 0, 2, 0]); // OEMPasswordLen, UnicodePasswordLen
    words.resize(26, 0);
    // The bytes begin at 61; five of password make the account begin at 66.
    let text = wide("eve\0AD\0Windows 2002\0");
    Message::ask(
        0x73,
        1,
        &words,
        &[b"\xaa\xaa\xaa\xbb\xbb".as_slice(), &text].concat(),
    )
}

#[test]
fn accounts_beside_their_passwords_are_told_and_chains_followed() {
    // TREE_CONNECT_ANDX in the same message: the first command says where the second begins.
    let mut chained = sign_in();
    let at = u16::try_from(32 + 1 + 26 + 2 + chained.bytes.len()).unwrap();
    chained.words[0] = 0x75;
    chained.words[2..4].copy_from_slice(&at.to_le_bytes());
    let mut wire = chained.wire();
    let mut second = vec![4]; // WordCount
    second.extend(alone(&[0, 0, 1, 0])); // Flags, PasswordLength
    let bytes = [&b"\0"[..], b"\\\\pc\\IPC$\0?????\0"].concat();
    second.extend(u16::try_from(bytes.len()).unwrap().to_le_bytes());
    let at = 4 + usize::from(at) + second.len() + 1;
    // The path is UTF-16, at an even place of the message.
    let pad = if (at - 4).is_multiple_of(2) {
        vec![]
    } else {
        vec![0]
    };
    let bytes = [&b"\0"[..], &pad, &wide("\\\\pc\\IPC$\0"), b"?????\0"].concat();
    let len = u16::try_from(bytes.len()).unwrap().to_le_bytes();
    second.truncate(second.len() - 2);
    second.extend(len);
    second.extend(bytes);
    wire.extend(second);
    let len = u32::try_from(wire.len() - 4).unwrap().to_be_bytes();
    wire[..4].copy_from_slice(&len);
    let refused = Message::refused(0x73, 1, 0xc000_006d);
    let rows = feed(&[(Dir::Orig, wire), (Dir::Resp, refused.wire())]);
    assert_eq!(
        rows,
        [
            r#"Software ntlm version: Windows 2002"#,
            r#"ntlm {"username":"eve","domainname":"AD","success":false,"status":"STATUS_LOGON_FAILURE"}"#,
            r#"smb_mapping {"path":"\\\\pc\\IPC$","status":"STATUS_LOGON_FAILURE"}"#,
        ]
    );
    // No password, not even its shape, is told.
    assert!(!rows.concat().contains("\u{aa}"));
}

/// TRANSACTION (2.2.4.33) on a pipe: DataCount at 22, DataOffset at 24, Setup at 28.
fn transact(exchange: u8, file: u8, data: &[u8]) -> Message {
    let bytes = [&name(r"\PIPE\")[..], data].concat();
    let offset = 32 + 1 + 32 + 2 + bytes.len() - data.len();
    let mut words = vec![0; 22];
    words.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
    words.extend(u16::try_from(offset).unwrap().to_le_bytes());
    words.extend([2, 0, 0x26, 0, file, 0]); // SetupCount, TRANS_TRANSACT_NMPIPE, FID
    Message::ask(0x25, exchange, &words, &bytes)
}

/// Its answer: DataCount at 12, DataOffset at 14: 32 + 1 + 20 + 2.
fn transacted(exchange: u8, data: &[u8]) -> Message {
    let mut words = vec![0; 12];
    words.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
    words.extend([55, 0, 0, 0, 0, 0]);
    Message::answer(0x25, exchange, &words, data)
}

fn piped() -> Vec<(Dir, Vec<u8>)> {
    let mut pieces = tree_connect(r"\\pc\IPC$", "IPC");
    pieces.extend([
        (Dir::Orig, nt_create(2, r"\svcctl", 0).wire()),
        (Dir::Resp, nt_created(2, 5, 0).wire()),
        (Dir::Orig, write(3, 5, &bind()).wire()),
        (Dir::Resp, written(3, 72).wire()),
        (Dir::Orig, transact(4, 5, &call()).wire()),
        (Dir::Resp, transacted(4, &answered()).wire()),
    ]);
    pieces
}

#[test]
fn calls_go_through_pipes() {
    let rows = feed(&piped());
    let calls: Vec<_> = rows
        .iter()
        .filter(|row| row.starts_with("dce_rpc"))
        .collect();
    assert_eq!(calls.len(), 1);
    assert!(
        calls[0].contains("RCreateServiceW") && calls[0].contains("rtt"),
        "{calls:?}"
    );
    assert!(calls[0].contains(r#""named_pipe":"svcctl""#));
}

/// TRANSACTION2 (2.2.4.46): ParameterOffset at 20, DataOffset at 24, Setup at 28.
fn transaction2(exchange: u8, sub: u8, parameters: &[u8]) -> Message {
    let mut words = vec![0; 20];
    words.extend([68, 0, 0, 0, 68, 0, 1, 0, sub, 0]); // 32 + 1 + 30 + 2 + three of padding
    Message::ask(0x32, exchange, &words, &[&[0; 3][..], parameters].concat())
}

#[test]
fn searches_and_questions_for_names_are_told() {
    // SearchAttributes, SearchCount, Flags, SMB_FIND_FILE_BOTH_DIRECTORY_INFO, SearchStorageType
    let search = [
        &[0, 0, 9, 0, 0, 0, 4, 1, 0, 0, 0, 0][..],
        &wide("\\docs\\*\0"),
    ]
    .concat();
    // Its entries (2.2.8.1.7): the distance to the next, the name's length at 60, the name at 94.
    let mut entries = vec![0; 96];
    entries[0] = 96;
    entries[60] = 2;
    entries[94..].copy_from_slice(&wide("."));
    let mut entry = [0; 94];
    entry[60] = 10;
    entries.extend([&entry[..], &wide("a.txt")].concat());
    // DataOffset at 14: 32 + 1 + 20 + 2.
    let mut words = [0; 20];
    words[14] = 55;
    let query = [&[7, 1, 0, 0, 0, 0][..], &wide("\\plan.doc\0")].concat();
    let rows = feed(&[
        (Dir::Orig, transaction2(1, 1, &search).wire()),
        (Dir::Resp, Message::answer(0x32, 1, &words, &entries).wire()),
        (Dir::Orig, transaction2(2, 5, &query).wire()),
        (Dir::Resp, Message::refused(0x32, 2, 0xc000_0034).wire()),
    ]);
    assert_eq!(
        rows,
        [
            r#"smb_files {"action":"SMB::FILE_SEARCH","name":"\\docs\\*"}"#,
            r#"smb_files {"action":"SMB::FILE_FOUND","name":"a.txt"}"#,
            r#"smb_files {"action":"SMB::FILE_QUERY","name":"\\plan.doc","status":"STATUS_OBJECT_NAME_NOT_FOUND"}"#,
        ]
    );
}

#[test]
fn chains_that_go_back_or_nowhere_end() {
    for next in [0_u16, 1, 32, 40, 0xffff] {
        let mut message = sign_in();
        message.words[0] = 0x73;
        message.words[2..4].copy_from_slice(&next.to_le_bytes());
        feed(&[(Dir::Orig, message.wire())]);
    }
}

#[test]
fn what_is_cut_split_or_changed_does_no_harm() {
    for whole in [conversation(), piped(), vec![(Dir::Orig, sign_in().wire())]] {
        endures::<Smb>(&views(&whole), false);
    }
}
