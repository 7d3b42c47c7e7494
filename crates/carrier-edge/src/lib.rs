//! The carrier edge: a provisioned trunk, enforced on real SIP calls.
//!
//! It brings the rules their questions and acts on their verdicts. Whom a call is let through to is played:
//! no call is ever forwarded to a real network.
//!
//! The loops that peers feed, and their bounds: calls, of which `CALLS` are up, and requests, as `shares` says; what comes
//! for one call, of which `event::MOST` wait; its media, in `media`; connections, in `sip::streams`. Whoever follows
//! the records and is too slow loses the oldest of `FOLLOWED`.

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod attempt;
mod call;
mod calls;
mod config;
mod diagnosis;
mod dialog;
mod event;
mod explain;
mod facts;
mod far_end;
mod front;
mod guesses;
mod inside;
mod inspection;
mod invite;
mod media;
mod merged;
mod nonces;
mod offer;
mod proven;
mod prune;
mod rates;
mod record;
mod refresh;
mod refusals;
mod reliable;
mod ringing;
mod shares;
mod spend;
mod stack;
mod trunks;
mod unacknowledged;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Semaphore;
use trunk_rules::carrier::reason_phrase;

use calls::Calls;
use front::Front;
use refusals::Refusals;
use service_base::background::in_background;
use service_base::descriptors::Share;
use service_base::net::{Budget, Use};
use service_base::places::Places;
use service_core::Core;
use sip_transport::body::ACCEPT;
use sip_transport::{Books, Ports, sdp};
use spend::Spend;
use stack::{Incoming, Stack};
use trunk_store::{Committed, Observer};
use trunks::Trunks;
use unacknowledged::Unacknowledged;

pub use calls::ActiveCall;
pub use config::{EdgeConfig, EdgeError, Tls};
pub use explain::{Explanation, Question};
pub use far_end::{FarEnd, FarEndRule, Outcome, Then};
pub use front::FrontCounts;
pub use record::CallRecord;

pub use sip_transport::Connections;

/// A running edge.
#[derive(Debug)]
pub struct Edge {
    inner: Arc<Inner>,
    stack: Arc<Stack>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// What every call shares.
#[derive(Debug)]
pub struct Inner {
    core: Arc<Core>,
    config: EdgeConfig,
    trunks: Arc<Trunks>,
    spend: Arc<Spend>,
    calls: Arc<Calls>,
    front: Arc<Front>,
    /// Places for calls that are up.
    room: Arc<Semaphore>,
    nonce_counts: nonces::Counts,
    merged: merged::Merged,
    ports: Ports,
    /// The lookups of hosts that SDPs name.
    names: media::Names,
    /// Bytes of media that are sent, of all calls together.
    media_bytes: Budget,
    /// The calls of each account.
    accounts: Arc<Places<i64>>,
    refusals: Refusals,
    unacknowledged: Unacknowledged,
    counters: Counters,
    sums: diagnosis::Sums,
    records: tokio::sync::broadcast::Sender<Arc<CallRecord>>,
}

/// What of the edge follows the store.
#[derive(Debug)]
struct Watch {
    trunks: Arc<Trunks>,
    spend: Arc<Spend>,
}

impl Observer for Watch {
    fn committed(&self, committed: &Committed) {
        self.trunks.committed(committed);
        self.spend.committed(committed);
    }
}

/// What the edge counts.
#[derive(Debug, Default)]
struct Counters {
    challenged: AtomicU64,
    refused: AtomicU64,
    admitted: AtomicU64,
    unrecorded: AtomicU64,
}

impl Counters {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Followers of call records that are too slow lose the oldest.
const FOLLOWED: usize = 1024;

impl Edge {
    /// Loads the trunks, listens, and takes calls.
    ///
    /// # Errors
    /// [`EdgeError`]; nothing is listened on then.
    pub async fn start(core: Arc<Core>, config: EdgeConfig) -> Result<Self, EdgeError> {
        config.settings.check()?;
        let trunks = Arc::new(Trunks::new(config.settings.realm.clone()));
        // First the watch, then the load: a write in between is seen by both, and the later one stays.
        let spend = Arc::new(Spend::default());
        core.store.observe(Arc::new(Watch { trunks: Arc::clone(&trunks), spend: Arc::clone(&spend) }));
        trunks.load(&*core.store)?;
        spend.load(&*core.store, core.clock.now()).await?;
        let calls = Arc::new(Calls::default());
        let front = Arc::new(Front::new(
            (core.clock.clone(), core.ids.clone()),
            Arc::clone(&trunks),
            Arc::clone(&calls),
            config.settings.clone(),
            config.server_name.clone(),
        ));
        let (stack, incoming) =
            Stack::start(&config, Arc::clone(&front), &core.clock, &core.own, &core.descriptors)?;
        let (records, _) = tokio::sync::broadcast::channel(FOLLOWED);
        let inner = Arc::new(Inner {
            nonce_counts: nonces::Counts::default(),
            merged: merged::Merged::new([core.ids.word(), core.ids.word()]),
            ports: Ports::new(
                config.rtp_ports.clone(),
                core.ids.word(),
                Books {
                    own: core.own.clone(),
                    purpose: Use::EdgeMedia,
                    descriptors: core.descriptors.clone(),
                    share: Share::Calls,
                },
            ),
            accounts: Places::new(of_account(&core, &config)),
            names: media::Names::default(),
            media_bytes: Budget::new(config.media_bytes_per_second, config.media_bytes_per_second),
            core,
            unacknowledged: Unacknowledged::new(config.unacknowledged_answers),
            config,
            trunks,
            spend,
            calls,
            front,
            room: Arc::new(Semaphore::new(CALLS)),
            refusals: Refusals::default(),
            counters: Counters::default(),
            sums: diagnosis::Sums::new(),
            records,
        });
        // Before anything else writes: what an earlier server left counts from the first call on.
        spend::charge_lost(&inner).await?;
        let stack = Arc::new(stack);
        let mut tasks = vec![
            tokio::spawn(take(Arc::clone(&inner), Arc::clone(&stack), incoming)),
            tokio::spawn(prune::run(Arc::clone(&inner))),
            tokio::spawn(sum_up(Arc::clone(&inner), Arc::clone(&stack))),
        ];
        tasks.extend(spend::tasks(&inner));
        Ok(Self { inner, stack, tasks })
    }

