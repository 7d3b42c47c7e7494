//! The limits of an account, and that they do not affect other accounts.

use didww_types::{ApiVersion, Patch};
use futures_util::future::join_all;
use serde_json::{Value, json};
use trunk_server::config::{AccountsConfig, Config, Database};
use trunk_server::control::{AccountPatch, NewAccount, NewDid};
use trunk_server::store::StoreLimits;
use trunk_server::{Server, TestServer};

use crate::support::wire::{Answer, Wire, request};

async fn ask(server: &Server, request: String) -> Answer {
    Wire::open(server.address()).await.ask(request).await
}

fn get(path: &str, key: &str) -> String {
    request("GET", path, key, "", "")
}

fn create(name: &str, attributes: &Value) -> String {
    let mut all = json!({
        "name": name,
        "on_cli_mismatch_action": "reject_call",
        "authentication_method":
            { "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.5"] } },
    });
    all.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    let body = json!({ "data": { "type": "voice_out_trunks", "attributes": all } });
    request("POST", "/v3/voice_out_trunks", "key", "", &body.to_string())
}

fn document(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

async fn with_dids(server: TestServer, dids: usize) -> TestServer {
    let dids = (0..dids).map(|n| NewDid::new(format!("1202{n:07}")));
    server.control().add_dids(server.account(), dids).await.unwrap();
    server
}

#[tokio::test]
async fn a_list_that_takes_too_long_is_refused_and_a_read_by_id_is_not() {
    let mut limits = StoreLimits::default();
    limits.time = std::time::Duration::ZERO;
    let server = TestServer::builder().api_key("key").store_limits(limits).start().await;
    let server = with_dids(server, 1_000).await;
    let made = ask(server.server(), create("a", &json!({}))).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let refused = ask(server.server(), get("/v3/dids?filter[description]=x", "key")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{}", refused.text());
    let id = document(&made)["data"]["id"].as_str().unwrap().to_owned();
    assert_eq!(ask(server.server(), get(&format!("/v3/voice_out_trunks/{id}"), "key")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_simultaneous_creates_exactly_as_many_succeed_as_the_quota_allows() {
    let server = TestServer::builder().api_key("key").start().await;
    let quota = |quota| {
        let mut patch = AccountPatch::default();
        patch.record_quota = quota;
        patch
    };
    server.control().update_account(server.account(), quota(Patch::Set(10))).await.unwrap();
    let address = server.server();
    let answers = join_all((0..64).map(|n| ask(address, create(&n.to_string(), &json!({}))))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((made.len(), refused.len()), (10, 54));
    for answer in refused {
        let error = &document(answer)["errors"][0];
        assert_eq!((answer.status, &error["title"]), (422, &json!("Quota exceeded")));
        let detail = "The account has 10 voice_out_trunks, the maximum for this account.";
        assert_eq!(error["detail"], detail);
    }
    assert!(
        server.control().add_did(server.account(), NewDid::new("12025550143")).await.is_ok(),
        "the quota applies to each type"
    );

    let id = document(made[0])["data"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/voice_out_trunks/{id}");
    assert_eq!(ask(address, request("DELETE", &path, "key", "", "")).await.status, 204);
    assert_eq!(ask(address, create("in its place", &json!({}))).await.status, 201);
    assert_eq!(ask(address, create("one more", &json!({}))).await.status, 422);

    server.control().update_account(server.account(), quota(Patch::Set(0))).await.unwrap();
    assert_eq!(ask(address, create("no limit", &json!({}))).await.status, 201);
    server.control().update_account(server.account(), quota(Patch::Set(5))).await.unwrap();
    let list = ask(address, get("/v3/voice_out_trunks", "key")).await;
    assert_eq!(document(&list)["meta"]["total_records"], 11, "existing records remain");
}

#[tokio::test]
async fn the_server_limits_each_key_unless_the_account_has_a_limit_of_its_own() {
    let mut config = Config::default();
    "127.0.0.1:0".clone_into(&mut config.listen);
    config.control_listen = None;
    config.database = Database::Ephemeral;
    config.api_key = Some("key".to_owned().into());
    #[cfg(feature = "sip")]
    {
        config.sip = None;
    }
    let mut accounts = AccountsConfig::default();
    accounts.rate_limit = Some(3);
    config.accounts = accounts;
    let server = Server::builder(config).start().await.unwrap();
    let control = server.control();
    control.clock().freeze(None);
    let account = control.accounts().await.unwrap()[0].id;
    control.add_key(account, Some("second".to_owned().into())).await.unwrap();
    control.create_account(NewAccount::named("free").api_key("free").rate_limit(0)).await.unwrap();
    let answered = async |key: &'static str| {
        let answers = join_all((0..5).map(|_| ask(&server, get("/v3/dids", key)))).await;
        let refused = answers.iter().find(|answer| answer.status == 429);
        if let Some(refused) = refused {
            assert_eq!(refused.header("retry-after"), None, "no version that is served documents one");
            let body = json!({ "errors": [{ "status": "429", "detail": "Too Many Requests" }] });
            assert_eq!(document(refused), body);
        }
        answers.iter().filter(|answer| answer.status == 200).count()
    };
    assert_eq!((answered("key").await, answered("second").await, answered("free").await), (3, 3, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_with_too_many_related_identifiers_is_refused_and_a_smaller_one_is_served() {
    let server = TestServer::builder().api_key("key").version(ApiVersion::V2026_04_16).start().await;
    let server = with_dids(server, 5_000).await;
    let address = server.server();
    for n in 0..21 {
        let made = ask(address, create(&n.to_string(), &json!({ "allow_any_did_as_cli": true }))).await;
        assert_eq!(made.status, 201, "{}", made.text());
    }
    let page = |size: usize| get(&format!("/v3/voice_out_trunks?include=dids&page[size]={size}"), "key");
    let refused = ask(address, page(21)).await;
    assert_eq!((refused.status, &document(&refused)["errors"][0]["code"]), (400, &json!("118")));
    assert!(refused.text().contains("page[size]"), "{}", refused.text());
    let smaller = document(&ask(address, page(2)).await);
    assert_eq!(smaller["included"].as_array().unwrap().len(), 5_000, "each once");
    for trunk in smaller["data"].as_array().unwrap() {
        assert_eq!(trunk["relationships"]["dids"]["data"].as_array().unwrap().len(), 5_000);
    }
}
