//! Who must know of a write before it is answered.

use uuid::Uuid;

use super::{DocumentKind, Record};

/// A record as a write left it.
#[derive(Debug, Clone)]
pub enum Committed {
    /// It was made or changed.
    Stored {
        /// Whose it is.
        account: i64,
        /// The record.
        record: Record,
        /// The ids that each of its relationships leads to.
        links: Vec<(&'static str, Vec<Uuid>)>,
    },
    /// It is gone.
    Deleted {
        /// Whose it was.
        account: i64,
        /// Its type.
        kind: &'static str,
        /// Its id.
        id: Uuid,
    },
    /// Every record of an account, or of all accounts, is gone.
    Reset {
        /// Whose; none is everybody's.
        account: Option<i64>,
    },
}

/// Told of every durable write, in the order of the commits and before the write is answered.
///
/// It is called on the writer's thread: it must be quick and must not ask the store for a write.
pub trait Observer: Send + Sync + std::fmt::Debug {
    /// A write is durable.
    fn committed(&self, committed: &Committed);
}

/// Told of every durable change of a document, in the order of the commits and before the write is answered.
///
/// It is called on the writer's thread, as an [`Observer`] is.
pub trait DocumentObserver: Send + Sync + std::fmt::Debug {
    /// A document that was there is another one now. Neither a new one is told of nor one that is
    /// forgotten, which only happens to what nobody keeps: calls, and what was made for them.
    fn changed(&self, kind: DocumentKind, id: Uuid, customer: Uuid);

    /// Many documents are gone.
    fn reset(&self);
}
