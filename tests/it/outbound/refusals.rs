//! Refusals of the edge, as the platform sees them: the carrier's response determines the reason, and the
//! edge's record names the check.

use std::net::{IpAddr, Ipv4Addr};

use didww_client::resources::{
    AuthenticationMethod, DefaultDstAction, OnCliMismatchAction, VoiceOutTrunk, VoiceOutTrunkStatus,
};
use didww_client::values::{CapacityLimit, DstPrefix, IpNetworks, TechPrefix, ThresholdAmount};
use trunk_server::control::NewDid;
use voipbin_client::types::{Address, CallCreate, CallStatus, Provider, ProviderBody, ProviderCallCreate};

use super::stage::*;

/// A host that the configuration routes to the edge.
const HOST: &str = "nyc.us.out.didww.com";

/// Checks that a call ends because the carrier refuses it, and that the webhooks report the same.
async fn ends_refused(stage: &mut Stage, body: ProviderCallCreate, reason: &str) {
    let id = stage.call(body).await;
    assert_eq!(stage.hangup_of(id).await, hangup(reason, "remote"));
    let events = stage.events_until_end(id).await;
    assert_eq!(kinds(&events), ["call_created", "call_hangup"]);
}

/// The same; also checks that the newest of `count` records of the trunk names the check and the response.
async fn refused_by(
    stage: &mut Stage,
    trunk: &VoiceOutTrunk,
    body: ProviderCallCreate,
    (check, code, reason): (&str, u16, &str),
    records: usize,
) {
    let spent = stage.trunk_document(&trunk.id).await.meta.spent_amount;
    ends_refused(stage, body, reason).await;
    let record = stage.record(trunk, records).await;
    assert_eq!(
        (record["check"].as_str(), &record["disconnect_code"]),
        (Some(check), &code.into()),
        "{record}"
    );
    assert_eq!((&record["success"], record["price"].as_str()), (&false.into(), Some("0")));
    assert_eq!(
        stage.trunk_document(&trunk.id).await.meta.spent_amount,
        spent,
        "what is refused costs nothing"
    );
}

/// Checks that a call is answered.
async fn passes(stage: &Stage, body: ProviderCallCreate) {
    let id = stage.call(body).await;
    assert_eq!(stage.hangup_of(id).await, hangup("normal", "local"));
}

/// Creates a provider without a set-up.
async fn by_hand(stage: &Stage, prefix: &str) -> Provider {
    let body = ProviderBody { tech_prefix: prefix.to_owned(), ..ProviderBody::sip("By hand", HOST) };
    stage.platform.providers().create(body).await.unwrap()
}

#[tokio::test]
async fn a_blocked_trunk_refuses_until_it_is_active_again() {
    let mut stage = Stage::start().await;
    let (trunk, provider) = stage.provider().await;
    let trunks = stage.carrier.voice_out_trunks();
    let set = async |status| trunks.update(&trunk.id, VoiceOutTrunk::patch().status(status)).await.unwrap();
    set(VoiceOutTrunkStatus::Blocked).await;
    refused_by(&mut stage, &trunk, short_call(&provider), ("status", 403, "failed"), 1).await;
    set(VoiceOutTrunkStatus::Active).await;
    passes(&stage, short_call(&provider)).await;
}

#[tokio::test]
async fn a_trunk_whose_capacity_is_used_up_refuses_until_a_call_ends() {
    let mut stage = Stage::start().await;
    let trunk = stage.trunk(open("Narrow").capacity_limit(CapacityLimit::new(1).unwrap())).await;
    let provider = stage.provider_on(&trunk).await;
    let first = stage.call(long_call(&provider)).await;
    stage.wait_for_status(first, CallStatus::Progressing).await;
    refused_by(&mut stage, &trunk, short_call(&provider), ("capacity", 480, "noanswer"), 1).await;
    stage.platform.calls().hangup(first).await.unwrap();
    stage.wait_for_end(first).await;
    stage.record(&trunk, 2).await;
    passes(&stage, short_call(&provider)).await;
}

#[tokio::test]
async fn a_trunk_that_spent_its_threshold_refuses_until_a_day_is_over() {
    let mut stage = Stage::start().await;
    let trunk =
        stage.trunk(open("Thrifty").threshold_amount("0.0001".parse::<ThresholdAmount>().unwrap())).await;
    let provider = stage.provider_on(&trunk).await;
    passes(&stage, short_call(&provider)).await;
    crate::sip::edge::until("the threshold is reached", async || {
        stage.trunk_document(&trunk.id).await.threshold_reached.then_some(())
    })
    .await;
    refused_by(&mut stage, &trunk, short_call(&provider), ("status", 403, "failed"), 2).await;
    assert_eq!(stage.trunk_document(&trunk.id).await.status, VoiceOutTrunkStatus::Blocked);
    stage.server.control().clock().advance(std::time::Duration::from_hours(25));
    crate::sip::edge::until("the trunk is open again", async || {
        stage.trunk_document(&trunk.id).await.is_active().then_some(())
    })
    .await;
    passes(&stage, short_call(&provider)).await;
}

