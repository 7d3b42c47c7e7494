//! Finds the records that match a query: one condition selects candidates by its index, and the others filter them.

use std::fmt::Write as _;

use didww_types::{FilterTest, ResourceSpec, Step, follow, related_attribute};
use rusqlite::params_from_iter;
use rusqlite::types::Value as SqlValue;
use uuid::Uuid;

use super::Lists;
use crate::list_plan::{driving_condition, path, table, to_newest};
use crate::sqlite::error::failed;
use crate::sqlite::symbols::Symbols;
use crate::{Condition, IndexValue, ListQuery, Scope, StoreError};

/// A statement under construction. Its text depends only on the shape of the query, so that queries of the same shape
/// share a compiled statement.
#[derive(Default)]
struct Sql {
    from: String,
    /// The column with the record number.
    number: &'static str,
    conditions: Vec<String>,
    parameters: Vec<SqlValue>,
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

impl Lists<'_> {
    /// Returns the numbers of the records that match a query, in the order of creation.
    pub(super) fn matching(&self, query: &ListQuery) -> Result<Vec<i64>, StoreError> {
        let (text, parameters) = statement(self.symbols, query);
        self.selected(&text, parameters, usize::MAX)
    }

    /// As [`matching`](Self::matching), if an index selects the records and has at most `most` entries for them. No more
    /// entries are read.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] if there are more.
    pub(super) fn few_matching(&self, query: &ListQuery, most: usize) -> Result<Vec<i64>, StoreError> {
        let (text, parameters) = statement(self.symbols, query);
        self.selected(&format!("{text} LIMIT {}", most.saturating_add(1)), parameters, most)
    }

    fn selected(&self, text: &str, parameters: Vec<SqlValue>, most: usize) -> Result<Vec<i64>, StoreError> {
        let mut select = self.connection.prepare_cached(text).map_err(failed)?;
        let numbers = select.query_map(params_from_iter(parameters), |row| row.get(0)).map_err(failed)?;
        let mut numbers: Vec<i64> = numbers.collect::<Result<_, _>>().map_err(failed)?;
        if numbers.len() > most {
            return Err(StoreError::TooLarge("more records than a short read may have".to_owned()));
        }
        // For a single index value they are in this order already.
        numbers.sort_unstable();
        // A record has an index entry for each item of a list, of which several can match.
        numbers.dedup();
        Ok(numbers)
    }
}

/// Returns the statement that selects the numbers of the records that match a query, with its parameters.
pub(super) fn statement(symbols: &Symbols, query: &ListQuery) -> (String, Vec<SqlValue>) {
    let Sql { from, number, conditions, parameters } = build(symbols, query);
    (format!("SELECT {number} FROM {from} WHERE {}", conditions.join(" AND ")), parameters)
}

