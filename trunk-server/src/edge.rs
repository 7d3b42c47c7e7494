//! The carrier edge: a provisioned trunk, enforced on real SIP calls.
//!
//! It brings the rules their questions and acts on their verdicts. Whom a call is let through to is played:
//! no call is ever forwarded to a real network.

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
mod inside;
mod inspection;
mod invite;
mod media;
mod merged;
mod nonces;
mod offer;
mod prune;
mod record;
mod refresh;
mod refusals;
mod reliable;
mod ringing;
mod spend;
mod stack;
mod trunks;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use trunk_rules::carrier::{NonceKey, reason_phrase};

use crate::app::App;
use crate::ending::in_background;
use crate::sip::body::ACCEPT;
use crate::sip::{Ports, sdp};
use crate::store::{Committed, Observer};
use calls::Calls;
use refusals::Refusals;
use spend::Spend;
use stack::{Incoming, Stack};
use trunks::Trunks;

pub use calls::ActiveCall;
pub use config::{EdgeConfig, EdgeError, Tls};
pub use explain::{Explanation, Question};
pub use far_end::{FarEnd, FarEndRule, Outcome, Then};
pub use record::CallRecord;

pub use crate::sip::Connections;

/// A running edge.
#[derive(Debug)]
pub struct Edge {
    inner: Arc<Inner>,
    stack: Arc<Stack>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// What every call shares.
#[derive(Debug)]
pub(crate) struct Inner {
    app: Arc<App>,
    config: EdgeConfig,
    trunks: Arc<Trunks>,
    spend: Arc<Spend>,
    calls: Calls,
    nonces: HiddenKey,
    nonce_counts: nonces::Counts,
    merged: merged::Merged,
    ports: Ports,
    refusals: Refusals,
    counters: Counters,
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

/// The nonces' key, which is not printed.
struct HiddenKey(NonceKey);

impl std::fmt::Debug for HiddenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NonceKey(hidden)")
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
    pub(crate) async fn start(app: Arc<App>, config: EdgeConfig) -> Result<Self, EdgeError> {
        config.settings.check()?;
        let trunks = Arc::new(Trunks::new(config.settings.realm.clone()));
        // First the watch, then the load: a write in between is seen by both, and the later one stays.
        let spend = Arc::new(Spend::default());
        app.store.observe(Arc::new(Watch { trunks: Arc::clone(&trunks), spend: Arc::clone(&spend) }));
        trunks.load(&*app.store)?;
        spend.load(&*app.store, app.clock.now()).await?;
        let (stack, incoming) = Stack::start(&config).await?;
        let (records, _) = tokio::sync::broadcast::channel(FOLLOWED);
        let inner = Arc::new(Inner {
            nonces: HiddenKey(NonceKey::new(&app.ids.nonce_key())),
            nonce_counts: nonces::Counts::default(),
            merged: merged::Merged::new([app.ids.word(), app.ids.word()]),
            ports: Ports::new(config.rtp_ports.clone(), app.ids.word()),
            app,
            config,
            trunks,
            spend,
            calls: Calls::default(),
            refusals: Refusals::default(),
            counters: Counters::default(),
            records,
        });
        let stack = Arc::new(stack);
        let tasks = vec![
            tokio::spawn(take(Arc::clone(&inner), Arc::clone(&stack), incoming)),
            tokio::spawn(spend::age(Arc::clone(&inner))),
            tokio::spawn(prune::run(Arc::clone(&inner))),
        ];
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

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// Ends every call and stops listening.
    pub(crate) async fn stop(mut self) {
        self.end(std::future::ready(())).await;
    }

    /// The same without waiting for it, once something else is over.
    pub(crate) fn abandon_after(mut self, first: impl Future<Output = ()> + Send + 'static) {
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

impl Inner {
    /// What would become of a call.
    pub(crate) fn explain(&self, question: &Question) -> Explanation {
        explain::explain(self, question)
    }

    /// The calls that are up, oldest first.
    pub(crate) fn active_calls(&self) -> Vec<ActiveCall> {
        self.calls.list()
    }

    /// Ends a call from our side; gives whether there was one.
    pub(crate) fn end_call(&self, id: uuid::Uuid) -> bool {
        self.calls.end(id)
    }

    /// Every record from now on.
    pub(crate) fn follow(&self) -> tokio::sync::broadcast::Receiver<Arc<CallRecord>> {
        self.records.subscribe()
    }

    /// How many attempts were challenged, refused and admitted, and how many refusals left no record because there
    /// were too many.
    pub(crate) fn counts(&self) -> [u64; 4] {
        let counters = &self.counters;
        [&counters.challenged, &counters.refused, &counters.admitted, &counters.unrecorded]
            .map(|count| count.load(Ordering::Relaxed))
    }
}

/// Most requests and calls that are worked on at the same time.
const AT_ONCE: usize = 65_536;

/// Takes requests until the stack stops.
async fn take(inner: Arc<Inner>, stack: Arc<Stack>, mut incoming: stack::Requests) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(request) = incoming.next().await {
        // Beyond that a request is lost, as a datagram may be: its sender repeats it.
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            tracing::warn!(source = %request.source(), most = AT_ONCE, "a request was dropped: too many at once");
            continue;
        };
        let (inner, stack) = (Arc::clone(&inner), Arc::clone(&stack));
        tokio::spawn(async move {
            serve(&inner, &stack, request).await;
            drop(place);
        });
    }
}

async fn serve(inner: &Arc<Inner>, stack: &Arc<Stack>, mut request: Incoming) {
    if request.method() == "ACK" {
        // One that belongs to no answer; an ACK is never answered itself.
        return;
    }
    let begins = request.local_tag().is_none();
    if begins {
        request.set_local_tag(&inner.app.ids.tag());
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
            tracing::info!(source = %request.source(), hint, "REGISTER refused");
            request
                .finish(405, "Method Not Allowed", &[("Allow", stack::ALLOW), ("Warning", &warning)])
                .await;
        }
        _ => request.finish(405, "Method Not Allowed", &[("Allow", stack::ALLOW)]).await,
    }
}
