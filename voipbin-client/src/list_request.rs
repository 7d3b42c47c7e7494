//! A request for records, page by page.

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

/// A request for records, the newest first. Await it for one page, or [`stream`](Self::stream) it for the records
/// of all pages.
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

    /// Leaves out the records that do not have this value.
    pub(crate) fn filter(mut self, name: &'static str, value: Uuid) -> Self {
        self.filters.push((name, value.to_string()));
        self
    }

    /// Records on a page: 1 to 100, and 100 unless set or when it is more.
    pub fn page_size(mut self, size: u32) -> Self {
        self.size = Some(size);
        self
    }

    /// Begins at a page that another one named.
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Reads one page.
    pub async fn send(self) -> Result<Page<T>, Error> {
        Ok(self.fetch(self.token.as_deref()).await?.0)
    }

    /// The pages that have records, from the first or the given one to the last, each read when it is asked for.
    ///
    /// A list that would not come to its end ends with [`Error::Endless`], after its pages so far.
    pub fn pages(self) -> impl Stream<Item = Result<Page<T>, Error>> + Send + Unpin + use<T> {
        let progress = Progress::from(self.token.clone());
        Box::pin(try_unfold(Walk::Ask(Box::new(self), progress), Walk::step))
    }

    /// The records of all pages; see [`pages`](Self::pages).
    pub fn stream(self) -> impl Stream<Item = Result<T, Error>> + Send + Unpin + use<T> {
        self.pages().map_ok(|page| iter(page.result.into_iter().map(Ok))).try_flatten()
    }

    /// The records of all pages at once.
    pub async fn all(self) -> Result<Vec<T>, Error> {
        self.stream().try_collect().await
    }

    async fn fetch(&self, token: Option<&str>) -> Result<(Page<T>, Exchange), Error> {
        let mut parameters = self.filters.clone();
        parameters.extend(self.size.map(|size| ("page_size", size.to_string())));
        parameters.extend(token.map(|token| ("page_token", token.to_owned())));
        self.client.fetch_told(&Request::new(Method::GET, self.path).with_query(&parameters)).await
    }
}

/// The state of a walk over the pages.
enum Walk<T> {
    Ask(Box<ListRequest<T>>, Progress),
    Fail(Endless),
    End,
}

impl<T: DeserializeOwned + Send + 'static> Walk<T> {
    async fn step(self) -> Result<Option<(Page<T>, Self)>, Error> {
        let (list, progress) = match self {
            Self::Ask(list, progress) => (list, progress),
            Self::Fail(endless) => return Err(Error::Endless(Box::new(endless))),
            Self::End => return Ok(None),
        };
        let (page, exchange) = list.fetch(progress.token.as_deref()).await?;
        let number = progress.pages + 1;
        let next = match progress.after(page.result.len(), page.next_page_token.clone()) {
            Ok(Some(progress)) => Self::Ask(list, progress),
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

// Written out because a derive would ask the same of `T`.
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
