//! The expected capacity of more nodes, computed from the cost of one request. `docs/scaling.md` has the formula.

use std::fmt::Write as _;

use super::processor::Cost;

/// The measured inputs, in microseconds of processor time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs {
    /// A GET of one trunk, at one node.
    pub(super) get: Cost,
    /// A durable POST of one trunk, at one node.
    pub(super) post: Cost,
    /// Such a POST while other nodes follow.
    pub(super) followed: Cost,
    /// Seconds of processor time in a second without requests: of one node, and of the database for it.
    pub(super) idle: (f64, f64),
}

/// Numbers of nodes, and of the database's cores.
const SIZES: [(u32, u32); 5] = [(2, 4), (10, 16), (10, 64), (100, 64), (100, 128)];
/// Cores of a node.
const NODE_CORES: f64 = 2.0;

/// The maximum number of requests of a kind a second, and whether the database limits it.
#[derive(Debug, Clone, Copy)]
struct Bound {
    rate: f64,
    by_database: bool,
}

impl Bound {
    fn of(by_nodes: f64, by_database: f64) -> Self {
        let rate = by_nodes.min(by_database).max(0.0);
        Self { rate, by_database: by_database < by_nodes }
    }

    fn cell(self) -> String {
        format!("{:.0}/s, bounded by the {}", self.rate, if self.by_database { "database" } else { "nodes" })
    }
}

impl Inputs {
    /// GETs and POSTs a second of `nodes` nodes and a database with this number of cores, each alone.
    fn bounds(&self, nodes: f64, cores: f64) -> (Bound, Bound) {
        let Self { get, post, followed, idle } = self;
        let of_nodes = nodes * (NODE_CORES - idle.0) * 1e6;
        let of_database = (cores - nodes * idle.1) * 1e6;
        let others = nodes - 1.0;
        let gets = Bound::of(of_nodes / get.node, of_database / get.database);
        let posts = Bound::of(
            of_nodes / (post.node + others * followed.follower.0),
            of_database / (post.database + others * followed.follower.1),
        );
        (gets, posts)
    }

    /// The table of the page.
    pub(super) fn table(&self) -> String {
        let mut text = String::from(
            "| nodes | cores of the database | GET of one trunk | durable POST |\n| --- | --- | --- | --- |\n",
        );
        for (nodes, cores) in SIZES {
            let (gets, posts) = self.bounds(nodes.into(), cores.into());
            // Writing to a string cannot fail.
            let _infallible = writeln!(text, "| {nodes} | {cores} | {} | {} |", gets.cell(), posts.cell());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_grow_with_the_nodes_and_writes_end_where_the_database_tells_them_to_all() {
        let cost = |node, database, follower| Cost { rate: 1.0, node, database, follower, log: 0.0 };
        let inputs = Inputs {
            get: cost(100.0, 200.0, (0.0, 0.0)),
            post: cost(200.0, 1_000.0, (0.0, 0.0)),
            followed: cost(200.0, 1_000.0, (10.0, 50.0)),
            idle: (0.0, 0.01),
        };
        let (gets, posts) = inputs.bounds(1.0, 100.01);
        assert!((gets.rate - 20_000.0).abs() < 1e-6 && !gets.by_database, "two cores of 100 µs");
        assert!((posts.rate - 10_000.0).abs() < 1e-6 && !posts.by_database, "two cores of 200 µs");
        let (gets, posts) = inputs.bounds(101.0, 51.01);
        assert!((gets.rate - 250_000.0).abs() < 1e-6 && gets.by_database, "50 cores of 200 µs");
        // 1,000 µs and 100 times 50 µs.
        assert!((posts.rate - 50e6 / 6_000.0).abs() < 1e-6 && posts.by_database);
        let (gets, _) = inputs.bounds(101.0, 1.0);
        assert_eq!(gets.cell(), "0/s, bounded by the database", "its polls take more than it has");
    }
}
