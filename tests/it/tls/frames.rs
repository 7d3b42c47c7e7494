//! HTTP/2 by hand: frames that no client library would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use trunk_server::TestServer;
use trunk_server::serve::Limits;

use super::{Secured, connect};
use crate::sip::certificates::Certificates;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Maximum wait for an expected event.
const DEADLINE: Duration = Duration::from_secs(20);

/// A client that writes frames itself.
struct Frames {
    stream: TlsStream<TcpStream>,
    next: u32,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [.., high, middle, low] = payload.len().to_be_bytes();
    let mut frame = vec![high, middle, low, kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The headers of `GET` of a path (RFC 7541): method and scheme from the static table, the others as texts.
fn get(path: &str) -> Vec<u8> {
    let text = |index: u8, text: &str| {
        [&[0x40 | index, u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat()
    };
    let key = [&[0x40, 7][..], b"api-key", &[4], b"good"].concat();
    [vec![0x82, 0x87], text(4, path), text(1, "127.0.0.1"), key].concat()
}

impl Frames {
    async fn connect(server: &Secured) -> Self {
        Self::begin(server.connect(&["h2"]).await.unwrap(), &[]).await
    }

    async fn begin(mut stream: TlsStream<TcpStream>, settings: &[u8]) -> Self {
        let preface =
            [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, settings)].concat();
        stream.write_all(&preface).await.unwrap();
        Self { stream, next: 1 }
    }

    /// The number of a new stream.
    fn open(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }

    /// The next frame: its type, flags, stream and payload; `None` if the connection is closed.
    async fn read(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        tokio::time::timeout(DEADLINE, self.stream.read_exact(&mut head)).await.expect("an answer").ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some((kind, flags, u32::from_be_bytes(stream), payload))
    }

    /// Reads until the headers of a stream's response. Returns their first byte, which stands for the status.
    async fn status_of(&mut self, stream: u32) -> Option<u8> {
        loop {
            let (kind, _, of, payload) = self.read().await?;
            match kind {
                HEADERS if of == stream => return payload.iter().copied().find(|byte| byte & 0xe0 != 0x20),
                RST_STREAM if of == stream => return None,
                GOAWAY => return None,
                _ => {}
            }
        }
    }

    /// Reads until the server closes the connection.
    async fn is_closed(&mut self) {
        let closing = async { while self.read().await.is_some() {} };
        tokio::time::timeout(DEADLINE, closing).await.expect("the connection is closed");
    }
}

/// Whether a request of another client is served.
fn serves(server: &Secured) {
    let (status, version, _) = server.curl(&["--http2"], "/v3/dids");
    assert_eq!((status.as_str(), version.as_str()), ("200", "2"));
}

#[tokio::test]
async fn many_requests_on_a_connection_are_all_answered() {
    let server = Secured::start(&[]);
    let mut client = Frames::connect(&server).await;
    let streams: Vec<u32> = (0..60).map(|_| client.open()).collect();
    let requests: Vec<u8> = streams
        .iter()
        .flat_map(|stream| frame(HEADERS, END_HEADERS | END_STREAM, *stream, &get("/v3/dids")))
        .collect();
    client.stream.write_all(&requests).await.unwrap();
    let mut answered = std::collections::BTreeSet::new();
    while answered.len() < streams.len() {
        let (kind, _, stream, payload) = client.read().await.expect("it stays open");
        if kind == HEADERS {
            // `:status: 200` of the static table.
            assert!(payload.contains(&0x88), "{payload:?}");
            answered.insert(stream);
        }
    }
}

#[tokio::test]
async fn requests_that_are_reset_at_once_end_their_connection_and_cost_others_nothing() {
    let server = Secured::start(&[]);
    let mut client = Frames::connect(&server).await;
    for _ in 0..20 {
        let burst: Vec<u8> = (0..100)
            .flat_map(|_| {
                let stream = client.open();
                let reset = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
                [frame(HEADERS, END_HEADERS | END_STREAM, stream, &get("/v3/dids")), reset].concat()
            })
            .collect();
        if client.stream.write_all(&burst).await.is_err() {
            break;
        }
    }
    client.is_closed().await;
    serves(&server);
}

#[tokio::test]
async fn headers_without_an_end_end_their_connection() {
    let server = Secured::start(&[]);
    let mut client = Frames::connect(&server).await;
    let stream = client.open();
    let mut flood = frame(HEADERS, END_STREAM, stream, &get("/v3/dids"));
    for _ in 0..10_000 {
        flood.extend(frame(CONTINUATION, 0, stream, &[]));
    }
    let _closed = client.stream.write_all(&flood).await;
    client.is_closed().await;

    // One header of the static table, again and again: few bytes on the wire, and long headers.
    let mut client = Frames::connect(&server).await;
    let stream = client.open();
    let long = [get("/v3/dids"), vec![0x90; 10_000]].concat();
    client.stream.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &long)).await.unwrap();
    assert_ne!(client.status_of(stream).await, Some(0x88), "it is not served");
    serves(&server);
}

#[tokio::test]
async fn pings_and_settings_without_a_pause_end_their_connection() {
    let server = Secured::start(&[]);
    for flood in [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[])] {
        let mut client = Frames::connect(&server).await;
        let _closed = client.stream.write_all(&flood.repeat(5_000)).await;
        client.is_closed().await;
    }
    serves(&server);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_as_on_the_other_version() {
    let server = Secured::start(&[]);
    let long = server.certificates.folder.join("long.json");
    std::fs::write(&long, vec![b' '; 2 << 20]).unwrap();
    let data = format!("@{}", long.display());
    for version in ["--http2", "--http1.1"] {
        let arguments = [version, "-H", "Content-Type: application/vnd.api+json", "--data-binary", &data];
        let (status, _, body) = server.curl(&arguments, "/v3/voice_out_trunks");
        assert_eq!(status, "413", "{version}: {body}");
    }
}

#[tokio::test]
async fn a_server_that_stops_answers_the_requests_that_it_has() {
    let server = Secured::start(&[]);
    let mut client = Frames::connect(&server).await;
    let stream = client.open();
    client
        .stream
        .write_all(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &get("/v3/dids")))
        .await
        .unwrap();
    assert_eq!(client.status_of(stream).await, Some(0x88));
    server.binary.signal("TERM");
    client.is_closed().await;
}

