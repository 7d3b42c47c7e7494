//! Opening a database on a server: by several nodes at once, of another release, and with other declarations.

use std::time::Duration;

use didww_types::FilterTest;
use serde_json::json;
use trunk_store::{
    Condition, Engine as _, IndexValue, ListQuery, Order, PostgresOpenError, PostgresOptions, PostgresStore,
    Records as _, Scope,
};

use crate::support::postgres::{Database, Server, server};
use crate::support::records::{commit, did, dids, everything, found, id, insert, trunk, trunks};
use crate::support::within;

/// Number of DIDs: more than one batch of indexing.
const DIDS: u32 = 2_500;

/// The version of the schema.
const SCHEMA: i64 = 2;

async fn open(database: &Database) -> Result<PostgresStore, PostgresOpenError> {
    PostgresStore::open(PostgresOptions::new(database.parameters())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_database_that_many_nodes_open_at_once_is_migrated_by_one_of_them() {
    let database = server().empty();
    let nodes = (0..6).map(|_| open(&database));
    let nodes: Vec<PostgresStore> = within("opening", futures_util::future::join_all(nodes))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    commit(&nodes[0], vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await;
    for node in &nodes {
        assert_eq!(node.list(everything(trunks(1))).await.unwrap().total, 1);
    }
    let versions = database.execute("SELECT count(*), min(version), count(migrator) FROM schema_version");
    assert_eq!(versions, format!("1|{SCHEMA}|0"));
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_numbers() {
    let database = server().migrated().await;
    database.execute("UPDATE schema_version SET version = 99");
    let error = open(&database).await.unwrap_err();
    assert!(matches!(error, PostgresOpenError::Newer { schema: 99, known: SCHEMA }), "{error}");
    let text = error.to_string();
    assert!(text.contains("schema 99") && text.contains(&format!("up to {SCHEMA}")), "{text}");
    assert_eq!(database.execute("SELECT version, migrator FROM schema_version"), "99|", "nothing is changed");
}

/// Removes the additions of version 2 to the tables of version 1.
const WITHOUT_VERSION_2: &str =
    "DROP TABLE rate_share, rate_share_turn; UPDATE schema_version SET version = 1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_the_version_before_is_brought_up_to_date_beside_a_node_that_runs() {
    let database = server().migrated().await;
    let runs = open(&database).await.unwrap();
    let made = commit(&runs, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await.remove(0);
    database.execute(WITHOUT_VERSION_2);
    let new = within("opening", open(&database)).await.unwrap();
    assert_eq!(found(&new, trunks(1), id(1)).await, made);
    assert_eq!(database.execute("SELECT version, migrator FROM schema_version"), format!("{SCHEMA}|"));
    assert_eq!(database.execute("SELECT count(*) FROM rate_share"), "0");
    commit(&runs, vec![insert(trunks(1), id(2), trunk("b", &json!({})))]).await;
    commit(&new, vec![insert(trunks(1), id(3), trunk("c", &json!({})))]).await;
    assert_eq!(runs.list(everything(trunks(1))).await.unwrap().total, 3);
}

/// A transaction that has what version 2 adds to the tables of version 1, and keeps it to itself.
async fn keeps_version_2_locked(database: &Database) -> tokio_postgres::Client {
    database.execute(WITHOUT_VERSION_2);
    let (keeps, connection) =
        tokio_postgres::connect(&database.parameters(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    keeps.batch_execute("BEGIN; CREATE TABLE rate_share (other integer)").await.unwrap();
    keeps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_schema_that_waits_for_a_lock_gives_way_and_is_repeated() {
    let database = server().migrated().await;
    let keeps = keeps_version_2_locked(&database).await;
    let opening = open(&database);
    tokio::pin!(opening);
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND wait_event_type = 'Lock' AND query LIKE '%UNLOGGED TABLE rate_share%'";
    let until = async |number: &str| {
        while database.execute(waits) != number {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let gives_way = async {
        for number in ["1", "0", "1"] {
            until(number).await;
        }
    };
    within("giving way", async {
        tokio::select! {
            biased;
            () = gives_way => {}
            opened = &mut opening => panic!("it did not wait: {:?}", opened.map(drop)),
        }
    })
    .await;
    keeps.batch_execute("ROLLBACK").await.unwrap();
    let store = within("opening", opening).await.unwrap();
    commit(&store, vec![insert(trunks(1), id(1), trunk("a", &json!({})))]).await;
    assert_eq!(database.execute("SELECT version, migrator FROM schema_version"), format!("{SCHEMA}|"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_never_receives_a_lock_ends_and_says_what_to_do() {
    let database = server().migrated().await;
    let keeps = keeps_version_2_locked(&database).await;
    let error = within("giving up", open(&database)).await.unwrap_err();
    assert!(error.to_string().contains("another transaction keeps its tables locked"), "{error}");
    let version = "SELECT version, migrator FROM schema_version";
    assert_eq!(database.execute(version), "1|", "nothing is changed, and another node may try");
    keeps.batch_execute("ROLLBACK").await.unwrap();
    within("opening", open(&database)).await.unwrap();
}

#[tokio::test]
async fn a_node_that_died_while_it_migrated_blocks_the_others_until_its_lease_ends() {
    let database = server().migrated().await;
    database.execute(
        "UPDATE schema_version SET migrator = '00000000-0000-0000-0000-000000000001', \
         lease_until = now() + interval '1 second'",
    );
    let opening = open(&database);
    tokio::pin!(opening);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut opening).await;
    assert!(early.is_err(), "another node may still migrate");
    within("waiting for the lease", opening).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_takes_longer_than_the_lease_keeps_it() {
    let database = server().migrated().await;
    database.execute(WITHOUT_VERSION_2);
    // Each lease is short, and the migration takes longer than one.
    database.execute(
        "CREATE FUNCTION short() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.lease_until IS NOT NULL THEN \
             NEW.lease_until := clock_timestamp() + interval '2 seconds'; \
         END IF; RETURN NEW; END $$; \
         CREATE TRIGGER short BEFORE UPDATE ON schema_version FOR EACH ROW EXECUTE FUNCTION short(); \
         CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF EXISTS (SELECT 1 FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'public.rate_share') THEN \
             PERFORM pg_sleep(5); \
         END IF; END $$; \
         CREATE EVENT TRIGGER slow ON ddl_command_end EXECUTE FUNCTION slow()",
    );
    let both = async { tokio::join!(open(&database), open(&database)) };
    let (one, other) = within("opening", Box::pin(both)).await;
    for (which, opened) in [("one", one), ("other", other)] {
        assert!(opened.is_ok(), "{which}: {:?}", opened.map(drop));
    }
    assert_eq!(database.execute("SELECT version, migrator FROM schema_version"), format!("{SCHEMA}|"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_start_builds_is_not_ended_by_the_time_limit_of_other_statements() {
    let database = server().migrated().await;
    let store = open(&database).await.unwrap();
    commit(&store, vec![insert(dids(1), id(1), did("1", &json!({})))]).await;
    store.close().await.unwrap();
    drop(store);
    let field = "(SELECT number FROM symbol WHERE name = 'dids/number')";
    database.execute(&format!("DELETE FROM indexed WHERE field = {field}"));
    let (blocks, connection) =
        tokio_postgres::connect(&database.parameters(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    blocks.batch_execute("BEGIN; SELECT * FROM record FOR UPDATE").await.unwrap();
    database.execute(&format!("ALTER DATABASE {} SET statement_timeout = 700", database.name()));
    let opening = open(&database);
    tokio::pin!(opening);
    let early = tokio::time::timeout(Duration::from_millis(1_600), &mut opening).await;
    assert!(early.is_err(), "it waits for the record: {:?}", early.map(|opened| opened.map(drop)));
    blocks.batch_execute("ROLLBACK").await.unwrap();
    let store = within("opening", opening).await.unwrap();
    assert_eq!(store.list(sorted(everything(dids(1)), "number")).await.unwrap().total, 1);
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_an_error_at_once() {
    let error = PostgresStore::open(PostgresOptions::new("host=/nowhere user=tests")).await.unwrap_err();
    assert!(matches!(error, PostgresOpenError::Engine(_)), "{error}");
    assert!(error.to_string().contains("; check that PostgreSQL runs there"), "{error}");
    let missing = server().parameters("missing");
    let error = PostgresStore::open(PostgresOptions::new(missing)).await.unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

fn sorted(query: ListQuery, attribute: &'static str) -> ListQuery {
    ListQuery { order: vec![Order { attribute, descending: false }], limit: 10_000, ..query }
}

async fn assert_complete(database: &Database, scope: Scope) {
    let store = open(database).await.unwrap();
    let list = store.list(sorted(everything(scope), "number")).await.unwrap();
    let numbers: Vec<String> = list
        .records
        .iter()
        .map(|record| record.attributes().unwrap()["number"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((numbers.len(), list.total), (DIDS as usize, u64::from(DIDS)));
    assert!(numbers.is_sorted());
    let blocked = Condition { test: FilterTest::Equals("blocked"), values: vec![IndexValue::Integer(1)] };
    let query = ListQuery { conditions: vec![blocked], limit: 10_000, ..everything(scope) };
    let list = store.list(query).await.unwrap();
    assert_eq!((list.records.len(), list.total), (DIDS.div_ceil(3) as usize, u64::from(DIDS.div_ceil(3))));
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_older_than_a_sort_or_filter_mark_are_in_its_lists() {
    let database = server().migrated().await;
    let store = open(&database).await.unwrap();
    let changes = (0..DIDS).map(|n| {
        let number = format!("{:05}", (n * 7_919) % 100_000);
        insert(dids(1), id(100 + u128::from(n)), did(&number, &json!({ "blocked": n % 3 == 0 })))
    });
    commit(&store, changes.collect()).await;
    store.close().await.unwrap();
    drop(store);
    let of = |attribute: &str| format!("(SELECT number FROM symbol WHERE name = 'dids/{attribute}')");
    for attribute in ["number", "blocked"] {
        let field = of(attribute);
        database.execute(&format!(
            "DELETE FROM facet WHERE field = {field}; DELETE FROM indexed WHERE field = {field}"
        ));
    }
    assert_complete(&database, dids(1)).await;
    // As a process leaves it that ended after the first batches, and with entries of another form.
    let (number, blocked) = (of("number"), of("blocked"));
    database.execute(&format!(
        "UPDATE indexed SET after = (SELECT min(number) FROM record) WHERE field = {number}; \
         UPDATE indexed SET form = 'time' WHERE field = {blocked}; \
         UPDATE facet SET value = '\\x02ff' WHERE field = {blocked}"
    ));
    assert_complete(&database, dids(1)).await;
}

#[tokio::test]
async fn a_database_whose_records_break_a_new_unique_mark_is_refused_and_says_which() {
    let database = server().migrated().await;
    let store = open(&database).await.unwrap();
    let of = |number: u128, name: &str| insert(trunks(1), id(number), trunk(name, &json!({})));
    commit(&store, vec![of(10, "Main"), of(11, "Other"), of(12, "Third")]).await;
    drop(store);
    database.execute(
        "UPDATE record SET attributes = replace(attributes, '\"name\":\"Other\"', '\"name\":\"Main\"'); \
         UPDATE indexed SET form = 'plain' WHERE field = (SELECT number FROM symbol WHERE name = 'voice_out_trunks/name')",
    );
    for _ in 0..2 {
        let error = open(&database).await.unwrap_err();
        assert!(
            matches!(&error, PostgresOpenError::Duplicates { records: 1, values, .. } if values == &["Main"]),
            "{error}"
        );
        assert!(error.to_string().contains("voice_out_trunks/name"), "{error}");
    }
}

/// Makes an authority, and a certificate of it for `localhost`, in the folder of a server.
fn certificates(server: &Server) {
    let openssl = |arguments: &str| {
        let mut command = server.program("/usr/bin/env");
        command.arg("openssl").args(arguments.split_whitespace());
        crate::support::postgres::run(&mut command);
    };
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    openssl(&format!("{new} -subj /CN=tests -keyout ca.key -out ca.pem"));
    openssl(&format!(
        "{new} -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
         -CA ca.pem -CAkey ca.key -keyout server.key -out server.pem"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_must_prove_what_the_address_asks_for() {
    let server: &'static Server = Box::leak(Box::new(Server::start()));
    certificates(server);
    server.stop();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = server.folder().display();
    server.boot(&format!(
        "-c listen_addresses=localhost -c port={port} -c ssl=on -c ssl_cert_file={folder}/server.pem \
         -c ssl_key_file={folder}/server.key"
    ));
    let open = async |host: &str, settings: &str| {
        let url = format!("postgres://tests@{host}:{port}/postgres?application_name=asked&{settings}");
        PostgresStore::open(PostgresOptions::new(url)).await
    };
    let parameters = format!("{} port={port}", server.parameters("postgres"));
    let (watch, connection) = tokio_postgres::connect(&parameters, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let encrypted = async || {
        let select = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                      WHERE application_name = 'asked'";
        watch.query_one(select, &[]).await.unwrap().get::<_, Option<bool>>(0)
    };
    let root = format!("sslrootcert={folder}/ca.pem");
    for (host, settings, is_encrypted) in [
        ("localhost", "sslmode=disable".to_owned(), false),
        ("localhost", "sslmode=prefer".to_owned(), true),
        ("127.0.0.1", "sslmode=require".to_owned(), true),
        ("127.0.0.1", format!("sslmode=require&{root}"), true),
        ("127.0.0.1", format!("sslmode=verify-ca&{root}"), true),
        ("localhost", format!("sslmode=verify-full&{root}"), true),
    ] {
        let store = open(host, &settings).await.unwrap_or_else(|error| panic!("{host} {settings}: {error}"));
        store.check().await.unwrap();
        assert_eq!(encrypted().await, Some(is_encrypted), "{host} {settings}");
        drop(store);
        within("the end of the connections", async {
            while encrypted().await.is_some() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
    for (host, settings) in [
        ("127.0.0.1", format!("sslmode=verify-full&{root}")),
        ("localhost", "sslmode=verify-full".to_owned()),
        ("localhost", "sslmode=verify-ca&sslrootcert=system".to_owned()),
    ] {
        let error = open(host, &settings).await.unwrap_err();
        assert!(matches!(error, PostgresOpenError::Engine(_)), "{host} {settings}: {error}");
    }
}
