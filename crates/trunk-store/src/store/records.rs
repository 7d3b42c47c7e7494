//! Reads of records, the resources of accounts.

use std::collections::HashSet;

use didww_types::ResourceSpec;
use uuid::Uuid;

use crate::answer::Answer;
use crate::error::StoreError;
use crate::query::{ListQuery, Listing};
use crate::record::{Record, Scope, StoredRecord};

/// Reads records. They are written by [`Writes::commit`](crate::Writes::commit).
pub trait Records: Send + Sync + std::fmt::Debug {
    /// Returns a record by its id.
    fn find(&self, scope: Scope, id: Uuid) -> Answer<'_, Option<Record>>;

    /// Returns the records that exist among these ids, in the order of the ids.
    ///
    /// # Errors
    /// More than 100 ids are a long read: as [`list`](Self::list). Otherwise only a failure of the engine.
    fn find_all(&self, scope: Scope, ids: Vec<Uuid>) -> Answer<'_, Vec<Record>>;

    /// Returns a page of a list.
    ///
    /// # Errors
    /// [`StoreError::Crowded`], [`StoreError::TooLong`], [`StoreError::TooLarge`], or a failure of the engine.
    fn list(&self, query: ListQuery) -> Answer<'_, Listing>;

    /// Returns the ids of a page of a list.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    fn list_ids(&self, query: ListQuery) -> Answer<'_, Vec<Uuid>>;

    /// Returns the members of a relationship of several owners, at most `most` in total: the owner's number, and the
    /// member's type and id. The members of the first owner come first, each owner's in the order in which they were
    /// linked.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    fn members(
        &self,
        scope: Scope,
        owners: Vec<i64>,
        relationship: &'static str,
        most: usize,
    ) -> Answer<'_, Vec<(i64, String, Uuid)>>;

    /// Returns which of these texts a record of the type has, of any account, in an attribute that is
    /// [unique everywhere](field@didww_types::AttributeSpec::unique_everywhere). Each is returned once.
    ///
    /// # Errors
    /// More than 100 texts are a long read: as [`list`](Self::list). Otherwise only a failure of the engine.
    fn claimed(
        &self,
        spec: &'static ResourceSpec,
        attribute: &'static str,
        texts: Vec<String>,
    ) -> Answer<'_, HashSet<String>>;

    /// Returns the record of the type, of any account, that has this text in an attribute that is
    /// [unique everywhere](field@didww_types::AttributeSpec::unique_everywhere), and the number of its account. Of records
    /// that shared the text before it had to be unique, it is the first one.
    fn claimant(
        &self,
        spec: &'static ResourceSpec,
        attribute: &'static str,
        text: String,
    ) -> Answer<'_, Option<(i64, Record)>>;

    /// Returns the records of a type, of all accounts, whose numbers are greater than `after`: at most `most`, in the
    /// order of their numbers.
    fn records_after(
        &self,
        spec: &'static ResourceSpec,
        after: i64,
        most: u64,
    ) -> Answer<'_, Vec<StoredRecord>>;
}

/// Number of records that [`for_each_record`] reads at a time.
const RECORDS_PER_READ: u64 = 1_000;

/// Passes every record of a type, of all accounts, to `visit`, the oldest first. The reads are not one state of the
/// database: a caller that keeps copies [follows](crate::ChangeFeed::follow) the store first, and applies the changes
/// since then after the last record.
///
/// # Errors
/// A failure of the engine; `visit` has been called for some records then.
pub async fn for_each_record<S: Records + ?Sized>(
    store: &S,
    spec: &'static ResourceSpec,
    mut visit: impl FnMut(StoredRecord) + Send,
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let records = store.records_after(spec, after, RECORDS_PER_READ).await?;
        let Some(last) = records.last() else { return Ok(()) };
        after = last.record.number;
        records.into_iter().for_each(&mut visit);
    }
}