/// A server whose clients may be idle for a short time, and its certificates.
async fn impatient() -> (TestServer, Certificates) {
    let made = Certificates::make();
    let mut limits = Limits::default();
    limits.idle_deadline = Duration::from_millis(400);
    limits.header_deadline = Duration::from_millis(400);
    let builder = TestServer::builder().api_key("good").limits(limits);
    let server = builder.tls(made.path("cert.pem"), made.path("key.pem")).start().await;
    (server, made)
}

#[tokio::test]
async fn a_client_that_lets_no_response_through_is_disconnected_although_it_sends_pings() {
    lets_no_response_through(|_| Vec::new()).await;
}

#[tokio::test]
async fn a_client_that_lets_no_response_through_is_disconnected_although_it_makes_and_resets_requests() {
    lets_no_response_through(|client| {
        let stream = client.open();
        let reset = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
        [frame(HEADERS, END_HEADERS | END_STREAM, stream, &get("/v3/dids")), reset].concat()
    })
    .await;
}

/// Asserts that a client is disconnected whose response has no room, and which sends a ping and these frames again and
/// again.
async fn lets_no_response_through(further: impl Fn(&mut Frames) -> Vec<u8>) {
    let (server, made) = impatient().await;
    let address = server.server().address().to_string();
    // The setting of a window without room, for every stream.
    let stream = connect(&address, &made, &["h2"]).await.unwrap();
    let mut client = Frames::begin(stream, &[0, 4, 0, 0, 0, 0]).await;
    let stream = client.open();
    client
        .stream
        .write_all(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &get("/v3/dids")))
        .await
        .unwrap();
    assert_eq!(client.status_of(stream).await, Some(0x88), "the headers of the response need no room");
    let pinging = async {
        loop {
            // A ping at a time: each is answered until the connection is closed.
            let frames = [frame(PING, 0, 0, &[7; 8]), further(&mut client)].concat();
            if client.stream.write_all(&frames).await.is_err() || client.read().await.is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, pinging).await.expect("it is disconnected");
}

#[tokio::test]
async fn a_client_that_asks_nothing_or_ends_no_headers_is_disconnected() {
    let (server, made) = impatient().await;
    let address = server.server().address().to_string();
    let silent = connect(&address, &made, &["h2"]).await.unwrap();
    Frames::begin(silent, &[]).await.is_closed().await;
    let mut client = Frames::begin(connect(&address, &made, &["h2"]).await.unwrap(), &[]).await;
    let stream = client.open();
    client.stream.write_all(&frame(HEADERS, END_STREAM, stream, &get("/v3/dids"))).await.unwrap();
    client.is_closed().await;
}
