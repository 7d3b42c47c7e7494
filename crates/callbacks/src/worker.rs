//! The task that sends what is due.
//!
//! It keeps nothing that the store does not know: an attempt that the end of the server cuts short was not noted,
//! so the next start makes it again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use rust_decimal::Decimal;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use uuid::Uuid;

use super::Settings;
use super::batch::{Batch, batches};
use super::request::Request;
use super::send::{Outcome, Sender};
use service_core::Core;
use trunk_store::{Attempted, Bounds, Due, EventForm, Owner, StoreError, Surplus};

/// Most events looked at in one go.
const LOOKED_AT: u64 = 1024;
/// Most events that one write drops: few, for calls wait behind it.
const DROPPED: u64 = 200;
/// How often it is looked for what is too old.
const EVERY: Duration = Duration::from_mins(1);
/// How long to leave the store alone after it failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long attempts under way may take when the server stops.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// Sends what is due until it is told to stop.
pub async fn run(core: Arc<Core>, settings: Settings, mut stop: watch::Receiver<bool>) {
    let sender = Arc::new(Sender::new(&settings));
    let mut worker = Worker {
        core: Arc::clone(&core),
        settings,
        sender,
        attempts: JoinSet::new(),
        under_way: HashMap::new(),
        looked_at: None,
        now: core.clock.now(),
    };
    loop {
        worker.follow_clock().await;
        worker.drop_surplus().await;
        let next = worker.launch().await;
        let look = worker.next_look();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(ended) = worker.attempts.join_next_with_id() => worker.ended(ended),
            () = core.outbox.woken() => {}
            () = wait(&core, next) => {}
            () = core.clock.sleep_until(look) => {}
            () = core.clock.set_back_before(worker.now) => {}
        }
    }
    worker.finish().await;
}

/// Waits for the time of the next event; for ever when there is none.
async fn wait(core: &Core, next: Result<Option<Timestamp>, StoreError>) {
    match next {
        Ok(Some(at)) => core.clock.sleep_until(at).await,
        Ok(None) => std::future::pending().await,
        Err(error) => {
            tracing::error!(%error, "the events that are due could not be read; they are looked for again");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

struct Worker {
    core: Arc<Core>,
    settings: Settings,
    sender: Arc<Sender>,
    attempts: JoinSet<()>,
    /// Owner and subject of each attempt.
    under_way: HashMap<Id, (Owner, Uuid)>,
    /// When it was last looked for what is too old.
    looked_at: Option<Timestamp>,
    /// When the last round began.
    now: Timestamp,
}

impl Worker {
    /// What waits for its time must not wait longer because the clock was set back.
    async fn follow_clock(&mut self) {
        let now = self.core.clock.now();
        let back = self.now.as_unix_millis().saturating_sub(now.as_unix_millis());
        if let Ok(back @ 1..) = u64::try_from(back) {
            self.looked_at = None;
            if let Err(error) = self.core.store.set_back(now, Duration::from_millis(back)).await {
                tracing::error!(%error, "the clock was set back, and events to tell wait longer for it");
            }
        }
        self.now = now;
    }

    /// Drops a little of what waits in too great a number or for too long; the next round goes on with it. One that is
    /// under way then may be told all the same.
    async fn drop_surplus(&mut self) {
        let now = self.core.clock.now();
        if let Err(error) = self.drop_some(now).await {
            tracing::error!(%error, "events that should be dropped could not be; it is tried again");
            self.looked_at = Some(now);
        }
    }

    async fn drop_some(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let (store, settings) = (&self.core.store, &self.settings);
        let most = Some(settings.webhooks_waiting).filter(|most| *most > 0).unwrap_or(u64::MAX);
        if now < self.next_look() && !store.is_overfull(most).await? {
            return Ok(());
        }
        let age = i64::try_from(settings.webhook_age.as_millis()).ok().filter(|age| *age > 0);
        let before = age.map_or(i64::MIN, |age| now.as_unix_millis().saturating_sub(age));
        let bounds = Bounds { most, before: Timestamp::from_unix_millis(before) };
        let dropped = store.drop_surplus(bounds, DROPPED).await?;
        if dropped.is_empty() {
            self.looked_at = Some(now);
            return Ok(());
        }
        for dropped in dropped {
            let (customer, events) = (dropped.customer, dropped.events);
            match dropped.why {
                Surplus::TooMany => tracing::warn!(
                    %customer, events, most, "a customer's oldest events are dropped: more wait to be told than may"
                ),
                Surplus::TooOld => {
                    let seconds = settings.webhook_age.as_secs();
                    tracing::warn!(
                        %customer, events, seconds, "a customer's events are dropped: they waited for too long"
                    );
                }
            }
        }
        // There may be more.
        self.looked_at = None;
        self.core.outbox.wake();
        Ok(())
    }

    /// When it is looked for what is too old.
    fn next_look(&self) -> Timestamp {
        self.looked_at.map_or(Timestamp::from_unix_millis(i64::MIN), |at| at.after(EVERY))
    }

    /// Begins what is due and has room. Gives when something else will be due.
    async fn launch(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let now = self.core.clock.now();
        // Of an owner as many as it may have under way at once: so there is one among them that is not, if there is
        // any at all.
        let of_owner = self.settings.parallel_per_owner.max(1);
        let of_owner = u64::try_from(of_owner).unwrap_or(u64::MAX);
        let due = self.core.store.due_events(Due { now, limit: LOOKED_AT, of_owner }).await?;
        for batch in batches(due) {
            if self.has_room_for(&batch) {
                let whose = (batch.owner(), batch.subject);
                let (core, sender) = (Arc::clone(&self.core), Arc::clone(&self.sender));
                let attempt = attempt(core, sender, self.settings.retry_clock_factor, batch, now);
                self.under_way.insert(self.attempts.spawn(attempt).id(), whose);
            }
        }
        self.core.store.next_due(now).await
    }

    fn has_room_for(&self, batch: &Batch) -> bool {
        let settings = &self.settings;
        let of_owner = self.under_way.values().filter(|(owner, _)| *owner == batch.owner()).count();
        self.under_way.len() < settings.parallel.max(1)
            && of_owner < settings.parallel_per_owner.max(1)
            && self.under_way.values().all(|(_, subject)| *subject != batch.subject)
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "an attempt to call back ended badly; it is made again");
                error.id()
            }
        };
        self.under_way.remove(&id);
    }

    /// Lets attempts under way finish for a short while. Those that do not are made again at the next start.
    async fn finish(mut self) {
        let all = async { while self.attempts.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN, all).await.is_err() {
            let left = self.attempts.len();
            tracing::info!(left, "callbacks under way were cut short; the next start makes them again");
        }
        self.attempts.shutdown().await;
    }
}

