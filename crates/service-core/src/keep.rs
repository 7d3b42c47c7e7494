//! What is over is kept for the current month and some before it, and then forgotten, a little at a time.

use std::time::Duration;

use didww_types::Timestamp;

use service_base::clock::Clock;
use trunk_store::StoreError;

/// How often it is looked what is too old.
const EVERY: Duration = Duration::from_hours(1);
/// The wait between two writes that forget.
const BREATH: Duration = Duration::from_millis(10);
/// The wait after one that failed.
const RETRY: Duration = Duration::from_mins(1);

/// Forgets for as long as the server runs: `forget` forgets a little of what ended before a time, and says how much
/// that was. With 0 months everything is kept.
pub async fn keep<F>(clock: &Clock, months: u32, what: &str, forget: impl Fn(Timestamp) -> F)
where
    F: Future<Output = Result<u64, StoreError>>,
{
    loop {
        let now = clock.now();
        let Some(before) = kept_from(now, months) else { return };
        match forget(before).await {
            Ok(0) => clock.sleep_until(now.after(EVERY)).await,
            Ok(_) => tokio::time::sleep(BREATH).await,
            Err(error) => {
                tracing::warn!(%error, what, "what is too old could not be forgotten; it is tried again");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// The first moment of the first month that is kept, in UTC: with 1 that of the current month.
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
    fn with_zero_months_nothing_is_ever_asked_for() {
        use futures_util::FutureExt as _;
        let forget = |_| async { panic!("what is kept for ever is forgotten") };
        assert_eq!(keep(&Clock::system(), 0, "nothing", forget).now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn it_goes_on_while_there_is_more_and_again_after_an_hour() {
        let clock = Clock::system();
        clock.freeze(Some("2026-11-30T23:00:00.000Z".parse().unwrap()));
        let (asked, mut asks) = tokio::sync::mpsc::unbounded_channel();
        let left = std::cell::Cell::new(2_u64);
        let forget = |before: Timestamp| {
            asked.send(before.to_string()).unwrap();
            let forgotten = left.get();
            left.set(forgotten.saturating_sub(1));
            std::future::ready(Ok(forgotten))
        };
        let keeping = keep(&clock, 1, "something", forget);
        let watching = async {
            for _ in 0..3 {
                assert_eq!(asks.recv().await.as_deref(), Some("2026-11-01T00:00:00.000Z"));
            }
            clock.advance(Duration::from_hours(1));
            assert_eq!(asks.recv().await.as_deref(), Some("2026-12-01T00:00:00.000Z"));
        };
        tokio::select! {
            () = keeping => panic!("it ended"),
            () = watching => {}
        }
    }
}
