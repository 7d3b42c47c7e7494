//! Counts the statements and round trips of a server to PostgreSQL, by a proxy on loopback.
//!
//! Statements that are sent before the answers to earlier ones arrived share a round trip. The proxy delays answers, as
//! a database on another machine does; without that, it would depend on the scheduler whether two statements that do
//! not wait for each other share one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf as FromServer, OwnedWriteHalf as ToServer};
use tokio::net::unix::{OwnedReadHalf as FromDatabase, OwnedWriteHalf as ToDatabase};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::postgres::Database;

/// How long an answer takes.
const DELAY: Duration = Duration::from_millis(5);
/// A text that is in every poll of the change feed.
const POLL: &str = "FROM change WHERE position";

/// The messages that were sent on some connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    pub statements: usize,
    pub round_trips: usize,
}

/// The messages that were sent on a connection.
#[derive(Default)]
struct Line {
    sent: Sent,
    polls: usize,
    texts: Vec<String>,
}

/// The proxy. It ends with the runtime of the test.
pub struct Wire {
    port: u16,
    name: String,
    lines: Arc<Mutex<BTreeMap<usize, Line>>>,
}

impl Wire {
    /// Listens for connections to a database.
    pub async fn to(database: &Database) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let wire = Self { port, name: database.name().to_owned(), lines: Arc::default() };
        let (lines, socket) = (Arc::clone(&wire.lines), database.socket());
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((server, _)) = listener.accept().await {
                number += 1;
                tokio::spawn(carry(server, socket.clone(), (number, Arc::clone(&lines))));
            }
        });
        wire
    }

    /// The URL for `--database`.
    pub fn url(&self) -> String {
        format!("postgres://{}@127.0.0.1:{}/{}?sslmode=disable", super::postgres::USER, self.port, self.name)
    }

    /// The messages so far on connections that do not poll the change feed.
    pub fn sent(&self) -> Sent {
        let lines = self.lines.lock().unwrap();
        lines.values().filter(|line| line.polls == 0).fold(Sent::default(), |sum, line| Sent {
            statements: sum.statements + line.sent.statements,
            round_trips: sum.round_trips + line.sent.round_trips,
        })
    }

    /// The messages so far on connections that poll the change feed, and the number of polls.
    pub fn polled(&self) -> (Sent, usize) {
        let lines = self.lines.lock().unwrap();
        let polling = lines.values().find(|line| line.polls > 0);
        polling.map_or((Sent::default(), 0), |line| (line.sent, line.polls))
    }

    /// The texts of the statements that were sent since the last call, without those of polls.
    pub fn texts(&self) -> Vec<String> {
        let mut lines = self.lines.lock().unwrap();
        lines
            .values_mut()
            .filter(|line| line.polls == 0)
            .flat_map(|line| std::mem::take(&mut line.texts))
            .collect()
    }
}

/// The lines of a proxy, and the number of one.
type Of = (usize, Arc<Mutex<BTreeMap<usize, Line>>>);

async fn carry(server: TcpStream, socket: PathBuf, of: Of) {
    server.set_nodelay(true).unwrap();
    // Neither side learns more of a broken connection than that it ended.
    let Ok(database) = UnixStream::connect(socket).await else { return };
    let ((from_server, to_server), (from_database, to_database)) =
        (server.into_split(), database.into_split());
    let open = AtomicUsize::new(0);
    tokio::select! {
        _ = ask(from_server, to_database, &open, of) => {}
        _ = answer(from_database, to_server, &open) => {}
    }
}

/// Forwards the messages of a server. `open` is the number of its requests without a response.
async fn ask(
    mut from: FromServer,
    mut to: ToDatabase,
    open: &AtomicUsize,
    (number, lines): Of,
) -> std::io::Result<()> {
    // The first message has no type.
    let length = from.read_u32().await?;
    let mut message = vec![0; length as usize - 4];
    from.read_exact(&mut message).await?;
    to.write_all(&[length.to_be_bytes().as_slice(), &message].concat()).await?;
    loop {
        let kind = from.read_u8().await?;
        let length = from.read_u32().await?;
        let mut message = vec![0; length as usize - 4];
        from.read_exact(&mut message).await?;
        {
            let mut lines = lines.lock().unwrap();
            let line = lines.entry(number).or_default();
            let text = String::from_utf8_lossy(&message).trim_matches('\0').to_owned();
            let texts: Vec<String> = match kind {
                b'Q' => text.split(';').map(|text| text.trim().to_owned()).collect(),
                b'P' => vec![text.split('\0').next().unwrap().to_owned()],
                _ => Vec::new(),
            };
            for text in texts.into_iter().filter(|text| !text.is_empty()) {
                line.sent.statements += 1;
                line.polls += usize::from(text.contains(POLL));
                line.texts.push(text);
            }
            if matches!(kind, b'Q' | b'S') && open.fetch_add(1, Ordering::SeqCst) == 0 {
                line.sent.round_trips += 1;
            }
        }
        to.write_all(&[&[kind], length.to_be_bytes().as_slice(), &message].concat()).await?;
    }
}

/// Forwards the responses of the database after a delay.
async fn answer(mut from: FromDatabase, mut to: ToServer, open: &AtomicUsize) -> std::io::Result<()> {
    // The connection is ready for the first question, which is no answer to one.
    let (mut buffer, mut is_begun) = (Vec::new(), false);
    loop {
        if from.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        tokio::time::sleep(DELAY).await;
        let mut at = 0;
        while let Some(head) = buffer.get(at..at + 5) {
            let length = 1 + u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            if buffer.len() < at + length {
                break;
            }
            if head[0] == b'Z' {
                if is_begun {
                    open.fetch_sub(1, Ordering::SeqCst);
                }
                is_begun = true;
            }
            at += length;
        }
        to.write_all(&buffer[..at]).await?;
        buffer.drain(..at);
    }
}
