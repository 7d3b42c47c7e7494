//! Records of which a customer has a number at most, whichever servers create them.

use service_core::Retries;
use trunk_store::{DocumentKind, StoreError};
use uuid::Uuid;

use crate::entity::{Entity, Kind};
use crate::error::ApiError;
use crate::records::customers::Customers;
use crate::request::RequestContext;

/// The most records of a kind that a customer has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    /// The kind of the records.
    pub(super) kind: DocumentKind,
    /// The name of their index key whose value is the customer's id.
    pub(super) key: &'static str,
    /// Their most, those that are deleted not counted.
    pub(super) most: u64,
}

impl Bound {
    /// Stores a new record of a customer that has fewer than the most, and returns what `make` made. Of servers that add one at
    /// once, one is first, and the others count again: each writes the customer as it is, unless another write came since the
    /// records were counted. So a customer that is deleted meanwhile receives none either. The caller holds the platform's
    /// `changes`, so that only additions of other servers make one begin again.
    ///
    /// # Errors
    /// That of `refuse` if the customer has the most, that of `make`, or a failure of the store.
    pub(super) async fn add<K: Kind, T>(
        self,
        request: &RequestContext,
        customer: Uuid,
        refuse: impl Fn() -> ApiError,
        make: impl Fn() -> Result<(Entity<K>, T), ApiError>,
    ) -> Result<(Entity<K>, T), ApiError> {
        let store = &*request.platform.core.store;
        let read = || async {
            let owner = Entity::<Customers>::find(store, customer).await?.filter(|owner| !owner.deleted);
            let owner = owner.ok_or_else(ApiError::not_found)?;
            let number = store.count_documents(self.kind, self.key, customer.to_string()).await?;
            if number < self.most { Ok(owner) } else { Err(refuse()) }
        };
        let decide = |_owner: &Entity<Customers>| make();
        let write = |owner: Entity<Customers>, (record, rest): (Entity<K>, T)| async move {
            store.commit(vec![owner.put(), record.put()]).await?;
            Ok::<_, StoreError>((record, rest))
        };
        Retries::REQUEST.change(read, decide, write).await
    }
}
