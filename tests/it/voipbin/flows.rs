//! Flows: the kept ones of a customer, and calls that name them.

use serde_json::{Value, json};
use trunk_server::config::Database;
use uuid::Uuid;

use super::caller::Caller;
use super::carrier::Carrier;
use super::refusal::*;
use super::stage::*;
use crate::sip::edge::{scratch, until};

const PATH: &str = "/flows";

/// A server with a customer, and its admin.
async fn ready() -> (Stage, Uuid, Caller) {
    let stage = Stage::start().await;
    let customer = stage.customer("c").await;
    let caller = stage.key(customer, None).await;
    (stage, customer, caller)
}

/// A server with a carrier at a SIP address, and a customer that calls it.
async fn calling() -> (Stage, Carrier, Caller) {
    let (carrier, (stage, _, caller)) = (Carrier::start().await, ready().await);
    (stage, carrier, caller)
}

fn body(carrier: &Carrier, flow: &str) -> Value {
    json!({ "source": tel(US), "destinations": [sip("bob", carrier.at)], "flow_id": flow })
}

async fn made(caller: &Caller) -> String {
    let actions = json!([{ "type": "answer" }, { "type": "sleep", "option": { "duration": 3_600_000 } }]);
    let body = json!({ "name": "f", "detail": "d", "actions": actions });
    caller.post(PATH, &body).await.id()
}

fn one(id: &str) -> String {
    format!("{PATH}/{id}")
}

