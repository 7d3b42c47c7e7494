//! Recordings: a proxy that records exchanges with a service, answers with them, and a comparison with this server.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use trunk_server::TestServer;
use trunk_server::recorder::{Comparison, Listener, Target, Upstream, Writer, compare, read, record, replay};

use crate::support::api::{Answer, Api, NEW, TOKENS};
use crate::support::binary::command;
use crate::support::engine;
use crate::support::world::*;

/// A secret that no file of a recording may have.
const PASSWORD: &str = "canary-p4ssw0rd";

/// The origin of a server.
fn origin(server: &TestServer) -> String {
    server.base_url().trim_end_matches("/v3").to_owned()
}

/// A proxy before a server, which records into a folder, and a client of it with the server's key.
async fn recording(server: &TestServer, folder: &Path, version: &str) -> (Listener, Api) {
    let upstream = Upstream::new(&origin(server)).unwrap();
    let writer = Writer::create(folder, 100).unwrap();
    let listener = Listener::open("127.0.0.1:0", record(upstream, writer)).await.unwrap();
    let api = Api::new(format!("http://{}/v3", listener.address()), server.api_key());
    (listener, api.at(Some(version)))
}

/// A body that creates an inbound trunk with a password.
fn inbound() -> Value {
    let configuration = json!({ "type": "sip_configurations", "attributes": {
        "host": "sip.example.com", "auth_enabled": true, "auth_user": "canary-user", "auth_password": PASSWORD } });
    resource("voice_in_trunks", json!({ "name": "In", "configuration": configuration }))
}

/// A body that creates an outbound trunk whose callback URL has a user.
fn outbound() -> Value {
    with(
        credentials("A"),
        json!({ "callback_url": format!("https://canary-ann:{PASSWORD}@example.com/hook") }),
    )
}

/// The requests of a program: creates, reads, changes, and refused requests.
async fn program(api: &Api) -> Vec<Answer> {
    let mut answers =
        vec![api.post(TRUNKS, &outbound()).await, api.post("/voice_in_trunks", &inbound()).await];
    let id = answers[0].id();
    let path = format!("{TRUNKS}/{id}");
    answers.push(api.get(&path).await);
    answers.push(api.patch(&path, &patch(&id, json!({ "capacity_limit": 7 }))).await);
    answers.push(api.get(&path).await);
    answers.push(api.get(&format!("{TRUNKS}?sort=name&page[size]=10")).await);
    answers.push(api.post(TRUNKS, &without(credentials("B"), "name")).await);
    answers.push(api.delete(&path).await);
    answers.push(api.get(&path).await);
    answers
}

/// Records the program, and returns the folder with the server's key.
async fn recorded(version: &str) -> (TempDir, String, Vec<u16>) {
    let folder = tempfile::tempdir().unwrap();
    let server = engine::builder().start().await;
    let (listener, api) = recording(&server, &folder.path().join("recording"), version).await;
    let statuses = program(&api).await.iter().map(|answer| answer.status).collect();
    listener.stop().await;
    (folder, server.api_key().to_owned(), statuses)
}

/// Compares a recording with a new server.
async fn compared(folder: &Path) -> Comparison {
    let server = engine::builder().start().await;
    let target = Target::new(&origin(&server), server.api_key().into()).unwrap();
    compare(&read(folder).unwrap(), &target).await.unwrap()
}

#[tokio::test]
async fn the_client_of_a_recording_receives_what_the_service_sent() {
    let folder = tempfile::tempdir().unwrap();
    let server = engine::builder().start().await;
    let (_listener, api) = recording(&server, &folder.path().join("recording"), NEW).await;
    let through = api.post(TRUNKS, &outbound()).await;
    assert_eq!(through.status, 201, "{}", through.text);
    let direct = Api::new(server.base_url(), server.api_key()).at(Some(NEW));
    let direct = direct.get(&format!("{TRUNKS}/{}", through.id())).await;
    assert_eq!(through.at("/data/attributes"), direct.at("/data/attributes"));
    let password = through.at("/data/attributes/authentication_method/attributes/password");
    assert!(password.as_str().is_some_and(|password| password.len() == 16), "{password}");
    assert_eq!(through.headers["content-type"], direct.headers["content-type"]);
}

#[tokio::test]
async fn no_file_of_a_recording_has_a_credential() {
    let (folder, key, statuses) = recorded(NEW).await;
    assert_eq!(statuses, [201, 201, 200, 200, 200, 200, 422, 204, 404]);
    let exchanges = read(&folder.path().join("recording")).unwrap();
    assert_eq!(exchanges.len(), statuses.len());
    for (file, _) in &exchanges {
        let text = fs::read_to_string(folder.path().join("recording").join(file)).unwrap();
        for secret in [PASSWORD, "canary-user", "canary-ann", key.as_str()] {
            assert!(!text.contains(secret), "{secret} in {file}: {text}");
        }
    }
    let text = fs::read_to_string(folder.path().join("recording").join(&exchanges[0].0)).unwrap();
    assert!(text.contains("(hidden)") && text.contains("https://example.com/hook"), "{text}");
}

