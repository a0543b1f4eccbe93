//! Dealing: which worker a frame goes to.
//!
//! Input:    a frame; VLAN and QinQ tags and LLC with SNAP are looked through, then IPv4 or IPv6: all
//!           that the engine's `decode` looks through, or a flow would fall apart between workers.
//! Output:   a 32-bit hash of the address pair, the same for both directions, and from it the
//!           worker.
//! Bounds:   [`TAGS_MAX`] tags; a frame with more, cut short or not IP goes to worker 0.
//! Not done: tunnels, whose frames are dealt by the outer pair, and MPLS and PPPoE over Ethernet, which
//!           have none and go to worker 0: a flow's key names what carries it, so none falls apart.
//!
//! # The function
//!
//! It has no key and uses only what classic BPF computes, so that a kernel can deal alike:
//! 32-bit words in network order, wrapping arithmetic, logical shifts.
//!
//! ```text
//! a = XOR of the words of one address (IPv4: 1, IPv6: 4)
//! b = XOR of the words of the other
//! h = (a ^ b) * 0x9e3779b1 + (a + b) * 0x85ebca77
//! h = (h ^ (h >> 15)) * 0x2c1b3c6d
//! h = h ^ (h >> 16)
//! worker = h % workers
//! ```
//!
//! Sum and XOR are symmetric, so both directions meet. Both are needed: XOR alone is equal for
//! (10.0.0.1, 10.0.0.2) and (10.0.0.5, 10.0.0.6). Ports and protocol take no part, so fragments,
//! and a data connection beside its control connection, stay together. An IPv4-mapped IPv6 address
//! counts as the IPv4 address it maps, as in a flow's key. Anything but whole IP headers hashes to 0.
//!
//! ```
//! use tapir_capture::{LinkType, deal};
//! // IPv4 from 192.0.2.1 to 198.51.100.2: a = 0xc0000201, b = 0xc6336402.
//! let mut packet = [0_u8; 20];
//! packet[0] = 0x45;
//! packet[12..16].copy_from_slice(&[192, 0, 2, 1]);
//! packet[16..20].copy_from_slice(&[198, 51, 100, 2]);
//! assert_eq!(deal::hash(LinkType::RAW, &packet), 0x8c79_f0f6);
//! ```

use crate::{Frame, LinkType};

/// The worker, of `workers`, that `frame` goes to; 0 if there are none.
#[inline]
pub fn dealt_to(frame: &Frame<'_>, workers: usize) -> usize {
    if workers <= 1 {
        return 0;
    }
    hash(frame.link, frame.bytes) as usize % workers
}

/// The hash by which a frame is dealt; 0 for what is not IP.
#[inline]
pub fn hash(link: LinkType, bytes: &[u8]) -> u32 {
    address_pair(link, bytes).map_or(0, |(a, b)| mix(a, b))
}

/// VLAN tags looked through: as many as the engine decodes. Real networks stack two.
pub const TAGS_MAX: usize = 4;

/// Attributes of a firewall log's message looked at: as many as the engine looks at.
const ATTRIBUTES_MAX: usize = 32;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

/// Both addresses of the packet the frame is dealt by, each folded to one word.
#[inline]
fn address_pair(link: LinkType, bytes: &[u8]) -> Option<(u32, u32)> {
    match link {
        LinkType::ETHERNET => by_ethertype(u16_at(bytes, 12)?, bytes.get(14..)?),
        LinkType::LINUX_SLL => by_ethertype(u16_at(bytes, 14)?, bytes.get(16..)?),
        LinkType::LINUX_SLL2 => by_ethertype(u16_at(bytes, 0)?, bytes.get(20..)?),
        LinkType::RAW => by_version(bytes),
        LinkType::IPV4 => ipv4(bytes),
        LinkType::IPV6 => ipv6(bytes),
        // The family's number differs by system (IPv6 is 10, 24, 28 or 30); the version does not.
        LinkType::NULL | LinkType::LOOP => by_version(bytes.get(4..)?),
        LinkType::PPP | LinkType::PPP_HDLC => ppp(bytes),
        LinkType::CISCO_HDLC => by_ethertype(u16_at(bytes, 2)?, bytes.get(4..)?),
        LinkType::NFLOG => nflog(bytes),
        _ => None,
    }
}

/// One arm a header that is looked through; the loop is what bounds the tags.
fn by_ethertype(mut ethertype: u16, mut payload: &[u8]) -> Option<(u32, u32)> {
    for _ in 0..=TAGS_MAX {
        match ethertype {
            ETHERTYPE_IPV4 => return ipv4(payload),
            ETHERTYPE_IPV6 => return ipv6(payload),
            // 802.1Q, 802.1ad, and the number QinQ had before that.
            0x8100 | 0x88a8 | 0x9100 => {
                ethertype = u16_at(payload, 2)?;
                payload = payload.get(4..)?;
            }
            // An 802.3 length: LLC with SNAP and organisation code 0 names the EtherType (RFC 1042).
            0..=0x05dc => {
                let snap = payload.strip_prefix(&[0xaa, 0xaa, 0x03, 0, 0, 0])?;
                return match u16_at(snap, 0)? {
                    ETHERTYPE_IPV4 => ipv4(snap.get(2..)?),
                    ETHERTYPE_IPV6 => ipv6(snap.get(2..)?),
                    _ => None,
                };
            }
            _ => return None,
        }
    }
    None
}

