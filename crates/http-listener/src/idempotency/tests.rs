//! The layer with handlers of its own.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue};
use service_base::descriptors::Descriptors;
use service_base::guessing::GuessLimits;
use service_base::ids::Ids;
use service_core::Outbox;
use tokio::sync::oneshot;
use trunk_store::SqliteStore;

use super::*;

const SCOPE: IdempotencyScope = IdempotencyScope::Account(1);

#[derive(Debug, Clone, PartialEq)]
struct Reply {
    status: u16,
    body: String,
    replayed: bool,
}

fn reply(status: u16, body: &str) -> Reply {
    Reply { status, body: body.to_owned(), replayed: false }
}

fn replay(status: u16, body: &str) -> Reply {
    Reply { replayed: true, ..reply(status, body) }
}

impl Replay for Reply {
    fn answer(&self) -> KeptAnswer {
        KeptAnswer {
            status: StatusCode::from_u16(self.status).unwrap(),
            content_type: "text/plain".to_owned(),
            body: Bytes::from(self.body.clone()),
        }
    }

    fn replayed(KeptAnswer { status, content_type, body }: KeptAnswer) -> Self {
        assert_eq!(content_type, "text/plain");
        replay(status.as_u16(), std::str::from_utf8(&body).unwrap())
    }
}

fn core() -> Arc<Core> {
    let store = Arc::new(SqliteStore::in_memory().unwrap());
    let (clock, ids) = (Clock::system(), Ids::seeded(1));
    clock.freeze(None);
    Arc::new(Core::new(store, clock, ids, Outbox::default(), Descriptors::new(1_000), GuessLimits::default()))
}

fn sent(text: &str) -> SentKey {
    let value = HeaderValue::from_str(&format!("\"{text}\"")).unwrap();
    let headers = HeaderMap::from_iter([(HeaderName::from_static("idempotency-key"), value)]);
    SentKey::of(&headers).unwrap().unwrap()
}

/// Sends a request with the key `k`, whose handler returns a reply.
async fn send(core: &Arc<Core>, layer: &Idempotency, body: &str, reply: Reply) -> Result<Reply, KeyRefusal> {
    layer.run(core, SCOPE, &sent("k"), &[body.as_bytes()], async { reply }).await
}

/// A handler that replies once it is released.
fn waiting() -> (oneshot::Sender<()>, impl Future<Output = Reply> + Send + 'static) {
    let (release, released) = oneshot::channel::<()>();
    let handler = async move {
        released.await.unwrap();
        reply(201, "first")
    };
    (release, handler)
}

#[tokio::test]
async fn what_a_handler_decided_is_replayed_and_what_the_server_could_not_do_is_not() {
    for (status, is_replayed) in [
        (201, true),
        (204, true),
        (404, true),
        (422, true),
        (408, false),
        (429, false),
        (500, false),
        (503, false),
    ] {
        let (core, layer) = (core(), Idempotency::default());
        let first = send(&core, &layer, "body", reply(status, "first")).await;
        assert_eq!(first, Ok(reply(status, "first")));
        let second = send(&core, &layer, "body", reply(200, "second")).await;
        let expected = if is_replayed { replay(status, "first") } else { reply(200, "second") };
        assert_eq!(second, Ok(expected), "{status}");
        assert_eq!(send(&core, &layer, "another", reply(200, "")).await, Err(KeyRefusal::Reused));
    }
}

#[tokio::test]
async fn a_request_that_is_repeated_while_the_first_is_in_progress_is_refused() {
    let (core, layer) = (core(), Idempotency::default());
    let (release, handler) = waiting();
    let key = sent("k");
    let mut first = Box::pin(layer.run(&core, SCOPE, &key, &[b"body"], handler));
    assert!((&mut first).now_or_never().is_none());
    assert_eq!(send(&core, &layer, "body", reply(200, "")).await, Err(KeyRefusal::InProgress));
    assert_eq!(send(&core, &layer, "another", reply(200, "")).await, Err(KeyRefusal::Reused));
    release.send(()).unwrap();
    assert_eq!(first.await, Ok(reply(201, "first")));
    assert_eq!(send(&core, &layer, "body", reply(200, "")).await, Ok(replay(201, "first")));
}

