//! Tests of the dialler with carriers: scripted ones on raw sockets, and sipp.

mod answered;
mod carrier;
mod connections;
mod credentials;
mod egress;
mod in_dialog;
mod limits;
mod long_calls;
mod outcomes;
mod probe;
mod sipp;
#[path = "../../../tests/support/sipp_carrier.rs"]
mod sipp_carrier;
mod transports;
mod tries;
mod unanswered;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use carrier::{Carrier, Message};
use service_base::clock::Clock;
use service_base::ids::Ids;
use sip_transport::Connections;
use sip_transport::streams::Limits;

use super::{Dialler, DiallerConfig, Egress, Invitation, Leg, LegEnd, LegEvent, SipCredentials};

/// Maximum time that a test waits for an event.
const EVENT_TIMEOUT: Duration = Duration::from_secs(10);
/// The round-trip time T1 of tests that wait for timers.
const ROUND_TRIP: Duration = Duration::from_millis(20);

fn config() -> DiallerConfig {
    DiallerConfig::new(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

async fn start(config: DiallerConfig) -> Dialler {
    Dialler::start(config, Clock::system(), Ids::system()).await.unwrap()
}

async fn dialler() -> Dialler {
    start(config()).await
}

/// A dialler with short SIP timers.
async fn with_short_timers() -> Dialler {
    start(DiallerConfig { t1: ROUND_TRIP, ..config() }).await
}

/// A dialler whose host map has `carrier.example.com` at an address.
async fn mapped(to: std::net::SocketAddr) -> Dialler {
    let hosts = BTreeMap::from([("Carrier.example.com".to_owned(), to.to_string())]);
    start(DiallerConfig { hosts, ..config() }).await
}

fn invitation(uri: &str) -> Invitation {
    Invitation {
        uri: uri.to_owned(),
        from_display: "Alice".to_owned(),
        from_user: "+37061498222".to_owned(),
        headers: Vec::new(),
        codecs: Vec::new(),
        egress: Egress::Anywhere,
        credentials: None,
    }
}

/// Places a call, and returns it with the INVITE that the carrier received.
async fn placed(dialler: &Dialler, carrier: &mut Carrier) -> (Leg, Message) {
    let leg = dialler.call(invitation(&carrier.uri("1")));
    let invite = carrier.expect("INVITE").await;
    (leg, invite)
}

/// Places a call that rings.
async fn ringing(dialler: &Dialler, carrier: &mut Carrier) -> (Leg, Message) {
    let (mut leg, invite) = placed(dialler, carrier).await;
    carrier.answer(&invite, "180 Ringing", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Ringing);
    (leg, invite)
}

/// Places a call that the carrier answers with these further headers.
async fn established(dialler: &Dialler, carrier: &mut Carrier, further: &str) -> (Leg, Message) {
    let (mut leg, invite) = placed(dialler, carrier).await;
    carrier.pick_up(&invite, further, 4000).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    (leg, invite)
}

/// Hangs up on this side, and the carrier confirms it.
async fn hang_up(leg: &mut Leg, carrier: &mut Carrier) {
    leg.hang_up();
    let bye = carrier.expect("BYE").await;
    carrier.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(leg).await, LegEnd::HungUpByUs);
}

async fn next(leg: &mut Leg) -> LegEvent {
    tokio::time::timeout(EVENT_TIMEOUT, leg.next())
        .await
        .expect("an event arrives in time")
        .expect("there is an event")
}

async fn ended(leg: &mut Leg) -> LegEnd {
    match next(leg).await {
        LegEvent::Ended(end) => {
            let after = tokio::time::timeout(EVENT_TIMEOUT, leg.next()).await.expect("the events end");
            assert_eq!(after, None, "nothing is reported after the end");
            end
        }
        other => panic!("{other:?} instead of the end"),
    }
}

/// Waits until all calls have ended.
async fn idle(dialler: &Dialler) {
    let mut active = dialler.shared.active_calls.subscribe();
    let idle = active.wait_for(|active| *active == 0);
    tokio::time::timeout(EVENT_TIMEOUT, idle).await.expect("the calls end").unwrap();
}
