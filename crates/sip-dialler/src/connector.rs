//! Finds or opens the next hop to a carrier: one UDP socket for all, and one connection for each address over
//! TCP and TLS.
//!
//! Calls that begin at the same time share one attempt to connect, and its failure.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rsipstack::sip::Transport;
use rsipstack::transport::SipAddr;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use service_base::clock::Clock;
use service_base::descriptors::{Descriptors, Share};
use sip_transport::streams::{Lease, OutgoingStream};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::{DiallerConfig, DiallerError};
use crate::hop::{Hop, NextHop, Unreachable};
use crate::stack::Stack;

/// How long a UDP hop is reused before its local address is determined again.
const HOP_CACHE_TTL: Duration = Duration::from_secs(1);
/// Maximum number of cached UDP hops.
const MAX_CACHED_HOPS: usize = 1024;

/// The key of a connection. It includes the name for TLS: a certificate that was verified for one name is not
/// valid for another.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Peer {
    transport: Transport,
    address: SocketAddr,
    name: Option<String>,
}

/// The connection to a peer.
#[derive(Default)]
struct PeerConnection {
    /// The number of failed attempts: a call that waited for the lock recognises by it that an attempt failed
    /// meanwhile.
    failures: AtomicU64,
    /// Locked while connecting, so that calls that begin at the same time share the attempt.
    last: tokio::sync::Mutex<LastAttempt>,
}

/// The outcome of the last attempt to connect.
#[derive(Default)]
enum LastAttempt {
    #[default]
    None,
    Open(OutgoingStream),
    Failed(Unreachable),
}

impl LastAttempt {
    fn is_open(&self) -> bool {
        matches!(self, Self::Open(stream) if stream.is_open())
    }
}

/// Opens connections, and caches them and the UDP hops.
pub(crate) struct Connector {
    listen: SocketAddr,
    advertise: Option<IpAddr>,
    /// The configured root certificates; without them, those that the system trusts.
    roots: Option<Arc<RootCertStore>>,
    timeout: Duration,
    descriptors: Descriptors,
    peers: Mutex<HashMap<Peer, Arc<PeerConnection>>>,
    clock: Clock,
    /// The UDP hops, and when each was determined, on the clock's stopwatch. Determining the local address
    /// costs a socket, so calls share the hop; a hop without a call is not kept.
    udp_hops: Mutex<HashMap<SocketAddr, (Weak<NextHop>, Duration)>>,
}

impl Connector {
    pub(crate) fn new(config: &DiallerConfig, clock: Clock, stack: &Stack) -> Result<Self, DiallerError> {
        let roots = config
            .tls_roots
            .as_ref()
            .map(|file| read_roots(file).map_err(|why| DiallerError::Roots { file: file.clone(), why }));
        Ok(Self {
            listen: stack.address(),
            advertise: config.advertise,
            roots: roots.transpose()?.map(Arc::new),
            timeout: config.connect_timeout,
            descriptors: config.descriptors.clone(),
            peers: Mutex::default(),
            clock,
            udp_hops: Mutex::default(),
        })
    }