#[tokio::test]
async fn a_recording_answers_the_program_that_made_it_in_the_same_order() {
    let (folder, _, statuses) = recorded(NEW).await;
    let exchanges = read(&folder.path().join("recording")).unwrap();
    let router = replay(exchanges.into_iter().map(|(_, exchange)| exchange));
    let listener = Listener::open("127.0.0.1:0", router).await.unwrap();
    let api = Api::new(format!("http://{}/v3", listener.address()), "any key").at(Some(NEW));
    let answers = program(&api).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), statuses);
    let limit = |answer: &Answer| answer.at("/data/attributes/capacity_limit");
    assert_eq!((limit(&answers[2]), limit(&answers[4])), (Value::Null, json!(7)));
    let unknown = api.get("/voice_out_trunks?page[size]=11").await;
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.text.contains("no recorded exchange answers GET /v3/voice_out_trunks"),
        "{}",
        unknown.text
    );
}

#[tokio::test]
async fn a_new_server_answers_as_it_did_when_it_was_recorded() {
    for version in [NEW, TOKENS] {
        let (folder, ..) = recorded(version).await;
        let found = compared(&folder.path().join("recording")).await;
        assert!(found.differences.is_empty() && found.skipped.is_empty(), "{version}: {found}");
        assert!(found.compared >= 9, "{version}: {found}");
    }
}

#[tokio::test]
async fn a_different_answer_is_reported_with_its_file_and_its_place() {
    let (folder, ..) = recorded(NEW).await;
    let folder = folder.path().join("recording");
    let (file, _) = read(&folder).unwrap().remove(4);
    let mut exchange: Value = serde_json::from_str(&fs::read_to_string(folder.join(&file)).unwrap()).unwrap();
    exchange["response"]["status"] = json!(418);
    exchange["response"]["body"]["json"]["data"]["attributes"]["capacity_limit"] = json!(8);
    exchange["response"]["body"]["json"]["data"]["attributes"]["colour"] = json!("red");
    fs::write(folder.join(&file), exchange.to_string()).unwrap();
    let found = compared(&folder).await;
    let places: Vec<(&str, &str)> =
        found.differences.iter().map(|one| (one.file.as_str(), one.place.as_str())).collect();
    let name = file.as_str();
    let expected =
        [(name, "status"), (name, "/data/attributes/capacity_limit"), (name, "/data/attributes/colour")];
    assert_eq!(places, expected, "{found}");
    let said = found.to_string();
    assert!(said.contains("recorded: 418") && said.contains("answered: 200"), "{said}");
}

#[tokio::test]
async fn a_full_recording_goes_on_as_a_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let server = engine::builder().start().await;
    let writer = Writer::create(&folder.path().join("recording"), 1).unwrap();
    let router = record(Upstream::new(&origin(&server)).unwrap(), writer);
    let listener = Listener::open("127.0.0.1:0", router).await.unwrap();
    let api = Api::new(format!("http://{}/v3", listener.address()), server.api_key()).at(Some(NEW));
    assert_eq!((api.get(TRUNKS).await.status, api.get(DIDS).await.status), (200, 200));
    assert_eq!(read(&folder.path().join("recording")).unwrap().len(), 1);
}

#[tokio::test]
async fn an_upstream_that_is_away_is_an_answer_of_the_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(&folder.path().join("recording"), 1).unwrap();
    // Nothing listens on port 1.
    let router = record(Upstream::new("http://127.0.0.1:1").unwrap(), writer);
    let listener = Listener::open("127.0.0.1:0", router).await.unwrap();
    let api = Api::new(format!("http://{}/v3", listener.address()), "any key").at(Some(NEW));
    let answer = api.get(TRUNKS).await;
    assert_eq!(answer.status, 502, "{}", answer.text);
    assert!(answer.text.contains("the upstream"), "{}", answer.text);
}

#[tokio::test]
async fn the_program_compares_a_recording_and_says_with_its_exit_code_what_it_found() {
    let (folder, ..) = recorded(NEW).await;
    let folder = folder.path().join("recording");
    let run = || {
        let output = command().args(["compare", "--from"]).arg(&folder).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = run();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("9 exchanges compared, 0 differences\n"), "{said}");
    let (file, _) = read(&folder).unwrap().remove(0);
    let text = fs::read_to_string(folder.join(&file)).unwrap().replace("\"status\": 201", "\"status\": 200");
    fs::write(folder.join(&file), text).unwrap();
    let (code, said) = run();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains(&format!("{file}: POST /v3/voice_out_trunks: status")), "{said}");
    // A reader that ends early, such as `head`, is no failure of the comparison.
    let mut unread = command();
    unread.args(["compare", "--from"]).arg(&folder).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut unread = unread.spawn().unwrap();
    drop(unread.stdout.take());
    assert_eq!(unread.wait().unwrap().code(), Some(3));
    // A recording whose bodies were not kept confirms nothing.
    let omitted = tempfile::tempdir().unwrap();
    let exchange = json!({ "request": { "method": "POST", "path": "/v3/a", "body": { "omitted": 1 } },
        "response": { "status": 200 } });
    fs::write(omitted.path().join("1.json"), exchange.to_string()).unwrap();
    let output = command().args(["compare", "--from"]).arg(omitted.path()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("1.json: not compared") && said.contains("0 exchanges compared"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_program_records_no_service_in_clear_and_into_no_folder_with_files() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "").unwrap();
    for (upstream, why) in [("http://198.51.100.1", "give https"), ("https://a.example", "is not empty")] {
        let output =
            command().args(["record", "--upstream", upstream, "--into"]).arg(folder.path()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(why), "{said}");
    }
    let output = command().args(["replay", "--from"]).arg(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("no exchanges"), "{said}");
}
