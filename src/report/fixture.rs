//! Ten days in the office `kontor.example`, told as a run would tell them: the tests' one story.
//!
//! A stranger is plugged in and sweeps the network; a clerk opens a list of passwords; a colleague's
//! computer calls out every ninety seconds and uploads; the sensor lost a few packets.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::tz::TimeZone;
use tapir_message::{
    Address, Breach, Claim, Class, Device, DeviceName, Incident, MacAddr, Moment, Rate, Stats,
    Term, Timestamp, Warning,
};

use super::Summary;

/// 3 November 2025, 00:00 in Berlin, a Monday.
const START_S: i64 = 1_762_124_400;
const DAY_S: i64 = 86_400;

/// Owns what a [`Summary`] borrows.
pub(super) struct Office {
    pub(super) stats: Stats,
    pub(super) devices: Vec<Device>,
    pub(super) breaches: Vec<Breach>,
    pub(super) incidents: Vec<Incident>,
    pub(super) traffic: Vec<(Timestamp, u64)>,
    pub(super) inputs: Vec<String>,
    zone: TimeZone,
    learning: &'static str,
}

impl Office {
    /// The whole story.
    pub(super) fn new() -> Self {
        let breaches = breaches();
        Self {
            stats: stats(),
            devices: devices(),
            incidents: incidents(&breaches),
            breaches,
            traffic: traffic(),
            inputs: vec!["kontor-2025-11.pcapng".to_owned()],
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            learning: "9.5 days, prior: unfitted",
        }
    }

    /// Eleven minutes in which nothing happened.
    pub(super) fn quiet() -> Self {
        let mut office = Self::new();
        office.breaches.clear();
        office.incidents.clear();
        office.devices.truncate(3);
        office.traffic = vec![(at(0, 9, 0), 4_120_000), (at(0, 10, 0), 310_000)];
        office.stats = Stats {
            packets: 8_112,
            bytes: 4_430_000,
            first_ts: Some(at(0, 9, 50)),
            last_ts: Some(at(0, 10, 1)),
            flows: 211,
            services: map(&[("dns", 80), ("ssl", 61), ("-", 70)]),
            records: map(&[("conn", 211), ("dns", 80), ("ssl", 61)]),
            ..Stats::default()
        };
        office.learning = "11 min, behavioural scores would be provisional";
        office
    }

    /// A file without a packet.
    pub(super) fn empty() -> Self {
        let mut office = Self::quiet();
        office.stats = Stats::default();
        office.devices.clear();
        office.traffic.clear();
        office.learning = "nothing";
        office
    }

    /// The same story told `n` times over by as many breaches and incidents.
    pub(super) fn times(mut self, n: usize) -> Self {
        let (breaches, incidents) = (self.breaches.clone(), self.incidents.clone());
        for round in 1..n {
            self.breaches.extend(breaches.iter().cloned().map(|mut b| {
                b.id = format!("{}{round}", b.id);
                b.incident = format!("{}{round}", b.incident);
                b
            }));
            self.incidents
                .extend(incidents.iter().cloned().map(|mut i| {
                    i.id = format!("{}{round}", i.id);
                    i
                }));
        }
        self
    }

    pub(super) fn summary(&self) -> Summary<'_> {
        Summary {
            sensor_id: "kontor",
            time_zone: &self.zone,
            stats: &self.stats,
            devices: &self.devices,
            breaches: &self.breaches,
            incidents: &self.incidents,
            traffic: &self.traffic,
            version: "0.1.0",
            models_hash: "b3:5c1f0a9e27d84466",
            models: 24,
            learning: self.learning,
            out_dir: Some("kontor-2025-11.tapir"),
            inputs: &self.inputs,
        }
    }
}

