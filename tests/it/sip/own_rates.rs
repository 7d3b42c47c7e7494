//! Rates of single accounts: what their calls cost, which destinations they have, and what the price service answers.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use http::{StatusCode, header};
use reqwest::Response;
use serde_json::{Value, json};
use trunk_server::control::{AccountRate, ControlError, SaveOptions, World as WorldFile};

use super::edge::{ANSWERS_AT_ONCE, Edge, Trunk};
use super::uac::Call;
use crate::support::api::{Answer, Api, http_client};
use crate::support::world::World;

/// One US dollar a second, of every account that has no rates of its own.
const BY_THE_SECOND: &str = "[[sip.rates]]\nprefix = \"999\"\nper_minute = \"60\"\n";
const VOUT: &str = "api-vout.didww.com";
/// A number with the prefix of the one that answers at once, long enough to be looked up.
const LOOK_UP: &str = "/lookup/prices?filter[number]=99902000000";
const FILE: &str = "/prices.csv.gz";

/// A client of the price service for outbound calls, as an account.
struct Prices {
    base: String,
    token: String,
}

impl Prices {
    async fn of(base: &str, key: &str) -> Self {
        let token = Api::new(base, key).token(&json!({ "aud": VOUT, "scope": "read" })).await;
        Self { base: base.to_owned(), token }
    }

    async fn get(&self, path: &str, held: Option<&str>) -> Response {
        let request = http_client().get(format!("{}{path}", self.base)).header(header::HOST, VOUT);
        let request = request.header(header::ACCEPT, "application/vnd.api+json").bearer_auth(&self.token);
        let request = match held {
            Some(held) => request.header(header::IF_MODIFIED_SINCE, held),
            None => request,
        };
        request.send().await.unwrap()
    }

    /// The price of a minute, or the code of the error.
    async fn price(&self) -> String {
        let answer = Answer::of(self.get(LOOK_UP, None).await).await;
        let found = if answer.status == 200 { "/data/0/attributes/rate" } else { "/errors/0/code" };
        answer.at(found).as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
    }

    /// The date of the file and its lines, unless the copy with this date is current.
    async fn file(&self, held: Option<&str>) -> Option<(String, String)> {
        let response = self.get(FILE, held).await;
        if response.status() == StatusCode::NOT_MODIFIED {
            return None;
        }
        assert_eq!(response.status(), StatusCode::OK);
        let modified = response.headers()[header::LAST_MODIFIED].to_str().unwrap().to_owned();
        let mut text = String::new();
        MultiGzDecoder::new(response.bytes().await.unwrap().as_ref()).read_to_string(&mut text).unwrap();
        Some((modified, text))
    }
}

impl Edge {
    /// Sets the rates of the account.
    async fn set_rates(&self, prefix: &str, per_minute: &str) {
        let rates = json!({ "rates": [{ "prefix": prefix, "per_minute": per_minute }] });
        self.control_request(&format!("/accounts/{}/rates", self.account), "PUT", &rates).await;
    }

    async fn remove_rates(&self) {
        self.control_request(&format!("/accounts/{}/rates", self.account), "DELETE", &Value::Null).await;
    }

    /// Creates an account with this key.
    async fn account_with_key(&self, key: &str) {
        let account = json!({ "name": key, "api_key": key });
        self.control_request("/accounts", "POST", &account).await;
    }
}

/// Ends a call ten seconds after its answer. Returns its price, which is that of the record with this number.
async fn ten_seconds(edge: &Edge, trunk: &Trunk, call: &mut Call, number: usize) -> Value {
    edge.advance(10).await;
    call.hang_up().await;
    let record = edge.record(trunk, number).await;
    assert_eq!(record["duration"], 10, "{record}");
    record["price"].clone()
}

