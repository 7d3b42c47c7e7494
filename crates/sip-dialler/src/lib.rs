//! A SIP user agent client: it places calls at carriers and tells what becomes of them.
//!
//! It knows nothing of customers, providers or a store: it is given a URI, a caller and headers, and answers
//! with events. The SIP library is used at transaction level, and not even that for INVITE: its INVITE
//! transactions send the ACK themselves, to an address that they look up anew while everything else waits,
//! write the user part of a URI otherwise than it was given, and make a timeout look like a 408 of the far
//! end.
//!
//! It takes no calls, plays nothing but silence, and hears nothing.
//!
//! The loops that far ends feed, and their bounds: what comes for one call (16 wait, and a place for a BYE);
//! requests of no call (1,024 are answered at the same time); forks and reliable responses of a call (8 and
//! 32); answers that are acknowledged again (8); challenges (4); a host's addresses (4); hosts for media (4
//! of a call, and one more after each 15 seconds; each within 5 seconds). No media is read at all.

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod acks;
mod connect;
mod dialog;
mod incoming;
mod invite;
mod late;
mod leg;
mod media;
mod negotiation;
mod origin;
mod prack;
mod probe;
mod reach;
mod registry;
mod resolve;
mod setup;
mod stack;
mod talk;
mod uri;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use didww_types::Secret;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use connect::Connect;
pub use reach::Reach;
use registry::Registry;
use resolve::Resolver;
use service_base::clock::Clock;
use service_base::descriptors::{self, Descriptors, Share};
use service_base::ids::Ids;
use service_base::mailbox::{Receiver, mailbox};
use service_base::net::{Entered, OwnSockets, Use};
use sip_transport::streams::Limits;
use sip_transport::{Books, Connections, Ports};
use stack::Stack;

/// The dialler's configuration.
#[derive(Debug, Clone)]
pub struct DiallerConfig {
    /// Where requests of the far end are taken, over UDP and TCP, and media comes from. Carriers of the other
    /// address family cannot be called.
    pub listen: IpAddr,
    /// The port there; zero is any.
    pub port: u16,
    /// The address that carriers are told. When there is none it is the one listened on, or, when that is
    /// unspecified, the one that the way to the carrier begins with.
    pub advertise: Option<IpAddr>,
    /// Ports for RTP; even ones are used.
    pub rtp_ports: Range<u16>,
    /// Host names that are somewhere else than the domain name system says: `host:port` or `address:port`,
    /// the port being optional.
    pub hosts: BTreeMap<String, String>,
    /// Whether calls to [`Reach::Public`] may go to addresses that are not public, too.
    pub allow_private: bool,
    /// What this process listens on: no media goes there.
    pub own: OwnSockets,
    /// The name servers; the system's when there are none.
    pub name_servers: Vec<SocketAddr>,
    /// Certificates that carriers' certificates must lead to, in a PEM file; those the system trusts when
    /// there is none.
    pub tls_roots: Option<PathBuf>,
    /// What the `User-Agent` header says.
    pub user_agent: String,
    /// How long a call may take to be answered.
    pub ring_timeout: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How many connections of far ends are taken.
    pub connections: Connections,
    /// How long things may take on a connection, of a far end or ours.
    pub limits: Limits,
    /// How long a probe waits.
    pub probe_timeout: Duration,
    /// How long calls may take to end when the dialler stops.
    pub stop_deadline: Duration,
    /// The estimate of a round trip that SIP's timers are made from (RFC 3261 §17.1.1.1): a request is given
    /// up after 64 of them.
    pub t1: Duration,
    /// Where calls and connections take the files from that they have open.
    pub descriptors: Descriptors,
}

impl DiallerConfig {
    /// The usual dialler at an address.
    pub fn new(listen: IpAddr) -> Self {
        Self {
            listen,
            port: 0,
            advertise: None,
            rtp_ports: 32_768..49_152,
            hosts: BTreeMap::new(),
            allow_private: false,
            own: OwnSockets::default(),
            name_servers: Vec::new(),
            tls_roots: None,
            user_agent: "trunk-server".to_owned(),
            ring_timeout: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(5),
            connections: Connections { all: 256, of_one_address: 64 },
            limits: Limits {
                stuck: Duration::from_secs(4),
                silent: Duration::from_mins(1),
                ..Limits::default()
            },
            probe_timeout: Duration::from_secs(5),
            stop_deadline: Duration::from_secs(4),
            t1: Duration::from_millis(500),
            descriptors: Descriptors::new(descriptors::open_files()),
        }
    }
}

/// Why the dialler does not start.
#[derive(Debug, thiserror::Error)]
pub enum DiallerError {
    /// The address cannot be listened on.
    #[error("the dialler cannot take SIP on {address}: {why}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        why: String,
    },
    /// The file of certificates cannot be used.
    #[error("the certificates in {} cannot be used for calls over TLS: {why}", file.display())]
    Roots {
        /// The file.
        file: PathBuf,
        /// Why not.
        why: String,
    },
    /// A name server cannot be used.
    #[error("names cannot be looked up: {0}")]
    Names(String),
}

/// Why a carrier was not reached by a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// A probe goes to port 5060 of a bare host name.
    #[error(
        "a host name that carries a port cannot be probed; give the name alone, and the port in the host map"
    )]
    Port,
    /// The name is no name, or leads nowhere.
    #[error("the host name has no address")]
    Unresolved,
    /// The datagram could not be sent.
    #[error("the request could not be sent")]
    Unsent,
    /// No response came in time.
    #[error("no response came in time")]
    Silent,
}