/// PPP, perhaps with HDLC framing and a protocol field of one byte.
fn ppp(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes) {
        [0x21, packet @ ..] | [0, 0x21, packet @ ..] => ipv4(packet),
        [0x57, packet @ ..] | [0, 0x57, packet @ ..] => ipv6(packet),
        _ => None,
    }
}

/// Attributes of length, type and value, padded to 4 bytes; type 9 is the packet.
fn nflog(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.get(4..)?;
    for _ in 0..ATTRIBUTES_MAX {
        let (&[l0, l1, k0, k1], value) = rest.split_first_chunk()?;
        let len = usize::from(u16::from_le_bytes([l0, l1])).checked_sub(4)?;
        if u16::from_le_bytes([k0, k1]) & 0x7fff == 9 {
            return by_version(value.get(..len).unwrap_or(value));
        }
        rest = value.get((len + 3) & !3..)?;
    }
    None
}

fn by_version(packet: &[u8]) -> Option<(u32, u32)> {
    match packet.first()? >> 4 {
        4 => ipv4(packet),
        6 => ipv6(packet),
        _ => None,
    }
}

fn ipv4(packet: &[u8]) -> Option<(u32, u32)> {
    let header: &[u8; 20] = packet.first_chunk()?;
    (header[0] >> 4 == 4).then(|| (word(header, 12), word(header, 16)))
}

fn ipv6(packet: &[u8]) -> Option<(u32, u32)> {
    let header: &[u8; 40] = packet.first_chunk()?;
    let fold = |at| {
        let upper = (word(header, at), word(header, at + 4), word(header, at + 8));
        let last = word(header, at + 12);
        match upper {
            // RFC 4291 §2.5.5.2.
            (0, 0, 0x0000_ffff) => last,
            (first, second, third) => first ^ second ^ third ^ last,
        }
    };
    (header[0] >> 4 == 6).then(|| (fold(8), fold(24)))
}

#[inline]
fn word<const N: usize>(header: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

#[inline]
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|two| u16::from_be_bytes(*two))
}

