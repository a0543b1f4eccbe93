//! The `enip`, `cip` and `cip_identity` records.

use crate::record;
use crate::types::Text;

record! {
    /// One message of the encapsulation that carries no message of CIP (`enip.log` of ICSNPP).
    pub struct EnipRecord = "enip" {
        /// Number of the command.
        pub enip_command_code: Option<Text> = "enip_command_code",
        /// The command.
        pub enip_command: Option<&'static str> = "enip_command",
        /// Bytes behind the header.
        pub length: u16 = "length",
        /// The session, as the target gave it.
        pub session_handle: Option<Text> = "session_handle",
        /// How the command went.
        pub enip_status: Option<&'static str> = "enip_status",
    }
}

record! {
    /// One request or response (`cip.log` of ICSNPP).
    pub struct CipRecord = "cip" {
        /// Number of the message in its connection.
        pub cip_sequence_count: Option<u16> = "cip_sequence_count",
        /// `request` or `response`.
        pub direction: &'static str = "direction",
        /// Number of the service.
        pub cip_service_code: Option<Text> = "cip_service_code",
        /// The service.
        pub cip_service: &'static str = "cip_service",
        /// Number of the response's status.
        pub cip_status_code: Option<Text> = "cip_status_code",
        /// How the service went.
        pub cip_status: Option<&'static str> = "cip_status",
        /// Class of the object asked, of a response that of its request.
        pub class_id: Option<Text> = "class_id",
        /// Name of the class.
        pub class_name: Option<&'static str> = "class_name",
        /// Which object of the class.
        pub instance_id: Option<Text> = "instance_id",
        /// Which of its attributes.
        pub attribute_id: Option<Text> = "attribute_id",
        /// Name of the variable asked for.
        pub symbol: Option<Text> = "symbol",
        /// `read`, `write` or `control` (start, stop, reset, connections, what the maker has added).
        pub class: &'static str = "class",
    }
}

record! {
    /// What a device lists as its identity (`cip_identity.log` of ICSNPP).
    pub struct CipIdentityRecord = "cip_identity" {
        /// Address it gives.
        pub socket_address: Option<Text> = "socket_address",
        /// Port it gives.
        pub socket_port: u16 = "socket_port",
        /// Maker, by its number at ODVA.
        pub vendor_id: u16 = "vendor_id",
        /// Kind of device, by its number.
        pub device_type_id: u16 = "device_type_id",
        /// Product, by the maker's number.
        pub product_code: u16 = "product_code",
        /// Revision, `major.minor`.
        pub revision: Option<Text> = "revision",
        /// Status word.
        pub device_status: Option<Text> = "device_status",
        /// Serial number.
        pub serial_number: Option<Text> = "serial_number",
        /// Name of the product.
        pub product_name: Option<Text> = "product_name",
        /// State.
        pub device_state: Option<Text> = "device_state",
    }
}
