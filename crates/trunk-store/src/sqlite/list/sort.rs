//! Sorts the records of a list.

use std::fmt::Write as _;

use didww_types::{Kind, ResourceSpec, related_attribute};
use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Row, params};

use super::Lists;
use crate::list_plan::{IndexPart, sides, table};
use crate::sqlite::error::failed;
use crate::{IndexValue, ListQuery, Order, Scope, StoreError};

/// The rank of each record by the value of one attribute. Equal values have equal ranks. Sorted by the record number.
struct Ranks(Vec<(i64, u32)>);

impl Ranks {
    /// Ranks record numbers by their values.
    fn of(mut values: Vec<(IndexValue, i64)>) -> Self {
        values.sort_unstable();
        let mut counter = RankCounter::default();
        let mut last: Option<&IndexValue> = None;
        let mut ranks = Vec::with_capacity(values.len());
        for (value, number) in &values {
            ranks.push((*number, counter.next(last == Some(value))));
            last = Some(value);
        }
        Self::by_number(ranks)
    }

    fn by_number(mut ranks: Vec<(i64, u32)>) -> Self {
        ranks.sort_unstable();
        Self(ranks)
    }

    fn of_number(&self, number: i64) -> u32 {
        let found = self.0.binary_search_by_key(&number, |(number, _)| *number);
        found.ok().and_then(|index| self.0.get(index)).map_or(u32::MAX, |(_, rank)| *rank)
    }
}

/// Counts the distinct values of a sequence in which equal values are adjacent.
#[derive(Default)]
struct RankCounter(u32);

impl RankCounter {
    fn next(&mut self, same: bool) -> u32 {
        self.0 += u32::from(!same);
        self.0
    }
}

