//! Somebody who is called back: takes requests, answers as the test says, and keeps what came.

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

/// Longest wait for a request.
const LONGEST: Duration = Duration::from_mins(1);

/// What a request is answered with.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status without a body.
    Status(u16),
    /// A redirect to a URL.
    Redirect(String),
    /// Nothing, on a connection that stays open.
    Hang,
}

/// A request as it came.
#[derive(Debug)]
pub struct Callback {
    /// Path and query.
    pub path: String,
    /// Lines of the head.
    pub head: String,
    /// The body.
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
    /// On a random port.
    pub async fn start(answer: Answer) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), answer).await
    }

    /// On this address, as one that comes back.
    pub async fn at(address: SocketAddr, answer: Answer) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(answer));
        let (sender, came) = unbounded_channel();
        let task = tokio::spawn(listen(listener, Arc::clone(&answer), sender));
        Self { address, answer, came, task }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of it; the path begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers otherwise from now on.
    pub fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The next request. One that does not come fails its test instead of holding it up.
    pub async fn next(&mut self) -> Callback {
        tokio::time::timeout(LONGEST, self.came.recv()).await.expect("nothing came").unwrap()
    }

    /// How many requests came that nobody took yet.
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
    // The test may be over already.
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
    // A request without a body need not say so.
    let length: usize = callback.header("content-length").map_or(Ok(0), |length| length.parse()).ok()?;
    (callback.body.len() >= length).then_some(callback)
}
