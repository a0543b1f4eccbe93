//! Devices as they are told of: entries that are one machine as one, and what a person says of that.

use std::borrow::Cow;

use tapir_message::{Device, Merge};

use super::duty::Done;
use super::entry::Entry;
use super::group::{Apart, Link, MergeError, WHO_LEN_MAX, cut};
use super::inventory::{DeviceIx, Inventory};
use super::judge::judge;
use crate::types::Timestamp;

impl Inventory {
    /// Holds the device `other` to be part of `into` from now on, because `who` says so. What was merged
    /// into either before stays; no evidence undoes it.
    ///
    /// # Errors
    ///
    /// If there is no such device, both are one already, or the bound would be passed.
    pub fn merge(
        &mut self,
        ts: Timestamp,
        into: &str,
        other: &str,
        who: &str,
    ) -> Result<Merge, MergeError> {
        let into = self.table.main(self.by_id(into)?);
        let other = self.table.main(self.by_id(other)?);
        let link = Link {
            into,
            ts,
            who: Some(cut(who, WHO_LEN_MAX)),
            why: "a person said so".to_owned(),
            firm: true,
            together: (0, 0),
        };
        let merge = self.table.link(other, link)?;
        self.table.allow(into, other);
        self.renew(into);
        Ok(merge)
    }

    /// Takes the device `id` out of the one that it is part of; if it is part of none, everything that
    /// was merged into it. Both sides are what they were, with what each did meanwhile, and no evidence
    /// makes them one again. Returns what was undone.
    ///
    /// # Errors
    ///
    /// If there is no such device, or it is merged with none.
    pub fn split(&mut self, ts: Timestamp, id: &str, who: &str) -> Result<Vec<Merge>, MergeError> {
        let ix = self.by_id(id)?;
        let main = self.table.main(ix);
        let parts: Vec<DeviceIx> = if main == ix {
            let into = |part: &DeviceIx| Some(self.table.peek(*part)?.link.as_ref()?.into);
            let members = self.table.members(ix).into_iter();
            members.filter(|part| into(part) == Some(ix)).collect()
        } else {
            vec![ix]
        };
        let who = Some(cut(who, WHO_LEN_MAX));
        let undone: Vec<Merge> = parts
            .into_iter()
            .filter_map(|part| self.part(ts, part, who.clone()))
            .collect();
        if undone.is_empty() {
            return Err(MergeError::Alone(id.to_owned()));
        }
        Ok(undone)
    }

    /// Every merge that holds, in order of the first frames of what was merged.
    #[must_use]
    pub fn merges(&self) -> Vec<Merge> {
        self.table.links().collect()
    }

    /// Undoes the merge of the entry at `ix` for good.
    pub(super) fn part(
        &mut self,
        ts: Timestamp,
        ix: DeviceIx,
        who: Option<String>,
    ) -> Option<Merge> {
        let from = self.table.peek(ix)?.link.as_ref()?.into;
        let merge = self.table.unlink(ix)?;
        self.table.keep_apart(ix, Apart { from, ts, who });
        self.renew(ix);
        self.renew(from);
        Some(merge)
    }

    /// The device that the entry at `ix` is told of as.
    #[must_use]
    pub fn main(&self, ix: DeviceIx) -> DeviceIx {
        self.table.main(ix)
    }

    /// All devices in order of their first frames, each with what was merged into it and what is concluded
    /// from its evidence.
    #[must_use]
    pub fn devices(&self) -> Vec<Device> {
        let each = (0..).map(DeviceIx).take(self.table.len());
        let mains = each.filter(|ix| self.table.main(*ix) == *ix);
        let judged = |ix| {
            let mut device = self.whole(ix)?;
            self.claim_own(&mut device);
            judge(&mut device, &self.done(ix));
            Some(device)
        };
        mains.filter_map(judged).collect()
    }

    /// The device that the entry at `ix` is part of, with its times and sums and all that was merged into
    /// it.
    #[must_use]
    pub fn whole(&self, ix: DeviceIx) -> Option<Device> {
        let main = self.table.main(ix);
        let mut device = self.table.whole(main)?.device;
        if !self.table.is_alone(main) {
            let members = self.table.members(main).into_iter();
            for other in members.filter(|other| *other != main) {
                absorb(&mut device, self.table.whole(other)?.device);
            }
        }
        Some(device)
    }

    /// What all entries of the machine of `ix` do for others.
    fn done(&self, ix: DeviceIx) -> Cow<'_, [Done]> {
        let own = |ix| self.table.peek(ix).map(|entry| entry.done.as_slice());
        if self.table.is_alone(ix) {
            return Cow::Borrowed(own(ix).unwrap_or_default());
        }
        let mut all: Vec<Done> = Vec::new();
        for done in self.table.members(ix).into_iter().filter_map(own).flatten() {
            match all.iter_mut().find(|known| known.duty == done.duty) {
                Some(known) => known.absorb(done),
                None => all.push(done.clone()),
            }
        }
        Cow::Owned(all)
    }

    /// The entry whose own id this is.
    fn by_id(&self, id: &str) -> Result<DeviceIx, MergeError> {
        let each = (0..).map(DeviceIx).take(self.table.len());
        let is = |ix: &DeviceIx| self.table.peek(*ix).is_some_and(|e| e.device.id == id);
        let mut found = each.filter(is);
        found
            .next()
            .ok_or_else(|| MergeError::Unknown(id.to_owned()))
    }

    /// Refreshes the name of the machine that the entry at `ix` is part of: the best of all its entries.
    pub(super) fn renew(&mut self, ix: DeviceIx) {
        let main = self.table.main(ix);
        let mut best = None;
        if !self.table.is_alone(main) {
            let entries = self.table.members(main).into_iter();
            let entries = entries.filter_map(|ix| self.table.peek(ix));
            best = entries.filter_map(Entry::best_name).max();
            // A name heard again is seldom a better one than that it goes by.
            let known = self.table.peek(main).map(|entry| &*entry.device.name);
            if best.is_some_and(|(_, name)| Some(name) == known) {
                return;
            }
        }
        let best = best.map(|(_, name)| name.to_owned());
        let Some(entry) = self.table.entry_mut(main) else {
            return;
        };
        match best {
            Some(name) => entry.device.name = name,
            None => entry.rename(),
        }
    }
}

/// Puts what is known of `other` to what is known of the device that it is part of.
fn absorb(device: &mut Device, other: Device) {
    /// Adds statements; of those that agree in the named fields only the times count.
    macro_rules! join {
        ($field:ident by $($key:ident),+) => {
            for its in other.$field {
                let mut all = device.$field.iter_mut();
                match all.find(|one| $(one.$key == its.$key)&&+) {
                    Some(same) => {
                        same.first_ts = same.first_ts.min(its.first_ts);
                        same.last_ts = same.last_ts.max(its.last_ts);
                    }
                    None => device.$field.push(its),
                }
            }
        };
    }
    join!(addresses by addr);
    join!(names by name, evidence);
    join!(claims by claim, evidence);
    join!(users by user, evidence);
    device.merged.push(other.id);
    device.other_macs.extend(other.mac);
    device.vlans.extend(other.vlans);
    device.vlans.sort_unstable();
    device.vlans.dedup();
    device.first_ts = device.first_ts.min(other.first_ts);
    device.last_ts = device.last_ts.max(other.last_ts);
    for (to, n) in [
        (&mut device.bytes_sent, other.bytes_sent),
        (&mut device.bytes_received, other.bytes_received),
        (&mut device.flows_orig, other.flows_orig),
        (&mut device.flows_resp, other.flows_resp),
    ] {
        *to = to.saturating_add(n);
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
