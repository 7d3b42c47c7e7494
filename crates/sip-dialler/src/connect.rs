//! The way to a carrier: one socket for UDP, one connection for each carrier's address over TCP and TLS.
//!
//! Calls that begin together share the making of their connection, and its failure.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rsipstack::sip::Transport;
use rsipstack::transport::{SipAddr, SipConnection};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::stack::Stack;
use super::{DiallerConfig, DiallerError};
use service_base::clock::Clock;
use service_base::descriptors::{Descriptors, Share};
use sip_transport::streams::{Open, User};

/// Longest that a datagram may take to be sent.
const SENDING: Duration = Duration::from_secs(1);

/// How long it is taken for granted that the way to an address begins where it did.
const GRANTED: Duration = Duration::from_secs(1);
/// Most addresses of which the way is known.
const KNOWN: usize = 1024;

/// There is no way, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoWay(String);

/// Shared by all that a call keeps.
pub(crate) type Hop = Arc<Way>;

/// Where the next request goes, and how.
pub(crate) struct Way {
    pub connection: SipConnection,
    pub destination: SipAddr,
    /// What the far end is told of us.
    pub local: SocketAddr,
    pub transport: Transport,
    /// Keeps the connection open, where there is one.
    user: Option<User>,
}

impl Way {
    /// Where it leads.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.destination.get_socketaddr().ok()
    }

    /// Whether nothing is lost on the way.
    pub(crate) fn is_reliable(&self) -> bool {
        self.transport != Transport::Udp
    }

    /// Whether something can still be sent.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_reliable() || !is_closed(&self.connection)
    }

    /// Waits until nothing can be sent any more.
    pub(crate) async fn closed(&self) {
        match self.connection.cancel_token().filter(|_| self.is_reliable()) {
            Some(token) => token.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Sends a message once.
    pub(crate) async fn send(&self, message: &[u8]) -> Result<(), NoWay> {
        if let Some(user) = &self.user {
            return user.send(message).map_err(|why| NoWay(why.to_string()));
        }
        let SipConnection::Udp(socket) = &self.connection else {
            return Err(NoWay(format!("{} is no connection to a carrier", self.connection)));
        };
        match tokio::time::timeout(SENDING, socket.send_raw(message, &self.destination)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(NoWay(why.to_string())),
            Err(_elapsed) => Err(NoWay("a datagram takes too long".to_owned())),
        }
    }

    /// The URI that the far end sends requests of the dialog to.
    pub(crate) fn contact(&self, secure: bool) -> String {
        let local = self.local;
        match self.transport {
            _ if secure => format!("<sips:{local}>"),
            Transport::Tcp => format!("<sip:{local};transport=tcp>"),
            Transport::Tls => format!("<sip:{local};transport=tls>"),
            _ => format!("<sip:{local};transport=udp>"),
        }
    }
}

fn is_closed(connection: &SipConnection) -> bool {
    connection.cancel_token().is_some_and(|token| token.is_cancelled())
}

/// A connection and what it is good for: a certificate that was checked for one name says nothing of another.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Peer {
    transport: Transport,
    address: SocketAddr,
    name: Option<String>,
}

/// The connection to a peer.
#[derive(Default)]
struct Place {
    /// How often it could not be made: who waits sees by it that somebody else failed meanwhile.
    failures: AtomicU64,
    /// The lock is held while the connection is made, so that calls that begin together share one.
    last: tokio::sync::Mutex<Last>,
}

/// What became of the last attempt.
#[derive(Default)]
enum Last {
    #[default]
    None,
    Open(Open),
    Failed(NoWay),
}

impl Last {
    fn is_open(&self) -> bool {
        matches!(self, Self::Open(open) if open.is_open())
    }
}

pub(crate) struct Connect {
    listen: SocketAddr,
    advertise: Option<IpAddr>,
    /// Those that certificates must lead to; the system's when there are none.
    roots: Option<Arc<RootCertStore>>,
    timeout: Duration,
    descriptors: Descriptors,
    places: Mutex<HashMap<Peer, Arc<Place>>>,
    clock: Clock,
    /// The ways over UDP, and when each was found, on the clock's stopwatch. To find where one begins costs a
    /// socket, so calls that begin together share it; a way that no call has is not kept.
    datagrams: Mutex<HashMap<SocketAddr, (Weak<Way>, Duration)>>,
}

impl Connect {
    pub(crate) fn new(config: &DiallerConfig, clock: Clock, stack: &Stack) -> Result<Self, DiallerError> {
        let roots = config
            .tls_roots
            .as_ref()
            .map(|file| trusted(file).map_err(|why| DiallerError::Roots { file: file.clone(), why }));
        Ok(Self {
            listen: stack.address(),
            advertise: config.advertise,
            roots: roots.transpose()?.map(Arc::new),
            timeout: config.connect_timeout,
            descriptors: config.descriptors.clone(),
            places: Mutex::default(),
            clock,
            datagrams: Mutex::default(),
        })
    }