/// The story with names as an attacker would choose them: HTML, ESC, C1, bidi, new lines.
pub(super) fn hostile() -> Office {
    const NAME: &str = "</title><script>alert(1)</script>\"'<img src=x onerror=y>\u{1b}[2J\u{9b}31m\u{202e}cod.exe\u{2066}\n\u{61c}\0\u{7f}{{ 7*7 }}";
    let mut office = Office::new();
    for breach in &mut office.breaches {
        breach.device_name = NAME.to_owned();
        breach.text = format!("Opened {NAME}.");
        breach.detail = NAME.to_owned();
        breach.title = NAME.to_owned();
        breach.attack = vec![NAME.to_owned()];
        breach.uid = Some(NAME.to_owned());
        for term in &mut breach.terms {
            term.name = NAME.to_owned();
            term.text = NAME.to_owned();
        }
    }
    for incident in &mut office.incidents {
        incident.title = NAME.to_owned();
        incident.device_names = vec![NAME.to_owned()];
        for moment in &mut incident.timeline {
            moment.text = NAME.to_owned();
        }
    }
    for device in &mut office.devices {
        device.name = NAME.to_owned();
        device.vendor = Some(NAME.to_owned());
        for name in &mut device.names {
            name.name = NAME.to_owned();
            name.evidence = NAME.to_owned();
        }
        for claim in &mut device.claims {
            claim.claim = NAME.to_owned();
        }
    }
    office.stats.warnings = vec![Warning {
        subject: NAME.to_owned(),
        text: NAME.to_owned(),
    }];
    for map in [
        &mut office.stats.weird,
        &mut office.stats.services,
        &mut office.stats.cut_at_byte,
        &mut office.stats.not_understood,
    ] {
        map.insert(NAME.to_owned(), 1_000_000);
    }
    office.inputs = vec![NAME.to_owned()];
    office
}

/// Compares with a file under `testdata/`; `UPDATE=1` writes it anew.
pub(super) fn same_as_file(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/report/testdata")
        .join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == text,
        "{name} differs; UPDATE=1 rewrites it. Now it is:\n{text}"
    );
}

/// A time of the story, by day from 0.
fn at(day: i64, hour: i64, minute: i64) -> Timestamp {
    Timestamp::from_nanos(
        (START_S + day * DAY_S + hour * 3_600 + minute * 60) * 1_000_000_000 + 417_000_000,
    )
}

fn map(entries: &[(&str, u64)]) -> BTreeMap<String, u64> {
    entries
        .iter()
        .map(|(name, n)| ((*name).to_owned(), *n))
        .collect()
}

/// Office hours on weekdays, a backup at two in the morning; the wobble is a fixed recurrence.
fn traffic() -> Vec<(Timestamp, u64)> {
    let mut wobble = 12_345_u64;
    (0..240)
        .map(|hour| {
            wobble = wobble
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let noise = (wobble >> 40) % 90;
            let (day, clock) = (hour / 24, hour % 24);
            let megabytes = match (day % 7, clock) {
                (_, 2) => 420 + noise,
                (0..=4, 8..=11 | 13..=16) => 230 + 4 * noise,
                (0..=4, 7 | 12 | 17 | 18) => 110 + noise,
                _ => 9 + noise / 12,
            };
            (
                Timestamp::from_secs(START_S + hour * 3_600),
                megabytes * 1_000_000,
            )
        })
        .collect()
}

