//! Lists: which records match a query, their order, and which of them are on the page.
//!
//! First the record numbers of the page are found, from indexes alone, and then its records are read by their numbers.
//! If an index has the order of the list, a page near the beginning or the end is read from the index. Otherwise the
//! whole list is sorted once, and stays in a cache until a record changes ([`ListCache`]), so that a page far from both
//! ends costs no more than the first one.
//!
//! Bounds: the bytes of a page's records, the number of members of relationships, and the size of the cache. The thread
//! that runs the read (`scan`) bounds its time.

mod matching;
mod members;
mod sort;
mod stock;

use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::error::failed;
use super::row::{find, record, uuid};
use super::snapshot::Snapshot;
use super::symbols::Symbols;
use crate::list_plan::{IndexPart, Page, RecordCount, has_index_order, is_cacheable, table};
use crate::{ListQuery, Listing, Order, Record, Scope, StoreError};

pub(super) use crate::list_cache::ListCache;

/// The connection, caches and declarations that the evaluation of a list uses.
pub(super) struct Lists<'a> {
    pub(super) connection: &'a Connection,
    pub(super) symbols: &'a Symbols,
    pub(super) cache: &'a ListCache,
}

impl Lists<'_> {
    /// Returns a page of a list. Its records have at most `max_bytes` bytes.
    pub(super) fn list(&self, query: &ListQuery, max_bytes: usize) -> Result<Listing, StoreError> {
        // All statements must read the same state of the database: a page may be counted from the end of the list, and
        // a cached list is valid for one number of changes.
        let _snapshot = Snapshot::begin(self.connection)?;
        let count = self.count(query.scope)?;
        let Page { numbers, total } = self.page(query, count)?;
        let records = self.records(query.scope, &numbers, max_bytes)?;
        Ok(Listing { records, total, changes: is_cacheable(query).then_some(count.changes) })
    }

    /// As [`list`](Self::list), for a list that [is looked up](crate::list_plan::is_looked_up) and has at most `most`
    /// records. Its record numbers are not cached, because finding them takes about as long as a look-up in the cache.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] if there are more.
    pub(super) fn looked_up(
        &self,
        query: &ListQuery,
        max_bytes: usize,
        most: usize,
    ) -> Result<Listing, StoreError> {
        let _snapshot = Snapshot::begin(self.connection)?;
        let count = self.count(query.scope)?;
        let numbers = self.sorted(query, self.few_matching(query, most)?, count.records)?;
        let Page { numbers, total } = Page::of(&numbers, query);
        let records = self.records(query.scope, &numbers, max_bytes)?;
        Ok(Listing { records, total, changes: Some(count.changes) })
    }

    /// Returns the number of changes among the records of a type in an account.
    pub(super) fn changes(&self, scope: Scope) -> Result<i64, StoreError> {
        Ok(self.count(scope)?.changes)
    }

    /// Returns the ids of a page of a list.
    pub(super) fn ids(&self, query: &ListQuery) -> Result<Vec<Uuid>, StoreError> {
        let _snapshot = Snapshot::begin(self.connection)?;
        let Page { numbers, .. } = self.page(query, self.count(query.scope)?)?;
        let mut select =
            self.connection.prepare_cached("SELECT id FROM record WHERE number = ?1").map_err(failed)?;
        let id = |number| select.query_row([number], |row| uuid(row, 0)).map_err(failed);
        numbers.into_iter().map(id).collect()
    }

    /// Returns the records that exist among these ids, of at most `max_bytes` bytes.
    pub(super) fn find_all(
        &self,
        scope: Scope,
        ids: &[Uuid],
        max_bytes: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let (mut records, mut budget) = (Vec::with_capacity(ids.len()), ByteBudget(max_bytes));
        for id in ids {
            if let Some(record) = find(self.connection, self.symbols, scope, *id)? {
                budget.take(&record)?;
                records.push(record);
            }
        }
        Ok(records)
    }

    /// Returns the members of a relationship of these records, at most `max` in total.
    pub(super) fn members(
        &self,
        scope: Scope,
        owners: &[i64],
        relationship: &'static str,
        max: usize,
    ) -> Result<Vec<(i64, String, Uuid)>, StoreError> {
        let (relationship, inverse) = self.symbols.link(scope.spec.name, relationship);
        let text = if inverse {
            "SELECT s.name, r.id FROM link l JOIN record r ON r.number = l.owner \
             JOIN symbol s ON s.number = r.kind WHERE l.target = ?1 AND l.relationship = ?2 ORDER BY l.owner"
        } else {
            "SELECT s.name, r.id FROM link l JOIN record r ON r.number = l.target \
             JOIN symbol s ON s.number = r.kind WHERE l.owner = ?1 AND l.relationship = ?2 ORDER BY l.number"
        };
        let mut select = self.connection.prepare_cached(text).map_err(failed)?;
        let mut members = Vec::new();
        for owner in owners {
            let rows = select
                .query_map(params![owner, relationship], |row| Ok((*owner, row.get(0)?, uuid(row, 1)?)))
                .map_err(failed)?;
            for row in rows.take(max - members.len()) {
                members.push(row.map_err(failed)?);
            }
        }
        Ok(members)
    }

    /// Finds the record numbers of a page. `count` is that of the records of its type in the account.
    fn page(&self, query: &ListQuery, count: RecordCount) -> Result<Page, StoreError> {
        if let Some(page) = self.page_from_index(query, count)? {
            return Ok(page);
        }
        let (is_cacheable, epoch) = (is_cacheable(query), self.cache.epoch());
        if is_cacheable && let Some(numbers) = self.cache.get(query, count.changes, epoch) {
            return Ok(Page::of(&numbers, query));
        }
        let numbers = if query.linked_from.is_none() && query.conditions.is_empty() {
            self.sorted_all(query)?
        } else {
            self.sorted(query, self.matching(query)?, count.records)?
        };
        let page = Page::of(&numbers, query);
        if is_cacheable {
            self.cache.insert(query, count.changes, epoch, numbers);
        }
        Ok(page)
    }

    /// Finds a page near either end of a list whose order an index has. Returns `None` for every other page.
    fn page_from_index(&self, query: &ListQuery, count: RecordCount) -> Result<Option<Page>, StoreError> {
        if !has_index_order(query) {
            return Ok(None);
        }
        let order = query.order.first();
        let total = count.records;
        let Some(part) = IndexPart::of(query, total) else { return Ok(None) };
        if part.limit == 0 {
            return Ok(Some(Page { numbers: Vec::new(), total }));
        }
        let mut numbers = self.numbers_from_index(query.scope, order, part)?;
        if part.backwards {
            numbers.reverse();
        }
        Ok(Some(Page { numbers, total }))
    }

    /// Reads record numbers of an account from the index with this order, or the order of creation if it is `None`;
    /// with `backwards`, from the end of the index.
    fn numbers_from_index(
        &self,
        scope: Scope,
        order: Option<&Order>,
        IndexPart { offset, limit, backwards }: IndexPart,
    ) -> Result<Vec<i64>, StoreError> {
        let direction = if order.is_some_and(|order| order.descending) == backwards { "" } else { " DESC" };
        let (text, of) = match order.filter(|order| order.attribute != "created_at") {
            None => (
                format!(
                    "SELECT number FROM record WHERE account = ?1 AND kind = ?2 ORDER BY number{direction} \
                     LIMIT ?3 OFFSET ?4"
                ),
                self.symbols.kind(scope.spec.name),
            ),
            Some(order) => (
                format!(
                    "SELECT record FROM {} WHERE account = ?1 AND field = ?2 \
                     ORDER BY value{direction}, record{direction} LIMIT ?3 OFFSET ?4",
                    table(scope.spec, order.attribute)
                ),
                self.symbols.member(scope.spec.name, order.attribute),
            ),
        };
        let mut select = self.connection.prepare_cached(&text).map_err(failed)?;
        let [limit, offset] = [limit, offset].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        let numbers =
            select.query_map(params![scope.owner(), of, limit, offset], |row| row.get(0)).map_err(failed)?;
        numbers.collect::<Result<_, _>>().map_err(failed)
    }

    fn count(&self, scope: Scope) -> Result<RecordCount, StoreError> {
        let count = self
            .connection
            .prepare_cached("SELECT records, changes FROM record_count WHERE account = ?1 AND kind = ?2")
            .map_err(failed)?
            .query_row(params![scope.owner(), self.symbols.kind(scope.spec.name)], |row| {
                let records = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
                Ok(RecordCount { records, changes: row.get(1)? })
            })
            .optional()
            .map_err(failed)?;
        Ok(count.unwrap_or_default())
    }

    /// Reads the records with these numbers, in the same order, of at most `max_bytes` bytes.
    fn records(&self, scope: Scope, numbers: &[i64], max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        // One statement for all records: a statement for each would search from the root of the table each time.
        let mut select = self
            .connection
            .prepare_cached(
                "SELECT r.number, r.id, r.revision, r.attributes, r.meta \
                 FROM json_each(?1) page CROSS JOIN record r ON r.number = page.value",
            )
            .map_err(failed)?;
        let page = serde_json::to_string(numbers).map_err(|error| StoreError::Failed(error.to_string()))?;
        let mut rows = select.query([page]).map_err(failed)?;
        let (mut records, mut budget) = (Vec::with_capacity(numbers.len()), ByteBudget(max_bytes));
        while let Some(row) = rows.next().map_err(failed)? {
            let record = record(row, scope.spec.name).map_err(failed)?;
            budget.take(&record)?;
            records.push(record);
        }
        // SQLite joins in the written order, but SQL does not guarantee it.
        if records.iter().map(|record| record.number).ne(numbers.iter().copied()) {
            return Err(StoreError::Failed("the records of a page are not those of its index".to_owned()));
        }
        Ok(records)
    }
}

/// The number of bytes that further records may have.
struct ByteBudget(usize);

impl ByteBudget {
    fn take(&mut self, record: &Record) -> Result<(), StoreError> {
        let length = record.attributes.len() + record.meta.as_ref().map_or(0, String::len);
        let left = self.0.checked_sub(length);
        self.0 = left.ok_or_else(|| StoreError::TooLarge("records of too many bytes".to_owned()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
