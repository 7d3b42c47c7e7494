//! Access tokens under load: many clients, and a clock that passes every expiry.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use didww_client::{ApiVersion, Client};
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use trunk_server::TestServer;
use trunk_server::control::NewDid;

use crate::support::api::http_client;
use crate::support::engine;

/// Clients that each have a token of their own.
const CLIENTS: usize = 1_000;
/// The lives of tokens that the clock passes.
const LIVES: usize = 5;
/// Ends every token: its life, and the rest of the second in which it was minted.
const LIFE: Duration = Duration::from_secs(901);

/// A proxy in front of the server that counts requests for tokens, and refusals with 401.
struct Front {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    mints: AtomicUsize,
    refusals: AtomicUsize,
}

impl Front {
    async fn start(server: &TestServer) -> Self {
        let base = server.base_url();
        let upstream: SocketAddr =
            base.trim_start_matches("http://").trim_end_matches("/v3").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let front = Self { address: listener.local_addr().unwrap(), counts: Arc::default() };
        let counts = Arc::clone(&front.counts);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let counts = Arc::clone(&counts);
                tokio::spawn(async move {
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = TcpStream::connect(upstream).await.unwrap().into_split();
                    tokio::join!(
                        pass(from_client, to_server, b"POST /token ", &counts.mints),
                        pass(from_server, to_client, b"HTTP/1.1 401 ", &counts.refusals),
                    );
                });
            }
        });
        front
    }

    fn base_url(&self) -> String {
        format!("http://{}/v3", self.address)
    }

    /// The requests for tokens, and the refusals.
    fn counted(&self) -> (usize, usize) {
        (self.counts.mints.load(Ordering::SeqCst), self.counts.refusals.load(Ordering::SeqCst))
    }
}

/// Passes bytes on until a side closes, and counts a text in them before the other side has it.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, text: &[u8], count: &AtomicUsize) {
    let (mut bytes, mut seen) = (Vec::<u8>::with_capacity(4_096), Vec::<u8>::new());
    while from.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
        seen.extend_from_slice(&bytes);
        count.fetch_add(seen.windows(text.len()).filter(|part| *part == text).count(), Ordering::SeqCst);
        // A text may arrive in two parts.
        seen.drain(..seen.len().saturating_sub(text.len() - 1));
        if to.write_all(&bytes).await.is_err() {
            break;
        }
        bytes.clear();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_read_on_while_the_clock_passes_every_expiry() {
    // Each connection has four files in this process: two of its own, and two of the proxy's.
    trunk_server::raise_open_files();
    let server = engine::builder().start().await;
    let front = Front::start(&server).await;
    let control = server.control();
    control.add_did(server.account(), NewDid::new("442079460018")).await.unwrap();
    control.clock().freeze(None);
    let http = http_client();
    let client = || {
        let builder = Client::builder(front.base_url(), server.api_key()).http_client(http.clone());
        Arc::new(builder.no_rate_limit().build().unwrap())
    };
    let clients: Vec<Arc<Client>> = (0..CLIENTS).map(|_| client()).collect();
    for life in 0..LIVES {
        let mut reads = JoinSet::new();
        for client in &clients {
            let client = Arc::clone(client);
            reads.spawn(async move {
                let page = client.dids().list().await.unwrap();
                assert_eq!((page.items.len(), page.version), (1, ApiVersion::V2026_11_19));
            });
        }
        // Some of the new tokens are minted before the clock moves, and some after.
        control.clock().advance(Duration::from_secs(450));
        while let Some(read) = reads.join_next().await {
            read.unwrap_or_else(|error| panic!("in life {life}: {error}"));
        }
        // Each client mints one token for a life. The one of the life before is refused once.
        assert_eq!(front.counted(), ((life + 1) * CLIENTS, life * CLIENTS), "in life {life}");
        // The keys that sign rotate too.
        control.clock().advance(if life == 2 { Duration::from_secs(100_000) } else { LIFE });
    }
}

#[tokio::test]
async fn a_stale_token_is_refused_and_renewed_once() {
    let server = engine::builder().start().await;
    let front = Front::start(&server).await;
    let control = server.control();
    control.clock().freeze(None);
    let client = Client::builder(front.base_url(), server.api_key()).http_client(http_client());
    let client = client.no_rate_limit().build().unwrap();
    assert_eq!(front.counted(), (0, 0), "no token before a request needs one");
    for (mints, refusals) in [(1, 0), (2, 1), (3, 2)] {
        // The second read shows that the token is kept.
        for _ in 0..2 {
            client.dids().list().await.unwrap();
            assert_eq!(front.counted(), (mints, refusals));
        }
        control.clock().advance(LIFE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clones_and_a_read_only_client_share_the_account() {
    trunk_server::raise_open_files();
    let server = engine::builder().start().await;
    let front = Front::start(&server).await;
    let control = server.control();
    control.clock().freeze(None);
    let client = Client::builder(front.base_url(), server.api_key()).no_rate_limit();
    let client = client.http_client(http_client());
    let reader = client.clone().read_only().build().unwrap();
    let client = client.build().unwrap();
    let clones: Vec<Client> = (0..CLIENTS).map(|_| client.clone()).collect();
    // One mints for all, and one renews for all when the token of all is stale.
    for mints in [1, 2] {
        let pages =
            join_all(clones.iter().map(|clone| async { clone.dids().list().await.map(|page| page.total) }));
        assert!(pages.await.into_iter().all(|total| total.is_ok()));
        let (minted, refused) = front.counted();
        assert_eq!((minted, refused > 0), (mints, mints == 2));
        control.clock().advance(LIFE);
    }
    assert!(reader.dids().list().await.is_ok());
    let refused = reader.voice_out_trunks().delete(&"0a161808-bb05-42b1-8398-7888abdfa9ef".into()).await;
    assert!(matches!(refused, Err(didww_client::Error::NotSent(_))));
}
