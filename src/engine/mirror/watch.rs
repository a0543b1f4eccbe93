//! The counters behind the grade, over the last hour and over the whole run.

use std::collections::{BTreeMap, VecDeque};

use tapir_message::{Mirror, MirrorFigures};

use super::grade::graded;
use super::hosts::Hosts;
use super::rows::{Loss, Row, rows};
use super::share;
use super::vlans::{Sums, VLANS_MAX, Vlans};
use crate::types::{Census, Held, Seed, Timestamp};

/// Length of a slot: the hour slides on by this.
const SLOT_NS: i64 = 600 * 1_000_000_000;
/// Slots of the hour, the open one included.
const SLOTS: i64 = 6;
const HOUR_NS: i64 = 3_600 * 1_000_000_000;
/// Hours whose losses are remembered: a breach stays open for a day.
const LOSS_HOURS: usize = 26;

/// What an ended flow says of the mirror.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ended {
    /// Whether it is TCP; only then the next three are known.
    pub tcp: bool,
    /// Bytes of content missing.
    pub missed: u64,
    /// Payload bytes seen, both directions.
    pub content: u64,
    /// Packets by direction.
    pub packets: [u64; 2],
    /// Copies of them.
    pub copies: u64,
    /// Whether its packets were seen in another VLAN as well.
    pub other_vlan: bool,
    /// Outer VLAN id.
    pub vlan: u16,
}

/// Sums of some time.
#[derive(Debug, Default)]
struct Slot {
    number: i64,
    figures: MirrorFigures,
    vlans: BTreeMap<u16, Sums>,
}

/// See the module.
#[derive(Debug)]
pub struct MirrorWatch {
    slots: VecDeque<Slot>,
    /// The slots that are not remembered any more, in one.
    total: Slot,
    vlans: Vlans,
    hosts: Hosts,
    /// Hour, bytes missed, bytes of content.
    losses: VecDeque<(i64, u64, u64)>,
    first_ts: Option<Timestamp>,
    last_ts: Timestamp,
}

