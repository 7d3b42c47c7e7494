//! The clients of the price services: their tokens, their paths and their results.

use std::time::Duration;

use didww_client::{ApiVersion, ErrorCode, VoiceInPrices, VoiceOutPrices};
use didww_client::{Client, ClientBuilder, Error, RetryPolicy, SmsDestination, SmsPrices, SmsTraffic};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request};

use crate::support::{KEY, response};

fn builder(server: &MockServer) -> ClientBuilder {
    let retry = RetryPolicy::default().base_wait(Duration::ZERO);
    Client::builder(format!("{}/v3", server.uri()), KEY).retry(retry)
}

/// A server that mints tokens, and answers everything else with this status and body.
async fn server(status: u16, body: &Value) -> MockServer {
    let server = MockServer::start().await;
    let token = json!({ "access_token": "canary-token", "token_type": "Bearer", "expires_in": 900 });
    Mock::given(method("POST")).and(path("/token")).respond_with(response(200, &token)).mount(&server).await;
    Mock::given(method("GET")).respond_with(response(status, body)).mount(&server).await;
    server
}

/// The requests to the token service, and the other requests.
async fn received(server: &MockServer) -> (Value, Vec<Request>) {
    let requests = server.received_requests().await.unwrap();
    let (mints, others): (Vec<Request>, Vec<Request>) =
        requests.into_iter().partition(|request| request.url.path() == "/token");
    (serde_json::from_slice(&mints[0].body).unwrap(), others)
}

#[tokio::test]
async fn a_look_up_of_inbound_calls_has_a_token_for_its_service_and_the_filters_it_is_for() {
    let body = json!({
        "data": [{ "id": "5c6a2bfe-5ae1-58d0-9d2d-1b1a4a9c3f10", "type": "prices", "attributes": {
            "destination": "1800", "country": "United States", "src_country_name": null, "source_type": "cellular",
            "rate": "0.02", "connection_fee": "0.0", "initial_interval": 60, "next_interval": 1,
            "reject_calls": false,
        } }],
        "meta": { "total_records": 1 },
    });
    let server = server(200, &body).await;
    // The services know the versions with tokens alone.
    let prices = VoiceInPrices::new(builder(&server).api_version(ApiVersion::V2022_05_10)).unwrap();
    let found = prices.look_up("18005550123", Some("CA")).await.unwrap();
    assert_eq!(found[0].attributes.rate, Some("0.02".parse().unwrap()));
    assert_eq!(
        (found[0].attributes.destination.as_str(), found[0].attributes.initial_interval),
        ("1800", 60)
    );
    let (minted, others) = received(&server).await;
    assert_eq!(minted, json!({ "aud": "api-vin.didww.com", "scope": "read", "api_version": "2026-11-19" }));
    assert_eq!(others[0].url.path(), "/v3/lookup/prices");
    let query: Vec<(String, String)> = others[0].url.query_pairs().into_owned().collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(query, [pair("filter[number]", "18005550123"), pair("filter[src_country_iso]", "CA")]);
    assert_eq!(others[0].headers["authorization"], "Bearer canary-token");
    assert!(!others[0].headers.contains_key("api-key"));
}

#[tokio::test]
async fn a_plan_that_the_account_lacks_is_an_error_with_its_code() {
    let error = json!({ "title": "t", "detail": "d", "code": "price_plan_not_assigned", "status": "404" });
    let server = server(404, &json!({ "errors": [error] })).await;
    let error = VoiceOutPrices::new(builder(&server)).unwrap().look_up("493012345678").await.unwrap_err();
    assert!(matches!(&error, Error::NotFound(_)), "{error}");
    assert_eq!(error.errors()[0].known_code(), Some(ErrorCode::PricePlanNotAssigned));
    let (minted, others) = received(&server).await;
    assert_eq!(minted["aud"], "api-vout.didww.com");
    assert_eq!(others[0].url.query(), Some("filter%5Bnumber%5D=493012345678"));
}

#[tokio::test]
async fn text_messages_are_looked_up_by_a_number_a_country_or_both() {
    let server = server(200, &json!({ "data": [], "meta": { "total_records": 0 } })).await;
    let prices = SmsPrices::new(builder(&server)).unwrap();
    let number = "447700900123";
    prices.sms_out(SmsTraffic::A2p, SmsDestination::Number(number)).await.unwrap();
    prices.sms_out(SmsTraffic::Otp, SmsDestination::Country("GB")).await.unwrap();
    prices.sms_in(SmsDestination::NumberIn { number, country: "GB" }).await.unwrap();
    let (minted, others) = received(&server).await;
    assert_eq!(minted["aud"], "api-sms.didww.com");
    let asked: Vec<String> = others
        .iter()
        .map(|request| {
            let pairs: Vec<String> =
                request.url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}?{}", request.url.path(), pairs.join("&"))
        })
        .collect();
    assert_eq!(
        asked,
        [
            "/v3/sms_out/a2p/lookup/prices?filter[dst_number]=447700900123",
            "/v3/sms_out/otp/lookup/prices?filter[dst_country_iso]=GB",
            "/v3/sms_in/lookup/prices?filter[dst_number]=447700900123&filter[dst_country_iso]=GB",
        ]
    );
}

#[tokio::test]
async fn a_service_at_another_address_is_named_and_the_token_service_is_not() {
    let server = server(200, &json!({ "data": [], "meta": { "total_records": 0 } })).await;
    let prices = VoiceOutPrices::new(builder(&server).host("api-vout.didww.com")).unwrap();
    prices.look_up("447700900123").await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let hosts: Vec<(&str, &str)> = requests
        .iter()
        .map(|request| (request.url.path(), request.headers["host"].to_str().unwrap()))
        .collect();
    let own = server.address().to_string();
    assert_eq!(hosts, [("/token", own.as_str()), ("/v3/lookup/prices", "api-vout.didww.com")]);
}

#[cfg(feature = "exports")]
#[tokio::test]
async fn a_price_file_is_downloaded_and_its_rows_are_read_by_their_columns() {
    use std::collections::BTreeMap;
    use std::io::Write as _;

    let server = MockServer::start().await;
    let token = json!({ "access_token": "canary-token", "token_type": "Bearer", "expires_in": 900 });
    Mock::given(method("POST")).and(path("/token")).respond_with(response(200, &token)).mount(&server).await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(b"Prefix,Rate\n44,0.01\n").unwrap();
    let file =
        wiremock::ResponseTemplate::new(200).set_body_raw(encoder.finish().unwrap(), "application/gzip");
    Mock::given(path("/v3/sms_out/p2p/prices.csv.gz")).respond_with(file).mount(&server).await;
    let prices = SmsPrices::new(builder(&server)).unwrap();
    let file = prices.sms_out_file(SmsTraffic::P2p).await.unwrap();
    let rows: Vec<BTreeMap<String, String>> = file.rows().collect::<Result<_, _>>().unwrap();
    assert_eq!((rows.len(), rows[0]["Prefix"].as_str(), rows[0]["Rate"].as_str()), (1, "44", "0.01"));
}

#[test]
fn neither_key_nor_token_is_printed() {
    let prices = VoiceOutPrices::production(KEY).unwrap();
    let shown = format!("{prices:?}");
    assert!(shown.starts_with("VoiceOutPrices(") && !shown.contains(KEY), "{shown}");
}