#[tokio::test]
async fn the_rates_of_an_account_are_what_its_calls_cost_and_what_its_prices_say() {
    let edge = Edge::with_config(BY_THE_SECOND).await;
    edge.freeze().await;
    edge.account_with_key("another").await;
    let own = Prices::of(&edge.binary.base, "good").await;
    let another = Prices::of(&edge.binary.base, "another").await;
    let trunk = edge.trunk(json!({ "rtp_timeout": 600 })).await;
    assert_eq!([own.price().await, another.price().await], ["60.0", "60.0"]);

    edge.set_rates("999", "6").await;
    assert_eq!([own.price().await, another.price().await], ["6.0", "60.0"]);
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    edge.set_rates("999", "12").await;
    assert_eq!(own.price().await, "12.0");
    assert_eq!(ten_seconds(&edge, &trunk, &mut call, 1).await, "1", "a call keeps the rate it began with");
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    assert_eq!(ten_seconds(&edge, &trunk, &mut call, 2).await, "2");

    edge.remove_rates().await;
    assert_eq!([own.price().await, another.price().await], ["60.0", "60.0"]);
    let mut call = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    assert_eq!(ten_seconds(&edge, &trunk, &mut call, 3).await, "10");

    // They are the whole table: what the server has for other destinations is no part of it.
    edge.set_rates("44", "6").await;
    assert_eq!([own.price().await, another.price().await], ["price_not_found", "60.0"]);
    let question = json!({ "source": "127.0.0.1", "username": trunk.username, "to": ANSWERS_AT_ONCE,
                           "from": "442079460018" });
    let explained = edge.explain(&question).await;
    assert_eq!(
        (&explained["verdict"], &explained["check"]),
        (&json!("refused"), &json!("route")),
        "{explained}"
    );
    assert_eq!(Call::new(&edge, ANSWERS_AT_ONCE).await.place(&trunk).await.code(), 404);
}

#[tokio::test]
async fn the_file_of_an_account_is_sent_again_when_its_rates_change() {
    let edge = Edge::with_config(BY_THE_SECOND).await;
    edge.freeze().await;
    edge.account_with_key("another").await;
    let own = Prices::of(&edge.binary.base, "good").await;
    let another = Prices::of(&edge.binary.base, "another").await;
    let (at_first, of_server) = own.file(None).await.unwrap();
    assert!(of_server.contains(",999,60.0,0.0,1,1,false,"), "{of_server}");
    assert_eq!(own.file(Some(&at_first)).await, None);
    let (of_another, _) = another.file(None).await.unwrap();
    edge.advance(60).await;

    edge.set_rates("999", "6").await;
    let (changed, text) = own.file(Some(&at_first)).await.unwrap();
    assert!(text.contains(",999,6.0,0.0,1,1,false,") && !text.contains(",60.0,"), "{text}");
    assert_eq!(own.file(Some(&changed)).await, None);
    assert_eq!(another.file(Some(&of_another)).await, None, "it has the table of the server as before");
    // The clock stands, and a date has whole seconds.
    edge.set_rates("999", "7").await;
    let (again, text) = own.file(Some(&changed)).await.unwrap();
    assert!(text.contains(",999,7.0,"), "{text}");
    edge.remove_rates().await;
    let (removed, text) = own.file(Some(&again)).await.unwrap();
    assert_eq!(text, of_server);
    assert_eq!(own.file(Some(&removed)).await, None);
}

