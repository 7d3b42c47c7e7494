//! The INVITE of a call, as the dialler sends it.

use sip_dialler::{Egress, Invitation, SipCredentials};
use trunk_rules::outbound::{DialError, Outgoing, Provider, offered_codecs, to_carrier, to_sip};
use voipbin_types::{Address, Anonymous};

use crate::entity::Entity;
use crate::records::providers::Providers;

fn anonymous(is_hidden: bool) -> Anonymous {
    if is_hidden { Anonymous::Yes } else { Anonymous::Auto }
}

/// `codecs` are names; with none that can be sent, the offer has those of the dialler.
fn invitation(
    outgoing: Outgoing,
    codecs: &str,
    egress: Egress,
    credentials: Option<SipCredentials>,
) -> Invitation {
    let Outgoing { uri, from_display, from_user, headers } = outgoing;
    let codecs = offered_codecs(codecs);
    Invitation { uri, from_display, from_user, headers, codecs, egress, credentials }
}

/// The INVITE of a call to a phone number, through a provider. `is_hidden` hides the caller's number.
///
/// # Errors
/// When the provider's hostname makes no valid SIP URI, or the caller's number cannot be hidden.
pub(crate) fn to_number(
    provider: &Entity<Providers>,
    source: &Address,
    destination: &Address,
    is_hidden: bool,
) -> Result<Invitation, DialError> {
    let public = &provider.public;
    let tech_headers: Vec<(String, String)> =
        public.tech_headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let carrier = Provider {
        hostname: &public.hostname,
        tech_prefix: &public.tech_prefix,
        tech_postfix: &public.tech_postfix,
        tech_headers: &tech_headers,
    };
    let outgoing = to_carrier(&carrier, &destination.target, source, &anonymous(is_hidden))?;
    let credentials = provider
        .private
        .sip
        .as_ref()
        .map(|sip| SipCredentials { username: sip.username.clone(), password: sip.password.clone() });
    Ok(invitation(outgoing, &public.codecs, Egress::Anywhere, credentials))
}

/// The INVITE of a call to a SIP URI, without a provider. `is_hidden` hides the caller's number; `codecs` are those of
/// the customer's outbound config.
///
/// # Errors
/// When the destination is not a SIP URI, or the caller's number cannot be hidden.
pub(crate) fn to_uri(
    source: &Address,
    destination: &Address,
    is_hidden: bool,
    codecs: &str,
) -> Result<Invitation, DialError> {
    let outgoing = to_sip(&destination.target, source, &anonymous(is_hidden))?;
    // The caller chooses the URI: it must not reach services that only this machine can reach.
    Ok(invitation(outgoing, codecs, Egress::Public, None))
}
