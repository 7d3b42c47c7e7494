//! Limits of the server, tested by clients that exceed them.

use std::time::Duration;

use didww_types::values::IpNetworks;
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use trunk_server::control::NewDid;
use trunk_server::serve::Limits;
use trunk_server::{Proxies, ProxyHeader, TestServer};

use crate::support::wire::{Wire, request};
use crate::support::{DEADLINE, within};

const LIST: &str = "/v3/voice_out_trunks";
/// A deadline that a test waits for.
const SHORT_DEADLINE: Duration = Duration::from_millis(150);

/// Starts a server whose limits are too high to be reached, except for this change.
async fn server(change: impl FnOnce(&mut Limits)) -> TestServer {
    let mut limits = Limits::default();
    limits.header_deadline = DEADLINE * 10;
    limits.idle_deadline = DEADLINE * 10;
    limits.body_deadline = DEADLINE * 10;
    change(&mut limits);
    TestServer::builder().api_key("key").limits(limits).start().await
}

async fn wire(server: &TestServer) -> Wire {
    Wire::open(server.server().address()).await
}

fn get() -> String {
    request("GET", LIST, "key", "", "")
}

/// Returns the code of the first error in a document.
fn code(body: &[u8]) -> Value {
    serde_json::from_slice::<Value>(body).unwrap()["errors"][0]["code"].clone()
}

#[tokio::test]
async fn half_a_head_is_hung_up_on_at_the_deadline() {
    let server = server(|limits| limits.header_deadline = SHORT_DEADLINE).await;
    let mut wire = wire(&server).await;
    wire.send("GET /v3/voice_out_trunks HTTP/1.1\r\nHost: loc").await;
    wire.hung_up().await;
}

#[tokio::test]
async fn half_a_second_head_is_hung_up_on_too() {
    let server = server(|limits| limits.header_deadline = SHORT_DEADLINE).await;
    let mut wire = wire(&server).await;
    assert_eq!(wire.ask(get()).await.status, 200);
    wire.send("GET /v3/voice_out_trunks HTTP/1.1\r\nHost: loc").await;
    wire.hung_up().await;
}

#[tokio::test]
async fn a_head_that_drips_is_hung_up_on_at_the_same_deadline() {
    let server = server(|limits| limits.header_deadline = SHORT_DEADLINE).await;
    let mut wire = wire(&server).await;
    wire.send("GET /v3/voice_out_trunks HTTP/1.1\r\nHost: localhost\r\nX-Drip: ").await;
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    let drip = async {
        while wire.send("x").await {
            pace.tick().await;
        }
    };
    within("the end of the drip", drip).await;
}

#[tokio::test]
async fn a_head_that_comes_slowly_but_in_time_is_served() {
    let server = server(|_| {}).await;
    let mut wire = wire(&server).await;
    for byte in get().as_bytes() {
        assert!(wire.send([*byte]).await);
        tokio::task::yield_now().await;
    }
    assert_eq!(wire.answer().await.status, 200);
}

#[tokio::test]
async fn a_connection_without_requests_is_hung_up_on() {
    let server = server(|limits| limits.idle_deadline = SHORT_DEADLINE).await;
    let mut silent = wire(&server).await;
    silent.hung_up().await;
    let mut once = wire(&server).await;
    assert_eq!(once.ask(get()).await.status, 200);
    once.hung_up().await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_refused_at_the_deadline() {
    let server = server(|limits| limits.body_deadline = SHORT_DEADLINE).await;
    let mut wire = wire(&server).await;
    let whole = request("POST", LIST, "key", "", &"x".repeat(100));
    wire.send(&whole[..whole.len() - 60]).await;
    let answer = wire.answer().await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("did not arrive within 0.15 seconds"), "{}", answer.text());
    wire.hung_up().await;
}

