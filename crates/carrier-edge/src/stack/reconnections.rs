//! New connections to callers over TCP that closed the one of their call: a BYE or a refresh of the edge would be
//! lost without one (RFC 3261 §18.1.1).
//!
//! A caller chooses the address in its contact. So a connection leads only to the address that the call came from,
//! or to a public one, and never to this machine's services; it is opened within [`CONNECT_TIMEOUT`], and the calls
//! of a source together have at most [`MAX_OF_SOURCE`]. Over TLS none is opened: a contact is an address, for which
//! callers have no certificate, and the requests of a call over TLS must not be sent without encryption.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rsipstack::sip::Transport;
use service_base::descriptors::{Descriptors, Share};
use service_base::forwarded::origin;
use service_base::net::OwnSockets;
use service_base::public_address::not_public;
use sip_transport::streams::{Lease, Limits, OutgoingStream};
use sip_transport::{Arrival, FilterAction, Intake, MessageFilter, Unreadable};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use trunk_rules::carrier::no_media_to;
use trunk_rules::outbound::SipUri;

/// Time limit for a connection, with the wait for another one of the source that is being opened: the end of a call
/// waits meanwhile.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Limit of connections to callers of one source, an IPv4 address or an IPv6 network of 64 bits.
const MAX_OF_SOURCE: usize = 4;
/// Limit of connections to callers of all sources.
const MAX_OF_ALL: usize = 64;
/// A connection without traffic for this time is closed. A request is answered within 32 seconds.
const IDLE_TIMEOUT: Duration = Duration::from_secs(40);
/// Services that answer arbitrary senders listen on ports below this one.
const MIN_PORT: u16 = 1024;
/// The port of a URI that names none.
const DEFAULT_PORT: u16 = 5060;

/// The open connections of one source. Locked while one is opened, so that calls that end together share it.
type OfSource = tokio::sync::Mutex<Vec<(SocketAddr, OutgoingStream)>>;

/// Opens connections to callers, and shares those to the same address between the calls of a source.
pub(crate) struct Reconnections {
    common: Intake,
    token: CancellationToken,
    descriptors: Descriptors,
    own: OwnSockets,
    places: Arc<Semaphore>,
    by_source: Mutex<HashMap<IpAddr, Arc<OfSource>>>,
}

impl Reconnections {
    /// `token` ends the connections. `common` receives what arrives on them, of which its filter decides on
    /// requests alone.
    pub(super) fn new(
        common: &Intake,
        token: CancellationToken,
        descriptors: Descriptors,
        own: OwnSockets,
    ) -> Self {
        let filter =
            common.filter.clone().map(|requests| Arc::new(Filter { requests }) as Arc<dyn MessageFilter>);
        let limits = Limits { idle_timeout: IDLE_TIMEOUT, ..common.limits };
        Self {
            common: Intake { filter, limits, ..common.clone() },
            token,
            descriptors,
            own,
            places: Arc::new(Semaphore::new(MAX_OF_ALL)),
            by_source: Mutex::default(),
        }
    }

