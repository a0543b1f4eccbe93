//! Community ID v1: the same name for a flow in every tool.
//!
//! Standard: corelight/community-id-spec, version 1: `1:` and base64 of the SHA-1 of seed, addresses,
//! protocol, zero, ports, the smaller endpoint first. ICMP maps type and code as in `key`; messages
//! without an answer keep their direction.

use sha1::block_api::compress;

use super::key::counterpart;
use crate::decode::proto;
use crate::types::{FlowRef, Joined, Json};

/// Length of an id: `1:` and the base64 of 20 bytes.
const LEN: usize = 30;

/// A Community ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommunityId([u8; LEN]);

impl CommunityId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or("1:")
    }

    /// Writes the id behind `key`; see [`Json::field`].
    #[inline]
    pub fn write(&self, key: &str, json: &mut Json<'_>) {
        json.ascii(key, &self.0, self.0.len());
    }
}

impl std::fmt::Display for CommunityId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The Community ID of a flow.
#[must_use]
pub fn community_id(flow: &FlowRef, seed: u16) -> CommunityId {
    let (mut a, mut b) = (flow.orig, flow.resp);
    let v6 = flow.proto == proto::ICMPV6;
    let icmp = v6 || flow.proto == proto::ICMP;
    let one_way = icmp && u8::try_from(a.port).is_ok_and(|t| counterpart(v6, t).is_none());
    if !one_way && b < a {
        (a, b) = (b, a);
    }
    let mut text = Joined::<40>::new();
    text.add(&seed.to_be_bytes());
    for end in [&a, &b] {
        match end.ip() {
            std::net::IpAddr::V4(v4) => text.add(&v4.octets()),
            std::net::IpAddr::V6(v6) => text.add(&v6.octets()),
        }
    }
    text.add(&[flow.proto, 0]);
    if icmp || matches!(flow.proto, proto::TCP | proto::UDP | proto::SCTP) {
        text.add(&a.port.to_be_bytes());
        text.add(&b.port.to_be_bytes());
    }
    CommunityId(written(&digest(&text)))
}

