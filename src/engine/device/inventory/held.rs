//! Memory of the inventory.

use tapir_message::Address;

use super::{
    ADDRESSES_MAX, DEVICE_ADDRESSES_MAX, DEVICE_VLANS_MAX, DEVICES_MAX, DeviceIx, Entry, Inventory,
};
use crate::types::{Held, MacAddr, Map};

impl Inventory {
    /// Bytes of all that is known of devices.
    #[must_use]
    pub fn held(&self) -> Held {
        let entries = self.entries.capacity().saturating_mul(size_of::<Entry>());
        let texts = self.entries.iter().map(Entry::allocated);
        let bytes = texts
            .fold(entries, usize::saturating_add)
            .saturating_add(self.by_mac.table_bytes())
            .saturating_add(self.by_ip.table_bytes());
        let each = size_of::<Entry>()
            .saturating_add(DEVICE_ADDRESSES_MAX.saturating_mul(size_of::<Address>()))
            .saturating_add(DEVICE_VLANS_MAX.saturating_mul(size_of::<u16>()))
            .saturating_add(Entry::TEXTS_MAX);
        let bound = DEVICES_MAX
            .saturating_mul(each)
            .saturating_add(Map::<MacAddr, DeviceIx>::table_bound(DEVICES_MAX))
            .saturating_add(Map::<u128, DeviceIx>::table_bound(ADDRESSES_MAX));
        Held::new("devices", bytes, bound)
    }
}
