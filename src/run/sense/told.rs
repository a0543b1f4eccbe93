//! What `serve` was told of devices: only what changed is told again.

use std::collections::BTreeMap;

use tapir_message::{Device, Merge, ToServe};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Told {
    devices: BTreeMap<String, Device>,
    merges: Option<Vec<Merge>>,
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
}
