use http_listener::Limits;
use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::guessing::GuessLimits;
use service_base::ids::Ids;
use service_core::{Core, Outbox};
use trunk_store::SqliteStore;
use voipbin_types::{Call, HangupBy, HangupReason};

use super::*;
use crate::config::PlatformConfig;

type Reserved = Vec<(Receiver<Command>, Box<Entity<Calls>>)>;
type Reply = oneshot::Sender<Result<(), StoreError>>;

fn size<F: Future>(
    _begin: impl FnOnce(Arc<Platform>, Reserved, Vec<Change>, Option<KeyUse>, Reply) -> F,
) -> usize {
    size_of::<F>()
}

#[test]
fn the_task_of_a_call_is_small() {
    assert!(size(begin) < 1_500, "{}", size(begin));
}

#[tokio::test]
async fn a_call_that_is_hung_up_while_no_carrier_is_called_is_not_sent_to_the_next_one() {
    let store = Arc::new(SqliteStore::in_memory().unwrap());
    let (ids, outbox, descriptors) = (Ids::seeded(1), Outbox::new(false), Descriptors::new(1_024));
    let core = Core::new(store, Clock::system(), ids, outbox, descriptors, GuessLimits::default());
    let loaded = Platform::load(Arc::new(core), PlatformConfig::default(), Limits::default()).await;
    let platform = Arc::new(loaded.unwrap());
    let (id, customer, at) = (Uuid::from_u128(1), Uuid::from_u128(2), platform.timestamps.next());
    let public = Call { id, customer_id: customer, tm_create: Some(at), ..Call::default() };
    let providers = vec![Uuid::from_u128(3), Uuid::from_u128(4)];
    let private = CallPrivate { providers, ..CallPrivate::default() };
    let call = Entity::<Calls>::new(id, customer, at, public, private);
    platform.core.commit(vec![call.put()]).await.unwrap();
    let commands = platform.active_calls.reserve(customer, &[id]).unwrap().remove(0);

    // The command is sent first, and waits when the call begins.
    let hang_up = platform.active_calls.send_command(id, Command::HangUp);
    let running = run(Arc::clone(&platform), Box::new(call), commands);
    let (answer, ()) = tokio::join!(biased; hang_up, running);
    let answer = answer.expect("the call replies").unwrap();
    assert!(answer.contains(r#""status":"canceling""#), "{answer}");
    let ended = Entity::<Calls>::find(&*platform.core.store, id).await.unwrap().unwrap();
    let (reason, by) = (ended.public.hangup_reason, ended.public.hangup_by);
    assert_eq!((reason, by), (Some(HangupReason::Cancel), Some(HangupBy::Local)));
    assert!(ended.private.tries.is_empty(), "no provider was tried");
}
