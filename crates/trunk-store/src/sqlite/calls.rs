//! The records of calls that ended or were refused.

use didww_types::Timestamp;
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::error::failed;
use super::row::uuid;
use crate::{CallQuery, StoreError, StoredCall, StoredCharge};

/// Maximum number of records of an account or a trunk that are sorted by their numbers for a page. The indexes are in
/// the order of times, so with more records, each page would read and sort all of them; other records are skipped
/// instead.
const MAX_SORTED: i64 = 20_000;
/// Counts the records of an account, or of a trunk, since a time, up to the number in the third parameter.
const COUNT_OF_ACCOUNT: &str =
    "SELECT count(*) FROM (SELECT 1 FROM call WHERE account = ?1 AND ended_at >= ?2 LIMIT ?3)";
const COUNT_OF_TRUNK: &str =
    "SELECT count(*) FROM (SELECT 1 FROM call WHERE trunk = ?1 AND ended_at >= ?2 LIMIT ?3)";

/// Inserts a call record. An existing record with the same id is unchanged: the caller repeats writes whose outcome is
/// unknown.
pub(super) fn insert(connection: &Connection, call: &StoredCall) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO call \
             (id, account, trunk, ended_at, cause, code, source, destination, price, call_id, attributes) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING",
        )
        .map_err(failed)?
        .execute(params![
            call.id.as_bytes().as_slice(),
            call.account,
            call.trunk.as_bytes().as_slice(),
            call.ended_at.as_unix_millis(),
            call.cause,
            call.code,
            call.source,
            call.destination,
            call.price,
            call.call_id,
            call.attributes,
        ])
        .map(|_| ())
        .map_err(failed)
}

/// A member of a record's attributes, for which there is no index.
macro_rules! member {
    ($name:literal) => {
        concat!("json_extract(CASE WHEN json_valid(attributes) THEN attributes END, '$.", $name, "') = ?")
    };
}

pub(super) fn list(connection: &Connection, query: &CallQuery) -> Result<Vec<StoredCall>, StoreError> {
    Ok(select(connection, query, None)?.into_iter().map(|(_, call)| call).collect())
}

/// The records after a number, in ascending order, or with `None` all of them, in descending order. Each has its
/// number.
pub(super) fn select(
    connection: &Connection,
    query: &CallQuery,
    after: Option<i64>,
) -> Result<Vec<(i64, StoredCall)>, StoreError> {
    let passes_over = after.is_some() && has_many(connection, query)?;
    let (text, parameters) = statement(query, after, passes_over);
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    let rows = statement
        .query_map(params_from_iter(parameters), |row| Ok((row.get(11)?, call(row)?)))
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// Whether more than [`MAX_SORTED`] records of the query's trunk, or of its account, are in its period.
fn has_many(connection: &Connection, query: &CallQuery) -> Result<bool, StoreError> {
    let (count, owner) = match (query.trunk, query.account) {
        (Some(trunk), _) => (COUNT_OF_TRUNK, SqlValue::Blob(trunk.as_bytes().to_vec())),
        (None, Some(account)) => (COUNT_OF_ACCOUNT, SqlValue::Integer(account)),
        // No other condition selects an index that requires sorting.
        (None, None) => return Ok(false),
    };
    let from = query.from.map_or(i64::MIN, Timestamp::as_unix_millis);
    let found: i64 = connection
        .prepare_cached(count)
        .and_then(|mut select| select.query_row(params![owner, from, MAX_SORTED + 1], |row| row.get(0)))
        .map_err(failed)?;
    Ok(found > MAX_SORTED)
}

/// The text of a statement and its parameters. With `passes_over` it uses no index but the numbers.
fn statement(query: &CallQuery, after: Option<i64>, passes_over: bool) -> (String, Vec<SqlValue>) {
    let mut conditions = vec!["1".to_owned()];
    let mut parameters: Vec<SqlValue> = Vec::new();
    let mut add = |condition: &str, value: Option<SqlValue>| {
        if let Some(value) = value {
            parameters.push(value);
            conditions.push(condition.replace('?', &format!("?{}", parameters.len())));
        }
    };
    // The unary plus before a column keeps the engine from using an index on it.
    let (account, trunk) =
        if passes_over { ("+account = ?", "+trunk = ?") } else { ("account = ?", "trunk = ?") };
    add(account, query.account.map(SqlValue::Integer));
    add(trunk, query.trunk.map(|id| SqlValue::Blob(id.as_bytes().to_vec())));
    add("cause = ?", query.cause.map(|cause| SqlValue::Integer(cause.into())));
    add("call_id = ?", query.call_id.clone().map(SqlValue::Text));
    add(member!("source_ip"), query.source_ip.map(|ip| SqlValue::Text(ip.to_string())));
    add(member!("check"), query.check.clone().map(SqlValue::Text));
    let number = query.number.clone().map(SqlValue::Text);
    add("(instr(source, ?) > 0 OR instr(destination, ?) > 0)", number);
    add("ended_at >= ?", query.from.map(|at| SqlValue::Integer(at.as_unix_millis())));
    add("ended_at < ?", query.to.map(|at| SqlValue::Integer(at.as_unix_millis())));
    add("number > ?", after.map(SqlValue::Integer));
    let text = format!(
        "SELECT id, account, trunk, ended_at, cause, code, source, destination, price, call_id, attributes, number \
         FROM call WHERE {} ORDER BY number {} LIMIT {}",
        conditions.join(" AND "),
        if after.is_some() { "ASC" } else { "DESC" },
        query.limit
    );
    (text, parameters)
}

fn call(row: &Row<'_>) -> rusqlite::Result<StoredCall> {
    Ok(StoredCall {
        id: uuid(row, 0)?,
        account: row.get(1)?,
        trunk: uuid(row, 2)?,
        ended_at: Timestamp::from_unix_millis(row.get(3)?),
        cause: row.get(4)?,
        code: row.get(5)?,
        source: row.get(6)?,
        destination: row.get(7)?,
        price: row.get(8)?,
        call_id: row.get(9)?,
        attributes: row.get(10)?,
    })
}

/// Deletes the records that ended before a time, among the `max` records with the lowest numbers. Records are written
/// in the order of time, so the lowest numbers are the oldest, and no index on the time is needed.
pub(super) fn delete_oldest(connection: &Connection, before: Timestamp, max: u64) -> Result<u64, StoreError> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM call WHERE ended_at < ?1 AND number IN (SELECT number FROM call ORDER BY number LIMIT ?2)",
        )
        .and_then(|mut delete| delete.execute(params![before.as_unix_millis(), i64::try_from(max).unwrap_or(i64::MAX)]))
        .map_err(failed)?;
    Ok(u64::try_from(deleted).unwrap_or_default())
}

