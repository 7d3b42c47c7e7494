//! Carriers that only ring, do not respond, or do not exist; and calls that end by the carrier or by a time
//! limit.

use std::time::Duration;

use tokio::net::UdpSocket;
use voipbin_client::types::{ActionBody, CallStatus, Timestamp};

use super::sipp_carrier::{Sipp, Steps};
use super::stage::*;
use crate::sip::edge::until;
use crate::support::receiver::{Answer, Receiver};

fn ringing() -> Steps {
    Steps::invited().progress("180 Ringing")
}

#[tokio::test]
async fn a_call_that_is_not_answered_in_time_is_dialled_out() {
    let mut stage = Stage::with(|config| config.ring_timeout = Duration::from_secs(1)).await;
    let sipp = Sipp::start(&ringing().cancelled(), 1);
    let provider = stage.provider_at(sipp.host()).await;
    let id = stage.call(short_call(&provider)).await;
    assert_eq!(stage.hangup_of(id).await, hangup("dialout", "remote"));
    assert_eq!(kinds(&stage.events_until_end(id).await), ["call_created", "call_ringing", "call_hangup"]);
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_call_rings_for_a_minute_by_default() {
    let stage = Stage::start().await;
    let sipp = Sipp::start(&ringing().cancelled(), 1);
    let provider = stage.provider_at(sipp.host()).await;
    let id = stage.call(short_call(&provider)).await;
    stage.wait_for_status(id, CallStatus::Ringing).await;
    stage.server.control().clock().advance(Duration::from_secs(50));
    assert_eq!(stage.platform.calls().get(id).await.unwrap().status, CallStatus::Ringing);
    stage.server.control().clock().advance(Duration::from_secs(10));
    assert_eq!(stage.hangup_of(id).await, hangup("dialout", "remote"));
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_ring_that_timed_out_is_followed_by_the_next_route() {
    let stage = Stage::with(|config| config.ring_timeout = Duration::from_secs(1)).await;
    let (first, second) =
        (Sipp::start(&ringing().cancelled(), 1), Sipp::start(&Steps::invited().refused(486), 1));
    for (priority, sipp) in [(1, &first), (2, &second)] {
        let provider = stage.provider_at(sipp.host()).await;
        stage.route("all", &provider, priority).await;
    }
    stage.add_number(US).await;
    let call = stage.ordinary_call().await;
    assert_eq!(stage.hangup_of(call).await, hangup("busy", "remote"));
    first.went_as_written().await;
    second.went_as_written().await;
}

#[tokio::test]
async fn a_carrier_that_says_nothing_at_all_fails_the_call() {
    let stage = Stage::start().await;
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let provider = stage.provider_at(silent.local_addr().unwrap().to_string()).await;
    let id = stage.call(short_call(&provider)).await;
    // The INVITE times out after 64 times half a second (64 * T1).
    let over = stage.platform.calls().wait_until_hung_up(id, Duration::from_mins(1)).await.unwrap();
    assert_eq!(hangup_of(&over), hangup("failed", "remote"));
    assert_eq!(over.tm_ringing, None);
}

#[tokio::test]
async fn a_host_that_is_not_there_fails_the_call() {
    let stage = Stage::with(|config| {
        config.hosts.insert("nowhere.example.com".to_owned(), "no-such-host.invalid".to_owned());
    })
    .await;
    // A hostname that could not be dialled is refused when the provider is created.
    for host in ["nowhere.example.com", "", "no-such-host.invalid:5070"] {
        let provider = stage.provider_at(host).await;
        let id = stage.call(short_call(&provider)).await;
        assert_eq!(stage.hangup_of(id).await, hangup("failed", "remote"), "{host}");
    }
}

#[tokio::test]
async fn a_callee_that_hangs_up_ends_the_call_as_normal() {
    let mut stage = Stage::start().await;
    let sipp = Sipp::start(&ringing().answered().hangs_up(), 1);
    let provider = stage.provider_at(sipp.host()).await;
    let id = stage.call(long_call(&provider)).await;
    assert_eq!(stage.hangup_of(id).await, hangup("normal", "remote"));
    let events = stage.events_until_end(id).await;
    assert_eq!(kinds(&events).last(), Some(&"call_hangup"));
    assert!(!kinds(&events).contains(&"call_terminating"), "it was not ended from here");
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_call_that_takes_too_long_times_out() {
    let stage = Stage::with(|config| config.longest_call = Duration::from_secs(1)).await;
    let sipp = Sipp::start(&ringing().answered().hung_up(), 1);
    let provider = stage.provider_at(sipp.host()).await;
    let id = stage.call(long_call(&provider)).await;
    assert_eq!(stage.hangup_of(id).await, hangup("timeout", "remote"));
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_call_may_take_an_hour_by_default() {
    let stage = Stage::start().await;
    let sipp = Sipp::start(&Steps::invited().answered().hung_up(), 1);
    let provider = stage.provider_at(sipp.host()).await;
    // An action lasts at most an hour: two in a row last longer than the call may.
    let half = ActionBody::sleep(Duration::from_mins(40));
    let id = stage.call(short_call(&provider).actions([half.clone(), half])).await;
    let begun = async |before: Option<Timestamp>| {
        until("the next action", async || {
            let action = stage.platform.calls().get(id).await.unwrap().action;
            action.tm_execute.filter(|at| Some(*at) != before)
        })
        .await
    };
    let first = begun(None).await;
    let clock = stage.server.control().clock().clone();
    clock.advance(Duration::from_mins(40));
    begun(Some(first)).await;
    clock.advance(Duration::from_mins(19));
    assert_eq!(stage.platform.calls().get(id).await.unwrap().status, CallStatus::Progressing);
    clock.advance(Duration::from_mins(1));
    assert_eq!(stage.hangup_of(id).await, hangup("timeout", "remote"));
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_customer_whose_receiver_is_away_receives_nothing_and_its_calls_go_on() {
    let mut stage = Stage::start().await;
    let (_trunk, provider) = stage.provider().await;
    // The port is closed from here on.
    drop(std::mem::replace(&mut stage.hooks, Receiver::start(Answer::Status(200)).await));
    let id = stage.call(short_call(&provider)).await;
    assert_eq!(stage.hangup_of(id).await, hangup("normal", "local"));
}
