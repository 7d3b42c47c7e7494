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

pub(super) async fn set_up(asked: &Asked) -> Answered {
    let setup: ProviderSetup = asked.read()?;
    asked.caller.must_run_the_platform()?;
    if setup.carrier != DIDWW || setup.name.is_empty() || setup.credentials.api_key.expose().is_empty() {
        return Err(ApiError::invalid_data());
    }
    let networks = asked.platform().config.source_networks();
    let existing = setup.credentials.trunk_id.clone().filter(|id| !id.is_empty()).map(Id::from);
    let client = client(&setup.credentials).map_err(|error| refused(&error))?;
    let trunk = trunk(&client, &setup.name, existing.as_ref(), networks);
    let trunk = trunk.await.map_err(|error| refused(&error))?;
    let provider = provider(asked, setup, &trunk);
    if let Err(error) = asked.app.store.commit(vec![provider.put()]).await {
        // Nobody would ever hear of a trunk that was made here, and it may cost money.
        if existing.is_none()
            && let Err(why) = client.voice_out_trunks().delete(&trunk.id).await
        {
            tracing::error!(%why, trunk = trunk.id.as_str(), "a trunk was made at a carrier for nothing");
        }
        return Err(error.into());
    }
    Ok(provider.text())
}

fn client(credentials: &ProviderCredentials) -> Result<Client, Error> {
    let base = credentials.base_url.as_deref().filter(|url| !url.is_empty());
    Client::builder(base.unwrap_or(didww_client::PRODUCTION), credentials.api_key.expose())
        .api_version(ApiVersion::V2026_04_16)
        .timeout(PATIENCE)
        .build()
}

/// The trunk at the carrier: the one that is named, or a new one.
async fn trunk(
    client: &Client,
    name: &str,
    existing: Option<&Id<VoiceOutTrunk>>,
    networks: IpNetworks,
) -> Result<VoiceOutTrunk, Error> {
    let trunks = client.voice_out_trunks();
    if let Some(id) = existing {
        return Ok(trunks.get(id).await?.into_inner());
    }
    let method = AuthenticationMethod::credentials_and_ip(networks);
    let body = VoiceOutTrunk::create(name, OnCliMismatchAction::SendOriginalCli, method);
    Ok(trunks.create(body).await?.into_inner())
}

/// How long the carrier may take, as on the running platform.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

fn provider(asked: &Asked, setup: ProviderSetup, trunk: &VoiceOutTrunk) -> Entity<Providers> {
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
        // The carrier's own words about what was asked say what would be right.
        Error::Validation(_) | Error::NotFound(_) | Error::NotSent(_) => {
            ApiError::invalid_argument(format!("The carrier refused: {error}."))
        }
        error => {
            tracing::warn!(%error, "a carrier could not set up a trunk");
            ApiError::unavailable()
        }
    }
}
