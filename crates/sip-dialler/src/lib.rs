//! A SIP user agent client: it places calls at carriers and reports their events.
//!
//! The crate has no knowledge of customers, providers or a store: it receives a URI, a caller and headers,
//! and reports events. The SIP library is used at transaction level, except for INVITE. The library's INVITE
//! transactions send the ACK themselves, to an address that they resolve again while everything else waits;
//! they change the user part of a URI; and a timeout looks like a 408 of the far end.
//!
//! It accepts no incoming calls, sends only silence, and reads no media.
//!
//! Each loop that a far end can feed has a bound:
//!
//! | input | bound |
//! | --- | --- |
//! | messages for a call | 16 queued, and a reserved slot for a BYE |
//! | requests outside of calls | answered once, without a transaction: 10 a second of each address, 1,000 in all |
//! | requests of calls that have just ended | 1,024 are answered at the same time |
//! | early dialogs and reliable responses of a call | 8 and 32 |
//! | final responses whose ACK is kept for retransmission | the newest 8 of a call |
//! | challenges | 4 realms of a request, and one more for a stale nonce |
//! | packets of media | 50,000 a second for up to 8,000 calls: beyond 1,000 calls the packets of all become longer |
//! | records of attempts | 8 of a call, with bounded texts |
//! | addresses of a host | 4 are tried |
//! | host names for media | 4 of a call, and one more after each 15 seconds; 5 seconds for each lookup |

// A test reads a packet or two.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod acks;
mod call;
mod call_setup;
mod config;
mod connector;
mod dialog;
mod dialogs;
mod digest;
mod early_dialog;
mod egress;
mod established;
mod headers;
mod hop;
mod incoming;
mod inspection;
mod invite;
mod leg;
mod media;
mod negotiation;
mod network;
mod of_file;
mod origin;
mod outcome;
mod prack;
mod probe;
mod resolve;
mod responses;
mod shared;
mod stack;
mod stopwatch;
mod strangers;
mod stray_responses;
mod streams;
mod transaction;
mod tries;
mod uri;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use service_base::boxed::Boxed;
use service_base::clock::Clock;
use service_base::descriptors::Share;
use service_base::ids::Ids;
use service_base::mailbox::mailbox;
use service_base::net::Use;
use sip_transport::{Ports, SocketAccounting};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use config::{DiallerConfig, DiallerError, ProbeError};
use connector::Connector;
use dialogs::Dialogs;
pub use egress::Egress;
pub use leg::{Invitation, Leg, LegEnd, LegEvent, SipCredentials};
use network::Network;
pub use outcome::Outcome;
use resolve::Resolver;
use shared::Shared;
pub use sip_transport::{CallMessages, Message, MessageLog, MessageLogLimits};
use stack::Stack;
use strangers::Strangers;
use tries::Tries;
pub use tries::Try;

/// Maximum number of events of a call, so that reporting never waits.
const MAX_EVENTS: u32 = 4;

/// A running dialler. Dropping it ends all calls at once, like [`abandon`](Self::abandon).
#[derive(Debug)]
pub struct Dialler {
    shared: Arc<Shared>,
}

