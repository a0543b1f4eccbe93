//! Fields, file times and status codes of \[MS-SMB2\], \[MS-FSCC\], \[MS-ERREF\].
//!
//! Nothing here can fail: a field that is not there is `None`.

pub(super) use crate::proto::little_endian::{
    field, size16_at, size32_at, u8_at, u16_at, u32_at, u64_at, u128_at, utf16,
};
use compact_str::format_compact;

use crate::types::{Text, Timestamp};

/// A FILETIME, 100 ns since 1601 (\[MS-DTYP\] 2.3.3); `None` for zero and "never", and beyond our range.
pub(super) fn file_time_at(data: &[u8], at: usize) -> Option<Timestamp> {
    /// 1601-01-01 to 1970-01-01 in units of 100 ns.
    const EPOCH: i64 = 116_444_736_000_000_000;
    let time = i64::try_from(u64_at(data, at)?)
        .ok()
        .filter(|time| *time != 0)?;
    let since_epoch = time.checked_sub(EPOCH)?.checked_mul(100)?;
    Some(Timestamp::from_nanos(since_epoch))
}

/// STATUS_SUCCESS.
pub(super) const SUCCESS: u32 = 0;
/// STATUS_PENDING: the final answer follows later.
pub(super) const PENDING: u32 = 0x103;
/// STATUS_BUFFER_OVERFLOW: data came, and more is there.
pub(super) const BUFFER_OVERFLOW: u32 = 0x8000_0005;
/// STATUS_MORE_PROCESSING_REQUIRED: the next step of a sign-in.
pub(super) const MORE_PROCESSING: u32 = 0xc000_0016;

/// Name of an NTSTATUS (\[MS-ERREF\] 2.3.1), or its number.
pub(super) fn status_name(status: u32) -> Text {
    STATUS
        .binary_search_by_key(&status, |(code, _)| *code)
        .ok()
        .and_then(|index| STATUS.get(index))
        .map_or_else(
            || format_compact!("0x{status:08x}"),
            |(_, name)| format_compact!("STATUS_{name}"),
        )
}

