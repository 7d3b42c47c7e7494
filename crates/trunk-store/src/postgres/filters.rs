//! Finds the records that match a query: the conditions as one statement, whose plan is the server's.

use std::fmt::Write as _;

use didww_types::{FilterTest, Step, follow, related_attribute};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::symbols::Symbols;
use crate::list_plan::{driving_condition, path, table, to_newest};
use crate::{Condition, IndexValue, ListQuery, Scope};

/// A statement under construction: its parameters with their types.
#[derive(Default)]
pub(super) struct Sql(Vec<(Box<dyn ToSql + Sync + Send>, Type)>);

impl Sql {
    fn push(&mut self, value: impl ToSql + Sync + Send + 'static, sql_type: Type) -> String {
        self.0.push((Box::new(value), sql_type));
        format!("${}", self.0.len())
    }

    /// Adds a number, and returns its place in the text.
    pub(super) fn integer(&mut self, value: i64) -> String {
        self.push(value, Type::INT8)
    }

    /// The parameters, for the client.
    pub(super) fn parameters(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.0.iter().map(|(value, of)| (value.as_ref() as &(dyn ToSql + Sync), of.clone())).collect()
    }

    /// Tests whether a column with the keys of index values contains one of these values.
    fn one_of(&mut self, column: &str, values: &[IndexValue]) -> String {
        match values {
            [one] => format!("{column} = {}", self.push(one.key(), Type::BYTEA)),
            several => {
                let keys: Vec<Vec<u8>> = several.iter().map(IndexValue::key).collect();
                format!("{column} = ANY({})", self.push(keys, Type::BYTEA_ARRAY))
            }
        }
    }

    /// Tests whether a number is one of these.
    fn one_of_numbers(&mut self, number: &str, values: &[IndexValue]) -> String {
        let numbers: Vec<i64> = values.iter().filter_map(integer).collect();
        format!("{number} = ANY({})", self.push(numbers, Type::INT8_ARRAY))
    }

    /// The ids among these values. Texts that are not ids match no record.
    fn ids(&mut self, values: &[IndexValue]) -> String {
        let id = |value: &IndexValue| match value {
            IndexValue::Text(text) => Uuid::parse_str(text).ok(),
            _ => None,
        };
        let ids: Vec<Uuid> = values.iter().filter_map(id).collect();
        self.push(ids, Type::UUID_ARRAY)
    }
}

fn integer(value: &IndexValue) -> Option<i64> {
    match value {
        IndexValue::Integer(number) => Some(*number),
        _ => None,
    }
}

/// A member of a record's attributes or `meta`. The database server refuses JSON with a NUL character in a text, so a space
/// replaces it.
fn member(column: &str, name: &str) -> String {
    format!("(replace({column}, '\\u0000', '\\u0020')::json -> '{name}')")
}

/// A member as a number: a boolean as 0 or 1, and null for everything else.
fn number(member: &str) -> String {
    format!(
        "(CASE json_typeof({member}) WHEN 'number' THEN ({member} #>> '{{}}')::numeric \
         WHEN 'boolean' THEN ({member} #>> '{{}}')::boolean::int END)"
    )
}

