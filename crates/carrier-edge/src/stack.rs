//! A small interface in front of the SIP library.
//!
//! The library is used at transaction level: it handles retransmissions and transports, the edge makes every
//! decision. Only the answers that nearly every call receives over UDP are sent and repeated by the edge
//! (`incoming::direct_answer`). The library logs whole messages, so the server's log set-up switches its log target
//! off.

mod dialog;
mod identity;
mod incoming;
mod invite_event;
mod kept_answer;
mod named_headers;
mod reconnections;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rsipstack::transaction::endpoint::EndpointOption;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transaction::{Endpoint, EndpointBuilder};
use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::net::{self, Entered, OwnSockets, Use};
use sip_transport::streams::{ConnectionSlots, Limits, Listener, RefusedConnections};
use sip_transport::{
    AckRoutes, Datagrams, Intake, KeptAnswers, MessageFilter, Tap, listen, serve_in_steps, shut_down,
    transport_layer,
};
use tls_identity::Identity;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::config::{EdgeConfig, EdgeError};
use identity::{EdgeIdentity, named};
use reconnections::Reconnections;

pub(crate) use dialog::{Dialog, FinalResponse};
pub(crate) use incoming::Incoming;
pub(crate) use incoming::repetition::{Repetition, now as real_now};
pub(crate) use invite_event::{Acknowledgement, InviteEvent};

/// The value of `Allow`: the methods that the edge serves.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO";

/// The value of `Supported`: the SIP extensions that the edge implements.
pub(crate) const SUPPORTED: &str = "timer, 100rel";

/// The SIP endpoint of the edge, which listens over UDP, TCP and, if configured, TLS.
pub(crate) struct Stack {
    endpoint: Endpoint,
    token: CancellationToken,
    /// The socket, for as long as it is served.
    datagrams: Weak<Datagrams>,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    tls_identity: Option<Arc<Identity>>,
    /// The address that messages name instead of the one that the peer sent its request to.
    advertise: Option<IpAddr>,
    /// The contact that was asked for last, with the address and the transport that it is for: nearly always those of
    /// the next one, and calls share the text.
    contact: Mutex<Option<(SocketAddr, &'static str, Arc<str>)>>,
    refused: Arc<RefusedConnections>,
    tap: Tap,
    answers: KeptAnswers,
    reconnections: Reconnections,
    /// Registers the listening addresses as sockets of this server, for as long as the stack exists.
    _entered: Vec<Entered>,
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack")
            .field("address", &self.address)
            .field("tls", &self.tls_address)
            .finish_non_exhaustive()
    }
}

/// Maximum number of requests that wait for the edge to take them, which it does at once unless the processors are busy.
const MAX_WAITING_REQUESTS: usize = 8_192;

/// The received requests, in the order of their arrival.
pub(crate) struct IncomingRequests {
    receiver: mpsc::Receiver<Transaction>,
    identity: Arc<EdgeIdentity>,
    acks: AckRoutes,
    answers: KeptAnswers,
}

impl IncomingRequests {
    pub(crate) async fn next(&mut self) -> Option<Incoming> {
        let transaction = self.receiver.recv().await?;
        let (acks, answers) = (self.acks.clone(), self.answers.clone());
        Some(Incoming::new(transaction, Arc::clone(&self.identity), acks, answers))
    }
}

