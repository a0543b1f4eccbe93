//! The far end of a cable, and frames put together by hand.

use pcap::{Active, Capture};

/// An interface read and written through libpcap, which has nothing of ours in it.
pub(crate) struct Wire {
    capture: Capture<Active>,
}

impl Wire {
    pub(crate) fn open(interface: &str) -> Self {
        let capture = Capture::from_device(interface)
            .expect("a device")
            .immediate_mode(true)
            .promisc(true)
            .timeout(10_000)
            .open()
            .expect("opens");
        capture.direction(pcap::Direction::In).expect("a direction");
        Self { capture }
    }

    /// Puts a frame on the cable.
    pub(crate) fn send(&mut self, frame: &[u8]) {
        self.capture.sendpacket(frame).expect("sent");
    }

    /// As [`Wire::send`], on a link that may not be up again.
    pub(crate) fn try_send(&mut self, frame: &[u8]) {
        let _lost = self.capture.sendpacket(frame);
    }

    /// The frames that arrive before `last` does; a cable that says nothing for 10 s ends the test.
    pub(crate) fn until(&mut self, last: &[u8]) -> Vec<Vec<u8>> {
        let mut got = Vec::new();
        loop {
            let frame = self.capture.next_packet().expect("a frame within 10 s");
            if frame.data == last {
                return got;
            }
            got.push(frame.data.to_vec());
        }
    }
}

/// An Ethernet frame to a fixed station.
pub(crate) fn tagged(from: [u8; 6], tags: &[[u8; 4]], kind: [u8; 2], packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 0x77];
    frame.extend(from);
    frame.extend(tags.concat());
    frame.extend(kind);
    frame.extend(packet);
    frame
}

/// IPv4 from 10.0.0.1 to 10.0.0.2; `fragment` is the field of flags and offset.
pub(crate) fn ipv4(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    ipv4_between(1, 2, protocol, fragment, payload)
}

/// As [`ipv4`], from 10.0.0.`from` to 10.0.0.`to`.
pub(crate) fn ipv4_between(
    from: u8,
    to: u8,
    protocol: u8,
    fragment: u16,
    payload: &[u8],
) -> Vec<u8> {
    let len = u16::try_from(20 + payload.len())
        .expect("short")
        .to_be_bytes();
    let fragment = fragment.to_be_bytes();
    let mut packet = vec![0x45, 0, len[0], len[1], 0, 1, fragment[0], fragment[1]];
    packet.extend([64, protocol, 0, 0, 10, 0, 0, from, 10, 0, 0, to]);
    packet.extend(payload);
    packet
}

/// IPv6 from 2001:db8::1 to 2001:db8::2.
pub(crate) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).expect("short").to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, len[0], len[1], next, 64];
    for last in [1, 2] {
        packet.extend([
            0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last,
        ]);
    }
    packet.extend(payload);
    packet
}

/// TCP from port 80 to port 1024, its checksum left open.
pub(crate) fn tcp(sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0, 80, 4, 0];
    segment.extend(sequence.to_be_bytes());
    segment.extend([0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
    segment.extend(payload);
    segment
}
