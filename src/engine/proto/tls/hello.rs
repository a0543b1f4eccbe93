//! ClientHello and ServerHello, read in place.
//!
//! Standard: RFC 8446 §4.1, RFC 5246 §7.4.1; extensions RFC 6066 §3 (server name), RFC 7301 (ALPN);
//!           RFC 8701 (GREASE); RFC 5246 appendix E.2 (hello in the form of SSL 2.0).
//! Input:    the body of a handshake message, without its 4-byte header. QUIC carries the same bodies.
//! Bounds:   nothing is copied; a list that ends early is read as far as it goes.

use std::borrow::Cow;

use super::reader::{Reader, numbers};

/// Extension numbers (IANA "TLS ExtensionType Values").
pub(super) mod extension {
    pub(crate) const SERVER_NAME: u16 = 0;
    pub(crate) const SUPPORTED_GROUPS: u16 = 10;
    pub(crate) const EC_POINT_FORMATS: u16 = 11;
    pub(crate) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(crate) const ALPN: u16 = 16;
    pub(crate) const SESSION_TICKET: u16 = 35;
    pub(crate) const PRE_SHARED_KEY: u16 = 41;
    pub(crate) const SUPPORTED_VERSIONS: u16 = 43;
    pub(crate) const KEY_SHARE: u16 = 51;
    pub(crate) const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
}

/// The `random` of a ServerHello that is a HelloRetryRequest (RFC 8446 §4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
/// Longest session id (RFC 5246 §7.4.1.2).
const SESSION_ID_LEN_MAX: usize = 32;

/// Whether a cipher, extension, group or version is one of the sixteen meaningless values 0x0a0a,
/// 0x1a1a … 0xfafa (RFC 8701).
#[must_use]
pub fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

/// A ClientHello, borrowed from its bytes.
#[derive(Clone, Copy, Debug)]
pub struct ClientHelloView<'a> {
    /// Version of the hello itself; at most TLS 1.2, see [`Self::version`].
    pub legacy_version: u16,
    /// Session id offered for resumption.
    pub session_id: &'a [u8],
    ciphers: &'a [u8],
    extensions: &'a [u8],
}

/// Reads a ClientHello from the body of its handshake message.
#[must_use]
pub fn client_hello(body: &[u8]) -> Option<ClientHelloView<'_>> {
    let mut reader = Reader::new(body);
    let legacy_version = reader.u16()?;
    reader.take(RETRY_RANDOM.len())?;
    let session_id = reader.vec8().filter(|id| id.len() <= SESSION_ID_LEN_MAX)?;
    let ciphers = reader.vec16()?;
    reader.vec8()?;
    let extensions = reader.vec16_lenient();
    Some(ClientHelloView {
        legacy_version,
        session_id,
        ciphers,
        extensions,
    })
}

/// The body of a DTLS ClientHello as TLS has it: without the cookie behind the session id (RFC 6347 §4.2.1).
pub(in crate::proto) fn without_cookie(body: &[u8]) -> Cow<'_, [u8]> {
    /// Version, random, length of the session id.
    const BEFORE_LEN: usize = 2 + 32 + 1;
    let parts = || {
        let mut reader = Reader::new(body);
        reader.take(2)?;
        reader.take(RETRY_RANDOM.len())?;
        let before = reader.vec8()?.len().checked_add(BEFORE_LEN)?;
        let cookie = reader.vec8()?.len().checked_add(1)?;
        Some((
            body.get(..before)?,
            body.get(before.checked_add(cookie)?..)?,
        ))
    };
    match parts() {
        Some((before, behind)) => Cow::Owned([before, behind].concat()),
        None => Cow::Borrowed(body),
    }
}

impl<'a> ClientHelloView<'a> {
    /// What is left of a hello in the form of SSL 2.0: its cipher kinds of three bytes are none of
    /// TLS's, and it has no extensions.
    pub(super) fn ssl2(version: u16) -> Self {
        Self {
            legacy_version: version,
            session_id: &[],
            ciphers: &[],
            extensions: &[],
        }
    }

