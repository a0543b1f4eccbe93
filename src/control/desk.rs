//! What the daemon knows and does, as the socket needs it; and how a request becomes an answer.

use tapir_message::{Breach, Device, Incident, Judgement, Merge, ServiceUse};

use super::answer::{Answer, Explanation, ProtocolEntry, Refusal, ResponseEntry, Site, Why};
use super::device::{Known, has, typed};
use super::merge::{merge, merges, split};
use super::peer::Rights;
use super::request::{DeviceFilter, Request};
use super::{Status, Watch};

/// The state of the daemon. Lists come in any order; `who` names a person for the decision log, which
/// has it before anything is done.
pub trait Desk: Send + Sync {
    /// Whose answers these are.
    fn site(&self) -> Site;
    /// The inventory.
    fn devices(&self) -> Vec<Device>;
    /// Every merge of devices that holds.
    fn merges(&self) -> Vec<Merge>;
    /// Who used which service.
    fn services(&self) -> Vec<ServiceUse>;
    /// Last state of every breach that is kept.
    fn breaches(&self) -> Vec<Breach>;
    /// Last state of every incident that is kept.
    fn incidents(&self) -> Vec<Incident>;
    /// Decisions, their actions, and the codes of those that wait.
    fn responses(&self) -> Vec<ResponseEntry>;
    /// How the sensor is doing, judged.
    fn status(&self) -> Status;
    /// What happens from here on.
    fn subscribe(&self) -> Watch;
    /// Approves a decision (its whole id) by its one-time code; says what was done.
    ///
    /// # Errors
    /// Wrong code, too late, or nothing that waits.
    fn approve(&self, who: &str, decision: &str, code: &str) -> Result<String, Refusal>;
    /// Takes back the action of a decision (its whole id), or all; says what was done.
    ///
    /// # Errors
    /// There is nothing to take back.
    fn revert(&self, who: &str, decision: Option<&str>) -> Result<String, Refusal>;
    /// Holds two devices (their whole ids) to be one machine from now on.
    ///
    /// # Errors
    /// It cannot be, or could not be kept.
    fn merge_devices(&self, who: &str, into: &str, other: &str) -> Result<Ruled, Refusal>;
    /// Takes what was merged (its whole id) out of the device that it is part of.
    ///
    /// # Errors
    /// It cannot be, or could not be kept.
    fn split_device(&self, who: &str, id: &str) -> Result<Ruled, Refusal>;
    /// Stops all responses; says what was done.
    ///
    /// # Errors
    /// It could not be passed on.
    fn stop_responses(&self, who: &str) -> Result<String, Refusal>;
    /// Allows responses again; says what was done.
    ///
    /// # Errors
    /// It could not be passed on.
    fn resume_responses(&self, who: &str) -> Result<String, Refusal>;
}

/// What became of a ruling on devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruled {
    /// It was carried out.
    Done,
    /// It is on disk, and carried out when `sense` is there again.
    Kept,
}

/// Most entries of a list in one answer.
const LIST_MAX: usize = 20_000;

/// Answers everything but `watch`, which is not one answer.
pub(super) fn answer(desk: &dyn Desk, request: &Request, who: &str, rights: Rights) -> Answer {
    if rights != Rights::All && !request.only_looks() {
        let text = format!("{who} may look but not act; be root to do that");
        return Answer::refused(Refusal::new(Why::NotAuthorised, text));
    }
    acted(desk, request, who).unwrap_or_else(|| looked(desk, request, rights))
}

/// What a person did; none if the request only looks.
fn acted(desk: &dyn Desk, request: &Request, who: &str) -> Option<Answer> {
    let whole = |decision: &str| {
        let all = desk.responses();
        let ids = all.iter().map(|entry| entry.decision.id.as_str());
        the_one(ids, decision, "decision", "tapir show responses")
    };
    let done = match request {
        Request::Approve { decision, code } => {
            whole(decision).and_then(|id| desk.approve(who, &id, code))
        }
        Request::Revert { decision: None } => desk.revert(who, None),
        Request::Revert {
            decision: Some(decision),
        } => whole(decision).and_then(|id| desk.revert(who, Some(&id))),
        Request::MergeDevices { into, other } => merge(desk, who, into, other),
        Request::SplitDevice { device } => split(desk, who, device),
        Request::StopResponses => desk.stop_responses(who),
        Request::ResumeResponses => desk.resume_responses(who),
        _ => return None,
    };
    Some(match done {
        Ok(text) => Answer::Done { text },
        Err(refusal) => Answer::refused(refusal),
    })
}

