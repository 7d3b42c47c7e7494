//! One line of CSV (RFC 4180), in which a quoted value can contain a comma: filter values, and rows of files.
//!
//! The API parses a filter that accepts several values as CSV: `a,b` is two values, `"a,b"` is one, and a
//! quote inside quotes is doubled. A text that is not valid CSV, such as `5" pipe`, is taken as one value, as
//! the API's framework does.

use std::borrow::Cow;

/// Joins values into one line of CSV, without a line end, and quotes only those that need it.
pub fn join_values<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    values.into_iter().map(quoted).collect::<Vec<_>>().join(",")
}

fn quoted(value: &str) -> Cow<'_, str> {
    if value.contains([',', '"', '\r', '\n']) {
        Cow::Owned(format!("\"{}\"", value.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(value)
    }
}

/// Splits the value of a filter into its values. A text that is not valid CSV is returned as one value, and
/// the result is never empty.
pub fn split_values(text: &str) -> Vec<Cow<'_, str>> {
    parse(text).unwrap_or_else(|| vec![Cow::Borrowed(text)])
}

/// Returns `None` for a quote in an unquoted value, text after a closing quote, or a missing closing quote.
fn parse(text: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        let (value, after) = if let Some(inside) = rest.strip_prefix('"') {
            quoted_value(inside)?
        } else {
            let (value, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
            if value.contains('"') {
                return None;
            }
            (Cow::Borrowed(value), after)
        };
        values.push(value);
        if after.is_empty() {
            return Some(values);
        }
        rest = after.strip_prefix(',')?;
    }
}

/// Splits the text after an opening quote into the value and the text after the closing quote.
fn quoted_value(inside: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut from = 0;
    loop {
        let end = from + inside.get(from..)?.find('"')?;
        let (value, after) = (inside.get(..end)?, inside.get(end + 1..)?);
        if !after.starts_with('"') {
            let value =
                if from == 0 { Cow::Borrowed(value) } else { Cow::Owned(value.replace("\"\"", "\"")) };
            return Some((value, after));
        }
        from = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str) -> Vec<String> {
        split_values(text).into_iter().map(Cow::into_owned).collect()
    }

    #[test]
    fn quotes_keep_a_comma_and_a_doubled_quote_is_one() {
        assert_eq!(split("Sales"), ["Sales"]);
        assert_eq!(split("Sales, North"), ["Sales", " North"], "as the API reads it");
        assert_eq!(split("\"Sales, North\""), ["Sales, North"]);
        assert_eq!(split("a,\"b,c\",\"d \"\"e\"\"\",,f"), ["a", "b,c", "d \"e\"", "", "f"]);
        assert_eq!(split("\"\""), [""]);
        assert_eq!(split(""), [""]);
        assert_eq!(split("a,"), ["a", ""]);
    }

    #[test]
    fn text_that_is_no_csv_is_one_value() {
        for text in ["5\" pipe, long", "\"open", "\"a\"b", "\"a\" ,b", " \"a,b\""] {
            assert_eq!(split(text), [text]);
        }
    }

    proptest! {
        #[test]
        fn what_is_joined_is_split_into_the_same_values(
            values in proptest::collection::vec("[a-z,\" \r\n]{0,8}", 1..5),
        ) {
            prop_assert_eq!(split(&join_values(values.iter().map(String::as_str))), values);
        }

        #[test]
        fn any_text_is_split_without_a_panic(text in ".{0,60}") {
            prop_assert!(!split(&text).is_empty());
        }
    }
}
