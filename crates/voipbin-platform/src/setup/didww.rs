//! The setup at DIDWW: a new outbound trunk, or an existing one that the request names.

use std::time::Duration;

use didww_client::resources::{AuthenticationMethod, OnCliMismatchAction, VoiceOutTrunk};
use didww_client::{ApiVersion, Client, Error, Id};
use futures_util::FutureExt as _;
use voipbin_types::{ProviderCredentials, ProviderSetup};

use super::carrier::{CarrierError, CarrierTrunk, metadata};
use crate::config::PlatformConfig;
use crate::records::providers::SipCredentials;

/// The host that takes the calls of DIDWW's trunks: the documented one in New York. A super admin can change
/// it on the provider.
const HOST: &str = "nyc.us.out.didww.com";

pub(super) async fn set_up(
    setup: &ProviderSetup,
    config: &PlatformConfig,
) -> Result<CarrierTrunk, CarrierError> {
    let existing = setup.credentials.trunk_id.as_deref().filter(|id| !id.is_empty()).map(Id::from);
    let client = client(&setup.credentials, config.carrier_timeouts.setup)?;
    let trunks = client.voice_out_trunks();
    let (trunk, undo) = if let Some(id) = existing {
        (trunks.get(&id).await?.into_inner(), std::future::ready(()).boxed())
    } else {
        let method = AuthenticationMethod::credentials_and_ip(config.source_networks());
        let body = VoiceOutTrunk::create(&setup.name, OnCliMismatchAction::SendOriginalCli, method);
        let trunk = trunks.create(body).await?.into_inner();
        let undo = delete_trunk(client, trunk.id.clone()).boxed();
        (trunk, undo)
    };
    let base = setup.credentials.base_url.clone();
    Ok(CarrierTrunk {
        hostname: HOST,
        tech_prefix: trunk.authentication_method.tech_prefix().map(ToString::to_string).unwrap_or_default(),
        metadata: metadata([
            ("didww_trunk_id", trunk.id.as_str().to_owned()),
            ("didww_trunk_name", trunk.name.clone()),
            ("didww_base_url", base.unwrap_or_else(|| didww_client::PRODUCTION.to_owned())),
        ]),
        sip: trunk.credentials().map(|(username, password)| SipCredentials {
            username: username.to_owned(),
            password: password.clone(),
        }),
        undo,
    })
}

fn client(credentials: &ProviderCredentials, timeout: Duration) -> Result<Client, Error> {
    let base = credentials.base_url.as_deref().filter(|url| !url.is_empty());
    Client::builder(base.unwrap_or(didww_client::PRODUCTION), credentials.api_key.expose())
        .api_version(ApiVersion::V2026_04_16)
        .timeout(timeout)
        .build()
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
