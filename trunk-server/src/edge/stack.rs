//! The SIP library behind a small interface of ours.
//!
//! It is used at transaction level: retransmissions and transports are its own, every decision is ours. It
//! logs whole messages, so its log target is switched off where logs are set up.

mod dialog;
mod incoming;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rsipstack::transaction::{Endpoint, EndpointBuilder, TransactionReceiver};
use rsipstack::transport::tls::{TlsConfig, TlsListenerConnection};
use rsipstack::transport::{SipConnection, TransportLayer};
use tokio_util::sync::CancellationToken;

use super::config::{EdgeConfig, EdgeError, Tls};
use crate::sip::listen;
pub(super) use dialog::Dialog;
pub(super) use incoming::{Happened, Incoming};

/// The methods that the edge knows.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK";

/// The listening endpoint.
pub(super) struct Stack {
    endpoint: Endpoint,
    token: CancellationToken,
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
    server_name: Arc<str>,
}

impl Requests {
    pub(super) async fn next(&mut self) -> Option<Incoming> {
        let transaction = self.receiver.recv().await?;
        Some(Incoming::new(transaction, Arc::clone(&self.server_name)))
    }
}

impl Stack {
    pub(super) async fn start(config: &EdgeConfig) -> Result<(Self, Requests), EdgeError> {
        let token = CancellationToken::new();
        let layer = TransportLayer::new(token.clone());
        let address = listen::both(&layer, config.listen, &token)
            .await
            .map_err(|why| EdgeError::Listen { address: config.listen, why })?;
        let mut tls_address = None;
        if let Some((listen, tls)) = &config.tls {
            tls_address = Some(bind_tls(&layer, *listen, tls).await?);
        }
        let endpoint = EndpointBuilder::new()
            .with_user_agent(&config.server_name)
            .with_transport_layer(layer)
            .with_cancel_token(token.clone())
            .build();
        let why = |error: rsipstack::Error| EdgeError::Listen { address, why: error.to_string() };
        let receiver = endpoint.incoming_transactions().map_err(why)?;
        let inner = endpoint.inner.clone();
        tokio::spawn(async move {
            if let Err(error) = inner.serve().await {
                tracing::error!(%error, "the SIP endpoint ended");
            }
        });
        let server_name: Arc<str> = config.server_name.as_str().into();
        let advertise = config.advertise.unwrap_or_else(|| address.ip());
        let requests = Requests { receiver, server_name };
        Ok((Self { endpoint, token, address, tls_address, advertise }, requests))
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
        self.endpoint.shutdown();
    }
}

pub(super) fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

async fn bind_tls(layer: &TransportLayer, listen: SocketAddr, tls: &Tls) -> Result<SocketAddr, EdgeError> {
    let read = |file: &std::path::Path| {
        std::fs::read(file)
            .map_err(|error| EdgeError::Certificate { file: file.to_owned(), why: error.to_string() })
    };
    let failed = |why: String| EdgeError::Listen { address: listen, why };
    let config =
        TlsConfig { cert: Some(read(&tls.certificate)?), key: Some(read(&tls.key)?), ..TlsConfig::default() };
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been quicker, which is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
    }
    let probe = std::net::TcpListener::bind(listen).map_err(|error| failed(error.to_string()))?;
    let address = probe.local_addr().map_err(|error| failed(error.to_string()))?;
    drop(probe);
    let listener =
        TlsListenerConnection::new(address, None, config).await.map_err(|error| failed(error.to_string()))?;
    layer.add_transport(SipConnection::TlsListener(listener));
    Ok(address)
}
