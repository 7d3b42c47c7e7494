//! Starts the communication platform.

use std::sync::Arc;

use carrier_edge::{Edge, MessageLog};
use control_plane::{Control, ControlError};
use service_core::jobs::JobSet;
use voipbin_platform::{Platform, PlatformConfig};

use super::error::StartError;
use crate::config::{Config, ConfigError};

/// Applies the platform's limits on webhooks.
pub(super) fn limit_webhooks(callbacks: &mut callbacks::Settings, platform: &PlatformConfig) {
    callbacks.webhooks_waiting = platform.webhooks_waiting.unwrap_or(callbacks.webhooks_waiting);
    callbacks.webhook_age = platform.webhook_age.unwrap_or(callbacks.webhook_age);
}

/// Starts the dialler of the communication platform. Returns the platform's jobs.
///
/// # Errors
/// If it cannot start, or the configuration maps a host to the carrier edge and the edge does not run.
pub(super) async fn start_platform(
    platform: &Arc<Platform>,
    edge: Option<&Edge>,
    messages: Option<Arc<MessageLog>>,
) -> Result<JobSet, StartError> {
    if edge.is_none()
        && let Some((name, _)) = platform.config.hosts.iter().find(|(_, destination)| *destination == "edge")
    {
        let expected = "SIP is off, so there is no edge; set --sip-listen, or give an address";
        let given = format!("{name} = edge");
        return Err(ConfigError::Value { name: "voipbin.hosts", given, expected }.into());
    }
    Ok(voipbin_platform::start(platform, edge.map(Edge::address), messages).await?)
}

/// Maximum number of open providers that the start logs by name.
const MAX_NAMED_PROVIDERS: usize = 10;

/// Creates the configured super admin, and logs the providers whose trunk at the carrier takes calls from any address.
pub(super) async fn prepare_platform(control: &Control, config: &Config) -> Result<(), ControlError> {
    if let Some((username, password)) = &config.voipbin.admin {
        control.ensure_super_admin(username, password.clone()).await?;
    }
    let open = control.open_providers().await?;
    if !open.is_empty() {
        let named: Vec<String> =
            open.iter().take(MAX_NAMED_PROVIDERS).map(|open| open.provider.to_string()).collect();
        tracing::warn!(
            total = open.len(),
            providers = named.join(", "),
            "trunks of providers at carriers take calls from any address; GET /control/v1/providers/open lists them"
        );
    }
    Ok(())
}
