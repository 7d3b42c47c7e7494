//! Setting up a provider at a carrier: what calls need is made there, and the provider here references it.
//!
//! Each carrier makes it in its own way, over its API, as any program would call it, and says how to take it away
//! again. What it takes for SIP stays here: no answer and no log has it.

mod didww;
mod telnyx;

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;
use voipbin_types::{Provider, ProviderKind, ProviderSetup};

use super::api::{Answered, Asked};
use super::entity::{Entity, newborn};
use super::error::{ApiError, Status};
use super::providers::{ProviderOwn, Providers, SipCredentials};

/// What is at a carrier now.
struct Ready {
    /// Where it takes calls.
    hostname: &'static str,
    /// What it wants before the number.
    tech_prefix: String,
    /// What the provider notes about it.
    metadata: BTreeMap<String, Value>,
    /// What answers its challenges.
    sip: Option<SipCredentials>,
    /// Takes away what was made. Nothing happens until it is awaited.
    undo: BoxFuture<'static, ()>,
}

/// Why nothing is at a carrier. What was made on the way is taken away already.
enum CarrierError {
    /// The carrier does not accept the key.
    Credentials,
    /// What is asked for does not fit this carrier or this server; the sentence says what would.
    Unfit(String),
    /// The carrier refuses what is asked for, in these words.
    Refused(String),
    /// It did not work, and not because of what was asked for.
    Failed(String),
}

pub(crate) async fn set_up(asked: &Asked) -> Answered {
    let setup: ProviderSetup = asked.read()?;
    asked.caller.must_run_the_platform()?;
    if setup.name.is_empty() || setup.credentials.api_key.expose().is_empty() {
        return Err(ApiError::invalid_data());
    }
    let config = &asked.platform.config;
    let ready = match setup.carrier.as_str() {
        "didww" => didww::set_up(&setup, config).await,
        "telnyx" => telnyx::set_up(&setup, config, &asked.platform.core.ids).await,
        _ => return Err(ApiError::invalid_data()),
    };
    let Ready { hostname, tech_prefix, metadata, sip, undo } =
        ready.map_err(|error| error.told(&setup.carrier))?;
    let (id, at) = newborn(&asked.platform);
    let wire = Provider {
        id,
        kind: ProviderKind::Sip,
        hostname: hostname.to_owned(),
        tech_prefix,
        name: setup.name,
        detail: setup.detail,
        metadata,
        tm_create: Some(at),
        ..Provider::default()
    };
    let provider = Entity::<Providers>::new(id, Uuid::nil(), at, wire, ProviderOwn { sip });
    if let Err(error) = asked.platform.core.store.commit(vec![provider.put()]).await {
        // Nobody would ever hear of what was made there, and it may cost money.
        undo.await;
        return Err(error.into());
    }
    Ok(provider.text())
}

/// Whether two hosts are of one carrier, which knows the same credentials at both.
pub(crate) fn are_of_one_carrier(one: &str, other: &str) -> bool {
    [didww::has_host, telnyx::has_host].into_iter().any(|has_host| has_host(one) && has_host(other))
}

/// What is noted about a provider.
fn metadata<const N: usize>(notes: [(&str, String); N]) -> BTreeMap<String, Value> {
    notes.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

impl CarrierError {
    fn told(self, carrier: &str) -> ApiError {
        match self {
            Self::Credentials => ApiError::new(
                Status::InvalidArgument,
                "CARRIER_CREDENTIALS_REJECTED",
                "The carrier rejected the supplied credentials.",
            ),
            Self::Unfit(sentence) => ApiError::invalid_argument(sentence),
            // The carrier's own words about what was asked say what would be right.
            Self::Refused(why) => ApiError::invalid_argument(format!("The carrier refused: {why}.")),
            Self::Failed(why) => {
                tracing::warn!(%why, carrier, "a carrier could not set up a provider");
                ApiError::unavailable()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::are_of_one_carrier;

    #[test]
    fn hosts_of_one_carrier_are_known_as_such() {
        assert!(are_of_one_carrier("nyc.us.out.didww.com", "FRA.eu.out.didww.com"));
        assert!(are_of_one_carrier("sip.telnyx.com", "SIP.telnyx.eu"));
        for (one, other) in [
            ("nyc.us.out.didww.com", "sip.telnyx.com"),
            ("sip.telnyx.com", "sip.telnyx.com.example.com"),
            ("sip.telnyx.com", "mysip.telnyx.com"),
            ("nyc.us.out.didww.com", "out.didww.com.example.com"),
            ("example.com", "example.com"),
        ] {
            assert!(!are_of_one_carrier(one, other), "{one} {other}");
        }
    }
}
