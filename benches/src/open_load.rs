//! HTTP load at times that are set before: a request is due whether or not those before it are answered, and its
//! latency counts from when it was due. A server that stalls is seen as long as its requests wait, which a load that
//! waits with it does not show.
//!
//! The runtime's timers are exact to a millisecond, so requests that are due within the same one are sent together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::stopwatch::Stopwatch;
use crate::trunk::{KEY, VERSION};

/// The pace of requests.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// Each connection sends its next request once the last is answered.
    Closed,
    /// This number of requests is due in a second, evenly.
    Open(f64),
}

/// The result of a load.
#[derive(Debug)]
pub(crate) struct Answered {
    /// Answers a second.
    pub(crate) rate: f64,
    /// The time from when each request was due to its answer, in milliseconds and ascending.
    latencies: Vec<f64>,
}

impl Answered {
    /// The latency within which this share of the requests was answered, in milliseconds.
    pub(crate) fn within(&self, share: (usize, usize)) -> f64 {
        let (of, all) = share;
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * of / all).copied().unwrap_or(f64::NAN)
    }
}

/// The method, the path and the body of request `number`. The body is empty for a GET.
type Request = dyn Fn(u32) -> (&'static str, String, String) + Send + Sync;

/// A server, and the requests for it.
pub(crate) struct Requests {
    address: SocketAddr,
    make: Arc<Request>,
}

impl Requests {
    /// Requests to the server of a base URL, whose paths begin behind its host.
    pub(crate) fn of(
        base: &str,
        make: impl Fn(u32) -> (&'static str, String, String) + Send + Sync + 'static,
    ) -> Outcome<Self> {
        let host = base.trim_start_matches("http://").split('/').next().unwrap_or_default();
        Ok(Self { address: host.parse()?, make: Arc::new(make) })
    }

    /// Sends requests over this number of connections for a time, and waits for every answer. Any answer but a success
    /// is an error.
    pub(crate) fn send(&self, connections: usize, pace: Pace, time: Duration) -> Outcome<Answered> {
        // One core for the load, as `wrk -t1` has it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut streams = Vec::with_capacity(connections);
            for _ in 0..connections {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                streams.push(stream);
            }
            let turn = Arc::new(Turn {
                address: self.address,
                make: Arc::clone(&self.make),
                pace,
                time,
                next: AtomicU32::new(0),
                watch: Stopwatch::start(),
            });
            let mut tasks = JoinSet::new();
            for stream in streams {
                tasks.spawn(Arc::clone(&turn).connection(stream));
            }
            let mut latencies: Vec<f64> = Vec::new();
            while let Some(ended) = tasks.join_next().await {
                latencies.extend(ended??);
            }
            latencies.sort_by(f64::total_cmp);
            let answers = f64::from(u32::try_from(latencies.len())?);
            Ok(Answered { rate: answers / turn.watch.seconds(), latencies })
        })
    }
}

/// The state that the connections of one load share.
struct Turn {
    address: SocketAddr,
    make: Arc<Request>,
    pace: Pace,
    time: Duration,
    /// The number of the next request.
    next: AtomicU32,
    watch: Stopwatch,
}

impl Turn {
    /// Sends requests over one connection until the time is over. Returns the latency of each, in milliseconds.
    async fn connection(self: Arc<Self>, mut stream: TcpStream) -> std::io::Result<Vec<f64>> {
        let (mut latencies, mut buffer) = (Vec::new(), Vec::with_capacity(16_384));
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let due = match self.pace {
                Pace::Closed => self.watch.elapsed(),
                Pace::Open(rate) => Duration::from_secs_f64(f64::from(number) / rate),
            };
            if due >= self.time {
                return Ok(latencies);
            }
            let wait = due.saturating_sub(self.watch.elapsed());
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            stream.write_all(self.request(number).as_bytes()).await?;
            read_answer(&mut stream, &mut buffer).await?;
            latencies.push(self.watch.elapsed().saturating_sub(due).as_secs_f64() * 1e3);
        }
    }

    fn request(&self, number: u32) -> String {
        let (method, path, body) = (self.make)(number);
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nApi-Key: {KEY}\r\nX-DIDWW-API-Version: {VERSION}\r\n\
             Accept: application/vnd.api+json\r\n",
            self.address
        );
        if body.is_empty() {
            return format!("{head}\r\n");
        }
        let length = body.len();
        format!("{head}Content-Type: application/vnd.api+json\r\nContent-Length: {length}\r\n\r\n{body}")
    }
}

/// Reads one answer to its end.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::Error::other("the server closed a connection"));
        }
        if is_complete(buffer).map_err(std::io::Error::other)? {
            return Ok(());
        }
    }
}

/// Whether an answer is complete. One that is no success, or whose length is not stated, is an error.
fn is_complete(answer: &[u8]) -> Result<bool, String> {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(false) };
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default());
    if !head.starts_with("HTTP/1.1 2") {
        return Err(format!("a request was answered with {}", head.lines().next().unwrap_or_default()));
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") { value.trim().parse::<usize>().ok() } else { None }
    });
    let length = length.ok_or("an answer does not state its length")?;
    Ok(answer.len() >= end + 4 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_once_its_last_byte_is_there() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc";
        for length in 0..answer.len() {
            assert_eq!(is_complete(&answer[..length]), Ok(false), "{length}");
        }
        assert_eq!(is_complete(answer), Ok(true));
    }

    #[test]
    fn a_refusal_is_an_error_even_before_its_body_is_there() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\n";
        let error = is_complete(answer).unwrap_err();
        assert!(error.contains("503"), "{error}");
    }

    #[test]
    fn nine_hundred_and_ninety_nine_of_a_thousand_are_all_but_the_slowest() {
        let latencies = (1..=1_000).map(f64::from).collect();
        let answered = Answered { rate: 1.0, latencies };
        assert!((answered.within((999, 1_000)) - 999.0).abs() < 1.5);
        assert!((answered.within((1, 2)) - 500.0).abs() < 1.5);
    }
}
