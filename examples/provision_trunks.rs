//! Provisions the three trunks of the examples in DIDWW's documentation. A trunk that exists is left
//! unchanged, so the program can be run repeatedly.
//!
//! `cargo run -p trunk-examples --example provision_trunks`

use didww_client::resources::{
    AuthenticationMethod, Did, DstPrefixes, OnCliMismatchAction, VoiceOutTrunk, VoiceOutTrunkCreate,
    VoiceOutTrunkFilter, VoiceOutTrunkStatus,
};
use didww_client::values::{CallbackUrl, CapacityLimit, DstPrefix, IpNetworks, ThresholdAmount, ValueError};
use didww_client::{Client, Id, Single};
use trunk_examples::{Outcome, Service};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let service = Service::from_environment().await?;
    for trunk in provision(&service.client).await? {
        println!("{}: {}, {}", trunk.name, trunk.status.as_str(), trunk.id);
        if let Some((username, _password)) = trunk.credentials() {
            println!("  calls are authenticated as {username}");
        }
        let addresses = trunk.authentication_method.allowed_sip_ips().map_or(&[][..], IpNetworks::texts);
        println!("  from {}", addresses.join(", "));
        if let Some(amount) = trunk.threshold_amount {
            println!("  at most {amount} US dollars in 24 hours, {} spent", trunk.meta.spent_amount);
        }
    }
    Ok(())
}

async fn provision(client: &Client) -> Outcome<Vec<Single<VoiceOutTrunk>>> {
    let did = client.dids().list().page_size(1).await?.items.into_iter().next();
    let did = did.ok_or("the account has no DID for the third trunk")?;
    let mut trunks = Vec::new();
    for body in [open()?, blocked()?, bound_to(&did.id)?] {
        trunks.push(ensure(client, body).await?);
    }
    Ok(trunks)
}

/// Returns the existing trunk of exactly this name unchanged, or creates it. The filter's results are
/// compared with the name, because writing to a trunk with only a similar name would be worse than an error.
async fn ensure(client: &Client, body: VoiceOutTrunkCreate) -> Outcome<Single<VoiceOutTrunk>> {
    let trunks = client.voice_out_trunks();
    let same_name = trunks.list().filter(VoiceOutTrunkFilter::name(body.name.as_str())).await?;
    Ok(match same_name.items.iter().find(|trunk| trunk.name == body.name) {
        Some(trunk) => trunks.get(&trunk.id).await?,
        None => trunks.create(body).await?,
    })
}

/// The attributes that all three trunks share.
fn trunk(name: &str, most_calls: u32, threshold: &str) -> Result<VoiceOutTrunkCreate, ValueError> {
    let office = IpNetworks::parse(["192.168.1.1"])?;
    let method = AuthenticationMethod::credentials_and_ip(office.clone());
    Ok(VoiceOutTrunk::create(name, OnCliMismatchAction::SendOriginalCli, method)
        .allowed_rtp_ips(office)
        .capacity_limit(CapacityLimit::new(most_calls)?)
        .threshold_amount(threshold.parse::<ThresholdAmount>()?))
}

/// Any DID of the account may be the caller number; one prefix cannot be called.
fn open() -> Result<VoiceOutTrunkCreate, ValueError> {
    let body = trunk("Outbound trunk 11", 100, "9999.0")?;
    Ok(body.allow_any_did_as_cli(true).dst_prefixes(prefixes(["23"])?))
}

/// Accepts no calls yet, and has a callback URL that is notified when its threshold blocks or unblocks it.
fn blocked() -> Result<VoiceOutTrunkCreate, ValueError> {
    Ok(trunk("Outbound callback", 300, "1000.0")?
        .allow_any_did_as_cli(true)
        .status(VoiceOutTrunkStatus::Blocked)
        .dst_prefixes(prefixes(["23", "45"])?)
        .callback_url(CallbackUrl::new("http://example.com")?)
        .force_symmetric_rtp(true)
        .rtp_ping(true))
}

/// Only this DID may be the caller number.
fn bound_to(did: &Id<Did>) -> Result<VoiceOutTrunkCreate, ValueError> {
    let body = trunk("Outbound trunk 100", 300, "1000.0")?;
    Ok(body.callback_url(CallbackUrl::new("http://example.com")?).dids([did]))
}

fn prefixes<const N: usize>(texts: [&str; N]) -> Result<DstPrefixes, ValueError> {
    let prefixes: Result<Vec<DstPrefix>, ValueError> = texts.into_iter().map(DstPrefix::new).collect();
    DstPrefixes::new(prefixes?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use didww_client::{ApiVersion, Method};
    use serde_json::Value;
    use trunk_server::{TestServer, control::NewDid};

    const DOCUMENTED: [&str; 3] = [
        include_str!("../fixtures/founding/create_active.response.json"),
        include_str!("../fixtures/founding/create_blocked_with_callback.response.json"),
        include_str!("../fixtures/founding/create_with_dids.response.json"),
    ];

    #[tokio::test]
    async fn the_trunks_are_those_of_the_documentation() {
        let server = TestServer::start().await;
        server.control().add_did(server.account(), NewDid::new("37061498222")).await.unwrap();
        let client = |version| {
            let builder = Client::builder(server.base_url(), server.api_key());
            builder.api_version(version).build().unwrap()
        };
        let trunks = provision(&client(ApiVersion::NEWEST)).await.unwrap();
        let flat = client(ApiVersion::V2021_12_15);
        for (trunk, documented) in trunks.iter().zip(DOCUMENTED) {
            let documented: Value = serde_json::from_str(documented).unwrap();
            let path = format!("/voice_out_trunks/{}", trunk.id);
            let read = flat.raw(Method::GET, &path).await.unwrap().json().unwrap();
            for (name, value) in documented["data"]["attributes"].as_object().unwrap() {
                // Generated by the service, or, for one name, an error in the documentation.
                let own = ["username", "password", "created_at", "name"].contains(&name.as_str());
                assert!(own || read["data"]["attributes"][name] == *value, "{name} of {}", trunk.name);
            }
        }
    }

    #[tokio::test]
    async fn a_name_with_a_comma_is_another_name_than_its_parts() {
        let service = Service::in_process().await.unwrap();
        let mut ids = Vec::new();
        for name in ["Sales", " North", "Sales, North", "Sales, \"North\"", "Sales, North"] {
            let found = ensure(&service.client, trunk(name, 1, "1.0").unwrap()).await.unwrap();
            assert_eq!(found.name, name);
            ids.push(found.into_inner().id);
        }
        assert_eq!(ids.last(), ids.get(2), "the fifth is the third again");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4);
    }

    #[tokio::test]
    async fn a_second_run_makes_nothing_new() {
        let service = Service::in_process().await.unwrap();
        let ids = |trunks: Vec<Single<VoiceOutTrunk>>| {
            trunks.into_iter().map(|trunk| trunk.into_inner().id).collect::<Vec<_>>()
        };
        let first = ids(provision(&service.client).await.unwrap());
        assert_eq!(ids(provision(&service.client).await.unwrap()), first);
        assert_eq!(service.client.voice_out_trunks().list().await.unwrap().total, Some(3));
    }
}
