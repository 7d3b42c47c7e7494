//! Blocking calls, from threads without a runtime and with one.

use didww_client::blocking::{Wait as _, WaitEach as _};
use didww_client::{Client, Error, Misplaced, SmsDestination, SmsPrices, SmsTraffic, VoiceOutPrices};
use serde_json::json;
use tokio::runtime::Builder;
use wiremock::matchers::{method, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{DID, KEY, TRUNK, client, did, document, id, response, trunk};

/// Runs the preparation of a test on a runtime of its own, which the test does not enter.
fn prepare(mocks: Vec<Mock>) -> (tokio::runtime::Runtime, MockServer, Client) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        for mock in mocks {
            mock.mount(&server).await;
        }
        server
    });
    let client = client(&server);
    (runtime, server, client)
}

#[test]
fn requests_methods_and_streams_block_until_they_are_answered() {
    let page = |number: &str, next: Option<u64>| {
        let mut links = json!({"first": "https://api.didww.com/v3/dids?page%5Bnumber%5D=1"});
        if let Some(next) = next {
            links["next"] = json!(format!("https://api.didww.com/v3/dids?page%5Bnumber%5D={next}"));
        }
        json!({"data": [did(&format!("id-{number}"), number)], "links": links, "meta": {"total_records": 2}})
    };
    let (_runtime, _server, client) = prepare(vec![
        Mock::given(method("DELETE")).respond_with(ResponseTemplate::new(204)),
        Mock::given(method("PATCH")).respond_with(response(200, &document(&trunk()))),
        Mock::given(query_param("page[number]", "2"))
            .respond_with(response(200, &page("2", None)))
            .with_priority(1),
        Mock::given(method("GET")).respond_with(response(200, &page("1", Some(2)))),
    ]);
    let all: Result<Vec<String>, Error> =
        client.dids().list().stream().wait_each().map(|did| did.map(|did| did.number)).collect();
    assert_eq!(all.unwrap(), ["1", "2"]);
    let trunks = client.voice_out_trunks();
    let patch = didww_client::resources::VoiceOutTrunk::patch().name("Berlin");
    assert_eq!(trunks.update(&id(TRUNK), patch).wait().unwrap().name, "Berlin");
    trunks.delete(&id(TRUNK)).wait().unwrap();
    assert_eq!(client.dids().list().wait().unwrap().len(), 1);
}

#[test]
fn prices_and_their_files_are_waited_for_too() {
    let token = json!({ "access_token": "canary-token", "token_type": "Bearer", "expires_in": 900 });
    let price = json!({ "category": "Local", "prefix": "44", "rate": "0.01", "reject_calls": false });
    let found = json!({ "data": [{ "id": "a", "type": "prices", "attributes": price }], "meta": { "total_records": 1 } });
    let none = json!({ "data": [], "meta": { "total_records": 0 } });
    let (_runtime, server, _client) = prepare(vec![
        Mock::given(method("POST")).respond_with(response(200, &token)),
        Mock::given(query_param("filter[number]", "447700900123")).respond_with(response(200, &found)),
        Mock::given(method("GET")).respond_with(response(200, &none)),
    ]);
    let builder = || Client::builder(format!("{}/v3", server.uri()), KEY);
    let prices = VoiceOutPrices::new(builder()).unwrap();
    let found = prices.look_up("447700900123").wait().unwrap();
    assert_eq!((found.len(), found[0].attributes.prefix.as_str()), (1, "44"));
    let sms = SmsPrices::new(builder()).unwrap();
    assert!(sms.sms_out(SmsTraffic::A2p, SmsDestination::Country("GB")).wait().unwrap().is_empty());
    #[cfg(feature = "exports")]
    assert_eq!(prices.file().wait().unwrap().compressed(), none.to_string().as_bytes());
}

#[test]
fn threads_share_the_thread_that_does_the_io() {
    let (_runtime, _server, client) =
        prepare(vec![Mock::given(method("GET")).respond_with(response(200, &document(&did(DID, "1"))))]);
    let read = || client.dids().get(&id(DID)).wait().unwrap().number.clone();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(read)).collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap() == "1"));
    });
}

#[test]
fn a_call_inside_a_runtime_is_refused_and_sends_nothing() {
    let (runtime, server, client) = prepare(Vec::new());
    let refused = |error: Option<Error>| matches!(error, Some(Error::Misplaced(error)) if matches!(*error, Misplaced::InsideRuntime));
    runtime.block_on(async {
        assert!(refused(client.dids().list().wait().err()));
        let mut each = client.dids().list().stream().wait_each();
        assert!(refused(each.next().and_then(Result::err)));
        assert!(each.next().is_none(), "it does not repeat the error without end");
        assert!(server.received_requests().await.unwrap().is_empty());
    });
}
