use std::time::Duration;

use didww_types::Features;
use didww_types::values::IpNetworks;
use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::guessing::GuessLimits;
use service_base::ids::Ids;
use service_core::Outbox;
use trunk_store::account::{Account, ApiKey};
use trunk_store::{SqliteStore, Store};
use uuid::Uuid;

use super::*;
use crate::claims::API_AUDIENCE;
use crate::key_ring::{OldKeys, rotate};

pub(crate) const KEY: &str = "a-good-key";
pub(crate) const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

/// A service of an environment, with a store in memory and a frozen clock.
pub(crate) async fn service_of(environment: Environment, store: Arc<dyn Store>) -> TokenService {
    let clock = Clock::system();
    clock.freeze(Some("2026-11-28T12:00:00.000Z".parse().unwrap()));
    let core = Core::new(
        store,
        clock,
        Ids::seeded(1),
        Outbox::new(false),
        Descriptors::new(1_024),
        GuessLimits::default(),
    );
    let settings = TokenSettings { environment, host: None, own_listener: false };
    TokenService::new(Arc::new(core), settings, Limits::default(), Arc::new(RateLimits::new(0)))
}

/// A service in production with one account and one key.
pub(crate) async fn service(addresses: Option<&str>) -> TokenService {
    let tokens = service_of(Environment::Production, Arc::new(SqliteStore::in_memory().unwrap())).await;
    let account = Account {
        number: 0,
        id: Uuid::from_u128(1),
        name: "main".to_owned(),
        version: ApiVersion::V2022_05_10,
        features: Features::NONE,
        rate_limit: Some(50),
        record_quota: None,
        created_at: tokens.core.clock.now(),
    };
    let key = ApiKey {
        id: Uuid::from_u128(2),
        digest: trunk_store::account::KeyDigest::of(KEY),
        created_at: tokens.core.clock.now(),
        addresses: addresses.map(|text| Arc::new(IpNetworks::parse([text]).unwrap())),
        environment: Some(Environment::Production),
    };
    tokens.core.store.create_account(account, key).await.unwrap();
    tokens
}

async fn minted(tokens: &TokenService, body: &str) -> Minted {
    let key = tokens.core.store.key_by_digest(KeyDigest::of(KEY)).await.unwrap().unwrap();
    tokens.mint(&key, MintRequest::parse(body.as_bytes()).unwrap()).await.unwrap()
}

