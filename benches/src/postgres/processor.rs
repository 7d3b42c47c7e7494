//! The processor time that requests use at nodes and database.

use super::server::Server;
use crate::Outcome;
use crate::processor::seconds;
use crate::rounds::median;

/// The processor time and log that the nodes and the database have used so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    /// Seconds of each node.
    nodes: [f64; 2],
    /// Seconds of the database's processes: of all, and of those that serve nodes without requests.
    database: (f64, f64),
    /// Bytes of the database's write-ahead log.
    log: f64,
}

impl Used {
    /// Of the nodes that have requests, and of those that only follow what these write.
    pub(super) fn by(server: &Server, serving: &[u32], following: &[u32]) -> Outcome<Self> {
        let sum = |processes: &[u32]| processes.iter().map(|process| seconds(*process)).sum::<Outcome<f64>>();
        Ok(Self {
            nodes: [sum(serving)?, sum(following)?],
            database: server.processor_seconds()?,
            log: server.log_bytes()?,
        })
    }
}

/// The cost of one request, in microseconds and bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Requests a second.
    pub(super) rate: f64,
    /// Processor time of the nodes that serve.
    pub(super) node: f64,
    /// Processor time of the database, without its work for nodes that only follow.
    pub(super) database: f64,
    /// Processor time of one node that only follows, and of the database for it.
    pub(super) follower: (f64, f64),
    /// Bytes of the database's write-ahead log.
    pub(super) log: f64,
}

impl Cost {
    /// Of `requests` that were answered, `rate` a second, between two readings; `followers` nodes had none.
    pub(super) fn of((before, after): (Used, Used), requests: f64, rate: f64, followers: u32) -> Self {
        let [serving, following] = [0, 1].map(|of| {
            after.nodes.get(of).zip(before.nodes.get(of)).map_or(0.0, |(after, before)| after - before)
        });
        let each = requests * f64::from(followers.max(1));
        let for_followers = after.database.1 - before.database.1;
        Self {
            rate,
            node: serving * 1e6 / requests,
            database: (after.database.0 - before.database.0 - for_followers) * 1e6 / requests,
            follower: (following * 1e6 / each, for_followers * 1e6 / each),
            log: (after.log - before.log) / requests,
        }
    }

    /// The median of each figure of several turns.
    pub(super) fn median(turns: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(turns.iter().map(figure).collect());
        Self {
            rate: of(|cost| cost.rate),
            node: of(|cost| cost.node),
            database: of(|cost| cost.database),
            follower: (of(|cost| cost.follower.0), of(|cost| cost.follower.1)),
            log: of(|cost| cost.log),
        }
    }
}
