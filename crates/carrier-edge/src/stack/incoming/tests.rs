//! What the SIP library keeps of requests that were answered, and which events of a request are taken.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rsipstack::transaction::endpoint::EndpointOption;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::{Endpoint, EndpointBuilder};
use rsipstack::transport::channel::ChannelConnection;
use sip_transport::streams::Limits;
use sip_transport::{
    FilterAction, Intake, MessageFilter, Tap, Unreadable, listen, shut_down, transport_layer,
};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::stack::{IncomingRequests, InviteEvent};

fn identity() -> Arc<EdgeIdentity> {
    Arc::new(EdgeIdentity { server_name: "edge".to_owned(), advertise: None })
}

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
    let (identity, answers) = (identity(), KeptAnswers::default());
    let intake = Intake {
        endpoint: endpoint.inner.clone(),
        filter: None,
        transactions: None,
        acks: AckRoutes::default(),
        answers: answers.clone(),
        inspector: None,
        limits: Limits::default(),
        tap,
    };
    tokio::spawn(udp.serve(intake));
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = socket.local_addr().unwrap();
    for is_kept in [false, true] {
        let text = format!(
            "OPTIONS sip:edge SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{is_kept}\r\nFrom: <sip:a@b>;tag=a\r\n\
             To: <sip:edge>\r\nCall-ID: a\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(text.as_bytes(), address).await.unwrap();
        let transaction = requests.recv().await.unwrap();
        let (identity, acks) = (Arc::clone(&identity), AckRoutes::default());
        let mut request = Incoming::new(transaction, identity, acks, answers.clone());
        request.set_local_tag("edge");
        if is_kept {
            request.finish(200, "OK", &[]).await;
        } else {
            request.finish_once(200, "OK", &[("Allow", "OPTIONS")]).await;
        }
        let mut answer = [0; 2_048];
        let length = socket.recv(&mut answer).await.unwrap();
        assert!(answer[..length].starts_with(b"SIP/2.0 200 OK\r\n"));
        assert!(endpoint.inner.finished_transactions.is_empty());
        assert_eq!(endpoint.inner.transactions.with_mut(|open| open.len()), 0);
        socket.send_to(text.as_bytes(), address).await.unwrap();
        if is_kept {
            let length = socket.recv(&mut answer).await.unwrap();
            let again = String::from_utf8_lossy(&answer[..length]);
            assert!(again.starts_with("SIP/2.0 200 OK\r\n") && again.contains(";tag=edge\r\n"), "{again}");
        } else {
            assert!(requests.recv().await.is_some(), "a copy is a new request");
        }
    }
    token.cancel();
}

/// Maximum number of transactions that wait in these tests.
const MAX_WAITING: usize = 4;

/// An endpoint that listens over UDP, the requests that arrive there, and its address.
fn listening(
    token: &CancellationToken,
    option: EndpointOption,
    filter: Option<Arc<dyn MessageFilter>>,
) -> (Endpoint, IncomingRequests, SocketAddr) {
    let endpoint = EndpointBuilder::new()
        .with_option(option)
        .with_transport_layer(transport_layer(token.clone()))
        .with_cancel_token(token.clone())
        .build();
    let (transactions, receiver) = mpsc::channel(MAX_WAITING);
    let (acks, answers) = (AckRoutes::default(), KeptAnswers::default());
    let tap = Tap::new(None, "test");
    let (udp, _tcp, address) = listen::sockets("127.0.0.1:0".parse().unwrap(), token, &tap).unwrap();
    let intake = Intake {
        endpoint: endpoint.inner.clone(),
        filter,
        transactions: Some(transactions),
        acks: acks.clone(),
        answers: answers.clone(),
        inspector: None,
        limits: Limits::default(),
        tap,
    };
    tokio::spawn(udp.serve(intake));
    (endpoint, IncomingRequests { receiver, identity: identity(), acks, answers }, address)
}

