//! How transactions on PostgreSQL are sent: no statement is executed outside of the one that it belongs to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use didww_types::Timestamp;
use serde_json::json;
use trunk_store::{
    AskedChannels, Change, Channels as _, Nodes as _, PostgresOptions, PostgresStore, RunningCall,
    StoreError, Writes as _,
};

use crate::support::postgres::{Database, server};
use crate::support::records::{commit, did, dids, id, insert, linked, members, replace, trunk, trunks};
use crate::support::within;

/// Carries bytes until one side ends. While it is armed, no transaction can begin.
#[derive(Clone, Default)]
struct Spoiler(Arc<AtomicBool>);

impl Spoiler {
    fn arm(&self, is_armed: bool) {
        self.0.store(is_armed, Ordering::SeqCst);
    }

    fn carry(&self, mut from: impl Read, mut to: impl Write) {
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = &mut buffer[..length];
            let places: Vec<usize> = bytes
                .windows(6)
                .enumerate()
                .filter(|(_, part)| part == b"BEGIN;")
                .map(|(at, _)| at)
                .collect();
            for at in places.into_iter().filter(|_| self.0.load(Ordering::SeqCst)) {
                bytes[at..at + 6].copy_from_slice(b"BEGAN;");
            }
            if to.write_all(bytes).is_err() {
                return;
            }
        }
    }

    /// A proxy in front of a database. Returns the parameters for a connection.
    #[expect(clippy::disallowed_methods, reason = "the peer is this test")]
    fn before(&self, database: &Database) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (spoiler, socket): (_, PathBuf) = (self.clone(), server().folder().join(".s.PGSQL.5432"));
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let Ok(server) = UnixStream::connect(&socket) else { return };
                spoiler.carry_both(&client, &server);
            }
        });
        let folder = server().folder().display().to_string();
        format!("{} port={port} sslmode=disable", database.parameters().replace(&folder, "127.0.0.1"))
    }

    fn carry_both(&self, client: &TcpStream, server: &UnixStream) {
        let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let (from_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let (there, back) = (self.clone(), Self::default());
        std::thread::spawn(move || {
            there.carry(from_client, &to_server);
            let _ended = to_server.shutdown(std::net::Shutdown::Both);
        });
        std::thread::spawn(move || {
            back.carry(from_server, &to_client);
            let _ended = to_client.shutdown(std::net::Shutdown::Both);
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_cannot_begin_leaves_nothing_although_statements_were_sent_behind_its_beginning() {
    let database = server().migrated().await;
    let spoiler = Spoiler::default();
    let mut options = PostgresOptions::new(spoiler.before(&database));
    options.node = Some(1);
    let store = PostgresStore::open(options).await.unwrap();
    store.heartbeat(Timestamp::from_unix_millis(1)).await.unwrap();
    commit(
        &store,
        vec![insert(dids(1), id(1), did("1", &json!({}))), insert(dids(1), id(2), did("2", &json!({})))],
    )
    .await;
    let of = linked(trunks(1), id(3), trunk("a", &json!({})), vec![("dids", vec![id(1)])]);
    let made = commit(&store, vec![of]).await.remove(0);
    let call = RunningCall {
        id: id(7),
        account: 1,
        trunk: id(3),
        answered_at: Timestamp::from_unix_millis(0),
        acknowledged: false,
        attributes: "{}".to_owned(),
    };
    let tables = [
        "record",
        "facet",
        "unique_facet",
        "claim",
        "link",
        "record_count",
        "change",
        "channel",
        "running_call",
        "node",
    ];
    let dump = || {
        let each = tables.map(|table| format!("SELECT '{table}' || t::text AS line FROM {table} t"));
        database.execute(&format!("SELECT line FROM ({}) s ORDER BY 1", each.join(" UNION ALL ")))
    };
    let before = dump();
    assert!(before.lines().count() > 20, "{before}");
    let writes = [
        vec![insert(trunks(1), id(4), trunk("b", &json!({})))],
        vec![
            insert(trunks(1), id(4), trunk("b", &json!({}))),
            insert(trunks(1), id(5), trunk("c", &json!({}))),
        ],
        vec![replace(trunks(1), made.clone(), trunk("c", &json!({})))],
        vec![members(trunks(1), made.clone(), "dids", true, vec![id(2)])],
        vec![members(trunks(1), made.clone(), "dids", false, vec![id(1)])],
        vec![Change::Delete { scope: trunks(1), id: id(3) }],
        vec![Change::Unchanged { record: made.clone() }, Change::Delete { scope: dids(1), id: id(2) }],
        vec![Change::Answered(Arc::new(call)), Change::Step(Timestamp::from_unix_millis(5))],
        vec![Change::HangUp(id(7))],
    ];
    spoiler.arm(true);
    for write in &writes {
        let outcome = within("a write", store.commit(write.clone())).await;
        assert!(
            matches!(&outcome, Err(StoreError::Failed(why)) if why.contains("42601")),
            "{write:?}: {outcome:?}"
        );
        assert_eq!(dump(), before, "{write:?}");
    }
    let asked = AskedChannels { trunk: id(3), calls: 0, more: 1, limit: 5 };
    assert!(within("channels", store.hold_channels(vec![asked])).await.is_err());
    assert!(within("a heartbeat", store.heartbeat(Timestamp::from_unix_millis(9))).await.is_err());
    assert_eq!(dump(), before, "channels and heartbeats");
    spoiler.arm(false);
    for write in [&writes[0], &writes[2], &writes[7]] {
        commit(&store, write.clone()).await;
    }
    assert_eq!(within("channels", store.hold_channels(vec![asked])).await.unwrap()[0].held, 1);
}
