//! Uses follow their flows, go from one service to another with them, and hold their bound.

use std::net::IpAddr;

use super::*;
use crate::types::Endpoint;

const TEXT: &str = r#"
[storage]
a = { name = "A", owner = "A", domains = ["a.com"] }
b = { name = "B", owner = "B", domains = ["b.com"] }
"#;

fn catalogue() -> Catalogue {
    Catalogue::load("c.toml", TEXT).unwrap()
}

fn uses() -> Uses {
    Uses::new(Seed(7), &catalogue(), SavedUses::default())
}

fn flow(port: u16) -> FlowRef {
    let end = |ip: &str, port| Endpoint::new(ip.parse::<IpAddr>().unwrap(), port);
    FlowRef {
        orig: end("10.0.0.1", port),
        resp: end("198.51.100.1", 443),
        proto: 6,
        ..FlowRef::default()
    }
}

const fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Id of the service, flows, bytes up and down of every use.
fn told(uses: &Uses) -> Vec<(String, u32, u64, u64, u64)> {
    let catalogue = catalogue();
    let id = |ix| catalogue.get(ix).unwrap().id.to_string();
    let all = uses.all().into_iter();
    all.map(|(s, d, one)| (id(s), d.0, one.flows, one.up, one.down))
        .collect()
}

#[test]
fn bytes_are_counted_once_whatever_is_told_when() {
    let mut uses = uses();
    let (a, device) = (catalogue().find("a.com"), DeviceIx(3));
    uses.named(at(1), &flow(1), device, Evidence::Sni, a);
    uses.moved(at(60), &flow(1), (100, 2_000));
    uses.moved(at(61), &flow(2), (5, 5));
    assert_eq!(told(&uses), [("a".to_owned(), 3, 1, 100, 2_000)]);
    assert_eq!(uses.over(at(90), &flow(1), (150, 9_000)), a);
    assert_eq!(uses.over(at(91), &flow(1), (150, 9_000)), None);
    assert_eq!(told(&uses), [("a".to_owned(), 3, 1, 150, 9_000)]);
    let (_, _, one) = uses.all()[0];
    assert_eq!((one.first_ts, one.last_ts), (at(1), at(90)));
    assert_eq!(one.evidence().collect::<Vec<_>>(), ["sni"]);
}

#[test]
fn a_better_name_moves_a_flow_with_what_it_counted() {
    let mut uses = uses();
    let (a, b, device) = (
        catalogue().find("a.com"),
        catalogue().find("b.com"),
        DeviceIx(0),
    );
    uses.named(at(1), &flow(1), device, Evidence::Dns, a);
    uses.named(at(1), &flow(2), device, Evidence::Dns, a);
    uses.moved(at(2), &flow(1), (10, 20));
    uses.moved(at(2), &flow(2), (1, 2));
    uses.named(at(3), &flow(1), device, Evidence::Sni, b);
    // A weaker or a second name of the same kind changes nothing.
    uses.named(at(4), &flow(1), device, Evidence::HttpHost, a);
    uses.named(at(4), &flow(1), device, Evidence::Sni, a);
    uses.over(at(5), &flow(1), (11, 22));
    assert_eq!(
        told(&uses),
        [("a".to_owned(), 0, 1, 1, 2), ("b".to_owned(), 0, 1, 11, 22)]
    );
    // A name of its own that no catalogue has: it was not what its address is called.
    uses.named(at(6), &flow(2), device, Evidence::Sni, None);
    assert_eq!(uses.over(at(7), &flow(2), (1, 2)), None);
    assert_eq!(told(&uses), [("b".to_owned(), 0, 1, 11, 22)]);
    // A certificate for somebody else does not say so.
    uses.named(at(8), &flow(3), device, Evidence::Dns, a);
    uses.named(at(8), &flow(3), device, Evidence::Certificate, None);
    assert_eq!(uses.over(at(9), &flow(3), (0, 0)), a);
}

#[test]
fn the_oldest_go_at_the_bound_and_are_counted() {
    let mut uses = uses();
    let a = catalogue().find("a.com");
    let devices = u32::try_from(USES_MAX).unwrap() + 1;
    for device in 0..devices {
        uses.named(
            at(device.into()),
            &flow(1),
            DeviceIx(device),
            Evidence::Sni,
            a,
        );
        uses.over(at(device.into()), &flow(1), (1, 1));
    }
    assert_eq!(uses.let_go(), LET_GO as u64);
    let all = uses.all();
    assert_eq!(all.len(), USES_MAX + 1 - LET_GO);
    assert_eq!(all[0].1, DeviceIx(u32::try_from(LET_GO).unwrap()));
    let held = uses.held();
    assert!(held.bytes <= held.bound, "{held:?}");
}

#[test]
fn flows_beyond_the_bound_are_refused_and_counted() {
    let mut uses = uses();
    let a = catalogue().find("a.com");
    for n in 0..u32::try_from(FLOWS_MAX).unwrap() + 5 {
        let mut flow = flow(u16::try_from(n % 60_000).unwrap());
        flow.ordinal = u16::try_from(n / 60_000).unwrap();
        uses.named(at(1), &flow, DeviceIx(0), Evidence::Sni, a);
    }
    assert_eq!(uses.refused(), 5);
    assert_eq!(told(&uses)[0].2, FLOWS_MAX as u64);
    let held = uses.held();
    assert!(held.bytes <= held.bound, "{held:?}");
}

#[test]
fn what_is_saved_is_known_again_as_far_as_the_catalogue_goes() {
    let mut uses = uses();
    let (a, b) = (catalogue().find("a.com"), catalogue().find("b.com"));
    uses.named(at(1), &flow(1), DeviceIx(0), Evidence::Sni, a);
    uses.named(at(2), &flow(2), DeviceIx(1), Evidence::Dns, b);
    uses.over(at(3), &flow(2), (8, 9));
    let text = serde_json::to_string(&uses.save(&catalogue())).unwrap();
    let saved: SavedUses = serde_json::from_str(&text).unwrap();
    let again = Uses::new(Seed(8), &catalogue(), saved.clone());
    assert_eq!(told(&again), told(&uses));
    assert_eq!(again.save(&catalogue()), saved);
    let other = TEXT.replace("b = {", "c = {");
    let other = Catalogue::load("c.toml", &other).unwrap();
    let again = Uses::new(Seed(8), &other, saved);
    assert_eq!(again.all().len(), 1);
}