#[tokio::test]
async fn a_caller_number_that_is_not_the_trunks_is_refused_and_one_that_is_passes() {
    let mut stage = Stage::start().await;
    let did =
        stage.server.control().add_did(stage.server.account(), NewDid::new("37061498222")).await.unwrap();
    let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["127.0.0.1"]).unwrap());
    let body = VoiceOutTrunk::create("Own numbers", OnCliMismatchAction::RejectCall, method);
    let trunk = stage.trunk(body.dids([didww_client::Id::from(did.to_string())])).await;
    let provider = stage.provider_on(&trunk).await;
    refused_by(&mut stage, &trunk, short_call(&provider), ("cli", 403, "failed"), 1).await;
    let record = stage.record(&trunk, 1).await;
    assert_eq!(record["received"].as_str(), Some(US), "{record}");
    passes(&stage, short_call(&provider).source(Address::tel("+37061498222"))).await;
    // An anonymous call's number is not in `From`, which is the header that the trunk checks.
    let hidden = short_call(&provider).source(Address::tel("+37061498222"));
    let hidden = hidden.anonymous(voipbin_client::types::Anonymous::Yes);
    refused_by(&mut stage, &trunk, hidden, ("cli", 403, "failed"), 3).await;
}

#[tokio::test]
async fn a_destination_that_the_trunk_forbids_is_refused() {
    let mut stage = Stage::start().await;
    let prefixes = vec![DstPrefix::new("1202").unwrap()];
    let body = open("America").default_dst_action(DefaultDstAction::RejectAll);
    let body = body.dst_prefixes(didww_client::resources::DstPrefixes::new(prefixes).unwrap());
    let trunk = stage.trunk(body).await;
    let provider = stage.provider_on(&trunk).await;
    refused_by(&mut stage, &trunk, short_call(&provider), ("destination", 403, "failed"), 1).await;
    let allowed =
        ProviderCallCreate { destinations: vec![Address::tel("+12025550187")], ..short_call(&provider) };
    passes(&stage, allowed).await;
}

#[tokio::test]
async fn calls_from_an_address_that_no_trunk_allows_are_refused_without_a_challenge() {
    let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let mut stage = Stage::with(|config| config.sip_bind = Some(elsewhere)).await;
    let trunk = stage.trunk(from("127.0.0.1", "For the other address")).await;
    let provider = stage.provider_on(&trunk).await;
    ends_refused(&mut stage, short_call(&provider), "failed").await;
    let counts = stage.server.control().call_counts().unwrap();
    assert_eq!(
        (attempts(&counts), counts.front.unknown_answered),
        ([0; 4], 1),
        "it is no attempt of anybody"
    );
    assert!(stage.records(&trunk).await.is_empty(), "the caller is not known");
    // A trunk that is created for the platform allows the source address of the platform's calls.
    let provider = stage.platform.providers().setup(stage.setup("Made for it", None)).await.unwrap();
    passes(&stage, short_call(&provider)).await;
}

#[tokio::test]
async fn a_provider_without_the_trunks_tech_prefix_is_refused_and_one_that_was_set_up_has_it() {
    let mut stage = Stage::start().await;
    let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["127.0.0.1"]).unwrap());
    let method = method.with_tech_prefix(TechPrefix::new("0011#").unwrap());
    let body = VoiceOutTrunk::create("Prefixed", OnCliMismatchAction::SendOriginalCli, method);
    let trunk = stage.trunk(body).await;
    let provider = stage.provider_on(&trunk).await;
    assert_eq!(provider.tech_prefix, "0011#");
    passes(&stage, short_call(&provider)).await;
    let record = stage.record(&trunk, 1).await;
    assert_eq!(record["dst_number"].as_str(), Some("0011#+442079460018"));

    let without = ProviderBody { tech_prefix: String::new(), ..provider.clone().into() };
    let provider = stage.platform.providers().update(provider.id, without).await.unwrap();
    ends_refused(&mut stage, short_call(&provider), "failed").await;
    assert_eq!(
        attempts(&stage.server.control().call_counts().unwrap()),
        [1, 1, 1, 0],
        "there was no second challenge"
    );
    assert_eq!(stage.records(&trunk).await.len(), 1);
    let again = ProviderBody { tech_prefix: "0011#".to_owned(), ..provider.clone().into() };
    let provider = stage.platform.providers().update(provider.id, again).await.unwrap();
    passes(&stage, short_call(&provider)).await;
}

#[tokio::test]
async fn a_provider_that_was_made_by_hand_has_no_credentials_for_a_challenge() {
    let mut stage = Stage::start().await;
    stage.trunk(open("Challenging")).await;
    let provider = by_hand(&stage, "").await;
    ends_refused(&mut stage, short_call(&provider), "failed").await;
    assert_eq!(attempts(&stage.server.control().call_counts().unwrap()), [1, 0, 0, 0]);
}

