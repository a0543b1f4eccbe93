//! A machine with two cards is one device; two machines with one name are two.

use super::super::{Home, Inventory};
use crate::types::{Clue, ClueKind, FlowEvent, MacAddr, Phase, Seed, Sighting, Timestamp, ip_bits};

const CABLE: MacAddr = MacAddr([0x00, 0x11, 0x22, 0, 0, 1]);
const WIFI: MacAddr = MacAddr([0x02, 0x11, 0x22, 0, 0, 2]);
const OUTSIDE: &str = "198.51.100.1";

fn at(s: i64) -> Timestamp {
    Timestamp::from_secs(s)
}

struct Site(Inventory);

impl Site {
    fn new() -> Self {
        Self(Inventory::new("tapir", Home::new(vec![]), Seed(1), vec![]))
    }

    fn sees(&mut self, s: i64, mac: MacAddr, ip: &str) {
        let sighting = Sighting {
            mac,
            ip: ip.parse().ok(),
            evidence: "arp",
            vlan: 0,
        };
        self.0.advance(at(s));
        self.0.sighted(at(s), &sighting);
    }

    /// The device of `mac` tells of itself, as DHCP carries it.
    fn tells(&mut self, s: i64, mac: MacAddr, said: &[(&'static str, &str)]) {
        self.0.advance(at(s));
        for (evidence, value) in said {
            let kind = if evidence.starts_with("dhcp option") {
                ClueKind::HostName
            } else {
                ClueKind::Software
            };
            let clue = Clue {
                mac: Some(mac),
                ip: None,
                kind,
                evidence,
                value: (*value).into(),
            };
            self.0.clue(at(s), &clue);
        }
    }

    /// The holder of `ip` sends something.
    fn speaks(&mut self, s: i64, ip: &str) {
        self.0.advance(at(s));
        let event = FlowEvent {
            phase: Phase::Update,
            orig_bytes: 10,
            resp_bytes: 0,
            orig_pkts: 1,
            resp_pkts: 0,
            from_start: true,
            handshake: false,
            signed: false,
            first_of: None,
            orig_mac: MacAddr::default(),
            resp_mac: MacAddr::default(),
        };
        let bits = |ip: &str| ip_bits(ip.parse().unwrap());
        let holder = self.0.at(bits(ip));
        let (orig, resp) = ((bits(ip), holder), (bits(OUTSIDE), None));
        self.0.flow(at(s), orig, resp, &event);
    }

    fn count(&self) -> usize {
        self.0.devices().len()
    }
}

const NAME: (&str, &str) = ("dhcp option 12", "PC-ALBERS");
const CLASS: (&str, &str) = ("dhcp vendor class", "MSFT 5.0");
const DUID: (&str, &str) = ("dhcp client id", "duid 000100012c3f5e11ac7f3ef00102");

#[test]
fn the_same_identifier_and_name_are_one_machine_even_at_the_same_time() {
    let mut site = Site::new();
    site.sees(0, CABLE, "10.0.0.1");
    site.tells(1, CABLE, &[NAME, DUID]);
    site.sees(500, WIFI, "10.0.0.2");
    site.speaks(500, "10.0.0.1");
    site.tells(501, WIFI, &[DUID, NAME]);
    let devices = site.0.devices();
    assert_eq!(devices.len(), 1);
    assert_eq!(
        (devices[0].mac, &*devices[0].other_macs),
        (Some(CABLE), &[WIFI][..])
    );
    let merge = &site.0.merges()[0];
    assert_eq!(merge.who, None);
    assert!(
        merge.why.contains("duid") && merge.why.contains("PC-ALBERS"),
        "{}",
        merge.why
    );
    // Both stay at work, and it stays one.
    for minute in 9..30 {
        site.speaks(minute * 60, "10.0.0.1");
        site.speaks(minute * 60 + 5, "10.0.0.2");
    }
    assert_eq!(site.count(), 1);
}

#[test]
fn an_identifier_alone_is_not_enough() {
    let mut site = Site::new();
    site.sees(0, CABLE, "10.0.0.1");
    site.tells(1, CABLE, &[DUID, NAME]);
    site.sees(500, WIFI, "10.0.0.2");
    site.tells(501, WIFI, &[DUID]);
    assert_eq!(site.count(), 2);
    // Copied with the disk's image, but with a name of its own.
    site.tells(502, WIFI, &[("dhcp option 12", "PC-BERG"), CLASS]);
    assert_eq!(site.count(), 2);
}

#[test]
fn a_machine_that_moves_to_another_card_is_one() {
    let mut site = Site::new();
    site.sees(0, CABLE, "10.0.0.1");
    site.tells(1, CABLE, &[NAME, CLASS]);
    site.speaks(590, "10.0.0.1");
    site.sees(600, WIFI, "10.0.0.2");
    site.tells(601, WIFI, &[NAME, CLASS]);
    assert_eq!(site.count(), 1);
    // The first is still at work when the second is, already: both are watched for a while.
    let mut site = Site::new();
    site.sees(0, CABLE, "10.0.0.1");
    site.tells(1, CABLE, &[NAME, CLASS]);
    site.sees(600, WIFI, "10.0.0.2");
    site.speaks(603, "10.0.0.1");
    site.tells(604, WIFI, &[NAME, CLASS]);
    assert_eq!(site.count(), 2);
    assert_eq!(site.0.next_deadline(), Some(at(658)));
    site.speaks(700, "10.0.0.2");
    assert_eq!(site.count(), 1);
}

#[test]
fn two_machines_with_one_name_are_two() {
    // Both on when the second tells its name.
    let mut site = Site::new();
    site.sees(0, CABLE, "10.0.0.1");
    site.tells(1, CABLE, &[NAME, CLASS]);
    site.sees(600, WIFI, "10.0.0.2");
    site.speaks(603, "10.0.0.1");
    site.tells(604, WIFI, &[NAME, CLASS]);
    site.speaks(640, "10.0.0.1");
    site.speaks(700, "10.0.0.2");
    assert_eq!(site.count(), 2);
    site.tells(
        900,
        WIFI,
        &[NAME, CLASS, ("ntlm version", "Windows 10.0.19045")],
    );
    assert_eq!(site.count(), 2);

    // The first slept when the second came, and wakes up: one for as long as that is all that is known.
    let mut site = Site::new();
    site.sees(0, CABLE, "10.0.0.1");
    site.tells(1, CABLE, &[NAME, CLASS]);
    site.sees(600, WIFI, "10.0.0.2");
    site.tells(601, WIFI, &[NAME, CLASS]);
    assert_eq!(site.count(), 1);
    for minute in 11..14 {
        assert_eq!(site.count(), 1);
        site.speaks(minute * 60, "10.0.0.1");
        site.speaks(minute * 60 + 5, "10.0.0.2");
    }
    assert_eq!(site.count(), 2);
    // Never again, whatever they tell.
    site.tells(9_000, WIFI, &[DUID]);
    site.tells(9_001, CABLE, &[DUID]);
    assert_eq!(site.count(), 2);
}

#[test]
fn what_differs_keeps_them_apart() {
    for other in [
        ("dhcp vendor class", "android-dhcp-13"),
        ("dhcp option 12", "PC-BERG"),
        ("dhcp client id", "duid 0001000199999999ac7f3ef00102"),
    ] {
        let mut site = Site::new();
        site.sees(0, CABLE, "10.0.0.1");
        site.tells(
            1,
            CABLE,
            &[NAME, CLASS, DUID, ("ntlm version", "Windows 10.0.19045")],
        );
        site.sees(600, WIFI, "10.0.0.2");
        let mut said = vec![other, NAME, CLASS, DUID];
        said.retain(|one| *one == other || one.0 != other.0);
        site.tells(601, WIFI, &said);
        assert_eq!(site.count(), 2, "{other:?}");
    }
    // Names that all of a make have are no names.
    let mut site = Site::new();
    for (s, mac, ip) in [(0, CABLE, "10.0.0.1"), (600, WIFI, "10.0.0.2")] {
        site.sees(s, mac, ip);
        site.tells(
            s + 1,
            mac,
            &[
                ("dhcp option 12", "iPhone"),
                ("dhcp parameter list", "1,121,3"),
            ],
        );
    }
    assert_eq!(site.count(), 2);
}

#[test]
fn what_a_person_says_stands() {
    let mut site = Site::new();
    site.sees(0, CABLE, "10.0.0.1");
    site.tells(1, CABLE, &[NAME, DUID]);
    site.sees(500, WIFI, "10.0.0.2");
    site.tells(501, WIFI, &[NAME, DUID]);
    let merged = site.0.devices()[0].clone();
    site.0.split(at(600), &merged.merged[0], "jo").unwrap();
    site.tells(700, WIFI, &[("ntlm version", "Windows 10.0.19045")]);
    site.tells(701, CABLE, &[("ntlm version", "Windows 10.0.19045")]);
    assert_eq!(site.count(), 2);
    // And after a restart.
    let entries = site.0.entries();
    site.0 = Inventory::new("tapir", Home::new(vec![]), Seed(2), entries);
    site.tells(800, WIFI, &[("browser version", "Windows 10.0")]);
    site.tells(801, CABLE, &[("browser version", "Windows 10.0")]);
    assert_eq!(site.count(), 2);
    site.0
        .merge(at(900), &merged.id, &merged.merged[0], "jo")
        .unwrap();
    // Different names at the same time, and at work together: it stays.
    site.tells(901, WIFI, &[("dhcp option 12", "PC-BERG")]);
    for minute in 16..30 {
        site.speaks(minute * 60, "10.0.0.1");
        site.speaks(minute * 60 + 5, "10.0.0.2");
    }
    assert_eq!(site.count(), 1);
}

#[test]
fn copies_of_a_virtual_machine_are_not_one() {
    let mut site = Site::new();
    for (s, last) in [(0, 1), (6_000, 2)] {
        // PCS Systemtechnik: VirtualBox.
        let mac = MacAddr([0x08, 0x00, 0x27, 0, 0, last]);
        site.sees(s, mac, &format!("10.0.{last}.15"));
        site.tells(s + 1, mac, &[NAME, CLASS]);
    }
    assert_eq!(site.count(), 2);
}

#[test]
fn a_number_that_comes_late_undoes_what_a_name_did() {
    let mut site = Site::new();
    site.sees(0, CABLE, "10.0.0.1");
    site.tells(1, CABLE, &[DUID, NAME, CLASS]);
    site.sees(6_000, WIFI, "10.0.0.2");
    site.tells(6_001, WIFI, &[NAME, CLASS]);
    assert_eq!(site.count(), 1);
    site.tells(
        6_002,
        WIFI,
        &[("dhcp client id", "duid 0001000199999999ac7f3ef00102")],
    );
    assert_eq!(site.count(), 2);
    site.tells(9_000, WIFI, &[("ntlm version", "Windows 10.0.19045")]);
    assert_eq!(site.count(), 2);
}
