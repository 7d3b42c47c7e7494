//! The SIP library behind a small interface of ours.
//!
//! It is used at transaction level: retransmissions and transports are its own, every decision is ours. It
//! logs whole messages, so its log target is switched off where logs are set up.

mod dialog;
mod incoming;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rsipstack::sip::Transport;
use rsipstack::transaction::endpoint::EndpointOption;
use rsipstack::transaction::{Endpoint, EndpointBuilder, TransactionReceiver};
use rsipstack::transport::{SipAddr, TransportLayer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::config::{EdgeConfig, EdgeError, Tls};
use super::front::Front;
pub(crate) use dialog::{Dialog, Final};
pub(crate) use incoming::{Acknowledgement, Happened, Incoming};
use service_base::clock::Clock;
use service_base::descriptors::Descriptors;
use service_base::net::{self, Entered, OwnSockets, Use};
use sip_transport::streams::{Limits, Listener, Places, Refused};
use sip_transport::{Common, Door, listen, shut_down};

/// The methods that the edge knows.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK";

/// The extensions that it supports.
pub(crate) const SUPPORTED: &str = "timer, 100rel";

/// The listening endpoint.
pub(crate) struct Stack {
    endpoint: Endpoint,
    token: CancellationToken,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    /// What peers are told instead of the address that they called.
    advertise: Option<IpAddr>,
    refused: Arc<Refused>,
    /// Its places among our own sockets.
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

/// The requests that come in.
pub(crate) struct Requests {
    receiver: TransactionReceiver,
    own: Arc<Own>,
}

/// What every message of ours may say of us.
#[derive(Debug)]
struct Own {
    server_name: String,
    /// What peers are told instead of the address that they called.
    advertise: Option<IpAddr>,
}

impl Own {
    /// What stands in the `Via` of a request to a peer that called this address.
    fn sent_by(&self, transport: Transport, called: SocketAddr) -> SipAddr {
        let address = SocketAddr::new(self.advertise.unwrap_or(called.ip()), called.port());
        SipAddr { r#type: Some(transport), addr: address.into() }
    }
}

impl Requests {
    pub(crate) async fn next(&mut self) -> Option<Incoming> {
        let transaction = self.receiver.recv().await?;
        Some(Incoming::new(transaction, Arc::clone(&self.own)))
    }
}

impl Stack {
    pub(crate) fn start(
        config: &EdgeConfig,
        front: Arc<Front>,
        clock: &Clock,
        sockets: &OwnSockets,
        descriptors: &Descriptors,
    ) -> Result<(Self, Requests), EdgeError> {
        let token = CancellationToken::new();
        let layer = TransportLayer::new(token.clone());
        let (udp, tcp, address) = listen::sockets(config.listen, &token)
            .map_err(|why| EdgeError::Listen { address: config.listen, why })?;
        let mut tls_address = None;
        let mut listeners = vec![(tcp, None)];
        if let Some((listen, tls)) = &config.tls {
            let failed =
                |error: std::io::Error| EdgeError::Listen { address: *listen, why: error.to_string() };
            let acceptor = acceptor(tls)?;
            let listener = net::listen(*listen).map_err(failed)?;
            tls_address = Some(listener.local_addr().map_err(failed)?);
            listeners.push((listener, Some(acceptor)));
        }
        let endpoint = EndpointBuilder::new()
            .with_user_agent(&config.server_name)
            .with_transport_layer(layer)
            .with_cancel_token(token.clone())
            // Its own way of acknowledging goes where a contact points to, instead of where the calls come from.
            .with_option(EndpointOption { auto_ack_2xx: false, ..EndpointOption::default() })
            .build();
        let why = |error: rsipstack::Error| EdgeError::Listen { address, why: error.to_string() };
        let receiver = endpoint.incoming_transactions().map_err(why)?;
        let inner = endpoint.inner.clone();
        tokio::spawn(async move {
            if let Err(error) = inner.serve().await {
                tracing::error!(%error, "the SIP endpoint ended");
            }
        });
        let door: Arc<dyn Door> = front;
        let common = Common {
            endpoint: endpoint.inner.clone(),
            door: Some(door),
            ear: None,
            limits: Limits::default(),
        };
        tokio::spawn(udp.serve(common.clone()));
        let refused = Arc::new(Refused::new());
        for (socket, acceptor) in listeners {
            // Of its own: a full TCP listener leaves TLS its places.
            let places = Places::new(config.connections);
            let (common, token, clock) = (common.clone(), token.clone(), clock.clone());
            let (refused, descriptors) = (Arc::clone(&refused), descriptors.clone());
            let listener = Listener { socket, acceptor, places, common, token, clock, refused, descriptors };
            tokio::spawn(listener.serve());
        }
        let own = Own { server_name: config.server_name.clone(), advertise: config.advertise };
        let entered = [Some(address), tls_address].into_iter().flatten();
        let entered = entered.map(|address| sockets.enter(address, Use::Other)).collect();
        if let Some(advertise) = config.advertise {
            sockets.advertise(advertise);
        }
        let requests = Requests { receiver, own: Arc::new(own) };
        let advertise = config.advertise;
        Ok((Self { endpoint, token, address, tls_address, advertise, refused, _entered: entered }, requests))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// Where a call's media is bound, and what its caller is told: the address that it called, unless it is told another.
    pub(crate) fn media_at(&self, request: &Incoming) -> (IpAddr, IpAddr) {
        let called = request.local().ip();
        (called, self.advertise.unwrap_or(called))
    }

    /// The URI that a caller sends in-dialog requests to: where its request came to.
    pub(crate) fn contact(&self, request: &Incoming) -> String {
        let (called, transport) = (request.local(), request.transport());
        let address = self.advertise.unwrap_or(called.ip());
        format!("<sip:{}:{};transport={transport}>", bracketed(address), called.port())
    }

    /// Writes the log lines of the last minute.
    pub(crate) fn sum_up(&self, clock: &Clock) {
        self.refused.sum_up(clock);
    }

    pub(crate) fn stop(&self) {
        self.token.cancel();
        shut_down(&self.endpoint, None);
    }
}

pub(crate) fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// What TLS needs, read from its files.
fn acceptor(tls: &Tls) -> Result<TlsAcceptor, EdgeError> {
    let wrong = |file: &Path, why: String| EdgeError::Certificate { file: file.to_owned(), why };
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&tls.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| wrong(&tls.key, error.to_string()))?;
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been quicker, which is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
    }
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong(&tls.certificate, error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