/// A trunk that accepts calls from this machine without credentials.
async fn by_address(stage: &Stage) -> VoiceOutTrunk {
    let networks = IpNetworks::parse(["127.0.0.1"]).unwrap();
    let trunk = stage.trunk(open("By address")).await;
    let id = trunk.id.as_str().parse().unwrap();
    stage.server.control().make_ip_only(stage.server.account(), id, &networks).await.unwrap();
    trunk
}

#[tokio::test]
async fn a_provider_that_was_made_by_hand_calls_through_a_trunk_that_asks_for_no_credentials() {
    let stage = Stage::start().await;
    let trunk = by_address(&stage).await;
    let control = stage.server.control();
    let provider = by_hand(&stage, "").await;
    passes(&stage, short_call(&provider)).await;
    assert_eq!(attempts(&control.call_counts().unwrap()), [0, 0, 1, 0]);
    let record = stage.record(&trunk, 1).await;
    assert_eq!(record["success"], true);
}

#[tokio::test]
async fn a_trunk_that_asks_for_no_credentials_is_not_reached_by_a_sip_uri() {
    let stage = Stage::start().await;
    by_address(&stage).await;
    let control = stage.server.control();
    stage.allow([]).await;
    let number = GB.trim_start_matches('+');
    let edge = stage.server.server().sip_address().unwrap();
    for host in [HOST, "out.didww.com.", &edge.to_string()] {
        let body = CallCreate::new([Address::sip(format!("sip:{number}@{host}"))]).source(Address::tel(US));
        let why = refused(stage.platform.calls().create(body).await);
        assert!(why.contains("must go through a provider, not to a SIP URI"), "{why}");
    }
    // Another name of the same machine is only detected when it is dialled.
    let body = CallCreate::new([Address::sip(format!("sip:{number}@localhost:{}", edge.port()))])
        .source(Address::tel(US));
    let call = stage.platform.calls().create(body).await.unwrap().calls[0].id;
    assert_eq!(stage.hangup_of(call).await, hangup("failed", "remote"));
    assert_eq!(attempts(&control.call_counts().unwrap()), [0; 4], "the edge heard of nothing");
}

#[tokio::test]
async fn a_tech_prefix_finds_the_trunk_among_those_of_one_address() {
    let stage = Stage::start().await;
    let networks = IpNetworks::parse(["127.0.0.1"]).unwrap();
    let mut trunks = Vec::new();
    for prefix in ["11#", "22#"] {
        let method = AuthenticationMethod::credentials_and_ip(networks.clone());
        let method = method.with_tech_prefix(TechPrefix::new(prefix).unwrap());
        let body = VoiceOutTrunk::create(prefix, OnCliMismatchAction::SendOriginalCli, method);
        let trunk = stage.trunk(body).await;
        let id = trunk.id.as_str().parse().unwrap();
        stage.server.control().make_ip_only(stage.server.account(), id, &networks).await.unwrap();
        trunks.push(trunk);
    }
    let provider = by_hand(&stage, "22#").await;
    passes(&stage, short_call(&provider)).await;
    let record = stage.record(&trunks[1], 1).await;
    assert_eq!(record["dst_number"].as_str(), Some("22#+442079460018"));
    assert!(stage.records(&trunks[0]).await.is_empty());
}

#[tokio::test]
async fn credentials_that_were_renewed_at_the_carrier_are_refused_until_the_provider_is_set_up_anew() {
    let mut stage = Stage::start().await;
    let (trunk, provider) = stage.provider().await;
    passes(&stage, short_call(&provider)).await;
    stage.carrier.voice_out_trunks().regenerate_credentials(&trunk.id).await.unwrap();
    ends_refused(&mut stage, short_call(&provider), "failed").await;
    let anew = stage.provider_on(&trunk).await;
    passes(&stage, short_call(&anew)).await;
}

#[tokio::test]
async fn what_is_no_number_for_the_carrier_fails() {
    let mut stage = Stage::start().await;
    let (trunk, provider) = stage.provider().await;
    let body = ProviderBody { tech_postfix: "#".to_owned(), ..provider.clone().into() };
    let provider = stage.platform.providers().update(provider.id, body).await.unwrap();
    refused_by(&mut stage, &trunk, short_call(&provider), ("number", 484, "failed"), 1).await;
}

#[tokio::test]
async fn a_trunk_that_was_deleted_refuses_its_provider() {
    let mut stage = Stage::start().await;
    let (trunk, provider) = stage.provider().await;
    stage.carrier.voice_out_trunks().delete(&trunk.id).await.unwrap();
    ends_refused(&mut stage, short_call(&provider), "failed").await;
    let counts = stage.server.control().call_counts().unwrap();
    assert_eq!(
        (attempts(&counts), counts.front.unknown_answered),
        ([0; 4], 1),
        "no trunk names the address any more"
    );
}
