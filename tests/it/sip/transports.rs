//! Requests that are not calls: OPTIONS, REGISTER, unknown methods; and the transports TCP and TLS.

use std::process::Command;
use std::sync::Arc;

use serde_json::json;

use super::certificates::Certificates;
use super::edge::{ANSWERS_AT_ONCE, Edge, credentials, scratch};
use super::media::hears_its_echo;
use super::message::Message;
use super::uac::{Call, Uac, unique};

async fn asked(uac: &mut Uac, method: &str, further: &str) -> Message {
    let (call, local) = (unique(), uac.local);
    let text = format!(
        "{method} sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-{call}\r\n\
         From: <sip:probe@{local}>;tag={call}\r\nTo: <sip:127.0.0.1>\r\nCall-ID: {call}\r\nCSeq: 7 {method}\r\n\
         {further}Content-Length: 0\r\n\r\n"
    );
    uac.send(&text).await;
    let mine = |message: &Message| message.header("Call-ID") == Some(call.as_str()) && message.code() >= 200;
    uac.expect(&format!("an answer to {method}"), Some(&text), mine).await
}

#[tokio::test]
async fn options_are_answered_to_every_source_over_udp_and_tcp() {
    let edge = Edge::with_config("[sip]\nserver_name = \"Y balancing node\"\n").await;
    for mut uac in [Uac::udp(&edge).await, Uac::tcp(&edge).await] {
        let answer = uac.options().await;
        assert_eq!(answer.start, "SIP/2.0 200 OK");
        assert_eq!((answer.header("Server"), answer.body.as_str()), (Some("Y balancing node"), ""));
        assert!(answer.header("Via").is_some() && answer.header("User-Agent").is_none());
    }
}

#[tokio::test]
async fn registrations_and_unknown_methods_are_answered_with_the_allowed_methods() {
    let edge = Edge::start().await;
    let _named = edge.trunk(json!({})).await;
    let mut uac = Uac::udp(&edge).await;
    for method in ["REGISTER", "SUBSCRIBE", "PUBLISH", "MESSAGE", "REFER"] {
        let answer = asked(&mut uac, method, "Max-Forwards: 70\r\n").await;
        assert_eq!(answer.start, "SIP/2.0 405 Method Not Allowed", "{method}");
        assert!(answer.header("Allow").is_some_and(|allow| allow.contains("INVITE")), "{answer:?}");
        let warned = answer.header("Warning").is_some_and(|text| text.contains("do not register"));
        assert_eq!(warned, method == "REGISTER");
    }
    edge.logs(&["REGISTER refused"]).await;
}

#[tokio::test]
async fn a_request_without_hops_left_goes_no_further() {
    let edge = Edge::start().await;
    let mut uac = Uac::udp(&edge).await;
    for method in ["OPTIONS", "INVITE", "BYE", "REGISTER"] {
        let answer = asked(&mut uac, method, "Max-Forwards: 0\r\n").await;
        assert_eq!(answer.start, "SIP/2.0 483 Too Many Hops", "{method}");
    }
    assert_eq!(asked(&mut uac, "OPTIONS", "Max-Forwards: 1\r\n").await.code(), 200);
    assert_eq!(edge.counts().await, [0, 0, 0]);
}

#[tokio::test]
async fn bye_and_cancel_for_nobody_are_481_and_an_ack_for_nobody_is_not_answered() {
    let edge = Edge::start().await;
    let _named = edge.trunk(json!({})).await;
    let mut uac = Uac::udp(&edge).await;
    for method in ["BYE", "UPDATE", "INFO", "CANCEL"] {
        assert_eq!(asked(&mut uac, method, "Max-Forwards: 70\r\n").await.code(), 481, "{method}");
    }
    for hops in [0, 70] {
        let (call, local) = (unique(), uac.local);
        let ack = format!(
            "ACK sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-{call}\r\n\
             From: <sip:probe@{local}>;tag={call}\r\nTo: <sip:127.0.0.1>;tag=x\r\nCall-ID: {call}\r\n\
             CSeq: 1 ACK\r\nMax-Forwards: {hops}\r\nContent-Length: 0\r\n\r\n"
        );
        uac.send(ack).await;
        let next = uac.options_or_anything().await;
        assert_eq!(next.method(), "OPTIONS", "an ACK is never answered: {next:?}");
    }
}

#[tokio::test]
async fn a_call_over_tcp_keeps_its_connection_and_hears_itself() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let uac = Uac::tcp(&edge).await;
    let mut call = Call::over(uac, &edge, ANSWERS_AT_ONCE).await;
    let answer = call.place(&trunk).await;
    assert!(answer.header("Contact").is_some_and(|contact| contact.contains("transport=tcp")), "{answer:?}");
    hears_its_echo(&call, answer.media().0, 1).await;
    let id = edge.active().await[0]["id"].as_str().unwrap().to_owned();
    edge.control.delete(&format!("/calls/active/{id}")).await;
    call.hung_up().await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!(record["source_protocol"], "tcp");
    assert_eq!(record["source_port"], call.uac.local.port());
}

