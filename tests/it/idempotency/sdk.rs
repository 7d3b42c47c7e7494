//! The SDKs with idempotency keys, over a connection that is cut after the server has done the write.

use std::net::SocketAddr;
use std::time::Duration;

use didww_client::resources::{AuthenticationMethod, OnCliMismatchAction, VoiceOutTrunk};
use didww_client::values::IpNetworks;
use didww_client::{ApiVersion, RetryPolicy, TransportKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use voipbin_client::types::ProviderBody;

use super::door::{Door, Doors};

/// Starts a proxy that passes the first request on, and closes the connection when the server's answer begins. Further
/// connections are passed on as they are.
async fn cutting_proxy(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for connection in 0..100 {
            let Ok((mut client, _)) = listener.accept().await else { return };
            let mut upstream = TcpStream::connect(server).await.unwrap();
            if connection > 0 {
                tokio::spawn(async move {
                    let _ended = copy_bidirectional(&mut client, &mut upstream).await;
                });
                continue;
            }
            let (mut from_client, mut from_server) = ([0; 4_096], [0; 1]);
            loop {
                tokio::select! {
                    read = client.read(&mut from_client) => {
                        let read = read.unwrap();
                        upstream.write_all(&from_client[..read]).await.unwrap();
                    }
                    read = upstream.read(&mut from_server) => {
                        assert_eq!(read.unwrap(), 1, "the server answers");
                        break;
                    }
                }
            }
        }
    });
    address
}

fn retry() -> RetryPolicy {
    RetryPolicy::default().base_wait(Duration::ZERO)
}

fn trunk() -> didww_client::resources::VoiceOutTrunkCreate {
    let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.5"]).unwrap());
    VoiceOutTrunk::create("Once", OnCliMismatchAction::RejectCall, method)
}

/// At a version without access tokens, so that the first request is the create.
fn didww_builder(base: String, key: &str) -> didww_client::ClientBuilder {
    let builder = didww_client::Client::builder(base, key).api_version(ApiVersion::V2026_04_16);
    builder.retry(retry())
}

async fn base(doors: &Doors, path: &str) -> String {
    format!("http://{}{path}", cutting_proxy(doors.server.server().address()).await)
}

#[tokio::test]
async fn a_create_of_the_didww_client_is_repeated_with_its_key_and_has_one_effect() {
    let doors = Doors::start().await;
    let key = doors.server.api_key();
    let client = didww_builder(base(&doors, "/v3").await, key);
    let created =
        client.idempotency_keys().build().unwrap().voice_out_trunks().create(trunk()).await.unwrap();
    assert_eq!(created.name, "Once");
    assert_eq!(doors.didww.count().await, 1);
}

#[tokio::test]
async fn a_create_of_the_didww_client_without_a_key_is_not_repeated() {
    let doors = Doors::start().await;
    let key = doors.server.api_key();
    let client = didww_builder(base(&doors, "/v3").await, key).build().unwrap();
    let error = client.voice_out_trunks().create(trunk()).await.unwrap_err();
    let didww_client::Error::Transport(error) = error else { panic!("{error}") };
    assert_eq!((error.kind, error.exchange.attempts), (TransportKind::Interrupted, 1));
    assert_eq!(doors.didww.count().await, 1, "the server has done the write");
}

#[tokio::test]
async fn a_key_of_the_programs_own_repeats_a_create_of_an_earlier_run() {
    let doors = Doors::start().await;
    let create = async || {
        let client = didww_client::Client::builder(doors.server.base_url(), doors.server.api_key());
        let key = didww_client::IdempotencyKey::new("trunk of \"order\" 7").unwrap();
        let client = client.build().unwrap().with_idempotency_key(key);
        client.voice_out_trunks().create(trunk()).await.unwrap()
    };
    let (first, second) = (create().await, create().await);
    assert_eq!(first.id, second.id);
    assert_eq!(doors.didww.count().await, 1);
}

fn providers(door: &Door, base: String) -> voipbin_client::ClientBuilder {
    let cookie = door.headers["cookie"].to_str().unwrap();
    let key = cookie.strip_prefix("accesskey=").unwrap();
    voipbin_client::Client::builder().base_url(base).access_key(key.to_owned()).retry(retry())
}

#[tokio::test]
async fn a_create_of_the_voipbin_client_is_repeated_with_its_key_and_has_one_effect() {
    let doors = Doors::start().await;
    let body = || ProviderBody { hostname: "a.test".to_owned(), ..ProviderBody::default() };
    let client = providers(&doors.voipbin, base(&doors, "/v1.0").await).idempotency_keys().build().unwrap();
    client.providers().create(body()).await.unwrap();
    assert_eq!(doors.voipbin.count().await, 1);

    let client = providers(&doors.voipbin, base(&doors, "/v1.0").await).build().unwrap();
    let error = client.providers().create(body()).await.unwrap_err();
    assert!(matches!(error, voipbin_client::Error::Transport(_)), "without a key: {error}");
    assert_eq!(doors.voipbin.count().await, 2);

    let key = voipbin_client::IdempotencyKey::new("provider of today").unwrap();
    let client = client.with_idempotency_key(key);
    let (first, second) = (client.providers().create(body()).await, client.providers().create(body()).await);
    assert_eq!(first.unwrap().id, second.unwrap().id);
    assert_eq!(doors.voipbin.count().await, 3);
}
