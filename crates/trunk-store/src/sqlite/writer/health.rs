//! What the writer says of itself: to those who watch it, and once or summed to the log.

use std::time::Duration;

use tokio::sync::watch;

use crate::WriteHealth;
use service_base::clock::Clock;

/// How often refused writes are summed in the log.
const SUM: Duration = Duration::from_mins(1);

pub(super) struct Health {
    told: watch::Sender<WriteHealth>,
    clock: Clock,
    /// Writes that were refused since the log said so last.
    refused: usize,
    /// When that was, on the clock's stopwatch.
    said_at: Duration,
    /// When it said last that the disk is full, and whether it has yet to say that there is room again.
    full_at: Option<Duration>,
    said_full: bool,
}

impl Health {
    pub(super) fn new(told: watch::Sender<WriteHealth>, clock: Clock) -> Self {
        Self { told, clock, refused: 0, said_at: Duration::ZERO, full_at: None, said_full: false }
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(*self.told.borrow(), WriteHealth::Ended(_))
    }

    pub(super) fn is_full(&self) -> bool {
        *self.told.borrow() == WriteHealth::Full
    }

    /// A commit is durable.
    pub(super) fn writable(&mut self) {
        if self.is_full() {
            self.told.send_replace(WriteHealth::Writable);
            if std::mem::take(&mut self.said_full) {
                let refused = std::mem::take(&mut self.refused);
                tracing::info!(refused, "there is room on the disk again; writes are taken");
            }
        }
    }

    /// There is no room; so many writes were refused for it.
    pub(super) fn full(&mut self, writes: usize) {
        if self.has_ended() {
            return self.refused(writes);
        }
        if !self.is_full() {
            self.told.send_replace(WriteHealth::Full);
            let now = self.clock.stopwatch();
            // A disk on which some writes fit and others do not is full again and again.
            if self.full_at.is_none_or(|full_at| now.saturating_sub(full_at) >= SUM) {
                (self.said_full, self.full_at, self.said_at) = (true, Some(now), now);
                tracing::error!("the disk is full: writes are refused until there is room again");
            }
        }
        self.refused(writes);
    }

    /// No write is taken any more. The first reason stands.
    pub(super) fn end(&mut self, why: String) {
        if self.has_ended() {
            return;
        }
        tracing::error!(
            why,
            "writes have ended until the server is started again: no write is taken, reads go on from what is durable"
        );
        self.said_at = self.clock.stopwatch();
        self.told.send_replace(WriteHealth::Ended(why));
    }

    /// So many writes were refused.
    pub(super) fn refused(&mut self, writes: usize) {
        self.refused = self.refused.saturating_add(writes);
        if self.clock.stopwatch().saturating_sub(self.said_at) >= SUM {
            self.sum_up();
        }
    }

    /// Says how many writes were refused, if any were and it is time.
    pub(super) fn sum_up(&mut self) {
        let now = self.clock.stopwatch();
        if self.refused > 0 && now.saturating_sub(self.said_at) >= SUM {
            tracing::warn!(refused = std::mem::take(&mut self.refused), "writes were refused");
            self.said_at = now;
        }
    }
}
