//! Calls that are anonymous, hung up, rerouted, placed together, or whose record is deleted.

use tokio::net::UdpSocket;
use voipbin_client::types::{Address, Anonymous, CallStatus, Provider, ProviderCallCreate};

use super::sipp_carrier::{Sipp, Steps};
use super::stage::*;
use crate::sip::edge::DEADLINE;
use crate::sip::message::Message;

/// Receives an INVITE over a plain socket, refuses it as busy, and returns it.
async fn refused_by_hand(carrier: &UdpSocket) -> Message {
    let mut buffer = vec![0; 65_536];
    let (invite, from) = loop {
        let came = tokio::time::timeout(DEADLINE, carrier.recv_from(&mut buffer));
        let (length, from) = came.await.expect("an INVITE comes").unwrap();
        let message = Message::parse(&buffer[..length]);
        // The previous call may still send its ACK.
        if message.method() == "INVITE" {
            break (message, from);
        }
    };
    let to = invite.header("To").unwrap();
    let answer =
        invite.answered("486 Busy Here").replace(&format!("To: {to}"), &format!("To: {to};tag=carrier"));
    carrier.send_to(answer.as_bytes(), from).await.unwrap();
    invite
}

async fn by_hand() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let host = socket.local_addr().unwrap().to_string();
    (socket, host)
}

#[tokio::test]
async fn an_anonymous_call_shows_its_number_to_the_carrier_alone() {
    let stage = Stage::start().await;
    let (carrier, host) = by_hand().await;
    let provider = stage.provider_at(host.clone()).await;
    let source = Address::tel(US).target_name("Acme");
    let body = short_call(&provider).source(source);

    let id = stage.call(body.clone().anonymous(Anonymous::Yes)).await;
    let invite = refused_by_hand(&carrier).await;
    let from = invite.header("From").unwrap();
    assert!(from.starts_with("\"Anonymous\" <sip:anonymous@"), "{from}");
    assert_eq!(invite.header("P-Asserted-Identity"), Some(format!("<tel:{US}>").as_str()));
    assert_eq!(invite.header("Privacy"), Some("id"));
    assert!(invite.start.starts_with(&format!("INVITE sip:{GB}@{host}")), "{}", invite.start);
    let call = stage.wait_for_end(id).await;
    assert_eq!(hangup_of(&call), hangup("busy", "remote"));
    assert_eq!(call.source.target, US, "its owner sees it as it was placed");

    for shown in [Anonymous::No, Anonymous::Auto] {
        let id = stage.call(body.clone().anonymous(shown)).await;
        let invite = refused_by_hand(&carrier).await;
        let from = invite.header("From").unwrap();
        assert!(from.starts_with(&format!("\"Acme\" <sip:{US}@")), "{from}");
        assert_eq!((invite.header("P-Asserted-Identity"), invite.header("Privacy")), (None, None));
        assert_eq!(stage.hangup_of(id).await, hangup("busy", "remote"));
    }
}

#[tokio::test]
async fn an_anonymous_call_goes_through_a_trunk() {
    let stage = Stage::start().await;
    let (trunk, provider) = stage.provider().await;
    let id = stage.call(short_call(&provider).anonymous(Anonymous::Yes)).await;
    assert_eq!(stage.hangup_of(id).await, hangup("normal", "local"));
    let record = stage.record(&trunk, 1).await;
    assert_eq!(
        (record["original_src_number"].as_str(), &record["success"]),
        (Some("anonymous"), &true.into())
    );
}

#[tokio::test]
async fn what_a_provider_adds_is_in_the_invite_and_what_it_may_not_add_is_not() {
    let stage = Stage::start().await;
    let (carrier, host) = by_hand().await;
    let made = stage.provider_at(host.clone()).await;
    let mut body: voipbin_client::types::ProviderBody = made.clone().into();
    (body.tech_prefix, body.tech_postfix) = ("0011".to_owned(), "#".to_owned());
    body.tech_headers =
        [("X-Account", "7"), ("Privacy", "none"), ("P-Asserted-Identity", "<tel:+1>"), ("B(", "x")]
            .into_iter()
            .collect();
    stage.platform.providers().update(made.id, body).await.unwrap();
    let id = stage.call(short_call(&made)).await;
    let invite = refused_by_hand(&carrier).await;
    assert_eq!(invite.start, format!("INVITE sip:0011{GB}#@{host};transport=udp SIP/2.0"));
    assert_eq!(invite.header("X-Account"), Some("7"));
    assert_eq!((invite.header("Privacy"), invite.header("P-Asserted-Identity")), (None, None));
    assert_eq!((invite.header("B("), invite.header("Authorization")), (None, None));
    stage.wait_for_end(id).await;
}

