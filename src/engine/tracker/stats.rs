//! What a tracker counted.
//!
//! Every packet handed in is in one place, and what it carries as a tunnel in one more: `packets` and
//! `carried` together are the packets of all flows that are over plus [`TrackerStats::without_flow`],
//! once the input is over.

use std::collections::BTreeMap;

use tapir_message::Stats;

use super::encapsulations::Encapsulations;
use crate::decode::{Kind as Tunnel, Layer, link_name};
use crate::flow::Rank;
use crate::proto::{Kind, ParserHealth, ParsersHealth};
use crate::types::{Held, Timestamp};

/// Most different link types and EtherTypes counted apart; the rest is counted together.
const NUMBERS_MAX: usize = 256;
/// What a flow may be taken for: nothing, a protocol, a tunnel.
const SERVICES: usize = 1 + Kind::ALL.len() + Tunnel::ALL.len();

/// Plain counters of one tracker; the sums over all trackers go to `stats.json`.
#[derive(Clone, Debug)]
pub struct TrackerStats {
    /// Packets handed in.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// First and last packet's time.
    pub first_ts: Option<Timestamp>,
    /// See `first_ts`.
    pub last_ts: Option<Timestamp>,
    /// Packets of which the capture holds only the beginning.
    pub truncated: u64,
    /// Packets found inside packets that a flow has counted already.
    pub carried: u64,
    /// Packets of which not even the headers were captured.
    pub header_cut: u64,
    /// Frames without IP, second copies aside.
    pub non_ip: u64,
    /// Packets with a header that contradicts itself, by layer.
    pub malformed: [u64; Layer::ALL.len()],
    /// Second copies, not counted in their flows.
    pub duplicate: u64,
    /// Packets not decoded, by link type.
    pub not_decoded: Numbers,
    /// Frames not understood, by EtherType.
    pub ether_types: Numbers,
    /// Frames not understood, by LLC service access point.
    pub llc: Numbers,
    /// Frames not understood, by PPP protocol.
    pub ppp: Numbers,
    /// Tags, tunnels and fragments.
    pub encapsulations: Encapsulations,
    /// Packets in more tunnels than are looked into.
    pub too_deep: u64,
    /// Inner packets of tunnels whose packets came in pieces.
    pub fragmented_tunnel: u64,
    /// Flows of which it is not known what carries them, because the table was full.
    pub carriers_refused: u64,
    /// Packets whose IP protocol is not looked into.
    pub ip_protocols: Numbers,
    /// Flows begun.
    pub flows: u64,
    /// Flows over, by protocol sensed: the first is none, the others in list order, then tunnels.
    pub services: Vec<u64>,
    /// Their payload bytes, in the same order.
    pub service_bytes: Vec<u64>,
    /// What the parsers answered.
    pub parsers: ParsersHealth,
    /// Packets without a flow, because the table was full of flows begun at that very moment.
    pub flows_refused: u64,
    /// Flows closed before their time because the table was full, by [`Rank`].
    pub flows_evicted: [u64; Rank::ALL.len()],
    /// How often a stream found no room to hold bytes.
    pub reassembly_refused: u64,
    /// How often one stream met its own bound for bytes out of order.
    pub stream_overflows: u64,
    /// Fragments refused at a bound.
    pub fragments_refused: u64,
    /// Hardware addresses not told, because the table was full.
    pub sightings_refused: u64,
    /// What ports say of themselves and was not told, because the table was full.
    pub announcements_refused: u64,
    /// Packets of which some fragments never came.
    pub fragments_incomplete: u64,
    /// Fragments of such packets that no flow was told of.
    pub fragments_untold: u64,
    /// Memory held when the last flows were about to be closed.
    pub held: Vec<Held>,
    /// TCP control segments passed over for their checksum.
    pub bad_checksums: u64,
    /// Packets forgotten before their copy could come.
    pub copies_overrun: u64,
}

/// Counts by a number from the wire; bounded, in order of the number.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    counts: Vec<(u32, u64)>,
    others: u64,
}

