//! The upper bound for calls: the SIP library at transaction level, with a callee that checks nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::{Header, Method, SipMessage, StatusCode};
use rsipstack::transaction::EndpointBuilder;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipConnection, TransportLayer};
use socket2::{Domain, Socket, Type};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use crate::Outcome;
use crate::calls::{Callee, RECEIVE_BUFFER_BYTES, greeting};
use crate::child::Running;

const CHALLENGE: &str =
    "Digest realm=\"out.didww.com\", nonce=\"0123456789abcdef0123456789abcdef\", algorithm=MD5, qop=\"auth\"";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n";

/// The state that all calls share.
#[derive(Debug)]
struct Shared {
    contact: String,
    tags: AtomicU64,
}

/// Accepts calls on a random port of loopback, prints the address, and runs until it is killed.
pub(crate) fn serve() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let token = CancellationToken::new();
        let layer = TransportLayer::new(token.clone());
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        // As large as the system permits.
        let _granted = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        socket.bind(&listen.into())?;
        let socket = Arc::new(UdpSocket::from_std(socket.into())?);
        let udp = UdpConnection::from_socket(socket, None, Some(token.child_token())).await?;
        let address = udp.get_addr().get_socketaddr()?;
        layer.add_transport(SipConnection::Udp(udp));
        let endpoint = EndpointBuilder::new().with_transport_layer(layer).with_cancel_token(token).build();
        let mut incoming = endpoint.incoming_transactions()?;
        let inner = endpoint.inner.clone();
        tokio::spawn(async move { inner.serve().await });
        println!("SIP: {address}");
        let contact = format!("<sip:{address};transport=udp>");
        let shared = Arc::new(Shared { contact, tags: AtomicU64::new(0) });
        while let Some(transaction) = incoming.recv().await {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { Box::pin(answer(&shared, transaction)).await });
        }
        Ok(())
    })
}

/// Challenges an INVITE without a digest, and answers 200 to everything else.
async fn answer(shared: &Shared, mut transaction: Transaction) {
    let request = &mut transaction.original;
    let is_invite = match request.method {
        Method::Ack => return,
        Method::Invite => true,
        _ => false,
    };
    if is_invite {
        let tag = shared.tags.fetch_add(1, Ordering::Relaxed);
        for header in request.headers.iter_mut() {
            if let Header::To(to) = header {
                *to = rsipstack::sip::headers::To::new(format!("{};tag={tag:x}", to.value()));
            }
        }
    }
    let is_challenged = is_invite && request.authorization_header().is_none();
    let (status, body) = match (is_challenged, is_invite) {
        (true, _) => (StatusCode::Unauthorized, None),
        (false, true) => (StatusCode::OK, Some(SDP.as_bytes().to_vec())),
        (false, false) => (StatusCode::OK, None),
    };
    let mut response = transaction.endpoint_inner.make_response(&transaction.original, status, body);
    if is_challenged {
        response.headers.push(Header::Other("WWW-Authenticate".to_owned(), CHALLENGE.to_owned()));
    } else if is_invite {
        response.headers.push(Header::Other("Contact".to_owned(), shared.contact.clone()));
        response.headers.push(Header::Other("Content-Type".to_owned(), "application/sdp".to_owned()));
    }
    if transaction.respond(response).await.is_err() || !is_invite {
        return;
    }
    // Until the ACK, or the last retransmission.
    while let Some(message) = transaction.receive().await {
        if matches!(message, SipMessage::Request(request) if request.method == Method::Ack) {
            return;
        }
    }
}

/// Starts this program as the bare callee.
pub(crate) fn start() -> Outcome<(Running, Callee)> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.arg("--bare-sip");
    let (process, sip) = Running::announced(&mut command, |line| greeting(line, "SIP:"))?;
    Ok((process, Callee { sip, username: "nobody".to_owned(), password: "nothing".to_owned() }))
}
