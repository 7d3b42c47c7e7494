//! Expected requests: over the control API, and as expectations of a server in a test.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};
use trunk_server::TestServer;

use super::Lab;
use crate::support::api::Api;

#[tokio::test]
async fn a_report_counts_orders_and_names_what_came_near() {
    let lab = Lab::start().await;
    lab.create("A").await;
    lab.api.get("/dids?filter[number]=12025550143&page[size]=2").await;
    lab.create("B").await;
    let verify = async |question: Value| {
        let answer = lab.control.post("/journal/verify", &question).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    };
    let create = |name: &str| {
        json!({ "method": "POST", "resource": "voice_out_trunks", "status": 201,
        "body": { "data": { "attributes": { "name": name } } }, "count": 1 })
    };
    let read = json!({ "path": "/v3/dids", "query": { "page[size]": "2" } });
    let in_order = json!({ "requests": [create("A"), read, create("B")], "in_order": true });
    let report = verify(in_order).await;
    assert_eq!((&report["passed"], &report["in_order"]), (&json!(true), &json!(true)), "{report}");
    let other_order = verify(json!({ "requests": [create("B"), create("A")], "in_order": true })).await;
    assert_eq!((&other_order["passed"], &other_order["in_order"]), (&json!(false), &json!(false)));
    let report = verify(json!({ "requests": [create("C")] })).await;
    let misses = report["requests"][0]["near_misses"].as_array().unwrap();
    assert_eq!(report["requests"][0]["wanted"], "exactly 1");
    assert_eq!(misses[0]["differences"], json!(["body.data.attributes.name is \"A\", not \"C\""]));
    assert_eq!(misses[1]["differences"], json!(["body.data.attributes.name is \"B\", not \"C\""]));
    let twice = json!({ "method": "POST", "path": "/v3/voice_out_trunks", "at_most": 1 });
    assert_eq!(verify(json!({ "requests": [twice] })).await["passed"], false);
    assert_eq!(verify(json!({ "requests": [create("A")], "after": 1 })).await["passed"], false);
}

#[tokio::test]
async fn a_question_has_one_to_fifty_requests_and_known_members() {
    let lab = Lab::start().await;
    for (question, named) in [
        (json!({ "requests": [] }), "`requests`"),
        (json!({ "requests": vec![json!({}); 51] }), "`requests`"),
        (json!({ "requests": [{ "colour": 1 }] }), "colour"),
        (json!({}), "requests"),
    ] {
        for path in ["/journal/verify", "/journal/wait"] {
            let refused = lab.control.post(path, &question).await;
            assert!(refused.status == 422 && refused.text.contains(named), "{path}: {}", refused.text);
        }
    }
    let fifty = json!({ "requests": vec![json!({ "count": 0 }); 50] });
    assert_eq!(lab.control.post("/journal/verify", &fifty).await.at("/passed"), true);
    let long = json!({ "requests": [{}], "timeout_ms": 60_001 });
    assert_eq!(lab.control.post("/journal/wait", &long).await.status, 422);
}

#[tokio::test]
async fn a_wait_ends_when_the_request_came_or_its_time_is_over() {
    let lab = Lab::start().await;
    let question = |timeout: u64| json!({ "requests": [{ "path": "/v3/regions" }], "timeout_ms": timeout });
    let over = lab.control.post("/journal/wait", &question(20)).await;
    assert_eq!((over.status, over.at("/passed")), (200, json!(false)));
    let waiting = tokio::spawn({
        let (control, question) = (lab.control.clone(), question(30_000));
        async move { control.post("/journal/wait", &question).await.at("/passed") }
    });
    lab.api.get("/dids").await;
    lab.api.get("/regions").await;
    assert_eq!(waiting.await.unwrap(), true);
}

/// The message of the panic of a server that is dropped; `None` without a panic.
fn dropped(server: TestServer) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(server))).err()?;
    Some(panic.downcast_ref::<String>().cloned().expect("the message is a text"))
}

#[tokio::test]
async fn an_expectation_that_does_not_hold_fails_when_the_server_is_dropped() {
    let server = TestServer::start().await;
    server.expect("GET", "/v3/dids").query("page[size]", "2").status(200).times(1);
    server.expect("DELETE", "/v3/*").at_most(0);
    let api = Api::new(server.base_url(), server.api_key());
    api.get("/dids?page[size]=2").await;
    server.verify();
    assert_eq!(dropped(server), None);

    let server = TestServer::start().await;
    server
        .expect("POST", "/v3/voice_out_trunks")
        .body(json!({ "data": { "type": "voice_out_trunks" } }))
        .times(2);
    let api = Api::new(server.base_url(), server.api_key());
    api.post("/voice_out_trunks", &super::trunk("A", &json!({}))).await;
    api.get("/voice_out_trunks").await;
    let report = server.report();
    assert_eq!((report.passed, report.requests[0].found), (false, 1));
    let said = dropped(server).expect("it fails");
    assert!(said.contains("- POST /v3/voice_out_trunks: exactly 2 expected, 1 found"), "{said}");
    assert!(said.contains("GET /v3/voice_out_trunks: the method is GET, not POST"), "{said}");
}
