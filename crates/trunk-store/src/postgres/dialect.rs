//! The statement that selects the records that match a query, in the dialect of PostgreSQL. Its plan is the server's.

use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::IndexValue;
use crate::list_statement::{Dialect, as_integer, ids};

/// The parameters of a statement under construction, with their types.
#[derive(Default)]
pub(super) struct Sql(Vec<(Box<dyn ToSql + Sync + Send>, Type)>);

impl Sql {
    fn push(&mut self, value: impl ToSql + Sync + Send + 'static, sql_type: Type) -> String {
        self.0.push((Box::new(value), sql_type));
        format!("${}", self.0.len())
    }

    /// Adds a number of records or bytes; the greatest ones are no limit.
    pub(super) fn count(&mut self, value: u64) -> String {
        self.push(i64::try_from(value).unwrap_or(i64::MAX), Type::INT8)
    }

    /// The parameters, for the driver.
    pub(super) fn parameters(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.0.iter().map(|(value, of)| (value.as_ref() as &(dyn ToSql + Sync), of.clone())).collect()
    }

    fn within_key(&mut self, column: &str, text: String) -> String {
        let text = self.push(text.into_bytes(), Type::BYTEA);
        format!("(get_byte({column}, 0) = 2 AND position({text} IN substring({column} FROM 2)) > 0)")
    }
}

/// A member of a record's attributes or `meta`. The database server refuses JSON with a NUL character in a text, so a
/// space replaces it.
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

impl Dialect for Sql {
    const TRUE: &'static str = "true";
    const FALSE: &'static str = "false";
    const JOIN: &'static str = "JOIN";
    const DISTINCT: &'static str = "DISTINCT ";
    // The server compares the costs of the indexes itself.
    const UNINDEXED: &'static str = "";
    const ALWAYS_JOINS_RECORDS: bool = true;

    fn integer(&mut self, value: i64) -> String {
        self.push(value, Type::INT8)
    }

    fn key_in(&mut self, column: &str, values: &[IndexValue]) -> String {
        match values {
            [one] => format!("{column} = {}", self.push(one.key(), Type::BYTEA)),
            several => {
                let keys: Vec<Vec<u8>> = several.iter().map(IndexValue::key).collect();
                format!("{column} = ANY({})", self.push(keys, Type::BYTEA_ARRAY))
            }
        }
    }

    fn id_in(&mut self, column: &str, values: &[IndexValue]) -> String {
        let ids: Vec<Uuid> = ids(values).collect();
        format!("{column} = ANY({})", self.push(ids, Type::UUID_ARRAY))
    }

    fn number_in(&mut self, number: &str, values: &[IndexValue]) -> String {
        let numbers: Vec<i64> = values.iter().filter_map(as_integer).collect();
        format!("{number} = ANY({})", self.push(numbers, Type::INT8_ARRAY))
    }

    fn meta_in(&mut self, name: &str, values: &[IndexValue]) -> String {
        let member = member("r.meta", name);
        let is_absent = format!("coalesce(json_typeof({member}), 'null') = 'null'");
        let number = format!("CASE WHEN {is_absent} THEN 0 ELSE {} END", number(&member));
        let numbers = self.number_in(&format!("({number})"), values);
        let text = |value: &IndexValue| match value {
            IndexValue::Text(text) => Some(text.clone()),
            _ => None,
        };
        let texts: Vec<String> = values.iter().filter_map(text).collect();
        if texts.is_empty() {
            return numbers;
        }
        let texts = self.push(texts, Type::TEXT_ARRAY);
        format!("({numbers} OR json_typeof({member}) = 'string' AND {member} #>> '{{}}' = ANY({texts}))")
    }

    fn key_contains(&mut self, column: &str, value: &IndexValue) -> String {
        match value {
            IndexValue::Null => format!("{column} = {}", self.push(value.key(), Type::BYTEA)),
            IndexValue::Integer(number) => self.within_key(column, number.to_string()),
            IndexValue::Text(text) => self.within_key(column, text.clone()),
        }
    }

    fn text_contains(&mut self, text: &str, value: &IndexValue) -> String {
        let wanted = match value {
            IndexValue::Null => return format!("coalesce(octet_length({text}), 0) = 0"),
            IndexValue::Integer(number) => number.to_string(),
            IndexValue::Text(text) => text.replace('\0', " "),
        };
        format!("strpos({text} COLLATE \"C\", {}) > 0", self.push(wanted, Type::TEXT))
    }

    fn truth(condition: &str) -> String {
        format!("({condition})::int")
    }

    fn number(column: &str, name: &str) -> String {
        number(&member(column, name))
    }

    fn text(column: &str, name: &str) -> String {
        format!("({} #>> '{{}}')", member(column, name))
    }

    fn is_stated(column: &str, name: &str) -> String {
        format!("coalesce(json_typeof({}), 'null') <> 'null'", member(column, name))
    }
}
