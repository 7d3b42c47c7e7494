//! UDP and TCP on one port.

use std::net::SocketAddr;

use rsipstack::transport::tcp_listener::TcpListenerConnection;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipConnection, TransportLayer};
use tokio_util::sync::CancellationToken;

/// A port of zero is chosen by UDP, and chosen again when TCP cannot have it. The error tells why not.
pub(crate) async fn both(
    layer: &TransportLayer,
    listen: SocketAddr,
    token: &CancellationToken,
) -> Result<SocketAddr, String> {
    const TRIES: usize = 16;
    let mut last = String::new();
    for _ in 0..if listen.port() == 0 { TRIES } else { 1 } {
        let udp = UdpConnection::create_connection(listen, None, Some(token.child_token()))
            .await
            .map_err(|error| error.to_string())?;
        let port = udp.get_addr().get_socketaddr().map_err(|error| error.to_string())?.port();
        let address = SocketAddr::new(listen.ip(), port);
        // The library binds TCP when it starts to serve and tells nobody; so it is tried here.
        match std::net::TcpListener::bind(address) {
            Ok(probe) => drop(probe),
            Err(error) => {
                last = error.to_string();
                continue;
            }
        }
        let tcp = TcpListenerConnection::new(address, None).await.map_err(|error| error.to_string())?;
        layer.add_transport(SipConnection::Udp(udp));
        layer.add_transport(SipConnection::TcpListener(tcp));
        return Ok(address);
    }
    Err(last)
}
