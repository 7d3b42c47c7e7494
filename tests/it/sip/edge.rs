//! The real binary with its edge, and requests of tests to its two APIs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::binary::Binary;

/// Maximum wait for an event that must happen.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// A caller number that no test adds as a DID.
pub const FOREIGN_NUMBER: &str = "12025550143";
/// A number that rings for a short time, is answered, and stays up.
pub const RINGS_THEN_ANSWERS: &str = "442079460018";
/// A number that is answered at once and stays up.
pub const ANSWERS_AT_ONCE: &str = "9990200";

/// The binary with an account and an edge.
pub struct Edge {
    pub binary: Binary,
    pub api: Api,
    pub control: Api,
    /// Its SIP address over UDP and TCP.
    pub sip: SocketAddr,
    pub account: String,
    config: Option<PathBuf>,
}

/// A trunk's id and credentials.
#[derive(Debug, Clone)]
pub struct Trunk {
    pub id: String,
    pub username: String,
    pub password: String,
}

/// A loopback address that is unique in this run, so that parallel callers never share a port.
pub fn source() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // The first and the last address of a subnet are skipped.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let [.., subnet, host] = (((number / 254) << 8) | (1 + number % 254)).to_be_bytes();
    Ipv4Addr::new(127, 100, subnet, host)
}

/// Repeats a request until it succeeds.
pub async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(DEADLINE, what, ask).await
}

/// As [`until`], with a limit of its own.
pub async fn until_within<T>(limit: Duration, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let Ok(answer) = tokio::time::timeout(limit, asking).await else { panic!("waited in vain: {what}") };
    answer
}

/// Waits until the database has this many active calls whose answer was acknowledged. An ACK has no answer,
/// so this is the only sign that it arrived.
pub async fn acknowledged(database: &Path, count: i64) {
    let rows = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    until(&format!("{count} acknowledged calls that are written"), async || {
        let sql = "SELECT count(*) FROM running_call WHERE acknowledged = 1";
        (rows.query_row(sql, [], |row| row.get(0)) == Ok(count)).then_some(())
    })
    .await;
}

impl Edge {
    /// Starts it with every setting at its default.
    pub async fn start() -> Self {
        Self::begin(None, &[]).await
    }

    /// Starts it with a configuration file.
    pub async fn with_config(text: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = scratch(&format!("edge-{}-{number}.toml", std::process::id()));
        std::fs::write(&file, text).unwrap();
        Self::begin(Some(file), &[]).await
    }

    /// Starts it with additional arguments.
    pub async fn with_arguments(arguments: &[&str]) -> Self {
        Self::begin(None, arguments).await
    }

    async fn begin(config: Option<PathBuf>, further: &[&str]) -> Self {
        let mut arguments = vec!["--api-key", "good"];
        if !further.contains(&"--sip-listen") {
            arguments.extend(["--sip-listen", "127.0.0.1:0"]);
        }
        if !further.contains(&"--database") {
            arguments.push("--ephemeral");
        }
        let file = config.as_ref().map(|file| file.to_str().unwrap().to_owned());
        if let Some(file) = &file {
            arguments.extend(["--config", file.as_str()]);
        }
        arguments.extend(further);
        Self::of(Binary::start(&arguments), config).await
    }

    /// Uses a binary that was started with the key `good`.
    pub async fn of(binary: Binary, config: Option<PathBuf>) -> Self {
        let control = Api::new(binary.control.clone().unwrap(), "").with_key(None);
        let account = control.get("/accounts").await.at("/accounts/0/id").as_str().unwrap().to_owned();
        let edge = Self {
            api: Api::new(&binary.base, "good"),
            sip: binary.sip.expect("the greeting says where SIP is taken"),
            control,
            account,
            config,
            binary,
        };
        let features = json!({ "features": ["outbound", "replace_cli", "randomize_cli"] });
        edge.control_request(&format!("/accounts/{}", edge.account), "PATCH", &features).await;
        edge
    }

    /// Sends a request to the control API that must succeed.
    pub async fn control_request(&self, path: &str, method: &str, body: &Value) -> Value {
        let answer = self.control.send(method.parse().unwrap(), path, &body.to_string()).await;
        assert!(answer.status < 300, "{path}: {}", answer.text);
        answer.json()
    }

    /// Moves the server's clock forward.
    pub async fn advance(&self, seconds: u64) {
        self.control_request("/clock/advance", "POST", &json!({ "seconds": seconds })).await;
    }

    /// Freezes the server's clock.
    pub async fn freeze(&self) {
        self.control_request("/clock/freeze", "POST", &json!({})).await;
    }

