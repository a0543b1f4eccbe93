//! Which service a flow is given: by DNS, by its own name, by its certificate, and what a better name changes.

use std::any::Any;
use std::net::IpAddr;

use jiff::tz::TimeZone;

use super::super::{AnalysisSettings, Effect, SavedState};
use super::*;
use crate::device::Home;
use crate::model::{Models, Schema, Source};
use crate::policy::PolicySettings;
use crate::proto::http::HttpRecord;
use crate::proto::tls::SslRecord;
use crate::service::Catalogue;
use crate::types::{
    Body, Clue, ClueKind, Endpoint, Ends as Sides, Fields as _, FlowEvent, MacAddr, Observation,
    Phase, Record, RecordBody, Seed,
};

const TEXT: &str = r#"
[storage]
drop = { name = "Drop", owner = "Drop", domains = ["drop.example"] }
[cdn]
edge = { name = "Edge", owner = "Edge", domains = ["edge.example"] }
"#;

/// A model on the fields of a flow's service.
const MODEL: &str = r#"id = "STO-01"
title = "Storage that is not sanctioned"
class = "compliance"
on = "conn"
when = '''cloud_category == "storage" and not cloud_sanctioned and orig_bytes > 1KB'''
rate_prior = 8
impact = 3
response = "notify"
rarity_text = "{cloud_service} is not sanctioned."
owner = "{device} sent {orig_bytes:bytes} to {cloud_service}."
engineer = "{cloud_category}"
description = "A test."
[[test]]
expect = "breach"
band = [40, 59]
row = { cloud_category = "storage", cloud_service = "drop", cloud_sanctioned = false, orig_bytes = "2MB", device = "pc" }
[[test]]
expect = "no_breach"
row = { cloud_category = "storage", cloud_service = "drop", orig_bytes = "2MB" }
[[test]]
expect = "near_miss"
row = { cloud_category = "storage", cloud_service = "drop", cloud_sanctioned = true, orig_bytes = "2MB" }
"#;

const OUTSIDE: &str = "198.51.100.7";

struct Bench(Analysis);

