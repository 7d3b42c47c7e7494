//! Following a call to its end.

use std::time::Duration;

use serde_json::json;
use voipbin_client::types::{CallStatus, HangupReason};
use voipbin_client::{Error, RetryPolicy};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{ID, builder, call, client, error, ok, received};

const LONG: Duration = Duration::from_mins(1);

async fn in_turn(answers: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    for (index, answer) in answers.into_iter().enumerate() {
        let priority = u8::try_from(index + 1).unwrap();
        Mock::given(any()).respond_with(answer).up_to_n_times(1).with_priority(priority).mount(&server).await;
    }
    server
}

fn over() -> ResponseTemplate {
    let mut call = call("hangup");
    call["hangup_reason"] = json!("noanswer");
    call["hangup_by"] = json!("remote");
    ok(&call)
}

#[tokio::test]
async fn a_call_is_asked_for_until_it_is_over() {
    let steps = ["dialing", "ringing", "progressing", "terminating"].map(|status| ok(&call(status)));
    let server = in_turn(steps.into_iter().chain([over()]).collect()).await;
    let call = client(&server).calls().wait_until_hung_up(ID, LONG).await.unwrap();
    assert_eq!(call.hangup_reason, Some(HangupReason::Noanswer));
    assert_eq!(received(&server).await.len(), 5);
}

#[tokio::test]
async fn a_service_that_is_away_for_a_moment_is_asked_again() {
    let answers = vec![ResponseTemplate::new(500), ResponseTemplate::new(503), ok(&call("ringing")), over()];
    let server = in_turn(answers).await;
    let client = builder(&server.uri()).retry(RetryPolicy::none()).build().unwrap();
    assert!(client.calls().wait_until_hung_up(ID, LONG).await.unwrap().is_over());
}

#[tokio::test]
async fn what_is_refused_for_good_is_an_error_at_once() {
    let server = in_turn(vec![ok(&call("ringing")), error(409, "STATE_INVALID", "deleted")]).await;
    let error = client(&server).calls().wait_until_hung_up(ID, LONG).await.unwrap_err();
    assert!(matches!(error, Error::Conflict(_)), "{error}");
    assert_eq!(received(&server).await.len(), 2);
}

#[tokio::test]
async fn a_call_that_goes_on_is_told_as_it_was_seen_last() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ok(&call("progressing"))).mount(&server).await;
    let waiting =
        builder(&server.uri()).poll(Duration::from_millis(1), Duration::from_millis(5)).build().unwrap();
    let error = waiting.calls().wait_until_hung_up(ID, Duration::from_millis(100)).await.unwrap_err();
    let Error::StillUp(still_up) = error else { panic!("{error}") };
    assert_eq!(still_up.call.as_ref().unwrap().status, CallStatus::Progressing);
    assert_eq!(
        still_up.to_string(),
        format!("after 100ms call {ID} is not known to be over: it was progressing when it was seen last")
    );
}

#[tokio::test]
async fn a_service_that_never_answers_does_not_hold_the_wait_beyond_its_time() {
    let base = crate::raw_server::raw_server(Vec::new()).await;
    let client = builder(&base).build().unwrap();
    let error = client.calls().wait_until_hung_up(ID, Duration::from_millis(20)).await.unwrap_err();
    let Error::StillUp(still_up) = error else { panic!("{error}") };
    assert_eq!(still_up.call, None);
}