fn stats() -> Stats {
    Stats {
        packets: 41_804_113,
        bytes: 33_911_204_880,
        first_ts: Some(at(0, 0, 0)),
        last_ts: Some(at(10, 0, 0)),
        flows: 412_906,
        truncated: 12,
        malformed: map(&[("ipv4", 3), ("tcp", 41)]),
        duplicate: 1_882,
        not_understood: map(&[
            ("ethertype 0x88cc (LLDP)", 28_811),
            ("ip protocol 112 (VRRP)", 8_640),
        ]),
        services: map(&[
            ("dns", 151_200),
            ("ssl", 118_030),
            ("-", 61_344),
            ("http", 20_117),
            ("smb", 18_404),
            ("kerberos", 14_212),
            ("ntp", 12_001),
            ("ldap", 9_911),
            ("dhcp", 1_204),
            ("snmp", 3_600),
            ("sip", 2_011),
            ("ssh", 318),
            ("quic", 554),
        ]),
        records: map(&[
            ("conn", 412_906),
            ("dns", 151_200),
            ("ssl", 118_030),
            ("http", 20_340),
            ("smb_files", 33_870),
            ("dhcp", 1_204),
            ("kerberos", 14_212),
            ("weird", 611),
        ]),
        weird: map(&[
            ("inappropriate_FIN", 412),
            ("dns_unmatched_reply", 160),
            ("inconsistent_retransmission", 39),
        ]),
        clamped: 4,
        warnings: vec![Warning {
            subject: "kontor-2025-11.pcapng".to_owned(),
            text: "12 packets were cut to 128 bytes when they were recorded.".to_owned(),
        }],
        ..Stats::default()
    }
}

/// Name, last byte of the address, vendor, what it is, bytes sent and received in megabytes.
const DEVICES: [(&str, u8, &str, &str, u64, u64); 14] = [
    ("gw-kontor", 1, "Lancom Systems", "router", 9_811, 2_204),
    (
        "dc01",
        10,
        "Dell",
        "serves kerberos, ldap, dns",
        2_212,
        1_330,
    ),
    ("fs", 11, "Dell", "serves smb", 12_830, 4_920),
    ("print-og1", 20, "Kyocera", "serves ipp", 31, 480),
    ("pc-mertens", 31, "Lenovo", "Windows 11", 411, 2_870),
    ("pc-albers", 32, "Lenovo", "Windows 11", 522, 3_112),
    ("pc-lindner", 33, "Lenovo", "Windows 11", 390, 2_422),
    ("pc-osei", 34, "Lenovo", "Windows 11", 280, 2_040),
    ("nb-haupt", 41, "Apple", "macOS", 611, 4_410),
    ("nb-krause", 42, "Hewlett Packard", "Windows 11", 344, 2_312),
    ("tel-empfang", 51, "Snom", "serves sip", 62, 58),
    ("tel-lager", 52, "Snom", "serves sip", 21, 20),
    (
        "cam-hof",
        60,
        "Axis Communications",
        "serves rtsp",
        5_120,
        12,
    ),
    ("raspberrypi", 77, "Raspberry Pi Trading", "Linux", 14, 9),
];

fn devices() -> Vec<Device> {
    DEVICES.iter().map(|row| device(*row)).collect()
}

fn device((name, host, vendor, is, sent, received): (&str, u8, &str, &str, u64, u64)) -> Device {
    let stranger = host == 77;
    let first_ts = if stranger { at(7, 21, 42) } else { at(0, 0, 1) };
    let last_ts = if stranger { at(8, 6, 3) } else { at(9, 23, 58) };
    let address = |host: u8, first_ts, last_ts, evidence: &str| Address {
        addr: IpAddr::from([10, 77, 8, host]),
        evidence: evidence.to_owned(),
        first_ts,
        last_ts,
    };
    let mut addresses = vec![address(host, first_ts, last_ts, "dhcp")];
    if name == "nb-haupt" {
        addresses.insert(0, address(143, at(0, 8, 2), at(2, 17, 40), "arp"));
    }
    Device {
        id: format!("d-k3f9q2{host:02}"),
        name: name.to_owned(),
        mac: Some(MacAddr([0xb8, 0x27, 0xeb, 0x10, 0x20, host])),
        vendor: Some(vendor.to_owned()),
        behind: None,
        addresses,
        names: vec![DeviceName {
            name: format!("{name}.kontor.example"),
            evidence: "dhcp host name".to_owned(),
            first_ts,
            last_ts,
        }],
        claims: vec![Claim {
            claim: is.to_owned(),
            evidence: "dhcp option 60, tls fingerprint".to_owned(),
            first_ts,
            last_ts,
        }],
        first_ts,
        last_ts,
        flows_orig: sent * 31,
        flows_resp: received * 3,
        bytes_sent: sent * 1_000_000 + 411_000,
        bytes_received: received * 1_000_000 + 83_000,
        vlans: vec![8],
    }
}

