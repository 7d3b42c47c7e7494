//! Reads of records: short ones on the caller's thread, others as long reads.

use std::collections::HashSet;
use std::sync::Arc;

use didww_types::ResourceSpec;
use rusqlite::Connection;
use uuid::Uuid;

use super::super::list::Lists;
use super::super::{all_records, claims, row};
use super::SqliteStore;
use crate::list_plan::{MAX_DIRECT_RECORDS, has_index_order, is_looked_up};
use crate::{
    Answer, Asker, ListQuery, Listing, NO_ACCOUNT, Record, Records, Scope, StoreError, StoredRecord,
};

/// Maximum number of bytes of the records that are read on the caller's thread.
const MAX_DIRECT_BYTES: usize = 256 * 1024;

impl SqliteStore {
    /// Runs a read whose second argument is the maximum number of bytes of its records: a short one on the caller's
    /// thread, which takes about as long as reads by a key do. If its records are too large for that, or if it is not
    /// short, it is a long read.
    fn read_page<T: Send + 'static>(
        &self,
        scope: Scope,
        is_short: bool,
        read: impl Fn(Lists<'_>, usize) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let bytes = self.limits.page_bytes;
        if is_short {
            let (symbols, cache) = (&self.symbols, &self.list_cache);
            let direct = bytes.min(MAX_DIRECT_BYTES);
            match self.connections.read(|connection| read(Lists { connection, symbols, cache }, direct)) {
                Err(StoreError::TooLarge(_)) => {}
                outcome => return Answer::ready(outcome),
            }
        }
        self.read_lists(scope, move |lists| read(lists, bytes))
    }
}

impl Records for SqliteStore {
    fn find(&self, scope: Scope, id: Uuid) -> Answer<'_, Option<Record>> {
        // Before the record is read: a later commit creates another state, to which the record that is read may belong.
        let state = self.connections.state();
        if let Some(record) = state.and_then(|state| self.found.get(state, scope, id)) {
            return Answer::ready(Ok(Some(record)));
        }
        let found = self.connections.read(|connection| row::find(connection, &self.symbols, scope, id));
        if let (Some(state), Ok(Some(record))) = (state, &found) {
            self.found.keep(state, scope, record);
        }
        Answer::ready(found)
    }

    fn find_all(&self, scope: Scope, ids: Vec<Uuid>) -> Answer<'_, Vec<Record>> {
        let is_short = ids.len() <= MAX_DIRECT_RECORDS;
        self.read_page(scope, is_short, move |lists, bytes| lists.find_all(scope, &ids, bytes))
    }

    fn list(&self, query: ListQuery) -> Answer<'_, Listing> {
        if is_looked_up(&query) {
            let (symbols, cache) = (&self.symbols, &self.list_cache);
            let bytes = self.limits.page_bytes.min(MAX_DIRECT_BYTES);
            let read = |connection: &Connection| {
                Lists { connection, symbols, cache }.looked_up(&query, bytes, MAX_DIRECT_RECORDS)
            };
            match self.connections.read(read) {
                Err(StoreError::TooLarge(_)) => {}
                outcome => return Answer::ready(outcome),
            }
        }
        let is_short =
            query.offset.saturating_add(query.limit) <= MAX_DIRECT_RECORDS as u64 && has_index_order(&query);
        self.read_page(query.scope, is_short, move |lists, bytes| lists.list(&query, bytes))
    }

    fn changes(&self, scope: Scope) -> Answer<'_, Option<i64>> {
        let state = self.connections.state();
        if let Some(known) = state.and_then(|state| self.found.changes(state, scope)) {
            return Answer::ready(Ok(Some(known)));
        }
        let (symbols, cache) = (&self.symbols, &self.list_cache);
        let read = |connection: &Connection| Lists { connection, symbols, cache }.changes(scope);
        let changes = self.connections.read(read);
        if let (Some(state), Ok(changes)) = (state, &changes) {
            self.found.keep_changes(state, scope, *changes);
        }
        Answer::ready(changes.map(Some))
    }

    fn first_in_stock(
        &self,
        scope: Scope,
        links: Vec<(&'static str, Uuid)>,
        after: i64,
        most: u64,
    ) -> Answer<'_, Vec<Record>> {
        let bytes = self.limits.page_bytes;
        self.read_lists(scope, move |lists| lists.first_in_stock(scope, &links, after, most, bytes))
    }

    fn list_ids(&self, query: ListQuery) -> Answer<'_, Vec<Uuid>> {
        self.read_lists(query.scope, move |lists| lists.ids(&query))
    }

    fn members(
        &self,
        scope: Scope,
        owners: Vec<i64>,
        relationship: &'static str,
        most: usize,
    ) -> Answer<'_, Vec<(i64, String, Uuid)>> {
        if owners.len() <= MAX_DIRECT_RECORDS {
            let (symbols, cache) = (&self.symbols, &self.list_cache);
            let few = most.min(MAX_DIRECT_RECORDS);
            let read = |connection: &Connection| {
                Lists { connection, symbols, cache }.few_members(scope, &owners, relationship, few)
            };
            match self.connections.read(read) {
                Err(StoreError::TooLarge(_)) => {}
                outcome => return Answer::ready(outcome),
            }
        }
        self.read_lists(scope, move |lists| lists.members(scope, &owners, relationship, most))
    }

    fn claimed(
        &self,
        spec: &'static ResourceSpec,
        attribute: &'static str,
        texts: Vec<String>,
    ) -> Answer<'_, HashSet<String>> {
        let is_short = texts.len() <= MAX_DIRECT_RECORDS;
        self.read_page(Scope { account: NO_ACCOUNT, spec }, is_short, move |lists, _bytes| {
            claims::claimed(lists.connection, lists.symbols, spec, attribute, &texts)
        })
    }

    fn claimant(
        &self,
        spec: &'static ResourceSpec,
        attribute: &'static str,
        text: String,
    ) -> Answer<'_, Option<(i64, Record)>> {
        let symbols = &self.symbols;
        let found =
            self.connections.read(|connection| claims::claimant(connection, symbols, spec, attribute, &text));
        Answer::ready(found)
    }

    fn records_after(
        &self,
        spec: &'static ResourceSpec,
        after: i64,
        most: u64,
    ) -> Answer<'_, Vec<StoredRecord>> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if after <= 0 {
            let symbols = &self.symbols;
            match self.connections.read(|connection| all_records::certainly_none(connection, symbols, spec)) {
                Ok(false) => {}
                outcome => return Answer::ready(outcome.map(|_none| Vec::new())),
            }
        }
        Answer::later(async move {
            let (mut records, mut next) = (Vec::new(), Some(after));
            while let Some(after) = next
                && records.len() < most
            {
                let (symbols, missing) = (Arc::clone(&self.symbols), most - records.len());
                let read = self.scans.read(Asker::Operator, move |connection| {
                    all_records::records_after(connection, &symbols, spec, after, missing)
                });
                let (more, rest) = read.await?;
                records.extend(more);
                next = rest;
            }
            Ok(records)
        })
    }
}
