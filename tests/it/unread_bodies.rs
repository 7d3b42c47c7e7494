//! A body that a handler does not read costs its client neither the response nor the connection.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::binary::Binary;

/// Sends a request with a body and a second request behind it. Returns the status of each response.
async fn statuses(base: &str, head: &str, body_bytes: usize) -> Vec<u16> {
    let address = base.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{head} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {body_bytes}\r\n\r\n{}\
         GET /livez HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer sesame\r\nConnection: close\r\n\r\n",
        "x".repeat(body_bytes)
    );
    let (mut reader, mut writer) = stream.split();
    let (mut responses, mut chunk) = (Vec::new(), vec![0; 65_536]);
    let read = async {
        // Each connection is closed after the second response, or reset.
        while let Ok(1..) =
            reader.read(&mut chunk).await.inspect(|length| responses.extend(&chunk[..*length]))
        {}
    };
    let _reset = tokio::join!(writer.write_all(request.as_bytes()), read);
    let text = String::from_utf8_lossy(&responses);
    text.split("HTTP/1.1 ").skip(1).map(|response| response[..3].parse().unwrap()).collect()
}

#[tokio::test]
async fn a_client_whose_body_is_not_read_receives_its_response_and_the_next() {
    let server = Binary::start(&["--ephemeral", "--control-token", "sesame"]);
    let control = server.control.clone().unwrap();
    let authorized = "POST /control/v1/reset HTTP/1.1\r\nAuthorization: Bearer sesame\r\nX-Version:";
    for (base, head, body_bytes, status) in [
        (&control, "POST /control/v1/reset", 500_000, 401),
        (&control, authorized, (4 << 20) + 500_000, 413),
        (&server.base, "POST /v3/voice_out_trunks", 500_000, 401),
        (&server.base, "GET /openapi/2022-05-10.json", 500_000, 200),
        (&server.base, "GET /livez", 500_000, 200),
        (&server.base, "PUT /livez", 500_000, 405),
    ] {
        assert_eq!(statuses(base, head, body_bytes).await, [status, 200], "{head}");
    }
}

#[tokio::test]
async fn of_a_body_that_is_far_too_long_only_a_part_is_read() {
    let server = Binary::start(&["--ephemeral"]);
    let statuses = statuses(&server.base, "GET /livez", 8 << 20).await;
    assert!(!statuses.contains(&0) && statuses.len() <= 1, "the connection is closed: {statuses:?}");
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_a_body_is_not_asked_for_one_that_is_refused() {
    let server = Binary::start(&["--ephemeral"]);
    let address = server.base.strip_prefix("http://").unwrap().split('/').next().unwrap();
    for key in ["Api-Key: wrong", "X-Api: none"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /v3/voice_out_trunks HTTP/1.1\r\nHost: {address}\r\n{key}\r\nExpect: 100-continue\r\n\
             Content-Type: application/vnd.api+json\r\nContent-Length: 500000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut response = String::new();
        // The connection ends after the response: the body may follow it, or may not.
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 401 "), "{response}");
        assert!(response.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{response}");
    }
}
