//! Rows meet models; what fires becomes a breach and an incident.

use super::row::Subject;
use super::{Analysis, Effect};
use crate::baseline::{Family, Span, Verdict};
use crate::breach::Firing;
use crate::device::DeviceIx;
use crate::model::{DeviceRole, ModelIndex};
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
        for index in self.models.on(body.kind()).to_vec() {
            let Some(model) = self.models.get(index) else {
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
        for index in self.models.on(body.kind()).to_vec() {
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

    /// Evaluates one model on one row.
    fn judge(&mut self, index: ModelIndex, about: &About<'_>) {
        let entry = about.device.and_then(|ix| self.devices.entry(ix));
        let unknown = about
            .flow
            .map(|flow| flow.orig.ip().to_string())
            .unwrap_or_default();
        let (id, name) = entry.map_or(("", unknown.as_str()), |e| {
            (e.device.id.as_str(), e.device.name.as_str())
        });
        let Some(model) = self.models.get(index) else {
            return;
        };
        let flow = about.flow.or_else(|| self.ledger.flow(id, &model.id));
        let peer = flow.map(|flow| {
            let answered =
                about.device.is_some() && self.devices.by_ip(flow.resp.ip()) == about.device;
            let ip = if answered {
                flow.orig.ip()
            } else {
                flow.resp.ip()
            };
            super::endpoint(&self.devices, &self.names, ip)
        });
        let subject = Subject {
            body: about.body,
            ts: about.ts,
            device: name,
            device_ip: about.device.and_then(|ix| self.devices.main_address(ix)),
            peer: peer.as_deref(),
            flow,
            home: self.devices.home(),
            time_zone: &self.settings.time_zone,
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
            device_name: name,
            flow,
            family: about.family,
            exposure: self.site.exposure(),
            loss: self.site.loss(about.seen),
            cumulative: about.cumulative,
            peer: peer.as_deref(),
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