#[tokio::test]
async fn a_body_may_have_a_mebibyte_and_not_one_byte_more() {
    let server = server(|_| {}).await;
    let limit = 1 << 20;
    let chunked = |bytes: usize| {
        let head = request("POST", LIST, "key", "Transfer-Encoding: chunked\r\n", "");
        let head = head.replace("Content-Length: 0\r\n", "");
        let half = "x".repeat(bytes / 2);
        let rest = "x".repeat(bytes - bytes / 2);
        format!("{head}{:x}\r\n{half}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n", half.len(), rest.len())
    };
    let sized = |bytes: usize| request("POST", LIST, "key", "", &"x".repeat(bytes));
    for (request, status) in
        [(sized(limit), 400), (sized(limit + 1), 413), (chunked(limit), 400), (chunked(limit + 1), 413)]
    {
        let mut wire = wire(&server).await;
        // The answer arrives before the server has read the last byte.
        wire.send(&request).await;
        let answer = wire.answer().await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.text().contains("1048576 bytes"), status == 413, "{}", answer.text());
    }
}

/// Builds a request with a wrong key, which is refused before its body is read. The `Content-Length` is `announced`,
/// and `sent` bytes of the body follow.
fn refused(announced: usize, sent: usize) -> String {
    let whole = request("POST", LIST, "wrong", "", "");
    whole.replace("Content-Length: 0", &format!("Content-Length: {announced}")) + &"x".repeat(sent)
}

#[tokio::test]
async fn an_unread_body_is_skipped_and_its_connection_serves_the_next_request() {
    let server = server(|_| {}).await;
    let mut wire = wire(&server).await;
    for bytes in [1, 1 << 20] {
        assert_eq!(wire.ask(refused(bytes, bytes)).await.status, 401);
        assert_eq!(wire.ask(get()).await.status, 200, "after {bytes} bytes");
    }
}

#[tokio::test]
async fn of_an_unread_body_a_mebibyte_is_skipped_within_a_second_and_a_longer_one_is_not() {
    let server = server(|_| {}).await;
    let (mut at, mut past) = (wire(&server).await, wire(&server).await);
    let limit = 1 << 20;
    at.send(refused(4 * limit, limit)).await;
    past.send(refused(4 * limit, limit + 1)).await;
    tokio::select! {
        biased;
        _ = at.answer() => panic!("the request whose body may still end is answered first"),
        answer = past.answer() => assert_eq!(answer.status, 401),
    }
    past.hung_up().await;
    assert_eq!(at.answer().await.status, 401);
    at.hung_up().await;
}

#[tokio::test]
async fn an_endless_unread_body_ends_its_connection() {
    let server = server(|_| {}).await;
    let mut wire = wire(&server).await;
    wire.send(refused(1 << 40, 0)).await;
    let (chunk, mut taken) = ("x".repeat(64 << 10), 0);
    // The system's own buffers accept some data, too.
    while wire.send(&chunk).await {
        taken += chunk.len();
        assert!(taken < 64 << 20, "the server keeps reading");
    }
}

#[tokio::test]
async fn headers_are_limited_in_number_and_in_bytes() {
    let server = server(|_| {}).await;
    let own_headers = get().lines().filter(|line| line.contains(": ")).count();
    let many = |count: usize| (0..count).map(|n| format!("X-{n}: 1\r\n")).collect::<Vec<_>>().concat();
    for (more, status) in [
        (many(100 - own_headers), 200),
        (many(101 - own_headers), 431),
        (many(1_000), 431),
        (format!("X-Long: {}\r\n", "x".repeat(8_000)), 200),
        (format!("X-Long: {}\r\n", "x".repeat(16 * 1024)), 431),
    ] {
        let mut wire = wire(&server).await;
        wire.send(request("GET", LIST, "key", &more, "")).await;
        assert_eq!(wire.answer().await.status, status, "{} bytes of headers", more.len());
    }
    let mut wire = wire(&server).await;
    wire.send(request("GET", &format!("{LIST}?x={}", "x".repeat(20_000)), "key", "", "")).await;
    assert!([414, 431].contains(&wire.answer().await.status), "a long path");
}

