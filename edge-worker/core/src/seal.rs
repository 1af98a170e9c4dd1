//! Secret attributes at rest: XChaCha20-Poly1305 under a key from a secret of the Worker.
//!
//! Why this cipher and not the runtime's AES-GCM: it runs without waiting, so that nothing
//! happens between reading a pool and writing it; it takes the same time for every key and text
//! where there are no AES instructions, as in WebAssembly; and its nonce of 192 bits can be drawn
//! at random for every value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};

use crate::entropy::{Entropy, hex};

/// The length of a nonce, in bytes.
const NONCE_BYTES: usize = 24;

/// The key that secret attributes are sealed under.
pub struct SealKey {
    cipher: XChaCha20Poly1305,
    id: String,
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why a value cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealError {
    /// It was sealed under another key.
    OtherKey,
    /// It was changed, or belongs to another place.
    Damaged,
}

impl SealKey {
    /// Reads a key: 32 bytes in base64 (44 characters, or 43 without padding).
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.trim().trim_end_matches('=')).ok()?;
        let key: [u8; 32] = bytes.try_into().ok()?;
        let digest = Sha256::new().chain_update(b"envc seal key id").chain_update(key).finalize();
        let id = hex(digest.get(..4)?);
        Some(Self { cipher: XChaCha20Poly1305::new(&key.into()), id })
    }

    /// Seals a text for one place; only there can it be opened. The result is plain text.
    pub fn seal(
        &self,
        place: &str,
        text: &str,
        entropy: &mut Entropy,
    ) -> Result<String, SealError> {
        let random = entropy.bytes();
        let nonce_bytes = random.get(..NONCE_BYTES).ok_or(SealError::Damaged)?;
        let nonce = XNonce::try_from(nonce_bytes).map_err(|_| SealError::Damaged)?;
        let payload = Payload { msg: text.as_bytes(), aad: place.as_bytes() };
        let sealed = self.cipher.encrypt(&nonce, payload).map_err(|_| SealError::Damaged)?;
        Ok(format!("x1.{}.{}", self.id, BASE64.encode([nonce_bytes, &sealed].concat())))
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, place: &str, sealed: &str) -> Result<String, SealError> {
        let mut parts = sealed.splitn(3, '.');
        let (version, id, text) = (parts.next(), parts.next(), parts.next());
        if version != Some("x1") {
            return Err(SealError::Damaged);
        }
        if id != Some(self.id.as_str()) {
            return Err(SealError::OtherKey);
        }
        let bytes = BASE64.decode(text.unwrap_or_default()).map_err(|_| SealError::Damaged)?;
        let (nonce, text) = bytes.split_at_checked(NONCE_BYTES).ok_or(SealError::Damaged)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| SealError::Damaged)?;
        let payload = Payload { msg: text, aad: place.as_bytes() };
        let plain = self.cipher.decrypt(&nonce, payload).map_err(|_| SealError::Damaged)?;
        String::from_utf8(plain).map_err(|_| SealError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SealKey {
        SealKey::parse(&BASE64.encode([byte; 32])).unwrap()
    }

    #[test]
    fn only_the_same_key_and_place_open_it() {
        let mut entropy = Entropy::new([7; 32]);
        let sealed = key(1).seal("pool/pr-1/KEY", "hunter2", &mut entropy).unwrap();
        assert!(!sealed.contains("hunter2"));
        assert_eq!(key(1).open("pool/pr-1/KEY", &sealed).unwrap(), "hunter2");
        assert_eq!(key(1).open("pool/pr-2/KEY", &sealed), Err(SealError::Damaged));
        assert_eq!(key(2).open("pool/pr-1/KEY", &sealed), Err(SealError::OtherKey));
        assert_ne!(key(1).seal("pool/pr-1/KEY", "hunter2", &mut entropy).unwrap(), sealed);
    }

    #[test]
    fn damage_is_an_error() {
        let sealed = key(1).seal("p", "hunter2", &mut Entropy::new([7; 32])).unwrap();
        let short = sealed.get(..sealed.len() - 1).unwrap();
        for bad in ["", "x1", "x1.", "x2.a.b", short, &format!("{sealed}A")] {
            assert!(key(1).open("p", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_32_bytes_in_base64() {
        let padded = format!("{}\n", base64::engine::general_purpose::STANDARD.encode([3; 32]));
        assert!(SealKey::parse(&padded).is_some());
        for bad in ["", "short", &BASE64.encode([3; 31]), &"!".repeat(43)] {
            assert!(SealKey::parse(bad).is_none(), "{bad}");
        }
    }
}
