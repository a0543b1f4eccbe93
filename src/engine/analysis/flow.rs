//! The stages of a flow, and whose flow it is.

use std::any::Any;

use super::Analysis;
use super::names::{called, named};
use crate::device::{DeviceIx, is_everyone};
use crate::flow::Conn;
use crate::types::{FlowEvent, FlowRef, Heard, Phase, Record, ShortId, Timestamp};

/// Whose addresses a flow is between: devices, and whether each lies in the home networks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) orig: Option<DeviceIx>,
    pub(super) resp: Option<DeviceIx>,
    pub(super) orig_home: bool,
    pub(super) resp_home: bool,
}

impl Ends {
    /// Whether what goes to the responder of `flow` stays in the house.
    pub(super) fn inside(&self, flow: &FlowRef) -> bool {
        self.resp_home || is_everyone(flow.resp.bits())
    }
}

impl Analysis {
    /// Whose addresses a flow is between. What its event will change of them is asked for.
    pub(super) fn ends(&mut self, flow: &FlowRef) -> Ends {
        let (orig, orig_home) = self.devices.whose(flow.orig.bits());
        let (resp, resp_home) = self.devices.whose(flow.resp.bits());
        for device in [orig, resp].into_iter().flatten() {
            self.devices.ask(device);
        }
        if let Some(device) = orig {
            self.site.ask(device);
        }
        Ends {
            orig,
            resp,
            orig_home,
            resp_home,
        }
    }

    /// Takes in a stage of a flow.
    pub(super) fn flow(&mut self, ts: Timestamp, flow: &FlowRef, event: &FlowEvent) {
        let mut ends = self.ends(flow);
        if let Some(heard) = event.first_of {
            ends = self.first(ts, flow, event, (heard, ends));
        }
        if event.phase == Phase::New {
            self.announced.began(ts, flow);
        }
        self.stage(ts, flow, event, &ends);
    }

    /// A side of a flow was heard for the first time in it; returns whose the ends are then.
    fn first(
        &mut self,
        ts: Timestamp,
        flow: &FlowRef,
        event: &FlowEvent,
        (heard, ends): (Heard, Ends),
    ) -> Ends {
        let (mac, end) = heard.side(flow, event.orig_mac, event.resp_mac);
        if !mac.is_station() {
            return ends;
        }
        let (device, is_home) = match heard {
            Heard::Orig => (ends.orig, ends.orig_home),
            Heard::Resp => (ends.resp, ends.resp_home),
        };
        if is_home
            && self
                .devices
                .heard_again(ts, (end.bits(), device), flow.vlan)
        {
            return ends;
        }
        if let Some(sighting) = event.sighting(flow) {
            self.devices.sighted(ts, &sighting);
            self.introduce(ts);
        }
        // Nobody is bound to an address outside.
        if is_home { self.ends(flow) } else { ends }
    }

    /// Takes in a flow's last word: its record, and what it counted since its last event.
    pub(super) fn close(
        &mut self,
        ts: Timestamp,
        flow: &FlowRef,
        event: &FlowEvent,
        mut record: Box<Record>,
    ) {
        let ends = self.ends(flow);
        let content = match (&mut record.body as &mut dyn Any).downcast_mut::<Conn>() {
            Some(conn) => {
                // What nobody of ours began is no use of a service.
                if ends.orig.is_some() {
                    self.served(ts, flow, conn);
                }
                conn.service = self.announced.over(flow, conn.service);
                self.mirrored(ts, conn, flow)
            }
            None => 0,
        };
        self.told(ts, flow, record, &ends, content);
        self.conclude();
        self.stage(ts, flow, event, &ends);
    }

    /// A flow to an endpoint outside is over: its size for the rhythm.
    pub(super) fn flow_over(&mut self, flow: &FlowRef, ends: &Ends, content: u64) {
        if let Some(device) = ends.orig.filter(|_| !ends.inside(flow))
            && self.site.has_baseline(device)
        {
            let (devices, names) = (&self.devices, &self.names);
            let to = named((devices, ends.resp), names, &flow.resp, &mut self.text);
            self.site.ended(device, flow.resp.port, to.hash, content);
        }
    }

    /// The devices at a flow's ends by their ids.
    pub(super) fn ids(&self, ends: &Ends) -> (Option<ShortId>, Option<ShortId>) {
        let id = |ix: Option<DeviceIx>| self.devices.id(ix?);
        (id(ends.orig), id(ends.resp))
    }

    /// What an event says of the flow's devices.
    fn stage(&mut self, ts: Timestamp, flow: &FlowRef, event: &FlowEvent, ends: &Ends) {
        let (orig, resp) = (flow.orig.bits(), flow.resp.bits());
        let contact = match event.phase {
            Phase::Answered | Phase::Failed => {
                ends.orig.map(|device| self.site.contact(device, flow))
            }
            Phase::New | Phase::Update | Phase::Close => None,
        };
        self.devices
            .flow(ts, (orig, ends.orig), (resp, ends.resp), event);
        self.seen_at_mirror(ts, flow, event);
        if self.is_own(flow) {
            return;
        }
        if self.is_armed() {
            let user = ends.orig.and_then(|ix| self.devices.entry(ix));
            let user = user.map(|entry| entry.device.id.as_str());
            self.watch.flow(ts, flow, event, user, ends.resp.is_some());
        }
        let bytes = (u64::from(event.orig_bytes), u64::from(event.resp_bytes));
        match event.phase {
            Phase::Answered => self.by_address(ts, flow, ends),
            Phase::Update => self.uses.moved(ts, flow, bytes),
            Phase::New | Phase::Failed | Phase::Close => {}
        }
        let (devices, names) = (&self.devices, &self.names);
        if let Some(device) = ends.orig {
            let outside = !ends.inside(flow);
            let resp = (devices, ends.resp);
            // Names matter outside only, and where somebody looks at them.
            match event.phase {
                Phase::New => {
                    let to = outside.then(|| named(resp, names, &flow.resp, &mut self.text));
                    self.site.began(ts, device, flow, to);
                }
                Phase::Answered | Phase::Failed => {
                    if let Some(contact) = contact {
                        let failed = event.phase == Phase::Failed;
                        self.site.outcome(ts, device, flow, (contact, failed));
                    }
                }
                Phase::Update | Phase::Close => {}
            }
            if self.site.judges(ts, device) {
                let text = &mut self.text;
                let to = outside.then_some(move || {
                    let room = text;
                    called(resp, names, &flow.resp, room)
                });
                self.site.moved(ts, device, flow, to, bytes);
            }
        }
        // What a device sends to those who come from outside leaves the house as well.
        if let Some(device) = ends.resp.filter(|_| !ends.orig_home && !is_everyone(orig))
            && self.site.judges(ts, device)
        {
            let (orig, text) = ((devices, ends.orig), &mut self.text);
            let from = move || {
                let room = text;
                called(orig, names, &flow.orig, room)
            };
            let bytes = (bytes.1, bytes.0);
            self.site.moved(ts, device, flow, Some(from), bytes);
        }
    }
}
