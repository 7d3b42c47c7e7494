//! The subcommand `health`, for containers and scripts: whether the server of a configuration accepts work.

mod pinned;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser as _};
use rustls::pki_types::ServerName;
use tls_identity::IdentityFiles;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Cli;
use crate::config::{Config, ConfigError};

/// Maximum time of the request and its response.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of bytes of the answer.
const MAX_ANSWER_BYTES: u64 = 64 << 10;

/// Exit with 0 if the server of this configuration accepts work, else with 1; for containers
#[derive(Debug, Clone, Args)]
#[non_exhaustive]
pub struct Health {
    /// The server's TOML file
    #[arg(long, env = "TRUNK_SERVER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The server's address of the API [default: 127.0.0.1:8080]
    #[arg(long, env = "TRUNK_SERVER_LISTEN", value_name = "HOST:PORT")]
    pub listen: Option<String>,
}

/// The error of a health check.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HealthError {
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The port of the server is 0 in its configuration: the system chose the actual port, which is unknown here.
    #[error("{0} has no port to connect to; give the one that the server printed with --listen")]
    NoPort(String),
    /// The server did not report that it accepts work.
    #[error("{at}: {why}")]
    NotReady {
        /// The address of the request.
        at: String,
        /// The server's own reason, or why there is no answer.
        why: String,
    },
}

impl Health {
    /// Requests `/readyz` at the address of the server's API, on this machine.
    ///
    /// # Errors
    /// If it does not accept work, or does not answer within 5 seconds.
    pub async fn check(self) -> Result<(), HealthError> {
        let config = self.into_config()?;
        let at = own_address(&config.listen);
        if has_no_port(&at) {
            return Err(HealthError::NoPort(at));
        }
        let result = tokio::time::timeout(TIMEOUT, probe(&at, config.api_tls.as_ref())).await;
        let slow = || Err(format!("no answer within {} seconds", TIMEOUT.as_secs()));
        result.unwrap_or_else(|_| slow()).map_err(|why| HealthError::NotReady { at, why })
    }

    /// The server's configuration, with the environment as the server itself reads it.
    fn into_config(self) -> Result<Config, ConfigError> {
        let flag = |name: &str, value: Option<OsString>| value.map(|value| [OsString::from(name), value]);
        let flags =
            [flag("--config", self.config.map(Into::into)), flag("--listen", self.listen.map(Into::into))];
        let arguments = ["trunk-server".into()].into_iter().chain(flags.into_iter().flatten().flatten());
        // Both flags were parsed already, so an error comes from a variable.
        Cli::try_parse_from(arguments).unwrap_or_else(|error| error.exit()).into_config()
    }
}

/// The address at which this machine reaches a listener: loopback for a listener on all addresses.
fn own_address(listen: &str) -> String {
    let Ok(at) = listen.parse::<SocketAddr>() else { return listen.to_owned() };
    let own = match at.ip().to_canonical() {
        address if !address.is_unspecified() => return listen.to_owned(),
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(own, at.port()).to_string()
}

fn has_no_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(_, port)| port.parse() == Ok(0_u16))
}

async fn probe(at: &str, tls: Option<&IdentityFiles>) -> Result<(), String> {
    let stream = TcpStream::connect(at).await.map_err(|error| error.to_string())?;
    let Some(files) = tls else { return exchange(stream, at).await };
    let config = pinned::client(&files.certificate)?;
    // The certificate itself is compared, so its names do not matter.
    let name = ServerName::try_from("localhost").map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(config).connect(name, stream).await;
    exchange(stream.map_err(|error| error.to_string())?, at).await
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, at: &str) -> Result<(), String> {
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    let read = stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).await;
    // A server that closes the TLS connection without a close notification has responded nevertheless.
    if let Err(error) = read
        && answer.is_empty()
    {
        return Err(error.to_string());
    }
    outcome(&String::from_utf8_lossy(&answer))
}

/// Reads a response: its status, and the reason in its body.
fn outcome(answer: &str) -> Result<(), String> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.lines().next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3));
    if status == Some("200") {
        return Ok(());
    }
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let reason = body.get("reason").and_then(serde_json::Value::as_str).map(str::to_owned);
    let unknown = || format!("it answered {}", status.unwrap_or("no HTTP"));
    Err(reason.unwrap_or_else(unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listener_of_this_machine_is_asked_on_it() {
        for (listen, at) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("[0:0::0]:8080", "[::1]:8080"),
            ("[::ffff:0.0.0.0]:8080", "127.0.0.1:8080"),
            ("[::1]:8080", "[::1]:8080"),
            ("10.0.0.5:80", "10.0.0.5:80"),
            ("localhost:1", "localhost:1"),
        ] {
            assert_eq!(own_address(listen), at);
        }
        assert!(has_no_port("0.0.0.0:0") && has_no_port("[::1]:00") && !has_no_port("[::0]:10"));
    }

    #[test]
    fn an_answer_is_ready_or_has_the_reason() {
        assert_eq!(outcome("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ok\"}"), Ok(()));
        let stopping =
            "HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\n{\"reason\":\"the server is stopping\"}";
        assert_eq!(outcome(stopping), Err("the server is stopping".to_owned()));
        assert_eq!(outcome("HTTP/1.1 404 Not Found\r\n\r\n<p>"), Err("it answered 404".to_owned()));
        assert_eq!(outcome("SSH-2.0"), Err("it answered no HTTP".to_owned()));
    }
}
