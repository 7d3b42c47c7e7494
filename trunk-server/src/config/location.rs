//! Finds the line of a setting in the configuration file, for errors of values that are checked after the file was
//! read.

use toml::de::{DeTable, DeValue};

/// Returns the number of the line of a setting, or of its table if the line is not found. `name` is that of an
/// error: a flag, or `table.key`; `given` is the refused value, which selects among the entries of a list of tables.
pub(super) fn line_of(text: &str, name: &str, given: &str) -> Option<usize> {
    let name = name.replace('-', "_");
    let path: Vec<&str> = name.split('.').collect();
    let table = DeTable::parse(text).ok()?;
    let offset = offset_of(text, table.get_ref(), &path, given)?;
    Some(line_at(text, offset))
}

/// Returns the number of the line at an offset.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or_default().matches('\n').count() + 1
}

fn offset_of(text: &str, table: &DeTable<'_>, path: &[&str], given: &str) -> Option<usize> {
    let (first, rest) = path.split_first()?;
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == first)?;
    let here = key.span().start;
    let further = match value.get_ref() {
        DeValue::Table(table) if rest.is_empty() => {
            // An error in a table of free keys has the form `key = value`.
            let refused = given.split_once(" = ").map(|(key, _)| key);
            table
                .iter()
                .find(|(key, _)| Some(key.get_ref().as_ref()) == refused)
                .map(|(key, _)| key.span().start)
        }
        DeValue::Table(table) => offset_of(text, table, rest, given),
        DeValue::Array(entries) if !rest.is_empty() => {
            let tables = || entries.iter().filter_map(|entry| entry.get_ref().as_table());
            let found = tables().filter(|table| has_value(text, table, rest, given)).chain(tables());
            found.into_iter().find_map(|table| offset_of(text, table, rest, given))
        }
        _ => None,
    };
    further.or(Some(here))
}

/// Whether the value at a path of a table is written with the refused value.
fn has_value(text: &str, table: &DeTable<'_>, path: &[&str], given: &str) -> bool {
    let [name] = path else { return false };
    let found = table.iter().find(|(key, _)| key.get_ref() == name);
    found
        .and_then(|(_, value)| text.get(value.span()))
        .is_some_and(|written| written.trim_matches('"') == given)
}

/// Returns a hint for a value that is not valid TOML because it is a text without quotation marks, such as
/// `listen = 127.0.0.1:8080`. It contains no value of the file.
pub(super) fn quotes_advice(text: &str, offset: usize) -> Option<String> {
    let line = text.lines().nth(line_at(text, offset) - 1)?;
    let (key, value) = line.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let is_word =
        key.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-'));
    let is_quoted = value.starts_with(['"', '\'', '[', '{']);
    let is_literal = matches!(value, "true" | "false") || value.parse::<f64>().is_ok();
    (is_word && !value.is_empty() && !is_quoted && !is_literal)
        .then(|| format!("a text needs quotation marks: {key} = \"…\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "listen = \"x\"\n\n[sip]\nrealm = \"r\"\nchallenge_code = 403\n\n[[sip.far_end]]\nprefix = \"1\"\n\
                        then = \"busy\"\n[[sip.far_end]]\nprefix = \"2\"\nthen = \"nap\"\n[voipbin.hosts]\n\"a\" = \"edge\"\n\
                        \"b.test\" = \"edgy\"\n";

    #[test]
    fn a_setting_is_found_on_its_line() {
        for (name, given, line) in [
            ("listen", "x", Some(1)),
            ("sip.challenge_code", "403", Some(5)),
            ("sip.far_end.then", "nap", Some(12)),
            ("sip.far_end.then", "busy", Some(9)),
            ("sip.far_end.ring", "1", Some(7)),
            ("voipbin.hosts", "b.test = edgy", Some(15)),
            ("control-listen", "", None),
            ("accounts.rate_limit", "", None),
        ] {
            assert_eq!(line_of(FILE, name, given), line, "{name} {given}");
        }
    }

    #[test]
    fn a_text_without_quotation_marks_is_recognised_and_not_repeated() {
        let text = "demo = true\nlisten = 127.0.0.1:24010\nport = 5\n";
        assert_eq!(
            quotes_advice(text, text.find("127").unwrap()).unwrap(),
            "a text needs quotation marks: listen = \"…\""
        );
        for (text, offset) in [("demo = true", 3), ("a = \"b\" c", 8), ("a = 5", 4), ("[table", 2), ("", 0)] {
            assert_eq!(quotes_advice(text, offset), None, "{text}");
        }
    }
}
