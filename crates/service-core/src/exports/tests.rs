//! An export from its request to its end, on a store alone.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use futures_util::StreamExt as _;
use trunk_rules::domain::with_defaults;
use trunk_store::{DocumentKind, DocumentQuery, NewDocument, SqliteStore, StoredCall};

use super::*;

const NOW: &str = "2026-11-29T12:00:00.000Z";
const ACCOUNT: Uuid = Uuid::from_u128(9);
const EXPORT: Uuid = Uuid::from_u128(7);

fn scope() -> Scope {
    Scope { account: 1, spec: Export::SPEC }
}

fn call(number: u128, account: i64) -> Change {
    let attributes = json!({
        "time_start": "2026-11-28T12:00:00.000Z", "time_end": "2026-11-28T12:00:01.000Z", "dst_number": "44",
        "call_id": number.to_string(),
    });
    Change::Call(Arc::new(StoredCall {
        id: Uuid::from_u128(number),
        account,
        trunk: Uuid::from_u128(3),
        ended_at: "2026-11-28T12:00:01.000Z".parse().unwrap(),
        cause: 200,
        code: 200,
        source: "1".to_owned(),
        destination: "44".to_owned(),
        price: "0".to_owned(),
        call_id: None,
        attributes: attributes.to_string(),
    }))
}

/// A store with an export of outbound calls that was just asked for, and calls of two accounts.
async fn asked(kind: &str, calls: u128) -> Arc<Core> {
    asked_with(kind, calls, None).await
}

/// The same with this internal data.
async fn asked_with(kind: &str, calls: u128, meta: Option<String>) -> Arc<Core> {
    let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
    core.clock.freeze(Some(NOW.parse().unwrap()));
    let filters = json!({ "from": "2026-11-28 00:00:00", "to": "2026-11-29 00:00:00" });
    let sent = json!({ "export_type": kind, "filters": filters });
    let attributes = with_defaults(Export::SPEC, core.clock.now(), sent.as_object().unwrap().clone());
    let (scope, created_at) = (scope(), core.clock.now());
    let insert = Change::Insert { scope, id: EXPORT, created_at, attributes, links: Vec::new(), meta };
    core.store.commit(vec![insert]).await.unwrap();
    for number in 0..calls {
        core.store.commit(vec![call(100 + number, 1), call(10_000 + number, 2)]).await.unwrap();
    }
    core
}

fn job() -> Job {
    let payload = json!({ "account": ACCOUNT, "base": "http://a.test/v3" }).to_string();
    Job { account: Some(1), payload, ..Job::new(MAKE_EXPORT, EXPORT.to_string(), NOW.parse().unwrap()) }
}

/// Runs the job once, and stores what it does beside its completion.
async fn run(core: &Arc<Core>) -> Export {
    let outcome = make(core, &job()).await.unwrap();
    core.store.commit(outcome.effect().to_vec()).await.unwrap();
    read(&core.store.find(scope(), EXPORT).await.unwrap().unwrap()).unwrap()
}

async fn text(core: &Arc<Core>, url: &str) -> String {
    let file = url.strip_prefix("http://a.test/v3/exports/").unwrap().strip_suffix(".csv.gz").unwrap();
    let file: Uuid = file.parse().unwrap();
    assert!(parts::exists(core, ACCOUNT, file, Encoding::Gzip).await.unwrap());
    assert!(!parts::exists(core, ACCOUNT, file, Encoding::Plain).await.unwrap(), "it is compressed");
    let of_another = parts::exists(core, Uuid::nil(), file, Encoding::Gzip).await.unwrap();
    assert!(!of_another, "another account has no such file");
    let mut stream = Box::pin(parts::content(Arc::clone(core), file));
    let mut compressed = Vec::new();
    while let Some(part) = stream.next().await {
        compressed.extend(part.unwrap());
    }
    let mut text = String::new();
    MultiGzDecoder::new(compressed.as_slice()).read_to_string(&mut text).unwrap();
    text
}

async fn stored_parts(core: &Core) -> usize {
    core.store.documents(DocumentQuery::all(DocumentKind::ExportPart)).await.unwrap().len()
}

