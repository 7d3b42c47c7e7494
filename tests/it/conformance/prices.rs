//! The price services: their hosts, tokens, look-ups and files. The numbers are those of the cases of 2026-11-19.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Duration;

use didww_client::{Client, Error, SmsDestination, SmsPrices, SmsTraffic, VoiceInPrices, VoiceOutPrices};
use flate2::read::MultiGzDecoder;
use http::{Method, header};
use serde_json::{Value, json};
use trunk_server::PriceService;
use trunk_server::account::Environment;
use trunk_server::config::{Config, PricesConfig};
use trunk_server::control::{AccountPatch, NewAccount};

use crate::support::api::{Answer, Api, NEW, http_client};
use crate::support::engine;
use crate::support::world::*;

/// Plans of inbound calls, and of two kinds of text messages.
const PLANS: &str = r#"
[[prices.voice_in]]
destination = "1800"
country = "US"
source_type = "fixed"
rate = "0.020"
initial_interval = 60

[[prices.voice_in]]
destination = "1800555"
country = "US"
source_type = "cellular"
rate = "0.1"
connection_fee = "0.05"

[[prices.voice_in]]
destination = "1"
country = "US"
src_country = "CA"
source_type = "fixed"
reject_calls = true

[[prices.sms_out_a2p]]
destination_prefix = "44"
country = "GB"
price = "0.05"

[[prices.sms_out_a2p]]
destination_prefix = "447"
country = "GB"
mcc = 234
mcc_name = "United Kingdom"
mnc = 15
mnc_name = "Vodafone, 3G"
reject_sms = true

[[prices.sms_in]]
destination_prefix = "44"
destination_number_length_min = 12
destination_number_length_max = 12
country = "GB"
price = "0"
"#;

const LOOK_UP: &str = "/lookup/prices?filter[number]=18005550123";
const FILE: &str = "/prices.csv.gz";
const VIN: &str = "api-vin.didww.com";
const VOUT: &str = "api-vout.didww.com";
const SMS: &str = "api-sms.didww.com";

const INVALID_TOKEN: &str =
    r#"{"errors":[{"title":"Invalid token","detail":"Invalid token","code":"401","status":"401"}]}"#;

fn config(text: &str) -> PricesConfig {
    Config::from_toml(text).unwrap().prices
}

/// A server with an edge and all plans.
async fn start() -> World {
    World::of(engine::builder().sip().prices(config(PLANS))).await
}

fn no_plan() -> Expected {
    let text = "No price plan is assigned to the account.";
    error(404, "price_plan_not_assigned", "Price plan not assigned", text)
}

fn no_price() -> Expected {
    error(404, "price_not_found", "Price not found", "The price plan has no price for the request.")
}

/// A client of a price service at the address of the API.
struct Prices {
    base: String,
    host: &'static str,
    token: String,
}

impl World {
    /// A client of the service with this host, with a token that reads.
    async fn prices(&self, host: &'static str) -> Prices {
        let token = self.api.token(&json!({ "aud": host, "scope": "read" })).await;
        Prices { base: self.server.base_url(), host, token }
    }
}

impl Prices {
    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = http_client().request(method, format!("{}{path}", self.base));
        let request =
            request.header(header::HOST, self.host).header(header::ACCEPT, "application/vnd.api+json");
        request.bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// The lines of a price file.
    async fn lines(&self, path: &str) -> Vec<String> {
        let response = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut text = String::new();
        MultiGzDecoder::new(response.bytes().await.unwrap().as_ref()).read_to_string(&mut text).unwrap();
        assert!(text.ends_with('\n') && !text.contains('\r'));
        text.lines().map(str::to_owned).collect()
    }
}

fn columns(kind: &str) -> String {
    let all: Value = serde_json::from_str(include_str!("../../../fixtures/prices/columns.json")).unwrap();
    let of = |part: &str| all[kind][part].as_array().unwrap().clone();
    let names = [of("published"), of("inferred")].concat();
    names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(",")
}

