//! Two real servers on one PostgreSQL database: what one of them did holds at the other, and what becomes of both when
//! one of them, or the database, is away.

mod calls;
mod dead_nodes;
mod faults;
mod limits;
mod round_trips;
mod writes;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, FOREIGN_NUMBER, Trunk, until};
use crate::support::postgres::{Database, Server};

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
        let arguments = ["--database", url.as_str()];
        let one = Edge::with_arguments(&arguments).await;
        let other = Edge::with_arguments(&arguments).await;
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

/// The number of nodes that a server lists.
async fn nodes(edge: &Edge) -> usize {
    let answer = edge.control.get("/nodes").await;
    answer.at("/nodes").as_array().unwrap_or_else(|| panic!("{}", answer.text)).len()
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

/// Kills a server with SIGKILL, and waits for its end.
async fn kill(edge: &mut Edge) {
    edge.binary.signal("KILL");
    until("the killed server ends", async || (!edge.binary.runs()).then_some(())).await;
}
