//! The carrier edge: enforces provisioned trunks on real SIP calls.
//!
//! The edge receives SIP requests, passes each attempt to `trunk_rules::carrier` together with the current
//! trunks, and acts on the verdict: it challenges, refuses or answers. It knows the trunks of all accounts (a
//! copy in memory that follows the store), the active calls, and what each trunk spent in the last 24 hours.
//! It decides no rule itself, and it never forwards a call to a real network: the called party is simulated
//! (`far_end`).
//!
//! Bounds of the loops that peers feed:
//!
//! - active calls: `EdgeConfig::calls`, and a limit for each account;
//! - requests in progress: `request_slots::SLOT_LIMITS`, for all sources, each allowed subnet and each
//!   source; challenges that wait for their ACK hold slots too;
//! - events queued for one call: `call_event::MAX_QUEUED_EVENTS`;
//! - media packets of one call and bytes of all calls: see `media`;
//! - TCP and TLS connections: `sip_transport::streams`;
//! - recent attempts, and challenges that wait for an answer: see `attempts`;
//! - call records that wait for a subscriber: `RECORD_CHANNEL_CAPACITY`; a slow subscriber loses the oldest.

// Unit tests read single packets with calls that the server must not use.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod attempt;
mod attempt_log;
mod attempts;
mod billing;
mod call;
mod call_event;
mod call_state;
mod calls;
mod changes;
mod config;
mod diagnosis;
mod digest_guesses;
mod ending_sentence;
mod explain;
mod far_end;
mod front;
mod hung_up_by;
mod in_dialog;
mod in_order;
mod inner;
mod inspection;
mod invite;
mod log_sums;
mod media;
mod media_report;
mod merged_requests;
mod node_mark;
mod nonce_counts;
mod other_nodes;
mod peers;
mod proofs;
mod rates;
mod record;
mod record_retention;
mod refusal_record_limit;
mod request_slots;
mod serving;
mod stack;
mod stored_text;
#[cfg(test)]
mod test_trunk;
mod trunk_activity;
mod trunks;
mod unacknowledged_answers;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use service_base::background::in_background;
use service_base::boxed::Boxed;
use service_base::descriptors::Share;
use service_base::net::{Budget, Use};
use service_base::slots::Slots;
use service_core::channels::{self, SharedChannels};
use service_core::jobs::JobSet;
use service_core::{Core, nodes};
use sip_transport::{MessageFilter, Ports, SocketAccounting};
use tls_identity::Identity;
use tokio::sync::Semaphore;
use trunk_rules::carrier::{Check, NonceKey, TrunkTerms};
use trunk_store::{Interest, StoredRecord};

use attempts::{Attempts, UnansweredChallenges};
use billing::state::Billing;
use calls::Calls;
use front::Front;
use inner::Counters;
use log_sums::LogSums;
use media::host_lookups::HostLookups;
use merged_requests::MergedRequests;
use node_mark::NodeMark;
use refusal_record_limit::RefusalRecordLimit;
use stack::Stack;
use trunks::Trunks;
use unacknowledged_answers::UnacknowledgedAnswers;

pub use attempts::{AttemptEvent, AttemptOutcome, AttemptQuery};
pub use calls::ActiveCall;
pub use config::{EdgeConfig, EdgeError};
pub use explain::{Explanation, Question};
pub use far_end::{FarEnd, FarEndRule, Outcome, Then};
pub use front::FrontCounts;
pub use inner::Inner;
pub use media_report::{DroppedReport, DtmfReport, MediaReport};
pub use record::CallRecord;
pub use sip_transport::{CallMessages, Connections, MessageLog, MessageLogLimits};
pub use trunk_activity::TrunkActivity;

