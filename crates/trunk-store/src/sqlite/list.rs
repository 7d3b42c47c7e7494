//! Lists: which records belong, in which order they stand, and which of them are on the page.
//!
//! First the page's numbers are found, from indexes alone; then its records are read, by their numbers. The beginning
//! and the end of a list that an index has in its order are walked to. Anything else is arranged as a whole, once for
//! as long as nothing changes ([`Arranged`]): so a page in the depth costs what the first one does.
//!
//! Bounds: the bytes of a page's records, and how many ids a list without records may have. The time that a list takes
//! is bounded where it is run.

mod arranged;
mod filters;
mod sort;

use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::error::failed;
use super::symbols::Symbols;
use super::{find, record, uuid};
use crate::{ListQuery, Listing, Order, Record, Scope, StoreError};

pub(super) use arranged::Arranged;

/// How many entries of an index are passed over sooner than the whole list is arranged.
const WALKED: u64 = if cfg!(test) { 3 } else { 2_000 };

/// What lists are made with.
pub(super) struct Lists<'a> {
    pub(super) connection: &'a Connection,
    pub(super) symbols: &'a Symbols,
    pub(super) arranged: &'a Arranged,
}

/// How many records a list without conditions has, and how often any of them was changed.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    records: u64,
    changes: i64,
}

/// The numbers of a page's records, and how many the whole list has.
struct Page {
    numbers: Vec<i64>,
    total: u64,
}