#[tokio::test]
async fn n91_a_look_up_has_a_price_for_each_type_of_source_and_a_number_of_records_alone() {
    let world = start().await;
    let prices = world.prices(VIN).await;
    let answer = prices.get(LOOK_UP).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text, include_str!("../../../fixtures/prices/voice_in.look_up.response.json"));
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/vnd.api+json");
    // A price for calls from a country goes before longer prefixes; a rejection is an answer.
    let answer = prices.get(&format!("{LOOK_UP}&filter[src_country_iso]=CA")).await;
    assert_eq!((answer.status, answer.at("/meta")), (200, json!({ "total_records": 2 })));
    assert_eq!(answer.at("/data/0/attributes/source_type"), "cellular");
    let rejected = answer.at("/data/1/attributes");
    assert_eq!((&rejected["reject_calls"], &rejected["rate"]), (&json!(true), &Value::Null));
    assert_eq!(
        (&rejected["src_country_name"], &rejected["connection_fee"]),
        (&json!("Canada"), &Value::Null)
    );
    refused(&prices.get("/lookup/prices?filter[number]=33123456789").await, &[no_price()]);
    // The sandbox has other hosts; the audience is the same.
    let sandbox = Prices { host: "api-vin-sandbox.didww.com:443", ..world.prices(VIN).await };
    assert_eq!(sandbox.get(LOOK_UP).await.status, 200);
}

#[tokio::test]
async fn n92_a_look_up_takes_filters_alone_and_a_number_without_a_prefix() {
    let world = start().await;
    let prices = world.prices(VIN).await;
    let refusal = |code: &str, title: &str, detail: &str| error(400, code, title, detail);
    let page = refusal("105", "Param not allowed", "page is not allowed.");
    refused(&prices.get(&format!("{LOOK_UP}&page[size]=1")).await, &[page]);
    let number = refusal("107", "Invalid filter value", "0123 is not a valid value for number.");
    refused(&prices.get("/lookup/prices?filter[number]=0123").await, &[number]);
    let missing = "The required parameter, filter[number], is missing.";
    refused(&prices.get("/lookup/prices").await, &[refusal("106", "Missing Parameter", missing)]);
    let country = refusal("107", "Invalid filter value", "XX is not a valid value for src_country_iso.");
    refused(&prices.get(&format!("{LOOK_UP}&filter[src_country_iso]=XX")).await, &[country]);
    let outbound = world.prices(VOUT).await;
    let filter = refusal("102", "Filter not allowed", "src_country_iso is not allowed.");
    refused(&outbound.get(&format!("{LOOK_UP}&filter[src_country_iso]=CA")).await, &[filter]);
}

#[tokio::test]
async fn n93_without_a_plan_every_operation_says_so() {
    // Neither plans nor an edge that charges calls.
    let world = World::start().await;
    for (host, base) in
        [(VIN, ""), (VOUT, ""), (SMS, "/sms_in"), (SMS, "/sms_out/a2p"), (SMS, "/sms_out/otp")]
    {
        let prices = world.prices(host).await;
        let filter = if host == SMS { "filter[dst_country_iso]=GB" } else { "filter[number]=18005550123" };
        for path in [format!("{base}/lookup/prices?{filter}"), format!("{base}{FILE}")] {
            refused(&prices.get(&path).await, &[no_plan()]);
        }
    }
    let world = start().await;
    refused(&world.prices(SMS).await.get("/sms_out/p2p/prices.csv.gz").await, &[no_plan()]);
}

