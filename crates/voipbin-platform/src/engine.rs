//! A call from its first INVITE to its end. Each call has one task, which alone writes it.

use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use tokio::sync::oneshot;
use trunk_rules::outbound::{CallStatus as Status, Ending, hangup, next_attempt};
use uuid::Uuid;
use voipbin_types::{Action, CallStatus, HangupBy, HangupReason};

use super::calls::{CallOwn, Calls, mark_deleted};
use super::entity::Entity;
use super::error::ApiError;
use super::live::{Command, NoRoom, Place};
use super::platform::Platform;
use super::run::{Run, Turn};
use super::webhooks::event;
use service_base::mailbox::Receiver;
use sip_dialler::{Invitation, Leg, LegEnd, LegEvent};
use trunk_store::{Change, StoreError};

/// How long to leave the store alone after it failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes new calls with everything that belongs to them, then dials them. Once it has begun it is done to its end,
/// whether somebody waits for it or not.
///
/// # Errors
/// When they could not be written; nothing is dialled then.
pub(crate) async fn place(
    platform: &Arc<Platform>,
    calls: Vec<Entity<Calls>>,
    changes: Vec<Change>,
) -> Result<(), ApiError> {
    let ids: Vec<Uuid> = calls.iter().map(|call| call.id).collect();
    let customer = calls.first().map(|call| call.customer).unwrap_or_default();
    // Whoever reads a call that was just written may ask something of it at once.
    let live = &platform.live;
    let announced = if platform.core.is_ready() { live.announce(customer, &ids) } else { Err(NoRoom::All) };
    let announced = announced.map_err(|no_room| match no_room {
        NoRoom::All => ApiError { retry_after: Some(1), ..ApiError::unavailable() },
        NoRoom::OfCustomer => ApiError::too_many_calls(live.of_one()),
    })?;
    let calls = announced.into_iter().zip(calls.into_iter().map(Box::new)).collect();
    let (reply, written) = oneshot::channel();
    // A task of its own: a client that goes away must not stop it between what is written and what follows.
    tokio::spawn(begin(Arc::clone(platform), calls, changes, reply));
    written.await.unwrap_or_else(|_| Err(StoreError::Failed("the write ended badly".to_owned())))?;
    Ok(())
}

/// Writes new calls and dials them. The task of the writing becomes that of the last call.
async fn begin(
    platform: Arc<Platform>,
    mut calls: Vec<(Receiver<Command>, Box<Entity<Calls>>)>,
    changes: Vec<Change>,
    reply: oneshot::Sender<Result<(), StoreError>>,
) {
    let told = changes.iter().any(|change| matches!(change, Change::Emit(_)));
    let written = platform.core.store.commit(changes).await.map(|_| ());
    let failed = written.is_err();
    // Whoever asked may be gone.
    let _gone = reply.send(written);
    if failed {
        for (commands, call) in calls {
            drop(platform.live.place(call.customer, call.id, commands));
        }
        return;
    }
    if told {
        platform.core.outbox.wake();
    }
    let last = calls.pop();
    for (commands, call) in calls {
        tokio::spawn(run(Arc::clone(&platform), call, commands));
    }
    if let Some((commands, call)) = last {
        run(platform, call, commands).await;
    }
}

async fn run(platform: Arc<Platform>, mut call: Box<Entity<Calls>>, commands: Receiver<Command>) {
    call.revision = Some(0);
    let place = platform.live.place(call.customer, call.id, commands);
    let longest = platform.core.clock.now().after(platform.config.longest_call);
    let flow = Run::new(Arc::clone(&call.own.actions));
    let mut running = Running {
        platform: &platform,
        call,
        place,
        flow,
        longest,
        forced: None,
        gone: false,
        unsaid: Vec::new(),
    };
    let ending = running.dial().await;
    Box::pin(running.end(ending)).await;
}

struct Running<'a> {
    platform: &'a Arc<Platform>,
    call: Box<Entity<Calls>>,
    place: Place<'a>,
    flow: Run,
    longest: Timestamp,
    /// Why it was hung up from here, where that says more than that it was.
    forced: Option<Ending>,
    /// Whether nobody knows of it any more: everything was reset.
    gone: bool,
    /// What could not be written yet of what is to be told.
    unsaid: Vec<Change>,
}

