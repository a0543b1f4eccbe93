//! Community ID v1: the same name for a flow in every tool.
//!
//! Standard: corelight/community-id-spec, version 1: `1:` and base64 of the SHA-1 of seed, addresses,
//! protocol, zero, ports, the smaller endpoint first. ICMP maps type and code as in `key`; messages
//! without an answer keep their direction.

use sha1::{Digest as _, Sha1};

use super::key::counterpart;
use crate::decode::proto;
use crate::types::{Endpoint, FlowRef};

/// The Community ID of a flow.
#[must_use]
pub fn community_id(flow: &FlowRef, seed: u16) -> String {
    let (mut a, mut b) = (flow.orig, flow.resp);
    let v6 = flow.proto == proto::ICMPV6;
    let icmp = v6 || flow.proto == proto::ICMP;
    let one_way = icmp && u8::try_from(a.port).is_ok_and(|t| counterpart(v6, t).is_none());
    if !one_way && b < a {
        (a, b) = (b, a);
    }
    let mut hash = Sha1::new();
    hash.update(seed.to_be_bytes());
    address(&mut hash, &a);
    address(&mut hash, &b);
    hash.update([flow.proto, 0]);
    if icmp || matches!(flow.proto, proto::TCP | proto::UDP | proto::SCTP) {
        hash.update(a.port.to_be_bytes());
        hash.update(b.port.to_be_bytes());
    }
    let mut id = String::with_capacity(30);
    id.push_str("1:");
    base64(&mut id, &hash.finalize());
    id
}

/// Four bytes of an IPv4 address, sixteen of an IPv6 address.
fn address(hash: &mut Sha1, end: &Endpoint) {
    match end.ip() {
        std::net::IpAddr::V4(v4) => hash.update(v4.octets()),
        std::net::IpAddr::V6(v6) => hash.update(v6.octets()),
    }
}

/// Base64 with padding (RFC 4648 §4).
fn base64(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        for (to, from) in group.iter_mut().skip(1).zip(chunk) {
            *to = *from;
        }
        let bits = u32::from_be_bytes(group);
        for place in 0..4_u32 {
            let shift = 18_u32.saturating_sub(place.saturating_mul(6));
            let digit = usize::try_from(bits.wrapping_shr(shift) & 63).unwrap_or(0);
            let filled = usize::try_from(place).is_ok_and(|p| p <= chunk.len());
            let digit = DIGITS.get(digit).copied().filter(|_| filled);
            out.push(char::from(digit.unwrap_or(b'=')));
        }
    }
}
