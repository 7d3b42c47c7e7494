//! Building and parsing of query strings.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The characters that form encoding escapes: all but letters, digits, `-`, `_`, `.` and `*`.
const FORM_ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');

/// Percent-encodes a name, a value or a path segment as DIDWW does in its own links: `[` becomes `%5B`, and a
/// space becomes `%20`.
pub fn encode_component(text: &str) -> String {
    Cow::from(utf8_percent_encode(text, FORM_ESCAPED)).into_owned()
}

/// The query parameters of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    /// The filters, each with the text inside `filter[...]` and its value.
    pub filters: Vec<(String, String)>,
    /// The names to sort by, the primary one first; a minus before a name sorts in descending order.
    pub sort: Vec<String>,
    /// The relationship paths to include.
    pub include: Vec<String>,
    /// The selected fields of each type, by type name.
    pub fields: Vec<(String, Vec<String>)>,
    /// The page number, from 1; `None` sends none.
    pub number: Option<u64>,
    /// The page size in records; `None` sends none.
    pub size: Option<u64>,
}

impl Parameters {
    /// The parameters as pairs of name and value, not percent-encoded, sorted by name.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        pairs.extend(self.filters.iter().map(|(name, value)| (format!("filter[{name}]"), value.clone())));
        pairs.extend(self.fields.iter().map(|(kind, names)| (format!("fields[{kind}]"), names.join(","))));
        if !self.include.is_empty() {
            pairs.push(("include".to_owned(), self.include.join(",")));
        }
        pairs.extend(self.number.map(|number| ("page[number]".to_owned(), number.to_string())));
        pairs.extend(self.size.map(|size| ("page[size]".to_owned(), size.to_string())));
        if !self.sort.is_empty() {
            pairs.push(("sort".to_owned(), self.sort.join(",")));
        }
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs
    }

    /// The percent-encoded query string, without a question mark; empty when there are no parameters.
    pub fn to_query(&self) -> String {
        let encoded: Vec<String> = self
            .pairs()
            .iter()
            .map(|(name, value)| format!("{}={}", encode_component(name), encode_component(value)))
            .collect();
        encoded.join("&")
    }
}

/// The decoded names and values of a query string, in their original order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryPairs(pub Vec<(String, String)>);

impl QueryPairs {
    /// Parses a query string. A name without `=` has an empty value, `+` is a space, and bytes that are not
    /// UTF-8 become replacement characters.
    pub fn parse(query: &str) -> Self {
        let decode = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        Self(
            query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }
}

/// One or several values of a filter. A record matches when it matches any of them, or all where the filter requires
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOf<T>(Vec<T>);

impl<T> OneOf<T> {
    #[doc(hidden)]
    pub fn texts(self, text: impl Fn(&T) -> String) -> Vec<String> {
        self.0.iter().map(text).collect()
    }
}

impl<T> From<T> for OneOf<T> {
    fn from(value: T) -> Self {
        Self(vec![value])
    }
}
impl From<&str> for OneOf<String> {
    fn from(value: &str) -> Self {
        Self(vec![value.to_owned()])
    }
}
impl<T> From<Vec<T>> for OneOf<T> {
    fn from(values: Vec<T>) -> Self {
        Self(values)
    }
}
impl<T, const N: usize> From<[T; N]> for OneOf<T> {
    fn from(values: [T; N]) -> Self {
        Self(values.into())
    }
}
impl<const N: usize> From<[&str; N]> for OneOf<String> {
    fn from(values: [&str; N]) -> Self {
        Self(values.iter().map(|value| (*value).to_owned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_built_query_is_parsed_into_the_same_pairs(
            filters in proptest::collection::vec(("[a-z_.]{1,12}", ".{0,20}"), 0..4),
            sort in proptest::collection::vec("-?[a-z_]{1,9}", 0..3),
            number in proptest::option::of(1u64..1_000_000),
        ) {
            let parameters = Parameters { filters, sort, number, ..Parameters::default() };
            prop_assert_eq!(QueryPairs::parse(&parameters.to_query()).0, parameters.pairs());
        }

        #[test]
        fn any_text_is_parsed_without_a_panic(query in ".{0,200}") {
            let _ = QueryPairs::parse(&query);
        }
    }
}
