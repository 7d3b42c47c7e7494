//! Deletes call records that are older than `keep_months`; until then exports can contain them.
//!
//! Those of the last 24 hours are kept in any case: a start counts them against the thresholds of trunks, and with one
//! month the first day of a month would begin without the calls of the day before.

use std::sync::Arc;

use didww_types::Timestamp;
use service_core::Core;
use service_core::jobs::JobSet;
use service_core::retention::retention;
use trunk_store::StoreError;

use super::billing::state::spending_from;
use super::inner::Inner;

/// The name of the job.
const KIND: &str = "edge.delete_old_calls";
/// Limit of records that one commit deletes. It is small because the records of ending calls wait behind the
/// commit.
const MAX_DELETED_PER_COMMIT: u64 = 100;

/// The job that deletes old records.
pub(crate) fn jobs(inner: &Inner) -> JobSet {
    retention(&inner.core.clock, KIND, inner.config.keep_months, delete_some)
}

/// Deletes some of the records of calls that ended before this time, and returns their number.
async fn delete_some(core: Arc<Core>, before: Timestamp) -> Result<u64, StoreError> {
    let before = before.min(spending_from(core.clock.now()));
    core.store.forget_calls(before, MAX_DELETED_PER_COMMIT).await
}

#[cfg(test)]
mod tests {
    use service_base::clock::Clock;
    use service_base::descriptors::Descriptors;
    use service_base::guessing::GuessLimits;
    use service_base::ids::Ids;
    use service_core::Outbox;
    use trunk_store::{Change, SqliteStore, StoredCall};
    use uuid::Uuid;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn ended(id: u128, text: &str) -> Change {
        Change::Call(Arc::new(StoredCall {
            id: Uuid::from_u128(id),
            account: 1,
            trunk: Uuid::from_u128(9),
            ended_at: at(text),
            cause: 200,
            code: 200,
            source: "1".to_owned(),
            destination: "2".to_owned(),
            price: "0.5".to_owned(),
            call_id: None,
            attributes: "{}".to_owned(),
        }))
    }

    #[tokio::test]
    async fn a_call_of_the_last_24_hours_is_kept_in_a_month_that_has_just_begun() {
        let store = Arc::new(SqliteStore::in_memory().unwrap());
        let (clock, guesses) = (Clock::system(), GuessLimits::default());
        let (ids, outbox) = (Ids::seeded(1), Outbox::new(false));
        let core = Arc::new(Core::new(store, clock, ids, outbox, Descriptors::new(1_024), guesses));
        let calls = vec![ended(1, "2026-11-29T23:00:00.000Z"), ended(2, "2026-11-30T12:00:00.000Z")];
        core.store.commit(calls).await.unwrap();
        for (now, deleted, left) in [
            ("2026-12-01T00:00:00.000Z", 1, 1),
            ("2026-12-01T12:00:00.000Z", 0, 1),
            ("2026-12-01T12:00:00.001Z", 1, 0),
        ] {
            core.clock.freeze(Some(at(now)));
            let month = at("2026-12-01T00:00:00.000Z");
            assert_eq!(delete_some(Arc::clone(&core), month).await, Ok(deleted), "{now}");
            let charges = core.store.charges_since(Timestamp::from_unix_millis(0)).await.unwrap();
            assert_eq!(charges.len(), left, "{now}");
        }
    }
}
