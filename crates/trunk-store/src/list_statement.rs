//! The statement that selects the records that match a query: one condition selects candidates by its index, or by the
//! links to the records that it names, and the others filter them. The engines differ only in their [`Dialect`].

use std::fmt::Write as _;

use didww_types::{FilterTest, ResourceSpec, Step, follow, related_attribute};
use uuid::Uuid;

use crate::list_plan::{driving_condition, path, sides, table, to_newest};
use crate::symbols::Symbols;
use crate::{Condition, IndexValue, ListQuery, Scope};

/// The parameters of a statement under construction, and the expressions that each engine writes in its own way. `r` is
/// the record that is tested. The names of attributes are declared, so they need no escapes.
pub(crate) trait Dialect {
    const TRUE: &'static str;
    const FALSE: &'static str;
    /// The join of two tables with an `ON`.
    const JOIN: &'static str;
    /// `DISTINCT` with a space, if the statement removes the repetitions of records with several matching index
    /// entries.
    const DISTINCT: &'static str;
    /// The prefix of a column that keeps the engine from using an index of it.
    const UNINDEXED: &'static str;
    /// Whether the records of index entries are joined even if no condition reads them.
    const ALWAYS_JOINS_RECORDS: bool;

    /// Adds a parameter, and returns its place in the text.
    fn integer(&mut self, value: i64) -> String;

    /// Tests whether a column of an index has one of these values.
    fn key_in(&mut self, column: &str, values: &[IndexValue]) -> String;

    /// Tests whether a column of ids has one of these values.
    fn id_in(&mut self, column: &str, values: &[IndexValue]) -> String;

    /// Tests whether the value of a numeric expression is one of these.
    fn number_in(&mut self, number: &str, values: &[IndexValue]) -> String;

    /// Tests whether a member of `meta` has one of these values. An absent member is 0.
    fn meta_in(&mut self, name: &str, values: &[IndexValue]) -> String;

    /// Tests whether a column of an index contains this text.
    fn key_contains(&mut self, column: &str, value: &IndexValue) -> String;

    /// Tests whether the text of an expression contains this one. An empty value is contained in null and empty texts
    /// alone.
    fn text_contains(&mut self, text: &str, value: &IndexValue) -> String;

    /// A condition as a number: 0 or 1.
    fn truth(condition: &str) -> String;

    /// A member of a column with JSON, as a number: a boolean as 0 or 1, and null if it is absent.
    fn number(column: &str, name: &str) -> String;

    /// A member of a column with JSON, as text.
    fn text(column: &str, name: &str) -> String;

    /// Tests whether a column with JSON has a member that is not null.
    fn is_stated(column: &str, name: &str) -> String;
}

/// The number of a value; `None` for other values, which no number equals.
pub(crate) fn as_integer(value: &IndexValue) -> Option<i64> {
    match value {
        IndexValue::Integer(number) => Some(*number),
        _ => None,
    }
}

/// The ids among these values. Texts that are not ids match no record.
pub(crate) fn ids(values: &[IndexValue]) -> impl Iterator<Item = Uuid> {
    values.iter().filter_map(|value| match value {
        IndexValue::Text(text) => Uuid::parse_str(text).ok(),
        _ => None,
    })
}

