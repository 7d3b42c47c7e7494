//! The query string of a request, and the paging parameters of every list.

use std::borrow::Cow;

use trunk_store::{Document, DocumentKind, DocumentQuery};
use uuid::Uuid;
use voipbin_types::Timestamp;

use crate::error::ApiError;

/// The names and values of a query string, in their order.
#[derive(Debug, Default)]
pub(crate) struct QueryParams(Vec<(String, String)>);

/// The largest page of a list, and the default `page_size`.
const MAX_PAGE_SIZE: u64 = 100;

/// The largest page of events.
const MAX_EVENT_PAGE_SIZE: usize = 1_000;
/// The number of events in a page without a valid `page_size`.
const DEFAULT_EVENT_PAGE_SIZE: usize = 100;

impl QueryParams {
    /// Decodes a query string. A name without a value has an empty one.
    pub(crate) fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).map(owned).collect())
    }

    /// The first value of a name.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The only value of a name.
    ///
    /// # Errors
    /// When the name occurs more than once.
    pub(crate) fn only(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() { Err(ApiError::invalid_parameter(name)) } else { Ok(first) }
    }

    /// The value of a parameter that must be a UUID. The nil UUID counts as absent.
    ///
    /// # Errors
    /// When the value is not a UUID, or the name occurs more than once.
    pub(crate) fn id(&self, name: &str) -> Result<Option<Uuid>, ApiError> {
        let Some(text) = self.only(name)? else { return Ok(None) };
        let id = Uuid::try_parse(text).map_err(|_| ApiError::invalid_parameter(name))?;
        Ok(Some(id).filter(|id| !id.is_nil()))
    }

    /// The time before which the events of a page happened, and their maximum number: `page_token`, and `page_size`
    /// from 1 to 1000. A size outside of that counts as 100.
    ///
    /// # Errors
    /// As of [`page`](Self::page).
    pub(crate) fn event_page(&self) -> Result<(Timestamp, usize), ApiError> {
        let page = self.page(DocumentKind::Call)?;
        let size = self.only("page_size")?.and_then(|text| text.parse().ok());
        let size = size.filter(|size| (1..=MAX_EVENT_PAGE_SIZE).contains(size));
        Ok((Timestamp::from_unix_micros(page.before), size.unwrap_or(DEFAULT_EVENT_PAGE_SIZE)))
    }

    /// The page of a list that `page_size` and `page_token` select. A size outside of 1 to 100 counts as 100.
    ///
    /// # Errors
    /// When the size is not a number, the token is not a timestamp, or one of them occurs more than once.
    pub(crate) fn page(&self, kind: DocumentKind) -> Result<DocumentQuery, ApiError> {
        let limit = match self.only("page_size")? {
            None => MAX_PAGE_SIZE,
            Some(text) => {
                let size: i64 = text.parse().map_err(|_| ApiError::invalid_parameter("page_size"))?;
                let size = u64::try_from(size).ok().filter(|size| (1..=MAX_PAGE_SIZE).contains(size));
                size.unwrap_or(MAX_PAGE_SIZE)
            }
        };
        let before = match self.only("page_token")?.filter(|token| !token.is_empty()) {
            None => i64::MAX,
            Some(token) => {
                let at = token.parse::<Timestamp>();
                at.map_err(|_| ApiError::invalid_data_because("page_token is no timestamp"))?.as_unix_micros()
            }
        };
        Ok(DocumentQuery { before, limit, ..DocumentQuery::all(kind) })
    }
}

fn owned((name, value): (Cow<'_, str>, Cow<'_, str>)) -> (String, String) {
    (name.into_owned(), value.into_owned())
}

/// The `page_token` of the page after this one: the creation time of its last record. It is empty after an
/// empty page.
pub(crate) fn next_token(page: &[Document]) -> String {
    page.last().map(|last| Timestamp::from_unix_micros(last.created_at).to_page_token()).unwrap_or_default()
}
