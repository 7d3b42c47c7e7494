//! Lists: which index leads, what the rest must fulfil, and where to begin.

use didww_types::{FilterTest, ResourceSpec};
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};
use uuid::Uuid;

use super::error::failed;
use super::record;
use super::symbols::Symbols;
use crate::store::{Condition, IndexValue, ListQuery, Listing, StoreError};

/// A statement in the making. Its text depends only on the shape of the query, so that it is compiled once.
#[derive(Default)]
struct Sql {
    from: String,
    conditions: Vec<String>,
    order: Vec<(String, bool)>,
    parameters: Vec<SqlValue>,
    /// Whether the leading index alone decides which records belong.
    led: bool,
}

impl Sql {
    fn parameter(&mut self, value: impl Into<SqlValue>) -> String {
        self.parameters.push(value.into());
        format!("?{}", self.parameters.len())
    }

    fn value(&mut self, value: &IndexValue) -> String {
        self.parameter(match value {
            IndexValue::Integer(number) => SqlValue::Integer(*number),
            IndexValue::Text(text) => SqlValue::Text(text.clone()),
            IndexValue::Null => SqlValue::Blob(Vec::new()),
        })
    }

    fn one_of(&mut self, column: &str, values: &[IndexValue]) -> String {
        let values: Vec<String> = values.iter().map(|value| self.value(value)).collect();
        match values.as_slice() {
            [one] => format!("{column} = {one}"),
            several => format!("{column} IN ({})", several.join(", ")),
        }
    }
}

pub(super) fn list(
    connection: &Connection,
    symbols: &Symbols,
    query: &ListQuery,
) -> Result<Listing, StoreError> {
    // One state of the database for the total and the page: the page is counted from the total's end.
    let _snapshot = connection.unchecked_transaction().map_err(failed)?;
    let sql = build(symbols, query);
    let total = total(connection, symbols, query, &sql)?;
    let Some(rest) = total.checked_sub(query.offset).filter(|rest| *rest > 0 && query.limit > 0) else {
        return Ok(Listing { records: Vec::new(), total });
    };
    let limit = query.limit.min(rest);
    // A page of the second half is reached from the end: half the way, and the last page costs what the first does.
    let backwards = query.offset > total / 2;
    let offset = if backwards { rest - limit } else { query.offset };
    let order: Vec<String> = sql
        .order
        .iter()
        .map(|(column, descending)| {
            format!("{column}{}", if *descending == backwards { "" } else { " DESC" })
        })
        .collect();
    let text = format!(
        "SELECT r.number, r.id, r.revision, r.attributes, r.meta FROM {}{} ORDER BY {} LIMIT ?{} OFFSET ?{}",
        sql.from,
        conditions(&sql),
        order.join(", "),
        sql.parameters.len() + 1,
        sql.parameters.len() + 2,
    );
    let mut parameters = sql.parameters;
    parameters
        .extend([limit, offset].map(|number| SqlValue::Integer(i64::try_from(number).unwrap_or(i64::MAX))));
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    let kind = query.scope.spec.name;
    let rows = statement.query_map(params_from_iter(parameters), |row| record(row, kind)).map_err(failed)?;
    let mut records = rows.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if backwards {
        records.reverse();
    }
    Ok(Listing { records, total })
}

fn conditions(sql: &Sql) -> String {
    if sql.conditions.is_empty() { String::new() } else { format!(" WHERE {}", sql.conditions.join(" AND ")) }
}

fn total(
    connection: &Connection,
    symbols: &Symbols,
    query: &ListQuery,
    sql: &Sql,
) -> Result<u64, StoreError> {
    let total: Option<i64> = if query.conditions.is_empty() && query.linked_from.is_none() {
        connection
            .prepare_cached("SELECT records FROM record_count WHERE account = ?1 AND kind = ?2")
            .map_err(failed)?
            .query_row(params![query.scope.account, symbols.kind(query.scope.spec.name)], |row| row.get(0))
            .optional()
            .map_err(failed)?
    } else {
        // The leading index can be counted without looking at the records.
        let from =
            if sql.led { sql.from.split(" CROSS JOIN ").next().unwrap_or(&sql.from) } else { &sql.from };
        let text = format!("SELECT count(*) FROM {from}{}", conditions(sql));
        let mut statement = connection.prepare_cached(&text).map_err(failed)?;
        Some(statement.query_row(params_from_iter(&sql.parameters), |row| row.get(0)).map_err(failed)?)
    };
    Ok(u64::try_from(total.unwrap_or(0)).unwrap_or(0))
}

