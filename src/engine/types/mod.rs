//! The words the other rooms speak: time, addresses, flows, records, values, bounded maps.

mod ahead;
mod base32;
mod by_addr;
mod digits;
mod flow_ref;
mod heap;
mod held;
mod joined;
mod map;
mod observation;
#[macro_use]
mod record;
mod short_id;
mod sink;
mod text;
mod value;

pub use ahead::ask;
pub use base32::base32;
pub use by_addr::{ByAddr, ip_bits, v4_bits};
pub use flow_ref::{Endpoint, FlowKey, FlowRef, Ordinal, Uid};
pub use heap::Heap;
pub(crate) use heap::{heap, heap_of};
pub use held::{Held, table_bound};
pub use map::{Map, Seed};
pub use observation::{
    Body, Census, Clue, ClueKind, Ends, FlowEvent, Heard, Mark, Observation, Observations, Phase,
    Sighting,
};
pub use record::{Fields, Record, RecordBody};
pub use short_id::ShortId;
pub use sink::{Json, ip_text};
pub use text::{Text, escaped, is_hostile, is_plain, text};
pub use value::{FieldInfo, FieldType, FieldValue, Interval, Value};

pub(crate) use joined::Joined;
pub(crate) use sink::push_ip;

pub use tapir_message::{MacAddr, Timestamp};
