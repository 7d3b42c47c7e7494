//! TLS and HTTP/2 at the address of the API: real clients, certificates that are replaced, and hostile frames.

mod frames;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use didww_client::Client;
use didww_client::resources::{AuthenticationMethod, OnCliMismatchAction, VoiceOutTrunk};
use didww_client::values::IpNetworks;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::sip::certificates::Certificates;
use crate::sip::edge::{Edge, until};
use crate::support::binary::Binary;

/// A server with a certificate, and the authority that issued it.
struct Secured {
    binary: Binary,
    certificates: Certificates,
}

impl Secured {
    fn start(further: &[&str]) -> Self {
        let certificates = Certificates::make();
        let (certificate, key) = (certificates.path("cert.pem"), certificates.path("key.pem"));
        let arguments =
            ["--ephemeral", "--api-key", "good", "--api-tls-cert", &certificate, "--api-tls-key", &key];
        Self { binary: Binary::start(&[&arguments[..], further].concat()), certificates }
    }

    /// `127.0.0.1:PORT`.
    fn address(&self) -> &str {
        let base = self.binary.base.strip_prefix("https://").expect("the greeting names the scheme");
        base.trim_end_matches("/v3")
    }

    /// A connection with these protocols, after the handshake.
    async fn connect(
        &self,
        protocols: &[&str],
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        connect(self.address(), &self.certificates, protocols).await
    }

    /// The response to curl: the status, the version of HTTP, and the body.
    fn curl(&self, arguments: &[&str], path: &str) -> (String, String, Value) {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--globoff", "--noproxy", "*", "--max-time", "20", "--cacert"])
            .arg(self.certificates.path("ca.pem"))
            .args(["--header", "Api-Key: good", "--header", "X-DIDWW-API-Version: 2026-04-16"])
            .args(["--write-out", "\n%{http_code} %{http_version}"])
            .args(arguments)
            .arg(format!("https://{}{path}", self.address()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, outcome) = text.rsplit_once('\n').unwrap();
        let (status, version) = outcome.split_once(' ').unwrap();
        (status.to_owned(), version.to_owned(), serde_json::from_str(body).unwrap_or_default())
    }
}

/// A connection to `127.0.0.1:PORT` with these protocols, after the handshake.
async fn connect(
    address: &str,
    certificates: &Certificates,
    protocols: &[&str],
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut config = (*Certificates::client(Path::new(&certificates.path("ca.pem")))).clone();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn curl_and_the_sdk_reach_the_api_over_both_versions_of_http() {
    let server = Secured::start(&[]);
    for (argument, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let (status, agreed, body) =
            server.curl(&[argument], "/v3/voice_out_trunks?page[size]=1&page[number]=1");
        assert_eq!((status.as_str(), agreed.as_str()), ("200", version), "{body}");
        let link = body["links"]["first"].as_str().unwrap();
        assert!(link.starts_with(&format!("https://{}/v3/", server.address())), "{link}");
    }
    let authority =
        reqwest::Certificate::from_pem(&std::fs::read(server.certificates.path("ca.pem")).unwrap());
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([authority.unwrap()]).build().unwrap();
    let client = Client::builder(&server.binary.base, "good").http_client(http).build().unwrap();
    let networks = IpNetworks::parse(["203.0.113.5"]).unwrap();
    let method = AuthenticationMethod::credentials_and_ip(networks);
    let trunk = VoiceOutTrunk::create("Main", OnCliMismatchAction::RejectCall, method);
    let made = client.voice_out_trunks().create(trunk).await.unwrap();
    let (.., body) = server.curl(&["--http2"], &format!("/v3/voice_out_trunks/{}", made.id));
    assert_eq!(body["data"]["attributes"]["name"], "Main");
}

#[tokio::test]
async fn a_plain_request_at_a_port_of_tls_is_told_so_and_not_served() {
    let server = Secured::start(&[]);
    let answer = async |request: &str| {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        // Bytes that were not read when the connection was closed reset it.
        let _reset = tokio::time::timeout(Duration::from_secs(20), read).await.expect("it is closed");
        answer
    };
    let plain = answer("GET /v3/dids HTTP/1.1\r\nHost: x\r\nApi-Key: good\r\n\r\n").await;
    assert!(plain.starts_with("HTTP/1.1 400 Bad Request\r\n") && plain.contains("https://"), "{plain}");
    assert_eq!(plain.matches("HTTP/1.1").count(), 1);
    assert_eq!(answer("\0\0\0 no protocol").await, "");
    let (status, ..) = server.curl(&[], "/livez");
    assert_eq!(status, "200", "others are served");
}

#[tokio::test]
async fn a_new_certificate_is_served_after_a_signal_and_one_without_its_key_is_not() {
    let server = Secured::start(&[]);
    let certificate = async || {
        let stream = server.connect(&[]).await.ok()?;
        Some(stream.get_ref().1.peer_certificates()?.first()?.to_vec())
    };
    let first = certificate().await.unwrap();
    // Of another authority.
    let other = Certificates::make();
    let replace = |file: &str| std::fs::copy(other.path(file), server.certificates.path(file)).unwrap();
    replace("cert.pem");
    server.binary.signal("HUP");
    until("the log names the refusal", async || {
        server.binary.log().contains("a certificate was not read again").then_some(())
    })
    .await;
    assert_eq!(certificate().await.unwrap(), first, "the former one is in use");
    replace("key.pem");
    replace("ca.pem");
    server.binary.signal("HUP");
    let second =
        until("a new certificate", async || certificate().await.filter(|second| *second != first)).await;
    assert_ne!(first, second);
    let mut binary = server.binary;
    assert!(binary.runs(), "a signal ends nothing");
}

#[tokio::test]
async fn sip_over_tls_has_new_certificates_too() {
    let made = Certificates::make();
    let (certificate, key) = (made.path("cert.pem"), made.path("key.pem"));
    let edge = Edge::with_arguments(&[
        "--sip-tls-listen",
        "127.0.0.1:0",
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
    ])
    .await;
    let served = async || {
        let config = Certificates::client(Path::new(&made.path("ca.pem")));
        let stream = TcpStream::connect(edge.binary.sip_tls.unwrap()).await.ok()?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TlsConnector::from(config).connect(name, stream).await.ok()?;
        Some(stream.get_ref().1.peer_certificates()?.first()?.to_vec())
    };
    let first = served().await.unwrap();
    let other = Certificates::make();
    for file in ["cert.pem", "key.pem", "ca.pem"] {
        std::fs::copy(other.path(file), made.path(file)).unwrap();
    }
    edge.binary.signal("HUP");
    until("a new certificate", async || served().await.filter(|second| *second != first)).await;
}

#[test]
fn a_certificate_without_a_key_or_without_contents_is_refused_at_the_start() {
    let made = Certificates::make();
    let refused = |arguments: &[&str]| {
        let output = crate::support::binary::command()
            .args([
                "--ephemeral",
                "--listen",
                "127.0.0.1:0",
                "--control-listen",
                "off",
                "--sip-listen",
                "off",
            ])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let (certificate, key) = (made.path("cert.pem"), made.path("ca.key"));
    let alone = refused(&["--api-tls-cert", &certificate]);
    assert!(alone.contains("api-tls-key"), "{alone}");
    let of_another = refused(&["--api-tls-cert", &certificate, "--api-tls-key", &key]);
    assert!(of_another.contains("cert.pem"), "{of_another}");
}
