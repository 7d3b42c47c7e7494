//! Calls from their first INVITE to their end. Each call has one task, which alone writes its record.
//!
//! A call follows its leg at the dialler, its flow, and the commands of requests. Bounds: a call ends after
//! the longest duration of the configuration; it tries each of its providers once.

mod commands;

use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use service_base::log_limiter::LogLimiter;
use service_base::mailbox::Receiver;
use service_core::interrupted::{Runners, end_calls};
use sip_dialler::{Invitation, Leg, LegEnd, LegEvent};
use tokio::sync::oneshot;
use tracing::Span;
use trunk_rules::outbound::{Ending, NextRoute, hangup, may_become, next_route};
use trunk_store::{Change, Document, DocumentKind, KeyUse, StoreError, with_key_use};
use uuid::Uuid;
use voipbin_types::{Action, CallStatus};

use crate::active_calls::{CallSlot, Command, NoCapacity};
use crate::entity::Entity;
use crate::error::ApiError;
use crate::flow_cursor::{FlowCursor, Step};
use crate::invite;
use crate::platform::Platform;
use crate::records::call_events;
use crate::records::call_tries::TryCursor;
use crate::records::calls::{CallPrivate, Calls};
use crate::span;
use crate::webhooks::event;

/// The delay before the end of a call is written again after the store failed.
const WRITE_RETRY_DELAY: Duration = Duration::from_secs(1);
/// Limits the lines about calls that cannot be written. The end of each is written again every second.
static UNWRITTEN: LogLimiter = LogLimiter::new("calls could not be written");

/// The changes that write new calls and queue their events.
pub(crate) fn creation_changes<'a>(
    platform: &'a Platform,
    calls: &'a [Entity<Calls>],
) -> impl Iterator<Item = Change> + 'a {
    calls.iter().flat_map(|call| std::iter::once(call.put()).chain(event(platform, call, "call_created")))
}

/// Commits the changes that create the calls of one customer, then dials the calls. Dropping the future after
/// its first poll does not stop that.
///
/// # Errors
/// When there is no capacity for the calls, or they could not be written; then no call is dialled.
pub(crate) async fn place(
    platform: &Arc<Platform>,
    calls: Vec<Entity<Calls>>,
    changes: Vec<Change>,
) -> Result<(), ApiError> {
    let ids: Vec<Uuid> = calls.iter().map(|call| call.id).collect();
    let customer = calls.first().map(|call| call.customer).unwrap_or_default();
    // Reserved before the write: a client that reads the new call may send a request about it at once.
    let active_calls = &platform.active_calls;
    let reserved = if platform.core.is_ready() {
        active_calls.reserve(customer, &ids)
    } else {
        Err(NoCapacity::OfPlatform)
    };
    let reserved = reserved.map_err(|no_capacity| match no_capacity {
        NoCapacity::OfPlatform => ApiError::busy(),
        NoCapacity::OfCustomer => ApiError::too_many_calls(active_calls.max_calls_per_customer()),
    })?;
    let calls = reserved.into_iter().zip(calls.into_iter().map(Box::new)).collect();
    let (reply, written) = oneshot::channel();
    // A separate task: a client that disconnects must not cancel it between the write and the dialling.
    tokio::spawn(begin(Arc::clone(platform), calls, changes, KeyUse::current(), reply));
    written.await.unwrap_or_else(|_| Err(StoreError::Failed("the task of the write panicked".to_owned())))?;
    Ok(())
}

/// Commits the changes, then runs the calls. The task of the commit becomes the task of the last call.
async fn begin(
    platform: Arc<Platform>,
    mut calls: Vec<(Receiver<Command>, Box<Entity<Calls>>)>,
    changes: Vec<Change>,
    key: Option<KeyUse>,
    reply: oneshot::Sender<Result<(), StoreError>>,
) {
    let written = with_key_use(key, platform.core.commit(changes)).await.map(|_| ());
    let failed = written.is_err();
    // Fails only if the client has disconnected.
    let _disconnected = reply.send(written);
    if failed {
        for (commands, call) in calls {
            drop(platform.active_calls.slot(call.customer, call.id, commands));
        }
        return;
    }
    let last = calls.pop();
    for (commands, call) in calls {
        tokio::spawn(run(Arc::clone(&platform), call, commands));
    }
    if let Some((commands, call)) = last {
        run(platform, call, commands).await;
    }
}

