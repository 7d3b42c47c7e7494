//! The balance of an account, for decisions of the server itself.

use didww_types::resources::Balance;
use didww_types::{DecodeError, Resource as _};
use service_core::Core;
use trunk_rules::domain::FoundRecord;
use trunk_store::{ListQuery, Record, Scope, StoreError};

/// The error for a stored record that does not have the shape of its declaration.
pub(crate) fn corrupt(error: &DecodeError) -> StoreError {
    StoreError::Corrupt(format!("an order, or what it changes: {error}"))
}

/// Finds the balance of an account, its only record of the type.
pub(crate) async fn balance(core: &Core, account: i64) -> Result<Option<Record>, StoreError> {
    let scope = Scope { account, spec: Balance::SPEC };
    let query = ListQuery {
        scope,
        linked_from: None,
        conditions: Vec::new(),
        order: Vec::new(),
        offset: 0,
        limit: 1,
    };
    Ok(core.store.list(query).await?.records.into_iter().next())
}

/// A stored record in the form in which a decision receives it.
pub(crate) fn as_found(record: &Record) -> FoundRecord {
    FoundRecord { id: record.id.to_string(), attributes: record.attributes.clone(), meta: None }
}
