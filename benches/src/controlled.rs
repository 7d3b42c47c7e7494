//! A running server with its control API.

use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::Outcome;
use crate::calls::greeting;
use crate::child::Running;
use crate::trunk::{KEY, VERSION, binary};

/// A running server. Requests are sent one after the other, over connections that stay open.
#[derive(Debug)]
pub(crate) struct Controlled {
    /// The base URL of DIDWW's API.
    pub(crate) base: String,
    /// The base URL of the control API.
    pub(crate) control: String,
    process: Running,
    runtime: Runtime,
    client: reqwest::Client,
}

impl Controlled {
    /// Starts a server on this database, a path or a URL, with SIP on this address and further arguments.
    pub(crate) fn start(database: &Path, sip: &str, further: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(binary()?);
        command
            .args(["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--sip-listen", sip])
            .args(["--log", "warn", "--api-key", KEY])
            .arg("--database")
            .arg(database)
            .args(further)
            .env_clear();
        let base = std::cell::OnceCell::new();
        let (process, control) = Running::announced(&mut command, |line| {
            if let Some(found) = greeting(line, "API:") {
                // The first line with the label counts.
                let _ignored = base.set(found);
            }
            greeting(line, "Control:")
        })?;
        let base = base.into_inner().ok_or("the server did not print the address of its API")?;
        let (runtime, client) = (Builder::new_current_thread().enable_all().build()?, reqwest::Client::new());
        Ok(Self { base, control, process, runtime, client })
    }

    /// The id of the server's process.
    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    /// Sends a request to the control API, with a body unless it is null. Any answer without a success status is an
    /// error.
    pub(crate) fn ask(&self, method: Method, path: &str, body: &Value) -> Outcome<Value> {
        let mut request = self.client.request(method, format!("{}{path}", self.control));
        if !body.is_null() {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        Ok(serde_json::from_slice(&self.answer(request)?)?)
    }

    /// The id of the oldest account.
    pub(crate) fn account(&self) -> Outcome<String> {
        let accounts = self.ask(Method::GET, "/accounts", &Value::Null)?;
        let id = accounts.pointer("/accounts/0/id").and_then(Value::as_str);
        Ok(id.ok_or("there is no account")?.to_owned())
    }

    /// Requests a path of DIDWW's API. Returns the answer's body.
    pub(crate) fn get(&self, path: &str) -> Outcome<Vec<u8>> {
        self.answer(headed(self.client.get(format!("{}{path}", self.base))))
    }

    /// Sends a document to a path of DIDWW's API. Returns the answer's body.
    pub(crate) fn send(&self, method: Method, path: &str, body: &str) -> Outcome<Vec<u8>> {
        let request = self.client.request(method, format!("{}{path}", self.base));
        self.answer(headed(request).header("Content-Type", didww_types::MEDIA_TYPE).body(body.to_owned()))
    }

    /// Sends a document to a URL, over the same client.
    pub(crate) fn post_to(&self, url: &str, body: &str) -> Outcome<Vec<u8>> {
        let request = headed(self.client.post(url));
        self.answer(request.header("Content-Type", didww_types::MEDIA_TYPE).body(body.to_owned()))
    }

    fn answer(&self, request: reqwest::RequestBuilder) -> Outcome<Vec<u8>> {
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let (status, url) = (answer.status(), answer.url().clone());
            let bytes = answer.bytes().await?;
            if !status.is_success() {
                return Err(format!("{url}: {status}: {}", String::from_utf8_lossy(&bytes)).into());
            }
            Ok(bytes.to_vec())
        })
    }
}

/// A request with the key and the version of every request here.
fn headed(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    request.header("Api-Key", KEY).header("X-DIDWW-API-Version", VERSION)
}