#[tokio::test]
async fn a_client_that_disconnects_finds_the_response_when_it_repeats_the_request() {
    let (core, layer) = (core(), Idempotency::default());
    let (release, handler) = waiting();
    let key = sent("k");
    let mut first = Box::pin(layer.run(&core, SCOPE, &key, &[b"body"], handler));
    assert!((&mut first).now_or_never().is_none());
    drop(first);
    release.send(()).unwrap();
    let repeated = loop {
        match send(&core, &layer, "body", reply(200, "second")).await {
            Err(KeyRefusal::InProgress) => tokio::task::yield_now().await,
            other => break other,
        }
    };
    assert_eq!(repeated, Ok(replay(201, "first")));
}

#[tokio::test]
async fn a_request_that_wrote_and_failed_is_not_carried_out_again() {
    let (core, layer) = (core(), Idempotency::default());
    let runs = Arc::new(AtomicUsize::new(0));
    let fail = async || {
        let (store, runs) = (Arc::clone(&core), Arc::clone(&runs));
        let handler = async move {
            runs.fetch_add(1, Ordering::Relaxed);
            store.commit(Vec::new()).await.unwrap();
            reply(500, "")
        };
        layer.run(&core, SCOPE, &sent("k"), &[b"body"], handler).await
    };
    assert_eq!(fail().await, Ok(reply(500, "")));
    assert_eq!(fail().await, Err(KeyRefusal::ResponseLost));
    assert_eq!(runs.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_handler_that_panics_leaves_its_key_unused_if_it_wrote_nothing() {
    let (core, layer) = (core(), Idempotency::default());
    let key = sent("k");
    let panics = layer.run::<Reply>(&core, SCOPE, &key, &[b"body"], async { panic!("on purpose") });
    assert!(std::panic::AssertUnwindSafe(panics).catch_unwind().await.is_err(), "the panic is passed on");
    assert_eq!(send(&core, &layer, "body", reply(201, "made")).await, Ok(reply(201, "made")));
}

#[tokio::test]
async fn a_response_that_is_too_large_is_sent_and_not_kept() {
    let (core, layer) = (core(), Idempotency::default());
    let most = "x".repeat(MAX_KEPT_BYTES);
    assert_eq!(send(&core, &layer, "body", reply(200, &most)).await, Ok(reply(200, &most)));
    assert_eq!(send(&core, &layer, "body", reply(200, "")).await, Ok(replay(200, &most)));
    let (core, layer) = (self::core(), Idempotency::default());
    let longer = "x".repeat(MAX_KEPT_BYTES + 1);
    assert_eq!(send(&core, &layer, "body", reply(200, &longer)).await, Ok(reply(200, &longer)));
    assert_eq!(send(&core, &layer, "body", reply(200, "")).await, Ok(reply(200, "")), "it wrote nothing");
}

#[tokio::test]
async fn a_key_that_expired_is_new_and_is_deleted_by_the_job() {
    let (core, layer) = (core(), Idempotency::default());
    send(&core, &layer, "body", reply(201, "first")).await.unwrap();
    core.clock.advance(KEY_LIFETIME.saturating_sub(Duration::from_millis(1)));
    assert!(!forget_some_keys(Arc::clone(&core)).await.unwrap(), "no further key has expired");
    assert_eq!(send(&core, &layer, "body", reply(200, "")).await, Ok(replay(201, "first")));
    core.clock.advance(Duration::from_millis(1));
    assert_eq!(send(&core, &layer, "another", reply(201, "second")).await, Ok(reply(201, "second")));
    core.clock.advance(KEY_LIFETIME);
    let seal = Seal::new(SCOPE, &sent("k"));
    let key = IdempotencyKey { scope: SCOPE, digest: seal.digest() };
    assert!(core.store.used_key(key).await.unwrap().is_some());
    assert!(!forget_some_keys(Arc::clone(&core)).await.unwrap(), "no further key has expired");
    assert!(core.store.used_key(key).await.unwrap().is_none());
}