    /// The hop to an address, with an open connection for TCP and TLS. `name` is the host name that a
    /// certificate must be valid for.
    pub(crate) async fn hop_to(
        &self,
        stack: &Stack,
        transport: Transport,
        address: SocketAddr,
        name: &str,
    ) -> Result<Hop, Unreachable> {
        if transport == Transport::Udp {
            return self.udp_hop(stack, address);
        }
        let destination = SipAddr { r#type: Some(transport), addr: address.into() };
        let advertised = self.advertised(address)?;
        let lease = self.lease(stack, transport, address, name).await?;
        // There is no TLS listener: the far end's requests arrive on this connection.
        let local = if transport == Transport::Tls { lease.local } else { advertised };
        let connection = lease.connection.clone();
        Ok(Arc::new(NextHop { connection, destination, local, transport, lease: Some(lease) }))
    }

    fn udp_hop(&self, stack: &Stack, address: SocketAddr) -> Result<Hop, Unreachable> {
        let connection = stack.udp().ok_or_else(|| Unreachable("the dialler has stopped".to_owned()))?;
        let now = self.clock.stopwatch();
        let cache = || self.udp_hops.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((hop, found)) = cache().get(&address)
            && now < *found + HOP_CACHE_TTL
            && let Some(hop) = hop.upgrade()
        {
            return Ok(hop);
        }
        let transport = Transport::Udp;
        let destination = SipAddr { r#type: Some(transport), addr: address.into() };
        let local = self.advertised(address)?;
        let hop = Arc::new(NextHop { connection, destination, local, transport, lease: None });
        let mut cache = cache();
        if cache.len() >= MAX_CACHED_HOPS {
            cache.clear();
        }
        cache.insert(address, (Arc::downgrade(&hop), now));
        drop(cache);
        Ok(hop)
    }

    /// A lease of the connection to a peer, which is opened if necessary.
    async fn lease(
        &self,
        stack: &Stack,
        transport: Transport,
        address: SocketAddr,
        name: &str,
    ) -> Result<Lease, Unreachable> {
        let secure = transport == Transport::Tls;
        let peer = Peer {
            transport: if secure { Transport::Tls } else { Transport::Tcp },
            address,
            name: secure.then(|| name.to_ascii_lowercase()),
        };
        let peer = self.peer_connection(peer);
        let failures = peer.failures.load(Ordering::Acquire);
        let mut last = peer.last.lock().await;
        match &*last {
            LastAttempt::Open(stream) => {
                if let Some(lease) = stream.lease() {
                    return Ok(lease);
                }
            }
            LastAttempt::Failed(why) if peer.failures.load(Ordering::Acquire) != failures => {
                return Err(why.clone());
            }
            LastAttempt::Failed(_) | LastAttempt::None => {}
        }
        let connecting = tokio::time::timeout(self.timeout, self.open(stack, secure, address, name));
        let opened = match connecting.await {
            Ok(Ok(stream)) => stream
                .lease()
                .map(|lease| (stream, lease))
                .ok_or_else(|| "the connection was closed".to_owned()),
            Ok(Err(why)) => Err(why),
            Err(_elapsed) => Err("connecting took too long".to_owned()),
        };
        match opened {
            Ok((stream, lease)) => {
                *last = LastAttempt::Open(stream);
                Ok(lease)
            }
            Err(why) => {
                *last = LastAttempt::Failed(Unreachable(why.clone()));
                peer.failures.fetch_add(1, Ordering::Release);
                Err(Unreachable(why))
            }
        }
    }

    async fn open(
        &self,
        stack: &Stack,
        secure: bool,
        address: SocketAddr,
        name: &str,
    ) -> Result<OutgoingStream, String> {
        let why = |error: std::io::Error| error.to_string();
        let permit = self.descriptors.take(Share::Outgoing);
        let permit = permit.ok_or("the limit of open files is reached")?;
        let stream = TcpStream::connect(address).await.map_err(why)?;
        // Small messages must not wait for each other (Nagle).
        stream.set_nodelay(true).map_err(why)?;
        let ends = [stream.local_addr().map_err(why)?, address];
        let (common, token) = (stack.common().clone(), stack.token().child_token());
        if !secure {
            return OutgoingStream::start(stream, ends, Transport::Tcp, common, token, permit)
                .await
                .map_err(why);
        }
        let name = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::new(self.tls_config().map_err(|error| error.to_string())?));
        let stream = Box::pin(connector.connect(name, stream)).await.map_err(why)?;
        OutgoingStream::start(stream, ends, Transport::Tls, common, token, permit).await.map_err(why)
    }

    fn tls_config(&self) -> Result<ClientConfig, rustls::Error> {
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

    /// The entry of a peer, which is created if necessary.
    fn peer_connection(&self, peer: Peer) -> Arc<PeerConnection> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = peers.get(&peer) {
            return Arc::clone(connection);
        }
        // Entries that no call uses, and whose connection is closed, are removed.
        peers.retain(|_, connection| {
            Arc::strong_count(connection) > 1 || connection.last.try_lock().is_ok_and(|last| last.is_open())
        });
        let connection = Arc::<PeerConnection>::default();
        peers.insert(peer, Arc::clone(&connection));
        connection
    }

    /// The address and port that a far end receives as ours.
    fn advertised(&self, far: SocketAddr) -> Result<SocketAddr, Unreachable> {
        let own = match self.advertise {
            Some(address) => address,
            None if self.listen.ip().is_unspecified() => self.source_address(far)?,
            None => self.listen.ip(),
        };
        Ok(SocketAddr::new(own, self.listen.port()))
    }

    /// The source address of the route to a far end.
    fn source_address(&self, far: SocketAddr) -> Result<IpAddr, Unreachable> {
        // Connecting a UDP socket sends nothing; it only selects the route.
        let source = UdpSocket::bind(SocketAddr::new(self.listen.ip(), 0))
            .and_then(|socket| socket.connect(far).and_then(|()| socket.local_addr()));
        Ok(source.map_err(|error| Unreachable(error.to_string()))?.ip())
    }
}

#[cfg(test)]
impl Connector {
    /// The number of connections that are open.
    pub(crate) fn open_connections(&self) -> usize {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.values().filter(|peer| peer.last.try_lock().is_ok_and(|last| last.is_open())).count()
    }
}

/// Reads the root certificates of a PEM file.
fn read_roots(file: &Path) -> Result<RootCertStore, String> {
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("it contains no certificate".to_owned()) } else { Ok(roots) }
}
