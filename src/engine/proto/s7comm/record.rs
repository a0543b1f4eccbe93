//! The `s7comm` record.

use crate::record;
use crate::types::Text;

record! {
    /// One message (`s7comm.log` of ICSNPP).
    pub struct S7commRecord = "s7comm" {
        /// Number of the kind of message.
        pub rosctr_code: u8 = "rosctr_code",
        /// The kind of message.
        pub rosctr_name: &'static str = "rosctr_name",
        /// What an answer shares with its request.
        pub pdu_reference: u16 = "pdu_reference",
        /// Number of the function, or of the group of functions.
        pub function_code: Option<Text> = "function_code",
        /// The function, or `Request:` and the like with the group.
        pub function_name: Option<Text> = "function_name",
        /// Number within the group, or name of the program service.
        pub subfunction_code: Option<Text> = "subfunction_code",
        /// What it does.
        pub subfunction_name: Option<&'static str> = "subfunction_name",
        /// `No error`, or the class of the answer's error.
        pub error_class: Option<&'static str> = "error_class",
        /// Number of the error.
        pub error_code: Option<Text> = "error_code",
        /// `read`, `write` or `control` (start, stop, program services, passwords).
        pub class: &'static str = "class",
    }
}
