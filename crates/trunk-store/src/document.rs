//! Documents: the entities of the communication platform, as JSON with index keys.

use uuid::Uuid;

use crate::error::StoreError;

/// The kind of a document. The numbers are stored in the database and are never reassigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DocumentKind {
    /// State of the platform itself.
    Platform = 0,
    /// A customer, who owns agents, access keys, numbers and calls.
    Customer = 1,
    /// A user of a customer, who logs in with a password.
    Agent = 2,
    /// A key that authenticates as a customer.
    AccessKey = 3,
    /// A phone number that a customer may use as the caller number.
    Number = 4,
    /// The restrictions on a customer's outgoing calls.
    OutboundConfig = 5,
    /// A carrier that takes outgoing calls.
    Provider = 6,
    /// Assigns a carrier to the calls of a customer to a destination.
    Route = 7,
    /// A call that was requested through a specific carrier.
    ProviderCall = 8,
    /// A call of a customer.
    Call = 9,
    /// The actions of a call once it is answered.
    Flow = 10,
    /// A part of the content of a file that an account uploaded to DIDWW's API. The account takes the place of the
    /// customer.
    FilePart = 11,
    /// An entry of the audit log: the records of accounts that a write changed, and its actor. It has no owner.
    AuditEntry = 12,
    /// A call to a DID, in progress or ended. The account of the DID takes the place of the customer.
    InboundCall = 13,
    /// A part of the content of a file that the service made for an account of DIDWW's API, which takes the place of
    /// the customer.
    ExportPart = 14,
    /// The rates of an account's outbound calls. The account stands in place of the customer, and its id is the
    /// document's.
    PricePlan = 15,
}

impl DocumentKind {
    /// Whether every node keeps all documents of this kind in memory, so that the change feed names new ones too.
    pub(crate) const fn is_kept_by_all(self) -> bool {
        matches!(self, Self::Customer | Self::Agent | Self::AccessKey | Self::PricePlan)
    }
}

/// A document as it is stored, with the revision that a later write must name. Its body can hold secrets, so its
/// `Debug` text leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// The kind, which says what the body contains.
    pub kind: DocumentKind,
    /// The store's internal number, ascending in the order of creation. It is never reused.
    pub number: i64,
    /// The document's id on the wire, a UUID.
    pub id: Uuid,
    /// The customer who owns the document, or nil if it has no owner.
    pub customer: Uuid,
    /// When the document was created, in microseconds since 1970.
    pub created_at: i64,
    /// Whether the document is marked as deleted. It can still be read by its id.
    pub deleted: bool,
    /// How many times the document was changed, from 0.
    pub revision: i64,
    /// The contents, as JSON text that the store does not read.
    pub body: String,
}

impl Document {
    /// Parses the body.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the body is not a valid `T`.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_str(&self.body)
            .map_err(|error| StoreError::Corrupt(format!("{:?} {}: {error}", self.kind, self.id)))
    }
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, id, deleted, revision, .. } = self;
        let mut text = f.debug_struct("Document");
        text.field("kind", kind).field("id", id).field("deleted", deleted).field("revision", revision);
        text.finish_non_exhaustive()
    }
}

/// A query for documents that are not live, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aged {
    /// The kind of the documents that are returned.
    pub kind: DocumentKind,
    /// True for deleted documents only, false for documents that are not deleted.
    pub deleted: bool,
    /// The earliest time of creation, inclusive, in microseconds since 1970.
    pub from: i64,
    /// The latest time of creation, exclusive, in microseconds since 1970.
    pub before: i64,
    /// Maximum number of documents to return.
    pub limit: u64,
}

/// A query for a page of the documents with an index key, live or not, oldest first. Deleted documents have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedPage {
    /// The kind of the documents that are returned.
    pub kind: DocumentKind,
    /// The index key: name and value.
    pub key: (&'static str, String),
    /// Only documents after this position: the time of creation, in microseconds since 1970, and the number of the last
    /// document that was read. [`KeyedPage::beginning_at`] is the position before a time.
    pub after: (i64, i64),
    /// The latest time of creation, exclusive, in microseconds since 1970.
    pub before: i64,
    /// Maximum number of documents to return.
    pub limit: u64,
}

impl KeyedPage {
    /// The position before every document that was created at this time or later, in microseconds since 1970.
    pub const fn beginning_at(created_at: i64) -> (i64, i64) {
        (created_at, i64::MIN)
    }
}

/// A document to store, with its index keys. Its `Debug` text leaves out members that can be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct NewDocument {
    /// The kind, which says what the body contains.
    pub kind: DocumentKind,
    /// The document's id on the wire, a UUID.
    pub id: Uuid,
    /// The customer who owns the document, or nil if it has no owner.
    pub customer: Uuid,
    /// When the document was created, in microseconds since 1970.
    pub created_at: i64,
    /// Whether the document is marked as deleted. A deleted document is in no list and is found only by its id and its
    /// unique keys. A later write cannot undelete it.
    pub deleted: bool,
    /// Whether work on the document is in progress, which the next start of the server must resume or end. Only a new
    /// document can become live; a later write can end that and cannot begin it.
    pub live: bool,
    /// The contents, as JSON text that the store does not read.
    pub body: String,
    /// If false, the index keys are unchanged, and `keys` and `unique` are ignored.
    pub keyed: bool,
    /// All index keys of the document, as name and value.
    pub keys: Vec<(&'static str, String)>,
    /// All unique keys of the document, as name and value. No other document of the kind, deleted or not, can have
    /// them.
    pub unique: Vec<(&'static str, String)>,
}

impl std::fmt::Debug for NewDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, id, deleted, live, .. } = self;
        let mut text = f.debug_struct("NewDocument");
        text.field("kind", kind).field("id", id).field("deleted", deleted).field("live", live);
        text.finish_non_exhaustive()
    }
}

/// A query for documents, newest first. Deleted documents are left out, unless [`live`](Self::live) is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentQuery {
    /// The kind of the documents that are returned.
    pub kind: DocumentKind,
    /// If set, only documents with this index key: name and value.
    pub key: Option<(&'static str, String)>,
    /// If true, only live documents, deleted or not. Ignored if `key` is set.
    pub live: bool,
    /// The latest time of creation, exclusive, in microseconds since 1970.
    pub before: i64,
    /// Maximum number of documents to return.
    pub limit: u64,
}

impl DocumentQuery {
    /// Selects all documents of a kind.
    pub fn all(kind: DocumentKind) -> Self {
        Self { kind, key: None, live: false, before: i64::MAX, limit: u64::MAX }
    }

    /// Selects all live documents of a kind.
    pub fn live(kind: DocumentKind) -> Self {
        Self { live: true, ..Self::all(kind) }
    }

    /// Selects all documents of a kind that have an index key.
    pub fn with(kind: DocumentKind, name: &'static str, value: impl Into<String>) -> Self {
        Self { key: Some((name, value.into())), ..Self::all(kind) }
    }
}
