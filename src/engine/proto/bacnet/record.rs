//! The `bacnet` record.

use crate::record;
use crate::types::Text;

record! {
    /// One message (`bacnet.log` of ICSNPP, with the object of `bacnet_property.log` and `bacnet_discovery.log`).
    pub struct BacnetRecord = "bacnet" {
        /// Function of the virtual link layer.
        pub bvlc_function: &'static str = "bvlc_function",
        /// Kind of message.
        pub pdu_type: Option<&'static str> = "pdu_type",
        /// Service asked for or answered.
        pub pdu_service: Option<&'static str> = "pdu_service",
        /// What an answer shares with its request.
        pub invoke_id: Option<u8> = "invoke_id",
        /// Why it was refused, or the link layer's answer.
        pub result_code: Option<Text> = "result_code",
        /// Kind of the first object spoken of.
        pub object_type: Option<Text> = "object_type",
        /// Its number: of a device, the number of the device in its network.
        pub instance_number: Option<u32> = "instance_number",
        /// Property spoken of.
        pub property: Option<Text> = "property",
        /// Maker of a device that says who it is, by its number at ASHRAE.
        pub vendor_id: Option<u16> = "vendor_id",
        /// `read`, `write` or `control` (restarts, silencing, routing of broadcasts).
        pub class: &'static str = "class",
    }
}