fn build(symbols: &Symbols, query: &ListQuery) -> Sql {
    let mut sql = Sql::default();
    let spec = query.scope.spec;
    let driving = if query.linked_from.is_some() { None } else { driving_condition(query) };
    if let Some((kind, owner, relationship)) = query.linked_from {
        let (relationship, inverse) = symbols.link(kind, relationship);
        let (owner, relationship) = (sql.parameter(owner), sql.parameter(relationship));
        let (known, wanted) = if inverse { ("target", "owner") } else { ("owner", "target") };
        sql.from = format!("link l CROSS JOIN record r ON r.number = l.{wanted}");
        sql.number = "r.number";
        sql.conditions.push(format!("l.{known} = {owner} AND l.relationship = {relationship}"));
        let kind = sql.parameter(symbols.kind(spec.name));
        sql.conditions.push(format!("r.kind = {kind}"));
    } else if let Some(condition) = driving.and_then(|index| query.conditions.get(index)) {
        let path = path(condition).unwrap_or_default();
        let (account, field) =
            (sql.parameter(query.scope.owner()), sql.parameter(symbols.member(spec.name, path)));
        let needs_record = |(index, condition): (usize, &Condition)| {
            let by_number = matches!(
                condition.test,
                FilterTest::Equals(_)
                    | FilterTest::Linked(_)
                    | FilterTest::Related(_)
                    | FilterTest::RelatedEvery(_)
                    | FilterTest::RelatedMeta(..)
            );
            Some(index) != driving && !by_number
        };
        // Records are read only if an index cannot decide a condition.
        let join = if query.conditions.iter().enumerate().any(needs_record) {
            " CROSS JOIN record r ON r.number = l.record"
        } else {
            ""
        };
        sql.from = format!("{} l{join}", table(spec, path));
        sql.number = "l.record";
        sql.conditions.push(format!("l.account = {account} AND l.field = {field}"));
        let test = match condition.test {
            FilterTest::Contains(_) => contains(&mut sql, "l.value", &condition.values),
            _ => sql.one_of("l.value", &condition.values),
        };
        sql.conditions.push(test);
    } else {
        "record r".clone_into(&mut sql.from);
        sql.number = "r.number";
        let (account, kind) = (sql.parameter(query.scope.owner()), sql.parameter(symbols.kind(spec.name)));
        // Where a condition selects records by their numbers, the unary plus keeps the engine from reading all records of the type.
        let selects = |condition: &Condition| selects_by_number(symbols, spec, condition);
        let plus = if query.conditions.iter().any(selects) { "+" } else { "" };
        sql.conditions.push(format!("{plus}r.account = {account} AND {plus}r.kind = {kind}"));
    }
    for (index, condition) in query.conditions.iter().enumerate() {
        if Some(index) != driving {
            let test = filter(&mut sql, symbols, query, condition);
            sql.conditions.push(test);
        }
    }
    sql
}

/// Whether a condition limits the records to those that lead to related ones of the same account. A blank value also matches
/// records that lead to none.
fn selects_by_number(symbols: &Symbols, spec: &ResourceSpec, condition: &Condition) -> bool {
    let steps = match condition.test {
        FilterTest::Linked(path) => follow(symbols.registry(), spec.name, path),
        FilterTest::Related(path) | FilterTest::RelatedEvery(path) => {
            related_attribute(symbols.registry(), spec.name, path).map(|(steps, _)| steps)
        }
        _ => return false,
    };
    !condition.values.contains(&IndexValue::Null) && steps.is_none_or(|steps| !is_shared(&steps))
}

/// Whether a path leads to a type whose records all accounts share. Then records of every account lead to the same ones, and
/// only the account's own records may be tested.
fn is_shared(steps: &[Step]) -> bool {
    steps.iter().any(|step| step.target.global)
}