/// What differs from breach to breach.
struct Case {
    model: &'static str,
    title: &'static str,
    /// Score, score for sure, impact.
    score: (u8, u8, u8),
    /// Rate with its interval; the score follows from it by the formula of the design.
    rate: (f64, f64, f64),
    provisional: bool,
    /// Row of [`DEVICES`].
    device: usize,
    resp: ([u8; 4], u16),
    first: Timestamp,
    last: Timestamp,
    count: u64,
    attack: &'static str,
    incident: &'static str,
    terms: &'static [(&'static str, i32, &'static str)],
    text: &'static str,
    detail: &'static str,
}

const STRANGER: &str = "4qv7m2c9x0t5n8b1z6k3j7h2wd";
const CALLER: &str = "9h2kd81mzq4x7c0v5t3b6n1pya";

fn breaches() -> Vec<Breach> {
    let mut all = vec![
        breach(
            1,
            &Case {
                model: "DEV-01",
                title: "Device / Unknown thing plugged in",
                score: (62, 51, 4),
                rate: (30.2, 1.55, 90.5),
                provisional: true,
                device: 13,
                resp: ([255, 255, 255, 255], 67),
                first: at(7, 21, 42),
                last: at(7, 21, 42),
                count: 1,
                attack: "T1200",
                incident: STRANGER,
                terms: &[
                    (
                        "first seen",
                        71,
                        "No frame of b8:27:eb:10:20:4d in 7.9 days; 13 devices are known.",
                    ),
                    (
                        "after hours",
                        4,
                        "First frame on a Monday at 21:42; nobody else joined between 19:00 and 07:00.",
                    ),
                    (
                        "common vendor",
                        -13,
                        "Raspberry Pi Trading is often seen in offices.",
                    ),
                ],
                text: "A device nobody has seen before was plugged in: raspberrypi (Raspberry Pi Trading).",
                detail: "DHCP DISCOVER with host name raspberrypi, options 1,3,6,12,15,26,28,42; VLAN 8.",
            },
        ),
        breach(
            2,
            &Case {
                model: "REC-01",
                title: "Recon / Address sweep",
                score: (78, 72, 3),
                rate: (6.11, 3.02, 11.1),
                provisional: false,
                device: 13,
                resp: ([10, 77, 8, 1], 445),
                first: at(7, 21, 55),
                last: at(7, 22, 1),
                count: 3,
                attack: "T1018",
                incident: STRANGER,
                terms: &[
                    (
                        "sweep",
                        84,
                        "254 addresses of 10.77.8.0/24 in 6 minutes; 13 answered.",
                    ),
                    (
                        "no success",
                        3,
                        "241 of 254 attempts failed; devices here fail 2 in 100.",
                    ),
                    (
                        "held to 79 by impact 3",
                        -8,
                        "A sweep alone does no damage.",
                    ),
                    ("loss", -1, "0.02 % of the packets around it were lost."),
                ],
                text: "raspberrypi tried every address of 10.77.8.0/24 within six minutes.",
                detail: "SYN to ports 22, 80, 445 of 254 addresses, sequential, 42 per minute; sequential test crossed its bound at the 9th.",
            },
        ),
        breach(
            3,
            &Case {
                model: "EXP-01",
                title: "Exposure / Credential file in the open",
                score: (66, 55, 3),
                rate: (20.2, 1.04, 60.6),
                provisional: true,
                device: 4,
                resp: ([10, 77, 8, 11], 445),
                first: at(8, 10, 17),
                last: at(8, 10, 19),
                count: 2,
                attack: "T1552.001",
                incident: CALLER,
                terms: &[
                    (
                        "file name",
                        70,
                        "passwords.xls matches the list of names for files with credentials.",
                    ),
                    (
                        "true type",
                        0,
                        "The content is a spreadsheet, as the name says.",
                    ),
                    (
                        "known share",
                        -4,
                        "pc-mertens opens this share on most days.",
                    ),
                ],
                text: "pc-mertens opened passwords.xls on \\\\fs\\buero, readable for everybody in the office.",
                detail: "SMB2 CREATE and READ of 48,640 bytes, share buero, account KONTOR\\mertens.",
            },
        ),
        breach(
            4,
            &Case {
                model: "CMD-01",
                title: "Command / Rhythmic beacon to rare endpoint",
                score: (84, 80, 4),
                rate: (3.36, 2.11, 5.01),
                provisional: false,
                device: 5,
                resp: ([203, 0, 113, 77], 443),
                first: at(8, 10, 41),
                last: at(9, 23, 57),
                count: 37,
                attack: "T1071.001",
                incident: CALLER,
                terms: &[
                    (
                        "rhythm",
                        61,
                        "1,491 calls, 90 s apart; 94 in 100 within 2 s of it, by day and by night.",
                    ),
                    (
                        "rare endpoint",
                        22,
                        "static.kiesel-cdn.example is used by no other device here.",
                    ),
                    (
                        "new fingerprint",
                        9,
                        "This TLS client was never seen on pc-albers before.",
                    ),
                    (
                        "small answers",
                        -8,
                        "The answers are 412 bytes, as software updaters get them.",
                    ),
                ],
                text: "pc-albers calls static.kiesel-cdn.example every 90 seconds, day and night; nobody else here does.",
                detail: "TLS 1.3 to 203.0.113.77:443, SNI static.kiesel-cdn.example, JA4 t13d190900_9dc949149365_97f8aa674fd9.",
            },
        ),
        breach(
            5,
            &Case {
                model: "EXF-01",
                title: "Exfil / Outbound volume far above own and peers' normal",
                score: (71, 64, 4),
                rate: (12.3, 6.9, 24.8),
                provisional: false,
                device: 5,
                resp: ([198, 51, 100, 23], 443),
                first: at(9, 14, 3),
                last: at(9, 14, 21),
                count: 1,
                attack: "T1041",
                incident: CALLER,
                terms: &[
                    (
                        "volume",
                        66,
                        "28.3 MB sent in 18 minutes; on other days this device sends at most 2.1 MB an hour.",
                    ),
                    (
                        "first contact",
                        14,
                        "ablage.fernweh.example was never contacted from here.",
                    ),
                    (
                        "office hours",
                        -9,
                        "Tuesdays between 14:00 and 15:00 are its busiest time.",
                    ),
                ],
                text: "pc-albers sent 28 MB to ablage.fernweh.example, fourteen times what it ever sent in an hour.",
                detail: "HTTPS to 198.51.100.23:443, 28,312,004 bytes up, 61,220 down, one flow.",
            },
        ),
    ];
    all.push(health());
    all
}

