//! Setting up a provider at a carrier: the trunk is made there, and the provider here references it.
//!
//! The carrier's API is called as any program would call it. What it gives for SIP stays here: no answer and no log
//! has it.

use std::collections::BTreeMap;

use didww_client::resources::{AuthenticationMethod, OnCliMismatchAction, VoiceOutTrunk};
use didww_client::values::IpNetworks;
use didww_client::{ApiVersion, Client, Error, Id};
use serde_json::Value;
use uuid::Uuid;
use voipbin_client::types::{Provider, ProviderCredentials, ProviderKind, ProviderSetup};

use super::api::{Answered, Asked};
use super::entity::Entity;
use super::error::{ApiError, Status};
use super::providers::{ProviderOwn, Providers, SipCredentials};

/// The one carrier whose API is known here.
const DIDWW: &str = "didww";

/// Where DIDWW's trunks take calls: its documented host in New York. Another one can be set on the provider.
const DIDWW_HOST: &str = "nyc.us.out.didww.com";

pub(super) async fn set_up(asked: &Asked<'_>) -> Answered {
    let setup: ProviderSetup = asked.read()?;
    asked.caller.must_run_the_platform()?;
    if setup.carrier != DIDWW || setup.name.is_empty() || setup.credentials.api_key.expose().is_empty() {
        return Err(ApiError::invalid_data());
    }
    let networks = asked.platform().config.source_networks();
    let trunk = trunk(&setup.name, &setup.credentials, networks).await.map_err(|error| refused(&error))?;
    let provider = provider(asked, setup, &trunk);
    asked.app.store.commit(vec![provider.put()]).await?;
    Ok(provider.text())
}

/// The trunk at the carrier: the one that is named, or a new one.
async fn trunk(
    name: &str,
    credentials: &ProviderCredentials,
    networks: IpNetworks,
) -> Result<VoiceOutTrunk, Error> {
    let base = credentials.base_url.as_deref().filter(|url| !url.is_empty());
    let key = credentials.api_key.expose();
    let client = Client::builder(base.unwrap_or(didww_client::PRODUCTION), key)
        .api_version(ApiVersion::V2026_04_16)
        .timeout(PATIENCE)
        .build()?;
    let trunks = client.voice_out_trunks();
    if let Some(id) = credentials.trunk_id.as_deref().filter(|id| !id.is_empty()) {
        Ok(trunks.get(&Id::from(id.to_owned())).await?.into_inner())
    } else {
        let method = AuthenticationMethod::credentials_and_ip(networks);
        let body = VoiceOutTrunk::create(name, OnCliMismatchAction::SendOriginalCli, method);
        Ok(trunks.create(body).await?.into_inner())
    }
}

/// How long the carrier may take, as on the running platform.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

fn provider(asked: &Asked<'_>, setup: ProviderSetup, trunk: &VoiceOutTrunk) -> Entity<Providers> {
    let id = asked.app.ids.request();
    let at = asked.platform().moments.next();
    let metadata: BTreeMap<String, Value> = [
        ("didww_trunk_id", trunk.id.as_str().to_owned()),
        ("didww_trunk_name", trunk.name.clone()),
        ("didww_base_url", setup.credentials.base_url.unwrap_or_else(|| didww_client::PRODUCTION.to_owned())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Value::from(value)))
    .collect();
    let sip = trunk.credentials().map(|(username, password)| SipCredentials {
        username: username.to_owned(),
        password: password.clone(),
    });
    let wire = Provider {
        id,
        kind: ProviderKind::Sip,
        hostname: DIDWW_HOST.to_owned(),
        tech_prefix: trunk.authentication_method.tech_prefix().map(ToString::to_string).unwrap_or_default(),
        name: setup.name,
        detail: setup.detail,
        metadata,
        tm_create: Some(at),
        ..Provider::default()
    };
    Entity::new(id, Uuid::nil(), at, wire, ProviderOwn { sip })
}

fn refused(error: &Error) -> ApiError {
    match error {
        Error::Unauthorized(_) => ApiError::new(
            Status::InvalidArgument,
            "CARRIER_CREDENTIALS_REJECTED",
            "The carrier rejected the supplied credentials.",
        ),
        Error::Transport(_) | Error::RateLimited { .. } => {
            tracing::warn!(%error, "a carrier could not be asked to set up a trunk");
            ApiError::unavailable()
        }
        // The carrier's own words say what would be right.
        error => ApiError::invalid_argument(format!("The carrier refused: {error}.")),
    }
}
