//! Requests for a list of records, read page by page.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;

use futures_core::Stream;
use futures_util::TryStreamExt as _;
use futures_util::stream::{iter, try_unfold};
use reqwest::Method;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::progress::Progress;
use crate::request::Request;
use crate::types::Page;
use crate::{Client, Endless, Error, Exchange};

/// A request for a list of records, the newest first. Await it for one page, or use [`stream`](Self::stream)
/// or [`all`](Self::all) for the records of all pages.
///
/// ```
/// # async fn f(client: &voipbin_client::Client) -> Result<(), voipbin_client::Error> {
/// use voipbin_client::TryStreamExt as _;
///
/// let mut providers = client.providers().list().stream();
/// while let Some(provider) = providers.try_next().await? {
///     println!("{}: {}", provider.name, provider.health_status);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent until it is awaited"]
pub struct ListRequest<T> {
    client: Client,
    path: &'static str,
    size: Option<u32>,
    token: Option<String>,
    filters: Vec<(&'static str, String)>,
    record: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + Send + 'static> ListRequest<T> {
    pub(crate) fn new(client: Client, path: &'static str) -> Self {
        Self { client, path, size: None, token: None, filters: Vec::new(), record: PhantomData }
    }

    /// Lists only the records whose member `name` has this value.
    pub(crate) fn filter(mut self, name: &'static str, value: Uuid) -> Self {
        self.filters.push((name, value.to_string()));
        self
    }

    /// Sets the number of records on a page: 1 to 100, 100 by default. The service takes a larger number as
    /// 100.
    pub fn page_size(mut self, size: u32) -> Self {
        self.size = Some(size);
        self
    }

    /// Sets the page to read, or the first page of a stream, by the
    /// [`next_page_token`](crate::types::Page::next_page_token) of the page before it.
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sends the request and returns one page.
    pub async fn send(self) -> Result<Page<T>, Error> {
        Ok(self.fetch(self.token.as_deref()).await?.0)
    }

    /// Streams the pages that have records, from the first, or from that set by
    /// [`page_token`](Self::page_token), to the last. A page is requested when the stream is polled for it.
    ///
    /// When the service's pages would never end, the stream yields the pages so far and then
    /// [`Error::Endless`].
    pub fn pages(self) -> impl Stream<Item = Result<Page<T>, Error>> + Send + Unpin + use<T> {
        let progress = Progress::from(self.token.clone());
        Box::pin(try_unfold(Pages::Next(Box::new(self), progress), Pages::step))
    }

    /// Streams the records of all pages; see [`pages`](Self::pages).
    pub fn stream(self) -> impl Stream<Item = Result<T, Error>> + Send + Unpin + use<T> {
        self.pages().map_ok(|page| iter(page.result.into_iter().map(Ok))).try_flatten()
    }

    /// Reads all pages and returns their records. An error on any page discards the records read before.
    pub async fn all(self) -> Result<Vec<T>, Error> {
        self.stream().try_collect().await
    }

    async fn fetch(&self, token: Option<&str>) -> Result<(Page<T>, Exchange), Error> {
        let mut parameters = self.filters.clone();
        parameters.extend(self.size.map(|size| ("page_size", size.to_string())));
        parameters.extend(token.map(|token| ("page_token", token.to_owned())));
        self.client.fetch_with_exchange(&Request::new(Method::GET, self.path).with_query(&parameters)).await
    }
}

/// The state of a stream of pages: the next request, an error to yield, or the end.
enum Pages<T> {
    Next(Box<ListRequest<T>>, Progress),
    Fail(Endless),
    End,
}

impl<T: DeserializeOwned + Send + 'static> Pages<T> {
    async fn step(self) -> Result<Option<(Page<T>, Self)>, Error> {
        let (list, progress) = match self {
            Self::Next(list, progress) => (list, progress),
            Self::Fail(endless) => return Err(Error::Endless(Box::new(endless))),
            Self::End => return Ok(None),
        };
        let (page, exchange) = list.fetch(progress.token.as_deref()).await?;
        let number = progress.pages + 1;
        let next = match progress.after(page.result.len(), page.next_page_token.clone()) {
            Ok(Some(progress)) => Self::Next(list, progress),
            Ok(None) if page.result.is_empty() => return Ok(None),
            Ok(None) => Self::End,
            Err(reason) => Self::Fail(Endless::new(exchange, number, reason)),
        };
        Ok(Some((page, next)))
    }
}

impl<T: DeserializeOwned + Send + 'static> IntoFuture for ListRequest<T> {
    type Output = Result<Page<T>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

// Not derived, because a derive would require `T: Clone`.
impl<T> Clone for ListRequest<T> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            path: self.path,
            size: self.size,
            token: self.token.clone(),
            filters: self.filters.clone(),
            record: PhantomData,
        }
    }
}

impl<T> fmt::Debug for ListRequest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListRequest")
            .field("path", &self.path)
            .field("filters", &self.filters)
            .field("page_size", &self.size)
            .field("page_token", &self.token)
            .finish_non_exhaustive()
    }
}
