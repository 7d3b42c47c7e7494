//! A UDP socket and a TCP listener on the same port.

use std::net::SocketAddr;
use std::sync::Arc;

use service_base::net;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::datagrams::Datagrams;
use crate::messages::Tap;

/// Binds a UDP socket and a TCP listener to the same address and port, and returns both with that address.
///
/// For port 0, the system chooses a port for UDP; if TCP cannot bind it, another one is tried, up to 16
/// times. The error is the text of the last failure. The UDP socket ends with a child of `token`,
/// and stores the sent messages in `tap`.
pub fn sockets(
    listen: SocketAddr,
    token: &CancellationToken,
    tap: &Tap,
) -> Result<(Arc<Datagrams>, TcpListener, SocketAddr), String> {
    const MAX_ATTEMPTS: usize = 16;
    let mut last_error = String::new();
    for _ in 0..if listen.port() == 0 { MAX_ATTEMPTS } else { 1 } {
        let udp =
            Datagrams::bind(listen, token.child_token(), tap.clone()).map_err(|error| error.to_string())?;
        let address = SocketAddr::new(listen.ip(), udp.address().port());
        match net::listen(address) {
            Ok(tcp) => return Ok((udp, tcp, address)),
            Err(error) => last_error = error.to_string(),
        }
    }
    Err(last_error)
}
