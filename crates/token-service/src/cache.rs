//! A cache of tokens with verified signatures, so that a token is verified once and not with every request.
//!
//! The table has a fixed number of slots. A keyed hash of a token's digest selects its slot, where it replaces the
//! previous token. Only tokens with valid signatures are stored, so a client can displace the tokens of others only
//! with tokens of its own, and each costs the other client one verification. The text of a token is not kept. The table
//! is allocated for the first token.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ring::digest::{SHA256, digest};
use uuid::Uuid;

use crate::claims::Claims;

/// The number of slots, and so of tokens that are known at a time.
const SLOTS: usize = 4_096;

/// The SHA-256 digest of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(crate) fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }
}

/// A token whose signature is valid.
#[derive(Debug)]
pub(crate) struct Verified {
    /// The id of the key that signed it.
    pub(crate) signed_by: Uuid,
    pub(crate) claims: Claims,
}

/// A slot: the digest of a token, and its claims.
type Slot = Mutex<Option<(TokenDigest, Arc<Verified>)>>;

/// The tokens that were verified recently, one in each slot.
pub(crate) struct Cache {
    hasher: RandomState,
    slots: OnceLock<Box<[Slot]>>,
}

impl Cache {
    pub(crate) fn get(&self, token: TokenDigest) -> Option<Arc<Verified>> {
        let slot = self.slots.get()?.get(self.index(token))?.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().filter(|(stored, _)| *stored == token).map(|(_, verified)| Arc::clone(verified))
    }

    pub(crate) fn insert(&self, token: TokenDigest, verified: Arc<Verified>) {
        let slots = self.slots.get_or_init(|| (0..SLOTS).map(|_| Slot::default()).collect());
        if let Some(slot) = slots.get(self.index(token)) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((token, verified));
        }
    }

    fn index(&self, token: TokenDigest) -> usize {
        usize::try_from(self.hasher.hash_one(token) % SLOTS as u64).unwrap_or_default()
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self { hasher: RandomState::new(), slots: OnceLock::new() }
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cache(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use didww_types::ApiVersion;
    use trunk_store::account::Environment;

    use super::*;
    use crate::claims::Scope;

    fn verified() -> Arc<Verified> {
        let claims = Claims {
            jti: Uuid::nil(),
            sub: Uuid::nil(),
            key: Uuid::nil(),
            aud: Vec::new(),
            scope: Scope::Full,
            api_version: ApiVersion::NEWEST,
            env: Environment::Production,
            ips: None,
            iat: 0,
            exp: 0,
        };
        Arc::new(Verified { signed_by: Uuid::nil(), claims })
    }

    #[test]
    fn a_token_that_has_the_slot_of_another_is_not_taken_for_it() {
        let (cache, known) = (Cache::default(), TokenDigest::of("known"));
        cache.insert(known, verified());
        assert!(cache.get(known).is_some());
        // About ten of these have the slot of the known one.
        let others = (0..10 * SLOTS).map(|number| TokenDigest::of(&number.to_string()));
        assert_eq!(others.filter(|other| cache.get(*other).is_some()).count(), 0);
    }
}
