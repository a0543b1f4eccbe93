//! Secrets that crossed in clear: that one did, whose, in which protocol; never what it was.
//!
//! A secret leaves its parser as a number that the process's own key makes of it. That number stays in memory:
//! `Analysis` writes in its place the how-manieth of all different secrets it is, so that one which is used
//! twice is seen to be so.

use crate::record;
use crate::types::{FieldType, FieldValue, Heap, Text, Value};

record! {
    /// A secret shown in clear, or in a coding that anybody undoes; once for each sign-in (ours).
    pub struct Credential = "credentials" {
        /// Protocol it was shown in.
        pub service: &'static str = "service",
        /// Account it belongs to, if one was named.
        pub username: Option<Text> = "username",
        /// How it was shown: a command, a SASL mechanism, `Basic`, `community`; `md5` is PostgreSQL's salted digest,
        /// of which guesses can be tried, and has no number.
        pub mechanism: &'static str = "mechanism",
        /// Which of this run's secrets it is, from 1 in order of first sight: the same secret has the same number.
        pub secret: Secret = "secret",
    }
}

/// What stands for a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secret {
    /// It was not looked at.
    #[default]
    Unseen,
    /// What the process's key makes of it; never written.
    Keyed(u64),
    /// Which of all it is.
    Number(u64),
}

impl Heap for Secret {
    fn heap(&self) -> usize {
        0
    }
}

impl FieldValue for Secret {
    const TYPE: FieldType = FieldType::Int;

    fn value(&self) -> Value<'_> {
        match self {
            Self::Number(number) => FieldValue::value(number),
            Self::Unseen | Self::Keyed(_) => Value::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_number_is_written() {
        assert_eq!(Secret::Keyed(7).value(), Value::None);
        assert_eq!(Secret::Number(7).value(), Value::Int(7));
    }
}
