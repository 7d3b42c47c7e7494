//! The token service: mints tokens, and checks those of requests.

use std::net::IpAddr;
use std::sync::Arc;

use didww_types::{API_KEY_HEADER, ApiVersion, Timestamp};
use http::HeaderMap;
use http_listener::{Budget, Limits, RateLimits, missing_credential};
use ipnetwork::IpNetwork;
use serde::Serialize;
use service_base::guessing::{AuthRefusal, Source};
use service_core::Core;
use trunk_store::StoreError;
use trunk_store::account::{Environment, KeyDigest, KnownKey};

use crate::cache::{Cache, TokenDigest, Verified};
use crate::claims::{Claims, Scope};
use crate::mint_error::MintError;
use crate::mint_request::{Audiences, MintRequest};
use crate::{jwt, key_ring};

/// Maximum number of bytes of a token that is checked. One of this service has about 600, and 4,500 with 60 networks.
const MAX_TOKEN_BYTES: usize = 8_192;

/// The settings of the token service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenSettings {
    /// The environment of tokens, and of the keys that may mint them.
    pub environment: Environment,
    /// The name in the `Host` header of requests for tokens; `None` means any.
    pub host: Option<String>,
    /// Whether requests for tokens have a listener of their own. Otherwise the API's serves them.
    pub own_listener: bool,
}

/// Mints tokens for API keys, and checks the tokens of requests.
#[derive(Debug)]
pub struct TokenService {
    pub(crate) core: Arc<Core>,
    pub(crate) settings: TokenSettings,
    pub(crate) limits: Limits,
    rates: Arc<RateLimits>,
    cache: Cache,
    /// Held while the key that signs is rotated.
    rotating: tokio::sync::Mutex<()>,
}

/// The response to a request for a token.
#[derive(Serialize)]
pub(crate) struct Minted {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    aud: Audiences,
    scope: Scope,
    api_version: &'static str,
}

/// A request that a valid token permits.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The API key that the token was minted with, and its account.
    pub key: KnownKey,
    /// The operations that the token permits.
    pub scope: Scope,
    /// The version that serves the request.
    pub version: ApiVersion,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRefusal {
    /// It is not a token of this service: it is malformed, or not signed by one of its keys.
    Forged,
    /// Its `exp` has passed; the client mints another one.
    Expired,
    /// It is for other services.
    Audience,
    /// It is for another environment.
    Environment,
    /// The client's address is not one of those that the token allows.
    Address,
    /// The API key that it was minted with was removed.
    Revoked,
}

impl TokenRefusal {
    /// Whether the refusal may be an attempt to guess a token. The others are of tokens that this service signed.
    pub const fn is_guess(self) -> bool {
        matches!(self, Self::Forged)
    }

    /// The cause, for the log.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::Forged => "the token is malformed, or no key of this server signed it",
            Self::Expired => "the token has expired",
            Self::Audience => "the token is for another audience",
            Self::Environment => "the token is for another environment",
            Self::Address => "the token does not allow the client's address",
            Self::Revoked => "the API key of the token was removed",
        }
    }
}

impl TokenService {
    /// Creates the service. `limits` bounds the bodies of requests for tokens. `rates` limits them for each account: as
    /// many in a second as the account may send requests, in a budget of their own.
    pub fn new(core: Arc<Core>, settings: TokenSettings, limits: Limits, rates: Arc<RateLimits>) -> Self {
        jwt::install();
        Self {
            core,
            settings,
            limits,
            rates,
            cache: Cache::default(),
            rotating: tokio::sync::Mutex::default(),
        }
    }

    /// The environment of tokens and keys.
    pub fn environment(&self) -> Environment {
        self.settings.environment
    }

    /// Whether the API's listener serves requests for tokens, because they have none of their own.
    pub fn is_beside_the_api(&self) -> bool {
        !self.settings.own_listener
    }

