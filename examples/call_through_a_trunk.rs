//! From a trunk to a call: provisions an outbound trunk, sets up a provider with it, whitelists a country,
//! places a call, and follows it to its end. One server in this process is both the platform and the carrier;
//! the call between the two is real SIP.
//!
//! `cargo run -p trunk-examples --example call_through_a_trunk`

use std::net::Ipv4Addr;
use std::time::Duration;

use didww_client::resources::{AuthenticationMethod, OnCliMismatchAction, VoiceOutTrunk};
use didww_client::values::IpNetworks;
use didww_client::{Id, Single};
use trunk_examples::Outcome;
use trunk_server::TestServer;
use trunk_server::control::customers::{CUSTOMER_ADMIN, NewCustomer, SUPER_ADMIN};
use trunk_server::voipbin::PlatformConfig;
use voipbin_client::types::{
    ActionBody, Address, Call, OutboundConfigPatch, ProviderCallCreate, ProviderCredentials, ProviderSetup,
};

/// The platform and its carrier, with a client for each.
struct World {
    server: TestServer,
    carrier: didww_client::Client,
    platform: voipbin_client::Client,
}

impl World {
    /// Starts a server in memory that has a carrier edge and a super admin for its platform. A trunk of this server
    /// leads to its own edge.
    async fn in_process() -> Outcome<Self> {
        let mut config = PlatformConfig::default();
        config.sip_bind = Some(Ipv4Addr::LOCALHOST.into());
        let server = TestServer::builder().sip().voipbin(config).start().await;
        let control = server.control();
        let customer = control.create_customer(NewCustomer::named("Example")).await?.id;
        control.create_agent(customer, "admin", "secret".into(), SUPER_ADMIN | CUSTOMER_ADMIN).await?;
        let carrier = didww_client::Client::builder(server.base_url(), server.api_key()).build()?;
        let platform = voipbin_client::Client::builder().base_url(server.voipbin_url());
        let platform = platform.login("admin", "secret").await?;
        Ok(Self { server, carrier, platform })
    }

    /// Creates a trunk for calls from this machine.
    async fn trunk(&self) -> Outcome<Single<VoiceOutTrunk>> {
        let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["127.0.0.1"])?);
        let body = VoiceOutTrunk::create("Verification", OnCliMismatchAction::SendOriginalCli, method);
        Ok(self.carrier.voice_out_trunks().create(body).await?)
    }

    /// A request that sets up a provider with the trunk. The platform fetches the SIP credentials itself and
    /// does not return them.
    fn setup(&self, trunk: &Id<VoiceOutTrunk>) -> ProviderSetup {
        let mut credentials = ProviderCredentials::new(self.server.api_key());
        credentials.base_url = Some(self.server.base_url());
        credentials.trunk_id = Some(trunk.to_string());
        ProviderSetup {
            carrier: "didww".to_owned(),
            name: "Verification".to_owned(),
            detail: String::new(),
            credentials,
        }
    }

    /// Calls a number through a new provider with the trunk, and waits until the call ends.
    async fn call(&self, trunk: &Id<VoiceOutTrunk>, number: &str) -> Outcome<Call> {
        let provider = self.platform.providers().setup(self.setup(trunk)).await?;
        println!("provider {} leads to {}", provider.id, provider.hostname);

        // Calls to a country are refused until the whitelist contains it.
        let allowed = OutboundConfigPatch::default().destination_whitelist(["gb"]);
        self.platform.outbound_config().update(allowed).await?;

        let pause = ActionBody::sleep(Duration::from_millis(300));
        let body = ProviderCallCreate::new(provider.id, [Address::tel(number)])
            .source(Address::tel("+12025550143"))
            .actions([ActionBody::answer(), pause, ActionBody::hangup()]);
        let placed = self.platform.provider_calls().create(body).await?;
        let id = *placed.call_ids.first().ok_or("no destination could be called")?;
        Ok(self.platform.calls().wait_until_hung_up(id, Duration::from_secs(30)).await?)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let world = World::in_process().await?;
    let trunk = world.trunk().await?;
    println!("trunk {} is {}", trunk.name, trunk.status.as_str());
    let call = world.call(&trunk.id, "+442079460018").await?;
    if let (Some(reason), Some(by)) = (&call.hangup_reason, &call.hangup_by) {
        let answered = if call.was_answered() { "was answered" } else { "was not answered" };
        println!("the call {answered} and ended: {reason}, by the {by} side");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use didww_client::resources::VoiceOutTrunkStatus;
    use voipbin_client::types::{HangupBy, HangupReason};

    #[tokio::test]
    async fn the_call_is_answered_and_hung_up_from_here() {
        let world = World::in_process().await.unwrap();
        let trunk = world.trunk().await.unwrap();
        let call = world.call(&trunk.id, "+442079460018").await.unwrap();
        assert!(call.was_answered());
        assert_eq!((call.hangup_reason, call.hangup_by), (Some(HangupReason::Normal), Some(HangupBy::Local)));
    }

    #[tokio::test]
    async fn a_blocked_trunk_shows_in_the_call() {
        let world = World::in_process().await.unwrap();
        let trunk = world.trunk().await.unwrap();
        let blocked = VoiceOutTrunk::patch().status(VoiceOutTrunkStatus::Blocked);
        world.carrier.voice_out_trunks().update(&trunk.id, blocked).await.unwrap();
        let call = world.call(&trunk.id, "+442079460018").await.unwrap();
        assert!(!call.was_answered());
        assert_eq!(
            (call.hangup_reason, call.hangup_by),
            (Some(HangupReason::Failed), Some(HangupBy::Remote))
        );
    }
}
