//! The beginning of a connection to a listener with a certificate.
//!
//! Such a port serves only TLS. A client that begins with a plain request receives a plain response that states this,
//! and the connection is closed; its request is not served.

use std::io;

use tls_identity::Identity;
use tokio::net::TcpStream;

use crate::limits::Limits;
use crate::refuse::refuse_plain;
use crate::timed_stream::{TimedStream, timed_out};

/// The names of the protocols, the preferred one first.
pub const PROTOCOLS: [&str; 2] = [HTTP_2, "http/1.1"];
pub(crate) const HTTP_2: &str = "h2";

/// The first byte of a TLS handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

pub(crate) type TlsStream = tokio_rustls::server::TlsStream<TimedStream>;

/// Waits for the client's first byte as long as for a request, and then completes the handshake within the time for
/// headers.
pub(crate) async fn accept(
    stream: TcpStream,
    identity: &Identity,
    timed: impl FnOnce(TcpStream) -> TimedStream,
    limits: &Limits,
) -> io::Result<TlsStream> {
    let mut first = [0; 1];
    let peeked = tokio::time::timeout(limits.idle_deadline, stream.peek(&mut first)).await;
    let peeked = peeked.map_err(|_| timed_out())??;
    match first {
        _ if peeked == 0 => Err(io::ErrorKind::UnexpectedEof.into()),
        [HANDSHAKE] => {
            let handshake = identity.acceptor().accept(timed(stream));
            tokio::time::timeout(limits.header_deadline, handshake).await.map_err(|_| timed_out())?
        }
        [first] => {
            if first.is_ascii_uppercase() {
                refuse_plain(stream).await;
            }
            Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not begin with TLS"))
        }
    }
}