    /// Finds the API key of a request for a token, and counts the request.
    pub(crate) async fn authenticate(
        &self,
        headers: &HeaderMap,
        client: IpAddr,
    ) -> Result<KnownKey, MintError> {
        let Some(key) = headers.get(API_KEY_HEADER) else {
            let cause = missing_credential(headers, "header `Api-Key`", &[API_KEY_HEADER]);
            tracing::debug!(cause, "a request for a token has no key");
            return Err(MintError::InvalidClient("no header `Api-Key` was sent"));
        };
        let key = key.to_str().map_err(|_| MintError::InvalidClient("the key is not text"))?;
        let (digest, now) = (KeyDigest::of(key), self.core.clock.now());
        let known = self.core.store.key_by_digest(digest).await?;
        let mark = self.core.guesses.hash(digest);
        match self.core.guesses.check(Source::of(client), mark, known.is_some(), now) {
            Ok(()) => {}
            Err(AuthRefusal::Wrong) => return Err(MintError::InvalidClient("the key belongs to no account")),
            Err(AuthRefusal::TooMany(seconds)) => {
                return Err(MintError::RateLimitExceeded(seconds, "the address sent too many unknown keys"));
            }
        }
        let Some(key) = known else {
            return Err(MintError::InvalidClient("the key belongs to no account"));
        };
        if !key.is_of(self.settings.environment) {
            return Err(MintError::InvalidClient("the key belongs to another environment"));
        }
        if !key.allows(client) {
            return Err(MintError::InvalidClient("the key does not allow the client's address"));
        }
        let budget = Budget::Mints(key.account.number);
        let admitted = self.rates.admit(budget, key.account.rate_limit, || self.core.clock.now()).await;
        admitted.map_err(|seconds| {
            MintError::RateLimitExceeded(seconds, "the account is above its requests for tokens a second")
        })?;
        Ok(key)
    }

    /// Mints a token with a key.
    pub(crate) async fn mint(&self, key: &KnownKey, request: MintRequest) -> Result<Minted, MintError> {
        let MintRequest { audiences, scope, version, lifetime } = request;
        let version = version.unwrap_or(key.account.version);
        let now = self.core.clock.now().as_unix_millis();
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let networks =
            |addresses: &didww_types::values::IpNetworks| addresses.networks().collect::<Vec<IpNetwork>>();
        let claims = Claims {
            jti: self.core.ids.request(),
            sub: key.account.id,
            key: key.id,
            aud: audiences.list(),
            scope,
            api_version: version,
            env: self.settings.environment,
            ips: key.addresses.as_deref().map(networks),
            iat: now.div_euclid(1_000),
            // Rounded up: the token lives at least as long as the response states.
            exp: now.saturating_add(999).div_euclid(1_000).saturating_add(lifetime),
        };
        let signing_key = key_ring::signing_key(&self.core, &self.rotating).await?;
        let token = jwt::sign(&claims, &signing_key)
            .map_err(|error| MintError::Failed(format!("the token could not be signed: {error}"), None))?;
        Ok(Minted {
            access_token: token,
            token_type: "Bearer",
            expires_in: lifetime.unsigned_abs(),
            aud: audiences,
            scope,
            api_version: version.as_str(),
        })
    }

    /// Checks the token of a request to a service, whose production host name is `audience`, from an address.
    ///
    /// # Errors
    /// Why the token is refused, inside of the failures of the store.
    pub async fn check(
        &self,
        token: &str,
        audience: &str,
        client: IpAddr,
    ) -> Result<Result<Admitted, TokenRefusal>, StoreError> {
        let now = self.core.clock.now();
        let Some(verified) = self.verified(token).await? else { return Ok(Err(TokenRefusal::Forged)) };
        let claims = &verified.claims;
        if let Some(refusal) = self.refusal(claims, audience, client, now) {
            return Ok(Err(refusal));
        }
        let key = self.core.store.key_by_id(claims.key).await?;
        Ok(match key.filter(|key| key.account.id == claims.sub) {
            Some(key) => Ok(Admitted { key, scope: claims.scope, version: claims.api_version }),
            None => Err(TokenRefusal::Revoked),
        })
    }

    /// Returns a token whose signature is valid under a key that is stored now.
    async fn verified(&self, token: &str) -> Result<Option<Arc<Verified>>, StoreError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Ok(None);
        }
        let digest = TokenDigest::of(token);
        let keys = self.core.store.token_keys().await?;
        if let Some(known) = self.cache.get(digest)
            && keys.iter().any(|key| key.id == known.signed_by)
        {
            return Ok(Some(known));
        }
        let key = jwt::key_id(token).and_then(|id| keys.iter().find(|key| key.id == id));
        let verified = key.and_then(|key| {
            let claims = jwt::verify(token, key)?;
            Some(Arc::new(Verified { signed_by: key.id, claims }))
        });
        if let Some(verified) = &verified {
            self.cache.insert(digest, Arc::clone(verified));
        }
        Ok(verified)
    }

    fn refusal(
        &self,
        claims: &Claims,
        audience: &str,
        client: IpAddr,
        now: Timestamp,
    ) -> Option<TokenRefusal> {
        if now.as_unix_millis() >= claims.exp.saturating_mul(1_000) {
            Some(TokenRefusal::Expired)
        } else if claims.env != self.settings.environment {
            Some(TokenRefusal::Environment)
        } else if !claims.aud.iter().any(|named| named == audience) {
            Some(TokenRefusal::Audience)
        } else if !claims.allow(client) {
            Some(TokenRefusal::Address)
        } else {
            None
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