async fn token(tokens: &TokenService) -> String {
    minted(tokens, r#"{"aud":"api.didww.com"}"#).await.access_token
}

async fn refusal(tokens: &TokenService, token: &str, client: IpAddr) -> Option<TokenRefusal> {
    tokens.check(token, API_AUDIENCE, client).await.unwrap().err()
}

#[tokio::test]
async fn a_token_admits_until_it_expires_to_the_second() {
    let tokens = service(None).await;
    let minted = minted(&tokens, r#"{"aud":"api.didww.com","scope":"read","expires_in":60}"#).await;
    let admitted = tokens.check(&minted.access_token, API_AUDIENCE, HOME).await.unwrap().unwrap();
    assert_eq!((admitted.key.id, admitted.scope), (Uuid::from_u128(2), Scope::Read));
    assert_eq!(admitted.version, ApiVersion::V2022_05_10, "the account's, because the request named none");
    tokens.core.clock.advance(Duration::from_millis(59_999));
    assert_eq!(refusal(&tokens, &minted.access_token, HOME).await, None);
    tokens.core.clock.advance(Duration::from_millis(1));
    assert_eq!(refusal(&tokens, &minted.access_token, HOME).await, Some(TokenRefusal::Expired));
}

#[tokio::test]
async fn a_token_that_was_minted_within_a_second_lives_at_least_as_long_as_was_stated() {
    let tokens = service(None).await;
    tokens.core.clock.advance(Duration::from_millis(1));
    let minted = minted(&tokens, r#"{"aud":"api.didww.com","expires_in":60}"#).await;
    assert_eq!(minted.expires_in, 60);
    tokens.core.clock.advance(Duration::from_millis(59_999));
    assert_eq!(refusal(&tokens, &minted.access_token, HOME).await, None, "it would be a millisecond early");
    tokens.core.clock.advance(Duration::from_secs(1));
    assert_eq!(refusal(&tokens, &minted.access_token, HOME).await, Some(TokenRefusal::Expired));
}

#[tokio::test]
async fn a_token_is_refused_at_another_service_and_in_another_environment() {
    let tokens = service(None).await;
    let other = minted(&tokens, r#"{"aud":["api-vout.didww.com","api-vin.didww.com"]}"#).await.access_token;
    assert_eq!(refusal(&tokens, &other, HOME).await, Some(TokenRefusal::Audience));
    assert!(tokens.check(&other, "api-vin.didww.com", HOME).await.unwrap().is_ok());
    let sandbox = service_of(Environment::Sandbox, Arc::clone(&tokens.core.store)).await;
    assert_eq!(refusal(&sandbox, &token(&tokens).await, HOME).await, Some(TokenRefusal::Environment));
}

#[tokio::test]
async fn a_token_keeps_the_addresses_that_its_key_allowed_when_it_was_minted() {
    let tokens = service(Some("192.0.2.0/24")).await;
    let bound = token(&tokens).await;
    assert_eq!(refusal(&tokens, &bound, HOME).await, None);
    assert_eq!(refusal(&tokens, &bound, "::ffff:192.0.2.9".parse().unwrap()).await, None);
    assert_eq!(refusal(&tokens, &bound, ELSEWHERE).await, Some(TokenRefusal::Address));
    let elsewhere = Some(Arc::new(IpNetworks::parse(["198.51.100.7"]).unwrap()));
    assert_eq!(tokens.core.store.set_key_addresses(1, Uuid::from_u128(2), elsewhere).await, Ok(true));
    assert_eq!(refusal(&tokens, &bound, HOME).await, None);
    let moved = token(&tokens).await;
    assert_eq!(refusal(&tokens, &moved, HOME).await, Some(TokenRefusal::Address));
    assert_eq!(refusal(&tokens, &moved, ELSEWHERE).await, None);
}

#[tokio::test]
async fn the_tokens_of_a_removed_key_end_at_once() {
    let tokens = service(None).await;
    let token = token(&tokens).await;
    assert_eq!(refusal(&tokens, &token, HOME).await, None);
    assert_eq!(tokens.core.store.remove_key(1, Uuid::from_u128(2)).await, Ok(true));
    assert_eq!(refusal(&tokens, &token, HOME).await, Some(TokenRefusal::Revoked));
}

#[tokio::test]
async fn nothing_but_a_token_of_this_database_is_accepted() {
    let tokens = service(None).await;
    let token = token(&tokens).await;
    let other = service(None).await;
    let mut changed = token.clone().into_bytes();
    let last = changed.len() - 2;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    let long = "a".repeat(MAX_TOKEN_BYTES + 1);
    for forged in ["", "garbage", "a.b.c", &changed, &token[1..], &long] {
        assert_eq!(refusal(&tokens, forged, HOME).await, Some(TokenRefusal::Forged), "{forged}");
    }
    // The other database has the same ids and the same seed, and so the same keys: it must have rotated.
    rotate(&other.core, OldKeys::Remove).await.unwrap();
    assert_eq!(refusal(&other, &token, HOME).await, Some(TokenRefusal::Forged));
    assert_eq!(refusal(&tokens, &token, HOME).await, None);
}

#[tokio::test]
async fn keys_rotate_daily_and_no_token_ends_before_its_time() {
    let tokens = service(None).await;
    let mut living: Vec<(String, u64)> = Vec::new();
    let mut signers = std::collections::HashSet::new();
    // A token an hour, over ten days.
    for hour in 0..240_u64 {
        let minted = minted(&tokens, r#"{"aud":"api.didww.com","expires_in":3600}"#).await.access_token;
        signers.insert(jwt::key_id(&minted).unwrap());
        living.push((minted, hour));
        tokens.core.clock.advance(Duration::from_secs(3_599));
        assert_eq!(refusal(&tokens, &living.last().unwrap().0, HOME).await, None, "in hour {hour}");
        tokens.core.clock.advance(Duration::from_secs(1));
        assert_eq!(
            refusal(&tokens, &living.last().unwrap().0, HOME).await.map(TokenRefusal::is_guess),
            Some(false)
        );
        assert!(tokens.core.store.token_keys().await.unwrap().len() <= 3);
    }
    assert!((9..=11).contains(&signers.len()), "{} keys signed", signers.len());
}

#[tokio::test]
async fn a_rotation_that_removes_old_keys_ends_every_token() {
    let tokens = service(None).await;
    let (before, kept) = (token(&tokens).await, token(&tokens).await);
    rotate(&tokens.core, OldKeys::Keep).await.unwrap();
    assert_eq!(refusal(&tokens, &kept, HOME).await, None);
    rotate(&tokens.core, OldKeys::Remove).await.unwrap();
    assert_eq!(refusal(&tokens, &before, HOME).await, Some(TokenRefusal::Forged));
    let after = token(&tokens).await;
    assert_eq!(refusal(&tokens, &after, HOME).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_mints_at_once_make_one_key() {
    let tokens = Arc::new(service(None).await);
    let mints = (0..1_000).map(|_| {
        let tokens = Arc::clone(&tokens);
        tokio::spawn(async move { token(&tokens).await })
    });
    let mut signers = std::collections::HashSet::new();
    for mint in mints.collect::<Vec<_>>() {
        signers.insert(jwt::key_id(&mint.await.unwrap()));
    }
    assert_eq!((signers.len(), tokens.core.store.token_keys().await.unwrap().len()), (1, 1));
}

#[tokio::test]
async fn neither_debug_output_shows_a_secret() {
    let tokens = service(None).await;
    let token = token(&tokens).await;
    assert_eq!(refusal(&tokens, &token, HOME).await, None);
    let shown = format!("{tokens:?} {:?}", tokens.core.store.token_keys().await.unwrap());
    let secret = tokens.core.store.token_keys().await.unwrap()[0].secret;
    assert!(!shown.contains(KEY) && !shown.contains(&token) && !shown.contains(&format!("{secret:?}")));
}