/// Makes one attempt and notes what became of it.
async fn attempt(core: Arc<Core>, sender: Arc<Sender>, factor: Decimal, batch: Batch, at: Timestamp) {
    let outcome = match request(&core, &batch).await {
        Ok(request) => sender.send(batch.policy(), request).await,
        Err(error) => Outcome::failed(error),
    };
    let subject = batch.subject;
    let (events, status) = (batch.len(), outcome.status);
    match &outcome.error {
        None => tracing::debug!(%subject, events, status, "called back"),
        Some(error) => tracing::info!(%subject, events, status, error, "a callback failed"),
    }
    for attempted in batch.noted(&outcome, at, core.clock.now(), factor) {
        if attempted.again_at.is_none() && outcome.error.is_some() {
            let events = attempted.numbers.len();
            tracing::warn!(%subject, events, "events are given up after the last attempt");
        }
        note(&core, attempted).await;
    }
}

/// The request that tells a batch.
async fn request(core: &Core, batch: &Batch) -> Result<Request, String> {
    match &batch.form {
        EventForm::Trunk { account } => {
            let keys = core.store.keys(*account).await;
            let keys = keys.map_err(|error| format!("the account's API key could not be read: {error}"))?;
            // An account may have several keys; callbacks are signed with its oldest.
            let key = keys.first().ok_or_else(|| "the account has no API key to sign with".to_owned())?;
            Request::callback(&key.secret, &batch.url, batch.body())
        }
        EventForm::Webhook { method, signature, .. } => {
            Request::webhook(method, &batch.url, signature.as_deref(), batch.body())
        }
    }
}

/// Notes an attempt, however long that takes: while it is not noted, its subject's next one is not made.
async fn note(core: &Core, attempted: Attempted) {
    while let Err(error) = core.store.attempted(attempted.clone()).await {
        let subject = attempted.delivery.subject;
        tracing::error!(%error, %subject, "an attempt to call back could not be noted yet");
        tokio::time::sleep(PAUSE).await;
    }
}