fn filter(sql: &mut Sql, symbols: &Symbols, query: &ListQuery, condition: &Condition) -> String {
    let number = sql.number;
    let spec = query.scope.spec;
    match condition.test {
        FilterTest::Id => {
            format!("r.id IN ({})", ids(sql, &condition.values))
        }
        FilterTest::Equals(path) => {
            let account = sql.parameter(query.scope.owner());
            let field = sql.parameter(symbols.member(spec.name, path));
            let test = sql.one_of("f.value", &condition.values);
            format!(
                "EXISTS (SELECT 1 FROM {} f WHERE f.account = {account} AND f.field = {field} AND {test} \
                 AND f.record = {number})",
                table(spec, path)
            )
        }
        FilterTest::Zero(name) => {
            sql.one_of(&format!("coalesce(r.attributes ->> '{name}' = 0, 0)"), &condition.values)
        }
        FilterTest::Exceeds(greater, less) => sql.one_of(
            &format!("(r.attributes ->> '{greater}' > r.attributes ->> '{less}')"),
            &condition.values,
        ),
        FilterTest::Contains(name) => {
            let texts: Vec<String> =
                name.split('+').map(|name| format!("(r.attributes ->> '{name}')")).collect();
            contains(sql, &texts.join(" || "), &condition.values)
        }
        FilterTest::Meta(name) => sql.one_of(&format!("coalesce(r.meta ->> '{name}', 0)"), &condition.values),
        FilterTest::MetaAtLeast(name) => {
            let column = format!("coalesce(r.meta ->> '{name}', 0)");
            let tests: Vec<String> =
                condition.values.iter().map(|value| format!("{column} >= {}", sql.value(value))).collect();
            any_of(&tests)
        }
        FilterTest::MetaStated(name) => {
            sql.one_of(&format!("((r.meta ->> '{name}') IS NOT NULL)"), &condition.values)
        }
        FilterTest::CreatedFrom | FilterTest::CreatedUntil => {
            let sign = if condition.test == FilterTest::CreatedFrom { ">=" } else { "<=" };
            let compare = |value: &IndexValue| format!("r.created_at {sign} {}", sql.value(value));
            any_of(&condition.values.iter().map(compare).collect::<Vec<_>>())
        }
        FilterTest::Linked(path) => {
            let Some(steps) = follow(symbols.registry(), spec.name, path) else {
                return nothing_related(&condition.values);
            };
            let ids = ids(sql, &condition.values);
            let ends = Ends { from: "record f", number: "f.number", conditions: format!("f.id IN ({ids})") };
            let to_any = lead_to(sql, symbols, &steps, &ends);
            or_unrelated(sql, symbols, &steps, &condition.values, to_any)
        }
        FilterTest::Related(path) | FilterTest::RelatedEvery(path) => {
            let Some((steps, attribute)) = related_attribute(symbols.registry(), spec.name, path) else {
                return nothing_related(&condition.values);
            };
            let Some(target) = steps.last().map(|step| step.target) else { return "0".to_owned() };
            let account = sql.parameter(Scope { spec: target, ..query.scope }.owner());
            let field = sql.parameter(symbols.member(target.name, attribute));
            let index = table(target, attribute);
            let test = if matches!(condition.test, FilterTest::RelatedEvery(_)) {
                every_one(sql, index, &account, &field, &condition.values)
            } else {
                sql.one_of("f.value", &condition.values)
            };
            let ends = Ends {
                from: &format!("{index} f"),
                number: "f.record",
                conditions: format!("f.account = {account} AND f.field = {field} AND {test}"),
            };
            let with_value = lead_to(sql, symbols, &steps, &ends);
            or_unrelated(sql, symbols, &steps, &condition.values, with_value)
        }
        FilterTest::RelatedMeta(path, name) => {
            let Some(steps) = follow(symbols.registry(), spec.name, path) else {
                return sql.one_of("0", &condition.values);
            };
            let conditions = format!("coalesce(f.meta ->> '{name}', 0) <> 0");
            let ends = Ends { from: "record f", number: "f.number", conditions };
            let to_any = lead_to(sql, symbols, &steps, &ends);
            sql.one_of(&format!("({to_any})"), &condition.values)
        }
        // A test that this engine does not support must not match all records.
        _ => "0".to_owned(),
    }
}

/// Tests whether the record of the entry `f` of an index has every one of these values.
fn every_one(sql: &mut Sql, index: &str, account: &str, field: &str, values: &[IndexValue]) -> String {
    let Some((first, further)) = values.split_first() else { return "0".to_owned() };
    let mut test = format!("f.value = {}", sql.value(first));
    for value in further {
        let value = sql.value(value);
        let _infallible = write!(
            test,
            " AND EXISTS (SELECT 1 FROM {index} g WHERE g.account = {account} AND g.field = {field} \
             AND g.value = {value} AND g.record = f.record)"
        );
    }
    test
}

/// The test of a path through a type that is not declared: no record is related.
fn nothing_related(values: &[IndexValue]) -> String {
    let matches_all = values.contains(&IndexValue::Null);
    u8::from(matches_all).to_string()
}

/// Selects the chains of links from a record along a path: `k1` is the link of the first relationship, and so on.
fn linked(sql: &mut Sql, symbols: &Symbols, steps: &[Step]) -> String {
    let (mut from, mut conditions, mut owner) = (Vec::new(), Vec::new(), sql.number.to_owned());
    for (index, step) in (1..).zip(steps) {
        let relationship = sql.parameter(symbols.member(step.owner.name, step.relationship.name));
        from.push(format!("link k{index}"));
        let (known, wanted) = sides(step);
        conditions.push(format!("k{index}.{known} = {owner} AND k{index}.relationship = {relationship}"));
        conditions.extend(to_newest(step, index));
        owner = format!("k{index}.{wanted}");
    }
    format!("SELECT 1 FROM {} WHERE {}", from.join(" CROSS JOIN "), conditions.join(" AND "))
}

