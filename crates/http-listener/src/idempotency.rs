//! The `Idempotency-Key` header: a POST that a client repeats has one effect, and each repetition has the first
//! response.
//!
//! The header is that of the IETF draft "The Idempotency-Key HTTP Header Field": a structured string that the client
//! makes for each logical request. If it is malformed, the status is 400; if the first request is in progress, 409; if
//! the key was used by a different request, 422. Otherwise the response of the first request is replayed: its status,
//! media type and body. Responses of requests that a handler has decided are kept, whether it accepted or refused them,
//! except 408, 429 and 5xx.
//!
//! A handler runs in a task of its own, so a client that disconnects while it waits finds the response when it repeats
//! the request. The first write of the handler stores the use of the key in its transaction
//! (`trunk_store::with_key_use`), and the response is stored before it is sent. So there is no second effect, however
//! the process ends: killed before the write, the repetition is carried out; killed after it and before the response is
//! stored, the repetition is refused with 409, and the text states that the response is not known. A handler that acts
//! outside of the store before it writes commits an empty write first.
//!
//! The layer is independent of any API: each API supplies the scope of the key, the identity of a request, and its
//! errors.
//!
//! Bounds: `MAX_RUNNING` requests with a key run at once, of one scope at most a third of what is left, so a few scopes
//! leave room for others; a key has at most 255 characters; a body of more than `MAX_KEPT_BYTES` is not kept; the store
//! bounds the keys and bytes of a scope.

mod header;
mod running;
mod seal;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use didww_types::Timestamp;
use http::{HeaderName, StatusCode};
use service_base::clock::Clock;
use service_core::Core;
use service_core::cleanup::hourly;
use service_core::jobs::JobSet;
use trunk_store::{IdempotencyKey, IdempotencyScope, KeptResponse, KeyUse, StoreError, with_key_use};

pub use header::SentKey;
use running::Running;
use seal::Seal;

/// The header of a response that is the stored one of an earlier request.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How long a key is valid after its request was answered.
pub const KEY_LIFETIME: Duration = Duration::from_hours(24);
/// Maximum number of requests with a key that run at once, on one listener.
const MAX_RUNNING: usize = 4_096;
/// A request with a key is carried out if more than this many times as many as run of its account or customer are left
/// of `MAX_RUNNING`: of the first one up to 1,024 run, of each further one fewer.
const LEFT_PER_RUNNING: usize = 3;
/// Maximum size of a body that is kept, in bytes.
const MAX_KEPT_BYTES: usize = 256 << 10;

/// The name of the job that deletes expired keys. It is stored.
const FORGET_KEYS: &str = "http.forget_idempotency_keys";
const MAX_KEYS_PER_DELETION: u64 = 500;

/// Why a request with a key is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefusal {
    /// The header is not one structured string of 1 to 255 characters: 400.
    #[error(
        "Idempotency-Key must be sent once, as 1 to 255 printable ASCII characters in double quotes, such as \
         \"8e03978e-40d5-43e8-bc93-6894a57f9324\"."
    )]
    Malformed,
    /// A request with the key is in progress: 409.
    #[error("A request with this Idempotency-Key is in progress. Repeat the request later.")]
    InProgress,
    /// A request with the key has written, and its response is not known: 409.
    #[error(
        "A request with this Idempotency-Key has been carried out, wholly or in part, and its response was not kept. \
         Look for its effect, and use a new key for another request."
    )]
    ResponseLost,
    /// A different request has used the key: 422.
    #[error(
        "This Idempotency-Key has been used by a request with another path, query, version or body. Use a new key."
    )]
    Reused,
    /// Too many requests with keys are in progress: 503.
    #[error("too many requests with idempotency keys are in progress")]
    Busy,
    /// The store failed when the key was looked up.
    #[error(transparent)]
    Store(StoreError),
}

/// The parts of a response that are kept for repetitions of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The status, the same for each repetition.
    pub status: StatusCode,
    /// The media type; empty without a body.
    pub content_type: String,
    /// The body, byte for byte as it was first sent.
    pub body: Bytes,
}

/// The result of an API's handler, which can be kept and replayed.
pub trait Replay: Send + 'static {
    /// The parts of the response that are kept.
    fn answer(&self) -> KeptAnswer;
    /// Makes the response to a repetition. The API adds [`IDEMPOTENCY_REPLAYED`] to it.
    fn replayed(answer: KeptAnswer) -> Self;
}

