//! The two ways to read a mirror port: the kernel's ring, and libpcap where there is none.

use std::sync::Arc;

use tapir_capture::{
    Batch, Epochs, Link, PcapLive, Reserve, Ring, RingOptions, Source as _, SourceError,
    switch_offloads_off,
};
use tapir_message::{LinkState, QueueHealth};

use super::port::Port;
use super::queue::Published;
use crate::config::Settings;
use crate::run::RunError;

/// Times the interface may be deleted and made anew before `sense` has to be started again.
const COMEBACKS: usize = 8;

/// A queue of the kernel's ring.
pub(super) struct RingPort(Ring);

/// The one queue libpcap has.
pub(super) struct LibpcapPort {
    source: PcapLive,
    interface: String,
}

/// Opens the rings, and says what could not be switched off on the port.
pub(super) fn rings(
    settings: &Settings,
    interface: &str,
    own: Option<[u8; 6]>,
    epochs: &Arc<Epochs>,
) -> Result<(Vec<RingPort>, Vec<String>), RunError> {
    let queues = usize::from(settings.capture.queues);
    let notes = switch_offloads_off(interface).map_err(SourceError::from)?;
    let options = options(settings, interface, own, queues);
    let reserve = Reserve::open(queues * (1 + COMEBACKS)).map_err(SourceError::from)?;
    let rings = Ring::open(reserve, &options, epochs)?;
    Ok((rings.into_iter().map(RingPort).collect(), notes))
}

/// Opens the port through libpcap: one queue, whatever the configuration says.
pub(super) fn libpcap(
    settings: &Settings,
    interface: &str,
    own: Option<[u8; 6]>,
    epochs: &Arc<Epochs>,
) -> Result<(Vec<LibpcapPort>, Vec<String>), RunError> {
    let mut notes = switch_offloads_off(interface).map_err(SourceError::from)?;
    if settings.capture.queues > 1 {
        notes.push("libpcap reads with one queue; capture.queues is not used.".to_owned());
    }
    let source = PcapLive::open(&options(settings, interface, own, 1), epochs)?;
    let interface = interface.to_owned();
    Ok((vec![LibpcapPort { source, interface }], notes))
}

fn options(
    settings: &Settings,
    interface: &str,
    own: Option<[u8; 6]>,
    queues: usize,
) -> RingOptions {
    let capture = &settings.capture;
    RingOptions {
        queues,
        blocks: capture.blocks,
        block_bytes: capture.block_kib.saturating_mul(1_024),
        retire_ms: capture.retire_ms,
        filter: capture.filter.clone(),
        not_from: own,
        ..RingOptions::new(interface)
    }
}

fn state(link: Link) -> LinkState {
    match link {
        Link::Up => LinkState::Up,
        Link::Down => LinkState::Down,
        Link::Gone => LinkState::Gone,
    }
}

impl Port for RingPort {
    fn batch(&mut self) -> Result<Option<Batch<'_>>, SourceError> {
        self.0.batch()
    }

    fn epoch(&self) -> u64 {
        self.0.epoch().number
    }

    fn watermark_ns(&self) -> i64 {
        self.0.watermark_ns()
    }

    fn figures(&mut self) -> Published {
        let counts = self.0.counts();
        let trouble = (self.0.reserve_left() == 0 && counts.reopened > 0).then(|| {
            "The interface came back as often as was prepared for; next time sense is started again."
                .to_owned()
        });
        Published {
            health: QueueHealth {
                dropped: counts.dropped,
                freezes: counts.freezes,
                ..QueueHealth::default()
            },
            link: state(self.0.link()),
            trouble,
            epochs: self.0.epoch().number,
            ..Published::default()
        }
    }
}

impl Port for LibpcapPort {
    fn batch(&mut self) -> Result<Option<Batch<'_>>, SourceError> {
        self.source.batch()
    }

    fn epoch(&self) -> u64 {
        self.source.epoch().number
    }

    fn watermark_ns(&self) -> i64 {
        self.source.watermark_ns()
    }

    fn figures(&mut self) -> Published {
        let counts = self.source.counts();
        Published {
            health: QueueHealth {
                dropped: counts.dropped.into(),
                ..QueueHealth::default()
            },
            link: link_by_name(&self.interface),
            epochs: self.source.epoch().number,
            ..Published::default()
        }
    }
}

/// libpcap does not say; the system's own files do.
fn link_by_name(interface: &str) -> LinkState {
    let folder = std::path::Path::new("/sys/class/net").join(interface);
    // Reading the carrier of an interface that is switched off is refused.
    match std::fs::read_to_string(folder.join("carrier")) {
        Ok(carrier) if carrier.trim() == "1" => LinkState::Up,
        _ if folder.exists() => LinkState::Down,
        _ => LinkState::Gone,
    }
}
