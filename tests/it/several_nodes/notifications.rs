//! Servers that listen for what the others wrote, and the way of whose notifications fails: they know of it in time
//! nevertheless.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Pair, admits};
use crate::sip::edge::{Trunk, until};
use crate::support::postgres::Server;
use crate::support::tcp_proxy::{Proxy, Way};

/// The time within which a change at one server is known to the edges of all, with notifications and without.
const NOTIFIED_WITHIN: Duration = Duration::from_secs(1);
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

/// Changes a trunk at each server, and measures the time until the edge of the other one knows. Returns the longest.
async fn longest(pair: &Pair, trunk: &Trunk) -> Duration {
    let mut longest = Duration::ZERO;
    for (changes, enforces) in [(&pair.one, &pair.other), (&pair.other, &pair.one)] {
        for (status, admitted) in [("blocked", false), ("active", true)] {
            changes.patch(trunk, json!({ "status": status })).await;
            let changed = Instant::now();
            until(&format!("the other edge knows a trunk as {status}"), async || {
                (admits(enforces, trunk).await == admitted).then_some(())
            })
            .await;
            longest = longest.max(changed.elapsed());
        }
    }
    longest
}

/// Waits until the database has this many connections that listen.
async fn until_listening(pair: &Pair, number: &str) {
    let listen =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    until(&format!("{number} connections listen"), async || {
        (pair.database.ask(listen) == number).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_trunk_is_known_to_the_other_edge_within_five_seconds_where_notification_fails() {
    let postgres = Server::shared();
    let (database, proxy) = (postgres.database(), Proxy::start(postgres.socket()));
    let (url, listen) = (database.url(), database.url_through(&proxy));
    let mut pair = Pair::start_at(database, [&url, &url], &["--database-listen", &listen]).await;
    let trunk = pair.trunk(json!({})).await;
    until_listening(&pair, "2").await;
    let notified = longest(&pair, &trunk).await;
    assert!(notified < NOTIFIED_WITHIN, "with notifications a change is known after {notified:?}");

    // The connections stay, and nothing comes through them.
    proxy.set(Way::Silent);
    let silent = longest(&pair, &trunk).await;
    assert!(silent < KNOWN_WITHIN, "where nothing is heard a change is known after {silent:?}");

    proxy.set(Way::Shut);
    proxy.cut();
    until_listening(&pair, "0").await;
    let without = longest(&pair, &trunk).await;
    assert!(without < KNOWN_WITHIN, "without connections a change is known after {without:?}");
    println!(
        "known after {notified:?}; where nothing is heard after {silent:?}; without connections after {without:?}"
    );
    assert!(pair.one.binary.runs() && pair.other.binary.runs());
}
