//! DIDs: nobody orders them here, so they are put into accounts.

use std::time::Duration;

use didww_types::resources::Did;
use didww_types::{Resource as _, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Control, ControlError};
use trunk_store::{Change, Scope, StoreError};

/// Most DIDs that one act adds.
const MOST: usize = 10_000;
/// How long a new DID is paid for.
const PAID: Duration = Duration::from_hours(30 * 24);

/// A DID to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewDid {
    /// The number in E.164 without the plus: 1 to 15 digits.
    pub number: String,
    /// A note.
    pub description: Option<String>,
    /// Whether emergency calls can be made from it.
    pub emergency_enabled: bool,
    /// When the paid period ends; in 30 days when it is none.
    pub expires_at: Option<Timestamp>,
}

impl NewDid {
    /// A DID without emergency calling.
    pub fn new(number: impl Into<String>) -> Self {
        Self { number: number.into(), description: None, emergency_enabled: false, expires_at: None }
    }

    /// The same with emergency calling.
    #[must_use]
    pub fn emergency(mut self) -> Self {
        self.emergency_enabled = true;
        self
    }

    /// The same with a note.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }
}

/// What the world does to a DID that its owner cannot; what is none stays.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct DidPatch {
    /// Whether emergency calls can be made from it.
    pub emergency_enabled: Option<bool>,
    /// Whether it cannot take traffic.
    pub blocked: Option<bool>,
    /// Whether a regulatory step is pending.
    pub awaiting_registration: Option<bool>,
    /// When the paid period ends.
    pub expires_at: Option<Timestamp>,
}

impl DidPatch {
    /// Gives or takes emergency calling.
    pub fn emergency(enabled: bool) -> Self {
        Self { emergency_enabled: Some(enabled), ..Self::default() }
    }
}

impl Control {
    /// Adds DIDs to an account, all or none. Gives their ids in the same order.
    ///
    /// # Errors
    /// When there is no such account or a number is none.
    pub async fn add_dids(
        &self,
        account: Uuid,
        dids: impl IntoIterator<Item = NewDid>,
    ) -> Result<Vec<Uuid>, ControlError> {
        let scope = Scope { account: self.account(account)?.number, spec: Did::SPEC };
        let dids: Vec<NewDid> = dids.into_iter().collect();
        if dids.len() > MOST {
            return Err(ControlError::invalid("dids", format!("must be at most {MOST} in one request")));
        }
        let now = self.core.clock.now();
        let numbers: Vec<String> = dids.iter().map(|did| did.number.clone()).collect();
        let mut changes = Vec::with_capacity(dids.len());
        for did in dids {
            let attributes = attributes(did, now)?;
            let id = self.core.ids.record(now);
            changes.push(Change::Insert { scope, id, created_at: now, attributes, links: Vec::new() });
        }
        let records = self.core.store.commit(changes).await.map_err(|error| match error {
            StoreError::Taken(field) if field == "number" => {
                let message = if let [only] = numbers.as_slice() {
                    format!("`{only}` is a DID already, of this account or of another")
                } else {
                    "of at least one of them is a DID already, of this account or of another; none was added"
                        .to_owned()
                };
                ControlError::invalid("number", message)
            }
            other => other.into(),
        })?;
        Ok(records.into_iter().map(|record| record.id).collect())
    }

    /// Adds one DID to an account.
    ///
    /// # Errors
    /// As [`add_dids`](Self::add_dids).
    pub async fn add_did(&self, account: Uuid, did: NewDid) -> Result<Uuid, ControlError> {
        let ids = self.add_dids(account, [did]).await?;
        ids.into_iter().next().ok_or_else(|| ControlError::NotFound("DID that was added".to_owned()))
    }

    /// Changes what the owner of a DID cannot.
    ///
    /// # Errors
    /// When there is no such account or DID.
    pub async fn update_did(&self, account: Uuid, did: Uuid, patch: DidPatch) -> Result<(), ControlError> {
        let scope = Scope { account: self.account(account)?.number, spec: Did::SPEC };
        self.change_record(scope, did, |attributes| {
            let flags = [
                ("emergency_enabled", patch.emergency_enabled),
                ("blocked", patch.blocked),
                ("awaiting_registration", patch.awaiting_registration),
            ];
            for (name, flag) in flags {
                if let Some(flag) = flag {
                    attributes.insert(name.to_owned(), Value::Bool(flag));
                }
            }
            if let Some(at) = patch.expires_at {
                attributes.insert("expires_at".to_owned(), json!(at));
            }
            Ok(())
        })
        .await
    }
}

fn attributes(did: NewDid, now: Timestamp) -> Result<Map<String, Value>, ControlError> {
    let NewDid { number, description, emergency_enabled, expires_at } = did;
    let digits = number.strip_prefix('+').unwrap_or(&number);
    if digits.is_empty() || digits.len() > 15 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("`{number}` is no number; give 1 to 15 digits in E.164, such as 37061498222");
        return Err(ControlError::invalid("number", message));
    }
    let default = |attribute: &didww_types::AttributeSpec| {
        (attribute.name.to_owned(), attribute.default.map_or(Value::Null, didww_types::DefaultValue::to_json))
    };
    let mut attributes: Map<String, Value> = Did::SPEC.attributes.iter().map(default).collect();
    attributes.insert("number".to_owned(), json!(digits));
    attributes.insert("description".to_owned(), json!(description));
    attributes.insert("emergency_enabled".to_owned(), json!(emergency_enabled));
    attributes.insert("created_at".to_owned(), json!(now));
    attributes.insert("expires_at".to_owned(), json!(expires_at.unwrap_or_else(|| now.after(PAID))));
    Ok(attributes)
}