/// A username and a password for carriers that ask for a digest.
#[derive(Debug, Clone)]
pub struct SipCredentials {
    /// The username.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// Whom to call, as whom.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// `sip:0011+15551234#@host[:port][;transport=udp|tcp|tls]` or `sips:`; it is sent as it is.
    pub uri: String,
    /// The display name of `From`; none when empty.
    pub from_display: String,
    /// The user part of `From`.
    pub from_user: String,
    /// Further headers. One that would break the request or belongs to the dialog is left out.
    pub headers: Vec<(String, String)>,
    /// How far it may go.
    pub reach: Reach,
    /// What a challenge is answered with; without it a challenge ends the call.
    pub credentials: Option<SipCredentials>,
}

/// What happens to a call. Each comes once at most, and `Ended` last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegEvent {
    /// It rings (180).
    Ringing,
    /// It makes progress (183).
    Progress,
    /// It is answered.
    Answered,
    /// It is over.
    Ended(LegEnd),
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegEnd {
    /// With this final response, 300 to 699.
    Refused(u16),
    /// Nothing answered, or there is no way to the host.
    NoResponse,
    /// It rang for too long.
    RingTimeout,
    /// We hung up before it was answered.
    Cancelled,
    /// The far end hung up.
    HungUp,
    /// We hung up.
    HungUpByUs,
}

/// Most events of one call: none of them ever waits for room.
const EVENTS: usize = 4;

/// A call that is being placed or is up. Dropping it hangs up.
#[derive(Debug)]
pub struct Leg {
    events: Receiver<LegEvent>,
    hang_up: CancellationToken,
}

impl Leg {
    /// What happens next; `None` after the end. Safe to give up waiting for.
    pub async fn next(&mut self) -> Option<LegEvent> {
        self.events.recv().await
    }

    /// Ends the call: it is cancelled before its answer, hung up after. A second time changes nothing.
    pub fn hang_up(&self) {
        self.hang_up.cancel();
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.hang_up.cancel();
    }
}

/// A running dialler.
#[derive(Debug)]
pub struct Dialler {
    inner: Arc<Inner>,
}

/// What every call shares.
struct Inner {
    config: DiallerConfig,
    clock: Clock,
    ids: Ids,
    stack: Stack,
    connect: Connect,
    resolver: Resolver,
    registry: Arc<Registry>,
    ports: Ports,
    /// Its place among our own sockets.
    _entered: Entered,
    /// Calls that are not over.
    running: watch::Sender<usize>,
    /// Ends every call.
    stop: CancellationToken,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("address", &self.stack.address()).finish_non_exhaustive()
    }
}

impl Dialler {
    /// Listens for what carriers send.
    ///
    /// # Errors
    /// [`DiallerError`]; nothing is listened on then.
    pub async fn start(config: DiallerConfig, clock: Clock, ids: Ids) -> Result<Self, DiallerError> {
        let registry = Arc::new(Registry::default());
        let resolver = Resolver::new(&config)?;
        let (stack, requests) = Stack::start(&config, Arc::clone(&registry), &clock).await?;
        let connect = Connect::new(&config, clock.clone(), &stack)?;
        let inner = Arc::new(Inner {
            ports: Ports::new(
                config.rtp_ports.clone(),
                ids.word(),
                Books {
                    own: config.own.clone(),
                    purpose: Use::Other,
                    descriptors: config.descriptors.clone(),
                    share: Share::Outgoing,
                },
            ),
            _entered: config.own.enter(stack.address(), Use::Other),
            config,
            clock,
            ids,
            stack,
            connect,
            resolver,
            registry,
            running: watch::Sender::new(0),
            stop: CancellationToken::new(),
        });
        tokio::spawn(incoming::take(Arc::downgrade(&inner), requests));
        tokio::spawn(registry::forget(Arc::downgrade(&inner), inner.stack.token().clone()));
        Ok(Self { inner })
    }

    /// Where requests of the far end are taken.
    pub fn address(&self) -> SocketAddr {
        self.inner.stack.address()
    }

    /// The host map.
    pub fn hosts(&self) -> &BTreeMap<String, String> {
        &self.inner.config.hosts
    }

    /// Places a call and gives it at once; everything that happens comes as events.
    pub fn call(&self, invitation: Invitation) -> Leg {
        let (events, receiver) = mailbox(EVENTS);
        let hang_up = self.inner.stop.child_token();
        let leg = leg::run(Arc::clone(&self.inner), invitation, events, hang_up.clone());
        // On the heap by itself: its state is large, and is moved no more from here on.
        tokio::spawn(Box::pin(leg));
        Leg { events: receiver, hang_up }
    }

    /// Asks a carrier's host for its options over UDP. Any response is good, and gives its code.
    pub async fn probe(&self, hostname: &str) -> Result<u16, ProbeError> {
        probe::probe(&self.inner, hostname).await
    }

    /// How many calls are not over.
    pub fn running(&self) -> usize {
        *self.inner.running.borrow()
    }

    /// Cancels or hangs up every call, waits a while for that, and stops listening.
    pub async fn stop(&self) {
        self.inner.stop.cancel();
        let mut running = self.inner.running.subscribe();
        let ended = running.wait_for(|running| *running == 0);
        if tokio::time::timeout(self.inner.config.stop_deadline, ended).await.is_err() {
            tracing::warn!(
                calls = self.running(),
                "calls were left behind: their far ends did not answer in time"
            );
        }
        self.abandon();
    }

    /// Ends every call at once, without a word to its far end, and stops listening.
    pub fn abandon(&self) {
        self.inner.stop.cancel();
        self.inner.stack.stop();
        self.inner.registry.close();
    }
}

impl Drop for Dialler {
    fn drop(&mut self) {
        self.abandon();
    }
}

#[cfg(test)]
mod tests;
