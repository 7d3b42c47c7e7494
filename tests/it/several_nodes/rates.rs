//! Rates of single accounts, which every server keeps in memory.

use serde_json::{Value, json};

use super::Pair;
use crate::sip::edge::{Edge, until};
use crate::support::api::{Answer, http_client};

const VOUT: &str = "api-vout.didww.com";

/// The price of a minute that a server answers to the account; null if it answers none.
async fn price(edge: &Edge, token: &str) -> Value {
    let request =
        http_client().get(format!("{}/lookup/prices?filter[number]=442079460018", edge.binary.base));
    let request = request.header("Host", VOUT).header("Accept", "application/vnd.api+json");
    let answer = Answer::of(request.bearer_auth(token).send().await.unwrap()).await;
    answer.at("/data/0/attributes/rate")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rates_that_are_set_and_removed_at_one_server_hold_at_the_other_one() {
    let pair = Pair::start().await;
    let token = pair.one.api.token(&json!({ "aud": VOUT, "scope": "read" })).await;
    let path = format!("/accounts/{}/rates", pair.one.account);
    let of_server = price(&pair.one, &token).await;
    assert!(of_server.is_string(), "{of_server}");
    for (own, [sets, follows]) in [("1.5", [&pair.one, &pair.other]), ("2.5", [&pair.other, &pair.one])] {
        let rates = json!({ "rates": [{ "prefix": "44", "per_minute": own }] });
        sets.control_request(&path, "PUT", &rates).await;
        assert_eq!(price(sets, &token).await, own);
        until("the other server has the rates", async || (price(follows, &token).await == own).then_some(()))
            .await;
        follows.control_request(&path, "DELETE", &Value::Null).await;
        assert_eq!(price(follows, &token).await, of_server);
        until("they are gone", async || (price(sets, &token).await == of_server).then_some(())).await;
    }
}
