//! Records of any declared type that no request of an account's owner creates: reference data, and records that orders
//! and staff create.

use std::collections::{BTreeMap, HashSet};

use didww_types::resources::{AvailableDid, CapacityPool, Did, EmergencyCallingService};
use didww_types::{AttributeSpec, Named as _, RelationshipSpec, Resource as _, ResourceSpec, Verb, find};
use serde_json::{Map, Value};
use service_core::{AttemptError, Core, Retries};
use trunk_rules::domain::{HELD, Rulebook, block_while_waiting, with_defaults};
use trunk_store::{Change, NO_ACCOUNT, Record, Scope, StoreError};
use uuid::Uuid;

use crate::{Control, ControlError, history, renewals, stock};

/// Members of a record to store. Members that are not named keep their values, or receive their defaults in a new
/// record.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct RecordMembers {
    /// Attributes by name, in the form of the newest API version; also those that no request can write.
    pub attributes: Map<String, Value>,
    /// The ids of the members of relationships, by name. An empty list clears a relationship.
    pub relationships: BTreeMap<String, Vec<Uuid>>,
    /// Members of the record's `meta` by name.
    pub meta: Map<String, Value>,
}

impl RecordMembers {
    /// Sets an attribute, by its name on the wire.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Sets the members of a relationship.
    #[must_use]
    pub fn relationship(mut self, name: impl Into<String>, ids: impl IntoIterator<Item = Uuid>) -> Self {
        self.relationships.insert(name.into(), ids.into_iter().collect());
        self
    }

    /// Sets a member of the `meta`.
    #[must_use]
    pub fn meta(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.meta.insert(name.into(), value.into());
        self
    }
}

/// A record that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredRecord {
    pub(crate) id: Uuid,
    /// False if a record with this id existed and was changed.
    pub(crate) is_new: bool,
}

impl Control {
    /// Stores a record, or changes members of the one with this id. Returns the id, which is a new one if none is
    /// named.
    ///
    /// `account` is the owner, and `None` for a global type. Each value is validated on its own; rules for requests of
    /// owners do not apply.
    ///
    /// # Errors
    /// If there is no such account or type, the API itself creates records of the type, a member is not declared, is
    /// set by the server or has an invalid value, a required one is missing, a related record does not exist, or a
    /// record of another type or account has the id.
    pub async fn put_record(
        &self,
        account: Option<Uuid>,
        kind: &str,
        id: Option<Uuid>,
        members: RecordMembers,
    ) -> Result<Uuid, ControlError> {
        Ok(self.store_record(account, kind, id, members).await?.id)
    }

    /// As [`put_record`](Self::put_record); also returns whether the record is new.
    pub(crate) async fn store_record(
        &self,
        account: Option<Uuid>,
        kind: &str,
        id: Option<Uuid>,
        members: RecordMembers,
    ) -> Result<StoredRecord, ControlError> {
        let spec = storable(kind)?;
        let owner = match (account, spec.global) {
            (Some(account), false) => self.account(account).await?.number,
            (None, true) => NO_ACCOUNT,
            (Some(_), true) => return Err(ControlError::invalid("type", "belongs to no account")),
            (None, false) => return Err(ControlError::invalid("type", "belongs to an account")),
        };
        let scope = Scope { account: owner, spec };
        let id = match (account, spec.singleton) {
            // The account's only record has the account's id.
            (Some(account), Some(_)) => account,
            _ => id.unwrap_or_else(|| self.core.ids.record(self.core.clock.now())),
        };
        let attributes = validate(spec, &members.attributes)?;
        let (attributes, relationships, meta) = (&attributes, &members.relationships, &members.meta);
        let stored: Result<StoredRecord, ControlError> = Retries::REQUEST
            .run(|| async move {
                let mut links = self.links(scope, relationships).await?;
                let before = self.core.store.find(scope, id).await?;
                let is_new = before.is_none();
                if is_new {
                    self.require_no_did(spec, attributes).await?;
                    links.extend(self.in_stock(spec, attributes).await?);
                }
                let meta = changed_meta(spec, before.as_ref(), meta)?;
                let known = before.clone();
                let attributes = &with_wait(spec, known.as_ref(), attributes)?;
                let change = self.put(scope, id, before, attributes, links, meta)?;
                let mut changes = Vec::new();
                if scope.spec.name == Did::TYPE
                    && let Change::Insert { attributes, .. } | Change::Replace { attributes, .. } = &change
                {
                    let now = self.core.clock.now();
                    changes = history::of_staff(&self.core, scope, known.as_ref(), attributes, now)?;
                }
                changes.insert(0, change);
                commit(&self.core, scope, id, changes).await?;
                Ok(StoredRecord { id, is_new })
            })
            .await;
        if [Did::TYPE, CapacityPool::TYPE, EmergencyCallingService::TYPE].contains(&spec.name) {
            renewals::decide_now(&self.core, owner).await?;
        }
        stored
    }