#[tokio::test]
async fn n94_a_file_that_did_not_change_is_not_sent_again() {
    let world = start().await;
    let prices = world.prices(VIN).await;
    let first = prices.request(Method::HEAD, FILE).send().await.unwrap();
    assert_eq!(first.status(), 200);
    let of_head = first.headers().clone();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/gzip"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"voice_in_prices.csv.gz\""),
        (header::CACHE_CONTROL, "private"),
        (header::ACCEPT_RANGES, "none"),
        (header::VARY, "Authorization"),
    ] {
        assert_eq!(of_head[&name], value);
    }
    assert!(!of_head.contains_key(header::ETAG));
    let modified = of_head[header::LAST_MODIFIED].to_str().unwrap().to_owned();
    assert!(first.bytes().await.unwrap().is_empty());
    let file = prices.request(Method::GET, FILE).send().await.unwrap();
    assert_eq!(file.headers()[header::LAST_MODIFIED], modified.as_str());
    let length = file.bytes().await.unwrap().len().to_string();
    assert_eq!(of_head[header::CONTENT_LENGTH], length.as_str());
    for method in [Method::HEAD, Method::GET] {
        let request = prices.request(method, FILE).header(header::IF_MODIFIED_SINCE, &modified);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.text.as_str()), (304, ""));
        assert_eq!(answer.headers[header::LAST_MODIFIED], modified.as_str());
        assert_eq!(answer.headers[header::CACHE_CONTROL], "private");
        assert!(!answer.headers.contains_key(header::CONTENT_LENGTH));
    }
    let older = prices.request(Method::HEAD, FILE);
    let older = older.header(header::IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:37 GMT");
    let older = older.header(header::IF_NONE_MATCH, "*").send().await.unwrap();
    assert_eq!(older.status(), 200);
}

#[tokio::test]
async fn an_account_that_came_later_than_the_file_is_sent_it_with_its_own_date() {
    let world = start().await;
    let control = world.server.control();
    control.clock().advance(Duration::from_hours(24));
    let mut account = NewAccount::named("later");
    account.api_key = Some("later-key".into());
    control.create_account(account).await.unwrap();
    let early = world.prices(VIN).await.request(Method::HEAD, FILE).send().await.unwrap();
    let modified = &early.headers()[header::LAST_MODIFIED];
    let later = Api::new(world.server.base_url(), "later-key").token(&json!({ "aud": VIN })).await;
    let later = Prices { token: later, ..world.prices(VIN).await };
    let held =
        later.request(Method::HEAD, FILE).header(header::IF_MODIFIED_SINCE, modified).send().await.unwrap();
    assert_eq!(held.status(), 200, "what another account holds is not what this one holds");
    assert_ne!(&held.headers()[header::LAST_MODIFIED], modified);
}

#[tokio::test]
async fn a_file_has_the_published_columns_and_a_line_for_each_price() {
    let world = start().await;
    let lines = world.prices(VIN).await.lines(FILE).await;
    assert_eq!(
        lines,
        [
            columns("voice_in").as_str(),
            "United States,,fixed,1800,0.02,0.0,60,1,false",
            "United States,,cellular,1800555,0.1,0.05,1,1,false",
            "United States,Canada,fixed,1,,,1,1,true",
        ]
    );
    let sms = world.prices(SMS).await;
    let lines = sms.lines("/sms_out/a2p/prices.csv.gz").await;
    assert_eq!(
        lines,
        [
            columns("sms_out").as_str(),
            ",44,United Kingdom,,,,,false,0.05",
            ",447,United Kingdom,234,United Kingdom,15,\"Vodafone, 3G\",true,",
        ]
    );
    let lines = sms.lines("/sms_in/prices.csv.gz").await;
    assert_eq!(lines, [columns("sms_in").as_str(), ",1,15,44,12,12,United Kingdom,0.0"]);
    let lines = world.prices(VOUT).await.lines(FILE).await;
    assert_eq!(lines[0], columns("voice_out"));
    assert!(lines.contains(&"International,,,447,0.03,0.0,1,1,false,,,,,,,".to_owned()), "{lines:?}");
}

#[tokio::test]
async fn outbound_prices_are_those_that_calls_are_charged_by() {
    let world = start().await;
    let answer = world.prices(VOUT).await.get("/lookup/prices?filter[number]=447700900123").await;
    let price = answer.at("/data/0/attributes");
    let charged =
        ["prefix", "rate", "initial_increment", "recurring_increment"].map(|name| price[name].clone());
    assert_eq!((answer.status, answer.at("/meta/total_records")), (200, json!(1)));
    assert_eq!(charged, [json!("447"), json!("0.03"), json!(1), json!(1)], "as the edge's own table has it");
    assert_eq!((&price["category"], &price["next_rate"]), (&json!("International"), &Value::Null));
    // The ids are the same for every account and at every start.
    let again = start().await.prices(VOUT).await.get("/lookup/prices?filter[number]=447700900999").await;
    assert_eq!(answer.at("/data/0/id"), again.at("/data/0/id"));
}

