//! Reads of records, the resources of accounts.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

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

    /// Returns the number of changes of the records of a type in an account, and of their links. A link belongs to the
    /// record whose type declares the relationship. Deleting the record at its other end also deletes the link, which
    /// counts only as a change of that record's type. No two states have the same number, so a page with this number in
    /// its [`changes`](Listing::changes) is a page of the state that was read. `None` if the engine cannot read the
    /// number faster than a page.
    ///
    /// # Errors
    /// Only a failure of the engine.
    fn changes(&self, _scope: Scope) -> Answer<'_, Option<i64>> {
        Answer::ready(Ok(None))
    }

    /// Returns the first records in stock of a type that all accounts share, in the order of creation: those that link
    /// to each of these records and that no other record has [taken](field@ResourceSpec::taken_by), at most `most`,
    /// with numbers greater than `after`. A link is the name of a relationship that the type declares, and that is not
    /// the inverse of another one, with the id of its member. Without a link none is returned.
    ///
    /// The links to the last of these records are read, from `after` to the last record that is returned, so the one
    /// with the fewest links should be the last.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    fn first_in_stock(
        &self,
        scope: Scope,
        links: Vec<(&'static str, Uuid)>,
        after: i64,
        most: u64,
    ) -> Answer<'_, Vec<Record>>;

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
    /// [unique everywhere](field@didww_types::AttributeSpec::unique_everywhere), and the number of its account. Of
    /// records that shared the text before it had to be unique, it is the oldest one that is left.
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
/// since then after the last record. The next page is read while `visit` runs, so two pages are in memory.
///
/// # Errors
/// A failure of the engine; `visit` has been called for some records then.
pub async fn for_each_record<S: Records + ?Sized>(
    store: &S,
    spec: &'static ResourceSpec,
    mut visit: impl FnMut(StoredRecord) + Send,
) -> Result<(), StoreError> {
    for_each_page(store, spec, |page| page.into_iter().for_each(&mut visit)).await
}

/// Passes the records to `visit` as [`for_each_record`] does, a thousand at a time.
///
/// # Errors
/// As [`for_each_record`].
pub async fn for_each_page<S: Records + ?Sized>(
    store: &S,
    spec: &'static ResourceSpec,
    mut visit: impl FnMut(Vec<StoredRecord>) + Send,
) -> Result<(), StoreError> {
    let mut read = store.records_after(spec, 0, RECORDS_PER_READ);
    loop {
        let records = read.await?;
        let Some(last) = records.last() else { return Ok(()) };
        read = begun(store.records_after(spec, last.record.number, RECORDS_PER_READ)).await;
        visit(records);
    }
}

/// Polls an answer once, so that an engine with threads of its own works on it before it is awaited.
async fn begun<T>(mut answer: Answer<'_, T>) -> Answer<'_, T> {
    let polled = poll_fn(|context| Poll::Ready(Pin::new(&mut answer).poll(context))).await;
    match polled {
        Poll::Ready(outcome) => Answer::ready(outcome),
        Poll::Pending => answer,
    }
}
