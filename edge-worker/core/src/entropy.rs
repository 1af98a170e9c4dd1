//! Unguessable values, from a seed that the caller draws.

use sha2::{Digest as _, Sha256};

/// A stream of unguessable bytes out of one unguessable seed: SHA-256 of the seed and a counter.
#[derive(Clone)]
pub struct Entropy {
    seed: [u8; 32],
    counter: u64,
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entropy").finish_non_exhaustive()
    }
}

impl Entropy {
    /// Takes a seed; every call and every machine needs one of its own.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// The next 32 bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        self.counter = self.counter.wrapping_add(1);
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.counter.to_be_bytes());
        hash.finalize().into()
    }

    /// An identifier of 128 bits in 32 hexadecimal digits.
    pub fn id(&mut self) -> String {
        self.bytes().iter().copied().take(16).map(hex_byte).collect()
    }
}

/// Two lower-case hexadecimal digits.
pub(crate) fn hex_byte(byte: u8) -> String {
    format!("{byte:02x}")
}

/// All of it in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().copied().map(hex_byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_differ_and_depend_on_the_seed() {
        let (mut one, mut two) = (Entropy::new([1; 32]), Entropy::new([2; 32]));
        let ids = [one.id(), one.id(), two.id()];
        assert!(ids[0] != ids[1] && ids[0] != ids[2], "{ids:?}");
        assert!(ids.iter().all(|id| id.len() == 32));
        assert_eq!(Entropy::new([1; 32]).id(), ids[0]);
    }
}