    /// The link of a new DID to its number in stock, which is not offered while the DID exists; `None` if there is
    /// none.
    async fn in_stock(
        &self,
        spec: &'static ResourceSpec,
        attributes: &Map<String, Value>,
    ) -> Result<Option<(&'static str, Vec<Uuid>)>, StoreError> {
        let number = attributes.get("number").and_then(Value::as_str);
        let Some(number) = number.filter(|_| spec.name == Did::TYPE) else { return Ok(None) };
        let stocked = stock::by_number(&self.core, &[number.to_owned()]).await?;
        Ok(stocked.get(number).map(|id| (HELD, vec![*id])))
    }

    /// Refuses a new number in stock that is a DID already: it could not be ordered.
    async fn require_no_did(
        &self,
        spec: &'static ResourceSpec,
        attributes: &Map<String, Value>,
    ) -> Result<(), AttemptError<ControlError>> {
        let number = attributes.get("number").and_then(Value::as_str);
        let Some(number) = number.filter(|_| spec.name == AvailableDid::TYPE) else { return Ok(()) };
        let dids = self.core.store.claimed(Did::SPEC, "number", vec![number.to_owned()]).await?;
        if dids.is_empty() {
            return Ok(());
        }
        let message = format!("`{number}` is a DID of an account already");
        Err(ControlError::invalid("number", message).into())
    }

    fn put(
        &self,
        scope: Scope,
        id: Uuid,
        before: Option<Record>,
        sent: &Map<String, Value>,
        links: Vec<(&'static str, Vec<Uuid>)>,
        meta: Option<String>,
    ) -> Result<Change, ControlError> {
        if let Some(before) = before {
            let mut attributes = before.attributes()?;
            attributes.extend(sent.clone());
            return Ok(Change::Replace { scope, before, attributes, links, meta });
        }
        let is_required =
            |attribute: &&AttributeSpec| attribute.default.is_none() && attribute.name != CREATED_AT;
        let mut required = scope.spec.attributes.iter().filter(is_required);
        if let Some(missing) = required.find(|attribute| !sent.contains_key(attribute.name)) {
            return Err(ControlError::invalid(missing.name, "is missing in a new record"));
        }
        let created_at = self.core.clock.now();
        let attributes = with_defaults(scope.spec, created_at, sent.clone());
        Ok(Change::Insert { scope, id, created_at, attributes, links, meta })
    }

    /// Finds the relationships by their names, and checks that the related records exist.
    async fn links(
        &self,
        scope: Scope,
        relationships: &BTreeMap<String, Vec<Uuid>>,
    ) -> Result<Vec<(&'static str, Vec<Uuid>)>, ControlError> {
        let mut links = Vec::with_capacity(relationships.len());
        for (name, ids) in relationships {
            let declared =
                || ControlError::invalid(name, format!("is not a relationship of {}", scope.spec.name));
            let relationship: &'static RelationshipSpec =
                scope.spec.relationship(name).ok_or_else(declared)?;
            if let Some(mirrored) = relationship.mirrors {
                return Err(ControlError::invalid(name, format!("is set by the attribute `{mirrored}`")));
            }
            if let Some(inverse) = relationship.inverse {
                let message = format!("is set by the relationship `{inverse}` of {}", relationship.target);
                return Err(ControlError::invalid(name, message));
            }
            if !relationship.many && ids.len() > 1 {
                return Err(ControlError::invalid(name, "contains at most one record"));
            }
            let mut found: HashSet<Uuid> = HashSet::new();
            for target in relationship.targets().filter_map(find) {
                let records = self.core.store.find_all(Scope { spec: target, ..scope }, ids.clone()).await?;
                found.extend(records.into_iter().map(|record| record.id));
            }
            if let Some(absent) = ids.iter().find(|id| !found.contains(id)) {
                let targets = relationship.targets().collect::<Vec<_>>().join(" or ");
                let message = format!("refers to {absent}, which is not one of its {targets}");
                return Err(ControlError::invalid(name, message));
            }
            links.push((relationship.name, ids.clone()));
        }
        Ok(links)
    }
}

/// The attribute with the time of creation. It is the server's: lists by it are in the order in which records were
/// stored.
const CREATED_AT: &str = "created_at";

/// Commits the change of a record together with further changes. If another request stored a record with the id since
/// it was looked up, that is a conflict: the next attempt finds the record and changes it.
async fn commit(
    core: &Core,
    scope: Scope,
    id: Uuid,
    changes: Vec<Change>,
) -> Result<(), AttemptError<ControlError>> {
    match core.commit(changes).await {
        Ok(_) => Ok(()),
        Err(StoreError::Taken(field)) if field == "id" && core.store.find(scope, id).await?.is_some() => {
            Err(StoreError::Conflict.into())
        }
        Err(error) => Err(AttemptError::Store(error)),
    }
}

/// Finds a type whose records are stored and not created by requests.
fn storable(kind: &str) -> Result<&'static ResourceSpec, ControlError> {
    let spec = find(kind).ok_or_else(|| ControlError::NotFound(format!("type {kind}")))?;
    if spec.has(Verb::Create) {
        return Err(ControlError::invalid("type", format!("{kind} are created with POST /v3/{kind}")));
    }
    Ok(spec)
}

