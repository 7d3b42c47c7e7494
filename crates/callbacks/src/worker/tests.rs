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

fn batch(form: EventForm) -> Batch {
    let event = NewEvent {
        form,
        subject: Uuid::from_u128(7),
        url: "http://example.com/callbacks".to_owned(),
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
    let unmade = request(&core, &batch(callback.clone())).await.err();
    assert!(matches!(unmade, Some(Unmade::Later(StoreError::Failed(_)))), "{unmade:?}");
    // An attempt would be recorded, and that would be repeated until the store accepts it.
    let sender = Arc::new(Sender::new(&Settings::default()));
    let at = core.clock.now();
    let attempt = attempt(Arc::clone(&core), sender, Lab::default(), Decimal::ONE, batch(callback), at);
    tokio::time::timeout(DEADLINE, attempt).await.expect("the attempt ends without a record");
}

#[tokio::test]
async fn a_callback_of_an_account_without_an_enabled_secret_is_dropped_with_its_first_attempt() {
    let core = core(SqliteStore::in_memory().unwrap());
    let unmade = request(&core, &batch(EventForm::Trunk { account: 1 })).await.err();
    assert!(matches!(&unmade, Some(Unmade::Final(outcome)) if outcome.is_final), "{unmade:?}");
}
