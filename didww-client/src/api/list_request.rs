//! Requests for a list of records, read page by page.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;

use didww_types::{ApiVersion, Filter as _, Parameters, Partial, Resource, VersionError};
use futures_core::Stream;
use futures_util::TryStreamExt as _;
use futures_util::stream::{iter, try_unfold};
use serde::de::DeserializeOwned;

use super::version_check;
use crate::page::Progress;
use crate::request::Request;
use crate::response::Decode;
use crate::{Client, Endless, Error, Exchange, Page, Reason};

/// The largest page of any type in any version.
const MAX_PAGE_SIZE: u64 = 1000;

/// A request for a list of records. Await it for one page, or use [`stream`](Self::stream) or
/// [`all`](Self::all) for the records of all pages.
///
/// ```
/// # async fn f(client: &didww_client::Client) -> Result<(), didww_client::Error> {
/// use didww_client::TryStreamExt as _;
/// use didww_client::resources::{VoiceOutTrunkFilter, VoiceOutTrunkSort, VoiceOutTrunkStatus};
///
/// let blocked = client
///     .voice_out_trunks()
///     .list()
///     .filter(VoiceOutTrunkFilter::status(VoiceOutTrunkStatus::Blocked))
///     .sort(VoiceOutTrunkSort::Name);
/// let mut trunks = blocked.stream();
/// while let Some(trunk) = trunks.try_next().await? {
///     println!("{} spent {}", trunk.name, trunk.meta.spent_amount);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent until it is awaited"]
pub struct ListRequest<R: Resource, T = R> {
    client: Client,
    request: Request,
    parameters: Parameters,
    filters: Vec<R::Filter>,
    /// Why the client's version does not have the list, if it is that of a relationship.
    lacking: Option<VersionError>,
    decode: Decode<T>,
    resource: PhantomData<fn() -> R>,
}

impl<R: Resource> ListRequest<R> {
    pub(super) fn new(client: Client, request: Request) -> Self {
        Self {
            client,
            request,
            parameters: Parameters::default(),
            filters: Vec::new(),
            lacking: None,
            decode: R::decode_at,
            resource: PhantomData,
        }
    }

    /// Refuses the request, when it is sent, if the client's version does not have the list.
    pub(super) fn checked(mut self, checked: Result<(), VersionError>) -> Self {
        self.lacking = checked.err();
        self
    }
}

