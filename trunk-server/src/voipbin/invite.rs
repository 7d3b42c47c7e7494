//! What the dialler is told to send.

use trunk_rules::outbound::{dial, headers};
use voipbin_client::types::Address;

use super::dialler::{Invitation, SipCredentials};
use super::entity::Entity;
use super::providers::Providers;

/// An INVITE to a number, through a provider; none when the caller cannot be hidden.
pub(super) fn to_number(
    provider: &Entity<Providers>,
    source: &Address,
    destination: &Address,
    anonymous: bool,
) -> Option<Invitation> {
    let wire = &provider.wire;
    let uri = dial::uri(&wire.tech_prefix, &destination.target, &wire.tech_postfix, &wire.hostname);
    let tech = wire.tech_headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let caller = headers::caller(&source.target_name, &source.target, anonymous, tech).ok()?;
    let credentials = provider.own.sip.as_ref().map(|sip| SipCredentials {
        username: sip.username.clone(),
        password: sip.password.clone(),
    });
    Some(Invitation {
        uri,
        from_display: caller.display,
        from_user: caller.user,
        headers: caller.headers,
        credentials,
    })
}

/// An INVITE to a SIP URI: no provider has a part in it.
pub(super) fn to_uri(source: &Address, destination: &Address) -> Invitation {
    let target = destination.target.as_str();
    let known = ["sip:", "sips:"].iter().any(|scheme| target.starts_with(scheme));
    Invitation {
        uri: if known { target.to_owned() } else { format!("sip:{target}") },
        from_display: source.target_name.clone(),
        from_user: source.target.clone(),
        headers: Vec::new(),
        credentials: None,
    }
}
