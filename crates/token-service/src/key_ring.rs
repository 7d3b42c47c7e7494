//! The keys that sign tokens: which one signs now, and their rotation.
//!
//! A key signs tokens for a day. The first mint after that generates a new key; so keys are rotated only when tokens
//! are minted, and a rotation survives a restart. A new key is used only when every node of the database has read it,
//! and an old key is kept until the last token that it signed has expired.

use std::time::Duration;

use didww_types::Timestamp;
use service_core::Core;
use trunk_store::{CHANGE_DELAY, StoreError, TokenKey, TokenKeyRotation};

use crate::mint_request::MAX_LIFETIME;

/// How long a key signs tokens.
const ROTATION_INTERVAL: Duration = Duration::from_hours(24);
/// The time until every node has read a new key.
const SETTLING_TIME: Duration = CHANGE_DELAY.saturating_mul(2);
/// How long a key is kept after its successor was generated: twice the longest lifetime of a token, since the clocks of
/// nodes differ.
const RETENTION: Duration = MAX_LIFETIME.saturating_mul(2);

/// The treatment of the old keys in a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldKeys {
    /// The old keys are kept until their tokens have expired.
    Keep,
    /// The old keys are removed: every token becomes invalid at once.
    Remove,
}

/// Makes a new key that signs tokens.
///
/// # Errors
/// Those of [`rotate_token_keys`](trunk_store::TokenKeys::rotate_token_keys).
pub async fn rotate(core: &Core, old: OldKeys) -> Result<(), StoreError> {
    let now = core.clock.now();
    let remove_succeeded_until = (old == OldKeys::Keep).then(|| before(now, RETENTION));
    let rotation = TokenKeyRotation { new: new_key(core, now), unless_since: None, remove_succeeded_until };
    core.store.rotate_token_keys(rotation).await?;
    Ok(())
}

/// Returns the key that signs tokens now. It makes a new one if there is none, or if the newest has signed for long
/// enough.
///
/// # Errors
/// If there is no key and none can be stored.
pub(crate) async fn signing_key(
    core: &Core,
    rotating: &tokio::sync::Mutex<()>,
) -> Result<TokenKey, StoreError> {
    let now = core.clock.now();
    if let Some(key) = current(&core.store.token_keys().await?, now) {
        return Ok(key);
    }
    // Concurrent mints that find the key too old share one rotation: the others find the new key.
    let _rotating = rotating.lock().await;
    let keys = core.store.token_keys().await?;
    if let Some(key) = current(&keys, now) {
        return Ok(key);
    }
    let rotation = TokenKeyRotation {
        new: new_key(core, now),
        unless_since: Some(before(now, ROTATION_INTERVAL)),
        remove_succeeded_until: Some(before(now, RETENTION)),
    };
    let keys = match core.store.rotate_token_keys(rotation).await {
        Ok(keys) => keys,
        // Signing with the old key is better than minting no tokens.
        Err(error) if !keys.is_empty() => {
            tracing::warn!(%error, "the key that signs tokens could not be rotated");
            keys
        }
        Err(error) => return Err(error),
    };
    settled(&keys, now).ok_or_else(|| StoreError::Failed("no key signs tokens".to_owned()))
}

/// Returns the key that signs, if no new one is due.
fn current(keys: &[TokenKey], now: Timestamp) -> Option<TokenKey> {
    let newest = keys.last()?;
    if age(newest, now) < millis(ROTATION_INTERVAL) { settled(keys, now) } else { None }
}

/// Returns the newest key that every node has read; the oldest if they are all too new.
fn settled(keys: &[TokenKey], now: Timestamp) -> Option<TokenKey> {
    let known = keys.iter().rev().find(|key| age(key, now) >= millis(SETTLING_TIME));
    known.or_else(|| keys.first()).cloned()
}

fn new_key(core: &Core, now: Timestamp) -> TokenKey {
    TokenKey { id: core.ids.record(now), secret: core.ids.token_key(), created_at: now }
}

/// Milliseconds since a key was made; negative after the clock was set back.
fn age(key: &TokenKey, now: Timestamp) -> i64 {
    now.as_unix_millis().saturating_sub(key.created_at.as_unix_millis())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn before(now: Timestamp, duration: Duration) -> Timestamp {
    Timestamp::from_unix_millis(now.as_unix_millis().saturating_sub(millis(duration)))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn key(number: u8, seconds: i64) -> TokenKey {
        let created_at = Timestamp::from_unix_millis(seconds * 1_000);
        TokenKey { id: Uuid::from_u128(number.into()), secret: [number; 32], created_at }
    }

    #[test]
    fn a_new_key_signs_only_when_every_node_knows_it() {
        let keys = [key(1, 0), key(2, 100)];
        let at = |seconds: i64| {
            let now = Timestamp::from_unix_millis(seconds * 1_000);
            settled(&keys, now).map(|key| key.secret[0])
        };
        assert_eq!([at(100), at(101), at(102), at(5_000)], [Some(1), Some(1), Some(2), Some(2)]);
        assert_eq!(at(-7), Some(1), "the clock was set back");
        assert_eq!(settled(&keys[1..], keys[1].created_at), Some(key(2, 100)), "the first key of a database");
        assert_eq!(settled(&[], keys[1].created_at), None);
    }
}
