//! One page of a list.

use serde::{Deserialize, Serialize};

/// One page of a list, the newest records first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The records.
    pub result: Vec<T>,
    /// What to ask the next page with. Only the empty page after the last has none: the last page names one.
    #[serde(default)]
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