    /// A connection to the address in a URI, for a call that came from `source`. It is not closed as idle while the
    /// lease exists.
    ///
    /// # Errors
    /// Why there is none: the URI names a host or another transport, the address is not allowed or not reachable,
    /// or a limit is reached.
    pub(super) async fn connect(&self, source: SocketAddr, uri: &str) -> Result<Lease, String> {
        let target = target_of(uri).ok_or("the contact or route is not an address over TCP")?;
        let (target, source) = (on_link_of(source, target), source.ip());
        if let Some(why) = forbidden(target, source, &self.own) {
            return Err(format!("{target} is {why}"));
        }
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, self.shared(source, target)).await;
        opened.unwrap_or_else(|_elapsed| Err("connecting took too long".to_owned()))
    }

    async fn shared(&self, source: IpAddr, target: SocketAddr) -> Result<Lease, String> {
        let of_source = self.of_source(source);
        let mut open = of_source.lock().await;
        open.retain(|(_, stream)| stream.is_open());
        let known = open.iter().find(|(to, _)| *to == target);
        if let Some(lease) = known.and_then(|(_, stream)| stream.lease()) {
            return Ok(lease);
        }
        if open.len() >= MAX_OF_SOURCE {
            return Err("there are too many connections to callers of its source".to_owned());
        }
        let stream = self.open(target).await?;
        let lease = stream.lease().ok_or("the connection was closed")?;
        open.push((target, stream));
        Ok(lease)
    }

    async fn open(&self, target: SocketAddr) -> Result<OutgoingStream, String> {
        let why = |error: std::io::Error| error.to_string();
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_full| "there are too many connections to callers".to_owned())?;
        let permit = self.descriptors.take(Share::Outgoing).ok_or("the limit of open files is reached")?;
        let stream = TcpStream::connect(target).await.map_err(why)?;
        // Small messages must not wait for each other (Nagle).
        stream.set_nodelay(true).map_err(why)?;
        let ends = [stream.local_addr().map_err(why)?, target];
        let (common, token) = (self.common.clone(), self.token.child_token());
        let stream = OutgoingStream::start(stream, ends, Transport::Tcp, common, token.clone(), permit)
            .await
            .map_err(why)?;
        tokio::spawn(async move {
            // It is cancelled when the connection ends.
            token.cancelled().await;
            drop(place);
        });
        Ok(stream)
    }

    /// The connections of a source. Entries that no call uses, and without an open connection, are removed.
    fn of_source(&self, source: IpAddr) -> Arc<OfSource> {
        let source = origin(source);
        let mut by_source = self.by_source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = by_source.get(&source) {
            return Arc::clone(known);
        }
        by_source.retain(|_, known| {
            let is_used = Arc::strong_count(known) > 1;
            is_used || known.try_lock().is_ok_and(|open| open.iter().any(|(_, stream)| stream.is_open()))
        });
        let new = Arc::<OfSource>::default();
        by_source.insert(source, Arc::clone(&new));
        new
    }
}

/// The filter of a connection that was opened here. A response on it belongs to a request that was sent there,
/// although its address may be that of no source of calls.
struct Filter {
    requests: Arc<dyn MessageFilter>,
}

impl MessageFilter for Filter {
    fn check(&self, bytes: &[u8], arrival: &Arrival) -> FilterAction {
        if bytes.starts_with(b"SIP/2.0 ") {
            return FilterAction::Pass;
        }
        self.requests.check(bytes, arrival)
    }

    fn unreadable(&self, bytes: &[u8], arrival: &Arrival, why: Unreadable) -> FilterAction {
        self.requests.unreadable(bytes, arrival, why)
    }

    fn is_needed(&self, arrival: &Arrival) -> bool {
        self.requests.is_needed(arrival)
    }
}

/// The address that a URI leads to over TCP, if it names an address. A URI without a transport has that of the call.
fn target_of(uri: &str) -> Option<SocketAddr> {
    let uri = SipUri::parse(uri)?;
    let is_tcp = uri.parameter("transport").is_none_or(|name| name.eq_ignore_ascii_case("tcp"));
    let address: IpAddr = uri.host.parse().ok()?;
    let port = uri.port.unwrap_or(DEFAULT_PORT);
    (is_tcp && !uri.secure).then(|| SocketAddr::new(address.to_canonical(), port))
}

/// The target on the link from which a call came: a URI names no scope, and a link-local address has many.
fn on_link_of(source: SocketAddr, target: SocketAddr) -> SocketAddr {
    match (source, target) {
        (SocketAddr::V6(from), SocketAddr::V6(to)) if is_link_local(from) && is_link_local(to) => {
            SocketAddrV6::new(*to.ip(), to.port(), 0, from.scope_id()).into()
        }
        _ => target,
    }
}

fn is_link_local(address: SocketAddrV6) -> bool {
    address.ip().is_unicast_link_local()
}

/// Why no connection may be opened to an address, for a call that came from `source`; `None` if one may.
fn forbidden(target: SocketAddr, source: IpAddr, own: &OwnSockets) -> Option<&'static str> {
    let address = target.ip().to_canonical();
    let is_of_caller = address == source.to_canonical();
    let of_others = || {
        let of_this_machine = || own.is_near(address).then_some("one of this machine");
        if is_of_caller { None } else { not_public(address).or_else(of_this_machine) }
    };
    // A neighbour on the link that the call came from is reached there, as far as it is the caller itself.
    let is_neighbour = is_of_caller && matches!(target, SocketAddr::V6(to) if is_link_local(to));
    let special = if is_neighbour {
        (target.port() < MIN_PORT).then_some("a port below 1024")
    } else {
        no_media_to(target, source, false)
    };
    special.or_else(|| own.at(target).map(|_| "one of our own sockets")).or_else(of_others)
}

#[cfg(test)]
mod tests;
