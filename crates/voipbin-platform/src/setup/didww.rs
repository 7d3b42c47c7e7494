//! The setup at DIDWW: a new outbound trunk, or an existing one that the request names.

use std::time::Duration;

use didww_client::resources::{AuthenticationMethod, OnCliMismatchAction, VoiceOutTrunk};
use didww_client::{Client, Error, Id};
use didww_types::values::IpNetworks;
use futures_util::FutureExt as _;
use serde_json::Value;
use trunk_rules::outbound::{ProviderHost, canonical_host};
use voipbin_types::{Provider, ProviderCredentials, ProviderSetup};

use super::carrier::{CarrierError, CarrierTrunk, TrunkLogin, TrunkNotes, metadata};
use super::own_trunk;
use crate::config::EDGE_HOST;
use crate::platform::Platform;
use crate::records::providers::SipCredentials;

/// The host that takes the calls of DIDWW's trunks: the documented one in New York. A super admin can change
/// it on the provider.
const HOST: &str = "nyc.us.out.didww.com";

/// The members of a provider's metadata.
const TRUNK_ID: &str = "didww_trunk_id";
const TRUNK_NAME: &str = "didww_trunk_name";
const BASE_URL: &str = "didww_base_url";

pub(super) async fn set_up(setup: &ProviderSetup, platform: &Platform) -> Result<CarrierTrunk, CarrierError> {
    let config = &platform.config;
    let existing = named_trunk(&setup.credentials).map(Id::from);
    let client = client(&setup.credentials, base_url(&setup.credentials), config.carrier_timeouts.setup)?;
    let trunks = client.voice_out_trunks();
    let (trunk, undo) = if let Some(id) = existing {
        let trunk = trunks.get(&id).await?.into_inner();
        warn_if_open(&setup.name, &trunk);
        (trunk, std::future::ready(()).boxed())
    } else {
        let networks = config.source_networks();
        if config.accepts_every_source() {
            tracing::warn!(
                name = setup.name,
                "a new trunk at didww accepts calls from every address that knows its credentials; to limit it, \
                 set voipbin.source_networks to the addresses that calls come from"
            );
        }
        let method = AuthenticationMethod::credentials_and_ip(networks);
        let body = VoiceOutTrunk::create(&setup.name, OnCliMismatchAction::SendOriginalCli, method);
        let trunk = trunks.create(body).await?.into_inner();
        let undo = delete_trunk(client, trunk.id.clone()).boxed();
        (trunk, undo)
    };
    let is_own = own_trunk::is_served_here(platform, &setup.credentials.api_key, trunk.id.as_str()).await;
    let hostname = if is_own && !platform.config.maps(HOST) { EDGE_HOST } else { HOST };
    let TrunkLogin { sip, trunk: notes } = login(&trunk, base_url(&setup.credentials));
    let TrunkNotes { tech_prefix, metadata, allowed_sip_ips } = notes.unwrap_or_default();
    let allowed_sip_ips = if is_own { IpNetworks::default() } else { allowed_sip_ips };
    Ok(CarrierTrunk { hostname, tech_prefix, metadata, sip, allowed_sip_ips, undo })
}

/// The present SIP credentials of the trunk that a provider references, or of the one that the request names.
pub(super) async fn read_login(
    provider: &Provider,
    credentials: &ProviderCredentials,
    platform: &Platform,
) -> Result<TrunkLogin, CarrierError> {
    let host = ProviderHost::parse(&provider.hostname).map_or("", |read| read.host);
    if canonical_host(host) != EDGE_HOST && !has_host(host) {
        let sentence = "The provider's hostname is none of DIDWW's, so that it must not receive credentials of DIDWW's; \
                        send the username and the password that its carrier has for it.";
        return Err(CarrierError::Unfit(sentence.to_owned()));
    }
    let noted = |name: &str| provider.metadata.get(name).and_then(Value::as_str).map(str::to_owned);
    let Some(id) = named_trunk(credentials).map(str::to_owned).or_else(|| noted(TRUNK_ID)) else {
        let sentence = "The provider references no trunk at DIDWW; name one in credentials.trunk_id.";
        return Err(CarrierError::Unfit(sentence.to_owned()));
    };
    let named = credentials.base_url.clone().filter(|url| !url.is_empty());
    let base = named.or_else(|| noted(BASE_URL)).unwrap_or_else(|| didww_client::PRODUCTION.to_owned());
    let client = client(credentials, &base, platform.config.carrier_timeouts.setup)?;
    let trunk = client.voice_out_trunks().get(&Id::from(id.as_str())).await?.into_inner();
    warn_if_open(&provider.name, &trunk);
    let mut login = login(&trunk, &base);
    let is_own = own_trunk::is_served_here(platform, &credentials.api_key, trunk.id.as_str()).await;
    if let Some(notes) = login.trunk.as_mut().filter(|_| is_own) {
        notes.allowed_sip_ips = IpNetworks::default();
    }
    Ok(login)
}

/// Logs that a trunk which exists already takes calls from any address.
fn warn_if_open(name: &str, trunk: &VoiceOutTrunk) {
    if allowed_sip_ips(trunk).has_every_address() {
        tracing::warn!(
            name,
            trunk = trunk.id.as_str(),
            "the trunk of a provider at didww accepts calls from every address; to limit it, change its \
             allowed_sip_ips there"
        );
    }
}

fn allowed_sip_ips(trunk: &VoiceOutTrunk) -> IpNetworks {
    trunk.authentication_method.allowed_sip_ips().cloned().unwrap_or_default()
}

fn named_trunk(credentials: &ProviderCredentials) -> Option<&str> {
    credentials.trunk_id.as_deref().filter(|id| !id.is_empty())
}

fn base_url(credentials: &ProviderCredentials) -> &str {
    credentials.base_url.as_deref().filter(|url| !url.is_empty()).unwrap_or(didww_client::PRODUCTION)
}

fn client(credentials: &ProviderCredentials, base: &str, timeout: Duration) -> Result<Client, Error> {
    Client::builder(base, credentials.api_key.expose()).timeout(timeout).build()
}

fn login(trunk: &VoiceOutTrunk, base: &str) -> TrunkLogin {
    let notes = TrunkNotes {
        tech_prefix: trunk.authentication_method.tech_prefix().map(ToString::to_string).unwrap_or_default(),
        metadata: metadata([
            (TRUNK_ID, trunk.id.as_str().to_owned()),
            (TRUNK_NAME, trunk.name.clone()),
            (BASE_URL, base.to_owned()),
        ]),
        allowed_sip_ips: allowed_sip_ips(trunk),
    };
    let sip = trunk.credentials().map(|(username, password)| SipCredentials {
        username: username.to_owned(),
        password: password.clone(),
    });
    TrunkLogin { sip, trunk: Some(notes) }
}

async fn delete_trunk(client: Client, trunk: Id<VoiceOutTrunk>) {
    if let Err(why) = client.voice_out_trunks().delete(&trunk).await {
        tracing::error!(%why, trunk = trunk.as_str(), "an unused trunk could not be deleted at the carrier");
    }
}

/// Whether a host is one of DIDWW's, which all accept the same trunks.
pub(super) fn has_host(hostname: &str) -> bool {
    hostname.to_ascii_lowercase().ends_with(".out.didww.com")
}

impl From<Error> for CarrierError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthorized(_) => Self::Credentials,
            Error::Validation(_) | Error::NotFound(_) | Error::NotSent(_) => Self::Refused(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}