#[tokio::test]
async fn json_may_be_nested_64_deep() {
    let server = server(|_| {}).await;
    let mut wire = wire(&server).await;
    for (depth, expected) in [(64, "Param not allowed"), (65, "nesting of 65 is too deep")] {
        // The outer three levels are the document, its data and its attributes.
        let inner = format!("{}{}", "[".repeat(depth - 3), "]".repeat(depth - 3));
        let body = format!(r#"{{"data":{{"type":"voice_out_trunks","attributes":{{"nothing":{inner}}}}}}}"#);
        let answer = wire.ask(request("POST", LIST, "key", "", &body)).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(expected), "{}", answer.text());
    }
    let endless = request("POST", LIST, "key", "", &"[".repeat(1 << 20));
    assert_eq!(wire.ask(endless).await.status, 400);
}

#[tokio::test]
async fn one_connection_beyond_the_limit_is_answered_503_and_served_when_another_closes() {
    let server = server(|limits| limits.connections = 3).await;
    let mut taken = Vec::new();
    for _ in 0..3 {
        let mut wire = wire(&server).await;
        assert_eq!(wire.ask(get()).await.status, 200);
        taken.push(wire);
    }
    let mut refused = wire(&server).await;
    let answer = refused.ask(get()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.hung_up().await, "");

    // Clients that send the request late, or never, also receive an answer.
    let mut late = wire(&server).await;
    late.send("GET /v3/voice_out_trunks HTTP/1.1\r\n").await;
    assert_eq!(late.answer().await.status, 503);
    assert_eq!(wire(&server).await.answer().await.status, 503);

    taken.pop();
    let room = async { while wire(&server).await.ask(get()).await.status != 200 {} };
    within("room for another connection", room).await;
}

#[tokio::test]
async fn a_client_that_never_takes_its_answers_makes_room_for_another() {
    let server = server(|limits| {
        limits.connections = 1;
        limits.idle_deadline = SHORT_DEADLINE;
    })
    .await;
    let dids = (0..1_000).map(|n| NewDid::new(format!("1202555{n:04}")).description("x".repeat(500)));
    server.control().add_dids(server.account(), dids).await.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut greedy = Wire::over(socket.connect(server.server().address()).await.unwrap());
    let page = request("GET", "/v3/dids?page[size]=1000", "key", "", "");
    assert!(greedy.send(page.repeat(40)).await);

    // The only slot is occupied by a client that does not read, until the server detects that.
    let next = async {
        loop {
            let mut patient = wire(&server).await;
            if patient.ask(get()).await.status == 200 {
                break;
            }
        }
    };
    within("the slot of the client that does not read", next).await;
}

#[tokio::test]
async fn requests_that_are_sent_ahead_are_answered_in_order() {
    let server = server(|_| {}).await;
    let mut wire = wire(&server).await;
    let create = |name: &str| {
        let method =
            json!({ "type": "credentials_and_ip", "attributes": { "allowed_sip_ips": ["203.0.113.5"] } });
        let attributes =
            json!({ "name": name, "on_cli_mismatch_action": "reject_call", "authentication_method": method });
        let body = json!({ "data": { "type": "voice_out_trunks", "attributes": attributes } });
        request("POST", LIST, "key", "", &body.to_string())
    };
    let all = [create("a"), get(), request("GET", "/v3/nothing", "key", "", ""), create("b"), get()].concat();
    // Split in the middle of a head, the hardest position.
    let (first, second) = all.split_at(all.len() - 30);
    wire.send(first).await;
    wire.send(second).await;
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(wire.answer().await);
    }
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [201, 200, 404, 201, 200]);
    let total = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["meta"]["total_records"].clone();
    assert_eq!((total(&answers[1].body), total(&answers[4].body)), (json!(1), json!(2)));
}

#[tokio::test]
async fn a_connection_that_does_not_speak_http_is_closed() {
    let server = server(|_| {}).await;
    for nonsense in [
        "\0\x01\x02\x03\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut wire = wire(&server).await;
        wire.send(nonsense).await;
        wire.hung_up().await;
    }
    let conflicting = "Transfer-Encoding: chunked\r\n";
    let mut smuggler = wire(&server).await;
    smuggler.send(request("POST", LIST, "key", conflicting, "0\r\n\r\nGET /v3/dids HTTP/1.1\r\n\r\n")).await;
    let left = smuggler.hung_up().await;
    assert!(left.matches("HTTP/1.1 ").count() <= 1, "two lengths make one request at most: {left}");
    assert_eq!(code(&wire(&server).await.ask(request("GET", LIST, "wrong", "", "")).await.body), "401");
}

