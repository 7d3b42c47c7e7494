//! Phone numbers of a customer over the platform's own API.

use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::Caller;
use super::refusal::*;
use super::stage::*;

/// A server with a customer that has a number, its key, and the number's path.
async fn ready() -> (Stage, Uuid, Caller, String) {
    let stage = Stage::start().await;
    let customer = stage.customer("c").await;
    let caller = stage.key(customer, None).await;
    let number = format!("/numbers/{}", stage.number(customer, US).await);
    (stage, customer, caller, number)
}

async fn flow(caller: &Caller) -> String {
    caller.post("/flows", &json!({ "name": "f" })).await.id()
}

#[tokio::test]
async fn case_100_a_number_has_all_its_members_in_order() {
    let (stage, customer, caller, number) = ready().await;
    let list = caller.get("/numbers").await;
    let [row] = &list.rows()[..] else { panic!("{}", list.text) };
    let members = [
        "id",
        "customer_id",
        "number",
        "type",
        "call_flow_id",
        "message_flow_id",
        "name",
        "detail",
        "status",
        "t38_enabled",
        "emergency_enabled",
        "metadata",
        "tm_purchase",
        "tm_renew",
        "tm_create",
        "tm_update",
        "tm_delete",
    ];
    let at = members.map(|member| list.text.find(&format!("\"{member}\":")).expect(member));
    assert!(at.is_sorted(), "{}", list.text);
    assert_eq!(row.as_object().unwrap().len(), members.len());
    assert_eq!(
        (&row["customer_id"], &row["number"], &row["type"]),
        (&json!(customer), &json!(US), &json!("normal"))
    );
    assert_eq!((&row["status"], &row["metadata"]), (&json!("active"), &json!({ "rtp_debug": false })));
    assert_eq!((&row["tm_purchase"], &row["tm_renew"]), (&row["tm_create"], &row["tm_create"]));
    assert_eq!((&row["tm_update"], &row["tm_delete"]), (&Value::Null, &Value::Null));
    assert_eq!(caller.get(&number).await.ok(), *row);
    stage.agent(customer, AGENT).await.get("/numbers").await.refused(&permission_denied());
    // A virtual number was not bought.
    let control = stage.control();
    let unreal = control.add_phone_number(customer, "+899100000001", "virtual", "active").await.unwrap();
    let shown = caller.get(&format!("/numbers/{}", unreal.id)).await.ok();
    assert_eq!(
        (&shown["type"], &shown["tm_purchase"], &shown["tm_renew"]),
        (&json!("virtual"), &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn case_101_a_number_is_unknown_or_anothers_or_deleted() {
    let (stage, customer, caller, number) = ready().await;
    let theirs = stage.number(stage.admin, GB).await;
    for (path, suffix) in [("GET", ""), ("PUT", ""), ("PUT", "/flow_ids"), ("PUT", "/metadata")] {
        let send = async |id: &str| {
            let body = if path == "PUT" { "{}" } else { "" };
            caller.send(path, &format!("/numbers/{id}{suffix}"), body).await
        };
        send("xyz").await.refused(&invalid_id());
        send(UNKNOWN).await.refused(&no_number());
        send(&theirs).await.refused(&permission_denied());
    }
    let id = number.trim_start_matches("/numbers/").parse().unwrap();
    stage.control().remove_phone_number(customer, id).await.unwrap();
    caller.get(&number).await.refused(&not_found());
    assert!(caller.get("/numbers").await.rows().is_empty());
    stage.sa.get(&format!("/numbers/{theirs}")).await.ok();
}

#[tokio::test]
async fn case_102_numbers_have_no_filter() {
    let (_stage, _, caller, _) = ready().await;
    assert_eq!(caller.get("/numbers?number=%2B19999999999&type=virtual").await.column("number"), [US]);
}

#[tokio::test]
async fn case_107_an_update_replaces_what_a_number_has() {
    let (_stage, _, caller, number) = ready().await;
    let flow = flow(&caller).await;
    let full = json!({ "name": "a", "detail": "b", "call_flow_id": flow, "message_flow_id": flow });
    let shown = caller.put(&number, &full).await.ok();
    for (member, value) in full.as_object().unwrap() {
        assert_eq!(shown[member], *value, "{member}");
    }
    instant(&shown["tm_update"]);
    let shown = caller.put(&number, &json!({ "name": "n", "call_flow_id": "zz" })).await.ok();
    assert_eq!((&shown["name"], &shown["detail"]), (&json!("n"), &json!("")));
    assert_eq!((&shown["call_flow_id"], &shown["message_flow_id"]), (&json!(ZERO), &json!(ZERO)));
    assert_eq!((&shown["number"], &shown["status"]), (&json!(US), &json!("active")));
}

#[tokio::test]
async fn case_108_a_number_runs_the_customers_own_flows() {
    let (stage, _, caller, number) = ready().await;
    let theirs = flow(&stage.sa).await;
    let deleted = flow(&caller).await;
    caller.delete(&format!("/flows/{deleted}")).await.ok();
    let before = caller.get(&number).await.text;
    for member in ["call_flow_id", "message_flow_id"] {
        for (flow, refusal) in
            [(UNKNOWN, flow_not_found()), (&theirs, permission_denied()), (&deleted, not_found())]
        {
            caller.put(&number, &json!({ member: flow })).await.refused(&refusal);
        }
    }
    assert_eq!(caller.get(&number).await.text, before);
}

#[tokio::test]
async fn a_flow_that_is_deleted_while_a_number_takes_it_is_not_named_afterwards() {
    let (_stage, _, caller, number) = ready().await;
    for _ in 0..40 {
        let flow = flow(&caller).await;
        let path = format!("/flows/{flow}");
        let body = json!({ "call_flow_id": flow, "message_flow_id": flow });
        let (updated, deleted) = tokio::join!(caller.put(&number, &body), caller.delete(&path));
        deleted.ok();
        if updated.status != 200 {
            updated.refused(&not_found());
        }
        let shown = caller.get(&number).await.ok();
        assert_eq!((&shown["call_flow_id"], &shown["message_flow_id"]), (&json!(ZERO), &json!(ZERO)));
    }
}

#[tokio::test]
async fn any_number_of_numbers_take_one_flow_at_once() {
    let (stage, customer, caller, _) = ready().await;
    let body = json!({ "call_flow_id": flow(&caller).await });
    let mut paths = Vec::new();
    for last in 0..80 {
        let number = stage.number(customer, &format!("+1202555{last:04}")).await;
        paths.push(format!("/numbers/{number}"));
    }
    let updates = paths.iter().map(|path| caller.put(path, &body));
    for answer in futures_util::future::join_all(updates).await {
        assert_eq!(answer.ok()["call_flow_id"], body["call_flow_id"]);
    }
}

#[tokio::test]
async fn case_109_both_flows_of_a_number_are_replaced_unchecked() {
    let (_stage, _, caller, number) = ready().await;
    let (flow, path) = (flow(&caller).await, format!("{number}/flow_ids"));
    let both = json!({ "call_flow_id": flow, "message_flow_id": flow });
    caller.put(&path, &both).await.ok();
    let shown = caller.put(&path, &json!({ "call_flow_id": flow })).await.ok();
    assert_eq!((&shown["call_flow_id"], &shown["message_flow_id"]), (&json!(flow), &json!(ZERO)));
    assert_eq!(caller.put(&path, &json!({ "call_flow_id": UNKNOWN })).await.ok()["call_flow_id"], UNKNOWN);
}

#[tokio::test]
async fn case_110_the_metadata_of_a_number_is_replaced() {
    let (_stage, _, caller, number) = ready().await;
    let path = format!("{number}/metadata");
    for (body, rtp_debug) in [(json!({ "rtp_debug": true }), true), (json!({}), false)] {
        let shown = caller.put(&path, &body).await.ok();
        assert_eq!((&shown["metadata"], &shown["number"]), (&json!({ "rtp_debug": rtp_debug }), &json!(US)));
    }
    caller.put(&path, &json!({ "rtp_debug": "x" })).await.refused(&invalid_body());
}
