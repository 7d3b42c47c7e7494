//! Authenticates requests by an API key, or by an access token that was minted with one.
//!
//! From 2026-11-19 on, requests have a token, and an API key alone is refused. Older versions accept a key as before; a
//! token states its version itself, which can be an older one. For a request without a token, the version is the one
//! that its header names, or else that of its key's account.

use std::net::IpAddr;
use std::sync::Arc;

use didww_types::{API_KEY_HEADER, ApiVersion, ErrorCode, Features, VERSION_HEADER};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode, header};
use http_listener::{Budget, missing_credential};
use service_base::forwarded::Client;
use service_base::guessing::{AuthRefusal, Source};
use service_base::trace;
use token_service::{API_AUDIENCE, AUDIENCES, Admitted, Scope, TokenRefusal};
use trunk_store::NO_ACCOUNT;
use trunk_store::account::{Account, KeyDigest, KnownKey};
use uuid::Uuid;

use crate::jsonapi::ApiError;
use crate::on_behalf::OnBehalf;
use crate::state::Api;

/// The headers of a request's key and version. A name that is a text is parsed for each look-up.
static API_KEY: HeaderName = HeaderName::from_static(API_KEY_HEADER);
static VERSION: HeaderName = HeaderName::from_static(VERSION_HEADER);

/// Maximum number of characters of a version header that are logged.
const MAX_LOGGED_VERSION: usize = 32;

/// A request whose sender is known, and within its budget of requests.
#[derive(Debug)]
pub(crate) struct Caller {
    /// The API key, or the one that the token was minted with.
    pub key: KnownKey,
    /// The operations that the sender may perform.
    pub scope: Scope,
    /// The version that serves the request.
    pub version: ApiVersion,
    /// Whether the request has a version header, if the header was not applied; `None` if it was applied, or there is a
    /// token.
    pub unheeded_version: Option<bool>,
}

/// Finds the sender of a request, and counts the request.
pub(crate) async fn authenticate(api: &Api, parts: &Parts) -> Result<Caller, ApiError> {
    if let Some(behalf) = parts.extensions.get::<OnBehalf>() {
        return Ok(behalf.caller());
    }
    let caller = match bearer_token(&parts.headers) {
        Some(token) => by_token(api, parts, token, false).await?,
        None => by_key(api, parts).await?,
    };
    trace::record("account.id", caller.key.account.id);
    check_rate(api, &caller).await?;
    Ok(caller)
}

/// Finds the sender of a request for a file, for which either credential is enough in every version, and counts the
/// request.
pub(crate) async fn authenticate_for_file(api: &Api, parts: &Parts) -> Result<Caller, ApiError> {
    if let Some(behalf) = parts.extensions.get::<OnBehalf>() {
        return Ok(behalf.caller());
    }
    let caller = match bearer_token(&parts.headers) {
        Some(token) => by_token(api, parts, token, true).await?,
        None => by_key_for_file(api, parts).await?,
    };
    trace::record("account.id", caller.key.account.id);
    check_rate(api, &caller).await?;
    Ok(caller)
}

/// Returns the token of the `Authorization` header; an empty text if it is not readable. `None` if the header is
/// missing or has another scheme. The name of the scheme is case-insensitive.
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer".len())?;
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return None;
    }
    match token {
        [] => Some(""),
        [b' ', token @ ..] => Some(std::str::from_utf8(token).map_or("", str::trim)),
        _ => None,
    }
}

async fn by_token(api: &Api, parts: &Parts, token: &str, for_file: bool) -> Result<Caller, ApiError> {
    let client = Client::of(&parts.extensions);
    let checked = api.tokens.check(token, API_AUDIENCE, client).await?;
    let is_guess = is_guess(&checked);
    if is_guess && parts.headers.contains_key(&API_KEY) {
        // Programs for older versions have a key; an `Authorization` header in their requests was added by a gateway.
        let with_key =
            if for_file { Box::pin(by_key_for_file(api, parts)).await } else { by_key(api, parts).await };
        match with_key {
            // The version accepts no key, so only the token counts.
            Err(error) if error.is_bare => {}
            outcome => return outcome,
        }
    }
    limit_guesses(api, client, token, &checked)?;
    let Admitted { key, scope, version } =
        checked.map_err(|refusal| ApiError::invalid_token().because(refusal.cause()))?;
    Ok(Caller { key, scope, version, unheeded_version: None })
}