    /// The way to an address; `name` is what a certificate must be for.
    pub(crate) async fn to(
        &self,
        stack: &Stack,
        transport: Transport,
        address: SocketAddr,
        name: &str,
    ) -> Result<Hop, NoWay> {
        if transport == Transport::Udp {
            return self.datagrams(stack, address);
        }
        let destination = SipAddr { r#type: Some(transport), addr: address.into() };
        let own = self.told(address)?;
        let user = self.stream(stack, transport, address, name).await?;
        // Nothing is listened on for TLS: requests of the far end come on this connection.
        let local = if transport == Transport::Tls { user.local } else { own };
        let connection = user.connection.clone();
        Ok(Arc::new(Way { connection, destination, local, transport, user: Some(user) }))
    }

    fn datagrams(&self, stack: &Stack, address: SocketAddr) -> Result<Hop, NoWay> {
        let connection = stack.udp().ok_or_else(|| NoWay("the dialler has stopped".to_owned()))?;
        let now = self.clock.stopwatch();
        let known = || self.datagrams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((way, found)) = known().get(&address)
            && now < *found + GRANTED
            && let Some(way) = way.upgrade()
        {
            return Ok(way);
        }
        let transport = Transport::Udp;
        let destination = SipAddr { r#type: Some(transport), addr: address.into() };
        let local = self.told(address)?;
        let way = Arc::new(Way { connection, destination, local, transport, user: None });
        let mut known = known();
        if known.len() >= KNOWN {
            known.clear();
        }
        known.insert(address, (Arc::downgrade(&way), now));
        drop(known);
        Ok(way)
    }

    async fn stream(
        &self,
        stack: &Stack,
        transport: Transport,
        address: SocketAddr,
        name: &str,
    ) -> Result<User, NoWay> {
        let secure = transport == Transport::Tls;
        let peer = Peer {
            transport: if secure { Transport::Tls } else { Transport::Tcp },
            address,
            name: secure.then(|| name.to_ascii_lowercase()),
        };
        let place = self.place(peer);
        let failures = place.failures.load(Ordering::Acquire);
        let mut last = place.last.lock().await;
        match &*last {
            Last::Open(open) => {
                if let Some(user) = open.join() {
                    return Ok(user);
                }
            }
            Last::Failed(why) if place.failures.load(Ordering::Acquire) != failures => {
                return Err(why.clone());
            }
            Last::Failed(_) | Last::None => {}
        }
        let connecting = tokio::time::timeout(self.timeout, self.open(stack, secure, address, name));
        let opened = match connecting.await {
            Ok(Ok(open)) => {
                open.join().map(|user| (open, user)).ok_or_else(|| "the connection was closed".to_owned())
            }
            Ok(Err(why)) => Err(why),
            Err(_elapsed) => Err("the connection takes too long".to_owned()),
        };
        match opened {
            Ok((open, user)) => {
                *last = Last::Open(open);
                Ok(user)
            }
            Err(why) => {
                *last = Last::Failed(NoWay(why.clone()));
                place.failures.fetch_add(1, Ordering::Release);
                Err(NoWay(why))
            }
        }
    }

    async fn open(
        &self,
        stack: &Stack,
        secure: bool,
        address: SocketAddr,
        name: &str,
    ) -> Result<Open, String> {
        let why = |error: std::io::Error| error.to_string();
        let files = self.descriptors.take(Share::Outgoing);
        let permit = files.ok_or("as many files are open as may be")?;
        let stream = TcpStream::connect(address).await.map_err(why)?;
        // Small messages must not wait for each other.
        stream.set_nodelay(true).map_err(why)?;
        let ends = [stream.local_addr().map_err(why)?, address];
        let (common, token) = (stack.common().clone(), stack.token().child_token());
        if !secure {
            return Open::start(stream, ends, Transport::Tcp, common, token, permit).await.map_err(why);
        }
        let name = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::new(self.client().map_err(|error| error.to_string())?));
        let stream = Box::pin(connector.connect(name, stream)).await.map_err(why)?;
        Open::start(stream, ends, Transport::Tls, common, token, permit).await.map_err(why)
    }

    /// What TLS needs.
    fn client(&self) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        Ok(if let Some(roots) = &self.roots {
            builder.with_root_certificates(Arc::clone(roots)).with_no_client_auth()
        } else {
            let system = rustls_platform_verifier::Verifier::new(provider)?;
            let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(system));
            builder.with_no_client_auth()
        })
    }

    fn place(&self, peer: Peer) -> Arc<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(&peer) {
            return Arc::clone(place);
        }
        // A place that nobody holds, without a connection that is open, is of no use any more.
        places.retain(|_, place| {
            Arc::strong_count(place) > 1 || place.last.try_lock().is_ok_and(|last| last.is_open())
        });
        let place = Arc::<Place>::default();
        places.insert(peer, Arc::clone(&place));
        place
    }

    /// What a far end at an address is told of us.
    fn told(&self, far: SocketAddr) -> Result<SocketAddr, NoWay> {
        let own = match self.advertise {
            Some(address) => address,
            None if self.listen.ip().is_unspecified() => self.beginning(far)?,
            None => self.listen.ip(),
        };
        Ok(SocketAddr::new(own, self.listen.port()))
    }

    /// Our own address on the way to a far end.
    fn beginning(&self, far: SocketAddr) -> Result<IpAddr, NoWay> {
        // Connecting a UDP socket sends nothing; it finds the way.
        let way = UdpSocket::bind(SocketAddr::new(self.listen.ip(), 0))
            .and_then(|socket| socket.connect(far).and_then(|()| socket.local_addr()));
        Ok(way.map_err(|error| NoWay(error.to_string()))?.ip())
    }
}

/// The certificates in a file.
fn trusted(file: &Path) -> Result<RootCertStore, String> {
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(roots) }
}