#[tokio::test]
async fn an_export_is_pending_and_processing_and_completed_with_the_calls_of_its_account() {
    let core = asked("cdr_out", 2_001).await;
    let processing = run(&core).await;
    assert_eq!((processing.status, processing.url), (ExportStatus::Processing, None));
    let completed = run(&core).await;
    assert_eq!(completed.status, ExportStatus::Completed);
    let text = text(&core, &completed.url.unwrap()).await;
    let ids: Vec<&str> = text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap()).collect();
    let expected: Vec<String> = (0..2_001).map(|number| (100 + number).to_string()).collect();
    assert_eq!(ids, expected, "three pages, without the calls of the other account");
    let again = run(&core).await;
    assert_eq!((again.status, stored_parts(&core).await), (ExportStatus::Completed, 1));
}

/// A call to a DID of an account that was refused at this time.
fn inbound_call(number: u128, account: Uuid, time: &str, number_called: &str) -> Change {
    let began: Timestamp = time.parse().unwrap();
    let call = json!({
        "id": Uuid::from_u128(number), "account": account, "from": "+442079460999", "to": number_called,
        "time_start": began, "time_connect": null, "time_end": began, "duration": 0,
        "disconnect_code": 480, "disconnect_initiator": "server", "reason": "the DID has no route",
        "attempts": [],
    });
    let document = NewDocument {
        kind: inbound_records::KIND,
        id: Uuid::from_u128(number),
        customer: account,
        created_at: inbound_records::created_at(began),
        deleted: false,
        live: false,
        body: json!({ "node": 0, "call": call }).to_string(),
        keyed: true,
        keys: vec![(inbound_records::ACCOUNT, account.to_string())],
        unique: Vec::new(),
    };
    Change::Put { revision: None, document: Box::new(document) }
}

/// The numbers of the calls in a file: the ids of those that no trunk was tried for.
fn numbers_in(text: &str) -> Vec<u128> {
    let ids = text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap());
    ids.map(|id| id.parse::<Uuid>().unwrap().as_u128()).collect()
}

#[tokio::test]
async fn a_file_of_inbound_calls_has_those_of_its_account_and_its_time_from_the_oldest_on() {
    let core = asked("cdr_in", 0).await;
    let called = "442079460018";
    let mut calls = vec![
        inbound_call(1, ACCOUNT, "2026-11-27T23:59:59.999Z", called),
        inbound_call(2, ACCOUNT, "2026-11-28T00:00:00.000Z", called),
        inbound_call(3, Uuid::from_u128(8), "2026-11-28T12:00:00.000Z", called),
        inbound_call(4, ACCOUNT, "2026-11-28T23:59:59.999Z", called),
        inbound_call(5, ACCOUNT, "2026-11-29T00:00:00.000Z", called),
    ];
    // More than two pages of the same time.
    calls.extend((100..350).map(|number| inbound_call(number, ACCOUNT, "2026-11-28T12:00:00.000Z", called)));
    core.store.commit(calls).await.unwrap();
    run(&core).await;
    let text = text(&core, &run(&core).await.url.unwrap()).await;
    let expected: Vec<u128> = [2].into_iter().chain(100..350).chain([4]).collect();
    assert_eq!(numbers_in(&text), expected);
}

#[tokio::test]
async fn a_file_of_a_former_version_is_plain_text_with_the_columns_of_then() {
    for version in ["2017-09-18", "2021-04-19"] {
        let core = asked_with("cdr_in", 0, Some(json!({ "api_version": version }).to_string())).await;
        let call = inbound_call(2, ACCOUNT, "2026-11-28T12:00:00.000Z", "442079460018");
        core.store.commit(vec![call]).await.unwrap();
        run(&core).await;
        let url = run(&core).await.url.unwrap();
        let file = url.strip_prefix("http://a.test/v3/cdr_exports/").unwrap().strip_suffix(".csv").unwrap();
        let file: Uuid = file.parse().unwrap();
        assert!(parts::exists(&core, ACCOUNT, file, Encoding::Plain).await.unwrap());
        assert!(!parts::exists(&core, ACCOUNT, file, Encoding::Gzip).await.unwrap(), "it is not compressed");
        let mut stream = Box::pin(parts::content(Arc::clone(&core), file));
        let mut text = Vec::new();
        while let Some(part) = stream.next().await {
            text.extend(part.unwrap());
        }
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let [header, line] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(header.starts_with("Date/Time (UTC),Source,DID,"), "{header}");
        let expected = "2026-11-28 12:00:00,+442079460999,442079460018,,0,System,480,the DID has no route,0.000,0.000,0.000,,\
                        0.000";
        assert_eq!(*line, expected);
    }
}

