//! API keys, versions and rate limits.

use didww_types::{ApiVersion, Feature, Patch};
use http::Method;
use serde_json::json;
use trunk_server::control::{AccountPatch, NewAccount};

use super::shop::{ORDERS, Shop};
use crate::support::api::{Answer, NEW, OLD, TOKENS};
use crate::support::engine;
use crate::support::world::*;

const UNAUTHORISED: &str =
    r#"{"errors":[{"title":"Unauthorized","detail":"Authorization failed","code":"401","status":"401"}]}"#;

#[tokio::test]
async fn case_01_a_request_without_a_key_is_unauthorised() {
    let world = World::start().await;
    let answer = world.api.with_key(None).get(TRUNKS).await;
    assert_eq!((answer.status, answer.text.as_str()), (401, UNAUTHORISED));
    assert_eq!(answer.text.len(), 97);
    refusal_headers(&answer);
}

#[tokio::test]
async fn case_02_a_wrong_key_is_answered_as_no_key() {
    let world = World::start().await;
    for key in ["wrong", "", &world.server.api_key().to_uppercase(), &world.server.api_key()[1..]] {
        let answer = world.api.with_key(Some(key)).get(TRUNKS).await;
        assert_eq!((answer.status, answer.text.as_str()), (401, UNAUTHORISED), "{key}");
    }
}

#[tokio::test]
async fn a_key_in_another_header_is_no_key() {
    let world = World::start().await;
    let key = world.server.api_key();
    for (name, value) in [
        ("Authorization", format!("Basic {key}")),
        ("X-Api-Key", key.to_owned()),
        ("auth-key", key.to_owned()),
    ] {
        let request = world.api.with_key(None).request(Method::GET, TRUNKS).header(name, value);
        refused(&Answer::of(request.send().await.unwrap()).await, &[unauthorised()]);
    }
    let bearer = format!("Bearer {key}");
    refused(&world.api.with_key(Some(&bearer)).get(TRUNKS).await, &[unauthorised()]);
}

#[tokio::test]
async fn no_verb_and_no_record_is_served_without_a_key() {
    let world = World::start().await;
    let trunk = world.trunk("A").await;
    let api = world.api.with_key(None);
    let before = world.dump().await;
    for method in [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE] {
        let one = format!("{TRUNKS}/{trunk}");
        for path in
            [TRUNKS, ROTATION, DIDS, &one, &format!("{one}/relationships/dids"), &format!("{one}/dids")]
        {
            refused(&api.send(method.clone(), path, "{}").await, &[unauthorised()]);
        }
    }
    assert_eq!(world.dump().await, before);
}

fn is_flat(answer: &Answer) -> bool {
    let attributes = answer.at("/data/0/attributes");
    let has = |name: &str| attributes.get(name).is_some();
    assert_ne!(has("authentication_method"), has("username"));
    has("allowed_sip_ips") && has("username") && has("password")
}

#[tokio::test]
async fn case_06_without_a_version_the_accounts_own_serves() {
    let world = World::start().await;
    world.trunk("A").await;
    let answer = world.api.at(None).get(TRUNKS).await;
    assert_eq!((answer.status, answer.at("/meta/api_version")), (200, json!("2021-12-15")));
    assert!(is_flat(&answer));
}

#[tokio::test]
async fn case_07_and_n16_a_newer_version_serves_the_one_request_that_names_it() {
    let world = World::start().await;
    world.trunk("A").await;
    let answer = world.api.at(Some("2022-05-10")).get(TRUNKS).await;
    assert_eq!(answer.at("/meta/api_version"), "2022-05-10");
    assert!(is_flat(&answer));
    let answer = world.api.at(Some(NEW)).get(TRUNKS).await;
    assert_eq!(answer.at("/meta/api_version"), NEW);
    assert!(!is_flat(&answer));
    assert_eq!(world.api.at(None).get(TRUNKS).await.at("/meta/api_version"), OLD);
}

#[tokio::test]
async fn case_08_a_version_that_is_none_is_ignored() {
    let world = World::start().await;
    for version in ["banana", "", "2026-04-17", "2026-4-16", " 2026-04-16 x", "2021-12-15, 2026-04-16"] {
        let answer = world.api.at(Some(version)).get(TRUNKS).await;
        assert_eq!((answer.status, answer.at("/meta/api_version")), (200, json!(OLD)), "{version}");
    }
}