impl Running<'_> {
    /// Tries the providers in their order until one takes the call, and follows it to its end.
    async fn dial(&mut self) -> Ending {
        loop {
            let ending = match (Box::pin(self.invitation()).await, self.platform.dialler.get()) {
                (Some(invitation), Some(dialler)) => {
                    let mut leg = dialler.call(invitation);
                    self.follow(&mut leg).await
                }
                _ => Ending::NoResponse,
            };
            let CallOwn { current, providers, .. } = &self.call.own;
            let Some(next) =
                next_attempt(status_of(&self.call.wire.status), ending, *current, providers.len())
            else {
                return ending;
            };
            let call = self.call.id;
            tracing::info!(%call, ?ending, "a provider did not take a call; the next one is tried");
            self.call.own.current = next;
            Box::pin(self.save("call_updated")).await;
        }
    }

    /// The INVITE for the provider whose turn it is, as it is now; none when there is nothing to send.
    async fn invitation(&self) -> Option<Invitation> {
        let CallOwn { providers, current, anonymous, .. } = &self.call.own;
        let (source, destination) = (&self.call.wire.source, &self.call.wire.destination);
        let made = match providers.get(*current) {
            None => super::invite::to_uri(source, destination, *anonymous),
            Some(id) => match self.platform.known.provider(&*self.platform.core.store, *id).await {
                Ok(Some(provider)) => super::invite::to_number(&provider, source, destination, *anonymous),
                Ok(None) => return None,
                Err(error) => {
                    tracing::error!(%error, call = %self.call.id, "a call's provider could not be read");
                    return None;
                }
            },
        };
        made.inspect_err(|why| tracing::warn!(%why, call = %self.call.id, "a call cannot be dialled")).ok()
    }

    /// Follows one attempt to its end.
    async fn follow(&mut self, leg: &mut Leg) -> Ending {
        let clock = self.platform.core.clock.clone();
        // What takes a moment has its own place on the heap for that moment: a call is up for long, and there are many.
        loop {
            if self.gone {
                leg.hang_up();
            }
            let next = self.flow.due().map_or(self.longest, |due| due.min(self.longest));
            tokio::select! {
                biased;
                event = leg.next() => match event {
                    Some(LegEvent::Ringing) => {
                        self.become_status(Status::Ringing).await;
                    }
                    Some(LegEvent::Progress) => {}
                    Some(LegEvent::Answered) => {
                        // One whose answer crossed our hanging up has no flow.
                        if self.become_status(Status::Progressing).await {
                            self.flow.begin(clock.now());
                        }
                    }
                    Some(LegEvent::Ended(end)) => return self.forced.take().unwrap_or_else(|| ending_of(end)),
                    None => return self.forced.take().unwrap_or(Ending::OurSide),
                },
                command = self.place.commands.recv() => match command {
                    Some(Command::HangUp(reply)) => {
                        Box::pin(self.hang_up(leg)).await;
                        // Whoever asked may be gone.
                        let _gone = reply.send(self.written());
                    }
                    Some(Command::Delete(reply)) => {
                        Box::pin(self.hang_up(leg)).await;
                        let answer = if self.call.deleted {
                            Err(ApiError::state_invalid())
                        } else {
                            mark_deleted(self.platform, &mut self.call);
                            Box::pin(self.save("call_deleted")).await;
                            self.written()
                        };
                        let _gone = reply.send(answer);
                    }
                    Some(Command::Stop) | None => Box::pin(self.hang_up(leg)).await,
                },
                () = clock.sleep_until(next) => {
                    if clock.now() >= self.longest {
                        self.flow.end();
                        self.forced = Some(Ending::LongestDuration);
                        leg.hang_up();
                        // The end is near: it is not asked for again.
                        self.longest = self.longest.after(Duration::from_hours(24));
                    } else {
                        Box::pin(self.take_turn(leg)).await;
                    }
                }
            }
        }
    }

    /// Does one thing that the flow says. Between two things the far end and whoever asks something are heard.
    async fn take_turn(&mut self, leg: &mut Leg) {
        if self.call.wire.status != CallStatus::Progressing {
            self.flow.end();
            return;
        }
        match self.flow.turn(self.platform.core.clock.now()) {
            Turn::Begin(action) => {
                let at = self.platform.moments.next();
                self.call.wire.action = Action {
                    id: action.id,
                    next_id: action.next_id,
                    kind: Some(action.kind),
                    option: action.option,
                    tm_execute: Some(at),
                };
                self.call.wire.tm_update = Some(at);
                self.save("call_updated").await;
            }
            Turn::Wait => {}
            Turn::Over => self.hang_up(leg).await,
        }
    }

    /// The call, if it is written as it is; what is not written is not acknowledged.
    fn written(&self) -> Result<String, ApiError> {
        if self.unsaid.is_empty() && !self.gone {
            Ok(self.call.text())
        } else {
            Err(ApiError { retry_after: Some(1), ..ApiError::unavailable() })
        }
    }

    /// Hangs up from here, once.
    async fn hang_up(&mut self, leg: &Leg) {
        let status = match self.call.wire.status {
            CallStatus::Dialing | CallStatus::Ringing => Status::Canceling,
            _ => Status::Terminating,
        };
        self.become_status(status).await;
        leg.hang_up();
    }

    /// Takes a status, if the call may have it now; gives whether it may.
    async fn become_status(&mut self, status: Status) -> bool {
        if !status_of(&self.call.wire.status).may_become(status) {
            return false;
        }
        let at = Some(self.platform.moments.next());
        let wire = &mut self.call.wire;
        wire.tm_update = at;
        let kind = match status {
            Status::Ringing => {
                (wire.status, wire.tm_ringing) = (CallStatus::Ringing, at);
                "call_ringing"
            }
            Status::Progressing => {
                (wire.status, wire.tm_progressing) = (CallStatus::Progressing, at);
                "call_progressing"
            }
            Status::Canceling => {
                wire.status = CallStatus::Canceling;
                "call_canceling"
            }
            Status::Terminating => {
                wire.status = CallStatus::Terminating;
                "call_terminating"
            }
            Status::Dialing | Status::Hangup => return false,
        };
        Box::pin(self.save(kind)).await;
        true
    }

    /// Writes the call as it is, and tells of it. What cannot be written now is written with what comes next.
    async fn save(&mut self, kind: &str) {
        self.unsaid.push(self.call.put());
        self.unsaid.extend(event(self.platform, &self.call, kind));
        if let Err(error) = self.write().await {
            tracing::error!(%error, call = %self.call.id, kind, "a call could not be written; it goes on");
        }
    }

    /// Writes what is not written yet: the call once, as it was last, and all that is to be told.
    async fn write(&mut self) -> Result<(), StoreError> {
        let mut changes = std::mem::take(&mut self.unsaid);
        let last = changes.iter().rposition(|change| matches!(change, Change::Put { .. }));
        let mut at = 0..;
        changes.retain(|change| at.next() == last || !matches!(change, Change::Put { .. }));
        let wakes = changes.len() > 1;
        if let Err(error) = self.platform.core.store.commit(changes.clone()).await {
            if error == StoreError::Conflict {
                self.gone = true;
            } else {
                self.unsaid = changes;
            }
            return Err(error);
        }
        self.call.revision = self.call.revision.map(|revision| revision + 1);
        if wakes {
            self.platform.core.outbox.wake();
        }
        Ok(())
    }

    /// Writes the end, however long that takes: until then the call is not over for anybody.
    async fn end(mut self, ending: Ending) {
        finish(self.platform, &mut self.call, ending);
        self.save("call_hangup").await;
        while !self.unsaid.is_empty() && !self.gone {
            if !self.platform.core.is_ready() {
                // The next start ends what is not over.
                return;
            }
            tokio::time::sleep(PAUSE).await;
            if let Err(error) = self.write().await {
                tracing::error!(%error, call = %self.call.id, "the end of a call could not be written yet");
            }
        }
    }
}

