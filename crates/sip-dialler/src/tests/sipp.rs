//! sipp as the carrier, which is an independent implementation.

use super::sipp_carrier::{Sipp, Steps};
use super::{LegEnd, LegEvent, dialler, ended, invitation, next};

#[tokio::test]
async fn sipp_answers_and_is_hung_up() {
    let sipp = Sipp::start(&Steps::invited().progress("180 Ringing").answered().hung_up(), 20);
    let dialler = dialler().await;
    let uri = format!("sip:0011+15551234#@{}", sipp.host());
    let mut legs: Vec<_> = (0..20).map(|_| dialler.call(invitation(&uri))).collect();
    for leg in &mut legs {
        assert_eq!(next(leg).await, LegEvent::Ringing);
        assert_eq!(next(leg).await, LegEvent::Answered);
        leg.hang_up();
        assert_eq!(ended(leg).await, LegEnd::HungUpByUs);
    }
    sipp.went_as_written().await;
}

#[tokio::test]
async fn sipp_refuses_with_each_code_of_a_different_outcome() {
    let dialler = dialler().await;
    for code in [404, 480, 486, 503, 603] {
        let sipp = Sipp::start(&Steps::invited().refused(code), 1);
        let mut leg = dialler.call(invitation(&format!("sip:1@{}", sipp.host())));
        assert_eq!(ended(&mut leg).await, LegEnd::Refused(code));
        sipp.went_as_written().await;
    }
}

#[tokio::test]
async fn sipp_rings_until_it_is_cancelled() {
    let sipp = Sipp::start(&Steps::invited().progress("180 Ringing").cancelled(), 1);
    let dialler = dialler().await;
    let mut leg = dialler.call(invitation(&format!("sip:1@{}", sipp.host())));
    assert_eq!(next(&mut leg).await, LegEvent::Ringing);
    leg.hang_up();
    assert_eq!(ended(&mut leg).await, LegEnd::Cancelled);
    sipp.went_as_written().await;
}

#[tokio::test]
async fn sipp_hangs_up() {
    let sipp = Sipp::start(&Steps::invited().answered().hangs_up(), 1);
    let dialler = dialler().await;
    let mut leg = dialler.call(invitation(&format!("sip:1@{}", sipp.host())));
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    assert_eq!(ended(&mut leg).await, LegEnd::HungUp);
    sipp.went_as_written().await;
}
