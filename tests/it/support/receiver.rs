//! A receiver of callbacks and webhooks: it accepts requests, answers as configured, and keeps them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use didww_types::Secret;
use didww_types::callback::{TrunkEvent, trunk_events};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// Maximum wait for a request.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// The answer to a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status without a body.
    Status(u16),
    /// A redirect to a URL.
    Redirect(String),
    /// No answer, on a connection that stays open.
    Hang,
}

/// A received request.
#[derive(Debug)]
pub struct Callback {
    /// Path and query.
    pub path: String,
    /// The request line and the headers.
    pub head: String,
    /// The body as text.
    pub body: String,
}

impl Callback {
    /// The value of a header; its name in lower case.
    pub fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    }

    /// The events, if the signature is right for this URL and key.
    pub fn verified(&self, url: &str, key: &str) -> Vec<TrunkEvent> {
        let signature = self.header("x-didww-signature").expect("a callback is signed");
        trunk_events(&Secret::new(key), url, self.body.as_bytes(), &signature).unwrap()
    }
}

/// A receiver on loopback. Dropping it closes its port and its connections.
pub struct Receiver {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    came: UnboundedReceiver<Callback>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Starts it on a random port.
    pub async fn start(answer: Answer) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), answer).await
    }

    /// Starts it on this address, to simulate a receiver that is available again.
    pub async fn at(address: SocketAddr, answer: Answer) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(answer));
        let (sender, came) = unbounded_channel();
        let task = tokio::spawn(listen(listener, Arc::clone(&answer), sender));
        Self { address, answer, came, task }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of the receiver; the path begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sets the answer from now on.
    pub fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The next request. Fails the test if none arrives in time.
    pub async fn next(&mut self) -> Callback {
        self.next_within(REQUEST_TIMEOUT).await
    }

    /// The next request. Fails the test if none arrives in this time.
    pub async fn next_within(&mut self, limit: Duration) -> Callback {
        tokio::time::timeout(limit, self.came.recv()).await.expect("nothing came").unwrap()
    }

    /// Number of received requests that were not taken with `next` yet.
    pub fn untaken(&self) -> usize {
        self.came.len()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, answer: Arc<Mutex<Answer>>, came: UnboundedSender<Callback>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let answer = answer.lock().unwrap().clone();
        connections.spawn(serve(stream, answer, came.clone()));
    }
}

async fn serve(mut stream: TcpStream, answer: Answer, came: UnboundedSender<Callback>) {
    let mut bytes = Vec::new();
    let callback = loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        if let Some(callback) = parse(&bytes) {
            break callback;
        }
    };
    // The test may have ended already.
    let _over = came.send(callback);
    let head = match answer {
        Answer::Hang => std::future::pending().await,
        Answer::Status(status) => format!("HTTP/1.1 {status} As Told"),
        Answer::Redirect(url) => format!("HTTP/1.1 302 Found\r\nLocation: {url}"),
    };
    let text = format!("{head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let _gone = stream.write_all(text.as_bytes()).await;
}

fn parse(bytes: &[u8]) -> Option<Callback> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let path = head.split(' ').nth(1)?.to_owned();
    let callback = Callback { path, head: head.to_owned(), body: body.to_owned() };
    // A request without a body may omit the header.
    let length: usize = callback.header("content-length").map_or(Ok(0), |length| length.parse()).ok()?;
    (callback.body.len() >= length).then_some(callback)
}
