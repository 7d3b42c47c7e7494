//! Provider calls: the order of checks, the stored record, and the INVITE that is sent.

use serde_json::{Value, json};
use trunk_server::control::customers::{CustomerPatch, TokenKind};

use super::carrier::{Carrier, Incoming};
use super::refusal::*;
use super::stage::*;

const PATH: &str = "/providercalls";

/// A server that may call the United States, a carrier, and a provider there.
async fn ready() -> (Stage, Carrier, String) {
    let carrier = Carrier::start().await;
    let stage = Stage::hosting(&[("carrier.example.com", carrier.at)]).await;
    stage.allow().await;
    let provider = stage.provider("carrier.example.com").await;
    (stage, carrier, provider)
}

/// A body that places one call.
fn body(provider: &str) -> Value {
    json!({ "provider_id": provider, "source": tel(US_TOO), "destinations": [tel(US)] })
}

/// Checks that a refused request created no record, no call and no flow.
async fn nothing_made(stage: &Stage) {
    assert_eq!(stage.sa.get(PATH).await.text, r#"{"result":[],"next_page_token":""}"#);
    assert_eq!(stage.sa.get("/calls").await.text, r#"{"result":[],"next_page_token":""}"#);
    assert_eq!(stage.flows(stage.admin).await, Vec::<Value>::new());
}

#[tokio::test]
async fn case_34_a_provider_is_required() {
    let (stage, _carrier, provider) = ready().await;
    let words = invalid("provider_id is required.");
    let mut without = body(&provider);
    without.as_object_mut().unwrap().remove("provider_id");
    stage.sa.post(PATH, &without).await.refused(&words);
    stage.sa.post(PATH, &body(ZERO)).await.refused(&words);
    // Before the destinations are checked.
    stage.sa.post(PATH, &json!({})).await.refused(&words);
    nothing_made(&stage).await;
}

#[tokio::test]
async fn case_35_a_destination_is_required() {
    let (stage, _carrier, provider) = ready().await;
    let words = invalid("destinations is required and must not be empty.");
    for destinations in [json!([]), Value::Null] {
        let mut body = body(&provider);
        body["destinations"] = destinations;
        stage.sa.post(PATH, &body).await.refused(&words);
    }
    stage.sa.post(PATH, &json!({ "provider_id": UNKNOWN })).await.refused(&words);
    nothing_made(&stage).await;
}

#[tokio::test]
async fn case_36_the_body_is_looked_at_before_the_permission() {
    let (stage, carrier, provider) = ready().await;
    let admin = stage.agent(stage.admin, ADMIN).await;
    let key = stage.key(stage.admin, None).await;
    admin.post(PATH, &body(&provider)).await.refused(&permission_denied());
    admin.post(PATH, &body(UNKNOWN)).await.refused(&permission_denied());
    key.post(PATH, &json!({})).await.refused(&invalid("provider_id is required."));
    key.send("POST", PATH, "x").await.refused(&invalid_body());
    let direct = stage.holder(stage.admin, TokenKind::Direct);
    direct.post(PATH, &json!({})).await.refused(&invalid("provider_id is required."));
    nothing_made(&stage).await;
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn case_37_an_unknown_provider_is_named_in_the_refusal() {
    let (stage, carrier, provider) = ready().await;
    stage.sa.delete(&format!("/providers/{provider}")).await.ok();
    // An id that never existed, and a deleted provider.
    for id in [UNKNOWN, provider.as_str()] {
        let mut body = body(id);
        body["actions"] = json!([{ "type": "answer" }]);
        let answer = stage.sa.post(PATH, &body).await;
        let message = answer.refused_somehow("INVALID_ARGUMENT", "INVALID_ARGUMENT");
        assert!(message.to_lowercase().contains("provider not found"), "{message}");
    }
    nothing_made(&stage).await;
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn case_38_ids_in_the_body_are_ids() {
    let (stage, _carrier, provider) = ready().await;
    for text in ["abc", ""] {
        stage.sa.post(PATH, &body(text)).await.refused(&invalid_body());
        let mut body = body(&provider);
        body["flow_id"] = json!(text);
        stage.sa.post(PATH, &body).await.refused(&invalid_body());
    }
    for (member, value) in [
        ("provider_id", json!(5)),
        ("destinations", json!("+1")),
        ("destinations", json!(["+1"])),
        ("source", json!("+1")),
        ("anonymous", json!(true)),
        ("actions", json!({})),
    ] {
        let mut body = body(&provider);
        body[member] = value;
        stage.sa.post(PATH, &body).await.refused(&invalid_body());
    }
    nothing_made(&stage).await;
}

#[tokio::test]
async fn case_39_a_provider_call_is_a_record_of_what_was_asked() {
    let (stage, _carrier, provider) = ready().await;
    let mut sent = body(&provider);
    sent["source"]["name"] = json!("");
    sent["destinations"][0]["target_name"] = json!("Somebody");
    let answer = stage.sa.post(PATH, &sent).await;
    let record = answer.ok();
    let [id, call, at] = ["/id", "/call_ids/0", "/tm_create"].map(|pointer| answer.at(pointer));
    instant(&at);
    let admin = stage.admin;
    assert_eq!(
        answer.text,
        format!(
            r#"{{"id":{id},"customer_id":"{admin}","provider_id":"{provider}","flow_id":"{ZERO}","source":{{"type":"tel","target":"{US_TOO}"}},"destinations":[{{"type":"tel","target":"{US}","target_name":"Somebody"}}],"anonymous":"auto","call_ids":[{call}],"groupcall_ids":[],"tm_create":{at},"tm_update":null,"tm_delete":null}}"#
        )
    );
    let path = format!("{PATH}/{}", record["id"].as_str().unwrap());
    assert_eq!(stage.sa.get(&path).await.text, answer.text);
    assert_eq!(stage.sa.get(PATH).await.rows(), [record]);
}

#[tokio::test]
async fn case_40_its_call_is_dialing_at_once() {
    let (stage, mut carrier, provider) = ready().await;
    let id = first_call(&stage.place(&provider, US).await);
    let answer = stage.sa.get(&format!("/calls/{id}")).await;
    let call = answer.ok();
    let [activeflow, next, at] =
        ["/activeflow_id", "/action/next_id", "/tm_create"].map(|pointer| answer.at(pointer));
    instant(&at);
    let admin = stage.admin;
    assert_eq!(
        answer.text,
        format!(
            r#"{{"id":"{id}","customer_id":"{admin}","owner_type":"","owner_id":"{ZERO}","flow_id":"{ZERO}","activeflow_id":{activeflow},"type":"flow","master_call_id":"{ZERO}","recording_id":"{ZERO}","groupcall_id":"{ZERO}","source":{{"type":"tel","target":"{US_TOO}"}},"destination":{{"type":"tel","target":"{US}"}},"status":"dialing","action":{{"id":"{BASIC}","next_id":{next},"tm_execute":null}},"metadata":{{"route_provider_ids":["{provider}"],"rtp_debug":true,"skip_source_validation":true}},"direction":"outgoing","tm_create":{at}}}"#
        )
    );
    assert_eq!(call.get("hangup_reason"), None);
    carrier.call().await.refuse(486).await;
    let over = call_is(&stage.sa, &id, "hangup").await;
    for (name, value) in [("status", "hangup"), ("hangup_by", "remote"), ("hangup_reason", "busy")] {
        assert_eq!(over[name], value);
    }
    assert_eq!(instant(&over["tm_hangup"]), instant(&over["tm_update"]));
    assert_eq!((over.get("tm_ringing"), over.get("tm_progressing")), (None, None));
}

#[tokio::test]
async fn case_41_a_country_that_is_not_allowed_is_said() {
    let (stage, carrier, provider) = ready().await;
    let words = invalid("outbound destination country not whitelisted");
    let korea = tel("+821012345678");
    let mut sent = body(&provider);
    sent["destinations"] = json!([korea]);
    stage.sa.post(PATH, &sent).await.refused(&words);
    sent["actions"] = json!([{ "type": "answer" }]);
    stage.sa.post(PATH, &sent).await.refused(&words);
    // Some numbers with the same code belong to other countries; an invalid number belongs to none.
    for number in ["+14165550143", "+18765550143", "12025550143000", "+1202555", "2025550143", "+", ""] {
        sent["destinations"] = json!([tel(number), korea]);
        stage.sa.post(PATH, &sent).await.refused(&words);
    }
    stage.sa.put("/outbound_config", &json!({ "destination_whitelist": [] })).await.ok();
    stage.sa.post(PATH, &body(&provider)).await.refused(&words);
    nothing_made(&stage).await;
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn without_a_config_nothing_is_allowed() {
    let (stage, _carrier, provider) = ready().await;
    let id = stage.sa.get("/outbound_config").await.id();
    stage.sa.delete(&format!("/outbound_configs/{id}")).await.ok();
    let answer = stage.sa.post(PATH, &body(&provider)).await;
    answer.refused(&invalid("outbound destination country not whitelisted"));
    nothing_made(&stage).await;
}

#[tokio::test]
async fn case_42_of_two_destinations_the_allowed_one_is_called() {
    let (stage, mut carrier, provider) = ready().await;
    let mut sent = body(&provider);
    sent["destinations"] = json!([tel("+821012345678"), tel(US)]);
    let record = stage.sa.post(PATH, &sent).await.ok();
    assert_eq!(record["call_ids"].as_array().unwrap().len(), 1);
    assert_eq!(record["destinations"], sent["destinations"]);
    let incoming = carrier.call().await;
    assert!(incoming.uri().contains(US), "{}", incoming.uri());
    assert_eq!(call(&stage.sa, &first_call(&record)).await["destination"], tel(US));
    // Destinations of an unsupported type fail like those that are not allowed.
    sent["destinations"] = json!([tel(US), { "target": US }, { "type": "email", "target": "a@b" }, tel(GB)]);
    let record = stage.sa.post(PATH, &sent).await.ok();
    assert_eq!(record["call_ids"].as_array().unwrap().len(), 2);
    sent["destinations"] = json!([{ "type": "email", "target": "a@b" }]);
    let refusal = invalid("the destination type must be sip or tel, not \"email\"");
    stage.sa.post(PATH, &sent).await.refused(&refusal);
}

#[tokio::test]
async fn case_43_actions_become_a_flow() {
    let (stage, mut carrier, provider) = ready().await;
    let mut sent = body(&provider);
    sent["actions"] = json!([
        { "type": "answer" },
        { "type": "talk", "option": { "text": "A", "language": "en-US", "gender": "female" } },
        { "type": "hangup" },
    ]);
    let record = stage.sa.post(PATH, &sent).await.ok();
    let flows = stage.flows(stage.admin).await;
    assert_eq!(flows.len(), 1);
    assert_eq!((&flows[0]["name"], &flows[0]["type"]), (&json!("tmp"), &json!("flow")));
    assert_eq!(flows[0]["detail"], "tmp outbound flow for providercall");
    assert_eq!(flows[0]["customer_id"], json!(stage.admin));
    assert_eq!(record["flow_id"], flows[0]["id"]);
    assert_eq!(record.get("actions"), None);
    let id = first_call(&record);
    assert_eq!(call(&stage.sa, &id).await["flow_id"], flows[0]["id"]);
    let mut incoming = carrier.call().await;
    incoming.answer().await;
    incoming.hears("BYE").await;
    assert_eq!(call_ends(&stage.sa, &id).await, ("normal".to_owned(), "local".to_owned()));
    // If a flow is named, the actions are not checked.
    sent["flow_id"] = record["flow_id"].clone();
    sent["actions"] = json!([{ "type": "bogus" }]);
    let again = stage.sa.post(PATH, &sent).await.ok();
    assert_eq!(again["flow_id"], record["flow_id"]);
    assert_eq!(stage.flows(stage.admin).await.len(), 1);
}

#[tokio::test]
async fn case_44_an_unknown_action_is_refused() {
    let (stage, carrier, provider) = ready().await;
    let mut sent = body(&provider);
    let bogus = |name: &str| {
        error("INVALID_ARGUMENT", "INVALID_ACTION_TYPE", format!("not supported action type: {name}"))
    };
    sent["actions"] = json!([{ "type": "bogus" }]);
    stage.sa.post(PATH, &sent).await.refused(&bogus("bogus"));
    sent["actions"] = json!([{ "type": "answer" }, { "type": "Talk" }]);
    stage.sa.post(PATH, &sent).await.refused(&bogus("Talk"));
    nothing_made(&stage).await;
    assert_eq!(carrier.untaken(), 0);
}

/// Every kind of action.
const ACTIONS: &str = "amd answer ai_summary ai_talk ai_task beep block branch call case_create condition_call_digits condition_call_status condition_datetime condition_variable confbridge_join conference_join connect conversation_send digits_receive digits_send echo email_send empty external_media_start external_media_stop fetch fetch_flow goto hangup message_send mute play queue_join recording_start recording_stop sleep stop stream_echo talk transcribe_start transcribe_stop transcribe_recording variable_set webhook_send";

#[tokio::test]
async fn every_known_action_is_taken() {
    let (stage, _carrier, provider) = ready().await;
    let actions: Vec<Value> = ACTIONS.split(' ').map(|kind| json!({ "type": kind })).collect();
    assert_eq!(actions.len(), 44);
    let record = stage.place_with(&provider, US, json!({ "actions": actions })).await;
    let flow = &stage.flows(stage.admin).await[0];
    assert_eq!(record["flow_id"], flow["id"]);
    assert_eq!(flow["actions"].as_array().unwrap().len(), 44);
}

#[tokio::test]
async fn case_45_a_source_is_taken_as_it_is() {
    let (stage, mut carrier, provider) = ready().await;
    // A default that must not be used.
    let number = stage.number(stage.admin, "+12125550199").await;
    let own = json!({ "default_outgoing_source_number_id": number });
    stage.sa.put("/outbound_config", &own).await.ok();
    for target in ["+442079460999", "nobody", "0123"] {
        let source = json!({ "type": "tel", "target": target, "target_name": "Shown" });
        let record = stage.place_with(&provider, US, json!({ "source": source })).await;
        assert_eq!(record["source"], source);
        assert_eq!(call(&stage.sa, &first_call(&record)).await["source"], source);
        let mut incoming = carrier.call().await;
        let from = incoming.invite.header("From").unwrap();
        assert!(from.contains(&format!("<sip:{target}@")) && from.contains("Shown"), "{from}");
        incoming.refuse(480).await;
    }
}

#[tokio::test]
async fn a_source_may_be_left_out() {
    let (stage, mut carrier, provider) = ready().await;
    for source in [None, Some(Value::Null)] {
        let mut sent = body(&provider);
        match source {
            None => drop(sent.as_object_mut().unwrap().remove("source")),
            Some(source) => sent["source"] = source,
        }
        let record = stage.sa.post(PATH, &sent).await.ok();
        assert_eq!(record["source"], Value::Null);
        let mut incoming = carrier.call().await;
        incoming.refuse(404).await;
        assert_eq!(call_ends(&stage.sa, &first_call(&record)).await.0, "failed");
    }
}

#[tokio::test]
async fn case_47_an_anonymous_call_tells_the_carrier_alone_who_calls() {
    let (stage, mut carrier, provider) = ready().await;
    let record = stage.place_with(&provider, US, json!({ "anonymous": "yes" })).await;
    assert_eq!(record["anonymous"], "yes");
    let incoming = carrier.call().await;
    let from = incoming.invite.header("From").unwrap();
    assert!(from.contains("Anonymous") && from.contains("<sip:anonymous@"), "{from}");
    assert!(!from.contains(US_TOO), "{from}");
    assert_eq!(incoming.invite.header("P-Asserted-Identity"), Some(format!("<tel:{US_TOO}>").as_str()));
    assert_eq!(incoming.invite.header("Privacy"), Some("id"));
    assert_eq!(call(&stage.sa, &first_call(&record)).await["source"], tel(US_TOO));
    // Any other word shows the caller, and is stored as it was sent.
    for word in ["no", "auto", "", "perhaps"] {
        let record = stage.place_with(&provider, US, json!({ "anonymous": word })).await;
        assert_eq!(record["anonymous"], word);
        let incoming = carrier.call().await;
        let from = incoming.invite.header("From").unwrap();
        assert!(from.contains(&format!("<sip:{US_TOO}@")), "{from}");
        assert_eq!(incoming.invite.header("P-Asserted-Identity"), None);
        assert_eq!(incoming.invite.header("Privacy"), None);
    }
    let record = stage.place_with(&provider, US, json!({ "anonymous": null })).await;
    assert_eq!(record["anonymous"], "auto");
}

#[tokio::test]
async fn an_anonymous_call_without_a_number_to_assert_does_not_leave() {
    let (stage, carrier, provider) = ready().await;
    let source = json!({ "type": "tel", "target": "12125550187" });
    let record = stage.place_with(&provider, US, json!({ "anonymous": "yes", "source": source })).await;
    let id = first_call(&record);
    assert_eq!(call(&stage.sa, &id).await["metadata"]["route_provider_ids"], json!([provider]));
    stage.sa.post(&format!("/calls/{id}/hangup"), &json!({})).await.ok();
    call_is(&stage.sa, &id, "hangup").await;
    assert_eq!(carrier.untaken(), 0);
}

/// Places a call through a provider with these attributes at the carrier. Returns the call as the carrier
/// received it.
async fn invited(stage: &Stage, carrier: &mut Carrier, mut provider: Value) -> Incoming {
    provider["hostname"] = json!("carrier.example.com");
    let provider = stage.provider_with(provider).await;
    stage.place(&provider, US).await;
    carrier.call().await
}

#[tokio::test]
async fn case_48_prefix_and_postfix_surround_the_number() {
    let (stage, mut carrier, _) = ready().await;
    for (prefix, postfix) in [("0011", "#"), ("", ""), ("9", ""), ("", "*1")] {
        let provider = json!({ "tech_prefix": prefix, "tech_postfix": postfix });
        let incoming = invited(&stage, &mut carrier, provider).await;
        let uri = format!("sip:{prefix}{US}{postfix}@carrier.example.com;transport=udp");
        assert_eq!(incoming.uri(), uri);
        assert!(incoming.invite.header("To").unwrap().contains(&format!("{prefix}{US}{postfix}@")));
    }
    // A host with a port is called at that port.
    let host = carrier.at.to_string();
    let provider = stage.provider(&host).await;
    stage.place(&provider, US).await;
    assert_eq!(carrier.call().await.uri(), format!("sip:{US}@{host};transport=udp"));
}

#[tokio::test]
async fn case_49_a_header_that_is_reserved_or_broken_is_not_sent() {
    let (stage, mut carrier, _) = ready().await;
    let headers = json!({
        "X-A": "1", "Privacy": "none", "B(": "x", "P-Asserted-Identity": "<tel:+1>", "VB-CALL-ID": "1",
        "VBOUT-CODECS": "x", "VBOUT-SDP_Transport": "x", "VB-CONFBRIDGE-ID": "x", "VB-DIRECTION": "x",
        "CALLERID(name)": "x", "": "x", "X-Two,": "x", "X-B": "a\r\nX-Injected: 1", "X-C\r\nX-Injected": "1",
        "X)": "x",
    });
    let incoming = invited(&stage, &mut carrier, json!({ "tech_headers": headers })).await;
    assert_eq!(incoming.invite.header("X-A"), Some("1"));
    for name in headers.as_object().unwrap().keys().filter(|name| *name != "X-A") {
        assert_eq!(incoming.invite.header(name), None, "{name}");
    }
    assert_eq!(incoming.invite.header("X-Injected"), None);
    // An anonymous call has the platform's own `Privacy` and `P-Asserted-Identity`.
    let provider =
        stage.provider_with(json!({ "hostname": "carrier.example.com", "tech_headers": headers })).await;
    stage.place_with(&provider, US, json!({ "anonymous": "yes" })).await;
    let incoming = carrier.call().await;
    assert_eq!(incoming.invite.headers("Privacy").collect::<Vec<_>>(), ["id"]);
    assert_eq!(incoming.invite.headers("P-Asserted-Identity").count(), 1);
}

#[tokio::test]
async fn an_invite_offers_audio_and_names_a_place_to_answer_to() {
    let (stage, mut carrier, _) = ready().await;
    for (codecs, types) in [("", "0 8"), ("G729,pcma", "8"), ("PCMA,PCMU", "8 0"), ("G729", "0 8")] {
        let incoming = invited(&stage, &mut carrier, json!({ "codecs": codecs })).await;
        let (_, audio) = incoming.invite.media();
        assert!(audio.ends_with(&format!("RTP/AVP {types} 101")), "{codecs}: {audio}");
    }
    let incoming = invited(&stage, &mut carrier, json!({})).await;
    assert!(incoming.invite.header("Contact").is_some());
    for name in ["VBOUT-CODECS", "VBOUT-SDP_Transport", "Authorization", "Proxy-Authorization"] {
        assert_eq!(incoming.invite.header(name), None, "{name} is no carrier's business");
    }
}

#[tokio::test]
async fn case_54_provider_calls_are_listed_by_provider() {
    let (stage, _carrier, first) = ready().await;
    let second = stage.provider("carrier.example.com").await;
    let mut ids = Vec::new();
    for provider in [&first, &second, &first] {
        let record = stage.place(provider, US).await;
        ids.insert(0, record["id"].as_str().unwrap().to_owned());
    }
    let listed = async |query: &str| stage.sa.get(&format!("{PATH}{query}")).await.column("id");
    assert_eq!(listed("").await, ids);
    assert_eq!(listed(&format!("?provider_id={first}")).await, [ids[0].clone(), ids[2].clone()]);
    assert_eq!(listed(&format!("?provider_id={second}")).await, [ids[1].clone()]);
    assert_eq!(listed(&format!("?provider_id={ZERO}")).await, ids);
    assert!(listed(&format!("?provider_id={UNKNOWN}")).await.is_empty());
    stage.sa.delete(&format!("{PATH}/{}", ids[0])).await.ok();
    assert_eq!(listed(&format!("?provider_id={first}")).await, [ids[2].clone()]);
    stage.sa.get(&format!("{PATH}?provider_id=zz")).await.refused(&invalid_parameter("provider_id"));
    let page = stage.sa.get(&format!("{PATH}?page_size=1")).await;
    assert_eq!(page.column("id"), [ids[1].clone()]);
    let token = page.at("/next_page_token").as_str().unwrap().to_owned();
    assert_eq!(listed(&format!("?page_token={token}")).await, [ids[2].clone()]);
}

#[tokio::test]
async fn case_55_deleting_a_provider_call_leaves_its_calls_alone() {
    let (stage, mut carrier, provider) = ready().await;
    let record = stage.place(&provider, US).await;
    let (path, id) = (format!("{PATH}/{}", record["id"].as_str().unwrap()), first_call(&record));
    let mut incoming = carrier.call().await;
    incoming.respond("180 Ringing").await;
    let before = call_is(&stage.sa, &id, "ringing").await;
    let deleted = stage.sa.delete(&path).await.ok();
    instant(&deleted["tm_delete"]);
    assert_eq!(deleted["tm_update"], deleted["tm_delete"]);
    assert_eq!(deleted["call_ids"], record["call_ids"]);
    assert_eq!(call(&stage.sa, &id).await, before);
    assert!(stage.sa.get(PATH).await.rows().is_empty());
    assert_eq!(stage.sa.get(&path).await.ok(), deleted);
    let again = stage.sa.delete(&path).await.ok();
    assert!(cursor(&again["tm_delete"]) > cursor(&deleted["tm_delete"]));
    incoming.refuse(486).await;
    assert_eq!(call_ends(&stage.sa, &id).await, ("busy".to_owned(), "remote".to_owned()));
}

#[tokio::test]
async fn case_56_an_unknown_provider_call_is_not_found_in_two_ways() {
    let stage = Stage::start().await;
    let path = format!("{PATH}/{UNKNOWN}");
    stage.sa.get(&path).await.refused(&no_provider_call());
    stage.sa.delete(&path).await.refused(&not_found());
}

#[tokio::test]
async fn case_57_an_id_of_zeros_is_invalid_and_one_that_is_none_names_its_parameter() {
    let stage = Stage::start().await;
    for (id, refusal) in [(ZERO, invalid_id()), ("xyz", invalid_parameter("id"))] {
        let path = format!("{PATH}/{id}");
        stage.sa.get(&path).await.refused(&refusal);
        stage.sa.delete(&path).await.refused(&refusal);
    }
}

#[tokio::test]
async fn case_58_a_call_with_nothing_to_do_is_hung_up_once_it_is_answered() {
    let (stage, mut carrier, provider) = ready().await;
    let id = first_call(&stage.place(&provider, US).await);
    let mut incoming = carrier.call().await;
    incoming.respond("180 Ringing").await;
    call_is(&stage.sa, &id, "ringing").await;
    incoming.answer().await;
    incoming.hears("BYE").await;
    assert_eq!(call_ends(&stage.sa, &id).await, ("normal".to_owned(), "local".to_owned()));
    let over = call(&stage.sa, &id).await;
    for (earlier, later) in
        [("tm_create", "tm_ringing"), ("tm_ringing", "tm_progressing"), ("tm_progressing", "tm_hangup")]
    {
        assert!(cursor(&over[earlier]) < cursor(&over[later]), "{earlier} before {later}: {over}");
    }
}

#[tokio::test]
async fn case_86_a_provider_call_with_an_unknown_flow_is_refused_and_nothing_is_dialled() {
    let (stage, carrier, provider) = ready().await;
    let mut sent = body(&provider);
    sent["flow_id"] = json!(UNKNOWN);
    stage.sa.post(PATH, &sent).await.refused(&flow_not_found());
    // Actions in addition to it change nothing.
    sent["actions"] = json!([{ "type": "answer" }]);
    stage.sa.post(PATH, &sent).await.refused(&flow_not_found());
    nothing_made(&stage).await;
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn the_admins_own_customer_must_be_able_to_call() {
    let (stage, carrier, provider) = ready().await;
    let refused = async |patch: CustomerPatch, with: Refusal| {
        stage.control().update_customer(stage.admin, patch).await.unwrap();
        stage.sa.post(PATH, &body(&provider)).await.refused(&with);
        nothing_made(&stage).await;
    };
    let mut patch = CustomerPatch::default();
    patch.identity_verified = Some(false);
    let unverified = "customer identity verification is required to call telephone numbers";
    refused(patch, invalid(unverified)).await;
    let mut patch = CustomerPatch::default();
    (patch.identity_verified, patch.balance) = (Some(true), Some(serde_json::from_str("0").unwrap()));
    refused(patch, insufficient_balance()).await;
    let mut patch = CustomerPatch::default();
    patch.balance = Some(serde_json::from_str("1").unwrap());
    patch.status = Some(serde_json::from_value(json!("frozen")).unwrap());
    refused(patch, invalid("the customer is frozen, not active")).await;
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn a_provider_call_through_a_sip_address_needs_no_whitelist() {
    let mut carrier = Carrier::start().await;
    let stage = Stage::start().await;
    let provider = stage.provider("nowhere.invalid").await;
    let sent = json!({
        "provider_id": provider, "source": tel(US_TOO), "destinations": [sip("bob", carrier.at)],
    });
    let record = stage.sa.post(PATH, &sent).await.ok();
    let mut incoming = carrier.call().await;
    assert!(
        incoming.uri().starts_with(&format!("sip:bob@localhost:{}", carrier.at.port())),
        "{}",
        incoming.uri()
    );
    incoming.refuse(600).await;
    assert_eq!(call_ends(&stage.sa, &first_call(&record)).await.0, "busy");
}