impl Stack {
    pub(crate) fn start(
        config: &EdgeConfig,
        filter: Arc<dyn MessageFilter>,
        clock: &Clock,
        sockets: &OwnSockets,
        descriptors: &Descriptors,
    ) -> Result<(Self, IncomingRequests), EdgeError> {
        let token = CancellationToken::new();
        let layer = transport_layer(token.clone());
        let tap = Tap::new(config.messages.clone(), "edge");
        let (udp, tcp, address) = listen::sockets(config.listen, &token, &tap)
            .map_err(|why| EdgeError::Listen { address: config.listen, why })?;
        let (mut tls_address, mut tls_identity) = (None, None);
        let mut listeners = vec![(tcp, None)];
        if let Some((listen, tls)) = &config.tls {
            let failed =
                |error: std::io::Error| EdgeError::Listen { address: *listen, why: error.to_string() };
            let certificate = Identity::load(tls.clone(), &[])?;
            let listener = net::listen(*listen).map_err(failed)?;
            tls_address = Some(listener.local_addr().map_err(failed)?);
            listeners.push((listener, Some(Arc::clone(&certificate))));
            tls_identity = Some(certificate);
        }
        let endpoint = EndpointBuilder::new()
            .with_user_agent(&config.server_name)
            .with_transport_layer(layer)
            .with_cancel_token(token.clone())
            // The library would send ACKs to the address in the contact instead of the caller's source
            // address.
            .with_option(EndpointOption { auto_ack_2xx: false, ..EndpointOption::default() })
            .build();
        let why = |error: rsipstack::Error| EdgeError::Listen { address, why: error.to_string() };
        let mut copies = endpoint.incoming_transactions().map_err(why)?;
        let (transactions, receiver) = mpsc::channel(MAX_WAITING_REQUESTS);
        let (transactions_of_copies, acks) = (transactions.clone(), AckRoutes::default());
        let answers = KeptAnswers::default();
        tokio::spawn(async move {
            // A copy of a request whose transaction ends at that moment: the intake still found it, the endpoint did
            // not.
            while let Some(transaction) = copies.recv().await {
                let _dropped_or_stopped = transactions_of_copies.try_send(transaction);
            }
        });
        let inner = endpoint.inner.clone();
        tokio::spawn(async move {
            if let Err(error) = serve_in_steps(inner).await {
                tracing::error!(%error, "the SIP endpoint ended");
            }
        });
        let common = Intake {
            endpoint: endpoint.inner.clone(),
            filter: Some(filter),
            transactions: Some(transactions),
            acks: acks.clone(),
            answers: answers.clone(),
            inspector: None,
            limits: Limits::default(),
            tap: tap.clone(),
        };
        let datagrams = Arc::downgrade(&udp);
        tokio::spawn(udp.serve(common.clone()));
        let reconnections = Reconnections::new(&common, token.clone(), descriptors.clone(), sockets.clone());
        let refused = Arc::new(RefusedConnections::new());
        for (socket, identity) in listeners {
            // Each listener has its own limits: a full TCP listener does not block TLS.
            let places = ConnectionSlots::new(config.connections, clock.clone());
            let (common, token, clock) = (common.clone(), token.clone(), clock.clone());
            let (refused, descriptors) = (Arc::clone(&refused), descriptors.clone());
            let listener = Listener { socket, identity, places, common, token, clock, refused, descriptors };
            tokio::spawn(listener.serve());
        }
        let identity = EdgeIdentity { server_name: config.server_name.clone(), advertise: config.advertise };
        let entered = [Some(address), tls_address].into_iter().flatten();
        let entered = entered.map(|address| sockets.enter(address, Use::Other)).collect();
        if let Some(advertise) = config.advertise {
            sockets.advertise(advertise);
        }
        let (identity, answers_of_stack) = (Arc::new(identity), answers.clone());
        let requests = IncomingRequests { receiver, identity, acks, answers };
        let advertise = config.advertise;
        let stack = Self {
            endpoint,
            token,
            datagrams,
            address,
            tls_address,
            tls_identity,
            advertise,
            contact: Mutex::default(),
            refused,
            tap,
            answers: answers_of_stack,
            reconnections,
            _entered: entered,
        };
        Ok((stack, requests))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket for SIP over UDP, for as long as it is served.
    pub(crate) fn datagrams(&self) -> Weak<Datagrams> {
        Weak::clone(&self.datagrams)
    }

    /// The connections to callers that closed theirs.
    pub(crate) fn reconnections(&self) -> &Reconnections {
        &self.reconnections
    }

    /// Assigns the messages of a call to the trunk that it belongs to.
    pub(crate) fn assign_messages(&self, request: &Incoming, trunk: &str) {
        self.tap.assign(request.call_id(), request.source().ip(), trunk);
    }

    pub(crate) fn tls_identity(&self) -> Option<Arc<Identity>> {
        self.tls_identity.clone()
    }

    pub(crate) fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// The local address on which a call's media is bound, and the address that its session description
    /// names: the one that the INVITE was sent to, or the advertised one.
    pub(crate) fn media_at(&self, request: &Incoming) -> (IpAddr, IpAddr) {
        let called = request.local().ip();
        (called, named(self.advertise, called))
    }

    /// The value of `Contact` in responses to this request: the address that it was sent to, or the
    /// advertised one.
    pub(crate) fn contact(&self, request: &Incoming) -> Arc<str> {
        let (called, transport) = (request.local(), request.transport());
        let is_secure = request.is_secure();
        let mut last = self.contact.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((address, over, contact)) = &*last
            && !is_secure
            && (*address, *over) == (called, transport)
        {
            return Arc::clone(contact);
        }
        let (address, port) = (bracketed(named(self.advertise, called.ip())), called.port());
        if is_secure {
            return format!("<sips:{address}:{port}>").into();
        }
        let contact: Arc<str> = format!("<sip:{address}:{port};transport={transport}>").into();
        *last = Some((called, transport, Arc::clone(&contact)));
        contact
    }

    /// Logs how many connections were refused since the last call.
    pub(crate) fn write_log_summaries(&self, clock: &Clock) {
        self.refused.write_log_summaries(clock);
    }

    /// Forgets the answers whose time has passed, which new requests do too.
    pub(crate) fn forget_old_answers(&self) {
        self.answers.forget_old();
    }

    pub(crate) fn stop(&self) {
        self.token.cancel();
        shut_down(&self.endpoint, None);
    }
}

/// The address as a URI's host: an IPv6 address has brackets.
pub(crate) fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}
