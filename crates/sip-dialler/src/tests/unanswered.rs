//! Tests of calls that are cancelled before their answer.

use std::time::Duration;

use super::carrier::{Carrier, Message, description};
use super::{
    Clock, Dialler, DiallerConfig, EVENT_TIMEOUT, Ids, LegEnd, LegEvent, ROUND_TRIP, config, dialler, ended,
    idle, invitation, next, placed, ringing, with_short_timers,
};

async fn cancelled(carrier: &mut Carrier, invite: &Message) {
    let cancel = carrier.await_next("CANCEL").await;
    assert_eq!((cancel.uri(), cancel.branch()), (invite.uri(), invite.branch()));
    assert_eq!((cancel.header("CSeq"), cancel.header("To")), ("1 CANCEL", invite.header("To")));
    carrier.answer(&cancel, "200 OK", "", "").await;
    carrier.answer(invite, "487 Request Terminated", "", "").await;
    let ack = carrier.await_next("ACK").await;
    assert_eq!(ack.branch(), invite.branch());
}

#[tokio::test]
async fn a_call_is_cancelled_while_it_rings_and_ends_when_that_is_confirmed() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = ringing(&dialler, &mut carrier).await;
    leg.hang_up();
    leg.hang_up();
    cancelled(&mut carrier, &invite).await;
    assert_eq!(ended(&mut leg).await, LegEnd::Cancelled);
    idle(&dialler).await;
}

#[tokio::test]
async fn the_cancel_is_sent_only_after_a_response() {
    let dialler = with_short_timers().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = placed(&dialler, &mut carrier).await;
    leg.hang_up();
    assert_eq!(ended(&mut leg).await, LegEnd::Cancelled, "the end is reported after a timeout");
    carrier.answer(&invite, "100 Trying", "", "").await;
    cancelled(&mut carrier, &invite).await;
    idle(&dialler).await;
}

#[tokio::test]
async fn the_end_of_a_call_without_any_response_waits_for_nothing() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, _invite) = placed(&dialler, &mut carrier).await;
    // A response could be on its way for one round trip, which is assumed to take half a second.
    tokio::time::sleep(Duration::from_millis(600)).await;
    leg.hang_up();
    let ended = tokio::time::timeout(Duration::from_secs(1), ended(&mut leg)).await;
    assert_eq!(ended.expect("at once, and not after the two seconds of a CANCEL"), LegEnd::Cancelled);
}

#[tokio::test]
async fn an_offer_before_the_answer_to_ours_is_refused_until_then() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = ringing(&dialler, &mut carrier).await;
    carrier.request(&invite, "UPDATE", 1, "", &description(4000)).await;
    assert_eq!(carrier.next().await.code(), 491);
    carrier.request(&invite, "UPDATE", 2, "", "").await;
    assert_eq!(carrier.next().await.code(), 200, "it offers nothing");
    let reliable = format!("{}Require: 100rel\r\nRSeq: 1\r\n", carrier.contact());
    carrier.answer(&invite, "183 Session Progress", &reliable, &description(4000)).await;
    let prack = carrier.expect("PRACK").await;
    carrier.answer(&prack, "200 OK", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Progress);
    carrier.request_as("other", &invite, "UPDATE", 3, "", &description(4000)).await;
    assert_eq!(carrier.next().await.code(), 491, "another fork has no answer");
    carrier.request(&invite, "UPDATE", 3, "", &description(4000)).await;
    assert_eq!(carrier.next().await.code(), 200);
    carrier.pick_up(&invite, "", 4000).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
}

#[tokio::test]
async fn an_update_before_the_answer_moves_the_target_of_later_pracks() {
    let dialler = dialler().await;
    let (mut carrier, mut moved) = (Carrier::udp().await, Carrier::udp().await);
    let (_leg, invite) = ringing(&dialler, &mut carrier).await;
    let reliable = |number: u32, contact: &str| format!("{contact}Require: 100rel\r\nRSeq: {number}\r\n");
    let first = reliable(1, &carrier.contact());
    carrier.answer(&invite, "183 Session Progress", &first, &description(4000)).await;
    let prack = carrier.expect("PRACK").await;
    assert_eq!(prack.uri(), carrier.contact_uri());
    carrier.answer(&prack, "200 OK", "", "").await;
    carrier.request(&invite, "UPDATE", 1, &moved.contact(), &description(4000)).await;
    assert_eq!(carrier.next().await.code(), 200);
    let second = reliable(2, &moved.contact());
    carrier.answer(&invite, "180 Ringing", &second, "").await;
    let prack = moved.expect("PRACK").await;
    assert_eq!((prack.uri(), prack.header("RAck")), (moved.contact_uri().as_str(), "2 1 INVITE"));
    moved.answer(&prack, "200 OK", "", "").await;
}

#[tokio::test]
async fn a_request_of_another_dialog_or_out_of_order_before_the_answer_is_refused() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = ringing(&dialler, &mut carrier).await;
    let mut foreign = invite.clone();
    for (name, value) in &mut foreign.headers {
        if name == "From" {
            value.push_str("-not-ours");
        }
    }
    carrier.request(&foreign, "OPTIONS", 7, "", "").await;
    assert_eq!(carrier.next().await.code(), 481);
    for (number, code) in [(6, 200), (5, 500)] {
        carrier.request(&invite, "OPTIONS", number, "", "").await;
        assert_eq!(carrier.next().await.code(), code, "{number}");
    }
    carrier.request(&invite, "OPTIONS", 8, "Require: x\r\n", "").await;
    assert_eq!(carrier.next().await.code(), 420);
    carrier.answer(&invite, "486 Busy Here", "", "").await;
    carrier.expect("ACK").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Refused(486));
}