/// Statuses that answer file, share and sign-in requests, ascending, without `STATUS_`.
const STATUS: &[(u32, &str)] = &[
    (0x0000_0000, "SUCCESS"),
    (0x0000_0103, "PENDING"),
    (0x0000_0104, "REPARSE"),
    (0x0000_0108, "OPLOCK_BREAK_IN_PROGRESS"),
    (0x0000_010c, "NOTIFY_ENUM_DIR"),
    (0x8000_0005, "BUFFER_OVERFLOW"),
    (0x8000_0006, "NO_MORE_FILES"),
    (0x8000_002d, "STOPPED_ON_SYMLINK"),
    (0xc000_0001, "UNSUCCESSFUL"),
    (0xc000_0002, "NOT_IMPLEMENTED"),
    (0xc000_0008, "INVALID_HANDLE"),
    (0xc000_000d, "INVALID_PARAMETER"),
    (0xc000_000e, "NO_SUCH_DEVICE"),
    (0xc000_000f, "NO_SUCH_FILE"),
    (0xc000_0010, "INVALID_DEVICE_REQUEST"),
    (0xc000_0011, "END_OF_FILE"),
    (0xc000_0016, "MORE_PROCESSING_REQUIRED"),
    (0xc000_0022, "ACCESS_DENIED"),
    (0xc000_0023, "BUFFER_TOO_SMALL"),
    (0xc000_0033, "OBJECT_NAME_INVALID"),
    (0xc000_0034, "OBJECT_NAME_NOT_FOUND"),
    (0xc000_0035, "OBJECT_NAME_COLLISION"),
    (0xc000_0039, "OBJECT_PATH_INVALID"),
    (0xc000_003a, "OBJECT_PATH_NOT_FOUND"),
    (0xc000_003b, "OBJECT_PATH_SYNTAX_BAD"),
    (0xc000_0043, "SHARING_VIOLATION"),
    (0xc000_0054, "FILE_LOCK_CONFLICT"),
    (0xc000_0055, "LOCK_NOT_GRANTED"),
    (0xc000_0056, "DELETE_PENDING"),
    (0xc000_005e, "NO_LOGON_SERVERS"),
    (0xc000_0061, "PRIVILEGE_NOT_HELD"),
    (0xc000_0064, "NO_SUCH_USER"),
    (0xc000_006a, "WRONG_PASSWORD"),
    (0xc000_006d, "LOGON_FAILURE"),
    (0xc000_006e, "ACCOUNT_RESTRICTION"),
    (0xc000_006f, "INVALID_LOGON_HOURS"),
    (0xc000_0070, "INVALID_WORKSTATION"),
    (0xc000_0071, "PASSWORD_EXPIRED"),
    (0xc000_0072, "ACCOUNT_DISABLED"),
    (0xc000_007f, "DISK_FULL"),
    (0xc000_009a, "INSUFFICIENT_RESOURCES"),
    (0xc000_00ac, "PIPE_NOT_AVAILABLE"),
    (0xc000_00ad, "INVALID_PIPE_STATE"),
    (0xc000_00ae, "PIPE_BUSY"),
    (0xc000_00b0, "PIPE_DISCONNECTED"),
    (0xc000_00b1, "PIPE_CLOSING"),
    (0xc000_00ba, "FILE_IS_A_DIRECTORY"),
    (0xc000_00bb, "NOT_SUPPORTED"),
    (0xc000_00c9, "NETWORK_NAME_DELETED"),
    (0xc000_00ca, "NETWORK_ACCESS_DENIED"),
    (0xc000_00cc, "BAD_NETWORK_NAME"),
    (0xc000_00d0, "REQUEST_NOT_ACCEPTED"),
    (0xc000_00d4, "NOT_SAME_DEVICE"),
    (0xc000_00d5, "FILE_RENAMED"),
    (0xc000_00e5, "INTERNAL_ERROR"),
    (0xc000_0101, "DIRECTORY_NOT_EMPTY"),
    (0xc000_0103, "NOT_A_DIRECTORY"),
    (0xc000_011f, "TOO_MANY_OPENED_FILES"),
    (0xc000_0120, "CANCELLED"),
    (0xc000_0121, "CANNOT_DELETE"),
    (0xc000_0123, "FILE_DELETED"),
    (0xc000_0128, "FILE_CLOSED"),
    (0xc000_014b, "PIPE_BROKEN"),
    (0xc000_015b, "LOGON_TYPE_NOT_GRANTED"),
    (0xc000_0184, "INVALID_DEVICE_STATE"),
    (0xc000_0190, "TRUSTED_DOMAIN_FAILURE"),
    (0xc000_0193, "ACCOUNT_EXPIRED"),
    (0xc000_019c, "FS_DRIVER_REQUIRED"),
    (0xc000_0203, "USER_SESSION_DELETED"),
    (0xc000_020c, "CONNECTION_DISCONNECTED"),
    (0xc000_0224, "PASSWORD_MUST_CHANGE"),
    (0xc000_0225, "NOT_FOUND"),
    (0xc000_0234, "ACCOUNT_LOCKED_OUT"),
    (0xc000_0257, "PATH_NOT_COVERED"),
    (0xc000_0275, "NOT_A_REPARSE_POINT"),
    (0xc000_0279, "IO_REPARSE_TAG_NOT_HANDLED"),
    (0xc000_035c, "NETWORK_SESSION_EXPIRED"),
    (0xc000_0413, "AUTHENTICATION_FIREWALL_FAILED"),
    (0xc000_0418, "NTLM_BLOCKED"),
    (0xc000_05bd, "SMB_GUEST_LOGON_BLOCKED"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_times_count_from_1601() {
        // 2000-01-01T00:00:00Z is 946,684,800 s after 1970, 12,591,158,400 s after 1601.
        let time = 125_911_584_000_000_000_u64.to_le_bytes();
        assert_eq!(
            file_time_at(&time, 0),
            Some(Timestamp::from_secs(946_684_800))
        );
        assert_eq!(file_time_at(&[0; 8], 0), None);
        assert_eq!(file_time_at(&[0xff; 8], 0), None);
    }

    #[test]
    fn statuses_ascend_and_unknown_ones_are_numbers() {
        assert!(STATUS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(status_name(0xc000_0022), "STATUS_ACCESS_DENIED");
        assert_eq!(status_name(0xc123_4567), "0xc1234567");
    }
}
