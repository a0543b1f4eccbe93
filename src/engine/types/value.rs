//! Typed values: what a record's field is, in output and in a model's condition.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::{Json, Text, Timestamp};

/// Type of a field, as the model language and the documentation know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// `true` or `false`.
    Bool,
    /// Whole number.
    Int,
    /// Number with a fraction.
    Num,
    /// Text from the wire, bounded.
    Str,
    /// IPv4 or IPv6 address.
    Addr,
    /// Length of time, nanoseconds; written as seconds with 6 decimals.
    Interval,
    /// Point in time; written as seconds since the epoch with 6 decimals.
    Time,
    /// List of texts.
    StrList,
    /// List of addresses.
    AddrList,
    /// List of lengths of time.
    IntervalList,
}

/// A field's value, borrowed. `None` is an absent optional field and is not written out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Absent.
    None,
    /// See [`FieldType::Bool`].
    Bool(bool),
    /// See [`FieldType::Int`].
    Int(i64),
    /// See [`FieldType::Num`].
    Num(f64),
    /// See [`FieldType::Str`].
    Str(&'a str),
    /// See [`FieldType::Addr`].
    Addr(IpAddr),
    /// See [`FieldType::Interval`].
    Interval(Interval),
    /// See [`FieldType::Time`].
    Time(Timestamp),
    /// See [`FieldType::StrList`].
    StrList(&'a [Text]),
    /// See [`FieldType::AddrList`].
    AddrList(&'a [IpAddr]),
    /// See [`FieldType::IntervalList`].
    IntervalList(&'a [Interval]),
}

/// A length of time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(pub i64);

/// Name, type and meaning of a record's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// Zeek's name, for example `id.orig_h` or `qtype_name`.
    pub name: &'static str,
    /// Its type.
    pub field_type: FieldType,
    /// One sentence with the unit.
    pub doc: &'static str,
}

/// A Rust type that can stand in a record.
pub trait FieldValue {
    /// How models and documentation see it.
    const TYPE: FieldType;
    /// The value, borrowed.
    fn value(&self) -> Value<'_>;
    /// Writes the value, if there is one, behind `key`; see [`Json::field`].
    #[inline]
    fn write(&self, key: &str, json: &mut Json<'_>) {
        json.field(key, self.value());
    }
}

impl FieldValue for &'static str {
    const TYPE: FieldType = FieldType::Str;

    fn value(&self) -> Value<'_> {
        Value::Str(self)
    }

    #[inline]
    fn write(&self, key: &str, json: &mut Json<'_>) {
        json.word(key, self);
    }
}

macro_rules! field_values {
    ($($rust:ty, $field_type:ident, |$this:ident| $value:expr;)*) => {$(
        impl FieldValue for $rust {
            const TYPE: FieldType = FieldType::$field_type;
            fn value(&self) -> Value<'_> {
                let $this = self;
                $value
            }
        }
    )*};
}

field_values! {
    bool, Bool, |v| Value::Bool(*v);
    u8, Int, |v| Value::Int(i64::from(*v));
    u16, Int, |v| Value::Int(i64::from(*v));
    u32, Int, |v| Value::Int(i64::from(*v));
    u64, Int, |v| Value::Int(i64::try_from(*v).unwrap_or(i64::MAX));
    i64, Int, |v| Value::Int(*v);
    f64, Num, |v| Value::Num(*v);
    Text, Str, |v| Value::Str(v);
    String, Str, |v| Value::Str(v);
    Arc<str>, Str, |v| Value::Str(v);
    IpAddr, Addr, |v| Value::Addr(*v);
    Ipv4Addr, Addr, |v| Value::Addr(IpAddr::V4(*v));
    Ipv6Addr, Addr, |v| Value::Addr(IpAddr::V6(*v));
    Interval, Interval, |v| Value::Interval(*v);
    Timestamp, Time, |v| Value::Time(*v);
    Vec<Text>, StrList, |v| Value::StrList(v);
    Vec<IpAddr>, AddrList, |v| Value::AddrList(v);
    Vec<Interval>, IntervalList, |v| Value::IntervalList(v);
}

impl<T: FieldValue> FieldValue for Option<T> {
    const TYPE: FieldType = T::TYPE;
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::None, FieldValue::value)
    }

    #[inline]
    fn write(&self, key: &str, json: &mut Json<'_>) {
        if let Some(value) = self {
            value.write(key, json);
        }
    }
}
