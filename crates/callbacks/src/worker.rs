//! The task that sends the events that are due.
//!
//! All of its lasting state is in the store. An attempt that is interrupted when the server stops is not
//! recorded, so it is repeated after the next start, or by another node.
//!
//! Of several nodes of a database, one at a time sends the events of a subject, under a lease that each round of
//! the loop extends. The events of a dead node are taken over when its leases run out: after [`LEASE`] and
//! [`LOOK_INTERVAL`] at most. A node that cannot extend its leases ends the attempts in progress before.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use didww_types::{Secret, Timestamp};
use lab::{CallbackFate, Lab};
use rust_decimal::Decimal;
use service_base::boxed::Boxed;
use service_base::clock::Stopwatch;
use service_base::log_limiter::LogLimiter;
use service_core::Core;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::Instrument as _;
use trunk_store::{Attempted, Bounds, Due, EventForm, Owner, StoreError, Surplus};
use url::Url;
use uuid::Uuid;

use crate::batch::{Batch, batches};
use crate::lease::Lease;
use crate::request::Request;
use crate::send::{Outcome, Sender};
use crate::settings::Settings;
use crate::span;

/// The maximum number of events that are read from the store at a time.
const MAX_EVENTS_PER_READ: u64 = 1024;
/// The maximum number of events that one transaction drops. It is small because the writes of calls wait for
/// the transaction.
const MAX_DROPPED_PER_WRITE: u64 = 200;
/// The time for which the events of a subject are leased. An attempt may take longer: its lease is extended.
const LEASE: Duration = Duration::from_secs(20);
/// The least time for which leases last after a round, which extends those that end within three quarters of their
/// time. The clocks of nodes agree to a second.
const LEASE_KEPT: Duration = Duration::from_secs(14);
/// The longest time between two rounds of the loop, if there can be other nodes: their events are found, and leases
/// extended.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// The time between two searches for events that are too old.
const AGE_CHECK_INTERVAL: Duration = Duration::from_mins(1);
/// The delay after a failure of the store.
const STORE_RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest time that attempts in progress may take when the server stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Limits the lines about reads that fail, which are repeated every second while the database is away.
static UNREAD: LogLimiter = LogLimiter::once("the events that are due could not be read");
/// Limits the lines about searches for surplus events that fail, for the same reason.
static NOT_DROPPED: LogLimiter = LogLimiter::once("surplus events could not be dropped");

/// Sends the events that are due until `stop` is true. Then attempts in progress have 2 seconds to finish.
pub fn run(core: Arc<Core>, settings: Settings, stop: watch::Receiver<bool>) -> Boxed<'static, ()> {
    Box::pin(send_events(core, settings, stop))
}

async fn send_events(core: Arc<Core>, settings: Settings, mut stop: watch::Receiver<bool>) {
    let sender = Arc::new(Sender::new(&settings, core.own.clone()));
    let mut worker = Worker {
        core: Arc::clone(&core),
        settings,
        sender,
        attempts: JoinSet::new(),
        in_progress: HashMap::new(),
        age_checked_at: None,
        extended: watch::Sender::new(Stopwatch::start()),
        now: core.clock.now(),
    };
    loop {
        let follows_clock = worker.follow_clock().await;
        worker.drop_surplus().await;
        let next = worker.launch().await;
        let age_check = worker.next_age_check();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(ended) = worker.attempts.join_next_with_id() => worker.ended(ended),
            () = core.outbox.woken() => {}
            () = wait_until_due(&core, next) => {}
            () = core.clock.sleep_until(age_check) => {}
            () = tokio::time::sleep(LOOK_INTERVAL), if core.store.is_shared() => {}
            () = core.clock.set_back_before(worker.now), if follows_clock => {}
            () = tokio::time::sleep(STORE_RETRY_DELAY), if !follows_clock => {}
        }
    }
    worker.finish().await;
}