/// Runs a call to its end.
async fn run(platform: Arc<Platform>, mut call: Box<Entity<Calls>>, commands: Receiver<Command>) {
    call.revision = Some(0);
    let slot = platform.active_calls.slot(call.customer, call.id, commands);
    let deadline = platform.core.clock.now().after(platform.config.longest_call);
    let flow = FlowCursor::new(Arc::clone(&call.private.actions));
    let span = span::begin(&call);
    let mut running = Running {
        platform: &platform,
        call,
        slot,
        flow,
        deadline,
        forced_ending: None,
        tries: TryCursor::default(),
        is_removed: false,
        unwritten: Vec::new(),
        span,
    };
    let ending = running.dial().await;
    Box::pin(running.end(ending)).await;
}

/// The state of a call's task.
struct Running<'a> {
    platform: &'a Arc<Platform>,
    call: Box<Entity<Calls>>,
    slot: CallSlot<'a>,
    flow: FlowCursor,
    /// When the call is hung up because of its duration.
    deadline: Timestamp,
    /// The reason of a hangup by this server that is more specific than [`Ending::OurSide`].
    forced_ending: Option<Ending>,
    /// Where the record of the call's attempts is.
    tries: TryCursor,
    /// Whether the call's record was removed from the store by a reset.
    is_removed: bool,
    /// The changes that could not be written yet.
    unwritten: Vec<Change>,
    /// The span of the call, until its end is written.
    span: Span,
}

