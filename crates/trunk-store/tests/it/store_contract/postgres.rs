//! The engine on PostgreSQL, against a server that the tests start.

use std::time::Duration;

use serde_json::json;
use trunk_store::{
    Accounts as _, Events as _, Jobs as _, ListQuery, Order, PostgresOptions, PostgresStore, Records as _,
    StoreError, StoreLimits,
};

use super::{Factory, accounts, callback_secrets, channels, equals, feed, nodes, rate_shares};
use crate::support::postgres::{Database, Pooler, server};
use crate::support::records::{
    account, commit, did, dids, everything, id, insert, key, linked, trunk, trunks,
};
use crate::support::within;

/// Opens the engine on a database of its own.
pub(super) struct Postgres;

impl Factory for Postgres {
    type Store = PostgresStore;
    type Kept = Database;

    async fn open() -> (PostgresStore, Database) {
        let database = server().migrated().await;
        (database.node(0).await, database)
    }
}

/// Opens the engine behind a pooler that gives each transaction any connection.
pub(super) struct PgBouncer;

impl Factory for PgBouncer {
    type Store = PostgresStore;
    type Kept = Database;

    async fn open() -> (PostgresStore, Database) {
        let database = server().migrated().await;
        let options = PostgresOptions::new(Pooler::shared().parameters(&database));
        (PostgresStore::open(options).await.unwrap(), database)
    }
}

