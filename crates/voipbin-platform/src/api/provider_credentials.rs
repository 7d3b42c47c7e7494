//! The endpoints of the SIP credentials of a provider, which VoIPBIN's own platform does not have: replaced
//! after a rotation at the carrier, without a new provider id, or forgotten. No response contains them; a
//! provider's metadata states whether it has any.

use service_core::Retries;
use uuid::Uuid;
use voipbin_types::ProviderLogin;

use super::providers::{carrier_error, not_found};
use crate::entity::Entity;
use crate::error::{ApiError, ApiResult};
use crate::records::providers::{Providers, SipCredentials};
use crate::request::RequestContext;
use crate::setup::{self, TrunkLogin};

/// Replaces the credentials: by those that the carrier's API returns for the provider's trunk, or by the username
/// and the password of the request.
pub(super) async fn set(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    let ProviderLogin { credentials, username, password } = request.decode_body()?;
    request.caller.require_super_admin()?;
    let provider = existing(request, id).await?;
    let password = password.filter(|password| !password.expose().is_empty());
    let login = match (credentials, username.is_empty(), password) {
        (Some(credentials), true, None) => {
            let read = setup::read_login(&provider.public, &credentials, &request.platform).await;
            read.map_err(|error| carrier_error(error, "didww"))?
        }
        (None, false, Some(password)) => {
            TrunkLogin { sip: Some(SipCredentials { username, password }), trunk: None }
        }
        _ => {
            let message = "either credentials or both username and password are required";
            return Err(ApiError::invalid_data_because(message));
        }
    };
    let (login, hostname) = (&login, &provider.public.hostname);
    Retries::REQUEST
        .run(|| async move {
            let mut provider = existing(request, id).await?;
            // The credentials are for the host that the provider had when the carrier's API returned them.
            if provider.public.hostname != *hostname {
                return Err(ApiError::state_invalid().into());
            }
            provider.private.sip.clone_from(&login.sip);
            if let Some(trunk) = &login.trunk {
                provider.public.tech_prefix.clone_from(&trunk.tech_prefix);
                provider.public.metadata.extend(trunk.metadata.clone());
                provider.private.allowed_sip_ips.clone_from(&trunk.allowed_sip_ips);
            }
            provider.public.tm_update = Some(request.platform.timestamps.next());
            provider.write(&*request.platform.core.store).await?;
            Ok(provider.shown_json())
        })
        .await
}

/// Forgets the credentials, and the metadata about the trunk that they belonged to.
pub(super) async fn forget(request: &RequestContext) -> ApiResult {
    let id = request.text_id()?;
    request.caller.require_super_admin()?;
    Retries::REQUEST
        .run(|| async move {
            let mut provider = existing(request, id).await?;
            provider.forget_trunk();
            provider.public.tm_update = Some(request.platform.timestamps.next());
            provider.write(&*request.platform.core.store).await?;
            Ok(provider.shown_json())
        })
        .await
}

async fn existing(request: &RequestContext, id: Uuid) -> Result<Entity<Providers>, ApiError> {
    let found = Entity::<Providers>::find(&*request.platform.core.store, id).await?;
    found.filter(|provider| !provider.deleted).ok_or_else(not_found)
}
