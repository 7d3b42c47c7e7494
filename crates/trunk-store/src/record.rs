//! Records: the resources of an account as the store returns them.

use didww_types::{ResourceSpec, find};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::StoreError;

/// The owner of records that belong to no account: those of global types. No account has this number.
pub const NO_ACCOUNT: i64 = 0;

/// The factor of the quota for types whose records are kept for some days only. They are written by changes of other
/// records, each of which can write several of them in that time.
const KEPT_TYPES_QUOTA_FACTOR: u64 = 10;

/// The records of one type that an account can read: its own ones, or all of them if the type is global.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// The number of the account, which is the asker of long reads.
    pub account: i64,
    /// The declaration of the records' type.
    pub spec: &'static ResourceSpec,
}

impl Scope {
    /// The number with which the records are stored: the account's, or [`NO_ACCOUNT`] for a global type.
    pub fn owner(&self) -> i64 {
        if self.spec.global { NO_ACCOUNT } else { self.account }
    }

    /// Whether a relationship leads to records that all accounts share, so that records of each of them can contain the
    /// same one.
    pub(crate) fn leads_to_shared(&self, relationship: &str) -> bool {
        let target = self.spec.relationship(relationship).and_then(|declared| find(declared.target));
        target.is_some_and(|target| target.global)
    }

    /// Maximum number of records of this type, if the account's quota is `of_account`.
    pub(crate) fn quota(&self, of_account: Option<u64>) -> Option<u64> {
        let of_type = |quota: u64| match self.spec.kept_days {
            Some(_) => quota.saturating_mul(KEPT_TYPES_QUOTA_FACTOR),
            None => quota,
        };
        of_account.map(of_type).into_iter().chain(self.spec.at_most).min()
    }
}

/// A record as it is stored, with the revision that a later write must name. Its attributes can hold passwords, so its
/// `Debug` text leaves them out.
#[derive(Clone, PartialEq)]
pub struct Record {
    /// The store's internal number. It ascends in the order of creation and is never reused.
    pub number: i64,
    /// The id on the wire.
    pub id: Uuid,
    /// The name of the type.
    pub kind: &'static str,
    /// How many times the record was changed, from 0.
    pub revision: i64,
    /// The attributes as canonical JSON, in the order of the declaration.
    pub attributes: String,
    /// The `meta` object as JSON, if the record has one.
    pub meta: Option<String>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { number, id, kind, revision, .. } = self;
        let mut text = f.debug_struct("Record");
        text.field("number", number).field("id", id).field("kind", kind).field("revision", revision);
        text.finish_non_exhaustive()
    }
}

/// A record with its owner and its relationships.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRecord {
    /// The number of the account that owns it, or [`NO_ACCOUNT`].
    pub account: i64,
    /// The record without its relationships.
    pub record: Record,
    /// The ids of the members of each relationship, in the order in which they were linked.
    pub links: Vec<(&'static str, Vec<Uuid>)>,
}

impl Record {
    /// Parses the attributes.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if they are not a JSON object.
    pub fn attributes(&self) -> Result<Map<String, Value>, StoreError> {
        serde_json::from_str(&self.attributes)
            .map_err(|error| StoreError::Corrupt(format!("attributes of {} {}: {error}", self.kind, self.id)))
    }

    /// Parses the `meta` object. Returns an empty map if the record has none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is not a JSON object.
    pub fn meta(&self) -> Result<Map<String, Value>, StoreError> {
        self.meta.as_deref().map_or_else(|| Ok(Map::new()), serde_json::from_str).map_err(
            |error: serde_json::Error| {
                StoreError::Corrupt(format!("meta of {} {}: {error}", self.kind, self.id))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::{Did, DidHistory, DidReservation};

    use super::*;

    #[test]
    fn a_quota_is_tenfold_for_types_kept_for_some_days_and_at_most_the_bound_of_a_type() {
        let quota = |spec: &'static ResourceSpec, of_account: Option<u64>| -> Option<u64> {
            Scope { account: 1, spec }.quota(of_account)
        };
        assert_eq!((quota(Did::SPEC, Some(7)), quota(DidHistory::SPEC, Some(7))), (Some(7), Some(70)));
        assert_eq!((quota(Did::SPEC, None), quota(DidHistory::SPEC, None)), (None, None));
        assert_eq!(quota(DidHistory::SPEC, Some(u64::MAX)), Some(u64::MAX));
        let reservations = |of_account: Option<u64>| quota(DidReservation::SPEC, of_account);
        assert_eq!(
            [reservations(Some(9)), reservations(Some(11)), reservations(None)],
            [9, 10, 10].map(Some)
        );
    }
}
