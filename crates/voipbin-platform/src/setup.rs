//! The setup of a provider at a carrier: creates the objects that calls need, over the carrier's API, so that a
//! provider here can reference it.
//!
//! Each carrier has its own steps, and its own way to undo them. The SIP credentials stay on this server: no
//! response and no log line contains them.

mod carrier;
mod didww;
mod own_trunk;
mod telnyx;

use trunk_rules::outbound::{ProviderHost, canonical_host};
use voipbin_types::{Provider, ProviderCredentials, ProviderSetup};

pub(crate) use self::carrier::{CarrierError, CarrierTrunk, TrunkLogin};
use crate::platform::Platform;

/// Sets up a trunk at the carrier that the setup names. Returns none if the carrier is unknown.
pub(crate) async fn set_up(
    setup: &ProviderSetup,
    platform: &Platform,
) -> Option<Result<CarrierTrunk, CarrierError>> {
    match setup.carrier.as_str() {
        "didww" => Some(didww::set_up(setup, platform).await),
        "telnyx" => Some(telnyx::set_up(setup, &platform.config, &platform.core.ids).await),
        _ => None,
    }
}

/// The present SIP credentials of a provider's trunk, from its carrier's API. Only DIDWW's API returns them.
pub(crate) async fn read_login(
    provider: &Provider,
    credentials: &ProviderCredentials,
    platform: &Platform,
) -> Result<TrunkLogin, CarrierError> {
    didww::read_login(provider, credentials, platform).await
}

/// Whether two hosts belong to one carrier, which accepts the same SIP credentials at both.
pub(crate) fn are_of_one_carrier(one: &str, other: &str) -> bool {
    let host = |hostname| ProviderHost::parse(hostname).map_or("", |read| read.host);
    let (one, other) = (host(one), host(other));
    let is_same = !one.is_empty() && canonical_host(one) == canonical_host(other);
    is_same
        || [didww::has_host, telnyx::has_host].into_iter().any(|has_host| has_host(one) && has_host(other))
}

#[cfg(test)]
mod tests {
    use super::are_of_one_carrier;

    #[test]
    fn hosts_of_one_carrier_are_recognised() {
        assert!(are_of_one_carrier("nyc.us.out.didww.com", "FRA.eu.out.didww.com"));
        assert!(are_of_one_carrier("sip.telnyx.com", "SIP.telnyx.eu"));
        assert!(are_of_one_carrier("sip.telnyx.com", "sips:sip.telnyx.com:5061;transport=tls"));
        assert!(are_of_one_carrier("sbc.example.com", "SBC.example.com.:5080;transport=tcp"));
        for (one, other) in [
            ("nyc.us.out.didww.com", "sip.telnyx.com"),
            ("sip.telnyx.com", "sip.telnyx.com.example.com"),
            ("sip.telnyx.com", "mysip.telnyx.com"),
            ("nyc.us.out.didww.com", "out.didww.com.example.com"),
            ("example.com", "sbc.example.com"),
            ("", ""),
        ] {
            assert!(!are_of_one_carrier(one, other), "{one} {other}");
        }
    }
}
