//! Every response after which the connection is closed says so, and no other does: a client with a pool of connections
//! never loses its next request.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{address, answer_until_closed};
use crate::support::binary::Binary;

const JSON_API: &str = "Content-Type: application/vnd.api+json";

/// The heads of the responses in what a connection received, in lower case.
fn heads(received: &str) -> Vec<String> {
    let responses = received.split("HTTP/1.").skip(1);
    responses.map(|response| response.split("\r\n\r\n").next().unwrap().to_ascii_lowercase()).collect()
}

/// A connection on which requests are sent one after the other, as from a pool.
struct Pooled(TcpStream);

impl Pooled {
    async fn connect(base: &str) -> Self {
        Self(TcpStream::connect(address(base)).await.unwrap())
    }

    /// Sends a request. Returns the status of its response, and whether the server is going to close the connection.
    async fn send(&mut self, request: &[u8]) -> Option<(u16, bool)> {
        // The response can arrive before all of a long body was sent.
        let _reset = self.0.write_all(request).await;
        let mut received = Vec::new();
        loop {
            let mut chunk = [0; 4096];
            let length =
                tokio::time::timeout(Duration::from_secs(20), self.0.read(&mut chunk)).await.unwrap();
            received.extend_from_slice(&chunk[..length.ok().filter(|length| *length > 0)?]);
            let text = String::from_utf8_lossy(&received);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let head = head.to_ascii_lowercase();
            let length =
                head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some((head[9..12].parse().unwrap(), head.contains("\r\nconnection: close")));
            }
        }
    }
}

/// Requests whose responses end their connection or do not, each with a key that is right or wrong.
fn requests(host: &str, key: &str) -> Vec<(&'static str, Vec<u8>)> {
    let head = |line: &str, rest: &str| {
        format!("{line} HTTP/1.1\r\nHost: {host}\r\nApi-Key: {key}\r\n{rest}\r\n\r\n").into_bytes()
    };
    let post = |rest: &str| head("POST /v3/voice_out_trunks", &format!("{JSON_API}\r\n{rest}"));
    let long = "x".repeat(600_000);
    vec![
        (
            "a body that is read",
            post("Content-Length: 2\r\n\r\n{}").strip_suffix(b"\r\n\r\n").unwrap().to_vec(),
        ),
        ("a body that is not read", {
            let mut request = head("GET /v3/dids", &format!("Content-Length: {}", long.len()));
            request.extend_from_slice(long.as_bytes());
            request
        }),
        ("a body that is too long", {
            let mut request = post("Content-Length: 1400000");
            request.extend(std::iter::repeat_n(b'x', 1_400_000));
            request
        }),
        ("a stated length that is far too long", post("Content-Length: 90000000")),
        ("a body that is not asked for", post("Expect: 100-continue\r\nContent-Length: 90000000")),
        ("a chunk of no length", post("Transfer-Encoding: chunked\r\n\r\nZZ")),
        ("a broken chunk after a good one", post("Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n-1")),
        ("a header that is none", post("no colon")),
        ("two lengths", post("Content-Length: 5\r\nContent-Length: 6")),
        ("another transfer encoding", post("Transfer-Encoding: gzip")),
        ("headers that are too long", post(&format!("X: {}", "x".repeat(40_000)))),
        ("a method that is not served", head("BREW /v3/dids", "X: 1")),
        ("a path that is not served", head("GET /nothing", "X: 1")),
    ]
}

/// Requests after which the connection serves the next one.
const STAYS: [&str; 4] = [
    "a body that is read",
    "a body that is not read",
    "a method that is not served",
    "a path that is not served",
];

#[tokio::test]
async fn a_connection_is_closed_exactly_when_the_response_says_so() {
    let server = Binary::start(&["--ephemeral", "--api-key", "key"]);
    let host = address(&server.base);
    let next = format!("GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for key in ["key", "wrong"] {
        for (what, request) in requests(host, key) {
            let mut pooled = Pooled::connect(&server.base).await;
            let (status, closes) =
                pooled.send(&request).await.unwrap_or_else(|| panic!("{what}: no response"));
            let followed = pooled.send(next.as_bytes()).await;
            assert!(!closes || !STAYS.contains(&what), "{what} ({status}): closed without need");
            if closes {
                assert_eq!(followed, None, "{what} ({status}): the connection stays open");
            } else {
                assert_eq!(followed, Some((200, false)), "{what} ({status}): the next request is lost");
            }
        }
    }
}

#[tokio::test]
async fn what_the_connection_cannot_outlive_is_announced() {
    let server = Binary::start(&["--ephemeral", "--api-key", "key"]);
    let host = address(&server.base);
    let closing: Vec<&str> = vec![
        "a stated length that is far too long",
        "a body that is not asked for",
        "a chunk of no length",
        "a broken chunk after a good one",
        "a header that is none",
        "two lengths",
        "another transfer encoding",
        "headers that are too long",
    ];
    for (what, request) in requests(host, "key").into_iter().filter(|(what, _)| closing.contains(what)) {
        let received = answer_until_closed(&server.base, &request).await;
        let heads = heads(&received);
        assert!(
            heads.last().is_some_and(|head| head.contains("\r\nconnection: close")),
            "{what}: {received}"
        );
    }
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_is_asked_only_for_what_will_be_read() {
    let server = Binary::start(&["--ephemeral", "--api-key", "key", "--control-token", "sesame"]);
    let host = address(&server.base);
    let control = server.control.clone().unwrap();
    let request = |line: &str, host: &str, rest: &str| {
        format!(
            "{line} HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n{rest}\r\n\r\n"
        )
    };
    let trunks = "POST /v3/voice_out_trunks";
    let dids = "PATCH /v3/dids/1";
    for (base, request, status) in [
        (&server.base, request(trunks, host, &format!("Api-Key: wrong\r\n{JSON_API}")), "401"),
        (&server.base, request(trunks, host, JSON_API), "401"),
        (&server.base, request(trunks, host, "Api-Key: key\r\nContent-Type: text/plain"), "415"),
        (
            &server.base,
            request(trunks, host, &format!("Api-Key: key\r\n{JSON_API}\r\nAccept: text/html")),
            "406",
        ),
        (
            &server.base,
            request("POST /v3/voice_out_trunks?fields[x]=y", host, &format!("Api-Key: key\r\n{JSON_API}")),
            "400",
        ),
        (&server.base, request("POST /v3/nothing", host, &format!("Api-Key: key\r\n{JSON_API}")), "404"),
        (&server.base, request("POST /v1.0/calls", host, "Content-Type: application/json"), "401"),
        (
            &control,
            request("POST /control/v1/accounts", address(&control), "Content-Type: application/json"),
            "401",
        ),
    ] {
        let received = answer_until_closed(base, request.as_bytes()).await;
        assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{received}");
        assert!(heads(&received)[0].contains("\r\nconnection: close"), "{received}");
    }
    let mut stream = TcpStream::connect(host).await.unwrap();
    let asked = request(dids, host, &format!("Api-Key: key\r\nConnection: close\r\n{JSON_API}"));
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").await.unwrap();
    let mut received = String::new();
    stream.read_to_string(&mut received).await.unwrap();
    assert!(received.starts_with("HTTP/1.1 400 "), "{received}");
}
