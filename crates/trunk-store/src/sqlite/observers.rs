//! The observers of a store, and their notification of durable writes.

use std::sync::{Arc, OnceLock};

use super::write::Written;
use crate::{Committed, DocumentObserver, Observer};

/// At most one observer of records and one of documents.
#[derive(Debug, Default)]
pub(super) struct Observers {
    records: OnceLock<Arc<dyn Observer>>,
    documents: OnceLock<Arc<dyn DocumentObserver>>,
}

impl Observers {
    /// Keeps the first observer of records: a server has one carrier edge.
    pub(super) fn set_records(&self, observer: Arc<dyn Observer>) {
        let _kept = self.records.set(observer);
    }

    /// Keeps the first observer of documents: a server has one communication platform.
    pub(super) fn set_documents(&self, observer: Arc<dyn DocumentObserver>) {
        let _kept = self.documents.set(observer);
    }

    /// Whether writes must collect their effects on records.
    pub(super) fn observe_records(&self) -> bool {
        self.records.get().is_some()
    }

    /// Reports a durable write.
    pub(super) fn notify(&self, written: &Written) {
        if let Some(observer) = self.records.get() {
            written.committed.iter().for_each(|committed| observer.committed(committed));
        }
        if let Some(observer) = self.documents.get() {
            for (kind, id, customer) in &written.documents {
                observer.changed(*kind, *id, *customer);
            }
        }
    }

    /// Reports that the records of one account or of all accounts were deleted. A reset deletes documents only together
    /// with the records of all accounts.
    pub(super) fn notify_reset(&self, account: Option<i64>) {
        if let Some(observer) = self.records.get() {
            observer.committed(&Committed::Reset { account });
        }
        if let Some(observer) = self.documents.get().filter(|_| account.is_none()) {
            observer.reset();
        }
    }
}
