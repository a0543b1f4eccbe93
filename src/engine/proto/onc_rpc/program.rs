//! Programs and what is called of them: RFC 1833 (portmap), RFC 1094 and RFC 1813 (NFS, mount).

use compact_str::{ToCompactString as _, format_compact};

use super::message::Call;
use crate::types::Text;

const PORTMAP: u32 = 100_000;
const NFS: u32 = 100_003;
const MOUNT: u32 = 100_005;
/// Programs with numbers of their own (IANA's registry).
const PROGRAMS: [(u32, &str); 16] = [
    (PORTMAP, "portmap"),
    (100_001, "rstat"),
    (100_002, "rusers"),
    (NFS, "nfs"),
    (100_004, "ypserv"),
    (MOUNT, "mount"),
    (100_007, "ypbind"),
    (100_008, "walld"),
    (100_009, "yppasswdd"),
    (100_011, "rquota"),
    (100_012, "spray"),
    (100_021, "nlockmgr"),
    (100_024, "status"),
    (100_227, "nfs_acl"),
    (300_019, "amd"),
    (395_183, "vxi11"),
];
/// RFC 1833 §3.2; of rpcbind the first six do the same.
const PORTMAP_PROCEDURES: [&str; 6] = ["NULL", "SET", "UNSET", "GETPORT", "DUMP", "CALLIT"];
/// RFC 1813 appendix I.
const MOUNT_PROCEDURES: [&str; 6] = ["NULL", "MNT", "DUMP", "UMNT", "UMNTALL", "EXPORT"];
/// RFC 1094 §2.2.
const NFS_2_PROCEDURES: [&str; 18] = [
    "NULL",
    "GETATTR",
    "SETATTR",
    "ROOT",
    "LOOKUP",
    "READLINK",
    "READ",
    "WRITECACHE",
    "WRITE",
    "CREATE",
    "REMOVE",
    "RENAME",
    "LINK",
    "SYMLINK",
    "MKDIR",
    "RMDIR",
    "READDIR",
    "STATFS",
];
/// RFC 1813 §3.
const NFS_3_PROCEDURES: [&str; 22] = [
    "NULL",
    "GETATTR",
    "SETATTR",
    "LOOKUP",
    "ACCESS",
    "READLINK",
    "READ",
    "WRITE",
    "CREATE",
    "MKDIR",
    "SYMLINK",
    "MKNOD",
    "REMOVE",
    "RMDIR",
    "RENAME",
    "LINK",
    "READDIR",
    "READDIRPLUS",
    "FSSTAT",
    "FSINFO",
    "PATHCONF",
    "COMMIT",
];
/// Longest path and longest name of a file (RFC 1813 §2.3, §2.4), and of a handle.
const PATH_LEN_MAX: usize = 1024;
const NAME_LEN_MAX: usize = 255;
const HANDLE_LEN_MAX: usize = 64;
const HANDLE_2_LEN: usize = 32;

/// Name of a program, else its number.
pub(super) fn name(program: u32) -> Text {
    let known = PROGRAMS.iter().find(|(number, _)| *number == program);
    known.map_or_else(
        || program.to_compact_string(),
        |(_, name)| Text::const_new(name),
    )
}

/// Name of a procedure, else its number.
pub(super) fn procedure(program: u32, version: u32, number: u32) -> Text {
    let names: &[&str] = match (program, version) {
        (PORTMAP, _) => &PORTMAP_PROCEDURES,
        (MOUNT, _) => &MOUNT_PROCEDURES,
        (NFS, 2) => &NFS_2_PROCEDURES,
        (NFS, 3) => &NFS_3_PROCEDURES,
        (NFS, 4) => &["NULL", "COMPOUND"],
        // The first procedure of any program does nothing (RFC 5531 §12.1).
        _ => &["NULL"],
    };
    let known = usize::try_from(number).ok().and_then(|at| names.get(at));
    known.map_or_else(|| number.to_compact_string(), |name| Text::const_new(name))
}

/// Which program portmap is asked about: its name, version and transport.
pub(super) fn asked(call: &Call<'_>) -> Option<Text> {
    if call.program != PORTMAP || !matches!(call.procedure, 1..=3 | 5) {
        return None;
    }
    let mut arguments = call.arguments;
    let (program, version) = (name(arguments.word()?), arguments.word()?);
    if call.procedure == 5 {
        let number = arguments.word()?;
        return Some(format_compact!("{program} {version} procedure {number}"));
    }
    let transport = match call.version {
        2 => match arguments.word()? {
            6 => "tcp".into(),
            17 => "udp".into(),
            number => number.to_compact_string(),
        },
        // rpcbind has a word for it, such as `tcp6`.
        _ => crate::types::text(arguments.opaque(16)?, 16),
    };
    Some(format_compact!("{program} {version} {transport}"))
}

/// Names in a call: of what is mounted, or of a file in a folder, and the new one of a rename.
pub(super) fn names<'a>(call: &Call<'a>) -> [Option<&'a [u8]>; 2] {
    let mut arguments = call.arguments;
    let known = procedure(call.program, call.version, call.procedure);
    match (call.program, call.version, known.as_str()) {
        (MOUNT, _, "MNT" | "UMNT") => [arguments.opaque(PATH_LEN_MAX), None],
        (NFS, 2 | 3, "LOOKUP" | "CREATE" | "MKDIR" | "SYMLINK" | "MKNOD" | "REMOVE" | "RMDIR") => {
            [in_folder(&mut arguments, call.version), None]
        }
        (NFS, 2 | 3, "RENAME") => {
            let from = in_folder(&mut arguments, call.version);
            [from, in_folder(&mut arguments, call.version)]
        }
        _ => [None, None],
    }
}

/// A name behind the handle of its folder.
fn in_folder<'a>(arguments: &mut super::message::Xdr<'a>, version: u32) -> Option<&'a [u8]> {
    let _handle = match version {
        2 => arguments.fixed(HANDLE_2_LEN)?,
        _ => arguments.opaque(HANDLE_LEN_MAX)?,
    };
    arguments.opaque(NAME_LEN_MAX)
}
