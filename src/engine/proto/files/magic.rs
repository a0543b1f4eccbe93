//! What a file is by its first bytes, whatever anybody says of it.
//!
//! Standard: the formats' own signatures; names as Zeek and IANA have them.
//! Bounds:   64 bytes are looked at.

use super::is_watched;
use crate::proto::Probe;
use crate::proto::little_endian::u32_at;

/// Bytes of a file that are looked at.
pub(in super::super) const BEGINNING_LEN: usize = 64;
/// Signatures at the beginning of a file.
const SIGNATURES: [(&[u8], &str); 36] = [
    (b"MZ", "application/x-dosexec"),
    (b"\x7fELF", "application/x-executable"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-o-executable"),
    (b"\xce\xfa\xed\xfe", "application/x-mach-o-executable"),
    (b"\xca\xfe\xba\xbe", "application/x-java-applet"),
    (b"dex\n0", "application/vnd.android.dex"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"Rar!\x1a\x07", "application/x-rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"MSCF\0\0\0\0", "application/vnd.ms-cab-compressed"),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "application/x-ole-storage",
    ),
    (b"L\0\0\0\x01\x14\x02\0", "application/x-ms-shortcut"),
    (b"ITSF", "application/vnd.ms-htmlhelp"),
    (b"%PDF-", "application/pdf"),
    (b"{\\rtf", "text/rtf"),
    (b"#!/", "text/x-shellscript"),
    (b"<?php", "text/x-php"),
    (b"<?xml", "application/xml"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\0\0\x01\0", "image/x-icon"),
    (b"II*\0", "image/tiff"),
    (b"OggS", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"\x1a\x45\xdf\xa3", "video/x-matroska"),
    (b"wOFF", "application/font-woff"),
    (b"wOF2", "font/woff2"),
    (b"CWS", "application/x-shockwave-flash"),
];

/// The type of a file that begins so; `None` if that does not tell.
pub(in super::super) fn mime_type(start: &[u8]) -> Option<&'static str> {
    let known = SIGNATURES
        .iter()
        .find(|(signature, _)| start.starts_with(signature));
    if let Some((_, name)) = known {
        return Some(name);
    }
    match start {
        [b'R', b'I', b'F', b'F', _, _, _, _, kind @ ..] if kind.starts_with(b"WEBP") => {
            Some("image/webp")
        }
        [b'R', b'I', b'F', b'F', _, _, _, _, kind @ ..] if kind.starts_with(b"WAVE") => {
            Some("audio/x-wav")
        }
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("video/mp4"),
        _ => html(start),
    }
}

/// Whether a stream that begins so is a file of a watched type, and nothing else.
pub(in super::super) fn begins_file(start: &[u8]) -> Probe {
    match start {
        [b'M', b'Z', ..] => program(start),
        [b'C', b'W', b'S', ..] => Probe::NotMine,
        [b'#', ..] => one_of(start, &[b"#!/bin/", b"#!/usr/"]),
        [b'B', b'Z', b'h', b'1'..=b'9', block @ ..] => one_of(block, &[b"1AY&SY"]),
        [b'B', b'Z', b'h', _, ..] => Probe::NotMine,
        [0x1f, 0x8b, 8, ..] => gzip(start),
        _ => {
            let watched = SIGNATURES.iter().filter(|(_, name)| is_watched(name));
            let all = watched.map(|(signature, _)| begins(start, signature));
            all.reduce(surer).unwrap_or(Probe::NotMine)
        }
    }
}

/// A program of DOS and its successors: the last field of its header tells where the new header stands.
fn program(start: &[u8]) -> Probe {
    let Some(header) = start.get(60..64) else {
        return Probe::Unsure;
    };
    match u32_at(header, 0) {
        Some(64..=4096) => Probe::Certain,
        _ => Probe::NotMine,
    }
}

/// RFC 1952 §2.3: three bits of the flags are reserved, the effort is told in one of three ways, the system is known.
fn gzip(start: &[u8]) -> Probe {
    match start.get(3..10) {
        None => Probe::Unsure,
        Some([0..=0x1f, _, _, _, _, 0 | 2 | 4, 0..=13 | 255]) => Probe::Certain,
        Some(_) => Probe::NotMine,
    }
}

/// Whether `start` begins with one of the signatures, or ends within it.
fn one_of(start: &[u8], signatures: &[&[u8]]) -> Probe {
    let all = signatures.iter().map(|signature| begins(start, signature));
    all.reduce(surer).unwrap_or(Probe::NotMine)
}

fn begins(start: &[u8], signature: &[u8]) -> Probe {
    if start.starts_with(signature) {
        Probe::Certain
    } else if signature.starts_with(start) {
        Probe::Unsure
    } else {
        Probe::NotMine
    }
}

fn surer(one: Probe, other: Probe) -> Probe {
    match (one, other) {
        (Probe::Certain, _) | (_, Probe::Certain) => Probe::Certain,
        (Probe::Unsure, _) | (_, Probe::Unsure) => Probe::Unsure,
        _ => Probe::NotMine,
    }
}

/// A page begins with its kind or its first element, in any case, behind any white space.
fn html(start: &[u8]) -> Option<&'static str> {
    let start = start
        .get(..BEGINNING_LEN)
        .unwrap_or(start)
        .trim_ascii_start();
    let begins = |word: &[u8]| {
        let word = start
            .get(..word.len())
            .map(|s| s.eq_ignore_ascii_case(word));
        word == Some(true)
    };
    (begins(b"<!doctype html") || begins(b"<html")).then_some("text/html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_by_their_first_bytes() {
        for (start, expected) in [
            (&b"MZ\x90\0"[..], Some("application/x-dosexec")),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"RIFF\x24\0\0\0WAVEfmt ", Some("audio/x-wav")),
            (b"\0\0\0\x18ftypmp42", Some("video/mp4")),
            (b"\r\n  <!DOCTYPE HTML>", Some("text/html")),
            (b"<html lang", Some("text/html")),
            (b"<htm", None),
            (b"", None),
            (b"plain text", None),
        ] {
            assert_eq!(mime_type(start), expected, "{start:?}");
        }
    }

    #[test]
    fn no_signature_hides_behind_another() {
        for (at, (signature, name)) in SIGNATURES.iter().enumerate() {
            let first = SIGNATURES
                .iter()
                .position(|(s, _)| signature.starts_with(s));
            assert_eq!(first, Some(at), "{name}");
        }
    }
}
