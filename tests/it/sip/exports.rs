//! The calls that the edge records, as files of the API.

use std::io::Read as _;
use std::time::Duration;

use didww_types::Timestamp;
use didww_types::resources::ExportFilters;
use flate2::read::MultiGzDecoder;
use http::Method;
use serde_json::{Value, json};

use super::edge::{ANSWERS_AT_ONCE, Edge, until};
use super::uac::Call;

/// Exports calls, and returns the lines of the file behind its header.
async fn exported(edge: &Edge, filters: &ExportFilters) -> Vec<String> {
    let attributes = json!({ "export_type": "cdr_out", "filters": filters });
    let body = json!({ "data": { "type": "exports", "attributes": attributes } });
    let asked = edge.api.post("/exports", &body).await;
    assert_eq!(asked.status, 201, "{}", asked.text);
    edge.advance(5).await;
    let path = format!("/exports/{}", asked.id());
    let url = until("the file is made", async || {
        edge.api.get(&path).await.at("/data/attributes/url").as_str().map(str::to_owned)
    })
    .await;
    let file = url.strip_prefix(edge.api.base()).unwrap();
    let response = edge.api.request(Method::GET, file).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let mut text = String::new();
    MultiGzDecoder::new(response.bytes().await.unwrap().as_ref()).read_to_string(&mut text).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

#[tokio::test]
async fn calls_are_exported_as_they_are_recorded_by_trunk_and_by_time() {
    let edge = Edge::start().await;
    let (one, other) = (edge.trunk(json!({})).await, edge.trunk(json!({})).await);
    for trunk in [&one, &other] {
        Call::up(&edge, trunk, ANSWERS_AT_ONCE).await.hang_up().await;
    }
    let (first, second) = (edge.record(&one, 1).await, edge.record(&other, 1).await);
    edge.advance(60).await;
    let time = |record: &Value, name: &str| record[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    let end = time(&second, "time_end").max(time(&first, "time_end")).after(Duration::from_secs(1));
    let start = time(&first, "time_start").min(time(&second, "time_start"));
    let all = ExportFilters::between(start, end);
    let lines = exported(&edge, &all).await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    let of_one = exported(&edge, &all.clone().with("voice_out_trunk.id", one.id.as_str())).await;
    let [line] = of_one.as_slice() else { panic!("{of_one:?}") };
    let cells: Vec<&str> = line.split(',').collect();
    assert_eq!((cells.len(), cells[3]), (19, "Success"), "{line}");
    for (place, name) in
        [(5, "src_number"), (6, "dst_number"), (11, "trunk_name"), (16, "price"), (18, "call_id")]
    {
        assert_eq!(cells[place], first[name].as_str().unwrap(), "{name}: {line}");
    }
    let before = ExportFilters::between(start, start.after(Duration::from_secs(1)));
    assert!(
        exported(&edge, &before.with("voice_out_trunk.id", crate::support::world::UNKNOWN)).await.is_empty()
    );
}