/// The statement that selects the numbers of the records that match a query, each once.
pub(super) fn matching(sql: &mut Sql, symbols: &Symbols, query: &ListQuery) -> String {
    let spec = query.scope.spec;
    let mut conditions = Vec::new();
    let driving = if query.linked_from.is_some() { None } else { driving_condition(query) };
    let (from, number) = if let Some((kind, owner, relationship)) = query.linked_from {
        let (relationship, inverse) = symbols.link(kind, relationship);
        let (owner, relationship) = (sql.integer(owner), sql.integer(relationship));
        let (known, wanted) = if inverse { ("target", "owner") } else { ("owner", "target") };
        conditions.push(format!("l.{known} = {owner} AND l.relationship = {relationship}"));
        let kind = sql.integer(symbols.kind(spec.name));
        conditions.push(format!("r.kind = {kind}"));
        (format!("link l JOIN record r ON r.number = l.{wanted}"), "r.number")
    } else if let Some(condition) = driving.and_then(|index| query.conditions.get(index)) {
        let path = path(condition).unwrap_or_default();
        let account = sql.integer(query.scope.owner());
        let field = sql.integer(symbols.member(spec.name, path));
        conditions.push(format!("l.account = {account} AND l.field = {field}"));
        let test = match condition.test {
            FilterTest::Contains(_) => key_contains(sql, "l.value", &condition.values),
            _ => sql.one_of("l.value", &condition.values),
        };
        conditions.push(test);
        (format!("{} l JOIN record r ON r.number = l.record", table(spec, path)), "l.record")
    } else {
        let (account, kind) = (sql.integer(query.scope.owner()), sql.integer(symbols.kind(spec.name)));
        conditions.push(format!("r.account = {account} AND r.kind = {kind}"));
        ("record r".to_owned(), "r.number")
    };
    for (index, condition) in query.conditions.iter().enumerate() {
        if Some(index) != driving {
            let test = filter(sql, symbols, query, condition, number);
            conditions.push(test);
        }
    }
    // A record has an index entry for each item of a list, of which several can match.
    let distinct = if driving.is_some() { "DISTINCT " } else { "" };
    format!("SELECT {distinct}{number} AS number FROM {from} WHERE {}", conditions.join(" AND "))
}

fn filter(
    sql: &mut Sql,
    symbols: &Symbols,
    query: &ListQuery,
    condition: &Condition,
    record: &str,
) -> String {
    let spec = query.scope.spec;
    let values = condition.values.as_slice();
    match condition.test {
        FilterTest::Id => format!("r.id = ANY({})", sql.ids(values)),
        FilterTest::Equals(path) => {
            let account = sql.integer(query.scope.owner());
            let field = sql.integer(symbols.member(spec.name, path));
            let test = sql.one_of("f.value", values);
            format!(
                "EXISTS (SELECT 1 FROM {} f WHERE f.account = {account} AND f.field = {field} AND {test} \
                 AND f.record = {record})",
                table(spec, path)
            )
        }
        FilterTest::Zero(name) => {
            let zero = format!("coalesce(({} = 0)::int, 0)", number(&member("r.attributes", name)));
            sql.one_of_numbers(&zero, values)
        }
        FilterTest::Exceeds(greater, less) => {
            let [greater, less] = [greater, less].map(|name| number(&member("r.attributes", name)));
            sql.one_of_numbers(&format!("({greater} > {less})::int"), values)
        }
        FilterTest::Contains(name) => {
            let text = |name| format!("({} #>> '{{}}')", member("r.attributes", name));
            let texts: Vec<String> = name.split('+').map(text).collect();
            let text = format!("({})", texts.join(" || "));
            let contains: Vec<String> = values.iter().map(|value| text_contains(sql, &text, value)).collect();
            any_of(&contains)
        }
        FilterTest::Meta(name) => meta(sql, name, values),
        FilterTest::MetaAtLeast(name) => {
            let column = number(&member("r.meta", name));
            let at_least = |value: i64| format!("coalesce({column}, 0) >= {value}");
            let tests: Vec<String> = values.iter().filter_map(integer).map(at_least).collect();
            any_of(&tests)
        }
        FilterTest::MetaStated(name) => {
            let kind = format!("json_typeof({})", member("r.meta", name));
            sql.one_of_numbers(&format!("(coalesce({kind}, 'null') <> 'null')::int"), values)
        }
        FilterTest::CreatedFrom | FilterTest::CreatedUntil => {
            let sign = if condition.test == FilterTest::CreatedFrom { ">=" } else { "<=" };
            let compare = |value: i64| format!("r.created_at {sign} {value}");
            any_of(&values.iter().filter_map(integer).map(compare).collect::<Vec<_>>())
        }
        FilterTest::Linked(path) => {
            let Some(steps) = follow(symbols.registry(), spec.name, path) else {
                return nothing_related(values);
            };
            let ids = sql.ids(values);
            let ends =
                Ends { from: "record f", number: "f.number", conditions: format!("f.id = ANY({ids})") };
            let to_any = lead_to(sql, symbols, &steps, &ends, record);
            or_unrelated(sql, symbols, &steps, values, to_any, record)
        }
        FilterTest::Related(path) | FilterTest::RelatedEvery(path) => {
            let Some((steps, attribute)) = related_attribute(symbols.registry(), spec.name, path) else {
                return nothing_related(values);
            };
            let Some(target) = steps.last().map(|step| step.target) else { return "false".to_owned() };
            let account = sql.integer(Scope { spec: target, ..query.scope }.owner());
            let field = sql.integer(symbols.member(target.name, attribute));
            let index = table(target, attribute);
            let test = if matches!(condition.test, FilterTest::RelatedEvery(_)) {
                every_one(sql, index, &account, &field, values)
            } else {
                sql.one_of("f.value", values)
            };
            let ends = Ends {
                from: &format!("{index} f"),
                number: "f.record",
                conditions: format!("f.account = {account} AND f.field = {field} AND {test}"),
            };
            let with_value = lead_to(sql, symbols, &steps, &ends, record);
            or_unrelated(sql, symbols, &steps, values, with_value, record)
        }
        FilterTest::RelatedMeta(path, name) => {
            let Some(steps) = follow(symbols.registry(), spec.name, path) else {
                return sql.one_of_numbers("0", values);
            };
            let conditions = format!("coalesce({}, 0) <> 0", number(&member("f.meta", name)));
            let ends = Ends { from: "record f", number: "f.number", conditions };
            let to_any = lead_to(sql, symbols, &steps, &ends, record);
            sql.one_of_numbers(&format!("({to_any})::int"), values)
        }
        // A test that this engine does not support must not match all records.
        _ => "false".to_owned(),
    }
}

