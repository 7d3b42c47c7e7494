//! The crate's interface: places calls, lists them, ends them, and starts and stops with the server.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use service_base::background::in_background;
use service_base::descriptors::Share;
use service_core::jobs::JobSet;
use service_core::{AttemptError, Core, Retries};
use sip_dialler::{Dialler, DiallerConfig, DiallerError, MessageLog};
use tokio::sync::{OnceCell, oneshot};
use trunk_rules::inbound::{Ending, Limited, Rank, Refused, admits, in_order};
use trunk_store::{Change, Interest, StoreError};
use uuid::Uuid;

use crate::call::{self, Call};
use crate::capacity_place::{CapacityPlace, NoPlace, NodeChannels};
use crate::config::InboundConfig;
use crate::live_calls::{LiveCalls, Slot};
use crate::other_nodes;
use crate::record::InboundCall;
use crate::request::{InboundQuery, NewInboundCall};
use crate::route::{self, Destinations, Route, Trunk, limit};
use crate::shared::Shared;
use crate::stored;

/// How long live calls may take to hang up when the server stops or is reset.
const HANG_UP_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of characters of a caller's number.
const MAX_CALLER: usize = 64;
/// Maximum number of digits of a called number.
const MAX_DIGITS: usize = 20;

/// Why a call was not placed. Nothing is stored then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InboundError {
    /// The caller's number is not valid.
    #[error("at most {} visible ASCII characters", MAX_CALLER)]
    From,
    /// The called number is not valid.
    #[error("1 to {} digits, such as 37061498222", MAX_DIGITS)]
    To,
    /// There are as many live calls as this node permits.
    #[error("this server has its maximum of inbound calls, {0}")]
    Full(usize),
    /// The account has as many live calls as this node permits.
    #[error("the account has its maximum of inbound calls, {0}")]
    FullOfAccount(usize),
    /// The server is stopping.
    #[error("the server stops")]
    Stopping,
    /// The dialler cannot be started.
    #[error(transparent)]
    Dialler(#[from] DiallerError),
    /// The store failed in a read or write.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The inbound calls of a running server.
#[derive(Debug)]
pub struct InboundCalls {
    shared: Arc<Shared>,
    messages: Option<Arc<MessageLog>>,
    /// The address of the server's carrier edge, if it has one.
    edge: Option<IpAddr>,
    /// Started with the first call, so that a server without inbound calls has no socket for them.
    dialler: OnceCell<Arc<Dialler>>,
}

/// A call that may be placed: the places that it occupies, and the trunks in the order in which they are tried.
struct Admitted {
    places: Vec<CapacityPlace>,
    trunks: Vec<Trunk>,
}

impl InboundCalls {
    /// Prepares the calls of a server, whose carrier edge has this address if it has one. The SIP messages of calls are
    /// stored in `messages`. The records of calls that an earlier process left live are ended.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn start(
        core: Arc<Core>,
        config: InboundConfig,
        edge: Option<IpAddr>,
        messages: Option<Arc<MessageLog>>,
    ) -> Result<Self, StoreError> {
        let max_calls = config.calls.min(core.descriptors.max_for(Share::Outgoing));
        let (live, channels) = (Arc::new(LiveCalls::new(max_calls)), NodeChannels::start(&core));
        let shared = Arc::new(Shared { core, config, live, channels });
        let interrupted = stored::end_interrupted(&shared.core, &shared.live).await?;
        if interrupted > 0 {
            tracing::warn!(
                calls = interrupted,
                "inbound calls were live when the server was killed; they have ended"
            );
        }
        let store = &shared.core.store;
        if store.is_shared() {
            let (hang_ups, wakes) = (store.follow(Interest::AllButRecords), store.wakes());
            tokio::spawn(other_nodes::follow_hang_ups(Arc::downgrade(&shared), hang_ups, wakes));
            tokio::spawn(other_nodes::end_calls_of_dead_nodes(Arc::downgrade(&shared)));
        }
        Ok(Self { shared, messages, edge, dialler: OnceCell::new() })
    }

    /// Returns the number of live calls of this node.
    pub fn live(&self) -> usize {
        self.shared.live.number()
    }

    /// The job that deletes old records.
    pub fn jobs(&self) -> JobSet {
        stored::jobs(&self.shared.core, self.shared.config.keep_months)
    }

    /// Places a call, and returns its record when it is stored. A call that the DID does not take has ended by then.
    /// Dropping the future does not stop a call whose record is stored.
    ///
    /// # Errors
    /// [`InboundError`]; then nothing is stored and nothing was dialled.
    pub async fn place(&self, new: NewInboundCall) -> Result<InboundCall, InboundError> {
        let core = &self.shared.core;
        if !core.is_ready() {
            return Err(InboundError::Stopping);
        }
        let NewInboundCall { from, to, account } = new;
        if from.len() > MAX_CALLER || !from.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InboundError::From);
        }
        let number = to.strip_prefix('+').unwrap_or(&to).to_owned();
        let is_number = (1..=MAX_DIGITS).contains(&number.len());
        if !is_number || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InboundError::To);
        }
        Retries::REQUEST.run(|| self.attempt(&from, &number, account)).await
    }

    /// Reads the route of a number, and places a call there.
    async fn attempt(
        &self,
        from: &str,
        number: &str,
        account: Option<Uuid>,
    ) -> Result<InboundCall, AttemptError<InboundError>> {
        let core = &self.shared.core;
        let now = core.clock.now();
        let record = InboundCall::new(core.ids.record(now), from.to_owned(), number.to_owned(), now);
        let full = InboundError::Full(self.shared.live.max_calls());
        let slot = self.shared.live.reserve(record.id).ok_or(AttemptError::Other(full))?;
        let route = route::find(core, account, number).await?;
        self.place_at(record, slot, route).await
    }

    /// Places a call at a route, if the DID is unchanged since it was read: after a reset or deletion meanwhile,
    /// neither a record nor a call remains.
    async fn place_at(
        &self,
        mut record: InboundCall,
        slot: Slot,
        route: Option<Route>,
    ) -> Result<InboundCall, AttemptError<InboundError>> {
        let core = &self.shared.core;
        let unchanged = route.as_ref().map(|route| Change::Unchanged { record: route.did.clone() });
        let admitted = Box::pin(self.admit(&mut record, route)).await;
        match admitted.map_err(AttemptError::Other)? {
            Ok(admitted) => {
                let dialler = self.dialler.get_or_try_init(|| self.start_dialler()).await;
                let dialler = dialler.map_err(|error| AttemptError::Other(InboundError::Dialler(error)))?;
                self.begin(record, slot, Arc::clone(dialler), admitted, unchanged).await
            }
            Err(refused) => {
                record.end(Ending::Refused(refused), record.time_start);
                let put = stored::put(&record, core.store.node(), None)?;
                core.commit(unchanged.into_iter().chain([put]).collect()).await?;
                call::log(&record);
                Ok(record)
            }
        }
    }

    /// Commits the record of a new call beside this condition, and runs the call.
    async fn begin(
        &self,
        record: InboundCall,
        slot: Slot,
        dialler: Arc<Dialler>,
        admitted: Admitted,
        unchanged: Option<Change>,
    ) -> Result<InboundCall, AttemptError<InboundError>> {
        let (shared, placed) = (Arc::clone(&self.shared), record.clone());
        let put = stored::put(&record, shared.core.store.node(), None)?;
        let changes: Vec<Change> = unchanged.into_iter().chain([put]).collect();
        let (reply, written) = oneshot::channel();
        // A separate task: a client that disconnects must not cancel it between the write and the dialling.
        tokio::spawn(async move {
            let outcome = shared.core.commit(changes).await;
            // The reply fails only if the client has disconnected.
            match outcome {
                Ok(_) => {
                    let _disconnected = reply.send(Ok(()));
                    let Admitted { places, trunks } = admitted;
                    Box::pin(call::run(Call { shared, dialler, record, slot, places, trunks })).await;
                }
                Err(error) => {
                    // Another attempt takes the same places.
                    drop((slot, admitted));
                    let _disconnected = reply.send(Err(error));
                }
            }
        });
        written
            .await
            .unwrap_or_else(|_| Err(StoreError::Failed("the task of the write panicked".to_owned())))?;
        Ok(placed)
    }

    /// Decides whether a route takes a call, and takes its places. Adds the facts of the route to the record.
    ///
    /// # Errors
    /// If the account has its maximum of calls, or those of other nodes cannot be counted.
    async fn admit(
        &self,
        record: &mut InboundCall,
        route: Option<Route>,
    ) -> Result<Result<Admitted, Refused>, InboundError> {
        let Some(Route { account, did, number, features, capacity_group, to }) = route else {
            return Ok(Err(Refused::UnknownNumber));
        };
        (record.account, record.did) = (Some(account), Some(did.id));
        record.shared_capacity_group_name = capacity_group;
        let live = &self.shared.live;
        let most = self.shared.config.calls_per_account;
        let of_account = live.enter(account, u64::try_from(most).ok());
        let of_account = of_account.ok_or(InboundError::FullOfAccount(most))?;
        let mut places = vec![CapacityPlace::of_node(of_account)];
        if let Err(refused) = admits(&number, features.as_deref(), record.time_start) {
            return Ok(Err(refused));
        }
        let (group, trunks) = match to {
            Destinations::None => return Ok(Err(Refused::NotRouted)),
            Destinations::Trunk(trunk) => (None, vec![*trunk]),
            Destinations::Group(group, trunks) => (Some(group), trunks),
        };
        record.voice_in_trunk_group = group.as_ref().map(|group| group.id);
        record.voice_in_trunk_group_name = group.as_ref().map(|group| group.name.clone());
        if trunks.is_empty() {
            return Ok(Err(Refused::EmptyGroup));
        }
        let of_did = (Limited::Did, did.id, limit(number.capacity_limit));
        let of_group = group.map(|group| (Limited::Group, group.id, group.limit));
        for (limited, subject, limit) in std::iter::once(of_did).chain(of_group) {
            match self.shared.enter(subject, limit).await {
                Ok(place) => places.push(place),
                Err(NoPlace::Full) => return Ok(Err(Refused::Full(limited, limit.unwrap_or_default()))),
                Err(NoPlace::NotCounted) => return Err(StoreError::Unavailable.into()),
            }
        }
        Ok(Ok(Admitted { places, trunks: self.in_order(trunks) }))
    }

    /// Puts trunks in the order in which they are tried.
    fn in_order(&self, trunks: Vec<Trunk>) -> Vec<Trunk> {
        let ids = &self.shared.core.ids;
        in_order(trunks, rank, |most| ids.word() % most.saturating_add(1))
    }

    async fn start_dialler(&self) -> Result<Arc<Dialler>, DiallerError> {
        let core = &self.shared.core;
        let config = DiallerConfig {
            own: core.own.clone(),
            descriptors: core.descriptors.clone(),
            messages: self.messages.clone(),
            ..self.shared.config.dialler(self.edge)
        };
        let dialler = Dialler::start(config, core.clock.clone(), core.ids.clone()).await?;
        tracing::info!(address = %dialler.address(), "inbound calls are sent from this address");
        Ok(Arc::new(dialler))
    }

    /// Returns calls, newest first.
    ///
    /// # Errors
    /// If the store cannot be read, or a record is corrupt.
    pub async fn list(&self, query: &InboundQuery) -> Result<Vec<InboundCall>, StoreError> {
        stored::list(&self.shared.core, query).await
    }

    /// Returns the call with this id. One that is live is as it was at its last change.
    ///
    /// # Errors
    /// If the store cannot be read, or the record is corrupt.
    pub async fn find(&self, id: Uuid) -> Result<Option<InboundCall>, StoreError> {
        Ok(stored::find(&self.shared.core, id).await?.map(|stored| stored.call))
    }

    /// Ends a live call of any node as its caller would: with a CANCEL before the answer, with a BYE after it. One of
    /// another node ends within a second. Returns false if there is no such call.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn hang_up(&self, id: Uuid) -> Result<bool, StoreError> {
        Ok(self.shared.live.hang_up(id) || other_nodes::hang_up(&self.shared, id).await?)
    }

    /// Ends the calls that would outlive a reset of the records of an account, or of all. They are requested to hang up
    /// at every node; for all, this waits at most 5 seconds for those of this node. The caller deletes their records,
    /// which ends the remaining calls.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn reset(&self, account: Option<Uuid>) -> Result<(), StoreError> {
        let core = &self.shared.core;
        if account.is_some() || core.store.is_shared() {
            let query = InboundQuery { account, live: true, before: None, limit: u64::MAX };
            for call in stored::list(core, &query).await? {
                self.hang_up(call.id).await?;
            }
        }
        if account.is_none() {
            self.shared.live.end_all(HANG_UP_TIMEOUT).await;
        }
        Ok(())
    }

    /// Makes live calls hang up, including those that are placed from now on. Waits at most 5 seconds for their ends,
    /// then stops the dialler.
    pub async fn stop(&self) {
        self.shared.live.abandon();
        self.shared.live.all_ended(HANG_UP_TIMEOUT).await;
        if let Some(dialler) = self.dialler.get() {
            dialler.stop().await;
        }
    }

    /// Makes live calls hang up without waiting. The dialler's sockets are closed once they have ended, or after 5
    /// seconds.
    pub fn abandon(&self) {
        self.shared.live.abandon();
        let Some(dialler) = self.dialler.get().map(Arc::clone) else { return };
        let (all_ended, ended_dialler) = (self.shared.live.all_ended(HANG_UP_TIMEOUT), Arc::clone(&dialler));
        let ending = async move {
            all_ended.await;
            ended_dialler.abandon();
        };
        in_background(ending, || dialler.abandon());
    }
}