impl MirrorWatch {
    /// A watch that has seen nothing.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self {
            slots: VecDeque::new(),
            total: Slot::default(),
            vlans: Vlans::default(),
            hosts: Hosts::new(seed),
            losses: VecDeque::new(),
            first_ts: None,
            last_ts: Timestamp::MIN,
        }
    }

    /// A tracker counted its frames.
    pub fn census(&mut self, ts: Timestamp, census: &Census) {
        for &(vlan, packets) in &census.vlans {
            self.vlans.packets(ts, vlan, packets);
        }
        self.count(ts, |slot| {
            let f = &mut slot.figures;
            for (to, n) in [
                (&mut f.packets, census.packets),
                (&mut f.group, census.group),
                (&mut f.truncated, census.truncated),
                (&mut f.oversize, census.oversize),
                (&mut f.checked, census.checked),
                (&mut f.bad_checksums, census.bad_checksums),
            ] {
                *to = to.saturating_add(n);
            }
            for &(vlan, packets) in &census.vlans {
                if let Some(sums) = slot.vlan(vlan) {
                    sums.packets = sums.packets.saturating_add(packets);
                }
            }
        });
    }

    /// A flow is over.
    pub fn ended(&mut self, ts: Timestamp, flow: &Ended) {
        let [orig, resp] = flow.packets;
        let packets = orig.saturating_add(resp);
        // Twice the copies of a doubled mirror, less what was lost of them.
        let tripled = flow.copies.saturating_mul(2) >= packets.saturating_mul(3) && packets >= 4;
        let judged = flow.tcp && flow.content > 0;
        let one_way = judged && (orig == 0 || resp == 0);
        self.count(ts, |slot| {
            let f = &mut slot.figures;
            for (to, n) in [
                (&mut f.flows_all, 1),
                (&mut f.flow_packets, packets),
                (&mut f.copies, flow.copies),
                (&mut f.tripled, u64::from(tripled)),
                (&mut f.other_vlan, u64::from(flow.other_vlan)),
                (&mut f.flows, u64::from(judged)),
                (&mut f.one_way, u64::from(one_way)),
                (&mut f.content, if flow.tcp { flow.content } else { 0 }),
                (&mut f.missed, if flow.tcp { flow.missed } else { 0 }),
            ] {
                *to = to.saturating_add(n);
            }
            if let Some(sums) = slot.vlan(flow.vlan).filter(|_| judged) {
                sums.flows = sums.flows.saturating_add(1);
                sums.one_way = sums.one_way.saturating_add(u64::from(one_way));
            }
        });
        if flow.tcp {
            self.lost(ts, flow.missed, flow.content);
        }
    }

    /// A host spoke ARP, or was given an address.
    pub fn sign(&mut self, ts: Timestamp, ip: u128) {
        self.hosts.sign(ts, ip);
    }

    /// A host sent something to another one.
    #[inline]
    pub fn heard(&mut self, ts: Timestamp, ip: u128) {
        self.hosts.heard(ts, ip);
    }

    /// Packets of the sensor itself.
    pub fn own(&mut self, ts: Timestamp, packets: u64) {
        self.count(ts, |slot| {
            slot.figures.own = slot.figures.own.saturating_add(packets);
        });
    }

    /// Time jumped: what was before is not an hour ago but elsewhere.
    pub fn epoch(&mut self) {
        for slot in self.slots.drain(..) {
            self.total.add(&slot);
        }
        self.vlans.clear();
        self.hosts.clear();
        self.losses.clear();
        self.last_ts = Timestamp::MIN;
    }

    /// The mirror in the hour before `now`, to ten minutes.
    #[must_use]
    pub fn last_hour(&self, now: Timestamp) -> Mirror {
        let first = number(now).saturating_sub(SLOTS - 1);
        let mut sum = Slot::default();
        for slot in self.slots.iter().filter(|slot| slot.number >= first) {
            sum.add(slot);
        }
        let since = Timestamp::from_nanos(first.saturating_mul(SLOT_NS));
        let since = self.first_ts.map(|first| first.max(since));
        self.graded(sum, Some(now), (since, since.map(|_| now)))
    }

    /// The mirror over the whole run.
    #[must_use]
    pub fn whole(&self) -> Mirror {
        let mut sum = Slot::default();
        sum.add(&self.total);
        self.slots.iter().for_each(|slot| sum.add(slot));
        let last = self.first_ts.map(|_| self.last_ts);
        self.graded(sum, None, (self.first_ts, last))
    }

    /// What the hour that ends at `end` says.
    pub(crate) fn judge(&self, end: Timestamp) -> (Option<Loss>, Option<Row>) {
        rows(&self.last_hour(end.plus(-1)))
    }

    /// Share of content lost in the hours that touch a span; 0 where nothing is known.
    #[must_use]
    pub fn loss(&self, first_ts: Timestamp, last_ts: Timestamp) -> f64 {
        let hour = |ts: Timestamp| ts.nanos().div_euclid(HOUR_NS);
        let (first, last) = (hour(first_ts), hour(last_ts));
        let (mut missed, mut content) = (0_u64, 0_u64);
        for (_, m, c) in self
            .losses
            .iter()
            .filter(|(at, ..)| (first..=last).contains(at))
        {
            missed = missed.saturating_add(*m);
            content = content.saturating_add(*c);
        }
        share(missed, missed.saturating_add(content))
    }

    fn graded(
        &self,
        sum: Slot,
        now: Option<Timestamp>,
        span: (Option<Timestamp>, Option<Timestamp>),
    ) -> Mirror {
        let silence = self.hosts.silence(now);
        let mut figures = sum.figures;
        (figures.hosts, figures.silent) = (silence.hosts, silence.silent);
        let hour = self.hour_packets(now.unwrap_or(self.last_ts));
        let now = now.unwrap_or(self.last_ts);
        let vlans = self.vlans.all(now, &sum.vlans, hour);
        graded(figures, vlans, &silence.examples, span)
    }

    /// Packets of the last hour.
    fn hour_packets(&self, now: Timestamp) -> u64 {
        let first = number(now).saturating_sub(SLOTS - 1);
        let recent = self.slots.iter().filter(|slot| slot.number >= first);
        recent
            .map(|slot| slot.figures.packets)
            .fold(0, u64::saturating_add)
    }

    fn lost(&mut self, ts: Timestamp, missed: u64, content: u64) {
        let hour = ts.nanos().div_euclid(HOUR_NS);
        if self.losses.back().is_none_or(|(at, ..)| *at < hour) {
            self.losses.push_back((hour, 0, 0));
            if self.losses.len() > LOSS_HOURS {
                self.losses.pop_front();
            }
        }
        if let Some((_, m, c)) = self.losses.back_mut() {
            *m = m.saturating_add(missed);
            *c = c.saturating_add(content);
        }
    }

    /// Counts in the open slot.
    fn count(&mut self, ts: Timestamp, count: impl FnOnce(&mut Slot)) {
        self.first_ts.get_or_insert(ts);
        self.last_ts = self.last_ts.max(ts);
        let number = number(ts);
        if self.slots.back().is_none_or(|slot| slot.number < number) {
            self.slots.push_back(Slot {
                number,
                ..Slot::default()
            });
            let oldest = number.saturating_sub(SLOTS);
            while let Some(old) = self.slots.pop_front_if(|slot| slot.number < oldest) {
                self.total.add(&old);
            }
        }
        if let Some(slot) = self.slots.back_mut() {
            count(slot);
        }
    }
}

impl Slot {
    /// Sums of a VLAN; none beyond the bound.
    fn vlan(&mut self, vlan: u16) -> Option<&mut Sums> {
        if self.vlans.len() >= VLANS_MAX && !self.vlans.contains_key(&vlan) {
            return None;
        }
        Some(self.vlans.entry(vlan).or_default())
    }

    fn add(&mut self, other: &Self) {
        let (f, o) = (&mut self.figures, &other.figures);
        for (to, n) in [
            (&mut f.packets, o.packets),
            (&mut f.group, o.group),
            (&mut f.truncated, o.truncated),
            (&mut f.oversize, o.oversize),
            (&mut f.checked, o.checked),
            (&mut f.bad_checksums, o.bad_checksums),
            (&mut f.flows_all, o.flows_all),
            (&mut f.flow_packets, o.flow_packets),
            (&mut f.copies, o.copies),
            (&mut f.tripled, o.tripled),
            (&mut f.other_vlan, o.other_vlan),
            (&mut f.flows, o.flows),
            (&mut f.one_way, o.one_way),
            (&mut f.content, o.content),
            (&mut f.missed, o.missed),
            (&mut f.own, o.own),
        ] {
            *to = to.saturating_add(n);
        }
        for (vlan, other) in &other.vlans {
            if let Some(sums) = self.vlan(*vlan) {
                sums.packets = sums.packets.saturating_add(other.packets);
                sums.flows = sums.flows.saturating_add(other.flows);
                sums.one_way = sums.one_way.saturating_add(other.one_way);
            }
        }
    }
}

/// The slot a time lies in.
fn number(ts: Timestamp) -> i64 {
    ts.nanos().div_euclid(SLOT_NS)
}

impl MirrorWatch {
    /// Bytes of the hosts; the sums are a few numbers for each VLAN.
    #[must_use]
    pub fn held(&self) -> Held {
        self.hosts.held()
    }
}

#[cfg(test)]
mod tests;
