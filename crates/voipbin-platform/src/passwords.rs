//! Passwords and their Argon2 hashes.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use didww_types::Secret;

use crate::hashing::Queue;
use crate::platform::Platform;

/// Whether a password matches a hash in PHC string format. Without a hash it computes one nevertheless: the
/// time that a login takes must not reveal whether the username exists.
pub(crate) fn is_password(password: &Secret, hash: Option<&str>) -> bool {
    if let Some(Ok(hash)) = hash.map(PasswordHash::new) {
        Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok()
    } else {
        let _time_taken = hash_with_salt(password, &[0; 16]);
        false
    }
}

fn hash_with_salt(password: &Secret, salt: &[u8]) -> Option<String> {
    let salt = SaltString::encode_b64(salt).ok()?;
    let hash = Argon2::default().hash_password(password.expose().as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// The hash of a new password, in PHC string format; none if the hashing threads are too busy.
pub async fn hash(platform: &Platform, password: Secret) -> Option<String> {
    let salt = platform.core.ids.salt();
    platform.hashing.run(Queue::Operator, move || hash_with_salt(&password, &salt)).await.ok()?
}