fn build(symbols: &Symbols, query: &ListQuery) -> Sql {
    let mut sql = Sql::default();
    let spec = query.scope.spec;
    let leader = leader(query);
    let in_facet = "l.account = ?1 AND l.field = ?2";
    if let Some((kind, owner, relationship)) = query.linked_from {
        let (owner, relationship) = (sql.parameter(owner), sql.parameter(symbols.member(kind, relationship)));
        "link l CROSS JOIN record r ON r.number = l.target".clone_into(&mut sql.from);
        sql.conditions.push(format!("l.owner = {owner} AND l.relationship = {relationship}"));
        let kind = sql.parameter(symbols.kind(spec.name));
        sql.conditions.push(format!("r.kind = {kind}"));
    } else if let Some(condition) = leader.and_then(|place| query.conditions.get(place)) {
        let path = path(condition).unwrap_or_default();
        sql.parameter(query.scope.account);
        sql.parameter(symbols.member(spec.name, path));
        sql.from = format!("{} l CROSS JOIN record r ON r.number = l.record", table(spec, path));
        sql.conditions.push(in_facet.to_owned());
        let test = match condition.test {
            FilterTest::Contains(_) => contains(&mut sql, "l.value", &condition.values),
            _ => sql.one_of("l.value", &condition.values),
        };
        sql.conditions.push(test);
        sql.led = query.conditions.len() == 1;
    } else if let Some(path) = sorted_index(query) {
        sql.parameter(query.scope.account);
        sql.parameter(symbols.member(spec.name, path));
        sql.from = format!("{} l CROSS JOIN record r ON r.number = l.record", table(spec, path));
        sql.conditions.push(in_facet.to_owned());
    } else {
        "record r".clone_into(&mut sql.from);
        let (account, kind) = (sql.parameter(query.scope.account), sql.parameter(symbols.kind(spec.name)));
        sql.conditions.push(format!("r.account = {account} AND r.kind = {kind}"));
    }
    for (place, condition) in query.conditions.iter().enumerate() {
        if Some(place) != leader || query.linked_from.is_some() {
            let test = filter(&mut sql, symbols, query, condition);
            sql.conditions.push(test);
        }
    }
    sql.order = order(query, leader);
    sql
}

/// The condition whose index leads: a unique attribute before any other, equality before a search in the text.
fn leader(query: &ListQuery) -> Option<usize> {
    let rank = |condition: &Condition| match condition.test {
        FilterTest::Equals(path) if unique(query.scope.spec, path) => Some(0),
        FilterTest::Equals(_) => Some(1),
        FilterTest::Contains(_) => Some(2),
        _ => None,
    };
    let ranked = query.conditions.iter().enumerate().filter_map(|(place, c)| Some((rank(c)?, place)));
    ranked.min().map(|(_, place)| place)
}

/// A list that is sorted by one indexed attribute and nothing else follows that index.
fn sorted_index(query: &ListQuery) -> Option<&'static str> {
    match query.order.as_slice() {
        [one] if query.conditions.is_empty() && one.attribute != "created_at" => Some(one.attribute),
        _ => None,
    }
}

