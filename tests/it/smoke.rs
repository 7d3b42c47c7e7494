//! One create and one read through SDK, server and store.

use didww_client::Client;
use didww_client::resources::{AuthenticationMethod, OnCliMismatchAction, VoiceOutTrunk};
use didww_client::values::IpNetworks;

use crate::support::api::Api;
use crate::support::binary::Binary;
use crate::support::engine;

#[tokio::test]
async fn a_trunk_that_the_sdk_creates_is_read_back() {
    let server = engine::builder().start().await;
    let client = Client::builder(server.base_url(), server.api_key()).build().unwrap();
    let networks = IpNetworks::parse(["203.0.113.5"]).unwrap();
    let body = VoiceOutTrunk::create(
        "Main",
        OnCliMismatchAction::RejectCall,
        AuthenticationMethod::credentials_and_ip(networks),
    );
    let created = client.voice_out_trunks().create(body).await.unwrap();
    let read = client.voice_out_trunks().get(&created.id).await.unwrap();
    assert_eq!(read.name, "Main");
    assert_eq!(read.credentials(), created.credentials());
    assert!(read.credentials().is_some());
}

#[tokio::test]
async fn the_binary_starts_says_where_and_serves_what_it_says() {
    let binary = Binary::start(&["--ephemeral", "--api-key", "good", "--demo"]);
    let api = Api::new(&binary.base, "good");
    assert_eq!(api.get("/dids").await.at("/meta/total_records"), 6);
    assert_eq!(binary.terminate(), Some(0));
}
