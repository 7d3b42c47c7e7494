//! The pages of a list, and the URLs in responses.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::encode_component;

/// A page of a list, by number and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The page's number, from 1.
    pub number: u64,
    /// The maximum number of records on a page.
    pub size: u64,
}

impl Page {
    /// The page size when the request does not set one.
    pub const DEFAULT_SIZE: u64 = 50;
    /// The largest page size of any type: of every type before 2026-04-16, of a few since.
    pub const MAX_SIZE: u64 = 1000;
    /// The largest page size of the other types from 2026-04-16 on.
    pub const USUAL_MAX_SIZE: u64 = 100;

    /// The number of records on the pages before this one.
    pub const fn offset(self) -> u64 {
        self.number.saturating_sub(1).saturating_mul(self.size)
    }

    /// The number of the last page of a list of `total` records. An empty list has one page.
    pub const fn last(self, total: u64) -> u64 {
        if total == 0 || self.size == 0 { 1 } else { total.div_ceil(self.size) }
    }

    /// Builds the links of this page in the form that DIDWW uses: all parameters, sorted by name.
    ///
    /// `url` is the URL of the list without a query, `parameters` are the request's other parameters with
    /// decoded names and values, and `total` is the number of records on all pages.
    pub fn links(self, url: &str, parameters: &[(String, String)], total: u64) -> PageLinks {
        let last = self.last(total);
        let link = |number: u64| {
            let mut pairs: Vec<(&str, String)> =
                parameters.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            pairs.push(("page[number]", number.to_string()));
            pairs.push(("page[size]", self.size.to_string()));
            pairs.sort_by(|a, b| a.0.cmp(b.0));
            let query: Vec<String> = pairs
                .iter()
                .map(|(name, value)| format!("{}={}", encode_component(name), encode_component(value)))
                .collect();
            format!("{url}?{}", query.join("&"))
        };
        PageLinks {
            first: Some(link(1)),
            prev: (self.number > 1).then(|| link(self.number - 1)),
            next: (self.number < last).then(|| link(self.number + 1)),
            last: Some(link(last)),
            extra: Map::new(),
        }
    }
}

impl Default for Page {
    fn default() -> Self {
        Self { number: 1, size: Self::DEFAULT_SIZE }
    }
}

/// The links in the document of a list, in the order of the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PageLinks {
    /// The URL of the first page.
    #[serde(default, deserialize_with = "link", skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// The URL of the previous page; absent on the first one.
    #[serde(default, deserialize_with = "link", skip_serializing_if = "Option::is_none")]
    pub prev: Option<String>,
    /// The URL of the next page; absent on the last one.
    #[serde(default, deserialize_with = "link", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The URL of the last page.
    #[serde(default, deserialize_with = "link", skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Links that this crate does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Builds the URLs in responses from one base URL.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a> {
    /// The base URL without a slash at its end, such as `https://api.didww.com/v3`.
    pub base: &'a str,
}

impl Links<'_> {
    /// The URL of the list of a resource. `kind` is the plural type name.
    pub fn collection(self, kind: &str) -> String {
        format!("{}/{kind}", self.base)
    }

    /// The URL of a relationship's linkage.
    pub fn relationship(self, kind: &str, id: &str, name: &str) -> String {
        format!("{}/{kind}/{id}/relationships/{name}", self.base)
    }

    /// The URL of a relationship's records.
    pub fn related(self, kind: &str, id: &str, name: &str) -> String {
        format!("{}/{kind}/{id}/{name}", self.base)
    }
}

/// Reads a link: a URL, or JSON:API's object with the URL as `href`. Null is no link.
pub(crate) fn link<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Visitor;

    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a URL, or an object with the URL as `href`")
        }
        fn visit_str<E: de::Error>(self, url: &str) -> Result<Self::Value, E> {
            Ok(Some(url.to_owned()))
        }
        fn visit_string<E: de::Error>(self, url: String) -> Result<Self::Value, E> {
            Ok(Some(url))
        }
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_map<A: de::MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
            #[derive(Deserialize)]
            struct Object {
                href: String,
            }
            Object::deserialize(de::value::MapAccessDeserializer::new(members)).map(|link| Some(link.href))
        }
    }

    deserializer.deserialize_any(Visitor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://sandbox-api.didww.com/v3/voice_in_trunks";

    #[test]
    fn a_recorded_link_is_reproduced() {
        let parameters = [
            ("sort".to_owned(), "-created_at".to_owned()),
            ("include".to_owned(), "trunk_group,pop".to_owned()),
        ];
        let links = Page { number: 2, size: 4 }.links(URL, &parameters, 12);
        let page = |number: u64| {
            Some(format!(
                "{URL}?include=trunk_group%2Cpop&page%5Bnumber%5D={number}&page%5Bsize%5D=4&sort=-created_at"
            ))
        };
        assert_eq!(
            links,
            PageLinks { first: page(1), prev: page(1), next: page(3), last: page(3), ..PageLinks::default() }
        );
    }

    #[test]
    fn an_empty_list_has_one_page() {
        let links = Page::default().links(URL, &[], 0);
        assert_eq!(links.first, links.last);
        assert_eq!((links.prev, links.next), (None, None));
    }

    #[test]
    fn a_page_after_the_last_one_links_back_but_not_forward() {
        let links = Page { number: 9, size: 50 }.links(URL, &[], 60);
        assert!(links.prev.is_some_and(|link| link.contains("number%5D=8&")));
        assert_eq!(links.next, None);
    }
}
