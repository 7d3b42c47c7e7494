//! Destinations of type `sip`: the hosts that they may name, because they need no whitelisted country, own
//! number or route.

use serde_json::{Value, json};
use trunk_server::control::customers::CustomerPatch;

use super::caller::Caller;
use super::carrier::Carrier;
use super::refusal::*;
use super::stage::*;

/// Creates a customer that may call, with one of its admins.
async fn customer(stage: &Stage) -> Caller {
    let customer = stage.customer("c").await;
    stage.agent(customer, ADMIN).await
}

/// A body that calls these URIs.
fn to(uris: &[&str]) -> Value {
    let destinations: Vec<Value> = uris.iter().map(|uri| at(uri)).collect();
    json!({ "source": tel("+12125550199"), "destinations": destinations })
}

#[tokio::test]
async fn a_uri_at_a_host_of_the_host_map_is_not_called() {
    let carrier = Carrier::start().await;
    let stage = Stage::hosting(&[("carrier.example.com", carrier.at), ("192.0.2.7", carrier.at)]).await;
    let caller = customer(&stage).await;
    let provider = stage.provider("nowhere.invalid").await;
    let by_address = format!("sip:442079460018@{}", carrier.at);
    for uri in [
        "sip:+442079460018@carrier.example.com",
        "sips:442079460018@Carrier.Example.COM:5061;transport=tcp",
        "0011+442079460018@carrier.example.com.",
        "sip:x:y@nyc.us.carrier.example.com;user=phone?X=1",
        "SIP:bob@carrier.example.com",
        "sip:carrier.example.com",
        "sip:1@192.0.2.7:9",
        "sip:1@[::ffff:192.0.2.7]",
        &by_address,
    ] {
        caller
            .post("/calls", &to(&[uri]))
            .await
            .refused_because("must go through a provider, not to a SIP URI");
        let mut body = to(&[uri]);
        body["provider_id"] = json!(provider);
        stage
            .sa
            .post("/providercalls", &body)
            .await
            .refused_because("must go through a provider, not to a SIP URI");
    }
    assert!(caller.get("/calls").await.rows().is_empty());
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn a_uri_at_a_providers_host_is_not_called_as_long_as_there_is_the_provider() {
    let mut carrier = Carrier::start().await;
    let stage = Stage::start().await;
    let caller = customer(&stage).await;
    let (port, other) = (carrier.at.port(), "other.example.com;transport=tls");
    let ids = [stage.provider(format!("LocalHost.:{port}")).await, stage.provider(other).await];
    let uri = format!("sip:bob@localhost:{port}");
    for uri in [&uri, "sip:442079460018@LOCALHOST", "sip:1@localhost.:5070", "sip:1@other.example.com"] {
        caller
            .post("/calls", &to(&[uri]))
            .await
            .refused_because("must go through a provider, not to a SIP URI");
    }
    // Of two destinations, only the other one is called.
    let near = format!("sip:bob@{}", carrier.at);
    let answer = caller.post("/calls", &to(&[&uri, &near])).await.ok();
    assert_eq!(answer["calls"].as_array().unwrap().len(), 1);
    let mut incoming = carrier.call().await;
    assert_eq!(incoming.uri(), near);
    incoming.refuse(486).await;
    // A host is closed only as long as a provider is there.
    stage.sa.delete(&format!("/providers/{}", ids[0])).await.ok();
    caller.post("/calls", &to(&[&uri])).await.ok();
    assert_eq!(carrier.call().await.uri(), uri);
}

#[tokio::test]
async fn a_uri_that_leads_to_this_machine_or_a_private_network_fails_unless_that_is_allowed() {
    let carrier = Carrier::start().await;
    let stage = Stage::with(|config| config.voipbin.platform.allow_private_destinations = false).await;
    let caller = customer(&stage).await;
    let port = carrier.at.port();
    for uri in [
        format!("sip:bob@127.0.0.1:{port}"),
        format!("sip:bob@localhost:{port};transport=tcp"),
        format!("sip:bob@[::1]:{port}"),
        format!("sip:bob@0.0.0.0:{port}"),
        "sip:bob@10.0.0.1".to_owned(),
        "sip:bob@169.254.169.254:80;transport=tcp".to_owned(),
        "sip:bob@100.64.0.1".to_owned(),
        "sip:bob@224.0.0.1".to_owned(),
    ] {
        let answer = caller.post("/calls", &to(&[&uri])).await.ok();
        let ending = call_ends(&caller, &first_call(&answer)).await;
        assert_eq!(ending, ("failed".to_owned(), "remote".to_owned()), "{uri}");
    }
    assert_eq!(carrier.untaken(), 0);
    // The restriction does not apply to a provider's own host.
    stage.allow().await;
    let provider = stage.provider(carrier.at).await;
    let mut carrier = carrier;
    stage.place(&provider, US).await;
    assert_eq!(carrier.call().await.uri(), format!("sip:{US}@{};transport=udp", carrier.at));
}

#[tokio::test]
async fn odd_uris_are_refused_or_fail_and_harm_nobody() {
    let stage = Stage::hosting(&[("carrier.example.com", "127.0.0.1:9".parse().unwrap())]).await;
    let caller = customer(&stage).await;
    let long = format!("sip:bob@{}.example.com", "a".repeat(300));
    for uri in [
        "",
        " ",
        ":",
        "@",
        "sip:",
        "sip:@",
        "sip:@:",
        "sip:[",
        "sip:[]",
        "sip:bob@[::1",
        "sip:bob@:5060",
        "sip:bob@.",
        "sip:bob@..",
        "sip:bob@h:0",
        "sip:bob@h:99999",
        "sip:bob@h:-1",
        "sip:bob@h;transport=ws",
        "sip:bob@h;;=;?",
        "sip:%@%",
        "sip:bob@\u{e9}",
        "sip:bob@h\r\nX: 1",
        "sip:<bob@h>",
        "sip:a@b@carrier.example.com",
        "tel:+1",
        &long,
    ] {
        let answer = caller.post("/calls", &to(&[uri])).await.ok();
        let ending = call_ends(&caller, &first_call(&answer)).await;
        assert_eq!(ending, ("failed".to_owned(), "remote".to_owned()), "{uri:?}");
    }
}

#[tokio::test]
async fn case_96_an_extension_and_an_agent_are_not_called() {
    let stage = Stage::start().await;
    let caller = customer(&stage).await;
    for (kind, member, text) in [("extension", "target_name", "2001"), ("agent", "target", UNKNOWN)] {
        let sent = json!({ "source": tel(US), "destinations": [{ "type": kind, member: text }] });
        let why = format!("the destination type must be sip or tel, not \"{kind}\"");
        caller.post("/calls", &sent).await.refused(&invalid(why));
    }
    assert!(caller.get("/calls").await.rows().is_empty());
}

#[tokio::test]
async fn a_lack_of_balance_is_stated_beside_destinations_that_cannot_be_called_anyway() {
    let carrier = Carrier::start().await;
    let stage = Stage::start().await;
    let mut patch = CustomerPatch::default();
    patch.balance = Some(serde_json::from_str("0").unwrap());
    stage.control().update_customer(stage.admin, patch).await.unwrap();
    let destinations = json!([{ "type": "agent", "target": UNKNOWN }, sip("bob", carrier.at)]);
    let sent = json!({ "source": tel(US), "destinations": destinations });
    stage.sa.post("/calls", &sent).await.refused(&insufficient_balance());
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn a_call_to_a_uri_offers_the_codecs_of_the_customers_config() {
    let mut carrier = Carrier::start().await;
    let stage = Stage::start().await;
    let caller = customer(&stage).await;
    caller.put("/outbound_config", &json!({ "codecs": "G729,PCMA" })).await.ok();
    let sent = json!({ "source": tel("+12125550199"), "destinations": [sip("bob", carrier.at)] });
    let placed = caller.post("/calls", &sent).await.ok();
    assert_eq!(placed["calls"][0]["metadata"]["codecs"], "G729,PCMA");
    let mut incoming = carrier.call().await;
    let (_, audio) = incoming.invite.media();
    assert!(audio.ends_with("RTP/AVP 8 101"), "{audio}");
    incoming.refuse(486).await;
}
