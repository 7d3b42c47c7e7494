//! From a trunk at the carrier to an answered call and its cost.

use std::time::Duration;

use didww_client::resources::VoiceOutTrunk;
use didww_client::values::Money;
use voipbin_client::types::CallStatus::{self, Dialing, Hangup, Progressing, Ringing, Terminating};
use voipbin_client::types::{ActionBody, ActionKind, Provider, ProviderCallCreate};

use super::stage::*;
use crate::sip::edge::until;

fn verification(provider: &Provider) -> ProviderCallCreate {
    let pause = Duration::from_millis(50);
    short_call(provider).actions([ActionBody::answer(), ActionBody::sleep(pause), ActionBody::hangup()])
}

/// A call that the trunk admits, seen in five places: the provider call's record, the call, the webhooks, the
/// carrier's record and the carrier's charge.
async fn the_story_is_the_same_everywhere(stage: &mut Stage, trunk: &VoiceOutTrunk, provider: &Provider) {
    let spent = stage.trunk_document(&trunk.id).await.meta.spent_amount;
    let asked = verification(provider);
    let placed = stage.place(asked.clone()).await;
    let id = placed.call_ids[0];
    assert_eq!((placed.provider_id, placed.source), (provider.id, asked.source));
    assert_eq!((placed.destinations, placed.call_ids.len()), (asked.destinations, 1));

    let call = stage.wait_for_end(id).await;
    assert_eq!(hangup_of(&call), hangup("normal", "local"));
    assert_eq!(call.metadata["route_provider_ids"], serde_json::json!([provider.id]));
    let (answered, over) = (call.tm_progressing.unwrap(), call.tm_hangup.unwrap());
    assert!(call.tm_create < call.tm_ringing && call.tm_ringing < call.tm_progressing && answered < over);

    let events = stage.events_until_end(id).await;
    assert_eq!(
        kinds(&events),
        [
            "call_created",
            "call_ringing",
            "call_progressing",
            "call_updated",
            "call_updated",
            "call_updated",
            "call_terminating",
            "call_hangup"
        ]
    );
    let statuses: Vec<&CallStatus> = events.iter().map(|(_, call)| &call.status).collect();
    assert_eq!(
        statuses,
        [&Dialing, &Ringing, &Progressing, &Progressing, &Progressing, &Progressing, &Terminating, &Hangup]
    );
    let actions: Vec<_> = events[3..6].iter().map(|(_, call)| call.action.kind.clone().unwrap()).collect();
    assert_eq!(actions, [ActionKind::Answer, ActionKind::Sleep, ActionKind::Hangup]);
    assert_eq!(events.last().unwrap().1, call, "the last webhook has the call as it stays");

    let record = stage.record(trunk, 1).await;
    assert_eq!(record["trunk_id"], trunk.id.as_str());
    assert_eq!((record["original_src_number"].as_str(), record["dst_number"].as_str()), (Some(US), Some(GB)));
    assert_eq!((&record["success"], &record["disconnect_code"]), (&true.into(), &200.into()));
    assert_eq!(record["source_ip"], "127.0.0.1");
    let up = Duration::from_micros((over.as_unix_micros() - answered.as_unix_micros()).unsigned_abs());
    let begun = up.as_secs() + 1;
    assert!(record["duration"].as_u64().unwrap().abs_diff(begun) <= 1, "{up:?} of {record}");

    let price: Money = record["price"].as_str().unwrap().parse().unwrap();
    assert!(price.amount() > spent.amount());
    until("the trunk's spending", async || {
        (stage.trunk_document(&trunk.id).await.meta.spent_amount.amount() == spent.amount() + price.amount())
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_call_through_a_trunk_has_the_same_outcome_in_every_record() {
    let mut stage = Stage::closed(|_| {}).await;
    let trunks = stage.carrier.voice_out_trunks();
    let own = stage.trunk(open("Provisioned")).await;

    // One provider with the existing trunk, and one for which a trunk is created.
    let providers = stage.platform.providers();
    let on_own = providers.setup(stage.setup("On its own trunk", Some(&own.id))).await.unwrap();
    assert_eq!(on_own.metadata["didww_trunk_id"], own.id.as_str());
    assert_eq!(trunks.list().await.unwrap().total, Some(1));
    let on_new = providers.setup(stage.setup("On a new trunk", None)).await.unwrap();
    let all = trunks.list().await.unwrap().items;
    let new = all.iter().find(|trunk| trunk.id != own.id).expect("a trunk was made").clone();
    assert_eq!(on_new.metadata["didww_trunk_id"], new.id.as_str());
    assert_eq!(new.name, "On a new trunk");
    let networks = new.authentication_method.allowed_sip_ips().unwrap().texts().to_vec();
    assert_eq!(networks, ["127.0.0.1/32"], "the trunk takes calls from where the platform places them");
    for (provider, trunk) in [(&on_own, &own), (&on_new, &new)] {
        assert_eq!(provider.hostname, "nyc.us.out.didww.com");
        let (username, password) = trunk.credentials().unwrap();
        let shown = serde_json::to_string(&providers.get(provider.id).await.unwrap()).unwrap();
        assert!(!shown.contains(username) && !shown.contains(password.expose()), "{shown}");
    }

    // No destination is allowed: the request creates nothing on either side.
    let refusal = stage.platform.provider_calls().create(verification(&on_own)).await;
    assert_eq!(refused(refusal), "outbound destination country not whitelisted");
    assert_eq!(stage.platform.calls().list().all().await.unwrap(), []);
    assert_eq!(stage.platform.provider_calls().list().all().await.unwrap(), []);
    assert_eq!(stage.server.control().flows(stage.customer).await.unwrap(), []);
    assert_eq!(attempts(&stage.server.control().call_counts().unwrap()), [0, 0, 0, 0]);
    assert_eq!(stage.hooks.untaken(), 0);

    stage.allow(["gb"]).await;
    the_story_is_the_same_everywhere(&mut stage, &own, &on_own).await;
    the_story_is_the_same_everywhere(&mut stage, &new, &on_new).await;

    // Only the requested records were created.
    assert_eq!(stage.platform.calls().list().all().await.unwrap().len(), 2);
    let flows = stage.server.control().flows(stage.customer).await.unwrap();
    assert_eq!(flows.iter().map(|flow| flow.name.as_str()).collect::<Vec<_>>(), ["tmp", "tmp"]);
    let records = stage.platform.provider_calls().list().provider(on_own.id).all().await.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(attempts(&stage.server.control().call_counts().unwrap()), [2, 0, 2, 0]);
}

#[tokio::test]
async fn a_key_that_the_carrier_does_not_know_sets_nothing_up() {
    let stage = Stage::start().await;
    let mut setup = stage.setup("Nobody's", None);
    setup.credentials.api_key = "unknown".into();
    let outcome = stage.platform.providers().setup(setup).await;
    let reason = outcome.as_ref().unwrap_err().reason().map(ToString::to_string);
    assert_eq!(reason.as_deref(), Some("CARRIER_CREDENTIALS_REJECTED"));
    assert_eq!(refused(outcome), "The carrier rejected the supplied credentials.");
    assert_eq!(stage.platform.providers().list().all().await.unwrap(), []);
    assert_eq!(stage.carrier.voice_out_trunks().list().await.unwrap().total, Some(0));
}

#[tokio::test]
async fn a_trunk_that_is_not_there_sets_nothing_up() {
    let stage = Stage::start().await;
    let absent = didww_client::Id::from("c3947e93-4a3b-4080-b9d3-cbcc633ab808".to_owned());
    let message = refused(stage.platform.providers().setup(stage.setup("Nothing's", Some(&absent))).await);
    assert!(message.starts_with("The carrier refused: ") && message.contains(absent.as_str()), "{message}");
    assert_eq!(stage.platform.providers().list().all().await.unwrap(), []);
}
