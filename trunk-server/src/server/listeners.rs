//! The HTTP listeners of a server.

use std::io;
use std::net::SocketAddr;

use didww_api::PriceService;
use service_base::net;
use tokio::net::TcpListener;

use super::error::StartError;
use crate::config::Config;

/// A listener for this machine, or for networks that protect it by other means.
pub(super) struct Guarded {
    pub(super) listener: TcpListener,
    pub(super) at: SocketAddr,
    /// The configured address, `HOST:PORT`.
    pub(super) host: String,
}

/// The listener of a price service that has one of its own, and its address.
pub(super) type PriceListener = (PriceService, TcpListener, SocketAddr);

/// The listeners of a configuration, each with its address.
pub(super) struct Listeners {
    pub(super) api: (TcpListener, SocketAddr),
    pub(super) control: Option<Guarded>,
    /// The listener of tokens, where they have one of their own.
    pub(super) tokens: Option<(TcpListener, SocketAddr)>,
    pub(super) prices: Vec<PriceListener>,
    pub(super) metrics: Option<Guarded>,
}

impl Listeners {
    /// Opens the listeners, which accept no connection yet.
    ///
    /// # Errors
    /// If an address cannot be listened at, and if that of the control API is not on loopback and there is no token.
    pub(super) async fn open(config: &Config) -> Result<Self, StartError> {
        let api = listen(&config.listen).await?;
        let control = guarded(config.control_listen.as_ref()).await?;
        if let Some(control) = control.as_ref().filter(|_| config.control_token.is_none())
            && !control.at.ip().is_loopback()
        {
            return Err(StartError::OpenControl(control.at));
        }
        let tokens = match &config.tokens.listen {
            Some(text) => Some(listen(text).await?),
            None => None,
        };
        let mut prices = Vec::new();
        for (service, text) in config.prices.own_listeners() {
            let (listener, at) = listen(text).await?;
            prices.push((service, listener, at));
        }
        let metrics = guarded(config.metrics_listen.as_ref()).await?;
        if let Some(at) = metrics.as_ref().map(|metrics| metrics.at).filter(|at| !is_on_loopback(*at)) {
            tracing::warn!(%at, "the metrics, with the names and the spending of trunks, are served beyond this machine");
        }
        Ok(Self { api, control, tokens, prices, metrics })
    }
}

async fn guarded(host: Option<&String>) -> Result<Option<Guarded>, StartError> {
    let Some(host) = host else { return Ok(None) };
    let (listener, at) = listen(host).await?;
    Ok(Some(Guarded { listener, at, host: host.clone() }))
}

/// Listens at the first address of a name that can be listened at.
async fn listen(text: &str) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Listen(text.to_owned(), error);
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in tokio::net::lookup_host(text).await.map_err(failed)? {
        match net::listen(address).and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((at, listener)) => return Ok((listener, at)),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

pub(super) fn is_on_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
