//! Records as JSON for logs.

use didww_client::resources::SmsTrunk;
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

#[test]
fn headers_and_parameters_whose_names_the_customer_chose_are_hidden_as_a_whole_and_urls_lose_their_credentials()
 {
    let configuration = json!({"type": "http_in", "attributes": {
        "url": "https://ann:canary@example.com/sms?token=canary&to=1", "http_method": "post", "query_parameters": {"key": "canary-key"},
        "headers": {"Authorization": "Bearer canary-bearer", "X-Empty": ""},
        "body_type": "raw", "body": "{ \"api_key\": \"canary-body\", \"to\": {SMS_DST_ADDR} }"}});
    let attributes = json!({"name": "Berlin", "external_reference_id": null, "blocked": false, "priority": 100,
        "allow_any_did_as_source": false, "allow_in": true, "allow_out": false, "configuration": configuration,
        "created_at": "2026-11-19T06:57:33.304Z", "updated_at": "2026-11-19T06:57:33.304Z"});
    let record = json!({"id": "1", "type": "sms_trunks", "attributes": attributes, "meta": {}});
    let trunk: SmsTrunk = serde_json::from_value(record).unwrap();
    let written = serde_json::to_value(Masked(&trunk)).unwrap();
    let shown = &written["attributes"]["configuration"]["attributes"];
    assert_eq!(shown["headers"], json!({"Authorization": "(hidden)", "X-Empty": ""}));
    assert_eq!(shown["query_parameters"], json!({"key": "(hidden)"}));
    assert_eq!(shown["url"], "https://(hidden)@example.com/sms?token=(hidden)&to=1");
    assert_eq!(shown["body"], "(hidden)");
}