/// Finds the account whose access token a request to a price service has, and counts the request in the account's
/// budget of that service. Every token permits reading.
pub(crate) async fn authenticate_for_prices(
    api: &Api,
    parts: &Parts,
    audience: &'static str,
) -> Result<Arc<Account>, ApiError> {
    let token = bearer_token(&parts.headers).ok_or_else(|| {
        ApiError::invalid_token().because(missing_credential(&parts.headers, "access token", &[]))
    })?;
    let client = Client::of(&parts.extensions);
    let checked = api.tokens.check(token, audience, client).await?;
    limit_guesses(api, client, token, &checked)?;
    let Admitted { key, .. } =
        checked.map_err(|refusal| ApiError::invalid_token().because(refusal.cause()))?;
    let account = key.account;
    trace::record("account.id", account.id);
    let budget = Budget::Prices(audience, account.number);
    let admitted = api.rates.admit(budget, account.rate_limit, || api.core.clock.now()).await;
    admitted.map_err(|seconds| {
        let cause = format!("the account {} is above its requests a second to {audience}", account.id);
        ApiError::over_budget(seconds).because(cause)
    })?;
    Ok(account)
}

/// Whether a checked token may be an attempt to guess one.
fn is_guess(checked: &Result<Admitted, TokenRefusal>) -> bool {
    checked.as_ref().err().is_some_and(|refusal| refusal.is_guess())
}

/// Refuses an address that sent too many unknown tokens.
fn limit_guesses(
    api: &Api,
    client: IpAddr,
    token: &str,
    checked: &Result<Admitted, TokenRefusal>,
) -> Result<(), ApiError> {
    // A source is remembered by the key of its tokens, which outlives each token.
    let mark = match checked {
        Ok(admitted) => api.core.guesses.hash(admitted.key.id),
        Err(refusal) if refusal.is_guess() => api.core.guesses.hash(token),
        Err(_) => return Ok(()),
    };
    let now = api.core.clock.now();
    match api.core.guesses.check(Source::of(client), mark, checked.is_ok(), now) {
        Err(AuthRefusal::TooMany(seconds)) => {
            Err(ApiError::over_budget(seconds).because("the address sent too many unknown tokens"))
        }
        Ok(()) | Err(AuthRefusal::Wrong) => Ok(()),
    }
}

async fn by_key(api: &Api, parts: &Parts) -> Result<Caller, ApiError> {
    let requested = parts.headers.get(&VERSION).map(|value| value.to_str().unwrap_or_default());
    let is_new = |version: ApiVersion| version.uses_tokens();
    if requested.and_then(|text| text.parse().ok()).is_some_and(is_new) {
        let expected = missing_credential(&parts.headers, "access token", &[]);
        return Err(ApiError::no_token().because(expected));
    }
    let (digest, key) = known_key(api, parts).await?;
    let version = key.account.version.serving(requested);
    if version.uses_tokens() {
        return Err(
            ApiError::no_token().because("the account's version takes tokens, and the request has a key")
        );
    }
    let is_ignored = requested.is_some_and(|requested| requested != version.as_str());
    if is_ignored && api.ignored_versions.is((digest, requested)) {
        let requested = requested.filter(|text| text.len() <= MAX_LOGGED_VERSION);
        tracing::info!(
            account = %key.account.id, requested, served = version.as_str(),
            "a version header is ignored: it is older than the account's version, or no version"
        );
    }
    let unheeded_version = (requested != Some(version.as_str())).then_some(requested.is_some());
    Ok(Caller { key, scope: Scope::Full, version, unheeded_version })
}