/// Waits until the next event is due; for ever if there is none.
async fn wait_until_due(core: &Core, next: Result<Option<Timestamp>, StoreError>) {
    match next {
        Ok(Some(at)) => core.clock.sleep_until(at).await,
        Ok(None) => std::future::pending().await,
        Err(error) => {
            if UNREAD.admits((), core.clock.now()) {
                tracing::error!(%error, "the events that are due could not be read; it is tried again");
            }
            tokio::time::sleep(STORE_RETRY_DELAY).await;
        }
    }
}

struct Worker {
    core: Arc<Core>,
    settings: Settings,
    sender: Arc<Sender>,
    attempts: JoinSet<()>,
    /// The owner and subject of each attempt in progress.
    in_progress: HashMap<Id, (Owner, Uuid)>,
    /// When a search for surplus events last found none, or failed.
    age_checked_at: Option<Timestamp>,
    /// When the last round began that extended this node's leases.
    extended: watch::Sender<Stopwatch>,
    /// The clock's time when the current round of the loop started.
    now: Timestamp,
}

impl Worker {
    /// If the clock was set back, moves the due times of events back by the same amount, so that no event
    /// waits longer. Returns false if the store could not do it: the next round tries again.
    async fn follow_clock(&mut self) -> bool {
        let now = self.core.clock.now();
        let back = self.now.as_unix_millis().saturating_sub(now.as_unix_millis());
        if let Ok(back @ 1..) = u64::try_from(back) {
            self.age_checked_at = None;
            if let Err(error) = self.core.store.set_back(now, Duration::from_millis(back)).await {
                tracing::error!(%error, "the clock was set back, and events wait longer until the store can follow it");
                return false;
            }
        }
        self.now = now;
        true
    }

    /// Drops some of the events that are too many or too old. The next round continues. A dropped event whose
    /// attempt is in progress may still be delivered.
    async fn drop_surplus(&mut self) {
        let now = self.core.clock.now();
        if let Err(error) = self.drop_some(now).await {
            if NOT_DROPPED.admits((), now) {
                tracing::error!(%error, "surplus events could not be dropped; it is tried again");
            }
            self.age_checked_at = Some(now);
        }
    }

    async fn drop_some(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let (store, settings) = (&self.core.store, &self.settings);
        let max = Some(settings.webhooks_waiting).filter(|max| *max > 0).unwrap_or(u64::MAX);
        if now < self.next_age_check() && !store.is_overfull(max).await? {
            return Ok(());
        }
        let age = i64::try_from(settings.webhook_age.as_millis()).ok().filter(|age| *age > 0);
        let before = age.map_or(i64::MIN, |age| now.as_unix_millis().saturating_sub(age));
        let bounds = Bounds { most: max, before: Timestamp::from_unix_millis(before) };
        let dropped = store.drop_surplus(bounds, MAX_DROPPED_PER_WRITE).await?;
        if dropped.is_empty() {
            self.age_checked_at = Some(now);
            return Ok(());
        }
        for dropped in dropped {
            let (customer, events) = (dropped.customer, dropped.events);
            match dropped.why {
                Surplus::TooMany => tracing::warn!(
                    %customer, events, max, "a customer's oldest events were dropped: too many wait for delivery"
                ),
                Surplus::TooOld => {
                    let seconds = settings.webhook_age.as_secs();
                    tracing::warn!(
                        %customer, events, seconds, "a customer's events were dropped: they waited too long for delivery"
                    );
                }
            }
        }
        // There may be further events to drop.
        self.age_checked_at = None;
        self.core.outbox.wake();
        Ok(())
    }

    /// When the next search for events that are too old is due.
    fn next_age_check(&self) -> Timestamp {
        self.age_checked_at.map_or(Timestamp::from_unix_millis(i64::MIN), |at| at.after(AGE_CHECK_INTERVAL))
    }

