//! Digests: of text, and of secrets under a key.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::words::hex;

/// SHA-256 of some bytes, as 64 lower-case hex digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest(String);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(hex(&Sha256::digest(bytes.as_ref())))
    }

    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.0.get(..12).unwrap_or(&self.0))
    }
}

/// The identifier that workerd gives a Durable Object of this name on this machine, by which its file
/// is called. Source: workerd's `ActorIdFactoryImpl::idFromName`; miniflare's databases are such objects.
pub fn object_id(unique_key: &str, name: &str) -> String {
    const HALF: usize = 16;
    let key = Sha256::digest(unique_key.as_bytes());
    let half = |bytes: &[u8]| {
        // HMAC takes a key of any length, so the error cannot happen.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return Vec::new() };
        mac.update(bytes);
        mac.finalize().into_bytes().iter().take(HALF).copied().collect::<Vec<u8>>()
    };
    let first = half(name.as_bytes());
    let second = half(&first);
    format!("{}{}", hex(&first), hex(&second))
}

/// Makes digests of secrets under a key, in general one that never leaves the user's state directory, so that a
/// state file tells that a secret changed without telling anything of the secret.
#[derive(Clone)]
pub struct KeyedDigest {
    key: Vec<u8>,
}

impl KeyedDigest {
    /// Takes the key: 32 random bytes.
    pub fn new(key: impl Into<Vec<u8>>) -> Self {
        Self { key: key.into() }
    }

    /// HMAC-SHA-256 of the bytes.
    pub fn of(&self, bytes: impl AsRef<[u8]>) -> Digest {
        // HMAC takes a key of any length, so the error cannot happen; an unkeyed digest of
        // nothing would still leak nothing.
        match Hmac::<Sha256>::new_from_slice(&self.key) {
            Ok(mut mac) => {
                mac.update(bytes.as_ref());
                Digest(hex(&mac.finalize().into_bytes()))
            }
            Err(_) => Digest::of([]),
        }
    }
}

impl fmt::Debug for KeyedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_the_published_ones() {
        assert_eq!(
            Digest::of("abc").as_str(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        // RFC 4231, test case 2
        assert_eq!(
            KeyedDigest::new("Jefe").of("what do ya want for nothing?").as_str(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
