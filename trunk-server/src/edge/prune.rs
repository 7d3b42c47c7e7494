//! Records of calls are kept for the current month and some before it, as long as an export can ask for them.

use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;

use super::Inner;

/// How often it is looked what is too old.
const EVERY: Duration = Duration::from_hours(1);
/// Records that one write forgets: few, for calls that end wait behind it.
const TOGETHER: u64 = 100;
/// The wait between two such writes.
const BREATH: Duration = Duration::from_millis(10);
/// The wait after one that failed.
const RETRY: Duration = Duration::from_mins(1);

/// Forgets for as long as the server runs.
pub(super) async fn run(inner: Arc<Inner>) {
    let clock = &inner.app.clock;
    loop {
        let now = clock.now();
        let Some(before) = kept_from(now, inner.config.keep_months) else { return };
        match inner.app.store.forget_calls(before, TOGETHER).await {
            Ok(0) => clock.sleep_until(now.after(EVERY)).await,
            Ok(_) => tokio::time::sleep(BREATH).await,
            Err(error) => {
                tracing::warn!(%error, "old call records could not be forgotten; it is tried again");
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
}
