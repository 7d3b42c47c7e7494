//! Servers that start at the same time.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::ledger::ADMIN;
use crate::sip::edge::until;
use crate::support::api::{Api, http_client};
use crate::support::binary::{Binary, command};
use crate::support::postgres::Server;

/// Number of servers.
const SERVERS: usize = 4;

/// The address of a server's APIs without a version.
fn root(binary: &Binary) -> &str {
    binary.base.trim_end_matches("/v3")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_at_once_on_an_empty_database_have_one_account_and_one_admin() {
    let postgres = Server::shared();
    let database = postgres.database();
    let url = database.url();
    let arguments = ["--database", url.as_str(), "--api-key", "good", "--voipbin-admin", ADMIN];
    let arguments = [&arguments[..], &["--callback-secret", "cbsec-0123456789abcdef"][..]].concat();
    let binaries: Vec<Binary> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..SERVERS).map(|_| scope.spawn(|| Binary::start(&arguments))).collect();
        starts.into_iter().map(|start| start.join().expect("the server starts")).collect()
    });
    let (username, password) = ADMIN.split_once(':').unwrap();
    let login = json!({ "username": username, "password": password }).to_string();
    let login =
        http_client().post(format!("{}/auth/login", root(&binaries[0]))).body(login).send().await.unwrap();
    let login: Value = serde_json::from_str(&login.text().await.unwrap()).unwrap();
    let cookie = format!("token={}", login["token"].as_str().unwrap());
    for binary in &binaries {
        let control = Api::new(binary.control.clone().unwrap(), "").with_key(None);
        let accounts = control.get("/accounts").await.at("/accounts");
        assert_eq!(accounts.as_array().map(Vec::len), Some(1), "{accounts}");
        let secrets = format!("/accounts/{}/callback_secrets", accounts[0]["id"].as_str().unwrap());
        let secrets = control.get(&secrets).await.at("/callback_secrets");
        assert_eq!(secrets.as_array().map(Vec::len), Some(1), "all have the same secret: {secrets}");
        let listed = Api::new(&binary.base, "good").get("/dids").await;
        assert_eq!(listed.status, 200, "{}", listed.text);
        let calls = http_client().get(format!("{}/v1.0/calls", root(binary))).header("cookie", &cookie);
        assert_eq!(calls.send().await.unwrap().status(), 200, "the token of one server is valid at each");
    }
    let forgets = "SELECT count(*) FROM job WHERE kind = 'channels.forget'";
    until("one job deletes rows of channels", async || (database.ask(forgets) == "1").then_some(())).await;
    drop(binaries);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_waits_for_another_server_is_ended_by_two_signals() {
    let database = Server::shared().database();
    assert_eq!(Binary::start(&["--database", &database.url(), "--api-key", "k"]).terminate(), Some(0));
    let other = "UPDATE schema_version SET lease_until = now() + interval '1 hour', \
                 migrator = '00000000-0000-4000-8000-000000000001'";
    database.ask(other);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut starting = command()
        .args(["--listen", "127.0.0.1:0", "--control-listen", "off", "--sip-listen", "off", "--database"])
        .arg(database.url())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let logged = async |words: &str| {
        until(words, async || fs::read_to_string(&log).unwrap().contains(words).then_some(())).await;
    };
    let terminate = || {
        let sent = Command::new("kill").args(["-TERM", &starting.id().to_string()]).status();
        assert!(sent.unwrap().success());
    };
    logged("this one waits for it").await;
    terminate();
    logged("stopping when the start is complete").await;
    terminate();
    logged("ended at once by a second signal").await;
    assert_eq!(starting.wait().unwrap().code(), Some(1));
}
