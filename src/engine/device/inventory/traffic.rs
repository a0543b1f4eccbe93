//! What flows say of the devices at their ends.

use super::{DeviceIx, Inventory};
use crate::device::duty::{self, Duty};
use crate::device::table;
use crate::types::{FlowEvent, Phase, Timestamp};

impl Inventory {
    /// Notes whose first packet an event tells of, if that is a device that is known by its address and by no
    /// other entry; false if there is more to it, and [`Self::sighted`] has to be asked.
    pub fn heard_again(
        &mut self,
        ts: Timestamp,
        (addr, device): (u128, Option<DeviceIx>),
        vlan: u16,
    ) -> bool {
        let Some(ix) = device.filter(|ix| self.table.is_alone(*ix)) else {
            return false;
        };
        let Some(live) = self.table.live_mut(ix) else {
            return false;
        };
        if !live.heard_of(ts, addr) {
            self.table.turn_to(ts, ix, addr);
        }
        self.met(ts, ix, vlan);
        true
    }

    /// Counts a flow's traffic for the devices at its ends: each end's address, and who holds it.
    pub fn flow(
        &mut self,
        ts: Timestamp,
        (orig, orig_device): (u128, Option<DeviceIx>),
        (resp, resp_device): (u128, Option<DeviceIx>),
        event: &FlowEvent,
    ) {
        let new = u32::from(event.phase == Phase::New);
        let sent = (event.orig_bytes, event.resp_bytes);
        if let Some(ix) = orig_device {
            self.spoke(ts, (orig, ix), sent, event.orig_pkts, (new, 0));
        }
        let sent = (event.resp_bytes, event.orig_bytes);
        if let Some(ix) = resp_device {
            self.spoke(ts, (resp, ix), sent, event.resp_pkts, (0, new));
        }
    }

    /// Counts bytes sent and received, packets sent, and flows begun and met, of the device that holds
    /// `addr`.
    fn spoke(
        &mut self,
        ts: Timestamp,
        (addr, ix): (u128, DeviceIx),
        (sent, received): (u32, u32),
        pkts: u32,
        (orig, resp): (u32, u32),
    ) {
        let Some(live) = self.table.live_mut(ix) else {
            return;
        };
        if live.next != ix {
            return self.member_spoke(ts, (addr, ix), (sent, received), pkts, (orig, resp));
        }
        live.count((sent, received), (orig, resp));
        if pkts > 0 {
            live.last_ts = live.last_ts.max(ts);
            if !live.heard_of(ts, addr) {
                self.table.turn_to(ts, ix, addr);
            }
        }
    }

    /// The same of a machine of several entries: each of them counts its own.
    fn member_spoke(
        &mut self,
        ts: Timestamp,
        (addr, ix): (u128, DeviceIx),
        bytes: (u32, u32),
        pkts: u32,
        flows: (u32, u32),
    ) {
        let ix = self.table.at(addr).unwrap_or(ix);
        let Some(live) = self.table.live_mut(ix) else {
            return;
        };
        live.count(bytes, flows);
        if pkts > 0 {
            live.last_ts = live.last_ts.max(ts);
            self.table.heard_of(ts, ix, addr);
            self.works(ts, ix);
        }
    }

    /// The device that holds `addr` did `duty` for the address `client`.
    pub fn did(&mut self, ts: Timestamp, addr: u128, duty: Duty, client: u128) {
        let holder = self.table.at(addr);
        if let Some(done) = holder.and_then(|ix| self.table.done_mut(ix)) {
            duty::note(done, ts, duty, client);
        }
    }

    /// The device that holds `addr` asked for a name.
    pub fn asked(&mut self, ts: Timestamp, addr: u128, name: &str) {
        let Some(known) = table::asked(name) else {
            return;
        };
        let holder = self.table.at(addr);
        if let Some(entry) = holder.and_then(|ix| self.table.entry_mut(ix)) {
            entry.claim(ts, (table::ASKED, known), table::ASKS);
        }
    }

    /// An account was used from the device that holds `addr`.
    pub fn used(&mut self, ts: Timestamp, addr: u128, user: &str, evidence: &str) {
        let holder = self.table.at(addr);
        if let Some(entry) = holder.and_then(|ix| self.table.entry_mut(ix)) {
            entry.user(ts, user, evidence);
        }
    }
}
