//! Calls of VoIPBIN's side at one of two servers, and requests about them at the other one.

use std::time::{Duration, Instant};

use uuid::Uuid;
use voipbin_client::types::{CallStatus, Provider};

use super::{Pair, kill, until_ready};
use crate::outbound::durable::{ADMIN, Apis, EDGE};
use crate::outbound::stage::long_call;
use crate::sip::edge::until;
use crate::support::receiver::{Answer, Receiver};
use crate::support::tcp_proxy::{Proxy, Way};

/// The longest time from the answer to the request to end a call to the record of its end, at any server.
const ENDS_WITHIN: Duration = Duration::from_secs(1);
/// The time within which the calls of a killed server have ended: 14 seconds until that is declared dead, 10 until the
/// next search for its calls, and the writes.
const ENDS_OF_THE_DEAD_WITHIN: Duration = Duration::from_secs(30);

/// Two servers, and the records that their calls need.
struct Stage {
    pair: Pair,
    /// Before the database of the first server.
    proxy: Proxy,
    one: Apis,
    other: Apis,
    provider: Provider,
    _hooks: Receiver,
}

impl Stage {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("edge.toml");
        std::fs::write(&config, EDGE).unwrap();
        let arguments = ["--config", config.to_str().unwrap(), "--voipbin-admin", ADMIN];
        let arguments = [&arguments[..], &["--allow-loopback-callbacks"]].concat();
        let (pair, proxy) = Pair::start_behind_proxy(&arguments).await;
        let (one, other) = (Apis::of(&pair.one.binary).await, Apis::of(&pair.other.binary).await);
        let hooks = Receiver::start(Answer::Status(200)).await;
        one.ready(&hooks).await;
        let provider = one.provider().await;
        Self { pair, proxy, one, other, provider, _hooks: hooks }
    }

    /// Places a call at a server that stays up. Returns its id when it is.
    async fn call_at(&self, apis: &Apis) -> Uuid {
        until("a call is up", async || {
            // A server that does not know the provider, its trunk or the destinations yet refuses it.
            let placed = apis.platform.provider_calls().create(long_call(&self.provider)).await.ok()?;
            let id = placed.call_ids[0];
            let status = until("the call is up or over", async || {
                let call = apis.platform.calls().get(id).await.unwrap();
                [CallStatus::Progressing, CallStatus::Hangup].contains(&call.status).then_some(call.status)
            })
            .await;
            (status == CallStatus::Progressing).then_some(id)
        })
        .await
    }

    /// Waits until a call has ended whose end was asked for now, deleted or not, which is in time.
    async fn ends_in_time(&self, id: Uuid, deleted: bool) {
        let asked = Instant::now();
        self.ends(id, deleted).await;
        let after = asked.elapsed();
        assert!(after < ENDS_WITHIN, "it ended {after:?} after the answer");
    }

    /// Waits until a call has ended, deleted or not.
    async fn ends(&self, id: Uuid, deleted: bool) {
        let ended = format!(
            "SELECT count(*) FROM document WHERE id = '{id}' AND NOT live AND deleted = {deleted} \
             AND body LIKE '%\"status\":\"hangup\"%'"
        );
        until("the call has ended", async || (self.pair.database.ask(&ended) == "1").then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_server_hangs_up_and_deletes_calls_of_the_platform_at_the_other_one() {
    let stage = Stage::start().await;
    for (runs, asks) in [(&stage.one, &stage.other), (&stage.other, &stage.one)] {
        let id = stage.call_at(runs).await;
        let asked = asks.platform.calls().hangup(id).await.unwrap();
        assert_eq!((asked.id, asked.hangup_by), (id, None), "it answers before the call ends");
        stage.ends_in_time(id, false).await;

        let id = stage.call_at(runs).await;
        let deleted = asks.platform.calls().delete(id).await.unwrap();
        assert!(deleted.id == id && deleted.tm_delete.is_some(), "{deleted:?}");
        stage.ends_in_time(id, true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_of_the_platform_that_is_deleted_while_its_server_is_cut_off_ends_when_that_is_back() {
    let mut stage = Stage::start().await;
    let id = stage.call_at(&stage.one).await;
    stage.proxy.set(Way::Shut);
    stage.proxy.cut();
    until_ready(&stage.pair.one, 503).await;
    stage.other.platform.calls().delete(id).await.unwrap();
    stage.proxy.set(Way::Open);
    stage.ends(id, true).await;
    assert!(stage.pair.one.binary.runs(), "it was not found dead");
}

/// Notes each call that ends with a record.
const NOTE_ENDS: &str = "CREATE TABLE ended (id uuid); \
    CREATE FUNCTION note_end() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN INSERT INTO ended VALUES (new.id); RETURN new; END $$; \
    CREATE TRIGGER note_end AFTER UPDATE ON document FOR EACH ROW WHEN (old.live AND NOT new.live) \
    EXECUTE FUNCTION note_end()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_at_one_server_ends_the_calls_of_the_platform_at_the_other_one_before_their_records() {
    let stage = Stage::start().await;
    let id = stage.call_at(&stage.one).await;
    stage.pair.database.ask(NOTE_ENDS);
    stage.pair.other.control_request("/reset", "POST", &serde_json::json!({})).await;
    let ended = stage.pair.database.ask(&format!("SELECT count(*) FROM ended WHERE id = '{id}'"));
    assert_eq!(ended, "1", "it went on without a record");
}

/// Refuses each change of a call as a full disk does.
const FULL: &str = "CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$; \
    CREATE TRIGGER is_full BEFORE UPDATE ON document FOR EACH ROW WHEN (new.kind = 9) EXECUTE FUNCTION is_full()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_end_cannot_be_written_is_in_the_log_a_few_times_and_not_every_second() {
    let stage = Stage::start().await;
    let id = stage.call_at(&stage.one).await;
    stage.pair.database.ask(FULL);
    // Whether the request itself writes is not the question here.
    let _asked = stage.one.platform.calls().hangup(id).await;
    let binary = &stage.pair.one.binary;
    let said = || binary.log().lines().filter(|line| line.contains("could not be written")).count();
    until("a line of the log", async || (said() > 0).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(said() <= 3, "{}", binary.log());
    stage.pair.database.ask("DROP TRIGGER is_full ON document");
    stage.ends(id, false).await;
}

/// Makes the commit of each new call take three seconds.
const SLOW_COMMIT: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$; \
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON document DEFERRABLE INITIALLY DEFERRED \
    FOR EACH ROW WHEN (new.kind = 9) EXECUTE FUNCTION slow()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_of_the_platform_whose_creation_is_committed_after_it_had_failed_is_ended() {
    let stage = Stage::start().await;
    let before = stage.call_at(&stage.one).await;
    stage.one.platform.calls().hangup(before).await.unwrap();
    stage.ends(before, false).await;
    stage.pair.database.ask(SLOW_COMMIT);
    let cut = async {
        let commits = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event = 'PgSleep'";
        until("the commit", async || (stage.pair.database.ask(commits) == "1").then_some(())).await;
        stage.proxy.cut();
    };
    let calls = stage.one.platform.provider_calls();
    let (placed, ()) = tokio::join!(calls.create(long_call(&stage.provider)), cut);
    assert!(placed.is_err(), "its commit had no answer");
    let others = format!("FROM document WHERE kind = 9 AND id <> '{before}'");
    let count = format!("SELECT count(*) {others}");
    until("it is committed", async || (stage.pair.database.ask(&count) == "1").then_some(())).await;
    let live = format!("SELECT live {others}");
    until("it is ended", async || (stage.pair.database.ask(&live) == "f").then_some(())).await;
}

/// Makes every end of the call with this id fail.
fn refuse_end(id: Uuid) -> String {
    format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'this call cannot end'; END $$; \
         CREATE TRIGGER refuse BEFORE UPDATE ON document FOR EACH ROW \
         WHEN (old.id = '{id}' AND old.live AND NOT new.live) EXECUTE FUNCTION refuse()"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_calls_of_a_killed_server_end_although_a_row_of_its_edge_is_unreadable_and_one_end_fails() {
    let mut stage = Stage::start().await;
    let mut calls = Vec::new();
    for _ in 0..4 {
        calls.push(stage.call_at(&stage.one).await);
    }
    let running = "SELECT count(*) FROM running_call";
    until("the edge has the calls", async || (stage.pair.database.ask(running) == "4").then_some(())).await;
    kill(&mut stage.pair.one).await;
    let (unreadable, unwritable) = (calls[0], calls[1]);
    // The edge cannot settle it, so the killed server stays listed.
    stage.pair.database.ask(
        "UPDATE running_call SET attributes = 'x' WHERE number = (SELECT min(number) FROM running_call)",
    );
    let spoil = format!("UPDATE document SET body = 'x' WHERE kind = 9 AND id = '{unreadable}'");
    stage.pair.database.ask(&spoil);
    stage.pair.database.ask(&refuse_end(unwritable));
    let live = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM document WHERE kind = 9 AND live";
    let mut left = [unreadable, unwritable].map(|id| id.to_string());
    left.sort();
    let ended = async {
        while stage.pair.database.ask(live) != left.join(" ") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let ended = tokio::time::timeout(ENDS_OF_THE_DEAD_WITHIN, ended).await;
    assert!(ended.is_ok(), "{left:?} cannot end; live are {}", stage.pair.database.ask(live));
    let listed = stage.pair.database.ask("SELECT count(*) FROM node WHERE heir IS NOT NULL AND NOT removed");
    assert_eq!(listed, "1", "its edge's call is not settled");
    // They keep the server from no reset either.
    stage.pair.other.control_request("/reset", "POST", &serde_json::json!({})).await;
    assert_eq!(stage.pair.database.ask("SELECT count(*) FROM document WHERE kind = 9"), "0");
}
