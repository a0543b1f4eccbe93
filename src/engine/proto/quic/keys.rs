//! Opens Initial packets, whose keys follow from what everybody sees.
//!
//! Standard: RFC 9001 §5.2 (keys), §5.3 (AEAD), §5.4.3 (header protection); RFC 5869 (HKDF); RFC 2104
//!           (HMAC); RFC 8446 §7.1 (labels).
//! Not done: packet numbers are taken as they stand: those of Initials are small.

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::BlockCipherEncrypt as _;
use aes_gcm::{Aes128Gcm, KeyInit as _};
use sha2::{Digest as _, Sha256};

use super::packet::Packet;
use super::version::Recipe;

/// Length of a hash of SHA-256, and of every secret here.
const HASH_LEN: usize = 32;
/// Length of a block that SHA-256 takes in.
const BLOCK_LEN: usize = 64;
const KEY_LEN: usize = 16;
const IV_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// Bytes of a packet that its header protection is made from.
const SAMPLE_LEN: usize = 16;
/// How far behind the beginning of the packet number they lie.
const SAMPLE_DISTANCE: usize = 4;

/// Whose packets they open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// Keys of one side.
pub(super) struct Keys {
    payload: Aes128Gcm,
    iv: [u8; IV_LEN],
    header: Aes128,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// Keys of one side's Initials, by the destination the client first chose.
    pub(super) fn new(recipe: &Recipe, destination: &[u8], side: Side) -> Self {
        let label = match side {
            Side::Client => "tls13 client in",
            Side::Server => "tls13 server in",
        };
        let initial = hmac(&recipe.salt, &[destination]);
        let secret: [u8; HASH_LEN] = expand(&initial, label);
        let [key, iv, header] = recipe.labels;
        Self {
            payload: Aes128Gcm::new(&expand::<KEY_LEN>(&secret, key).into()),
            iv: expand(&secret, iv),
            header: Aes128::new(&expand::<KEY_LEN>(&secret, header).into()),
        }
    }

    /// The frames of a packet; `None` if it was not made with these keys.
    pub(super) fn open(&self, packet: &Packet<'_>) -> Option<Vec<u8>> {
        let sample_at = packet.number_at.checked_add(SAMPLE_DISTANCE)?;
        let (_, sample) = packet.bytes.split_at_checked(sample_at)?;
        let sample = sample.first_chunk::<SAMPLE_LEN>()?;
        let mut mask = (*sample).into();
        self.header.encrypt_block(&mut mask);
        let (first_mask, number_masks) = mask.split_first()?;
        let mut bytes = packet.bytes.to_vec();
        let first = bytes.first_mut()?;
        // Four bits of a long header are protected.
        *first ^= first_mask & 0x0f;
        let number_len = usize::from(*first & 3).checked_add(1)?;
        let number_end = packet.number_at.checked_add(number_len)?;
        let mut nonce = self.iv;
        let number = bytes.get_mut(packet.number_at..number_end)?;
        for (byte, mask) in number.iter_mut().zip(number_masks) {
            *byte ^= mask;
        }
        for (nonce, byte) in nonce.iter_mut().rev().zip(number.iter().rev()) {
            *nonce ^= byte;
        }
        let (header, rest) = bytes.split_at_mut_checked(number_end)?;
        let payload_len = rest.len().checked_sub(TAG_LEN)?;
        let (payload, tag) = rest.split_at_mut_checked(payload_len)?;
        let tag = <[u8; TAG_LEN]>::try_from(&*tag).ok()?;
        self.payload
            .decrypt_inout_detached(&nonce.into(), header, payload.into(), &tag.into())
            .ok()?;
        bytes.truncate(number_end.saturating_add(payload_len));
        bytes.drain(..number_end);
        Some(bytes)
    }

