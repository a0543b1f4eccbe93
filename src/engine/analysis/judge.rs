//! Rows meet models; what fires becomes a breach and an incident.

use std::cell::OnceCell;

use super::row::Subject;
use super::{Analysis, Effect};
use crate::baseline::{Family, Span, Verdict};
use crate::breach::Firing;
use crate::device::DeviceIx;
use crate::model::{DeviceRole, Model, ModelIndex};
use crate::types::{Ends, FlowRef, Record, RecordBody, Timestamp};

/// Whom and what a row is about.
struct About<'a> {
    ts: Timestamp,
    seen: Span,
    device: Option<DeviceIx>,
    flow: Option<FlowRef>,
    body: &'a dyn RecordBody,
    family: Option<Family>,
    cumulative: bool,
    /// What the tracker knew of the flow's ends when it told the row.
    ends: Option<Ends>,
}

impl Analysis {
    /// Lets the models on this kind of record see it.
    pub(super) fn judge_record(
        &mut self,
        ts: Timestamp,
        record: &Record,
        orig: Option<DeviceIx>,
        resp: Option<DeviceIx>,
    ) {
        let (body, flow) = (&record.body, &record.flow);
        let kind = body.kind();
        for at in 0..self.models.on(kind).len() {
            let Some((index, model)) = self.on(kind, at) else {
                continue;
            };
            let device = match model.device {
                DeviceRole::Orig => orig.or(resp),
                DeviceRole::Resp => resp.or(orig),
                DeviceRole::Sensor => None,
            };
            let about = About {
                ts,
                seen: Span {
                    first_ts: flow.first_ts,
                    last_ts: ts,
                },
                device,
                flow: Some(*flow),
                body,
                family: None,
                cumulative: false,
                ends: record.ends,
            };
            self.judge(index, &about);
        }
    }

    /// Lets the models on this kind of verdict see it.
    pub(super) fn judge_verdict(&mut self, verdict: &Verdict) {
        let body = verdict.row.as_ref();
        for at in 0..self.models.on(body.kind()).len() {
            let Some((index, _)) = self.on(body.kind(), at) else {
                continue;
            };
            let about = About {
                ts: verdict.ts,
                seen: verdict.seen,
                device: verdict.device,
                flow: verdict.flow,
                body,
                family: verdict.family,
                cumulative: true,
                ends: None,
            };
            self.judge(index, &about);
        }
    }

    /// One of the models on this kind of row.
    fn on(&self, kind: &str, at: usize) -> Option<(ModelIndex, &Model)> {
        let index = *self.models.on(kind).get(at)?;
        Some((index, self.models.get(index)?))
    }

    /// Evaluates one model on one row.
    fn judge(&mut self, index: ModelIndex, about: &About<'_>) {
        let Some(model) = self.models.get(index) else {
            return;
        };
        let entry = about.device.and_then(|ix| self.devices.entry(ix));
        let id = entry.map_or("", |entry| entry.device.id.as_str());
        let flow = about.flow.or_else(|| self.ledger.flow(id, &model.id));
        let subject = Subject {
            body: about.body,
            ts: about.ts,
            device: about.device,
            flow,
            devices: &self.devices,
            names: &self.names,
            time_zone: &self.settings.time_zone,
            unknown: OnceCell::new(),
            met: OnceCell::new(),
        };
        if !model.when.eval(&subject) {
            return;
        }
        let firing = Firing {
            index,
            model,
            row: &subject,
            ts: about.ts,
            seen: about.seen,
            device: id,
            device_name: subject.name(),
            flow,
            family: about.family,
            exposure: self.site.exposure(),
            loss: self.site.loss(about.seen),
            cumulative: about.cumulative,
            peer: subject.peer(),
            mac: entry.and_then(|e| e.device.mac),
        };
        let Some((mut breach, new)) = self.ledger.fire(&firing, &mut self.channels) else {
            return;
        };
        if let Some(incident) = self.incidents.join(&mut breach) {
            if new {
                self.ledger.assign(&breach);
            }
            if let Some(device) = about.device {
                self.site.breached(device);
            }
            self.effects
                .push_back(Effect::Breach(Box::new(breach.clone())));
            self.effects.push_back(Effect::Incident(Box::new(incident)));
        } else {
            self.effects
                .push_back(Effect::Breach(Box::new(breach.clone())));
        }
        self.decide(about.ts, &breach, flow, about.ends);
    }
}
