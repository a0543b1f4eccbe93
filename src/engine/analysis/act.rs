//! Breaches meet policy; a person's word meets policy. What it says goes out as effects.

use std::net::IpAddr;

use tapir_message::{Breach, Decision, Mode, Target};

use super::{Analysis, Effect};
use crate::decode::proto;
use crate::policy::{Case, Counts, Party, never};
use crate::types::{Ends, FlowRef, MacAddr, Timestamp};

impl Analysis {
    /// A person approves the question `decision`; false if there is none such. What came of it is told
    /// as an effect, at the time observations have reached.
    pub fn approve(&mut self, decision: &str, who: &str) -> bool {
        let Some((said, order)) = self.policy.approve(decision, who, self.now) else {
            return false;
        };
        let said = Box::new(said);
        self.effects
            .push_back(Effect::Decision(said, order.map(Box::new)));
        true
    }

    /// A person takes back the question `decision`, or all of them. Orders given are the kill table's.
    pub fn revert(&mut self, decision: Option<&str>, who: &str) {
        let ended = self.policy.revert(decision, who, self.now);
        self.decided(ended);
    }

    /// Tells decisions that give no order.
    pub(super) fn decided(&mut self, decisions: Vec<Decision>) {
        for said in decisions {
            let said = Box::new(said);
            self.effects.push_back(Effect::Decision(said, None));
        }
    }

    /// The kill switch: no order is given until [`Self::resume_responses`].
    pub fn stop_responses(&mut self, who: &str) {
        self.policy.stop(who);
    }

    /// Orders may be given again.
    pub fn resume_responses(&mut self) {
        self.policy.resume();
    }

    /// Mode in force, who stopped all responses if somebody did, and how often what was decided.
    #[must_use]
    pub fn responses(&self) -> (Mode, Option<&str>, Counts) {
        let policy = &self.policy;
        (policy.mode(), policy.stopped(), policy.counts())
    }

    /// Lets policy see a breach, new or grown.
    pub(super) fn decide(
        &mut self,
        ts: Timestamp,
        breach: &Breach,
        flow: Option<FlowRef>,
        ends: Option<Ends>,
    ) {
        if !self.is_armed() {
            return;
        }
        let Some(score_sure) = breach.score_sure else {
            return;
        };
        let flow = flow.filter(|flow| flow.proto == proto::TCP);
        let ends = ends.or_else(|| Some(self.watch.live(flow.as_ref()?)?.ends));
        let held = |ip: IpAddr| {
            let entry = self.devices.entry(self.devices.by_ip(ip)?)?;
            (entry.device.id == breach.device).then_some(ip)
        };
        let device_addr =
            flow.and_then(|flow| held(flow.orig.ip()).or_else(|| held(flow.resp.ip())));
        let responder = flow.map(|flow| flow.resp.ip());
        let case = Case {
            ts,
            breach: breach.id.clone(),
            model: breach.model.clone(),
            class: breach.class,
            score_sure,
            provisional: breach.provisional,
            device: breach.device.clone(),
            device_name: breach.device_name.clone(),
            device_addr,
            target: flow.map(|flow| self.target(&flow, ends)),
            resettable: ends.is_some_and(|ends| ends.resettable()),
            parties: flow.map_or_else(Vec::new, |flow| {
                vec![self.party(flow.orig.ip()), self.party(flow.resp.ip())]
            }),
            flows: flow.map_or(0, |flow| self.watch.flows_of_pair(&flow)),
            others: responder.map_or(0, |ip| self.watch.others(ts, ip, &breach.device)),
        };
        if let Some((said, order)) = self.policy.decide(&case) {
            let said = Box::new(said);
            // A question has a deadline of its own.
            self.quiet_until = Timestamp::MIN;
            self.effects
                .push_back(Effect::Decision(said, order.map(Box::new)));
        }
    }

    /// The aim at a flow. Hardware addresses are those last seen; where the flow is over, the devices'.
    fn target(&self, flow: &FlowRef, ends: Option<Ends>) -> Target {
        let known = |ip: IpAddr| self.devices.mac_of(ip).unwrap_or_default();
        let mac = |seen: Option<MacAddr>, ip: IpAddr| {
            seen.filter(|mac| mac.is_station())
                .unwrap_or_else(|| known(ip))
        };
        let (orig, resp) = (flow.orig.ip(), flow.resp.ip());
        Target {
            orig_h: orig,
            orig_p: flow.orig.port,
            resp_h: resp,
            resp_p: flow.resp.port,
            vlan: flow.vlan,
            orig_mac: mac(ends.map(|ends| ends.orig_mac), orig),
            resp_mac: mac(ends.map(|ends| ends.resp_mac), resp),
            uid: flow.uid(&self.settings.sensor_id).to_string(),
        }
    }

    /// An end of a flow, and whether the site depends on it.
    fn party(&self, addr: IpAddr) -> Party {
        let device = self.devices.by_ip(addr);
        let device = device.and_then(|ix| self.devices.whole(ix));
        let claimed = device.and_then(|device| never::by_claims(&device));
        Party {
            addr,
            name: super::endpoint(&self.devices, &self.names, addr).into_owned(),
            infrastructure: claimed.or_else(|| self.watch.serves(addr).map(str::to_owned)),
        }
    }
}

#[cfg(test)]
#[path = "act_tests.rs"]
mod tests;
