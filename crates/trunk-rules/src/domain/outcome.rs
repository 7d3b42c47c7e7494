//! The outcome of a permitted write: the changes of one transaction, and the events that it emits.

use std::collections::BTreeMap;

use didww_types::{ResourceSpec, Timestamp};
use serde_json::{Map, Value};

/// The outcome of a permitted write. All of it is stored in one transaction, or nothing is.
#[derive(Debug, Clone, Default)]
pub struct WriteOutcome {
    /// The changes, at most one to each record. The first one is that of the record that the request names, unless
    /// the request is an operation on another record, or the record needs one that is created before it. Empty if
    /// nothing changes.
    pub changes: Vec<RecordChange>,
    /// Events for the account's callback URLs.
    pub events: Vec<Event>,
}

impl WriteOutcome {
    /// Adds data of the request to the job about the new record: the beginning of the response's links, as `base`, and
    /// the id of the account, as `account`. A base that is longer than 2,048 bytes is left out.
    pub fn add_request(&mut self, base: &str, account: &str) {
        for change in &mut self.changes {
            let RecordChange::Create { later: Some(later), .. } = change else { continue };
            let mut payload: Map<String, Value> = serde_json::from_str(&later.payload).unwrap_or_default();
            payload.insert("account".to_owned(), account.into());
            if base.len() <= 2_048 {
                payload.insert("base".to_owned(), base.into());
            }
            later.payload = Value::Object(payload).to_string();
        }
    }
}

/// A change to one record of the account.
///
/// Every record that a change names by its id is one that the decision received, so that the change is made only if the
/// record is still as it was read.
#[derive(Debug, Clone)]
pub enum RecordChange {
    /// Creates a record with a new id.
    Create {
        /// The type of the record to create.
        spec: &'static ResourceSpec,
        /// All attributes, in canonical form.
        attributes: Map<String, Value>,
        /// The ids of the members, by relationship.
        links: Links,
        /// The `meta` object, as JSON text; `None` is that of a new record. If answers of the type have no `meta`, it
        /// is internal data of the service.
        meta: Option<String>,
        /// The job about the record.
        later: Option<Later>,
    },
    /// Changes attributes, members of relationships, or the `meta` of a record. Everything that is not named here keeps
    /// its value, also attributes that the declaration does not have.
    Update {
        /// The type of the record to change.
        spec: &'static ResourceSpec,
        /// The id of the record to change, which the decision received.
        id: String,
        /// The attributes that change, in canonical form.
        attributes: Map<String, Value>,
        /// The ids of all members of each relationship that changes.
        links: Links,
        /// The new `meta` object, as JSON text. `None` keeps the old one.
        meta: Option<String>,
    },
    /// Creates a record about the others of the outcome, to which nothing refers.
    Note {
        /// The type of the record to create.
        spec: &'static ResourceSpec,
        /// All attributes, in canonical form.
        attributes: Map<String, Value>,
        /// The `meta` object as JSON text; `None` if it has none.
        meta: Option<String>,
    },
    /// Adds members to a relationship, or removes them.
    Members {
        /// The type of the record that owns the relationship.
        spec: &'static ResourceSpec,
        /// The id of the record that owns the relationship.
        id: String,
        /// The name of the relationship, such as `dids`.
        relationship: &'static str,
        /// True to add the members, false to remove them.
        add: bool,
        /// The ids of the members that are added or removed.
        members: Vec<String>,
    },
    /// Changes nothing. The outcome is stored only if the record is unchanged since it was read.
    Unchanged {
        /// The type of the record.
        spec: &'static ResourceSpec,
        /// The id of the record, which the decision received.
        id: String,
    },
    /// Changes nothing. The outcome is stored only if no record has this one as a member of the relationship.
    Unlinked {
        /// The type of the records that would have it.
        spec: &'static ResourceSpec,
        /// The name of their relationship.
        relationship: &'static str,
        /// The id of the record that must not be a member, which the decision received.
        id: String,
    },
    /// Deletes a record, with its links in both directions.
    Delete {
        /// The type of the record to delete.
        spec: &'static ResourceSpec,
        /// The id of the record to delete.
        id: String,
    },
}

/// A job about a new record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// The kind of the job, which selects its handler.
    pub kind: &'static str,
    /// The time from which it may run.
    pub due_at: Timestamp,
    /// The data for the job, as JSON text.
    pub payload: String,
}

/// The ids of the members of relationships, by relationship.
pub type Links = BTreeMap<&'static str, Vec<String>>;

/// An event that a callback URL of the account is notified of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The id of the record that the event is about. Events of one record are delivered in their order.
    pub subject: String,
    /// The callback URL to which the event is sent.
    pub url: String,
    /// The event as JSON text.
    pub body: String,
}

/// The placeholder for the id of the record that the same outcome creates, in the links of later changes. If it creates
/// two records, it is the second one.
pub const CREATED: &str = "created";

/// The placeholder for the id of the first record that the same outcome creates, in the links of later changes.
pub const CREATED_FIRST: &str = "created first";

impl RecordChange {
    /// The change that sets these attributes of a record that the decision received.
    pub fn update(
        spec: &'static ResourceSpec,
        id: &str,
        attributes: Map<String, Value>,
        links: Links,
    ) -> Self {
        Self::Update { spec, id: id.to_owned(), attributes, links, meta: None }
    }

    /// The change of only the revision of a record that the decision received, so that a concurrent decision on the
    /// record, such as its deletion, is repeated.
    pub fn touched(spec: &'static ResourceSpec, id: &str) -> Self {
        Self::update(spec, id, Map::new(), Links::new())
    }

    /// The type of the record.
    pub fn spec(&self) -> &'static ResourceSpec {
        match self {
            Self::Create { spec, .. }
            | Self::Update { spec, .. }
            | Self::Note { spec, .. }
            | Self::Members { spec, .. }
            | Self::Unchanged { spec, .. }
            | Self::Unlinked { spec, .. }
            | Self::Delete { spec, .. } => spec,
        }
    }

    /// The id of the record; `None` for one that is created.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Create { .. } | Self::Note { .. } => None,
            Self::Update { id, .. }
            | Self::Members { id, .. }
            | Self::Unchanged { id, .. }
            | Self::Unlinked { id, .. }
            | Self::Delete { id, .. } => Some(id),
        }
    }
}
