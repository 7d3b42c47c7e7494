//! Deletes records that are older than the configured number of months, a few at a time, as a job.

use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use service_base::clock::Clock;
use trunk_store::StoreError;

use crate::Core;
use crate::cleanup::hourly;
use crate::jobs::JobSet;

/// The pause between two deletions, in which other writes can run.
const PAUSE_BETWEEN_DELETIONS: Duration = Duration::from_millis(10);

/// The job `kind` that deletes expired records every hour.
///
/// Records are kept for the current month (UTC) and `months - 1` months before it. With 0 months all records are kept,
/// and the set is empty. `delete_before` deletes a few of the records that ended before a time, and returns their
/// number; 0 ends the run. It may be called again for records that it has deleted already.
pub fn retention<F>(
    clock: &Clock,
    kind: &'static str,
    months: u32,
    delete_before: impl Fn(Arc<Core>, Timestamp) -> F + Clone + Send + Sync + 'static,
) -> JobSet
where
    F: Future<Output = Result<u64, StoreError>> + Send + 'static,
{
    if months == 0 {
        return JobSet::default();
    }
    hourly(clock, kind, move |core| delete_expired(core, months, delete_before.clone()))
}

/// Deletes some of the expired records. Returns whether others may be left.
async fn delete_expired<F>(
    core: Arc<Core>,
    months: u32,
    delete_before: impl Fn(Arc<Core>, Timestamp) -> F,
) -> Result<bool, StoreError>
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let Some(before) = kept_from(core.clock.now(), months) else { return Ok(false) };
    if delete_before(core, before).await? == 0 {
        return Ok(false);
    }
    tokio::time::sleep(PAUSE_BETWEEN_DELETIONS).await;
    Ok(true)
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
    use crate::cleanup::{MAX_DELETIONS_PER_RUN, run as run_cleanup};
    use crate::jobs::Outcome;

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

    /// A run at this time: the limit of each deletion, and the result. `left` is the number of deletions that find
    /// something.
    async fn run(now: &str, months: u32, left: usize) -> (Vec<String>, Outcome) {
        let core = crate::jobs::tests::core(trunk_store::SqliteStore::in_memory().unwrap());
        core.clock.freeze(Some(now.parse().unwrap()));
        let limits = std::sync::Mutex::new(Vec::new());
        let delete = |_core: Arc<Core>, before: Timestamp| {
            let mut limits = limits.lock().unwrap();
            limits.push(before.to_string());
            std::future::ready(Ok(u64::from(limits.len() <= left)))
        };
        let outcome = run_cleanup(core, |core| delete_expired(core, months, &delete)).await.unwrap();
        (limits.into_inner().unwrap(), outcome)
    }

    #[test]
    fn with_zero_months_there_is_no_job() {
        let delete = |_, _| std::future::ready(Ok(0));
        assert_eq!(
            format!("{:?}", retention(&Clock::system(), "test", 0, delete)),
            format!("{:?}", JobSet::default())
        );
    }

    #[tokio::test]
    async fn a_run_deletes_until_nothing_has_expired_and_the_next_is_an_hour_later() {
        let (limits, outcome) = run("2026-11-30T23:00:00.000Z", 1, 2).await;
        assert_eq!(limits, ["2026-11-01T00:00:00.000Z"; 3]);
        assert_eq!(outcome.due_at().unwrap().to_string(), "2026-12-01T00:00:00.000Z");
        assert_eq!(run("2026-12-01T00:00:00.000Z", 1, 0).await.0, ["2026-12-01T00:00:00.000Z"]);
    }

    #[tokio::test]
    async fn a_run_deletes_a_bounded_number_and_is_due_again_at_once() {
        let now = "2026-11-30T23:00:00.000Z";
        let (limits, outcome) = run(now, 1, usize::MAX).await;
        assert_eq!(
            (limits.len(), outcome.due_at().unwrap().to_string().as_str()),
            (MAX_DELETIONS_PER_RUN, now)
        );
    }
}