    /// Starts an attempt for each batch that is due and within the limits. Returns when the next event after
    /// now is due.
    async fn launch(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let now = self.core.clock.now();
        // Each owner's first events, as many as its simultaneous attempts. If the owner has an event that is
        // not in progress, this includes one.
        let of_owner = self.settings.parallel_per_owner.max(1);
        let of_owner = u64::try_from(of_owner).unwrap_or(u64::MAX);
        let (node, until) = (self.core.store.node(), now.after(LEASE));
        let due = Due { node, now, until, limit: MAX_EVENTS_PER_READ, of_owner };
        let since = Stopwatch::start();
        let due = self.core.store.due_events(due).await?;
        self.extended.send_replace(since);
        for batch in batches(due) {
            if self.has_room_for(&batch) {
                let owner_and_subject = (batch.owner(), batch.subject);
                let (core, sender) = (Arc::clone(&self.core), Arc::clone(&self.sender));
                let (lab, factor) = (self.settings.lab.clone(), self.settings.retry_clock_factor);
                let span = span::begin(&batch);
                let is_shared = core.store.is_shared();
                let lease = is_shared.then(|| Lease::new(self.extended.subscribe(), LEASE_KEPT));
                let attempt = attempt(core, sender, lab, factor, batch, now, lease).instrument(span);
                self.in_progress.insert(self.attempts.spawn(attempt).id(), owner_and_subject);
            }
        }
        self.core.store.next_due(now).await
    }

    fn has_room_for(&self, batch: &Batch) -> bool {
        let settings = &self.settings;
        let of_owner = self.in_progress.values().filter(|(owner, _)| *owner == batch.owner()).count();
        self.in_progress.len() < settings.parallel.max(1)
            && of_owner < settings.parallel_per_owner.max(1)
            && self.in_progress.values().all(|(_, subject)| *subject != batch.subject)
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "the task of an attempt failed; the attempt is repeated");
                error.id()
            }
        };
        self.in_progress.remove(&id);
    }

    /// Waits a short time for attempts in progress. Those that do not finish are repeated after the next
    /// start.
    async fn finish(mut self) {
        let all = async { while self.attempts.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, all).await.is_err() {
            let left = self.attempts.len();
            tracing::info!(
                left,
                "attempts in progress were interrupted; they are repeated after the next start"
            );
        }
        self.attempts.shutdown().await;
    }
}

/// Makes one attempt to deliver a batch, and records its outcome. There is none if the lease is over before: another
/// node may begin the same attempt then.
async fn attempt(
    core: Arc<Core>,
    sender: Arc<Sender>,
    lab: Lab,
    factor: Decimal,
    batch: Batch,
    at: Timestamp,
    lease: Option<Lease>,
) {
    let subject = batch.subject;
    let is_over = async {
        match &lease {
            Some(lease) => lease.over().await,
            None => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        biased;
        () = is_over => {
            tracing::warn!(%subject, "an attempt to deliver events was ended: this node could not extend its lease");
            return;
        }
        outcome = deliver(&core, &sender, &lab, &batch) => match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::warn!(%error, %subject, "a callback could not be signed; it is tried again");
                tokio::time::sleep(STORE_RETRY_DELAY).await;
                return;
            }
        },
    };
    let (events, status) = (batch.len(), outcome.status);
    let counter = match &batch.form {
        EventForm::Trunk { .. } | EventForm::Status { .. } => &core.counts.callbacks,
        EventForm::Webhook { .. } => &core.counts.webhooks,
    };
    counter.count(outcome.error.is_none());
    span::end(&outcome);
    match &outcome.error {
        None => tracing::debug!(%subject, events, status, "events were delivered"),
        Some(error) => tracing::info!(%subject, events, status, error, "an attempt to deliver events failed"),
    }
    for attempted in batch.records(&outcome, at, core.clock.now(), factor) {
        if attempted.again_at.is_none() && outcome.error.is_some() {
            let events = attempted.numbers.len();
            let last = if outcome.is_final { "without a further attempt" } else { "after the last attempt" };
            tracing::warn!(%subject, events, "events were abandoned {last}");
        }
        record(&core, attempted).await;
    }
}

