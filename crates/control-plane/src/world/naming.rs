//! The ids of the records of a world, and the records that its relationships refer to.

use std::collections::{BTreeMap, BTreeSet};

use didww_types::{REGISTRY, RelationshipSpec, ResourceSpec};
use trunk_store::account::KeyDigest;
use uuid::Uuid;

use super::record::{WorldRecord, is_stored};
use super::records::Records;
use crate::ControlError;

/// The member of a body that errors of a world name.
pub(super) const WORLD: &str = "world";

/// Maximum number of records of a world.
pub(crate) const MAX_RECORDS: usize = 10_000;

/// The ids of records by their types and labels.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels(BTreeMap<(&'static str, String), Uuid>);

impl Labels {
    /// The id that a text names: that of the record of one of these types with this label, else the text itself.
    pub(super) fn id(
        &self,
        shared: &Self,
        mut kinds: impl Iterator<Item = &'static str>,
        name: &str,
    ) -> Option<Uuid> {
        let labelled = kinds.find_map(|kind| {
            let key = (kind, name.to_owned());
            self.0.get(&key).or_else(|| shared.0.get(&key)).copied()
        });
        labelled.or_else(|| Uuid::try_parse(name).ok())
    }
}

/// Chooses the id of each record, in the order of the file, and collects the labels. `owner` is the id of the account,
/// and nil for records that all accounts share.
///
/// # Errors
/// If two records of a type have one label or one id.
pub(super) fn name(owner: Uuid, records: &Records) -> Result<(Vec<Vec<Uuid>>, Labels), ControlError> {
    let (mut all, mut labels, mut taken) =
        (Vec::with_capacity(records.0.len()), Labels::default(), BTreeSet::new());
    for (spec, records) in &records.0 {
        let mut ids = Vec::with_capacity(records.len());
        for (position, record) in records.iter().enumerate() {
            let id = id(owner, spec, position, record);
            if !taken.insert(id) {
                return Err(invalid(format!("has two records with the id {id}, in {}", spec.name)));
            }
            if let Some(label) = &record.label
                && labels.0.insert((spec.name, label.clone()), id).is_some()
            {
                return Err(invalid(format!("has two {} with the label `{label}`", spec.name)));
            }
            ids.push(id);
        }
        all.push(ids);
    }
    Ok((all, labels))
}

/// The id of a record. One that the file does not name follows from the account, the type, and the label or the
/// position, so that a second load finds the record.
fn id(owner: Uuid, spec: &ResourceSpec, position: usize, record: &WorldRecord) -> Uuid {
    if spec.singleton.is_some() {
        // The account's only record has the account's id.
        return owner;
    }
    if let Some(id) = record.id {
        return id;
    }
    let name = record.label.as_ref().map_or_else(|| format!("#{position}"), |label| format!("={label}"));
    derived(&format!("world/{owner}/{}/{name}", spec.name))
}

/// The id that follows from a text.
pub(crate) fn derived(text: &str) -> Uuid {
    let digest = KeyDigest::of(text);
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(digest.as_bytes()) {
        *byte = *from;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Every declared type, each after those that its stored relationships lead to. Of types that refer to each other in a
/// cycle, the one that refers to the fewest others comes first.
pub(super) fn in_order() -> Vec<&'static ResourceSpec> {
    let mut ordered: Vec<&'static ResourceSpec> = Vec::with_capacity(REGISTRY.len());
    let mut left: Vec<&'static ResourceSpec> = REGISTRY.to_vec();
    while !left.is_empty() {
        let waits_for = |spec: &'static ResourceSpec| {
            let stored = spec.relationships.iter().filter(|one| is_stored(one) && one.target != spec.name);
            let is_left = |target: &'static str| left.iter().any(|other| other.name == target);
            stored.filter(|one| one.targets().any(is_left)).count()
        };
        let fewest = left.iter().copied().map(waits_for).min().unwrap_or_default();
        let (mut next, mut rest): (Vec<_>, Vec<_>) =
            left.iter().copied().partition(|spec| waits_for(spec) == fewest);
        if fewest > 0 {
            rest.extend(next.split_off(1));
        }
        ordered.extend(next);
        left = rest;
    }
    ordered
}

/// Whether the members of a relationship are stored after their owner in this order.
pub(super) fn is_later(
    order: &[&'static ResourceSpec],
    spec: &ResourceSpec,
    relationship: &RelationshipSpec,
) -> bool {
    let position = |name: &str| order.iter().position(|other| other.name == name);
    relationship.targets().any(|target| target != spec.name && position(target) > position(spec.name))
}

pub(crate) fn invalid(message: impl Into<String>) -> ControlError {
    ControlError::invalid(WORLD, message)
}

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::{Did, VoiceOutTrunk};

    use super::*;

    #[test]
    fn each_type_comes_after_those_that_it_refers_to_but_for_circles() {
        let order = in_order();
        assert_eq!(order.len(), REGISTRY.len());
        let later = order.iter().flat_map(|spec| {
            let stored =
                spec.relationships.iter().filter(|one| is_stored(one) && is_later(&order, spec, one));
            stored.map(|one| (spec.name, one.name))
        });
        assert_eq!(later.collect::<Vec<_>>(), [("dids", "sms_trunk")]);
    }

    #[test]
    fn an_id_follows_from_the_account_the_type_and_the_label() {
        let labelled = WorldRecord { label: Some("main".to_owned()), ..WorldRecord::default() };
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let id_of = |owner, spec, position| id(owner, spec, position, &labelled);
        assert_eq!(id_of(one, Did::SPEC, 0), id_of(one, Did::SPEC, 7));
        assert_ne!(id_of(one, Did::SPEC, 0), id_of(other, Did::SPEC, 0));
        assert_ne!(id_of(one, Did::SPEC, 0), id_of(one, VoiceOutTrunk::SPEC, 0));
        let unnamed = WorldRecord::default();
        assert_ne!(id(one, Did::SPEC, 0, &unnamed), id(one, Did::SPEC, 1, &unnamed));
        assert_eq!(id_of(one, Did::SPEC, 0).get_version_num(), 8);
    }

    #[test]
    fn a_label_goes_before_an_id_and_that_of_the_account_before_a_shared_one() {
        let labels = |id| Labels([(("dids", "main".to_owned()), Uuid::from_u128(id))].into_iter().collect());
        let (own, shared) = (labels(1), labels(2));
        let of = |labels: &Labels, kinds: &[&'static str], name: &str| {
            labels.id(&shared, kinds.iter().copied(), name).map(|id| id.as_u128())
        };
        assert_eq!(of(&own, &["dids"], "main"), Some(1));
        assert_eq!(of(&Labels::default(), &["dids"], "main"), Some(2));
        assert_eq!(of(&own, &["dids"], &Uuid::from_u128(3).to_string()), Some(3));
        assert_eq!(of(&own, &["voice_out_trunks"], "main"), None);
        assert_eq!(of(&own, &["voice_out_trunks", "dids"], "main"), Some(1));
    }
}
