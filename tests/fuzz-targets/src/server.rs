//! The router of DIDWW's API over a store in memory, without sockets. Time stands still, so that every run is the same.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use didww_api::{Api, api_router};
use didww_types::{ApiVersion, Feature, Features};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use http_listener::{Limits, RateLimits};
use serde_json::Value;
use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::guessing::GuessLimits;
use service_base::ids::Ids;
use service_core::{Core, Outbox};
use token_service::{API_AUDIENCE, TokenService, TokenSettings};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;
use trunk_store::SqliteStore;
use trunk_store::account::{Account, ApiKey, KeyDigest};
use uuid::Uuid;

/// The key of the only account; recorded requests have it.
pub(crate) const API_KEY: &str = "SOMEAPIKEY";

/// An account has at most this many records of each type, so that a long run does not become slow.
const MAX_RECORDS: u64 = 50;

/// A status, headers and the body.
pub(crate) type Answer = (StatusCode, HeaderMap, Vec<u8>);

struct Server {
    runtime: Runtime,
    router: Router,
    tokens: Arc<TokenService>,
    /// A token of the account.
    token: String,
    /// The id of a trunk of the account.
    trunk: String,
}

static SERVER: LazyLock<Mutex<Server>> = LazyLock::new(|| Mutex::new(Server::start()));

fn with<T>(use_it: impl FnOnce(&Server) -> T) -> T {
    use_it(&SERVER.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Answers a request.
pub(crate) fn answer(request: Request<Body>) -> Answer {
    with(|server| server.answer(request))
}

/// Whether a token is valid for the API.
pub(crate) fn admits(token: &str) -> bool {
    with(|server| {
        let client = std::net::IpAddr::from([192, 0, 2, 1]);
        server.runtime.block_on(server.tokens.check(token, API_AUDIENCE, client)).unwrap().is_ok()
    })
}

/// A valid token.
pub(crate) fn token() -> String {
    with(|server| server.token.clone())
}

/// The id of a stored trunk.
pub(crate) fn trunk() -> String {
    with(|server| server.trunk.clone())
}

impl Server {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (router, tokens) = runtime.block_on(routes());
        let mut server = Self { runtime, router, tokens, token: String::new(), trunk: String::new() };
        let services = r#"["api.didww.com","api-vin.didww.com","api-vout.didww.com","api-sms.didww.com"]"#;
        let mint = format!(r#"{{"aud":{services},"api_version":"2026-11-19"}}"#);
        let mint = server.post("/token", &mint);
        mint["access_token"].as_str().expect("a token is minted").clone_into(&mut server.token);
        let trunk = r#"{"data":{"type":"voice_out_trunks","attributes":{"name":"first",
            "allowed_sip_ips":["203.0.113.0/24"],"on_cli_mismatch_action":"reject_call"}}}"#;
        let trunk = server.post("/v3/voice_out_trunks", trunk);
        trunk["data"]["id"].as_str().expect("a trunk is created").clone_into(&mut server.trunk);
        server
    }

    fn post(&self, path: &str, body: &str) -> Value {
        let media_type = if path == "/token" { "application/json" } else { didww_types::MEDIA_TYPE };
        let request = Request::post(path).header("api-key", API_KEY).header("content-type", media_type);
        let (status, _, answered) = self.answer(request.body(Body::from(body.to_owned())).unwrap());
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&answered));
        serde_json::from_slice(&answered).unwrap()
    }

    fn answer(&self, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            (parts.status, parts.headers, body.to_vec())
        })
    }
}

async fn routes() -> (Router, Arc<TokenService>) {
    let clock = Clock::system();
    let now = clock.freeze(Some("2026-11-28T12:00:00.000Z".parse().unwrap()));
    let unlimited = GuessLimits { of_source: 0, of_name: 0 };
    let store = Arc::new(SqliteStore::in_memory().unwrap());
    let (ids, outbox, descriptors) = (Ids::seeded(1), Outbox::new(false), Descriptors::new(1_024));
    let core = Arc::new(Core::new(store, clock, ids, outbox, descriptors, unlimited));
    let account = Account {
        number: 0,
        id: Uuid::from_u128(1),
        name: "main".to_owned(),
        version: ApiVersion::V2021_12_15,
        // `read_only` would forbid the requests.
        features: Features::of(Feature::ALL.into_iter().filter(|feature| *feature != Feature::ReadOnly)),
        rate_limit: Some(0),
        record_quota: Some(MAX_RECORDS),
        created_at: now,
    };
    let key = ApiKey {
        id: Uuid::from_u128(2),
        digest: KeyDigest::of(API_KEY),
        created_at: now,
        addresses: None,
        environment: None,
    };
    core.store.create_account(account, key).await.unwrap();
    let (limits, rates) = (Limits::default(), Arc::new(RateLimits::new(0)));
    let settings = TokenSettings::default();
    let tokens = Arc::new(TokenService::new(Arc::clone(&core), settings, limits, Arc::clone(&rates)));
    let api = Api::new(core, Some("http://127.0.0.1".to_owned()), limits, rates, Arc::clone(&tokens));
    (api_router(Arc::new(api)), tokens)
}