/// A running edge. Dropping it ends its calls and closes its sockets in the background.
#[derive(Debug)]
pub struct Edge {
    inner: Arc<Inner>,
    stack: Arc<Stack>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// Call records that are kept for the slowest subscriber; it loses the oldest beyond that.
const RECORD_CHANNEL_CAPACITY: usize = 1024;

impl Edge {
    /// Loads the trunks and their spending from the store, opens the sockets, and starts to serve requests. Each trunk
    /// is passed to `visit`, in the order of creation, before any socket is opened.
    ///
    /// # Errors
    /// [`EdgeError`]; no socket is left open then.
    pub fn start<'a>(
        core: Arc<Core>,
        config: EdgeConfig,
        visit: impl FnMut(&StoredRecord) + Send + 'a,
    ) -> Boxed<'a, Result<Self, EdgeError>> {
        Box::pin(Self::open(core, config, Box::new(visit)))
    }

    async fn open(
        core: Arc<Core>,
        config: EdgeConfig,
        visit: Box<dyn FnMut(&StoredRecord) + Send + '_>,
    ) -> Result<Self, EdgeError> {
        config.settings.check()?;
        nodes::begin(&core).await?;
        let is_shared = core.store.is_shared();
        let (realm, algorithms) = (config.settings.realm.clone(), config.settings.algorithms.clone());
        let trunks = Arc::new(Trunks::new(realm, algorithms));
        let billing = Arc::new(Billing::default());
        let wakes = core.store.wakes();
        nodes::beating(&core, billing.load(&*core.store, core.clock.now(), &trunks, visit)).await?;
        let hang_ups = is_shared.then(|| core.store.follow(Interest::AllButRecords));
        let secret = core.store.shared_secret("digest nonces", core.ids.nonce_key()).await?;
        let node_mark = if is_shared { NodeMark::of(core.store.node()) } else { NodeMark::default() };
        let calls = Arc::new(Calls::default());
        let (attempts, unanswered_challenges) =
            (Arc::<Attempts>::default(), Arc::<UnansweredChallenges>::default());
        let merged_requests = Arc::new(MergedRequests::new([core.ids.word(), core.ids.word()]));
        let front = Arc::new(Front::new(
            (core.clock.clone(), core.ids.clone()),
            (Arc::clone(&attempts), Arc::clone(&unanswered_challenges)),
            Arc::clone(&trunks),
            (Arc::clone(&calls), Arc::clone(&merged_requests)),
            config.settings.clone(),
            config.server_name.clone(),
            (NonceKey::new(&secret), node_mark),
        ));
        let (stack, incoming) = Stack::start(
            &config,
            Arc::clone(&front) as Arc<dyn MessageFilter>,
            &core.clock,
            &core.own,
            &core.descriptors,
        )?;
        let inner = Arc::new(Inner {
            nonce_counts: nonce_counts::NonceCounts::default(),
            node_mark,
            merged_requests,
            ports: Ports::new(
                config.rtp_ports.clone(),
                core.ids.word(),
                SocketAccounting {
                    own: core.own.clone(),
                    purpose: Use::EdgeMedia,
                    descriptors: core.descriptors.clone(),
                    share: Share::Calls,
                },
            ),
            account_slots: Slots::new(account_call_limit(&core, &config)),
            host_lookups: HostLookups::default(),
            call_slots: Arc::new(Semaphore::new(config.calls.min(Semaphore::MAX_PERMITS))),
            media_bytes: Budget::new(config.media_bytes_per_second, config.media_bytes_per_second),
            core,
            unacknowledged_answers: UnacknowledgedAnswers::new(config.unacknowledged_answers),
            config,
            trunks,
            billing,
            calls,
            channels: is_shared.then(Arc::default),
            front,
            refusal_record_limit: RefusalRecordLimit::default(),
            counters: Counters::default(),
            log_sums: LogSums::new(),
            attempts,
            unanswered_challenges,
            records: OnceLock::new(),
        });
        // Before any call is admitted: calls that an earlier server left unfinished count against thresholds
        // at once.
        billing::charge_lost(&inner).await?;
        let stack = Arc::new(stack);
        let mut tasks = vec![
            tokio::spawn(serving::accept_requests(Arc::clone(&inner), Arc::clone(&stack), incoming)),
            tokio::spawn(changes::run(Arc::clone(&inner), wakes, hang_ups)),
            tokio::spawn(write_log_summaries(Arc::clone(&inner), Arc::clone(&stack))),
            tokio::spawn(attempt_log::watch_challenges(Arc::clone(&inner))),
            tokio::spawn(inner.front.repeat_challenges(stack.datagrams())),
        ];
        tasks.extend(billing::tasks(&inner));
        if let Some(channels) = inner.channels.clone() {
            tasks.push(tokio::spawn(share_channels(Arc::clone(&inner), channels)));
            let keeper = other_nodes::Keeper(Arc::clone(&inner));
            tasks.push(tokio::spawn(async move { nodes::run(&keeper.0.core, &keeper).await }));
        }
        Ok(Self { inner, stack, tasks })
    }

    /// The address on which SIP is served over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.stack.address()
    }

    /// The address on which SIP is served over TLS, if TLS is configured.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.stack.tls_address()
    }

    /// The certificate of SIP over TLS, if TLS is configured.
    pub fn tls_identity(&self) -> Option<Arc<Identity>> {
        self.stack.tls_identity()
    }

    /// The jobs of the edge, to be run for as long as the server runs.
    pub fn jobs(&self) -> JobSet {
        record_retention::jobs(&self.inner)
    }

    /// A handle that does not keep the edge running.
    pub fn handle(&self) -> Handle {
        Handle(Arc::downgrade(&self.inner))
    }

    /// Ends every call, waits for their records up to [`EdgeConfig::stop_deadline`], and closes the sockets.
    pub async fn stop(mut self) {
        self.end(std::future::ready(())).await;
    }

    /// Stops the edge in the background once `first` has completed.
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

    /// Awaits `first`, ends every call, waits for that up to the stop deadline, and closes the sockets.
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
            nodes::leave(&inner.core).await;
        }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // A stopped edge has no tasks left.
        if !self.tasks.is_empty() {
            self.end_in_background(std::future::ready(()));
        }
    }
}

