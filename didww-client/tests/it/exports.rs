//! The download of an export's file: its address, its headers, and its rows.

use std::io::Write as _;

use didww_client::resources::Export;
use didww_client::{Error, ExportFile, InboundCallRow, OutboundCallRow, Reason, TryStreamExt as _};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{TRUNK, client, id, response};

/// An export with this address of its file.
async fn export(server: &MockServer, url: Value) -> Export {
    let attributes = json!({
        "export_type": "cdr_out", "filters": {"from": "2026-04-01 00:00:00", "to": "2026-04-02 00:00:00"},
        "status": "completed", "url": url, "callback_url": null, "callback_method": null,
        "external_reference_id": null, "created_at": "2026-04-08T06:57:33.304Z",
    });
    let document = json!({"data": {"id": TRUNK, "type": "exports", "attributes": attributes}});
    let get = Mock::given(method("GET")).and(path(format!("/v3/exports/{TRUNK}")));
    get.respond_with(response(200, &document)).mount(server).await;
    client(server).exports().get(&id(TRUNK)).await.unwrap().into_inner()
}

#[tokio::test]
async fn the_rows_of_a_file_are_streamed() {
    let server = MockServer::start().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(b"Call ID,Charged (USD)\na,0.5\nb,\n").unwrap();
    let file = ResponseTemplate::new(200).set_body_raw(encoder.finish().unwrap(), "application/gzip");
    Mock::given(path("/v3/exports/f.csv.gz")).respond_with(file).mount(&server).await;
    let export = export(&server, json!(format!("{}/v3/exports/f.csv.gz", server.uri()))).await;
    let client = client(&server);
    let rows = client.exports().download_rows::<OutboundCallRow>(&export).await.unwrap();
    let rows: Vec<OutboundCallRow> = rows.try_collect().await.unwrap();
    let shown: Vec<_> =
        rows.iter().map(|row| (row.call_id.as_str(), row.charged.map(|price| price.to_string()))).collect();
    assert_eq!(shown, [("a", Some("0.5".to_owned())), ("b", None)]);
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.last().unwrap().headers["accept"], "application/gzip");
}

#[tokio::test]
async fn a_file_whose_name_ends_as_those_of_2021_is_read_as_plain_text() {
    let server = MockServer::start().await;
    let file =
        ResponseTemplate::new(200).set_body_raw("DID,Duration (secs)\n1,2\n", "application/octet-stream");
    Mock::given(path("/v3/cdr_exports/f.csv")).respond_with(file).mount(&server).await;
    let export = export(&server, json!(format!("{}/v3/cdr_exports/f.csv", server.uri()))).await;
    let file = client(&server).exports().download(&export).await.unwrap();
    let rows: Vec<InboundCallRow> = file.rows().collect::<Result<_, _>>().unwrap();
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.destination_did.as_str(), row.duration), ("1", Some(2)));
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.last().unwrap().headers["accept"], "text/csv");
}

#[tokio::test]
async fn no_other_host_is_asked_for_a_file_and_none_for_one_that_is_not_made() {
    for (url, is_elsewhere) in [
        (json!("https://files.example.com/v3/exports/f.csv.gz"), true),
        (json!("http://127.0.0.1:1/v3/exports/f.csv.gz"), true),
        (Value::Null, false),
    ] {
        let server = MockServer::start().await;
        let export = export(&server, url).await;
        let error = client(&server).exports().download(&export).await.unwrap_err();
        let Error::NotSent(not_sent) = &error else { panic!("{error}") };
        match &not_sent.reason {
            Reason::Elsewhere => assert!(is_elsewhere),
            Reason::NotCompleted => assert!(!is_elsewhere),
            other => panic!("{other}"),
        }
        assert_eq!(server.received_requests().await.unwrap().len(), 1, "the export alone");
    }
    // A host that begins like the base URL is another one.
    let server = MockServer::start().await;
    let export = export(&server, json!(format!("{}/v3.example.com/f.csv.gz", server.uri()))).await;
    assert!(matches!(client(&server).exports().download(&export).await, Err(Error::NotSent(_))));
}

/// A file with the documented columns of a type, and in its only row an empty cell in each.
fn documented(kind: &str) -> ExportFile {
    let columns: Value =
        serde_json::from_str(include_str!("../../../fixtures/exports/columns.json")).unwrap();
    let columns: Vec<&str> =
        columns[kind].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let text = format!("{}\n{}\n", columns.join(","), ",".repeat(columns.len() - 1));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    ExportFile::new(encoder.finish().unwrap())
}

#[test]
fn a_row_has_the_numbers_of_the_caller_under_the_names_of_the_later_version() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let text = "Source Number,Source Number Out,Source Country,Source Network,Something Else\n1,2,3,4,5\n";
    encoder.write_all(text.as_bytes()).unwrap();
    let file = ExportFile::new(encoder.finish().unwrap());
    let rows: Vec<InboundCallRow> = file.rows().collect::<Result<_, _>>().unwrap();
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    let cells = [&row.source, &row.source_number_out, &row.source_country, &row.source_network];
    assert_eq!(cells, ["1", "2", "3", "4"]);
    assert_eq!(row.extra.len(), 1, "{:?}", row.extra);
}

#[test]
fn a_row_has_a_member_for_each_documented_column() {
    let outbound: Vec<OutboundCallRow> = documented("cdr_out").rows().collect::<Result<_, _>>().unwrap();
    assert_eq!(outbound, [OutboundCallRow::default()]);
    for columns in ["cdr_in", "cdr_in_2026_11_19"] {
        let inbound: Vec<InboundCallRow> = documented(columns).rows().collect::<Result<_, _>>().unwrap();
        assert_eq!(inbound, [InboundCallRow::default()], "{columns}");
    }
    let former: Vec<InboundCallRow> = documented("cdr_exports").rows().collect::<Result<_, _>>().unwrap();
    let further: Vec<&str> = former[0].extra.keys().map(String::as_str).collect();
    assert_eq!(further, ["Customer ID", "Sell Amount (Points)", "Termination Amount (USD)"]);
}
