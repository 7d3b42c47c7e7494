//! Finds the records that match a query.

use rusqlite::params_from_iter;
use rusqlite::types::Value as SqlValue;

use super::Lists;
use crate::list_statement::{Dialect, ids, select};
use crate::sqlite::error::failed;
use crate::sqlite::symbols::Symbols;
use crate::{IndexValue, ListQuery, StoreError};

/// The parameters of a statement. Its text depends only on the shape of the query, so that queries of the same shape
/// share a compiled statement.
#[derive(Default)]
struct Parameters(Vec<SqlValue>);

impl Parameters {
    fn add(&mut self, value: impl Into<SqlValue>) -> String {
        self.0.push(value.into());
        format!("?{}", self.0.len())
    }

    fn value(&mut self, value: &IndexValue) -> String {
        self.add(match value {
            IndexValue::Integer(number) => SqlValue::Integer(*number),
            IndexValue::Text(text) => SqlValue::Text(text.clone()),
            IndexValue::Null => SqlValue::Blob(Vec::new()),
        })
    }
}

impl Dialect for Parameters {
    const TRUE: &'static str = "1";
    const FALSE: &'static str = "0";
    // It is executed in the order in which it is written.
    const JOIN: &'static str = "CROSS JOIN";
    // `Lists::selected` removes repetitions.
    const DISTINCT: &'static str = "";
    const UNINDEXED: &'static str = "+";
    const ALWAYS_JOINS_RECORDS: bool = false;

    fn integer(&mut self, value: i64) -> String {
        self.add(value)
    }

    fn key_in(&mut self, column: &str, values: &[IndexValue]) -> String {
        let values: Vec<String> = values.iter().map(|value| self.value(value)).collect();
        match values.as_slice() {
            [one] => format!("{column} = {one}"),
            several => format!("{column} IN ({})", several.join(", ")),
        }
    }

    fn id_in(&mut self, column: &str, values: &[IndexValue]) -> String {
        let ids: Vec<String> = ids(values).map(|id| self.add(id.as_bytes().to_vec())).collect();
        format!("{column} IN ({})", ids.join(", "))
    }

    fn number_in(&mut self, number: &str, values: &[IndexValue]) -> String {
        self.key_in(number, values)
    }

    fn meta_in(&mut self, name: &str, values: &[IndexValue]) -> String {
        self.key_in(&format!("coalesce(r.meta ->> '{name}', 0)"), values)
    }

    fn key_contains(&mut self, column: &str, value: &IndexValue) -> String {
        self.text_contains(column, value)
    }

    fn text_contains(&mut self, text: &str, value: &IndexValue) -> String {
        match value {
            // An empty value is null in a record and an empty blob in an index.
            IndexValue::Null => format!("coalesce(length({text}), 0) = 0"),
            IndexValue::Integer(number) => format!("instr({text}, {}) > 0", self.add(number.to_string())),
            IndexValue::Text(_) => format!("instr({text}, {}) > 0", self.value(value)),
        }
    }

    fn truth(condition: &str) -> String {
        format!("({condition})")
    }

    fn number(column: &str, name: &str) -> String {
        format!("{column} ->> '{name}'")
    }

    fn text(column: &str, name: &str) -> String {
        format!("({column} ->> '{name}')")
    }

    fn is_stated(column: &str, name: &str) -> String {
        format!("({column} ->> '{name}') IS NOT NULL")
    }
}

impl Lists<'_> {
    /// Returns the numbers of the records that match a query, in the order of creation.
    pub(super) fn matching(&self, query: &ListQuery) -> Result<Vec<i64>, StoreError> {
        let (text, parameters) = statement(self.symbols, query);
        self.selected(&text, parameters, usize::MAX)
    }

    /// As [`matching`](Self::matching), if an index selects the records and has at most `most` entries for them. No
    /// more entries are read.
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
    let mut parameters = Parameters::default();
    let text = select(&mut parameters, symbols, query);
    (text, parameters.0)
}