/// The SHA-1 of at most 55 bytes, which with padding and length are one block (FIPS 180-4 §5.1.1, §6.1).
fn digest(text: &Joined<40>) -> [u8; 20] {
    let text = text.bytes();
    let mut block = [0; 64];
    let (content, padding) = block.split_at_mut(text.len());
    content.copy_from_slice(text);
    if let Some(end) = padding.first_mut() {
        *end = 0x80;
    }
    let (_, length) = block.split_at_mut(56);
    let bits = u64::try_from(text.len()).unwrap_or(0).wrapping_mul(8);
    length.copy_from_slice(&bits.to_be_bytes());
    let mut state = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    compress(&mut state, &[block]);
    let mut hash = [0; 20];
    for (to, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    hash
}

/// `1:` and the hash as base64 with padding (RFC 4648 §4).
fn written(hash: &[u8; 20]) -> [u8; LEN] {
    // A zero byte makes seven groups of three; the last digit, of which it is the whole, is padding.
    let mut bytes = [0; 21];
    let (front, _) = bytes.split_at_mut(20);
    front.copy_from_slice(hash);
    let mut out = [b'='; LEN];
    let (head, digits) = out.split_at_mut(2);
    head.copy_from_slice(b"1:");
    let groups = digits.as_chunks_mut::<4>().0;
    for (group, [a, b, c]) in groups.iter_mut().zip(bytes.as_chunks::<3>().0) {
        let bits = u32::from_be_bytes([0, *a, *b, *c]);
        *group = [bits >> 18, bits >> 12, bits >> 6, bits].map(base64);
    }
    if let Some(last) = out.last_mut() {
        *last = b'=';
    }
    out
}

/// The character of the lowest six bits.
fn base64(bits: u32) -> u8 {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = usize::try_from(bits & 63).unwrap_or(0);
    DIGITS.get(digit).copied().unwrap_or(b'=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    use crate::types::Endpoint;

    /// The 23 published vectors of corelight/community-id-spec (`baseline_deflt.json` and
    /// `baseline_seed1.json`): protocol, addresses, ports, the id with seed 0, the id with seed 1.
    const VECTORS: &str = "
        58 fe80::200:86ff:fe05:80da fe80::260:97ff:fe07:69ea 135 136 1:dGHyGvjMfljg6Bppwm3bg0LO8TY= 1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY=
        58 fe80::260:97ff:fe07:69ea fe80::200:86ff:fe05:80da 136 135 1:dGHyGvjMfljg6Bppwm3bg0LO8TY= 1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY=
        58 fe80::260:97ff:fe07:69ea fe80::200:86ff:fe05:80da 135 136 1:zavyT/cezQr1fmImYCwYnMXbgck= 1:2hSqmsDZ2kdcY9kbiUzOEBic0iM=
        58 fe80::200:86ff:fe05:80da fe80::260:97ff:fe07:69ea 136 135 1:zavyT/cezQr1fmImYCwYnMXbgck= 1:2hSqmsDZ2kdcY9kbiUzOEBic0iM=
        58 3ffe:501:1800:2345::2 3ffe:507:0:1:200:86ff:fe05:80da 3 0 1:2ObVBgIn28oZvibYZhZMBgh7WdQ= 1:lVEtCZpYu84Xqaa++3lXFyuu2n4=
        58 3ffe:501:410:0:2c0:dfff:fe47:33e 3ffe:507:0:1:200:86ff:fe05:80da 1 4 1:hLZd0XGWojozrvxqE0dWB1iM6R0= 1:W8MHwXpWzpoSTD+cGcaJr4u0ys8=
        58 3ffe:507:0:1:200:86ff:fe05:80da 3ffe:501:0:1001::2 128 129 1:+TW+HtLHvV1xnGhV1lv7XoJrqQg= 1:GfZxjAkDk2MkegpBYHV6tadtFXQ=
        58 3ffe:501:0:1001::2 3ffe:507:0:1:200:86ff:fe05:80da 129 128 1:+TW+HtLHvV1xnGhV1lv7XoJrqQg= 1:GfZxjAkDk2MkegpBYHV6tadtFXQ=
        58 fe80::200:86ff:fe05:80da ff02::2 133 134 1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0= 1:L7Ka0ZMYu+J3bL4ulW2PrqyXNo8=
        58 fe80::260:97ff:fe07:69ea ff02::1 134 133 1:pkvHqCL88/tg1k4cPigmZXUtL00= 1:K/ee5UCqAMAQXDorP5nSa2CGLjc=
        1 192.168.0.89 192.168.0.1 8 0 1:X0snYXpgwiv9TZtqg64sgzUn6Dk= 1:03g6IloqVBdcZlPyX8r0hgoE7kA=
        1 192.168.0.1 192.168.0.89 0 8 1:X0snYXpgwiv9TZtqg64sgzUn6Dk= 1:03g6IloqVBdcZlPyX8r0hgoE7kA=
        1 10.0.0.1 10.0.0.2 11 0 1:YHxtAirCG//0OzkcVAukqKQN9xM= 1:XjUibYHaafLQ3pxQeiMI8g25q20=
        6 2001:470:e5bf:dead:4957:2174:e82c:4887 2607:f8b0:400c:c03::1a 63943 25 1:/qFaeAR+gFe1KYjMzVDsMv+wgU4= 1:eJYTW6AOzFLlSUoESovMjnu7rMw=
        6 2607:f8b0:400c:c03::1a 2001:470:e5bf:dead:4957:2174:e82c:4887 25 63943 1:/qFaeAR+gFe1KYjMzVDsMv+wgU4= 1:eJYTW6AOzFLlSUoESovMjnu7rMw=
        132 192.168.170.8 192.168.170.56 7 7 1:MP2EtRCAUIZvTw6MxJHLV7N7JDs= 1:5w3ZRjeKBzqT3zsaEECDGjUbYeg=
        132 192.168.170.56 192.168.170.8 7 7 1:MP2EtRCAUIZvTw6MxJHLV7N7JDs= 1:5w3ZRjeKBzqT3zsaEECDGjUbYeg=
        6 128.232.110.120 66.35.250.204 34855 80 1:LQU9qZlK+B5F3KDmev6m5PMibrg= 1:3V71V58M3Ksw/yuFALMcW0LAHvc=
        6 66.35.250.204 128.232.110.120 80 34855 1:LQU9qZlK+B5F3KDmev6m5PMibrg= 1:3V71V58M3Ksw/yuFALMcW0LAHvc=
        17 192.168.1.52 8.8.8.8 54585 53 1:d/FP5EW3wiY1vCndhwleRRKHowQ= 1:Q9We8WO3piVF8yEQBNJF4uiSVrI=
        17 8.8.8.8 192.168.1.52 53 54585 1:d/FP5EW3wiY1vCndhwleRRKHowQ= 1:Q9We8WO3piVF8yEQBNJF4uiSVrI=
        46 10.1.12.1 10.1.12.2 0 0 1:KHlLkgoJW7ifUTyTSgyVfkFHzKw= 1:rYir8gphR31noO9iDRQmF/BteEI=
        46 10.1.12.2 10.1.12.1 0 0 1:KHlLkgoJW7ifUTyTSgyVfkFHzKw= 1:rYir8gphR31noO9iDRQmF/BteEI=
    ";

    #[test]
    fn agrees_with_the_published_vectors() {
        let mut count = 0;
        for line in VECTORS
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let parts: Vec<_> = line.split(' ').collect();
            let end = |ip: usize, port: usize| {
                let ip: IpAddr = parts[ip].parse().unwrap();
                Endpoint::new(ip, parts[port].parse().unwrap())
            };
            let flow = FlowRef {
                orig: end(1, 3),
                resp: end(2, 4),
                proto: parts[0].parse().unwrap(),
                ..FlowRef::default()
            };
            assert_eq!(community_id(&flow, 0).as_str(), parts[5], "{line}");
            assert_eq!(community_id(&flow, 1).as_str(), parts[6], "{line}");
            count += 1;
        }
        assert_eq!(count, 23);
    }
}
