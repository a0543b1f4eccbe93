//! NTP: who sets his clock by whom.
//!
//! Standard: RFC 5905 §7.3 (header), §7.5 (extension fields); modes 6 and 7 are told by their number only.
//! Input:    UDP datagrams of port 123, both directions.
//! Output:   one `ntp` record per message; that a server answers, once a flow.
//! Bounds:   16 extension fields are counted.
//! Units:    times on the wire count from 1900, or from 2036 where their first bit is not set (RFC 4330 §3).
//!           A time that is not set (0) is left out, where Zeek writes 0.
//! Not done: what modes 6 and 7 ask.

use compact_str::format_compact;

use super::lines::TEXT_LEN_MAX;
use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::record;
use crate::types::{Clue, ClueKind, Interval, Text, Timestamp, text};

/// Length of a header.
const HEADER_LEN: usize = 48;
/// A message authentication code is no longer (RFC 7822 §7.5.1).
const MAC_LEN_MAX: usize = 24;
/// Shortest extension field.
const EXTENSION_LEN_MIN: usize = 16;
/// Extension fields counted.
const EXTENSIONS_MAX: u8 = 16;
/// Seconds from 1900 to 1970.
const EPOCH_SECS: i64 = 2_208_988_800;

record! {
    /// One NTP message (Zeek's `ntp.log`).
    pub struct NtpRecord = "ntp" {
        /// Version, 1 to 4.
        pub version: u8 = "version",
        /// 1 symmetric active, 2 passive, 3 client, 4 server, 5 broadcast, 6 control, 7 private.
        pub mode: u8 = "mode",
        /// Distance from a reference clock, which has 0 itself; 0 also for "unspecified".
        pub stratum: Option<u8> = "stratum",
        /// Longest time between messages.
        pub poll: Option<Interval> = "poll",
        /// Precision of the sender's clock.
        pub precision: Option<Interval> = "precision",
        /// Round trip to the reference clock.
        pub root_delay: Option<Interval> = "root_delay",
        /// Dispersion to the reference clock.
        pub root_disp: Option<Interval> = "root_disp",
        /// Reference: a name of four letters, or the address of the server the sender follows.
        pub ref_id: Option<Text> = "ref_id",
        /// When the clock was last set.
        pub ref_time: Option<Timestamp> = "ref_time",
        /// When the request left the client.
        pub org_time: Option<Timestamp> = "org_time",
        /// When it came to the server.
        pub rec_time: Option<Timestamp> = "rec_time",
        /// When this message left.
        pub xmt_time: Option<Timestamp> = "xmt_time",
        /// Extension fields.
        pub num_exts: u8 = "num_exts",
    }
}

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Ntp {
    serves: bool,
}

impl Protocol for Ntp {
    const NAME: &'static str = "ntp";
    const PORTS: &'static [Port] = &[Port::Udp(123)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match start.first().and_then(|first| version_and_mode(*first)) {
            Some((_, mode)) if start.len() >= len_min(mode) => {
                // No clock is further away than 16 (RFC 5905 §7.3).
                let near = mode >= 6 || start.get(1).is_some_and(|stratum| *stratum <= 16);
                if near { Probe::Unsure } else { Probe::NotMine }
            }
            _ => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            return Parse::Broken("ntp_stream");
        }
        let Some(record) = read(input.data) else {
            return Parse::Broken("ntp_malformed");
        };
        let synchronised = (1..16).contains(&record.stratum.unwrap_or(0));
        if record.mode == 4 && synchronised && !self.serves {
            self.serves = true;
            let side = match input.dir {
                Dir::Orig => out.flow.orig,
                Dir::Resp => out.flow.resp,
            };
            out.clue(Clue {
                mac: None,
                ip: Some(side.ip()),
                kind: ClueKind::Serves,
                evidence: "ntp answer",
                value: "ntp".into(),
            });
        }
        out.record(input.ts, record);
        let used = input.data.len();
        Parse::Parsed { used }
    }
}

/// Version and mode in the first byte.
fn version_and_mode(first: u8) -> Option<(u8, u8)> {
    let (version, mode) = (first >> 3 & 7, first & 7);
    ((1..=4).contains(&version) && mode != 0).then_some((version, mode))
}

/// Length of the shortest message of a mode.
fn len_min(mode: u8) -> usize {
    if mode >= 6 { 8 } else { HEADER_LEN }
}

/// Reads a message; `None` if it is none.
fn read(data: &[u8]) -> Option<NtpRecord> {
    let (version, mode) = version_and_mode(*data.first()?)?;
    if data.len() < len_min(mode) {
        return None;
    }
    let bare = NtpRecord {
        version,
        mode,
        ..NtpRecord::default()
    };
    if mode >= 6 {
        // The private mode has its response bit where the others have the leap indicator.
        return Some(bare);
    }
    let header = data.first_chunk::<HEADER_LEN>()?;
    let [_, stratum, poll, precision, rest @ ..] = header;
    let words = |at: usize| {
        let bytes = rest.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*bytes))
    };
    let id = rest.get(8..12)?;
    let time = |at: usize| Some(timestamp(words(at)?, words(at.checked_add(4)?)?)).flatten();
    Some(NtpRecord {
        stratum: Some(*stratum),
        poll: Some(power(*poll)),
        precision: Some(power(*precision)),
        root_delay: Some(fixed(words(0)?)),
        root_disp: Some(fixed(words(4)?)),
        ref_id: reference(*stratum, id),
        ref_time: time(12),
        org_time: time(20),
        rec_time: time(28),
        xmt_time: time(36),
        num_exts: extensions(data.get(HEADER_LEN..)?),
        ..bare
    })
}

