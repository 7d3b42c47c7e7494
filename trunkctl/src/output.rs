//! The output of results as a table, JSON, YAML, CSV, or ids only.

mod cells;
mod row;

use clap::ValueEnum;

pub(crate) use cells::{cell, table};
pub(crate) use row::Row;

use crate::exit::{Exit, Failure};

/// A format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Columns for people; a single record has a line for each member.
    #[default]
    Table,
    /// JSON: an array for a list, an object for a single record.
    Json,
    /// YAML, with the members of JSON.
    Yaml,
    /// Comma-separated values with a line of names; objects are JSON.
    Csv,
    /// The ids alone, one a line.
    Id,
}

/// Formats a list. `columns` are those of a table and of CSV.
///
/// # Errors
/// When it cannot be encoded.
pub(crate) fn list(rows: &[Row], columns: &[String], format: Format) -> Result<String, Failure> {
    match format {
        Format::Table => Ok(table(rows, columns)),
        Format::Json => json(&rows),
        Format::Yaml => yaml(&rows),
        Format::Csv => Ok(csv(rows, columns)),
        Format::Id => Ok(lines(rows.iter().map(Row::id))),
    }
}

/// The lines, each with its end.
fn lines(lines: impl Iterator<Item = impl AsRef<str>>) -> String {
    lines.flat_map(|line| [line.as_ref().to_owned(), "\n".to_owned()]).collect()
}

/// Formats one record.
///
/// # Errors
/// When it cannot be encoded.
pub(crate) fn single(row: &Row, format: Format) -> Result<String, Failure> {
    match format {
        Format::Table => {
            let width = row.members().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
            Ok(lines(row.members().map(|(name, value)| format!("{name:width$}  {}", cell(value)))))
        }
        Format::Json => json(row),
        Format::Yaml => yaml(row),
        Format::Csv => {
            let columns: Vec<String> = row.members().map(|(name, _)| name.to_owned()).collect();
            Ok(csv(std::slice::from_ref(row), &columns))
        }
        Format::Id => Ok(format!("{}\n", row.id())),
    }
}

/// Formats a value as JSON with a newline at its end.
///
/// # Errors
/// When it cannot be encoded.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n").map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

/// Formats a value as YAML.
///
/// # Errors
/// When it cannot be encoded.
pub(crate) fn yaml(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_saphyr::to_string(value).map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

fn csv(rows: &[Row], columns: &[String]) -> String {
    // Readers skip a line without a character: an only cell that is empty is quoted.
    let is_only = columns.len() == 1;
    let quoted = |text: &str| {
        if text.contains([',', '"', '\r', '\n']) || (is_only && text.is_empty()) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let line =
        |cells: Vec<String>| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\n";
    let mut text = line(columns.to_vec());
    for row in rows {
        text += &line(columns.iter().map(|name| cells::plain(row.get(name))).collect());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_row_of_csv_is_a_line_that_readers_see() {
        let rows = [json!({"id": "1", "about": null}), json!({"id": "2", "about": "a \"b\",\nc"})];
        let rows = rows.map(|row| Row::of(&row, &[]));
        let of = |columns: &[&str]| {
            let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
            csv(&rows, &columns)
        };
        assert_eq!(of(&["about"]), "about\n\"\"\n\"a \"\"b\"\",\nc\"\n");
        assert_eq!(of(&["id", "about"]), "id,about\n1,\n2,\"a \"\"b\"\",\nc\"\n");
    }
}
