//! Who signed a rule of engagement: Ed25519 over the exact bytes of its text.
//!
//! Standard: RFC 8032, verified strictly (no small-order keys, no malleable signatures).
//! Form:     base64 of the 64 bytes; or base64 of the signer's 32-byte key, a space, and that, in
//!           which case a refusal can tell a stranger's signature from an altered text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::model::ModelError;

/// Who may sign rules, from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// As shown on decisions.
    pub name: String,
    /// Ed25519 public key.
    pub key: [u8; 32],
}

/// Why a rule of engagement is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// There is no signature.
    #[error("{path}: unsigned; a rule of engagement counts only with a signature beside it")]
    Unsigned {
        /// The rule's file.
        path: String,
    },
    /// What stands there is none.
    #[error("{path}: the signature is not base64 of 64 bytes ({found}); sign the file again")]
    NotASignature {
        /// The rule's file.
        path: String,
        /// What is wrong with it.
        found: String,
    },
    /// Nobody is configured who could sign.
    #[error("{path}: nobody is configured who may sign rules; add the signer's name and key")]
    NoSigners {
        /// The rule's file.
        path: String,
    },
    /// The key beside the signature is nobody's that is configured.
    #[error("{path}: signed by nobody known; rules count if signed by {known}")]
    Stranger {
        /// The rule's file.
        path: String,
        /// Names of the configured signers.
        known: String,
    },
    /// The key is known, the text is not the one that was signed.
    #[error("{path}: altered after signing by {signer}; have it signed again")]
    Altered {
        /// The rule's file.
        path: String,
        /// Whose key it is.
        signer: String,
    },
    /// No configured key made this signature over this text; which of both it is cannot be told.
    #[error(
        "{path}: signed by nobody known, or altered after signing; no key of {known} made this \
         signature for this text"
    )]
    NotTheirs {
        /// The rule's file.
        path: String,
        /// Names of the configured signers.
        known: String,
    },
    /// Signed, but what it says cannot stand.
    #[error("{}", list(.0))]
    Mistakes(Vec<ModelError>),
}

/// One mistake a line.
fn list(mistakes: &[ModelError]) -> String {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// The configured signer whose signature over `text` this is.
pub(super) fn verify<'s>(
    path: &str,
    text: &str,
    signature: &str,
    signers: &'s [Signer],
) -> Result<&'s Signer, RuleError> {
    let path = path.to_owned();
    let mut words = signature.split_ascii_whitespace();
    let (claimed, written) = match (words.next(), words.next(), words.next()) {
        (None, ..) => return Err(RuleError::Unsigned { path }),
        (Some(signature), None, _) => (None, signature),
        (Some(key), Some(signature), None) => (Some(key), signature),
        _ => {
            let found = "more than two words".to_owned();
            return Err(RuleError::NotASignature { path, found });
        }
    };
    let bytes = match decode::<64>(written) {
        Ok(bytes) => Signature::from_bytes(&bytes),
        Err(found) => return Err(RuleError::NotASignature { path, found }),
    };
    if signers.is_empty() {
        return Err(RuleError::NoSigners { path });
    }
    let verifies = |signer: &&Signer| {
        VerifyingKey::from_bytes(&signer.key)
            .is_ok_and(|key| key.verify_strict(text.as_bytes(), &bytes).is_ok())
    };
    if let Some(signer) = signers.iter().find(verifies) {
        return Ok(signer);
    }
    let names: Vec<&str> = signers.iter().map(|signer| signer.name.as_str()).collect();
    let known = names.join(", ");
    let Some(claimed) = claimed else {
        return Err(RuleError::NotTheirs { path, known });
    };
    let claimed = decode::<32>(claimed).ok();
    match signers.iter().find(|signer| Some(signer.key) == claimed) {
        Some(signer) => Err(RuleError::Altered {
            path,
            signer: signer.name.clone(),
        }),
        None => Err(RuleError::Stranger { path, known }),
    }
}

/// Base64 of exactly `N` bytes, or what was found instead.
fn decode<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| "other characters were found".to_owned())?;
    let len = bytes.len();
    bytes.try_into().map_err(|_| format!("found {len} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn signer(seed: u8) -> Signer {
        Signer {
            name: format!("signer {seed}"),
            key: key(seed).verifying_key().to_bytes(),
        }
    }

    fn signed(seed: u8, text: &str) -> String {
        STANDARD.encode(key(seed).sign(text.as_bytes()).to_bytes())
    }

    #[test]
    fn the_example_of_the_standard_verifies() {
        // RFC 8032 §7.1, test 2: the message is the single byte 0x72.
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap())
                .collect()
        };
        let public = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = hex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        let signers = [Signer {
            name: "rfc".to_owned(),
            key: public.try_into().unwrap(),
        }];
        let written = STANDARD.encode(signature);
        assert!(verify("r.toml", "r", &written, &signers).is_ok());
        assert!(verify("r.toml", "s", &written, &signers).is_err());
    }

    #[test]
    fn every_refusal_says_what_it_is() {
        let signers = [signer(1), signer(2)];
        let told = |text: &str, signature: &str| {
            verify("r.toml", text, signature, &signers)
                .unwrap_err()
                .to_string()
        };
        assert!(told("a", " \n").contains("r.toml: unsigned"));
        assert!(told("a", "????").contains("not base64"));
        assert!(told("a", "AAAA").contains("found 3 bytes"));
        assert!(told("a", &signed(3, "a")).contains("signed by nobody known, or altered"));
        let with_key = |seed: u8, text: &str| {
            let key = STANDARD.encode(key(seed).verifying_key().to_bytes());
            format!("{key} {}\n", signed(seed, text))
        };
        assert!(told("a", &with_key(3, "a")).contains("signed by nobody known; rules"));
        assert!(told("a", &with_key(2, "b")).contains("altered after signing by signer 2"));
        let good = with_key(2, "a");
        assert_eq!(verify("r.toml", "a", &good, &signers), Ok(&signers[1]));
        let none = verify("r.toml", "a", &good, &[]).unwrap_err();
        assert!(none.to_string().contains("nobody is configured"));
    }
}
