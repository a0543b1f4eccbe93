//! Records: one line of output about a flow or a transaction, named after Zeek's logs.
//!
//! A record is declared once with `record!`; its JSON, its fields in the model language and its
//! documentation all come from that declaration.

use std::any::Any;

use super::{Ends, FieldInfo, FlowRef, Json, ShortId, Timestamp, Value};

/// What every record's body offers, written by `record!`.
pub trait Fields {
    /// Record kind: the stem of the log's file name and the first word of a model's field.
    const KIND: &'static str;
    /// Fields in the order they are written.
    const FIELDS: &'static [FieldInfo];
    /// Value of the field at `index`; `Value::None` beyond the last.
    fn value(&self, index: usize) -> Value<'_>;
    /// Writes all fields that are there, in order.
    fn write(&self, json: &mut Json<'_>);
}

/// A record's body, whatever its kind. Who knows a kind asks for it by `dyn Any`.
pub trait RecordBody: Any + std::fmt::Debug + Send {
    /// See [`Fields::KIND`].
    fn kind(&self) -> &'static str;
    /// See [`Fields::FIELDS`].
    fn fields(&self) -> &'static [FieldInfo];
    /// See [`Fields::value`].
    fn value(&self, index: usize) -> Value<'_>;
    /// See [`Fields::write`].
    fn write(&self, json: &mut Json<'_>);
}

impl<T: Fields + Any + std::fmt::Debug + Send> RecordBody for T {
    fn kind(&self) -> &'static str {
        T::KIND
    }
    fn fields(&self) -> &'static [FieldInfo] {
        T::FIELDS
    }
    fn value(&self, index: usize) -> Value<'_> {
        Fields::value(self, index)
    }
    fn write(&self, json: &mut Json<'_>) {
        Fields::write(self, json);
    }
}

#[cfg(test)]
impl dyn RecordBody {
    /// The body alone as JSON, for tests.
    pub(crate) fn text(&self) -> String {
        let mut text = Vec::new();
        let mut json = Json::open(&mut text);
        self.write(&mut json);
        json.close();
        String::from_utf8(text).unwrap()
    }
}

/// A record on its way from the parser to the writer, in one piece of memory. `Analysis` stamps the
/// devices.
#[derive(Debug)]
pub struct Record<B: ?Sized = dyn RecordBody> {
    /// The record's own time, as Zeek has it: the request's, the flow's first packet's.
    pub ts: Timestamp,
    /// The flow it is about.
    pub flow: FlowRef,
    /// Device id of the originator, if it is one of ours.
    pub orig_device: Option<ShortId>,
    /// Device id of the responder.
    pub resp_device: Option<ShortId>,
    /// Whether originator and responder lie in the home networks.
    pub local: Option<(bool, bool)>,
    /// The flow's ends, if it is TCP; stamped by the tracker.
    pub ends: Option<Ends>,
    /// What it says.
    pub body: B,
}

impl Record {
    /// Reads here and there in the record, which another thread made, so that all of it is near when it
    /// is written. What comes back says nothing.
    #[must_use]
    pub fn fetch(&self) -> bool {
        let last = self.body.fields().len().saturating_sub(1);
        let read = |index| matches!(self.body.value(index), Value::None);
        (self.ts < self.flow.first_ts) ^ read(0) ^ read(last / 2) ^ read(last) ^ self.ends.is_some()
    }
}

impl<B: RecordBody> Record<B> {
    /// A record of `flow` as the tracker tells it.
    pub fn new(ts: Timestamp, flow: FlowRef, ends: Option<Ends>, body: B) -> Box<Self> {
        Box::new(Self {
            ts,
            flow,
            orig_device: None,
            resp_device: None,
            local: None,
            ends,
            body,
        })
    }
}

/// Declares a record: the struct, its JSON names, its schema.
///
/// ```
/// use tapir_engine::record;
/// use tapir_engine::types::{Fields, Text};
///
/// record! {
///     /// One DNS transaction.
///     pub struct Dns = "dns" {
///         /// The name asked for.
///         pub query: Option<Text> = "query",
///     }
/// }
/// assert_eq!(Dns::FIELDS[0].name, "query");
/// ```
#[macro_export]
macro_rules! record {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident = $kind:literal {
            $( $(#[doc = $doc:literal])+ pub $field:ident : $type:ty = $json:literal ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        $vis struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )*
        }

        impl $crate::types::Heap for $name {
            fn heap(&self) -> usize {
                0_usize$(.saturating_add($crate::types::Heap::heap(&self.$field)))*
            }
        }

        impl $crate::types::Fields for $name {
            const KIND: &'static str = $kind;
            const FIELDS: &'static [$crate::types::FieldInfo] = &[
                $( $crate::types::FieldInfo {
                    name: $json,
                    field_type: <$type as $crate::types::FieldValue>::TYPE,
                    doc: concat!($($doc),+),
                }, )*
            ];

            fn value(&self, index: usize) -> $crate::types::Value<'_> {
                let mut at = 0usize;
                $(
                    if index == at {
                        return $crate::types::FieldValue::value(&self.$field);
                    }
                    at = at.wrapping_add(1);
                )*
                let _last = at;
                $crate::types::Value::None
            }

            fn write(&self, json: &mut $crate::types::Json<'_>) {
                $( $crate::types::FieldValue::write(
                    &self.$field,
                    concat!(",\"", $json, "\":"),
                    json,
                ); )*
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::super::{FieldType, Text};
    use super::*;

    record! {
        /// A record for this test.
        struct Sample = "sample" {
            /// A name.
            pub name: Option<Text> = "name",
            /// A count
            /// over two lines.
            pub count: u32 = "count",
        }
    }

    #[test]
    fn one_declaration_gives_values_and_schema() {
        let sample = Sample {
            name: None,
            count: 7,
        };
        assert_eq!(Fields::value(&sample, 0), Value::None);
        assert_eq!(Fields::value(&sample, 1), Value::Int(7));
        assert_eq!(Fields::value(&sample, 2), Value::None);
        let types: Vec<_> = Sample::FIELDS
            .iter()
            .map(|f| (f.name, f.field_type))
            .collect();
        assert_eq!(types, [("name", FieldType::Str), ("count", FieldType::Int)]);
    }
}