#[tokio::test]
async fn a_call_over_ipv6_is_let_through_by_its_address_and_hears_itself() {
    let edge = Edge::with_arguments(&["--sip-listen", "[::1]:0"]).await;
    assert!(edge.sip.is_ipv6());
    let trunk = edge.trunk(json!({ "authentication_method": credentials(&["::1/128"], None) })).await;
    for uac in [Uac::udp_over_ipv6(&edge).await, Uac::tcp_over_ipv6(&edge).await] {
        let mut call = Call::over(uac, &edge, ANSWERS_AT_ONCE).await;
        let answer = call.place(&trunk).await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        assert!(
            answer
                .header("Contact")
                .is_some_and(|contact| contact.contains("@[::1]:") || contact.contains(":[::1]:")),
            "{answer:?}"
        );
        hears_its_echo(&call, answer.media().0, 1).await;
        let id = edge.active().await[0]["id"].as_str().unwrap().to_owned();
        edge.control.delete(&format!("/calls/active/{id}")).await;
        call.hung_up().await;
    }
    assert_eq!(edge.record(&trunk, 2).await["source_ip"], "::1");
    let elsewhere =
        edge.trunk(json!({ "authentication_method": credentials(&["2001:db8::/32"], None) })).await;
    let mut call = Call::over(Uac::udp_over_ipv6(&edge).await, &edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.attempt_as(&elsewhere, |_| {}).await.code(), 403, "the address is not that trunk's");
}

#[tokio::test]
async fn a_caller_whose_connection_breaks_gives_its_channel_back_when_its_media_stops() {
    let edge = Edge::start().await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "capacity_limit": 1 })).await;
    let mut call = Call::over(Uac::tcp(&edge).await, &edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.place(&trunk).await.code(), 200);
    drop(call);
    edge.advance(30).await;
    edge.calls_up(0).await;
    assert_eq!(edge.record(&trunk, 1).await["disconnect_reason"], "Rtp timeout");
    Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
}

#[tokio::test]
async fn a_call_over_tls_goes_as_any_other_and_its_media_need_not_be_encrypted() {
    let made = Certificates::make();
    let (certificate, key) = (made.path("cert.pem"), made.path("key.pem"));
    let edge = Edge::with_arguments(&[
        "--sip-tls-listen",
        "127.0.0.1:0",
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
    ])
    .await;
    let trunk = edge.trunk(json!({})).await;
    let client = Certificates::client(&made.folder.join("ca.pem"));
    let mut uac = Uac::tls(&edge, Arc::clone(&client)).await.unwrap();
    assert_eq!(uac.options().await.code(), 200);
    let mut call = Call::over(uac, &edge, ANSWERS_AT_ONCE).await;
    let answer = call.place(&trunk).await;
    let contact = answer.header("Contact").unwrap();
    let port = edge.binary.sip_tls.unwrap().port();
    assert!(contact.contains("transport=tls") && contact.contains(&format!(":{port};")), "{contact}");
    hears_its_echo(&call, answer.media().0, 1).await;
    call.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["source_protocol"], "tls");

    let mut call = Call::over(Uac::tls(&edge, Arc::clone(&client)).await.unwrap(), &edge, "9990201").await;
    assert_eq!(call.place(&trunk).await.code(), 200);
    call.hung_up().await;

    let mut call = Call::over(Uac::tls(&edge, client).await.unwrap(), &edge, ANSWERS_AT_ONCE).await;
    call.uri = Some(format!("sips:{ANSWERS_AT_ONCE}@127.0.0.1"));
    let answer = call.place(&trunk).await;
    let contact = format!("<sips:{}>", edge.binary.sip_tls.unwrap());
    assert_eq!(answer.header("Contact"), Some(contact.as_str()), "a secure call stays secure");
    call.hang_up().await;

    let other = Certificates::make();
    let stranger = Certificates::client(&other.folder.join("ca.pem"));
    assert!(Uac::tls(&edge, stranger).await.is_err(), "another authority does not vouch for this server");
}

#[tokio::test]
async fn a_full_listener_for_tcp_leaves_tls_its_places() {
    let made = Certificates::make();
    let (certificate, key) = (made.path("cert.pem"), made.path("key.pem"));
    let edge = Edge::with_config(&format!(
        "sip_tls_listen = \"127.0.0.1:0\"\ntls_cert = {certificate:?}\ntls_key = {key:?}\n[sip]\nconnections = 1\n"
    ))
    .await;
    let _named = edge.trunk(json!({})).await;
    let mut only = Uac::tcp(&edge).await;
    assert_eq!(only.options().await.code(), 200);
    let client = Certificates::client(&made.folder.join("ca.pem"));
    let mut secure = Uac::tls(&edge, client).await.unwrap();
    assert_eq!(secure.options().await.code(), 200);
    assert_eq!(only.options().await.code(), 200);
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_named_at_the_start() {
    let missing = scratch("missing.pem");
    let missing = missing.to_str().unwrap();
    let output = Command::new(crate::support::binary::path())
        .args(["--ephemeral", "--listen", "127.0.0.1:0", "--control-listen", "off"])
        .args(["--sip-listen", "127.0.0.1:0", "--sip-tls-listen", "127.0.0.1:0"])
        .args(["--tls-cert", missing, "--tls-key", missing])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(missing));
}