/// A request from a caller at an address.
fn request(own: SocketAddr, method: &str, branch: usize, to: &str, number: u32) -> String {
    format!(
        "{method} sip:edge SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{branch}\r\nFrom: <sip:a@b>;tag=a\r\n\
         To: <sip:edge>{to}\r\nCall-ID: a\r\nCSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

#[tokio::test]
async fn an_answer_to_an_invite_waits_for_the_ack_of_its_dialog_and_is_kept_short() {
    let token = CancellationToken::new();
    // Without repetitions, so that each response after the first is one to a copy of the INVITE.
    let hour = Duration::from_hours(1);
    let option = EndpointOption { t1: hour, t1x64: 64 * hour, ..EndpointOption::default() };
    let (endpoint, mut requests, address) = listening(&token, option, None);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = socket.local_addr().unwrap();
    let request =
        |method: &str, branch: usize, to: &str, number: u32| request(own, method, branch, to, number);
    for (code, branch) in [(200, 1), (486, 2)] {
        socket.send_to(request("INVITE", branch, "", 1).as_bytes(), address).await.unwrap();
        let mut invite = requests.next().await.unwrap();
        invite.set_local_tag("edge");
        let body = if code == 200 { "v=0\r\n" } else { "" };
        invite.respond(code, "Busy Here", &[("Contact", "<sip:edge>")], body).await;
        let mut answer = [0; 2_048];
        let length = socket.recv(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.starts_with(&format!("SIP/2.0 {code} ")) && answer.ends_with(body), "{answer}");
        socket.send_to(request("INVITE", branch, "", 1).as_bytes(), address).await.unwrap();
        // The ACK of another answer, of another INVITE, and its own. The ACK of a 2xx response has a branch of its own.
        let own_branch = if code == 200 { 3 } else { branch };
        for (to, number) in [(";tag=other", 1), (";tag=edge", 2), (";tag=edge", 1)] {
            socket.send_to(request("ACK", own_branch, to, number).as_bytes(), address).await.unwrap();
        }
        assert!(invite.wait_acknowledged().await, "{code}");
        assert!(invite.take_acknowledgement().is_some(), "{code}");
        if code == 486 {
            // A copy of the answer would be here before it.
            let mut again = [0; 2_048];
            let received = tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut again)).await;
            let length = received.expect("the refusal is sent again for the copy of its INVITE").unwrap();
            assert_eq!(String::from_utf8_lossy(&again[..length]), answer);
        }
        drop(invite);
        assert_eq!(endpoint.inner.transactions.with_mut(|open| open.len()), 0, "{code}");
        assert!(endpoint.inner.waiting_ack.is_empty(), "{code}");
    }
    let refusals = endpoint.inner.finished_transactions.with_mut(|kept| {
        let mut codes = kept.values().map(|kept| match kept {
            Some(SipMessage::Response(response)) => response.status_code.code(),
            _ => 0,
        });
        codes.all(|code| code == 486)
    });
    assert!(refusals, "the answer is not kept by the library");
    // A copy of the answered INVITE receives what is kept, and a CANCEL of it an answer of its own.
    for (method, end) in [("INVITE", "\r\nContact: <sip:edge>\r\nContent-Length: 0\r\n"), ("CANCEL", "")] {
        socket.send_to(request(method, 1, "", 1).as_bytes(), address).await.unwrap();
        let mut answer = [0; 2_048];
        let length = socket.recv(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("SIP/2.0 200 OK\r\n") && answer.contains(";tag=edge\r\n"), "{answer}");
        assert!(answer.contains(end) && !answer.contains("v=0"), "{answer}");
    }
    token.cancel();
}

