//! Reads the records of all accounts, for copies that are kept by the change feed.

use didww_types::ResourceSpec;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::error::failed;
use super::mapping::forget_read_pages;
use super::row::{record, uuid};
use super::symbols::Symbols;
use crate::{StoreError, StoredRecord};

/// Maximum number of records of other types that [`records_after`] skips: no index has the records of one type of all
/// accounts in the order of their numbers, and the time of a read must not grow with the database.
const MAX_SKIPPED: i64 = 10_000;
/// Maximum number of accounts in which a long read looks for a record of a type before it visits records.
const MAX_ACCOUNTS: usize = 1_000;
/// The same on the thread of the caller: the owner of reference data, and few accounts.
const MAX_DIRECT_ACCOUNTS: usize = 8;

const NEXT_ACCOUNT: &str = "SELECT min(account) FROM record WHERE account > ?1";
const OF_ACCOUNT: &str = "SELECT 1 FROM record WHERE account = ?1 AND kind = ?2";
/// Selects by a range of record numbers, which has at most as many records as numbers, because none is used twice.
const OF_TYPE: &str = "SELECT number, id, revision, attributes, meta, account FROM record \
                       WHERE number > ?2 AND number <= ?3 AND +kind = ?1 ORDER BY number LIMIT ?4";
const NEXT_NUMBER: &str = "SELECT min(number) FROM record WHERE number > ?1";
/// The order of the joined tables is fixed: the links of a page are a range of an index, and their targets are not.
const LINKS: &str = "SELECT l.owner, l.number, l.relationship, r.id FROM link l CROSS JOIN record r ON r.number = l.target \
                     WHERE l.owner >= ?1 AND l.owner <= ?2 AND l.relationship >= ?3 AND l.relationship <= ?4";

/// Returns the records of a type with greater numbers than `after` and their relationships, at most `max`, and the
/// number after which others may follow; `None` if there are no others.
pub(super) fn records_after(
    connection: &Connection,
    symbols: &Symbols,
    spec: &'static ResourceSpec,
    after: i64,
    max: usize,
) -> Result<(Vec<StoredRecord>, Option<i64>), StoreError> {
    let kind = symbols.kind(spec.name);
    if after <= 0 && has_none(connection, kind, MAX_ACCOUNTS)? {
        return Ok((Vec::new(), None));
    }
    let last = after.saturating_add(MAX_SKIPPED);
    let mut found = Vec::new();
    {
        let mut statement = connection.prepare_cached(OF_TYPE).map_err(failed)?;
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![kind, after, last, limit]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let record = record(row, spec.name).map_err(failed)?;
            found.push(StoredRecord { account: row.get(5).map_err(failed)?, record, links: Vec::new() });
        }
    }
    add_links(connection, symbols, spec, &mut found)?;
    let next = if found.len() < max {
        let next: Option<i64> = connection
            .prepare_cached(NEXT_NUMBER)
            .and_then(|mut select| select.query_row(params![last], |row| row.get(0)))
            .map_err(failed)?;
        next.map(|number| number.saturating_sub(1))
    } else {
        found.last().map(|stored| stored.record.number)
    };
    forget_read_pages(connection);
    Ok((found, next))
}

/// Returns true if there are few accounts and none of them has a record of a type, as in a new database. This read is
/// short: a start need not wait for the thread of long reads, which then begins with the first one.
pub(super) fn certainly_none(
    connection: &Connection,
    symbols: &Symbols,
    spec: &'static ResourceSpec,
) -> Result<bool, StoreError> {
    has_none(connection, symbols.kind(spec.name), MAX_DIRECT_ACCOUNTS)
}

