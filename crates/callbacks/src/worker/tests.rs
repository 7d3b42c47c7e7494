//! Attempts with a store that fails.

use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::guessing::GuessLimits;
use service_base::ids::Ids;
use service_core::Outbox;
use trunk_store::{Engine as _, NewEvent, PendingEvent, SqliteStore};

use super::*;

/// Far longer than an attempt takes that sends nothing.
const DEADLINE: Duration = Duration::from_secs(20);

const URL: &str = "http://example.com/callbacks";

fn batch(form: EventForm, url: &str) -> Batch {
    let event = NewEvent {
        form,
        subject: Uuid::from_u128(7),
        url: url.to_owned(),
        body: r#"{"id":"1"}"#.to_owned(),
        created_at: Timestamp::from_unix_millis(0),
    };
    batches(vec![PendingEvent { number: 1, event, attempts: 0 }]).remove(0)
}

fn core(store: SqliteStore) -> Arc<Core> {
    let (outbox, descriptors) = (Outbox::default(), Descriptors::new(1_024));
    let clock = Clock::system();
    Arc::new(Core::new(Arc::new(store), clock, Ids::system(), outbox, descriptors, GuessLimits::default()))
}

#[tokio::test]
async fn a_callback_that_the_store_keeps_from_being_signed_is_no_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("callbacks.db")).unwrap();
    store.close().await.unwrap();
    let core = core(store);
    let callback = EventForm::Trunk { account: 1 };
    let unmade = request(&core, &batch(callback.clone(), URL)).await.err();
    assert!(matches!(unmade, Some(Unmade::Later(StoreError::Failed(_)))), "{unmade:?}");
    // An attempt would be recorded, and that would be repeated until the store accepts it.
    let sender = Arc::new(Sender::new(&Settings::default(), core.own.clone()));
    let at = core.clock.now();
    let attempt =
        attempt(Arc::clone(&core), sender, Lab::default(), Decimal::ONE, batch(callback, URL), at, None);
    tokio::time::timeout(DEADLINE, attempt).await.expect("the attempt ends without a record");
}

#[tokio::test]
async fn an_attempt_whose_lease_is_over_ends_without_a_record_because_another_node_may_make_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("callbacks.db")).unwrap();
    store.close().await.unwrap();
    let core = core(store);
    // It accepts connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let customer = Uuid::from_u128(5);
    let webhook = EventForm::Webhook { customer, method: "POST".to_owned(), signature: None };
    let batch = batch(webhook, &format!("http://{}/", silent.local_addr().unwrap()));
    let settings = Settings { allow_loopback: true, ..Settings::default() };
    let sender = Arc::new(Sender::new(&settings, core.own.clone()));
    let extended = watch::Sender::new(Stopwatch::start());
    let lease = Lease::new(extended.subscribe(), Duration::from_millis(100));
    let at = core.clock.now();
    let attempt = attempt(Arc::clone(&core), sender, Lab::default(), Decimal::ONE, batch, at, Some(lease));
    // The timeout of webhooks is longer, and a record is never stored.
    tokio::time::timeout(DEADLINE, attempt).await.expect("the attempt ends with its lease");
}

#[tokio::test]
async fn a_callback_of_an_account_without_an_enabled_secret_is_dropped_with_its_first_attempt() {
    let core = core(SqliteStore::in_memory().unwrap());
    let unmade = request(&core, &batch(EventForm::Trunk { account: 1 }, URL)).await.err();
    assert!(matches!(&unmade, Some(Unmade::Final(outcome)) if outcome.is_final), "{unmade:?}");
}
