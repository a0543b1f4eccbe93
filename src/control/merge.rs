//! Devices that are one machine: which are, and a person's word on it.

use tapir_message::{Device, Merge};

use super::answer::{Answer, MergeEntry, Refusal, Site, Why};
use super::desk::{Desk, Ruled};
use super::device::{find, named, typed};

/// Every merge that holds, the newest first.
pub(super) fn merges(desk: &dyn Desk, site: Site) -> Answer {
    let devices = desk.devices();
    let entry = |merge: Merge| {
        let whole = devices.iter().find(|device| device.goes_by(&merge.other));
        let name = whole.map_or_else(|| merge.into.clone(), |device| device.name.clone());
        MergeEntry { merge, name }
    };
    let mut merges: Vec<MergeEntry> = desk.merges().into_iter().map(entry).collect();
    merges.sort_by(|a, b| (b.merge.ts, &a.merge.other).cmp(&(a.merge.ts, &b.merge.other)));
    Answer::Merges { site, merges }
}

/// Holds two devices to be one, as a person names them.
pub(super) fn merge(
    desk: &dyn Desk,
    who: &str,
    into: &str,
    other: &str,
) -> Result<String, Refusal> {
    let devices = desk.devices();
    let (into, other) = (find(&devices, into)?, find(&devices, other)?);
    if into.id == other.id {
        let text = format!(
            "both are {} already; `tapir show device {}` tells of it",
            named(into),
            into.id
        );
        return Err(Refusal::new(Why::Refused, text));
    }
    let since = since(desk.merge_devices(who, &into.id, &other.id)?);
    Ok(format!(
        "{} and {} are one device {since}; `tapir device split {}` takes it back.",
        named(into),
        named(other),
        other.id
    ))
}

/// Takes one merge back, as a person names it: by what was merged, or by what it was merged into.
pub(super) fn split(desk: &dyn Desk, who: &str, wanted: &str) -> Result<String, Refusal> {
    let all = desk.merges();
    let devices = desk.devices();
    let same = |merge: &&Merge| merge.other.eq_ignore_ascii_case(wanted.trim());
    let part = match all.iter().find(same) {
        Some(merge) => merge.clone(),
        None => {
            let whole = find(&devices, wanted)?;
            let own: Vec<&Merge> = all.iter().filter(|m| whole.goes_by(&m.other)).collect();
            match own.as_slice() {
                [] => return Err(alone(whole)),
                [one] => (*one).clone(),
                several => return Err(which(wanted, whole, several)),
            }
        }
    };
    let since = since(desk.split_device(who, &part.other)?);
    let whole = devices.iter().find(|device| device.goes_by(&part.into));
    Ok(format!(
        "{} is a device of its own {since}, apart from {}; `tapir device merge {} {}` takes it back.",
        part.other,
        whole.map_or_else(|| part.into.clone(), named),
        part.into,
        part.other
    ))
}

/// From when on it holds.
const fn since(ruled: Ruled) -> &'static str {
    match ruled {
        Ruled::Done => "from now on",
        Ruled::Kept => "as soon as `sense` answers again (see `tapir show status`)",
    }
}

fn alone(device: &Device) -> Refusal {
    let text = format!(
        "{} is merged with no other device; `tapir device merges` lists what is",
        named(device)
    );
    Refusal::new(Why::Refused, text)
}

fn which(wanted: &str, device: &Device, merges: &[&Merge]) -> Refusal {
    let ids: Vec<&str> = merges.iter().map(|merge| merge.other.as_str()).collect();
    let text = format!(
        "\"{}\" is {}, into which several were merged: {}; give one of these ids",
        typed(wanted),
        named(device),
        ids.join(", ")
    );
    Refusal::new(Why::Ambiguous, text)
}