/// Returns the statement that selects the numbers of the records that match a query.
pub(crate) fn select<D: Dialect>(sql: &mut D, symbols: &Symbols, query: &ListQuery) -> String {
    let spec = query.scope.spec;
    let driving =
        if query.linked_from.is_some() { None } else { driving_condition(symbols.registry(), query) };
    let indexed = driving.and_then(|index| {
        let condition = query.conditions.get(index)?;
        Some((condition, path(condition)?))
    });
    let mut conditions: Vec<String> = Vec::new();
    let mut distinct = "";
    let (from, record) = if let Some((kind, owner, relationship)) = query.linked_from {
        let (relationship, inverse) = symbols.link(kind, relationship);
        let (owner, relationship) = (sql.integer(owner), sql.integer(relationship));
        let (known, wanted) = if inverse { ("target", "owner") } else { ("owner", "target") };
        conditions.push(format!("l.{known} = {owner} AND l.relationship = {relationship}"));
        let kind = sql.integer(symbols.kind(spec.name));
        conditions.push(format!("r.kind = {kind}"));
        (format!("link l {} record r ON r.number = l.{wanted}", D::JOIN), "r.number")
    } else if let Some((condition, path)) = indexed {
        let account = sql.integer(query.scope.owner());
        let field = sql.integer(symbols.member(spec.name, path));
        conditions.push(format!("l.account = {account} AND l.field = {field}"));
        let test = match condition.test {
            FilterTest::Contains(_) => {
                let contains = |value: &IndexValue| sql.key_contains("l.value", value);
                any_of::<D>(&condition.values.iter().map(contains).collect::<Vec<String>>())
            }
            _ => sql.key_in("l.value", &condition.values),
        };
        conditions.push(test);
        // A record has an index entry for each item of a list, of which several can match.
        distinct = D::DISTINCT;
        let mut others = query.conditions.iter().enumerate().filter(|(index, _)| Some(*index) != driving);
        let joins_records = D::ALWAYS_JOINS_RECORDS || others.any(|(_, condition)| reads_record(condition));
        let mut from = format!("{} l", table(spec, path));
        if joins_records {
            let _infallible = write!(from, " {} record r ON r.number = l.record", D::JOIN);
        }
        (from, "l.record")
    } else {
        let (account, kind) = (sql.integer(query.scope.owner()), sql.integer(symbols.kind(spec.name)));
        // Where a condition selects records by their ids or numbers, the engine must not read all records of the type
        // instead.
        let selects = |condition: &Condition| {
            matches!(condition.test, FilterTest::Id) || selects_by_number(symbols, spec, condition)
        };
        let is_selected = driving.is_some() || query.conditions.iter().any(selects);
        let prefix = if is_selected { D::UNINDEXED } else { "" };
        conditions.push(format!("{prefix}r.account = {account} AND {prefix}r.kind = {kind}"));
        ("record r".to_owned(), "r.number")
    };
    let mut filters = Filters { sql, symbols, query, record };
    for (index, condition) in query.conditions.iter().enumerate() {
        let selects = Some(index) == driving;
        if !selects || indexed.is_none() {
            conditions.push(filters.test(condition, selects));
        }
    }
    format!("SELECT {distinct}{record} AS number FROM {from} WHERE {}", conditions.join(" AND "))
}

/// Whether a condition needs more than the record's number, by which indexes and links are found.
fn reads_record(condition: &Condition) -> bool {
    !matches!(
        condition.test,
        FilterTest::Equals(_)
            | FilterTest::Linked(_)
            | FilterTest::Related(_)
            | FilterTest::RelatedEvery(_)
            | FilterTest::RelatedMeta(..)
    )
}

/// Whether a condition limits the records to those that lead to related ones of the same account. A blank value also
/// matches records that lead to none.
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

/// Whether a path leads to a type whose records all accounts share. Then records of every account lead to the same
/// ones, and only the account's own records may be tested. Records that are shared themselves can be found from there,
/// which one condition does ([`driving_condition`]); the others test the few that it found.
fn is_shared(steps: &[Step]) -> bool {
    steps.iter().any(|step| step.target.global)
}

/// The test of a path through a type that is not declared: no record is related.
fn nothing_related<D: Dialect>(values: &[IndexValue]) -> String {
    let constant = if values.contains(&IndexValue::Null) { D::TRUE } else { D::FALSE };
    constant.to_owned()
}

/// Joins alternatives with `OR` as a balanced tree: `SQLite` limits the depth of an expression, and the depth of a
/// chain is its length.
fn any_of<D: Dialect>(tests: &[String]) -> String {
    match tests {
        [] => D::FALSE.to_owned(),
        [one] => one.clone(),
        several => {
            let (left, right) = several.split_at(several.len() / 2);
            format!("({} OR {})", any_of::<D>(left), any_of::<D>(right))
        }
    }
}

/// The records at the end of a path, as a part of a statement.
struct Ends<'a> {
    /// The table that they are selected from, with the alias `f`.
    from: &'a str,
    /// The column with the record number.
    number: &'a str,
    conditions: String,
}