/// What a person looked at.
fn looked(desk: &dyn Desk, request: &Request, rights: Rights) -> Answer {
    let site = desk.site();
    match request {
        Request::Devices(filter) => devices(site, desk.devices(), filter),
        Request::Device { device } => match known(desk).portrait(device) {
            Ok(portrait) => Answer::Device {
                site,
                portrait: Box::new(portrait),
            },
            Err(refusal) => Answer::refused(refusal),
        },
        Request::Merges => merges(desk, site),
        Request::Breaches {
            min_score,
            since,
            device,
            limit,
        } => {
            let mut all = desk.breaches();
            let machine = machine(desk, device.as_deref());
            all.retain(|breach| {
                min_score.is_none_or(|least| breach.score >= Some(least))
                    && since.is_none_or(|since| breach.last_ts >= since)
                    && device.as_deref().is_none_or(|name| {
                        is_of(breach, name) || is_part(machine.as_ref(), &breach.device)
                    })
            });
            all.sort_by(|a, b| (b.last_ts, &a.id).cmp(&(a.last_ts, &b.id)));
            let (total, breaches) = first(all, *limit);
            Answer::Breaches {
                site,
                total,
                breaches,
            }
        }
        Request::Services(filter) => Answer::services(site, desk.services(), filter),
        Request::Incidents { .. } => incidents(desk, site, request),
        Request::Responses { since, limit } => {
            let mut all = responses(desk, rights);
            all.retain(|entry| since.is_none_or(|since| latest(entry) >= since));
            all.reverse();
            let status = desk.status();
            let (total, responses) = first(all, *limit);
            Answer::Responses {
                site,
                mode: status.mode,
                stopped: status.stopped,
                total,
                responses,
            }
        }
        Request::Explain { breach } => explain(desk, site, breach, rights),
        Request::Mirror => {
            let stats = desk.status().stats.unwrap_or_default();
            Answer::Mirror {
                site,
                mirror: Box::new(stats.mirror),
            }
        }
        Request::Protocols => {
            let stats = desk.status().stats.unwrap_or_default();
            Answer::Protocols {
                site,
                protocols: ProtocolEntry::all(&stats),
            }
        }
        _ => Answer::Status {
            site,
            status: Box::new(desk.status()),
        },
    }
}

/// The devices of an inventory that are asked for, the latest seen first.
#[must_use]
pub fn devices(site: Site, mut all: Vec<Device>, filter: &DeviceFilter) -> Answer {
    all.retain(|device| matches_device(device, filter));
    all.sort_by(|a, b| (b.last_ts, &a.id).cmp(&(a.last_ts, &b.id)));
    let (total, devices) = first(all, filter.limit);
    Answer::Devices {
        site,
        total,
        devices,
    }
}

/// Everything of which a portrait takes its part.
fn known(desk: &dyn Desk) -> Known {
    Known {
        now: desk.status().health.and_then(|health| health.ts),
        devices: desk.devices(),
        breaches: desk.breaches(),
        incidents: desk.incidents(),
        merges: desk.merges(),
    }
}

/// The incidents that are asked for.
fn incidents(desk: &dyn Desk, site: Site, request: &Request) -> Answer {
    let mut all = desk.incidents();
    let mut most = None;
    if let Request::Incidents {
        min_score,
        since,
        device,
        limit,
    } = request
    {
        most = *limit;
        let machine = machine(desk, device.as_deref());
        let takes_part = |incident: &Incident, wanted: &str| {
            let mut names = incident.devices.iter().chain(&incident.device_names);
            let mut ids = incident.devices.iter();
            names.any(|name| has(name, wanted)) || ids.any(|id| is_part(machine.as_ref(), id))
        };
        all.retain(|incident: &Incident| {
            min_score.is_none_or(|least| incident.score >= Some(least))
                && since.is_none_or(|since| incident.last_ts >= since)
                && device
                    .as_deref()
                    .is_none_or(|wanted| takes_part(incident, wanted))
        });
    }
    all.sort_by(|a, b| (b.last_ts, &a.id).cmp(&(a.last_ts, &b.id)));
    let (total, incidents) = first(all, most);
    Answer::Incidents {
        site,
        total,
        incidents,
    }
}

/// The machine that is meant, if it is by the id of one; what was merged into it is asked for, too.
fn machine(desk: &dyn Desk, wanted: Option<&str>) -> Option<Device> {
    let wanted = wanted?;
    let mut all = desk.devices().into_iter();
    all.find(|device| device.goes_by(wanted))
}

fn is_part(machine: Option<&Device>, id: &str) -> bool {
    machine.is_some_and(|machine| machine.goes_by(id))
}