pub(super) fn charges_since(
    connection: &Connection,
    from: Timestamp,
) -> Result<Vec<StoredCharge>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT trunk, ended_at, price, account, id FROM call WHERE price <> '0' AND ended_at >= ?1",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map(params![from.as_unix_millis()], |row| {
            Ok(StoredCharge {
                trunk: uuid(row, 0)?,
                ended_at: Timestamp::from_unix_millis(row.get(1)?),
                price: row.get(2)?,
                account: row.get(3)?,
                id: uuid(row, 4)?,
            })
        })
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::SqliteStore;
    use crate::sqlite::plan::assert_seeks;

    fn of(account: i64) -> CallQuery {
        CallQuery {
            account: Some(account),
            from: Some(Timestamp::from_unix_millis(5)),
            limit: 1_000,
            ..CallQuery::default()
        }
    }

    #[test]
    fn many_records_are_read_in_the_order_of_their_numbers_without_being_sorted() {
        let store = SqliteStore::in_memory().unwrap();
        let of_trunk = CallQuery { trunk: Some(Uuid::from_u128(1)), ..of(1) };
        store
            .connections
            .read(|connection| {
                assert_seeks(connection, COUNT_OF_ACCOUNT, "call_account");
                assert_seeks(connection, COUNT_OF_TRUNK, "call_trunk");
                for query in [of(1), of_trunk] {
                    let (text, _) = statement(&query, Some(0), true);
                    assert_seeks(connection, &text, "INTEGER PRIMARY KEY");
                }
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn the_records_of_an_account_are_many_from_one_past_the_limit_on_and_are_the_same_then() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("schema.sql")).unwrap();
        let transaction = connection.transaction().unwrap();
        let add = |number: i64, account: i64, ended_at: i64| {
            let call = StoredCall {
                id: Uuid::from_u128(u128::try_from(number).unwrap()),
                account,
                trunk: Uuid::from_u128(u128::try_from(account).unwrap()),
                ended_at: Timestamp::from_unix_millis(ended_at),
                cause: 200,
                code: 200,
                source: "1".to_owned(),
                destination: "2".to_owned(),
                price: "0".to_owned(),
                call_id: None,
                attributes: "{}".to_owned(),
            };
            insert(&transaction, &call).unwrap();
        };
        // One is before the time of the query, and one of another account.
        add(1, 1, 4);
        add(2, 2, 5);
        (0..MAX_SORTED).for_each(|number| add(3 + number, 1, 5 + number % 7));
        assert!(!has_many(&transaction, &of(1)).unwrap());
        let numbers = || {
            let page = select(&transaction, &CallQuery { limit: 3, ..of(1) }, Some(i64::MIN)).unwrap();
            page.into_iter().map(|(_, call)| call.id.as_u128()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(), [3, 4, 5]);
        add(3 + MAX_SORTED, 1, 5);
        assert!(has_many(&transaction, &of(1)).unwrap() && !has_many(&transaction, &of(2)).unwrap());
        assert!(has_many(&transaction, &CallQuery { trunk: Some(Uuid::from_u128(1)), ..of(1) }).unwrap());
        assert_eq!(numbers(), [3, 4, 5]);
    }
}