impl Running<'_> {
    /// Tries the providers in their order until one accepts the call, and follows the call to its end.
    async fn dial(&mut self) -> Ending {
        loop {
            if self.obey_waiting().await {
                self.tries.conclude(&mut self.call.private.tries, &NextRoute::HungUp.to_string());
                return Ending::OurSide;
            }
            self.tries.begin(&self.call.private.tries);
            let ending = match (Box::pin(self.invitation()).await, self.platform.dialler.get()) {
                (Ok(invitation), Some(dialler)) => {
                    let mut leg = dialler.call(invitation);
                    let ending = self.follow(&mut leg).await;
                    self.note_tries(&leg);
                    ending
                }
                (Err(why), _) => self.undialled(why),
                (Ok(_), None) => self.undialled("the dialler has not started".to_owned()),
            };
            let CallPrivate { current, providers, .. } = &self.call.private;
            let mut next = next_route(&self.call.public.status, ending, *current, providers.len());
            if matches!(next, NextRoute::Tried(_)) && self.obey_waiting().await {
                next = NextRoute::HungUp;
            }
            self.tries.conclude(&mut self.call.private.tries, &next.to_string());
            self.tries.log(&self.call.private.tries, self.call.id);
            let NextRoute::Tried(next) = next else { return ending };
            self.call.private.current = next;
            self.call.public.tm_update = Some(self.platform.timestamps.next());
            Box::pin(self.save("call_updated")).await;
        }
    }

    /// Records an attempt that could not be dialled.
    fn undialled(&mut self, why: String) -> Ending {
        let attempted = self.call.private.attempted();
        self.tries.undialled(&mut self.call.private.tries, attempted, why);
        Ending::NoResponse
    }

    /// Records the dialler's present record of the attempts at the current provider. The caller writes the call.
    fn note_tries(&mut self, leg: &Leg) {
        let attempted = self.call.private.attempted();
        self.tries.note(&mut self.call.private.tries, attempted, leg.tries());
    }

    /// The INVITE for the current provider, built from the provider's current record.
    ///
    /// # Errors
    /// The provider does not exist or is deleted, or its record makes no valid INVITE.
    async fn invitation(&self) -> Result<Invitation, String> {
        let CallPrivate { providers, current, anonymous, .. } = &self.call.private;
        let (source, destination) = (&self.call.public.source, &self.call.public.destination);
        let made = match providers.get(*current) {
            None => {
                let codecs = self.call.public.metadata.get("codecs").and_then(serde_json::Value::as_str);
                invite::to_uri(source, destination, *anonymous, codecs.unwrap_or_default())
            }
            Some(id) => match self.platform.cache.provider(&*self.platform.core.store, *id).await {
                Ok(Some(provider)) if !provider.deleted => {
                    invite::to_number(&provider, source, destination, *anonymous)
                }
                Ok(_) => return Err("the provider does not exist".to_owned()),
                Err(error) => {
                    tracing::error!(%error, call = %self.call.id, "a call's provider could not be read");
                    return Err("the provider could not be read".to_owned());
                }
            },
        };
        made.map_err(|why| why.to_string())
    }

    /// Follows one attempt to its end.
    async fn follow(&mut self, leg: &mut Leg) -> Ending {
        let clock = self.platform.core.clock.clone();
        // Short steps are boxed: their memory is then in use only while they run. Calls are long, and there
        // are many.
        loop {
            if self.is_removed {
                leg.hang_up();
            }
            let next = self.flow.due().map_or(self.deadline, |due| due.min(self.deadline));
            tokio::select! {
                biased;
                event = leg.next() => match event {
                    Some(LegEvent::Ringing) => {
                        self.note_tries(leg);
                        self.become_status(CallStatus::Ringing).await;
                    }
                    Some(LegEvent::Progress) => {}
                    Some(LegEvent::Answered) => {
                        self.note_tries(leg);
                        self.tries.log(&self.call.private.tries, self.call.id);
                        // An answer that crosses a hangup does not start the flow.
                        if self.become_status(CallStatus::Progressing).await {
                            self.flow.begin(clock.now());
                        }
                    }
                    Some(LegEvent::Ended(end)) => {
                        return self.forced_ending.take().unwrap_or_else(|| ending_of(end));
                    }
                    None => return self.forced_ending.take().unwrap_or(Ending::OurSide),
                },
                command = self.slot.commands.recv() => Box::pin(self.obey(command, Some(&*leg))).await,
                () = clock.sleep_until(next) => {
                    if clock.now() >= self.deadline {
                        self.flow.end();
                        self.forced_ending = Some(Ending::LongestDuration);
                        leg.hang_up();
                        // The leg ends soon: a deadline in the past would fire again until then.
                        self.deadline = self.deadline.after(Duration::from_hours(24));
                    } else {
                        Box::pin(self.step_flow(leg)).await;
                    }
                }
            }
        }
    }

    /// Performs one action of the flow. Between two actions, events of the far end and commands are handled.
    async fn step_flow(&mut self, leg: &mut Leg) {
        if self.call.public.status != CallStatus::Progressing {
            self.flow.end();
            return;
        }
        match self.flow.step(self.platform.core.clock.now()) {
            Step::Begin(action) => {
                let at = self.platform.timestamps.next();
                self.call.public.action = Action {
                    id: action.id,
                    next_id: action.next_id,
                    kind: Some(action.kind),
                    option: action.option,
                    tm_execute: Some(at),
                };
                self.call.public.tm_update = Some(at);
                self.save("call_updated").await;
            }
            Step::Wait => {}
            Step::End => self.hang_up(Some(&*leg)).await,
        }
    }

    /// Changes the call's status and returns true, or returns false if the rules do not permit the change.
    async fn become_status(&mut self, status: CallStatus) -> bool {
        if !may_become(&self.call.public.status, &status) {
            return false;
        }
        let at = Some(self.platform.timestamps.next());
        let public = &mut self.call.public;
        public.tm_update = at;
        let kind = match status {
            CallStatus::Ringing => {
                public.tm_ringing = at;
                "call_ringing"
            }
            CallStatus::Progressing => {
                public.tm_progressing = at;
                "call_progressing"
            }
            CallStatus::Canceling => "call_canceling",
            CallStatus::Terminating => "call_terminating",
            // A call is created with the first status, and `mark_ended` sets the last one.
            _ => return false,
        };
        public.status = status;
        Box::pin(self.save(kind)).await;
        true
    }

    /// Writes the call and its event. Changes that cannot be written now are written with the next ones.
    async fn save(&mut self, kind: &str) {
        note_event(&mut self.call, kind);
        self.unwritten.push(self.call.put());
        self.unwritten.extend(event(self.platform, &self.call, kind));
        if let Err(error) = self.write().await
            && UNWRITTEN.admits(self.call.id, self.platform.core.clock.now())
        {
            let call = self.call.id;
            tracing::error!(%error, %call, kind, "a call could not be written; the call continues");
        }
    }

    /// Writes the pending changes: only the latest state of the call, and all events.
    async fn write(&mut self) -> Result<(), StoreError> {
        let mut changes = std::mem::take(&mut self.unwritten);
        let last = changes.iter().rposition(|change| matches!(change, Change::Put { .. }));
        let mut at = 0..;
        changes.retain(|change| at.next() == last || !matches!(change, Change::Put { .. }));
        while let Err(error) = self.platform.core.commit(changes.clone()).await {
            if error != StoreError::Conflict {
                self.unwritten = changes;
                return Err(error);
            }
            match self.adopt_stored().await {
                Ok(true) => {
                    let puts = changes.iter_mut().filter(|change| matches!(change, Change::Put { .. }));
                    puts.for_each(|put| *put = self.call.put());
                }
                Ok(false) => {
                    self.is_removed = true;
                    return Err(error);
                }
                Err(error) => {
                    self.unwritten = changes;
                    return Err(error);
                }
            }
        }
        self.call.revision = self.call.revision.map(|revision| revision + 1);
        Ok(())
    }

    /// After a conflict, [adopts](Entity::adopt) the stored record. Returns false if the call must not continue.
    async fn adopt_stored(&mut self) -> Result<bool, StoreError> {
        let stored = Entity::<Calls>::find(&*self.platform.core.store, self.call.id).await?;
        Ok(stored.is_some_and(|stored| self.call.adopt(&stored)))
    }

    /// Writes the end of the call, and retries until that succeeds: until then the call is active for all
    /// clients.
    async fn end(mut self, ending: Ending) {
        mark_ended(self.platform, &mut self.call, ending);
        span::record_end(&self.span, &self.call);
        self.save("call_hangup").await;
        while !self.unwritten.is_empty() && !self.is_removed {
            if !self.platform.core.is_ready() {
                // The server stops. Its next start ends the calls that are still active.
                return;
            }
            tokio::time::sleep(WRITE_RETRY_DELAY).await;
            if let Err(error) = self.write().await
                && UNWRITTEN.admits(self.call.id, self.platform.core.clock.now())
            {
                tracing::error!(%error, call = %self.call.id, "the end of a call could not be written yet");
            }
        }
    }
}

