//! The words the other rooms speak: time, addresses, flows, records, values, bounded maps.

mod base32;
mod flow_ref;
mod map;
mod observation;
#[macro_use]
mod record;
mod sink;
mod text;
mod value;

pub use base32::base32;
pub use flow_ref::{Endpoint, FlowRef, Ordinal, Uid};
pub use map::{Map, Seed};
pub use observation::{
    Body, Census, Clue, ClueKind, Ends, FlowEvent, Mark, Observation, Observations, Phase, Sighting,
};
pub use record::{Fields, Record, RecordBody};
pub use sink::Json;
pub use text::{Text, escaped, is_hostile, text};
pub use value::{FieldInfo, FieldType, FieldValue, Interval, Value};

pub use tapir_message::{MacAddr, Timestamp};