    /// Where SIP is taken, over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.stack.address()
    }

    /// Where SIP is taken over TLS.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.stack.tls_address()
    }

    pub fn handle(&self) -> Handle {
        Handle(Arc::downgrade(&self.inner))
    }

    /// Ends every call and stops listening.
    pub async fn stop(mut self) {
        self.end(std::future::ready(())).await;
    }

    /// The same without waiting for it, once something else is over.
    pub fn abandon_after(mut self, first: impl Future<Output = ()> + Send + 'static) {
        self.end_in_background(first);
    }

    fn end_in_background(&mut self, first: impl Future<Output = ()> + Send + 'static) {
        let tasks: Vec<_> = self.tasks.iter().map(tokio::task::JoinHandle::abort_handle).collect();
        let ending = self.end(first);
        in_background(ending, || {
            self.stack.stop();
            tasks.iter().for_each(tokio::task::AbortHandle::abort);
        });
    }

    /// Waits for something, has every call end, waits for that, and stops listening.
    fn end<F>(&mut self, first: F) -> impl Future<Output = ()> + Send + use<F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (inner, stack, tasks) =
            (Arc::clone(&self.inner), Arc::clone(&self.stack), std::mem::take(&mut self.tasks));
        async move {
            first.await;
            inner.calls.end_all();
            inner.calls.wait_until_empty(inner.config.stop_deadline).await;
            stack.stop();
            for task in tasks {
                task.abort();
            }
        }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // One that was stopped has no tasks.
        if !self.tasks.is_empty() {
            self.end_in_background(std::future::ready(()));
        }
    }
}

/// What the control API may ask of an edge, which it does not keep running.
#[derive(Debug, Clone)]
pub struct Handle(Weak<Inner>);

impl Handle {
    /// The edge; none after it ended.
    pub fn running(&self) -> Option<Arc<Inner>> {
        self.0.upgrade()
    }
}

impl Inner {
    /// What would become of a call.
    pub fn explain(&self, question: &Question) -> Explanation {
        explain::explain(self, question)
    }

    /// The calls that are up, oldest first.
    pub fn active_calls(&self) -> Vec<ActiveCall> {
        self.calls.list()
    }