#[tokio::test]
async fn text_messages_are_priced_by_a_number_or_a_country() {
    let world = start().await;
    let prices = world.prices(SMS).await;
    let count = async |path: &str| prices.get(path).await.at("/meta/total_records");
    assert_eq!(count("/sms_out/a2p/lookup/prices?filter[dst_number]=447700900123").await, 1);
    assert_eq!(count("/sms_out/a2p/lookup/prices?filter[dst_country_iso]=GB").await, 2);
    assert_eq!(count("/sms_in/lookup/prices?filter[dst_number]=447700900123").await, 1);
    refused(&prices.get("/sms_in/lookup/prices?filter[dst_number]=44770090012").await, &[no_price()]);
    refused(&prices.get("/sms_in/lookup/prices?filter[dst_country_iso]=FR").await, &[no_price()]);
    let missing = "The required parameter, filter[dst_number] or filter[dst_country_iso], is missing.";
    let expected = error(400, "106", "Missing Parameter", missing);
    refused(&prices.get("/sms_in/lookup/prices").await, &[expected]);
}

#[tokio::test]
async fn a_request_needs_a_token_for_the_service_and_no_key_helps() {
    let world = start().await;
    let own = world.prices(VIN).await;
    let challenge = "Bearer error=\"invalid_token\"";
    for token in [world.api.token(&json!({})).await, world.prices(VOUT).await.token, "x.y.z".to_owned()] {
        let answer = Prices { token, ..world.prices(VIN).await }.get(LOOK_UP).await;
        assert_eq!((answer.status, answer.text.as_str()), (401, INVALID_TOKEN));
        assert_eq!(answer.headers[header::WWW_AUTHENTICATE], challenge);
    }
    let request = http_client().get(format!("{}{LOOK_UP}", own.base)).header(header::HOST, VIN);
    let answer = Answer::of(request.header("Api-Key", world.server.api_key()).send().await.unwrap()).await;
    assert_eq!((answer.status, answer.text.as_str()), (401, INVALID_TOKEN));
    assert_eq!(answer.headers[header::WWW_AUTHENTICATE], challenge);
    // The version of a token makes no difference, and neither does its scope.
    let token =
        world.api.token(&json!({ "aud": [VIN, "api.didww.com"], "api_version": NEW, "scope": "full" })).await;
    let old = Prices { token, ..world.prices(VIN).await };
    assert_eq!(old.get(LOOK_UP).await.status, 200);
    let head = Prices { token: "x".to_owned(), ..world.prices(VIN).await };
    let head = head.request(Method::HEAD, FILE).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), head.headers()[header::WWW_AUTHENTICATE].to_str().unwrap()),
        (401, challenge)
    );
    assert!(head.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_token_is_minted_at_the_hosts_of_the_price_services_too() {
    let world = start().await;
    for host in [VIN, "api-sms.localhost:8080"] {
        let request = http_client().post(world.server.token_url()).header(header::HOST, host);
        let request = request.header("Api-Key", world.server.api_key());
        let answer = request.body(json!({ "aud": VIN }).to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{host}");
    }
}

#[tokio::test]
async fn another_path_method_or_accepted_type_is_refused_as_the_api_does() {
    let world = start().await;
    let prices = world.prices(VIN).await;
    let not_found = || error(404, "404", "Not Found", "Not Found");
    for path in ["/dids", "/sms_in/lookup/prices", "/lookup/prices/1", "/prices"] {
        refused(&prices.get(path).await, &[not_found()]);
    }
    let post = prices.request(Method::POST, LOOK_UP).send().await.unwrap();
    refused(&Answer::of(post).await, &[not_found()]);
    let mut request = prices.request(Method::GET, LOOK_UP).build().unwrap();
    request.headers_mut().insert(header::ACCEPT, "text/html".parse().unwrap());
    assert_eq!(http_client().execute(request).await.unwrap().status(), 406);
    let head = prices.request(Method::HEAD, LOOK_UP).send().await.unwrap();
    assert_eq!(head.status(), 200, "a look-up answers HEAD as well");
    assert!(head.bytes().await.unwrap().is_empty());
    // The host of the API serves no prices.
    assert_eq!(Prices { host: "api.didww.com", ..prices }.get(LOOK_UP).await.status, 404);
}

#[tokio::test]
async fn a_web_page_may_read_prices_and_say_which_file_it_has() {
    let world = start().await;
    let page = "https://console.example";
    // A preflight has no credential of its own.
    let unknown = Prices { token: "x".to_owned(), ..world.prices(VIN).await };
    let preflight = |path: &str| {
        let request = unknown.request(Method::OPTIONS, path).header(header::ORIGIN, page);
        request.header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET")
    };
    for path in [FILE, LOOK_UP] {
        let answer = Answer::of(preflight(path).send().await.unwrap()).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{path}");
        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], page);
        let allowed = answer.headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap();
        for name in ["authorization", "if-modified-since"] {
            assert!(allowed.split(", ").any(|one| one == name), "{name}: {allowed}");
        }
    }
    assert_eq!(preflight("/dids").send().await.unwrap().status(), 404);
    let file = world.prices(VIN).await.request(Method::GET, FILE).header(header::ORIGIN, page);
    let file = file.send().await.unwrap();
    assert_eq!(file.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], page);
    let varies: Vec<&str> =
        file.headers().get_all(header::VARY).iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(varies, ["Authorization", "Origin"]);
}

