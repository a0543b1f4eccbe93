//! A daemon on a real socket, and what it answers.

mod devices;
mod hostile;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tapir_message::{Breach, Device, Incident, Merge, Mode, ServiceUse};
use tempfile::TempDir;

use super::server::Limits;
use super::*;
use crate::report::fixture::Office;

/// A daemon that knows the office's story and remembers what it was told.
pub(crate) struct FakeDesk {
    pub(crate) office: Office,
    pub(crate) merges: Vec<Merge>,
    pub(crate) responses: Vec<ResponseEntry>,
    pub(crate) watchers: Watchers,
    pub(crate) told: Mutex<Vec<String>>,
}

impl FakeDesk {
    pub(crate) fn new() -> Self {
        Self {
            office: Office::new(),
            merges: Vec::new(),
            responses: crate::cli::view::fixture::responses(),
            watchers: Watchers::new(),
            told: Mutex::new(Vec::new()),
        }
    }

    fn tell(&self, who: &str, what: &str) -> Result<String, Refusal> {
        let mut told = self.told.lock().unwrap();
        told.push(format!("{who}: {what}"));
        Ok(what.to_owned())
    }
}

impl Desk for FakeDesk {
    fn site(&self) -> Site {
        Site {
            sensor_id: "kontor".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            devices: self.office.devices.len(),
        }
    }

    fn devices(&self) -> Vec<Device> {
        self.office.devices.clone()
    }

    fn merges(&self) -> Vec<Merge> {
        self.merges.clone()
    }

    fn services(&self) -> Vec<ServiceUse> {
        self.office.services.clone()
    }

    fn breaches(&self) -> Vec<Breach> {
        self.office.breaches.clone()
    }

    fn incidents(&self) -> Vec<Incident> {
        self.office.incidents.clone()
    }

    fn responses(&self) -> Vec<ResponseEntry> {
        self.responses.clone()
    }

    fn status(&self) -> Status {
        Status {
            mode: Mode::Confirm,
            ..Status::default()
        }
        .judged()
    }

    fn subscribe(&self) -> Watch {
        self.watchers.subscribe()
    }

    fn approve(&self, who: &str, decision: &str, code: &str) -> Result<String, Refusal> {
        if code != "4711" {
            return Err(Refusal::new(Why::Refused, "wrong code"));
        }
        self.tell(who, &format!("approve {decision}"))
    }

    fn revert(&self, who: &str, decision: Option<&str>) -> Result<String, Refusal> {
        self.tell(who, &format!("revert {}", decision.unwrap_or("all")))
    }

    fn merge_devices(&self, who: &str, into: &str, other: &str) -> Result<Ruled, Refusal> {
        self.tell(who, &format!("merge {into} {other}"))?;
        Ok(Ruled::Done)
    }

    fn split_device(&self, who: &str, id: &str) -> Result<Ruled, Refusal> {
        self.tell(who, &format!("split {id}"))?;
        Ok(Ruled::Kept)
    }

    fn stop_responses(&self, who: &str) -> Result<String, Refusal> {
        self.tell(who, "stop")
    }

    fn resume_responses(&self, who: &str) -> Result<String, Refusal> {
        self.tell(who, "resume")
    }
}

/// A daemon at work in a folder of its own.
struct Bench {
    desk: Arc<FakeDesk>,
    path: PathBuf,
    serving: Option<Serving>,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    fn with_limits(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/control.sock");
        let desk = Arc::new(FakeDesk::new());
        let server = Server::bind(&path).unwrap().with_limits(limits);
        let serving = server.serve(Arc::clone(&desk) as Arc<dyn Desk>).unwrap();
        Self {
            desk,
            path,
            serving: Some(serving),
            _folder: folder,
        }
    }

    fn ask(&self, request: &Request) -> Answer {
        ask(&self.path, request).unwrap()
    }