    /// Cipher suites in the client's order, GREASE left out.
    pub fn ciphers(&self) -> impl Iterator<Item = u16> + 'a {
        numbers(self.ciphers).filter(|id| !is_grease(*id))
    }

    /// Extension numbers and bodies in the client's order, GREASE left out.
    pub fn extensions(&self) -> impl Iterator<Item = (u16, &'a [u8])> + 'a {
        extensions(self.extensions)
    }

    /// The body of one extension.
    #[must_use]
    pub fn extension(&self, number: u16) -> Option<&'a [u8]> {
        find(self.extensions, number)
    }

    /// Highest version offered.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.extension(extension::SUPPORTED_VERSIONS)
            .and_then(|body| Reader::new(body).vec8())
            .and_then(|list| {
                let versions = numbers(list).filter(|v| !is_grease(*v));
                // DTLS counts downwards.
                let is_dtls = self.legacy_version >= 0xfe00;
                versions.max_by_key(|v| if is_dtls { !*v } else { *v })
            })
            .unwrap_or(self.legacy_version)
    }

    /// The host name asked for (RFC 6066 §3).
    #[must_use]
    pub fn server_name(&self) -> Option<&'a [u8]> {
        const HOST_NAME: u8 = 0;
        let mut list = Reader::new(Reader::new(self.extension(extension::SERVER_NAME)?).vec16()?);
        while let Some(kind) = list.u8() {
            let name = list.vec16()?;
            if kind == HOST_NAME && !name.is_empty() {
                return Some(name);
            }
        }
        None
    }

    /// Application protocols offered (RFC 7301).
    pub fn alpn(&self) -> impl Iterator<Item = &'a [u8]> + 'a {
        names(self.extension(extension::ALPN))
    }

    /// Signature algorithms in the client's order, GREASE left out.
    pub fn signature_algorithms(&self) -> impl Iterator<Item = u16> + 'a {
        let list = self
            .extension(extension::SIGNATURE_ALGORITHMS)
            .and_then(|body| Reader::new(body).vec16())
            .unwrap_or_default();
        numbers(list).filter(|id| !is_grease(*id))
    }
}

/// A ServerHello, borrowed from its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerHelloView<'a> {
    pub(super) legacy_version: u16,
    pub(super) session_id: &'a [u8],
    pub(super) cipher: u16,
    pub(super) is_retry: bool,
    extensions: &'a [u8],
}

/// Reads a ServerHello from the body of its handshake message.
pub(super) fn server_hello(body: &[u8]) -> Option<ServerHelloView<'_>> {
    let mut reader = Reader::new(body);
    let legacy_version = reader.u16()?;
    let random = reader.take(RETRY_RANDOM.len())?;
    // Drafts of TLS 1.3 before 22 had neither session id nor compression here.
    let early_draft = (0x7f00..0x7f16).contains(&legacy_version);
    let session_id = if early_draft {
        &[]
    } else {
        reader.vec8().filter(|id| id.len() <= SESSION_ID_LEN_MAX)?
    };
    let cipher = reader.u16()?;
    if !early_draft {
        reader.u8()?;
    }
    Some(ServerHelloView {
        legacy_version,
        session_id,
        cipher,
        is_retry: random == RETRY_RANDOM,
        extensions: reader.vec16_lenient(),
    })
}

impl<'a> ServerHelloView<'a> {
    pub(super) fn extension(&self, number: u16) -> Option<&'a [u8]> {
        find(self.extensions, number)
    }

    /// Extension numbers and bodies in the server's order.
    pub(super) fn extensions(&self) -> impl Iterator<Item = (u16, &'a [u8])> + 'a {
        extensions(self.extensions)
    }

    /// Version chosen.
    pub(super) fn version(&self) -> u16 {
        self.extension(extension::SUPPORTED_VERSIONS)
            .and_then(|body| Reader::new(body).u16())
            .unwrap_or(self.legacy_version)
    }

    /// Group of the key share, TLS 1.3.
    pub(super) fn group(&self) -> Option<u16> {
        Reader::new(self.extension(extension::KEY_SHARE)?).u16()
    }

    /// Application protocol chosen.
    pub(super) fn alpn(&self) -> Option<&'a [u8]> {
        names(self.extension(extension::ALPN)).next()
    }
}

/// A hello or answer in the form of SSL 2.0, length field left out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ssl2Hello<'a> {
    /// From a client; versions above 0x0002 are answered in the newer form.
    Client { version: u16 },
    /// From a server that speaks SSL 2.0 only.
    Server { certificate: &'a [u8] },
}

/// Length of an SSL 2.0 record with a two-byte header, if these bytes can begin one with a hello.
pub(super) fn ssl2_len(start: &[u8]) -> Option<usize> {
    let [high, low, kind, ..] = start else {
        return None;
    };
    let len = u16::from_be_bytes([high & 0x7f, *low]);
    (high & 0x80 != 0 && matches!(kind, 1 | 4) && len >= 9).then_some(usize::from(len))
}

/// Whether an SSL 2.0 record of `len` bytes that begins so is a client's hello; `None` if more bytes
/// are needed to tell. Its lengths have to add up, which chance hardly does.
pub(super) fn ssl2_is_client(len: usize, start: &[u8]) -> Option<bool> {
    const HEADER_LEN: usize = 9;
    let mut reader = Reader::new(start);
    if reader.u8()? != 1 {
        return Some(false);
    }
    let version = reader.u16()?;
    if version != 0x0002 && !(0x0300..=0x0303).contains(&version) {
        return Some(false);
    }
    let lens = [reader.u16()?, reader.u16()?, reader.u16()?].map(usize::from);
    let [ciphers, session, challenge] = lens;
    let total = lens.into_iter().fold(HEADER_LEN, usize::saturating_add);
    let is_sane = ciphers > 0 && ciphers.is_multiple_of(3) && matches!(session, 0 | 16);
    Some(total == len && is_sane && (16..=32).contains(&challenge))
}

