//! SDP in the body of a message: where media are awaited.
//!
//! Standard: RFC 8866 §5.7 (`c=`), §5.14 (`m=`); RFC 3605 (`a=rtcp`); RFC 3550 §11: RTCP goes to the next port.
//! Output:   address and port of each stream of RTP, and of its RTCP.
//! Bounds:   8 KiB of a body; 8 media, of each 4 ports.
//! Not done: candidates (RFC 8839), whose flows begin with STUN and are known by it; parts of a body of several.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use compact_str::ToCompactString as _;

use super::super::{Out, rtcp::Rtcp, rtp::Rtp};
use crate::proto::Protocol as _;
use crate::types::{Clue, ClueKind};

/// Bytes of a body that are looked at.
pub(super) const BODY_LEN_MAX: usize = 8 * 1024;
/// Media of one description.
const MEDIA_MAX: usize = 8;
/// Ports of one medium.
const PORTS_MAX: u16 = 4;

/// Whether a `Content-Type` is that of a description.
pub(super) fn is_description(content_type: Option<&str>) -> bool {
    let kind = content_type.unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/sdp")
}

/// Tells where the media of a description are awaited.
pub(super) fn announce(body: &[u8], out: &mut Out<'_>) {
    let body = body.get(..BODY_LEN_MAX).unwrap_or(body);
    each(body, &mut |to, port, service| {
        out.clue(Clue {
            mac: None,
            ip: Some(to),
            kind: ClueKind::Announced,
            evidence: service,
            value: port.to_compact_string(),
        });
    });
}

/// One medium, as far as it was read.
#[derive(Debug)]
struct Media {
    port: u16,
    count: u16,
    /// Where to; of the whole description, unless the medium has its own.
    to: Option<IpAddr>,
    rtcp: Option<(u16, Option<IpAddr>)>,
}

