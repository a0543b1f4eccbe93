//! What a model may speak about: the kinds of rows, their fields, and the fields every row has.

use crate::types::{FieldInfo, FieldType, Value};

use super::suggest::did_you_mean;

/// Kinds of rows and their fields: records and detectors' verdicts.
#[derive(Clone, Debug)]
pub struct Schema {
    kinds: Vec<(&'static str, &'static [FieldInfo])>,
}

impl Schema {
    /// A schema of these kinds; of two with one name the first stands.
    #[must_use]
    pub fn new(kinds: &[(&'static str, &'static [FieldInfo])]) -> Self {
        let mut kinds = kinds.to_vec();
        kinds.sort_by_key(|(name, _)| *name);
        kinds.dedup_by_key(|(name, _)| *name);
        Self { kinds }
    }

    /// All kinds with their fields, by name.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, &'static [FieldInfo])> + '_ {
        self.kinds.iter().copied()
    }

    /// The fields a model on `kind` may name.
    pub(super) fn scope(&self, kind: &str) -> Option<Scope> {
        let (kind, fields) = self.kinds().find(|(name, _)| *name == kind)?;
        Some(Scope { kind, fields })
    }
}

/// A row a condition is evaluated on: the fields of its kind and the common ones.
pub trait Row {
    /// The kind's own field at `index`, as in its schema; `Value::None` if absent.
    fn field(&self, index: usize) -> Value<'_>;
    /// A field every kind has; `Value::None` if it is not known.
    fn common(&self, common: Common) -> Value<'_>;
}

macro_rules! common_fields {
    ($( $variant:ident, $name:literal, $field_type:ident, $doc:literal; )*) => {
        /// A field every kind of row has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Common {
            $( #[doc = $doc] $variant, )*
        }

        impl Common {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// Name, type and meaning.
            #[must_use]
            pub fn info(self) -> FieldInfo {
                match self {
                    $( Self::$variant => FieldInfo {
                        name: $name,
                        field_type: FieldType::$field_type,
                        doc: $doc,
                    }, )*
                }
            }
        }
    };
}

common_fields! {
    Device, "device", Str, "Best name of the device concerned.";
    DeviceIp, "device_ip", Addr, "Its address.";
    Peer, "peer", Str, "Best name of the other side, else its address.";
    OrigH, "orig_h", Addr, "Who sent the first packet.";
    OrigP, "orig_p", Int, "Its port.";
    OrigHome, "orig_home", Bool, "Whether it lies inside the home networks.";
    RespH, "resp_h", Addr, "The other side.";
    RespP, "resp_p", Int, "Its port.";
    RespHome, "resp_home", Bool, "Whether it lies inside the home networks.";
    Vlan, "vlan", Int, "VLAN id; absent if untagged.";
    Hour, "hour", Int, "Hour of the day where the sensor stands, 0 to 23.";
    Workday, "workday", Bool, "Whether it is a working day there.";
}

/// Where a value is found in a [`Row`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// The kind's own field.
    Field(usize),
    /// A common field.
    Common(Common),
}

impl At {
    /// The value in `row`.
    pub(super) fn of<'a>(self, row: &'a dyn Row) -> Value<'a> {
        match self {
            Self::Field(index) => row.field(index),
            Self::Common(common) => row.common(common),
        }
    }
}

/// The fields one model may name: its kind's, then the common ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    /// The kind.
    pub(super) kind: &'static str,
    fields: &'static [FieldInfo],
}

impl Scope {
    /// The field called `name`. A kind's own field hides a common one of the same name.
    pub(super) fn find(&self, name: &str) -> Option<(At, FieldType)> {
        let own = self
            .fields
            .iter()
            .enumerate()
            .find(|(_, field)| field.name == name);
        own.map(|(index, field)| (At::Field(index), field.field_type))
            .or_else(|| {
                let common = Common::ALL
                    .iter()
                    .find(|common| common.info().name == name)?;
                Some((At::Common(*common), common.info().field_type))
            })
    }

    /// What to say of a name that is no field.
    pub(super) fn unknown(&self, name: &str) -> String {
        let common = || Common::ALL.iter().map(|common| common.info().name);
        // Zeek writes the endpoints `id.orig_h`; here they belong to every kind.
        let hint = name
            .strip_prefix("id.")
            .filter(|rest| common().any(|known| known == *rest))
            .map_or_else(
                || {
                    did_you_mean(
                        name,
                        self.fields.iter().map(|field| field.name).chain(common()),
                    )
                },
                |rest| format!("; did you mean \"{rest}\"?"),
            );
        format!(
            "unknown field \"{}\" of {}{hint}",
            name.escape_debug(),
            self.kind
        )
    }
}

/// The name of a type in messages and documentation.
pub(super) fn type_name(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Bool => "bool",
        FieldType::Int => "int",
        FieldType::Num => "num",
        FieldType::Str => "str",
        FieldType::Addr => "addr",
        FieldType::Interval => "interval",
        FieldType::Time => "time",
        FieldType::StrList => "list of str",
        FieldType::AddrList => "list of addr",
        FieldType::IntervalList => "list of interval",
    }
}