/// Makes the request for a batch, and sends it.
///
/// # Errors
/// If there is no request because the store cannot be read now.
async fn deliver(core: &Core, sender: &Sender, lab: &Lab, batch: &Batch) -> Result<Outcome, StoreError> {
    let request = match request(core, batch).await {
        Ok(request) => request,
        Err(Unmade::Final(outcome)) => return Ok(outcome),
        Err(Unmade::Later(error)) => return Err(error),
    };
    Ok(match fate(core, lab, batch, &request).await {
        CallbackFate::Lost => Outcome::default(),
        CallbackFate::Answered(status) => {
            let is_delivered = (batch.policy().is_delivered)(status);
            let error = (!is_delivered).then(|| format!("answered {}", status.as_u16()));
            Outcome::answered(status.as_u16(), error)
        }
        _ => sender.send(batch.policy(), request).await,
    })
}

/// The effect of an injected fault on a request; it waits here if the fault delays the request.
async fn fate(core: &Core, lab: &Lab, batch: &Batch, request: &Request) -> CallbackFate {
    let account = match &batch.form {
        EventForm::Trunk { account } | EventForm::Status { account, .. } if lab.names_accounts() => {
            let accounts = core.store.accounts().await.unwrap_or_default();
            accounts.iter().find(|known| known.number == *account).map(|known| known.id)
        }
        _ => None,
    };
    let path = Url::parse(&request.url).map(|url| url.path().to_owned()).unwrap_or_default();
    lab.send(account, request.method.as_str(), &path).await
}

/// Why there is no request for a batch.
#[derive(Debug, PartialEq, Eq)]
enum Unmade {
    /// The store cannot be read now. That is no attempt: nothing was sent, and the documented delays, which begin with
    /// a minute, are for receivers that fail. The next round reads the events again, because another node may have sent
    /// them meanwhile.
    Later(StoreError),
    /// The outcome of an attempt without a request.
    Final(Outcome),
}

/// The enabled callback secret of an account.
async fn secret(core: &Core, account: i64) -> Result<Secret, Unmade> {
    let secret = core.store.enabled_callback_secret(account).await.map_err(|error| match error {
        // It stays so, and the events must not wait for ever.
        StoreError::Corrupt(_) => {
            let why = format!("the account's callback secret could not be read: {error}");
            Unmade::Final(Outcome::failed(why))
        }
        error => Unmade::Later(error),
    })?;
    secret.ok_or_else(|| {
        Unmade::Final(Outcome::dropped("the account has no enabled callback secret to sign with"))
    })
}

/// Makes the request for a batch. Its events are dropped if their account has no enabled callback secret any more.
async fn request(core: &Core, batch: &Batch) -> Result<Request, Unmade> {
    match &batch.form {
        EventForm::Trunk { account } => {
            Request::callback(&secret(core, *account).await?, &batch.url, batch.body())
        }
        EventForm::Status { account, method } => {
            Request::parameters(&secret(core, *account).await?, *method, &batch.url, &batch.body())
        }
        EventForm::Webhook { method, signature, .. } => {
            Request::webhook(method, &batch.url, signature.as_deref(), batch.body())
        }
    }
    .map_err(|error| Unmade::Final(Outcome::failed(error)))
}

/// Stores the record of an attempt, and repeats this until it succeeds. Until then the subject's next attempt
/// does not start.
async fn record(core: &Core, attempted: Attempted) {
    while let Err(error) = core.store.attempted(core.store.node(), attempted.clone()).await {
        let subject = attempted.delivery.subject;
        tracing::error!(%error, %subject, "an attempt could not be recorded; it is tried again");
        tokio::time::sleep(STORE_RETRY_DELAY).await;
    }
}

#[cfg(test)]
mod tests;
