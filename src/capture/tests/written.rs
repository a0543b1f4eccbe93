//! Capture files written by the tests, field by field from the drafts.

/// A packet: time in nanoseconds, length on the wire, bytes.
pub(crate) type Packet = (u64, u32, Vec<u8>);

/// How to write a pcap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) big_endian: bool,
    pub(crate) nanoseconds: bool,
}

pub(crate) const PLAIN: Style = Style {
    big_endian: false,
    nanoseconds: true,
};

impl Style {
    fn u32(self, value: u32) -> [u8; 4] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn u16(self, value: u16) -> [u8; 2] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }
}

/// A pcap of Ethernet packets; times are cut to the unit of the style.
pub(crate) fn pcap(style: Style, packets: &[Packet]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(style.u32(if style.nanoseconds {
        0xa1b2_3c4d
    } else {
        0xa1b2_c3d4
    }));
    file.extend([style.u16(2), style.u16(4)].concat());
    for field in [0, 0, 262_144, 1] {
        file.extend(style.u32(field));
    }
    let unit = if style.nanoseconds { 1 } else { 1_000 };
    for (ts_ns, wire_len, bytes) in packets {
        let fraction = ts_ns % 1_000_000_000 / unit;
        for field in [
            ts_ns / 1_000_000_000,
            fraction,
            bytes.len() as u64,
            u64::from(*wire_len),
        ] {
            file.extend(style.u32(u32::try_from(field).unwrap()));
        }
        file.extend(bytes);
    }
    file
}

/// A pcapng section in which packets go round four interfaces: microseconds without options,
/// nanoseconds, 2^-30 s (times only to that precision), and milliseconds with an offset of 100 s.
/// Every third packet is of the obsolete type. Unknown blocks lie between.
pub(crate) fn pcapng(style: Style, packets: &[Packet]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut block = |kind: u32, body: &[&[u8]]| {
        let body = body.concat();
        let padded = body.len().next_multiple_of(4);
        let length = style.u32(u32::try_from(padded + 12).unwrap());
        file.extend(style.u32(kind));
        file.extend(length);
        file.extend(&body);
        file.resize(file.len() + padded - body.len(), 0);
        file.extend(length);
    };
    block(
        0x0a0d_0d0a,
        &[
            &style.u32(0x1a2b_3c4d),
            &style.u16(1),
            &style.u16(0),
            &[0xff; 8],
        ],
    );
    let head = [style.u16(1), style.u16(0)].concat();
    let head: &[u8] = &[&head[..], &style.u32(0)].concat();
    let end = style.u32(0);
    let resolution = |value: u8| [&style.u16(9)[..], &style.u16(1), &[value, 0, 0, 0]].concat();
    block(1, &[head]);
    block(1, &[head, &resolution(9), &end]);
    block(1, &[head, &resolution(0x80 | 30), &end]);
    let offset = if style.big_endian {
        100_i64.to_be_bytes()
    } else {
        100_i64.to_le_bytes()
    };
    let offset = [&style.u16(14)[..], &style.u16(8), &offset].concat();
    block(1, &[head, &resolution(3), &offset, &end]);
    for (index, (ts_ns, wire_len, bytes)) in packets.iter().enumerate() {
        let interface = u16::try_from(index % 4).unwrap();
        let time = match interface {
            0 => ts_ns / 1_000,
            1 => *ts_ns,
            2 => u64::try_from((u128::from(*ts_ns) << 30) / 1_000_000_000).unwrap(),
            _ => (ts_ns - 100_000_000_000) / 1_000_000,
        };
        let captured = u32::try_from(bytes.len()).unwrap();
        let [high, low] = [time >> 32, time & 0xffff_ffff].map(|half| u32::try_from(half).unwrap());
        let tail = [high, low, captured, *wire_len]
            .map(|field| style.u32(field))
            .concat();
        let padding = vec![0; bytes.len().next_multiple_of(4) - bytes.len()];
        if index % 3 == 0 {
            let first = [style.u16(interface), style.u16(0xffff)].concat();
            block(2, &[&first, &tail, bytes]);
        } else {
            let comment = [&style.u16(1)[..], &style.u16(3), b"hey\0", &end].concat();
            block(
                6,
                &[
                    &style.u32(u32::from(interface)),
                    &tail,
                    bytes,
                    &padding,
                    &comment,
                ],
            );
        }
        if index % 5 == 0 {
            block(0xbad, &[b"something else"]);
        }
    }
    file
}
