//! The program as a process, with the feature `opentelemetry`.

use std::net::SocketAddr;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::wire::{Answer, Wire, request};
use crate::within;

/// The API key of the server's account.
pub const KEY: &str = "canary-api-key";
/// The token of the control API.
pub const TOKEN: &str = "canary-control-token";
/// The callback secret of the account.
pub const SECRET: &str = "canary-callback-secret";

/// A server on random ports of loopback, killed when it is dropped.
pub struct Server {
    child: Child,
    pub api: SocketAddr,
    pub control: SocketAddr,
    pub sip: SocketAddr,
    /// Held, so that the server can write to it.
    _output: Lines<BufReader<ChildStdout>>,
    log: JoinHandle<String>,
}

/// The program, with no variables but these that it or OpenTelemetry reads.
pub fn program(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunk-server"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("TRUNK_SERVER_") || text.starts_with("OTEL_") {
            command.env_remove(&name);
        }
    }
    command.env("NO_COLOR", "1").envs(variables.iter().copied());
    command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Server {
    /// Starts it with these variables, and waits until it serves.
    pub async fn start(variables: &[(&str, &str)]) -> Self {
        let mut command = program(variables);
        for address in ["--listen", "--control-listen", "--sip-listen"] {
            command.args([address, "127.0.0.1:0"]);
        }
        command.args(["--ephemeral", "--demo", "--allow-loopback-callbacks", "--log-format", "json"]);
        command.args(["--api-key", KEY, "--callback-secret", SECRET, "--control-token", TOKEN]);
        let mut child = command.spawn().unwrap();
        let mut log = child.stderr.take().unwrap();
        let log = tokio::spawn(async move {
            let mut text = String::new();
            log.read_to_string(&mut text).await.unwrap();
            text
        });
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = within("the greeting", output.next_line()).await.unwrap().expect("it serves");
        let greeting: Value = serde_json::from_str(&line).unwrap();
        let address = |name: &str| {
            let text = greeting[name].as_str().unwrap().trim_start_matches("http://");
            text.split('/').next().unwrap().parse().unwrap()
        };
        let (api, control, sip) = (address("api"), address("control"), address("sip"));
        Self { child, api, control, sip, _output: output, log }
    }

    /// Sends a request to the API of the account.
    pub async fn ask(&self, method: &str, path: &str, headers: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Wire::open(self.api).await.ask(request(method, path, KEY, headers, &body)).await
    }

    /// Sends a request to the control API.
    pub async fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let text = format!(
            "{method} /control/v1{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.control,
            body.len()
        );
        let answer = Wire::open(self.control).await.ask(text).await;
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// Creates a trunk that takes calls from loopback. Returns its id.
    pub async fn trunk(&self, callback_url: &str) -> String {
        let method = serde_json::json!({
            "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["127.0.0.0/8"] }
        });
        let body = serde_json::json!({ "data": { "type": "voice_out_trunks", "attributes": {
            "name": "PBX", "default_dst_action": "allow_all", "on_cli_mismatch_action": "send_original_cli",
            "authentication_method": method, "callback_url": callback_url,
        } } });
        let answer = self.ask("POST", "/v3/voice_out_trunks", "", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let document: Value = serde_json::from_slice(&answer.body).unwrap();
        document["data"]["id"].as_str().unwrap().to_owned()
    }

    /// Places a call through the edge, with the credentials of the trunk.
    pub async fn call(&self) -> Output {
        let mut command = program(&[]);
        command.args(["call", "--to", "442079460018", "--trunk", "PBX", "--api-key", KEY, "--duration", "0"]);
        command.arg("--listen").arg(self.api.to_string()).arg("--sip-listen").arg(self.sip.to_string());
        command.arg("--control-listen").arg(self.control.to_string()).args(["--control-token", TOKEN]);
        within("a call", command.output()).await.unwrap()
    }

    /// Asks it to stop, and waits for that. Returns its exit code and its log.
    pub async fn stop(mut self) -> (Option<i32>, String) {
        let id = self.child.id().expect("it runs").to_string();
        let signalled = Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        assert!(signalled.success());
        let code = within("the end", self.child.wait()).await.unwrap().code();
        (code, within("the log", self.log).await.unwrap())
    }
}
