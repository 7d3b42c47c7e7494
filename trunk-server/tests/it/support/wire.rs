//! HTTP at the level of bytes, for misbehaving clients.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::within;

/// A connection on which only the test's own calls read and write.
pub struct Wire {
    stream: TcpStream,
    /// Received bytes that the test has not read yet.
    received: Vec<u8>,
}

/// A response of the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The status line and the headers, in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Wire {
    pub async fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    pub fn over(stream: TcpStream) -> Self {
        Self { stream, received: Vec::new() }
    }

    /// Sends bytes. Returns false if the connection is closed.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Sends a request and reads the answer.
    pub async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        assert!(self.send(request).await, "the server takes the request");
        self.answer().await
    }

    /// Reads the next answer.
    pub async fn answer(&mut self) -> Answer {
        within("an answer", async {
            let head_end = loop {
                if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                    break end + 4;
                }
                assert!(
                    self.receive().await,
                    "an answer ended early: {}",
                    String::from_utf8_lossy(&self.received)
                );
            };
            let head = String::from_utf8(self.received.drain(..head_end).collect()).unwrap().to_lowercase();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let length = header(&head, "content-length").map_or(0, |value| value.parse().unwrap());
            while self.received.len() < length {
                assert!(self.receive().await, "a body ended after {} of {length} bytes", self.received.len());
            }
            Answer { status, head, body: self.received.drain(..length).collect() }
        })
        .await
    }

    /// Reads until the server closes the connection. Returns the remaining text.
    pub async fn hung_up(&mut self) -> String {
        within("hanging up", async { while self.receive().await {} }).await;
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// Reads what has arrived. Returns false if the connection is closed.
    async fn receive(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.received).await;
        // A reset connection is a closed one.
        read.is_ok_and(|bytes| bytes > 0)
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
}

/// Builds a request to the API with a body and additional header lines, each with its line break.
pub fn request(method: &str, path: &str, key: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    let types = "Accept: application/vnd.api+json\r\nContent-Type: application/vnd.api+json";
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nApi-Key: {key}\r\n{types}\r\n\
         X-DIDWW-API-Version: 2026-04-16\r\nX-Request-Id: fixed\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}
