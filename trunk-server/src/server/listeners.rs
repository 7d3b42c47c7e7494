//! The HTTP listeners of a server.

use std::io;
use std::net::SocketAddr;

use service_base::net;
use tokio::net::TcpListener;

use super::error::StartError;
use crate::config::Config;

/// Listens for control requests if the configuration enables them. Returns the listener, its address, and the
/// configured address.
///
/// # Errors
/// If the address is not on loopback and there is no token.
pub(super) async fn control_listener(
    config: &Config,
) -> Result<Option<(TcpListener, SocketAddr, String)>, StartError> {
    let Some(text) = &config.control_listen else { return Ok(None) };
    let listener = listen(text).await?;
    let at = local(&listener, text)?;
    if !at.ip().is_loopback() && config.control_token.is_none() {
        return Err(StartError::OpenControl(at));
    }
    Ok(Some((listener, at, text.clone())))
}

/// Listens for requests for metrics if the configuration enables them. Returns the listener, its address, and the configured
/// address.
pub(super) async fn metrics_listener(
    config: &Config,
) -> Result<Option<(TcpListener, SocketAddr, String)>, StartError> {
    let Some(text) = &config.metrics_listen else { return Ok(None) };
    let listener = listen(text).await?;
    let at = local(&listener, text)?;
    if !is_on_loopback(at) {
        tracing::warn!(%at, "the metrics, with names of trunks and what they spend, are served beyond this machine");
    }
    Ok(Some((listener, at, text.clone())))
}

/// Listens for requests for tokens if the configuration has a listener of their own. Returns it and its address.
pub(super) async fn token_listener(config: &Config) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    let Some(text) = &config.tokens.listen else { return Ok(None) };
    let listener = listen(text).await?;
    let at = local(&listener, text)?;
    Ok(Some((listener, at)))
}

pub(super) async fn listen(address: &str) -> Result<TcpListener, StartError> {
    let failed = |error| StartError::Listen(address.to_owned(), error);
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in tokio::net::lookup_host(address).await.map_err(failed)? {
        match net::listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

pub(super) fn is_on_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

pub(super) fn local(listener: &TcpListener, text: &str) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| StartError::Listen(text.to_owned(), error))
}
