//! Observers: parts of the server that are notified of a durable write before its caller receives the answer.

use uuid::Uuid;

use crate::document::DocumentKind;
use crate::record::Record;

/// The effect of a write on a record.
#[derive(Debug, Clone)]
pub enum Committed {
    /// The record was created or changed.
    Stored {
        /// The number of the account that owns it, or [`NO_ACCOUNT`](crate::NO_ACCOUNT).
        account: i64,
        /// The record after the write.
        record: Record,
        /// The ids of the members of each relationship.
        links: Vec<(&'static str, Vec<Uuid>)>,
    },
    /// The record was deleted.
    Deleted {
        /// The number of the account that owned it, or [`NO_ACCOUNT`](crate::NO_ACCOUNT).
        account: i64,
        /// The name of its type.
        kind: &'static str,
        /// The record's id.
        id: Uuid,
    },
    /// Every record of an account, or of all accounts, was deleted.
    Reset {
        /// The account's number; `None` means all accounts.
        account: Option<i64>,
    },
}

/// Is notified of every durable write of records, in the order of the commits and before the write is answered.
///
/// The notification runs on the writer's thread: it must be quick, and must not wait for a write to the store.
pub trait Observer: Send + Sync + std::fmt::Debug {
    /// Receives the effect of a write that is durable.
    fn committed(&self, committed: &Committed);
}

/// Is notified of every durable change of a document, in the order of the commits and before the write is answered.
///
/// The notification runs on the writer's thread, with the same restrictions as that of an [`Observer`].
pub trait DocumentObserver: Send + Sync + std::fmt::Debug {
    /// An existing document was changed. There is no notification of a new document, nor of one that is
    /// [forgotten](crate::Change::Forget): only calls and documents created for them are forgotten, and observers do not
    /// cache those.
    fn changed(&self, kind: DocumentKind, id: Uuid, customer: Uuid);

    /// Many documents were deleted by a reset.
    fn reset(&self);
}
