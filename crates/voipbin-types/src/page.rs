//! A page of a list.

use serde::{Deserialize, Serialize};

use super::lenient::or_default;

/// One page of a list, the newest records first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Page<T> {
    /// The records on the page.
    pub result: Vec<T>,
    /// The token that requests the next page; empty when there is none. The service sends a token even on the
    /// last page with records, and an empty page after it.
    // Some of its documents show `null`.
    #[serde(default, deserialize_with = "or_default")]
    pub next_page_token: String,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { result: Vec::new(), next_page_token: String::new() }
    }
}

impl<T> IntoIterator for Page<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.result.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_a_token_is_the_last_one() {
        for text in [
            r#"{"result":[1]}"#,
            r#"{"result":[1],"next_page_token":null}"#,
            r#"{"result":[1],"next_page_token":""}"#,
        ] {
            let page: Page<u8> = serde_json::from_str(text).unwrap();
            assert_eq!(page, Page { result: vec![1], next_page_token: String::new() }, "{text}");
        }
    }
}
