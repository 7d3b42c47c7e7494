//! What the communication platform's side keeps.

use uuid::Uuid;

use super::StoreError;

/// What a document is. The numbers stand in the database: they are never given to another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DocumentKind {
    /// What the platform itself must remember.
    Platform = 0,
    /// Somebody who has agents, keys, numbers and calls.
    Customer = 1,
    /// Somebody who logs in.
    Agent = 2,
    /// A key that stands for a customer.
    AccessKey = 3,
    /// A phone number that a customer may call from.
    Number = 4,
    /// What a customer's calls may do.
    OutboundConfig = 5,
    /// A carrier.
    Provider = 6,
    /// Which carrier takes whose calls where.
    Route = 7,
    /// A call that was placed through one carrier on purpose.
    ProviderCall = 8,
    /// A call.
    Call = 9,
    /// What a call does once it is answered.
    Flow = 10,
}

/// A stored document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// The store's own number of it, in the order of creation; never given to another one.
    pub number: i64,
    /// Its id.
    pub id: Uuid,
    /// Whose it is; nil for what belongs to nobody.
    pub customer: Uuid,
    /// When it was made, in microseconds since 1970.
    pub created_at: i64,
    /// Whether it is deleted. It can still be read by its id.
    pub deleted: bool,
    /// How often it was changed.
    pub revision: i64,
    /// What it says, as JSON.
    pub body: String,
}

impl Document {
    /// What it says.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when that is not what its kind says.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_str(&self.body)
            .map_err(|error| StoreError::Corrupt(format!("{:?} {}: {error}", self.kind, self.id)))
    }
}

/// Documents that nothing is under way with, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aged {
    /// What they are.
    pub kind: DocumentKind,
    /// Whether deleted ones are meant, or those that are not.
    pub deleted: bool,
    /// When the first was made, or later, in microseconds since 1970.
    pub from: i64,
    /// Before when the last was made, in microseconds since 1970.
    pub before: i64,
    /// Most documents.
    pub limit: u64,
}

/// A document to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDocument {
    /// What it is.
    pub kind: DocumentKind,
    /// Its id.
    pub id: Uuid,
    /// Whose it is; nil for what belongs to nobody.
    pub customer: Uuid,
    /// When it was made, in microseconds since 1970.
    pub created_at: i64,
    /// Whether it is deleted. A deleted one is in no list and is found by no key that is not unique, and is never
    /// written again as one that is not deleted.
    pub deleted: bool,
    /// Whether something is under way with it, which the next start must see to. Only a new one begins so: what is over
    /// is never written again as one that is not.
    pub live: bool,
    /// What it says, as JSON.
    pub body: String,
    /// Whether what it is looked for by may have changed; else the following two are left as they were written.
    pub keyed: bool,
    /// What it is looked for by: name and value. All of them, every time.
    pub keys: Vec<(&'static str, String)>,
    /// What no other one of its kind may have, deleted ones included: name and value. All of them, every time.
    pub unique: Vec<(&'static str, String)>,
}

/// Which documents, newest first. Deleted ones are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentQuery {
    /// What they are.
    pub kind: DocumentKind,
    /// Only those with this key: name and value.
    pub key: Option<(&'static str, String)>,
    /// Only those that something is under way with. There is no key then.
    pub live: bool,
    /// Only those that were made before, in microseconds since 1970.
    pub before: i64,
    /// Most documents.
    pub limit: u64,
}

impl DocumentQuery {
    /// All of a kind.
    pub fn all(kind: DocumentKind) -> Self {
        Self { kind, key: None, live: false, before: i64::MAX, limit: u64::MAX }
    }

    /// All of a kind that something is under way with.
    pub fn live(kind: DocumentKind) -> Self {
        Self { live: true, ..Self::all(kind) }
    }

    /// All of a kind that have a key.
    pub fn with(kind: DocumentKind, name: &'static str, value: impl Into<String>) -> Self {
        Self { key: Some((name, value.into())), ..Self::all(kind) }
    }
}