/// A weak reference to an edge, for the control API: it does not keep the edge running.
#[derive(Debug, Clone)]
pub struct Handle(Weak<Inner>);

impl Handle {
    /// The state of the edge; `None` once the edge has stopped.
    pub fn running(&self) -> Option<Arc<Inner>> {
        self.0.upgrade()
    }
}

impl Inner {
    /// Evaluates a hypothetical call against the rules, without placing it and without taking a channel.
    pub fn explain(&self, question: &Question) -> Explanation {
        explain::explain(self, question)
    }

    /// The active calls, oldest first.
    pub fn active_calls(&self) -> Vec<ActiveCall> {
        self.calls.list()
    }

    /// The refusals since the start, by the name of the check that refused.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.counters.refused_by.iter().map(|counter| counter.load(Ordering::Relaxed));
        Check::ALL.into_iter().map(Check::name).zip(counts)
    }

    /// The trunks that have active calls of this node or spent anything in the last 24 hours, in the order of their
    /// ids.
    pub fn trunk_activity(&self) -> Vec<TrunkActivity> {
        trunk_activity::of(self)
    }

    /// Ends an active call from the edge's side. Returns true if it existed.
    pub fn end_call(&self, id: uuid::Uuid) -> bool {
        self.calls.end(id)
    }

    /// Subscribes to the call records that are published from now on. A subscriber that is more than 1,024
    /// records behind loses the oldest.
    pub fn follow(&self) -> tokio::sync::broadcast::Receiver<Arc<CallRecord>> {
        let records = self.records.get_or_init(|| tokio::sync::broadcast::channel(RECORD_CHANNEL_CAPACITY).0);
        records.subscribe()
    }

    /// The recent attempts that match a query, newest first. They are kept in memory, up to 10,000 whose trunk is
    /// proven and as many others.
    pub fn recent_attempts(&self, query: &AttemptQuery) -> Vec<Arc<AttemptEvent>> {
        self.attempts.list(query)
    }

    /// Subscribes to the attempts from now on. A subscriber that is more than 1,024 entries behind loses the oldest,
    /// and learns how many.
    pub fn follow_attempts(&self) -> tokio::sync::broadcast::Receiver<Arc<AttemptEvent>> {
        self.attempts.follow()
    }

    /// Counters of call attempts and of messages that never became one, since the start.
    pub fn counts(&self) -> CallCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { challenged, refused, admitted, unrecorded, .. } = &self.counters;
        CallCounts {
            challenged: read(challenged) + self.front.plain_challenges(),
            refused: read(refused),
            admitted: read(admitted),
            unrecorded: read(unrecorded),
            untraced: self.attempts.omitted(),
            front: self.front.counts(),
        }
    }
}

/// The limit of active calls for one account: the configured one, or half of the calls for which there are
/// RTP ports and file descriptors.
fn account_call_limit(core: &Core, config: &EdgeConfig) -> usize {
    let files = core.descriptors.max_for(Share::Calls);
    let calls = files.min(config.rtp_ports.len().div_ceil(2));
    config.calls_per_account.unwrap_or_else(|| calls.div_ceil(2))
}

/// Counters of call attempts and of messages that never became one, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct CallCounts {
    /// Attempts from known sources that were challenged.
    pub challenged: u64,
    /// Attempts from known sources that were refused.
    pub refused: u64,
    /// Attempts that passed all checks, answered or not.
    pub admitted: u64,
    /// Refused and unanswered attempts without a record: beyond [`EdgeConfig::refusals_recorded`], or while
    /// the store took no writes.
    pub unrecorded: u64,
    /// Attempts without an owner that are not among the recent attempts, because there were too many.
    pub untraced: u64,
    /// Messages that never became an attempt.
    #[serde(flatten)]
    pub front: FrontCounts,
}

/// How often repeated log lines are summed up.
const LOG_SUMMARY_INTERVAL: Duration = Duration::from_mins(1);

async fn write_log_summaries(inner: Arc<Inner>, stack: Arc<Stack>) {
    let clock = &inner.core.clock;
    loop {
        // Not by the clock, which a tester can freeze.
        tokio::time::sleep(LOG_SUMMARY_INTERVAL).await;
        inner.front.write_log_summaries();
        inner.log_sums.write_log_summaries(clock.now());
        stack.write_log_summaries(clock);
        stack.forget_old_answers();
    }
}

/// Takes and returns the channels that nodes share.
async fn share_channels(inner: Arc<Inner>, channels: Arc<SharedChannels>) {
    let limit_of = |trunk: uuid::Uuid| {
        let trunks = inner.trunks.read();
        let terms: Option<&Arc<TrunkTerms>> = trunks.index.get(&didww_types::Id::new(trunk.to_string()));
        terms.and_then(|terms| terms.capacity)
    };
    channels::run(&channels, &*inner.core.store, inner.core.store.write_health(), limit_of).await;
}
