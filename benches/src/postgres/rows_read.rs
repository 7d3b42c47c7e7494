//! The number of rows that a database reads for an answer. PostgreSQL counts them, and `SQLite` does not; both have the
//! same tables and indexes.

use std::path::Path;
use std::time::Duration;

use super::server::Server;
use crate::Outcome;
use crate::controlled::Controlled;
use crate::stopwatch::Stopwatch;

const DATABASE: &str = "rows_read";

/// The rows of tables that scans read, and the entries of indexes.
const READ: &str = "SELECT (SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables) \
    + (SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes)";

/// The longest time until the connections of a server that has ended are closed.
const CLOSED: Duration = Duration::from_secs(30);

/// The rows that PostgreSQL reads for an answer: the mean of this number of requests, without what a server reads that
/// has no requests. The server is started with these arguments and prepared before.
pub(crate) fn rows_read(
    arguments: &[&str],
    prepare: impl FnOnce(&Controlled) -> Outcome<()>,
    requests: u32,
    request: impl Fn(&Controlled, u32) -> Outcome<()>,
) -> Outcome<f64> {
    let server = Server::start()?;
    let url = server.create(DATABASE)?;
    let start = |arguments: &[&str]| Controlled::start(Path::new(&url), "off", arguments);
    let node = start(arguments)?;
    prepare(&node)?;
    drop(node);
    wait_until_closed(&server)?;
    // As on a database that has existed for a while.
    server.ask(DATABASE, "VACUUM ANALYZE")?;
    let count = |requests: u32| -> Outcome<f64> {
        let before = server.number(DATABASE, READ)?;
        let node = start(&[])?;
        for number in 0..requests {
            request(&node, number)?;
        }
        // A connection reports the rows that it read when it is closed.
        drop(node);
        wait_until_closed(&server)?;
        Ok(server.number(DATABASE, READ)? - before)
    };
    let idle = count(0)?;
    Ok((count(requests)? - idle) / f64::from(requests))
}

fn wait_until_closed(server: &Server) -> Outcome<()> {
    let watch = Stopwatch::start();
    let open = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{DATABASE}' AND backend_type = 'client backend'"
    );
    while server.number("postgres", &open)? > 0.0 {
        if watch.elapsed() > CLOSED {
            return Err("the connections of a server that has ended stay open".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // Older versions of PostgreSQL report to a process that writes twice a second.
    std::thread::sleep(Duration::from_secs(1));
    Ok(())
}