impl Numbers {
    /// Counts one.
    pub fn add(&mut self, number: u32) {
        match self.counts.binary_search_by_key(&number, |(n, _)| *n) {
            Ok(at) => {
                if let Some((_, count)) = self.counts.get_mut(at) {
                    *count = count.saturating_add(1);
                }
            }
            Err(at) if self.counts.len() < NUMBERS_MAX => self.counts.insert(at, (number, 1)),
            Err(_) => self.others = self.others.saturating_add(1),
        }
    }

    /// Numbers and their counts, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.counts.iter().copied()
    }

    /// Numbers beyond the bound, counted together.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.others
    }
}

impl Default for TrackerStats {
    fn default() -> Self {
        Self {
            packets: 0,
            bytes: 0,
            first_ts: None,
            last_ts: None,
            truncated: 0,
            carried: 0,
            header_cut: 0,
            non_ip: 0,
            malformed: [0; Layer::ALL.len()],
            duplicate: 0,
            not_decoded: Numbers::default(),
            ether_types: Numbers::default(),
            llc: Numbers::default(),
            ppp: Numbers::default(),
            encapsulations: Encapsulations::default(),
            too_deep: 0,
            fragmented_tunnel: 0,
            carriers_refused: 0,
            ip_protocols: Numbers::default(),
            flows: 0,
            services: vec![0; SERVICES],
            service_bytes: vec![0; SERVICES],
            parsers: ParsersHealth::default(),
            flows_refused: 0,
            flows_evicted: [0; Rank::ALL.len()],
            reassembly_refused: 0,
            stream_overflows: 0,
            fragments_refused: 0,
            sightings_refused: 0,
            announcements_refused: 0,
            fragments_incomplete: 0,
            fragments_untold: 0,
            held: Vec::new(),
            bad_checksums: 0,
            copies_overrun: 0,
        }
    }
}

impl TrackerStats {
    /// Counts a malformed header, of a packet that came in `pkts` pieces.
    pub fn malformed(&mut self, layer: Layer, pkts: u32) {
        for (count, at) in self.malformed.iter_mut().zip(Layer::ALL) {
            if at == layer {
                *count = count.saturating_add(u64::from(pkts));
            }
        }
    }

    /// Packets handed in that are in no flow's totals.
    #[must_use]
    pub fn without_flow(&self) -> u64 {
        let not_decoded = self.not_decoded.iter().map(|(_, n)| n);
        let malformed = self.malformed.iter().copied();
        not_decoded
            .chain(malformed)
            .chain([
                self.not_decoded.others(),
                self.header_cut,
                self.non_ip,
                self.duplicate,
                self.flows_refused,
                self.fragments_refused,
                self.fragments_untold,
                self.too_deep,
            ])
            .fold(0, u64::saturating_add)
    }

    /// Counts a flow that had to go.
    pub(super) fn evicted(&mut self, rank: Rank) {
        if let Some(count) = self.flows_evicted.get_mut(usize::from(rank as u8)) {
            *count = count.saturating_add(1);
        }
    }

    /// Counts a flow that is over, by what it was taken for.
    pub(super) fn serviced(&mut self, service: u8, payload: u64) {
        let at = usize::from(service);
        for (counts, n) in [(&mut self.services, 1), (&mut self.service_bytes, payload)] {
            if let Some(count) = counts.get_mut(at) {
                *count = count.saturating_add(n);
            }
        }
    }