#[tokio::test]
async fn each_service_has_a_budget_of_the_account_of_its_own() {
    let world = start().await;
    let (inbound, outbound) = (world.prices(VIN).await, world.prices(VOUT).await);
    world.server.control().clock().freeze(None);
    let mut limit = AccountPatch::default();
    limit.rate_limit = Some(2).into();
    world.server.control().update_account(world.server.account(), limit).await.unwrap();
    for _ in 0..2 {
        assert_eq!(inbound.get(LOOK_UP).await.status, 200);
    }
    let answer = inbound.get(FILE).await;
    refused(&answer, &[error(429, "too_many_requests", "Too Many Requests", "Too Many Requests")]);
    assert_eq!(answer.headers[header::RETRY_AFTER], "1");
    assert_eq!(outbound.get(LOOK_UP).await.status, 200);
    assert_eq!(world.api.get(TRUNKS).await.status, 200);
}

#[tokio::test]
async fn a_token_of_the_sandbox_is_refused_in_production() {
    let mut sandbox = trunk_server::config::TokensConfig::default();
    sandbox.environment = Some(Environment::Sandbox);
    let sandbox = World::of(engine::builder().tokens(sandbox).prices(config(PLANS))).await;
    let prices = sandbox.prices(VIN).await;
    assert_eq!(prices.get(LOOK_UP).await.status, 200);
    let production = start().await;
    let there = Prices { base: production.server.base_url(), ..prices };
    assert_eq!(there.get(LOOK_UP).await.status, 401);
}

#[tokio::test]
async fn the_journal_has_the_account_of_a_request_for_prices() {
    let world = start().await;
    assert_eq!(world.prices(VIN).await.get(LOOK_UP).await.status, 200);
    let entries = world.server.received_requests();
    let entry = entries.iter().find(|entry| entry.path == "/v3/lookup/prices").unwrap();
    assert_eq!((entry.status, entry.account), (Some(200), Some(world.server.account())));
}

/// Places of all services, two of which have listeners of their own and one a host.
fn apart() -> PricesConfig {
    let places = "[prices]\nvoice_in_listen = \"127.0.0.1:0\"\nvoice_out_host = \"rates.test\"\n\
                  sms_listen = \"127.0.0.1:0\"\nsms_host = \"sms.test\"\n";
    config(&format!("{places}{PLANS}"))
}

