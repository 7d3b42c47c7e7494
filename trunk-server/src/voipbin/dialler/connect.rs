//! The way to a carrier: one socket for UDP, one connection for each carrier's address over TCP and TLS.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rsipstack::sip::Transport;
use rsipstack::transport::stream::StreamConnection as _;
use rsipstack::transport::tcp::TcpConnection;
use rsipstack::transport::tls::{TlsConfig, TlsConnection};
use rsipstack::transport::{SipAddr, SipConnection};
use rustls::client::danger::ServerCertVerifier;

use super::stack::Stack;
use super::{DiallerConfig, DiallerError};
use crate::clock::Clock;

/// Longest that a connection may take to be made.
const CONNECTING: Duration = Duration::from_secs(5);
/// Longest that a message may take to be written: a connection that is stuck must not keep its call.
const SENDING: Duration = Duration::from_secs(1);

/// How long it is taken for granted that the way to an address begins where it did.
const GRANTED: Duration = Duration::from_secs(1);
/// Most addresses of which that is known.
const KNOWN: usize = 1024;

/// There is no way, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoWay(String);

/// Shared by all that a call keeps.
pub(super) type Hop = Arc<Way>;

/// Where the next request goes, and how.
pub(super) struct Way {
    pub(super) connection: SipConnection,
    pub(super) destination: SipAddr,
    /// What the far end is told of us.
    pub(super) local: SocketAddr,
    pub(super) transport: Transport,
}

