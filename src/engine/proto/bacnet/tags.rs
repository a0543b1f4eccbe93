//! Tagged values of BACnet's messages: the first object, its property, a text, an error.
//!
//! Standard: ANSI/ASHRAE 135 clause 20.2 (tags), 21 (which value has which tag).
//! Bounds:   lengths of up to 253 bytes and of two bytes; longer ones are not read.

use super::said::Said;
use crate::types::{Text, text};

/// Application tags.
const UNSIGNED: u8 = 2;
const STRING: u8 = 7;
const ENUMERATED: u8 = 9;
const OBJECT: u8 = 12;
/// Longest text kept.
const TEXT_LEN_MAX: usize = 256;

/// A tag: its number, whether the context gives its meaning, and its value; `None` for the value of an opening
/// or closing tag.
#[derive(Clone, Copy, Debug)]
struct Tag<'a> {
    number: u8,
    is_context: bool,
    value: Option<&'a [u8]>,
}

/// The first tag and what follows it.
fn tag(bytes: &[u8]) -> Option<(Tag<'_>, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (number, is_context) = (first >> 4, first & 8 != 0);
    if number == 15 {
        return None;
    }
    let (len, rest) = match first & 7 {
        6 | 7 if is_context => {
            let value = None;
            return Some((
                Tag {
                    number,
                    is_context,
                    value,
                },
                rest,
            ));
        }
        5 => match rest.split_first()? {
            (254, rest) => {
                let (len, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*len)), rest)
            }
            (255, _) => return None,
            (len, rest) => (usize::from(*len), rest),
        },
        len => (usize::from(len), rest),
    };
    let (value, rest) = rest.split_at_checked(len)?;
    let value = Some(value);
    Some((
        Tag {
            number,
            is_context,
            value,
        },
        rest,
    ))
}

/// A number of up to four bytes.
fn number(value: &[u8]) -> Option<u32> {
    if value.is_empty() || value.len() > 4 {
        return None;
    }
    Some(
        value
            .iter()
            .fold(0, |all, byte| all << 8 | u32::from(*byte)),
    )
}

/// The value of the next tag, if it has this number.
fn context<'a>(bytes: &mut &'a [u8], wanted: u8) -> Option<&'a [u8]> {
    let (tag, rest) = tag(bytes)?;
    let value = tag
        .value
        .filter(|_| tag.is_context && tag.number == wanted)?;
    *bytes = rest;
    Some(value)
}

/// The value of the next tag, if it is of this application type.
fn plain<'a>(bytes: &mut &'a [u8], wanted: u8) -> Option<&'a [u8]> {
    let (tag, rest) = tag(bytes)?;
    let value = tag
        .value
        .filter(|_| !tag.is_context && tag.number == wanted)?;
    *bytes = rest;
    Some(value)
}

/// Passes over an opening tag of this number.
fn open(bytes: &mut &[u8], wanted: u8) -> Option<()> {
    let (tag, rest) = tag(bytes)?;
    if tag.value.is_some() || tag.number != wanted {
        return None;
    }
    *bytes = rest;
    Some(())
}

/// An object's kind and number (clause 20.2.14): ten bits and twenty-two.
fn put_object(value: &[u8], said: &mut Said) -> Option<()> {
    said.object = Some(u32::from_be_bytes(*value.first_chunk()?));
    Some(())
}

fn put_property(value: &[u8], said: &mut Said) -> Option<()> {
    said.property = Some(number(value)?);
    Some(())
}

/// Adds the first object a request, an answer or an announcement speaks of.
pub(super) fn object(kind: u8, service: u8, rest: &[u8], said: &mut Said) {
    let _as_far_as_it_goes = match (kind, service) {
        // I-Am: object, longest message, segmentation, maker.
        (1, 0) => i_am(rest, said),
        // I-Have: device, object, name: the object is what is told.
        (1, 1) => plain(&mut { rest }, OBJECT).and_then(|value| put_object(value, said)),
        // ReadProperty, WriteProperty, ReadRange.
        (0 | 3, 12 | 26) | (0, 15) => one_property(rest, said),
        // ReadPropertyMultiple, WritePropertyMultiple: lists of objects with lists of properties.
        (0 | 3, 14) | (0, 16) => first_property(rest, said),
        // SubscribeCOV: behind the subscriber's number.
        (0, 5 | 28) => {
            let mut rest = rest;
            context(&mut rest, 0)
                .and_then(|_| context(&mut rest, 1))
                .and_then(|value| put_object(value, said))
        }
        // List elements, files, deletion.
        (0, 8 | 9) => one_property(rest, said),
        (0, 6 | 7 | 11) => plain(&mut { rest }, OBJECT).and_then(|value| put_object(value, said)),
        _ => None,
    };
}

fn i_am(mut rest: &[u8], said: &mut Said) -> Option<()> {
    put_object(plain(&mut rest, OBJECT)?, said)?;
    plain(&mut rest, UNSIGNED)?;
    plain(&mut rest, ENUMERATED)?;
    said.vendor_id = u16::try_from(number(plain(&mut rest, UNSIGNED)?)?).ok();
    Some(())
}

fn one_property(mut rest: &[u8], said: &mut Said) -> Option<()> {
    put_object(context(&mut rest, 0)?, said)?;
    put_property(context(&mut rest, 1)?, said)
}

fn first_property(mut rest: &[u8], said: &mut Said) -> Option<()> {
    put_object(context(&mut rest, 0)?, said)?;
    open(&mut rest, 1)?;
    // A question numbers the property 0, an answer 2.
    let value = context(&mut rest, 0).or_else(|| context(&mut rest, 2))?;
    put_property(value, said)
}

/// The text an answer to ReadProperty gives, in UTF-8 (character set 0).
pub(super) fn text_value(mut rest: &[u8]) -> Option<Text> {
    context(&mut rest, 0)?;
    context(&mut rest, 1)?;
    open(&mut rest, 3)?;
    let (0, name) = plain(&mut rest, STRING)?.split_first()? else {
        return None;
    };
    Some(text(name, TEXT_LEN_MAX)).filter(|name| !name.is_empty())
}

/// The code of an error; some services put them behind an opening tag.
pub(super) fn error(mut rest: &[u8]) -> Option<u32> {
    let _some_have_it = open(&mut rest, 0);
    plain(&mut rest, ENUMERATED)?;
    number(plain(&mut rest, ENUMERATED)?)
}