#[tokio::test]
async fn a_service_is_served_at_its_own_listener_or_by_its_own_host_and_nowhere_else() {
    let world = World::of(engine::builder().sip().prices(apart())).await;
    let url = |service| world.server.server().price_url(service);
    assert_eq!(url(PriceService::VoiceOut), None);
    let inbound = Prices { base: url(PriceService::VoiceIn).unwrap(), ..world.prices(VIN).await };
    assert_eq!(inbound.get(LOOK_UP).await.status, 200);
    assert_eq!(Prices { host: "localhost", ..inbound }.get(LOOK_UP).await.status, 200, "any host");
    assert_eq!(world.prices(VIN).await.get(LOOK_UP).await.status, 404, "no longer at the address of the API");
    let outbound = Prices { host: "rates.test", ..world.prices(VOUT).await };
    assert_eq!(outbound.get(LOOK_UP).await.status, 200);
    assert_eq!(Prices { host: VOUT, ..outbound }.get(LOOK_UP).await.status, 404);
    let sms = "/sms_in/lookup/prices?filter[dst_country_iso]=GB";
    let own = url(PriceService::Sms).unwrap();
    let named = Prices { base: own.clone(), host: "sms.test", ..world.prices(SMS).await };
    assert_eq!(named.get(sms).await.status, 200);
    refused(&Prices { host: SMS, ..named }.get(sms).await, &[error(404, "404", "Not Found", "Not Found")]);
    let elsewhere = Prices { base: own, host: "sms.test", ..world.prices(SMS).await };
    assert_eq!(elsewhere.get(LOOK_UP).await.status, 404, "the listener has one service");
}

#[tokio::test]
async fn the_sdk_reads_look_ups_and_files() {
    let places = "[prices]\nvoice_in_listen = \"127.0.0.1:0\"\nvoice_out_listen = \"127.0.0.1:0\"\n\
                  sms_listen = \"127.0.0.1:0\"\n";
    let world = World::of(engine::builder().sip().prices(config(&format!("{places}{PLANS}")))).await;
    let builder = |service| {
        let url = world.server.server().price_url(service).unwrap();
        Client::builder(url, world.server.api_key()).token_url(world.server.token_url())
    };
    let inbound = VoiceInPrices::new(builder(PriceService::VoiceIn)).unwrap();
    let found = inbound.look_up("18005550123", Some("CA")).await.unwrap();
    let sources: Vec<&str> = found.iter().map(|price| price.attributes.source_type.as_str()).collect();
    assert_eq!(sources, ["cellular", "fixed"]);
    let error = inbound.look_up("33123456789", None).await.unwrap_err();
    assert!(matches!(&error, Error::NotFound(_)), "{error}");
    let rows: Vec<BTreeMap<String, String>> =
        inbound.file().await.unwrap().rows().collect::<Result<_, _>>().unwrap();
    assert_eq!((rows.len(), rows[1]["Rate"].as_str()), (3, "0.1"));
    let outbound = VoiceOutPrices::new(builder(PriceService::VoiceOut)).unwrap();
    assert_eq!(outbound.look_up("447700900123").await.unwrap()[0].attributes.prefix, "447");
    assert!(outbound.file().await.unwrap().rows::<BTreeMap<String, String>>().count() > 3);
    let sms = SmsPrices::new(builder(PriceService::Sms)).unwrap();
    let found = sms.sms_out(SmsTraffic::A2p, SmsDestination::Country("GB")).await.unwrap();
    assert_eq!(found.iter().map(|price| price.attributes.reject_sms).collect::<Vec<_>>(), [false, true]);
    let destination = SmsDestination::NumberIn { number: "447700900123", country: "GB" };
    assert_eq!(sms.sms_in(destination).await.unwrap()[0].attributes.price.to_string(), "0.0");
    assert_eq!(sms.sms_in_file().await.unwrap().rows::<BTreeMap<String, String>>().count(), 1);
}