#[tokio::test]
async fn a_leg_that_is_dropped_is_cancelled() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (leg, invite) = placed(&dialler, &mut carrier).await;
    drop(leg);
    carrier.answer(&invite, "183 Session Progress", "", "").await;
    cancelled(&mut carrier, &invite).await;
    idle(&dialler).await;
}

#[tokio::test]
async fn an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let dialler = dialler().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = ringing(&dialler, &mut carrier).await;
    leg.hang_up();
    let cancel = carrier.await_next("CANCEL").await;
    carrier.pick_up(&invite, "", 4000).await;
    carrier.answer(&cancel, "200 OK", "", "").await;
    let ack = carrier.await_next("ACK").await;
    assert_ne!(ack.branch(), invite.branch());
    let bye = carrier.await_next("BYE").await;
    assert_eq!((bye.header("CSeq"), bye.uri()), ("2 BYE", ack.uri()));
    carrier.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(&mut leg).await, LegEnd::Cancelled);
}

#[tokio::test]
async fn a_call_that_rings_for_a_minute_is_cancelled() {
    let clock = Clock::system();
    clock.freeze(None);
    let dialler = Dialler::start(config(), clock.clone(), Ids::system()).await.unwrap();
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = ringing(&dialler, &mut carrier).await;
    clock.advance(Duration::from_secs(59));
    carrier.hears_nothing_for(ROUND_TRIP).await;
    clock.advance(Duration::from_secs(1));
    cancelled(&mut carrier, &invite).await;
    assert_eq!(ended(&mut leg).await, LegEnd::RingTimeout);
}

#[tokio::test]
async fn a_call_ends_even_if_the_carrier_does_not_confirm_the_cancel() {
    let dialler = with_short_timers().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, _) = ringing(&dialler, &mut carrier).await;
    leg.hang_up();
    assert_eq!(ended(&mut leg).await, LegEnd::Cancelled);
    carrier.await_next("CANCEL").await;
    carrier.await_next("CANCEL").await;
    idle(&dialler).await;
}

#[tokio::test]
async fn stopping_cancels_ringing_calls_and_hangs_up_established_ones() {
    let dialler = dialler().await;
    let (mut ringing, mut up) = (Carrier::udp().await, Carrier::udp().await);
    let mut legs = [dialler.call(invitation(&ringing.uri("1"))), dialler.call(invitation(&up.uri("2")))];
    let invite = ringing.expect("INVITE").await;
    ringing.answer(&invite, "180 Ringing", "", "").await;
    let other = up.expect("INVITE").await;
    up.pick_up(&other, "", 4000).await;
    up.expect("ACK").await;
    assert_eq!(next(&mut legs[0]).await, LegEvent::Ringing);
    assert_eq!(next(&mut legs[1]).await, LegEvent::Answered);
    let far_ends = async {
        cancelled(&mut ringing, &invite).await;
        let bye = up.await_next("BYE").await;
        up.answer(&bye, "200 OK", "", "").await;
    };
    let stopped = async {
        let ((), ()) = tokio::join!(far_ends, dialler.stop());
    };
    tokio::time::timeout(EVENT_TIMEOUT, Box::pin(stopped)).await.unwrap();
    assert_eq!(ended(&mut legs[0]).await, LegEnd::Cancelled);
    assert_eq!(ended(&mut legs[1]).await, LegEnd::HungUpByUs);
    assert_eq!(dialler.active_calls(), 0);
}

#[tokio::test]
async fn stopping_does_not_wait_for_carriers_that_do_not_respond() {
    let deadline = Duration::from_millis(100);
    let dialler = super::start(DiallerConfig { stop_deadline: deadline, ..config() }).await;
    let mut carrier = Carrier::udp().await;
    let mut leg = dialler.call(invitation(&carrier.uri("1")));
    carrier.expect("INVITE").await;
    tokio::time::timeout(EVENT_TIMEOUT, dialler.stop()).await.unwrap();
    assert_eq!(ended(&mut leg).await, LegEnd::Cancelled);
    idle(&dialler).await;
}

#[tokio::test]
async fn a_stopped_dialler_releases_its_shared_state() {
    let dialler = dialler().await;
    let (mut refusing, mut up) = (Carrier::udp().await, Carrier::udp().await);
    let mut refused = dialler.call(invitation(&refusing.uri("1")));
    let invite = refusing.expect("INVITE").await;
    refusing.answer(&invite, "486 Busy Here", "", "").await;
    assert_eq!(ended(&mut refused).await, LegEnd::Refused(486));
    let mut leg = dialler.call(invitation(&up.uri("2")));
    let invite = up.expect("INVITE").await;
    up.pick_up(&invite, "", 4000).await;
    up.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    // An INVITE without an ACK, and a BYE without a response.
    up.request(&invite, "INVITE", 1, "", "").await;
    assert_eq!(up.next().await.code(), 200);
    drop(leg);
    up.await_next("BYE").await;
    let shared = std::sync::Arc::downgrade(&dialler.shared);
    let network = std::sync::Arc::downgrade(&dialler.shared.network);
    tokio::time::timeout(EVENT_TIMEOUT, dialler.stop()).await.unwrap();
    drop(dialler);
    let gone = async {
        while shared.strong_count() + network.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(EVENT_TIMEOUT, gone).await.expect("no reference to the shared state remains");
}
