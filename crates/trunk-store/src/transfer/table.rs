//! The tables of a transfer: the contents of a database, without derived rows and without those of only one engine.
//!
//! The names and the order of tables and columns are those of backup files, and every digest depends on them: a change
//! is a new [`FORMAT`](super::bounds::FORMAT). A row has its number if other rows or clients refer to it; where only
//! the order counts, the rows are in that order, and the target assigns new numbers.

/// The kind of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number: also instants, in milliseconds since 1970, or microseconds for documents.
    Integer,
    /// True or false.
    Flag,
    /// Text, also JSON, which is passed on byte for byte.
    Text,
    /// A UUID.
    Id,
    /// Bytes.
    Bytes,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) optional: bool,
}

const fn integer(name: &'static str) -> Column {
    Column { name, kind: Kind::Integer, optional: false }
}

const fn flag(name: &'static str) -> Column {
    Column { name, kind: Kind::Flag, optional: false }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text, optional: false }
}

const fn id(name: &'static str) -> Column {
    Column { name, kind: Kind::Id, optional: false }
}

const fn bytes(name: &'static str) -> Column {
    Column { name, kind: Kind::Bytes, optional: false }
}

const fn optional(column: Column) -> Column {
    Column { optional: true, ..column }
}

/// A table. A row refers only to rows of tables before its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Accounts, with their numbers.
    Account,
    /// API keys, as digests.
    ApiKey,
    /// The secrets that sign callbacks.
    CallbackSecret,
    /// The keys that sign access tokens.
    TokenKey,
    /// Records, with their numbers.
    Record,
    /// The links between records, in the order in which they were made.
    Link,
    /// Documents of the communication platform, in the order of their creation.
    Document,
    /// The keys that lists of documents are selected by.
    DocumentKey,
    /// The keys that one document of a kind has.
    DocumentUnique,
    /// Events that wait for delivery, in their order.
    Event,
    /// Number of dropped events of each owner.
    Dropped,
    /// The history of attempts to deliver events.
    Delivery,
    /// Calls that ended.
    Call,
    /// Calls that were answered and have no record yet.
    RunningCall,
    /// The time up to which running calls are known to have been running. At most one row.
    CallStep,
    /// Jobs, without leases: those that a node was running are due again.
    Job,
    /// Idempotency keys, and the responses that are kept.
    IdempotencyKey,
    /// The greatest numbers that accounts and records ever had, which are not used again.
    Counter,
}

impl Table {
    /// Every table, in the order of a transfer.
    pub const ALL: [Self; 18] = [
        Self::Account,
        Self::ApiKey,
        Self::CallbackSecret,
        Self::TokenKey,
        Self::Record,
        Self::Link,
        Self::Document,
        Self::DocumentKey,
        Self::DocumentUnique,
        Self::Event,
        Self::Dropped,
        Self::Delivery,
        Self::Call,
        Self::RunningCall,
        Self::CallStep,
        Self::Job,
        Self::IdempotencyKey,
        Self::Counter,
    ];

    /// The name in backup files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::ApiKey => "api_key",
            Self::CallbackSecret => "callback_secret",
            Self::TokenKey => "token_key",
            Self::Record => "record",
            Self::Link => "link",
            Self::Document => "document",
            Self::DocumentKey => "document_key",
            Self::DocumentUnique => "document_unique",
            Self::Event => "event",
            Self::Dropped => "dropped",
            Self::Delivery => "delivery",
            Self::Call => "call",
            Self::RunningCall => "running_call",
            Self::CallStep => "call_step",
            Self::Job => "job",
            Self::IdempotencyKey => "idempotency_key",
            Self::Counter => "counter",
        }
    }

    /// The table with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The columns, in their order.
    pub(crate) const fn columns(self) -> &'static [Column] {
        match self {
            Self::Account => ACCOUNT,
            Self::ApiKey => API_KEY,
            Self::CallbackSecret => CALLBACK_SECRET,
            Self::TokenKey => TOKEN_KEY,
            Self::Record => RECORD,
            Self::Link => LINK,
            Self::Document => DOCUMENT,
            Self::DocumentKey => DOCUMENT_KEY,
            Self::DocumentUnique => DOCUMENT_UNIQUE,
            Self::Event => EVENT,
            Self::Dropped => DROPPED,
            Self::Delivery => DELIVERY,
            Self::Call => CALL,
            Self::RunningCall => RUNNING_CALL,
            Self::CallStep => CALL_STEP,
            Self::Job => JOB,
            Self::IdempotencyKey => IDEMPOTENCY_KEY,
            Self::Counter => COUNTER,
        }
    }
}