#[tokio::test]
async fn an_inbound_call_without_a_readable_record_is_left_out_and_the_others_are_not() {
    let core = asked("cdr_in", 0).await;
    let time = "2026-11-28T12:00:00.000Z";
    let Change::Put { revision, mut document } = inbound_call(1, ACCOUNT, time, "1") else { unreachable!() };
    document.body = "{}".to_owned();
    let calls = vec![Change::Put { revision, document }, inbound_call(2, ACCOUNT, time, "1")];
    core.store.commit(calls).await.unwrap();
    run(&core).await;
    let text = text(&core, &run(&core).await.url.unwrap()).await;
    assert_eq!(numbers_in(&text), [2]);
}

#[tokio::test]
async fn a_file_of_inbound_calls_has_its_header_and_one_of_messages_is_empty() {
    for (kind, lines) in [("cdr_in", 1), ("sms_in", 0), ("sms_out", 0)] {
        let core = asked(kind, 3).await;
        run(&core).await;
        let text = text(&core, &run(&core).await.url.unwrap()).await;
        assert_eq!(text.lines().count(), lines, "{kind}: {text}");
    }
}

#[tokio::test]
async fn what_a_run_that_failed_has_left_is_deleted_by_the_next_one() {
    let core = asked("cdr_out", 1).await;
    run(&core).await;
    let owner = Owner { number: 1, id: ACCOUNT };
    let at = core.clock.now();
    FileWriter::new(&core, owner, EXPORT, Uuid::from_u128(77), at).finish().await.unwrap();
    assert_eq!(stored_parts(&core).await, 1);
    let completed = run(&core).await;
    assert_eq!(stored_parts(&core).await, 1);
    assert_eq!(text(&core, &completed.url.unwrap()).await.lines().count(), 2);
}

#[tokio::test]
async fn a_file_is_deleted_with_its_export_to_the_millisecond_30_days_later() {
    let core = asked("cdr_out", 1).await;
    run(&core).await;
    run(&core).await;
    let forget = async |at: &str| {
        core.clock.freeze(Some(at.parse().unwrap()));
        let outcome = forget(&core).await.unwrap();
        core.store.commit(outcome.effect().to_vec()).await.unwrap();
        let is_there = core.store.find(scope(), EXPORT).await.unwrap().is_some();
        (is_there, stored_parts(&core).await, outcome.due_at().unwrap().to_string())
    };
    let end = "2026-12-29T12:00:00.000Z".to_owned();
    assert_eq!(forget("2026-12-29T11:30:00.000Z").await, (true, 1, end.clone()));
    assert_eq!(forget("2026-12-29T11:59:59.999Z").await, (true, 1, end.clone()));
    assert_eq!(forget(&end).await, (false, 0, end.clone()));
}

#[tokio::test]
async fn the_files_of_an_account_are_forgotten_and_those_of_another_are_not() {
    let core = asked("cdr_out", 0).await;
    let at = core.clock.now();
    for (number, account) in [(1, ACCOUNT), (2, ACCOUNT), (3, Uuid::from_u128(8))] {
        let owner = Owner { number: 1, id: account };
        let file = Uuid::from_u128(number);
        FileWriter::new(&core, owner, EXPORT, file, at).finish().await.unwrap();
    }
    parts::forget_all(&core, ACCOUNT).await.unwrap();
    assert_eq!(stored_parts(&core).await, 1);
}

