//! Jobs: due times, leases, and completion together with an effect.

use std::time::Duration;

use didww_types::Timestamp;
use futures_util::future::{join, join_all};
use serde_json::json;
use trunk_store::{
    Change, IfScheduled, Job, LeasedJob, MAX_JOBS_PER_ACCOUNT, MAX_PAYLOAD_BYTES, MAX_SUBJECT_BYTES, Store,
    StoreError, TakeJobs,
};

use crate::support::records::{commit, everything, id, insert, trunk, trunks};

const KIND: &str = "test";
const NODE: i64 = 1;
const OTHER_NODE: i64 = 2;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn job(subject: &str, due_at: i64) -> Job {
    Job::new(KIND, subject, at(due_at))
}

fn schedule(job: Job) -> Change {
    Change::Schedule { job: Box::new(job), existing: IfScheduled::Replace }
}

fn keep_earlier(job: Job) -> Change {
    Change::Schedule { job: Box::new(job), existing: IfScheduled::KeepEarlier }
}

/// Takes jobs for a node, under a lease of 1,000 ms.
async fn take_as(store: &impl Store, node: i64, now: i64) -> Vec<LeasedJob> {
    let take = TakeJobs { node, now: at(now), until: at(now + 1_000), kinds: vec![(KIND, 100)] };
    store.take_jobs(take).await.unwrap()
}

async fn take(store: &impl Store, now: i64) -> Vec<LeasedJob> {
    take_as(store, NODE, now).await
}

/// Takes the only job that is due.
async fn take_one(store: &impl Store, now: i64) -> LeasedJob {
    let mut taken = take(store, now).await;
    assert_eq!(taken.len(), 1, "{taken:?}");
    taken.remove(0)
}

fn subjects(taken: &[LeasedJob]) -> Vec<&str> {
    taken.iter().map(|leased| leased.job.subject.as_str()).collect()
}

async fn next(store: &impl Store, node: i64) -> Option<i64> {
    store.next_job(node, vec![KIND]).await.unwrap().map(Timestamp::as_unix_millis)
}

async fn due_at(store: &impl Store, subject: &str) -> Option<i64> {
    store.job(KIND, subject.to_owned()).await.unwrap().map(|job| job.due_at.as_unix_millis())
}

/// A change whose effect can be counted: it creates a trunk.
fn effect(number: u128) -> Change {
    insert(trunks(1), id(number), trunk(&number.to_string(), &json!({})))
}

async fn effects(store: &impl Store) -> u64 {
    store.list(everything(trunks(1))).await.unwrap().total
}