#[tokio::test]
async fn case_09_an_older_version_than_the_accounts_is_ignored() {
    let world = World::of(engine::builder().version(ApiVersion::V2026_04_16)).await;
    world.trunk("A").await;
    for version in [Some(OLD), Some("2017-09-18"), Some("2022-05-10"), None] {
        let answer = world.api.at(version).get(TRUNKS).await;
        assert_eq!((answer.status, answer.at("/meta/api_version")), (200, json!(NEW)), "{version:?}");
        assert!(!is_flat(&answer));
    }
}

#[tokio::test]
async fn case_10_the_version_header_is_read_in_any_case() {
    let world = World::start().await;
    for name in ["x-didww-api-version", "X-DIDWW-Api-Version", "X-DIDWW-API-VERSION"] {
        let request = world.api.at(None).request(Method::GET, TRUNKS).header(name, NEW);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.at("/meta/api_version"), NEW);
    }
}

#[tokio::test]
async fn trunks_do_not_exist_before_2021_12_15() {
    let world = World::of(engine::builder().version(ApiVersion::V2017_09_18)).await;
    let trunk = world.trunk("A").await;
    for version in [None, Some("2017-09-18"), Some("2021-04-19")] {
        let api = world.api.at(version);
        refused(&api.get(TRUNKS).await, &[no_route()]);
        refused(&api.get(&format!("{TRUNKS}/{trunk}")).await, &[no_route()]);
        refused(&api.post(ROTATION, &rotation(&trunk)).await, &[no_route()]);
        assert_eq!(api.get(DIDS).await.status, 200);
    }
    assert_eq!(world.api.get(TRUNKS).await.status, 200);
}

#[tokio::test]
async fn two_changes_of_an_account_at_the_same_time_are_both_kept() {
    let world = World::start().await;
    let (control, account) = (world.server.control(), world.server.account());
    for round in 1..=20_u32 {
        let (mut named, mut limited) = (AccountPatch::default(), AccountPatch::default());
        named.name = Some(format!("round {round}"));
        limited.rate_limit = Patch::Set(1_000 + round);
        let changes =
            tokio::join!(control.update_account(account, named), control.update_account(account, limited));
        changes.0.unwrap();
        changes.1.unwrap();
        let accounts = control.accounts().await.unwrap();
        let kept = accounts.iter().find(|one| one.id == account).unwrap();
        assert_eq!((kept.name.as_str(), kept.rate_limit), (&*format!("round {round}"), Some(1_000 + round)));
    }
}

#[tokio::test]
async fn an_account_that_moves_to_another_version_is_served_by_it() {
    let world = World::start().await;
    let mut patch = AccountPatch::default();
    patch.version = Some(ApiVersion::V2026_04_16);
    assert_eq!(world.api.at(None).get(DIDS).await.at("/meta/api_version"), OLD);
    world.server.control().update_account(world.server.account(), patch).await.unwrap();
    assert_eq!(world.api.at(None).get(DIDS).await.at("/meta/api_version"), NEW);
}

#[tokio::test]
async fn case_81_before_2026_04_16_the_list_alone_is_forbidden_without_the_outbound_plan() {
    let world = World::start().await;
    let mut account = NewAccount::named("no plan").api_key("no-plan");
    account.features.clear();
    world.server.control().create_account(account).await.unwrap();
    let api = world.api.with_key(Some("no-plan")).at(Some("2022-05-10"));
    let forbidden = || error(403, "403", "Forbidden", "Forbidden");
    refused(&api.get(TRUNKS).await, &[forbidden()]);
    let created = api.post(TRUNKS, &flat("A")).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let one = format!("{TRUNKS}/{}", created.id());
    assert_eq!(api.get(&one).await.status, 200);
    assert_eq!(api.patch(&one, &patch(&created.id(), json!({ "name": "B" }))).await.status, 200);
    assert_eq!(api.post(ROTATION, &rotation(&created.id())).await.status, 201);
    assert_eq!(api.delete(&one).await.status, 204);
    refused(&api.get(TRUNKS).await, &[forbidden()]);
}

