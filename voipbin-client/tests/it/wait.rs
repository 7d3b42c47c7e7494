//! Polling of a call until it has been answered, or has ended.

use std::time::Duration;

use serde_json::json;
use voipbin_client::types::{CallStatus, HangupReason};
use voipbin_client::{Awaited, Error, RetryPolicy};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{ID, builder, call, client, error, ok, received};

const LONG: Duration = Duration::from_mins(1);

async fn in_turn(responses: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    for (index, response) in responses.into_iter().enumerate() {
        let priority = u8::try_from(index + 1).unwrap();
        Mock::given(any())
            .respond_with(response)
            .up_to_n_times(1)
            .with_priority(priority)
            .mount(&server)
            .await;
    }
    server
}

fn ended() -> ResponseTemplate {
    let mut call = call("hangup");
    call["hangup_reason"] = json!("noanswer");
    call["hangup_by"] = json!("remote");
    ok(&call)
}

#[tokio::test]
async fn a_call_is_polled_until_it_has_ended() {
    let steps = ["dialing", "ringing", "progressing", "terminating"].map(|status| ok(&call(status)));
    let server = in_turn(steps.into_iter().chain([ended()]).collect()).await;
    let call = client(&server).calls().wait_until_hung_up(ID, LONG).await.unwrap();
    assert_eq!(call.hangup_reason, Some(HangupReason::Noanswer));
    assert_eq!(received(&server).await.len(), 5);
}

#[tokio::test]
async fn a_call_is_polled_until_it_is_answered() {
    let steps = ["dialing", "ringing", "progressing", "hangup"].map(|status| ok(&call(status)));
    let server = in_turn(steps.into_iter().collect()).await;
    let call = client(&server).calls().wait_until_answered(ID, LONG).await.unwrap();
    assert!(call.was_answered() && !call.is_over());
    assert_eq!(received(&server).await.len(), 3);
}

#[tokio::test]
async fn the_wait_for_an_answer_ends_with_a_call_that_ends_without_one() {
    let server = in_turn(vec![ok(&call("ringing")), ended()]).await;
    let call = client(&server).calls().wait_until_answered(ID, LONG).await.unwrap();
    assert!(call.is_over() && !call.was_answered());
    assert_eq!(call.hangup_reason, Some(HangupReason::Noanswer));
}

#[tokio::test]
async fn a_call_that_was_answered_and_has_ended_counts_as_answered() {
    let mut over = call("hangup");
    over["tm_progressing"] = json!("2026-04-21T23:15:00Z");
    let server = in_turn(vec![ok(&over)]).await;
    let call = client(&server).calls().wait_until_answered(ID, LONG).await.unwrap();
    assert!(call.was_answered() && call.is_over());
}

#[tokio::test]
async fn the_error_of_a_call_that_still_rings_names_the_answer() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ok(&call("ringing"))).mount(&server).await;
    let waiting =
        builder(&server.uri()).poll(Duration::from_millis(1), Duration::from_millis(5)).build().unwrap();
    let error = waiting.calls().wait_until_answered(ID, Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "call {ID} is not known to have been answered or ended within 100ms: its last known status is ringing"
        )
    );
    let Error::StillUp(still_up) = error else { panic!("{error}") };
    assert_eq!(still_up.awaited, Awaited::Answer);
}

#[tokio::test]
async fn temporary_errors_of_the_service_are_tolerated() {
    let responses =
        vec![ResponseTemplate::new(500), ResponseTemplate::new(503), ok(&call("ringing")), ended()];
    let server = in_turn(responses).await;
    let client = builder(&server.uri()).retry(RetryPolicy::none()).build().unwrap();
    assert!(client.calls().wait_until_hung_up(ID, LONG).await.unwrap().is_over());
}

#[tokio::test]
async fn a_permanent_refusal_is_an_error_at_once() {
    let server = in_turn(vec![ok(&call("ringing")), error(409, "STATE_INVALID", "deleted")]).await;
    let error = client(&server).calls().wait_until_hung_up(ID, LONG).await.unwrap_err();
    assert!(matches!(error, Error::Conflict(_)), "{error}");
    assert_eq!(received(&server).await.len(), 2);
}

#[tokio::test]
async fn the_error_of_a_call_that_continues_has_its_last_known_state() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ok(&call("progressing"))).mount(&server).await;
    let waiting =
        builder(&server.uri()).poll(Duration::from_millis(1), Duration::from_millis(5)).build().unwrap();
    let error = waiting.calls().wait_until_hung_up(ID, Duration::from_millis(100)).await.unwrap_err();
    let Error::StillUp(still_up) = error else { panic!("{error}") };
    assert_eq!(still_up.call.as_ref().unwrap().status, CallStatus::Progressing);
    assert_eq!(
        still_up.to_string(),
        format!("call {ID} is not known to have ended within 100ms: its last known status is progressing")
    );
}

#[tokio::test]
async fn the_time_limit_applies_to_a_service_that_never_responds() {
    let base = crate::raw_server::raw_server(Vec::new()).await;
    let client = builder(&base).build().unwrap();
    let error = client.calls().wait_until_hung_up(ID, Duration::from_millis(20)).await.unwrap_err();
    let Error::StillUp(still_up) = error else { panic!("{error}") };
    assert_eq!(still_up.call, None);
}
