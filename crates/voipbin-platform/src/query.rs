//! The query of a request, and the parameters that every list has.

use std::borrow::Cow;

use uuid::Uuid;

use super::error::ApiError;
use super::moment::Moment;
use trunk_store::{Document, DocumentKind, DocumentQuery};

/// Names and values, in their order.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

/// Most of a list on a page, and how much it is when nobody says how much.
const PAGE: u64 = 100;

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).map(owned).collect())
    }

    /// The first value of a name.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The one value of a name.
    ///
    /// # Errors
    /// When it is there more than once.
    pub(crate) fn only(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() { Err(ApiError::invalid_parameter(name)) } else { Ok(first) }
    }

    /// An id of a parameter that only takes ids; nil is none.
    ///
    /// # Errors
    /// When it is no id.
    pub(crate) fn id(&self, name: &str) -> Result<Option<Uuid>, ApiError> {
        let Some(text) = self.only(name)? else { return Ok(None) };
        let id = Uuid::try_parse(text).map_err(|_| ApiError::invalid_parameter(name))?;
        Ok(Some(id).filter(|id| !id.is_nil()))
    }

    /// Which page of a list.
    ///
    /// # Errors
    /// When the size is no number, or the token no token.
    pub(crate) fn page(&self, kind: DocumentKind) -> Result<DocumentQuery, ApiError> {
        let limit = match self.only("page_size")? {
            None => PAGE,
            Some(text) => {
                let size: i64 = text.parse().map_err(|_| ApiError::invalid_parameter("page_size"))?;
                u64::try_from(size).ok().filter(|size| (1..=PAGE).contains(size)).unwrap_or(PAGE)
            }
        };
        let before = match self.only("page_token")?.filter(|token| !token.is_empty()) {
            None => i64::MAX,
            Some(token) => token.parse::<Moment>().map_err(|_| ApiError::invalid_data())?.as_unix_micros(),
        };
        Ok(DocumentQuery { before, limit, ..DocumentQuery::all(kind) })
    }
}

fn owned((name, value): (Cow<'_, str>, Cow<'_, str>)) -> (String, String) {
    (name.into_owned(), value.into_owned())
}

/// The token of the page after these: when the last of them was made. After nothing there is nothing.
pub(crate) fn next_token(page: &[Document]) -> String {
    page.last().map(|last| Moment::from_unix_micros(last.created_at).to_page_token()).unwrap_or_default()
}