pub async fn a_job_can_be_taken_when_it_is_due_and_not_before(store: &impl Store) {
    assert_eq!(next(store, NODE).await, None);
    let stored = Job { account: Some(7), payload: r#"{"a":1}"#.to_owned(), ..job("a", 2_000) };
    commit(store, vec![schedule(stored.clone()), schedule(Job::new("other", "a", at(1)))]).await;
    assert_eq!(next(store, NODE).await, Some(2_000), "a job of another kind does not count");
    assert_eq!(take(store, 1_999).await, []);
    let taken = take_one(store, 2_000).await;
    assert_eq!((&taken.job, taken.attempts), (&stored, 1));
    assert_eq!(store.job(KIND, "a".to_owned()).await.unwrap(), Some(stored));
    assert_eq!(store.job(KIND, "b".to_owned()).await.unwrap(), None);
}

pub async fn due_jobs_are_taken_in_the_order_of_their_times_up_to_the_maximum_of_their_kind(
    store: &impl Store,
) {
    let jobs = [("c", 30), ("a", 10), ("b", 20), ("late", 99), ("a too", 10)];
    commit(store, jobs.map(|(subject, due_at)| schedule(job(subject, due_at))).to_vec()).await;
    commit(store, vec![schedule(Job::new("other", "x", at(15))), schedule(Job::new("other", "y", at(25)))])
        .await;
    let kinds = vec![(KIND, 3), ("other", 1)];
    let taken = store.take_jobs(TakeJobs { node: NODE, now: at(50), until: at(60), kinds }).await.unwrap();
    assert_eq!(subjects(&taken), ["a", "a too", "x", "b"]);
    let none = vec![(KIND, 0)];
    let taken = store.take_jobs(TakeJobs { node: NODE, now: at(50), until: at(60), kinds: none }).await;
    assert_eq!(taken.unwrap(), []);
    assert_eq!(subjects(&take(store, 50).await), ["c"]);
    assert_eq!(next(store, NODE).await, Some(99));
}

pub async fn a_kind_has_one_job_for_a_subject_and_the_earlier_time_can_be_kept(store: &impl Store) {
    let first = Job { payload: "1".to_owned(), ..job("a", 500) };
    commit(store, vec![keep_earlier(first.clone())]).await;
    let later = Job { payload: "2".to_owned(), ..job("a", 900) };
    commit(store, vec![keep_earlier(later.clone())]).await;
    assert_eq!(store.job(KIND, "a".to_owned()).await.unwrap(), Some(first.clone()));
    commit(store, vec![keep_earlier(Job { due_at: at(100), ..later.clone() })]).await;
    assert_eq!(store.job(KIND, "a".to_owned()).await.unwrap(), Some(Job { due_at: at(100), ..first }));
    commit(store, vec![schedule(later.clone())]).await;
    assert_eq!(store.job(KIND, "a".to_owned()).await.unwrap(), Some(later));
    assert_eq!(take(store, 900).await.len(), 1);
}

pub async fn a_taken_job_is_left_to_its_node_until_the_lease_expires(store: &impl Store) {
    commit(store, vec![schedule(job("a", 0)), effect(1)]).await;
    let lost = take_one(store, 0).await;
    assert_eq!((next(store, NODE).await, next(store, OTHER_NODE).await), (None, Some(1_000)));
    assert_eq!(take_as(store, OTHER_NODE, 999).await, []);
    assert_eq!(take(store, 5_000).await, [], "a node that runs a job does not take it again");
    let [taken] = take_as(store, OTHER_NODE, 1_000).await.try_into().unwrap();
    assert_eq!((taken.job.subject.as_str(), taken.attempts), ("a", 2));
    let late = store.commit(vec![Change::Done(lost.lease), effect(2)]).await;
    assert_eq!((late, effects(store).await), (Err(StoreError::Conflict), 1), "the first node lost its lease");
    commit(store, vec![Change::Done(taken.lease), effect(3)]).await;
    assert_eq!(effects(store).await, 2);
}

pub async fn a_job_is_done_together_with_its_effect_and_only_once(store: &impl Store) {
    commit(store, vec![schedule(job("a", 0))]).await;
    let taken = take_one(store, 0).await;
    // An effect that fails leaves the job.
    let unlinked = Change::Delete { scope: trunks(1), id: id(99) };
    assert_eq!(store.commit(vec![Change::Done(taken.lease), unlinked]).await, Err(StoreError::Conflict));
    assert!(due_at(store, "a").await.is_some());
    commit(store, vec![Change::Done(taken.lease), effect(1)]).await;
    assert_eq!((due_at(store, "a").await, effects(store).await), (None, 1));
    for completion in [
        Change::Done(taken.lease),
        Change::Reschedule { lease: taken.lease, due_at: at(9), attempts: 0, payload: None },
    ] {
        // The completion refuses wherever it stands among the changes.
        let again = store.commit(vec![effect(2), completion]).await;
        assert_eq!((again, effects(store).await), (Err(StoreError::Conflict), 1));
    }
    // The next job of the subject is another job, although it has the same key.
    commit(store, vec![schedule(job("a", 0))]).await;
    let next = take_one(store, 0).await;
    assert_eq!(store.commit(vec![Change::Done(taken.lease)]).await, Err(StoreError::Conflict));
    commit(store, vec![Change::Done(next.lease)]).await;
}

pub async fn a_run_that_was_superseded_or_cancelled_changes_nothing(store: &impl Store) {
    commit(store, vec![schedule(job("again", 0)), schedule(job("cancelled", 0)), schedule(job("kept", 0))])
        .await;
    let [again, cancelled, kept] = take(store, 0).await.try_into().unwrap();
    let cancel = |subject: &str| Change::Cancel { kind: KIND, subject: subject.to_owned() };
    commit(store, vec![schedule(job("again", 700)), cancel("cancelled"), keep_earlier(job("kept", 800))])
        .await;
    commit(store, vec![cancel("never was")]).await;
    for lost in [again, cancelled] {
        let late = store.commit(vec![effect(1), Change::Done(lost.lease)]).await;
        assert_eq!(late, Err(StoreError::Conflict), "{}", lost.job.subject);
    }
    commit(store, vec![effect(2), Change::Done(kept.lease)]).await;
    assert_eq!(effects(store).await, 1);
    let left = take(store, 1_000_000).await;
    assert_eq!((subjects(&left), left[0].job.due_at, left[0].attempts), (vec!["again"], at(700), 1));
}

pub async fn a_rescheduled_job_has_its_new_time_payload_and_attempts(store: &impl Store) {
    commit(store, vec![schedule(Job { payload: "1".to_owned(), ..job("a", 0) })]).await;
    for (attempts, payload, stored) in [(1, None, "1"), (2, Some("2"), "2"), (0, None, "2")] {
        let taken = take_one(store, 1_000).await;
        let payload = payload.map(str::to_owned);
        let lease = taken.lease;
        commit(store, vec![Change::Reschedule { lease, due_at: at(1_000), attempts, payload }]).await;
        let again = take_one(store, 1_000).await;
        assert_eq!((again.job.payload.as_str(), again.attempts), (stored, attempts + 1));
        let kept = Change::Reschedule { lease: again.lease, due_at: at(1_000), attempts, payload: None };
        commit(store, vec![kept]).await;
    }
    assert_eq!(take(store, 999).await, []);
}

pub async fn a_node_that_starts_again_releases_what_it_held(store: &impl Store) {
    commit(store, vec![schedule(job("a", 0)), schedule(job("b", 0))]).await;
    let [lost, _] = take(store, 0).await.try_into().unwrap();
    commit(store, vec![schedule(job("c", 0))]).await;
    assert_eq!(take_as(store, OTHER_NODE, 0).await.len(), 1);
    assert_eq!(store.release_jobs(NODE, Vec::new()).await, Ok(2));
    assert_eq!(store.release_jobs(NODE, Vec::new()).await, Ok(0));
    let taken = take(store, 0).await;
    assert_eq!(subjects(&taken), ["a", "b"], "the other node still runs its job");
    assert_eq!(taken[0].attempts, 2);
    assert_eq!(store.commit(vec![Change::Done(lost.lease)]).await, Err(StoreError::Conflict));
}

/// What a node holds and does not run was taken by a write whose outcome it did not learn.
pub async fn a_node_releases_the_jobs_that_it_holds_and_does_not_run(store: &impl Store) {
    commit(store, vec![schedule(job("runs", 0)), schedule(job("again", 0)), schedule(job("lost", 0))]).await;
    let [runs, again, _] = take(store, 0).await.try_into().unwrap();
    // It was scheduled again during its run, and taken a second time, which the node did not learn.
    commit(store, vec![schedule(job("again", 0))]).await;
    assert_eq!(subjects(&take(store, 0).await), ["again"]);
    assert_eq!(take(store, 5_000).await, []);
    let running = vec![runs.lease, again.lease];
    assert_eq!(store.release_jobs(NODE, running.clone()).await, Ok(2));
    let taken = take(store, 0).await;
    assert_eq!(subjects(&taken), ["again", "lost"]);
    assert_eq!(
        store.release_jobs(OTHER_NODE, Vec::new()).await,
        Ok(0),
        "the jobs of another node are its own"
    );
    commit(store, vec![effect(1), Change::Done(runs.lease)]).await;
    for leased in taken {
        commit(store, vec![Change::Done(leased.lease)]).await;
    }
    assert_eq!((take(store, 9_000).await.len(), effects(store).await), (0, 1));
}

pub async fn the_jobs_of_an_account_are_bounded_and_deleted_with_its_records(store: &impl Store) {
    let of = |account: i64, number: u64| Job { account: Some(account), ..job(&number.to_string(), 0) };
    commit(store, (0..MAX_JOBS_PER_ACCOUNT).map(|number| schedule(of(1, number))).collect()).await;
    let further = |job: Job| store.commit(vec![schedule(job)]);
    let refused = further(of(1, MAX_JOBS_PER_ACCOUNT)).await;
    assert_eq!(refused, Err(StoreError::Quota { kind: "jobs", most: MAX_JOBS_PER_ACCOUNT }));
    further(of(1, 7)).await.unwrap();
    further(of(2, MAX_JOBS_PER_ACCOUNT)).await.unwrap();
    further(job("the server's own", 0)).await.unwrap();

    store.reset(Some(1), false).await.unwrap();
    further(of(1, 1)).await.unwrap();
    assert_eq!(subjects(&take(store, 0).await), ["1000", "the server's own", "1"]);
    store.reset(None, false).await.unwrap();
    assert_eq!(due_at(store, "1").await, None);
    assert_eq!(due_at(store, "the server's own").await, Some(0));
}

pub async fn a_job_that_is_too_large_is_refused(store: &impl Store) {
    let subject = "s".repeat(MAX_SUBJECT_BYTES);
    let payload = format!("\"{}\"", "p".repeat(MAX_PAYLOAD_BYTES - 2));
    commit(store, vec![schedule(Job { payload: payload.clone(), ..job(&subject, 0) })]).await;
    let too_large = |what: &'static str, most: usize| Err(StoreError::JobTooLarge { what, most });
    let refused = store.commit(vec![schedule(job(&format!("{subject}s"), 0))]).await;
    assert_eq!(refused, too_large("subject", MAX_SUBJECT_BYTES));
    let larger = format!("{payload} ");
    let refused = store.commit(vec![schedule(Job { payload: larger.clone(), ..job("a", 0) })]).await;
    assert_eq!(refused, too_large("payload", MAX_PAYLOAD_BYTES));
    let lease = take_one(store, 0).await.lease;
    let again = Change::Reschedule { lease, due_at: at(0), attempts: 0, payload: Some(larger) };
    assert_eq!(store.commit(vec![again]).await, too_large("payload", MAX_PAYLOAD_BYTES));
}

pub async fn jobs_wait_no_longer_when_the_clock_was_set_back(store: &impl Store) {
    let jobs = [("past", 100), ("soon", 10_500), ("later", 20_000)];
    commit(store, jobs.map(|(subject, due_at)| schedule(job(subject, due_at))).to_vec()).await;
    commit(store, vec![schedule(job("held", 0))]).await;
    // Its lease lasts until 10,500. "past" is taken by the same call, and its lease ends with it.
    assert_eq!(subjects(&take_as(store, OTHER_NODE, 9_500).await), ["held", "past"]);
    // From 10,000 to 1,000.
    store.set_back_jobs(at(1_000), Duration::from_secs(9)).await.unwrap();
    assert_eq!(subjects(&take(store, 1_499).await), [""; 0], "the leases last as long as before");
    let due = [due_at(store, "past").await, due_at(store, "soon").await, due_at(store, "later").await];
    assert_eq!(due, [Some(100), Some(1_500), Some(11_000)]);
    let mut taken = take(store, 1_500).await;
    taken.sort_by(|a, b| a.job.subject.cmp(&b.job.subject));
    assert_eq!(subjects(&taken), ["held", "past", "soon"]);
}

pub async fn a_schedule_is_reported_after_its_commit(store: &impl Store) {
    let mut scheduled = store.jobs_scheduled();
    commit(store, vec![effect(1)]).await;
    assert!(!scheduled.has_changed().unwrap());
    let refused = store.commit(vec![schedule(job("a", 0)), effect(1)]).await;
    assert!(refused.is_err() && !scheduled.has_changed().unwrap(), "nothing was scheduled");
    commit(store, vec![schedule(job("a", 0))]).await;
    assert!(scheduled.has_changed().unwrap());
    scheduled.mark_unchanged();
    let lease = take_one(store, 0).await.lease;
    commit(store, vec![Change::Done(lease)]).await;
    assert!(!scheduled.has_changed().unwrap());
}

pub async fn jobs_that_are_taken_at_once_are_taken_once(store: &impl Store) {
    jobs_are_taken_by_one_of_two(store, store).await;
}

/// Two nodes take jobs at the same time, until none is left.
pub(super) async fn jobs_are_taken_by_one_of_two(one: &impl Store, other: &impl Store) {
    let jobs = (0..60_i64).map(|number| schedule(job(&format!("{number:02}"), number)));
    commit(one, jobs.collect()).await;
    let mut taken = Vec::new();
    for now in (0..60).step_by(6) {
        let rounds = (0..4).map(|_| join(take_as(one, NODE, now + 5), take_as(other, OTHER_NODE, now + 5)));
        for (own, others) in join_all(rounds).await {
            taken.extend(own.into_iter().chain(others));
        }
    }
    taken.sort_by_key(|leased| leased.job.due_at);
    let subjects = subjects(&taken);
    assert_eq!(subjects, (0..60).map(|number| format!("{number:02}")).collect::<Vec<_>>());
    let done = join_all(taken.iter().map(|leased| other.commit(vec![Change::Done(leased.lease)]))).await;
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    assert_eq!(take_as(one, OTHER_NODE, 1_000_000).await, []);
}

pub async fn the_jobs_of_an_account_are_bounded_however_many_are_scheduled_at_once(store: &impl Store) {
    let of = |number: u64| schedule(Job { account: Some(1), ..job(&number.to_string(), 0) });
    commit(store, (20..MAX_JOBS_PER_ACCOUNT).map(of).collect()).await;
    let further = (0..20).chain(2_000..2_020).map(|number| store.commit(vec![of(number)]));
    let outcomes = join_all(further).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 20, "{outcomes:?}");
}
