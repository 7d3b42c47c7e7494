//! In which order the records of a list stand.

use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Row, params};

use super::Lists;
use super::filters::table;
use crate::sqlite::error::failed;
use crate::{IndexValue, ListQuery, Order, Scope, StoreError};

/// The place of each record among the values of one attribute, by its number: equal values have equal places.
struct Places(Vec<(i64, u32)>);

impl Places {
    /// Of values and numbers.
    fn of(mut values: Vec<(IndexValue, i64)>) -> Self {
        values.sort_unstable();
        let mut counted = Counter::default();
        let mut last: Option<&IndexValue> = None;
        let mut places = Vec::with_capacity(values.len());
        for (value, number) in &values {
            places.push((*number, counted.next(last == Some(value))));
            last = Some(value);
        }
        Self::by_number(places)
    }

    fn by_number(mut places: Vec<(i64, u32)>) -> Self {
        places.sort_unstable();
        Self(places)
    }

    fn of_number(&self, number: i64) -> u32 {
        let found = self.0.binary_search_by_key(&number, |(number, _)| *number);
        found.ok().and_then(|place| self.0.get(place)).map_or(u32::MAX, |(_, place)| *place)
    }
}

/// Counts the different values of a sequence that has equal ones side by side.
#[derive(Default)]
struct Counter(u32);

impl Counter {
    fn next(&mut self, same: bool) -> u32 {
        self.0 += u32::from(!same);
        self.0
    }
}

impl Lists<'_> {
    /// All records of an account in the order of a list: an index has them in the order of the last criterion.
    pub(super) fn sorted_all(&self, query: &ListQuery) -> Result<Vec<i64>, StoreError> {
        let mut numbers = self.along(query.scope, query.order.last(), false, u64::MAX, 0)?;
        // Of times of creation there is only the order of creation, which is another one where a clock was set back.
        let is_sorted = !matches!(query.order.as_slice(), [_, .., last] if last.attribute == "created_at");
        for criterion in query.order.iter().rev().skip(usize::from(is_sorted)) {
            sort(&mut numbers, criterion, &self.places(query.scope, criterion)?);
        }
        Ok(numbers)
    }

    /// Puts some records of a list into its order. They come in the order of creation; `all` is how many there are
    /// without conditions.
    pub(super) fn sorted(
        &self,
        query: &ListQuery,
        mut numbers: Vec<i64>,
        all: u64,
    ) -> Result<Vec<i64>, StoreError> {
        if query.order.last().is_some_and(|last| last.descending) {
            numbers.reverse();
        }
        // Alone, the time of creation sorts as the order of creation does.
        if matches!(query.order.as_slice(), [one] if one.attribute == "created_at") {
            return Ok(numbers);
        }
        // An index has the values of all records; of few it is quicker to look at the records themselves.
        let few = numbers.len() as u64 <= all / 16 + 500;
        for criterion in query.order.iter().rev() {
            let places =
                if few { self.places_of(criterion, &numbers)? } else { self.places(query.scope, criterion)? };
            sort(&mut numbers, criterion, &places);
        }
        Ok(numbers)
    }

    /// The places of some records, by what they say themselves.
    fn places_of(&self, criterion: &Order, numbers: &[i64]) -> Result<Places, StoreError> {
        let text = if criterion.attribute == "created_at" {
            "SELECT created_at, ?2 FROM record WHERE number = ?1"
        } else {
            "SELECT attributes ->> ?2 FROM record WHERE number = ?1"
        };
        let mut select = self.connection.prepare_cached(text).map_err(failed)?;
        let mut value = |number: &i64| {
            let value = select.query_row(params![number, criterion.attribute], value).map_err(failed)?;
            Ok((value, *number))
        };
        Ok(Places::of(numbers.iter().map(&mut value).collect::<Result<_, StoreError>>()?))
    }

    /// The places of all records of an account.
    fn places(&self, scope: Scope, criterion: &Order) -> Result<Places, StoreError> {
        let Scope { account, spec } = scope;
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
            return Ok(Places::of(values.collect::<Result<_, _>>().map_err(failed)?));
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
        let (mut counted, mut last) = (Counter::default(), SqlValue::Null);
        let mut places = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let value = row.get_ref(0).map_err(failed)?;
            let same = value == ValueRef::from(&last);
            places.push((row.get(1).map_err(failed)?, counted.next(same)));
            if !same {
                last =
                    value.try_into().map_err(|_| StoreError::Corrupt("an index holds no text".to_owned()))?;
            }
        }
        Ok(Places::by_number(places))
    }
}

/// Sorts by one criterion. What is alike stays in its order: so the last criterion comes first.
fn sort(numbers: &mut [i64], criterion: &Order, places: &Places) {
    numbers.sort_by_cached_key(|number| {
        let place = places.of_number(*number);
        if criterion.descending { u32::MAX - place } else { place }
    });
}

/// A value of an attribute, as an index has it.
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
