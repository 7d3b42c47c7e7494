//! Whether a DID takes a call.

use std::fmt;

use didww_types::Timestamp;
use didww_types::resources::{Did, DidFeature};

/// A subject with a limit on simultaneous calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// The called DID.
    Did,
    /// The group of trunks that the DID is routed to.
    Group,
}

/// Why a call is refused before a trunk is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// No account, or not the one that was named, has the number.
    UnknownNumber,
    /// The DID is blocked.
    Blocked,
    /// The DID waits for a regulatory registration.
    AwaitingRegistration,
    /// The DID's group has no `voice_in` among its features.
    WithoutVoice,
    /// The paid period is over, and the DID is not renewed.
    Ended,
    /// The DID has no inbound trunk and no group of them.
    NotRouted,
    /// The DID's group has no trunks.
    EmptyGroup,
    /// As many calls as the limit permits are in progress.
    Full(Limited, u64),
}

impl Refused {
    /// The SIP response code that the caller receives.
    pub const fn code(self) -> u16 {
        match self {
            Self::UnknownNumber | Self::Ended => 404,
            Self::Blocked | Self::AwaitingRegistration | Self::WithoutVoice => 403,
            // A record of DIDWW's shows an overloaded number with 480.
            Self::NotRouted | Self::EmptyGroup | Self::Full(..) => 480,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownNumber => f.write_str("the called number is not a DID"),
            Self::Blocked => f.write_str("the DID is blocked"),
            Self::AwaitingRegistration => f.write_str("the DID awaits its registration"),
            Self::WithoutVoice => f.write_str("the DID takes no calls: its group has no voice_in"),
            Self::Ended => f.write_str("the DID's paid period is over, and it is not renewed"),
            Self::NotRouted => f.write_str("the DID has no inbound trunk and no trunk group"),
            Self::EmptyGroup => f.write_str("the DID's trunk group has no trunks"),
            Self::Full(Limited::Did, limit) => write!(f, "the DID has its maximum of calls, {limit}"),
            Self::Full(Limited::Group, limit) => {
                write!(f, "the DID's trunk group has its maximum of calls, {limit}")
            }
        }
    }
}

/// Decides whether a DID takes a call at this time. `features` are those of its group; a DID without a group, which an
/// older server added, has every feature.
///
/// # Errors
/// Why it does not take the call. Limits on simultaneous calls are not checked here.
pub fn admits(did: &Did, features: Option<&[DidFeature]>, now: Timestamp) -> Result<(), Refused> {
    // Such a DID is blocked too.
    if did.awaiting_registration {
        return Err(Refused::AwaitingRegistration);
    }
    if did.blocked {
        return Err(Refused::Blocked);
    }
    if features.is_some_and(|features| !features.contains(&DidFeature::VoiceIn)) {
        return Err(Refused::WithoutVoice);
    }
    let is_not_renewed = did.terminated || did.billing_cycles_count.is_some_and(|count| count.get() == 0);
    if is_not_renewed && did.expires_at.is_some_and(|end| end <= now) {
        return Err(Refused::Ended);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use didww_types::{Id, Resource as _};
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-11-29T12:00:00.000Z";

    /// A DID that takes calls, with these attributes instead.
    fn did(changed: Value) -> Did {
        let mut attributes = json!({
            "blocked": false, "capacity_limit": null, "description": null, "terminated": false,
            "awaiting_registration": false, "created_at": "2026-01-01T00:00:00.000Z",
            "billing_cycles_count": null, "number": "442079460018",
            "expires_at": "2026-11-29T12:00:00.000Z", "channels_included_count": 0,
            "dedicated_channels_count": 0, "emergency_enabled": false,
        });
        let Value::Object(changed) = changed else { panic!("attributes are an object") };
        attributes.as_object_mut().unwrap().extend(changed);
        Did::from_texts(Id::new("a"), &attributes.to_string(), None).unwrap()
    }

    fn decided(changed: Value) -> Result<(), Refused> {
        admits(&did(changed), Some(&[DidFeature::VoiceIn, DidFeature::VoiceOut]), NOW.parse().unwrap())
    }

    #[test]
    fn a_did_takes_calls_unless_its_state_forbids_it() {
        assert_eq!(decided(json!({})), Ok(()));
        assert_eq!(decided(json!({ "blocked": true })), Err(Refused::Blocked));
        assert_eq!(decided(json!({ "awaiting_registration": true })), Err(Refused::AwaitingRegistration));
    }

    #[test]
    fn the_features_of_its_group_say_whether_a_did_takes_calls() {
        let decided =
            |features: Option<&[DidFeature]>| admits(&did(json!({})), features, NOW.parse().unwrap());
        assert_eq!(decided(None), Ok(()));
        assert_eq!(decided(Some(&[DidFeature::VoiceOut])), Err(Refused::WithoutVoice));
        assert_eq!(decided(Some(&[])), Err(Refused::WithoutVoice));
    }

    #[test]
    fn a_did_that_is_not_renewed_takes_calls_until_the_end_of_its_paid_period() {
        let later = "2026-11-29T12:00:00.001Z";
        for ending in [json!({ "terminated": true }), json!({ "billing_cycles_count": 0 })] {
            assert_eq!(decided(ending.clone()), Err(Refused::Ended), "{ending}");
            let mut paid = ending.clone();
            paid["expires_at"] = later.into();
            assert_eq!(decided(paid), Ok(()), "{ending}");
        }
        assert_eq!(decided(json!({ "billing_cycles_count": 1 })), Ok(()));
    }

    #[test]
    fn each_refusal_has_a_code_of_a_failure_and_a_sentence_of_its_own() {
        let all = [
            Refused::UnknownNumber,
            Refused::Blocked,
            Refused::AwaitingRegistration,
            Refused::WithoutVoice,
            Refused::Ended,
            Refused::NotRouted,
            Refused::EmptyGroup,
            Refused::Full(Limited::Did, 1),
            Refused::Full(Limited::Group, 1),
        ];
        let sentences: std::collections::BTreeSet<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(sentences.len(), all.len());
        assert!(all.iter().all(|refused| (400..700).contains(&refused.code())));
        assert_eq!(
            [Limited::Did, Limited::Group].map(|limited| Refused::Full(limited, 1).code()),
            [480, 480]
        );
    }
}
