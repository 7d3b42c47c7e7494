//! Calls to DIDs at two servers: each capacity is one for the calls of both.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Pair, kill, until_alone};
use crate::outbound::sipp_carrier::{Sipp, Steps};
use crate::sip::edge::{Edge, until};
use crate::support::world::{identifier, linking, resource, update, with};

/// The DID of the tests, and a caller.
const NUMBER: &str = "442079460018";
const CALLER: &str = "+442079460999";

/// The longest time from the answer to the wish to end a call to the record of its end, at any server.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

/// Two servers that may call hosts of this machine, and a DID of the account that both serve.
struct Place {
    pair: Pair,
    did: String,
}

/// What has a capacity.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Limited {
    Trunk,
    Group,
    Did,
}

impl Place {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("calls.toml");
        std::fs::write(&config, "[inbound_calls]\nallow_private_destinations = true\n").unwrap();
        let pair = Pair::start_with(&["--config", config.to_str().unwrap()]).await;
        let dids = format!("/accounts/{}/dids", pair.one.account);
        let did = pair.one.control.post(&dids, &json!({ "number": NUMBER })).await.at("/dids/0/id");
        Self { did: did.as_str().unwrap().to_owned(), pair }
    }

    /// Changes the DID.
    async fn change(&self, body: &Value) {
        let changed = self.pair.one.api.patch(&format!("/dids/{}", self.did), body).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
    }

    /// Sets the capacity of the DID.
    async fn limit(&self, limit: Option<u32>) {
        self.change(&update("dids", &self.did, json!({ "capacity_limit": limit }))).await;
    }

    /// Routes the DID to a group of one trunk, which leads to a callee. One of the three has a capacity of one call.
    async fn route(&self, sipp: &Sipp, limited: Limited) {
        let limit = |of: Limited| if limited == of { json!(1) } else { Value::Null };
        let at: std::net::SocketAddr = sipp.host().parse().unwrap();
        let configuration =
            json!({ "type": "sip_configurations", "attributes": { "host": at.ip(), "port": at.port() } });
        let attributes = json!({ "name": format!("trunk {limited:?}"), "configuration": configuration });
        let body =
            with(resource("voice_in_trunks", attributes), json!({ "capacity_limit": limit(Limited::Trunk) }));
        let trunk = self.created("/voice_in_trunks", &body).await;
        let name = format!("group {limited:?}");
        let attributes = json!({ "name": name, "capacity_limit": limit(Limited::Group) });
        let members = json!([identifier("voice_in_trunks", &trunk)]);
        let body = linking(resource("voice_in_trunk_groups", attributes), "voice_in_trunks", members);
        let group = self.created("/voice_in_trunk_groups", &body).await;
        let body = update("dids", &self.did, json!({ "capacity_limit": limit(Limited::Did) }));
        let group = identifier("voice_in_trunk_groups", &group);
        self.change(&linking(body, "voice_in_trunk_group", group)).await;
    }

    async fn created(&self, path: &str, body: &Value) -> String {
        let created = self.pair.one.api.post(path, body).await;
        assert_eq!(created.status, 201, "{}", created.text);
        created.id()
    }

    /// Waits until the nodes hold as many channels of the DID.
    async fn until_held(&self, held: u32) {
        let sum = format!("SELECT coalesce(sum(held), 0) FROM channel WHERE trunk = '{}'", self.did);
        let expected = held.to_string();
        until("the channels of the DID are held", async || {
            (self.pair.database.ask(&sum) == expected).then_some(())
        })
        .await;
    }
}

/// Waits until a call has one of these statuses. Returns its record.
async fn record_with(edge: &Edge, id: &str, statuses: &[&str]) -> Value {
    until("the status of a call", async || {
        let call = edge.control.get(&format!("/inbound_calls/{id}")).await.json();
        statuses.iter().any(|status| call["status"] == *status).then_some(call)
    })
    .await
}