/// So the clients of an account that read little do not wait for each other, however many they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_to_a_hundred_records_and_members_are_read_without_a_long_read() {
    let database = server().migrated().await;
    let mut options = PostgresOptions::new(database.parameters());
    options.limits = StoreLimits::default();
    (options.limits.waiting, options.limits.waiting_per_asker) = (0, 0);
    let store = PostgresStore::open(options).await.unwrap();
    let numbers = (0..101).map(|n| insert(dids(1), id(1_000 + n), did(&format!("1{n:010}"), &json!({}))));
    commit(&store, numbers.collect()).await;
    // In the order in which they are linked, and not that of their creation.
    let members_of = |n: u128| match n {
        0 => (0..100).rev().map(|n| id(1_000 + n)).collect(),
        1 => (0..101).map(|n| id(1_000 + n)).collect(),
        _ => Vec::new(),
    };
    let of = |n: u128| {
        let status = if n.is_multiple_of(2) && n < 200 { "active" } else { "blocked" };
        let attributes = trunk(&format!("trunk {n}"), &json!({ "status": status }));
        linked(trunks(1), id(n), attributes, vec![("dids", members_of(n))])
    };
    let made = commit(&store, (0..220).map(of).collect()).await;

    let owners: Vec<i64> = made.iter().map(|record| record.number).collect();
    let members = |of: &[i64], most| store.members(trunks(1), of.to_vec(), "dids", most);
    let found = members(&[owners[2], owners[0]], usize::MAX).await.unwrap();
    let expected = (0..100).rev().map(|n| (owners[0], "dids".to_owned(), id(1_000 + n)));
    assert_eq!(found, expected.collect::<Vec<_>>());
    for (of, most) in [(&owners[1..2], usize::MAX), (&owners[..1], 99), (&owners[2..103], usize::MAX)] {
        assert_eq!(members(of, most).await.unwrap_err(), StoreError::Crowded);
    }

    let page = |status: &str, descending: Option<bool>, offset, limit| {
        let order = descending.map(|descending| Order { attribute: "created_at", descending });
        let conditions = vec![equals("status", status)];
        let order = order.into_iter().collect();
        store.list(ListQuery { conditions, order, offset, limit, ..everything(trunks(1)) })
    };
    for (descending, offset, limit) in [
        (None, 0, 100),
        (Some(false), 60, 50),
        (Some(true), 0, 50),
        (Some(true), 99, 1),
        (None, 100, 50),
        (None, u64::MAX, u64::MAX),
    ] {
        let listing = page("active", descending, offset, limit).await.unwrap();
        let mut all: Vec<_> = (0..200).step_by(2).map(id).collect();
        if descending == Some(true) {
            all.reverse();
        }
        let [skip, take] = [offset, limit].map(|number| usize::try_from(number).unwrap());
        let expected: Vec<_> = all.into_iter().skip(skip).take(take).collect();
        let found: Vec<_> = listing.records.iter().map(|record| record.id).collect();
        assert_eq!((found, listing.total), (expected, 100), "{descending:?} {offset} {limit}");
    }
    assert_eq!(page("none", None, 0, 50).await.unwrap().total, 0);
    assert_eq!(page("blocked", None, 0, 50).await.unwrap_err(), StoreError::Crowded, "120 match");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_keep_the_contract_of_the_feed() {
    let database = server().migrated().await;
    let (one, other) = (database.node(0).await, database.node(1).await);
    feed::another_node_sees_each_change_in_time_and_once(&one, &other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_calls_of_a_dead_node_are_settled_once_by_those_that_are_left() {
    let database = server().migrated().await;
    let (dies, heir, third) = (database.node(0).await, database.node(1).await, database.node(2).await);
    nodes::the_calls_of_a_dead_node_are_settled_once(&dies, &heir, &third).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_never_take_the_same_jobs_and_events() {
    let database = server().migrated().await;
    nodes::two_nodes_share_what_is_due(&database.node(0).await, &database.node(1).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_that_change_an_account_none_undoes_what_the_other_one_changed() {
    let database = server().migrated().await;
    let (one, other) = (database.node(0).await, database.node(1).await);
    accounts::no_change_of_an_account_undoes_another_one(&one, &other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_was_moved_here_with_a_name_that_is_refused_by_now_is_changed() {
    let database = server().migrated().await;
    database.node(0).await.create_account(account(1, "first"), key(11, "key-1")).await.unwrap();
    database.execute("UPDATE account SET name = repeat('x', 2049)");
    let store = database.node(1).await;
    let before = store.accounts().await.unwrap().remove(0);
    let mut after = (*before).clone();
    after.record_quota = Some(5);
    assert_eq!(store.save_account(before, after).await.map(|saved| saved.record_quota), Ok(Some(5)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_see_the_calls_of_each_other() {
    let database = server().migrated().await;
    let (one, other) = (database.node(0).await, database.node(1).await);
    feed::another_node_sees_the_calls_of_this_one(&one, &other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_channels_of_a_trunk_are_shared_by_nodes_that_live() {
    let database = server().migrated().await;
    let (one, other, dies) = (database.node(0).await, database.node(1).await, database.node(2).await);
    channels::nodes_share_the_channels_of_a_trunk(&one, &other, &dies).await;
    channels::nodes_share_a_secret(&one, &other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_ask_for_channels_at_once_receive_the_limit_and_no_more() {
    let database = server().migrated().await;
    let (one, other, third) = (database.node(0).await, database.node(1).await, database.node(2).await);
    channels::nodes_that_ask_at_once_receive_the_limit_and_no_more([&one, &other, &third]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_of_trunks_without_calls_are_forgotten() {
    let database = server().migrated().await;
    let (one, other) = (database.node(0).await, database.node(1).await);
    let rows =
        || database.execute("SELECT (SELECT count(*) FROM channel), (SELECT count(*) FROM channel_turn)");
    channels::channels_that_no_node_holds_are_forgotten(&one, &other, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_that_a_node_wrote_after_it_had_left_are_forgotten() {
    let database = server().migrated().await;
    let (leaves, other) = (database.node(0).await, database.node(1).await);
    let rows =
        || database.execute("SELECT (SELECT count(*) FROM channel), (SELECT count(*) FROM channel_turn)");
    channels::channels_of_a_node_that_left_are_forgotten(&leaves, &other, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_deleted_customers_and_accounts_leave_is_forgotten() {
    let database = server().migrated().await;
    let store = database.node(0).await;
    let customer = |number: u32| format!("'00000000-0000-0000-0000-00000000000{number}'");
    let document = |number: u32, deleted: bool| {
        format!("(1, {}, {number}, {}, 0, {deleted}, false, 0, '{{}}')", customer(number), customer(number))
    };
    let lane = |number: u32, waiting: u32, dropped: u32| {
        format!("(0, {}, 3, {waiting}, {dropped}, 9)", customer(number))
    };
    database.execute(&format!(
        "INSERT INTO document (kind, id, number, customer, created_at, deleted, live, revision, body) \
         VALUES {}, {}, {}; \
         INSERT INTO outbox_lane (account, customer, lane, waiting, dropped, last) VALUES {}, {}, {}, {}",
        document(1, false),
        document(2, true),
        document(3, true),
        lane(1, 0, 1),
        lane(2, 0, 2),
        lane(3, 1, 4),
        lane(4, 0, 8),
    ));
    let before = store.backlog(None).await.unwrap();
    assert_eq!(store.forget_queues(1).await, Ok(1));
    assert_eq!(store.forget_queues(9).await, Ok(1));
    assert_eq!(store.forget_queues(9).await, Ok(0), "the others have events, or are not deleted");
    assert_eq!(store.backlog(None).await.unwrap(), before, "all that were dropped are counted");
    let left = "SELECT customer, dropped FROM outbox_lane ORDER BY customer";
    let [one, _, three, _] = [1, 2, 3, 4].map(|number| customer(number).replace('\'', ""));
    let gone = uuid::Uuid::max();
    assert_eq!(database.execute(left), format!("{one}|1\n{three}|4\n{gone}|10"));

    database.execute(
        "INSERT INTO account (number, id, name, version, features, created_at) \
         VALUES (7, '00000000-0000-0000-0000-000000000007', 'a', '', 0, 0); \
         INSERT INTO job_owner VALUES (7), (8), (9); \
         INSERT INTO job (number, kind, subject, account, due_at, payload, attempts, revision) \
         VALUES (1, 'k', 's', 8, 0, '', 0, 0)",
    );
    assert_eq!(store.forget_job_owners(9).await, Ok(1));
    assert_eq!(store.forget_job_owners(9).await, Ok(0), "the others have an account, or a job");
    assert_eq!(database.execute("SELECT account FROM job_owner ORDER BY account"), "7\n8");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_channel_is_one_call_while_rows_of_channels_are_forgotten() {
    let database = server().migrated().await;
    let (one, other, third) = (database.node(0).await, database.node(1).await, database.node(2).await);
    let forgets = database.node(3).await;
    channels::no_channel_is_taken_twice_while_rows_are_forgotten([&one, &other, &third], &forgets).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_nodes_that_ensure_a_callback_secret_at_once_one_stores_it() {
    let database = server().migrated().await;
    let (one, other, third) = (database.node(0).await, database.node(1).await, database.node(2).await);
    callback_secrets::nodes_that_ensure_a_secret_at_once_store_one([&one, &other, &third]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_parts_of_a_rate_limit_are_divided_among_the_nodes() {
    let database = server().migrated().await;
    rate_shares::nodes_divide_a_limit(&database.node(0).await, &database.node(1).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_share_of_a_rate_limit_that_is_over_is_free_and_forgotten() {
    let database = server().migrated().await;
    let (ends, goes_on) = (database.node(0).await, database.node(1).await);
    let end_all = || {
        let now = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let lasting = database
            .execute(&format!("SELECT count(*) FROM rate_share WHERE until BETWEEN {now} AND {now} + 3000"));
        assert_eq!(lasting, "2", "each lasts for its lease and the second of its requests");
        database.execute("UPDATE rate_share SET until = 0");
    };
    rate_shares::a_share_that_is_over_is_free_and_forgotten(&ends, &goes_on, end_all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_ask_for_shares_at_once_hold_each_limit_and_no_more() {
    let database = server().migrated().await;
    let (one, other, third) = (database.node(0).await, database.node(1).await, database.node(2).await);
    rate_shares::nodes_that_ask_at_once_hold_each_limit_and_no_more([&one, &other, &third]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_listen_keep_the_contract_of_the_feed() {
    let database = server().migrated().await;
    let node = async |number| {
        let mut options = PostgresOptions::new(Pooler::shared().parameters(&database));
        (options.node, options.listen) = (Some(number), Some(database.parameters()));
        PostgresStore::open(options).await.unwrap()
    };
    let (one, other) = (node(0).await, node(1).await);
    feed::another_node_sees_each_change_in_time_and_once(&one, &other).await;
    let listens =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    within("listening", async {
        while database.execute(listens) != "2" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
