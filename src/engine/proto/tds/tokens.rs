//! The first tokens of a server's answer, as far as their lengths are known.
//!
//! Standard: \[MS-TDS\] 2.2.7.
//! Bounds:   64 tokens; a list of columns ends the reading.

use compact_str::CompactStringExt as _;

use super::login::version;
use crate::proto::lines::TEXT_LEN_MAX;
use crate::proto::little_endian::{field, size16_at, u8_at, u16_at, u32_at, utf16};
use crate::types::Text;

/// Tokens looked at.
const TOKENS_MAX: usize = 64;

/// What an answer says.
#[derive(Debug, Default)]
pub(super) struct Answer<'a> {
    /// A sign-in goes on with this.
    pub(super) token: Option<&'a [u8]>,
    /// Program and version of a server that has let the client in.
    pub(super) version: Option<Text>,
    /// Number of the first error.
    pub(super) error: Option<u32>,
    /// The answer was seen up to where it is certain.
    pub(super) is_over: bool,
}

/// Reads the beginning of an answer.
pub(super) fn read(body: &[u8]) -> Answer<'_> {
    let (mut answer, mut at) = (Answer::default(), 0_usize);
    for _ in 0..TOKENS_MAX {
        let Some(kind) = u8_at(body, at) else {
            break;
        };
        at = at.saturating_add(1);
        let len = match kind {
            // Columns of a result: it is there.
            0x81 | 0x88 | 0xa4 | 0xa5 => {
                answer.is_over = true;
                return answer;
            }
            // Return status; the end of a statement, whose status says whether it failed.
            0x79 => 4,
            0xfd..=0xff => {
                answer.is_over = true;
                /// Bit of the status.
                const FAILED: u16 = 2;
                if u16_at(body, at).is_some_and(|status| status & FAILED != 0) {
                    answer.error = answer.error.or(Some(0));
                }
                return answer;
            }
            // With their length before them.
            0xa9..=0xab | 0xad | 0xe3 | 0xed => {
                let Some(len) = size16_at(body, at) else {
                    break;
                };
                at = at.saturating_add(2);
                len
            }
            _ => break,
        };
        let Some(value) = field(body, at, len) else {
            break;
        };
        at = at.saturating_add(len);
        match kind {
            0xaa => answer.error = answer.error.or_else(|| u32_at(value, 0)),
            0xad => answer.version = program(value),
            0xed => answer.token = Some(value),
            _ => {}
        }
    }
    answer.is_over |= answer.error.is_some();
    answer
}

/// Program and version behind the interface and the protocol's version.
fn program(value: &[u8]) -> Option<Text> {
    let len = usize::from(u8_at(value, 5)?).checked_mul(2)?;
    let name = utf16(field(value, 6, len)?, TEXT_LEN_MAX);
    let &[major, minor, b0, b1] = value.get(len.checked_add(6)?..)?.first_chunk()?;
    let version = version(major, minor, u16::from_be_bytes([b0, b1]));
    Some([&name, " ", &version].concat_compact())
}
