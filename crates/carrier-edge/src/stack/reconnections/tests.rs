//! Where connections to callers may lead, and how many there are.

use rsipstack::transaction::EndpointBuilder;
use service_base::net::Use;
use sip_transport::{AckRoutes, KeptAnswers, Tap, transport_layer};
use tokio::net::TcpListener;

use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// Where the calls come from.
const CALLER: SocketAddr = SocketAddr::new(HERE, 9);
/// Far longer than the end of a connection takes to be noticed.
const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn a_contact_leads_to_its_address_over_tcp_and_to_no_name_and_over_nothing_else() {
    for (uri, target) in [
        ("sip:caller@192.0.2.1:5070;transport=tcp", Some("192.0.2.1:5070")),
        ("sip:192.0.2.1;lr;transport=TCP", Some("192.0.2.1:5060")),
        ("sip:caller@[2001:db8::1]", Some("[2001:db8::1]:5060")),
        ("sip:caller@[::ffff:192.0.2.1]:5070", Some("192.0.2.1:5070")),
        ("sip:caller@pbx.example.com;transport=tcp", None),
        ("sip:caller@192.0.2.1;transport=udp", None),
        ("sip:caller@192.0.2.1;transport=tls", None),
        ("sips:caller@192.0.2.1;transport=tcp", None),
        ("tel:+15551234", None),
    ] {
        assert_eq!(target_of(uri), target.map(|target| target.parse().unwrap()), "{uri}");
    }
}

#[test]
fn a_connection_leads_to_the_address_of_the_caller_or_to_a_public_one() {
    let own = OwnSockets::default();
    let _entered = own.enter("127.0.0.1:5060".parse().unwrap(), Use::Other);
    for (target, source, may) in [
        ("10.0.0.1:5060", "10.0.0.1", true),
        ("10.0.0.2:5060", "10.0.0.1", false),
        ("127.0.0.1:5070", "127.0.0.1", true),
        ("127.0.0.1:5060", "127.0.0.1", false),
        ("127.0.0.1:5070", "8.8.8.8", false),
        ("10.0.0.1:5060", "8.8.8.8", false),
        ("169.254.169.254:5060", "169.254.169.254", false),
        ("8.8.4.4:5060", "8.8.8.8", true),
        ("8.8.4.4:443", "8.8.8.8", false),
        ("8.8.4.4:5060", "10.0.0.1", true),
        ("[::ffff:10.0.0.2]:5060", "10.0.0.1", false),
        ("[::ffff:127.0.0.1]:5060", "127.0.0.1", false),
        ("[::1]:5070", "::1", true),
        ("[::1]:5070", "2001:4860:4860::8888", false),
        ("[fd00::1]:5060", "fd00::1", true),
        ("[fd00::2]:5060", "fd00::1", false),
        ("[64:ff9b::a00:1]:5060", "8.8.8.8", false),
        ("[fe80::7]:5060", "fe80::7", true),
        ("[fe80::7]:443", "fe80::7", false),
        ("[fe80::8]:5060", "fe80::7", false),
        ("[fe80::7]:5060", "2001:4860:4860::8888", false),
        ("[2001:4860:4860::8844]:5060", "2001:4860:4860::8888", true),
    ] {
        let why = forbidden(target.parse().unwrap(), source.parse().unwrap(), &own);
        assert_eq!(why.is_none(), may, "{target} for {source}: {why:?}");
    }
}

#[test]
fn a_link_local_contact_is_on_the_link_of_the_call() {
    for (target, source, scoped) in [
        ("[fe80::7]:5060", "[fe80::7%3]:9", "[fe80::7%3]:5060"),
        ("[fe80::7]:5060", "[2001:db8::1]:9", "[fe80::7]:5060"),
        ("[2001:db8::1]:5060", "[fe80::7%3]:9", "[2001:db8::1]:5060"),
        ("192.0.2.1:5060", "[fe80::7%3]:9", "192.0.2.1:5060"),
    ] {
        let on_link = on_link_of(source.parse().unwrap(), target.parse().unwrap());
        assert_eq!(on_link, scoped.parse::<SocketAddr>().unwrap(), "{target} for {source}");
    }
}

/// Reconnections of a new endpoint, which the token ends.
fn reconnections(token: &CancellationToken) -> Reconnections {
    let endpoint = EndpointBuilder::new()
        .with_transport_layer(transport_layer(token.clone()))
        .with_cancel_token(token.clone())
        .build();
    let intake = Intake {
        endpoint: endpoint.inner.clone(),
        filter: None,
        transactions: None,
        acks: AckRoutes::default(),
        answers: KeptAnswers::default(),
        inspector: None,
        limits: Limits::default(),
        tap: Tap::new(None, "test"),
    };
    Reconnections::new(&intake, token.clone(), Descriptors::new(1_024), OwnSockets::default())
}

async fn listening() -> (TcpListener, String) {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let uri = format!("sip:caller@{};transport=tcp", listener.local_addr().unwrap());
    (listener, uri)
}

#[tokio::test]
async fn a_connection_is_not_closed_as_idle_while_a_request_waits_for_its_response() {
    let token = CancellationToken::new();
    let mut reconnections = reconnections(&token);
    let idle = Duration::from_millis(100);
    reconnections.common.limits.idle_timeout = idle;
    let (_listener, uri) = listening().await;
    let lease = reconnections.connect(CALLER, &uri).await.unwrap();
    let open = lease.connection.cancel_token().unwrap();
    assert!(tokio::time::timeout(3 * idle, open.cancelled()).await.is_err(), "it was closed as idle");
    drop(lease);
    tokio::time::timeout(DEADLINE, open.cancelled()).await.expect("it is closed");
    token.cancel();
}

#[tokio::test]
async fn the_calls_of_a_source_share_connections_of_which_they_have_few() {
    let token = CancellationToken::new();
    let reconnections = reconnections(&token);
    let mut callers = Vec::new();
    for _ in 0..=MAX_OF_SOURCE {
        callers.push(listening().await);
    }
    let (_, last) = callers.last().unwrap();
    for _ in 0..2 {
        for (_, uri) in &callers[..MAX_OF_SOURCE] {
            reconnections.connect(CALLER, uri).await.unwrap();
        }
        assert!(reconnections.connect(CALLER, last).await.is_err(), "too many");
    }
    assert_eq!(reconnections.places.available_permits(), MAX_OF_ALL - MAX_OF_SOURCE, "each is opened once");
    // The caller closes one of them, and another may be opened.
    let (first, _) = &callers[0];
    let (accepted, _) = first.accept().await.unwrap();
    drop(accepted);
    let replaced = async {
        while reconnections.connect(CALLER, last).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, replaced).await.expect("another connection is opened");
    token.cancel();
}
