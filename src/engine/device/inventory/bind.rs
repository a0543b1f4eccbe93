//! Which device an address belongs to: the rules of the room's head.

use std::net::IpAddr;

use tapir_message::Address;

use super::{DEVICE_ADDRESSES_MAX, DeviceIx, Inventory};
use crate::device::entry::strength;
use crate::device::live::Again;
use crate::types::{MacAddr, Timestamp, ip_bits};

impl Inventory {
    /// Binds an address by ARP, NDP or DHCP: `mac` holds it, whoever held it before.
    pub(super) fn bind_strong(
        &mut self,
        ts: Timestamp,
        mac: MacAddr,
        ip: IpAddr,
        evidence: &str,
    ) -> Option<DeviceIx> {
        let ix = self.by_mac_or_new(ts, mac, evidence)?;
        self.release_weak(ts, ix, ip);
        self.hold(ts, ix, ip, evidence);
        Some(ix)
    }

    /// Binds an address by a frame alone: see the rules at the top.
    pub(super) fn bind_weak(
        &mut self,
        ts: Timestamp,
        mac: Option<MacAddr>,
        ip: IpAddr,
    ) -> Option<DeviceIx> {
        if let Some(ix) = self.table.at(ip_bits(ip)) {
            self.table.heard_of(ts, ix, ip_bits(ip));
            return Some(ix);
        }
        let Some(mac) = mac else {
            return self.known_by_address(ts, ip, None);
        };
        let ix = self.by_mac_or_new(ts, mac, "frame")?;
        let entry = self.table.peek(ix)?;
        let same_family = |a: &Address| a.addr.is_ipv4() == ip.is_ipv4();
        if ip.is_ipv4() && entry.device.addresses.iter().any(same_family) {
            self.table.again(ts, ix, Again::Router);
            return self.known_by_address(ts, ip, Some(mac));
        }
        self.hold(ts, ix, ip, "frame");
        Some(ix)
    }

    /// A device known by its address only.
    fn known_by_address(
        &mut self,
        ts: Timestamp,
        ip: IpAddr,
        behind: Option<MacAddr>,
    ) -> Option<DeviceIx> {
        let ix = self.create(ts, ip, "frame")?;
        if let Some(entry) = self.table.entry_mut(ix) {
            entry.device.behind = behind;
        }
        self.hold(ts, ix, ip, "frame");
        Some(ix)
    }

    /// When a device proves one address, those it was only guessed to hold become devices of their own.
    fn release_weak(&mut self, ts: Timestamp, ix: DeviceIx, proven: IpAddr) {
        let Some(entry) = self.table.entry_mut(ix) else {
            return;
        };
        let mac = entry.device.mac;
        let guessed = |a: &Address| {
            a.addr != proven && a.addr.is_ipv4() && proven.is_ipv4() && a.evidence == "frame"
        };
        let loose: Vec<Address> = entry
            .device
            .addresses
            .extract_if(.., |a| guessed(a))
            .collect();
        for address in loose {
            self.table.unbind(ip_bits(address.addr));
            if let Some(new) = self.known_by_address(address.first_ts, address.addr, mac)
                && let Some(entry) = self.table.entry_mut(new)
            {
                entry.device.last_ts = address.last_ts.min(ts);
            }
        }
    }

    /// Notes that the device at `ix` holds `ip`.
    fn hold(&mut self, ts: Timestamp, ix: DeviceIx, ip: IpAddr, evidence: &str) {
        let before = self.table.at(ip_bits(ip));
        if let Some(before) = before.filter(|before| *before != ix)
            && let Some(entry) = self.table.entry_mut(before)
        {
            entry.claim(ts, ("lost address ", &ip.to_string()), evidence);
        }
        if !self.table.bind(ip_bits(ip), ix) {
            return;
        }
        let Some(entry) = self.table.entry_mut(ix) else {
            return;
        };
        let mut gone = None;
        let held = &mut entry.device.addresses;
        if let Some(old) = held.iter_mut().find(|a| a.addr == ip) {
            old.last_ts = old.last_ts.max(ts);
            if strength(evidence) > strength(&old.evidence) {
                old.evidence = evidence.to_owned();
            }
        } else {
            if held.len() >= DEVICE_ADDRESSES_MAX
                && let Some(oldest) =
                    (0..held.len()).min_by_key(|i| held.get(*i).map(|a| a.last_ts))
            {
                gone = Some(held.remove(oldest));
            }
            let evidence = evidence.to_owned();
            // Nearly all devices have one address, and there are many devices.
            held.reserve_exact(1);
            held.push(Address {
                addr: ip,
                evidence,
                first_ts: ts,
                last_ts: ts,
            });
        }
        self.renew(ix);
        if let Some(gone) = gone {
            self.table.unbind(ip_bits(gone.addr));
        }
    }
}