const ACCOUNT: &[Column] = &[
    integer("number"),
    id("id"),
    text("name"),
    text("version"),
    integer("features"),
    optional(integer("rate_limit")),
    optional(integer("record_quota")),
    integer("created_at"),
];
const API_KEY: &[Column] = &[
    bytes("digest"),
    id("id"),
    integer("account"),
    integer("created_at"),
    optional(text("addresses")),
    optional(text("environment")),
];
const CALLBACK_SECRET: &[Column] =
    &[id("id"), integer("account"), text("secret"), flag("enabled"), integer("created_at")];
const TOKEN_KEY: &[Column] = &[id("id"), bytes("secret"), integer("created_at")];
const RECORD: &[Column] = &[
    integer("number"),
    integer("account"),
    text("kind"),
    id("id"),
    integer("revision"),
    integer("created_at"),
    text("attributes"),
    optional(text("meta")),
];
const LINK: &[Column] = &[integer("owner"), text("relationship"), integer("target")];
const DOCUMENT: &[Column] = &[
    integer("kind"),
    id("id"),
    id("customer"),
    integer("created_at"),
    flag("deleted"),
    flag("live"),
    integer("revision"),
    text("body"),
];
const DOCUMENT_KEY: &[Column] =
    &[integer("kind"), id("document"), text("name"), text("value"), integer("created_at")];
const DOCUMENT_UNIQUE: &[Column] = &[integer("kind"), id("document"), text("name"), text("value")];
const EVENT: &[Column] = &[
    integer("account"),
    optional(id("customer")),
    id("subject"),
    text("url"),
    text("method"),
    optional(text("signature")),
    text("body"),
    integer("created_at"),
    integer("attempts"),
    integer("due_at"),
];
const DROPPED: &[Column] = &[integer("account"), optional(id("customer")), integer("dropped")];
const DELIVERY: &[Column] = &[
    integer("account"),
    optional(id("customer")),
    id("subject"),
    text("url"),
    integer("events"),
    integer("attempt"),
    integer("at"),
    optional(integer("status")),
    optional(text("error")),
];
const CALL: &[Column] = &[
    id("id"),
    integer("account"),
    id("trunk"),
    integer("ended_at"),
    integer("cause"),
    integer("code"),
    text("source"),
    text("destination"),
    text("price"),
    optional(text("call_id")),
    text("attributes"),
];
const RUNNING_CALL: &[Column] = &[
    id("id"),
    integer("account"),
    id("trunk"),
    integer("answered_at"),
    flag("acknowledged"),
    text("attributes"),
];
const CALL_STEP: &[Column] = &[integer("at")];
const JOB: &[Column] = &[
    text("kind"),
    text("subject"),
    optional(integer("account")),
    integer("due_at"),
    text("payload"),
    integer("attempts"),
    integer("revision"),
];
const IDEMPOTENCY_KEY: &[Column] = &[
    text("scope"),
    bytes("digest"),
    bytes("fingerprint"),
    id("request"),
    integer("used_at"),
    optional(integer("status")),
    optional(text("content_type")),
    optional(bytes("body")),
];
const COUNTER: &[Column] = &[text("name"), integer("value")];
