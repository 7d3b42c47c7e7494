//! The keys that sign access tokens. A stub: they are kept in the directory (`Node::directory`), which
//! [`load`] fills, whenever [`Announcement::TokenKeys`](super::transaction::Announcement::TokenKeys) says that they changed.

use std::sync::Arc;

use tokio_postgres::Client;

use super::failure::Done;
use super::transaction::Transaction;
use crate::{StoreError, TokenKey, TokenKeyRotation};

/// Reads the keys, the oldest first.
pub(super) async fn load(_client: &Client) -> Done<Arc<[TokenKey]>> {
    Ok(Arc::new([]))
}

/// Adds a key and removes old ones, and announces that the keys changed if they did. Returns the keys afterwards. It locks
/// the table's rows against another rotation (`Node::lock_row` of a row of its own, or all rows in order).
pub(super) async fn rotate(
    _transaction: &Transaction<'_>,
    _rotation: &TokenKeyRotation,
) -> Done<Arc<[TokenKey]>> {
    Err(StoreError::Failed("this part is not written".to_owned()).into())
}