/// As [`by_key`], for a request for a file: every version accepts a key for it.
async fn by_key_for_file(api: &Api, parts: &Parts) -> Result<Caller, ApiError> {
    match known_key(api, parts).await {
        Ok((_, key)) => {
            let requested = parts.headers.get(&VERSION).and_then(|value| value.to_str().ok());
            let version = key.account.version.serving(requested);
            Ok(Caller { key, scope: Scope::Full, version, unheeded_version: None })
        }
        // In versions with tokens, the refusal of a key has no body.
        Err(error)
            if error.status() == StatusCode::UNAUTHORIZED && requested_version(parts).uses_tokens() =>
        {
            Err(ApiError::no_token().because(error.internal.unwrap_or_default()))
        }
        Err(error) => Err(error),
    }
}

/// The API key of a request, with its digest, if it may be used in this environment and from the request's address.
async fn known_key(api: &Api, parts: &Parts) -> Result<(KeyDigest, KnownKey), ApiError> {
    let key = parts.headers.get(&API_KEY).ok_or_else(|| {
        unauthorized(missing_credential(&parts.headers, "header `Api-Key`", &[API_KEY_HEADER]))
    })?;
    let key = key.to_str().map_err(|_| unauthorized("the key is not text"))?;
    let client = Client::of(&parts.extensions);
    let (digest, key) = if let Some(LookedUp { digest, key }) = parts.extensions.get::<LookedUp>() {
        (*digest, Some(key.clone()))
    } else {
        let digest = KeyDigest::of(key);
        (digest, api.core.store.key_by_digest(digest).await?)
    };
    let mark = api.core.guesses.hash(digest);
    match api.core.guesses.check(Source::of(client), mark, key.is_some(), api.core.clock.now()) {
        Ok(()) | Err(AuthRefusal::Wrong) => {}
        Err(AuthRefusal::TooMany(_)) => {
            return Err(ApiError::too_many_requests().because("the address sent too many unknown keys"));
        }
    }
    let key = key.ok_or_else(|| unauthorized("the key of the header `Api-Key` belongs to no account"))?;
    if !key.is_of(api.tokens.environment()) {
        return Err(unauthorized("the key belongs to another environment"));
    }
    if !key.allows(client) {
        return Err(unauthorized("the key does not allow the client's address"));
    }
    Ok((digest, key))
}

/// The API key of a request that was looked up before the request is authenticated, in its extensions. No client can
/// add it.
#[derive(Debug, Clone)]
struct LookedUp {
    digest: KeyDigest,
    key: KnownKey,
}

/// Finds the account whose token or key a request has. It counts neither as a request nor as an attempt to guess: the
/// answer must not depend on it before the request was authenticated. A key that is found is not looked up again when
/// it is.
pub async fn account_of(api: &Api, parts: &mut Parts) -> Option<Uuid> {
    if let Some(token) = bearer_token(&parts.headers)
        && let Some(account) = Box::pin(account_of_token(api, parts, token)).await
    {
        return Some(account);
    }
    let digest = KeyDigest::of(parts.headers.get(&API_KEY)?.to_str().ok()?);
    let key = api.core.store.key_by_digest(digest).await.ok()??;
    let account = key.account.id;
    parts.extensions.insert(LookedUp { digest, key });
    Some(account)
}

async fn account_of_token(api: &Api, parts: &Parts, token: &str) -> Option<Uuid> {
    let client = Client::of(&parts.extensions);
    for audience in AUDIENCES {
        match api.tokens.check(token, audience, client).await {
            Ok(Ok(admitted)) => return Some(admitted.key.account.id),
            // It may be for one of the price services.
            Ok(Err(TokenRefusal::Audience)) => {}
            _ => break,
        }
    }
    None
}

/// The version of a request without a credential: the one that its header names, or else the newest.
pub(crate) fn requested_version(parts: &Parts) -> ApiVersion {
    let named = parts.headers.get(&VERSION).and_then(|value| value.to_str().ok()?.parse().ok());
    named.unwrap_or(ApiVersion::NEWEST)
}

