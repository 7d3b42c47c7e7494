//! The PostgreSQL engine with conflicting transactions, with a slow server, and without a server.

use std::collections::BTreeSet;
use std::time::Duration;

use didww_types::Timestamp;
use serde_json::json;
use trunk_store::{
    Accounts as _, CHANGE_DELAY, Change, ChangeFeed as _, Changes, Committed, Engine as _, Follower,
    Interest, Nodes as _, PostgresOptions, PostgresStore, Records as _, StoreError, StoreLimits, WriteHealth,
    Writes as _,
};

use crate::support::postgres::{Database, Server, server};
use crate::support::records::{account, commit, everything, found, id, insert, key, replace, trunk, trunks};
use crate::support::{DEADLINE, within};

/// Waits until a condition is true, which `what` describes.
async fn until(what: &str, mut is_true: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !is_true().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_transactions_that_wait_for_each_other_one_is_repeated() {
    let database = server().migrated().await;
    let store = database.node(0).await;
    let deadlocks = || {
        let count = format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{}'", database.name());
        database.execute(&count).parse::<u32>().unwrap()
    };
    // Each inserts both names, in opposite order, with a change between them that keeps them apart.
    let pair = |first: u128, second: u128, at: u128| {
        let step = Change::Step(Timestamp::from_unix_millis(0));
        let of = |place, name: u128| insert(trunks(1), id(place), trunk(&name.to_string(), &json!({})));
        vec![of(at, first), step, of(at + 1, second)]
    };
    let mut round = 0;
    while deadlocks() == 0 {
        assert!(round < 500, "no two transactions waited for each other");
        let names = (2 * round, 2 * round + 1);
        let writes = [
            store.commit(pair(names.0, names.1, 10 * round + 1_000)),
            store.commit(pair(names.1, names.0, 10 * round + 1_005)),
        ];
        let outcomes = within("two writes", futures_util::future::join_all(writes)).await;
        let taken = Err(StoreError::Taken("name".to_owned()));
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == taken).count(), 1, "{outcomes:?}");
        round += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_waits_too_long_is_ended_by_the_server() {
    let database = server().migrated().await;
    let store = database.node(0).await;
    let made = commit(&store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await.remove(0);
    let (other, connection) =
        tokio_postgres::connect(&database.parameters(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    other.batch_execute("BEGIN; SELECT * FROM record FOR UPDATE").await.unwrap();
    let write = store.commit(vec![replace(trunks(1), made.clone(), trunk("b", &json!({})))]);
    assert_eq!(within("a write", write).await, Err(StoreError::Overloaded));
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("the end of the statement", async || database.execute(waiting) == "0").await;
    assert_eq!(
        found(&store, trunks(1), id(1)).await,
        made,
        "reads wait for no write, and nothing was changed"
    );
    other.batch_execute("ROLLBACK").await.unwrap();
    commit(&store, vec![replace(trunks(1), made, trunk("b", &json!({})))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_waits_longer_than_the_database_permits_is_refused_as_overload() {
    let database = server().migrated().await;
    database.execute(&format!("ALTER DATABASE {} SET lock_timeout = '100ms'", database.name()));
    let store = database.node(0).await;
    let made = commit(&store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await.remove(0);
    let (other, connection) =
        tokio_postgres::connect(&database.parameters(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    other.batch_execute("BEGIN; SELECT * FROM record FOR UPDATE").await.unwrap();
    let write = store.commit(vec![replace(trunks(1), made.clone(), trunk("b", &json!({})))]);
    assert_eq!(within("a write", write).await, Err(StoreError::Overloaded));
    other.batch_execute("ROLLBACK").await.unwrap();
    commit(&store, vec![replace(trunks(1), made, trunk("b", &json!({})))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_waits_for_no_connection_that_other_writes_use() {
    let database = server().migrated().await;
    let mut options = PostgresOptions::new(database.parameters());
    options.connections = 2;
    let store = PostgresStore::open(options).await.unwrap();
    let made = commit(&store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await.remove(0);
    let (other, connection) =
        tokio_postgres::connect(&database.parameters(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    other.batch_execute("BEGIN; SELECT * FROM record FOR UPDATE").await.unwrap();
    let write = |name| store.commit(vec![replace(trunks(1), made.clone(), trunk(name, &json!({})))]);
    let writes = ["b", "c", "d"].map(|name| Box::pin(write(name)));
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("both connections are in use", async || database.execute(waiting) == "2").await;
    let life = async {
        store.heartbeat(Timestamp::from_unix_millis(1)).await.unwrap();
        store.nodes().await.unwrap()
    };
    let nodes = tokio::select! {
        nodes = life => nodes,
        _ = futures_util::future::select_all(writes) => panic!("the heartbeat waited until a write had ended"),
    };
    assert_eq!((nodes.len(), nodes[0].beats), (1, 1));
    other.batch_execute("ROLLBACK").await.unwrap();
}

/// Waits until a follower must reload.
async fn assert_loads_anew(follower: &mut Follower) {
    until("the followers reload", async || matches!(follower.changes(), Changes::Reload)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_break_are_replaced_and_followers_reload() {
    let database = server().migrated().await;
    let (store, other) = (database.node(0).await, database.node(1).await);
    commit(&store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await;
    let mut follower = store.follow(Interest::Everything);
    for n in 2..12_u128 {
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        assert_eq!(found(&store, trunks(1), id(1)).await.revision, 0);
        commit(&other, vec![insert(trunks(1), id(n), trunk(&n.to_string(), &json!({})))]).await;
        assert_eq!(store.list(everything(trunks(1))).await.unwrap().total, u64::try_from(n).unwrap());
    }
    assert_loads_anew(&mut follower).await;
    until("the other node's write is in the feed", async || {
        let last = found(&other, trunks(1), id(1)).await;
        commit(&other, vec![replace(trunks(1), last, trunk("a", &json!({})))]).await;
        let arrived = async {
            while follower.is_current() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(CHANGE_DELAY, arrived).await.is_ok()
            && matches!(follower.changes(), Changes::Since(_))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_another_node_ends_while_this_one_has_no_connection_is_named_when_it_has_one() {
    let database = server().migrated().await;
    let (store, other) = (database.node(0).await, database.node(1).await);
    store.heartbeat(Timestamp::from_unix_millis(1)).await.unwrap();
    let mut follower = store.follow(Interest::AllButRecords);
    let (blocks, connection) =
        tokio_postgres::connect(&database.parameters(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    // After the loss this node cannot write the heartbeat that it needs, and the other one has none.
    blocks.batch_execute("BEGIN; SELECT * FROM node FOR UPDATE").await.unwrap();
    end_connections(&database, "0");
    until("the wish is stored", async || other.commit(vec![Change::HangUp(id(7))]).await.is_ok()).await;
    blocks.batch_execute("ROLLBACK").await.unwrap();
    let (mut is_lost, mut is_named) = (false, false);
    until("the wish is in the feed", async || {
        match follower.changes() {
            Changes::Reload => is_lost = true,
            Changes::Since(writes) => {
                let is_wish =
                    |effect: &Committed| matches!(effect, Committed::HangUp(call) if *call == id(7));
                is_named |= writes.iter().flat_map(|write| write.iter()).any(is_wish);
            }
        }
        is_named
    })
    .await;
    assert!(is_lost, "it was among what is taken for seen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_writes_after_another_one_reset_an_account_stays_in_the_copies_of_its_followers() {
    let database = server().migrated().await;
    let (one, other) = (database.node(0).await, database.node(1).await);
    for round in 0..5_u128 {
        let (mut follower, mut copies, mut is_reset) =
            (other.follow(Interest::Everything), BTreeSet::new(), false);
        one.reset(Some(1), false).await.unwrap();
        commit(&other, vec![insert(trunks(1), id(round), trunk("a", &json!({})))]).await;
        until("the reset is in the feed", async || {
            match follower.changes() {
                Changes::Reload => {
                    copies.insert(id(round));
                    is_reset = true;
                }
                Changes::Since(writes) => {
                    for effect in writes.iter().flat_map(|write| write.iter()) {
                        match effect {
                            Committed::Stored(stored) => drop(copies.insert(stored.record.id)),
                            Committed::Reset { .. } => {
                                copies.clear();
                                is_reset = true;
                            }
                            _ => {}
                        }
                    }
                }
            }
            is_reset
        })
        .await;
        assert!(copies.contains(&id(round)), "it was written after the reset");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lacks_heartbeats_of_this_node_is_not_read_until_one_was_committed_there() {
    let database = server().migrated().await;
    let store = database.node(0).await;
    for _ in 0..3 {
        store.heartbeat(Timestamp::from_unix_millis(1)).await.unwrap();
    }
    // As a primary has it that stood still before the last one. The first read opens a connection.
    database.execute("UPDATE node SET beats = beats - 1");
    assert_eq!(store.find(trunks(1), id(1)).await, Err(StoreError::Unavailable));
    database.execute("UPDATE node SET beats = beats + 1");
    assert_eq!(store.find(trunks(1), id(1)).await, Ok(None));

    // As after a failover that lost the last one: what commits after the loss is the primary.
    database.execute(
        "UPDATE node SET beats = 0; SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    until("the server is read again", async || store.find(trunks(1), id(1)).await == Ok(None)).await;
    until("a heartbeat is there", async || database.execute("SELECT beats FROM node") != "0").await;
    store.heartbeat(Timestamp::from_unix_millis(2)).await.unwrap();
}

/// Ends every connection of the stores of a database but one.
fn end_connections(database: &Database, but: &str) {
    database.execute(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'trunk-server' AND pid <> {but}"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_after_a_loss_until_a_heartbeat_is_committed() {
    let database = server().migrated().await;
    let store = database.node(0).await;
    store.heartbeat(Timestamp::from_unix_millis(1)).await.unwrap();
    assert_eq!(store.find(trunks(1), id(1)).await, Ok(None));
    let (other, connection) =
        tokio_postgres::connect(&database.parameters(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    // As a primary that stood still while another one took over: it answers, and commits nothing.
    other.batch_execute("BEGIN; SELECT * FROM node FOR UPDATE").await.unwrap();
    end_connections(&database, "0");
    let refused = Err(StoreError::Unavailable);
    until("reads are refused", async || store.find(trunks(1), id(1)).await == refused).await;
    for _ in 0..100 {
        assert_eq!(store.find(trunks(1), id(1)).await, refused);
    }
    let write = store.commit(vec![insert(trunks(1), id(1), trunk("a", &json!({})))]);
    assert_eq!(within("a write", write).await, Err(StoreError::Unavailable));
    other.batch_execute("ROLLBACK").await.unwrap();
    until("reads are answered", async || store.find(trunks(1), id(1)).await == Ok(None)).await;
    assert_ne!(database.execute("SELECT beats FROM node"), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_in_use_while_the_database_was_lost_is_not_used_again() {
    let database = server().migrated().await;
    let store = database.node(0).await;
    let mut follower = store.follow(Interest::Everything);
    let made = commit(&store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await.remove(0);
    let (other, connection) =
        tokio_postgres::connect(&database.parameters(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    other.batch_execute("BEGIN; SELECT * FROM record FOR UPDATE").await.unwrap();
    let write = store.commit(vec![replace(trunks(1), made, trunk("b", &json!({})))]);
    let waiting = || {
        database.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
    };
    until("the write waits", async || !waiting().is_empty()).await;
    let in_use = waiting();
    end_connections(&database, &in_use);
    assert_loads_anew(&mut follower).await;
    other.batch_execute("ROLLBACK").await.unwrap();
    // On a slow machine the server has ended it by now. Its connection is whole in either case.
    let _outcome = within("the write", write).await;
    assert_eq!(found(&store, trunks(1), id(1)).await.id, id(1));
    let lives = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {in_use}");
    until("its end", async || database.execute(&lives) == "0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_takes_connections_and_is_silent_is_left_for_the_next_one() {
    let database = server().migrated().await;
    // As a machine with stopped processes and a running kernel.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let parameters = database.parameters().replace("host=", "host=127.0.0.1,");
    let options = PostgresOptions::new(format!("{parameters} port={port},5432"));
    let store = within("the opening", PostgresStore::open(options)).await.unwrap();
    assert_eq!(store.find(trunks(1), id(1)).await, Ok(None));
    store.heartbeat(Timestamp::from_unix_millis(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_reported_and_used_again_when_it_is_back() {
    let server: &'static Server = Box::leak(Box::new(Server::start()));
    let parameters = server.parameters("postgres");
    let store = PostgresStore::open(PostgresOptions::new(parameters)).await.unwrap();
    let owner = store.create_account(account(1, "one"), key(2, "secret")).await.unwrap();
    let mut health = store.write_health();
    for round in 0..3_u128 {
        server.stop();
        let read = within("a read", store.find(trunks(owner.number), id(1))).await;
        assert_eq!(read, Err(StoreError::Unavailable));
        let write = insert(trunks(owner.number), id(100 + round), trunk(&round.to_string(), &json!({})));
        assert_eq!(within("a write", store.commit(vec![write.clone()])).await, Err(StoreError::Unavailable));
        assert_eq!(store.check().await, Err(StoreError::Unavailable));
        let is_away = |health: &WriteHealth| *health == WriteHealth::Away;
        within("the report", health.wait_for(is_away)).await.unwrap();
        until("look-ups of keys fail", async || store.key_by_id(id(2)).await == Err(StoreError::Unavailable))
            .await;
        server.boot("");
        let back = async {
            while store.commit(vec![write.clone()]).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(2), back).await.unwrap();
        assert_eq!(store.key_by_id(id(2)).await.unwrap().unwrap().account, owner);
        within("the report", health.wait_for(|health| *health == WriteHealth::Writable)).await.unwrap();
    }
    let total = store.list(everything(trunks(owner.number))).await.unwrap().total;
    assert_eq!(total, 3, "of each round the write that was answered");
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_accepts_no_writes_any_more_is_reported_as_away_until_it_does() {
    let server: &'static Server = Box::leak(Box::new(Server::start()));
    let store = PostgresStore::open(PostgresOptions::new(server.parameters("postgres"))).await.unwrap();
    let owner = store.create_account(account(1, "one"), key(2, "secret")).await.unwrap();
    let mut health = store.write_health();
    // No connection ends, as behind a pooler whose server became a standby.
    let set = |setting: &str| {
        server.execute("postgres", &format!("ALTER SYSTEM {setting}"));
        server.execute("postgres", "SELECT pg_reload_conf()");
    };
    set("SET default_transaction_read_only = on");
    let mut number = 0_u128;
    until("writes are refused", async || {
        number += 1;
        let write = insert(trunks(owner.number), id(number), trunk(&number.to_string(), &json!({})));
        store.commit(vec![write]).await == Err(StoreError::Unavailable)
    })
    .await;
    let is_away = |health: &WriteHealth| *health == WriteHealth::Away;
    within("the report", health.wait_for(is_away)).await.unwrap();
    assert_eq!(store.check().await, Err(StoreError::Unavailable), "what it shows may be old");
    set("RESET default_transaction_read_only");
    within("the report", health.wait_for(|health| *health == WriteHealth::Writable)).await.unwrap();
    commit(&store, vec![insert(trunks(owner.number), id(number + 1), trunk("last", &json!({})))]).await;
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_further_connection_that_is_refused_to_this_user_is_an_outage() {
    let database = server().empty();
    let role = format!("role_of_{}", database.name());
    database.execute(&format!("CREATE ROLE {role} LOGIN"));
    database.execute(&format!("ALTER DATABASE {} OWNER TO {role}", database.name()));
    let parameters = database.parameters().replace("user=tests", &format!("user={role}"));
    // It has the connection of the poll alone.
    let store = PostgresStore::open(PostgresOptions::new(parameters)).await.unwrap();
    database.execute(&format!("ALTER ROLE {role} NOLOGIN"));
    assert_eq!(within("a read", store.find(trunks(1), id(1))).await, Err(StoreError::Unavailable));
    database.execute(&format!("ALTER ROLE {role} LOGIN"));
    assert_eq!(within("a read", store.find(trunks(1), id(1))).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_is_exact_however_many_nodes_create_records() {
    const QUOTA: u64 = 600;
    let database = server().migrated().await;
    let node = async |number| {
        let mut options = PostgresOptions::new(database.parameters());
        let mut limits = StoreLimits::default();
        limits.records = Some(QUOTA);
        (options.node, options.limits) = (Some(number), limits);
        PostgresStore::open(options).await.unwrap()
    };
    let nodes = [node(0).await, node(1).await];
    let write = |n: u128| {
        let made = insert(trunks(1), id(n), trunk(&n.to_string(), &json!({})));
        nodes[usize::from(n.is_multiple_of(2))].commit(vec![made])
    };
    let outcomes = futures_util::future::join_all((0..700).map(write)).await;
    let refused = StoreError::Quota { kind: "voice_out_trunks", most: QUOTA };
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 600);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.as_ref() == Err(&refused)).count(), 100);
    assert_eq!(nodes[0].list(everything(trunks(1))).await.unwrap().total, QUOTA);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_waits_for_a_write_in_progress_that_is_the_first_one_of_its_type() {
    let database = server().migrated().await;
    let store = database.node(0).await;
    let (other, connection) =
        tokio_postgres::connect(&database.parameters(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    for (account, of) in [(1, Some(1)), (2, None)] {
        // As a write leaves it that is about to be committed: its record would be deleted without its index.
        let count = format!(
            "BEGIN; INSERT INTO record_count (account, kind, shard, records, changes) \
             SELECT {account}, number, 3, 0, 1 FROM symbol WHERE name = 'voice_out_trunks'"
        );
        other.batch_execute(&count).await.unwrap();
        let reset = store.reset(of, false);
        until("the reset waits", async || database.execute(waiting) == "1").await;
        other.batch_execute("COMMIT").await.unwrap();
        within("the reset", reset).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_one_node_removes_is_refused_by_the_others_in_time() {
    let database = server().migrated().await;
    let (one, other) = (database.node(0).await, database.node(1).await);
    let owner = one.create_account(account(1, "one"), key(11, "secret")).await.unwrap();
    let known = async || other.key_by_id(id(11)).await.unwrap().is_some();
    tokio::time::timeout(CHANGE_DELAY, async {
        while !known().await {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(other.accounts().await.unwrap(), std::slice::from_ref(&owner));
    assert!(one.remove_key(owner.number, id(11)).await.unwrap());
    tokio::time::timeout(CHANGE_DELAY, async {
        while known().await {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(DEADLINE > CHANGE_DELAY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_closed_completes_the_writes_that_have_begun_and_refuses_the_others() {
    let database = server().migrated().await;
    let store = database.node(0).await;
    let write = |n: u128| store.commit(vec![insert(trunks(1), id(n), trunk(&n.to_string(), &json!({})))]);
    let begun: Vec<_> = (0..20).map(write).collect();
    within("closing", store.close()).await.unwrap();
    for outcome in futures_util::future::join_all(begun).await {
        outcome.unwrap();
    }
    assert!(matches!(write(100).await, Err(StoreError::Failed(_))));
    assert!(matches!(store.find(trunks(1), id(1)).await, Err(StoreError::Failed(_))));
    assert!(matches!(store.key_by_id(id(1)).await, Err(StoreError::Failed(_))));
    let connections = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    until("the end of the connections", async || database.execute(connections) == "0").await;
    let other = database.node(0).await;
    assert_eq!(other.list(everything(trunks(1))).await.unwrap().total, 20);
}
