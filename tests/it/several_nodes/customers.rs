//! Customers of VoIPBIN's side and their access keys, which every server keeps in memory.

use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use super::Pair;
use super::ledger::{ADMIN, admin_token};
use crate::sip::edge::{Edge, until};
use crate::support::api::{Answer, http_client};

/// The time between two attempts with a key that a server does not know yet, which stays below the limit of wrong
/// credentials.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);

/// The status of a request with an access key.
async fn status_of(edge: &Edge, key: &str) -> u16 {
    let root = edge.binary.base.trim_end_matches("/v3");
    let sent = http_client().get(format!("{root}/v1.0/calls?accesskey={key}")).send().await;
    sent.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_key_that_is_created_and_removed_at_one_server_is_so_at_the_other_one() {
    let pair = Pair::start_with(&["--voipbin-admin", ADMIN]).await;
    for (creates, removes) in [(&pair.one, &pair.other), (&pair.other, &pair.one)] {
        let customer = creates.control_request("/customers", "POST", &json!({ "name": "Acme" })).await;
        let keys = format!("/customers/{}/accesskeys", customer["id"].as_str().unwrap());
        let made = creates.control_request(&keys, "POST", &json!({ "name": "scripts" })).await;
        let key = made["accesskey"].as_str().unwrap();
        assert_eq!(status_of(creates, key).await, 200);
        until("the other server knows the key", async || {
            if status_of(removes, key).await == 200 {
                return Some(());
            }
            tokio::time::sleep(BETWEEN_ATTEMPTS).await;
            None
        })
        .await;
        let removed = removes.control.delete(&format!("{keys}/{}", made["id"].as_str().unwrap())).await;
        assert_eq!(removed.status, 200, "{}", removed.text);
        assert_eq!(status_of(removes, key).await, 401);
        until("the key is gone", async || (status_of(creates, key).await == 401).then_some(())).await;
    }
}

/// Number of requests for one record more, at each server at once.
const RACERS: usize = 6;

/// What a customer has a number of at most.
struct Bounded {
    /// Below `/v1.0`.
    path: &'static str,
    /// The body of a request that creates one.
    body: &'static str,
    /// The name of the index key that is counted.
    counted: &'static str,
    most: usize,
    /// A part of the answer to the request for one more.
    refusal: &'static str,
}

impl Bounded {
    /// The answer to a request with an access key.
    async fn request(&self, edge: &Edge, key: &str, method: Method, below: &str) -> Answer {
        let (root, path) = (edge.binary.base.trim_end_matches("/v3"), self.path);
        let request = http_client().request(method, format!("{root}/v1.0{path}{below}?accesskey={key}"));
        let request = request.header("Content-Type", "application/json").body(self.body);
        Answer::of(request.send().await.unwrap()).await
    }

    /// Copies a record of a customer until one more is permitted, and races for it at both servers, several times.
    async fn is_exact(&self, pair: &Pair, key: &str, (customer, id): (&str, &str)) {
        let (name, most) = (self.counted, self.most);
        // Without unique keys: none of the copies is used.
        pair.database.ask(&format!(
            "WITH made AS (\
                 INSERT INTO document (kind, id, number, customer, created_at, deleted, live, revision, body) \
                 SELECT kind, gen_random_uuid(), number - n, customer, created_at - n, deleted, live, revision, body \
                 FROM document, generate_series(1, {}) n WHERE id = '{id}' \
                 RETURNING kind, id, number, customer, created_at) \
             INSERT INTO document_key (kind, name, value, created_at, number, id) \
             SELECT kind, '{name}', customer::text, created_at, number, id FROM made",
            most - 2
        ));
        let stored = format!(
            "SELECT count(*) FROM document_key WHERE name = '{name}' AND value = '{customer}' \
             AND kind = (SELECT kind FROM document WHERE id = '{id}')"
        );
        assert_eq!(pair.database.ask(&stored), (most - 1).to_string());
        for round in 0..5 {
            let servers = (0..RACERS).flat_map(|_| [&pair.one, &pair.other]);
            let answers = join_all(servers.map(|edge| self.request(edge, key, Method::POST, ""))).await;
            let (added, refused): (Vec<Answer>, Vec<Answer>) =
                answers.into_iter().partition(|answer| answer.status == 200);
            assert_eq!((added.len(), refused.len()), (1, 2 * RACERS - 1), "round {round}");
            for answer in refused {
                assert!(answer.text.contains(self.refusal), "{} {}", answer.status, answer.text);
            }
            assert_eq!(pair.database.ask(&stored), most.to_string());
            let below = format!("/{}", added[0].at("/id").as_str().unwrap());
            let deleted = self.request(&pair.other, key, Method::DELETE, &below).await;
            assert_eq!(deleted.status, 200, "{}", deleted.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_has_no_more_than_its_most_keys_and_flows_however_many_servers_create_them() {
    let pair = Pair::start_with(&["--voipbin-admin", ADMIN]).await;
    let customer = pair.one.control_request("/customers", "POST", &json!({ "name": "Acme" })).await;
    let customer = customer["id"].as_str().unwrap();
    let keys = format!("/customers/{customer}/accesskeys");
    let made = pair.one.control_request(&keys, "POST", &json!({ "name": "first" })).await;
    let key = made["accesskey"].as_str().unwrap();
    until("the other server knows the key", async || {
        if status_of(&pair.other, key).await == 200 {
            return Some(());
        }
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
        None
    })
    .await;
    let keys = Bounded {
        path: "/accesskeys",
        body: r#"{"name":"one more","expire":86400}"#,
        counted: "customer",
        most: 1_000,
        refusal: "RESOURCE_LIMIT_EXCEEDED",
    };
    keys.is_exact(&pair, key, (customer, made["id"].as_str().unwrap())).await;
    let flows = Bounded {
        path: "/flows",
        body: r#"{"name":"one more"}"#,
        counted: "kept",
        most: 10_000,
        refusal: "a customer has at most 10000 flows",
    };
    let first = flows.request(&pair.one, key, Method::POST, "").await;
    assert_eq!(first.status, 200, "{}", first.text);
    flows.is_exact(&pair, key, (customer, first.at("/id").as_str().unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_servers_that_change_a_customer_at_once_each_succeeds_and_undoes_nothing() {
    let pair = Pair::start_with(&["--voipbin-admin", ADMIN]).await;
    let customer = pair.one.control_request("/customers", "POST", &json!({ "name": "Acme" })).await;
    let path = format!("/customers/{}", customer["id"].as_str().unwrap());
    for round in 0..20 {
        let name = json!({ "name": format!("Acme {round}") });
        let webhook = json!({ "webhook_uri": format!("https://example.com/{round}") });
        tokio::join!(
            pair.one.control_request(&path, "PATCH", &name),
            pair.other.control_request(&path, "PATCH", &webhook),
        );
        // It is answered with what is stored.
        let stored = pair.one.control_request(&path, "PATCH", &json!({})).await;
        assert_eq!(
            (&stored["name"], &stored["webhook_uri"]),
            (&name["name"], &webhook["webhook_uri"]),
            "round {round}"
        );
    }
}

/// The answer to a request below `/v1.0` with a token.
async fn request(edge: &Edge, token: &str, method: Method, path: &str, body: &Value) -> Answer {
    let root = edge.binary.base.trim_end_matches("/v3");
    let request = http_client().request(method, format!("{root}/v1.0{path}")).bearer_auth(token);
    let request = request.header("Content-Type", "application/json").body(body.to_string());
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_server_adds_to_a_customer_does_not_outlive_its_deletion_at_the_other_one() {
    let pair = Pair::start_with(&["--voipbin-admin", ADMIN]).await;
    let token = admin_token(&pair.other).await;
    for round in 0..10 {
        let customer = pair.one.control_request("/customers", "POST", &json!({ "name": "Acme" })).await;
        let id = customer["id"].as_str().unwrap();
        let path = format!("/customers/{id}");
        until("the other server knows the customer", async || {
            (pair.other.control.get(&path).await.status == 200).then_some(())
        })
        .await;
        // Its outbound config, so that it can have another one.
        let configs = format!("/outbound_configs?customer_id={id}");
        let found = request(&pair.other, &token, Method::GET, &configs, &Value::Null).await;
        let config = format!("/outbound_configs/{}", found.at("/result/0/id").as_str().unwrap());
        let gone = request(&pair.other, &token, Method::DELETE, &config, &Value::Null).await;
        assert_eq!(gone.status, 200, "{}", gone.text);
        let number = |of: usize| json!({ "number": format!("+1415555{round:02}{of:02}") });
        let numbers = format!("{path}/numbers");
        let adds = (0..4).map(|of| {
            let (control, numbers, body) = (&pair.other.control, &numbers, number(of));
            async move { control.post(numbers, &body).await.status }
        });
        let config = json!({ "customer_id": id });
        let configs =
            (0..4).map(|_| request(&pair.other, &token, Method::POST, "/outbound_configs", &config));
        let (added, configs, deleted) =
            tokio::join!(join_all(adds), join_all(configs), pair.one.control.delete(&path));
        assert_eq!(deleted.status, 200, "{}", deleted.text);
        assert!(added.iter().all(|status| [201, 404].contains(status)), "{added:?}");
        assert!(configs.iter().all(|answer| answer.status < 500), "{configs:?}");
        let left = format!("SELECT count(*) FROM document WHERE customer = '{id}' AND NOT deleted");
        assert_eq!(pair.database.ask(&left), "0", "round {round}: {added:?}");
    }
}
