//! The server is killed repeatedly while it works: every acknowledged write must be there after the next
//! start. On each engine.
//!
//! `KILLS=200` makes the run long, `SEED=1234` changes it. The seed determines what is written and after how
//! many answers the kill comes; which write the kill interrupts depends on the machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::Method;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::api::Api;
use crate::support::binary::Binary;
use crate::support::place::Place;

const WRITERS: usize = 16;

/// The attributes of a trunk that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Content {
    name: String,
    status: String,
    capacity: Value,
    dids: Vec<String>,
}

/// The writes that the service acknowledged so far.
#[derive(Debug, Default)]
struct Ledger {
    /// By id, the states that a trunk may be in (`None`: deleted). There are several while an answer is
    /// missing.
    trunks: BTreeMap<String, Vec<Option<Content>>>,
    /// Creates whose answer is missing, by name.
    unanswered: BTreeMap<String, Content>,
    acknowledged: usize,
}

/// Reproducible random numbers (splitmix64).
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }
}

fn number_from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_every_kill() {
    outlives_every_kill(&Place::file(), 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_on_postgresql_outlives_every_kill_of_its_server() {
    outlives_every_kill(&Place::postgres(), 6).await;
}

async fn outlives_every_kill(place: &Place, default: u64) {
    let (kills, seed) =
        (number_from_environment("KILLS", default), number_from_environment("SEED", 20_260_416));
    println!("KILLS={kills} SEED={seed}");
    let url = place.url();
    let arguments = ["--database", url.as_str(), "--api-key", "crash", "--demo"];
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let mut dice = Dice(seed);
    for round in 0..kills {
        let binary = Binary::start(&arguments);
        let api = Api::new(&binary.base, "crash");
        compare(&ledger, &read_all(&api).await, round);
        let dids = ids(&api, "/dids").await;
        work_until_killed(binary, &api, &dids, &ledger, &mut dice).await;
        place.check(&format!("after kill {round}"));
    }
    let binary = Binary::start(&arguments);
    compare(&ledger, &read_all(&Api::new(&binary.base, "crash")).await, kills);
    assert_eq!(binary.terminate(), Some(0));
    place.check("after the last stop");
    let acknowledged = ledger.lock().unwrap().acknowledged;
    println!("{kills} kills, {acknowledged} writes acknowledged, 0 lost");
    assert!(acknowledged as u64 >= kills * 5, "the kills came while there was work");
}

async fn work_until_killed(
    binary: Binary,
    api: &Api,
    dids: &[String],
    ledger: &Arc<Mutex<Ledger>>,
    dice: &mut Dice,
) {
    let kill_after = 5 + dice.roll(150);
    let answered = Arc::new(AtomicUsize::new(0));
    let (reached, mut progress) = watch::channel(false);
    let reached = Arc::new(reached);
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let (api, dids, ledger) = (api.clone(), dids.to_vec(), Arc::clone(ledger));
            let (answered, reached) = (Arc::clone(&answered), Arc::clone(&reached));
            let mut dice = Dice(dice.roll(usize::MAX) as u64);
            tokio::spawn(async move {
                // The writer stops at the first missing answer.
                while write(&api, number, &dids, &ledger, &mut dice).await {
                    if answered.fetch_add(1, Ordering::SeqCst) + 1 == kill_after {
                        reached.send_replace(true);
                    }
                }
            })
        })
        .collect();
    progress.wait_for(|reached| *reached).await.unwrap();
    binary.kill();
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Sends one write of one writer, which only changes its own trunks. Returns true if it was answered.
async fn write(api: &Api, writer: usize, dids: &[String], ledger: &Mutex<Ledger>, dice: &mut Dice) -> bool {
    let own: Vec<(String, Content)> = {
        let ledger = ledger.lock().unwrap();
        let certain = ledger.trunks.iter().filter_map(|(id, states)| match states.as_slice() {
            [Some(content)] => Some((id.clone(), content.clone())),
            _ => None,
        });
        certain.filter(|(_, content)| content.name.starts_with(&format!("{writer}-"))).collect()
    };
    let act = dice.roll(10);
    if own.is_empty() || act < 5 {
        return create(api, writer, dids, ledger, dice).await;
    }
    let (id, before) = own[dice.roll(own.len())].clone();
    let path = format!("/voice_out_trunks/{id}");
    let (method, path, body, after) = match act {
        5 | 6 => {
            let capacity = json!(1 + dice.roll(1_000));
            let attributes = json!({ "status": "blocked", "capacity_limit": capacity });
            let body = json!({ "data": { "type": "voice_out_trunks", "id": id, "attributes": attributes } });
            let after = Content { status: "blocked".to_owned(), capacity, ..before.clone() };
            (Method::PATCH, path, body, Some(after))
        }
        7 | 8 => {
            let linked = some_of(dids, dice);
            let after = Content { dids: linked.clone(), ..before.clone() };
            (Method::PATCH, format!("{path}/relationships/dids"), linkage(&linked), Some(after))
        }
        _ => (Method::DELETE, path, Value::Null, None),
    };
    ledger.lock().unwrap().trunks.insert(id.clone(), vec![Some(before), after.clone()]);
    let request = api.request(method, &path);
    let request = if body.is_null() { request } else { request.body(body.to_string()) };
    let Ok(answer) = request.send().await else { return false };
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    let mut ledger = ledger.lock().unwrap();
    ledger.trunks.insert(id, vec![after]);
    ledger.acknowledged += 1;
    true
}

async fn create(api: &Api, writer: usize, dids: &[String], ledger: &Mutex<Ledger>, dice: &mut Dice) -> bool {
    let content = Content {
        name: format!("{writer}-{:016x}", dice.roll(usize::MAX)),
        status: "active".to_owned(),
        capacity: Value::Null,
        dids: some_of(dids, dice),
    };
    ledger.lock().unwrap().unanswered.insert(content.name.clone(), content.clone());
    let method =
        json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.5"] } });
    let attributes = json!({ "name": content.name, "on_cli_mismatch_action": "reject_call", "authentication_method": method });
    let relationships = json!({ "dids": linkage(&content.dids) });
    let body = json!({ "data": {
        "type": "voice_out_trunks", "attributes": attributes, "relationships": relationships,
    } });
    let Ok(answer) = api.request(Method::POST, "/voice_out_trunks").body(body.to_string()).send().await
    else {
        return false;
    };
    let status = answer.status();
    // A truncated answer does not contain the id, but its status acknowledges the write.
    let Ok(text) = answer.text().await else { return false };
    assert_eq!(status, 201, "{text}");
    let made: Value = serde_json::from_str(&text).unwrap();
    let id = made["data"]["id"].as_str().unwrap().to_owned();
    let mut ledger = ledger.lock().unwrap();
    ledger.unanswered.remove(&content.name);
    ledger.trunks.insert(id, vec![Some(content)]);
    ledger.acknowledged += 1;
    true
}

fn some_of(dids: &[String], dice: &mut Dice) -> Vec<String> {
    let first = dice.roll(dids.len());
    dids[first..].iter().take(dice.roll(4)).cloned().collect()
}

fn linkage(dids: &[String]) -> Value {
    json!({ "data": dids.iter().map(|id| json!({ "type": "dids", "id": id })).collect::<Vec<_>>() })
}

async fn ids(api: &Api, path: &str) -> Vec<String> {
    let listed = api.get(path).await.at("/data");
    listed.as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

/// Every trunk by its id, read page by page.
async fn read_all(api: &Api) -> BTreeMap<String, Content> {
    let mut all = BTreeMap::new();
    for page in 1.. {
        let path = format!("/voice_out_trunks?include=dids&page[size]=1000&page[number]={page}");
        let listed = api.get(&path).await.json();
        let records = listed["data"].as_array().unwrap();
        for record in records {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let linked = record["relationships"]["dids"]["data"].as_array().unwrap();
            let content = Content {
                name: text(&record["attributes"]["name"]),
                status: text(&record["attributes"]["status"]),
                capacity: record["attributes"]["capacity_limit"].clone(),
                dids: linked.iter().map(|did| text(&did["id"])).collect(),
            };
            all.insert(text(&record["id"]), content);
        }
        if records.len() < 1_000 {
            assert_eq!(listed["meta"]["total_records"], all.len());
            break;
        }
    }
    all
}

/// Compares the trunks with the acknowledged writes, and continues with the trunks as they are.
fn compare(ledger: &Mutex<Ledger>, there: &BTreeMap<String, Content>, round: u64) {
    let mut ledger = ledger.lock().unwrap();
    for (id, states) in &mut ledger.trunks {
        let found = there.get(id).cloned();
        assert!(
            states.contains(&found),
            "after kill {round}, {id} is {found:?} and should be one of {states:?}"
        );
        *states = vec![found];
    }
    let unanswered = std::mem::take(&mut ledger.unanswered);
    for (id, content) in there {
        if !ledger.trunks.contains_key(id) {
            assert_eq!(
                unanswered.get(&content.name),
                Some(content),
                "after kill {round}, no create of {id} is known"
            );
            ledger.trunks.insert(id.clone(), vec![Some(content.clone())]);
        }
    }
}

/// Checks a database file: every index and counter matches the records.
pub fn check_file(database: &Path, when: &str) {
    let file = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let check: String = file.query_row("PRAGMA quick_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok", "{when}");
    // `name~` is the index of a name in lower case.
    let member = "rtrim(substr(s.name, instr(s.name, '/') + 1), '~')";
    let text = format!("nullif(r.attributes ->> ('$.' || {member}), '')");
    let text = format!("CASE WHEN s.name LIKE '%~' THEN lower({text}) ELSE {text} END");
    // Instants are indexed as milliseconds since 1970.
    let value = format!(
        "CASE i.form WHEN 'time' THEN CAST(round(unixepoch({text}, 'subsec') * 1000) AS INTEGER) ELSE {text} END"
    );
    // A list has an entry for each item, and an empty one has one entry.
    let list = |record: &str| format!("json_type({record}.attributes, '$.' || {member}) = 'array'");
    let is_list = list("r");
    let item = format!(
        "EXISTS (SELECT 1 FROM json_each(r.attributes, '$.' || {member}) item WHERE item.value = f.value) \
         OR f.value = x'' AND json_array_length(r.attributes, '$.' || {member}) = 0"
    );
    let indexed = |table: &str| {
        format!(
            "SELECT count(*) FROM {table} f JOIN symbol s ON s.number = f.field \
             LEFT JOIN indexed i ON i.field = f.field \
             LEFT JOIN record r ON r.number = f.record AND r.account = f.account \
             WHERE r.number IS NULL OR i.after IS NOT NULL \
                OR CASE WHEN {is_list} THEN NOT ({item}) ELSE f.value IS NOT coalesce({value}, x'') END"
        )
    };
    let items_are_missing = format!(
        "SELECT count(*) FROM (SELECT count(*) AS n, json_array_length(r.attributes, '$.' || {member}) AS items \
         FROM facet f JOIN symbol s ON s.number = f.field JOIN record r ON r.number = f.record \
         WHERE {is_list} GROUP BY f.record, f.field) WHERE n <> max(items, 1)"
    );
    let not_of_a_list = format!(
        "SELECT f.record, count(*) AS n FROM facet f JOIN symbol s ON s.number = f.field \
         JOIN record q ON q.number = f.record WHERE NOT coalesce({}, 0) GROUP BY f.record",
        list("q")
    );
    let entries_differ = format!(
        "SELECT count(*) FROM (SELECT r.kind FROM record r \
         LEFT JOIN ({not_of_a_list}) f ON f.record = r.number \
         LEFT JOIN (SELECT record, count(*) AS n FROM unique_facet GROUP BY record) u ON u.record = r.number \
         GROUP BY r.kind HAVING min(coalesce(f.n, 0)) <> max(coalesce(f.n, 0)) \
            OR min(coalesce(u.n, 0)) <> max(coalesce(u.n, 0)))"
    );
    let trunks_without_name = "SELECT count(*) FROM record r JOIN symbol s ON s.number = r.kind \
         JOIN symbol m ON m.name = 'voice_out_trunks/name' \
         WHERE s.name = 'voice_out_trunks' AND NOT EXISTS (SELECT 1 FROM unique_facet f \
            WHERE f.account = r.account AND f.field = m.number AND f.value = r.attributes ->> 'name' \
            AND f.record = r.number)";
    let wrong_counts = "SELECT count(*) FROM record_count c WHERE c.records <> \
         (SELECT count(*) FROM record r WHERE r.account = c.account AND r.kind = c.kind)";
    let not_counted = "SELECT count(*) FROM record r WHERE NOT EXISTS \
         (SELECT 1 FROM record_count c WHERE c.account = r.account AND c.kind = r.kind)";
    let loose_links = "SELECT count(*) FROM link l LEFT JOIN record o ON o.number = l.owner \
         LEFT JOIN record t ON t.number = l.target WHERE o.number IS NULL OR t.number IS NULL";
    for (what, sql) in [
        ("entries of an index without their record, or with another value", indexed("facet").as_str()),
        ("entries of a unique index without their record, or with another value", &indexed("unique_facet")),
        ("lists without an entry for each item", &items_are_missing),
        ("types whose records have different numbers of entries", &entries_differ),
        ("trunks whose name is in no unique index", trunks_without_name),
        ("wrong counts", wrong_counts),
        ("records that are not counted", not_counted),
        ("links without an end", loose_links),
    ] {
        let found: i64 = file.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(found, 0, "{when}: {what}");
    }
}