#[tokio::test]
async fn what_is_no_table_of_rates_is_refused_and_changes_nothing() {
    let edge = Edge::with_config(BY_THE_SECOND).await;
    let path = format!("/accounts/{}/rates", edge.account);
    let absent = edge.control.get(&path).await;
    assert_eq!(absent.status, 404, "{}", absent.text);
    assert!(absent.text.contains("it has the rates of the server"), "{}", absent.text);
    assert_eq!(edge.control.delete(&path).await.status, 404);
    edge.set_rates("999", "6").await;
    let set = edge.control.get(&path).await.json();
    let expected =
        json!([{ "prefix": "999", "per_minute": "6.0", "initial_interval": 1, "next_interval": 1 }]);
    assert_eq!(set["rates"], expected);
    let rate = |prefix: &str, per_minute: &str| json!({ "prefix": prefix, "per_minute": per_minute });
    for (rates, named) in [
        (json!([]), "must be 1 to 10000"),
        (json!([rate("+44", "1")]), "1 to 15 digits"),
        (json!([rate("44", "-1")]), "from 0 up"),
        (json!([rate("44", "dear")]), "no decimal text"),
        (json!([rate("44", "1"), rate("44", "2")]), "44 twice"),
        (json!([{ "prefix": "44", "per_minute": "1", "next_interval": 0 }]), "rates[0].next_interval"),
        (json!([{ "prefix": "44" }]), "per_minute"),
        (json!([{ "prefix": "44", "per_minute": "1", "colour": "red" }]), "colour"),
    ] {
        let body = json!({ "rates": rates }).to_string();
        let answer = edge.control.send(http::Method::PUT, &path, &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        assert!(answer.text.contains(named), "{named}: {}", answer.text);
    }
    assert_eq!(edge.control.get(&path).await.json(), set);
    let unknown = "/accounts/00000000-0000-4000-8000-000000000000/rates";
    let body = json!({ "rates": [rate("44", "1")] }).to_string();
    assert_eq!(edge.control.send(http::Method::PUT, unknown, &body).await.status, 404);
}

#[tokio::test]
async fn an_account_has_prices_of_its_own_without_an_edge_and_until_it_is_deleted() {
    let world = World::start().await;
    let (control, account) = (world.server.control(), world.server.account());
    let prices = Prices::of(&world.server.base_url(), world.server.api_key()).await;
    assert_eq!(prices.price().await, "price_plan_not_assigned");
    let rates = vec![AccountRate::new("999", "0.5".parse().unwrap())];
    control.set_rates(account, rates.clone()).await.unwrap();
    assert_eq!(prices.price().await, "0.5");
    control.reset(Some(account)).await.unwrap();
    control.reset(None).await.unwrap();
    assert_eq!((prices.price().await.as_str(), control.rates(account).await.unwrap()), ("0.5", Some(rates)));
    control.delete_account(account).await.unwrap();
    assert!(matches!(control.rates(account).await, Err(ControlError::NotFound(_))));
}

#[tokio::test]
async fn the_rates_of_an_account_are_a_part_of_its_world() {
    let (first, second) = (World::start().await, World::start().await);
    let (control, account) = (first.server.control(), first.server.account());
    let rates = vec![AccountRate::new("999", "0.5".parse().unwrap())];
    control.set_rates(account, rates.clone()).await.unwrap();
    let options = SaveOptions::default().secrets();
    let saved = control.save_world(options).await.unwrap().to_json();
    let there = second.server.control();
    there.delete_account(second.server.account()).await.unwrap();
    let world = WorldFile::from_json(&saved).unwrap();
    for _ in 0..2 {
        there.load_world(&world, None).await.unwrap();
        assert_eq!(there.save_world(options).await.unwrap().to_json(), saved);
    }
    assert_eq!(there.rates(account).await.unwrap(), Some(rates.clone()));
    // The key is the same at both servers.
    let prices = Prices::of(&second.server.base_url(), first.server.api_key()).await;
    assert_eq!(prices.price().await, "0.5");
    // A file without rates leaves those of an account that exists as they are, and a wrong one changes nothing.
    let name = there.account(account).await.unwrap().name.clone();
    let without = json!({ "accounts": [{ "name": name }] }).to_string();
    there.load_world(&WorldFile::from_json(&without).unwrap(), None).await.unwrap();
    let wrong = json!({ "accounts": [{ "name": name, "rates": [{ "prefix": "x", "per_minute": "1" }] }] });
    let error = there.load_world(&WorldFile::from_json(&wrong.to_string()).unwrap(), None).await.unwrap_err();
    assert!(error.to_string().contains("1 to 15 digits"), "{error}");
    assert_eq!(there.rates(account).await.unwrap(), Some(rates));
}
