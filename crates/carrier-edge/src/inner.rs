//! The state that all calls of an edge share.
//!
//! Most files of the edge import [`Inner`]. To avoid import cycles, the types of its fields are declared in files that
//! do not: the code that uses both is in another file, such as `billing` in addition to `billing::state`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use service_base::net::Budget;
use service_base::slots::Slots;
use service_core::Core;
use service_core::channels::SharedChannels;
use sip_transport::Ports;
use tokio::sync::Semaphore;
use trunk_rules::carrier::Check;

use super::attempts::{Attempts, UnansweredChallenges};
use super::billing::state::Billing;
use super::calls::Calls;
use super::config::EdgeConfig;
use super::front::Front;
use super::log_sums::LogSums;
use super::media::host_lookups::HostLookups;
use super::merged_requests::MergedRequests;
use super::node_mark::NodeMark;
use super::nonce_counts::NonceCounts;
use super::record::CallRecord;
use super::refusal_record_limit::RefusalRecordLimit;
use super::trunks::Trunks;
use super::unacknowledged_answers::UnacknowledgedAnswers;

/// The state that all calls of an edge share. Other crates reach it through
/// [`Handle::running`](crate::Handle::running).
#[derive(Debug)]
pub struct Inner {
    pub(crate) core: Arc<Core>,
    pub(crate) config: EdgeConfig,
    pub(crate) trunks: Arc<Trunks>,
    pub(crate) billing: Arc<Billing>,
    pub(crate) calls: Arc<Calls>,
    /// The channels that calls of this node have; `None` if the database has one node, whose calls the rules count.
    pub(crate) channels: Option<Arc<SharedChannels>>,
    pub(crate) front: Arc<Front>,
    /// Limits active calls to [`EdgeConfig::calls`].
    pub(crate) call_slots: Arc<Semaphore>,
    pub(crate) nonce_counts: NonceCounts,
    /// The mark of this node in its nonces.
    pub(crate) node_mark: NodeMark,
    pub(crate) merged_requests: Arc<MergedRequests>,
    pub(crate) ports: Ports,
    /// Resolves host names in session descriptions.
    pub(crate) host_lookups: HostLookups,
    /// Limits the bytes of media that all calls together send per second.
    pub(crate) media_bytes: Budget,
    /// Limits the active calls of each account.
    pub(crate) account_slots: Arc<Slots<i64>>,
    pub(crate) refusal_record_limit: RefusalRecordLimit,
    pub(crate) unacknowledged_answers: UnacknowledgedAnswers,
    pub(crate) counters: Counters,
    pub(crate) log_sums: LogSums,
    pub(crate) attempts: Arc<Attempts>,
    pub(crate) unanswered_challenges: Arc<UnansweredChallenges>,
    pub(crate) records: OnceLock<tokio::sync::broadcast::Sender<Arc<CallRecord>>>,
}

/// Counters since the start; [`CallCounts`](crate::CallCounts) documents them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) challenged: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) admitted: AtomicU64,
    pub(crate) unrecorded: AtomicU64,
    /// The refusals by the check that refused, in the order of [`Check::ALL`].
    pub(crate) refused_by: [AtomicU64; Check::ALL.len()],
}

impl Counters {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refusal by a check.
    pub(crate) fn count_refusal(&self, check: Check) {
        Self::count(&self.refused);
        if let Some(counter) = self.refused_by.get(check as usize) {
            Self::count(counter);
        }
    }
}