#[tokio::test]
async fn a_challenge_is_sent_again_for_a_copy_names_its_tag_to_a_cancel_and_is_not_kept() {
    let token = CancellationToken::new();
    let hour = Duration::from_hours(1);
    let option = EndpointOption { t1: hour, t1x64: 64 * hour, ..EndpointOption::default() };
    let (endpoint, mut requests, address) = listening(&token, option, None);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = socket.local_addr().unwrap();
    let [invite, cancel] = ["INVITE", "CANCEL"].map(|method| request(own, method, 1, "", 1));
    socket.send_to(invite.as_bytes(), address).await.unwrap();
    let mut received = requests.next().await.unwrap();
    received.set_local_tag("edge");
    let serving = tokio::spawn(async move {
        let headers = [("WWW-Authenticate", "Digest realm=\"r\""), ("Contact", "<sip:edge>")];
        received.challenge(401, "Unauthorized", &headers).await;
    });
    let mut answers = Vec::new();
    for text in [None, Some(&invite), Some(&cancel)] {
        if let Some(text) = text {
            socket.send_to(text.as_bytes(), address).await.unwrap();
        }
        let mut answer = [0; 2_048];
        let length = tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut answer)).await;
        let length = length.expect("each is answered").unwrap();
        answers.push(String::from_utf8_lossy(&answer[..length]).into_owned());
    }
    let challenge = format!(
        "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=a\r\n\
         To: <sip:edge>;tag=edge\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\nContact: <sip:edge>\r\nServer: edge\r\n\
         WWW-Authenticate: Digest realm=\"r\"\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(answers[..2], [challenge.clone(), challenge]);
    assert!(answers[2].starts_with("SIP/2.0 200 ") && answers[2].contains(";tag=edge\r\n"), "{answers:?}");
    socket.send_to(request(own, "ACK", 1, ";tag=edge", 1).as_bytes(), address).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), serving).await.expect("its ACK ends it").unwrap();
    assert!(endpoint.inner.finished_transactions.is_empty());
    assert_eq!(endpoint.inner.transactions.with_mut(|open| open.len()), 0);
    token.cancel();
}

#[tokio::test]
async fn a_cancel_from_another_address_is_ignored_behind_another_event_too() {
    let token = CancellationToken::new();
    let (_endpoint, mut requests, address) = listening(&token, EndpointOption::default(), None);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let stranger = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let own = socket.local_addr().unwrap();
    let [invite, cancel] = ["INVITE", "CANCEL"].map(|method| request(own, method, 1, "", 1));
    socket.send_to(invite.as_bytes(), address).await.unwrap();
    let mut received = requests.next().await.unwrap();
    received.set_local_tag("edge");
    for (from, text) in [(&socket, &invite), (&stranger, &cancel)] {
        let waiting = received.0.transaction.tu_receiver.len();
        from.send_to(text.as_bytes(), address).await.unwrap();
        while received.0.transaction.tu_receiver.len() == waiting {
            tokio::task::yield_now().await;
        }
    }
    tokio::select! {
        biased;
        event = received.next_event() => panic!("{event:?}"),
        () = std::future::ready(()) => {}
    }
    socket.send_to(cancel.as_bytes(), address).await.unwrap();
    assert_eq!(received.next_event().await, InviteEvent::Cancelled);
    token.cancel();
}

/// Counts the messages that arrive.
#[derive(Default)]
struct Counter(AtomicUsize);

impl MessageFilter for Counter {
    fn check(&self, _: &[u8], _: &Arrival) -> FilterAction {
        self.0.fetch_add(1, Ordering::SeqCst);
        FilterAction::Pass
    }

    fn unreadable(&self, bytes: &[u8], _: &Arrival, _: Unreadable) -> FilterAction {
        panic!("{}", String::from_utf8_lossy(bytes))
    }

    fn is_needed(&self, _: &Arrival) -> bool {
        false
    }
}

#[tokio::test]
async fn a_request_beyond_those_that_may_wait_is_dropped_and_its_repetition_is_taken() {
    let token = CancellationToken::new();
    let arrived = Arc::new(Counter::default());
    let filter = Some(Arc::clone(&arrived) as Arc<dyn MessageFilter>);
    let (_endpoint, mut requests, edge) = listening(&token, EndpointOption::default(), filter);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = socket.local_addr().unwrap();
    // One more than may wait, and another one, which arrives after that was handled.
    for branch in 0..MAX_WAITING + 2 {
        socket.send_to(request(own, "OPTIONS", branch, "", 1).as_bytes(), edge).await.unwrap();
    }
    while arrived.0.load(Ordering::SeqCst) < MAX_WAITING + 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(requests.receiver.len(), MAX_WAITING);
    let is_of = |transaction: &Transaction, branch: usize| {
        transaction.original.to_string().contains(&format!("z9hG4bK{branch}\r\n"))
    };
    for branch in 0..MAX_WAITING {
        assert!(is_of(&requests.receiver.recv().await.unwrap(), branch), "{branch}");
    }
    socket.send_to(request(own, "OPTIONS", MAX_WAITING, "", 1).as_bytes(), edge).await.unwrap();
    // The last of the others may have found a place meanwhile.
    let mut next = requests.receiver.recv().await.unwrap();
    if is_of(&next, MAX_WAITING + 1) {
        next = requests.receiver.recv().await.unwrap();
    }
    assert!(is_of(&next, MAX_WAITING), "its repetition is taken");
    token.cancel();
}

