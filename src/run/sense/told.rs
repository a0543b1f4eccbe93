//! What `serve` was told of devices and of uses of services: only what changed is told again.

use std::collections::BTreeMap;

use tapir_message::{Device, Merge, ServiceUse, ToServe};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Told {
    devices: BTreeMap<String, Device>,
    merges: Option<Vec<Merge>>,
    /// By service and device.
    uses: BTreeMap<(String, String), ServiceUse>,
}

impl Told {
    /// A new `serve` knows nothing.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// What has changed since the last time.
    pub(super) fn news(&mut self, devices: Vec<Device>, merges: Vec<Merge>) -> Vec<ToServe> {
        // What was merged is no device of its own any more, and news if it is taken apart again.
        for id in devices.iter().flat_map(|device| &device.merged) {
            self.devices.remove(id);
        }
        let mut changed = Vec::new();
        for device in devices {
            if self.devices.get(&device.id) != Some(&device) {
                self.devices.insert(device.id.clone(), device.clone());
                changed.push(device);
            }
        }
        let changed = (!changed.is_empty()).then_some(ToServe::Devices(changed));
        let merges = (self.merges.as_ref() != Some(&merges)).then(|| {
            self.merges = Some(merges.clone());
            ToServe::Merges(merges)
        });
        changed.into_iter().chain(merges).collect()
    }

    /// Uses that have changed since the last time, and without flows those that are none any more: the flow
    /// was another service's, or the device is part of another one.
    pub(super) fn uses(&mut self, uses: Vec<ServiceUse>) -> Option<ToServe> {
        let key = |one: &ServiceUse| (one.service.clone(), one.device.clone());
        let now: BTreeMap<_, _> = uses.into_iter().map(|one| (key(&one), one)).collect();
        let gone = self.uses.iter().filter(|(key, _)| !now.contains_key(*key));
        let gone = gone.map(|(_, one)| ServiceUse {
            flows: 0,
            ..one.clone()
        });
        let fresh = now
            .iter()
            .filter(|(key, one)| self.uses.get(*key) != Some(*one));
        let changed: Vec<_> = gone.chain(fresh.map(|(_, one)| one.clone())).collect();
        self.uses = now;
        (!changed.is_empty()).then_some(ToServe::Services(changed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::Office;

    /// Ids of the devices that are told of, and whether merges are.
    fn ids(news: Vec<ToServe>) -> (Vec<String>, bool) {
        let (mut told, mut merges) = (Vec::new(), false);
        for message in news {
            match message {
                ToServe::Devices(devices) => told.extend(devices.into_iter().map(|d| d.id)),
                ToServe::Merges(_) => merges = true,
                other => panic!("{other:?}"),
            }
        }
        (told, merges)
    }

    #[test]
    fn what_is_taken_apart_again_is_told_although_it_is_as_it_was() {
        let all: Vec<Device> = Office::new().devices.into_iter().take(2).collect();
        let [one, other] = [all[0].id.clone(), all[1].id.clone()];
        let mut whole = all[0].clone();
        whole.merged.push(other.clone());
        let merge = Merge {
            ts: whole.last_ts,
            into: one.clone(),
            other: other.clone(),
            who: None,
            why: "the same name".to_owned(),
        };
        let mut told = Told::default();
        let first = ids(told.news(all.clone(), Vec::new()));
        assert_eq!(first, (vec![one.clone(), other.clone()], true));
        assert!(told.news(all.clone(), Vec::new()).is_empty());
        let merged = ids(told.news(vec![whole], vec![merge]));
        assert_eq!(merged, (vec![one.clone()], true));
        let split = ids(told.news(all.clone(), Vec::new()));
        assert_eq!(split, (vec![one, other], true));
        told.forget();
        assert_eq!(told.news(all, Vec::new()).len(), 2);
    }

    #[test]
    fn uses_are_told_when_they_change_and_when_they_end() {
        let all = Office::new().services;
        let flows = |news: Option<ToServe>| match news {
            Some(ToServe::Services(uses)) => uses.iter().map(|one| one.flows).collect(),
            None => Vec::new(),
            other => panic!("{other:?}"),
        };
        let mut told = Told::default();
        assert_eq!(flows(told.uses(all.clone())).len(), all.len());
        assert!(told.uses(all.clone()).is_none());
        let mut later = all.clone();
        later.remove(0);
        later[0].flows = 77;
        assert_eq!(flows(told.uses(later)), [0, 77]);
        told.forget();
        assert_eq!(flows(told.uses(all.clone())).len(), all.len());
    }
}
