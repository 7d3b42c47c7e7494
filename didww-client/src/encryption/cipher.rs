//! AES-256 in CBC mode with PKCS #7 padding, piece by piece.

use std::fmt;

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

pub(super) const KEY_BYTES: usize = 32;
pub(super) const BLOCK_BYTES: usize = 16;

/// The cipher of one file: begun by [`EncryptionKeys::start`](crate::EncryptionKeys::start), fed by
/// [`update`](Self::update), and ended by [`finish`](Self::finish), without which the last bytes are missing.
#[must_use = "a file without its end cannot be decrypted"]
pub struct FileCipher {
    cipher: Aes256,
    /// The block that was encrypted last; before the first one, the initialisation vector.
    chain: [u8; BLOCK_BYTES],
    /// The bytes of a block that is not complete yet, and their number, which is less than a block.
    rest: [u8; BLOCK_BYTES],
    held: usize,
}

impl FileCipher {
    pub(super) fn new(key: &[u8; KEY_BYTES], vector: [u8; BLOCK_BYTES]) -> Self {
        Self { cipher: Aes256::new(key.into()), chain: vector, rest: [0; BLOCK_BYTES], held: 0 }
    }

    /// Encrypts a piece of the file, and appends the blocks that are complete.
    pub fn update(&mut self, content: &[u8], encrypted: &mut Vec<u8>) {
        encrypted.reserve(content.len().saturating_add(BLOCK_BYTES));
        for byte in content {
            self.push(*byte, encrypted);
        }
    }

    /// Appends the last block, with the padding of 1 to 16 bytes.
    pub fn finish(mut self, encrypted: &mut Vec<u8>) {
        let missing = BLOCK_BYTES - self.held;
        let padding = u8::try_from(missing).unwrap_or_default();
        for _ in 0..missing {
            self.push(padding, encrypted);
        }
    }

    fn push(&mut self, byte: u8, encrypted: &mut Vec<u8>) {
        if let Some(place) = self.rest.get_mut(self.held) {
            *place = byte;
        }
        self.held += 1;
        if self.held < BLOCK_BYTES {
            return;
        }
        self.held = 0;
        for (chained, plain) in self.chain.iter_mut().zip(self.rest) {
            *chained ^= plain;
        }
        let mut block = self.chain.into();
        self.cipher.encrypt_block(&mut block);
        self.chain = block.into();
        encrypted.extend_from_slice(&self.chain);
    }
}

/// The key overwrites itself, in `aes` with its feature `zeroize`.
impl Drop for FileCipher {
    fn drop(&mut self) {
        self.rest.zeroize();
    }
}

impl ZeroizeOnDrop for FileCipher {}

impl fmt::Debug for FileCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileCipher").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encrypts with the key 00 01 … 1f and the vector 00 01 … 0f, in pieces of this size.
    fn encrypted(content: &[u8], piece: usize) -> String {
        let bytes = |byte: usize| u8::try_from(byte).unwrap();
        let mut cipher = FileCipher::new(&std::array::from_fn(bytes), std::array::from_fn(bytes));
        let mut encrypted = Vec::new();
        for piece in content.chunks(piece) {
            cipher.update(piece, &mut encrypted);
        }
        cipher.finish(&mut encrypted);
        let digits = encrypted.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.map(|digit| char::from_digit(u32::from(digit), 16).unwrap()).collect()
    }

    #[test]
    fn the_key_and_what_is_held_of_the_content_are_overwritten() {
        // It compiles with the feature `zeroize` of `aes` alone.
        fn is_overwritten<T: ZeroizeOnDrop>(_: &T) {}
        let cipher = FileCipher::new(&[1; KEY_BYTES], [2; BLOCK_BYTES]);
        is_overwritten(&cipher.cipher);
        is_overwritten(&cipher);
    }

    #[test]
    fn contents_are_encrypted_as_openssl_does_whatever_the_pieces_are() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../fixtures/encryption/aes_256_cbc.json")).unwrap();
        let vectors = vectors.as_array().unwrap();
        assert_eq!(vectors.len(), 3);
        for vector in vectors {
            let content = vector["plain"].as_str().unwrap().as_bytes();
            for piece in [1, 5, 16, 64] {
                assert_eq!(
                    encrypted(content, piece),
                    vector["encrypted"].as_str().unwrap(),
                    "{vector} {piece}"
                );
            }
        }
    }
}
