//! JA3 and JA3S: older fingerprints of a client's and a server's hello, in the order they were sent in.
//!
//! Source: Salesforce's published definition (BSD 3-clause): `version,ciphers,extensions,groups,formats` and
//!         `version,cipher,extensions` in decimal, joined by hyphens, GREASE left out, then MD5.
//! Use:    what others have written down. Clients that shuffle their extensions have a new one each time.

use md5::{Digest as _, Md5};

use super::certificate::hex;
use super::hello::{ClientHelloView, ServerHelloView, extension};
use super::reader::{Reader, numbers};
use crate::types::Text;

/// The JA3 of a client's hello.
pub(super) fn ja3(hello: &ClientHelloView<'_>) -> Text {
    let groups = hello
        .extension(extension::SUPPORTED_GROUPS)
        .and_then(|body| Reader::new(body).vec16())
        .unwrap_or_default();
    let formats = hello
        .extension(extension::EC_POINT_FORMATS)
        .and_then(|body| Reader::new(body).vec8())
        .unwrap_or_default();
    let mut out = String::with_capacity(256);
    let mut number = itoa::Buffer::new();
    out.push_str(number.format(hello.legacy_version));
    list(&mut out, hello.ciphers());
    list(&mut out, hello.extensions().map(|(kind, _)| kind));
    list(&mut out, numbers(groups).filter(|n| !super::is_grease(*n)));
    list(&mut out, formats.iter().map(|format| u16::from(*format)));
    digest(&out)
}

/// The JA3S of a server's hello.
pub(super) fn ja3s(hello: &ServerHelloView<'_>) -> Text {
    let mut out = String::with_capacity(64);
    let mut number = itoa::Buffer::new();
    out.push_str(number.format(hello.legacy_version));
    list(&mut out, std::iter::once(hello.cipher));
    list(&mut out, hello.extensions().map(|(kind, _)| kind));
    digest(&out)
}

/// Appends a comma and numbers joined by hyphens.
fn list(out: &mut String, numbers: impl Iterator<Item = u16>) {
    let mut text = itoa::Buffer::new();
    out.push(',');
    for (index, number) in numbers.enumerate() {
        if index > 0 {
            out.push('-');
        }
        out.push_str(text.format(number));
    }
}

fn digest(text: &str) -> Text {
    hex(&Md5::digest(text.as_bytes()), false)
}

#[cfg(test)]
mod tests {
    use super::super::hello::{client_hello, server_hello};
    use super::super::tests::{RFC8448_CLIENT_HELLO, RFC8448_SERVER_HELLO, hello, unhex};
    use super::*;

    /// `printf %s TEXT | md5sum` over the numbers as RFC 8448 §3 lists them: ciphers 4865, 4867, 4866;
    /// extensions 0, 65281, 10, 35, 51, 43, 13, 45, 28; groups 29, 23, 24, 25, 256 to 260.
    #[test]
    fn the_hellos_of_rfc_8448() {
        let bytes = unhex(RFC8448_CLIENT_HELLO);
        // 771,4865-4867-4866,0-65281-10-35-51-43-13-45-28,29-23-24-25-256-257-258-259-260,
        let expected = "da4dea34fe6d4ce5f0725df3f2682fa0";
        assert_eq!(ja3(&client_hello(&bytes[4..]).unwrap()), expected);
        let bytes = unhex(RFC8448_SERVER_HELLO);
        // 771,4865,51-43
        let expected = "eb1d94daa7e0344597e756a1fb6e7054";
        assert_eq!(ja3s(&server_hello(&bytes[4..]).unwrap()), expected);
    }

    /// The example of the definition's own page, by its text and its hash; one GREASE value in each list.
    #[test]
    fn the_published_example() {
        let ciphers = [
            0x0a0a, 47, 53, 5, 10, 49_161, 49_162, 49_171, 49_172, 50, 56, 19, 4,
        ];
        let extensions = [
            (0x1a1a, vec![]),
            (0, b"\0\x04\0\0\x01a".to_vec()),
            (10, vec![0, 8, 0x2a, 0x2a, 0, 23, 0, 24, 0, 25]),
            (11, vec![1, 0]),
        ];
        let mut body = hello(&ciphers, &extensions);
        body[1] = 1; // TLS 1.0 is 769
        assert_eq!(
            ja3(&client_hello(&body).unwrap()),
            "ada70206e40642a3e4461f35503241d5"
        );
    }

    #[test]
    fn a_hello_without_extensions_keeps_its_commas() {
        // 771,47,,,
        let body = hello(&[47], &[]);
        assert_eq!(
            ja3(&client_hello(&body).unwrap()),
            "fde4273625b2ac63bd01d9c500dac91b"
        );
    }
}