#[tokio::test]
async fn a_file_of_several_parts_is_read_as_it_was_written() {
    let core = asked("cdr_out", 0).await;
    let file = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
    let mut writer = FileWriter::new(&core, Owner { number: 1, id: ACCOUNT }, EXPORT, file, core.clock.now());
    let mut written = String::new();
    // Numbers that are hard to compress.
    let mut number = 1_u64;
    while written.len() < 4 << 20 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let line = format!("{number}\n");
        writer.add(&line).await.unwrap();
        written.push_str(&line);
    }
    writer.finish().await.unwrap();
    assert!(stored_parts(&core).await > 2);
    assert_eq!(text(&core, &format!("http://a.test/v3/exports/{file}.csv.gz")).await, written);
    for part in core.store.documents(DocumentQuery::all(DocumentKind::ExportPart)).await.unwrap() {
        let is_file = parts::exists(&core, ACCOUNT, part.id, Encoding::Gzip).await.unwrap();
        assert_eq!(is_file, part.id == file, "the id of a later part is that of no file");
    }
}

#[tokio::test]
async fn a_plain_file_of_several_parts_is_read_as_it_was_written() {
    let core = asked("cdr_in", 0).await;
    let (owner, file) = (Owner { number: 1, id: ACCOUNT }, Uuid::from_u128(77));
    let writer = FileWriter::new(&core, owner, EXPORT, file, core.clock.now());
    let mut writer = writer.encoded(Encoding::Plain);
    let mut written = String::new();
    while written.len() < 1_200_000 {
        let line = format!("{}\n", written.len());
        writer.add(&line).await.unwrap();
        written.push_str(&line);
    }
    writer.finish().await.unwrap();
    assert_eq!(stored_parts(&core).await, 3);
    let mut stream = Box::pin(parts::content(Arc::clone(&core), file));
    let mut read = Vec::new();
    while let Some(part) = stream.next().await {
        read.extend(part.unwrap());
    }
    assert_eq!(read, written.as_bytes());
}

#[tokio::test]
async fn an_export_that_is_too_large_for_a_file_is_given_up() {
    let core = asked("cdr_out", 0).await;
    // Texts that compression does not shorten much: 5 parts of half a mebibyte in hexadecimal digits.
    let mut random = 1_u64;
    for number in 0..80_u128 {
        let mut text = String::new();
        while text.len() < 96_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(&random.to_string());
        }
        let Change::Call(call) = call(100 + number, 1) else { unreachable!() };
        let mut attributes: Map<String, Value> = serde_json::from_str(&call.attributes).unwrap();
        attributes.insert("call_id".to_owned(), json!(text));
        let large = StoredCall { attributes: Value::Object(attributes).to_string(), ..(*call).clone() };
        core.store.commit(vec![Change::Call(Arc::new(large))]).await.unwrap();
    }
    assert_eq!(run(&core).await.status, ExportStatus::Processing);
    let outcome = make(&core, &job()).await.unwrap();
    assert!(outcome.due_at().is_none() && outcome.effect().is_empty(), "it is not tried again: {outcome:?}");
    assert_eq!(stored_parts(&core).await, 0);
}

#[tokio::test]
async fn an_export_waits_an_hour_while_the_files_of_its_account_have_a_thousand_parts() {
    let core = asked("cdr_out", 1).await;
    run(&core).await;
    let (at, owner, other) = (core.clock.now(), Owner { number: 1, id: ACCOUNT }, Uuid::from_u128(5));
    for number in 1..=1_000 {
        assert!(parts::has_room(&core, owner).await.unwrap(), "{number}");
        FileWriter::new(&core, owner, other, Uuid::from_u128(number), at).finish().await.unwrap();
    }
    let waits = make(&core, &job()).await.unwrap();
    assert_eq!(waits.due_at().unwrap().to_string(), "2026-11-29T13:00:00.000Z");
    assert_eq!(run(&core).await.status, ExportStatus::Processing);
    parts::forget_export(&core, other).await.unwrap();
    assert_eq!(run(&core).await.status, ExportStatus::Completed);
}
