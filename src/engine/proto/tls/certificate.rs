//! X.509 certificates as they cross in clear, up to TLS 1.2.
//!
//! Standard: RFC 5280; names written after RFC 4514, most specific part first, as Zeek does.
//! Input:    one certificate in DER.
//! Output:   an `x509` record.
//! Bounds:   16 KiB a certificate, 256 alternative names of a kind, 1 KiB a written name.
//! Not done: no signature and no trust is checked: what is served is told, not judged.

use std::net::IpAddr;

use compact_str::ToCompactString as _;
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::distinguished_name::{common_name, written};
use crate::record;
use crate::types::{Text, Timestamp, text};

/// Longest certificate that is read.
const CERTIFICATE_LEN_MAX: usize = 16 * 1024;
/// Alternative names kept of each kind.
const NAMES_MAX: usize = 256;
/// Longest host name (RFC 1035 §2.3.4), with room for oddities.
const NAME_LEN_MAX: usize = 256;

record! {
    /// One certificate shown in a handshake (Zeek's `x509.log`).
    pub struct X509Record = "x509" {
        /// SHA-256 of the certificate in lower-case hex.
        pub fingerprint: Text = "fingerprint",
        /// Version: 1, 2 or 3.
        pub version: Option<u32> = "certificate.version",
        /// Serial number in upper-case hex.
        pub serial: Option<Text> = "certificate.serial",
        /// Whom it names.
        pub subject: Option<Text> = "certificate.subject",
        /// Who signed it.
        pub issuer: Option<Text> = "certificate.issuer",
        /// Beginning of its validity.
        pub not_valid_before: Option<Timestamp> = "certificate.not_valid_before",
        /// End of its validity.
        pub not_valid_after: Option<Timestamp> = "certificate.not_valid_after",
        /// Algorithm of its key.
        pub key_alg: Option<Text> = "certificate.key_alg",
        /// Algorithm of its signature.
        pub sig_alg: Option<Text> = "certificate.sig_alg",
        /// `rsa`, `dsa` or `ecdsa`.
        pub key_type: Option<&'static str> = "certificate.key_type",
        /// Length of its key in bits.
        pub key_length: Option<u32> = "certificate.key_length",
        /// Exponent of an RSA key.
        pub exponent: Option<Text> = "certificate.exponent",
        /// Curve of an elliptic-curve key.
        pub curve: Option<Text> = "certificate.curve",
        /// Host names it is for.
        pub san_dns: Option<Vec<Text>> = "san.dns",
        /// URIs it is for.
        pub san_uri: Option<Vec<Text>> = "san.uri",
        /// Mail addresses it is for.
        pub san_email: Option<Vec<Text>> = "san.email",
        /// Addresses it is for.
        pub san_ip: Option<Vec<IpAddr>> = "san.ip",
        /// Whether it may sign others.
        pub ca: Option<bool> = "basic_constraints.ca",
        /// How many certificate authorities may follow below it.
        pub path_len: Option<u32> = "basic_constraints.path_len",
        /// Whether it is the first of its chain.
        pub host_cert: bool = "host_cert",
        /// Whether the client showed it.
        pub client_cert: bool = "client_cert",
        /// Whether it names itself as its signer; the signature is not checked.
        pub self_signed: bool = "self_signed",
    }
}

/// A certificate with what the handshake wants to know beyond its record.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) record: X509Record,
    /// The subject's common name.
    pub(super) common_name: Option<Text>,
}

/// SHA-256 in lower-case hex, as fingerprints are written.
pub(super) fn fingerprint(der: &[u8]) -> Text {
    hex(&Sha256::digest(der), false)
}

/// Reads a certificate; `None` if it is too long or no certificate.
pub(super) fn certificate(der: &[u8]) -> Option<Certificate> {
    if der.len() > CERTIFICATE_LEN_MAX {
        return None;
    }
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let validity = parsed.validity();
    let key = parsed.public_key();
    let mut record = X509Record {
        fingerprint: fingerprint(der),
        version: parsed.version().0.checked_add(1),
        serial: Some(serial(parsed.raw_serial())),
        subject: Some(written(parsed.subject())),
        issuer: Some(written(parsed.issuer())),
        not_valid_before: Some(Timestamp::from_secs(validity.not_before.timestamp())),
        not_valid_after: Some(Timestamp::from_secs(validity.not_after.timestamp())),
        key_alg: Some(object_name(&key.algorithm.algorithm)),
        sig_alg: Some(object_name(&parsed.signature_algorithm.algorithm)),
        self_signed: parsed.subject().as_raw() == parsed.issuer().as_raw(),
        ..X509Record::default()
    };
    describe_key(key, &mut record);
    for extension in parsed.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => {
                alternative_names(&names.general_names, &mut record);
            }
            ParsedExtension::BasicConstraints(constraints) => {
                record.ca = Some(constraints.ca);
                record.path_len = constraints.path_len_constraint;
            }
            _ => {}
        }
    }
    let common_name = common_name(parsed.subject());
    Some(Certificate {
        record,
        common_name,
    })
}