fn breach(n: u16, case: &Case) -> Breach {
    let (name, host, ..) = DEVICES[case.device];
    let (low, high) = (case.rate.1, case.rate.2);
    Breach {
        ts: case.last,
        id: format!("{n:02}b7x2c9q4m8t1v6k3z5j0hwdr"),
        model: case.model.to_owned(),
        title: case.title.to_owned(),
        class: if case.model.starts_with("EXP") {
            Class::Compliance
        } else {
            Class::Threat
        },
        score: Some(case.score.0),
        score_sure: Some(case.score.1),
        priority: None,
        rate: Rate(case.rate.0),
        rate_low: Rate(low),
        rate_high: Rate(high),
        provisional: case.provisional,
        impact: case.score.2,
        device: format!("d-k3f9q2{host:02}"),
        device_name: name.to_owned(),
        orig_h: Some(IpAddr::from([10, 77, 8, host])),
        orig_p: Some(49_100 + n),
        resp_h: Some(IpAddr::from(case.resp.0)),
        resp_p: Some(case.resp.1),
        uid: Some(format!("CkW3n8Zq0TtYb4mR{n:02}")),
        attack: vec![case.attack.to_owned()],
        terms: case
            .terms
            .iter()
            .map(|(name, points, text)| Term {
                name: (*name).to_owned(),
                points: *points,
                text: (*text).to_owned(),
            })
            .collect(),
        incident: case.incident.to_owned(),
        first_ts: case.first,
        last_ts: case.last,
        count: case.count,
        loss: if case.model == "REC-01" { 0.000_2 } else { 0.0 },
        text: case.text.to_owned(),
        detail: case.detail.to_owned(),
    }
}

