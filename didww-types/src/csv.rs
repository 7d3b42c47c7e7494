//! Filter values: one line of CSV (RFC 4180), so that a value may hold a comma.
//!
//! The API reads a filter that takes several values with a CSV reader: `a,b` is two values, `"a,b"` is one, and a
//! quote inside quotes is doubled. Text that is no CSV (`5" pipe`) is one value as it stands, as the API's framework
//! takes it.

use std::borrow::Cow;

/// Joins values into one line. A value is quoted where it would be read differently without quotes.
pub(crate) fn join_values<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    values.into_iter().map(quoted).collect::<Vec<_>>().join(",")
}

fn quoted(value: &str) -> Cow<'_, str> {
    if value.contains([',', '"', '\r', '\n']) {
        Cow::Owned(format!("\"{}\"", value.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(value)
    }
}

/// The values of a line; text that is no CSV is one value.
pub fn split_values(text: &str) -> Vec<Cow<'_, str>> {
    parse(text).unwrap_or_else(|| vec![Cow::Borrowed(text)])
}

/// `None` for a quote in an unquoted value, text behind a closing quote, or a quote that is never closed.
fn parse(text: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        let (value, behind) = if let Some(inside) = rest.strip_prefix('"') {
            quoted_value(inside)?
        } else {
            let (value, behind) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
            if value.contains('"') {
                return None;
            }
            (Cow::Borrowed(value), behind)
        };
        values.push(value);
        if behind.is_empty() {
            return Some(values);
        }
        rest = behind.strip_prefix(',')?;
    }
}

/// The value before the closing quote, and what follows that.
fn quoted_value(inside: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut from = 0;
    loop {
        let end = from + inside.get(from..)?.find('"')?;
        let (value, behind) = (inside.get(..end)?, inside.get(end + 1..)?);
        if !behind.starts_with('"') {
            let value =
                if from == 0 { Cow::Borrowed(value) } else { Cow::Owned(value.replace("\"\"", "\"")) };
            return Some((value, behind));
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