#[tokio::test]
async fn case_82_the_request_above_the_rate_limit_is_refused() {
    let world = World::start().await;
    let clock = world.server.control().clock().clone();
    clock.freeze(None);
    let account = NewAccount::named("limited").rate_limit(20).api_key("limited");
    world.server.control().create_account(account).await.unwrap();
    let api = world.api.with_key(Some("limited"));
    for _ in 0..20 {
        assert_eq!(api.get(TRUNKS).await.status, 200);
    }
    let answer = api.get(TRUNKS).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (429, r#"{"errors":[{"status":"429","detail":"Too Many Requests"}]}"#)
    );
    refusal_headers(&answer);
    assert_eq!(world.api.get(TRUNKS).await.status, 200, "another account has a limit of its own");
    clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(api.get(TRUNKS).await.status, 200);
}

#[tokio::test]
async fn case_83_no_refusal_carries_meta_and_codes_are_texts() {
    let world = World::start().await;
    let trunk = world.trunk("A").await;
    let one = format!("{TRUNKS}/{trunk}");
    let json = |request: Method, path: &str| {
        world.api.request(request, path).header("Content-Type", "application/json").body("{}")
    };
    let plain = world.api.with_key(None).request(Method::GET, TRUNKS);
    let mut answers = vec![
        Answer::of(plain.send().await.unwrap()).await,
        Answer::of(json(Method::POST, TRUNKS).send().await.unwrap()).await,
        world.api.get(&format!("{TRUNKS}?page[size]=0&include=x&filter[y]=1")).await,
        world.api.get(&format!("{TRUNKS}/1")).await,
        world.api.get("/nothing").await,
        world.api.post(TRUNKS, &resource("voice_out_trunks", json!({}))).await,
        world.api.post(TRUNKS, &json!([])).await,
        world.api.patch(&one, &patch(&trunk, json!({ "created_at": 1 }))).await,
        world.api.post(ROTATION, &rotation(UNKNOWN)).await,
        world.api.delete(DIDS).await,
    ];
    answers.retain(|answer| answer.status >= 400);
    assert_eq!(answers.len(), 10, "each of them is refused");
    for answer in answers {
        refusal_headers(&answer);
        let document = answer.json();
        assert_eq!(document.as_object().unwrap().keys().collect::<Vec<_>>(), ["errors"], "{}", answer.text);
        for error in document["errors"].as_array().unwrap() {
            assert!(error["code"].is_string() && error["status"].is_string(), "{error}");
            assert!(error["title"].is_string() && error["detail"].is_string(), "{error}");
        }
        assert_eq!(document["errors"][0]["status"], answer.status.to_string());
    }
}

#[tokio::test]
async fn an_account_in_read_only_mode_orders_and_cancels_nothing_and_keeps_its_trunk_groups() {
    let shop = Shop::open(2, "100.00", "0").await;
    let (control, owner) = (shop.world.server.control(), shop.world.server.account());
    let pending = format!("{ORDERS}/{}", shop.order(json!({})).await.id());
    let group = resource("voice_in_trunk_groups", json!({ "name": "G" }));
    let group = shop.api().post("/voice_in_trunk_groups", &group).await.id();
    let path = format!("/voice_in_trunk_groups/{group}");
    let set = async |features: Vec<Feature>| {
        let mut change = AccountPatch::default();
        change.features = Some(features);
        control.update_account(owner, change).await.unwrap();
    };
    set(vec![Feature::Outbound, Feature::ReadOnly]).await;
    for version in ["2021-12-15", NEW, TOKENS] {
        let api = shop.api().at(Some(version));
        let body = resource("orders", json!({ "items": [shop.item(&json!({ "qty": 0 }))] }));
        let forbidden = error(403, "403", "Forbidden", "Forbidden");
        refused(&api.post(ORDERS, &body).await, &[forbidden]);
        let forbidden = error(403, "403", "Forbidden", "Forbidden");
        refused(&api.delete(&path).await, &[forbidden]);
        let forbidden = error(403, "403", "Forbidden", "Forbidden");
        refused(&api.delete(&pending).await, &[forbidden]);
    }
    assert_eq!((shop.balance().await.as_str(), shop.in_stock().await), ("96.85", 1));
    set(vec![Feature::Outbound]).await;
    assert_eq!(shop.api().delete(&pending).await.status, 204);
    assert_eq!((shop.balance().await.as_str(), shop.in_stock().await), ("100.00", 2));
    assert_eq!(shop.order(json!({})).await.status, 201);
    assert_eq!(shop.api().delete(&path).await.status, 204);
}
