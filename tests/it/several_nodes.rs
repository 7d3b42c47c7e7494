//! Two real servers on one PostgreSQL database: what one of them did holds at the other, and what becomes of both when
//! one of them, the database, or the way to it fails.
//!
//! `DB_CUTS=1000` makes the run of [`cuts`] long.

#[cfg(feature = "nodes-full")]
mod callers;
mod calls;
mod customers;
mod cuts;
mod dead_nodes;
#[cfg(feature = "nodes-full")]
mod event_stream;
#[cfg(feature = "nodes-full")]
mod failover;
mod faults;
mod inbound_calls;
mod ledger;
mod limits;
mod notifications;
mod partition;
mod provider_calls;
mod rates;
mod round_trips;
#[cfg(feature = "nodes-full")]
mod silence;
mod starts;
mod taken_over;
mod thresholds;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, FOREIGN_NUMBER, Trunk, until};
use crate::support::api::{Answer, Api};
use crate::support::postgres::{Database, Server};
use crate::support::tcp_proxy::Proxy;

/// The time within which a server that is away is found dead and its calls are settled.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);
/// The time between two looks at the nodes.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Two servers with edges that share a database.
struct Pair {
    one: Edge,
    other: Edge,
    /// Dropped after the servers that use it.
    database: Database,
}

impl Pair {
    /// Starts both on an empty database of the server that all tests share.
    async fn start() -> Self {
        Self::start_on(&Server::shared()).await
    }

    /// Starts both on an empty database of this server.
    async fn start_on(postgres: &Arc<Server>) -> Self {
        let database = postgres.database();
        let url = database.url();
        Self::start_at(database, [&url, &url], &[]).await
    }

    /// Starts both on an empty database, with these further arguments.
    async fn start_with(further: &[&str]) -> Self {
        let database = Server::shared().database();
        let url = database.url();
        Self::start_at(database, [&url, &url], further).await
    }

    /// Starts both on an empty database, of which the first one is reached through a proxy, with these further
    /// arguments.
    async fn start_behind_proxy(further: &[&str]) -> (Self, Proxy) {
        let postgres = Server::shared();
        let (database, proxy) = (postgres.database(), Proxy::start(postgres.socket()));
        let urls = [database.url_through(&proxy), database.url()];
        (Self::start_at(database, [&urls[0], &urls[1]], further).await, proxy)
    }

    /// Starts both at these URLs of a database, with these further arguments.
    async fn start_at(database: Database, [one, other]: [&str; 2], further: &[&str]) -> Self {
        let one = Edge::with_arguments(&[&["--database", one][..], further].concat()).await;
        let other = Edge::with_arguments(&[&["--database", other][..], further].concat()).await;
        assert_eq!(one.account, other.account, "the second one finds the account of the first one");
        Self { one, other, database }
    }

    /// Creates a trunk at one server, and waits until the edges of both know it.
    async fn trunk(&self, attributes: Value) -> Trunk {
        let trunk = self.one.trunk(attributes).await;
        for edge in [&self.one, &self.other] {
            until_admitted(edge, &trunk).await;
        }
        trunk
    }
}

/// Whether an edge would admit a call of a trunk.
async fn admits(edge: &Edge, trunk: &Trunk) -> bool {
    let question = json!({
        "source": "127.100.0.1", "from": FOREIGN_NUMBER, "to": ANSWERS_AT_ONCE, "username": trunk.username,
    });
    edge.explain(&question).await["verdict"] == "admitted"
}

/// Waits until an edge would admit a call of a trunk.
async fn until_admitted(edge: &Edge, trunk: &Trunk) {
    until("the edge admits calls of the trunk", async || admits(edge, trunk).await.then_some(())).await;
}

/// The number of a server among the nodes.
async fn number_of(edge: &Edge) -> i64 {
    let answer = edge.control.get("/nodes").await;
    let listed = answer.at("/nodes");
    let own = listed.as_array().into_iter().flatten().find(|node| node["own"] == true);
    own.unwrap_or_else(|| panic!("{}", answer.text))["number"].as_i64().unwrap()
}

/// The number of nodes that a server lists.
async fn nodes(edge: &Edge) -> usize {
    let answer = edge.control.get("/nodes").await;
    answer.at("/nodes").as_array().unwrap_or_else(|| panic!("{}", answer.text)).len()
}

/// Waits until a server lists no other one.
async fn until_alone(edge: &Edge) {
    let alone = async {
        while nodes(edge).await > 1 {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    tokio::time::timeout(SETTLED_WITHIN, alone).await.expect("the other server is found dead");
}

/// Waits until the call of a trunk is written as acknowledged. An ACK has no answer, so this is the only sign that it
/// arrived.
async fn until_acknowledged(database: &Database, trunk: &Trunk) {
    let written = format!("SELECT count(*) FROM running_call WHERE acknowledged AND trunk = '{}'", trunk.id);
    until("the acknowledged call is written", async || (database.ask(&written) == "1").then_some(())).await;
}

/// The ids of the trunks that a server lists, of which there are fewer than a page has.
async fn listed(edge: &Edge) -> Vec<String> {
    let answer = edge.api.get("/voice_out_trunks?page[size]=1000").await;
    let trunks = answer.at("/data");
    let trunks = trunks.as_array().unwrap_or_else(|| panic!("{}", answer.text));
    assert!(trunks.len() < 1_000 && answer.at("/meta/total_records") == trunks.len(), "{}", answer.text);
    trunks.iter().map(|trunk| trunk["id"].as_str().unwrap().to_owned()).collect()
}

/// The body that creates a trunk.
fn body(name: &str) -> Value {
    let method =
        json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.5"] } });
    let attributes =
        json!({ "name": name, "on_cli_mismatch_action": "reject_call", "authentication_method": method });
    json!({ "data": { "type": "voice_out_trunks", "attributes": attributes } })
}

/// Asks for a health endpoint.
async fn health(edge: &Edge, path: &str) -> u16 {
    Api::new(edge.binary.base.trim_end_matches("/v3"), "good").get(path).await.status
}

/// Waits until a server is ready, or not.
async fn until_ready(edge: &Edge, status: u16) {
    let is_so = async || (health(edge, "/readyz").await == status).then_some(());
    until(&format!("/readyz answers {status}"), is_so).await;
}

/// Whether a request was refused, and may be repeated.
fn is_away(answer: &Answer) -> bool {
    let retry = answer.headers.get("Retry-After").and_then(|value| value.to_str().ok());
    answer.status == 503
        && retry.is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|seconds| seconds >= 1))
}

/// Kills a server with SIGKILL, and waits for its end.
async fn kill(edge: &mut Edge) {
    edge.binary.signal("KILL");
    until("the killed server ends", async || (!edge.binary.runs()).then_some(())).await;
}