/// The conditions of a query on candidates.
struct Filters<'a, D> {
    sql: &'a mut D,
    symbols: &'a Symbols,
    query: &'a ListQuery,
    /// The column with the number of the tested record.
    record: &'static str,
}

impl<D: Dialect> Filters<'_, D> {
    /// The text of a condition. `selects` is whether it selects the candidates by their numbers or ids.
    fn test(&mut self, condition: &Condition, selects: bool) -> String {
        let spec = self.query.scope.spec;
        let values = condition.values.as_slice();
        match condition.test {
            FilterTest::Id => self.sql.id_in("r.id", values),
            FilterTest::Equals(path) => {
                let account = self.sql.integer(self.query.scope.owner());
                let field = self.sql.integer(self.symbols.member(spec.name, path));
                let test = self.sql.key_in("f.value", values);
                format!(
                    "EXISTS (SELECT 1 FROM {} f WHERE f.account = {account} AND f.field = {field} AND {test} \
                     AND f.record = {})",
                    table(spec, path),
                    self.record
                )
            }
            FilterTest::Zero(name) => {
                let is_zero = D::truth(&format!("{} = 0", D::number("r.attributes", name)));
                self.sql.number_in(&format!("coalesce({is_zero}, 0)"), values)
            }
            FilterTest::Exceeds(greater, less) => {
                let [greater, less] = [greater, less].map(|name| D::number("r.attributes", name));
                self.sql.number_in(&D::truth(&format!("{greater} > {less}")), values)
            }
            FilterTest::Contains(names) => {
                let texts: Vec<String> = names.split('+').map(|name| D::text("r.attributes", name)).collect();
                let text = format!("({})", texts.join(" || "));
                let contains = |value: &IndexValue| self.sql.text_contains(&text, value);
                any_of::<D>(&values.iter().map(contains).collect::<Vec<String>>())
            }
            FilterTest::Meta(name) => self.sql.meta_in(name, values),
            FilterTest::MetaAtLeast(name) => {
                let number = format!("coalesce({}, 0)", D::number("r.meta", name));
                self.compared(&number, ">=", values)
            }
            FilterTest::MetaStated(name) => {
                let is_stated = D::truth(&D::is_stated("r.meta", name));
                self.sql.number_in(&is_stated, values)
            }
            FilterTest::CreatedFrom => self.compared("r.created_at", ">=", values),
            FilterTest::CreatedUntil => self.compared("r.created_at", "<=", values),
            FilterTest::Linked(path) => {
                let Some(steps) = follow(self.symbols.registry(), spec.name, path) else {
                    return nothing_related::<D>(values);
                };
                let conditions = self.sql.id_in("f.id", values);
                let ends = Ends { from: "record f", number: "f.number", conditions };
                let leads_to_one = self.lead_to(&steps, &ends, selects);
                self.or_unrelated(&steps, values, leads_to_one)
            }
            FilterTest::Related(path) | FilterTest::RelatedEvery(path) => {
                let Some((steps, attribute)) = related_attribute(self.symbols.registry(), spec.name, path)
                else {
                    return nothing_related::<D>(values);
                };
                let Some(target) = steps.last().map(|step| step.target) else {
                    return D::FALSE.to_owned();
                };
                let account = self.sql.integer(Scope { spec: target, ..self.query.scope }.owner());
                let field = self.sql.integer(self.symbols.member(target.name, attribute));
                let index = table(target, attribute);
                let test = if matches!(condition.test, FilterTest::RelatedEvery(_)) {
                    self.every_one(index, &account, &field, values)
                } else {
                    self.sql.key_in("f.value", values)
                };
                let ends = Ends {
                    from: &format!("{index} f"),
                    number: "f.record",
                    conditions: format!("f.account = {account} AND f.field = {field} AND {test}"),
                };
                let leads_to_one = self.lead_to(&steps, &ends, selects);
                self.or_unrelated(&steps, values, leads_to_one)
            }
            FilterTest::RelatedMeta(path, name) => {
                let Some(steps) = follow(self.symbols.registry(), spec.name, path) else {
                    return self.sql.number_in("0", values);
                };
                let conditions = format!("coalesce({}, 0) <> 0", D::number("f.meta", name));
                let ends = Ends { from: "record f", number: "f.number", conditions };
                let leads_to_one = D::truth(&self.lead_to(&steps, &ends, false));
                self.sql.number_in(&leads_to_one, values)
            }
            // A test that is not supported must not match all records.
            _ => D::FALSE.to_owned(),
        }
    }

    /// Tests whether a number compares with one of these values.
    fn compared(&mut self, number: &str, operator: &str, values: &[IndexValue]) -> String {
        let compare = |value: i64| format!("{number} {operator} {}", self.sql.integer(value));
        any_of::<D>(&values.iter().filter_map(as_integer).map(compare).collect::<Vec<String>>())
    }

    /// Tests whether the record of the entry `f` of an index has every one of these values.
    fn every_one(&mut self, index: &str, account: &str, field: &str, values: &[IndexValue]) -> String {
        let Some((first, further)) = values.split_first() else { return D::FALSE.to_owned() };
        let mut test = self.sql.key_in("f.value", std::slice::from_ref(first));
        for value in further {
            let of_other = self.sql.key_in("g.value", std::slice::from_ref(value));
            let _infallible = write!(
                test,
                " AND EXISTS (SELECT 1 FROM {index} g WHERE g.account = {account} AND g.field = {field} \
                 AND {of_other} AND g.record = f.record)"
            );
        }
        test
    }

    /// Tests whether a path leads from the record to one of these ends. `selects` is whether the test selects the
    /// candidates.
    fn lead_to(&mut self, steps: &[Step], ends: &Ends<'_>, selects: bool) -> String {
        if is_shared(steps) && !selects {
            return format!("EXISTS ({})", self.linked(steps, Some(ends)));
        }
        self.is_owner(steps, ends)
    }

    /// Selects the chains of links from the record along a path, those to one of these ends if there are any: `k1` is
    /// the link of the first relationship, and so on.
    fn linked(&mut self, steps: &[Step], ends: Option<&Ends<'_>>) -> String {
        let (mut from, mut conditions) = (Vec::new(), Vec::new());
        let mut reached = self.record.to_owned();
        for (index, step) in (1..).zip(steps) {
            let relationship = self.sql.integer(self.symbols.member(step.owner.name, step.relationship.name));
            from.push(format!("link k{index}"));
            let (known, wanted) = sides(step);
            conditions
                .push(format!("k{index}.{known} = {reached} AND k{index}.relationship = {relationship}"));
            conditions.extend(to_newest(step, index));
            reached = format!("k{index}.{wanted}");
        }
        if let Some(ends) = ends {
            from.push(ends.from.to_owned());
            conditions.push(format!("{} = {reached} AND {}", ends.number, ends.conditions));
        }
        format!("SELECT 1 FROM {} WHERE {}", from.join(" CROSS JOIN "), conditions.join(" AND "))
    }

    /// Tests whether the record is among those from which a path leads to one of these ends. The ends are found by
    /// their index, and the links are followed backwards, so that no other record is read.
    fn is_owner(&mut self, steps: &[Step], ends: &Ends<'_>) -> String {
        let mut from = ends.from.to_owned();
        let mut reached = ends.number.to_owned();
        for (index, step) in steps.iter().enumerate().rev() {
            let relationship = self.sql.integer(self.symbols.member(step.owner.name, step.relationship.name));
            let (left, right) = sides(step);
            let mut link = format!("k{index}.{right} = {reached} AND k{index}.relationship = {relationship}");
            if let Some(newest) = to_newest(step, index) {
                let _infallible = write!(link, " AND {newest}");
            }
            let _infallible = write!(from, " {} link k{index} ON {link}", D::JOIN);
            reached = format!("k{index}.{left}");
        }
        format!("{} IN (SELECT {reached} FROM {from} WHERE {})", self.record, ends.conditions)
    }

    /// Adds the records from which a path leads to no record to a test, if a blank value selects them.
    fn or_unrelated(&mut self, steps: &[Step], values: &[IndexValue], test: String) -> String {
        if values.contains(&IndexValue::Null) {
            format!("({test} OR NOT EXISTS ({}))", self.linked(steps, None))
        } else {
            test
        }
    }
}