/// The columns of a link with the record that a step leaves, and with the one that it reaches.
pub(super) fn sides(step: &Step) -> (&'static str, &'static str) {
    if step.inverse { ("target", "owner") } else { ("owner", "target") }
}

/// The records at the end of a path, as a part of a statement.
struct Ends<'a> {
    /// The table that they are selected from, with the alias `f`.
    from: &'a str,
    /// The column with the record number.
    number: &'a str,
    conditions: String,
}

/// Tests whether a path leads from a record to one of these ends.
fn lead_to(sql: &mut Sql, symbols: &Symbols, steps: &[Step], ends: &Ends<'_>) -> String {
    if !is_shared(steps) {
        return owners(sql, symbols, steps, ends);
    }
    let links = linked(sql, symbols, steps);
    let Ends { from, number, conditions } = ends;
    let (links, end) = (links.replacen(" WHERE ", &format!(" CROSS JOIN {from} WHERE "), 1), steps.len());
    let reached = steps.last().map_or("target", |step| sides(step).1);
    format!("EXISTS ({links} AND {number} = k{end}.{reached} AND {conditions})")
}

/// Tests whether a record is among those from which a path leads to one of these ends. The ends are found by their index,
/// and the links are followed backwards, so that no other record is read.
fn owners(sql: &mut Sql, symbols: &Symbols, steps: &[Step], ends: &Ends<'_>) -> String {
    let mut from = ends.from.to_owned();
    let mut reached = ends.number.to_owned();
    for (index, step) in steps.iter().enumerate().rev() {
        let relationship = sql.parameter(symbols.member(step.owner.name, step.relationship.name));
        let (left, right) = sides(step);
        let mut link = format!("k{index}.{right} = {reached} AND k{index}.relationship = {relationship}");
        if let Some(newest) = to_newest(step, index) {
            let _infallible = write!(link, " AND {newest}");
        }
        let _infallible = write!(from, " CROSS JOIN link k{index} ON {link}");
        reached = format!("k{index}.{left}");
    }
    format!("{} IN (SELECT {reached} FROM {from} WHERE {})", sql.number, ends.conditions)
}

/// Adds the records from which a path leads to no record to a test, if a blank value selects them.
fn or_unrelated(
    sql: &mut Sql,
    symbols: &Symbols,
    steps: &[Step],
    values: &[IndexValue],
    test: String,
) -> String {
    if values.contains(&IndexValue::Null) {
        format!("({test} OR NOT EXISTS ({}))", linked(sql, symbols, steps))
    } else {
        test
    }
}

/// Adds the ids among these values as parameters. Texts that are not ids match no record.
fn ids(sql: &mut Sql, values: &[IndexValue]) -> String {
    let id = |value: &IndexValue| match value {
        IndexValue::Text(text) => Uuid::parse_str(text).ok(),
        _ => None,
    };
    let ids = values.iter().filter_map(id);
    let parameters: Vec<String> = ids.map(|id| sql.parameter(id.as_bytes().to_vec())).collect();
    parameters.join(", ")
}

fn contains(sql: &mut Sql, column: &str, values: &[IndexValue]) -> String {
    let tests: Vec<String> = values
        .iter()
        .map(|value| match value {
            // An empty value is null in a record and an empty blob in an index.
            IndexValue::Null => format!("coalesce(length({column}), 0) = 0"),
            IndexValue::Integer(number) => {
                format!("instr({column}, {}) > 0", sql.parameter(number.to_string()))
            }
            IndexValue::Text(_) => format!("instr({column}, {}) > 0", sql.value(value)),
        })
        .collect();
    any_of(&tests)
}

/// Joins alternatives with `OR` as a balanced tree: the engine limits the depth of an expression, and the depth of a
/// chain is its length.
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