/// Reads an SSL 2.0 hello; `None` if its lengths do not add up.
pub(super) fn ssl2_hello(body: &[u8]) -> Option<Ssl2Hello<'_>> {
    let mut reader = Reader::new(body);
    if ssl2_is_client(body.len(), body) == Some(true) {
        reader.u8()?;
        let version = reader.u16()?;
        return Some(Ssl2Hello::Client { version });
    }
    if reader.u8()? != 4 {
        return None;
    }
    reader.take(2)?;
    let version = reader.u16()?;
    let certificate_len = usize::from(reader.u16()?);
    reader.take(4)?;
    let certificate = reader.take(certificate_len)?;
    (version == 0x0002).then_some(Ssl2Hello::Server { certificate })
}

/// Extensions of a block, GREASE left out.
fn extensions(block: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut reader = Reader::new(block);
    std::iter::from_fn(move || Some((reader.u16()?, reader.vec16()?)))
        .filter(|(number, _)| !is_grease(*number))
}

fn find(block: &[u8], number: u16) -> Option<&[u8]> {
    extensions(block)
        .find(|(n, _)| *n == number)
        .map(|(_, body)| body)
}

/// Names of an ALPN extension.
fn names<'a>(body: Option<&'a [u8]>) -> impl Iterator<Item = &'a [u8]> + 'a {
    let list = body
        .and_then(|body| Reader::new(body).vec16())
        .unwrap_or_default();
    let mut reader = Reader::new(list);
    std::iter::from_fn(move || reader.vec8()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RFC8448_CLIENT_HELLO, RFC8448_SERVER_HELLO, unhex};
    use super::*;

    #[test]
    fn reads_the_client_hello_of_rfc_8448_section_3() {
        let bytes = unhex(RFC8448_CLIENT_HELLO);
        let hello = client_hello(&bytes[4..]).unwrap();
        assert_eq!(hello.legacy_version, 0x0303);
        assert_eq!(hello.version(), 0x0304);
        assert_eq!(hello.server_name(), Some(&b"server"[..]));
        assert!(hello.ciphers().eq([0x1301, 0x1303, 0x1302]));
        let numbers = [0, 0xff01, 10, 35, 51, 43, 13, 45, 28];
        assert!(hello.extensions().map(|(n, _)| n).eq(numbers));
        assert_eq!(hello.signature_algorithms().count(), 15);
        assert_eq!(hello.alpn().count(), 0);
    }

    #[test]
    fn reads_the_server_hello_of_rfc_8448_section_3() {
        let bytes = unhex(RFC8448_SERVER_HELLO);
        let hello = server_hello(&bytes[4..]).unwrap();
        assert_eq!((hello.version(), hello.cipher), (0x0304, 0x1301));
        assert_eq!(hello.group(), Some(29), "x25519");
        assert!(!hello.is_retry && hello.session_id.is_empty());
    }

    #[test]
    fn a_hello_cut_anywhere_is_read_as_far_as_it_goes() {
        let bytes = unhex(RFC8448_CLIENT_HELLO);
        for end in 0..bytes.len() {
            let cut = bytes[..end].get(4..).unwrap_or_default();
            // version 2, random 32, session id 1, ciphers 2 + 6, compression 2
            assert_eq!(client_hello(cut).is_some(), cut.len() >= 45, "{end}");
            let _ = client_hello(cut).map(|h| h.extensions().count());
        }
    }

    #[test]
    fn hellos_in_the_form_of_ssl_2() {
        // client: version 3.1, 3 bytes of ciphers, no session, 16 bytes of challenge
        let mut client = vec![1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2f];
        client.extend([7; 16]);
        assert!(matches!(
            ssl2_hello(&client),
            Some(Ssl2Hello::Client { version: 0x0301 })
        ));
        client.push(0);
        assert!(ssl2_hello(&client).is_none(), "lengths do not add up");
        // server: no hit, certificate type 1, version 2, certificate 2 bytes, ciphers 3, connection 1
        let server = [4, 0, 1, 0, 2, 0, 2, 0, 3, 0, 1, 0xaa, 0xbb, 1, 0, 0x80, 9];
        let Some(Ssl2Hello::Server { certificate }) = ssl2_hello(&server) else {
            unreachable!()
        };
        assert_eq!(certificate, [0xaa, 0xbb]);
        assert_eq!(ssl2_len(&[0x80, 28, 1]), Some(28));
        assert_eq!(ssl2_len(&[0x16, 3, 1]), None);
    }

    #[test]
    fn grease_is_the_sixteen_values_of_rfc_8701() {
        assert_eq!((0..=u16::MAX).filter(|v| is_grease(*v)).count(), 16);
        assert!(is_grease(0x0a0a) && is_grease(0xfafa) && !is_grease(0x0a1a));
    }
}