impl Certificate {
    /// Whether the certificate is for `host`: an alternative name of its kind, or the common name if
    /// there are no alternative host names (RFC 6125 §6.4).
    pub(super) fn matches(&self, host: &str) -> bool {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return self.record.san_ip.iter().flatten().any(|san| *san == ip);
        }
        match &self.record.san_dns {
            Some(names) => names.iter().any(|pattern| covers(pattern, host)),
            None => self.common_name.iter().any(|name| covers(name, host)),
        }
    }

    /// The name it is best known by: the first host name, else the common name.
    pub(super) fn name(&self) -> Option<&Text> {
        let first = self.record.san_dns.iter().flatten().next();
        first.or(self.common_name.as_ref())
    }
}

/// Whether a name of a certificate covers a host name; `*` stands for exactly one whole first label
/// (RFC 6125 §6.4.3; a star inside a label is obsolete and matches nothing).
fn covers(pattern: &str, host: &str) -> bool {
    let pattern = pattern.strip_suffix('.').unwrap_or(pattern);
    let host = host.strip_suffix('.').unwrap_or(host);
    match (pattern.strip_prefix("*."), host.split_once('.')) {
        (Some(parent), Some((label, rest))) => {
            !label.is_empty() && parent.contains('.') && parent.eq_ignore_ascii_case(rest)
        }
        (Some(_), None) => false,
        (None, _) => !pattern.is_empty() && pattern.eq_ignore_ascii_case(host),
    }
}

/// Type, length and parameters of a key.
fn describe_key(key: &SubjectPublicKeyInfo<'_>, record: &mut X509Record) {
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            record.key_type = Some("rsa");
            record.key_length = bits(rsa.modulus);
            record.exponent = rsa.try_exponent().ok().map(|e| e.to_compact_string());
        }
        Ok(PublicKey::EC(point)) => {
            record.key_type = Some("ecdsa");
            let parameters = key.algorithm.parameters.as_ref();
            let curve = parameters.and_then(|p| p.as_oid().ok());
            record.curve = curve.as_ref().map(curve_name);
            let size = match record.curve.as_deref() {
                // The point is padded to whole bytes, which this prime is not.
                Some("secp521r1") => 521,
                _ => point.key_size(),
            };
            record.key_length = u32::try_from(size).ok().filter(|bits| *bits > 0);
        }
        Ok(PublicKey::DSA(_)) => record.key_type = Some("dsa"),
        _ => {}
    }
}

/// Sorts alternative names by kind.
fn alternative_names(names: &[GeneralName<'_>], record: &mut X509Record) {
    for name in names {
        match name {
            GeneralName::DNSName(name) => keep(&mut record.san_dns, || short(name)),
            GeneralName::URI(uri) => keep(&mut record.san_uri, || short(uri)),
            GeneralName::RFC822Name(mail) => keep(&mut record.san_email, || short(mail)),
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
                if let Ok(ip) = v4.or(v6) {
                    keep(&mut record.san_ip, || ip);
                }
            }
            _ => {}
        }
    }
}

/// Adds to a list within its bound; names beyond it are left out.
fn keep<T>(list: &mut Option<Vec<T>>, item: impl FnOnce() -> T) {
    let list = list.get_or_insert_default();
    if list.len() < NAMES_MAX {
        list.push(item());
    }
}

fn short(name: &str) -> Text {
    text(name.as_bytes(), NAME_LEN_MAX)
}

/// Length of a positive number in bits, leading zeroes not counted.
fn bits(number: &[u8]) -> Option<u32> {
    let first = number.iter().position(|byte| *byte != 0)?;
    let significant = number.get(first..)?;
    let leading = significant.first()?.leading_zeros();
    let len = u32::try_from(significant.len()).ok()?;
    len.checked_mul(8)?.checked_sub(leading)
}

/// A serial number without the zero that only keeps it positive.
fn serial(raw: &[u8]) -> Text {
    let number = match raw {
        [0, rest @ ..] if !rest.is_empty() => rest,
        _ => raw,
    };
    let number = number.get(..NAME_LEN_MAX).unwrap_or(number);
    hex(number, true)
}

/// Name of an algorithm as OpenSSL writes it, or its dotted number.
fn object_name(oid: &Oid<'_>) -> Text {
    match oid2sn(oid, oid_registry()) {
        Ok("ed25519") => Text::const_new("ED25519"),
        Ok("ed448") => Text::const_new("ED448"),
        Ok(name) => Text::from(name),
        Err(_) => short(&oid.to_id_string()),
    }
}

/// Name of a curve as OpenSSL writes it, or its dotted number.
fn curve_name(oid: &Oid<'_>) -> Text {
    let dotted = oid.to_id_string();
    let name = match dotted.as_str() {
        "1.2.840.10045.3.1.1" => "prime192v1",
        "1.2.840.10045.3.1.7" => "prime256v1",
        "1.3.132.0.10" => "secp256k1",
        "1.3.132.0.33" => "secp224r1",
        "1.3.132.0.34" => "secp384r1",
        "1.3.132.0.35" => "secp521r1",
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1",
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1",
        "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1",
        _ => return short(&dotted),
    };
    Text::const_new(name)
}

