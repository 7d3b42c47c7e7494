//! An HTTP server of the tests: a collector, or the receiver of callbacks.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::otlp::{Span, spans};
use crate::within;

/// A request that was received.
#[derive(Debug, Clone)]
pub struct Received {
    /// The request line, and the headers in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    }
}

/// The behaviour for requests.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// It answers with this status.
    Answers(u16),
    /// It reads them and never answers.
    IsSilent,
}

pub struct Receiver {
    address: SocketAddr,
    incoming: UnboundedReceiver<Received>,
    /// Everything that was received so far.
    pub received: Vec<Received>,
}

impl Receiver {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (outgoing, incoming) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, manner, outgoing.clone()));
            }
        });
        Self { address, incoming, received: Vec::new() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits for the next request.
    pub async fn next(&mut self) -> Received {
        let received = within("a request", self.incoming.recv()).await.expect("the receiver runs");
        self.received.push(received.clone());
        received
    }

    /// Takes what has arrived, without waiting.
    pub fn take_arrived(&mut self) {
        while let Ok(received) = self.incoming.try_recv() {
            self.received.push(received);
        }
    }

    /// The spans that were received so far.
    pub fn spans(&self) -> Vec<Span> {
        self.received.iter().flat_map(|export| spans(&export.body)).collect()
    }

    /// Waits for a span.
    pub async fn span(&mut self, is_wanted: impl Fn(&Span) -> bool) -> Span {
        loop {
            if let Some(span) = self.spans().into_iter().find(&is_wanted) {
                return span;
            }
            self.next().await;
        }
    }

    /// Whether anything that was received contains a text.
    pub fn has_received(&self, text: &str) -> bool {
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        self.received.iter().any(|received| has(&received.body) || received.head.contains(text))
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, outgoing: UnboundedSender<Received>) {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
                return;
            }
        };
        let head: Vec<u8> = bytes.drain(..end).collect();
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let mut received = Received { head, body: Vec::new() };
        let length: usize = received.header("content-length").map_or(0, |value| value.parse().unwrap());
        while bytes.len() < length {
            if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
                return;
            }
        }
        received.body = bytes.drain(..length).collect();
        let _test_has_ended = outgoing.send(received);
        match manner {
            Manner::Answers(status) => {
                let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n");
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
            Manner::IsSilent => std::future::pending().await,
        }
    }
}
