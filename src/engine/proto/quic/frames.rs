//! Frames of an Initial packet.
//!
//! Standard: RFC 9000 §12.4: PADDING, PING, ACK, CRYPTO and CONNECTION_CLOSE; §19 their form.

use super::packet::Cursor;

const PADDING: usize = 0x00;
const PING: usize = 0x01;
const ACK: usize = 0x02;
const ACK_ECN: usize = 0x03;
const CRYPTO: usize = 0x06;
const CLOSE: usize = 0x1c;
const CLOSE_APPLICATION: usize = 0x1d;

/// What matters of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    Crypto { offset: usize, data: &'a [u8] },
    Close,
}

/// The frames of a packet up to its end or to the first that cannot be read.
pub(super) fn frames(payload: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let mut cursor = Cursor::new(payload);
    std::iter::from_fn(move || {
        loop {
            match cursor.number()? {
                PADDING => cursor.skip_zeroes(),
                PING => {}
                kind @ (ACK | ACK_ECN) => ack(&mut cursor, kind == ACK_ECN)?,
                CRYPTO => {
                    let offset = cursor.number()?;
                    let len = cursor.number()?;
                    let data = cursor.take(len)?;
                    return Some(Frame::Crypto { offset, data });
                }
                CLOSE | CLOSE_APPLICATION => {
                    cursor = Cursor::new(&[]);
                    return Some(Frame::Close);
                }
                _ => return None,
            }
        }
    })
}

/// Passes over an ACK: largest, delay, count of ranges, first range, two numbers a range, three of ECN.
fn ack(cursor: &mut Cursor<'_>, has_ecn: bool) -> Option<()> {
    cursor.number()?;
    cursor.number()?;
    let ranges = cursor.number()?;
    cursor.number()?;
    // Each range takes two bytes or more, so what is there ends the loop.
    for _ in 0..ranges {
        cursor.number()?;
        cursor.number()?;
    }
    for _ in 0..if has_ecn { 3 } else { 0 } {
        cursor.number()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_between_padding_pings_and_acks() {
        let payload = [
            0x00, 0x00, 0x01, // padding, ping
            0x02, 0x40, 0x99, 0x00, 0x01, 0x03, 0x00,
            0x02, // ACK: 153, no delay, one range more
            0x06, 0x05, 0x02, 0xaa, 0xbb, // CRYPTO at 5, two bytes
            0x03, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, // ACK with ECN counts
            0x1c, 0x0a, 0x00, 0x00, // CONNECTION_CLOSE
        ];
        let crypto = Frame::Crypto {
            offset: 5,
            data: &[0xaa, 0xbb],
        };
        assert!(frames(&payload).eq([crypto, Frame::Close]));
        for end in 0..payload.len() {
            assert!(frames(&payload[..end]).count() <= 2);
        }
    }

    #[test]
    fn an_unknown_frame_ends_the_packet() {
        let payload = [0x07, 0x00, 0x1c];
        assert_eq!(frames(&payload).count(), 0);
    }
}