/// The requests with a key that are in progress on one listener.
#[derive(Debug, Default)]
pub struct Idempotency {
    running: Arc<Running>,
}

impl Idempotency {
    /// Carries out the first request that has a key, and replays its response to repetitions. `request` identifies the
    /// request: its method, path, query, body, and whatever else its response depends on.
    ///
    /// A panic of the handler is passed on to the caller.
    ///
    /// # Errors
    /// If the handler did not run, or another node carried out a request with the key meanwhile.
    pub async fn run<T: Replay>(
        &self,
        core: &Arc<Core>,
        scope: IdempotencyScope,
        sent: &SentKey,
        request: &[&[u8]],
        handler: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, KeyRefusal> {
        let seal = Seal::new(scope, sent);
        let key = IdempotencyKey { scope, digest: seal.digest() };
        let fingerprint = seal.fingerprint(request);
        let running = Running::begin(&self.running, key, fingerprint)?;
        let core = Arc::clone(core);
        // A task of its own: a client that disconnects must not end it between its write and the storing of the
        // response.
        let task = tokio::spawn(async move {
            let answered = answer(&core, &seal, key, fingerprint, handler).await;
            drop(running);
            answered
        });
        task.await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(KeyRefusal::Busy),
        })
    }
}

/// Replays the response of an earlier request, or runs the handler and keeps its response.
async fn answer<T: Replay>(
    core: &Core,
    seal: &Seal,
    key: IdempotencyKey,
    fingerprint: [u8; 32],
    handler: impl Future<Output = T> + Send,
) -> Result<T, KeyRefusal> {
    let now = core.clock.now();
    let expired_at = expired(now);
    let used = KeyUse { key, fingerprint, request: core.ids.request(), used_at: now, expired_at };
    let earlier = core.store.used_key(key).await.map_err(KeyRefusal::Store)?;
    if let Some(earlier) = earlier.filter(|earlier| earlier.used_at > expired_at) {
        if earlier.fingerprint != fingerprint {
            return Err(KeyRefusal::Reused);
        }
        let response = earlier.response.ok_or(KeyRefusal::ResponseLost)?;
        return seal.open(earlier.request, response).map(T::replayed).ok_or(KeyRefusal::ResponseLost);
    }
    let outcome = with_key_use(Some(used), handler).await;
    let KeptAnswer { status, content_type, body } = outcome.answer();
    if !is_kept(status) {
        return Ok(outcome);
    }
    let Some(body) = seal.close(used.request, &body).filter(|_| body.len() <= MAX_KEPT_BYTES) else {
        tracing::warn!(bytes = body.len(), "a response is too large to be kept for its idempotency key");
        return Ok(outcome);
    };
    let response = KeptResponse { status: status.as_u16(), content_type, body };
    // The handler may have advanced the clock.
    let used = KeyUse { used_at: core.clock.now(), ..used };
    match core.store.keep_response(used, response).await {
        Ok(()) => Ok(outcome),
        // Another node carried out a request with the key. This one wrote nothing.
        Err(StoreError::Conflict) => Err(KeyRefusal::InProgress),
        Err(error) => {
            // The client receives the response; a repetition is refused.
            tracing::warn!(%error, "a response could not be kept for its idempotency key");
            Ok(outcome)
        }
    }
}

/// Whether a response is final and is kept. A client that was rate limited repeats the request, as does one whose
/// request the server could not serve.
fn is_kept(status: StatusCode) -> bool {
    !status.is_server_error()
        && !matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// The time of the latest use that has expired.
fn expired(now: Timestamp) -> Timestamp {
    let lifetime = i64::try_from(KEY_LIFETIME.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_unix_millis(now.as_unix_millis().saturating_sub(lifetime))
}

/// The job that deletes expired keys every hour.
pub fn jobs(clock: &Clock) -> JobSet {
    hourly(clock, FORGET_KEYS, forget_some_keys)
}

/// Deletes some of the expired keys. Returns whether others may be left.
async fn forget_some_keys(core: Arc<Core>) -> Result<bool, StoreError> {
    let until = expired(core.clock.now());
    Ok(core.store.forget_keys(until, MAX_KEYS_PER_DELETION).await? >= MAX_KEYS_PER_DELETION)
}

#[cfg(test)]
mod tests;