#[tokio::test]
async fn while_a_refusal_waits_for_its_ack_its_invite_is_kept_short() {
    let token = CancellationToken::new();
    let (_endpoint, mut requests, address) = listening(&token, EndpointOption::default(), None);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = socket.local_addr().unwrap();
    let further = format!("X-Long: {}\r\nContent-Length: 4\r\n\r\nbody", "x".repeat(9_000));
    let text = request(own, "INVITE", 1, "", 1).replace("Content-Length: 0\r\n\r\n", &further);
    socket.send_to(text.as_bytes(), address).await.unwrap();
    let mut invite = requests.next().await.unwrap();
    invite.set_local_tag("edge");
    assert_eq!((invite.body(), invite.value("X-Long").map(str::len)), (&b"body"[..], Some(9_000)));
    invite.respond(486, "Busy Here", &[], "").await;
    let waits = tokio::time::timeout(Duration::from_millis(50), invite.wait_refusal_delivered());
    assert!(waits.await.is_err(), "there is no ACK yet");
    assert_eq!(invite.names().collect::<Vec<_>>(), ["Via", "From", "To", "Call-ID", "CSeq"]);
    assert!(invite.body().is_empty() && invite.request_uri().is_empty());
    assert_eq!((invite.call_id(), invite.local_tag()), ("a", Some("edge")));
    socket.send_to(request(own, "ACK", 1, ";tag=edge", 1).as_bytes(), address).await.unwrap();
    assert!(invite.wait_refusal_delivered().await);
    token.cancel();
}

#[tokio::test]
async fn the_wait_for_an_ack_ends_with_the_endpoint_and_not_with_an_event_before() {
    let token = CancellationToken::new();
    let (endpoint, mut requests, address) = listening(&token, EndpointOption::default(), None);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    // Inside a dialog, so that the library repeats the answer.
    let text = request(socket.local_addr().unwrap(), "INVITE", 1, ";tag=edge", 2);
    socket.send_to(text.as_bytes(), address).await.unwrap();
    let mut invite = requests.next().await.unwrap();
    invite.respond(200, "OK", &[("Contact", "<sip:edge>")], "").await;
    socket.send_to(text.as_bytes(), address).await.unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(200), invite.wait_acknowledged()).await;
    assert!(waits.is_err(), "there is no ACK yet");
    token.cancel();
    shut_down(&endpoint, None);
    let ended = tokio::time::timeout(Duration::from_secs(10), invite.wait_acknowledged()).await;
    assert_eq!(ended, Ok(false));
}

#[tokio::test]
async fn a_refusal_whose_headers_are_very_long_is_sent_once_and_not_kept() {
    let token = CancellationToken::new();
    let (endpoint, mut requests, address) = listening(&token, EndpointOption::default(), None);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let long = format!("From: \"{}\" ", "x".repeat(17_000));
    let text = request(socket.local_addr().unwrap(), "INVITE", 1, "", 1).replace("From: ", &long);
    for _ in 0..2 {
        socket.send_to(text.as_bytes(), address).await.unwrap();
        // A copy is a new request.
        let mut invite = requests.next().await.unwrap();
        invite.set_local_tag("edge");
        let refusal = invite.finish(513, "Message Too Large", &[]);
        tokio::time::timeout(Duration::from_secs(10), refusal).await.expect("no ACK is waited for");
        let mut answer = vec![0; 65_535];
        let length = socket.recv(&mut answer).await.unwrap();
        assert!(answer[..length].starts_with(b"SIP/2.0 513 Message Too Large\r\n"));
    }
    assert!(endpoint.inner.finished_transactions.is_empty());
    token.cancel();
}

