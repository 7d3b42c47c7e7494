//! Tests of calls that last longer than the state of their setup is kept.

use std::time::Duration;

use super::carrier::Carrier;
use super::{Clock, Dialler, Ids, LegEnd, ROUND_TRIP, config, ended, established, with_short_timers};

#[tokio::test]
async fn a_bye_that_crosses_ours_is_answered_however_long_the_call_was() {
    let dialler = with_short_timers().await;
    let mut carrier = Carrier::udp().await;
    let (mut leg, invite) = established(&dialler, &mut carrier, "").await;
    // Longer than retransmissions of the answer are expected.
    carrier.hears_nothing_for(ROUND_TRIP * 80).await;
    leg.hang_up();
    let bye = carrier.expect("BYE").await;
    carrier.request(&invite, "BYE", 1, "", "").await;
    carrier.answer(&bye, "200 OK", "", "").await;
    let answer = loop {
        let message = carrier.next().await;
        if message.start.starts_with("SIP/2.0 ") {
            break message;
        }
    };
    assert_eq!((answer.code(), answer.header("CSeq")), (200, "1 BYE"));
    assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
}

#[tokio::test]
async fn a_refresh_that_is_refused_because_its_call_has_ended_is_acknowledged() {
    for is_hung_up_here in [true, false] {
        let clock = Clock::system();
        clock.freeze(None);
        let dialler = Dialler::start(config(), clock.clone(), Ids::system()).await.unwrap();
        let mut carrier = Carrier::udp().await;
        let (mut leg, first) =
            established(&dialler, &mut carrier, "Session-Expires: 90;refresher=uac\r\n").await;
        clock.advance(Duration::from_secs(45));
        let invite = carrier.expect("INVITE").await;
        carrier.answer(&invite, "100 Trying", "", "").await;
        if is_hung_up_here {
            leg.hang_up();
            let bye = carrier.expect("BYE").await;
            carrier.answer(&bye, "200 OK", "", "").await;
            assert_eq!(ended(&mut leg).await, LegEnd::HungUpByUs);
        } else {
            carrier.request(&first, "BYE", 1, "", "").await;
            assert_eq!(carrier.next().await.code(), 200);
            assert_eq!(ended(&mut leg).await, LegEnd::HungUp);
        }
        for _ in 0..2 {
            carrier.answer(&invite, "487 Request Terminated", "", "").await;
            let ack = carrier.expect("ACK").await;
            assert_eq!((ack.branch(), ack.header("CSeq")), (invite.branch(), "2 ACK"));
        }
    }
}

#[tokio::test]
async fn the_answer_to_each_refresh_of_a_long_call_is_acknowledged_again() {
    let clock = Clock::system();
    clock.freeze(None);
    let dialler = Dialler::start(config(), clock.clone(), Ids::system()).await.unwrap();
    let mut carrier = Carrier::udp().await;
    let timer = "Session-Expires: 90;refresher=uac\r\n";
    let (_leg, first) = established(&dialler, &mut carrier, timer).await;
    for number in 1..=10 {
        clock.advance(Duration::from_secs(45));
        let invite = carrier.expect("INVITE").await;
        carrier.pick_up(&invite, timer, 4000).await;
        let ack = carrier.expect("ACK").await;
        carrier.pick_up(&invite, timer, 4000).await;
        assert_eq!(carrier.expect("ACK").await.headers, ack.headers, "refresh {number}");
        // Requests are handled in order, so its answer shows that the refresh is complete.
        carrier.request(&first, "OPTIONS", number, "", "").await;
        assert_eq!(carrier.next().await.code(), 200);
    }
}