/// Connects from the loopback address 127.0.0.`last`.
async fn wire_from(server: &TestServer, last: u8) -> Wire {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, last], 0).into()).unwrap();
    Wire::over(socket.connect(server.server().address()).await.unwrap())
}

#[tokio::test]
async fn one_address_has_its_connections_and_leaves_the_others_to_other_addresses() {
    let server = server(|limits| limits.connections_per_address = Some(3)).await;
    let mut taken = Vec::new();
    for _ in 0..3 {
        let mut wire = wire_from(&server, 7).await;
        assert_eq!(wire.ask(get()).await.status, 200);
        taken.push(wire);
    }
    let mut refused = wire_from(&server, 7).await;
    let answer = refused.ask(get()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(wire_from(&server, 8).await.ask(get()).await.status, 200);
    for wire in &mut taken {
        assert_eq!(wire.ask(get()).await.status, 200, "connections in use were not closed");
    }
}

#[tokio::test]
async fn where_an_address_has_all_its_connections_its_oldest_half_open_one_makes_room() {
    let server = server(|limits| limits.connections_per_address = Some(3)).await;
    let mut known = wire_from(&server, 7).await;
    assert_eq!(known.ask(get()).await.status, 200);
    let mut oldest = wire_from(&server, 7).await;
    oldest.send("GET /v3/voice_out_trunks HTTP/1.1\r\nHost:").await;
    let mut newer = wire_from(&server, 7).await;
    let mut next = wire_from(&server, 7).await;
    assert_eq!(next.ask(get()).await.status, 200);
    oldest.hung_up().await;
    for wire in [&mut known, &mut newer, &mut next] {
        assert_eq!(wire.ask(get()).await.status, 200);
    }
}

#[tokio::test]
async fn where_all_connections_are_taken_half_open_ones_make_room_and_those_that_were_served_do_not() {
    let server = server(|limits| limits.connections = 3).await;
    let mut known = wire(&server).await;
    assert_eq!(known.ask(get()).await.status, 200);
    let mut half_open = [wire_from(&server, 7).await, wire_from(&server, 8).await];
    for wire in &mut half_open {
        wire.send("GET /v3/").await;
    }
    let mut next = [wire_from(&server, 9).await, wire_from(&server, 10).await];
    for wire in &mut next {
        assert_eq!(wire.ask(get()).await.status, 200);
    }
    for wire in &mut half_open {
        wire.hung_up().await;
    }
    assert_eq!(known.ask(get()).await.status, 200);
    assert_eq!(
        wire(&server).await.ask(get()).await.status,
        503,
        "no connection is left that could be closed"
    );
}

#[tokio::test]
async fn where_all_connections_await_a_body_one_of_the_address_with_most_makes_room() {
    let server = server(|limits| (limits.connections, limits.connections_per_address) = (20, Some(19))).await;
    let whole = request("POST", LIST, "key", "", &"x".repeat(100));
    let mut slow = Vec::new();
    for last in [[8].as_slice(), &[7; 19]].concat() {
        let mut wire = wire_from(&server, last).await;
        wire.send(&whole[..whole.len() - 60]).await;
        slow.push(wire);
    }
    let room = async { while wire_from(&server, 9).await.ask(get()).await.status != 200 {} };
    within("room for another address", room).await;
    assert_eq!(slow[0].ask(&whole[whole.len() - 60..]).await.status, 400, "its address has few");
}

#[tokio::test]
async fn each_connection_beyond_the_limit_is_answered_503() {
    more_files();
    let server = server(|limits| limits.connections = 1).await;
    let mut known = wire(&server).await;
    assert_eq!(known.ask(get()).await.status, 200);
    let mut refused = Vec::new();
    for _ in 0..1_000 {
        refused.push(wire_from(&server, 7).await);
    }
    for wire in &mut refused {
        // A connection that was answered before its request may be closed by now.
        let _sent = wire.send(get()).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    }
    assert_eq!(known.ask(get()).await.status, 200);
}

/// Starts a server behind a proxy on this machine that allows two wrong keys from each client.
async fn behind_a_proxy(header: ProxyHeader) -> TestServer {
    let networks = IpNetworks::parse(["127.0.0.1"]).unwrap();
    let mut limits = Limits::default();
    limits.guesses.of_source = 2;
    let builder = TestServer::builder().api_key("key").limits(limits);
    let server = builder.proxies(Proxies::new(&networks, header)).start().await;
    server.control().clock().freeze(None);
    server
}

#[tokio::test]
async fn wrong_keys_are_counted_by_client_and_a_key_that_was_right_before_is_still_served() {
    let server = behind_a_proxy(ProxyHeader::Either).await;
    let mut wire = wire(&server).await;
    let mut ask = async |key: &str, more: &str| wire.ask(request("GET", LIST, key, more, "")).await;
    let (guesser, other) =
        ("X-Forwarded-For: 203.0.113.1, 198.51.100.7\r\n", "X-Forwarded-For: 198.51.100.8\r\n");
    for key in ["a", "b"] {
        assert_eq!(ask(key, guesser).await.status, 401);
    }
    // The entries before the last hop are forged by the client.
    let spoofed = "X-Forwarded-For: 203.0.113.2, 198.51.100.7\r\n";
    let (wrong, right) = (ask("c", spoofed).await, ask("key", guesser).await);
    assert_eq!((wrong.status, right.status), (429, 429), "right and wrong are refused alike");
    assert_eq!(wrong.text(), right.text());
    assert_eq!(ask("key", other).await.status, 200, "another client is not affected");
    for key in ["a", "b"] {
        assert_eq!(ask(key, other).await.status, 401);
    }
    assert_eq!(ask("c", other).await.status, 429);
    assert_eq!(ask("key", other).await.status, 200, "this key was right from this address before");
    server.control().clock().advance(Duration::from_secs(30));
    assert_eq!(ask("key", guesser).await.status, 200);
}

#[tokio::test]
async fn forwarding_headers_of_a_peer_that_is_no_trusted_proxy_are_ignored() {
    let server = behind_a_proxy(ProxyHeader::XForwardedFor).await;
    let mut statuses = Vec::new();
    for n in 0..3 {
        let forwarded = format!("X-Forwarded-For: 198.51.100.{n}\r\nForwarded: for=198.51.100.{n}\r\n");
        let asked = request("GET", LIST, "wrong", &forwarded, "");
        statuses.push(wire_from(&server, 7).await.ask(asked).await.status);
    }
    assert_eq!(statuses, [401, 401, 429]);
}

#[tokio::test]
async fn a_request_without_a_key_is_no_guess() {
    let server = behind_a_proxy(ProxyHeader::Either).await;
    let mut wire = wire(&server).await;
    let without = get().replace("Api-Key: key\r\n", "").replace("api-key: key\r\n", "");
    assert!(!without.contains("key"));
    for _ in 0..5 {
        assert_eq!(wire.ask(&without).await.status, 401);
    }
    assert_eq!(wire.ask(get()).await.status, 200);
}

#[tokio::test]
async fn two_thousand_half_open_connections_do_not_keep_others_from_being_served() {
    more_files();
    let server = server(|limits| limits.connections = 1_000).await;
    let mut half_open = Vec::new();
    for n in 0..2_000 {
        let mut wire = wire_from(&server, 7).await;
        if n % 2 == 0 {
            wire.send("GET /v3/voice_out_trunks HTTP/1.1\r\nHost:").await;
        }
        half_open.push(wire);
    }
    for _ in 0..10 {
        assert_eq!(wire(&server).await.ask(get()).await.status, 200);
    }
}

/// Raises this process's limit on open files as far as allowed: both ends of the connections are its own.
fn more_files() {
    let raised = std::process::Command::new("prlimit")
        .args(["--nofile=8192:", "--pid", &std::process::id().to_string()])
        .status();
    assert!(raised.is_ok_and(|status| status.success()), "prlimit raises the limit on open files");
}
