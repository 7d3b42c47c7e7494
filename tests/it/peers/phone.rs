//! A phone that calls the edge directly.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::json;

use super::baresip::{Account, Baresip};
use crate::sip::certificates::Certificates;
use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, FOREIGN_NUMBER, Trunk};

/// An edge that also listens for TLS.
async fn edge(made: &Certificates) -> Edge {
    let (certificate, key) = (made.path("cert.pem"), made.path("key.pem"));
    let arguments =
        ["--sip-tls-listen", "127.0.0.1:0", "--tls-cert", certificate.as_str(), "--tls-key", key.as_str()];
    Edge::with_arguments(&arguments).await
}

fn at(edge: &Edge, transport: &str) -> String {
    if transport == "tls" { edge.binary.sip_tls.unwrap().to_string() } else { edge.sip.to_string() }
}

/// A phone that calls through a trunk, over a transport.
async fn phone(
    edge: &Edge,
    made: &Certificates,
    transport: &str,
    trunk: Option<&Trunk>,
    parameters: &str,
) -> Baresip {
    let credentials = trunk.map(|trunk| (trunk.username.as_str(), trunk.password.as_str()));
    Baresip::start(&Account {
        number: FOREIGN_NUMBER,
        domain: at(edge, transport),
        transport,
        credentials,
        parameters,
        authority: (transport == "tls").then(|| made.path("ca.pem")),
        ..Account::default()
    })
    .await
}

#[tokio::test]
async fn a_phone_talks_over_every_transport_by_credentials_and_by_address() {
    let made = Certificates::make();
    let edge = edge(&made).await;
    let trunk = edge.trunk(json!({})).await;
    for by_address in [false, true] {
        if by_address {
            edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
        }
        for (number, transport) in ["udp", "tcp", "tls"].into_iter().enumerate() {
            let mut phone = phone(&edge, &made, transport, (!by_address).then_some(&trunk), "").await;
            phone.call(&format!("sip:{ANSWERS_AT_ONCE}@{}", at(&edge, transport))).await;
            phone.hears().await;
            phone.hang_up().await;
            let record = edge.record(&trunk, number + 1 + 3 * usize::from(by_address)).await;
            assert_eq!((&record["success"], &record["disconnect_reason"]), (&json!(true), &json!("Bye")));
            assert_eq!(record["source_protocol"], transport);
        }
    }
}

#[tokio::test]
async fn a_phone_talks_with_an_edge_that_listens_on_every_address() {
    let mut edge = Edge::with_arguments(&["--sip-listen", "0.0.0.0:0"]).await;
    // Not the phone's own address: it hears and ends the call at the one that it called.
    edge.sip = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 2).into(), edge.sip.port());
    let made = Certificates::make();
    let trunk = edge.trunk(json!({})).await;
    for (number, transport) in ["udp", "tcp"].into_iter().enumerate() {
        let mut phone = phone(&edge, &made, transport, Some(&trunk), "").await;
        phone.call(&format!("sip:{ANSWERS_AT_ONCE}@{}", edge.sip)).await;
        phone.hears().await;
        let active = edge.active().await;
        let local = active[0]["media"]["local"].as_str().unwrap();
        assert!(local.starts_with("127.0.0.2:"), "{active:?}");
        phone.hang_up().await;
        let record = edge.record(&trunk, number + 1).await;
        assert_eq!((&record["success"], &record["disconnect_reason"]), (&json!(true), &json!("Bye")));
        assert_eq!(record["source_protocol"], transport);
    }
}

#[tokio::test]
async fn a_phone_holds_and_resumes_and_hears_again() {
    let edge = Edge::start().await;
    let made = Certificates::make();
    let trunk = edge.trunk(json!({})).await;
    let mut phone = phone(&edge, &made, "udp", Some(&trunk), "").await;
    phone.call(&format!("sip:{ANSWERS_AT_ONCE}@{}", edge.sip)).await;
    phone.hears().await;
    phone.holds_and_resumes().await;
    phone.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Bye");
}

#[tokio::test]
async fn a_phone_that_insists_on_srtp_is_taken_by_a_trunk_that_does_too_and_by_no_other() {
    let edge = Edge::start().await;
    let made = Certificates::make();
    let trunk = edge.trunk(json!({ "media_encryption_mode": "srtp_sdes" })).await;
    let uri = format!("sip:{ANSWERS_AT_ONCE}@{}", edge.sip);
    for parameters in ["mediaenc=srtp-mand", "mediaenc=srtp"] {
        let mut phone = phone(&edge, &made, "udp", Some(&trunk), parameters).await;
        phone.call(&uri).await;
        assert_eq!(edge.active().await.len(), 1);
        phone.hang_up().await;
    }
    let plain = edge.trunk(json!({})).await;
    let mut phone = phone(&edge, &made, "udp", Some(&plain), "mediaenc=srtp-mand").await;
    phone.command("dial", &uri).await;
    let closed = phone.event("CALL_CLOSED").await;
    assert!(closed["param"].as_str().unwrap().starts_with("488"), "{closed}");
}
