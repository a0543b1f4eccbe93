//! What client and server say of themselves before encryption begins.
//!
//! Standard: \[MS-RDPBCGR\] 2.2.1.3 (client), 2.2.1.4 (server); T.125 §7 (MCS connect), T.124 §8.7 (GCC).
//! Input:    the MCS connect message behind its X.224 header.
//! Bounds:   16 blocks, 31 channels, texts as long as their fields.

use super::names;
use super::record::RdpRecord;
use crate::proto::little_endian::{field, u16_at, u32_at, utf16};
use crate::types::{Text, text};

/// Blocks looked at; there are a dozen kinds.
const BLOCKS_MAX: usize = 16;
/// Channels a client may ask for (\[MS-RDPBCGR\] 2.2.1.3.4).
const CHANNELS_MAX: usize = 31;

/// Adds what the client's connect message says.
pub(super) fn client(message: &[u8], record: &mut RdpRecord) {
    each_block(message, b"Duca", |kind, block| match kind {
        0xc001 => core(block, record),
        0xc003 => {
            let channels = field(block, 4, block.len().saturating_sub(4)).unwrap_or_default();
            let names = channels.chunks_exact(12).take(CHANNELS_MAX).map(|channel| {
                let name = channel.get(..8).unwrap_or_default();
                text(before_nul(name), 8)
            });
            record.client_channels = Some(names.collect()).filter(|list: &Vec<_>| !list.is_empty());
        }
        _ => {}
    });
}

/// Adds what the server's connect message says.
pub(super) fn server(message: &[u8], record: &mut RdpRecord) {
    each_block(message, b"McDn", |kind, block| {
        if kind != 0x0c02 {
            return;
        }
        record.encryption_method = u32_at(block, 0).and_then(names::method);
        record.encryption_level = u32_at(block, 4).and_then(names::level);
        let lengths = (u32_at(block, 8), u32_at(block, 12));
        let (Some(random_len), Some(1..)) = lengths else {
            return;
        };
        let at = usize::try_from(random_len)
            .unwrap_or(usize::MAX)
            .saturating_add(16);
        if let Some(version) = u32_at(block, at) {
            /// The certificate was issued for this connection only.
            const TEMPORARY: u32 = 0x8000_0000;
            record.cert_permanent = Some(version & TEMPORARY == 0);
            record.cert_type = match version & !TEMPORARY {
                1 => Some("RSA"),
                2 => Some("X.509"),
                _ => None,
            };
            let count = u32_at(block, at.saturating_add(4));
            record.cert_count = count.filter(|_| record.cert_type == Some("X.509"));
        }
    });
}

/// Calls for each block behind the key of T.124's user data.
fn each_block(message: &[u8], key: &[u8; 4], mut call: impl FnMut(u16, &[u8])) {
    let Some(at) = memchr::memmem::find(message, key) else {
        return;
    };
    let behind = message.get(at.saturating_add(4)..).unwrap_or_default();
    // The length in PER: one byte, or two with the top bit set.
    let ([0x80..=0xff, _, blocks @ ..] | [_, blocks @ ..]) = behind else {
        return;
    };
    let mut blocks = blocks;
    for _ in 0..BLOCKS_MAX {
        let (Some(kind), Some(len)) = (u16_at(blocks, 0), u16_at(blocks, 2)) else {
            return;
        };
        let Some(body_len) = usize::from(len).checked_sub(4) else {
            return;
        };
        let body = blocks.get(4..).unwrap_or_default();
        call(kind, body.get(..body_len).unwrap_or(body));
        blocks = body.get(body_len..).unwrap_or_default();
    }
}

/// Client core data.
fn core(block: &[u8], record: &mut RdpRecord) {
    record.desktop_width = u16_at(block, 4);
    record.desktop_height = u16_at(block, 6);
    record.keyboard_layout = u32_at(block, 12).map(names::keyboard);
    record.client_build = u32_at(block, 16).map(names::build);
    record.client_name = wide(block, 20, 32);
    record.requested_color_depth = u16_at(block, 136).and_then(names::depth);
    record.client_dig_product_id = wide(block, 142, 64);
}

/// UTF-16 up to its NUL; `None` if empty.
fn wide(block: &[u8], at: usize, len: usize) -> Option<Text> {
    let bytes = field(block, at, len)?;
    let (units, _odd) = bytes.as_chunks::<2>();
    let end = units.iter().take_while(|unit| **unit != [0, 0]).count();
    let name = utf16(bytes.get(..end.saturating_mul(2))?, 128);
    (!name.is_empty()).then_some(name)
}

/// Bytes before the first NUL.
fn before_nul(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default()
}
