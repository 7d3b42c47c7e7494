//! The database goes away and comes back, while both servers run.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{Pair, body, health, is_away, listed, nodes, until_admitted, until_ready};
use crate::sip::edge::{ANSWERS_AT_ONCE, until};
use crate::sip::uac::Call;
use crate::support::api::{Api, OLD};
use crate::support::binary::Binary;
use crate::support::postgres::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_servers_refuse_while_the_database_is_away_and_serve_again_without_a_restart() {
    let postgres = Arc::new(Server::start());
    let mut pair = Pair::start_on(&postgres).await;
    let trunk = pair.trunk(json!({})).await;
    for edge in [&pair.one, &pair.other] {
        assert_eq!(health(edge, "/readyz").await, 200);
    }

    postgres.stop();
    for (edge, of) in [(&pair.one, "one"), (&pair.other, "other")] {
        until_ready(edge, 503).await;
        assert_eq!(health(edge, "/livez").await, 200);
        for number in 0..5 {
            let path = format!("/voice_out_trunks/{}", trunk.id);
            let read = edge.api.get(&path).await;
            assert!(is_away(&read), "{} {:?} {}", read.status, read.headers, read.text);
            let list = edge.api.get("/voice_out_trunks").await;
            assert!(is_away(&list), "{} {:?} {}", list.status, list.headers, list.text);
            let write = edge.api.post("/voice_out_trunks", &body(&format!("{of} {number}"))).await;
            assert!(is_away(&write), "{} {:?} {}", write.status, write.headers, write.text);
        }
    }

    postgres.boot("");
    for edge in [&pair.one, &pair.other] {
        until_ready(edge, 200).await;
    }
    for (writer, reader) in [(&pair.one, &pair.other), (&pair.other, &pair.one)] {
        assert_eq!(reader.shown(&trunk, "/id").await, trunk.id.as_str());
        let fresh = writer.trunk(json!({})).await;
        assert_eq!(reader.shown(&fresh, "/id").await, fresh.id.as_str());
        until_admitted(reader, &fresh).await;
        let mut call = Call::up(reader, &fresh, ANSWERS_AT_ONCE).await;
        call.hang_up().await;
        for edge in [writer, reader] {
            edge.record(&fresh, 1).await;
        }
    }
    for edge in [&pair.one, &pair.other] {
        assert_eq!(listed(edge).await.len(), 3, "what was refused is not there");
    }
    assert_eq!(nodes(&pair.one).await, 2, "neither is found dead because the database was away");
    assert!(pair.one.binary.runs() && pair.other.binary.runs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_says_why_a_database_that_is_there_refuses_this_server() {
    let postgres = Server::shared();
    let database = postgres.database();
    let listen = format!("postgres:///none?host={}", postgres.folder().display());
    let server =
        Binary::start(&["--database", &database.url(), "--database-listen", &listen, "--api-key", "k"]);
    let logged = async |words: &str| {
        until(words, async || server.log().contains(words).then_some(())).await;
    };
    logged("database_listen cannot be used").await;

    let admit = |is_admitted: bool| {
        let admit = format!("ALTER DATABASE {} ALLOW_CONNECTIONS {is_admitted}", database.name());
        postgres.execute("postgres", &admit);
    };
    admit(false);
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname";
    postgres.execute("postgres", &format!("{end} = '{}'", database.name()));
    logged(&format!("\\\"{}\\\" is not currently accepting connections", database.name())).await;
    let api = Api::new(&server.base, "k").at(Some(OLD));
    until("the refusal", async || (api.get("/dids").await.status == 503).then_some(())).await;
    // The worker of callbacks reads anew every second.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let is_of_events = |line: &&str| line.contains("events that are due could not be read");
    let lines = server.log().lines().filter(is_of_events).count();
    assert!(lines <= 1, "it is said once a minute: {}", server.log());
    admit(true);
    until("an answer", async || (api.get("/dids").await.status == 200).then_some(())).await;
    let is_of_the_poll =
        |line: &&str| line.contains("cannot be read") && line.contains("not currently accepting");
    let lines = server.log().lines().filter(is_of_the_poll).count();
    assert!(lines <= 1, "it is said once, and not at each attempt: {}", server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_says_that_the_disk_of_the_database_is_full() {
    let database = Server::shared().database();
    let server = Binary::start(&["--database", &database.url(), "--api-key", "k"]);
    let api = Api::new(&server.base, "k");
    database.ask(
        "CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$; \
         CREATE TRIGGER is_full BEFORE INSERT ON record EXECUTE FUNCTION is_full()",
    );
    for name in ["a", "b", "c"] {
        let refused = api.post("/voice_out_trunks", &body(name)).await;
        assert!(is_away(&refused), "{} {:?} {}", refused.status, refused.headers, refused.text);
    }
    let said =
        async || server.log().lines().filter(|line| line.contains("is full: writes are refused")).count();
    until("a line of the log", async || (said().await > 0).then_some(())).await;
    assert_eq!(said().await, 1, "{}", server.log());
    database.ask("DROP TRIGGER is_full ON record");
    assert_eq!(api.post("/voice_out_trunks", &body("d")).await.status, 201);
}