impl Lists<'_> {
    /// Returns the numbers of all records of an account in the order of a query without conditions. An index has the
    /// order of the last criterion.
    pub(super) fn sorted_all(&self, query: &ListQuery) -> Result<Vec<i64>, StoreError> {
        let last = query.order.last();
        let indexed = last.filter(|last| !last.is_related());
        let all = IndexPart { offset: 0, limit: u64::MAX, backwards: false };
        let mut numbers = self.numbers_from_index(query.scope, indexed, all)?;
        if last.is_some_and(|last| last.is_related() && last.descending) {
            numbers.reverse();
        }
        // There is no index on the time of creation, only the order of creation, which differs if the clock was set
        // back.
        let is_sorted = match query.order.as_slice() {
            [_, .., last] if last.attribute == "created_at" => false,
            _ => last.is_none_or(|last| !last.is_related()),
        };
        for criterion in query.order.iter().rev().skip(usize::from(is_sorted)) {
            let ranks = if criterion.is_related() {
                self.ranks_of_related(query.scope, criterion, &numbers)?
            } else {
                self.ranks_in_account(query.scope, criterion)?
            };
            sort(&mut numbers, criterion, &ranks);
        }
        Ok(numbers)
    }

    /// Sorts the matching records of a query, which are in the order of creation. `all` is the number of records of the
    /// type in the account.
    pub(super) fn sorted(
        &self,
        query: &ListQuery,
        mut numbers: Vec<i64>,
        all: u64,
    ) -> Result<Vec<i64>, StoreError> {
        if query.order.last().is_some_and(|last| last.descending) {
            numbers.reverse();
        }
        // As the only criterion, the time of creation means the order of creation.
        if matches!(query.order.as_slice(), [one] if one.attribute == "created_at") {
            return Ok(numbers);
        }
        // An index has the values of all records. For few records it is faster to read the values from the records.
        let few = numbers.len() as u64 <= all / 16 + 500;
        for criterion in query.order.iter().rev() {
            let ranks = if criterion.is_related() {
                self.ranks_of_related(query.scope, criterion, &numbers)?
            } else if few {
                self.ranks_of(query.scope.spec, criterion, &numbers)?
            } else {
                self.ranks_in_account(query.scope, criterion)?
            };
            sort(&mut numbers, criterion, &ranks);
        }
        Ok(numbers)
    }

    /// Ranks some records, by the values in the records themselves.
    fn ranks_of(&self, spec: &ResourceSpec, criterion: &Order, numbers: &[i64]) -> Result<Ranks, StoreError> {
        let text = if criterion.attribute == "created_at" {
            "SELECT created_at, ?2 FROM record WHERE number = ?1"
        } else {
            "SELECT attributes ->> ?2 FROM record WHERE number = ?1"
        };
        let mut select = self.connection.prepare_cached(text).map_err(failed)?;
        let kind = kind_of(spec, criterion.attribute);
        let mut value = |number: &i64| {
            let value = select.query_row(params![number, criterion.attribute], |row| indexed(kind, row));
            Ok((value.map_err(failed)?, *number))
        };
        Ok(Ranks::of(numbers.iter().map(&mut value).collect::<Result<_, StoreError>>()?))
    }

    /// Ranks some records by an attribute of the record to which to-one relationships lead. Without one they come last.
    fn ranks_of_related(
        &self,
        scope: Scope,
        criterion: &Order,
        numbers: &[i64],
    ) -> Result<Ranks, StoreError> {
        let path = related_attribute(self.symbols.registry(), scope.spec.name, criterion.attribute);
        let Some((steps, attribute)) = path else { return Ok(Ranks(Vec::new())) };
        let (mut from, mut conditions, mut reached) = (String::new(), String::new(), "?1".to_owned());
        for (index, step) in (1..).zip(&steps) {
            let (left, right) = sides(step);
            let relationship = self.symbols.member(step.owner.name, step.relationship.name);
            let _infallible = write!(from, "link k{index} CROSS JOIN ");
            let _infallible = write!(
                conditions,
                "k{index}.{left} = {reached} AND k{index}.relationship = {relationship} AND "
            );
            reached = format!("k{index}.{right}");
        }
        let text = format!(
            "SELECT (SELECT t.attributes ->> ?2 FROM {from} record t WHERE {conditions} t.number = {reached} LIMIT 1)"
        );
        let mut select = self.connection.prepare_cached(&text).map_err(failed)?;
        let kind = kind_of(steps.last().map_or(scope.spec, |step| step.target), attribute);
        let mut value = |number: &i64| {
            let value = select.query_row(params![number, attribute], |row| indexed(kind, row));
            Ok((value.map_err(failed)?, *number))
        };
        Ok(Ranks::of(numbers.iter().map(&mut value).collect::<Result<_, StoreError>>()?))
    }

    /// Ranks all records of an account, by an index where there is one.
    fn ranks_in_account(&self, scope: Scope, criterion: &Order) -> Result<Ranks, StoreError> {
        let (account, spec) = (scope.owner(), scope.spec);
        if criterion.attribute == "created_at" {
            let mut select = self
                .connection
                .prepare_cached("SELECT created_at, number FROM record WHERE account = ?1 AND kind = ?2")
                .map_err(failed)?;
            let values = select
                .query_map(params![account, self.symbols.kind(spec.name)], |row| {
                    Ok((value(row)?, row.get(1)?))
                })
                .map_err(failed)?;
            return Ok(Ranks::of(values.collect::<Result<_, _>>().map_err(failed)?));
        }
        let mut select = self
            .connection
            .prepare_cached(&format!(
                "SELECT value, record FROM {} WHERE account = ?1 AND field = ?2 ORDER BY value, record",
                table(spec, criterion.attribute)
            ))
            .map_err(failed)?;
        let field = self.symbols.member(spec.name, criterion.attribute);
        let mut rows = select.query(params![account, field]).map_err(failed)?;
        let (mut counter, mut last) = (RankCounter::default(), SqlValue::Null);
        let mut ranks = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let value = row.get_ref(0).map_err(failed)?;
            let same = value == ValueRef::from(&last);
            ranks.push((row.get(1).map_err(failed)?, counter.next(same)));
            if !same {
                last = value
                    .try_into()
                    .map_err(|_| StoreError::Corrupt("an index value is not valid UTF-8".to_owned()))?;
            }
        }
        Ok(Ranks::by_number(ranks))
    }
}

/// Sorts by one criterion. The sort is stable, so the caller applies the last criterion first.
fn sort(numbers: &mut [i64], criterion: &Order, ranks: &Ranks) {
    numbers.sort_by_cached_key(|number| {
        let rank = ranks.of_number(*number);
        if criterion.descending { u32::MAX - rank } else { rank }
    });
}

/// The kind of a declared attribute; that of a text for any other.
fn kind_of(spec: &ResourceSpec, attribute: &str) -> Kind {
    spec.attribute(attribute).map_or(Kind::Text { max: None, pattern: None }, |declared| declared.kind)
}

/// Reads a value of an attribute of this kind from the first column, as the index has it: decimals and instants are
/// stored as texts, and do not compare as those do.
fn indexed(kind: Kind, row: &Row<'_>) -> rusqlite::Result<IndexValue> {
    Ok(match value(row)? {
        IndexValue::Text(text) => IndexValue::of(kind, &serde_json::Value::String(text)),
        other => other,
    })
}

/// Reads a value from the first column, and converts it to an index value.
fn value(row: &Row<'_>) -> rusqlite::Result<IndexValue> {
    Ok(match row.get_ref(0)? {
        ValueRef::Integer(number) => IndexValue::Integer(number),
        ValueRef::Real(number) => IndexValue::Text(number.to_string()),
        ValueRef::Text(text) if !text.is_empty() => {
            IndexValue::Text(String::from_utf8_lossy(text).into_owned())
        }
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => IndexValue::Null,
    })
}