fn order(query: &ListQuery, leader: Option<usize>) -> Vec<(String, bool)> {
    if query.linked_from.is_none() && leader.is_none() && sorted_index(query).is_some() {
        let descending = query.order.iter().any(|order| order.descending);
        return vec![("l.value".to_owned(), descending), ("l.record".to_owned(), descending)];
    }
    let number = if leader.is_some() && query.linked_from.is_none() { "l.record" } else { "r.number" };
    let mut order: Vec<(String, bool)> = Vec::new();
    for criterion in &query.order {
        if criterion.attribute == "created_at" {
            order.push(("r.created_at".to_owned(), criterion.descending));
        } else {
            // As in the index: empty is null.
            let value = format!("nullif(r.attributes ->> '{}', '')", criterion.attribute);
            order.push((format!("{value} IS NULL"), criterion.descending));
            order.push((value, criterion.descending));
        }
    }
    // Alone, the time of creation sorts as the order of creation does, and that needs no sorting.
    if let [one] = query.order.as_slice()
        && one.attribute == "created_at"
    {
        order = vec![(number.to_owned(), one.descending)];
    } else {
        order.push((number.to_owned(), query.order.last().is_some_and(|last| last.descending)));
    }
    order
}

fn filter(sql: &mut Sql, symbols: &Symbols, query: &ListQuery, condition: &Condition) -> String {
    let spec = query.scope.spec;
    match condition.test {
        FilterTest::Id => {
            let ids: Vec<String> = condition
                .values
                .iter()
                .filter_map(|value| match value {
                    IndexValue::Text(text) => Uuid::parse_str(text).ok(),
                    _ => None,
                })
                .map(|id| sql.parameter(id.as_bytes().to_vec()))
                .collect();
            format!("r.id IN ({})", ids.join(", "))
        }
        FilterTest::Equals(path) => {
            let account = sql.parameter(query.scope.account);
            let field = sql.parameter(symbols.member(spec.name, path));
            let test = sql.one_of("f.value", &condition.values);
            format!(
                "EXISTS (SELECT 1 FROM {} f WHERE f.account = {account} AND f.field = {field} AND {test} \
                 AND f.record = r.number)",
                table(spec, path)
            )
        }
        FilterTest::Contains(name) => contains(sql, &format!("r.attributes ->> '{name}'"), &condition.values),
        FilterTest::Linked(relationship) => {
            let relationship = sql.parameter(symbols.member(spec.name, relationship));
            let linked = format!(
                "SELECT 1 FROM link k JOIN record t ON t.number = k.target \
                 WHERE k.owner = r.number AND k.relationship = {relationship}"
            );
            let ids: Vec<String> = condition
                .values
                .iter()
                .filter_map(|value| match value {
                    IndexValue::Text(text) => Some(Uuid::parse_str(text).ok()?.as_bytes().to_vec()),
                    _ => None,
                })
                .map(|id| sql.parameter(id))
                .collect();
            let to_any = format!("EXISTS ({linked} AND t.id IN ({}))", ids.join(", "));
            if condition.values.contains(&IndexValue::Null) {
                format!("({to_any} OR NOT EXISTS ({linked}))")
            } else {
                to_any
            }
        }
        // A test that this engine does not know must not let everything through.
        _ => "0".to_owned(),
    }
}

fn contains(sql: &mut Sql, column: &str, values: &[IndexValue]) -> String {
    let tests: Vec<String> = values
        .iter()
        .map(|value| match value {
            // Null in a record, an empty blob in an index.
            IndexValue::Null => format!("coalesce(length({column}), 0) = 0"),
            IndexValue::Integer(number) => {
                format!("instr({column}, {}) > 0", sql.parameter(number.to_string()))
            }
            IndexValue::Text(_) => format!("instr({column}, {}) > 0", sql.value(value)),
        })
        .collect();
    any_of(&tests)
}

/// Alternatives as a tree: the engine bounds the depth of an expression, and a chain is as deep as it is long.
fn any_of(tests: &[String]) -> String {
    match tests {
        [] => "0".to_owned(),
        [one] => one.clone(),
        several => {
            let (left, right) = several.split_at(several.len() / 2);
            format!("({} OR {})", any_of(left), any_of(right))
        }
    }
}

fn path(condition: &Condition) -> Option<&'static str> {
    match condition.test {
        FilterTest::Equals(path) | FilterTest::Contains(path) => Some(path),
        _ => None,
    }
}

fn unique(spec: &ResourceSpec, path: &str) -> bool {
    spec.attribute(path).is_some_and(|attribute| attribute.unique)
}

fn table(spec: &ResourceSpec, path: &str) -> &'static str {
    if unique(spec, path) { "unique_facet" } else { "facet" }
}