/// Calls for each stream with address, port and service.
fn each(body: &[u8], call: &mut dyn FnMut(IpAddr, u16, &'static str)) {
    let (mut to, mut open, mut media) = (None, None::<Media>, 0_usize);
    for line in body.split(|byte| matches!(byte, b'\r' | b'\n')) {
        let Ok(line) = str::from_utf8(line) else {
            continue;
        };
        if let Some(rest) = line.strip_prefix("m=") {
            tell(open.take(), call);
            media = media.saturating_add(1);
            if media > MEDIA_MAX {
                return;
            }
            open = medium(rest, to);
        } else if let Some(rest) = line.strip_prefix("c=") {
            match &mut open {
                Some(open) => open.to = address(rest),
                None if media == 0 => to = address(rest),
                // Of a medium that is none of ours.
                None => {}
            }
        } else if let (Some(rest), Some(open)) = (line.strip_prefix("a=rtcp:"), &mut open) {
            let (port, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            open.rtcp = port.parse().ok().map(|port| (port, address(rest)));
        }
    }
    tell(open, call);
}

/// `audio 49170/2 RTP/AVP 0`; a port of 0 refuses the medium.
fn medium(rest: &str, to: Option<IpAddr>) -> Option<Media> {
    let mut words = rest.split(' ');
    let (_kind, port, over) = (words.next()?, words.next()?, words.next()?);
    let (port, count) = port.split_once('/').unwrap_or((port, "1"));
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let is_rtp = over.contains("RTP/") && !over.starts_with("TCP/");
    is_rtp.then_some(Media {
        port,
        count: count.parse().unwrap_or(1).clamp(1, PORTS_MAX),
        to,
        rtcp: None,
    })
}

/// `IN IP4 224.2.36.42/127`; none of a call that is held (`0.0.0.0`) or where a name stands.
fn address(rest: &str) -> Option<IpAddr> {
    let mut words = rest.split(' ');
    let (net, family, address) = (words.next()?, words.next()?, words.next()?);
    let address = address.split('/').next()?;
    let address = match (net, family) {
        ("IN", "IP4") => address.parse::<Ipv4Addr>().ok()?.into(),
        ("IN", "IP6") => address.parse::<Ipv6Addr>().ok()?.into(),
        _ => return None,
    };
    Some(address).filter(|address: &IpAddr| !address.is_unspecified())
}

/// Media of several ports have every second one; RTCP lies between (RFC 8866 §5.14).
fn tell(media: Option<Media>, call: &mut dyn FnMut(IpAddr, u16, &'static str)) {
    let Some(Media {
        port,
        count,
        to: Some(to),
        rtcp,
    }) = media
    else {
        return;
    };
    for number in 0..count {
        let Some(port) = number.checked_mul(2).and_then(|n| port.checked_add(n)) else {
            return;
        };
        call(to, port, Rtp::NAME);
        match rtcp {
            Some((port, own)) if number == 0 => call(own.unwrap_or(to), port, Rtcp::NAME),
            _ => {
                if let Some(next) = port.checked_add(1) {
                    call(to, next, Rtcp::NAME);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(body: &str) -> Vec<String> {
        let mut all = Vec::new();
        each(body.as_bytes(), &mut |to, port, service| {
            all.push(format!("{service} {to} {port}"));
        });
        all
    }

    /// RFC 4317 §2.1 (audio and video, the second without an address of its own), RFC 3605 §2.1 and RFC 8866 §5.7.
    #[test]
    fn published_descriptions() {
        let offer = "v=0\r\no=alice 2890844526 2890844526 IN IP4 host.atlanta.example.com\r\ns= \r\n\
            c=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 49170 RTP/AVP 0 8 97\r\na=rtpmap:0 PCMU/8000\r\n\
            m=video 51372 RTP/AVP 31 32\r\na=rtpmap:31 H261/90000\r\n";
        assert_eq!(
            all(offer),
            [
                "rtp 192.0.2.1 49170",
                "rtcp 192.0.2.1 49171",
                "rtp 192.0.2.1 51372",
                "rtcp 192.0.2.1 51373",
            ]
        );
        let apart = "c=IN IP4 126.16.64.3\nm=audio 49170 RTP/AVP 0\na=rtcp:53020\n\
            m=audio 49180 RTP/AVP 0\na=rtcp:53021 IN IP6 2001:2345:6789:ABCD:EF01:2345:6789:ABCD\n";
        assert_eq!(
            all(apart),
            [
                "rtp 126.16.64.3 49170",
                "rtcp 126.16.64.3 53020",
                "rtp 126.16.64.3 49180",
                "rtcp 2001:2345:6789:abcd:ef01:2345:6789:abcd 53021",
            ]
        );
        let group = "m=video 49170/2 RTP/AVP 31\r\nc=IN IP4 233.252.0.1/127\r\n";
        let ports = ["rtp 233.252.0.1 49170", "rtcp 233.252.0.1 49171"];
        assert_eq!(all(group)[..2], ports);
        assert_eq!(
            all(group)[2..],
            ["rtp 233.252.0.1 49172", "rtcp 233.252.0.1 49173"]
        );
    }

    #[test]
    fn what_announces_nothing() {
        for body in [
            "c=IN IP4 192.0.2.1\r\nm=audio 0 RTP/AVP 0\r\n",
            "c=IN IP4 0.0.0.0\r\nm=audio 49170 RTP/AVP 0\r\n",
            "m=audio 49170 RTP/AVP 0\r\n",
            "c=IN IP4 host.example\r\nm=audio 49170 RTP/AVP 0\r\n",
            "c=IN IP4 192.0.2.1\r\nm=image 49170 udptl t38\r\n",
            "c=IN IP4 192.0.2.1\r\nm=audio 9 TCP/RTP/AVP 0\r\n",
            "c=IN IP4 192.0.2.1\r\nm=audio 65536 RTP/AVP 0\r\n",
            "c=IN IP4 192.0.2.1\r\nm=audio\r\n",
        ] {
            assert_eq!(all(body), [""; 0], "{body}");
        }
        // Media without number, ports without number.
        let many = "m=audio 4000/9999 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n".repeat(40);
        assert_eq!(all(&many).len(), MEDIA_MAX * 2 * usize::from(PORTS_MAX));
        assert_eq!(
            all("c=IN IP4 192.0.2.1\nm=a 65535/4 RTP/AVP 0\n"),
            ["rtp 192.0.2.1 65535"]
        );
        let kinds = [
            Some("Application/SDP; charset=utf-8"),
            Some("text/plain"),
            None,
        ];
        assert_eq!(kinds.map(is_description), [true, false, false]);
    }

    proptest! {
        #[test]
        fn any_body_is_borne(lines in prop::collection::vec("(m=|c=IN IP4 |a=rtcp:)?[0-9a/. P]{0,20}", 0..40)) {
            let _all = all(&lines.join("\r\n"));
        }
    }
}
