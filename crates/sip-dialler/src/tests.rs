//! The dialler against carriers: scripted ones over raw sockets, and sipp.

mod answered;
mod carrier;
mod connections;
mod credentials;
mod in_dialog;
mod limits;
mod outcomes;
mod probe;
mod reach;
mod sipp;
#[path = "../../../tests/support/sipp_carrier.rs"]
mod sipp_carrier;
mod unanswered;
mod ways;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{
    Connections, Dialler, DiallerConfig, Invitation, Leg, LegEnd, LegEvent, Limits, Reach, SipCredentials,
};
use carrier::{Carrier, Message};
use service_base::clock::Clock;
use service_base::ids::Ids;

/// Longest that a test waits for anything.
const PROMPT: Duration = Duration::from_secs(10);
/// A round trip for tests that wait for timers.
const SHORT: Duration = Duration::from_millis(20);

fn config() -> DiallerConfig {
    DiallerConfig::new(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

async fn start(config: DiallerConfig) -> Dialler {
    Dialler::start(config, Clock::system(), Ids::system()).await.unwrap()
}

async fn dialler() -> Dialler {
    start(config()).await
}

/// One whose timers run fast.
async fn hasty() -> Dialler {
    start(DiallerConfig { t1: SHORT, ..config() }).await
}

/// One that finds `carrier.example.com` at an address.
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
        reach: Reach::Anywhere,
        credentials: None,
    }
}

/// A call whose INVITE the carrier has.
async fn placed(dialler: &Dialler, carrier: &mut Carrier) -> (Leg, Message) {
    let leg = dialler.call(invitation(&carrier.uri("1")));
    let invite = carrier.expect("INVITE").await;
    (leg, invite)
}

/// A call that rings.
async fn ringing(dialler: &Dialler, carrier: &mut Carrier) -> (Leg, Message) {
    let (mut leg, invite) = placed(dialler, carrier).await;
    carrier.answer(&invite, "180 Ringing", "", "").await;
    assert_eq!(next(&mut leg).await, LegEvent::Ringing);
    (leg, invite)
}

/// A call that is up, by an answer with these further headers.
async fn up(dialler: &Dialler, carrier: &mut Carrier, further: &str) -> (Leg, Message) {
    let (mut leg, invite) = placed(dialler, carrier).await;
    carrier.pick_up(&invite, further, 4000).await;
    carrier.expect("ACK").await;
    assert_eq!(next(&mut leg).await, LegEvent::Answered);
    (leg, invite)
}

/// We hang up, and the carrier agrees.
async fn hung_up(leg: &mut Leg, carrier: &mut Carrier) {
    leg.hang_up();
    let bye = carrier.expect("BYE").await;
    carrier.answer(&bye, "200 OK", "", "").await;
    assert_eq!(ended(leg).await, LegEnd::HungUpByUs);
}

async fn next(leg: &mut Leg) -> LegEvent {
    tokio::time::timeout(PROMPT, leg.next())
        .await
        .expect("an event comes in time")
        .expect("there is an event")
}

async fn ended(leg: &mut Leg) -> LegEnd {
    match next(leg).await {
        LegEvent::Ended(end) => {
            let after = tokio::time::timeout(PROMPT, leg.next()).await.expect("the events end");
            assert_eq!(after, None, "nothing comes after the end");
            end
        }
        other => panic!("{other:?} instead of the end"),
    }
}

/// Waits until no call is under way any more.
async fn idle(dialler: &Dialler) {
    let mut running = dialler.inner.running.subscribe();
    let idle = running.wait_for(|running| *running == 0);
    tokio::time::timeout(PROMPT, idle).await.expect("the calls end").unwrap();
}