/// Returns true if no account has a record of a type. With `max` accounts or more it returns false.
fn has_none(connection: &Connection, kind: i64, max: usize) -> Result<bool, StoreError> {
    let mut next = connection.prepare_cached(NEXT_ACCOUNT).map_err(failed)?;
    let mut of_account = connection.prepare_cached(OF_ACCOUNT).map_err(failed)?;
    let mut account = i64::MIN;
    for _ in 0..max {
        let found: Option<i64> = next.query_row(params![account], |row| row.get(0)).map_err(failed)?;
        let Some(found) = found else { return Ok(true) };
        if of_account.exists(params![found, kind]).map_err(failed)? {
            return Ok(false);
        }
        account = found;
    }
    Ok(false)
}

/// Adds the members of each relationship, in the order in which they were linked, to records in the order of their
/// numbers. One statement reads the links of all: a statement for each record takes longer than reading the record.
fn add_links(
    connection: &Connection,
    symbols: &Symbols,
    spec: &'static ResourceSpec,
    found: &mut [StoredRecord],
) -> Result<(), StoreError> {
    let names: Vec<(&'static str, i64)> = spec
        .relationships
        .iter()
        .map(|relationship| (relationship.name, symbols.member(spec.name, relationship.name)))
        .collect();
    for stored in found.iter_mut() {
        stored.links = names.iter().map(|(name, _)| (*name, Vec::new())).collect();
    }
    let (Some(first), Some(last)) = (found.first(), found.last()) else { return Ok(()) };
    let (first, last) = (first.record.number, last.record.number);
    let (smallest, greatest) = (names.iter().map(|name| name.1).min(), names.iter().map(|name| name.1).max());
    let mut members: Vec<(i64, i64, i64, Uuid)> = Vec::new();
    {
        let mut statement = connection.prepare_cached(LINKS).map_err(failed)?;
        let mut rows = statement.query(params![first, last, smallest, greatest]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let id = uuid(row, 3).map_err(failed)?;
            members.push((
                row.get(0).map_err(failed)?,
                row.get(1).map_err(failed)?,
                row.get(2).map_err(failed)?,
                id,
            ));
        }
    }
    members.sort_unstable();
    for (owner, _, relationship, id) in members {
        // Records of other types have numbers between those of a page.
        let Ok(at) = found.binary_search_by_key(&owner, |stored| stored.record.number) else { continue };
        let Some(place) = names.iter().position(|(_, number)| *number == relationship) else { continue };
        if let Some((_, ids)) = found.get_mut(at).and_then(|stored| stored.links.get_mut(place)) {
            ids.push(id);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::plan::{assert_seeks, plan};
    use super::*;

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("schema.sql")).unwrap();
        connection
    }

    #[test]
    fn few_accounts_are_looked_through_for_a_type_at_once() {
        let connection = database();
        let kinds = |account: usize| if account == 5 { 2_i64 } else { 1_i64 };
        let insert = |account: usize| {
            let id = account.to_le_bytes().to_vec();
            connection
                .execute(
                    "INSERT INTO record (account, kind, id, created_at, attributes) VALUES (?1, ?2, ?3, 0, '{}')",
                    params![i64::try_from(account).unwrap(), kinds(account), id],
                )
                .unwrap();
        };
        (0..MAX_DIRECT_ACCOUNTS - 1).for_each(insert);
        let has_none = |kind: i64| has_none(&connection, kind, MAX_DIRECT_ACCOUNTS).unwrap();
        assert_eq!([1, 2, 3].map(has_none), [false, false, true]);
        insert(99);
        assert!(!has_none(3), "with more accounts it is not certain");
    }

    #[test]
    fn the_records_of_a_type_are_a_range_of_numbers_and_their_links_a_range_of_owners() {
        let connection = database();
        assert_seeks(&connection, NEXT_ACCOUNT, "record_list");
        assert_seeks(&connection, OF_ACCOUNT, "record_list");
        assert_seeks(&connection, OF_TYPE, "INTEGER PRIMARY KEY");
        assert_seeks(&connection, NEXT_NUMBER, "INTEGER PRIMARY KEY");
        assert_seeks(&connection, LINKS, "link_owner");
        let steps = plan(&connection, LINKS);
        assert!(steps.first().is_some_and(|step| step.contains("link_owner")), "{steps:?}");
    }
}
