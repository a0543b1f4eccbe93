//! What an SMB flow says: files, shares, sign-ins.

use crate::record;
use crate::types::{Text, Timestamp};

record! {
    /// One verb on one open file (Zeek's `smb_files.log`); reads and writes are summed until the close.
    pub struct SmbFile = "smb_files" {
        /// Identifier in `files` of what was read or written, if it was followed.
        pub fuid: Option<Text> = "fuid",
        /// What was done, such as `SMB::FILE_OPEN`, `SMB::FILE_WRITE`, `SMB::FILE_DELETE`, `SMB::PIPE_OPEN`; also
        /// `SMB::DFS_REFERRAL` and, in SMB 1, `SMB::FILE_QUERY`, `SMB::FILE_SEARCH` and `SMB::FILE_FOUND`.
        pub action: &'static str = "action",
        /// Share the file lies on, `\\server\share`; absent if its connection was not seen.
        pub path: Option<Text> = "path",
        /// Name within the share, stream included; `<share_root>` for the share itself.
        pub name: Option<Text> = "name",
        /// Length in bytes when it was opened; absent if the open failed or was not answered.
        pub size: Option<u64> = "size",
        /// Name before a rename.
        pub prev_name: Option<Text> = "prev_name",
        /// Last write to the file, as the server says.
        pub modified: Option<Timestamp> = "times.modified",
        /// Last access.
        pub accessed: Option<Timestamp> = "times.accessed",
        /// Creation.
        pub created: Option<Timestamp> = "times.created",
        /// Last change of data or attributes.
        pub changed: Option<Timestamp> = "times.changed",
        /// What an open did: `opened`, `created`, `overwritten` or `superseded`.
        pub create_action: Option<&'static str> = "create_action",
        /// Who is signed in, as NTLM told it.
        pub user: Option<Text> = "user",
        /// Bytes read through this open.
        pub bytes_read: Option<u64> = "bytes_read",
        /// Bytes written through this open.
        pub bytes_written: Option<u64> = "bytes_written",
        /// NTSTATUS of a failure; absent on success and if no answer was seen.
        pub status: Option<Text> = "status",
    }
}

record! {
    /// One connection to a share (Zeek's `smb_mapping.log`).
    pub struct SmbMapping = "smb_mapping" {
        /// The share, `\\server\share`.
        pub path: Text = "path",
        /// `DISK`, `PIPE` or `PRINT`.
        pub share_type: Option<&'static str> = "share_type",
        /// Who is signed in, as NTLM told it.
        pub user: Option<Text> = "user",
        /// NTSTATUS of a refusal; absent on success.
        pub status: Option<Text> = "status",
    }
}