/// Two to the power of a signed byte, as seconds.
fn power(exponent: u8) -> Interval {
    let exponent = i8::from_be_bytes([exponent]);
    let second = 1_000_000_000_i64;
    let magnitude = u32::from(exponent.unsigned_abs());
    Interval(if exponent >= 0 {
        1_i64
            .checked_shl(magnitude.min(33))
            .and_then(|whole| whole.checked_mul(second))
            .unwrap_or(i64::MAX)
    } else {
        second.checked_shr(magnitude).unwrap_or(0)
    })
}

/// Sixteen bits of seconds and sixteen of their fraction.
fn fixed(bits: u32) -> Interval {
    let nanos = u64::from(bits).saturating_mul(1_000_000_000) >> 16;
    Interval(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// Seconds and fraction; `None` if it is not set.
fn timestamp(seconds: u32, fraction: u32) -> Option<Timestamp> {
    if (seconds, fraction) == (0, 0) {
        return None;
    }
    let era = if seconds >> 31 == 1 { 0 } else { 1_i64 << 32 };
    let seconds = i64::from(seconds)
        .saturating_add(era)
        .saturating_sub(EPOCH_SECS);
    let nanos = u64::from(fraction).saturating_mul(1_000_000_000) >> 32;
    let nanos = i64::try_from(nanos).unwrap_or(0);
    let whole = seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?;
    Some(Timestamp::from_nanos(whole))
}

/// The reference (RFC 5905 §7.3): letters up to stratum 1, an address beyond.
fn reference(stratum: u8, id: &[u8]) -> Option<Text> {
    let [a, b, c, d] = id else {
        return None;
    };
    if stratum >= 2 {
        return Some(format_compact!("{a}.{b}.{c}.{d}"));
    }
    let end = id.iter().position(|byte| *byte == 0).unwrap_or(id.len());
    let name = text(id.get(..end)?, TEXT_LEN_MAX);
    Some(name).filter(|name| !name.is_empty())
}

/// Extension fields before a message authentication code.
fn extensions(mut rest: &[u8]) -> u8 {
    let mut count = 0_u8;
    while rest.len() > MAC_LEN_MAX
        && count < EXTENSIONS_MAX
        && let [_, _, high, low, ..] = rest
    {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(behind) = rest.get(len..).filter(|_| len >= EXTENSION_LEN_MIN) else {
            break;
        };
        (rest, count) = (behind, count.saturating_add(1));
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::testing::{datagrams, endures};
    use super::*;

    /// Leap 0, version 4, mode 4; stratum 1, poll 2^8 s, precision 2^-20 s; delay 1.5 s, dispersion 65 / 65536 s.
    const ANSWER: [u8; 48] = [
        0x24, 0x01, 0x08, 0xec, 0, 1, 0x80, 0, 0, 0, 0, 0x41, b'G', b'P', b'S', 0, //
        0xdb, 0xac, 0xa3, 0xe7, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
        0xdb, 0xac, 0xa3, 0xe8, 0, 0, 0, 0, 0xdb, 0xac, 0xa3, 0xe8, 0x40, 0, 0, 0,
    ];

    #[test]
    fn a_servers_answer() {
        let told = datagrams::<Ntp>(123, &[(Dir::Resp, &ANSWER)]);
        // 0xdbaca3e7 - 2208988800 = 3685524455 - 2208988800 = 1476535655.
        assert_eq!(
            told.records,
            [concat!(
                r#"ntp {"version":4,"mode":4,"stratum":1,"poll":256.000000,"precision":0.000000,"#,
                r#""root_delay":1.500000,"root_disp":0.000991,"ref_id":"GPS","ref_time":1476535655.500000,"#,
                r#""rec_time":1476535656.000000,"xmt_time":1476535656.250000,"num_exts":0}"#
            )]
        );
        assert_eq!(
            (told.clues.len(), told.clues[0].kind),
            (1, ClueKind::Serves)
        );
    }

    #[test]
    fn references_powers_eras_extensions() {
        assert_eq!(reference(2, &[192, 0, 2, 1]), Some("192.0.2.1".into()));
        assert_eq!(reference(0, b"RATE"), Some("RATE".into()));
        assert_eq!(power(0xfa), Interval(15_625_000));
        assert_eq!(power(0x7f), Interval(8_589_934_592_000_000_000));
        // RFC 5905 figure 4: 2036-02-07 06:28:16 is 0 of era 1.
        let era_1 = timestamp(0, 1 << 31).unwrap();
        assert_eq!(era_1.nanos(), 2_085_978_496_500_000_000);
        // A field of 16 bytes, then a MAC of 20 and one more byte that makes it too long for one.
        let mut field = vec![0, 4, 0, 16];
        field.extend([0; 12 + 20]);
        assert_eq!(extensions(&field), 1);
        assert_eq!(extensions(&[0; 20]), 0);
    }

    #[test]
    fn modes_of_control_and_what_is_no_ntp() {
        let told = datagrams::<Ntp>(
            123,
            &[(Dir::Orig, &[0x16, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])],
        );
        assert_eq!(told.records, [r#"ntp {"version":2,"mode":6,"num_exts":0}"#]);
        assert_eq!(Ntp::probe(&[0x00; 48], Dir::Orig), Probe::NotMine);
        assert_eq!(Ntp::probe(&ANSWER[..47], Dir::Orig), Probe::NotMine);
        assert_eq!(Ntp::probe(&ANSWER, Dir::Orig), Probe::Unsure);
        endures::<Ntp>(&[(Dir::Resp, &ANSWER)], true);
    }
}