/// Calls the DID at a server, and waits until the call is up or over. Returns its record.
async fn called(edge: &Edge) -> Value {
    let placed = edge.control.post("/inbound_calls", &json!({ "from": CALLER, "to": NUMBER })).await;
    assert_eq!(placed.status, 201, "{}", placed.text);
    record_with(edge, placed.at("/id").as_str().unwrap(), &["answered", "ended"]).await
}

/// Calls the DID at a server until a call is up: the place of the call before travels behind its end. Returns its id.
async fn up(edge: &Edge) -> String {
    let call = until("a call is up", async || {
        let call = called(edge).await;
        assert!(call["status"] == "answered" || call["disconnect_code"] == 480, "{call}");
        (call["status"] == "answered").then_some(call)
    })
    .await;
    call["id"].as_str().unwrap().to_owned()
}

/// Asserts that a server refuses a call for this reason, without calling a trunk.
async fn is_refused(edge: &Edge, reason: &str) {
    let call = called(edge).await;
    assert_eq!((&call["disconnect_code"], &call["reason"]), (&json!(480), &json!(reason)), "{call}");
    let attempts = call["attempts"].as_array().unwrap();
    assert!(attempts.iter().all(|attempt| attempt["sent_at"].is_null()), "{call}");
}

/// Hangs up a call at a server, which ends in time wherever it runs.
async fn hang_up(edge: &Edge, id: &str) {
    let ended = edge.control.delete(&format!("/inbound_calls/{id}")).await;
    assert!(ended.status < 300, "{}", ended.text);
    let asked = Instant::now();
    record_with(edge, id, &["ended"]).await;
    let after = asked.elapsed();
    assert!(after < ENDS_WITHIN, "it ended {after:?} after the answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trunk_a_group_and_a_did_take_as_many_calls_at_both_servers_together_as_their_capacity() {
    let place = Place::start().await;
    let (one, other) = (&place.pair.one, &place.pair.other);
    for (limited, reason) in [
        (Limited::Trunk, "the trunk has its maximum of calls, 1"),
        (Limited::Group, "the DID's trunk group has its maximum of calls, 1"),
        (Limited::Did, "the DID has its maximum of calls, 1"),
    ] {
        // A third call would find no callee, and not be answered.
        let sipp = Sipp::start(&Steps::invited().answered().hung_up(), 2);
        place.route(&sipp, limited).await;
        for (first, second) in [(one, other), (other, one)] {
            let call = up(first).await;
            is_refused(second, reason).await;
            is_refused(first, reason).await;
            // It belongs to the first server, and either one ends it.
            hang_up(second, &call).await;
        }
        sipp.went_as_written().await;
    }
    place.until_held(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_began_before_a_did_had_a_limit_count_at_both_servers() {
    let place = Place::start().await;
    let sipp = Sipp::start(&Steps::invited().answered().hung_up(), 2);
    // Neither the DID nor its group has a limit.
    place.route(&sipp, Limited::Did).await;
    place.limit(None).await;
    let call = up(&place.pair.one).await;
    place.until_held(1).await;
    place.limit(Some(1)).await;
    is_refused(&place.pair.other, "the DID has its maximum of calls, 1").await;
    place.limit(Some(2)).await;
    let second = up(&place.pair.other).await;
    place.until_held(2).await;
    hang_up(&place.pair.one, &call).await;
    hang_up(&place.pair.other, &second).await;
    sipp.went_as_written().await;
    place.until_held(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_places_of_a_killed_server_are_free_again_once_it_is_found_dead() {
    let mut place = Place::start().await;
    // Of the first call the callee hears no end.
    let sipp = Sipp::start(&Steps::invited().answered(), 2);
    place.route(&sipp, Limited::Did).await;
    up(&place.pair.one).await;
    kill(&mut place.pair.one).await;
    is_refused(&place.pair.other, "the DID has its maximum of calls, 1").await;
    until_alone(&place.pair.other).await;
    up(&place.pair.other).await;
    sipp.went_as_written().await;
}