/// Tests a member of `meta`. One that is absent is 0.
fn meta(sql: &mut Sql, name: &str, values: &[IndexValue]) -> String {
    let member = member("r.meta", name);
    let is_absent = format!("coalesce(json_typeof({member}), 'null') = 'null'");
    let number = format!("CASE WHEN {is_absent} THEN 0 ELSE {} END", number(&member));
    let numbers = sql.one_of_numbers(&format!("({number})"), values);
    let text = |value: &IndexValue| match value {
        IndexValue::Text(text) => Some(text.clone()),
        _ => None,
    };
    let texts: Vec<String> = values.iter().filter_map(text).collect();
    if texts.is_empty() {
        return numbers;
    }
    let texts = sql.push(texts, Type::TEXT_ARRAY);
    format!("({numbers} OR json_typeof({member}) = 'string' AND {member} #>> '{{}}' = ANY({texts}))")
}

/// Tests whether the record of the entry `f` of an index has every one of these values.
fn every_one(sql: &mut Sql, index: &str, account: &str, field: &str, values: &[IndexValue]) -> String {
    let Some((first, further)) = values.split_first() else { return "false".to_owned() };
    let mut test = sql.one_of("f.value", std::slice::from_ref(first));
    for value in further {
        let of_other = sql.one_of("g.value", std::slice::from_ref(value));
        let _infallible = write!(
            test,
            " AND EXISTS (SELECT 1 FROM {index} g WHERE g.account = {account} AND g.field = {field} \
             AND {of_other} AND g.record = f.record)"
        );
    }
    test
}

/// The test of a path through a type that is not declared: no record is related.
fn nothing_related(values: &[IndexValue]) -> String {
    values.contains(&IndexValue::Null).to_string()
}

