//! Access keys of VoIPBIN's side, which every server keeps in memory.

use std::time::Duration;

use serde_json::json;

use super::Pair;
use super::ledger::ADMIN;
use crate::sip::edge::{Edge, until};
use crate::support::api::http_client;

/// The time between two attempts with a key that a server does not know yet, which stays below the limit of wrong credentials.
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
