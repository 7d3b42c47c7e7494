//! Files of reference data, loaded into a database.

use didww_types::Resource as _;
use didww_types::resources::{AvailableDid, Did, DidGroup};
use trunk_store::SqliteStore;

use super::*;
use crate::jobs::tests::core;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn country(number: u128) -> Value {
    let attributes = json!({ "name": format!("Country {number}"), "prefix": null, "iso": "X" });
    json!({ "type": "countries", "id": id(number), "attributes": attributes })
}

fn city(number: u128, country: &Value) -> Value {
    json!({
        "type": "cities", "id": id(number), "attributes": { "name": "City" }, "relationships": { "country": country },
    })
}

async fn load_lines(core: &Core, lines: &[Value]) -> Result<Loaded, LoadError> {
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    load(core, lines.join("\n").as_bytes()).await
}

async fn refusal(text: &str) -> String {
    load(&core(SqliteStore::in_memory().unwrap()), text.as_bytes()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn only_what_is_stored_otherwise_is_written() {
    let core = core(SqliteStore::in_memory().unwrap());
    let mut lines = vec![country(1), country(2), city(3, &json!(id(1))), city(4, &json!([id(2)]))];
    let written = async |lines: &[Value]| {
        let loaded = load_lines(&core, lines).await.unwrap();
        assert_eq!(loaded.records, 4);
        loaded.written
    };
    assert_eq!([written(&lines).await, written(&lines).await], [4, 0]);
    lines[3] = city(4, &json!(id(1)));
    assert_eq!([written(&lines).await, written(&lines).await], [1, 0]);
    lines[2] = city(3, &json!([]));
    assert_eq!([written(&lines).await, written(&lines).await], [1, 0]);
}

#[tokio::test]
async fn the_fixed_records_of_all_types_are_stored_in_one_transaction_and_once() {
    let core = core(SqliteStore::in_memory().unwrap());
    let before = core.store.load().commits;
    store_fixed(&core).await.unwrap();
    assert_eq!(core.store.load().commits, before + 1);
    store_fixed(&core).await.unwrap();
    assert_eq!(core.store.load().commits, before + 1, "nothing is left to store");
}

#[tokio::test]
async fn a_line_of_the_greatest_length_is_read_and_a_longer_one_is_refused_for_it() {
    let line = country(1).to_string();
    let longest = format!("{line}{}", " ".repeat(MAX_LINE_BYTES - line.len()));
    let core = core(SqliteStore::in_memory().unwrap());
    let loaded = load(&core, format!("{longest}\n").as_bytes()).await.unwrap();
    assert_eq!(loaded, Loaded { records: 1, written: 1 });
    // The second one has a letter of two bytes at the limit.
    for longer in [format!("\n{longest} \n"), format!("\n {}", "é".repeat(MAX_LINE_BYTES))] {
        assert_eq!(refusal(&longer).await, "line 2: it has more than 65536 bytes");
    }
}

#[tokio::test]
async fn a_line_is_refused_for_members_that_a_record_cannot_have() {
    let group = json!({
        "type": "did_groups", "id": id(1), "attributes": { "area_name": "A" }, "meta": { "total_count": 1.5 },
    });
    let city = city(1, &json!([id(2), id(3)]));
    for (line, why) in [
        (group, "line 1: `meta` has `total_count`, which must be a whole number from 0"),
        (city, "line 1: `country` contains at most one record"),
    ] {
        assert_eq!(refusal(&line.to_string()).await, why);
    }
    assert_eq!(refusal("\u{fffd}").await, "line 1: expected value at line 1 column 1");
}

fn group(total: u64) -> Value {
    json!({
        "type": "did_groups", "id": id(9), "attributes": { "area_name": "A" },
        "meta": { "total_count": total, "is_available": true },
    })
}

fn number(number: u128) -> Value {
    json!({
        "type": "available_dids", "id": id(number), "attributes": { "number": number.to_string() },
        "relationships": { "did_group": id(9) },
    })
}

/// The change that makes a number a DID of an account, and the number in stock that it is, if that is stored.
fn did(number: u128, stocked: Option<Uuid>) -> Change {
    let scope = Scope { account: 1, spec: Did::SPEC };
    let attributes = Map::from_iter([("number".to_owned(), json!(number.to_string()))]);
    let at = didww_types::Timestamp::from_unix_millis(0);
    let links = stocked.map(|stocked| ("available_dids", vec![stocked])).into_iter().collect();
    let attributes = with_defaults(Did::SPEC, at, attributes);
    Change::Insert { scope, id: id(1_000 + number), created_at: at, attributes, links, meta: None }
}

#[tokio::test]
async fn the_stock_that_a_file_states_is_less_what_was_sold_whenever_it_is_loaded() {
    let core = core(SqliteStore::in_memory().unwrap());
    let scope = Scope { account: NO_ACCOUNT, spec: DidGroup::SPEC };
    let stock = async || {
        let meta = core.store.find(scope, id(9)).await.unwrap().unwrap().meta().unwrap();
        (meta["total_count"].as_u64().unwrap(), meta["is_available"].as_bool().unwrap())
    };
    let lines = |total: u64| [group(total), number(21), number(22), number(23)];
    load_lines(&core, &lines(3)).await.unwrap();
    assert_eq!(stock().await, (3, true));
    core.store.commit(vec![did(21, Some(id(21)))]).await.unwrap();
    for (total, left) in [(10, (9, true)), (3, (2, true)), (3, (2, true))] {
        load_lines(&core, &lines(total)).await.unwrap();
        assert_eq!(stock().await, left);
    }
    let sold = [did(22, Some(id(22))), did(23, Some(id(23)))];
    core.store.commit(sold.to_vec()).await.unwrap();
    for (total, left) in [(5, (2, true)), (3, (0, false))] {
        load_lines(&core, &lines(total)).await.unwrap();
        assert_eq!(stock().await, left);
    }
    assert_eq!(load_lines(&core, &lines(3)).await.unwrap().written, 0, "it is as the file says");
}

#[tokio::test]
async fn a_number_that_is_a_did_already_is_not_stored_as_one_in_stock() {
    let core = core(SqliteStore::in_memory().unwrap());
    core.store.commit(vec![did(21, None)]).await.unwrap();
    let loaded = load_lines(&core, &[group(2), number(21), number(22)]).await.unwrap();
    assert_eq!(loaded, Loaded { records: 3, written: 2 });
    let scope = Scope { account: NO_ACCOUNT, spec: AvailableDid::SPEC };
    let stored = core.store.find_all(scope, vec![id(21), id(22)]).await.unwrap();
    assert_eq!(stored.iter().map(|record| record.id).collect::<Vec<_>>(), [id(22)]);
}