    /// Adds a DID to the account.
    pub async fn did(&self, number: &str, emergency: bool) -> String {
        let body = json!({ "number": number, "emergency_enabled": emergency });
        let added = self.control_request(&format!("/accounts/{}/dids", self.account), "POST", &body).await;
        added["dids"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Changes a DID over the control API.
    pub async fn change_did(&self, did: &str, patch: &Value) {
        self.control_request(&format!("/accounts/{}/dids/{did}", self.account), "PATCH", patch).await;
    }

    /// Creates a trunk that any caller on loopback may use with its credentials, with any caller number;
    /// `attributes` override these defaults.
    pub async fn trunk(&self, attributes: Value) -> Trunk {
        self.linked_trunk(attributes, json!({})).await
    }

    /// The same with relationships, each a list of DIDs or one DID.
    pub async fn linked_trunk(&self, attributes: Value, links: Value) -> Trunk {
        let answer = self.try_trunk(attributes, links).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let method = "/data/attributes/authentication_method/attributes";
        let text =
            |name: &str| answer.at(&format!("{method}/{name}")).as_str().unwrap_or_default().to_owned();
        Trunk { id: answer.id(), username: text("username"), password: text("password") }
    }

    async fn try_trunk(&self, attributes: Value, links: Value) -> crate::support::api::Answer {
        let mut all = json!({
            "name": format!("Trunk {}", super::uac::unique()),
            "on_cli_mismatch_action": "send_original_cli",
            "authentication_method": credentials(&["127.0.0.0/8"], None),
        });
        let mut older = json!({});
        for (name, value) in attributes.as_object().unwrap() {
            let is_older = (name == "capacity_limit" && *value == 0)
                || (*value == "replace_cli" && links.get("default_did").is_none());
            let body = if is_older { &mut older } else { &mut all };
            body[name] = value.clone();
        }
        let mut relationships = json!({});
        for (name, value) in links.as_object().unwrap() {
            let linkage = |id: &Value| json!({ "type": "dids", "id": id });
            let data = match value.as_array() {
                Some(ids) => ids.iter().map(linkage).collect(),
                None => linkage(value),
            };
            relationships[name] = json!({ "data": data });
        }
        let body = json!({
            "data": { "type": "voice_out_trunks", "attributes": all, "relationships": relationships }
        });
        let answer = self.api.post("/voice_out_trunks", &body).await;
        if older != json!({}) && answer.status == 201 {
            // A trunk without channels, or without the DID that replaces a number, is refused from 2026-04-16 on.
            let id = answer.id();
            let data = json!({ "type": "voice_out_trunks", "id": id, "attributes": older });
            let older = self.api.at(Some("2022-05-10"));
            let changed = older.patch(&format!("/voice_out_trunks/{id}"), &json!({ "data": data })).await;
            assert_eq!(changed.status, 200, "{}", changed.text);
        }
        answer
    }

    /// Changes a trunk's attributes.
    pub async fn patch(&self, trunk: &Trunk, attributes: Value) {
        let data = json!({ "type": "voice_out_trunks", "id": trunk.id, "attributes": attributes });
        let path = format!("/voice_out_trunks/{}", trunk.id);
        let answer = self.api.patch(&path, &json!({ "data": data })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// Makes a trunk accept calls by address alone, over the control API.
    pub async fn ip_only(&self, trunk: &Trunk, networks: &[&str]) {
        let path = format!("/accounts/{}/trunks/{}/ip_only", self.account, trunk.id);
        self.control_request(&path, "POST", &json!({ "allowed_sip_ips": networks })).await;
    }

    /// A value of a trunk's document, by its JSON pointer below `/data`.
    pub async fn shown(&self, trunk: &Trunk, pointer: &str) -> Value {
        self.api.get(&format!("/voice_out_trunks/{}", trunk.id)).await.at(&format!("/data{pointer}"))
    }

    /// The records of a trunk, newest first.
    pub async fn records(&self, trunk: &Trunk) -> Vec<Value> {
        let answer = self.control.get(&format!("/calls?trunk={}&limit=10000", trunk.id)).await;
        answer.at("/calls").as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone()
    }

    /// Waits until a trunk has this many records. Returns the newest.
    pub async fn record(&self, trunk: &Trunk, count: usize) -> Value {
        until(&format!("{count} call records"), async || {
            self.records(trunk).await.into_iter().rev().nth(count - 1)
        })
        .await
    }

    /// The active calls.
    pub async fn active(&self) -> Vec<Value> {
        self.control.get("/calls/active").await.at("/calls").as_array().unwrap().clone()
    }

    /// Waits until this many calls are active.
    pub async fn calls_up(&self, count: usize) {
        let up = async || (self.active().await.len() == count).then_some(());
        until(&format!("{count} calls that are up"), up).await;
    }

    /// The counts of attempts that were challenged, refused and admitted.
    pub async fn counts(&self) -> [u64; 3] {
        let answer = self.control.get("/calls/counts").await;
        ["challenged", "refused", "admitted"].map(|name| answer.json()[name].as_u64().unwrap())
    }

    /// The decision on a call, without placing it.
    pub async fn explain(&self, question: &Value) -> Value {
        self.control_request("/explain", "POST", question).await
    }

    /// Waits until the log has a line that contains all these words.
    pub async fn logs(&self, words: &[&str]) -> String {
        self.logs_again(1, words).await
    }

    /// The line of the log with these words that is the `number`th, from 1, once it is there.
    pub async fn logs_again(&self, number: usize, words: &[&str]) -> String {
        until(&format!("a log line with {words:?}"), async || {
            let log = self.binary.log();
            let mut lines = log.lines().filter(|line| words.iter().all(|word| line.contains(word)));
            lines.nth(number - 1).map(str::to_owned)
        })
        .await
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        if let Some(file) = self.config.take() {
            // If this fails, the file is deleted with the build.
            let _stays = std::fs::remove_file(file);
        }
    }
}

/// The path of a file for this run, in the build's folder.
pub fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// An authentication method for a create or a patch.
pub fn credentials(networks: &[&str], tech_prefix: Option<&str>) -> Value {
    json!({
        "type": "credentials_and_ip",
        "attributes": { "allowed_sip_ips": networks, "tech_prefix": tech_prefix }
    })
}
