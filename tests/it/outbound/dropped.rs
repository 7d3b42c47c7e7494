//! A server that is dropped without a stop leaves nothing behind in its process: no call, no port, no
//! database.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use trunk_server::Server;
use trunk_server::config::{Config, Database, SipConfig};
use trunk_server::control::customers::{CUSTOMER_ADMIN, NewCustomer, SUPER_ADMIN};
use voipbin_client::types::{CallStatus, OutboundConfigPatch, ProviderBody, ProviderSetup, Secret};
use voipbin_client::types::{Provider, ProviderCredentials};

use super::sipp_carrier::{Sipp, Steps};
use super::stage::*;
use crate::sip::edge::until;

fn config(folder: &Path) -> Config {
    let mut config = Config::default();
    "127.0.0.1:0".clone_into(&mut config.listen);
    config.control_listen = None;
    config.database = Database::File(folder.join("trunks.db"));
    config.api_key = Some(Secret::new("key"));
    config.sip = Some(SipConfig::at("127.0.0.1:0"));
    let platform = &mut config.voipbin.platform;
    platform.sip_bind = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    platform.probe_interval = Duration::ZERO;
    platform.hosts = BTreeMap::from([("out.didww.com".to_owned(), "edge".to_owned())]);
    config
}

/// A client of the platform, logged in as the super admin.
async fn platform(server: &Server) -> voipbin_client::Client {
    log_in(&server.voipbin_url(), "root", "correct horse").await
}

async fn placed(platform: &voipbin_client::Client, provider: &Provider) -> uuid::Uuid {
    let id = platform.provider_calls().create(long_call(provider)).await.unwrap().call_ids[0];
    until("the call is up", async || {
        Some(platform.calls().get(id).await.unwrap()).filter(|call| call.status == CallStatus::Progressing)
    })
    .await;
    id
}

#[tokio::test]
async fn a_server_that_is_dropped_hangs_up_and_lets_its_database_go() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::builder(config(folder.path())).start().await.unwrap();
    let control = server.control();
    let customer = control.create_customer(NewCustomer::named("Platform")).await.unwrap().id;
    let permission = SUPER_ADMIN | CUSTOMER_ADMIN;
    control.create_agent(customer, "root", Secret::new("correct horse"), permission).await.unwrap();
    let client = platform(&server).await;
    let patch = OutboundConfigPatch::default().destination_whitelist(["gb"]);
    client.outbound_config().update(patch).await.unwrap();
    // One call to an external callee, and one through a trunk of the server's own edge.
    let callee = Sipp::start(&Steps::invited().answered().hung_up(), 1);
    let elsewhere = client.providers().create(ProviderBody::sip("sipp", callee.host())).await.unwrap();
    let mut credentials = ProviderCredentials::new("key");
    credentials.base_url = Some(server.base_url());
    let setup = ProviderSetup {
        carrier: "didww".to_owned(),
        name: "A".to_owned(),
        credentials,
        ..Default::default()
    };
    let here = client.providers().setup(setup).await.unwrap();
    let calls = [placed(&client, &elsewhere).await, placed(&client, &here).await];
    assert_eq!(control.active_calls().unwrap().len(), 1);
    drop(control);

    let sip = server.sip_address().unwrap();
    drop(server);
    callee.went_as_written().await;
    let server = until("the database can be opened again", async || {
        Server::builder(config(folder.path())).start().await.ok()
    })
    .await;
    until("the port is free", async || std::net::UdpSocket::bind(sip).ok()).await;
    let client = platform(&server).await;
    for id in calls {
        let call = client.calls().get(id).await.unwrap();
        assert_eq!((&call.status, hangup_of(&call)), (&CallStatus::Hangup, hangup("normal", "local")));
    }
    let records = server.control().call_records(trunk_server::store::CallQuery::default()).await.unwrap();
    assert_eq!(records.len(), 1, "the edge's call was recorded before");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_without_calls_is_gone_when_it_was_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::builder(config(folder.path())).start().await.unwrap();
    let sip = server.sip_address().unwrap();
    let control = server.control();
    drop(server);
    until("the port is free", async || std::net::UdpSocket::bind(sip).ok()).await;
    assert!(control.active_calls().is_err(), "there is no edge any more");
    drop(control);
    until("the database can be opened again", async || {
        Server::builder(config(folder.path())).start().await.ok()
    })
    .await;
}