/// Adds an event to those of a call, at the time of its last change. The caller writes the call.
fn note_event(call: &mut Entity<Calls>, kind: &str) {
    let at = call.public.tm_update.unwrap_or(call.created_at);
    // The action that began with this change, if one did.
    let begun = Some(&call.public.action).filter(|action| action.tm_execute == Some(at));
    call_events::add(&mut call.private.events, kind, at, begun);
}

/// Records in a call that it ended, and why. The caller writes it.
fn mark_ended(platform: &Platform, call: &mut Entity<Calls>, ending: Ending) {
    let hangup = hangup(&call.public.status, ending);
    let at = Some(platform.timestamps.next());
    let public = &mut call.public;
    public.status = CallStatus::Hangup;
    public.hangup_reason = Some(hangup.reason);
    public.hangup_by = Some(hangup.by);
    (public.tm_hangup, public.tm_update) = (at, at);
}

/// Ends the calls that were active when an earlier process of the server was killed, or another node of the database,
/// and those of this node that have no task, because it is known only now that their creation was committed. Returns
/// their number.
///
/// # Errors
/// When the store cannot be read or written.
pub(crate) async fn end_interrupted_calls(platform: &Platform) -> Result<usize, StoreError> {
    end_calls(&platform.core, DocumentKind::Call, |document: &Document, runners: &Runners| {
        let mut call = Entity::<Calls>::from_document(document)?;
        let node = call.private.node;
        // A call of this node that has ended since it was read is not ended again: its revision differs.
        if runners.is_other(node) || (runners.is_own(node) && platform.active_calls.has(call.id)) {
            return Ok(None);
        }
        mark_ended(platform, &mut call, Ending::FarEnd);
        note_event(&mut call, "call_hangup");
        let event = event(platform, &call, "call_hangup");
        Ok(Some(std::iter::once(call.put()).chain(event).collect()))
    })
    .await
}

fn ending_of(end: LegEnd) -> Ending {
    match end {
        LegEnd::Refused(code) => Ending::Refused(code),
        // The platform has no hangup reason for a lack of its own ports.
        LegEnd::NoResponse | LegEnd::NoPort => Ending::NoResponse,
        LegEnd::RingTimeout => Ending::RingTimeout,
        // The platform has no hangup reason for a carrier that no longer responds.
        LegEnd::HungUp | LegEnd::Expired => Ending::FarEnd,
        LegEnd::Cancelled | LegEnd::HungUpByUs => Ending::OurSide,
    }
}

#[cfg(test)]
mod tests;