    /// Ends a call from our side; gives whether there was one.
    pub fn end_call(&self, id: uuid::Uuid) -> bool {
        self.calls.end(id)
    }

    /// Every record from now on.
    pub fn follow(&self) -> tokio::sync::broadcast::Receiver<Arc<CallRecord>> {
        self.records.subscribe()
    }

    /// What became of attempts, and of messages that were none.
    pub fn counts(&self) -> CallCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { challenged, refused, admitted, unrecorded } = &self.counters;
        CallCounts {
            challenged: read(challenged),
            refused: read(refused),
            admitted: read(admitted),
            unrecorded: read(unrecorded),
            front: self.front.counts(),
        }
    }
}

/// Most calls of one account: half of those that ports and open files have room for, unless a setting says so.
fn of_account(core: &Core, config: &EdgeConfig) -> usize {
    let files = core.descriptors.max_for(Share::Calls);
    let room = files.min(config.rtp_ports.len().div_ceil(2));
    config.calls_per_account.unwrap_or_else(|| room.div_ceil(2))
}

/// What became of attempts at calls since the start, and of messages that were none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CallCounts {
    /// Attempts of known sources that were challenged.
    pub challenged: u64,
    /// Attempts of known sources that were refused.
    pub refused: u64,
    /// Attempts that were admitted.
    pub admitted: u64,
    /// Refusals that left no record because there were too many.
    pub unrecorded: u64,
    /// What never became an attempt.
    #[serde(flatten)]
    pub front: FrontCounts,
}

/// Most calls that are up at the same time.
const CALLS: usize = 65_536;

/// How often log lines are summed up.
const SUMMED: Duration = Duration::from_mins(1);

async fn sum_up(inner: Arc<Inner>, stack: Arc<Stack>) {
    let clock = &inner.core.clock;
    loop {
        clock.sleep_until(clock.now().after(SUMMED)).await;
        inner.front.sum_up();
        inner.sums.sum_up(clock.now());
        stack.sum_up(clock);
    }
}

/// Takes requests until the stack stops.
async fn take(inner: Arc<Inner>, stack: Arc<Stack>, mut incoming: stack::Requests) {
    while let Some(request) = incoming.next().await {
        // Beyond its source's places a request is lost, as a datagram may be: its sender repeats it.
        let Some(request) = inner.front.placed(request) else { continue };
        let (inner, stack) = (Arc::clone(&inner), Arc::clone(&stack));
        tokio::spawn(async move { serve(&inner, &stack, request).await });
    }
}

async fn serve(inner: &Arc<Inner>, stack: &Arc<Stack>, mut request: Incoming) {
    if request.method() == "ACK" {
        // One that belongs to no answer; an ACK is never answered itself.
        return;
    }
    let begins = request.local_tag().is_none();
    if begins {
        request.set_local_tag(&inner.core.ids.tag());
    }
    if request.local_tag().is_none() || request.remote_tag().is_none() {
        // Nothing that follows could be told whom it belongs to.
        return request.finish(400, "Bad Request", &[]).await;
    }
    if let Some(code) = inspection::malformed(&request) {
        return request.finish(code, reason_phrase(code), &[]).await;
    }
    if request.max_forwards() == Some(0) {
        return request.finish(483, "Too Many Hops", &[]).await;
    }
    match request.method() {
        "INVITE" if begins => invite::serve(inner, stack, request).await,
        "INVITE" | "UPDATE" | "BYE" | "PRACK" => dialog::serve(inner, request).await,
        "OPTIONS" => {
            if let Some(why) = inspection::not_supported(&request) {
                return why.refuse(request).await;
            }
            let headers = [("Allow", stack::ALLOW), ("Accept", ACCEPT), ("Supported", stack::SUPPORTED)];
            request.finish(200, "OK", &headers).await;
        }
        "REGISTER" => {
            let hint = "outbound trunks do not register; send INVITEs";
            let warning = format!("399 {} \"{hint}\"", inner.config.server_name);
            let source = request.source();
            if inner.sums.registrations.admits(source.ip(), inner.core.clock.now()) {
                tracing::info!(%source, hint, "REGISTER refused");
            }
            request
                .finish(405, "Method Not Allowed", &[("Allow", stack::ALLOW), ("Warning", &warning)])
                .await;
        }
        _ => request.finish(405, "Method Not Allowed", &[("Allow", stack::ALLOW)]).await,
    }
}