#[tokio::test]
async fn case_63_flows_are_for_admins_and_managers() {
    let (stage, customer, caller) = ready().await;
    stage.anonymous().get(PATH).await.refused(&authentication_required());
    stage.agent(customer, AGENT).await.get(PATH).await.refused(&permission_denied());
    for caller in [caller, stage.agent(customer, MANAGER).await] {
        let list = caller.get(PATH).await;
        list.ok();
        assert_eq!(list.text, r#"{"result":[],"next_page_token":""}"#);
    }
}

#[tokio::test]
async fn case_64_a_flow_has_its_members_in_order() {
    let (_stage, customer, caller) = ready().await;
    let body = json!({ "name": "f", "detail": "d", "actions": [{ "type": "answer" }, { "type": "hangup" }] });
    let answer = caller.post(PATH, &body).await;
    let flow = answer.ok();
    let members = [
        "id",
        "customer_id",
        "type",
        "name",
        "detail",
        "actions",
        "direct_hash",
        "on_complete_flow_id",
        "tm_create",
        "tm_update",
        "tm_delete",
    ];
    let at = members.map(|member| answer.text.find(&format!("\"{member}\":")).expect(member));
    // An action has an id too, but the flow's comes first.
    assert!(at.is_sorted(), "{}", answer.text);
    assert_eq!(flow.as_object().unwrap().len(), members.len());
    assert_eq!((&flow["customer_id"], &flow["type"]), (&json!(customer), &json!("flow")));
    assert_eq!((&flow["tm_update"], &flow["tm_delete"]), (&Value::Null, &Value::Null));
    assert_eq!(flow["on_complete_flow_id"], ZERO);
    let hash = flow["direct_hash"].as_str().unwrap().strip_prefix("direct.").unwrap();
    assert!(hash.len() == 12 && hash.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()));
    instant(&flow["tm_create"]);
    for (action, kind) in flow["actions"].as_array().unwrap().iter().zip(["answer", "hangup"]) {
        let id: Uuid = action["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(id.get_version_num(), 4);
        assert_eq!(*action, json!({ "id": id, "next_id": ZERO, "type": kind, "tm_execute": null }));
    }
    assert_eq!(caller.get(&one(flow["id"].as_str().unwrap())).await.text, answer.text);
    assert_eq!(caller.get(PATH).await.rows(), [flow]);
}

#[tokio::test]
async fn case_65_a_flow_without_anything_leaves_its_members_out() {
    let (_stage, _, caller) = ready().await;
    let flow = caller.post(PATH, &json!({})).await.ok();
    assert_eq!([&flow["name"], &flow["detail"], &flow["actions"]], [&Value::Null; 3]);
    assert!(flow.get("name").is_none() && flow["on_complete_flow_id"] == ZERO);
}

#[tokio::test]
async fn case_66_an_action_whose_id_is_none_receives_one() {
    let (_stage, _, caller) = ready().await;
    let action = json!({ "id": "a1", "next_id": "a2", "type": "answer", "option": {} });
    let flow = caller.post(PATH, &json!({ "actions": [action] })).await.ok();
    let action = &flow["actions"][0];
    assert!(action["id"].as_str().unwrap().parse::<Uuid>().is_ok_and(|id| !id.is_nil()));
    assert_eq!((&action["next_id"], action.get("option")), (&json!(ZERO), None));
}

#[tokio::test]
async fn a_whole_number_in_an_option_is_an_integer_however_it_was_sent() {
    let (_stage, _, caller) = ready().await;
    // Programs that compute a duration send it with a fraction.
    let option = r#"{"duration":1500.0,"more":[1e3,{"a":-2.0}],"rate":1.5,"text":"1.0"}"#;
    let body = format!(r#"{{"actions":[{{"type":"sleep","option":{option}}}]}}"#);
    let answer = caller.send("POST", PATH, &body).await;
    let id = answer.id();
    let stored = r#""option":{"duration":1500,"more":[1000,{"a":-2}],"rate":1.5,"text":"1.0"}"#;
    assert!(answer.text.contains(stored), "{}", answer.text);
    assert!(caller.get(&one(&id)).await.text.contains(stored));
    let answer = caller.send("PUT", &one(&id), &body).await;
    assert!(answer.text.contains(stored), "{}", answer.text);
}

#[tokio::test]
async fn case_67_an_action_that_does_not_exist_is_named() {
    let (_stage, _, caller) = ready().await;
    for (action, kind) in
        [(json!({ "type": "bogus" }), "bogus"), (json!({}), ""), (json!({ "type": "transfer" }), "transfer")]
    {
        let refusal =
            error("INVALID_ARGUMENT", "INVALID_ACTION_TYPE", format!("not supported action type: {kind}"));
        caller.post(PATH, &json!({ "actions": [{ "type": "answer" }, action] })).await.refused(&refusal);
    }
    assert!(caller.get(PATH).await.rows().is_empty());
}

#[tokio::test]
async fn case_68_a_body_has_its_shape() {
    let (_stage, _, caller) = ready().await;
    let wrong =
        ["", r#"{"actions":"x"}"#, r#"{"actions":[{"type":"answer","option":"s"}]}"#, r#"{"name":1}"#, "[]"];
    for body in wrong {
        caller.send("POST", PATH, body).await.refused(&invalid_body());
    }
    for (name, length, why) in [
        ("name", 256, "name has more than 255 characters"),
        ("detail", 65_536, "detail has more than 65535 bytes"),
    ] {
        let body = json!({ name: "x".repeat(length) });
        caller.post(PATH, &body).await.refused_because(why);
    }
    assert!(caller.get(PATH).await.rows().is_empty());
}

#[tokio::test]
async fn case_69_the_flow_that_follows_must_be_the_customers() {
    let (stage, customer, caller) = ready().await;
    let other = stage.customer("other").await;
    let theirs = made(&stage.key(other, None).await).await;
    let deleted = made(&caller).await;
    caller.delete(&one(&deleted)).await.ok();
    let own = made(&caller).await;
    let following = |id: &str| json!({ "on_complete_flow_id": id });
    for (id, refusal) in
        [(UNKNOWN, flow_not_found()), (&deleted, not_found()), (&theirs, permission_denied())]
    {
        caller.post(PATH, &following(id)).await.refused(&refusal);
        caller.put(&one(&own), &following(id)).await.refused(&refusal);
    }
    assert_eq!(caller.post(PATH, &following("zz")).await.ok()["on_complete_flow_id"], ZERO);
    assert_eq!(caller.post(PATH, &following(&own)).await.ok()["on_complete_flow_id"], json!(own));
    // A flow may follow itself, and a super admin may name every customer's.
    assert_eq!(caller.put(&one(&own), &following(&own)).await.ok()["on_complete_flow_id"], json!(own));
    let above = stage.agent(customer, SUPER_ADMIN).await;
    above.post(PATH, &following(&theirs)).await.ok();
}

#[tokio::test]
async fn case_70_a_call_of_a_flow_hides_its_caller_in_known_ways() {
    let (_stage, _, caller) = ready().await;
    for kind in ["call", "connect"] {
        let with = |value: &str| json!({ "actions": [{ "type": kind, "option": { "anonymous": value } }] });
        let message = format!("invalid anonymous value for {kind} action: maybe");
        let refusal = error("INVALID_ARGUMENT", "INVALID_ANONYMOUS_VALUE", message);
        caller.post(PATH, &with("maybe")).await.refused(&refusal);
        caller.post(PATH, &with("")).await.ok();
    }
}

#[tokio::test]
async fn case_71_a_flow_is_unknown_or_anothers() {
    let (stage, _, caller) = ready().await;
    let theirs = made(&stage.key(stage.admin, None).await).await;
    for method in ["GET", "PUT", "DELETE"] {
        let send =
            async |id: &str| caller.send(method, &one(id), if method == "PUT" { "{}" } else { "" }).await;
        for id in ["xyz", ZERO] {
            send(id).await.refused(&invalid_id());
        }
        send(UNKNOWN).await.refused(&flow_not_found());
        send(&theirs).await.refused(&permission_denied());
    }
    // A super admin reads every customer's flow, and lists those of its own.
    let ours = made(&caller).await;
    assert_eq!(stage.sa.get(&one(&ours)).await.id(), ours);
    assert_eq!(stage.sa.get(PATH).await.column("id"), [theirs]);
}

#[tokio::test]
async fn case_72_an_update_replaces_the_flow() {
    let (_stage, _, caller) = ready().await;
    let id = made(&caller).await;
    let before = caller.get(&one(&id)).await.ok();
    let flow = caller.put(&one(&id), &json!({ "name": "n" })).await.ok();
    assert_eq!((&flow["name"], flow.get("detail"), flow.get("actions")), (&json!("n"), None, None));
    instant(&flow["tm_update"]);
    for member in ["id", "direct_hash", "tm_create", "on_complete_flow_id"] {
        assert_eq!(flow[member], before[member], "{member}");
    }
    assert_eq!(caller.get(&one(&id)).await.ok(), flow);
}

#[tokio::test]
async fn case_73_an_update_with_one_bad_action_changes_nothing() {
    let (_stage, _, caller) = ready().await;
    let id = made(&caller).await;
    let before = caller.get(&one(&id)).await.text;
    let body = json!({ "name": "n", "actions": [{ "type": "answer" }, { "type": "bogus" }] });
    let answer = caller.put(&one(&id), &body).await;
    answer.refused_somehow("INVALID_ARGUMENT", "INVALID_ACTION_TYPE");
    assert_eq!(caller.get(&one(&id)).await.text, before);
}

#[tokio::test]
async fn case_74_the_body_is_checked_before_the_permission() {
    let (stage, customer, _) = ready().await;
    let agent = stage.agent(customer, AGENT).await;
    agent.send("POST", PATH, "x").await.refused(&invalid_body());
    agent.send("POST", PATH, "{}").await.refused(&permission_denied());
}

#[tokio::test]
async fn case_75_a_deleted_flow_is_not_found() {
    let (_stage, _, caller) = ready().await;
    let id = made(&caller).await;
    let deleted = caller.delete(&one(&id)).await.ok();
    instant(&deleted["tm_delete"]);
    assert_eq!(deleted["tm_delete"], deleted["tm_update"]);
    caller.get(&one(&id)).await.refused(&not_found());
    caller.put(&one(&id), &json!({})).await.refused(&not_found());
    caller.delete(&one(&id)).await.refused(&not_found());
    assert!(caller.get(PATH).await.rows().is_empty());
}

#[tokio::test]
async fn case_76_a_deleted_flow_leaves_the_numbers_that_named_it() {
    let (stage, customer, caller) = ready().await;
    let (first, second) = (made(&caller).await, made(&caller).await);
    let number = format!("/numbers/{}", stage.number(customer, US).await);
    let both = json!({ "call_flow_id": first, "message_flow_id": first });
    caller.put(&format!("{number}/flow_ids"), &both).await.ok();
    // A super admin's number of another customer names it too.
    let theirs = format!("/numbers/{}", stage.number(stage.admin, GB).await);
    let mixed = json!({ "call_flow_id": second, "message_flow_id": first });
    let before = stage.sa.put(&format!("{theirs}/flow_ids"), &mixed).await.ok();
    caller.delete(&one(&first)).await.ok();
    let shown = caller.get(&number).await.ok();
    assert_eq!((&shown["call_flow_id"], &shown["message_flow_id"]), (&json!(ZERO), &json!(ZERO)));
    let shown = stage.sa.get(&theirs).await.ok();
    assert_eq!((&shown["call_flow_id"], &shown["message_flow_id"]), (&json!(second), &json!(ZERO)));
    assert_ne!(shown["tm_update"], before["tm_update"]);
}

#[tokio::test]
async fn case_77_the_actions_of_a_flow_have_no_path_of_their_own() {
    let (_stage, _, caller) = ready().await;
    let id = made(&caller).await;
    caller.put(&format!("{PATH}/{id}/actions"), &json!({})).await.refused(&no_endpoint());
    caller.send("PATCH", &one(&id), "{}").await.refused(&no_endpoint());
}

#[tokio::test]
async fn case_78_flows_are_listed_by_page_and_newest_first() {
    let (_stage, _, caller) = ready().await;
    let mut ids = [made(&caller).await, made(&caller).await, made(&caller).await];
    ids.reverse();
    let first = caller.get("/flows?page_size=2").await;
    assert_eq!(first.column("id"), ids[..2]);
    let token = first.at("/next_page_token");
    assert_eq!(token, json!(cursor(&first.rows()[1]["tm_create"])));
    let second = caller.get(&format!("/flows?page_size=2&page_token={}", token.as_str().unwrap())).await;
    assert_eq!(second.column("id"), ids[2..]);
    let token = second.at("/next_page_token");
    let last = caller.get(&format!("/flows?page_size=2&page_token={}", token.as_str().unwrap())).await;
    assert_eq!(last.text, r#"{"result":[],"next_page_token":""}"#);
    caller.get("/flows?page_token=x").await.refused_because("page_token is no timestamp");
}

#[tokio::test]
async fn case_79_the_flow_of_a_request_can_be_read_and_is_not_listed() {
    let (_stage, mut carrier, caller) = calling().await;
    let mut sent = body(&carrier, ZERO);
    sent["actions"] = json!([{ "type": "answer" }]);
    let placed = caller.post("/calls", &sent).await.ok();
    let id = placed["calls"][0]["flow_id"].as_str().unwrap().to_owned();
    let flow = caller.get(&one(&id)).await.ok();
    assert_eq!((&flow["name"], &flow["detail"]), (&json!("tmp"), &json!("tmp outbound flow")));
    assert_eq!((flow.get("direct_hash"), &flow["on_complete_flow_id"]), (None, &json!(ZERO)));
    assert!(caller.get(PATH).await.rows().is_empty());
    // It stays as it is.
    assert_eq!(caller.put(&one(&id), &json!({ "name": "n" })).await.ok(), flow);
    assert_eq!(caller.delete(&one(&id)).await.ok(), flow);
    assert_eq!(caller.get(&one(&id)).await.ok(), flow);
    carrier.call().await.refuse(486).await;
}

#[tokio::test]
async fn a_call_without_a_flow_and_without_actions_has_a_flow_without_actions() {
    let (stage, mut carrier, caller) = calling().await;
    let placed = caller.post("/calls", &body(&carrier, ZERO)).await.ok();
    let flow = caller.get(&one(placed["calls"][0]["flow_id"].as_str().unwrap())).await.ok();
    assert_eq!((&flow["name"], &flow["detail"]), (&json!("tmp"), &json!("tmp outbound flow")));
    assert_eq!(flow.get("actions"), None);
    assert!(caller.get(PATH).await.rows().is_empty(), "it is not listed");
    let mut incoming = carrier.call().await;
    incoming.answer().await;
    incoming.hears("BYE").await;
    let ended = call_ends(&caller, &first_call(&placed)).await;
    assert_eq!(ended, ("normal".to_owned(), "local".to_owned()));
    // A provider call has none.
    let mut sent = body(&carrier, ZERO);
    sent["provider_id"] = json!(stage.provider("nowhere.invalid").await);
    assert_eq!(stage.sa.post("/providercalls", &sent).await.ok()["flow_id"], ZERO);
    carrier.call().await.refuse(486).await;
}

#[tokio::test]
async fn case_80_a_direct_hash_is_replaced() {
    let (_stage, _, caller) = ready().await;
    let flow = caller.post(PATH, &json!({ "name": "f" })).await.ok();
    let path = |id: &str| format!("/flows/{id}/direct-hash-regenerate");
    caller.send("POST", &path("abc"), "").await.refused(&invalid_parameter("id"));
    let changed = caller.send("POST", &path(flow["id"].as_str().unwrap()), "").await.ok();
    assert_ne!(changed["direct_hash"], flow["direct_hash"]);
    assert_eq!((&changed["id"], &changed["name"]), (&flow["id"], &flow["name"]));
    assert!(changed["direct_hash"].as_str().unwrap().starts_with("direct."));
}

#[tokio::test]
async fn case_82_a_deleted_flow_is_not_run() {
    let (_stage, carrier, caller) = calling().await;
    let id = made(&caller).await;
    caller.delete(&one(&id)).await.ok();
    caller.post("/calls", &body(&carrier, &id)).await.refused(&not_found());
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn case_83_anothers_flow_is_not_run_by_a_super_admin_either() {
    let (stage, carrier, caller) = calling().await;
    let theirs = made(&stage.key(stage.customer("other").await, None).await).await;
    for caller in [&caller, &stage.sa] {
        caller.post("/calls", &body(&carrier, &theirs)).await.refused(&permission_denied());
    }
    assert_eq!(carrier.untaken(), 0);
}

#[tokio::test]
async fn case_84_a_flow_id_that_is_none_counts_as_absent() {
    let (_stage, mut carrier, caller) = calling().await;
    let mut sent = body(&carrier, "abc");
    sent["actions"] = json!([{ "type": "answer" }]);
    let placed = caller.post("/calls", &sent).await.ok();
    let flow = caller.get(&one(placed["calls"][0]["flow_id"].as_str().unwrap())).await.ok();
    assert_eq!(flow["name"], "tmp");
    carrier.call().await.refuse(486).await;
}

#[tokio::test]
async fn case_85_actions_beside_a_flow_are_ignored() {
    let (stage, mut carrier, caller) = calling().await;
    let id = made(&caller).await;
    let mut sent = body(&carrier, &id);
    sent["actions"] = json!([{ "type": "bogus" }]);
    let placed = caller.post("/calls", &sent).await.ok();
    let (call, flow) = (first_call(&placed), &placed["calls"][0]["flow_id"]);
    assert_eq!(*flow, json!(id));
    let mut incoming = carrier.call().await;
    incoming.answer().await;
    // The call runs the flow to its end, whatever happens to the flow meanwhile.
    caller.delete(&one(&id)).await.ok();
    let asleep = async || {
        Some(call_is(&caller, &call, "progressing").await).filter(|it| it["action"]["type"] == "sleep")
    };
    until("the flow's second action", asleep).await;
    caller.send("POST", &format!("/calls/{call}/hangup"), "").await.ok();
    incoming.hears("BYE").await;
    drop(stage);
}

#[tokio::test]
async fn a_customers_flows_end_with_the_customer() {
    let (stage, customer, caller) = ready().await;
    let id = made(&caller).await;
    stage.control().delete_customer(customer).await.unwrap();
    stage.sa.get(&one(&id)).await.refused(&not_found());
}

#[tokio::test]
async fn a_flow_is_there_after_a_restart() {
    let file = scratch(&format!("flows-{}.db", std::process::id()));
    let start = async || Stage::with(|config| config.database = Database::File(file.clone())).await;
    let stage = start().await;
    let id = made(&stage.sa).await;
    let flow = stage.sa.get(&one(&id)).await.text;
    stage.server.stop().await.unwrap();
    let stage = start().await;
    assert_eq!(stage.sa.get(&one(&id)).await.text, flow);
    assert_eq!(stage.sa.get(PATH).await.column("id"), [id]);
    stage.server.stop().await.unwrap();
    for end in ["", "-wal", "-shm", "-commits"] {
        // Remaining files are removed with the build folder.
        let _stays = std::fs::remove_file(format!("{}{end}", file.display()));
    }
}
