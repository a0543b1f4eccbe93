//! NetBIOS datagrams: what Windows machines and servers like Samba say of themselves every few minutes.
//!
//! Standard: RFC 1002 §4.4.2 (datagram), §4.1 (names); \[MS-CIFS\] 2.2.4.33 (transaction), \[MS-MAIL\] 2.2.1 (mailslot);
//!           \[MS-BRWS\] 2.2.1, 2.2.10 (announcements).
//! Input:    UDP, port 138; the first fragment of a datagram.
//! Output:   clues: the sender's name, what it runs and serves, as it announces them. No record.
//! Bounds:   16 bytes a name.
//! Not done: fragments are not joined (announcements have none); elections, logon requests.

use compact_str::format_compact;

use super::{Dir, Input, Out, Over, Parse, Port, Probe, Protocol};
use crate::types::{Clue, ClueKind, Text, text};

/// Bytes before the names.
const HEADER_LEN: usize = 14;
/// An encoded name: its length, 32 letters, the end.
const NAME_LEN: usize = 34;
/// Where the SMB message begins; both names have no scope.
const MESSAGE_AT: usize = HEADER_LEN + 2 * NAME_LEN;
/// Characters of a name.
const NAME_LEN_MAX: usize = 15;
/// Roles a server announces (\[MS-BRWS\] 2.2.1, ServerType) and what it thus serves.
const ROLES: [(u32, &str); 5] = [
    (0x0000_0004, "SQL"),
    (0x0000_0008, "domain"),
    (0x0000_0010, "domain"),
    (0x0000_0020, "time"),
    (0x0000_0200, "printing"),
];

/// Parser of one flow.
#[derive(Debug, Default)]
pub struct Nbdgm {
    /// Who told what last, so that it is told once.
    told: Option<(Dir, Announced)>,
}

/// What a machine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Announced {
    name: Text,
    system: Text,
    roles: u32,
}

impl Protocol for Nbdgm {
    const NAME: &'static str = "nbdgm";
    const PORTS: &'static [Port] = &[Port::Udp(138)];
    const OVER: Over = Over::Datagrams;

    fn probe(start: &[u8], _dir: Dir) -> Probe {
        match header(start) {
            Some(_) => Probe::Unsure,
            None => Probe::NotMine,
        }
    }

    fn parse(&mut self, input: Input<'_>, out: &mut Out<'_>) -> Parse {
        if !input.datagram {
            return Parse::Broken("nbdgm_stream");
        }
        if let Some(found) = header(input.data).and_then(announcement) {
            let told = Some((input.dir, found));
            if self.told != told {
                self.told = told;
                self.tell(out);
            }
        }
        Parse::Parsed {
            used: input.data.len().max(1),
        }
    }
}

impl Nbdgm {
    fn tell(&self, out: &mut Out<'_>) {
        let Some((dir, found)) = &self.told else {
            return;
        };
        let end = match dir {
            Dir::Orig => out.flow.orig,
            Dir::Resp => out.flow.resp,
        };
        let mut clue = |kind, evidence, value: &str| {
            out.clue(Clue {
                mac: None,
                ip: Some(end.ip()),
                kind,
                evidence,
                value: Text::from(value),
            });
        };
        clue(ClueKind::HostName, "browser", &found.name);
        if !found.system.is_empty() {
            clue(ClueKind::Software, "browser version", &found.system);
        }
        let mut last = "";
        for (bit, role) in ROLES {
            if found.roles & bit != 0 && role != last {
                clue(ClueKind::Serves, "browser", role);
                last = role;
            }
        }
    }
}

/// The message of a direct or broadcast datagram that is not a later fragment.
fn header(data: &[u8]) -> Option<&[u8]> {
    /// DIRECT_UNIQUE, DIRECT_GROUP, BROADCAST.
    const KINDS: std::ops::RangeInclusive<u8> = 0x10..=0x12;
    let (kind, offset) = (*data.first()?, data.get(12..HEADER_LEN)?);
    let is_name = |at| {
        let &[32, ref letters @ .., 0] = data.get(at..)?.first_chunk::<NAME_LEN>()? else {
            return None;
        };
        let mut letters = letters.iter();
        letters
            .all(|letter| (b'A'..=b'P').contains(letter))
            .then_some(())
    };
    is_name(HEADER_LEN)?;
    is_name(HEADER_LEN + NAME_LEN)?;
    (KINDS.contains(&kind) && offset == [0, 0]).then(|| data.get(MESSAGE_AT..))?
}

