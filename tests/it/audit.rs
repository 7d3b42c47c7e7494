//! The audit of the control API: who changed which trunk when, on the real binary.

use http::Method;
use serde_json::{Value, json};

use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, until};
use crate::sip::uac::Call;
use crate::support::world::{ROTATION, patch, rotation};

/// An audit, and a price that reaches a low threshold with the first call.
const AUDITED: &str = "[accounts]\naudit_months = 12\n\n[[sip.rates]]\nprefix = \"999\"\nper_minute = \"60\"\n\
                       initial_interval = 60\nnext_interval = 60\n";

/// The entries that match a query, newest first, each with one change: who, what happened, and the members.
async fn entries(edge: &Edge, query: &str) -> Vec<(String, String, Vec<String>)> {
    let answer = edge.control.get(&format!("/audit?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entry = |entry: &Value| {
        let changes = entry["changes"].as_array().unwrap();
        let [change] = changes.as_slice() else { panic!("{changes:?}") };
        let members = change["members"].as_array().unwrap().iter().map(text).collect();
        (text(&entry["by"]["kind"]), text(&change["action"]), members)
    };
    answer.at("/entries").as_array().unwrap().iter().map(entry).collect()
}

fn seen(by: &str, action: &str, members: &[&str]) -> (String, String, Vec<String>) {
    (by.to_owned(), action.to_owned(), members.iter().map(|name| (*name).to_owned()).collect())
}

#[tokio::test]
async fn the_control_api_lists_who_changed_a_trunk_by_the_names_of_its_members() {
    let edge = Edge::with_config(AUDITED).await;
    let trunk = edge.trunk(json!({ "name": "canary-name" })).await;
    edge.patch(&trunk, json!({ "rtp_ping": true, "capacity_limit": 7 })).await;
    edge.patch(&trunk, json!({ "capacity_limit": 7 })).await;
    edge.ip_only(&trunk, &["203.0.113.7"]).await;
    let did = edge.did("442079460000", false).await;
    let linked = json!({ "data": [{ "type": "dids", "id": did }] });
    let path = format!("/voice_out_trunks/{}/relationships/dids", trunk.id);
    let answer = edge.api.post(&path, &linked).await;
    assert!(answer.status < 300, "{}", answer.text);
    let path = format!("/accounts/{}/records/voice_out_trunks/{}", edge.account, trunk.id);
    edge.control_request(&path, "PATCH", &json!({ "attributes": { "status": "blocked" } })).await;
    let deleted = edge.api.delete(&format!("/voice_out_trunks/{}", trunk.id)).await;
    assert!(deleted.status < 300, "{}", deleted.text);

    let found = entries(&edge, &format!("id={}", trunk.id)).await;
    let mut names = found.clone();
    // Those of one write, in any order.
    for (_, _, members) in &mut names {
        members.sort();
    }
    assert_eq!(
        names,
        [
            seen("key", "deleted", &[]),
            seen("staff", "updated", &["status"]),
            seen("key", "updated", &["dids"]),
            seen("staff", "updated", &["authentication_method"]),
            seen("key", "updated", &["capacity_limit", "rtp_ping"]),
            seen("key", "created", &[]),
        ]
    );
    let all = edge.control.get("/audit").await;
    let keys = edge.control.get(&format!("/accounts/{}/keys", edge.account)).await;
    assert_eq!(all.at("/entries/0/by/id"), keys.at("/keys/0/id"), "the key that deleted it");
    assert_eq!(all.at("/entries/0/changes/0/account"), edge.account.as_str());
    for secret in ["canary", &trunk.password, "203.0.113.7", "good"] {
        assert!(!all.text.contains(secret), "{secret} is in {}", all.text);
    }

    // By type, account, time, and a page at a time.
    assert_eq!(entries(&edge, "type=dids").await, [seen("staff", "created", &[])]);
    assert_eq!(entries(&edge, &format!("account={}&type=voice_out_trunks", edge.account)).await, found);
    let page = edge.control.get(&format!("/audit?id={}&limit=4", trunk.id)).await;
    let rest = format!("id={}&limit=4&before={}", trunk.id, page.at("/next"));
    assert_eq!(entries(&edge, &rest).await, found[4..]);
    let since = page.at("/entries/3/at").as_str().unwrap().to_owned();
    let recent = entries(&edge, &format!("id={}&since={since}", trunk.id)).await;
    assert!(recent.len() >= 4 && recent[..4] == found[..4], "{recent:?}");
    assert!(entries(&edge, "since=2126-01-01T00:00:00.000Z").await.is_empty());
    for (query, status) in [("account=00000000-0000-4000-8000-000000000000", 404), ("colour=red", 422)] {
        assert_eq!(edge.control.get(&format!("/audit?{query}")).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn a_refused_change_has_no_entry_and_one_with_an_idempotency_key_has_one() {
    let edge = Edge::with_config(AUDITED).await;
    let trunk = edge.trunk(json!({})).await;
    let path = format!("/voice_out_trunks/{}", trunk.id);
    let refused = edge.api.patch(&path, &patch(&trunk.id, json!({ "capacity_limit": -1 }))).await;
    assert!(refused.status >= 400, "{}", refused.text);
    assert_eq!(entries(&edge, "").await, [seen("key", "created", &[])]);
    for _ in 0..2 {
        let request = edge.api.request(Method::POST, ROTATION).header("Idempotency-Key", "\"once\"");
        let request = request.body(rotation(&trunk.id).to_string());
        let answer = edge.api.execute(request.build().unwrap()).await;
        assert!(answer.status < 300, "{}", answer.text);
    }
    let expected = [seen("key", "updated", &["authentication_method"]), seen("key", "created", &[])];
    assert_eq!(entries(&edge, "").await, expected);
}

#[tokio::test]
async fn a_threshold_that_blocks_a_trunk_is_the_edges_change_and_spending_is_none() {
    let edge = Edge::with_config(AUDITED).await;
    edge.freeze().await;
    let trunk = edge.trunk(json!({ "threshold_amount": "100.0", "rtp_timeout": 600 })).await;
    let _first = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    until("60 are spent", async || (edge.shown(&trunk, "/meta/spent_amount").await == "60.0").then_some(()))
        .await;
    assert_eq!(entries(&edge, "type=voice_out_trunks").await, [seen("key", "created", &[])]);
    let _second = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    until("the trunk is blocked", async || {
        (edge.shown(&trunk, "/attributes/status").await == "blocked").then_some(())
    })
    .await;
    let found = entries(&edge, "type=voice_out_trunks").await;
    let [(by, action, members), created] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((by.as_str(), action.as_str(), created), ("edge", "updated", &seen("key", "created", &[])));
    assert!(members.contains(&"status".to_owned()), "{members:?}");
}

#[tokio::test]
async fn without_the_setting_there_is_no_audit() {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    edge.patch(&trunk, json!({ "capacity_limit": 7 })).await;
    let answer = edge.control.get("/audit").await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "entries": [], "next": null })));
}

#[tokio::test]
async fn the_rates_of_an_account_are_a_member_of_it_in_the_audit() {
    let edge = Edge::with_config(AUDITED).await;
    let path = format!("/accounts/{}/rates", edge.account);
    let rates = json!({ "rates": [{ "prefix": "44", "per_minute": "1.2345" }] });
    edge.control_request(&path, "PUT", &rates).await;
    assert_eq!(edge.control.send(Method::PUT, &path, "{\"rates\":[]}").await.status, 422);
    edge.control_request(&path, "DELETE", &json!({})).await;
    let changed = || seen("staff", "updated", &["rates"]);
    assert_eq!(entries(&edge, "type=accounts").await, [changed(), changed()]);
    assert_eq!(entries(&edge, &format!("id={0}&account={0}", edge.account)).await, [changed(), changed()]);
    let all = edge.control.get("/audit").await;
    assert!(!all.text.contains("1.2345"), "{}", all.text);
}
