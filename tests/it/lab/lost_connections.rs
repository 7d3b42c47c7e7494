//! Faults that end a connection, or send a body as no healthy server does.

use std::io::ErrorKind;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trunk_server::TestServer;
use trunk_server::lab::Fault;

use super::{Lab, try_get};
use crate::sip::certificates::Certificates;
use crate::support::engine;

/// Sends a request on a connection of its own.
async fn sent(server: &TestServer, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.server().address()).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nApi-Key: {}\r\nAccept: application/vnd.api+json\r\n\r\n",
        server.api_key()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads a connection until its end, for at most half a minute.
async fn until_its_end(mut stream: TcpStream, bytes: &mut Vec<u8>) -> std::io::Result<usize> {
    let end = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(bytes));
    end.await.expect("the connection does not end")
}

/// The response on a connection that is read until its end: the head, the body, and the announced length of the body.
async fn received(stream: TcpStream) -> (String, String, usize) {
    let mut bytes = Vec::new();
    until_its_end(stream, &mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let length = length.parse().unwrap();
    (head, body.to_owned(), length)
}

#[tokio::test]
async fn a_closed_connection_ends_without_a_byte_and_the_next_one_is_served() {
    let lab = Lab::start().await;
    lab.server.fault(Fault::close().path("/v3/dids").nth(1));
    let stream = sent(&lab.server, "/v3/dids").await;
    assert_eq!(until_its_end(stream, &mut Vec::new()).await.unwrap(), 0);
    assert_eq!(lab.api.get("/dids").await.status, 200);
    lab.server.fault(Fault::close().path("/v3/regions"));
    let error = try_get(&lab.api, "/regions").await.unwrap_err();
    assert!(!error.is_timeout() && error.status().is_none(), "{error:?}");
}

#[tokio::test]
async fn a_reset_connection_is_an_error_of_the_socket() {
    let lab = Lab::start().await;
    lab.server.fault(Fault::reset().path("/v3/dids").nth(1));
    let stream = sent(&lab.server, "/v3/dids").await;
    let mut bytes = Vec::new();
    let error = until_its_end(stream, &mut bytes).await.unwrap_err();
    assert_eq!((error.kind(), bytes.len()), (ErrorKind::ConnectionReset, 0));
    assert_eq!(lab.api.get("/dids").await.status, 200);
}

#[tokio::test]
async fn a_write_whose_connection_is_closed_after_it_is_stored() {
    let lab = Lab::start().await;
    lab.server.fault(Fault::close().method("POST").after_serving().nth(1));
    let body = super::trunk("stored", &serde_json::json!({})).to_string();
    let request = lab.api.request(http::Method::POST, "/voice_out_trunks").body(body);
    assert!(request.send().await.is_err());
    assert_eq!(lab.names().await, ["stored"]);
    assert_eq!(lab.server.received_requests()[0].status, None);
}

#[tokio::test]
async fn a_cut_body_announces_more_than_it_has() {
    let lab = Lab::start().await;
    let whole = lab.api.get("/dids").await.text;
    lab.server.fault(Fault::cut_body(7).path("/v3/dids"));
    let (head, body, length) = received(sent(&lab.server, "/v3/dids").await).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(body.len(), 7);
    assert!(length > 7 && whole.starts_with('{') && body.starts_with('{'), "{length} {body}");
    let error = try_get(&lab.api, "/dids").await.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    lab.server.control().remove_faults();
    lab.server.fault(Fault::cut_body(0).path("/v3/dids"));
    let (_, body, length) = received(sent(&lab.server, "/v3/dids").await).await;
    assert!(body.is_empty() && length > 0);
}

#[tokio::test]
async fn a_slow_body_is_whole_and_takes_its_time() {
    let lab = Lab::start().await;
    let whole = lab.api.get("/dids").await.text;
    let pause = Duration::from_millis(40);
    let piece = whole.len().div_ceil(4);
    lab.server.fault(Fault::slow_body(piece as u64, pause).path("/v3/dids"));
    let began = Instant::now();
    let slow = lab.api.get("/dids").await;
    assert!(began.elapsed() >= pause * 4, "{:?}", began.elapsed());
    assert_eq!((slow.status, slow.text.len()), (200, whole.len()));
    let slow_client = lab.api.request(http::Method::GET, "/dids").timeout(pause * 2);
    let response = slow_client.send().await;
    let text = match response {
        Ok(response) => response.text().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(text.unwrap_err().is_timeout(), "the head may come in time, and the body does not");
}

#[tokio::test]
async fn over_http_2_the_stream_is_reset_and_the_server_goes_on() {
    let certificates = Certificates::make();
    let (certificate, key) = (certificates.path("cert.pem"), certificates.path("key.pem"));
    let server = engine::builder().tls(certificate, key).start().await;
    let fault = server.fault(Fault::close().path("/v3/dids").times(1));
    let cut = server.fault(Fault::cut_body(5).path("/v3/regions"));
    let get = async |path: &str| {
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--http2", "--noproxy", "*", "--max-time", "20", "--output", "/dev/null"])
            .args(["--cacert", &certificates.path("ca.pem"), "--write-out", "%{http_code} %{http_version}"])
            .args(["--header", &format!("Api-Key: {}", server.api_key())])
            .arg(format!("{}{path}", server.base_url()));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    // 92 is curl's code for a stream that was not closed as it should be.
    assert_eq!(get("/dids").await.0, Some(92));
    assert_eq!(get("/dids").await, (Some(0), "200 2".to_owned()));
    assert_eq!(get("/regions").await.0, Some(92));
    assert_eq!((server.hits(fault), server.hits(cut)), (1, 1));
}