/// Everything about one breach.
fn explain(desk: &dyn Desk, site: Site, id: &str, rights: Rights) -> Answer {
    let breaches = desk.breaches();
    let ids = breaches.iter().map(|breach| breach.id.as_str());
    let id = match the_one(ids, id, "breach", "tapir show breaches") {
        Ok(id) => id,
        Err(refusal) => return Answer::refused(refusal),
    };
    let Some(breach) = breaches.into_iter().find(|breach| breach.id == id) else {
        return Answer::refused(Refusal::new(Why::NotFound, "the breach is gone"));
    };
    let status = desk.status();
    let mut responses = responses(desk, rights);
    responses.retain(|entry| entry.decision.breach == breach.id);
    let incidents = desk.incidents();
    let explanation = Explanation {
        incident: incidents.into_iter().find(|i| i.id == breach.incident),
        device: desk
            .devices()
            .into_iter()
            .find(|d| d.goes_by(&breach.device)),
        responses,
        breach,
        mode: status.mode,
        stopped: status.stopped,
    };
    Answer::Explanation {
        site,
        explanation: Box::new(explanation),
    }
}

/// Decisions in order of time; codes only for those who may approve.
fn responses(desk: &dyn Desk, rights: Rights) -> Vec<ResponseEntry> {
    let mut all = desk.responses();
    all.sort_by(|a, b| (latest(a), &a.decision.id).cmp(&(latest(b), &b.decision.id)));
    if rights != Rights::All {
        for entry in &mut all {
            entry.code = None;
        }
    }
    all
}

/// When a decision last changed.
fn latest(entry: &ResponseEntry) -> tapir_message::Timestamp {
    let response = entry.response.as_ref().map(|response| response.ts);
    response.unwrap_or(entry.decision.ts).max(entry.decision.ts)
}

/// The whole id that `given` is, or alone is the beginning of.
fn the_one<'a>(
    ids: impl Iterator<Item = &'a str>,
    given: &str,
    what: &str,
    list: &str,
) -> Result<String, Refusal> {
    let mut found: Option<&str> = None;
    let mut more = 0_usize;
    for id in ids {
        if id == given {
            return Ok(id.to_owned());
        }
        if !given.is_empty() && id.starts_with(given) && found != Some(id) {
            more += usize::from(found.is_some());
            found = found.or(Some(id));
        }
    }
    let shown = typed(given);
    match found {
        Some(id) if more == 0 => Ok(id.to_owned()),
        Some(_) => Err(Refusal::new(
            Why::Ambiguous,
            format!(
                "{} {what} ids begin with \"{shown}\"; give more of it",
                more + 1
            ),
        )),
        None => Err(Refusal::new(
            Why::NotFound,
            format!("no {what} \"{shown}\"; `{list}` shows their ids"),
        )),
    }
}

/// The first of a list, and how many there were.
pub(super) fn first<T>(mut all: Vec<T>, limit: Option<usize>) -> (usize, Vec<T>) {
    let total = all.len();
    all.truncate(limit.unwrap_or(LIST_MAX).min(LIST_MAX));
    (total, all)
}

fn matches_device(device: &Device, filter: &DeviceFilter) -> bool {
    let named = |wanted: &str| {
        let mut macs = device.mac.iter().chain(&device.other_macs);
        let mut addresses = device.addresses.iter();
        has(&device.id, wanted)
            || has(&device.name, wanted)
            || device.names.iter().any(|name| has(&name.name, wanted))
            || macs.any(|mac| has(&mac.to_string(), wanted))
            || addresses.any(|address| address.addr.to_string() == wanted)
    };
    let is = |of: &Judgement, wanted: &str| has(&of.value, wanted);
    let meets = |wanted: &Option<String>, test: &dyn Fn(&str) -> bool| {
        wanted.as_ref().is_none_or(|wanted| test(wanted))
    };
    meets(&filter.device, &named)
        && meets(&filter.kind, &|wanted| {
            device.kind.iter().any(|kind| is(kind, wanted))
        })
        && meets(&filter.role, &|wanted| {
            device.roles.iter().any(|role| is(role, wanted))
        })
        && meets(&filter.user, &|wanted| {
            device.users.iter().any(|user| has(&user.user, wanted))
        })
}

fn is_of(breach: &Breach, wanted: &str) -> bool {
    let ends = [breach.orig_h, breach.resp_h];
    has(&breach.device, wanted)
        || has(&breach.device_name, wanted)
        || ends
            .into_iter()
            .flatten()
            .any(|ip| ip.to_string() == wanted)
}