    /// The opposite of `open`, for tests: a header with its packet number in clear, and frames.
    #[cfg(test)]
    pub(super) fn seal(&self, header: &[u8], payload: &[u8]) -> Vec<u8> {
        let number_at = header.len() - usize::from(header[0] & 3) - 1;
        let mut nonce = self.iv;
        for (nonce, byte) in nonce.iter_mut().rev().zip(header[number_at..].iter().rev()) {
            *nonce ^= byte;
        }
        let mut bytes = [header, payload].concat();
        let (header, payload) = bytes.split_at_mut(header.len());
        let tag = self
            .payload
            .encrypt_inout_detached(&nonce.into(), header, payload.into())
            .unwrap();
        let number_len = header.len() - number_at;
        bytes.extend_from_slice(&tag);
        let sample_at = number_at + SAMPLE_DISTANCE;
        let sample: [u8; SAMPLE_LEN] = bytes[sample_at..][..SAMPLE_LEN].try_into().unwrap();
        let mut mask = sample.into();
        self.header.encrypt_block(&mut mask);
        bytes[0] ^= mask[0] & 0x0f;
        for (byte, mask) in bytes[number_at..][..number_len].iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
        }
        bytes
    }
}

/// HMAC-SHA256 over parts behind each other; `key` is at most a block long.
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; HASH_LEN] {
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK_LEN];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        Sha256::new_with_prefix(block)
    };
    let mut inner = padded(0x36);
    for part in parts {
        inner.update(part);
    }
    let mut outer = padded(0x5c);
    outer.update(inner.finalize());
    outer.finalize().into()
}

/// HKDF-Expand-Label without a context; one round is enough for at most 32 bytes.
fn expand<const LEN: usize>(secret: &[u8; HASH_LEN], label: &str) -> [u8; LEN] {
    const { assert!(LEN <= HASH_LEN) };
    let byte = |len: usize| u8::try_from(len).unwrap_or(u8::MAX);
    let round = hmac(
        secret,
        &[
            &[0, byte(LEN), byte(label.len())],
            label.as_bytes(),
            &[0, 1],
        ],
    );
    let mut out = [0; LEN];
    for (out, byte) in out.iter_mut().zip(round) {
        *out = byte;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::version::{V1, V2, recipe};
    use super::*;

    /// The destination of all examples of RFC 9001 appendix A and RFC 9369 appendix A.
    const DESTINATION: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 9001 §A.1, RFC 9369 §A.1: the secrets and the parts of the keys by name.
    #[test]
    fn secrets_and_keys_of_the_appendices() {
        let v1 = recipe(V1).unwrap();
        let initial = hmac(&v1.salt, &[&DESTINATION]);
        assert_eq!(
            hex(&initial),
            "7db5df06e7a69e432496adedb00851923595221596ae2ae9fb8115c1e9ed0a44"
        );
        let client: [u8; 32] = expand(&initial, "tls13 client in");
        assert_eq!(
            hex(&client),
            "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea"
        );
        let [key, iv, header] = v1.labels;
        assert_eq!(
            hex(&expand::<16>(&client, key)),
            "1f369613dd76d5467730efcbe3b1a22d"
        );
        assert_eq!(hex(&expand::<12>(&client, iv)), "fa044b2f42a3fd3b46fb255c");
        assert_eq!(
            hex(&expand::<16>(&client, header)),
            "9f50449e04a0e810283a1e9933adedd2"
        );
        let server: [u8; 32] = expand(&initial, "tls13 server in");
        assert_eq!(
            hex(&expand::<16>(&server, key)),
            "cf3a5331653c364c88f0f379b6067e37"
        );

        let v2 = recipe(V2).unwrap();
        let initial = hmac(&v2.salt, &[&DESTINATION]);
        let client: [u8; 32] = expand(&initial, "tls13 client in");
        let [key, iv, header] = v2.labels;
        assert_eq!(
            hex(&expand::<16>(&client, key)),
            "8b1a0bc121284290a29e0971b5cd045d"
        );
        assert_eq!(hex(&expand::<12>(&client, iv)), "91f73e2351d8fa91660e909f");
        assert_eq!(
            hex(&expand::<16>(&client, header)),
            "45b95e15235d6f45a6b19cbcb0294ba9"
        );
    }
}