#[tokio::test]
async fn an_answer_that_cannot_be_sent_ends_as_one_that_was_lost() {
    let token = CancellationToken::new();
    let t1 = Duration::from_millis(1);
    let option = EndpointOption { t1, t1x64: 64 * t1, ..EndpointOption::default() };
    let (endpoint, requests, address) = listening(&token, option, None);
    let IncomingRequests { identity, acks, answers, .. } = requests;
    for method in ["INVITE", "UPDATE"] {
        let text = request(address, method, 1, ";tag=edge", 1);
        let Ok(SipMessage::Request(original)) = SipMessage::try_from(text.as_bytes()) else {
            panic!("{text}")
        };
        let key = TransactionKey::from_request(&original, TransactionRole::Server).unwrap();
        // The connection has ended: nothing takes what is sent over it.
        let (outgoing, _) = mpsc::unbounded_channel();
        let (_, incoming) = mpsc::unbounded_channel();
        let peer = SipAddr { r#type: Some(Transport::Tcp), addr: address.into() };
        let connection = ChannelConnection::create_connection(incoming, outgoing, peer, None).await.unwrap();
        let connection = Some(SipConnection::Channel(connection));
        let transaction = Transaction::new_server(key, original, endpoint.inner.clone(), connection);
        let identity = Arc::clone(&identity);
        let mut received = Incoming::new(transaction, identity, acks.clone(), answers.clone());
        received.respond(200, "OK", &[("Contact", "<sip:edge>")], "").await;
        let ended = tokio::time::timeout(Duration::from_secs(10), received.wait_acknowledged()).await;
        assert_eq!(ended, Ok(false), "{method}");
    }
    token.cancel();
}

#[tokio::test]
async fn the_text_of_an_answer_is_what_the_library_writes_of_its_response() {
    let token = CancellationToken::new();
    let (endpoint, requests, address) = listening(&token, EndpointOption::default(), None);
    let IncomingRequests { identity, acks, answers, .. } = requests;
    let second = "\r\nv: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKb\r\nUser-Agent: a\r\nFrom: ";
    let text = request(address, "INVITE", 1, "", 1).replace("\r\nFrom: ", second);
    let Ok(SipMessage::Request(original)) = SipMessage::try_from(text.as_bytes()) else { panic!("{text}") };
    let key = TransactionKey::from_request(&original, TransactionRole::Server).unwrap();
    let transaction = Transaction::new_server(key, original, endpoint.inner.clone(), None);
    let mut received = Incoming::new(transaction, identity, acks, answers);
    received.set_local_tag("edge");
    let routes = [("Record-Route", "<sip:b;lr>, <sip:c;lr>"), ("Record-Route", "<sip:d;lr>")];
    let of_dialog = [routes[0], ("Allow", "INVITE"), routes[1], ("Contact", "<sip:edge>"), ("RSeq", "1")];
    for (code, phrase, headers, body) in [
        (100, "Trying", &[("Timestamp", "1.5")][..], ""),
        (180, "Ringing", &of_dialog, ""),
        (183, "Session Progress", &of_dialog, "v=0\r\n"),
        (200, "OK", &of_dialog, "v=0\r\n"),
        (200, "OK", &[], ""),
        (401, "Unauthorized", &[("WWW-Authenticate", "Digest a"), ("WWW-Authenticate", "Digest b")], ""),
        (403, "Rejected by Auth record", &[("X-Refusal", "check=status"), ("Contact", "<sip:edge>")], ""),
        (480, "", &[], ""),
        (699, "Own", &[("Reason", "SIP;cause=699")], ""),
    ] {
        let written = received.response(code, phrase, headers, body).to_bytes();
        let written = String::from_utf8(written).unwrap();
        assert_eq!(received.text(code, phrase, headers, body), written);
    }
    token.cancel();
}