    fn refusal(&self, request: &Request) -> Refusal {
        match ask(&self.path, request) {
            Err(ControlError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    /// What the daemon answers to bytes of our choice, the sending side closed after them.
    fn answer_to(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(&self.path).unwrap();
        // The daemon may close before it has read it all.
        let _sent = stream.write_all(bytes);
        let _closed = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _reset = stream.read_to_string(&mut answer);
        answer
    }
}

#[test]
fn services_are_summed_filtered_and_counted() {
    let bench = Bench::new();
    let ask = |filter: ServiceFilter| match bench.ask(&Request::Services(filter)) {
        Answer::Services {
            total, services, ..
        } => {
            let ids = services.iter().map(|one| one.service.clone());
            (total, ids.collect::<Vec<_>>().join(" "))
        }
        other => panic!("{other:?}"),
    };
    let some = |text: &str| Some(text.to_owned());
    let all = ServiceFilter::default;
    assert_eq!(ask(all()), (3, "mega microsoft-365 chatgpt".to_owned()));
    let limit = Some(1);
    assert_eq!(
        ask(ServiceFilter { limit, ..all() }),
        (3, "mega".to_owned())
    );
    let service = some("365");
    assert_eq!(ask(ServiceFilter { service, ..all() }).1, "microsoft-365");
    let category = some("ai");
    assert_eq!(ask(ServiceFilter { category, ..all() }).1, "chatgpt");
    let device = some("MERTENS");
    assert_eq!(ask(ServiceFilter { device, ..all() }).1, "microsoft-365");
    let mega = bench.desk.office.services[1].first_ts;
    let new_since = Some(mega);
    assert_eq!(ask(ServiceFilter { new_since, ..all() }).1, "mega");
    let new_since = Some(mega.plus(1));
    assert_eq!(ask(ServiceFilter { new_since, ..all() }).0, 0);
    let answer = bench.answer_to(b"{\"request\":\"services\",\"owner\":\"x\"}\n");
    assert!(answer.contains("bad_request"), "{answer}");
}

#[test]
fn lists_are_filtered_sorted_and_counted() {
    let bench = Bench::new();
    let breaches = |min_score, device: Option<&str>, since, limit| {
        let request = Request::Breaches {
            min_score,
            since,
            device: device.map(str::to_owned),
            limit,
        };
        match bench.ask(&request) {
            Answer::Breaches {
                total,
                breaches,
                site,
            } => {
                assert_eq!((site.sensor_id.as_str(), site.devices), ("kontor", 14));
                (total, breaches)
            }
            other => panic!("{other:?}"),
        }
    };
    let (total, all) = breaches(None, None, None, None);
    assert_eq!((total, all.len()), (6, 6));
    assert!(all.is_sorted_by(|a, b| a.last_ts >= b.last_ts));
    let (total, some) = breaches(Some(70), None, None, Some(2));
    assert_eq!((total, some.len()), (3, 2), "health breaches have no score");
    assert_eq!(breaches(None, Some("ALBERS"), None, None).0, 2);
    assert_eq!(breaches(None, Some("nobody"), None, None).0, 0);
    let (newer, _) = breaches(None, None, Some(all[1].last_ts), None);
    assert_eq!(newer, 2);
    let request = Request::Devices(DeviceFilter {
        device: Some("10.77.8.1".to_owned()),
        ..DeviceFilter::default()
    });
    match bench.ask(&request) {
        Answer::Devices { devices, .. } => assert_eq!(devices.len(), 1, "10.77.8.14 is another"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_breach_is_found_by_the_beginning_of_its_id() {
    let bench = Bench::new();
    let explain = |breach: &str| Request::Explain {
        breach: breach.to_owned(),
    };
    match bench.ask(&explain("04b7")) {
        Answer::Explanation { explanation, .. } => {
            assert_eq!(explanation.breach.id, bench.desk.office.breaches[3].id);
            assert_eq!(explanation.device.unwrap().name, "pc-albers");
            assert!(explanation.incident.is_some());
            assert!(!explanation.responses.is_empty());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.refusal(&explain("0")).why, Why::Ambiguous);
    assert_eq!(bench.refusal(&explain("")).why, Why::NotFound);
    assert_eq!(bench.refusal(&explain("zz")).why, Why::NotFound);
}

#[test]
fn commands_reach_the_desk_with_who_gave_them() {
    let bench = Bench::new();
    let id = bench.desk.responses[0].decision.id.clone();
    let approve = |code: &str| Request::Approve {
        decision: id.chars().take(8).collect(),
        code: code.to_owned(),
    };
    assert_eq!(bench.refusal(&approve("0000")).text, "wrong code");
    for request in [
        approve("4711"),
        Request::Revert { decision: None },
        Request::StopResponses,
        Request::ResumeResponses,
    ] {
        assert!(matches!(bench.ask(&request), Answer::Done { .. }));
    }
    let uid = nix::unistd::Uid::effective();
    let told = bench.desk.told.lock().unwrap().clone();
    assert!(
        told[0].contains(&format!("(uid {uid}): approve {id}")),
        "{told:?}"
    );
    assert!(
        told[1].ends_with("revert all") && told[2].ends_with("stop"),
        "{told:?}"
    );
}

#[test]
fn those_who_may_only_look_cannot_act_and_see_no_codes() {
    let desk = FakeDesk::new();
    let look = |request: &Request| desk::answer(&desk, request, "anna (uid 1000)", Rights::Looks);
    let all = Request::Responses {
        since: None,
        limit: None,
    };
    let Answer::Responses { responses, .. } = look(&all) else {
        panic!("no list");
    };
    assert!(responses.iter().all(|entry| entry.code.is_none()));
    assert!(desk.responses.iter().any(|entry| entry.code.is_some()));
    let Answer::Refused { refusal } = look(&Request::StopResponses) else {
        panic!("it was done");
    };
    assert_eq!(refusal.why, Why::NotAuthorised);
    assert!(desk.told.lock().unwrap().is_empty());
}

#[test]
fn a_watch_hears_what_happens_and_ends_with_the_daemon() {
    let mut bench = Bench::new();
    let (site, mut lines) = watch(&bench.path).unwrap();
    assert_eq!(site.time_zone, "Europe/Berlin");
    let event = Event::Breach {
        breach: Box::new(bench.desk.office.breaches[0].clone()),
    };
    bench.desk.watchers.publish(event.clone());
    assert_eq!(lines.next().unwrap().unwrap(), event);
    bench.desk.watchers.publish(Event::Missed { lines: 3 });
    assert_eq!(lines.next().unwrap().unwrap(), Event::Missed { lines: 3 });
    bench.serving.take();
    assert!(lines.next().is_none());
    assert!(!bench.path.exists(), "the socket is left behind");
}

/// More connections than there is room for: the later ones are told so, and room comes back.
/// A client that says nothing is told, and one that stops in the middle, too.
/// Clients that leave in the middle of a long answer, or never take it, hold nobody else.
/// Shapes that programs rely on.
#[test]
fn requests_and_answers_have_their_shapes() {
    let request = serde_json::to_string(&Request::Revert { decision: None }).unwrap();
    assert_eq!(request, r#"{"request":"revert"}"#);
    let bench = Bench::new();
    for (request, start) in [
        (
            r#"{"request":"devices"}"#,
            r#"{"schema":"tapir.devices/1","site":{"sensor_id":"kontor""#,
        ),
        (
            r#"{"request":"devices","kind":"pc","limit":3}"#,
            r#"{"schema":"tapir.devices/1","site":"#,
        ),
        (
            r#"{"request":"device","device":"pc-albers"}"#,
            r#"{"schema":"tapir.device/1","site":"#,
        ),
        (
            r#"{"request":"merges"}"#,
            r#"{"schema":"tapir.merges/1","site":"#,
        ),
        (
            r#"{"request":"breaches","min_score":80}"#,
            r#"{"schema":"tapir.breaches/1","site":"#,
        ),
        (
            r#"{"request":"incidents"}"#,
            r#"{"schema":"tapir.incidents/1","site":"#,
        ),
        (
            r#"{"request":"status"}"#,
            r#"{"schema":"tapir.status/1","site":"#,
        ),
        (
            r#"{"request":"responses"}"#,
            r#"{"schema":"tapir.responses/1","site":"#,
        ),
        (
            r#"{"request":"explain","breach":"04"}"#,
            r#"{"schema":"tapir.explanation/1","site":"#,
        ),
        (
            r#"{"request":"explain","breach":"9"}"#,
            r#"{"schema":"tapir.refused/1","why":"not_found","text":"#,
        ),
        (
            r#"{"request":"resume_responses"}"#,
            r#"{"schema":"tapir.done/1","text":"resume"}"#,
        ),
    ] {
        let answer = bench.answer_to(format!("{request}\n").as_bytes());
        assert!(answer.starts_with(start), "{answer}");
        let read: Answer = serde_json::from_str(&answer).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap() + "\n", answer);
    }
    let mut stream = UnixStream::connect(&bench.path).unwrap();
    stream.write_all(b"{\"request\":\"watch\"}\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(
        first.starts_with(r#"{"schema":"tapir.watch/1","site":"#),
        "{first}"
    );
    bench.desk.watchers.publish(Event::Missed { lines: 3 });
    let second = lines.next().unwrap().unwrap();
    assert_eq!(
        second,
        r#"{"schema":"tapir.event/1","event":"missed","lines":3}"#
    );
}