/// Bytes in hex.
pub(in crate::proto) fn hex(bytes: &[u8], upper: bool) -> Text {
    let mut out = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0x0f] {
            let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
            out.push(if upper {
                digit.to_ascii_uppercase()
            } else {
                digit
            });
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{LEAF, ROOT};
    use super::*;

    /// Expected values as `openssl x509 -inform DER -in leaf.der -text -nameopt RFC2253 -fingerprint
    /// -sha256` prints them.
    #[test]
    fn reads_a_leaf() {
        let leaf = certificate(LEAF).unwrap();
        let record = &leaf.record;
        assert_eq!(
            record.fingerprint,
            "5e1f8aa0cdf83800d4309ad23bbddcbf07094aea63f96b9f911c845c772ef5b9"
        );
        assert_eq!(record.version, Some(3));
        assert_eq!(record.serial.as_deref(), Some("80FF"));
        let subject = "CN=www.example.org,O=Example\\, Ltd.,C=CH";
        assert_eq!(record.subject.as_deref(), Some(subject));
        let issuer = "CN=Example Root,O=Example\\, Ltd.,C=CH";
        assert_eq!(record.issuer.as_deref(), Some(issuer));
        assert_eq!(
            record.not_valid_before,
            Some(Timestamp::from_secs(1_795_398_147))
        );
        assert_eq!(
            record.not_valid_after,
            Some(Timestamp::from_secs(1_826_934_147))
        );
        assert_eq!(record.key_alg.as_deref(), Some("id-ecPublicKey"));
        assert_eq!(record.sig_alg.as_deref(), Some("ecdsa-with-SHA256"));
        assert_eq!(
            (record.key_type, record.key_length),
            (Some("ecdsa"), Some(256))
        );
        assert_eq!(record.curve.as_deref(), Some("prime256v1"));
        let names = ["www.example.org", "*.example.net"].map(Text::from);
        assert_eq!(record.san_dns.as_deref(), Some(&names[..]));
        let addresses = ["192.0.2.7", "2001:db8::7"].map(|ip| ip.parse().unwrap());
        assert_eq!(record.san_ip.as_deref(), Some(&addresses[..]));
        assert_eq!(
            record.san_email.as_deref(),
            Some(&["admin@example.org".into()][..])
        );
        assert_eq!(
            record.san_uri.as_deref(),
            Some(&["https://example.org/x".into()][..])
        );
        assert_eq!((record.ca, record.path_len), (Some(false), None));
        assert_eq!(leaf.common_name.as_deref(), Some("www.example.org"));
    }

    #[test]
    fn reads_an_authority() {
        let root = certificate(ROOT).unwrap().record;
        assert_eq!(root.serial.as_deref(), Some("0A1B2C"));
        assert_eq!((root.ca, root.path_len), (Some(true), Some(0)));
        assert_eq!(root.subject, root.issuer);
        assert!(root.self_signed && !certificate(LEAF).unwrap().record.self_signed);
        assert_eq!(root.san_dns, None);
    }

    #[test]
    fn a_certificate_is_for_its_names_only() {
        let leaf = certificate(LEAF).unwrap();
        for (host, is_match) in [
            ("www.example.org", true),
            ("WWW.Example.ORG.", true),
            ("example.org", false),
            ("a.example.net", true),
            ("a.b.example.net", false),
            ("example.net", false),
            (".example.net", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("2001:db8::7", true),
        ] {
            assert_eq!(leaf.matches(host), is_match, "{host}");
        }
        assert!(
            certificate(ROOT).unwrap().matches("example root"),
            "no alternative names"
        );
        assert!(!covers("*", "org") && !covers("*.org", "example.org"));
        assert!(!covers("w*.example.org", "www.example.org"));
    }

    #[test]
    fn lengths_of_numbers_in_bits() {
        assert_eq!(bits(&[0, 0x80, 0]), Some(16));
        assert_eq!(bits(&[0x7f]), Some(7));
        assert_eq!(bits(&[0]), None);
        assert_eq!(serial(&[0]), "00");
        assert_eq!(serial(&[0, 0xab]), "AB");
    }

    #[test]
    fn a_cut_certificate_is_none() {
        for end in 0..LEAF.len() {
            assert!(certificate(&LEAF[..end]).is_none(), "{end}");
        }
        assert!(certificate(&[0x30; CERTIFICATE_LEN_MAX + 1]).is_none());
    }

    proptest! {
        #[test]
        fn damaged_certificates_never_panic(at in 0..LEAF.len(), bytes in prop::collection::vec(any::<u8>(), 1..8)) {
            let mut damaged = LEAF.to_vec();
            for (slot, byte) in damaged[at..].iter_mut().zip(&bytes) {
                *slot = *byte;
            }
            let _ = certificate(&damaged).map(|c| c.matches("a.example.net"));
        }
    }
}
