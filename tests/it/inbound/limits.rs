//! Capacities of trunks, groups and DIDs, the server's own limits, and the ends of live calls by changes of the server.

use std::net::UdpSocket;

use serde_json::{Value, json};
use trunk_server::control::ControlError;
use trunk_server::inbound::{InboundQuery, InboundStatus, NewInboundCall};

use super::place::*;
use crate::outbound::sipp_carrier::{Sipp, Steps};
use crate::support::world::{DIDS, identifier, update};

/// A callee that answers and is hung up on.
fn answering() -> Sipp {
    Sipp::start(&Steps::invited().answered().hung_up(), 1)
}

/// The record with a capacity of one call, and the reason of the refusal of a second one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Full {
    Trunk,
    Group,
    Did,
}

#[tokio::test]
async fn a_trunk_a_group_and_a_did_take_as_many_calls_as_their_capacity() {
    for (full, reason, attempts) in [
        (Full::Trunk, "the trunk has its maximum of calls, 1", 1),
        (Full::Group, "the DID's trunk group has its maximum of calls, 1", 0),
        (Full::Did, "the DID has its maximum of calls, 1", 0),
    ] {
        let place = Place::start().await;
        let sipp = answering();
        let limit = |of: Full| if full == of { json!(1) } else { Value::Null };
        let attributes = json!({ "capacity_limit": limit(Full::Trunk) });
        let trunk = place.trunk_of(&sipp.host(), attributes, json!({})).await;
        place.grouped(&[&trunk], json!({ "capacity_limit": limit(Full::Group) })).await;
        let body = update("dids", &place.did, json!({ "capacity_limit": limit(Full::Did) }));
        let patched = place.world.api.patch(&format!("{DIDS}/{}", place.did), &body).await;
        assert_eq!(patched.status, 200, "{}", patched.text);
        let first = place.call().await;
        place.wait_for(first.id, InboundStatus::Answered).await;
        let second = place.called().await;
        assert_eq!(ending(&second), (480, "server", reason));
        assert_eq!(second.attempts.len(), attempts, "{full:?}");
        assert!(second.attempts.iter().all(|attempt| attempt.sent_at.is_none()), "{second:?}");
        place.control.end_inbound_call(first.id).await.unwrap();
        place.wait_for(first.id, InboundStatus::Ended).await;
        sipp.went_as_written().await;
        // The place is free again.
        let busy = Sipp::start(&Steps::invited().refused(486), 1);
        let at: std::net::SocketAddr = busy.host().parse().unwrap();
        let moved =
            json!({ "type": "sip_configurations", "attributes": { "host": at.ip(), "port": at.port() } });
        let body = update("voice_in_trunks", &trunk, json!({ "configuration": moved }));
        let patched = place.world.api.patch(&format!("/voice_in_trunks/{trunk}"), &body).await;
        assert_eq!(patched.status, 200, "{}", patched.text);
        assert_eq!(ending(&place.called().await).0, 486, "{full:?}");
        busy.went_as_written().await;
    }
}

#[tokio::test]
async fn a_server_without_a_free_port_for_media_says_so_and_calls_no_trunk() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    // Media are on even ports.
    let end = if port.is_multiple_of(2) { port + 1 } else { port };
    let place = Place::with(|config| config.rtp_ports = port..end).await;
    let callee = UdpSocket::bind("127.0.0.1:0").unwrap();
    let host = callee.local_addr().unwrap().to_string();
    let trunk = place.trunk_of(&host, json!({}), json!({})).await;
    place.route("voice_in_trunk", identifier("voice_in_trunks", &trunk)).await;
    let ended = place.called().await;
    let reason = "no port for the media of the call is free on this server";
    assert_eq!(ending(&ended), (503, "server", reason));
    let [attempt] = ended.attempts.as_slice() else { panic!("{ended:?}") };
    assert_eq!(attempt.outcome.as_deref(), Some("no port for media is free here"));
    assert_eq!((attempt.sent_at, attempt.code), (None, None));
    callee.set_nonblocking(true).unwrap();
    assert!(callee.recv_from(&mut [0; 64]).is_err(), "nothing was sent");
}

#[tokio::test]
async fn a_call_can_be_placed_as_soon_as_the_end_of_the_last_one_is_read() {
    let place = Place::with(|config| config.calls = 1).await;
    let sipp = Sipp::start(&Steps::invited().refused(486), 20);
    place.routed_to(&sipp).await;
    for number in 0..20 {
        assert_eq!(ending(&place.called().await).0, 486, "call {number}");
    }
    sipp.went_as_written().await;
}

#[tokio::test]
async fn the_server_and_each_account_have_a_maximum_of_live_calls() {
    for (calls, of_account, reason) in [
        (1, 9, "this server has its maximum of inbound calls, 1"),
        (9, 1, "the account has its maximum of inbound calls, 1"),
    ] {
        let place = Place::with(|config| {
            (config.calls, config.calls_per_account) = (calls, of_account);
        })
        .await;
        let sipp = answering();
        place.routed_to(&sipp).await;
        let first = place.call().await;
        place.wait_for(first.id, InboundStatus::Answered).await;
        let refused =
            place.control.place_inbound_call(NewInboundCall::new(CALLER, NUMBER)).await.unwrap_err();
        assert_eq!(refused, ControlError::Busy(reason.to_owned()));
        let listed = place.control.inbound_calls(InboundQuery::default()).await.unwrap();
        assert_eq!(listed.len(), 1, "the refused call has no record");
        place.control.end_inbound_call(first.id).await.unwrap();
        place.wait_for(first.id, InboundStatus::Ended).await;
        sipp.went_as_written().await;
    }
}

#[tokio::test]
async fn a_reset_and_a_deleted_account_end_the_live_calls_and_delete_their_records() {
    for what in ["the account", "all", "the account with its keys"] {
        let place = Place::start().await;
        let ended = place.called().await;
        let sipp = answering();
        place.routed_to(&sipp).await;
        let call = place.call().await;
        place.wait_for(call.id, InboundStatus::Answered).await;
        let account = place.world.server.account();
        let reset = match what {
            "the account" => place.control.reset(Some(account)).await,
            "all" => place.control.reset(None).await,
            _ => place.control.delete_account(account).await,
        };
        reset.unwrap();
        sipp.went_as_written().await;
        for id in [call.id, ended.id] {
            let found = place.control.inbound_call(id).await;
            assert!(matches!(found, Err(ControlError::NotFound(_))), "{what}: {found:?}");
        }
    }
}