impl Dialler {
    /// Starts listening for requests and responses of carriers.
    ///
    /// # Errors
    /// [`DiallerError`]; all sockets are closed then.
    pub fn start(
        config: DiallerConfig,
        clock: Clock,
        ids: Ids,
    ) -> Boxed<'static, Result<Self, DiallerError>> {
        Box::pin(Self::open(config, clock, ids))
    }

    async fn open(config: DiallerConfig, clock: Clock, ids: Ids) -> Result<Self, DiallerError> {
        let dialogs = Arc::new(Dialogs::default());
        let resolver = Resolver::new(&config)?;
        let inspecting = Arc::clone(&dialogs);
        let inspect = Arc::new(move |message| inspecting.inspect(message));
        let strangers = Arc::new(Strangers::new(Arc::clone(&dialogs), clock.clone()));
        let (stack, requests) = Stack::start(&config, inspect, strangers, &clock).await?;
        let connector = Connector::new(&config, clock.clone(), &stack)?;
        let token = stack.token().clone();
        let shared = Arc::new(Shared {
            ports: Ports::new(
                config.rtp_ports.clone(),
                ids.word(),
                SocketAccounting {
                    own: config.own.clone(),
                    purpose: Use::Other,
                    descriptors: config.descriptors.clone(),
                    share: Share::Outgoing,
                },
            ),
            _entered: config.own.enter(stack.address(), Use::Other),
            network: Arc::new(Network {
                stack,
                connector,
                resolver,
                ids,
                user_agent: config.user_agent.clone(),
            }),
            config,
            clock: clock.clone(),
            dialogs,
            active_calls: watch::Sender::new(0),
            streams: Arc::default(),
            stop: CancellationToken::new(),
        });
        tokio::spawn(incoming::receive(Arc::downgrade(&shared), requests));
        tokio::spawn(dialogs::remove_expired(Arc::downgrade(&shared.dialogs), clock, token));
        Ok(Self { shared })
    }

    /// The address and port that SIP is received on.
    pub fn address(&self) -> SocketAddr {
        self.shared.network.stack.address()
    }

    /// The host map of the configuration.
    pub fn hosts(&self) -> &BTreeMap<String, String> {
        &self.shared.config.hosts
    }

    /// Places a call and returns immediately; its progress is reported by [`Leg::next`].
    pub fn call(&self, invitation: Invitation) -> Leg {
        let (events, receiver) = mailbox(MAX_EVENTS);
        let hang_up = self.shared.stop.child_token();
        let tries = Tries::default();
        let call = call::run(Arc::clone(&self.shared), invitation, events, hang_up.clone(), tries.clone());
        // Boxed before it is spawned: the state is large, and is not moved again.
        tokio::spawn(Box::pin(call));
        Leg { events: receiver, hang_up, tries }
    }

    /// Sends an OPTIONS request to a provider's hostname, as calls are sent there, and
    /// returns the code of the response. Any code means that the carrier is reachable.
    ///
    /// # Errors
    /// [`ProbeError`], if no response arrived within [`DiallerConfig::probe_timeout`] or the request was not
    /// sent.
    pub fn probe<'a>(&'a self, hostname: &'a str) -> Boxed<'a, Result<u16, ProbeError>> {
        Box::pin(probe::probe(&self.shared, hostname))
    }

    /// The SIP messages with a `Call-ID` that this dialler exchanged, oldest first; `None` if none are stored: there
    /// are none, later ones displaced them, or [`DiallerConfig::messages`] is not set.
    pub fn messages(&self, call_id: &str) -> Option<CallMessages> {
        self.shared.config.messages.as_ref()?.of_stack(call_id, stack::STACK)
    }

    /// The number of calls that have not ended.
    fn active_calls(&self) -> usize {
        *self.shared.active_calls.borrow()
    }

    /// Cancels or hangs up all calls, waits for them at most [`DiallerConfig::stop_deadline`], and stops
    /// listening.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        let mut active = self.shared.active_calls.subscribe();
        let ended = active.wait_for(|active| *active == 0);
        if tokio::time::timeout(self.shared.config.stop_deadline, ended).await.is_err() {
            tracing::warn!(
                calls = self.active_calls(),
                "calls were abandoned: their far ends did not respond in time"
            );
        }
        self.abandon();
    }

    /// Ends all calls without notifying their far ends, and stops listening.
    pub fn abandon(&self) {
        self.shared.stop.cancel();
        self.shared.network.stack.stop();
        self.shared.dialogs.close();
    }
}

impl Drop for Dialler {
    fn drop(&mut self) {
        self.abandon();
    }
}

#[cfg(test)]
mod tests;
