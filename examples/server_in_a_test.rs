//! The server inside `cargo test`: a function of a program, and the tests that its author would write.
//!
//! `cargo test -p trunk-examples --example server_in_a_test`

use didww_client::resources::{DidFilter, VoiceOutTrunk, VoiceOutTrunkFilter};
use didww_client::{Client, Error};
use trunk_examples::{Outcome, Service};

/// The outcome of a request for a caller number.
#[derive(Debug, PartialEq, Eq)]
enum Allowed {
    Yes,
    NoSuchNumber,
    NoSuchTrunk,
}

/// Adds a caller number to a trunk: the function under test.
async fn allow_caller(client: &Client, trunk: &str, number: &str) -> Result<Allowed, Error> {
    let trunks = client.voice_out_trunks();
    let named = trunks.list().filter(VoiceOutTrunkFilter::name(trunk)).await?.items;
    let Some(trunk) = named.into_iter().find(|found| found.name == trunk) else {
        return Ok(Allowed::NoSuchTrunk);
    };
    let numbered = client.dids().list().filter(DidFilter::number(number)).await?.items;
    let Some(did) = numbered.into_iter().find(|found| found.number == number) else {
        return Ok(Allowed::NoSuchNumber);
    };
    trunks.to_many(&trunk.id, VoiceOutTrunk::DIDS).add([did.id]).await?;
    Ok(Allowed::Yes)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let service = Service::from_environment().await?;
    println!(
        "a trunk that is not there: {:?}",
        allow_caller(&service.client, "Nowhere", "37061498222").await?
    );
    println!("`cargo test -p trunk-examples --example server_in_a_test` runs the tests of this file.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use didww_client::resources::{AuthenticationMethod, OnCliMismatchAction};
    use didww_client::values::IpNetworks;
    use trunk_server::TestServer;
    use trunk_server::control::{AccountPatch, NewDid};

    fn client(server: &TestServer) -> Client {
        Client::builder(server.base_url(), server.api_key()).build().unwrap()
    }

    async fn create(client: &Client, name: &str) -> VoiceOutTrunk {
        let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.7"]).unwrap());
        let body = VoiceOutTrunk::create(name, OnCliMismatchAction::RejectCall, method);
        client.voice_out_trunks().create(body).await.unwrap().into_inner()
    }

    #[tokio::test]
    async fn a_number_of_the_account_may_be_called_as() {
        let server = TestServer::start().await;
        server.control().add_did(server.account(), NewDid::new("37061498222")).await.unwrap();
        let client = client(&server);
        let trunk = create(&client, "Vilnius").await;

        assert_eq!(allow_caller(&client, "Vilnius", "37061498222").await.unwrap(), Allowed::Yes);
        let dids = client.voice_out_trunks().to_many(&trunk.id, VoiceOutTrunk::DIDS).related();
        let numbers: Vec<String> = dids.all().await.unwrap().into_iter().map(|did| did.number).collect();
        assert_eq!(numbers, ["37061498222"]);
    }

    #[tokio::test]
    async fn a_trunk_whose_name_is_a_part_of_the_wanted_one_is_left_alone() {
        let server = TestServer::start().await;
        server.control().add_did(server.account(), NewDid::new("37061498222")).await.unwrap();
        let client = client(&server);
        create(&client, "Vilnius").await;
        assert_eq!(allow_caller(&client, "Vilnius, old", "37061498222").await.unwrap(), Allowed::NoSuchTrunk);
    }

    #[tokio::test]
    async fn a_foreign_number_and_an_unknown_trunk_are_told_apart() {
        let server = TestServer::start().await;
        let client = client(&server);
        create(&client, "Vilnius").await;
        assert_eq!(allow_caller(&client, "Vilnius", "442079460018").await.unwrap(), Allowed::NoSuchNumber);
        assert_eq!(allow_caller(&client, "Riga", "442079460018").await.unwrap(), Allowed::NoSuchTrunk);
    }

    /// A stub that was written by hand would not have this rule.
    #[tokio::test]
    async fn an_account_without_an_outbound_plan_is_an_error_and_not_an_absent_trunk() {
        let server = TestServer::start().await;
        let mut patch = AccountPatch::default();
        patch.features = Some(Vec::new());
        server.control().update_account(server.account(), patch).await.unwrap();
        let error = allow_caller(&client(&server), "Vilnius", "37061498222").await.unwrap_err();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(403), "{error}");
    }

    #[tokio::test]
    async fn time_is_the_tests_own() {
        let server = TestServer::start().await;
        let at = "2026-04-08T06:57:33.304Z".parse().unwrap();
        server.control().clock().freeze(Some(at));
        assert_eq!(create(&client(&server), "Vilnius").await.created_at, at);
    }
}
