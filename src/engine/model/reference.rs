//! The table of all kinds and fields, for `models/README.md`.

use std::fmt::Write as _;

use crate::types::FieldInfo;

use super::schema::{Common, Schema, type_name};

/// All kinds and fields a model may name, in Markdown.
#[must_use]
pub fn reference(schema: &Schema) -> String {
    let mut out = String::from("### Every kind\n\n");
    let common: Vec<FieldInfo> = Common::ALL.iter().map(|common| common.info()).collect();
    table(&mut out, &common);
    for (kind, fields) in schema.kinds() {
        let _infallible = write!(out, "\n### `{kind}`\n\n");
        table(&mut out, fields);
    }
    out
}

fn table(out: &mut String, fields: &[FieldInfo]) {
    out.push_str("| field | type | meaning |\n|---|---|---|\n");
    for field in fields {
        let meaning = field
            .doc
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .replace('|', "\\|");
        let (name, field_type) = (field.name, type_name(field.field_type));
        let _infallible = writeln!(out, "| `{name}` | {field_type} | {meaning} |");
    }
}
