//! A transaction of a write, and what it says about itself to every node.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use tokio_postgres::Client;
use uuid::Uuid;

use super::Node;
use crate::DocumentKind;

/// What a transaction changed, as the other nodes are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Announcement {
    /// A record was created or changed.
    Record { account: i64, kind: &'static str, id: Uuid, number: i64, revision: i64 },
    /// A record was deleted.
    RecordDeleted { account: i64, kind: &'static str, id: Uuid, number: i64 },
    /// An existing document was replaced. New documents, and those that are forgotten, are not announced.
    Document { kind: DocumentKind, id: Uuid, customer: Uuid, revision: i64 },
    /// An account or one of its keys was created, changed or removed.
    Account { number: i64 },
    /// The keys that sign tokens were rotated.
    TokenKeys,
    /// Records were deleted, as [`Committed::Reset`](crate::Committed::Reset) says.
    Reset { account: Option<i64>, accounts: bool },
}

/// A transaction that has begun. Its statements are those of a client.
pub(super) struct Transaction<'a> {
    client: &'a Client,
    /// The node that runs it.
    pub(super) node: &'a Node,
    announced: Mutex<Vec<Announcement>>,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(client: &'a Client, node: &'a Node) -> Self {
        Self { client, node, announced: Mutex::default() }
    }

    /// Adds to what every node is told when the transaction is committed.
    pub(super) fn announce(&self, announcement: Announcement) {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).push(announcement);
    }

    /// Takes what was announced.
    pub(super) fn announced(&self) -> Vec<Announcement> {
        std::mem::take(&mut *self.announced.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Deref for Transaction<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
    }
}