/// A HostAnnouncement or LocalMasterAnnouncement within a write to the mailslot of browsers.
fn announcement(message: &[u8]) -> Option<Announced> {
    /// SMB_COM_TRANSACTION.
    const TRANSACTION: u8 = 0x25;
    const HOST: u8 = 1;
    const LOCAL_MASTER: u8 = 15;
    /// SV_TYPE_SERVER_UNIX.
    const SERVER_UNIX: u32 = 0x800;
    const SLOT: &[u8] = b"\\MAILSLOT\\BROWSE\0";
    if !message.starts_with(b"\xffSMB") || *message.get(4)? != TRANSACTION {
        return None;
    }
    // Words begin at 33; DataOffset is the thirteenth. The name of the mailslot is never UTF-16 here.
    let words = usize::from(*message.get(32)?);
    let name_at = words.checked_mul(2)?.checked_add(35)?;
    let slot = message.get(name_at..)?;
    if !slot.get(..SLOT.len())?.eq_ignore_ascii_case(SLOT) {
        return None;
    }
    let offset = u16::from_le_bytes(*message.get(57..)?.first_chunk()?);
    let frame = message.get(usize::from(offset)..)?;
    if !matches!(*frame.first()?, HOST | LOCAL_MASTER) {
        return None;
    }
    let name = frame.get(6..22)?;
    let end = memchr::memchr(0, name).unwrap_or(NAME_LEN_MAX);
    let (&[major, minor], roles) = (
        frame.get(22..)?.first_chunk()?,
        frame.get(24..)?.first_chunk()?,
    );
    let roles = u32::from_le_bytes(*roles);
    Some(Announced {
        name: text(name.get(..end)?, NAME_LEN_MAX),
        // Others announce a Windows that they only imitate.
        system: match roles & SERVER_UNIX {
            0 => format_compact!("Windows {major}.{minor}"),
            _ => Text::default(),
        },
        roles,
    })
    .filter(|found| !found.name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Body, FlowRef, Observations, Timestamp};

    /// A name as RFC 1001 14.1 codes it: each half of a byte is a letter from A on.
    fn coded(name: &str, kind: u8) -> Vec<u8> {
        let mut out = vec![32];
        let padded = name.bytes().chain(std::iter::repeat(b' ')).take(15);
        for byte in padded.chain([kind]) {
            out.extend([b'A' + (byte >> 4), b'A' + (byte & 15)]);
        }
        out.push(0);
        out
    }

    /// A host that announces itself to its workgroup.
    fn datagram(opcode: u8, name: &str, roles: u32) -> Vec<u8> {
        let mut frame = vec![opcode, 3]; // UpdateCount
        frame.extend(720_000_u32.to_le_bytes()); // Periodicity: 12 minutes
        let mut server = name.as_bytes().to_vec();
        server.resize(16, 0);
        frame.extend(server);
        frame.extend([6, 1]); // OSVersionMajor, OSVersionMinor
        frame.extend(roles.to_le_bytes());
        frame.extend([15, 1, 0x55, 0xaa, 0]); // browser version, signature, no comment
        let slot = b"\\MAILSLOT\\BROWSE\0";
        let mut message = b"\xffSMB\x25".to_vec();
        message.resize(32, 0);
        message.push(17); // WordCount
        message.extend([0; 22]); // TotalParameterCount … ParameterOffset
        message.extend(u16::try_from(frame.len()).unwrap().to_le_bytes()); // DataCount
        let offset = 33 + 34 + 2 + slot.len();
        message.extend(u16::try_from(offset).unwrap().to_le_bytes());
        message.extend([3, 0, 1, 0, 1, 0, 2, 0]); // SetupCount, MAILSLOT_WRITE, priority, class
        message.extend(
            u16::try_from(slot.len() + frame.len())
                .unwrap()
                .to_le_bytes(),
        );
        message.extend(slot);
        message.extend(frame);
        let mut out = vec![0x11, 2, 0x80, 1, 10, 0, 0, 5, 0, 138]; // DIRECT_GROUP … SOURCE_PORT
        out.extend(u16::try_from(message.len() + 68).unwrap().to_be_bytes());
        out.extend([0, 0]); // PACKET_OFFSET
        out.extend(coded(name, 0));
        out.extend(coded("WORKGROUP", 0x1d));
        out.extend(message);
        out
    }

    fn run(datagrams: &[Vec<u8>]) -> Vec<String> {
        let (flow, ts) = (FlowRef::default(), Timestamp::from_secs(1));
        let (mut seen, mut parser) = (Observations::new(), Nbdgm::default());
        for data in datagrams {
            let input = Input {
                ts,
                dir: Dir::Orig,
                data,
                gap: 0,
                datagram: true,
            };
            let answer = parser.parse(input, &mut Out::new(&flow, ts, &mut seen));
            assert!(matches!(answer, Parse::Parsed { .. }));
        }
        let clue = |body: &Body| match body {
            Body::Clue(clue) => format!("{:?} {}: {}", clue.kind, clue.evidence, clue.value),
            _ => "no clue".to_owned(),
        };
        seen.iter().map(|seen| clue(&seen.body)).collect()
    }

    #[test]
    fn a_host_says_what_it_is_once() {
        let host = datagram(1, "DC1", 0x0000_1003 | 8 | 0x10 | 0x20);
        assert_eq!(Nbdgm::probe(&host, Dir::Orig), Probe::Unsure);
        assert_eq!(
            run(&[host.clone(), host]),
            [
                "HostName browser: DC1",
                "Software browser version: Windows 6.1",
                "Serves browser: domain",
                "Serves browser: time",
            ]
        );
    }

    #[test]
    fn who_imitates_windows_is_not_called_so() {
        let rows = run(&[datagram(15, "NAS", 0x803)]);
        assert_eq!(rows, ["HostName browser: NAS"]);
        // A question, which has other fields in those places.
        assert!(run(&[datagram(2, "PC", 0)]).is_empty());
    }

    #[test]
    fn a_cut_or_changed_byte_does_no_harm() {
        let whole = datagram(1, "DC1", 8);
        for at in 0..whole.len() {
            run(&[whole[..at].to_vec()]);
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                Nbdgm::probe(&changed, Dir::Orig);
                run(&[changed]);
            }
        }
    }
}