fn rank(trunk: &Trunk) -> Rank {
    let number = |rank: didww_types::values::TrunkRank| u32::try_from(rank.get()).unwrap_or_default();
    Rank { priority: number(trunk.stored.priority), weight: number(trunk.stored.weight) }
}

#[cfg(test)]
mod tests {
    use didww_types::resources::Did;
    use didww_types::{ApiVersion, Features, Resource as _};
    use serde_json::{Map, json};
    use service_base::clock::Clock;
    use service_base::descriptors::Descriptors;
    use service_base::guessing::GuessLimits;
    use service_base::ids::Ids;
    use service_core::Outbox;
    use trunk_rules::domain::with_defaults;
    use trunk_store::account::{Account, ApiKey, KeyDigest};
    use trunk_store::{Scope, SqliteStore};

    use super::*;

    const NUMBER: &str = "442079460018";
    const DID: Uuid = Uuid::from_u128(3);

    /// A server with an account, whose DID is routed nowhere. Returns where its DIDs are too.
    async fn core() -> (Arc<Core>, Scope) {
        let store = Arc::new(SqliteStore::in_memory().unwrap());
        let (clock, guesses) = (Clock::system(), GuessLimits::default());
        let (ids, outbox, descriptors) = (Ids::seeded(1), Outbox::new(false), Descriptors::new(1_024));
        let core = Arc::new(Core::new(store, clock, ids, outbox, descriptors, guesses));
        let now = core.clock.now();
        let account = Account {
            number: 0,
            id: Uuid::from_u128(1),
            name: "one".to_owned(),
            version: ApiVersion::NEWEST,
            features: Features::default(),
            rate_limit: None,
            record_quota: None,
            created_at: now,
        };
        let key = ApiKey {
            id: Uuid::from_u128(2),
            digest: KeyDigest::of("key"),
            created_at: now,
            addresses: None,
            environment: None,
        };
        let account = core.store.create_account(account, key).await.unwrap().number;
        let scope = Scope { account, spec: Did::SPEC };
        let number = Map::from_iter([("number".to_owned(), json!(NUMBER))]);
        let attributes = with_defaults(Did::SPEC, now, number);
        let insert =
            Change::Insert { scope, id: DID, created_at: now, attributes, links: Vec::new(), meta: None };
        core.commit(vec![insert]).await.unwrap();
        (core, scope)
    }

    #[tokio::test]
    async fn a_call_whose_did_was_deleted_meanwhile_leaves_no_record_and_is_tried_again() {
        let (core, scope) = core().await;
        let inbound =
            InboundCalls::start(Arc::clone(&core), InboundConfig::default(), None, None).await.unwrap();
        let now = core.clock.now();
        let record = InboundCall::new(core.ids.record(now), "1".to_owned(), NUMBER.to_owned(), now);
        let (id, slot) = (record.id, inbound.shared.live.reserve(record.id).unwrap());
        let route = route::find(&core, None, NUMBER).await.unwrap();
        assert_eq!(route.as_ref().map(|route| route.did.id), Some(DID));
        core.commit(vec![Change::Delete { scope, id: DID }]).await.unwrap();
        let placed = inbound.place_at(record, slot, route).await;
        assert!(matches!(placed, Err(AttemptError::Store(StoreError::Conflict))), "{placed:?}");
        assert_eq!((inbound.find(id).await.unwrap(), inbound.live()), (None, 0));
        // The next attempt finds that the number is not a DID.
        let placed = inbound.place(NewInboundCall::new("1", NUMBER)).await.unwrap();
        assert_eq!((placed.did, placed.disconnect_code), (None, Some(404)));
    }
}