impl Lists<'_> {
    /// A page of a list, of so many bytes at most.
    pub(super) fn list(&self, query: &ListQuery, bytes: usize) -> Result<Listing, StoreError> {
        // One state of the database for everything: the page is counted from the total's end, and what was arranged is
        // good for the number of changes that this state has.
        let _snapshot = self.connection.unchecked_transaction().map_err(failed)?;
        let Page { numbers, total } = self.page(query)?;
        Ok(Listing { records: self.records(query.scope, &numbers, bytes)?, total })
    }

    /// The ids of a page of a list.
    pub(super) fn ids(&self, query: &ListQuery) -> Result<Vec<Uuid>, StoreError> {
        let _snapshot = self.connection.unchecked_transaction().map_err(failed)?;
        let Page { numbers, .. } = self.page(query)?;
        let mut select =
            self.connection.prepare_cached("SELECT id FROM record WHERE number = ?1").map_err(failed)?;
        let id = |number| select.query_row([number], |row| uuid(row, 0)).map_err(failed);
        numbers.into_iter().map(id).collect()
    }

    /// Records by their ids, those that there are, of so many bytes at most.
    pub(super) fn find_all(
        &self,
        scope: Scope,
        ids: &[Uuid],
        bytes: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let (mut records, mut room) = (Vec::with_capacity(ids.len()), Room(bytes));
        for id in ids {
            if let Some(record) = find(self.connection, self.symbols, scope, *id)? {
                room.take(&record)?;
                records.push(record);
            }
        }
        Ok(records)
    }

    /// What a relationship of these records leads to, so many at most.
    pub(super) fn members(
        &self,
        scope: Scope,
        owners: &[i64],
        relationship: &'static str,
        most: usize,
    ) -> Result<Vec<(i64, String, Uuid)>, StoreError> {
        let relationship = self.symbols.member(scope.spec.name, relationship);
        let mut select = self
            .connection
            .prepare_cached(
                "SELECT s.name, r.id FROM link l JOIN record r ON r.number = l.target \
                 JOIN symbol s ON s.number = r.kind WHERE l.owner = ?1 AND l.relationship = ?2 ORDER BY l.number",
            )
            .map_err(failed)?;
        let mut members = Vec::new();
        for owner in owners {
            let rows = select
                .query_map(params![owner, relationship], |row| Ok((*owner, row.get(0)?, uuid(row, 1)?)))
                .map_err(failed)?;
            for row in rows.take(most - members.len()) {
                members.push(row.map_err(failed)?);
            }
        }
        Ok(members)
    }

    fn page(&self, query: &ListQuery) -> Result<Page, StoreError> {
        let counted = self.counted(query.scope)?;
        if let Some(page) = self.walk(query, counted)? {
            return Ok(page);
        }
        let kept = is_own(query);
        if kept && let Some(numbers) = self.arranged.get(query, counted.changes) {
            return Ok(slice(&numbers, query));
        }
        let numbers = if query.linked_from.is_none() && query.conditions.is_empty() {
            self.sorted_all(query)?
        } else {
            self.sorted(query, self.belonging(query)?, counted.records)?
        };
        let page = slice(&numbers, query);
        if kept {
            self.arranged.keep(query, counted.changes, numbers);
        }
        Ok(page)
    }

    /// A page that an index leads to in few steps, from either end.
    fn walk(&self, query: &ListQuery, counted: Counted) -> Result<Option<Page>, StoreError> {
        let order = match query.order.as_slice() {
            [] => None,
            [one] => Some(one),
            _ => return Ok(None),
        };
        if query.linked_from.is_some() || !query.conditions.is_empty() {
            return Ok(None);
        }
        let total = counted.records;
        let rest = total.saturating_sub(query.offset);
        let limit = query.limit.min(rest);
        if limit == 0 {
            return Ok(Some(Page { numbers: Vec::new(), total }));
        }
        let (offset, backwards) =
            if query.offset <= rest - limit { (query.offset, false) } else { (rest - limit, true) };
        if offset > WALKED {
            return Ok(None);
        }
        let mut numbers = self.along(query.scope, order, backwards, limit, offset)?;
        if backwards {
            numbers.reverse();
        }
        Ok(Some(Page { numbers, total }))
    }

    /// The numbers of an account's records as an index has them that is in this order, or in the other direction; in
    /// the order of creation without one.
    fn along(
        &self,
        scope: Scope,
        order: Option<&Order>,
        backwards: bool,
        limit: u64,
        offset: u64,
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
                    filters::table(scope.spec, order.attribute)
                ),
                self.symbols.member(scope.spec.name, order.attribute),
            ),
        };
        let mut select = self.connection.prepare_cached(&text).map_err(failed)?;
        let [limit, offset] = [limit, offset].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        let numbers =
            select.query_map(params![scope.account, of, limit, offset], |row| row.get(0)).map_err(failed)?;
        numbers.collect::<Result<_, _>>().map_err(failed)
    }

    fn counted(&self, scope: Scope) -> Result<Counted, StoreError> {
        let counted = self
            .connection
            .prepare_cached("SELECT records, changes FROM record_count WHERE account = ?1 AND kind = ?2")
            .map_err(failed)?
            .query_row(params![scope.account, self.symbols.kind(scope.spec.name)], |row| {
                let records = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
                Ok(Counted { records, changes: row.get(1)? })
            })
            .optional()
            .map_err(failed)?;
        Ok(counted.unwrap_or_default())
    }

    /// The records of these numbers, in their order.
    fn records(&self, scope: Scope, numbers: &[i64], bytes: usize) -> Result<Vec<Record>, StoreError> {
        let mut select = self
            .connection
            .prepare_cached("SELECT number, id, revision, attributes, meta FROM record WHERE number = ?1")
            .map_err(failed)?;
        let (mut records, mut room) = (Vec::with_capacity(numbers.len()), Room(bytes));
        for number in numbers {
            let record = select.query_row([number], |row| record(row, scope.spec.name)).map_err(failed)?;
            room.take(&record)?;
            records.push(record);
        }
        Ok(records)
    }
}

/// Bytes that records may still have.
struct Room(usize);

impl Room {
    fn take(&mut self, record: &Record) -> Result<(), StoreError> {
        let length = record.attributes.len() + record.meta.as_ref().map_or(0, String::len);
        let left = self.0.checked_sub(length);
        self.0 = left.ok_or_else(|| StoreError::TooLarge("records of too many bytes".to_owned()))?;
        Ok(())
    }
}

/// Whether nothing but the records of its type, in its account, decides what a list holds: then it stays as it is for
/// as long as none of them is changed.
fn is_own(query: &ListQuery) -> bool {
    let linked = |condition: &crate::Condition| matches!(condition.test, didww_types::FilterTest::Linked(_));
    query.linked_from.is_none() && !query.conditions.iter().any(linked)
}

fn slice(numbers: &[i64], query: &ListQuery) -> Page {
    let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let page = numbers.iter().skip(place(query.offset)).take(place(query.limit));
    Page { numbers: page.copied().collect(), total: numbers.len() as u64 }
}

#[cfg(test)]
mod tests;
