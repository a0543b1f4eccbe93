//! What a person merges is told of as one, and a split gives back both.

use super::super::{Home, Inventory, MergeError};
use crate::types::{FlowEvent, MacAddr, Phase, Seed, Sighting, Timestamp, ip_bits};

const CABLE: MacAddr = MacAddr([0x00, 0x11, 0x22, 0, 0, 1]);
const WIFI: MacAddr = MacAddr([0x00, 0x11, 0x22, 0, 0, 2]);
const DOCK: MacAddr = MacAddr([0x00, 0x11, 0x22, 0, 0, 3]);

fn at(s: i64) -> Timestamp {
    Timestamp::from_secs(s)
}

fn three() -> (Inventory, [String; 3]) {
    let mut inventory = Inventory::new("tapir", Home::new(vec![]), Seed(1), vec![]);
    for (s, mac, ip) in [
        (1, CABLE, "10.0.0.1"),
        (2, WIFI, "10.0.0.2"),
        (3, DOCK, "10.0.0.3"),
    ] {
        let sighting = Sighting {
            mac,
            ip: ip.parse().ok(),
            evidence: "arp",
            vlan: 0,
        };
        inventory.sighted(at(s), &sighting);
    }
    let ids: Vec<String> = inventory.devices().into_iter().map(|d| d.id).collect();
    (inventory, ids.try_into().unwrap())
}

/// Ids of the devices told of, each with what was merged into it.
fn told(inventory: &Inventory) -> Vec<(String, Vec<String>)> {
    let devices = inventory.devices().into_iter();
    devices.map(|d| (d.id, d.merged)).collect()
}

fn ip(text: &str) -> std::net::IpAddr {
    text.parse().unwrap()
}

#[test]
fn what_a_person_merges_is_one_device_and_a_split_gives_back_both() {
    let (mut inventory, [a, b, c]) = three();
    let before = inventory.devices();
    let merge = inventory.merge(at(9), &a, &b, "jo").unwrap();
    assert_eq!((merge.into.as_str(), merge.other.as_str()), (&*a, &*b));
    assert_eq!(merge.who.as_deref(), Some("jo"));
    let both = vec![(a.clone(), vec![b.clone()]), (c, vec![])];
    assert_eq!(told(&inventory), both);
    let one = &inventory.devices()[0];
    assert_eq!((one.mac, &*one.other_macs), (Some(CABLE), &[WIFI][..]));
    let addresses: Vec<_> = one.addresses.iter().map(|a| a.addr).collect();
    assert_eq!(addresses, [ip("10.0.0.1"), ip("10.0.0.2")]);
    assert_eq!(
        inventory.by_ip(ip("10.0.0.2")),
        inventory.by_ip(ip("10.0.0.1"))
    );

    // What the second does meanwhile is its own again after the split.
    let device = inventory.by_ip(ip("10.0.0.2"));
    let event = FlowEvent {
        phase: Phase::New,
        orig_bytes: 70,
        resp_bytes: 0,
        orig_pkts: 1,
        resp_pkts: 0,
        from_start: true,
        handshake: false,
        signed: false,
        first_of: None,
        orig_mac: WIFI,
        resp_mac: MacAddr::default(),
    };
    let (orig, resp) = (ip_bits(ip("10.0.0.2")), ip_bits(ip("198.51.100.1")));
    inventory.flow(at(10), (orig, device), (resp, None), &event);
    assert_eq!(inventory.devices()[0].bytes_sent, 70);
    let undone = inventory.split(at(11), &b, "jo").unwrap();
    assert_eq!(undone, [merge]);
    let mut after = inventory.devices();
    assert_eq!((after[0].bytes_sent, after[1].bytes_sent), (0, 70));
    assert_eq!(after[1].last_ts, at(10));
    (after[1].bytes_sent, after[1].flows_orig) = (0, 0);
    (after[1].last_ts, after[1].addresses[0].last_ts) = (at(2), at(2));
    assert_eq!(after, before);
}

#[test]
fn merges_make_trees_and_a_branch_is_taken_off_whole() {
    let (mut inventory, [a, b, c]) = three();
    inventory.merge(at(5), &b, &c, "jo").unwrap();
    inventory.merge(at(6), &a, &c, "jo").unwrap();
    let all = vec![(a.clone(), vec![b.clone(), c.clone()])];
    assert_eq!(told(&inventory), all);
    // The state that is saved knows it.
    let (entries, home) = (inventory.entries(), Home::new(vec![]));
    let mut again = Inventory::new("tapir", home, Seed(7), entries);
    assert_eq!(told(&again), all);
    assert_eq!(again.merges(), inventory.merges());
    again.split(at(7), &a, "jo").unwrap();
    let branches = vec![(a.clone(), vec![]), (b.clone(), vec![c.clone()])];
    assert_eq!(told(&again), branches);
    again.split(at(8), &c, "jo").unwrap();
    assert_eq!(told(&again), [(a, vec![]), (b, vec![]), (c, vec![])]);
}

#[test]
fn says_why_devices_cannot_be_merged_or_split() {
    let (mut inventory, [a, b, _]) = three();
    let unknown = MergeError::Unknown("d-x".into());
    assert_eq!(
        inventory.merge(at(5), "d-x", &a, "jo"),
        Err(unknown.clone())
    );
    assert_eq!(inventory.split(at(5), "d-x", "jo"), Err(unknown));
    assert_eq!(
        inventory.split(at(5), &a, "jo"),
        Err(MergeError::Alone(a.clone()))
    );
    inventory.merge(at(5), &a, &b, "jo").unwrap();
    let one = MergeError::One {
        into: a.clone(),
        other: a.clone(),
    };
    assert_eq!(inventory.merge(at(6), &a, &b, "jo"), Err(one));
    for (s, n) in (7..).zip(4..=17) {
        let mac = MacAddr([0, 0x11, 0x22, 0, 0, n]);
        let sighting = Sighting {
            mac,
            ip: None,
            evidence: "frame",
            vlan: 0,
        };
        inventory.sighted(at(s), &sighting);
        let other = inventory.devices().pop().unwrap().id;
        inventory.merge(at(s), &a, &other, "jo").unwrap();
    }
    let (_, members) = told(&inventory).remove(0);
    assert_eq!(members.len(), 15);
    let last = inventory.devices().pop().unwrap().id;
    assert_eq!(
        inventory.merge(at(99), &a, &last, "jo"),
        Err(MergeError::Full)
    );
}

#[test]
fn users_are_people_the_oldest_of_too_many_forgotten() {
    let (mut inventory, _) = three();
    let addr = ip_bits(ip("10.0.0.1"));
    for machine in [
        "KONTOR\\PC-1$",
        "pc-1$@KONTOR.EXAMPLE",
        "host/pc-1.kontor.example",
        "",
    ] {
        inventory.used(at(5), addr, machine, "kerberos");
    }
    for n in 0..17 {
        let user = format!("KONTOR\\user{n}");
        inventory.used(at(6 + n), addr, &user, "ntlm");
        inventory.used(at(7 + n), addr, &user, "ntlm");
    }
    let users = inventory.devices().remove(0).users;
    assert_eq!(users.len(), 16);
    assert_eq!(
        (&*users[0].user, &*users[15].user),
        ("KONTOR\\user1", "KONTOR\\user16")
    );
    assert_eq!((users[0].first_ts, users[0].last_ts), (at(7), at(8)));
}
