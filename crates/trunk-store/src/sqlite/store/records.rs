//! Where reads of records run.

use std::sync::Arc;

use didww_types::ResourceSpec;
use uuid::Uuid;

use super::super::{all_records, row};
use super::SqliteStore;
use crate::{Answer, Asker, ListQuery, Listing, Record, Records, Scope, StoredRecord};

/// Maximum number of records that are looked up by their ids on the caller's thread. More of them are a long read.
const MAX_DIRECT_LOOKUPS: usize = 100;

impl Records for SqliteStore {
    fn find(&self, scope: Scope, id: Uuid) -> Answer<'_, Option<Record>> {
        Answer::ready(self.connections.read(|connection| row::find(connection, &self.symbols, scope, id)))
    }

    fn find_all(&self, scope: Scope, ids: Vec<Uuid>) -> Answer<'_, Vec<Record>> {
        if ids.len() > MAX_DIRECT_LOOKUPS {
            let bytes = self.limits.page_bytes;
            return self.read_lists(scope, move |lists| lists.find_all(scope, &ids, bytes));
        }
        Answer::ready(self.connections.read(|connection| {
            ids.into_iter()
                .filter_map(|id| row::find(connection, &self.symbols, scope, id).transpose())
                .collect()
        }))
    }

    fn list(&self, query: ListQuery) -> Answer<'_, Listing> {
        let bytes = self.limits.page_bytes;
        self.read_lists(query.scope, move |lists| lists.list(&query, bytes))
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
        self.read_lists(scope, move |lists| lists.members(scope, &owners, relationship, most))
    }

    fn records_after(
        &self,
        spec: &'static ResourceSpec,
        after: i64,
        most: u64,
    ) -> Answer<'_, Vec<StoredRecord>> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
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