#[tokio::test]
async fn a_call_that_the_first_carrier_cannot_take_goes_to_the_next_with_its_own_credentials() {
    let mut stage = Stage::start().await;
    let (trunk, on_trunk) = stage.provider().await;
    let broken = Sipp::start(&Steps::invited().refused(503), 1);
    let at_broken = stage.provider_at(broken.host()).await;
    stage.route("all", &at_broken, 1).await;
    stage.route("all", &on_trunk, 2).await;
    stage.add_number(US).await;
    let id = stage.ordinary_call().await;
    assert_eq!(stage.hangup_of(id).await, hangup("normal", "local"));
    let events = stage.events_until_end(id).await;
    let start = ["call_created", "call_updated", "call_ringing", "call_progressing"];
    assert_eq!(kinds(&events)[..4], start, "{:?}", kinds(&events));
    assert_eq!((&events[1].1.status, events[1].1.tm_ringing), (&CallStatus::Dialing, None));
    assert_eq!(stage.record(&trunk, 1).await["success"], true);
    broken.went_as_written().await;
}

#[tokio::test]
async fn a_call_whose_ways_are_all_used_up_ends_with_the_last_ones_reason() {
    let stage = Stage::start().await;
    let carriers =
        [Sipp::start(&Steps::invited().refused(503), 1), Sipp::start(&Steps::invited().refused(404), 1)];
    for (priority, sipp) in (1..).zip(&carriers) {
        let provider = stage.provider_at(sipp.host()).await;
        stage.route("+44", &provider, priority).await;
    }
    stage.add_number(US).await;
    let id = stage.ordinary_call().await;
    assert_eq!(stage.hangup_of(id).await, hangup("failed", "remote"));
    for sipp in carriers {
        sipp.went_as_written().await;
    }
}

#[tokio::test]
async fn a_provider_call_has_one_way_and_no_other() {
    let stage = Stage::start().await;
    let broken = Sipp::start(&Steps::invited().refused(503), 1);
    let (at_broken, spare) = (stage.provider_at(broken.host()).await, stage.provider().await);
    stage.route("all", &spare.1, 1).await;
    let id = stage.call(short_call(&at_broken)).await;
    assert_eq!(stage.hangup_of(id).await, hangup("failed", "remote"));
    assert_eq!(attempts(&stage.server.control().call_counts().unwrap()), [0, 0, 0, 0]);
    broken.went_as_written().await;
}

#[tokio::test]
async fn a_call_that_is_hung_up_while_it_rings_is_cancelled_at_the_carrier() {
    let mut stage = Stage::start().await;
    let sipp = Sipp::start(&Steps::invited().progress("180 Ringing").cancelled(), 1);
    let provider = stage.provider_at(sipp.host()).await;
    let id = stage.call(short_call(&provider)).await;
    stage.wait_for_status(id, CallStatus::Ringing).await;
    let asked = stage.platform.calls().hangup(id).await.unwrap();
    assert!([CallStatus::Canceling, CallStatus::Hangup].contains(&asked.status), "{asked:?}");
    assert_eq!(stage.hangup_of(id).await, hangup("cancel", "local"));
    let events = stage.events_until_end(id).await;
    assert_eq!(kinds(&events), ["call_created", "call_ringing", "call_canceling", "call_hangup"]);
    let over = stage.wait_for_end(id).await;
    assert_eq!(stage.platform.calls().hangup(id).await.unwrap(), over, "a second time changes nothing");
    sipp.went_as_written().await;
}

#[tokio::test]
async fn a_call_that_is_hung_up_while_it_is_up_ends_at_the_carrier_too() {
    let mut stage = Stage::start().await;
    let (trunk, provider) = stage.provider().await;
    let id = stage.call(long_call(&provider)).await;
    stage.wait_for_status(id, CallStatus::Progressing).await;
    let asked = stage.platform.calls().hangup(id).await.unwrap();
    assert_eq!(asked.status, CallStatus::Terminating);
    assert_eq!(stage.hangup_of(id).await, hangup("normal", "local"));
    let events = stage.events_until_end(id).await;
    assert_eq!(kinds(&events)[kinds(&events).len() - 2..], ["call_terminating", "call_hangup"]);
    let record = stage.record(&trunk, 1).await;
    assert_eq!((&record["success"], &record["disconnect_code"]), (&true.into(), &200.into()));
    assert!(stage.server.control().active_calls().unwrap().is_empty());
}

