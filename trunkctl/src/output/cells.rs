//! Tables of aligned columns, and the text of a value in one.

use std::fmt::Write as _;

use serde_json::Value;

use super::row::Row;

/// The text of a value in a table. Characters that could control a terminal are escaped.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        other => printable(&plain(other)),
    }
}

/// The text of a value: lists with commas, objects as JSON, null as nothing.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(plain).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

fn printable(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            let _infallible = write!(escaped, "{}", letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

/// Aligned columns below their names in capitals. A list without rows is one line of names.
pub(crate) fn table(rows: &[Row], columns: &[String]) -> String {
    let heading: Vec<String> = columns.iter().map(|name| name.to_uppercase()).collect();
    let lines: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|name| cell(row.get(name))).collect()).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| {
            let cells = std::iter::once(&heading).chain(&lines).filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    for line in std::iter::once(&heading).chain(&lines) {
        let padded: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width)).collect();
        text += padded.join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_aligned_and_control_characters_escaped() {
        let rows = [
            Row::of(&json!({"id": "1", "name": "Berlin", "ips": ["a", "b"]}), &[]),
            Row::of(&json!({"id": "22", "name": "\u{1b}[31mred\nnext", "ips": null}), &[]),
        ];
        let columns = ["id", "name", "ips"].map(str::to_owned);
        assert_eq!(
            table(&rows, &columns),
            "ID  NAME                 IPS\n1   Berlin               a,b\n22  \\u{1b}[31mred\\nnext  -\n"
        );
    }
}