impl Way {
    /// Where it leads.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.destination.get_socketaddr().ok()
    }

    /// Whether nothing is lost on the way.
    pub(super) fn is_reliable(&self) -> bool {
        self.transport != Transport::Udp
    }

    /// Whether something can still be sent.
    pub(super) fn is_open(&self) -> bool {
        !self.is_reliable() || !is_closed(&self.connection)
    }

    /// Waits until nothing can be sent any more.
    pub(super) async fn closed(&self) {
        match self.connection.cancel_token().filter(|_| self.is_reliable()) {
            Some(token) => token.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Sends a message once.
    pub(super) async fn send(&self, message: &[u8]) -> Result<(), NoWay> {
        let sending = async {
            match &self.connection {
                SipConnection::Udp(socket) => socket.send_raw(message, &self.destination).await,
                SipConnection::Tcp(stream) => stream.send_raw(message).await,
                SipConnection::Tls(stream) => stream.send_raw(message).await,
                other => Err(rsipstack::Error::Error(format!("{other} is no connection to a carrier"))),
            }
        };
        match tokio::time::timeout(SENDING, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(NoWay(why.to_string())),
            Err(_elapsed) => Err(NoWay("the connection is stuck".to_owned())),
        }
    }

    /// The URI that the far end sends requests of the dialog to.
    pub(super) fn contact(&self, secure: bool) -> String {
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

/// The lock is held while the connection is made, so that calls that begin together share one.
type Place = Arc<tokio::sync::Mutex<Option<SipConnection>>>;

pub(super) struct Connect {
    listen: SocketAddr,
    advertise: Option<IpAddr>,
    roots: Option<Vec<u8>>,
    places: Mutex<HashMap<Peer, Place>>,
    clock: Clock,
    /// Where the way to an address began, and when that was found, on the clock's stopwatch.
    begins: Mutex<HashMap<IpAddr, (IpAddr, Duration)>>,
}

impl Connect {
    pub(super) fn new(config: &DiallerConfig, clock: Clock, stack: &Stack) -> Result<Self, DiallerError> {
        let roots = config.tls_roots.as_ref().map(|file| {
            std::fs::read(file)
                .map_err(|error| DiallerError::Roots { file: file.clone(), why: error.to_string() })
        });
        Ok(Self {
            listen: stack.address(),
            advertise: config.advertise,
            roots: roots.transpose()?,
            places: Mutex::default(),
            clock,
            begins: Mutex::default(),
        })
    }

    /// The way to an address; `name` is what a certificate must be for.
    pub(super) async fn to(
        &self,
        stack: &Stack,
        transport: Transport,
        address: SocketAddr,
        name: &str,
    ) -> Result<Hop, NoWay> {
        let destination = SipAddr { r#type: Some(transport), addr: address.into() };
        let own = self.told(address)?;
        if transport == Transport::Udp {
            let connection = stack.udp().clone();
            return Ok(Arc::new(Way { connection, destination, local: own, transport }));
        }
        let connection = self.stream(stack, &destination, address, name).await?;
        let local = match transport {
            // Nothing is listened on for TLS: requests of the far end come on this connection.
            Transport::Tls => connection.get_addr().get_socketaddr().unwrap_or(own),
            _ => own,
        };
        Ok(Arc::new(Way { connection, destination, local, transport }))
    }

    async fn stream(
        &self,
        stack: &Stack,
        destination: &SipAddr,
        address: SocketAddr,
        name: &str,
    ) -> Result<SipConnection, NoWay> {
        let secure = destination.r#type == Some(Transport::Tls);
        let peer = Peer {
            transport: if secure { Transport::Tls } else { Transport::Tcp },
            address,
            name: secure.then(|| name.to_ascii_lowercase()),
        };
        let place = self.place(peer);
        let mut open = place.lock().await;
        if let Some(connection) = open.as_ref().filter(|connection| !is_closed(connection)) {
            return Ok(connection.clone());
        }
        let token = Some(stack.token().child_token());
        let connecting = async {
            if secure {
                let config = TlsConfig {
                    ca_certs: self.roots.clone(),
                    sni_hostname: Some(name.to_owned()),
                    ..TlsConfig::default()
                };
                let verifier = if self.roots.is_none() { Some(trusted_by_the_system()?) } else { None };
                let connection = TlsConnection::connect(destination, Some(&config), verifier, token).await;
                connection.map(SipConnection::Tls).map_err(|error| NoWay(error.to_string()))
            } else {
                let connection = TcpConnection::connect(destination, token).await;
                connection.map(SipConnection::Tcp).map_err(|error| NoWay(error.to_string()))
            }
        };
        let connection = tokio::time::timeout(CONNECTING, connecting)
            .await
            .map_err(|_elapsed| NoWay("the connection takes too long".to_owned()))??;
        stack.endpoint().transport_layer.add_connection(connection.clone());
        *open = Some(connection.clone());
        Ok(connection)
    }

    fn place(&self, peer: Peer) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(&peer) {
            return Arc::clone(place);
        }
        // A place that nobody holds, without a connection that is open, is of no use any more.
        places.retain(|_, place| {
            Arc::strong_count(place) > 1
                || place.try_lock().is_ok_and(|open| open.as_ref().is_some_and(|open| !is_closed(open)))
        });
        let place = Place::default();
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

    /// Our own address on the way to a far end. It costs a socket to find out, so calls that begin together share it.
    fn beginning(&self, far: SocketAddr) -> Result<IpAddr, NoWay> {
        let now = self.clock.stopwatch();
        let begins = || self.begins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((own, found)) = begins().get(&far.ip()).copied()
            && now < found + GRANTED
        {
            return Ok(own);
        }
        // Connecting a UDP socket sends nothing; it finds the way.
        let way = UdpSocket::bind(SocketAddr::new(self.listen.ip(), 0))
            .and_then(|socket| socket.connect(far).and_then(|()| socket.local_addr()));
        let own = way.map_err(|error| NoWay(error.to_string()))?.ip();
        let mut begins = begins();
        if begins.len() >= KNOWN {
            begins.clear();
        }
        begins.insert(far.ip(), (own, now));
        Ok(own)
    }
}

fn trusted_by_the_system() -> Result<Arc<dyn ServerCertVerifier>, NoWay> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        rustls_platform_verifier::Verifier::new(provider).map_err(|error| NoWay(error.to_string()))?;
    Ok(Arc::new(verifier))
}
