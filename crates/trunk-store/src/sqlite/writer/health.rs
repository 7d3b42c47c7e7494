//! Publishes the health of the writer, and logs each change once and refused writes as a count.

use std::time::Duration;

use service_base::clock::Clock;
use tokio::sync::watch;

use crate::WriteHealth;

/// Minimum time between two log lines about refused writes, and between two about a full disk.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

pub(super) struct HealthReporter {
    health: watch::Sender<WriteHealth>,
    clock: Clock,
    /// Number of refused writes that are not logged yet.
    refused: usize,
    /// When refused writes were last logged, on the clock's stopwatch.
    logged_at: Duration,
    /// When a full disk was last logged, on the clock's stopwatch.
    full_logged_at: Option<Duration>,
    /// Whether a full disk was logged, and its end was not.
    is_full_logged: bool,
}

impl HealthReporter {
    pub(super) fn new(health: watch::Sender<WriteHealth>, clock: Clock) -> Self {
        Self {
            health,
            clock,
            refused: 0,
            logged_at: Duration::ZERO,
            full_logged_at: None,
            is_full_logged: false,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(*self.health.borrow(), WriteHealth::Ended(_))
    }

    pub(super) fn is_full(&self) -> bool {
        *self.health.borrow() == WriteHealth::Full
    }

    /// Reports a durable commit, which shows that a full disk has space again.
    pub(super) fn report_writable(&mut self) {
        if self.is_full() {
            self.health.send_replace(WriteHealth::Writable);
            if std::mem::take(&mut self.is_full_logged) {
                let refused = std::mem::take(&mut self.refused);
                tracing::info!(refused, "the disk takes a write again: writes are accepted");
            }
        }
    }

    /// Reports that the disk is full, and the number of writes that were refused therefore.
    pub(super) fn report_full(&mut self, writes: usize) {
        if self.has_ended() {
            return self.count_refused(writes);
        }
        if !self.is_full() {
            self.health.send_replace(WriteHealth::Full);
            let now = self.clock.stopwatch();
            // If some writes fit and others do not, the health changes again and again.
            if self.full_logged_at.is_none_or(|logged_at| now.saturating_sub(logged_at) >= LOG_INTERVAL) {
                (self.is_full_logged, self.full_logged_at, self.logged_at) = (true, Some(now), now);
                tracing::error!(
                    "the disk is full, or cannot be written: writes are refused until it takes a write again"
                );
            }
        }
        self.count_refused(writes);
    }

    /// Ends writing until the server is restarted. Only the first reason is kept.
    pub(super) fn end(&mut self, why: String) {
        if self.has_ended() {
            return;
        }
        tracing::error!(
            why,
            "writes have ended until the server is restarted: reads continue from the durable state"
        );
        self.logged_at = self.clock.stopwatch();
        self.health.send_replace(WriteHealth::Ended(why));
    }

    /// Counts writes that were refused, for the next line of the log.
    pub(super) fn count_refused(&mut self, writes: usize) {
        self.refused = self.refused.saturating_add(writes);
        self.log_refused_if_due();
    }

    /// Logs the number of refused writes, at most once a minute.
    pub(super) fn log_refused_if_due(&mut self) {
        let now = self.clock.stopwatch();
        if self.refused > 0 && now.saturating_sub(self.logged_at) >= LOG_INTERVAL {
            tracing::warn!(refused = std::mem::take(&mut self.refused), "writes were refused");
            self.logged_at = now;
        }
    }
}
