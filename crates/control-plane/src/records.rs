//! Records of any declared type that no request of an account's owner creates: reference data, and what orders and staff
//! create.

use std::collections::BTreeMap;

use didww_types::{AttributeSpec, RelationshipSpec, ResourceSpec, Verb, find};
use serde_json::{Map, Value};
use trunk_store::{Change, NO_ACCOUNT, Record, Scope, StoreError};
use uuid::Uuid;

use crate::trunks::MAX_WRITE_ATTEMPTS;
use crate::{Control, ControlError};

/// Members of a record to store. Members that are not named keep their values, or receive their defaults in a new record.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct RecordMembers {
    /// Attributes by name, in the form of the newest API version; also those that no request can write.
    pub attributes: Map<String, Value>,
    /// The ids of the members of relationships, by name. An empty list clears a relationship.
    pub relationships: BTreeMap<String, Vec<Uuid>>,
}

impl RecordMembers {
    /// Sets an attribute.
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
}

impl Control {
    /// Stores a record, or changes members of the one with this id. Returns the id, which is a new one if none is named.
    ///
    /// `account` is the owner, and `None` for a global type. Each value is validated on its own; rules for requests of owners do
    /// not apply.
    ///
    /// # Errors
    /// If there is no such account or type, the API itself creates records of the type, a member is not declared, is
    /// computed or has an invalid value, a required one is missing, or a related record does not exist.
    pub async fn put_record(
        &self,
        account: Option<Uuid>,
        kind: &str,
        id: Option<Uuid>,
        members: RecordMembers,
    ) -> Result<Uuid, ControlError> {
        let spec = storable(kind)?;
        let owner = match (account, spec.global) {
            (Some(account), false) => self.account(account)?.number,
            (None, true) => NO_ACCOUNT,
            (Some(_), true) => return Err(ControlError::invalid("type", "belongs to no account")),
            (None, false) => return Err(ControlError::invalid("type", "belongs to an account")),
        };
        let scope = Scope { account: owner, spec };
        let id = id.unwrap_or_else(|| self.core.ids.record(self.core.clock.now()));
        let attributes = validate(spec, &members.attributes)?;
        let links = self.links(scope, &members.relationships).await?;
        for _ in 0..MAX_WRITE_ATTEMPTS {
            let before = self.core.store.find(scope, id).await?;
            let change = self.put(scope, id, before, &attributes, links.clone())?;
            match self.core.store.commit(vec![change]).await {
                Ok(_) => return Ok(id),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    fn put(
        &self,
        scope: Scope,
        id: Uuid,
        before: Option<Record>,
        sent: &Map<String, Value>,
        links: Vec<(&'static str, Vec<Uuid>)>,
    ) -> Result<Change, ControlError> {
        if let Some(before) = before {
            let mut attributes = before.attributes()?;
            attributes.extend(sent.clone());
            return Ok(Change::Replace { scope, before, attributes, links, meta: None });
        }
        let created_at = self.core.clock.now();
        let mut attributes = Map::new();
        for attribute in scope.spec.attributes {
            let value = match (sent.get(attribute.name), attribute.default) {
                (Some(value), _) => value.clone(),
                (None, _) if attribute.name == "created_at" => Value::String(created_at.to_string()),
                (None, Some(default)) => default.to_json(),
                (None, None) => {
                    return Err(ControlError::invalid(attribute.name, "is missing in a new record"));
                }
            };
            attributes.insert(attribute.name.to_owned(), value);
        }
        Ok(Change::Insert { scope, id, created_at, attributes, links })
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
                || ControlError::invalid(name, format!("is no relationship of {}", scope.spec.name));
            let relationship: &'static RelationshipSpec =
                scope.spec.relationship(name).ok_or_else(declared)?;
            if !relationship.many && ids.len() > 1 {
                return Err(ControlError::invalid(name, "contains at most one record"));
            }
            let found = match find(relationship.target) {
                Some(target) => {
                    self.core.store.find_all(Scope { spec: target, ..scope }, ids.clone()).await?
                }
                None => Vec::new(),
            };
            if let Some(absent) = ids.iter().find(|id| !found.iter().any(|record| record.id == **id)) {
                let message = format!("refers to {absent}, which is not one of its {}", relationship.target);
                return Err(ControlError::invalid(name, message));
            }
            links.push((relationship.name, ids.clone()));
        }
        Ok(links)
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
        let declared = || ControlError::invalid(name, format!("is no attribute of {}", spec.name));
        let attribute: &'static AttributeSpec = spec.attribute(name).ok_or_else(declared)?;
        if !attribute.sums.is_empty() {
            return Err(ControlError::invalid(name, "is computed and cannot be set"));
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
