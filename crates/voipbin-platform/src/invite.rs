//! What the dialler is told to send.

use trunk_rules::outbound::{Anonymous, DialError, Outgoing, Provider, to_carrier, to_sip};
use voipbin_types::Address;

use super::entity::Entity;
use super::outgoing::endpoint;
use super::providers::Providers;
use sip_dialler::{Egress, Invitation, SipCredentials};

fn anonymous(hidden: bool) -> Anonymous {
    if hidden { Anonymous::Yes } else { Anonymous::Auto }
}

fn invitation(outgoing: Outgoing, egress: Egress, credentials: Option<SipCredentials>) -> Invitation {
    let Outgoing { uri, from_display, from_user, headers } = outgoing;
    Invitation { uri, from_display, from_user, headers, egress, credentials }
}

/// An INVITE to a number, through a provider.
///
/// # Errors
/// When the provider's record makes no address, or the caller cannot be hidden.
pub(crate) fn to_number(
    provider: &Entity<Providers>,
    source: &Address,
    destination: &Address,
    hidden: bool,
) -> Result<Invitation, DialError> {
    let wire = &provider.wire;
    let tech_headers: Vec<(String, String)> =
        wire.tech_headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let carrier = Provider {
        hostname: &wire.hostname,
        tech_prefix: &wire.tech_prefix,
        tech_postfix: &wire.tech_postfix,
        tech_headers: &tech_headers,
    };
    let outgoing = to_carrier(&carrier, &destination.target, &endpoint(source), anonymous(hidden))?;
    let credentials = provider
        .own
        .sip
        .as_ref()
        .map(|sip| SipCredentials { username: sip.username.clone(), password: sip.password.clone() });
    Ok(invitation(outgoing, Egress::Anywhere, credentials))
}

/// An INVITE to a SIP URI: no provider has a part in it.
///
/// # Errors
/// When it is none, or the caller cannot be hidden.
pub(crate) fn to_uri(source: &Address, destination: &Address, hidden: bool) -> Result<Invitation, DialError> {
    let outgoing = to_sip(&destination.target, &endpoint(source), anonymous(hidden))?;
    // Whoever may call chooses the URI, so it must not lead to what only this machine can reach.
    Ok(invitation(outgoing, Egress::Public, None))
}
