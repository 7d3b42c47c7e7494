//! UDP and TCP on one port.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Datagrams;
use service_base::net;

/// A port of zero is chosen by UDP, and chosen again when TCP cannot have it. The error tells why not.
pub fn sockets(
    listen: SocketAddr,
    token: &CancellationToken,
) -> Result<(Arc<Datagrams>, TcpListener, SocketAddr), String> {
    const TRIES: usize = 16;
    let mut last = String::new();
    for _ in 0..if listen.port() == 0 { TRIES } else { 1 } {
        let udp = Datagrams::bind(listen, token.child_token()).map_err(|error| error.to_string())?;
        let address = SocketAddr::new(listen.ip(), udp.address().port());
        match net::listen(address) {
            Ok(tcp) => return Ok((udp, tcp, address)),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}
