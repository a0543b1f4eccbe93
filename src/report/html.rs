//! The report as one page without scripts, fonts or pictures from elsewhere.
//!
//! Every value goes through one formatter that escapes hostile characters first and HTML second; no
//! value of the summary is ever marked safe. The page's policy allows nothing but its own style
//! sheet, named by its hash.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context, escape_formatter};
use sha2::{Digest as _, Sha256};
use tapir_engine::types::{escaped, is_plain};

use super::view::Page;
use super::{Summary, answer};

const TEMPLATE: &str = include_str!("report.html.jinja");
const STYLE: &str = include_str!("report.css");

/// The report of a run: a whole HTML document.
#[must_use]
pub fn html(summary: &Summary<'_>) -> String {
    render(summary).unwrap_or_else(|error| plain(summary, &error))
}

/// Fills the template.
fn render(summary: &Summary<'_>) -> Result<String, minijinja::Error> {
    let mut env = Environment::new();
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    env.set_formatter(|out, state, value| match value.as_str() {
        // What has nothing hostile, nearly all of it, is spared two copies.
        Some(text) if !value.is_safe() && !is_plain(text) => {
            escape_formatter(out, state, &Value::from(escaped(text)))
        }
        _ => escape_formatter(out, state, value),
    });
    env.add_template("report", TEMPLATE)?;
    let page = Value::from(Serde(Page::new(summary)));
    env.get_template("report")?.render(context! {
        page,
        style => Value::from_safe_string(STYLE.to_owned()),
        style_hash => Value::from_safe_string(base64(&Sha256::digest(STYLE.as_bytes()))),
    })
}

/// What is left if the template itself is broken, which only a bug can do: the short answer.
fn plain(summary: &Summary<'_>, error: &minijinja::Error) -> String {
    let text = format!("{}\n{error}\n", answer(summary, None, 100, false));
    let mut out = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">\
         <title>Tapir report</title></head><body><pre>",
    );
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out.push_str("</pre></body></html>\n");
    out
}

/// Base64 with padding (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let (a, b, c) = match *chunk {
            [a, b, c] => (a, b, c),
            [a, b] => (a, b, 0),
            [a] => (a, 0, 0),
            _ => continue,
        };
        let group = u32::from_be_bytes([0, a, b, c]);
        for place in 0..4_usize {
            let digit = usize::try_from(group >> (18 - 6 * place) & 63).unwrap_or(0);
            let digit = DIGITS.get(digit).map_or('A', |d| char::from(*d));
            out.push(if place > chunk.len() { '=' } else { digit });
        }
    }
    out
}

#[cfg(test)]
mod tests;
