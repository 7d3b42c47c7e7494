//! What the SIP library keeps of requests that were answered.

use rsipstack::transaction::EndpointBuilder;
use sip_transport::streams::Limits;
use sip_transport::{Intake, Tap, listen, transport_layer};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::*;

#[tokio::test]
async fn of_an_answer_outside_of_calls_nothing_is_kept() {
    let token = CancellationToken::new();
    let endpoint = EndpointBuilder::new()
        .with_transport_layer(transport_layer(token.clone()))
        .with_cancel_token(token.clone())
        .build();
    let mut requests = endpoint.incoming_transactions().unwrap();
    let tap = Tap::new(None, "test");
    let (udp, _tcp, address) = listen::sockets("127.0.0.1:0".parse().unwrap(), &token, &tap).unwrap();
    let intake = Intake {
        endpoint: endpoint.inner.clone(),
        filter: None,
        transactions: None,
        inspector: None,
        limits: Limits::default(),
        tap,
    };
    tokio::spawn(udp.serve(intake));
    let identity = Arc::new(EdgeIdentity { server_name: "edge".to_owned(), advertise: None });
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = socket.local_addr().unwrap();
    for is_kept in [false, true] {
        let text = format!(
            "OPTIONS sip:edge SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{is_kept}\r\nFrom: <sip:a@b>;tag=a\r\n\
             To: <sip:edge>\r\nCall-ID: a\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(text.as_bytes(), address).await.unwrap();
        let mut request = Incoming::new(requests.recv().await.unwrap(), Arc::clone(&identity));
        request.set_local_tag("edge");
        if is_kept {
            request.finish(200, "OK", &[]).await;
        } else {
            request.finish_once(200, "OK", &[("Allow", "OPTIONS")]).await;
        }
        let mut answer = [0; 2_048];
        let length = socket.recv(&mut answer).await.unwrap();
        assert!(answer[..length].starts_with(b"SIP/2.0 200 OK\r\n"));
        let kept = endpoint.inner.finished_transactions.with_mut(|kept| kept.len());
        assert_eq!(kept, usize::from(is_kept));
        assert_eq!(endpoint.inner.transactions.with_mut(|open| open.len()), 0);
    }
    token.cancel();
}
