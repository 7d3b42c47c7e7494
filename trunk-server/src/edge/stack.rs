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
use rsipstack::transport::{SipAddr, SipConnection, TransportLayer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::config::{EdgeConfig, EdgeError, Tls};
use crate::sip::streams::{Common, Limits, Listener, Places};
use crate::sip::{listen, shut_down};
pub(super) use dialog::{Dialog, Final};
pub(super) use incoming::{Acknowledgement, Happened, Incoming};

/// The methods that the edge knows.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK";

/// The extensions that it supports.
pub(super) const SUPPORTED: &str = "timer, 100rel";

/// The listening endpoint.
pub(super) struct Stack {
    endpoint: Endpoint,
    token: CancellationToken,
    /// What the socket for UDP is known by.
    udp: SipAddr,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    advertise: IpAddr,
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
pub(super) struct Requests {
    receiver: TransactionReceiver,
    own: Arc<Own>,
}

/// What every message of ours may say of us.
#[derive(Debug)]
struct Own {
    server_name: String,
    /// Where SIP is taken over UDP and TCP, and over TLS.
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
}

impl Own {
    /// What stands in the `Via` of a request over this transport.
    fn sent_by(&self, transport: Transport) -> SipAddr {
        let tls = self.tls_address.filter(|_| transport == Transport::Tls);
        SipAddr { r#type: Some(transport), addr: tls.unwrap_or(self.address).into() }
    }
}

impl Requests {
    pub(super) async fn next(&mut self) -> Option<Incoming> {
        let transaction = self.receiver.recv().await?;
        Some(Incoming::new(transaction, Arc::clone(&self.own)))
    }
}

impl Stack {
    pub(super) async fn start(config: &EdgeConfig) -> Result<(Self, Requests), EdgeError> {
        let token = CancellationToken::new();
        let layer = TransportLayer::new(token.clone());
        let (udp, tcp, address) = listen::sockets(config.listen, &token)
            .await
            .map_err(|why| EdgeError::Listen { address: config.listen, why })?;
        let connection = SipConnection::Udp(udp);
        let udp = connection.get_addr().clone();
        layer.add_transport(connection);
        let mut tls_address = None;
        let mut listeners = vec![(tcp, None)];
        if let Some((listen, tls)) = &config.tls {
            let failed =
                |error: std::io::Error| EdgeError::Listen { address: *listen, why: error.to_string() };
            let acceptor = acceptor(tls)?;
            let listener = TcpListener::bind(listen).await.map_err(failed)?;
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
        let places = Places::new(config.connections);
        for (socket, acceptor) in listeners {
            let common = Common { endpoint: endpoint.inner.clone(), ear: None, limits: Limits::default() };
            let places = Arc::clone(&places);
            tokio::spawn(Listener { socket, acceptor, places, common, token: token.clone() }.serve());
        }
        let own = Own { server_name: config.server_name.clone(), address, tls_address };
        let advertise = config.advertise.unwrap_or_else(|| address.ip());
        let requests = Requests { receiver, own: Arc::new(own) };
        Ok((Self { endpoint, token, udp, address, tls_address, advertise }, requests))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// The address that peers send media and requests to.
    pub(super) fn advertise(&self) -> IpAddr {
        self.advertise
    }

    /// The URI that a peer of this transport sends in-dialog requests to.
    pub(super) fn contact(&self, transport: &str) -> String {
        let port =
            if transport == "tls" { self.tls_address.unwrap_or(self.address) } else { self.address }.port();
        format!("<sip:{}:{port};transport={transport}>", bracketed(self.advertise))
    }

    pub(super) fn stop(&self) {
        self.token.cancel();
        shut_down(&self.endpoint, Some(&self.udp));
    }
}

pub(super) fn bracketed(address: IpAddr) -> String {
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