#[tokio::test]
async fn of_two_destinations_the_one_that_may_be_called_is_called() {
    let stage = Stage::closed(|_| {}).await;
    stage.allow(["gb"]).await;
    let (_trunk, provider) = stage.provider().await;
    let both = vec![Address::tel(US), Address::tel(GB)];
    let placed =
        stage.place(ProviderCallCreate { destinations: both.clone(), ..short_call(&provider) }).await;
    assert_eq!((placed.destinations, placed.call_ids.len()), (both, 1));
    let call = stage.wait_for_end(placed.call_ids[0]).await;
    assert_eq!((call.destination.target.as_str(), hangup_of(&call)), (GB, hangup("normal", "local")));
    assert_eq!(stage.platform.calls().list().all().await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_two_destinations_the_one_that_the_carrier_refuses_ends_and_the_other_is_answered() {
    let stage = Stage::start().await;
    let prefixes = vec![didww_client::values::DstPrefix::new("1202").unwrap()];
    let body =
        open("Not to America").dst_prefixes(didww_client::resources::DstPrefixes::new(prefixes).unwrap());
    let trunk = stage.trunk(body).await;
    let provider = stage.provider_on(&trunk).await;
    let both = vec![Address::tel("+12025550187"), Address::tel(GB)];
    let placed = stage.place(ProviderCallCreate { destinations: both, ..short_call(&provider) }).await;
    assert_eq!(placed.call_ids.len(), 2);
    assert_eq!(stage.hangup_of(placed.call_ids[0]).await, hangup("failed", "remote"));
    assert_eq!(stage.hangup_of(placed.call_ids[1]).await, hangup("normal", "local"));
    stage.record(&trunk, 2).await;
    let records = stage.records(&trunk).await;
    let mut outcomes: Vec<_> = records.iter().map(|record| record["disconnect_code"].as_u64()).collect();
    outcomes.sort();
    assert_eq!(outcomes, [Some(200), Some(403)]);
}

async fn up(stage: &Stage, provider: &Provider) -> (uuid::Uuid, uuid::Uuid) {
    let placed = stage.place(long_call(provider)).await;
    stage.wait_for_status(placed.call_ids[0], CallStatus::Progressing).await;
    (placed.id, placed.call_ids[0])
}

#[tokio::test]
async fn a_provider_call_whose_record_is_deleted_goes_on() {
    let mut stage = Stage::start().await;
    let (trunk, provider) = stage.provider().await;
    let (record, call) = up(&stage, &provider).await;
    let before = stage.platform.calls().get(call).await.unwrap();
    let deleted = stage.platform.provider_calls().delete(record).await.unwrap();
    assert!(deleted.tm_delete.is_some() && deleted.tm_delete == deleted.tm_update);
    assert_eq!(deleted.call_ids, [call]);
    assert_eq!(stage.platform.provider_calls().list().all().await.unwrap(), []);
    assert_eq!(stage.platform.provider_calls().get(record).await.unwrap(), deleted);
    // Neither the call nor the carrier is affected.
    assert_eq!(stage.platform.calls().get(call).await.unwrap().status, CallStatus::Progressing);
    assert_eq!(stage.platform.calls().get(call).await.unwrap().tm_progressing, before.tm_progressing);
    assert_eq!(stage.server.control().active_calls().unwrap().len(), 1);
    assert!(stage.records(&trunk).await.is_empty());
    stage.platform.calls().hangup(call).await.unwrap();
    assert_eq!(stage.hangup_of(call).await, hangup("normal", "local"));
    assert!(!kinds(&stage.events_until_end(call).await).contains(&"call_deleted"));
}

#[tokio::test]
async fn a_call_whose_provider_is_deleted_goes_on_and_the_next_is_refused() {
    let stage = Stage::start().await;
    let (_trunk, provider) = stage.provider().await;
    let (_, call) = up(&stage, &provider).await;
    stage.platform.providers().delete(provider.id).await.unwrap();
    assert_eq!(stage.platform.calls().get(call).await.unwrap().status, CallStatus::Progressing);
    let message = refused(stage.platform.provider_calls().create(short_call(&provider)).await);
    assert!(message.contains("provider not found"), "{message}");
    stage.platform.calls().hangup(call).await.unwrap();
    assert_eq!(stage.hangup_of(call).await, hangup("normal", "local"));
}
