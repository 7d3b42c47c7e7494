//! Records as JSON for logs.

use didww_client::{Masked, Page};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer};

use crate::support::{TRUNK, client, document, id, response, trunk};

#[tokio::test]
async fn a_record_and_a_page_are_serialised_without_secrets() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, &document(&trunk()))).up_to_n_times(1).mount(&server).await;
    let list = json!({"data": [trunk()], "meta": {"total_records": 7}});
    Mock::given(any()).respond_with(response(200, &list)).mount(&server).await;
    let trunks = client(&server).voice_out_trunks();
    let single = trunks.get(&id(TRUNK)).await.unwrap();
    let written = serde_json::to_value(&single).unwrap();
    assert_eq!(written, serde_json::to_value(Masked(&*single)).unwrap());
    let method = |record: &Value| record["attributes"]["authentication_method"]["attributes"].clone();
    assert_eq!((&written["id"], &written["attributes"]["name"]), (&json!(TRUNK), &json!("Berlin")));
    assert_eq!(method(&written)["password"], "(hidden)");
    assert_eq!(method(&written)["username"], "canary-username");
    let page: Page<_> = trunks.list().await.unwrap();
    assert_eq!((page.len(), page.is_empty(), page.iter().count()), (1, false, 1));
    let written = serde_json::to_value(&page).unwrap();
    assert_eq!(written["total"], 7);
    assert_eq!(method(&written["items"][0])["password"], "(hidden)");
    assert!(!written.to_string().contains("canary-password"));
}
