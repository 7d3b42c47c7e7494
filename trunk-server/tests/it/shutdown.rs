//! A stopping server finishes the requests in flight, and waits for no other client.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpSocket;
use trunk_server::TestServer;
use trunk_server::config::{Config, Database};
use trunk_server::control::NewDid;
use trunk_server::serve::Limits;
use trunk_server::{Ids, Server};

use crate::support::wire::{Wire, request};
use crate::support::{DEADLINE, within};

/// Limits that end no test before [`DEADLINE`] does.
fn patient() -> Limits {
    let mut limits = Limits::default();
    limits.header_deadline = DEADLINE * 10;
    limits.idle_deadline = DEADLINE * 10;
    limits.body_deadline = DEADLINE * 10;
    limits.shutdown_deadline = DEADLINE * 10;
    limits
}

async fn server(limits: Limits) -> Server {
    let mut config = Config::default();
    config.listen = "127.0.0.1:0".into();
    config.control_listen = None;
    config.database = Database::Ephemeral;
    config.api_key = Some("key".into());
    Server::builder(config).ids(Ids::seeded(1)).limits(limits).start().await.unwrap()
}

fn create(name: &str) -> String {
    let method =
        json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.5"] } });
    let attributes =
        json!({ "name": name, "on_cli_mismatch_action": "reject_call", "authentication_method": method });
    let body = json!({ "data": { "type": "voice_out_trunks", "attributes": attributes } });
    request("POST", "/v3/voice_out_trunks", "key", "", &body.to_string())
}

#[tokio::test]
async fn a_request_whose_body_is_still_coming_is_finished() {
    let server = server(patient()).await;
    let address = server.address();
    let mut wire = Wire::open(address).await;
    let whole = create("in flight");
    let (first, rest) = whole.split_at(whole.len() - 20);
    // The `100 Continue` shows that the server has read the head, so the request is in flight.
    let first = first.replacen("Host:", "Expect: 100-continue\r\nHost:", 1);
    assert_eq!(wire.ask(first).await.status, 100);
    let stop = tokio::spawn(server.stop());
    refused(address).await;
    wire.send(rest).await;
    assert_eq!(wire.answer().await.status, 201);
    assert_eq!(wire.hung_up().await, "", "the server accepts no further request");
    within("the end", stop).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_answer_that_is_still_being_read_arrives_completely() {
    let server = server(patient()).await;
    let account = server.control().accounts().await.unwrap()[0].id;
    let dids = (0..1_000).map(|n| NewDid::new(format!("1202555{n:04}")).description("x".repeat(2_000)));
    server.control().add_dids(account, dids).await.unwrap();
    let address = server.address();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut slow = Wire::over(socket.connect(address).await.unwrap());
    // A version whose pages of DIDs have more than 100 records.
    let page = request("GET", "/v3/dids?page[size]=1000", "key", "", "").replace("2026-04-16", "2022-05-10");
    // The answers exceed the buffers between client and server. The first one has arrived, so the second is in flight.
    slow.send(page.repeat(8)).await;
    let first = slow.answer().await;
    assert_eq!(first.status, 200);
    let stop = tokio::spawn(server.stop());
    refused(address).await;
    let second = slow.answer().await;
    let listed: Value = serde_json::from_slice(&second.body).expect("a whole document");
    assert_eq!(listed["data"].as_array().unwrap().len(), 1_000);
    slow.hung_up().await;
    within("the end", stop).await.unwrap().unwrap();
}

#[tokio::test]
async fn incomplete_heads_and_silent_connections_do_not_delay_the_stop() {
    let server = server(patient()).await;
    let mut half = Wire::open(server.address()).await;
    half.send("GET /v3/dids HTTP/1.1\r\nHost: loc").await;
    let mut second = Wire::open(server.address()).await;
    assert_eq!(second.ask(request("GET", "/v3/dids", "key", "", "")).await.status, 200);
    second.send("GET /v3/dids HTTP/1.1\r\nHost: loc").await;
    let mut silent = Wire::open(server.address()).await;
    within("the end", server.stop()).await.unwrap();
    for wire in [&mut half, &mut second, &mut silent] {
        wire.hung_up().await;
    }
}

#[tokio::test]
async fn a_request_that_does_not_end_is_given_up_at_the_deadline() {
    let mut limits = patient();
    limits.shutdown_deadline = Duration::from_millis(150);
    let server = server(limits).await;
    let mut wire = Wire::open(server.address()).await;
    let endless = create("endless").replacen("Host:", "Expect: 100-continue\r\nHost:", 1);
    assert_eq!(wire.ask(&endless[..endless.len() - 20]).await.status, 100);
    within("the end", server.stop()).await.unwrap();
    wire.hung_up().await;
}

#[tokio::test]
async fn a_file_can_be_served_again_as_soon_as_the_server_stopped_or_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.listen = "127.0.0.1:0".into();
    config.control_listen = None;
    config.database = Database::File(folder.path().join("again.db"));
    config.api_key = Some("key".into());
    for n in 0..4 {
        let server = Server::builder(config.clone()).start().await.unwrap();
        let mut wire = Wire::open(server.address()).await;
        assert_eq!(wire.ask(create(&n.to_string())).await.status, 201);
        let list = wire.ask(request("GET", "/v3/voice_out_trunks", "key", "", "")).await;
        let list: Value = serde_json::from_slice(&list.body).unwrap();
        assert_eq!(list["meta"]["total_records"], n + 1);
        let control = server.control();
        server.stop().await.unwrap();
        drop(control);
    }
}

#[tokio::test]
async fn a_dropped_test_server_closes_its_connections_and_its_port() {
    let server = TestServer::start().await;
    let address = server.server().address();
    let mut wire = Wire::open(address).await;
    assert_eq!(wire.ask(request("GET", "/v3/dids", server.api_key(), "", "")).await.status, 200);
    drop(server);
    wire.hung_up().await;
    refused(address).await;
}

/// Waits until an address refuses connections.
async fn refused(address: std::net::SocketAddr) {
    let refused = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    within("the end of listening", refused).await;
}