/// Says of a call that it is over, and why.
fn finish(platform: &Platform, call: &mut Entity<Calls>, ending: Ending) {
    let over = hangup(status_of(&call.wire.status), ending);
    let at = Some(platform.moments.next());
    let wire = &mut call.wire;
    wire.status = CallStatus::Hangup;
    wire.hangup_reason = Some(HangupReason::from(over.reason.as_str()));
    wire.hangup_by = Some(HangupBy::from(over.by.as_str()));
    (wire.tm_hangup, wire.tm_update) = (at, at);
}

/// Ends the calls that were up when the server ended without a word.
pub(crate) async fn end_what_is_left(platform: &Arc<Platform>) -> Result<usize, StoreError> {
    use trunk_store::{DocumentKind, DocumentQuery};
    let query = DocumentQuery::live(DocumentKind::Call);
    let left = Entity::<Calls>::list(&*platform.core.store, query).await?;
    let count = left.len();
    for mut call in left {
        finish(platform, &mut call, Ending::FarEnd);
        let told = event(platform, &call, "call_hangup");
        platform.core.store.commit(std::iter::once(call.put()).chain(told).collect()).await?;
    }
    Ok(count)
}

fn status_of(status: &CallStatus) -> Status {
    // No call is ever given another status than these.
    Status::parse(status.as_str()).unwrap_or(Status::Dialing)
}

fn ending_of(end: LegEnd) -> Ending {
    match end {
        LegEnd::Refused(code) => Ending::Refused(code),
        LegEnd::NoResponse => Ending::NoResponse,
        LegEnd::RingTimeout => Ending::RingTimeout,
        LegEnd::HungUp => Ending::FarEnd,
        LegEnd::Cancelled | LegEnd::HungUpByUs => Ending::OurSide,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Announced = Vec<(Receiver<Command>, Box<Entity<Calls>>)>;
    type Reply = oneshot::Sender<Result<(), StoreError>>;

    fn size<F: Future>(_begin: impl FnOnce(Arc<Platform>, Announced, Vec<Change>, Reply) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_task_of_a_call_is_small() {
        assert!(size(begin) < 1_500, "{}", size(begin));
    }
}
