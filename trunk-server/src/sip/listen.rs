//! UDP and TCP on one port.

use std::net::SocketAddr;

use rsipstack::transport::udp::UdpConnection;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A port of zero is chosen by UDP, and chosen again when TCP cannot have it. The error tells why not.
pub(crate) async fn sockets(
    listen: SocketAddr,
    token: &CancellationToken,
) -> Result<(UdpConnection, TcpListener, SocketAddr), String> {
    const TRIES: usize = 16;
    let mut last = String::new();
    for _ in 0..if listen.port() == 0 { TRIES } else { 1 } {
        let udp = UdpConnection::create_connection(listen, None, Some(token.child_token()))
            .await
            .map_err(|error| error.to_string())?;
        let port = udp.get_addr().get_socketaddr().map_err(|error| error.to_string())?.port();
        let address = SocketAddr::new(listen.ip(), port);
        match TcpListener::bind(address).await {
            Ok(tcp) => return Ok((udp, tcp, address)),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

/// Both, taken by the library.
#[cfg(feature = "voipbin")]
pub(crate) async fn both(
    layer: &rsipstack::transport::TransportLayer,
    listen: SocketAddr,
    token: &CancellationToken,
) -> Result<SocketAddr, String> {
    use rsipstack::transport::SipConnection;
    use rsipstack::transport::tcp_listener::TcpListenerConnection;
    let (udp, tcp, address) = sockets(listen, token).await?;
    // The library binds TCP by itself when it starts to serve, and tells nobody.
    drop(tcp);
    let tcp = TcpListenerConnection::new(address, None).await.map_err(|error| error.to_string())?;
    layer.add_transport(SipConnection::Udp(udp));
    layer.add_transport(SipConnection::TcpListener(tcp));
    Ok(address)
}
