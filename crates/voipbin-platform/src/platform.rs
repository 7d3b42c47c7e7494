//! The state of the platform that its parts share, loaded once when the server starts.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use didww_types::Secret;
use http_listener::idempotency::Idempotency;
use http_listener::{FairLimiter, Limits, SharedLimiter};
use serde::{Deserialize, Serialize};
use service_base::boxed::Boxed;
use service_base::descriptors::Share;
use service_base::guessing::GuessLimiter;
use service_base::limiter::{LeakyBucket, Limiter};
use service_core::{AttemptError, Core, Retries};
use sip_dialler::Dialler;
use tokio::sync::Mutex;
use trunk_store::{DocumentKind, StoreError};
use uuid::Uuid;
use voipbin_types::Timestamp;

use crate::active_calls::ActiveCalls;
use crate::cache::EntityCache;
use crate::config::PlatformConfig;
use crate::directory::Directory;
use crate::entity::{Entity, Kind};
use crate::hashing::HashingPool;
use crate::login_bodies::LoginBodies;
use crate::records::call_tries::CallTry;
use crate::records::calls::Calls;
use crate::timestamps::UniqueTimestamps;

/// Maximum number of active calls of one customer, unless the configuration sets another limit.
const DEFAULT_MAX_CALLS_PER_CUSTOMER: usize = 500;

/// The platform of a running server.
pub struct Platform {
    pub(crate) core: Arc<Core>,
    /// The configuration that the platform was loaded with.
    pub config: PlatformConfig,
    /// Limits of requests: their size, their duration, and wrong credentials.
    pub(crate) limits: Limits,
    /// Issues the creation and update times of records.
    pub timestamps: UniqueTimestamps,
    /// The key that tokens are signed with.
    pub signing: Secret,
    /// Customers, agents and access keys.
    pub directory: Directory,
    /// Providers and outbound configs that were read before.
    pub(crate) cache: Arc<EntityCache>,
    /// Must be locked while the control API changes a customer, or a record that belongs to one, and while a number
    /// takes a flow.
    pub changes: Mutex<()>,
    /// The calls that have not ended.
    pub active_calls: ActiveCalls,
    /// Set by [`start`](crate::start): before that no call can be placed.
    pub(crate) dialler: OnceLock<Arc<Dialler>>,
    /// Limits the requests of each client address, on this node.
    pub(crate) address_limiter: Limiter<IpAddr>,
    /// Limits the requests of each customer, on all nodes together.
    pub(crate) customer_limiter: SharedLimiter<LeakyBucket>,
    /// Limits the login requests of each client address, on this node.
    pub(crate) login_limiter: Limiter<IpAddr>,
    /// Failed logins: those that guess passwords must wait.
    pub(crate) failed_logins: GuessLimiter,
    /// The bodies of logins that are being read.
    pub(crate) login_bodies: LoginBodies,
    /// Hashes passwords, which is slow by design, on threads of its own.
    pub(crate) hashing: HashingPool,
    /// The lists that are being made: each takes several times the memory of its response. Customers take turns.
    pub(crate) lists: FairLimiter,
    /// The requests with an idempotency key that are in progress.
    pub(crate) idempotency: Idempotency,
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The [`Kind`] of the single record that holds the platform's own secrets. Its id is nil.
struct PlatformSecrets;

impl Kind for PlatformSecrets {
    const KIND: DocumentKind = DocumentKind::Platform;
    type Public = ();
    type Private = Option<SigningKey>;
}

/// The key that tokens are signed with, as it is stored.
#[derive(Clone, Serialize, Deserialize)]
struct SigningKey {
    secret: Secret,
}

/// The key that tokens are signed with. Of servers that start at once on an empty database, one stores it.
async fn signing_key(core: &Core, timestamps: &UniqueTimestamps) -> Result<Secret, AttemptError<StoreError>> {
    let found = Entity::<PlatformSecrets>::find(&*core.store, Uuid::nil()).await?;
    if let Some(SigningKey { secret }) = found.and_then(|it| it.private) {
        return Ok(secret);
    }
    let key = SigningKey { secret: core.ids.token() };
    let (id, at) = (Uuid::nil(), timestamps.next());
    let entity = Entity::<PlatformSecrets>::new(id, Uuid::nil(), at, (), Some(key.clone()));
    match core.store.commit(vec![entity.put()]).await {
        Ok(_) => Ok(key.secret),
        // Another server has stored one meanwhile.
        Err(StoreError::Taken(_)) => Err(StoreError::Conflict.into()),
        Err(error) => Err(error.into()),
    }
}

impl Platform {
    /// Loads the platform's state from the store. The number of active calls is limited by the configuration
    /// and by the file descriptors that the process may open.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn load(
        core: Arc<Core>,
        config: PlatformConfig,
        limits: Limits,
    ) -> Boxed<'static, Result<Self, StoreError>> {
        Box::pin(Self::load_state(core, config, limits))
    }

    async fn load_state(core: Arc<Core>, config: PlatformConfig, limits: Limits) -> Result<Self, StoreError> {
        let store = &*core.store;
        let max_by_descriptors = core.descriptors.max_for(Share::Outgoing);
        let node = store.is_shared().then(|| store.node());
        let timestamps = UniqueTimestamps::after(core.clock.clone(), store.newest_document().await?, node);
        let signing = Retries::REQUEST.run(|| signing_key(&core, &timestamps)).await?;
        let cache = Arc::new(EntityCache::following(store));
        tokio::spawn(EntityCache::catch_up_while_idle(Arc::downgrade(&cache), store.wakes()));
        let default_per_customer = max_by_descriptors.div_ceil(2).min(DEFAULT_MAX_CALLS_PER_CUSTOMER);
        let per_customer = config.calls_per_customer.unwrap_or(default_per_customer);
        Ok(Self {
            cache,
            timestamps,
            signing,
            directory: Directory::load(store).await?,
            changes: Mutex::new(()),
            active_calls: ActiveCalls::new(config.calls.min(max_by_descriptors), per_customer),
            dialler: OnceLock::new(),
            address_limiter: Limiter::default(),
            customer_limiter: SharedLimiter::of(&core),
            login_limiter: Limiter::default(),
            failed_logins: GuessLimiter::new("logins", limits.guesses),
            login_bodies: LoginBodies::default(),
            hashing: HashingPool::new(),
            lists: FairLimiter::lists(),
            idempotency: Idempotency::default(),
            config,
            limits,
            core,
        })
    }

    /// A call, deleted or not, and its attempts at carriers, oldest first: at most 20 attempts, the last ones. For an
    /// active call, the attempts so far.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn call_with_tries(
        &self,
        id: Uuid,
    ) -> Result<Option<(Entity<Calls>, Vec<CallTry>)>, StoreError> {
        // Read first: the stored record of a call that ends meanwhile is complete.
        let tries = self.active_calls.tries(id).await;
        let call = Entity::<Calls>::find(&*self.core.store, id).await?;
        Ok(call.map(|mut call| {
            let stored = std::mem::take(&mut call.private.tries);
            (call, tries.unwrap_or(stored))
        }))
    }

    /// The id and the creation time of a new record. Ids begin with the time, so that an index of them grows
    /// at its end.
    pub fn new_id_and_time(&self) -> (Uuid, Timestamp) {
        (self.core.ids.record(self.core.clock.now()), self.timestamps.next())
    }
}