fn health() -> Breach {
    Breach {
        class: Class::Health,
        score: None,
        score_sure: None,
        priority: Some(35),
        ..breach(
            6,
            &Case {
                model: "SEN-01",
                title: "Sensor / Packets lost",
                score: (0, 0, 1),
                rate: (0.0, 0.0, 0.0),
                provisional: false,
                device: 0,
                resp: ([0, 0, 0, 0], 0),
                first: at(7, 2, 10),
                last: at(7, 2, 14),
                count: 1,
                attack: "",
                incident: "",
                terms: &[],
                text: "The sensor lost 0.02 % of the packets during Monday's backup.",
                detail: "8,311 packets dropped by the ring between 02:10 and 02:14; nothing else in ten days.",
            },
        )
    }
}

fn incidents(breaches: &[Breach]) -> Vec<Incident> {
    let incident = |id: &str, title: &str, device_rows: &[usize]| {
        let mut own: Vec<&Breach> = breaches.iter().filter(|b| b.incident == id).collect();
        own.sort_by_key(|b| b.first_ts);
        Incident {
            id: id.to_owned(),
            first_ts: own.iter().map(|b| b.first_ts).min().unwrap(),
            last_ts: own.iter().map(|b| b.last_ts).max().unwrap(),
            score: own.iter().filter_map(|b| b.score).max(),
            title: title.to_owned(),
            devices: device_rows
                .iter()
                .map(|row| format!("d-k3f9q2{:02}", DEVICES[*row].1))
                .collect(),
            device_names: device_rows
                .iter()
                .map(|row| DEVICES[*row].0.to_owned())
                .collect(),
            attack: own.iter().flat_map(|b| b.attack.clone()).collect(),
            timeline: own
                .iter()
                .map(|b| Moment {
                    ts: b.first_ts,
                    breach: b.id.clone(),
                    model: b.model.clone(),
                    score: b.score,
                    text: b.text.clone(),
                })
                .collect(),
        }
    };
    vec![
        incident(STRANGER, "Address sweep and 1 other", &[13]),
        incident(
            CALLER,
            "Rhythmic beacon to rare endpoint and 2 others",
            &[5, 4],
        ),
    ]
}

#[test]
fn the_story_keeps_the_rules_of_the_score() {
    for breach in breaches().iter().filter(|b| b.class != Class::Health) {
        let score = i32::from(breach.score.unwrap());
        assert_eq!(
            breach.terms.iter().map(|t| t.points).sum::<i32>(),
            score,
            "{}",
            breach.model
        );
        for (rate, score) in [
            (breach.rate, breach.score),
            (breach.rate_high, breach.score_sure),
        ] {
            let rarity = 50.0 + 23.06 * (100.0 / rate.0).log10();
            assert!(
                (rarity - f64::from(score.unwrap())).abs() <= 1.0,
                "{}: {rarity}",
                breach.model
            );
        }
    }
}
