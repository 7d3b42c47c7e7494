//! Rows of a transfer, and their canonical form: a JSON object whose members are the columns in their order, without
//! spaces. Ids are written with hyphens, bytes as hexadecimal digits; both have lower-case letters.

use std::fmt::Write as _;

use serde_json::Value;
use uuid::Uuid;

use super::table::{Column, Kind, Table};

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Flag(bool),
    Text(String),
    Id(Uuid),
    Bytes(Vec<u8>),
}

/// A row: a value for each column of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) Vec<Cell>);

/// Rows of one table that follow each other.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) table: Table,
    pub(crate) rows: Vec<Row>,
}

impl Row {
    /// The size of its texts and bytes.
    pub(crate) fn bytes(&self) -> usize {
        let of = |cell: &Cell| match cell {
            Cell::Text(text) => text.len(),
            Cell::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        self.0.iter().map(of).sum()
    }

    /// The name of a type or relationship for which an engine has a symbol.
    pub(crate) fn symbol(&self, table: Table) -> Option<&str> {
        let column = match table {
            Table::Record => 2,
            Table::Link => 1,
            _ => return None,
        };
        match self.0.get(column) {
            Some(Cell::Text(name)) => Some(name),
            _ => None,
        }
    }

    /// Leaves out the NUL characters of an event or of an attempt to deliver one. An older release stored them, and
    /// PostgreSQL refuses them.
    pub(crate) fn without_nul(mut self, table: Table) -> Self {
        if matches!(table, Table::Event | Table::Delivery) {
            for cell in &mut self.0 {
                if let Cell::Text(text) = cell {
                    text.retain(|character| character != '\0');
                }
            }
        }
        self
    }

    /// Appends the canonical form to a text.
    pub(crate) fn encode(&self, table: Table, to: &mut Vec<u8>) {
        let mut separator = b'{';
        for (column, cell) in table.columns().iter().zip(&self.0) {
            to.push(separator);
            separator = b',';
            to.push(b'"');
            to.extend_from_slice(column.name.as_bytes());
            to.extend_from_slice(b"\":");
            match cell {
                Cell::Null => to.extend_from_slice(b"null"),
                Cell::Integer(number) => to.extend_from_slice(number.to_string().as_bytes()),
                Cell::Flag(flag) => to.extend_from_slice(if *flag { b"true" } else { b"false" }),
                Cell::Text(text) => {
                    // It cannot fail: a `Vec` accepts every byte.
                    let _infallible = serde_json::to_writer(&mut *to, text);
                }
                Cell::Id(id) => {
                    to.push(b'"');
                    to.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
                    to.push(b'"');
                }
                Cell::Bytes(bytes) => {
                    to.push(b'"');
                    to.extend_from_slice(hex(bytes).as_bytes());
                    to.push(b'"');
                }
            }
        }
        to.push(b'}');
    }

    /// Reads a row of a table from its JSON.
    ///
    /// # Errors
    /// What is wrong, without the value: it may be a secret.
    pub(crate) fn decode(table: Table, row: &Value) -> Result<Self, String> {
        let members = row.as_object().ok_or("it is not an object")?;
        let columns = table.columns();
        if members.len() != columns.len() {
            return Err(format!("it has {} members instead of {}", members.len(), columns.len()));
        }
        let cell = |column: &Column| {
            let value = members.get(column.name).ok_or_else(|| format!("`{}` is missing", column.name))?;
            cell(*column, value).ok_or_else(|| format!("`{}` has a value of another kind", column.name))
        };
        columns.iter().map(cell).collect::<Result<_, _>>().map(Self)
    }
}

fn cell(column: Column, value: &Value) -> Option<Cell> {
    Some(match (column.kind, value) {
        (_, Value::Null) if column.optional => Cell::Null,
        (Kind::Integer, Value::Number(number)) => Cell::Integer(number.as_i64()?),
        (Kind::Flag, Value::Bool(flag)) => Cell::Flag(*flag),
        (Kind::Text, Value::String(text)) => Cell::Text(text.clone()),
        (Kind::Id, Value::String(text)) => Cell::Id(text.parse().ok()?),
        (Kind::Bytes, Value::String(text)) => Cell::Bytes(bytes(text)?),
        _ => return None,
    })
}

/// Writes bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    digits.chunks(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.last()?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row with a value of every column, or without those that may be absent.
    fn sample(table: Table, complete: bool) -> Row {
        let cell = |column: &Column| match column.kind {
            _ if column.optional && !complete => Cell::Null,
            Kind::Integer => Cell::Integer(i64::MIN),
            Kind::Flag => Cell::Flag(true),
            Kind::Text => Cell::Text("a \"quoted\" line\n\u{0}\u{7f}é".to_owned()),
            Kind::Id => Cell::Id(Uuid::from_u128(0xAB)),
            Kind::Bytes => Cell::Bytes(vec![0, 0xAB, 0xFF]),
        };
        Row(table.columns().iter().map(cell).collect())
    }

    #[test]
    fn a_row_of_every_table_is_read_back_as_it_was_written() {
        for table in Table::ALL {
            assert_eq!(Table::named(table.name()), Some(table));
            for complete in [true, false] {
                let (row, mut text) = (sample(table, complete), Vec::new());
                row.encode(table, &mut text);
                let value = serde_json::from_slice(&text).unwrap();
                assert_eq!(Row::decode(table, &value), Ok(row), "{}", table.name());
            }
        }
    }

    #[test]
    fn an_event_has_no_nul_character_and_what_identifies_a_row_keeps_it() {
        let has_nul = |table| {
            let row = sample(table, true).without_nul(table);
            row.0.iter().any(|cell| matches!(cell, Cell::Text(text) if text.contains('\0')))
        };
        assert_eq!([Table::Event, Table::Delivery].map(has_nul), [false; 2]);
        assert_eq!([Table::Account, Table::Document, Table::DocumentUnique].map(has_nul), [true; 3]);
    }

    #[test]
    fn a_row_that_lacks_a_column_or_has_another_kind_is_refused_without_its_values() {
        let decode = |text: &str| Row::decode(Table::Counter, &serde_json::from_str(text).unwrap());
        let refused = [
            (r#"{"name":"secret"}"#, "it has 1 members instead of 2"),
            (r#"{"name":"secret","values":1}"#, "`value` is missing"),
            (r#"{"name":"secret","value":"1"}"#, "`value` has a value of another kind"),
            (r#"{"name":null,"value":1}"#, "`name` has a value of another kind"),
            (r#"["secret",1]"#, "it is not an object"),
        ];
        for (text, why) in refused {
            assert_eq!(decode(text), Err(why.to_owned()), "{text}");
        }
    }
}
