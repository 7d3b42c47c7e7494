//! Starts the carrier edge and the calls to DIDs.

use std::sync::Arc;

use carrier_edge::{Edge, EdgeConfig, EdgeError, MessageLog, MessageLogLimits};
use control_plane::{OpenTrunks, TrunkPass};
use inbound_calls::InboundCalls;
use service_base::clock::Clock;
use service_core::Core;

use super::error::StartError;
use crate::config::Config;

/// The edge's configuration, if the edge is enabled, and whether its address was configured. Applies its settings of
/// callbacks.
pub(super) fn edge_config(
    config: &Config,
    callbacks: &mut callbacks::Settings,
) -> Result<Option<(EdgeConfig, bool)>, StartError> {
    let Some(sip) = &config.sip else { return Ok(None) };
    let mut edge = sip.to_edge()?;
    edge.lab = callbacks.lab.clone();
    callbacks.on_manual_block &= edge.settings.callback_on_manual_block;
    callbacks.retry_clock_factor *= edge.settings.retry_clock_factor;
    Ok(Some((edge, sip.listen.is_some())))
}

/// Logs the number of trunks that accept calls from any address, and the names of some.
pub(super) fn log_open_trunks(open: &OpenTrunks) {
    if open.total > 0 {
        let named: Vec<String> = open.trunks.iter().map(|open| open.trunk.to_string()).collect();
        tracing::warn!(
            total = open.total,
            trunks = named.join(", "),
            "trunks take calls from any address; GET /control/v1/trunks/open lists them"
        );
    }
}

/// Creates the log of SIP messages, which the edge and the dialler share. `None` if the configuration disables it.
pub(super) fn message_log(edge: Option<&EdgeConfig>, clock: &Clock) -> Option<Arc<MessageLog>> {
    let limits = match edge.map(|edge| edge.message_bytes) {
        Some(0) => return None,
        Some(bytes) => MessageLogLimits::of(bytes),
        None => MessageLogLimits::default(),
    };
    Some(MessageLog::new(limits, clock.clone()))
}

/// Starts the carrier edge, and shows each trunk that it loads to `pass`. If its address is not configured and another
/// process uses the default one, the server logs a warning and runs without the edge.
pub(super) async fn start_edge(
    core: &Arc<Core>,
    mut config: EdgeConfig,
    is_explicit: bool,
    messages: Option<Arc<MessageLog>>,
    pass: &mut TrunkPass,
) -> Result<Option<Edge>, StartError> {
    config.messages = messages;
    match Edge::start(Arc::clone(core), config, |stored| pass.look_at(stored)).await {
        Ok(edge) => Ok(Some(edge)),
        Err(error @ EdgeError::Listen { .. }) if !is_explicit => {
            tracing::warn!(%error, "SIP is disabled; set another address with --sip-listen");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Prepares the calls to DIDs. No socket is opened before the first one is placed.
pub(super) async fn start_inbound(
    core: &Arc<Core>,
    config: &Config,
    edge: Option<&Edge>,
    messages: Option<Arc<MessageLog>>,
) -> Result<Arc<InboundCalls>, StartError> {
    let edge = edge.map(|edge| edge.address().ip());
    let calls = config.inbound_calls.calls.clone();
    let started = InboundCalls::start(Arc::clone(core), calls, edge, messages).await;
    Ok(Arc::new(started.map_err(StartError::InboundCalls)?))
}