/// Two odd constants (the golden ratio's, and xxHash's second prime) keep XOR and sum apart; shift
/// and multiply bring the upper bits down to where `%` looks.
#[inline]
fn mix(a: u32, b: u32) -> u32 {
    let h = (a ^ b)
        .wrapping_mul(0x9e37_79b1)
        .wrapping_add(a.wrapping_add(b).wrapping_mul(0x85eb_ca77));
    let h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h ^ (h >> 16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An IP header between two addresses, both IPv4 or both IPv6.
    fn packet(from: &[u8], to: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; if from.len() == 4 { 12 } else { 8 }];
        packet[0] = if from.len() == 4 { 0x45 } else { 0x60 };
        packet.extend(from);
        packet.extend(to);
        packet
    }

    /// `packet` in Ethernet behind the tags given.
    fn ethernet(tags: &[u16], packet: &[u8]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        for tag in tags {
            frame.extend(tag.to_be_bytes());
            frame.extend([0, 7]);
        }
        frame.extend(if packet[0] >> 4 == 4 {
            [0x08, 0x00]
        } else {
            [0x86, 0xdd]
        });
        frame.extend(packet);
        frame
    }

    /// The values of the function in the module's header, computed apart from it in Python.
    #[test]
    fn vectors() {
        let v4 = packet(&[192, 0, 2, 1], &[198, 51, 100, 2]);
        assert_eq!(hash(LinkType::RAW, &v4), 0x8c79_f0f6);
        // 2001:db8::1 to 2001:db8::2: a = 0x20010db9, b = 0x20010dba.
        let mut from = [0_u8; 16];
        from[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        let mut to = from;
        from[15] = 1;
        to[15] = 2;
        assert_eq!(hash(LinkType::RAW, &packet(&from, &to)), 0x9385_767c);
    }

    /// Every way to carry a packet deals it alike; what is not whole IP goes to worker 0.
    #[test]
    fn link_types_agree() {
        let v4 = packet(&[10, 0, 0, 1], &[10, 0, 0, 2]);
        let v6 = packet(b"\x20\x01\x0d\xb8 twelve more", &[3; 16]);
        for packet in [&v4, &v6] {
            let expected = hash(LinkType::RAW, packet);
            assert_ne!(expected, 0);
            let own = if packet[0] >> 4 == 4 {
                LinkType::IPV4
            } else {
                LinkType::IPV6
            };
            assert_eq!(hash(own, packet), expected);
            for tags in [
                &[][..],
                &[0x8100],
                &[0x88a8, 0x8100],
                &[0x9100, 0x88a8, 0x8100],
            ] {
                assert_eq!(hash(LinkType::ETHERNET, &ethernet(tags, packet)), expected);
            }
            assert_eq!(
                hash(LinkType::ETHERNET, &ethernet(&[0x8100; 4], packet)),
                expected
            );
            assert_eq!(hash(LinkType::ETHERNET, &ethernet(&[0x8100; 5], packet)), 0);
            let kind = if packet[0] >> 4 == 4 {
                [8, 0]
            } else {
                [0x86, 0xdd]
            };
            let snap = [&[0xaa, 0xaa, 3, 0, 0, 0][..], &kind, packet].concat();
            let llc = [&[2; 12][..], &[0, 60], &snap].concat();
            assert_eq!(hash(LinkType::ETHERNET, &llc), expected);
            let tagged = [&[2; 12][..], &[0x81, 0, 0, 7, 0, 60], &snap].concat();
            assert_eq!(hash(LinkType::ETHERNET, &tagged), expected);
            let sll = [&[0; 14][..], &kind, packet].concat();
            assert_eq!(hash(LinkType::LINUX_SLL, &sll), expected);
            let sll2 = [&kind[..], &[0; 18], packet].concat();
            assert_eq!(hash(LinkType::LINUX_SLL2, &sll2), expected);
            let null = [&[2, 0, 0, 0][..], packet].concat();
            assert_eq!(hash(LinkType::NULL, &null), expected);
            assert_eq!(hash(LinkType::LOOP, &null), expected);
            let number = if packet[0] >> 4 == 4 { 0x21 } else { 0x57 };
            for head in [
                &[0xff, 3, 0, number][..],
                &[0xff, 3, number],
                &[0, number],
                &[number],
            ] {
                assert_eq!(hash(LinkType::PPP, &[head, packet].concat()), expected);
            }
            let hdlc = [&[0x0f, 0][..], &kind, packet].concat();
            assert_eq!(hash(LinkType::CISCO_HDLC, &hdlc), expected);
            let len = u8::try_from(4 + packet.len()).unwrap();
            let log = [
                &[2, 0, 0, 1, 5, 0, 10, 0, 7, 0, 0, 0, len, 0, 9, 0][..],
                packet,
            ]
            .concat();
            assert_eq!(hash(LinkType::NFLOG, &log), expected);
            for len in 0..packet.len() {
                assert_eq!(hash(LinkType::RAW, &packet[..len]), 0);
            }
        }
        let arp = [&[0xff; 12][..], &[0x08, 0x06], &[0; 28]].concat();
        assert_eq!(hash(LinkType::ETHERNET, &arp), 0);
        assert_eq!(hash(LinkType(147), &v4), 0);
    }

    /// A flow's key keeps an IPv4 address as its mapped one, so both go to one worker.
    #[test]
    fn a_mapped_address_goes_where_the_ipv4_address_goes() {
        let mapped = |last| {
            let mut addr = [0_u8; 16];
            addr[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, last]);
            addr
        };
        let v4 = packet(&[10, 0, 0, 1], &[10, 0, 0, 2]);
        let v6 = packet(&mapped(1), &mapped(2));
        assert_eq!(hash(LinkType::RAW, &v6), hash(LinkType::RAW, &v4));
    }

    /// 1,000 clients of one server spread over 4 workers within 15 % of even.
    #[test]
    fn spreads() {
        let mut counts = [0_u32; 4];
        for client in 0..1_000_u16 {
            let [high, low] = client.to_be_bytes();
            let bytes = packet(&[10, 0, high, low], &[10, 0, 200, 1]);
            let link = LinkType::RAW;
            let frame = Frame {
                ts_ns: 0,
                wire_len: 20,
                link,
                epoch: false,
                bytes: &bytes,
            };
            counts[dealt_to(&frame, 4)] += 1;
        }
        assert!(
            counts.iter().all(|count| (212..=288).contains(count)),
            "{counts:?}"
        );
    }

    proptest! {
        /// Both directions of any pair go to the same worker, and no bytes panic.
        #[test]
        fn symmetric(a in any::<[u8; 16]>(), b in any::<[u8; 16]>()) {
            let hash = |from: &[u8], to: &[u8]| hash(LinkType::RAW, &packet(from, to));
            prop_assert_eq!(hash(&a, &b), hash(&b, &a));
            prop_assert_eq!(hash(&a[..4], &b[..4]), hash(&b[..4], &a[..4]));
        }

        /// Any bytes at all are dealt to a worker there is.
        #[test]
        fn any_bytes(
            bytes in proptest::collection::vec(any::<u8>(), 0..120),
            link in prop_oneof![Just(0_u32), Just(1), Just(101), Just(113), Just(276), any::<u32>()],
            workers in 0_usize..9,
        ) {
            let link = LinkType(link);
            let frame = Frame { ts_ns: 0, wire_len: 0, link, epoch: false, bytes: &bytes };
            prop_assert!(dealt_to(&frame, workers) < workers.max(1));
        }
    }
}