fn analysis(saved: SavedState) -> Analysis {
    let source = Source {
        path: "storage.toml",
        text: MODEL,
    };
    let models = Models::load(&[source], &Schema::new(&crate::schemas())).unwrap();
    let services = Catalogue::load("c.toml", TEXT).unwrap();
    let settings = AnalysisSettings {
        sensor_id: "tapir".to_owned(),
        home: Home::new(vec![]),
        time_zone: TimeZone::UTC,
        seed: Seed(1),
        response: PolicySettings::default(),
        own: Vec::new(),
        services: services.judged(&[], &["storage"]).unwrap(),
    };
    Analysis::new(settings, models, saved)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn flow(port: u16, to: &str) -> FlowRef {
    FlowRef {
        orig: Endpoint::new(ip("10.0.0.5"), port),
        resp: Endpoint::new(ip(to), 443),
        proto: 6,
        first_ts: Timestamp::from_secs(1_000),
        ..FlowRef::default()
    }
}

const fn event(phase: Phase, orig_bytes: u32) -> FlowEvent {
    FlowEvent {
        phase,
        orig_bytes,
        resp_bytes: 0,
        orig_pkts: 1,
        resp_pkts: 1,
        from_start: true,
        handshake: true,
        signed: false,
        first_of: Some(crate::types::Heard::Orig),
        orig_mac: MacAddr([2, 0, 0, 0, 0, 5]),
        resp_mac: MacAddr([2, 0, 0, 0, 0, 1]),
    }
}

impl Bench {
    fn new() -> Self {
        Self(analysis(SavedState::default()))
    }

    fn see(&mut self, flow: FlowRef, body: Body) {
        let ts = Timestamp::from_secs(1_000);
        self.0.observe(&mut Observation { ts, flow, body });
    }

    fn dns(&mut self, name: &str, to: &str) {
        let clue = Clue {
            mac: None,
            ip: Some(ip(to)),
            kind: ClueKind::DnsName,
            evidence: "dns answer",
            value: name.into(),
        };
        self.see(FlowRef::default(), Body::Clue(Box::new(clue)));
    }

    fn begin(&mut self, flow: FlowRef) {
        self.see(flow, Body::Flow(event(Phase::New, 0)));
        self.see(flow, Body::Flow(event(Phase::Answered, 0)));
    }

    fn says(&mut self, flow: FlowRef, body: impl RecordBody) {
        let record = Record::new(flow.first_ts, flow, None::<Sides>, body);
        self.see(flow, Body::Record(record));
    }

    fn sni(&mut self, flow: FlowRef, name: &str) {
        let record = SslRecord {
            server_name: Some(name.into()),
            ..SslRecord::default()
        };
        self.says(flow, record);
    }

    /// Ends a flow of so many bytes; its service and category by its record.
    fn end(&mut self, flow: FlowRef, bytes: u64) -> Option<(String, &'static str, Option<bool>)> {
        let conn = Conn {
            orig_bytes: Some(bytes),
            resp_bytes: Some(7),
            ..Conn::default()
        };
        let record: Box<Record> = Record::new(flow.first_ts, flow, None, conn);
        let last = event(Phase::Close, u32::try_from(bytes).unwrap());
        self.see(flow, Body::Close(last, record));
        let told = std::iter::from_fn(|| self.0.poll()).filter_map(|effect| match effect {
            Effect::Record(record) => Some(record),
            _ => None,
        });
        let record = told.last().unwrap();
        let conn = (&record.body as &dyn Any).downcast_ref::<Conn>().unwrap();
        let service = conn.cloud_service.as_ref()?.to_string();
        Some((service, conn.cloud_category?, conn.cloud_sanctioned))
    }
}

fn drop_said() -> Option<(String, &'static str, Option<bool>)> {
    Some(("drop".to_owned(), "storage", Some(false)))
}

fn edge_said() -> Option<(String, &'static str, Option<bool>)> {
    Some(("edge".to_owned(), "cdn", None))
}

#[test]
fn an_address_that_dns_named_is_enough_until_the_flow_says_its_own_name() {
    let mut bench = Bench::new();
    bench.dns("cache.edge.example", OUTSIDE);
    let [one, two, three] = [1, 2, 3].map(|port| flow(port, OUTSIDE));
    for flow in [one, two, three] {
        bench.begin(flow);
    }
    bench.sni(two, "www.DROP.example");
    bench.sni(three, "other.example");
    assert_eq!(bench.end(one, 10), edge_said());
    assert_eq!(bench.end(two, 20), drop_said());
    assert_eq!(bench.end(three, 30), None);
    let uses: Vec<_> = bench
        .0
        .service_uses()
        .into_iter()
        .map(|one| (one.service, one.flows, one.bytes_up))
        .collect();
    assert_eq!(
        uses,
        [("drop".to_owned(), 1, 20), ("edge".to_owned(), 1, 10)]
    );
    // The flow's own name is what the address goes by from then on.
    let four = flow(4, OUTSIDE);
    bench.begin(four);
    assert_eq!(bench.end(four, 1), None);
}

#[test]
fn hosts_of_requests_and_certificates_name_services() {
    let mut bench = Bench::new();
    let [web, tls, both] = [1, 2, 3].map(|port| flow(port, OUTSIDE));
    for flow in [web, tls, both] {
        bench.begin(flow);
    }
    let host = |host: &str| HttpRecord {
        host: Some(host.into()),
        ..HttpRecord::default()
    };
    bench.says(web, host("drop.example:8080"));
    bench.says(web, host("edge.example"));
    let certificate = X509Record {
        host_cert: true,
        subject: Some("CN=*.edge.example,O=Edge".into()),
        ..X509Record::default()
    };
    bench.says(tls, certificate.clone());
    bench.says(
        both,
        X509Record {
            subject: None,
            san_dns: Some(vec!["*.drop.example".into()]),
            ..certificate.clone()
        },
    );
    bench.says(
        both,
        SslRecord {
            server_name: Some("no.example".into()),
            ..SslRecord::default()
        },
    );
    assert_eq!(bench.end(web, 1), drop_said());
    assert_eq!(bench.end(tls, 1), edge_said());
    assert_eq!(bench.end(both, 1), None);
    // A client's certificate says nothing of the server.
    let mutual = flow(4, OUTSIDE);
    bench.begin(mutual);
    bench.says(
        mutual,
        X509Record {
            client_cert: true,
            ..certificate
        },
    );
    assert_eq!(bench.end(mutual, 1), None);
}

#[test]
fn only_what_our_devices_use_is_told_and_what_stays_at_home_is_not_by_address() {
    let mut bench = Bench::new();
    bench.dns("drop.example", "10.0.0.9");
    let inside = flow(1, "10.0.0.9");
    bench.begin(inside);
    assert_eq!(bench.end(inside, 1), None);
    // Through a proxy of ours the name is the flow's own.
    let proxied = flow(2, "10.0.0.9");
    bench.begin(proxied);
    bench.sni(proxied, "drop.example");
    assert_eq!(bench.end(proxied, 1), drop_said());
    let mut inward = flow(3, OUTSIDE);
    std::mem::swap(&mut inward.orig, &mut inward.resp);
    bench.begin(inward);
    bench.sni(inward, "drop.example");
    assert_eq!(bench.end(inward, 1), None);
}

#[test]
fn a_model_sees_the_service_and_the_ledger_outlives_the_run() {
    let mut bench = Bench::new();
    let [small, large] = [1, 2].map(|port| flow(port, OUTSIDE));
    for (flow, bytes) in [(small, 100), (large, 9_000)] {
        bench.begin(flow);
        bench.sni(flow, "drop.example");
        let ended = bench.see_end(flow, bytes);
        assert_eq!(ended, usize::from(bytes > 1_000), "{bytes}");
    }
    let saved = bench.0.save();
    let text = serde_json::to_string(&saved).unwrap();
    let again = analysis(serde_json::from_str(&text).unwrap());
    assert_eq!(again.service_uses(), bench.0.service_uses());
    assert_eq!(again.service_uses()[0].bytes_up, 9_100);
    assert!(
        Conn::FIELDS
            .iter()
            .any(|field| field.name == "cloud_service")
    );
}

/// Two addresses of one machine have one line, and two again when they are taken apart.
#[test]
fn what_was_merged_into_a_device_is_its_own_use() {
    let mut bench = Bench::new();
    let mut other = flow(2, OUTSIDE);
    other.orig = Endpoint::new(ip("10.0.0.6"), 2);
    for flow in [flow(1, OUTSIDE), other] {
        bench.begin(flow);
        bench.sni(flow, "drop.example");
        bench.end(flow, 10);
    }
    let lines = |bench: &Bench| {
        bench
            .0
            .service_uses()
            .iter()
            .map(|one| (one.flows, one.bytes_up))
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&bench), [(1, 10), (1, 10)]);
    let ids: Vec<String> = bench
        .0
        .devices()
        .into_iter()
        .map(|device| device.id)
        .collect();
    let by_use: Vec<String> = bench
        .0
        .service_uses()
        .into_iter()
        .map(|one| one.device)
        .collect();
    assert!(by_use.iter().all(|id| ids.contains(id)));
    let ts = Timestamp::from_secs(2_000);
    bench.0.merge(ts, &by_use[0], &by_use[1], "jo").unwrap();
    assert_eq!(lines(&bench), [(2, 20)]);
    assert_eq!(bench.0.service_uses()[0].device, by_use[0]);
    bench.0.split(ts, &by_use[1], "jo").unwrap();
    assert_eq!(lines(&bench), [(1, 10), (1, 10)]);
}

impl Bench {
    /// Ends a flow; how many breaches came of it.
    fn see_end(&mut self, flow: FlowRef, bytes: u64) -> usize {
        let conn = Conn {
            orig_bytes: Some(bytes),
            ..Conn::default()
        };
        let record: Box<Record> = Record::new(flow.first_ts, flow, None, conn);
        let last = event(Phase::Close, 0);
        self.see(flow, Body::Close(last, record));
        let effects = std::iter::from_fn(|| self.0.poll());
        effects
            .filter(|effect| matches!(effect, Effect::Breach(_)))
            .count()
    }
}