    /// Adds these counters to those of the run. Weird things that made a record are not among them.
    pub fn add_to(&self, stats: &mut Stats) {
        let add = |to: &mut u64, n: u64| *to = to.saturating_add(n);
        add(&mut stats.packets, self.packets);
        add(&mut stats.bytes, self.bytes);
        add(&mut stats.truncated, self.truncated);
        add(&mut stats.duplicate, self.duplicate);
        add(&mut stats.flows, self.flows);
        stats.first_ts = [stats.first_ts, self.first_ts].into_iter().flatten().min();
        stats.last_ts = [stats.last_ts, self.last_ts].into_iter().flatten().max();
        self.add_unknown(stats);
        let names = std::iter::once("-")
            .chain(Kind::ALL.iter().map(|k| k.name()))
            .chain(Tunnel::ALL.iter().map(|k| k.name()));
        for ((name, flows), bytes) in names.zip(&self.services).zip(&self.service_bytes) {
            put(&mut stats.services, name.to_owned(), *flows);
            if *flows > 0 {
                let protocol = stats.protocols.entry(name.to_owned()).or_default();
                add(&mut protocol.bytes, *bytes);
            }
        }
        self.add_parsers(stats);
        let refused = [
            ("flows", self.flows_refused),
            ("reassembly", self.reassembly_refused),
            ("fragments", self.fragments_refused),
            ("sightings", self.sightings_refused),
            ("announcements", self.announcements_refused),
            ("copies", self.copies_overrun),
            ("carriers", self.carriers_refused),
        ];
        for (table, n) in refused {
            put(&mut stats.refused, table.to_owned(), n);
            stats.bounded |= n > 0;
        }
        for (rank, n) in Rank::ALL.iter().zip(self.flows_evicted) {
            put(&mut stats.evicted, rank.name().to_owned(), n);
            stats.bounded |= n > 0;
        }
        // A stream's own bound does not depend on what else is there.
        put(
            &mut stats.refused,
            "stream".to_owned(),
            self.stream_overflows,
        );
        for (name, n) in [
            ("fragments_incomplete", self.fragments_incomplete),
            ("fragments_untold", self.fragments_untold),
            ("header_cut", self.header_cut),
            ("bad_TCP_checksum", self.bad_checksums),
            ("exceeded_tunnel_max_depth", self.too_deep),
            ("fragmented_tunnel", self.fragmented_tunnel),
        ] {
            put(&mut stats.weird, name.to_owned(), n);
        }
        self.encapsulations.add_to(stats);
    }

    /// Adds how the parsers fared.
    fn add_parsers(&self, stats: &mut Stats) {
        for (kind, health) in self.parsers.iter() {
            if health == ParserHealth::default() {
                continue;
            }
            let protocol = stats.protocols.entry(kind.name().to_owned()).or_default();
            for (to, n) in [
                (&mut protocol.parsed, health.parsed),
                (&mut protocol.need_more, health.need_more),
                (&mut protocol.skipped, health.skipped),
                (&mut protocol.broken, health.broken),
                (&mut protocol.panicked, health.panicked),
            ] {
                *to = to.saturating_add(n);
            }
        }
    }

    /// Adds what was not decoded or not understood.
    fn add_unknown(&self, stats: &mut Stats) {
        for (layer, n) in Layer::ALL.iter().zip(self.malformed) {
            put(&mut stats.malformed, layer.name().to_owned(), n);
        }
        for (link, n) in self.not_decoded.iter() {
            put(&mut stats.not_decoded, link_name(link), n);
        }
        put(
            &mut stats.not_decoded,
            "other".to_owned(),
            self.not_decoded.others(),
        );
        for (numbers, prefix, digits) in [
            (&self.ether_types, "ethertype_0x", 4),
            (&self.llc, "llc_0x", 2),
            (&self.ppp, "ppp_0x", 4),
        ] {
            for (number, n) in numbers.iter() {
                put(
                    &mut stats.not_understood,
                    format!("{prefix}{number:0digits$x}"),
                    n,
                );
            }
            put(
                &mut stats.not_understood,
                "other".to_owned(),
                numbers.others(),
            );
        }
        for (number, n) in self.ip_protocols.iter() {
            put(&mut stats.not_understood, format!("ip_proto_{number}"), n);
        }
    }
}

/// Adds to a count, if there is something to add.
pub(super) fn put(map: &mut BTreeMap<String, u64>, name: String, n: u64) {
    if n > 0 {
        let count = map.entry(name).or_default();
        *count = count.saturating_add(n);
    }
}
