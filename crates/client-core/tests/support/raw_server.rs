//! Servers that break the HTTP protocol, for the tests of each SDK.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Starts a server that sends one of these responses on each connection, in order, and closes it. Further
/// connections stay open without a response. Returns the base URL.
pub(crate) async fn raw_server(responses: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        let mut responses = responses.into_iter();
        while let Ok((mut stream, _)) = listener.accept().await {
            read_head(&mut stream).await;
            match responses.next() {
                Some(response) => {
                    let _ = stream.write_all(response.as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
                None => held.push(stream),
            }
        }
    });
    format!("http://{address}")
}

/// Reads the head of a request, up to its body.
pub(crate) async fn read_head(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
}

/// A JSON response as it is sent, with this `Content-Length`, whether it fits the body or not.
pub(crate) fn raw_response(status: &str, length: usize, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// The base URL of a port on which no server listens.
pub(crate) async fn unreachable_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