fn validate(
    spec: &'static ResourceSpec,
    sent: &Map<String, Value>,
) -> Result<Map<String, Value>, ControlError> {
    let mut valid = Map::new();
    for (name, value) in sent {
        let declared = || ControlError::invalid(name, format!("is not an attribute of {}", spec.name));
        let attribute: &'static AttributeSpec = spec.attribute(name).ok_or_else(declared)?;
        if attribute.is_computed() {
            return Err(ControlError::invalid(name, "is computed and cannot be set"));
        }
        if name == CREATED_AT {
            return Err(ControlError::invalid(
                name,
                "is set by the server: lists are in the order of creation",
            ));
        }
        let value = (attribute.validate)(value).map_err(|flaws| {
            let message =
                flaws.first().map_or_else(|| "is invalid".to_owned(), |flaw| flaw.violation.to_string());
            ControlError::invalid(name, message)
        })?;
        valid.insert(name.clone(), value);
    }
    Ok(valid)
}

/// The attributes to store of a record: of a DID with what follows from its wait for a registration.
fn with_wait(
    spec: &ResourceSpec,
    before: Option<&Record>,
    attributes: &Map<String, Value>,
) -> Result<Map<String, Value>, StoreError> {
    let mut attributes = attributes.clone();
    if spec.name == Did::TYPE {
        let stored = before.map(Record::attributes).transpose()?;
        let waited = stored.and_then(|stored| stored.get("awaiting_registration")?.as_bool());
        block_while_waiting(&mut attributes, waited.unwrap_or_default());
    }
    Ok(attributes)
}

/// The `meta` of a record with these members changed, as JSON text; `None` if there are none.
fn changed_meta(
    spec: &'static ResourceSpec,
    before: Option<&Record>,
    sent: &Map<String, Value>,
) -> Result<Option<String>, ControlError> {
    if sent.is_empty() {
        return Ok(None);
    }
    let before = before.map(Record::meta).transpose()?.unwrap_or_default();
    let meta = Rulebook::DIDWW.changed_meta(spec, before, sent);
    let meta = meta.map_err(|message| ControlError::invalid("meta", message))?;
    Ok(Some(Value::Object(meta).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    const ID: Uuid = Uuid::from_u128(7);

    /// Commits a new record with an id that a pool of account 1 has already.
    async fn commit_again(scope: Scope) -> AttemptError<ControlError> {
        let core = fixture::core();
        let insert =
            |scope: Scope| fixture::insert(&core, scope, ID, &Value::Object(Map::new()), Vec::new(), None);
        let first = Scope { account: 1, spec: CapacityPool::SPEC };
        commit(&core, first, ID, vec![insert(first)]).await.unwrap();
        commit(&core, scope, ID, vec![insert(scope)]).await.unwrap_err()
    }

    #[tokio::test]
    async fn an_id_that_another_request_took_meanwhile_is_a_conflict() {
        let error = commit_again(Scope { account: 1, spec: CapacityPool::SPEC }).await;
        assert_eq!(error, AttemptError::Store(StoreError::Conflict));
    }

    #[tokio::test]
    async fn an_id_of_a_record_that_cannot_be_changed_is_taken() {
        let taken = AttemptError::Store(StoreError::Taken("id".to_owned()));
        assert_eq!(commit_again(Scope { account: 2, spec: CapacityPool::SPEC }).await, taken);
        assert_eq!(commit_again(Scope { account: 1, spec: Did::SPEC }).await, taken);
    }
}