/// The sender of a request without a credential to a type that needs none. It reads as an account without records, and
/// is counted by its address (IPv6: by its /64), on this node only: a client with many addresses must reach neither the
/// counters of accounts nor the store.
pub(crate) async fn nobody(api: &Api, parts: &Parts) -> Result<Caller, ApiError> {
    let source = match Client::of(&parts.extensions).to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    };
    let version = requested_version(parts);
    let account = Account {
        number: NO_ACCOUNT,
        id: Uuid::nil(),
        name: String::new(),
        version,
        features: Features::NONE,
        rate_limit: None,
        record_quota: None,
        created_at: api.core.clock.now(),
    };
    let key = KnownKey {
        id: Uuid::from_u128(source),
        account: Arc::new(account),
        addresses: None,
        environment: None,
    };
    let admitted = api.anonymous.admit(Budget::Key(key.id), None, || api.core.clock.now()).await;
    admitted.map_err(|seconds| {
        let error = if version.uses_tokens() {
            ApiError::over_budget(seconds)
        } else {
            ApiError::too_many_requests()
        };
        error.because("an address without a credential is above its requests a second")
    })?;
    Ok(Caller { key, scope: Scope::Read, version, unheeded_version: None })
}

/// 401. Only the log contains the cause.
fn unauthorized(cause: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::Unauthorized, "Unauthorized", "Authorization failed").because(cause)
}

async fn check_rate(api: &Api, caller: &Caller) -> Result<(), ApiError> {
    let account = &caller.key.account;
    let of_account = caller.version.uses_tokens();
    let budget = if of_account { Budget::Account(account.number) } else { Budget::Key(caller.key.id) };
    let admitted = api.rates.admit(budget, account.rate_limit, || api.core.clock.now()).await;
    admitted.map_err(|seconds| {
        let error = if of_account { ApiError::over_budget(seconds) } else { ApiError::too_many_requests() };
        error.because(format!("the account {} is above its requests a second", account.id))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http_listener::{Limits, RateLimits};
    use token_service::{TokenService, TokenSettings};

    use super::*;
    use crate::fixture::core_with_account;

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        let token = |value: &'static [u8]| {
            let value = HeaderValue::from_bytes(value).unwrap();
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
            bearer_token(&headers).map(str::to_owned)
        };
        for value in [b"Bearer a.b.c" as &[u8], b"bearer a.b.c", b"BEARER  a.b.c "] {
            assert_eq!(token(value).as_deref(), Some("a.b.c"));
        }
        for unreadable in [b"Bearer" as &[u8], b"Bearer ", b"Bearer \xff"] {
            assert_eq!(token(unreadable).as_deref(), Some(""));
        }
        for other in [b"Basic YTpi" as &[u8], b"Bearera", b"Bear", b""] {
            assert_eq!(token(other), None);
        }
        assert_eq!(bearer_token(&HeaderMap::new()), None);
    }

    /// The API of a store in memory with one account, whose key is `key`.
    async fn api_with_a_key() -> Api {
        let (core, _) = core_with_account(ApiVersion::V2022_05_10).await;
        let (core, rates, limits) = (Arc::new(core), Arc::new(RateLimits::new(0)), Limits::default());
        let settings = TokenSettings::default();
        let tokens = TokenService::new(Arc::clone(&core), settings, limits, Arc::clone(&rates));
        Api::new(core, None, limits, rates, Arc::new(tokens))
    }

    fn with_key(key: &str) -> Parts {
        let request = http::Request::get("/v3/dids").header(API_KEY_HEADER, key);
        request.body(()).unwrap().into_parts().0
    }

    #[tokio::test]
    async fn a_key_that_was_looked_up_for_a_request_is_not_looked_up_again_for_it_and_is_for_the_next() {
        let api = api_with_a_key().await;
        let (mut first, next) = (with_key("key"), with_key("key"));
        assert_eq!(account_of(&api, &mut first).await, Some(Uuid::from_u128(1)));
        let key = known_key(&api, &first).await.unwrap().1;
        assert!(api.core.store.remove_key(key.account.number, key.id).await.unwrap());
        assert_eq!(known_key(&api, &first).await.unwrap(), (KeyDigest::of("key"), key));
        assert_eq!(known_key(&api, &next).await.unwrap_err().status(), StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn a_wrong_key_has_no_account_and_is_refused() {
        let api = api_with_a_key().await;
        let mut parts = with_key("wrong");
        assert_eq!(account_of(&api, &mut parts).await, None);
        assert_eq!(known_key(&api, &parts).await.unwrap_err().status(), StatusCode::UNAUTHORIZED);
    }
}