impl<R: Resource, T: DeserializeOwned + Send + 'static> ListRequest<R, T> {
    /// Lists only the records that match the filter. When several filters are set, a record must match all of
    /// them.
    pub fn filter(mut self, filter: R::Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// Sorts in ascending order. A second call sorts the records that are equal by the first, and so on.
    pub fn sort(mut self, by: R::Sort) -> Self {
        self.parameters.sort.push(by.into().to_owned());
        self
    }

    /// Sorts in descending order. It combines with [`sort`](Self::sort) in the order of the calls.
    pub fn sort_descending(mut self, by: R::Sort) -> Self {
        self.parameters.sort.push(format!("-{}", by.into()));
        self
    }

    /// Includes related records in the response: see [`Page::included`].
    pub fn include(mut self, paths: impl IntoIterator<Item = R::Include>) -> Self {
        self.parameters.include.extend(paths.into_iter().map(|path| path.into().to_owned()));
        self
    }

    /// Requests only these fields. The response has partial records, in which all other fields are absent.
    pub fn fields(mut self, names: impl IntoIterator<Item = R::Field>) -> ListRequest<R, R::Partial> {
        let names = names.into_iter().map(|name| name.into().to_owned()).collect();
        self.parameters.fields.push((R::TYPE.to_owned(), names));
        ListRequest {
            client: self.client,
            request: self.request,
            parameters: self.parameters,
            filters: self.filters,
            lacking: self.lacking,
            decode: <R::Partial as Partial<R>>::decode_at,
            resource: PhantomData,
        }
    }

    /// Sets the number of the page to read, or of the first page of a stream: from 1, which is the default.
    pub fn page(mut self, number: u64) -> Self {
        self.parameters.number = Some(number);
        self
    }

    /// Sets the number of records on a page, 50 by default: 1 to 1000, and from 2026-04-16 on at most 100 of most
    /// types. 0 and more than 1000 are [`Reason::Page`].
    pub fn page_size(mut self, size: u64) -> Self {
        self.parameters.size = Some(size);
        self
    }

    /// Sends the request and returns one page.
    pub async fn send(self) -> Result<Page<T>, Error> {
        Ok(self.fetch().await?.0)
    }

    /// Streams the pages from the first, or from that set by [`page`](Self::page), to the last. A page is
    /// requested when the stream is polled for it.
    ///
    /// When the service's pages would never end, the stream yields the pages so far and then
    /// [`Error::Endless`].
    pub fn pages(self) -> impl Stream<Item = Result<Page<T>, Error>> + Send + Unpin + use<R, T> {
        let progress = Progress::at(self.parameters.number.unwrap_or(1));
        Box::pin(try_unfold(Pages::Next(Box::new(self), progress), Pages::step))
    }

    /// Streams the records of all pages; see [`pages`](Self::pages).
    pub fn stream(self) -> impl Stream<Item = Result<T, Error>> + Send + Unpin + use<R, T> {
        self.pages().map_ok(|page| iter(page.items.into_iter().map(Ok))).try_flatten()
    }

    /// Reads all pages and returns their records. An error on any page discards the records read before.
    pub async fn all(self) -> Result<Vec<T>, Error> {
        self.stream().try_collect().await
    }

    /// Reads the first record; `None` if there is none.
    pub async fn first(self) -> Result<Option<T>, Error> {
        Ok(self.page_size(1).send().await?.items.into_iter().next())
    }

    /// Reads the only record; `None` if there is none.
    ///
    /// # Errors
    /// Returns [`Reason::Several`] if there is more than one, beside the errors of the request.
    pub async fn one(self) -> Result<Option<T>, Error> {
        let request = self.request.clone();
        let mut items = self.page_size(2).send().await?.items.into_iter();
        match (items.next(), items.next()) {
            (Some(_), Some(_)) => {
                Err(request.refused(Reason::Several(format!("more than one of {}", R::TYPE))))
            }
            (found, _) => Ok(found),
        }
    }

    /// Adds a filter by its name, with its text in the client's version.
    pub(super) fn with_filter(mut self, name: &str, text: String) -> Self {
        self.parameters.filters.push((name.to_owned(), text));
        self
    }

    /// Includes relationships by their canonical names.
    pub(super) fn with_includes(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.parameters.include.extend(names);
        self
    }

    /// The parameters with the names and forms of a version.
    fn parameters_at(&self, version: ApiVersion) -> Result<Parameters, Reason> {
        if let Some(error) = &self.lacking {
            return Err(error.clone().into());
        }
        let is_page = self.parameters.number != Some(0)
            && self.parameters.size.is_none_or(|size| (1..=MAX_PAGE_SIZE).contains(&size));
        if !is_page {
            return Err(Reason::Page);
        }
        let mut parameters = version_check::parameters(R::SPEC, version, &self.parameters)?;
        for filter in &self.filters {
            let text = version_check::filter(R::SPEC, version, filter.name(), filter.values())?;
            parameters.filters.push((filter.name().to_owned(), text));
        }
        Ok(parameters)
    }

    async fn fetch(&self) -> Result<(Page<T>, Exchange), Error> {
        let version = self.client.api_version();
        let parameters = self.parameters_at(version).map_err(|error| self.request.refused(error))?;
        let request = self.request.clone().with_query(&parameters);
        let response = self.client.execute(&request).await?;
        Ok((response.page::<R, T>(self.decode)?, response.exchange))
    }
}

/// The state of a stream of pages: the next request, an error to yield, or the end.
enum Pages<R: Resource, T> {
    Next(Box<ListRequest<R, T>>, Progress),
    Fail(Endless),
    End,
}

impl<R: Resource, T: DeserializeOwned + Send + 'static> Pages<R, T> {
    async fn step(self) -> Result<Option<(Page<T>, Self)>, Error> {
        let (mut list, progress) = match self {
            Self::Next(list, progress) => (list, progress),
            Self::Fail(endless) => return Err(Error::Endless(Box::new(endless))),
            Self::End => return Ok(None),
        };
        let (page, exchange) = list.fetch().await?;
        let next = match progress.after(page.items.len(), page.total, &page.links) {
            Ok(Some(progress)) => {
                list.parameters.number = Some(progress.number);
                Self::Next(list, progress)
            }
            Ok(None) => Self::End,
            Err(reason) => Self::Fail(Endless::new(exchange, progress.number, reason)),
        };
        Ok(Some((page, next)))
    }
}

impl<R: Resource, T: DeserializeOwned + Send + 'static> IntoFuture for ListRequest<R, T> {
    type Output = Result<Page<T>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

// Not derived, because a derive would require `T: Clone`.
impl<R: Resource, T> Clone for ListRequest<R, T> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            request: self.request.clone(),
            parameters: self.parameters.clone(),
            filters: self.filters.clone(),
            lacking: self.lacking.clone(),
            decode: self.decode,
            resource: PhantomData,
        }
    }
}

impl<R: Resource, T> fmt::Debug for ListRequest<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListRequest")
            .field("path", &self.request.path)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}
