//! Deletes records that are older than the configured number of months, a few at a time.

use std::time::Duration;

use didww_types::Timestamp;
use service_base::clock::Clock;
use trunk_store::StoreError;

/// The time between two searches for expired records.
const CHECK_INTERVAL: Duration = Duration::from_hours(1);
/// The pause between two deletions, in which other writes can run.
const PAUSE_BETWEEN_DELETIONS: Duration = Duration::from_millis(10);
/// The delay after a failed deletion.
const RETRY_DELAY: Duration = Duration::from_mins(1);

/// Deletes expired records for as long as the server runs.
///
/// Records are kept for the current month (UTC) and `months - 1` months before it. With 0 months all records
/// are kept, and this returns at once. `delete_before` deletes a few of the records that ended before a time,
/// and returns their number. After 0 the next search is an hour later; a failure is logged, with `what` as
/// the kind of record, and the deletion is tried again after a minute.
pub async fn enforce_retention<F>(
    clock: &Clock,
    months: u32,
    what: &str,
    delete_before: impl Fn(Timestamp) -> F,
) where
    F: Future<Output = Result<u64, StoreError>>,
{
    loop {
        let now = clock.now();
        let Some(before) = kept_from(now, months) else { return };
        match delete_before(before).await {
            Ok(0) => clock.sleep_until(now.after(CHECK_INTERVAL)).await,
            Ok(_) => tokio::time::sleep(PAUSE_BETWEEN_DELETIONS).await,
            Err(error) => {
                tracing::warn!(%error, what, "expired records could not be deleted; it is tried again in a minute");
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}

/// The start of the earliest month that is kept, in UTC. With 1 month this is the start of the current month.
/// `None` with 0 months.
fn kept_from(now: Timestamp, months: u32) -> Option<Timestamp> {
    let text = now.to_string();
    let mut parts = text.splitn(3, '-');
    let (year, month): (u32, u32) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let first = (year * 12 + month.checked_sub(1)?).checked_sub(months.checked_sub(1)?)?;
    format!("{:04}-{:02}-01T00:00:00.000Z", first / 12, first % 12 + 1).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_month_counts_and_years_have_twelve() {
        let from = |now: &str, months| {
            let from = kept_from(now.parse().unwrap(), months);
            from.map(|from| from.to_string().get(..10).unwrap().to_owned())
        };
        assert_eq!(from("2026-11-30T23:59:59.999Z", 3).as_deref(), Some("2026-09-01"));
        assert_eq!(from("2026-02-01T00:00:00.000Z", 3).as_deref(), Some("2025-12-01"));
        assert_eq!(from("2026-12-31T12:00:00.000Z", 1).as_deref(), Some("2026-12-01"));
        assert_eq!(from("2026-12-31T12:00:00.000Z", 13).as_deref(), Some("2025-12-01"));
        assert_eq!(from("2026-12-31T12:00:00.000Z", 0), None);
    }

    #[test]
    fn with_zero_months_nothing_is_deleted() {
        use futures_util::FutureExt as _;
        let delete = |_| async { panic!("records that are kept for ever were deleted") };
        assert_eq!(enforce_retention(&Clock::system(), 0, "nothing", delete).now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn it_deletes_until_nothing_has_expired_and_again_after_an_hour() {
        let clock = Clock::system();
        clock.freeze(Some("2026-11-30T23:00:00.000Z".parse().unwrap()));
        let (calls, mut deletions) = tokio::sync::mpsc::unbounded_channel();
        let left = std::cell::Cell::new(2_u64);
        let delete = |before: Timestamp| {
            calls.send(before.to_string()).unwrap();
            let deleted = left.get();
            left.set(deleted.saturating_sub(1));
            std::future::ready(Ok(deleted))
        };
        let retention = enforce_retention(&clock, 1, "something", delete);
        let watching = async {
            for _ in 0..3 {
                assert_eq!(deletions.recv().await.as_deref(), Some("2026-11-01T00:00:00.000Z"));
            }
            clock.advance(Duration::from_hours(1));
            assert_eq!(deletions.recv().await.as_deref(), Some("2026-12-01T00:00:00.000Z"));
        };
        tokio::select! {
            () = retention => panic!("it ended"),
            () = watching => {}
        }
    }
}