/// Selects the chains of links from a record along a path: `k1` is the link of the first relationship, and so on.
fn linked(sql: &mut Sql, symbols: &Symbols, steps: &[Step], record: &str, ends: Option<&Ends<'_>>) -> String {
    let (mut from, mut conditions, mut owner) = (Vec::new(), Vec::new(), record.to_owned());
    for (index, step) in (1..).zip(steps) {
        let relationship = sql.integer(symbols.member(step.owner.name, step.relationship.name));
        from.push(format!("link k{index}"));
        let (known, wanted) = sides(step);
        conditions.push(format!("k{index}.{known} = {owner} AND k{index}.relationship = {relationship}"));
        conditions.extend(to_newest(step, index));
        owner = format!("k{index}.{wanted}");
    }
    if let Some(Ends { from: end, number, conditions: of_end }) = ends {
        from.push((*end).to_owned());
        conditions.push(format!("{number} = {owner} AND {of_end}"));
    }
    format!("SELECT 1 FROM {} WHERE {}", from.join(", "), conditions.join(" AND "))
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

/// Tests whether a path leads from a record to one of these ends. If all accounts share a type on the path, records of every
/// account lead to the same ones, so that only the account's own records may be tested.
fn lead_to(sql: &mut Sql, symbols: &Symbols, steps: &[Step], ends: &Ends<'_>, record: &str) -> String {
    if steps.iter().any(|step| step.target.global) {
        return format!("EXISTS ({})", linked(sql, symbols, steps, record, Some(ends)));
    }
    let mut from = ends.from.to_owned();
    let mut reached = ends.number.to_owned();
    for (index, step) in steps.iter().enumerate().rev() {
        let relationship = sql.integer(symbols.member(step.owner.name, step.relationship.name));
        let (left, right) = sides(step);
        let mut link = format!("k{index}.{right} = {reached} AND k{index}.relationship = {relationship}");
        if let Some(newest) = to_newest(step, index) {
            let _infallible = write!(link, " AND {newest}");
        }
        let _infallible = write!(from, " JOIN link k{index} ON {link}");
        reached = format!("k{index}.{left}");
    }
    format!("{record} IN (SELECT {reached} FROM {from} WHERE {})", ends.conditions)
}

/// Adds the records from which a path leads to no record to a test, if a blank value selects them.
fn or_unrelated(
    sql: &mut Sql,
    symbols: &Symbols,
    steps: &[Step],
    values: &[IndexValue],
    test: String,
    record: &str,
) -> String {
    if values.contains(&IndexValue::Null) {
        format!("({test} OR NOT EXISTS ({}))", linked(sql, symbols, steps, record, None))
    } else {
        test
    }
}

/// Tests whether the text of a key contains one of these values.
fn key_contains(sql: &mut Sql, column: &str, values: &[IndexValue]) -> String {
    let mut test = |value: &IndexValue| match value {
        IndexValue::Null => format!("{column} = {}", sql.push(value.key(), Type::BYTEA)),
        IndexValue::Integer(number) => within_key(sql, column, number.to_string()),
        IndexValue::Text(text) => within_key(sql, column, text.clone()),
    };
    let tests: Vec<String> = values.iter().map(&mut test).collect();
    any_of(&tests)
}

fn within_key(sql: &mut Sql, column: &str, text: String) -> String {
    let text = sql.push(text.into_bytes(), Type::BYTEA);
    format!("(get_byte({column}, 0) = 2 AND position({text} IN substring({column} FROM 2)) > 0)")
}

fn text_contains(sql: &mut Sql, text: &str, value: &IndexValue) -> String {
    let wanted = match value {
        IndexValue::Null => return format!("coalesce(octet_length({text}), 0) = 0"),
        IndexValue::Integer(number) => number.to_string(),
        IndexValue::Text(text) => text.replace('\0', " "),
    };
    format!("strpos({text} COLLATE \"C\", {}) > 0", sql.push(wanted, Type::TEXT))
}

fn any_of(tests: &[String]) -> String {
    if tests.is_empty() { "false".to_owned() } else { format!("({})", tests.join(" OR ")) }
}
