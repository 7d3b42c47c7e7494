//! The nodes that share the server's database.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::Response;
use didww_types::Timestamp;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::respond::respond;
use crate::route::Route;
use crate::{Control, ControlError};

/// A node of the database: a server process that has it open, or one that died and whose calls are not settled yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct NodeState {
    /// The number, which no other process of the database has or had; 0 if the database is a file.
    pub number: i64,
    /// Whether this is the node that answers the request.
    pub own: bool,
    /// The time of its last heartbeat, on its own clock; null if it never had one.
    pub last_heartbeat: Option<Timestamp>,
    /// Number of answered calls that have no record yet.
    pub calls: u64,
    /// The number of the node that settles the calls of this one, because it was found dead; null while it is alive.
    pub heir: Option<i64>,
}

/// The nodes of the database.
#[derive(Serialize, JsonSchema)]
struct NodeStates {
    nodes: Vec<NodeState>,
}

impl Control {
    /// Returns the nodes that share the database, in the order of their numbers.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn nodes(&self) -> Result<Vec<NodeState>, ControlError> {
        let store = &self.core.store;
        if !store.is_shared() {
            // The only node needs no heartbeats: it is alive, because it answers.
            store.heartbeat(self.core.clock.now()).await?;
        }
        let nodes = store.nodes().await?;
        let mut calls: HashMap<i64, u64> = HashMap::new();
        for call in store.calls_of_others(None).await? {
            *calls.entry(call.node).or_default() += 1;
        }
        let own = store.node();
        calls.insert(own, store.running_calls().await?.calls.len() as u64);
        let state = |node: trunk_store::Node| NodeState {
            number: node.number,
            own: node.number == own,
            last_heartbeat: node.beat_at,
            calls: calls.get(&node.number).copied().unwrap_or_default(),
            heir: node.heir,
        };
        Ok(nodes.into_iter().map(state).collect())
    }
}

/// The routes of nodes.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/nodes", "Lists the nodes that share the database.", list_nodes)
            .answers::<NodeStates>(200),
    ]
}

async fn list_nodes(State(control): State<Control>) -> Response {
    let nodes = control.nodes().await;
    respond(nodes.map(|nodes| (StatusCode::OK, json!(NodeStates { nodes }))))
}
