//! Files of reference data, loaded into a database.

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
