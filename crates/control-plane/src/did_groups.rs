//! The DID groups of DIDs that are added.
//!
//! The features of a DID group state the possible uses of its numbers. A DID that is added names a group, or only
//! features: then it joins the group that this module keeps for exactly these features. The id of such a group depends
//! on the features alone, and it is stored together with the first DID that needs it, so that there are at most as many
//! as there are sets of features, which are 256.

use std::collections::BTreeMap;

use didww_types::resources::{DidFeature, DidFeatures, DidGroup, DidGroupPartial, NumberType};
use didww_types::{DecodeError, Partial as _, Resource as _, Timestamp};
use service_core::{AttemptError, Core};
use trunk_rules::domain::with_defaults;
use trunk_store::{Change, NO_ACCOUNT, Record, Scope};
use uuid::Uuid;

use crate::{ControlError, NewDid};

/// The id of the group without a feature. Each feature adds a bit.
const FIRST_ID: u128 = 0xd1d6_c0de_0000_8000_8000_0000_0000_0000;

/// Finds the group of each DID. Returns their ids, and the changes that store the groups that do not exist yet.
pub(crate) async fn prepare(
    core: &Core,
    dids: &[NewDid],
    now: Timestamp,
) -> Result<(Vec<Uuid>, Vec<Change>), AttemptError<ControlError>> {
    let scope = Scope { account: NO_ACCOUNT, spec: DidGroup::SPEC };
    let mut ids = Vec::with_capacity(dids.len());
    let mut wanted: BTreeMap<Uuid, Option<Vec<DidFeature>>> = BTreeMap::new();
    for did in dids {
        let (id, features) = match (did.did_group, &did.features) {
            (Some(_), Some(_)) => {
                let message = "are those of the `did_group`: name one of the two";
                return Err(ControlError::invalid("features", message).into());
            }
            (Some(id), None) => (id, None),
            (None, _) => {
                let features = features(did)?;
                (id_of(&features), Some(features))
            }
        };
        ids.push(id);
        let known = wanted.entry(id).or_default();
        if features.is_some() {
            *known = features;
        }
    }
    for record in core.store.find_all(scope, wanted.keys().copied().collect()).await? {
        if let Some(Some(features)) = wanted.remove(&record.id) {
            check_features(&record, &features)?;
        }
    }
    let mut changes = Vec::with_capacity(wanted.len() + dids.len());
    for (id, features) in wanted {
        let Some(features) = features else {
            let message = format!("refers to {id}, which is not one of its did_groups");
            return Err(ControlError::invalid("did_group", message).into());
        };
        let group = group(features).and_then(|group| group.attributes());
        let attributes = with_defaults(DidGroup::SPEC, now, group.map_err(|error| unreadable(&error))?);
        changes.push(Change::Insert {
            scope,
            id,
            created_at: now,
            attributes,
            links: Vec::new(),
            meta: None,
        });
    }
    Ok((ids, changes))
}

/// The features that a DID is added with, each once and in the order of their declaration.
fn features(did: &NewDid) -> Result<Vec<DidFeature>, ControlError> {
    let usual = || {
        let emergency = did.emergency_enabled.then_some(DidFeature::Emergency);
        [DidFeature::VoiceIn, DidFeature::VoiceOut].into_iter().chain(emergency).collect()
    };
    let named = did.features.clone().unwrap_or_else(usual);
    if let Some(unknown) = named.iter().find(|feature| !DidFeature::TEXTS.contains(&feature.as_str())) {
        let known = DidFeature::TEXTS.join(", ");
        return Err(ControlError::invalid("features", format!("`{unknown}` is not one of {known}")));
    }
    let declared = DidFeature::TEXTS.iter().map(|text| DidFeature::from(*text));
    Ok(declared.filter(|feature| named.contains(feature)).collect())
}

/// The id of the group that is kept for declared features.
fn id_of(features: &[DidFeature]) -> Uuid {
    let bits =
        (0..).zip(DidFeature::TEXTS).filter(|(_, text)| features.iter().any(|one| one.as_str() == **text));
    Uuid::from_u128(bits.fold(FIRST_ID, |id, (bit, _)| id | 1_u128 << bit))
}

/// Refuses a group whose features were changed since it was stored: the DID would have other features than requested.
fn check_features(record: &Record, features: &[DidFeature]) -> Result<(), ControlError> {
    let stored =
        DidGroupPartial::from_attributes(&record.attributes).map_err(|error| unreadable(&error))?.features;
    let is_same = |stored: &DidFeatures| {
        stored.as_slice().len() == features.len()
            && features.iter().all(|one| stored.as_slice().contains(one))
    };
    if stored.as_ref().is_some_and(is_same) {
        return Ok(());
    }
    let message = format!("were changed in their group, {}: name a `did_group`", record.id);
    Err(ControlError::invalid("features", message))
}

fn group(features: Vec<DidFeature>) -> Result<DidGroupPartial, DecodeError> {
    let mut group = DidGroupPartial::empty();
    group.area_name = Some("National".to_owned());
    group.number_type = Some(Some(NumberType::National));
    group.allow_additional_channels = Some(true);
    let features = DidFeatures::new(features).map_err(|error| DecodeError::new("features", error))?;
    group.features = Some(features);
    Ok(group)
}

fn unreadable(error: &DecodeError) -> ControlError {
    ControlError::invalid("did_group", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_of_features_has_an_id_of_its_own() {
        let of = |features: &[DidFeature]| id_of(features).to_string();
        assert_eq!(of(&[]), "d1d6c0de-0000-8000-8000-000000000000");
        assert_eq!(of(&[DidFeature::VoiceIn]), "d1d6c0de-0000-8000-8000-000000000001");
        assert_eq!(of(&[DidFeature::VoiceOut, DidFeature::VoiceIn]), "d1d6c0de-0000-8000-8000-000000000003");
        let all: Vec<DidFeature> = DidFeature::TEXTS.iter().map(|text| DidFeature::from(*text)).collect();
        assert_eq!(of(&all), "d1d6c0de-0000-8000-8000-0000000000ff");
    }

    #[test]
    fn a_did_without_features_can_be_called_and_can_call() {
        let plain = features(&NewDid::new("37061498222")).unwrap();
        assert_eq!(plain, [DidFeature::VoiceIn, DidFeature::VoiceOut]);
        let emergency = features(&NewDid::new("37061498222").emergency()).unwrap();
        assert_eq!(emergency, [DidFeature::VoiceIn, DidFeature::VoiceOut, DidFeature::Emergency]);
        let named = NewDid::new("37061498222").features([DidFeature::SmsIn, DidFeature::VoiceIn]);
        assert_eq!(features(&named).unwrap(), [DidFeature::VoiceIn, DidFeature::SmsIn]);
        let unknown = features(&NewDid::new("37061498222").features([DidFeature::from("fax")]));
        assert!(unknown.unwrap_err().to_string().starts_with("`features` `fax` is not one of voice_in, "));
    }
}
