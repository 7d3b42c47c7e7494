//! Access tokens under load: many clients, and a clock that passes every expiry.

use std::sync::Arc;
use std::time::Duration;

use didww_client::{ApiVersion, Client};
use futures_util::future::join_all;
use tokio::task::JoinSet;
use trunk_server::TestServer;
use trunk_server::control::NewDid;

use crate::support::api::http_client;

/// Clients that each have a token of their own.
const CLIENTS: usize = 1_000;
/// The lives of tokens that the clock passes.
const LIVES: u32 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_read_on_while_the_clock_passes_every_expiry() {
    // Each connection has two files in this process.
    trunk_server::raise_open_files();
    let server = TestServer::start().await;
    let control = server.control();
    control.add_did(server.account(), NewDid::new("442079460018")).await.unwrap();
    control.clock().freeze(None);
    let http = http_client();
    let client = || {
        let builder = Client::builder(server.base_url(), server.api_key()).http_client(http.clone());
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
        // Some tokens expire while they are used.
        control.clock().advance(Duration::from_secs(450));
        while let Some(read) = reads.join_next().await {
            read.unwrap_or_else(|error| panic!("in life {life}: {error}"));
        }
        // The keys that sign rotate too.
        control.clock().advance(Duration::from_secs(if life == 2 { 100_000 } else { 900 }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clones_and_a_read_only_client_share_the_account() {
    trunk_server::raise_open_files();
    let server = TestServer::start().await;
    let client = Client::builder(server.base_url(), server.api_key()).no_rate_limit();
    let client = client.http_client(http_client());
    let reader = client.clone().read_only().build().unwrap();
    let client = client.build().unwrap();
    let clones: Vec<Client> = (0..CLIENTS).map(|_| client.clone()).collect();
    let pages =
        join_all(clones.iter().map(|clone| async { clone.dids().list().await.map(|page| page.total) }));
    assert!(pages.await.into_iter().all(|total| total.is_ok()));
    assert!(reader.dids().list().await.is_ok());
    let refused = reader.voice_out_trunks().delete(&"0a161808-bb05-42b1-8398-7888abdfa9ef".into()).await;
    assert!(matches!(refused, Err(didww_client::Error::NotSent(_))));
}
