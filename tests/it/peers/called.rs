//! baresip as the callee of provider calls: the phone answers, declines, holds and hangs up.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use uuid::Uuid;
use voipbin_client::types::CallStatus;

use super::baresip::{Account, Baresip};
use super::carrier::challenging;
use super::free_address;
use crate::outbound::stage::{GB, Stage, hangup, long_call, open};

/// Answers as soon as it is called.
const AT_ONCE: &str = "answermode=auto";
/// Packets of 20 ms that prove a stream: a fifth of a second.
const AUDIBLE_PACKETS: u64 = 10;

/// A phone with the called number.
async fn phone(at: SocketAddr, transport: &str, parameters: &str) -> Baresip {
    Baresip::start(&Account {
        number: GB,
        domain: at.to_string(),
        transport,
        parameters,
        listens_at: Some(at),
        ..Account::default()
    })
    .await
}

/// A phone, and a call to it that stays up once it is answered.
async fn called(stage: &Stage, transport: &str, parameters: &str) -> (Baresip, Uuid) {
    let at = free_address();
    let phone = phone(at, transport, parameters).await;
    let provider = stage.provider_at(format!("{at};transport={transport}")).await;
    let id = stage.call(long_call(&provider)).await;
    (phone, id)
}

/// Ends a call with audio at one side, and checks the reports of both sides.
async fn is_heard_and_ends(stage: &Stage, phone: &mut Baresip, id: Uuid, by_phone: bool) {
    stage.wait_for_status(id, CallStatus::Progressing).await;
    phone.hears().await;
    let expected = if by_phone {
        phone.hang_up().await;
        hangup("normal", "remote")
    } else {
        stage.platform.calls().hangup(id).await.unwrap();
        phone.event("CALL_CLOSED").await;
        hangup("normal", "local")
    };
    assert_eq!(stage.hangup_of(id).await, expected);
    let (sent, received) = phone.packets().await;
    assert!(sent > AUDIBLE_PACKETS && received > AUDIBLE_PACKETS, "{sent} sent, {received} received");
    let tries = stage.server.control().call_tries(stage.customer, id).await.unwrap();
    let [one] = tries.as_slice() else { panic!("{tries:?}") };
    assert_eq!((one.code, one.outcome.as_deref()), (Some(200), Some("the carrier answered the call")));
    let media = one.media.as_deref().unwrap_or_default();
    assert!(media.starts_with("PCMA to 127.0.0.1:"), "{media}");
}

#[tokio::test]
async fn a_phone_answers_a_provider_call_hears_it_and_either_side_hangs_up() {
    let stage = Stage::start().await;
    for transport in ["udp", "tcp"] {
        for by_phone in [true, false] {
            let (mut phone, id) = called(&stage, transport, AT_ONCE).await;
            phone.event("CALL_ESTABLISHED").await;
            is_heard_and_ends(&stage, &mut phone, id, by_phone).await;
        }
    }
}

#[tokio::test]
async fn a_phone_that_rings_is_answered_declined_or_given_up() {
    let stage = Stage::start().await;
    let (mut phone, id) = called(&stage, "udp", "").await;
    phone.event("CALL_INCOMING").await;
    stage.wait_for_status(id, CallStatus::Ringing).await;
    phone.command("accept", "").await;
    phone.event("CALL_ESTABLISHED").await;
    is_heard_and_ends(&stage, &mut phone, id, true).await;

    let (mut phone, id) = called(&stage, "udp", "").await;
    phone.event("CALL_INCOMING").await;
    phone.hang_up().await;
    assert_eq!(stage.hangup_of(id).await, hangup("busy", "remote"));

    let (mut phone, id) = called(&stage, "udp", "").await;
    phone.event("CALL_INCOMING").await;
    stage.wait_for_status(id, CallStatus::Ringing).await;
    stage.platform.calls().hangup(id).await.unwrap();
    phone.event("CALL_CLOSED").await;
    assert_eq!(stage.hangup_of(id).await, hangup("cancel", "local"));
}

#[tokio::test]
async fn a_phone_that_was_called_holds_and_resumes_and_hears_again() {
    let stage = Stage::start().await;
    let (mut phone, id) = called(&stage, "udp", AT_ONCE).await;
    phone.event("CALL_ESTABLISHED").await;
    phone.hears().await;
    phone.holds_and_resumes().await;
    phone.hang_up().await;
    assert_eq!(stage.hangup_of(id).await, hangup("normal", "remote"));
}

#[tokio::test]
async fn a_phone_behind_a_kamailio_that_challenges_answers_a_provider_call() {
    let (at, callee) = (free_address(), free_address());
    let hosts = BTreeMap::from([("out.didww.com".to_owned(), at.to_string())]);
    let stage = Stage::with(|config| config.hosts = hosts).await;
    let trunk = stage.trunk(open("Challenged")).await;
    let provider = stage.provider_on(&trunk).await;
    let (username, password) = trunk.credentials().unwrap();
    let _kamailio = challenging(at, callee, (username, password.expose()), true).await;
    for by_phone in [true, false] {
        let mut phone = phone(callee, "udp", AT_ONCE).await;
        let id = stage.call(long_call(&provider)).await;
        phone.event("CALL_ESTABLISHED").await;
        is_heard_and_ends(&stage, &mut phone, id, by_phone).await;
    }
}
