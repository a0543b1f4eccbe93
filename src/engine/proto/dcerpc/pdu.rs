//! The beginning of a connection-oriented PDU: its header, and what binds and calls say behind it.
//!
//! Standard: C706 12.6 (PDUs), 14.1 (data representation), A (UUID); \[MS-RPCE\] 2.2.2.
//! Units:    offsets from the start of the PDU.

/// Bytes that all PDUs have in common.
pub(super) const HEADER_LEN: usize = 16;
/// Bytes before the token of a security trailer.
const TRAILER_LEN: usize = 8;
/// Contexts of one bind that are looked at. Windows offers up to three; who hides one offers dozens.
const CONTEXTS_MAX: usize = 64;

pub(super) const REQUEST: u8 = 0;
pub(super) const RESPONSE: u8 = 2;
pub(super) const FAULT: u8 = 3;
pub(super) const BIND: u8 = 11;
pub(super) const BIND_ACK: u8 = 12;
pub(super) const BIND_NAK: u8 = 13;
pub(super) const ALTER_CONTEXT: u8 = 14;
pub(super) const ALTER_CONTEXT_RESP: u8 = 15;
pub(super) const AUTH3: u8 = 16;
const ORPHANED: u8 = 19;

/// Integers as the sender writes them (C706 14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    big: bool,
}

impl Order {
    /// The data representation label; `None` if it is not one that is in use.
    pub(super) fn new(label: u8) -> Option<Self> {
        match label {
            0x10 => Some(Self { big: false }),
            0x00 => Some(Self { big: true }),
            _ => None,
        }
    }

    pub(super) fn u16_at(self, data: &[u8], at: usize) -> Option<u16> {
        let bytes = *data.get(at..)?.first_chunk()?;
        Some(if self.big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    pub(super) fn u32_at(self, data: &[u8], at: usize) -> Option<u32> {
        let bytes = *data.get(at..)?.first_chunk()?;
        Some(if self.big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }

    /// A UUID as its text would read: three integers, then eight bytes.
    pub(super) fn uuid_at(self, data: &[u8], at: usize) -> Option<u128> {
        let low = u128::from(self.u32_at(data, at)?);
        let middle = u128::from(self.u16_at(data, at.checked_add(4)?)?);
        let high = u128::from(self.u16_at(data, at.checked_add(6)?)?);
        let node = u64::from_be_bytes(*data.get(at.checked_add(8)?..)?.first_chunk()?);
        Some(low << 96 | middle << 80 | high << 64 | u128::from(node))
    }
}

/// A header, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    /// Whether this is the first fragment of a call.
    pub(super) first: bool,
    order: Order,
    pub(super) fragment_len: u16,
    auth_len: u16,
    pub(super) call: u32,
}

impl Header {
    /// The header at the start of `data`; `None` if it is cut or not one.
    pub(super) fn new(data: &[u8]) -> Option<Self> {
        const FIRST: u8 = 1;
        let &[5, 0 | 1, kind, flags, label, real, 0, 0] = data.first_chunk()? else {
            return None;
        };
        let is_kind = matches!(kind, REQUEST | RESPONSE | FAULT | BIND..=ORPHANED);
        let order = Order::new(label).filter(|_| is_kind && real <= 3)?;
        let header = Self {
            kind,
            first: flags & FIRST != 0,
            order,
            fragment_len: order.u16_at(data, 8)?,
            auth_len: order.u16_at(data, 10)?,
            call: order.u32_at(data, 12)?,
        };
        let least = HEADER_LEN.saturating_add(match header.auth_len {
            0 => 0,
            len => usize::from(len).saturating_add(TRAILER_LEN),
        });
        (usize::from(header.fragment_len) >= least).then_some(header)
    }

    /// Whether `data`, shorter than a header, may become one.
    pub(super) fn may_be(data: &[u8]) -> bool {
        match data {
            [] | [5] | [5, 0 | 1] => true,
            [
                5,
                0 | 1,
                REQUEST | RESPONSE | FAULT | BIND..=ORPHANED,
                rest @ ..,
            ] => {
                let label = rest.get(1).is_none_or(|label| Order::new(*label).is_some());
                let real = rest.get(2).is_none_or(|real| *real <= 3);
                let zero = rest.get(3..5.min(rest.len())).unwrap_or_default();
                label && real && zero.iter().all(|byte| *byte == 0)
            }
            _ => false,
        }
    }

    /// Bytes from the start of the PDU that are of interest.
    pub(super) fn wanted(&self) -> usize {
        let whole = usize::from(self.fragment_len);
        match self.kind {
            REQUEST => whole.min(24),
            FAULT => whole.min(28),
            BIND..=AUTH3 => whole,
            _ => HEADER_LEN,
        }
    }

    /// Context and operation of a request.
    pub(super) fn request(&self, pdu: &[u8]) -> Option<(u16, u16)> {
        Some((self.order.u16_at(pdu, 20)?, self.order.u16_at(pdu, 22)?))
    }

    /// Status of a fault.
    pub(super) fn fault(&self, pdu: &[u8]) -> Option<u32> {
        self.order.u32_at(pdu, 24)
    }

    /// Contexts that a bind or an alter_context offers: id and interface.
    pub(super) fn contexts(&self, pdu: &[u8]) -> Vec<(u16, u128)> {
        let order = self.order;
        let count = pdu.get(24).copied().map_or(0, usize::from);
        let (mut out, mut at) = (Vec::new(), 28_usize);
        for _ in 0..count.min(CONTEXTS_MAX) {
            let rest = pdu.get(at..).unwrap_or_default();
            let (Some(id), Some(interface)) = (order.u16_at(rest, 0), order.uuid_at(rest, 4))
            else {
                break;
            };
            out.push((id, interface));
            // Each transfer syntax has 20 bytes.
            let syntaxes = rest.get(2).copied().map_or(0, usize::from);
            at = at
                .saturating_add(24)
                .saturating_add(syntaxes.saturating_mul(20));
        }
        out
    }

    /// The address that a bind_ack says the interface is reached at: a port or a pipe.
    pub(super) fn address<'a>(&self, pdu: &'a [u8]) -> Option<&'a [u8]> {
        let len = usize::from(self.order.u16_at(pdu, 24)?);
        let address = pdu.get(26..)?.get(..len)?;
        let end = memchr::memchr(0, address).unwrap_or(len);
        address.get(..end).filter(|address| !address.is_empty())
    }

    /// The token of the security trailer, if all of it is there.
    pub(super) fn token<'a>(&self, pdu: &'a [u8]) -> Option<&'a [u8]> {
        let (whole, len) = (usize::from(self.fragment_len), usize::from(self.auth_len));
        let token = pdu.get(whole.checked_sub(len)?..whole)?;
        Some(token).filter(|token| !token.is_empty())
    }
}

/// Where in `data` a PDU begins.
pub(super) fn next_pdu(data: &[u8]) -> Option<usize> {
    memchr::memchr_iter(5, data).find(|at| data.get(*at..).and_then(Header::new).is_some())
}
