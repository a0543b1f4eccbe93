//! Memory of the inventory.

use tapir_message::Address;

use super::{
    DEVICE_ADDRESSES_MAX, DEVICE_VLANS_MAX, DEVICES_MAX, DeviceIx, Entry, Inventory, Table,
};
use crate::types::{Held, MacAddr, Map};

impl Inventory {
    /// Bytes of all that is known of devices.
    #[must_use]
    pub fn held(&self) -> Held {
        let by_mac = self.by_mac.table_bytes();
        let each = Table::ROW_BYTES
            .saturating_add(DEVICE_ADDRESSES_MAX.saturating_mul(size_of::<Address>()))
            .saturating_add(DEVICE_VLANS_MAX.saturating_mul(size_of::<u16>()))
            .saturating_add(Entry::TEXTS_MAX);
        let bound = DEVICES_MAX
            .saturating_mul(each)
            .saturating_add(Map::<MacAddr, DeviceIx>::table_bound(DEVICES_MAX))
            .saturating_add(Table::ADDRESSES_BYTES_MAX);
        let (fusion, fusion_bound) = self.fusion.held();
        Held::new(
            "devices",
            self.table
                .allocated()
                .saturating_add(by_mac)
                .saturating_add(fusion),
            bound.saturating_add(fusion_bound),
        )
    }
}
