//! A server with a super admin of the communication platform, and a provider for outbound calls.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::Outcome;
use crate::child::Running;
use crate::trunk;

/// A running server with a provider.
#[derive(Debug)]
pub(crate) struct Platform {
    /// The base URL of the trunk API.
    pub(crate) trunks: String,
    /// The provider's id.
    pub(crate) provider: String,
    base: String,
    token: String,
    process: Running,
    runtime: Runtime,
    client: reqwest::Client,
}

impl Platform {
    /// Starts a server on this database, with these lines of configuration, and creates a provider at this
    /// address.
    pub(crate) fn start(work: &Path, database: &str, table: &str, carrier: SocketAddr) -> Outcome<Self> {
        let config = work.join("platform.toml");
        std::fs::write(
            &config,
            // The rounds of creates together are more than an account may have.
            format!(
                "[accounts]\nrecord_quota = 0\n[voipbin]\nprobe_interval = 0\ncalls_per_customer = 20000\n{table}"
            ),
        )?;
        let mut command = trunk::command(&work.join(database))?;
        command.args(["--voipbin-admin", "admin:secret", "--config"]).arg(&config);
        let (process, trunks) = Running::announced(&mut command, trunk::base)?;
        let base = trunks.trim_end_matches("/v3").to_owned();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let client = reqwest::Client::new();
        let mut platform =
            Self { trunks, provider: String::new(), base, token: String::new(), process, runtime, client };
        let login = json!({ "username": "admin", "password": "secret" });
        let answer = platform.send(reqwest::Method::POST, "/auth/login", &login)?;
        platform.token = text(&answer, "token")?;
        let whitelist = json!({ "destination_whitelist": ["gb"] });
        platform.send(reqwest::Method::PUT, "/v1.0/outbound_config", &whitelist)?;
        let provider = json!({ "type": "sip", "name": "carrier", "hostname": carrier.to_string() });
        let answer = platform.send(reqwest::Method::POST, "/v1.0/providers", &provider)?;
        platform.provider = text(&answer, "id")?;
        Ok(platform)
    }

    /// A URL of the platform's API, with an access token.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}?token={}", self.base, self.token)
    }

    /// Sends JSON. Any answer without a success status is an error.
    pub(crate) fn send(&self, method: reqwest::Method, path: &str, body: &Value) -> Outcome<Value> {
        let request = self.client.request(method, self.url(path)).body(body.to_string());
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status();
            let bytes = answer.bytes().await?;
            if !status.is_success() {
                return Err(format!("{path}: {status}: {}", String::from_utf8_lossy(&bytes)).into());
            }
            Ok(serde_json::from_slice(&bytes)?)
        })
    }

    /// Resident memory in megabytes.
    pub(crate) fn resident(&self) -> Outcome<f64> {
        trunk::resident(&self.process)
    }
}

fn text(answer: &Value, name: &str) -> Outcome<String> {
    let text = answer.get(name).and_then(Value::as_str);
    Ok(text.ok_or_else(|| format!("an answer without {name}"))?.to_owned())
}
