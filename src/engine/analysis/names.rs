//! What addresses are called: devices by the inventory, those outside by what names them.
//!
//! Bounds: 65,536 names; later ones are refused and counted.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::baseline::{NameHash, Named};
use crate::device::{DeviceIx, Inventory};
use crate::service::ServiceIx;
use crate::types::{ByAddr, Endpoint, Held, Seed, ip_bits, ip_text, push_ip};

/// Names of addresses outside.
const NAMES_MAX: usize = 65_536;
/// Longest name of an address (RFC 1035 §2.3.4).
const NAME_LEN_MAX: usize = 255;

/// Names of addresses outside, from DNS answers, TLS and HTTP.
#[derive(Debug)]
pub(super) struct Names(ByAddr<Name>);

#[derive(Debug)]
struct Name {
    text: Box<str>,
    hash: NameHash,
    /// The service that the name belongs to.
    service: Option<ServiceIx>,
}

impl Names {
    pub(super) fn new(seed: Seed) -> Self {
        Self(ByAddr::new(NAMES_MAX, seed))
    }

    /// Names refused at the bound.
    pub(super) fn refused(&self) -> u64 {
        self.0.refused()
    }

    /// The address of these bits goes by `name`, which belongs to the service that `service` finds.
    pub(super) fn note(
        &mut self,
        bits: u128,
        name: &str,
        service: impl FnOnce() -> Option<ServiceIx>,
    ) {
        let is_full = self.0.is_full();
        match self.0.get_mut(bits) {
            Some(known) if *known.text == *name => {}
            Some(known) => *known = Name::new(name, service()),
            // The name is not even copied if there is no room for it.
            None if is_full => self.0.refuse(),
            None => {
                self.0.insert(bits, Name::new(name, service()));
            }
        }
    }

    /// Bytes of the names and of what says whose they are.
    pub(super) fn held(&self) -> Held {
        let texts = self.0.sum(|name| name.text.len());
        Held::new(
            "names of addresses",
            texts.saturating_add(self.0.table_bytes()),
            ByAddr::<Name>::table_bound(NAMES_MAX)
                .saturating_add(NAMES_MAX.saturating_mul(NAME_LEN_MAX)),
        )
    }

    /// The service that the address of these bits belongs to by its name.
    pub(super) fn service(&self, bits: u128) -> Option<ServiceIx> {
        self.0.get(bits)?.service
    }

    fn get(&self, bits: u128) -> Option<Named<'_>> {
        let name = self.0.get(bits)?;
        Some(Named {
            text: &name.text,
            hash: name.hash,
        })
    }
}

impl Name {
    fn new(text: &str, service: Option<ServiceIx>) -> Self {
        Self {
            text: text.into(),
            hash: NameHash::of(text),
            service,
        }
    }
}

/// The best name of an address: its device's, one from DNS, TLS or HTTP, else itself.
pub(super) fn endpoint<'a>(devices: &'a Inventory, names: &'a Names, ip: IpAddr) -> Cow<'a, str> {
    let device = devices.by_ip(ip).and_then(|ix| devices.entry(ix));
    device
        .map(|entry| entry.device.name.as_str())
        .or_else(|| names.get(ip_bits(ip)).map(|name| name.text))
        .map_or_else(|| ip_text(ip).into(), Cow::Borrowed)
}

/// The same with its hashes, of an address that `device` holds, if one does; `room` takes its text.
pub(super) fn named<'a>(
    of: (&'a Inventory, Option<DeviceIx>),
    names: &'a Names,
    end: &Endpoint,
    room: &'a mut String,
) -> Named<'a> {
    if of.1.is_none()
        && let Some(named) = names.get(end.bits())
    {
        return named;
    }
    let text = called(of, names, end, room);
    Named {
        text,
        hash: NameHash::of(text),
    }
}

/// The same without them.
pub(super) fn called<'a>(
    (devices, device): (&'a Inventory, Option<DeviceIx>),
    names: &'a Names,
    end: &Endpoint,
    room: &'a mut String,
) -> &'a str {
    if let Some(entry) = device.and_then(|ix| devices.entry(ix)) {
        return &entry.device.name;
    }
    if let Some(named) = names.get(end.bits()) {
        return named.text;
    }
    room.clear();
    push_ip(room, end.ip());
    room
}
